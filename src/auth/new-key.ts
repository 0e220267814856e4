// A new access key, as it is handed over and as it is kept.
import type { StoredKey } from "./identities.ts";
import type { Sealer } from "./sealing.ts";
import { newSecret, newUniqueId } from "./session-token.ts";

export interface NewKey {
  readonly stored: StoredKey;
  readonly secret: string;
}

export function newKey(secrets: Sealer, nowMs: number): NewKey {
  const id = newUniqueId("AKIA");
  const secret = newSecret();
  const sealedSecret = secrets.seal(Buffer.from(secret), id).toString("base64");
  return { stored: { id, sealedSecret, active: true, createdMs: nowMs }, secret };
}
