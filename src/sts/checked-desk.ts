// The desk where signatures, trust policies and the askers' own policies decide.
import { mayAssume } from "../auth/assume.ts";
import type { Authenticator } from "../auth/authenticate.ts";
import type { Role } from "../auth/identities.ts";
import type { Context } from "../auth/policy/context.ts";
import { type Principal, sessionArn } from "../auth/principal.ts";
import type { RateLimit } from "../auth/rate-limit.ts";
import { contextOf } from "../auth/request-context.ts";
import type { Sealer } from "../auth/sealing.ts";
import { issueToken, newSecret, newUniqueId, type Session } from "../auth/session-token.ts";
import type { SqsRequest } from "../sqs/exchange.ts";
import { signedRequest } from "../sqs/gate.ts";
import { actionsOf, checkPacked, contentOf, type RoleWish, type SessionContent, secondsOf } from "./assume-role.ts";
import {
  type AssumedRole,
  type Credentials,
  type Desk,
  type Identity,
  lifetime,
  ROOT_SECONDS_MAX,
  SESSION_TOKEN_SECONDS,
} from "./desk.ts";
import { CODE_OF_REFUSAL, StsError } from "./errors.ts";

export interface Checks {
  readonly authenticator: Authenticator;
  /** Of session tokens. */
  readonly sessions: Sealer;
  readonly rate?: RateLimit | undefined;
}

const NO_CONTENT: SessionContent = { policy: undefined, tags: [], transitiveTagKeys: [], sourceIdentity: undefined };

export class CheckedDesk implements Desk {
  readonly #checks: Checks;
  readonly #request: SqsRequest;
  readonly #nowMs: number;
  readonly #principal: Principal;
  readonly #session: Session | undefined;
  readonly #parentKeyId: string;
  readonly #region: string;

  /** @throws StsError when the asker is not who he says, or says nothing */
  constructor(checks: Checks, request: SqsRequest, nowMs: number) {
    const result = checks.authenticator.authenticate(signedRequest(request), "sts", nowMs);
    if ("refused" in result) throw new StsError(CODE_OF_REFUSAL[result.refused], result.text);
    const { principal, accessKeyId, session, region } = result;
    if (accessKeyId === undefined) {
      throw new StsError("MissingAuthenticationToken", "Request is missing Authentication Token");
    }
    if (checks.rate?.take(principal.limitName, nowMs) === false) throw new StsError("Throttling", "Rate exceeded");
    this.#checks = checks;
    this.#request = request;
    this.#nowMs = nowMs;
    this.#principal = principal;
    this.#session = session;
    this.#parentKeyId = session?.parentKeyId ?? accessKeyId;
    this.#region = region ?? "";
  }

  identity(): Identity {
    return this.#principal;
  }

  sessionToken(seconds: number | undefined): Credentials {
    if (this.#session !== undefined) {
      throw new StsError("AccessDenied", "Cannot call GetSessionToken with session credentials");
    }
    const isRoot = this.#principal.kind === "root";
    const granted = isRoot
      ? Math.min(seconds ?? ROOT_SECONDS_MAX, ROOT_SECONDS_MAX)
      : (seconds ?? SESSION_TOKEN_SECONDS);
    return this.#issue(undefined, NO_CONTENT, granted);
  }

  assumeRole(wish: RoleWish): AssumedRole {
    if (this.#principal.kind === "root") {
      throw new StsError("AccessDenied", "Roles may not be assumed by root accounts.");
    }
    const role = this.#checks.authenticator.identities.role(wish.roleArn);
    const content = contentOf(wish, this.#session);
    const context = role === undefined ? undefined : this.#contextOf(wish, content, role);
    for (const action of actionsOf(content)) {
      // A role that is not there is answered like one that is not for the asker: nobody learns which there are.
      if (role !== undefined && context !== undefined && mayAssume(this.#principal, action, role, context)) continue;
      const who = `User: ${this.#principal.arn} is not authorized to perform: ${action}`;
      throw new StsError("AccessDenied", `${who} on resource: ${wish.roleArn}`);
    }
    if (role === undefined) throw new Error("A role that is not there cannot be assumed");
    const isChained = this.#principal.kind === "role";
    const seconds = secondsOf(wish, role.maxSessionSeconds, isChained);
    const packedPercent = checkPacked(content);
    const { account, name, id } = role;
    const { sessionName } = wish;
    return {
      credentials: this.#issue({ arn: role.arn, id, sessionName }, content, seconds),
      identity: { account, arn: sessionArn(account, name, sessionName), userId: `${id}:${sessionName}` },
      content,
      packedPercent,
    };
  }

  #issue(role: Session["role"], content: SessionContent, seconds: number): Credentials {
    const accessKeyId = newUniqueId("ASIA");
    const secret = newSecret();
    const times = lifetime(this.#nowMs, seconds);
    const session = { accessKeyId, secret, role, parentKeyId: this.#parentKeyId, ...content, ...times };
    return { accessKeyId, secret, token: issueToken(this.#checks.sessions, session), expiresMs: times.expiresMs };
  }

  #contextOf(wish: RoleWish, { tags, transitiveTagKeys, sourceIdentity }: SessionContent, role: Role): Context {
    const context = new Map(
      contextOf({
        principal: this.#principal,
        nowMs: this.#nowMs,
        remoteAddress: this.#request.remoteAddress,
        isSecure: this.#request.scheme === "https",
        userAgent: this.#request.headers.get("user-agent") ?? "",
        region: this.#region,
        resourceAccount: role.account,
        queueTags: undefined,
        requestTags: tags.length === 0 ? undefined : new Map(tags),
      }),
    );
    context.set("sts:rolesessionname", [wish.sessionName]);
    if (wish.externalId !== undefined) context.set("sts:externalid", [wish.externalId]);
    if (sourceIdentity !== undefined) context.set("sts:sourceidentity", [sourceIdentity]);
    if (transitiveTagKeys.length > 0) context.set("sts:transitivetagkeys", transitiveTagKeys);
    return context;
  }
}
