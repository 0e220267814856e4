// Temporary credentials: all that is known of a session is sealed into its token, so that a restart forgets none and
// nothing has to be kept for any of them.
import { randomBytes } from "node:crypto";
import type { Sealer } from "./sealing.ts";

const TOKEN_LENGTH_MAX = 4096;
const BOUND = "session";

/** What a token says. */
export interface Session {
  readonly accessKeyId: string; // ASIA…
  readonly secret: string;
  /** The role assumed, by its ARN, and the session's name; undefined: the user's own session. */
  readonly role: { readonly arn: string; readonly sessionName: string } | undefined;
  /** The access key whose holder asked for it, for a session of his own. */
  readonly parentKeyId: string | undefined;
  readonly sessionPolicies: readonly string[] | undefined; // as they were given
  readonly issuedMs: number;
  readonly expiresMs: number;
}

/** Credentials for what `session` says. */
export function issueToken(sealer: Sealer, session: Session): string {
  return sealer.seal(Buffer.from(JSON.stringify(session)), BOUND).toString("base64");
}

/** @returns undefined for what this broker has not issued */
export function readToken(sealer: Sealer, token: string): Session | undefined {
  if (token.length > TOKEN_LENGTH_MAX) return undefined;
  const plain = sealer.open(Buffer.from(token, "base64"), BOUND);
  return plain === undefined ? undefined : (JSON.parse(plain.toString()) as Session); // sealed by issueToken
}

const ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** @param prefix what it is of: AKIA, ASIA (access keys), AIDA (users), AROA (roles) */
export function newUniqueId(prefix: "AKIA" | "ASIA" | "AIDA" | "AROA"): string {
  let id: string = prefix;
  for (const byte of randomBytes(16)) id += ID_ALPHABET[byte & 31];
  return id;
}

export function newSecret(): string {
  return randomBytes(30).toString("base64");
}
