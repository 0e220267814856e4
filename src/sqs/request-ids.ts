// IDs of requests, for x-amzn-RequestId: version 4 UUIDs. Many are written as one text, of which each is a piece: a string
// that V8 does not copy.
import { randomFillSync } from "node:crypto";

const COUNT = 128; // at once
const ID_BYTES = 16;
const TEXT_LENGTH = 36;
const DASH = 0x2d;
const DIGITS = Buffer.from("0123456789abcdef");
const GROUP_STARTS: ReadonlySet<number> = new Set([4, 6, 8, 10]); // bytes that a dash stands before

const chance = Buffer.alloc(COUNT * ID_BYTES);
const written = Buffer.alloc(COUNT * TEXT_LENGTH);
let texts = "";
let taken = COUNT;

/** Nobody can tell the next one from those before. */
export function newRequestId(): string {
  if (taken === COUNT) refill();
  const start = taken * TEXT_LENGTH;
  taken++;
  return texts.slice(start, start + TEXT_LENGTH);
}

function refill(): void {
  randomFillSync(chance);
  let to = 0;
  for (let id = 0; id < chance.byteLength; id += ID_BYTES) {
    chance[id + 6] = ((chance[id + 6] as number) & 0x0f) | 0x40; // version
    chance[id + 8] = ((chance[id + 8] as number) & 0x3f) | 0x80; // variant
    for (let i = 0; i < ID_BYTES; i++) {
      if (GROUP_STARTS.has(i)) written[to++] = DASH;
      const byte = chance[id + i] as number;
      written[to++] = DIGITS[byte >>> 4] as number;
      written[to++] = DIGITS[byte & 15] as number;
    }
  }
  texts = written.toString("latin1");
  taken = 0;
}
