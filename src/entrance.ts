// Who is let in: open to everybody while there is nobody to tell apart, and checked from the moment there are keys.
import type { Audit } from "./audit/audit.ts";
import { AtOnce } from "./auth/at-once.ts";
import { Authenticator } from "./auth/authenticate.ts";
import { Authorizer } from "./auth/authorize.ts";
import type { DeclaredIdentities, Identities } from "./auth/identities.ts";
import { RateLimit } from "./auth/rate-limit.ts";
import { Sealer } from "./auth/sealing.ts";
import type { Clock } from "./base/clock.ts";
import { CheckedGate, type GateDefaults, LatchGate, openGate } from "./sqs/gate.ts";
import type { KeyNames } from "./sqs/key-rights.ts";
import { hasIdentities, identitiesPath, readIdentities, secretsSealer } from "./vault/identities-file.ts";
import { MasterKeyError, masterKeyPath, obtainMasterKey, readMasterKey } from "./vault/master-key.ts";
import { watchFiles } from "./vault/watch.ts";

/** What there is to check with, once keys exist. */
export interface Checks {
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  /** Of session tokens. */
  readonly sessions: Sealer;
  /** Of each principal; undefined: he may ask as fast as he can. */
  readonly rate: RateLimit | undefined;
}

/** Identities that are declared outside of the data directory, and the files whose change may change them. */
export type Declarations = DeclaredIdentities & { readonly files: readonly string[] };

export interface EntranceOptions {
  readonly dataDirectory: string;
  /** What is declared at the start, and what is declared now. */
  readonly declared: Declarations;
  readonly declareAgain: () => Declarations;
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly defaults: GateDefaults;
  readonly audit?: Audit | undefined;
  /** Of each principal; undefined: no limit. */
  readonly requestsPerSecond: number | undefined;
  readonly requestsAtOnce: number | undefined;
  /** Of queues' keys whose use is up to policies; undefined: a KMS decides. */
  readonly keyNames: KeyNames | undefined;
  /** Told of keys that cannot be read: those there were stay. */
  readonly onTrouble: (error: unknown) => void;
  readonly onNote: (text: string) => void;
}

export class Entrance {
  /** Open, or checked; never open again once it was checked. */
  readonly gate: LatchGate;
  readonly #options: EntranceOptions;
  readonly #listeners: ((event: "shut" | "renewed") => void)[] = [];
  #declared: Declarations;
  #unwatch: () => void;
  #checks: Checks | undefined;
  #told = ""; // of what is declared in place of what is stored

  /** @throws IdentitiesError, MasterKeyError when there are keys that cannot be read */
  constructor(options: EntranceOptions) {
    this.#options = options;
    this.#declared = options.declared;
    this.gate = new LatchGate(openGate(options.defaults));
    if (this.#hasIdentities()) this.#renew();
    this.#unwatch = this.#watch();
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

  /** That there is a file is enough: whoever deletes the last key has not said that everybody may come in. */
  #hasIdentities(): boolean {
    const { users, roles } = this.#declared;
    return users.length > 0 || roles.length > 0 || hasIdentities(this.#options.dataDirectory);
  }

  #watch(): () => void {
    return watchFiles([identitiesPath(this.#options.dataDirectory), ...this.#declared.files], () => {
      try {
        this.#look();
      } catch (error) {
        this.#options.onTrouble(error);
      }
    });
  }

  /** Something may have changed; a file that cannot be understood changes nothing. */
  #look(): void {
    const before = this.#declared;
    this.#declared = this.#options.declareAgain();
    try {
      if (this.#checks !== undefined || this.#hasIdentities()) this.#renew();
    } catch (error) {
      this.#declared = { ...before, files: this.#declared.files };
      throw error;
    } finally {
      // Watching anew may miss a change: only for files that were not watched.
      if (this.#declared.files.join("\n") !== before.files.join("\n")) {
        this.#unwatch();
        this.#unwatch = this.#watch();
      }
    }
  }

  #renew(): void {
    const { clock, defaults, audit, requestsPerSecond, requestsAtOnce, keyNames } = this.#options;
    const { masterKey, identities } = this.#read();
    const known = this.#checks;
    if (known === undefined) {
      const sessions = new Sealer(masterKey, "session tokens");
      const authenticator = new Authenticator(identities, sessions);
      const authorizer = new Authorizer();
      const rate = requestsPerSecond === undefined ? undefined : new RateLimit(requestsPerSecond);
      this.#checks = { authenticator, authorizer, sessions, rate };
      const atOnce = requestsAtOnce === undefined ? undefined : new AtOnce(requestsAtOnce);
      this.gate.shut(new CheckedGate({ authenticator, authorizer, clock, defaults, audit, rate, atOnce, keyNames }));
    } else {
      known.authenticator.renew(identities);
      known.authorizer.forget();
    }
    const change = known === undefined ? "shut" : "renewed";
    audit?.identities(change);
    for (const listener of this.#listeners) listener(change);
  }

  #read(): { masterKey: Uint8Array; identities: Identities } {
    const { dataDirectory, env, onNote } = this.#options;
    const known = readMasterKey(dataDirectory, env);
    if (known === undefined && hasIdentities(dataDirectory)) {
      throw new MasterKeyError(
        `Cannot open the keys in ${dataDirectory}: there is no master key, in WASQ_MASTER_KEY or in ${masterKeyPath(dataDirectory, env)}`,
      );
    }
    const masterKey = known ?? obtainMasterKey(dataDirectory, env); // session tokens are sealed with it as well
    const identities = readIdentities(dataDirectory, secretsSealer(masterKey), this.#declared);
    const overruled = identities.overruled.join(", ");
    if (overruled !== this.#told && overruled !== "") {
      onNote(`Declared in the configuration, and so not as the data directory has it: ${overruled}`);
    }
    this.#told = overruled;
    return { masterKey, identities };
  }
}
