// The first key of a broker that has none: its account's root, written where only its owner can read it.
import { closeSync, fsyncSync, openSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import { ROOT_NAME } from "../auth/identities.ts";
import { newKey } from "../auth/new-key.ts";
import { newUniqueId } from "../auth/session-token.ts";
import { withEditLock } from "./edit-lock.ts";
import { hasIdentities, readStored, secretsSealer, writeStored } from "./identities-file.ts";
import { obtainMasterKey } from "./master-key.ts";

const FILE = "root-credentials";

/**
 * Makes a root key unless there is a file of identities already, be it without keys.
 * @returns the file it is in, in the form of AWS's shared credentials; undefined: there was nothing to do
 */
export function bootstrapRoot(
  dataDirectory: string,
  account: string,
  env: NodeJS.ProcessEnv,
  nowMs: number,
): string | undefined {
  return withEditLock(dataDirectory, () => {
    if (hasIdentities(dataDirectory)) return undefined;
    const { stored: key, secret } = newKey(secretsSealer(obtainMasterKey(dataDirectory, env)), nowMs);
    // The secret first: a crash between the two leaves one that opens nothing, and the next start makes another.
    const path = join(dataDirectory, FILE);
    write(path, `[default]\naws_access_key_id = ${key.id}\naws_secret_access_key = ${secret}\n`);
    const stored = readStored(dataDirectory);
    const root = { account, name: ROOT_NAME, id: newUniqueId("AIDA"), policies: {}, keys: [key] };
    writeStored(dataDirectory, { ...stored, users: [...stored.users, root] });
    return path;
  });
}

function write(path: string, text: string): void {
  const making = `${path}.new`;
  const file = openSync(making, "w", 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(making, path);
}
