// MD5 (RFC 1321), for the digests that SQS answers with. Not for security.
import { reserve } from "./memory";

let sines: usize = 0; // 64 u32
let last: usize = 0; // 128 bytes: the padded end of the input

export function open(): void {
  sines = reserve(64 * 4);
  last = reserve(128);
  for (let i = 0; i < 64; i++) store<u32>(sines + (<usize>i << 2), <u32>(<u64>Math.floor(Math.abs(Math.sin(<f64>(i + 1))) * 4294967296.0)));
}

let a0: u32, b0: u32, c0: u32, d0: u32;

// @ts-ignore: decorator
@inline function step(f: u32, a: u32, b: u32, block: usize, word: u32, i: u32, turn: u32): u32 {
  return b + rotl<u32>(a + f + load<u32>(block + (<usize>word << 2)) + load<u32>(sines + (<usize>i << 2)), turn);
}

function compress(block: usize): void {
  let a = a0, b = b0, c = c0, d = d0;
  for (let i: u32 = 0; i < 16; i += 4) {
    a = step((b & c) | (~b & d), a, b, block, i, i, 7);
    d = step((a & b) | (~a & c), d, a, block, i + 1, i + 1, 12);
    c = step((d & a) | (~d & b), c, d, block, i + 2, i + 2, 17);
    b = step((c & d) | (~c & a), b, c, block, i + 3, i + 3, 22);
  }
  for (let i: u32 = 16; i < 32; i += 4) {
    a = step((d & b) | (~d & c), a, b, block, (5 * i + 1) & 15, i, 5);
    d = step((c & a) | (~c & b), d, a, block, (5 * i + 6) & 15, i + 1, 9);
    c = step((b & d) | (~b & a), c, d, block, (5 * i + 11) & 15, i + 2, 14);
    b = step((a & c) | (~a & d), b, c, block, (5 * i + 16) & 15, i + 3, 20);
  }
  for (let i: u32 = 32; i < 48; i += 4) {
    a = step(b ^ c ^ d, a, b, block, (3 * i + 5) & 15, i, 4);
    d = step(a ^ b ^ c, d, a, block, (3 * i + 8) & 15, i + 1, 11);
    c = step(d ^ a ^ b, c, d, block, (3 * i + 11) & 15, i + 2, 16);
    b = step(c ^ d ^ a, b, c, block, (3 * i + 14) & 15, i + 3, 23);
  }
  for (let i: u32 = 48; i < 64; i += 4) {
    a = step(c ^ (b | ~d), a, b, block, (7 * i) & 15, i, 6);
    d = step(b ^ (a | ~c), d, a, block, (7 * i + 7) & 15, i + 1, 10);
    c = step(a ^ (d | ~b), c, d, block, (7 * i + 14) & 15, i + 2, 15);
    b = step(d ^ (c | ~a), b, c, block, (7 * i + 21) & 15, i + 3, 21);
  }
  a0 += a; b0 += b; c0 += c; d0 += d;
}

/** Writes the 16 bytes of the digest of [start, start + size) to `to`. */
export function md5(start: usize, size: u32, to: usize): void {
  a0 = 0x67452301; b0 = 0xefcdab89; c0 = 0x98badcfe; d0 = 0x10325476;
  let p = start;
  let left = size;
  while (left >= 64) {
    compress(p);
    p += 64;
    left -= 64;
  }
  memory.fill(last, 0, 128);
  memory.copy(last, p, left);
  store<u8>(last + left, 0x80);
  const blocks: u32 = left < 56 ? 1 : 2;
  store<u64>(last + blocks * 64 - 8, <u64>size << 3);
  compress(last);
  if (blocks == 2) compress(last + 64);
  store<u32>(to, a0); store<u32>(to, b0, 4); store<u32>(to, c0, 8); store<u32>(to, d0, 12);
}
