// XXH64 as its specification has it (github.com/Cyan4973/xxHash, doc/xxhash_spec.md), one step after the other.
const PRIME_1 = 0x9e3779b185ebca87n;
const PRIME_2 = 0xc2b2ae3d27d4eb4fn;
const PRIME_3 = 0x165667b19e3779f9n;
const PRIME_4 = 0x85ebca77c2b2ae63n;
const PRIME_5 = 0x27d4eb2f165667c5n;

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const rotl = (value: bigint, bits: bigint): bigint => u64(value << bits) | (value >> (64n - bits));
const round = (sum: bigint, lane: bigint): bigint => u64(rotl(u64(sum + lane * PRIME_2), 31n) * PRIME_1);

export function xxh64(bytes: Uint8Array, seed: bigint): bigint {
  const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  let hash = u64(seed + PRIME_5);
  if (input.byteLength >= 32) {
    let sums = [seed + PRIME_1 + PRIME_2, seed + PRIME_2, seed, seed - PRIME_1].map(u64);
    for (; at + 32 <= input.byteLength; at += 32) {
      sums = sums.map((sum, i) => round(sum, input.readBigUInt64LE(at + 8 * i)));
    }
    const turns = [1n, 7n, 12n, 18n];
    hash = sums.reduce((total, sum, i) => u64(total + rotl(sum, turns[i] as bigint)), 0n);
    for (const sum of sums) hash = u64((hash ^ round(0n, sum)) * PRIME_1 + PRIME_4);
  }
  hash = u64(hash + BigInt(input.byteLength));
  for (; at + 8 <= input.byteLength; at += 8) {
    hash = u64(rotl(hash ^ round(0n, input.readBigUInt64LE(at)), 27n) * PRIME_1 + PRIME_4);
  }
  for (; at + 4 <= input.byteLength; at += 4) {
    hash = u64(rotl(hash ^ u64(BigInt(input.readUInt32LE(at)) * PRIME_1), 23n) * PRIME_2 + PRIME_3);
  }
  for (; at < input.byteLength; at++) {
    hash = u64(rotl(hash ^ u64(BigInt(input.readUInt8(at)) * PRIME_5), 11n) * PRIME_1);
  }
  hash = u64((hash ^ (hash >> 33n)) * PRIME_2);
  hash = u64((hash ^ (hash >> 29n)) * PRIME_3);
  return hash ^ (hash >> 32n);
}
