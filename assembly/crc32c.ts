// CRC-32C (Castagnoli), sixteen bytes a step: table k holds the CRC of a byte followed by k zero bytes. A step waits for the
// one before it only in its first four bytes, so longer steps go faster until the tables (16 KiB) no longer fit the cache.
import { reserve } from "./memory";

const POLYNOMIAL: u32 = 0x82f63b78; // reflected
const TABLE_COUNT: u32 = 16;
let tables: usize = 0; // of 256 u32

export function open(): void {
  tables = reserve(TABLE_COUNT * 256 * 4);
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    store<u32>(tables + (byte << 2), crc);
  }
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = load<u32>(tables + (byte << 2));
    for (let table: u32 = 1; table < TABLE_COUNT; table++) {
      crc = load<u32>(tables + ((crc & 255) << 2)) ^ (crc >>> 8);
      store<u32>(tables + (table << 10) + (byte << 2), crc);
    }
  }
}

// @ts-ignore: decorator
@inline function at(table: usize, byte: u32): u32 {
  return load<u32>(tables + (table << 10) + ((<usize>byte & 255) << 2));
}

// Four bytes, the first of which is followed by `table` others of its step.
// @ts-ignore: decorator
@inline function word(table: usize, value: u32): u32 {
  return at(table, value) ^ at(table - 1, value >>> 8) ^ at(table - 2, value >>> 16) ^ at(table - 3, value >>> 24);
}

/** @param seed 0 for the plain CRC; the same bytes under another one have another */
export function crc32c(start: usize, size: usize, seed: u32 = 0): u32 {
  let crc = ~seed;
  let p = start;
  const end = start + size;
  while (p + 16 <= end) {
    crc = word(15, load<u32>(p) ^ crc) ^ word(11, load<u32>(p, 4)) ^ word(7, load<u32>(p, 8)) ^ word(3, load<u32>(p, 12));
    p += 16;
  }
  while (p + 4 <= end) {
    crc = word(3, load<u32>(p) ^ crc);
    p += 4;
  }
  while (p < end) {
    crc = at(0, crc ^ load<u8>(p)) ^ (crc >>> 8);
    p++;
  }
  return ~crc;
}
