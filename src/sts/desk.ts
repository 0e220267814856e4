// Who gives credentials out. There are two desks, as there are two gates: one that asks who comes, and one that does not.
import type { Session } from "../auth/session-token.ts";
import type { RoleWish, SessionContent } from "./assume-role.ts";

export interface Identity {
  readonly account: string;
  readonly arn: string;
  readonly userId: string;
}

export interface Credentials {
  readonly accessKeyId: string;
  readonly secret: string;
  readonly token: string;
  readonly expiresMs: number;
}

export interface AssumedRole {
  readonly credentials: Credentials;
  readonly identity: Identity;
  readonly content: SessionContent;
  readonly packedPercent: number | undefined;
}

/** Serves one request of one asker. Everything throws StsError. */
export interface Desk {
  identity(): Identity;
  assumeRole(wish: RoleWish): AssumedRole;
  /** @param seconds from 900 to 129,600; undefined: as long as it is usual for the asker */
  sessionToken(seconds: number | undefined): Credentials;
}

export const SESSION_TOKEN_SECONDS_MIN = 900;
export const SESSION_TOKEN_SECONDS_MAX = 129_600;
export const SESSION_TOKEN_SECONDS = 43_200;
export const ROOT_SECONDS_MAX = 3_600;

/** Sessions begin and end on a full second: what the client is told is what counts. */
export function lifetime(nowMs: number, seconds: number): Pick<Session, "issuedMs" | "expiresMs"> {
  return { issuedMs: Math.floor(nowMs), expiresMs: (Math.floor(nowMs / 1000) + seconds) * 1000 };
}
