// MD5 (RFC 1321) of two to four texts at once, one in each lane of a vector: each step waits for the one before it, so
// four digests take little more time than one. Texts may differ in length: who is at his end keeps what he has.
//
//   words    one block of each text: word i of all lanes is the vector at 16 * i
//   tails    128 bytes for each lane: the end of its text, padded
const LANE_COUNT: u32 = 4;
const TAIL_BYTES: usize = 128;

const words: usize = memory.data(256);
const tails: usize = memory.data(512);
const digests: usize = memory.data(64); // a, b, c and d of all lanes
const starts: usize = memory.data(16); // u32 each: where a lane's text begins
const wholeCounts: usize = memory.data(16); // u32 each: its blocks without padding
const blockCounts: usize = memory.data(16); // u32 each: all of its blocks
const targets: usize = memory.data(16); // u32 each: where its digest goes
const sines: usize = memory.data<u32>([
  0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
  0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
  0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
  0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
  0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
  0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
  0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
  0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
]);

let laneCount: u32 = 0;

/** Another text, until there are four; its digest goes to the 16 bytes at `to`. */
export function add(start: usize, size: u32, to: usize): void {
  const lane = <usize>laneCount;
  laneCount++;
  const wholeCount = size >>> 6;
  const left = size & 63;
  const tail = tails + lane * TAIL_BYTES;
  memory.fill(tail, 0, TAIL_BYTES);
  memory.copy(tail, start + (wholeCount << 6), left);
  store<u8>(tail + left, 0x80);
  const paddedCount: u32 = left < 56 ? 1 : 2;
  store<u64>(tail + (paddedCount << 6) - 8, <u64>size << 3);
  store<u32>(starts + (lane << 2), <u32>start);
  store<u32>(wholeCounts + (lane << 2), wholeCount);
  store<u32>(blockCounts + (lane << 2), wholeCount + paddedCount);
  store<u32>(targets + (lane << 2), <u32>to);
}

// @ts-ignore: decorator
@inline export function isFull(): bool { return laneCount == LANE_COUNT; }
// @ts-ignore: decorator
@inline export function count(): u32 { return laneCount; }

/** Where a lane's block is; any place will do for one beyond its end. */
// @ts-ignore: decorator
@inline function blockOf(lane: u32, index: u32): usize {
  const wholeCount = load<u32>(wholeCounts + (lane << 2));
  if (index < wholeCount) return <usize>load<u32>(starts + (lane << 2)) + (index << 6);
  return tails + <usize>lane * TAIL_BYTES + (<usize>min(index - wholeCount, 1) << 6);
}

/** Four words of each lane, turned so that a vector has the same word of all. */
// @ts-ignore: decorator
@inline function turn(first: usize, second: usize, third: usize, fourth: usize, to: usize): void {
  const a = v128.load(first);
  const b = v128.load(second);
  const c = v128.load(third);
  const d = v128.load(fourth);
  const abLow = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
  const abHigh = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  const cdLow = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
  const cdHigh = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<i64>(abLow, cdLow, 0, 2));
  v128.store(to, v128.shuffle<i64>(abLow, cdLow, 1, 3), 16);
  v128.store(to, v128.shuffle<i64>(abHigh, cdHigh, 0, 2), 32);
  v128.store(to, v128.shuffle<i64>(abHigh, cdHigh, 1, 3), 48);
}

// One step each: the round's function of b, c and d; the word, how far to turn, the step's number.
// @ts-ignore: decorator
@inline function step(a: v128, b: v128, mixed: v128, word: usize, left: i32, number: usize): v128 {
  const known = i32x4.add(i32x4.add(a, v128.load(words + (word << 4))), v128.load_splat<u32>(sines + (number << 2)));
  const sum = i32x4.add(known, mixed);
  return i32x4.add(b, v128.or(i32x4.shl(sum, left), i32x4.shr_u(sum, 32 - left)));
}
// @ts-ignore: decorator
@inline function f(a: v128, b: v128, c: v128, d: v128, word: usize, left: i32, number: usize): v128 { return step(a, b, v128.xor(d, v128.and(b, v128.xor(c, d))), word, left, number); }
// @ts-ignore: decorator
@inline function g(a: v128, b: v128, c: v128, d: v128, word: usize, left: i32, number: usize): v128 { return step(a, b, v128.or(v128.and(b, d), v128.andnot(c, d)), word, left, number); }
// @ts-ignore: decorator
@inline function h(a: v128, b: v128, c: v128, d: v128, word: usize, left: i32, number: usize): v128 { return step(a, b, v128.xor(b, v128.xor(c, d)), word, left, number); }
// @ts-ignore: decorator
@inline function i(a: v128, b: v128, c: v128, d: v128, word: usize, left: i32, number: usize): v128 { return step(a, b, v128.xor(c, v128.or(b, v128.not(d))), word, left, number); }

