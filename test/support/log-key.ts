// A cipher for logs in tests: the real one, under a key and salts that are the same in every run.
import { createHash } from "node:crypto";
import { Keyring } from "../../src/keys/keyring.ts";
import type { KeyProvider } from "../../src/keys/provider.ts";
import type { LogCipher } from "../../src/log/cipher.ts";
import type { EncryptionOptions } from "../../src/log/encryption.ts";
import { keyringSealer, readKeyring } from "../../src/vault/keyring-file.ts";
import { createLogCipher } from "../../src/vault/log-cipher.ts";
import { obtainMasterKey, readMasterKey } from "../../src/vault/master-key.ts";

const MASTER_KEY = createHash("sha256").update("a master key for tests").digest();

/** Encryption under the master key of a data directory, as the broker has it. */
export function encryptionIn(directory: string): EncryptionOptions {
  const read = () => readMasterKey(directory, {});
  const obtain = () => obtainMasterKey(directory, {});
  return { cipher: createLogCipher({ read, obtain, place: directory }), isOn: true };
}

/** The keyring of a data directory, as it is when it is asked for first. */
export function keyringIn(directory: string): KeyProvider {
  let keyring: Keyring | undefined;
  const known = (): Keyring => {
    const masterKey = obtainMasterKey(directory, {});
    keyring ??= new Keyring(readKeyring(directory), masterKey, keyringSealer(masterKey));
    return keyring;
  };
  return {
    generate: async (keyId, account) => known().generate(keyId, account),
    unwrap: async (wrapped) => known().unwrap(wrapped),
  };
}

/** @param seed of its salts: what two of them give is different */
export function testCipher(seed = 0, masterKey: Uint8Array | "none" = MASTER_KEY): LogCipher {
  let count = 0;
  const random = (size: number) => createHash("sha256").update(`${seed}/${count++}`).digest().subarray(0, size);
  const obtain = () => {
    if (masterKey === "none") throw new Error("there is no master key");
    return masterKey;
  };
  return createLogCipher(
    { read: () => (masterKey === "none" ? undefined : masterKey), obtain, place: "the test" },
    random,
  );
}
