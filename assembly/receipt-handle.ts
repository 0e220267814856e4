// A receipt handle: which receive of which message of which queue. A letter, so that no command line takes it for an option,
// and base64url of 20 bytes, little-endian; src/broker/receipt-handle.ts is the same for the host.
//
//   0  4  CRC-32C of the rest    4  4  queue's lasting number    8  4  slot    12  4  generation    16  4  receive count
import { crc32c } from "./crc32c";
import * as queue from "./queue";

export const TEXT_BYTES: u32 = 28;
const LETTER: u8 = 0x77; // w
export const ROW_BYTES: usize = 24; // of settle.ts: slot, generation, receive count
const BYTES: usize = 20;
const SCRATCH: usize = memory.data(24);
const ALPHABET: usize = memory.data<u8>([
  65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 97, 98, 99,
  100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 48,
  49, 50, 51, 52, 53, 54, 55, 56, 57, 45, 95,
]);
const NO_DIGIT: u32 = 0xff;

// @ts-ignore: decorator
@inline function letter(digit: u32): u8 { return load<u8>(ALPHABET + (digit & 63)); }

/** @returns where the text ends */
export function write(to: usize, q: u32, slot: u32, generation: u32, receiveCount: u32): usize {
  store<u32>(SCRATCH, load<u32>(queue.at(q), 76), 4);
  store<u32>(SCRATCH, slot, 8);
  store<u32>(SCRATCH, generation, 12);
  store<u32>(SCRATCH, receiveCount, 16);
  store<u32>(SCRATCH, 0, 20); // what the last two digits read beyond the end
  store<u32>(SCRATCH, crc32c(SCRATCH + 4, BYTES - 4));
  store<u8>(to, LETTER);
  let p = to + 1;
  for (let i: usize = 0; i < 21; i += 3) {
    const three = (<u32>load<u8>(SCRATCH + i) << 16) | (<u32>load<u8>(SCRATCH + i, 1) << 8) | load<u8>(SCRATCH + i, 2);
    store<u8>(p, letter(three >>> 18));
    store<u8>(p, letter(three >>> 12), 1);
    store<u8>(p, letter(three >>> 6), 2);
    store<u8>(p, letter(three), 3); // the very last one is not of the text
    p += 4;
  }
  return to + TEXT_BYTES;
}

function digit(byte: u8): u32 {
  if (byte >= 97 && byte <= 122) return byte - 71;
  if (byte >= 65 && byte <= 90) return byte - 65;
  if (byte >= 48 && byte <= 57) return byte + 4;
  return byte == 45 ? 62 : byte == 95 ? 63 : NO_DIGIT;
}

/** Reads TEXT_BYTES into a row of settle.ts. @returns false for what is no handle of this queue */
export function read(start: usize, q: u32, row: usize): bool {
  if (load<u8>(start) != LETTER) return false;
  let p = SCRATCH;
  for (let i: usize = 1; i < TEXT_BYTES; i += 4) {
    const a = digit(load<u8>(start + i));
    const b = digit(load<u8>(start + i, 1));
    const c = digit(load<u8>(start + i, 2));
    const d = i + 3 < TEXT_BYTES ? digit(load<u8>(start + i, 3)) : 0;
    if ((a | b | c | d) > 63) return false;
    const three = (a << 18) | (b << 12) | (c << 6) | d;
    store<u8>(p, <u8>(three >>> 16));
    store<u8>(p, <u8>(three >>> 8), 1);
    store<u8>(p, <u8>three, 2);
    p += 3;
  }
  if (load<u32>(SCRATCH) != crc32c(SCRATCH + 4, BYTES - 4) || load<u32>(SCRATCH, 4) != load<u32>(queue.at(q), 76)) return false;
  store<u32>(row, load<u32>(SCRATCH, 8));
  store<u32>(row, load<u32>(SCRATCH, 12), 4);
  store<u32>(row, load<u32>(SCRATCH, 16), 8);
  store<u32>(row, 0, 12);
  return true;
}
