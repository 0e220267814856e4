// Bytes as text, written where an answer is being composed. Every function returns where what it wrote ends, and may
// write up to 16 bytes beyond that.

/** ASCII only. */
export function put(to: usize, text: string): usize {
  const size = <usize>text.length;
  const units = changetype<usize>(text);
  for (let i: usize = 0; i < size; i += 8) {
    const eight = v128.load(units + (i << 1));
    v128.store64_lane(to + i, i8x16.narrow_i16x8_u(eight, eight), 0);
  }
  return to + size;
}

/** 16 bytes as 32 lower-case hex digits. */
export function hex(to: usize, start: usize): usize {
  const bytes = v128.load(start);
  const digits = i8x16(48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 97, 98, 99, 100, 101, 102);
  const high = i8x16.swizzle(digits, i8x16.shr_u(bytes, 4));
  const low = i8x16.swizzle(digits, v128.and(bytes, i8x16.splat(15)));
  v128.store(to, i8x16.shuffle(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
  v128.store(to, i8x16.shuffle(high, low, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), 16);
  return to + 32;
}

const DASH: u8 = 0x2d;
const DIGITS: usize = memory.data(32);

/** 16 bytes as a UUID. */
export function uuid(to: usize, start: usize): usize {
  hex(DIGITS, start);
  store<u64>(to, load<u64>(DIGITS));
  store<u8>(to, DASH, 8);
  store<u32>(to, load<u32>(DIGITS, 8), 9);
  store<u8>(to, DASH, 13);
  store<u32>(to, load<u32>(DIGITS, 12), 14);
  store<u8>(to, DASH, 18);
  store<u32>(to, load<u32>(DIGITS, 16), 19);
  store<u8>(to, DASH, 23);
  store<u64>(to, load<u64>(DIGITS, 20), 24);
  store<u32>(to, load<u32>(DIGITS, 28), 32);
  return to + 36;
}

export function decimal(to: usize, value: u64): usize {
  let size: usize = 1;
  for (let rest = value / 10; rest != 0; rest /= 10) size++;
  let rest = value;
  for (let i = size; i > 0; i--) {
    store<u8>(to + i - 1, <u8>(48 + (rest % 10)));
    rest /= 10;
  }
  return to + size;
}

/** A sequence number as clients see it: 20 digits, the first of them a 1. */
export function sequence(to: usize, value: u64): usize {
  let rest = value;
  for (let i: usize = 19; i > 0; i--) {
    store<u8>(to + i, <u8>(48 + (rest % 10)));
    rest /= 10;
  }
  store<u8>(to, 49);
  return to + 20;
}

const BASE64: usize = memory.data<u8>([
  65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 97, 98, 99,
  100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 48,
  49, 50, 51, 52, 53, 54, 55, 56, 57, 43, 47,
]);
const PAD: u8 = 0x3d;

// @ts-ignore: decorator
@inline function letter(digit: u32): u8 { return load<u8>(BASE64 + (digit & 63)); }

/** Base64 with its padding. */
export function base64(to: usize, start: usize, bytes: u32): usize {
  let p = start;
  let q = to;
  const end = start + bytes;
  while (p < end) {
    const left = end - p;
    const second = left > 1 ? <u32>load<u8>(p, 1) : 0;
    const third = left > 2 ? <u32>load<u8>(p, 2) : 0;
    const three = (<u32>load<u8>(p) << 16) | (second << 8) | third;
    store<u8>(q, letter(three >>> 18));
    store<u8>(q, letter(three >>> 12), 1);
    store<u8>(q, left > 1 ? letter(three >>> 6) : PAD, 2);
    store<u8>(q, left > 2 ? letter(three) : PAD, 3);
    p += 3;
    q += 4;
  }
  return q;
}
