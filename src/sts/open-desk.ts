// The desk of a broker that takes everybody for whom he says he is: it gives out credentials for any role, so that what is
// configured with a role_arn runs here unchanged. They open no door that is not open anyway.
import { randomBytes } from "node:crypto";
import { SESSION_SECONDS_MAX } from "../auth/identities.ts";
import { Kept } from "../auth/kept.ts";
import { sessionArn } from "../auth/principal.ts";
import { newSecret, uniqueId } from "../auth/session-token.ts";
import { ACCESS_KEY_OF_ACCOUNT, type Caller } from "../sqs/caller.ts";
import { checkPacked, type RoleWish, secondsOf } from "./assume-role.ts";
import {
  type AssumedRole,
  type Credentials,
  type Desk,
  type Identity,
  lifetime,
  SESSION_TOKEN_SECONDS,
} from "./desk.ts";

/** Who has which of the keys given out; forgotten at the end, when such a key is its account's root. */
export class OpenSessions extends Kept<string, Identity> {
  constructor() {
    super(10_000);
  }
}

export class OpenDesk implements Desk {
  readonly #given: OpenSessions;
  readonly #caller: Pick<Caller, "account" | "senderId">;
  readonly #nowMs: number;

  constructor(given: OpenSessions, caller: Pick<Caller, "account" | "senderId">, nowMs: number) {
    this.#given = given;
    this.#caller = caller;
    this.#nowMs = nowMs;
  }

  identity(): Identity {
    const { account, senderId } = this.#caller;
    return this.#given.get(senderId) ?? { account, arn: `arn:aws:iam::${account}:root`, userId: account };
  }

  sessionToken(seconds: number | undefined): Credentials {
    return this.#issue(this.identity(), seconds ?? SESSION_TOKEN_SECONDS);
  }

  assumeRole(wish: RoleWish): AssumedRole {
    const { roleArn, sessionName, policy, tags, transitiveTagKeys, sourceIdentity } = wish;
    const account = roleArn.split(":")[4] ?? "";
    const roleName = roleArn.slice(roleArn.lastIndexOf("/") + 1);
    const content = { policy, tags, transitiveTagKeys, sourceIdentity };
    const packedPercent = checkPacked(content);
    const seconds = secondsOf(wish, SESSION_SECONDS_MAX, false);
    const roleId = uniqueId("AROA", Buffer.from(roleArn.padEnd(16).slice(-16)));
    const identity = {
      account,
      arn: sessionArn(account, roleName, sessionName),
      userId: `${roleId}:${sessionName}`,
    };
    return { credentials: this.#issue(identity, seconds), identity, content, packedPercent };
  }

  /** The account is in the key, where src/sqs/caller.ts finds it: the session's queues are those of its account. */
  #issue(identity: Identity, seconds: number): Credentials {
    const random = uniqueId("ASIA", randomBytes(16)).slice(-8);
    const accessKeyId = `${ACCESS_KEY_OF_ACCOUNT}${identity.account}${random}`;
    this.#given.set(accessKeyId, identity);
    const token = randomBytes(48).toString("base64");
    return { accessKeyId, secret: newSecret(), token, expiresMs: lifetime(this.#nowMs, seconds).expiresMs };
  }
}
