// SHA-256 (FIPS 180-4): content-based deduplication, and the 128-bit keys of deduplication IDs and message groups.
// Keys are the first 16 bytes of a SHA-256, so that nobody can make two IDs meet on purpose.
import { reserve } from "./memory";

let constants: usize = 0; // 64 u32
let schedule: usize = 0; // 64 u32
let state: usize = 0; // 8 u32
let buffer: usize = 0; // 64 bytes not yet compressed
let bufferedCount: u32 = 0;
let totalBytes: u64 = 0;

const INITIAL = memory.data<u32>([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19]);
const ROUNDS = memory.data<u32>([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2]);

export function open(): void {
  constants = ROUNDS;
  schedule = reserve(64 * 4);
  state = reserve(32);
  buffer = reserve(64);
}

function compress(block: usize): void {
  for (let i: usize = 0; i < 16; i++) store<u32>(schedule + (i << 2), bswap<u32>(load<u32>(block + (i << 2))));
  for (let i: usize = 16; i < 64; i++) {
    const w15 = load<u32>(schedule + ((i - 15) << 2));
    const w2 = load<u32>(schedule + ((i - 2) << 2));
    const s0 = rotr<u32>(w15, 7) ^ rotr<u32>(w15, 18) ^ (w15 >>> 3);
    const s1 = rotr<u32>(w2, 17) ^ rotr<u32>(w2, 19) ^ (w2 >>> 10);
    store<u32>(schedule + (i << 2), load<u32>(schedule + ((i - 16) << 2)) + s0 + load<u32>(schedule + ((i - 7) << 2)) + s1);
  }
  let a = load<u32>(state), b = load<u32>(state, 4), c = load<u32>(state, 8), d = load<u32>(state, 12);
  let e = load<u32>(state, 16), f = load<u32>(state, 20), g = load<u32>(state, 24), h = load<u32>(state, 28);
  for (let i: usize = 0; i < 64; i++) {
    const s1 = rotr<u32>(e, 6) ^ rotr<u32>(e, 11) ^ rotr<u32>(e, 25);
    const t1 = h + s1 + ((e & f) ^ (~e & g)) + load<u32>(constants + (i << 2)) + load<u32>(schedule + (i << 2));
    const s0 = rotr<u32>(a, 2) ^ rotr<u32>(a, 13) ^ rotr<u32>(a, 22);
    const t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g; g = f; f = e; e = d + t1; d = c; c = b; b = a; a = t1 + t2;
  }
  store<u32>(state, load<u32>(state) + a);
  store<u32>(state, load<u32>(state, 4) + b, 4);
  store<u32>(state, load<u32>(state, 8) + c, 8);
  store<u32>(state, load<u32>(state, 12) + d, 12);
  store<u32>(state, load<u32>(state, 16) + e, 16);
  store<u32>(state, load<u32>(state, 20) + f, 20);
  store<u32>(state, load<u32>(state, 24) + g, 24);
  store<u32>(state, load<u32>(state, 28) + h, 28);
}

export function begin(): void {
  memory.copy(state, INITIAL, 32);
  bufferedCount = 0;
  totalBytes = 0;
}

export function update(start: usize, size: u32): void {
  let p = start;
  let left = size;
  totalBytes += <u64>size;
  if (bufferedCount > 0) {
    const room: u32 = 64 - bufferedCount;
    const taken = left < room ? left : room;
    memory.copy(buffer + bufferedCount, p, taken);
    bufferedCount += taken;
    p += taken;
    left -= taken;
    if (bufferedCount < 64) return;
    compress(buffer);
    bufferedCount = 0;
  }
  while (left >= 64) {
    compress(p);
    p += 64;
    left -= 64;
  }
  memory.copy(buffer, p, left);
  bufferedCount = left;
}

/** Writes the first `size` (at most 32) bytes of the digest to `to`. */
export function end(to: usize, size: u32): void {
  store<u8>(buffer + bufferedCount++, 0x80);
  if (bufferedCount > 56) {
    memory.fill(buffer + bufferedCount, 0, 64 - bufferedCount);
    compress(buffer);
    bufferedCount = 0;
  }
  memory.fill(buffer + bufferedCount, 0, 56 - bufferedCount);
  store<u64>(buffer + 56, bswap<u64>(totalBytes << 3));
  compress(buffer);
  for (let i: usize = 0; i < 32; i += 4) store<u32>(state + i, bswap<u32>(load<u32>(state + i)));
  memory.copy(to, state, size);
}
