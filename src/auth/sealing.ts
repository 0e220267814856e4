// Small secrets under a master key: AES-256-GCM, a key of its own for each purpose.
//
//   1 version (1) · 12 nonce · n ciphertext · 16 tag
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";

const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
const CIPHER = "aes-256-gcm";

/** Seals for one purpose; what another purpose has sealed cannot be opened. */
export class Sealer {
  readonly #key: Buffer;

  constructor(masterKey: Uint8Array, purpose: string) {
    this.#key = Buffer.from(hkdfSync("sha256", masterKey, new Uint8Array(0), `wasq ${purpose}`, KEY_BYTES));
  }

  /** @param bound what it belongs to: it opens only with the same again */
  seal(plain: Uint8Array, bound: string): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#key, nonce);
    cipher.setAAD(Buffer.from(bound));
    const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
    return Buffer.concat([Buffer.of(VERSION), nonce, sealed, cipher.getAuthTag()]);
  }

  /** @returns undefined for what was not sealed so, or has been changed */
  open(sealed: Uint8Array, bound: string): Buffer | undefined {
    if (sealed.byteLength < 1 + NONCE_BYTES + TAG_BYTES || sealed[0] !== VERSION) return undefined;
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
    const decipher = createDecipheriv(CIPHER, this.#key, bytes.subarray(1, 1 + NONCE_BYTES));
    decipher.setAAD(Buffer.from(bound));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      return Buffer.concat([decipher.update(bytes.subarray(1 + NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
    } catch {
      return undefined;
    }
  }
}
