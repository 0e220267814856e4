// NH of words of 8 bytes as assembly/nh.ts draws it, one pair of words after the other.
const PRIME_1 = 0x9e3779b185ebca87n;
const PRIME_2 = 0xc2b2ae3d27d4eb4fn;
const PRIME_3 = 0x165667b19e3779f9n;
const STRIPE_BYTES = 32;
const BLOCK_BYTES = 1024;

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);

/** One for each four bytes of a block. */
const KEYS: readonly number[] = Array.from({ length: BLOCK_BYTES / 8 }, (_, i) => {
  let z = u64(BigInt(i + 1) * 0x9e3779b97f4a7c15n);
  z = u64((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
  z = u64((z ^ (z >> 27n)) * 0x94d049bb133111ebn);
  z ^= z >> 31n;
  return [Number(z & 0xffff_ffffn), Number(z >> 32n)];
}).flat();

/** Of at most a block, by the offsets in it of the words that are multiplied. */
function sumOf(block: Buffer): bigint {
  const term = (at: number): bigint => BigInt((block.readUInt32LE(at) + (KEYS[at / 4] as number)) >>> 0);
  const pairs: [number, number][] = [];
  const stripesEnd = block.byteLength - (block.byteLength % STRIPE_BYTES);
  for (let stripe = 0; stripe < stripesEnd; stripe += STRIPE_BYTES) {
    for (let at = stripe; at < stripe + STRIPE_BYTES / 2; at += 4) pairs.push([at, at + STRIPE_BYTES / 2]);
  }
  for (let at = stripesEnd; at < block.byteLength; at += 8) pairs.push([at, at + 4]);
  return u64(pairs.reduce((sum, [a, b]) => sum + term(a) * term(b), 0n));
}

export function nh(bytes: Uint8Array, seed: bigint): bigint {
  const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let hash = 0n;
  for (let at = 0; at < Math.max(input.byteLength, 1); at += BLOCK_BYTES) {
    const turned = u64(hash << 31n) | (hash >> 33n);
    hash = u64(turned * PRIME_1 + sumOf(input.subarray(at, at + BLOCK_BYTES)));
  }
  hash ^= u64(seed * PRIME_1);
  hash = u64((hash ^ (hash >> 33n)) * PRIME_2);
  hash = u64((hash ^ (hash >> 29n)) * PRIME_3);
  return hash ^ (hash >> 32n);
}
