// JSON, read where it lies: one cursor over the text in the request region, no values made of it.
//
// It takes what is certain and gives up on anything else: FAILED does not mean that the text is no JSON, only that
// somebody more patient has to read it. Strings must be valid UTF-8 without characters that a message may not have.
//
// The text ends with a zero byte, which no JSON has, and SPAN_SLACK bytes behind it may be read.

export const SPAN_SLACK: u32 = 16;
export const FAILED: u32 = 0xffff_ffff;

const QUOTE: u8 = 0x22;
const BACKSLASH: u8 = 0x5c;

let at: usize = 0;

export function begin(start: usize): void {
  at = start;
}

/** The next byte that is no white space; the cursor stays on it. */
export function peek(): u8 {
  while (true) {
    const byte = load<u8>(at);
    if (byte != 0x20 && byte != 0x0a && byte != 0x0d && byte != 0x09) return byte;
    at++;
  }
}

/** Goes past `byte` if it comes next. */
export function take(byte: u8): bool {
  if (peek() != byte) return false;
  at++;
  return true;
}

/** Whether nothing but white space is left. */
export function isAtEnd(end: usize): bool {
  return peek() == 0 && at == end;
}

// What the last string was: its bytes between the quotes, as they stand in the text.
export let spanStart: usize = 0;
export let spanBytes: u32 = 0;
export let hasEscapes: bool = false;

/** Goes past a string whose characters a message may have. @returns false when there is none to be had */
export function text(): bool {
  if (!take(QUOTE)) return false;
  spanStart = at;
  hasEscapes = false;
  let p = at;
  while (true) {
    const v = v128.load(p);
    const special = v128.or(
      v128.or(i8x16.eq(v, i8x16.splat(QUOTE)), i8x16.eq(v, i8x16.splat(BACKSLASH))),
      i8x16.lt_s(v, i8x16.splat(0x20)), // control characters, and as negative numbers what is not ASCII
    );
    const mask = i8x16.bitmask(special);
    if (mask == 0) {
      p += 16;
      continue;
    }
    p += ctz<i32>(mask);
    const byte = load<u8>(p);
    if (byte == QUOTE) break;
    if (byte == BACKSLASH) {
      hasEscapes = true;
      const size = escapeBytes(p);
      if (size == 0) return false;
      p += size;
    } else if (byte >= 0x80) {
      const size = characterBytes(p);
      if (size == 0) return false;
      p += size;
    } else return false;
  }
  spanBytes = <u32>(p - spanStart);
  at = p + 1;
  return true;
}

/** A string without escapes, of ASCII only. */
export function plain(): bool {
  if (!take(QUOTE)) return false;
  let p = at;
  while (true) {
    const byte = load<u8>(p);
    if (byte == QUOTE) break;
    if (byte == BACKSLASH || byte < 0x20 || byte >= 0x80) return false;
    p++;
  }
  spanStart = at;
  spanBytes = <u32>(p - at);
  at = p + 1;
  return true;
}

/** Whether the last string is `name`. */
export function is(name: string): bool {
  const size = <u32>name.length;
  if (spanBytes != size) return false;
  const units = changetype<usize>(name);
  for (let i: usize = 0; i < size; i++) {
    if (<u16>load<u8>(spanStart + i) != load<u16>(units + (i << 1))) return false;
  }
  return true;
}

/** A number of one to nine digits and nothing else. @returns FAILED when there is none */
export function natural(): u32 {
  peek();
  let value: u32 = 0;
  let digits: u32 = 0;
  while (digits < 10) {
    const digit = <u32>load<u8>(at) - 48;
    if (digit > 9) break;
    value = value * 10 + digit;
    digits++;
    at++;
  }
  if (digits == 0 || digits == 10) return FAILED;
  if (digits > 1 && load<u8>(at - digits) == 48) return FAILED; // JSON has no leading zeros
  const next = load<u8>(at);
  return next == 0x2e || (next | 0x20) == 0x65 ? FAILED : value; // a fraction or an exponent: not for us
}

/** Size of the valid UTF-8 character at `p`, not ASCII; 0 for what is none, or none that a message may have. */
export function characterBytes(p: usize): u32 {
  const first = load<u8>(p);
  const second = load<u8>(p, 1);
  if (first < 0xc2) return 0;
  if (first < 0xe0) return isContinuation(second) ? 2 : 0;
  const third = load<u8>(p, 2);
  if (first < 0xf0) {
    if (!isContinuation(second) || !isContinuation(third)) return 0;
    if (first == 0xe0 && second < 0xa0) return 0; // could be shorter
    if (first == 0xed && second >= 0xa0) return 0; // half of a surrogate pair
    if (first == 0xef && second == 0xbf && third >= 0xbe) return 0; // U+FFFE, U+FFFF
    return 3;
  }
  if (first > 0xf4 || !isContinuation(second) || !isContinuation(third) || !isContinuation(load<u8>(p, 3))) return 0;
  if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90)) return 0;
  return 4;
}

// @ts-ignore: decorator
@inline function isContinuation(byte: u8): bool { return (byte & 0xc0) == 0x80; }

function hexDigit(byte: u8): u32 {
  const digit = <u32>byte - 48;
  if (digit < 10) return digit;
  const letter = (<u32>byte | 0x20) - 97;
  return letter < 6 ? letter + 10 : FAILED;
}

