// The log as the broker writes it by itself: encrypted under the master key of its directory.
import type { EncryptionOptions } from "../src/log/encryption.ts";
import { createLogCipher } from "../src/vault/log-cipher.ts";
import { obtainMasterKey, readMasterKey } from "../src/vault/master-key.ts";

export function encryptionIn(directory: string): EncryptionOptions {
  const read = () => readMasterKey(directory, {});
  const obtain = () => obtainMasterKey(directory, {});
  return { cipher: createLogCipher({ read, obtain, place: directory }), isOn: true };
}
