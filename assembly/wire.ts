// Protobuf's wire format: varints, tags and sizes. Bytes only; what a field means is frame.ts' and publish.ts'.
import { copy } from "./memory";

// @ts-ignore: decorator
@inline export function sizeOfVarint(value: u64): u32 {
  return value < 128 ? 1 : (70 - <u32>clz<u64>(value)) / 7;
}

/** @returns where the next byte goes */
export function putVarint(p: usize, value: u64): usize {
  while (value >= 128) {
    store<u8>(p++, <u8>(value | 128));
    value >>= 7;
  }
  store<u8>(p, <u8>value);
  return p + 1;
}

/** A field of bytes or text, its tag of one or two bytes given as a varint. */
export function putBytes(p: usize, tag: u32, start: usize, bytes: u32): usize {
  p = putVarint(putVarint(p, tag), bytes);
  copy(p, start, bytes);
  return p + bytes;
}

/** The head of a field whose `bytes` bytes the caller writes. */
export function putSize(p: usize, tag: u32, bytes: u32): usize {
  return putVarint(putVarint(p, tag), bytes);
}

export function putNumber(p: usize, tag: u32, value: u64): usize {
  return putVarint(putVarint(p, tag), value);
}

// --- reading: a cursor between two addresses; what cannot be read sets `broken` and ends it ------------------------------

export let cursor: usize = 0;
export let broken: bool = false;
// What readField found.
export let field: u32 = 0;
export let value: u64 = 0; // a varint's, or the size of what is at `start`
export let start: usize = 0;

export const VARINT: u32 = 0;
export const FIXED64: u32 = 1;
export const SIZED: u32 = 2;
export const FIXED32: u32 = 5;
export let wireType: u32 = 0;

export function startAt(p: usize): void {
  cursor = p;
  broken = false;
}

function fail(end: usize): void {
  broken = true;
  cursor = end;
}

function readVarint(end: usize): u64 {
  if (cursor < end) {
    const byte = load<u8>(cursor);
    if (byte < 128) {
      cursor++;
      return byte;
    }
  }
  let result: u64 = 0;
  for (let shift: u64 = 0; shift < 70; shift += 7) {
    if (cursor >= end) break;
    const byte = <u64>load<u8>(cursor++);
    if (shift < 63 || byte < 2) result |= (byte & 127) << shift;
    if (byte < 128) return result;
  }
  fail(end);
  return 0;
}

/** Goes over fields of bytes that follow one another under one tag of one byte, as long as they are shorter than 16 KiB. @returns how many */
export function skipSized(tag: u32, end: usize): u32 {
  let count: u32 = 0;
  let p = cursor;
  while (p + 3 <= end && <u32>load<u8>(p) == tag) {
    let size = <u32>load<u8>(p, 1);
    let headBytes: usize = 2;
    if (size >= 128) {
      const high = <u32>load<u8>(p, 2);
      if (high >= 128) break;
      size = (size & 127) | (high << 7);
      headBytes = 3;
    }
    if (<usize>size > end - p - headBytes) break;
    p += headBytes + size;
    count++;
  }
  cursor = p;
  return count;
}

/** The next field before `end`. @returns false at the end, or when there is nothing readable (`broken`) */
export function readField(end: usize): bool {
  if (cursor >= end) return false;
  const tag = readVarint(end);
  if (broken) return false;
  field = <u32>(tag >> 3);
  wireType = <u32>tag & 7;
  if (field == 0 || tag >> 32 != 0) {
    fail(end);
    return false;
  }
  if (wireType == SIZED) {
    value = readVarint(end);
    if (broken || value > <u64>(end - cursor)) {
      fail(end);
      return false;
    }
    start = cursor;
    cursor += <usize>value;
    return true;
  }
  if (wireType == VARINT) {
    value = readVarint(end);
    return !broken;
  }
  const bytes: usize = wireType == FIXED64 ? 8 : wireType == FIXED32 ? 4 : 0;
  if (bytes == 0 || bytes > end - cursor) {
    fail(end); // groups are as old as protobuf, and this schema has none
    return false;
  }
  start = cursor;
  cursor += bytes;
  return true;
}