/** The number in \uXXXX; FAILED when it is none. */
function escapedUnit(p: usize): u32 {
  if (load<u8>(p) != BACKSLASH || load<u8>(p, 1) != 0x75) return FAILED;
  let unit: u32 = 0;
  for (let i: usize = 2; i < 6; i++) {
    const digit = hexDigit(load<u8>(p + i));
    if (digit == FAILED) return FAILED;
    unit = (unit << 4) | digit;
  }
  return unit;
}

// @ts-ignore: decorator
@inline function isHigh(unit: u32): bool { return (unit & 0xfc00) == 0xd800; }
// @ts-ignore: decorator
@inline function isLow(unit: u32): bool { return (unit & 0xfc00) == 0xdc00; }

/** Size of the escape at `p`; 0 for what is none, or stands for what a message may not have. */
function escapeBytes(p: usize): u32 {
  const letter = load<u8>(p, 1);
  if (letter != 0x75) return short(letter) == 0 ? 0 : 2;
  const unit = escapedUnit(p);
  if (unit == FAILED || unit >= 0xfffe || isLow(unit)) return 0;
  if (unit < 0x20 && unit != 9 && unit != 10 && unit != 13) return 0;
  if (!isHigh(unit)) return 6;
  const low = escapedUnit(p + 6);
  return low != FAILED && isLow(low) ? 12 : 0;
}

/** What \" \\ \/ \n \r \t stand for; 0 for other letters. */
function short(letter: u8): u8 {
  if (letter == QUOTE || letter == BACKSLASH || letter == 0x2f) return letter;
  if (letter == 0x6e) return 10;
  if (letter == 0x72) return 13;
  return letter == 0x74 ? 9 : 0;
}

/** The text of a string that text() went past, escapes resolved. @returns its size */
export function copy(start: usize, bytes: u32, to: usize): u32 {
  const end = start + bytes;
  let p = start;
  let q = to;
  while (p < end) {
    const byte = load<u8>(p);
    if (byte != BACKSLASH) {
      store<u8>(q++, byte);
      p++;
      continue;
    }
    const letter = load<u8>(p, 1);
    if (letter != 0x75) {
      store<u8>(q++, short(letter));
      p += 2;
      continue;
    }
    let code = escapedUnit(p);
    p += 6;
    if (isHigh(code)) {
      code = 0x1_0000 + ((code & 0x3ff) << 10) + (escapedUnit(p) & 0x3ff);
      p += 6;
    }
    q += encode(code, q);
  }
  return <u32>(q - to);
}

function encode(code: u32, to: usize): usize {
  if (code < 0x80) {
    store<u8>(to, <u8>code);
    return 1;
  }
  if (code < 0x800) {
    store<u8>(to, <u8>(0xc0 | (code >>> 6)));
    store<u8>(to, <u8>(0x80 | (code & 0x3f)), 1);
    return 2;
  }
  if (code < 0x1_0000) {
    store<u8>(to, <u8>(0xe0 | (code >>> 12)));
    store<u8>(to, <u8>(0x80 | ((code >>> 6) & 0x3f)), 1);
    store<u8>(to, <u8>(0x80 | (code & 0x3f)), 2);
    return 3;
  }
  store<u8>(to, <u8>(0xf0 | (code >>> 18)));
  store<u8>(to, <u8>(0x80 | ((code >>> 12) & 0x3f)), 1);
  store<u8>(to, <u8>(0x80 | ((code >>> 6) & 0x3f)), 2);
  store<u8>(to, <u8>(0x80 | (code & 0x3f)), 3);
  return 4;
}

/** Writes the text as the inside of a JSON string, as JSON.stringify does. @returns where it ends; at most six times as long */
export function escape(start: usize, bytes: u32, to: usize): usize {
  const end = start + bytes;
  let p = start;
  let q = to;
  while (p < end) {
    const v = v128.load(p);
    v128.store(q, v);
    const special = v128.or(
      v128.or(i8x16.eq(v, i8x16.splat(QUOTE)), i8x16.eq(v, i8x16.splat(BACKSLASH))),
      i8x16.lt_u(v, i8x16.splat(0x20)),
    );
    const mask = i8x16.bitmask(special);
    const run: usize = mask == 0 ? 16 : ctz<i32>(mask);
    if (p + run >= end) return q + (end - p);
    p += run;
    q += run;
    if (mask == 0) continue;
    q = escapeOne(load<u8>(p++), q);
  }
  return q;
}

function escapeOne(byte: u8, to: usize): usize {
  store<u8>(to, BACKSLASH);
  let letter: u8 = 0;
  if (byte == QUOTE || byte == BACKSLASH) letter = byte;
  else if (byte == 10) letter = 0x6e;
  else if (byte == 13) letter = 0x72;
  else if (byte == 9) letter = 0x74;
  else if (byte == 8) letter = 0x62;
  else if (byte == 12) letter = 0x66;
  if (letter != 0) {
    store<u8>(to, letter, 1);
    return to + 2;
  }
  store<u8>(to, 0x75, 1);
  store<u16>(to, 0x3030, 2);
  store<u8>(to, 48 + (byte >>> 4), 4);
  const low = byte & 15;
  store<u8>(to, low < 10 ? 48 + low : 87 + low, 5);
  return to + 6;
}
