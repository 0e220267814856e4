// Who sent a request: its claim, the key it names, the signature over the bytes that came.

import type { AccessKey, Identities } from "./identities.ts";
import { Kept } from "./kept.ts";
import { parsePolicy } from "./policy/document.ts";
import { ANONYMOUS, type Principal, roleSessionOf } from "./principal.ts";
import type { Sealer } from "./sealing.ts";
import { readToken, type Session } from "./session-token.ts";
import {
  type Claim,
  checkScope,
  checkSignature,
  type Refused,
  readClaim,
  type SignedRequest,
  signingKey,
} from "./sigv4.ts";

const SIGNING_KEYS_KEPT_MAX = 10_000;
const SESSIONS_KEPT_MAX = 10_000;

export interface Authenticated {
  readonly principal: Principal;
  readonly accessKeyId: string | undefined; // undefined for whoever is anonymous, like the next two
  /** Of temporary credentials. */
  readonly session: Session | undefined;
  /** What he has shown to have, to be asked about again. */
  readonly credential: Credential | undefined;
  readonly region: string | undefined; // of the scope
  readonly service: string | undefined;
}

const NOBODY: Authenticated = {
  principal: ANONYMOUS,
  accessKeyId: undefined,
  session: undefined,
  credential: undefined,
  region: undefined,
  service: undefined,
};

const INVALID_TOKEN: Refused = {
  refused: "UnrecognizedClientException",
  text: "The security token included in the request is invalid.",
};
const EXPIRED_TOKEN: Refused = {
  refused: "ExpiredTokenException",
  text: "The security token included in the request is expired",
};

/** With its secret: nothing that is written or told has one. */
export interface Credential {
  readonly secret: string;
  readonly principal: Principal;
  readonly session?: Session;
}

interface OpenedSession extends Credential {
  readonly session: Session;
}

export class Authenticator {
  readonly #sessions: Sealer;
  readonly #signingKeys = new Kept<string, Buffer>(SIGNING_KEYS_KEPT_MAX);
  readonly #opened = new Kept<string, OpenedSession>(SESSIONS_KEPT_MAX); // by token: it is opened and understood once
  #identities: Identities;
  /** Of whoever has come in with a session and stays, who he is as things are now. */
  #stays = new WeakMap<Session, Principal>();

  constructor(identities: Identities, sessions: Sealer) {
    this.#identities = identities;
    this.#sessions = sessions;
  }

  /** Keys, users or roles have changed. */
  renew(identities: Identities): void {
    this.#identities = identities;
    this.#signingKeys.clear();
    this.#opened.clear();
    this.#stays = new WeakMap();
  }

  /** @param wanted the service whose API is called: the scope must name it */
  get identities(): Identities {
    return this.#identities;
  }

  authenticate(request: SignedRequest, wanted: string, nowMs: number): Authenticated | Refused {
    const claim = readClaim(request);
    if (claim === undefined) return NOBODY;
    if ("refused" in claim) return claim;
    const { sessionToken, accessKeyId, region, service } = claim;
    const credential =
      sessionToken === undefined ? this.#ofKey(accessKeyId) : this.#ofSession(sessionToken, accessKeyId, nowMs);
    if ("refused" in credential) return credential;
    const { key, isNew } = this.#signingKey(claim, credential);
    const problem = checkScope(claim, wanted, nowMs) ?? checkSignature(request, claim, key);
    if (problem !== undefined) return problem;
    // Whoever has no secret fills no cache.
    if (isNew) this.#signingKeys.set(nameOfSigningKey(claim), key);
    const { principal, session } = credential;
    return { principal, accessKeyId, session, credential, region, service };
  }

  /**
   * Who somebody is now that was authenticated before: his policies may be others.
   * @returns undefined when his key, his role or his session is no more, or the key has another secret or another owner
   */
  again(accessKeyId: string, { secret, session, principal }: Credential, nowMs: number): Principal | undefined {
    if (session !== undefined && session.expiresMs <= nowMs) return undefined;
    const key = this.#identities.key(accessKeyId);
    const now =
      session === undefined
        ? key?.active && key.secret === secret
          ? key.principal
          : undefined
        : this.#ofStay(session);
    return now?.arn === principal.arn ? now : undefined;
  }

  #ofStay(session: Session): Principal | undefined {
    let principal = this.#stays.get(session);
    if (principal === undefined) {
      principal = this.#principalOf(session);
      if (principal !== undefined) this.#stays.set(session, principal);
    }
    return principal;
  }

  #ofKey(id: string): Credential | Refused {
    const key = this.#identities.key(id);
    return key?.active ? key : INVALID_TOKEN;
  }

  #ofSession(token: string, accessKeyId: string, nowMs: number): Credential | Refused {
    const opened = this.#opened.get(token) ?? this.#open(token);
    if (opened === undefined || opened.session.accessKeyId !== accessKeyId) return INVALID_TOKEN;
    if (opened.session.expiresMs <= nowMs) return EXPIRED_TOKEN;
    return opened;
  }

  /** @returns undefined for what is no token of ours, or has been revoked */
  #open(token: string): OpenedSession | undefined {
    const session = readToken(this.#sessions, token);
    if (session === undefined) return undefined;
    const principal = this.#principalOf(session);
    if (principal === undefined) return undefined;
    const opened = { secret: session.secret, principal, session };
    this.#opened.set(token, opened);
    return opened;
  }

  /** @returns undefined when the role, or the key it came from, is no more, or its sessions are to be over */
  #principalOf(session: Session): Principal | undefined {
    const { role, parentKeyId, policy, issuedMs, tags, sourceIdentity } = session;
    const parent = this.#identities.key(parentKeyId);
    if (!mayHaveSessions(parent, issuedMs)) return undefined;
    if (role === undefined) return { ...parent.principal, sessionIssuedMs: issuedMs };
    const known = this.#identities.role(role.arn);
    // A new role of the same name has none of the old one's sessions.
    if (known?.id !== role.id || issuedMs < known.sessionsValidFromMs) return undefined;
    return roleSessionOf({
      account: known.account,
      roleName: known.name,
      rolePath: known.path,
      roleId: known.id,
      sessionName: role.sessionName,
      policies: known.policies,
      sessionPolicies: policy === undefined ? undefined : [parsePolicy(policy, "session")], // it was, when it was issued
      issuedMs,
      tags: new Map(tags),
      sourceIdentity,
    });
  }

  #signingKey(claim: Claim, { secret }: Credential): { readonly key: Buffer; readonly isNew: boolean } {
    const known = this.#signingKeys.get(nameOfSigningKey(claim));
    return known === undefined ? { key: signingKey(secret, claim), isNew: true } : { key: known, isNew: false };
  }
}

function nameOfSigningKey({ accessKeyId, day, region, service }: Claim): string {
  return `${accessKeyId}/${day}/${region}/${service}`;
}

function mayHaveSessions(key: AccessKey | undefined, issuedMs: number): key is AccessKey {
  return key?.active === true && issuedMs >= key.sessionsValidFromMs;
}
