// MD5 (RFC 1321), for the digests that SQS answers with. Not for security.

const last: usize = memory.data(128); // the padded end of the input

let a0: u32, b0: u32, c0: u32, d0: u32;

// One step each: the round's function of b, c and d, a word of the block, how far to turn, the sine of its number.
// @ts-ignore: decorator
@inline function f(a: u32, b: u32, c: u32, d: u32, word: u32, turn: u32, sine: u32): u32 { return b + rotl<u32>(a + (d ^ (b & (c ^ d))) + word + sine, turn); }
// @ts-ignore: decorator
@inline function g(a: u32, b: u32, c: u32, d: u32, word: u32, turn: u32, sine: u32): u32 { return b + rotl<u32>(a + (c ^ (d & (b ^ c))) + word + sine, turn); }
// @ts-ignore: decorator
@inline function h(a: u32, b: u32, c: u32, d: u32, word: u32, turn: u32, sine: u32): u32 { return b + rotl<u32>(a + (b ^ c ^ d) + word + sine, turn); }
// @ts-ignore: decorator
@inline function i(a: u32, b: u32, c: u32, d: u32, word: u32, turn: u32, sine: u32): u32 { return b + rotl<u32>(a + (c ^ (b | ~d)) + word + sine, turn); }

// Written out, so that no step has to look up its word's place, its turn or its sine.
function compress(block: usize): void {
  let a = a0, b = b0, c = c0, d = d0;
  a = f(a, b, c, d, load<u32>(block), 7, 0xd76aa478);
  d = f(d, a, b, c, load<u32>(block, 4), 12, 0xe8c7b756);
  c = f(c, d, a, b, load<u32>(block, 8), 17, 0x242070db);
  b = f(b, c, d, a, load<u32>(block, 12), 22, 0xc1bdceee);
  a = f(a, b, c, d, load<u32>(block, 16), 7, 0xf57c0faf);
  d = f(d, a, b, c, load<u32>(block, 20), 12, 0x4787c62a);
  c = f(c, d, a, b, load<u32>(block, 24), 17, 0xa8304613);
  b = f(b, c, d, a, load<u32>(block, 28), 22, 0xfd469501);
  a = f(a, b, c, d, load<u32>(block, 32), 7, 0x698098d8);
  d = f(d, a, b, c, load<u32>(block, 36), 12, 0x8b44f7af);
  c = f(c, d, a, b, load<u32>(block, 40), 17, 0xffff5bb1);
  b = f(b, c, d, a, load<u32>(block, 44), 22, 0x895cd7be);
  a = f(a, b, c, d, load<u32>(block, 48), 7, 0x6b901122);
  d = f(d, a, b, c, load<u32>(block, 52), 12, 0xfd987193);
  c = f(c, d, a, b, load<u32>(block, 56), 17, 0xa679438e);
  b = f(b, c, d, a, load<u32>(block, 60), 22, 0x49b40821);

  a = g(a, b, c, d, load<u32>(block, 4), 5, 0xf61e2562);
  d = g(d, a, b, c, load<u32>(block, 24), 9, 0xc040b340);
  c = g(c, d, a, b, load<u32>(block, 44), 14, 0x265e5a51);
  b = g(b, c, d, a, load<u32>(block), 20, 0xe9b6c7aa);
  a = g(a, b, c, d, load<u32>(block, 20), 5, 0xd62f105d);
  d = g(d, a, b, c, load<u32>(block, 40), 9, 0x02441453);
  c = g(c, d, a, b, load<u32>(block, 60), 14, 0xd8a1e681);
  b = g(b, c, d, a, load<u32>(block, 16), 20, 0xe7d3fbc8);
  a = g(a, b, c, d, load<u32>(block, 36), 5, 0x21e1cde6);
  d = g(d, a, b, c, load<u32>(block, 56), 9, 0xc33707d6);
  c = g(c, d, a, b, load<u32>(block, 12), 14, 0xf4d50d87);
  b = g(b, c, d, a, load<u32>(block, 32), 20, 0x455a14ed);
  a = g(a, b, c, d, load<u32>(block, 52), 5, 0xa9e3e905);
  d = g(d, a, b, c, load<u32>(block, 8), 9, 0xfcefa3f8);
  c = g(c, d, a, b, load<u32>(block, 28), 14, 0x676f02d9);
  b = g(b, c, d, a, load<u32>(block, 48), 20, 0x8d2a4c8a);

  a = h(a, b, c, d, load<u32>(block, 20), 4, 0xfffa3942);
  d = h(d, a, b, c, load<u32>(block, 32), 11, 0x8771f681);
  c = h(c, d, a, b, load<u32>(block, 44), 16, 0x6d9d6122);
  b = h(b, c, d, a, load<u32>(block, 56), 23, 0xfde5380c);
  a = h(a, b, c, d, load<u32>(block, 4), 4, 0xa4beea44);
  d = h(d, a, b, c, load<u32>(block, 16), 11, 0x4bdecfa9);
  c = h(c, d, a, b, load<u32>(block, 28), 16, 0xf6bb4b60);
  b = h(b, c, d, a, load<u32>(block, 40), 23, 0xbebfbc70);
  a = h(a, b, c, d, load<u32>(block, 52), 4, 0x289b7ec6);
  d = h(d, a, b, c, load<u32>(block), 11, 0xeaa127fa);
  c = h(c, d, a, b, load<u32>(block, 12), 16, 0xd4ef3085);
  b = h(b, c, d, a, load<u32>(block, 24), 23, 0x04881d05);
  a = h(a, b, c, d, load<u32>(block, 36), 4, 0xd9d4d039);
  d = h(d, a, b, c, load<u32>(block, 48), 11, 0xe6db99e5);
  c = h(c, d, a, b, load<u32>(block, 60), 16, 0x1fa27cf8);
  b = h(b, c, d, a, load<u32>(block, 8), 23, 0xc4ac5665);

  a = i(a, b, c, d, load<u32>(block), 6, 0xf4292244);
  d = i(d, a, b, c, load<u32>(block, 28), 10, 0x432aff97);
  c = i(c, d, a, b, load<u32>(block, 56), 15, 0xab9423a7);
  b = i(b, c, d, a, load<u32>(block, 20), 21, 0xfc93a039);
  a = i(a, b, c, d, load<u32>(block, 48), 6, 0x655b59c3);
  d = i(d, a, b, c, load<u32>(block, 12), 10, 0x8f0ccc92);
  c = i(c, d, a, b, load<u32>(block, 40), 15, 0xffeff47d);
  b = i(b, c, d, a, load<u32>(block, 4), 21, 0x85845dd1);
  a = i(a, b, c, d, load<u32>(block, 32), 6, 0x6fa87e4f);
  d = i(d, a, b, c, load<u32>(block, 60), 10, 0xfe2ce6e0);
  c = i(c, d, a, b, load<u32>(block, 24), 15, 0xa3014314);
  b = i(b, c, d, a, load<u32>(block, 52), 21, 0x4e0811a1);
  a = i(a, b, c, d, load<u32>(block, 16), 6, 0xf7537e82);
  d = i(d, a, b, c, load<u32>(block, 44), 10, 0xbd3af235);
  c = i(c, d, a, b, load<u32>(block, 8), 15, 0x2ad7d2bb);
  b = i(b, c, d, a, load<u32>(block, 36), 21, 0xeb86d391);

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
