// Changing the identities file, and reading the policies that go into it: what `wasq keys`, `users` and `roles` share.
import { readFileSync, statSync } from "node:fs";
import { Identities, type StoredIdentities } from "../auth/identities.ts";
import type { Sealer } from "../auth/sealing.ts";
import { withEditLock } from "../vault/edit-lock.ts";
import { readStored, secretsSealer, writeStored } from "../vault/identities-file.ts";
import { obtainMasterKey } from "../vault/master-key.ts";

/** What was asked for cannot be done; the text says why. */
export class KeysError extends Error {
  override name = "KeysError";
}

const POLICY_BYTES_MAX = 128 * 1024;

/**
 * Replaces what is in the data directory by what `change` makes of it; neither may have anything wrong in it.
 * @returns what `change` wants to be told when that has been done
 */
export function editIdentities(
  dataDirectory: string,
  env: NodeJS.ProcessEnv,
  change: (stored: StoredIdentities, secrets: Sealer) => readonly [changed: StoredIdentities, text: string],
): string {
  return withEditLock(dataDirectory, () => {
    const stored = readStored(dataDirectory);
    const secrets = secretsSealer(obtainMasterKey(dataDirectory, env));
    new Identities(stored, secrets);
    const [changed, text] = change(stored, secrets);
    new Identities(changed, secrets);
    writeStored(dataDirectory, changed);
    return text;
  });
}

export function readPolicyFile(path: string): unknown {
  try {
    const { size } = statSync(path);
    if (size > POLICY_BYTES_MAX)
      throw new KeysError(`${path} has ${size} bytes, at most ${POLICY_BYTES_MAX} are allowed`);
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) throw new KeysError(`${path} is no JSON`);
    if (error instanceof Error && "code" in error) throw new KeysError(`Cannot read ${path}: ${error.message}`);
    throw error;
  }
}
