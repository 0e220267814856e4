// Who sent a request: its claim, the key it names, the signature over the bytes that came.

import type { Identities } from "./identities.ts";
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

export interface Authenticated {
  readonly principal: Principal;
  readonly region: string | undefined; // of the scope; undefined for whoever is anonymous
  readonly service: string | undefined;
}

const NOBODY: Authenticated = { principal: ANONYMOUS, region: undefined, service: undefined };

const INVALID_TOKEN: Refused = {
  refused: "UnrecognizedClientException",
  text: "The security token included in the request is invalid.",
};
const EXPIRED_TOKEN: Refused = {
  refused: "ExpiredTokenException",
  text: "The security token included in the request is expired",
};

interface Credential {
  readonly secret: string;
  readonly principal: Principal;
}

export class Authenticator {
  readonly #sessions: Sealer;
  readonly #signingKeys = new Map<string, Buffer>();
  readonly #principals = new Map<string, Principal>(); // of sessions, by token: their policies are parsed once
  #identities: Identities;

  constructor(identities: Identities, sessions: Sealer) {
    this.#identities = identities;
    this.#sessions = sessions;
  }

  /** Keys, users or roles have changed. */
  renew(identities: Identities): void {
    this.#identities = identities;
    this.#signingKeys.clear();
    this.#principals.clear();
  }

  /** @param wanted the service whose API is called: the scope must name it */
  authenticate(request: SignedRequest, wanted: string, nowMs: number): Authenticated | Refused {
    const claim = readClaim(request);
    if (claim === undefined) return NOBODY;
    if ("refused" in claim) return claim;
    const { sessionToken, accessKeyId, region, service } = claim;
    const credential =
      sessionToken === undefined ? this.#ofKey(accessKeyId) : this.#ofSession(sessionToken, accessKeyId, nowMs);
    if ("refused" in credential) return credential;
    const wrong =
      checkScope(claim, wanted, nowMs) ?? checkSignature(request, claim, this.#signingKey(claim, credential));
    return wrong ?? { principal: credential.principal, region, service };
  }

  #ofKey(id: string): Credential | Refused {
    const key = this.#identities.key(id);
    return key?.active ? key : INVALID_TOKEN;
  }

  #ofSession(token: string, accessKeyId: string, nowMs: number): Credential | Refused {
    const session = readToken(this.#sessions, token);
    if (session === undefined || session.accessKeyId !== accessKeyId) return INVALID_TOKEN;
    if (session.expiresMs <= nowMs) return EXPIRED_TOKEN;
    const principal = this.#principals.get(token) ?? this.#principalOf(session);
    if (principal === undefined) return INVALID_TOKEN;
    if (this.#principals.size >= SIGNING_KEYS_KEPT_MAX) this.#principals.clear();
    this.#principals.set(token, principal);
    return { secret: session.secret, principal };
  }

  /** @returns undefined when the session has been revoked: its role, or the key it came from, is no more */
  #principalOf({ role, parentKeyId, sessionPolicies, issuedMs, accessKeyId }: Session): Principal | undefined {
    const policies = sessionPolicies?.map((text) => parsePolicy(text, "session"));
    if (role !== undefined) {
      const known = this.#identities.role(role.arn);
      if (known === undefined || issuedMs < known.sessionsValidFromMs) return undefined;
      return roleSessionOf({
        account: known.account,
        roleName: known.name,
        roleId: known.id,
        sessionName: role.sessionName,
        policies: known.policies,
        sessionPolicies: policies,
        issuedMs,
        accessKeyId,
      });
    }
    const parent = parentKeyId === undefined ? undefined : this.#identities.key(parentKeyId);
    return parent?.active ? { ...parent.principal, sessionIssuedMs: issuedMs } : undefined;
  }

  #signingKey(claim: Claim, { secret }: Credential): Buffer {
    const { accessKeyId, day, region, service } = claim;
    const name = `${accessKeyId}/${day}/${region}/${service}`;
    let key = this.#signingKeys.get(name);
    if (key !== undefined) return key;
    key = signingKey(secret, claim);
    if (this.#signingKeys.size >= SIGNING_KEYS_KEPT_MAX) this.#signingKeys.clear();
    this.#signingKeys.set(name, key);
    return key;
  }
}
