// Message IDs. Chance, which the core does not have, is drawn in one piece and handed out sixteen bytes at a time.
import { hash, randomFillSync } from "node:crypto";

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

/** The ID of a message that tasks have moved `count` times, which makes it a new one each time. 0: the one it was sent with. */
export function messageIdAfterMoves(sentId: string, count: number): string {
  if (count === 0) return sentId;
  const hex = hash("sha256", `${sentId} ${count}`, "hex");
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
