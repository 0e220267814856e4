// Who is let in: open to everybody while there is nobody to tell apart, and checked from the moment there are keys.
import { Authenticator } from "./auth/authenticate.ts";
import { Authorizer } from "./auth/authorize.ts";
import type { Identities } from "./auth/identities.ts";
import { Sealer } from "./auth/sealing.ts";
import type { Clock } from "./base/clock.ts";
import { CheckedGate, type GateDefaults, LatchGate, openGate } from "./sqs/gate.ts";
import { hasIdentities, readIdentities, secretsSealer, watchIdentities } from "./vault/identities-file.ts";
import { MasterKeyError, readMasterKey } from "./vault/master-key.ts";

/** What there is to check with, once keys exist. */
export interface Checks {
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  /** Of session tokens. */
  readonly sessions: Sealer;
}

export interface EntranceOptions {
  readonly dataDirectory: string;
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly defaults: GateDefaults;
  /** Told of keys that cannot be read: those there were stay. */
  readonly onTrouble: (error: unknown) => void;
}

export class Entrance {
  /** Open, or checked; never open again once it was checked. */
  readonly gate: LatchGate;
  readonly #options: EntranceOptions;
  readonly #listeners: ((event: "shut" | "renewed") => void)[] = [];
  readonly #unwatch: () => void;
  #checks: Checks | undefined;

  /** @throws IdentitiesError, MasterKeyError when there are keys that cannot be read */
  constructor(options: EntranceOptions) {
    this.#options = options;
    this.gate = new LatchGate(openGate(options.defaults));
    // That there is a file is enough: whoever deletes the last key has not said that everybody may come in.
    if (hasIdentities(options.dataDirectory)) this.#renew();
    this.#unwatch = watchIdentities(options.dataDirectory, () => {
      if (this.#checks === undefined && !hasIdentities(options.dataDirectory)) return;
      try {
        this.#renew();
      } catch (error) {
        options.onTrouble(error);
      }
    });
  }

  /** undefined while everybody is let in */
  get checks(): Checks | undefined {
    return this.#checks;
  }

  /**
   * Tells of every change from now on. "shut": what was open is checked, whoever came in before has shown nothing;
   * "renewed": keys, users, roles or policies may be others.
   */
  onChange(listener: (event: "shut" | "renewed") => void): void {
    this.#listeners.push(listener);
  }

  close(): void {
    this.#unwatch();
  }

  #renew(): void {
    const { clock, defaults } = this.#options;
    const { masterKey, identities } = this.#read();
    const known = this.#checks;
    if (known === undefined) {
      const sessions = new Sealer(masterKey, "session tokens");
      const authenticator = new Authenticator(identities, sessions);
      const authorizer = new Authorizer();
      this.#checks = { authenticator, authorizer, sessions };
      this.gate.shut(new CheckedGate({ authenticator, authorizer, clock, defaults }));
    } else {
      known.authenticator.renew(identities);
      known.authorizer.forget();
    }
    for (const listener of this.#listeners) listener(known === undefined ? "shut" : "renewed");
  }

  #read(): { masterKey: Uint8Array; identities: Identities } {
    const { dataDirectory, env } = this.#options;
    const masterKey = readMasterKey(dataDirectory, env);
    if (masterKey === undefined) {
      throw new MasterKeyError(
        `Cannot open the keys in ${dataDirectory}: there is no master key, in master.key or in WASQ_MASTER_KEY`,
      );
    }
    return { masterKey, identities: readIdentities(dataDirectory, secretsSealer(masterKey)) };
  }
}
