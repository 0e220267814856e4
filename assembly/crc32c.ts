// CRC-32C (Castagnoli), eight bytes a step: table k holds the CRC of a byte followed by k zero bytes.
import { reserve } from "./memory";

const POLYNOMIAL: u32 = 0x82f63b78; // reflected
let tables: usize = 0; // 8 tables of 256 u32

export function open(): void {
  tables = reserve(8 * 256 * 4);
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    store<u32>(tables + (byte << 2), crc);
  }
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = load<u32>(tables + (byte << 2));
    for (let table: u32 = 1; table < 8; table++) {
      crc = load<u32>(tables + ((crc & 255) << 2)) ^ (crc >>> 8);
      store<u32>(tables + (table << 10) + (byte << 2), crc);
    }
  }
}

// @ts-ignore: decorator
@inline function at(table: usize, byte: u32): u32 {
  return load<u32>(tables + (table << 10) + ((<usize>byte & 255) << 2));
}

export function crc32c(start: usize, size: usize): u32 {
  let crc: u32 = 0xffffffff;
  let p = start;
  const end = start + size;
  while (p + 8 <= end) {
    const low = load<u32>(p) ^ crc;
    const high = load<u32>(p, 4);
    crc = at(7, low) ^ at(6, low >>> 8) ^ at(5, low >>> 16) ^ at(4, low >>> 24)
      ^ at(3, high) ^ at(2, high >>> 8) ^ at(1, high >>> 16) ^ at(0, high >>> 24);
    p += 8;
  }
  while (p < end) {
    crc = at(0, crc ^ load<u8>(p)) ^ (crc >>> 8);
    p++;
  }
  return ~crc;
}