/** Writes the digests of what was added, and begins anew. */
export function digest(): void {
  let longest: u32 = 0;
  for (let lane: u32 = 0; lane < LANE_COUNT; lane++) {
    if (lane >= laneCount) store<u32>(blockCounts + (lane << 2), 0); // its words are those of some text before, and count for nothing
    longest = max(longest, load<u32>(blockCounts + (lane << 2)));
  }
  let a0 = i32x4.splat(0x67452301), b0 = i32x4.splat(0xefcdab89), c0 = i32x4.splat(0x98badcfe), d0 = i32x4.splat(0x10325476);
  for (let index: u32 = 0; index < longest; index++) {
    const first = blockOf(0, index), second = blockOf(1, index), third = blockOf(2, index), fourth = blockOf(3, index);
    for (let at: usize = 0; at < 64; at += 16) turn(first + at, second + at, third + at, fourth + at, words + (at << 2));
    let a = a0, b = b0, c = c0, d = d0;
    a = f(a, b, c, d, 0, 7, 0);
    d = f(d, a, b, c, 1, 12, 1);
    c = f(c, d, a, b, 2, 17, 2);
    b = f(b, c, d, a, 3, 22, 3);
    a = f(a, b, c, d, 4, 7, 4);
    d = f(d, a, b, c, 5, 12, 5);
    c = f(c, d, a, b, 6, 17, 6);
    b = f(b, c, d, a, 7, 22, 7);
    a = f(a, b, c, d, 8, 7, 8);
    d = f(d, a, b, c, 9, 12, 9);
    c = f(c, d, a, b, 10, 17, 10);
    b = f(b, c, d, a, 11, 22, 11);
    a = f(a, b, c, d, 12, 7, 12);
    d = f(d, a, b, c, 13, 12, 13);
    c = f(c, d, a, b, 14, 17, 14);
    b = f(b, c, d, a, 15, 22, 15);

    a = g(a, b, c, d, 1, 5, 16);
    d = g(d, a, b, c, 6, 9, 17);
    c = g(c, d, a, b, 11, 14, 18);
    b = g(b, c, d, a, 0, 20, 19);
    a = g(a, b, c, d, 5, 5, 20);
    d = g(d, a, b, c, 10, 9, 21);
    c = g(c, d, a, b, 15, 14, 22);
    b = g(b, c, d, a, 4, 20, 23);
    a = g(a, b, c, d, 9, 5, 24);
    d = g(d, a, b, c, 14, 9, 25);
    c = g(c, d, a, b, 3, 14, 26);
    b = g(b, c, d, a, 8, 20, 27);
    a = g(a, b, c, d, 13, 5, 28);
    d = g(d, a, b, c, 2, 9, 29);
    c = g(c, d, a, b, 7, 14, 30);
    b = g(b, c, d, a, 12, 20, 31);

    a = h(a, b, c, d, 5, 4, 32);
    d = h(d, a, b, c, 8, 11, 33);
    c = h(c, d, a, b, 11, 16, 34);
    b = h(b, c, d, a, 14, 23, 35);
    a = h(a, b, c, d, 1, 4, 36);
    d = h(d, a, b, c, 4, 11, 37);
    c = h(c, d, a, b, 7, 16, 38);
    b = h(b, c, d, a, 10, 23, 39);
    a = h(a, b, c, d, 13, 4, 40);
    d = h(d, a, b, c, 0, 11, 41);
    c = h(c, d, a, b, 3, 16, 42);
    b = h(b, c, d, a, 6, 23, 43);
    a = h(a, b, c, d, 9, 4, 44);
    d = h(d, a, b, c, 12, 11, 45);
    c = h(c, d, a, b, 15, 16, 46);
    b = h(b, c, d, a, 2, 23, 47);

    a = i(a, b, c, d, 0, 6, 48);
    d = i(d, a, b, c, 7, 10, 49);
    c = i(c, d, a, b, 14, 15, 50);
    b = i(b, c, d, a, 5, 21, 51);
    a = i(a, b, c, d, 12, 6, 52);
    d = i(d, a, b, c, 3, 10, 53);
    c = i(c, d, a, b, 10, 15, 54);
    b = i(b, c, d, a, 1, 21, 55);
    a = i(a, b, c, d, 8, 6, 56);
    d = i(d, a, b, c, 15, 10, 57);
    c = i(c, d, a, b, 6, 15, 58);
    b = i(b, c, d, a, 13, 21, 59);
    a = i(a, b, c, d, 4, 6, 60);
    d = i(d, a, b, c, 11, 10, 61);
    c = i(c, d, a, b, 2, 15, 62);
    b = i(b, c, d, a, 9, 21, 63);

    const goesOn = i32x4.gt_s(v128.load(blockCounts), i32x4.splat(index));
    a0 = i32x4.add(a0, v128.and(a, goesOn));
    b0 = i32x4.add(b0, v128.and(b, goesOn));
    c0 = i32x4.add(c0, v128.and(c, goesOn));
    d0 = i32x4.add(d0, v128.and(d, goesOn));
  }
  turn4(a0, b0, c0, d0);
  for (let lane: u32 = 0; lane < laneCount; lane++) {
    v128.store(<usize>load<u32>(targets + (lane << 2)), v128.load(digests + (<usize>lane << 4)));
  }
  laneCount = 0;
}

function turn4(a: v128, b: v128, c: v128, d: v128): void {
  v128.store(words, a);
  v128.store(words, b, 16);
  v128.store(words, c, 32);
  v128.store(words, d, 48);
  turn(words, words + 16, words + 32, words + 48, digests);
}
