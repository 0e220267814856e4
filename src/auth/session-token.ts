// Temporary credentials: all that is known of a session is sealed into its token, so that a restart forgets none and
// nothing has to be kept for any of them.
//
//   token   base64 of seal(deflate(JSON of the session)); src/auth/sealing.ts says what a seal is
import { randomBytes } from "node:crypto";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { assert } from "../base/assert.ts";
import type { Sealer } from "./sealing.ts";

const TOKEN_LENGTH_MAX = 6_144;
const SESSION_BYTES_MAX = 64 * 1024; // before it is deflated
/** What was given to narrow and tag a session, deflated. */
const PACKED_BYTES_MAX = 2_048;
const BOUND = "session";

/** What a token says. */
export interface Session {
  readonly accessKeyId: string; // ASIA…
  readonly secret: string;
  /** The role assumed, by its ARN and its ID, and the session's name; undefined: the user's own session. */
  readonly role: { readonly arn: string; readonly id: string; readonly sessionName: string } | undefined;
  /** The access key it came from, whatever sessions were between: when that is refused, this is. */
  readonly parentKeyId: string;
  readonly policy: string | undefined; // as it was given; a session's policy only takes away
  readonly tags: readonly (readonly [key: string, value: string])[];
  /** Of the tags those that go on to sessions made with this one. */
  readonly transitiveTagKeys: readonly string[];
  /** Who is behind it, as was said once and is handed on. */
  readonly sourceIdentity: string | undefined;
  readonly issuedMs: number;
  readonly expiresMs: number;
}

/** Credentials for what `session` says. */
export function issueToken(sealer: Sealer, session: Session): string {
  const token = sealer.seal(deflateRawSync(JSON.stringify(session)), BOUND).toString("base64");
  assert(token.length <= TOKEN_LENGTH_MAX, "what goes into a token was bounded");
  return token;
}

/** @returns undefined for what this broker has not issued */
export function readToken(sealer: Sealer, token: string): Session | undefined {
  if (token.length > TOKEN_LENGTH_MAX || !/^[A-Za-z0-9+/]+={0,2}$/.test(token)) return undefined;
  const bytes = Buffer.from(token, "base64");
  if (bytes.toString("base64") !== token) return undefined; // one token has one text
  const plain = sealer.open(bytes, BOUND);
  if (plain === undefined) return undefined;
  return JSON.parse(inflateRawSync(plain, { maxOutputLength: SESSION_BYTES_MAX }).toString()) as Session; // by issueToken
}

/** How much of the room for a session's policy and tags is used, in percent: beyond 100 it must not be issued. */
export function packedPercent({
  policy,
  tags,
  transitiveTagKeys,
}: Pick<Session, "policy" | "tags" | "transitiveTagKeys">) {
  const { byteLength } = deflateRawSync(JSON.stringify([policy, tags, transitiveTagKeys]));
  return Math.ceil((byteLength * 100) / PACKED_BYTES_MAX);
}

const ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const ID_RANDOM_BYTES = 16;

type IdPrefix = "AKIA" | "ASIA" | "AIDA" | "AROA";

/** @param prefix what it is of: AKIA, ASIA (access keys), AIDA (users), AROA (roles) */
export function newUniqueId(prefix: IdPrefix): string {
  return uniqueId(prefix, randomBytes(ID_RANDOM_BYTES));
}

/** @param bytes at least 16 */
export function uniqueId(prefix: IdPrefix, bytes: Uint8Array): string {
  let id: string = prefix;
  for (const byte of bytes.subarray(0, ID_RANDOM_BYTES)) id += ID_ALPHABET[byte & 31];
  return id;
}

export function newSecret(): string {
  return randomBytes(30).toString("base64");
}
