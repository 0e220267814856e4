// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), eight bytes a step.

// TABLES[k * 256 + b]: what byte b does to the checksum when k more bytes follow it.
const TABLES = new Uint32Array(8 * 256);
for (let byte = 0; byte < 256; byte++) {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  TABLES[byte] = value;
}
for (let i = 256; i < TABLES.length; i++) {
  const previous = TABLES[i - 256] as number;
  TABLES[i] = (previous >>> 8) ^ (TABLES[previous & 255] as number);
}

/** @param before checksum of the bytes before these, to go on from; 0 to begin */
export function crc32c(bytes: Uint8Array, before = 0): number {
  const table = TABLES;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wholeBytes = bytes.byteLength & ~7;
  let crc = ~before;
  let offset = 0;
  for (; offset < wholeBytes; offset += 8) {
    const low = view.getUint32(offset, true) ^ crc;
    const high = view.getUint32(offset + 4, true);
    crc =
      (table[1792 + (low & 255)] as number) ^
      (table[1536 + ((low >>> 8) & 255)] as number) ^
      (table[1280 + ((low >>> 16) & 255)] as number) ^
      (table[1024 + (low >>> 24)] as number) ^
      (table[768 + (high & 255)] as number) ^
      (table[512 + ((high >>> 8) & 255)] as number) ^
      (table[256 + ((high >>> 16) & 255)] as number) ^
      (table[high >>> 24] as number);
  }
  for (; offset < bytes.byteLength; offset++) {
    crc = (crc >>> 8) ^ (table[(crc ^ (bytes[offset] as number)) & 255] as number);
  }
  return ~crc >>> 0;
}
