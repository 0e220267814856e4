// Which bytes are text that SQS allows: UTF-8 of #x9 #xA #xD, #x20 to #xD7FF, #xE000 to #xFFFD, #x10000 to #x10FFFF.
import { copy } from "./memory";

// @ts-ignore: decorator
@inline function isContinued(byte: u32): bool { return (byte & 0xc0) == 0x80; }

export function isText(start: usize, bytes: u32): bool {
  let p = start;
  const end = start + bytes;
  while (p < end) {
    // Sixteen at a time, while all are ASCII and none is a control character: as signed bytes, none is below 0x20.
    while (p + 16 <= end && !v128.any_true(i8x16.lt_s(v128.load(p), i8x16.splat(0x20)))) p += 16;
    if (p >= end) return true;
    const first = <u32>load<u8>(p);
    if (first < 0x80) {
      if (first < 0x20 && first != 9 && first != 10 && first != 13) return false;
      p++;
      continue;
    }
    const size: usize = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (first < 0xc2 || first > 0xf4 || p + size > end) return false;
    const second = <u32>load<u8>(p, 1);
    if (!isContinued(second)) return false;
    if (size >= 3) {
      const third = <u32>load<u8>(p, 2);
      if (!isContinued(third)) return false;
      if (size == 3) {
        if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f)) return false;
        if (first == 0xef && second == 0xbf && third > 0xbd) return false;
      } else if (!isContinued(load<u8>(p, 3)) || (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) return false;
    }
    p += size;
  }
  return true;
}

/** Copies the bytes. @returns whether they are text */
export function copyText(to: usize, from: usize, bytes: u32): bool {
  if (bytes < 16) {
    copy(to, from, bytes);
    return isText(from, bytes);
  }
  const last = bytes - 16; // the rest overlaps what was copied before
  const end = v128.load(from + last);
  let lowest = end; // as signed bytes: below 0x20 is what is a control character, or not ASCII
  let i: usize = 0;
  for (; i + 64 <= last; i += 64) {
    const a = v128.load(from + i), b = v128.load(from + i, 16), c = v128.load(from + i, 32), d = v128.load(from + i, 48);
    v128.store(to + i, a);
    v128.store(to + i, b, 16);
    v128.store(to + i, c, 32);
    v128.store(to + i, d, 48);
    lowest = i8x16.min_s(i8x16.min_s(lowest, i8x16.min_s(a, b)), i8x16.min_s(c, d));
  }
  for (; i < last; i += 16) {
    const vector = v128.load(from + i);
    v128.store(to + i, vector);
    lowest = i8x16.min_s(lowest, vector);
  }
  v128.store(to + last, end);
  return !v128.any_true(i8x16.lt_s(lowest, i8x16.splat(0x20))) || isText(from, bytes);
}

/** A group's or deduplication ID: 1 to 128 printable ASCII characters, no space. */
export function isIdentifier(start: usize, bytes: u32): bool {
  if (bytes < 1 || bytes > 128) return false;
  for (let i: u32 = 0; i < bytes; i++) {
    const byte = load<u8>(start + i);
    if (byte < 0x21 || byte > 0x7e) return false;
  }
  return true;
}

// @ts-ignore: decorator
@inline export function isDigit(byte: u32): bool { return byte - 48 < 10; }

// @ts-ignore: decorator
@inline function isLetter(byte: u32): bool { return (byte | 32) - 97 < 26; }

const DOT: u32 = 46;

/** An attribute's name: letters, digits, _ - and dots, none of them first, last or beside another. */
export function isAttributeName(start: usize, bytes: u32): bool {
  if (bytes < 1 || bytes > 256) return false;
  let before = DOT;
  for (let i: u32 = 0; i < bytes; i++) {
    const byte = <u32>load<u8>(start + i);
    if (byte == DOT ? before == DOT : !isLetter(byte) && !isDigit(byte) && byte != 95 && byte != 45) return false;
    before = byte;
  }
  return before != DOT;
}

/** Whether the text begins with `word`, whatever the case of its letters; `word` is in small letters and dots. */
export function beginsWith(start: usize, bytes: u32, word: usize, wordBytes: u32): bool {
  if (bytes < wordBytes) return false;
  for (let i: u32 = 0; i < wordBytes; i++) {
    const byte = <u32>load<u8>(start + i);
    if ((isLetter(byte) ? byte | 32 : byte) != <u32>load<u8>(word + i)) return false;
  }
  return true;
}

const DIGITS_MAX: u32 = 38;
const EXPONENT_MIN: i32 = -128;
const EXPONENT_MAX: i32 = 126;

/** A number as SQS takes it: 12, -1.5, .5, 1e-9; up to 38 digits, the first one that counts between 10^-128 and 10^126. */
export function isNumber(start: usize, bytes: u32): bool {
  let p = start;
  const end = start + bytes;
  if (p < end && (load<u8>(p) == 43 || load<u8>(p) == 45)) p++;
  let whole: i32 = 0; // digits before the point
  let digits: i32 = 0;
  let first: i32 = -1; // places of the first and last digit that is not 0
  let last: i32 = -1;
  let hasPoint = false;
  for (; p < end; p++) {
    const byte = <u32>load<u8>(p);
    if (byte == DOT && !hasPoint) {
      hasPoint = true;
      continue;
    }
    if (!isDigit(byte)) break;
    if (byte != 48) {
      if (first < 0) first = digits;
      last = digits;
    }
    digits++;
    if (!hasPoint) whole++;
  }
  if (digits == 0) return false;
  let exponent: i32 = 0;
  if (p < end && (load<u8>(p) | 32) == 101) {
    p++;
    const negative = p < end && load<u8>(p) == 45;
    if (p < end && (load<u8>(p) == 43 || load<u8>(p) == 45)) p++;
    const digitsStart = p;
    for (; p < end && isDigit(load<u8>(p)); p++) exponent = exponent * 10 + <i32>load<u8>(p) - 48;
    if (p == digitsStart || p - digitsStart > 4) return false;
    if (negative) exponent = -exponent;
  }
  if (p != end) return false;
  if (first < 0) return true;
  const leading = exponent + whole - 1 - first;
  return last - first + 1 <= <i32>DIGITS_MAX && leading >= EXPONENT_MIN && leading <= EXPONENT_MAX;
}
