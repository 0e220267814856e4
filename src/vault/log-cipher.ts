// What the log is encrypted with: a key of its own, sealed under the master key, and from it one key for every salt.
//
//   master key ──AES-256-GCM──► log key ──HKDF-SHA-256, salt──► AES-256-CTR, counter = position / 16
//
// The seal tells a wrong master key from the right one before anything is read. Another master key needs another seal only.
import { createCipheriv, hkdfSync, randomBytes } from "node:crypto";
import { Sealer } from "../auth/sealing.ts";
import { assert } from "../base/assert.ts";
import type { KeystreamAt, LogCipher, LogKey } from "../log/cipher.ts";
import { MasterKeyError } from "./master-key.ts";

const KEY_BYTES = 32;
const SALT_BYTES = 16;
const BLOCK_BYTES = 16;
const CIPHER = "aes-256-ctr";
const SEALED_FOR = "log key";

/** Where the master key comes from. */
export interface MasterKeySource {
  /** @returns undefined when there is none. @throws MasterKeyError */
  read(): Uint8Array | undefined;
  /** Makes one if there is none. @throws MasterKeyError */
  obtain(): Uint8Array;
  /** Where it is looked for, for a message. */
  readonly place: string;
}

/** @param random bytes that nobody can guess, or a test's */
export function createLogCipher(source: MasterKeySource, random: (size: number) => Buffer = randomBytes): LogCipher {
  return {
    makeKey: (logId) => new Sealer(source.obtain(), SEALED_FOR).seal(random(KEY_BYTES), logId).toString("base64"),
    openKey(sealedKey, logId) {
      const masterKey = source.read();
      if (masterKey === undefined) {
        throw new MasterKeyError(
          `Cannot open the log: it is encrypted, and there is no master key, in WASQ_MASTER_KEY or in ${source.place}; ` +
            "put back the one it was written with. Nothing was changed.",
        );
      }
      const key = new Sealer(masterKey, SEALED_FOR).open(Buffer.from(sealedKey, "base64"), logId);
      if (key?.byteLength === KEY_BYTES) return logKeyOf(key, random);
      throw new MasterKeyError(
        `Cannot open the log: it is encrypted, and not under the master key of ${source.place}; ` +
          "put back the one it was written with. Nothing was changed.",
      );
    },
  };
}

function logKeyOf(key: Buffer, random: (size: number) => Buffer): LogKey {
  return {
    newSalt: () => random(SALT_BYTES).toString("hex"),
    keystream: (salt) => {
      const saltBytes = Buffer.from(salt, "hex");
      assert(saltBytes.byteLength === SALT_BYTES, "a salt has 32 hex digits");
      return keystreamOf(Buffer.from(hkdfSync("sha256", key, saltBytes, "wasq log", KEY_BYTES)));
    },
  };
}

function keystreamOf(key: Buffer): KeystreamAt {
  return (position) => {
    const counter = Buffer.alloc(BLOCK_BYTES);
    counter.writeBigUInt64BE(BigInt(Math.floor(position / BLOCK_BYTES)), BLOCK_BYTES - 8);
    const cipher = createCipheriv(CIPHER, key, counter);
    if (position % BLOCK_BYTES !== 0) cipher.update(new Uint8Array(position % BLOCK_BYTES));
    return (bytes) => cipher.update(bytes);
  };
}

/** The log's key under another master key. @throws MasterKeyError when it is not under the one of before */
export function resealedLogKey(sealedKey: string, logId: string, before: Uint8Array, masterKey: Uint8Array): string {
  const key = new Sealer(before, SEALED_FOR).open(Buffer.from(sealedKey, "base64"), logId);
  if (key === undefined) {
    throw new MasterKeyError("Cannot change the master key: the log is encrypted under another one than that given");
  }
  return new Sealer(masterKey, SEALED_FOR).seal(key, logId).toString("base64");
}
