// Chance for message IDs, which the core does not have: drawn in one piece, handed out sixteen bytes at a time.
import { randomFillSync } from "node:crypto";

const POOL_BYTES = 16 * 1024;
const ID_BYTES = 16;

export class MessageIds {
  readonly bytes: Buffer = Buffer.alloc(POOL_BYTES);
  #offset = POOL_BYTES;

  /** @returns where in `bytes` the 16 bytes of a version 4 UUID are; valid until the pool has gone round */
  take(): number {
    if (this.#offset >= POOL_BYTES) {
      randomFillSync(this.bytes);
      this.#offset = 0;
    }
    const at = this.#offset;
    this.#offset += ID_BYTES;
    this.bytes[at + 6] = ((this.bytes[at + 6] as number) & 0x0f) | 0x40; // version
    this.bytes[at + 8] = ((this.bytes[at + 8] as number) & 0x3f) | 0x80; // variant
    return at;
  }
}
