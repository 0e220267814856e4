// XXH64 (Yann Collet), of whole words of 8 bytes: what is not a multiple of them takes steps that nobody needs here. Parts had
// it as their checksum until segments had version 6 (record.ts), and are read as ever.
//
// Four sums go side by side, each by a multiplication that waits for the one before it and one that does not.
const PRIME_1: u64 = 0x9e37_79b1_85eb_ca87;
const PRIME_2: u64 = 0xc2b2_ae3d_27d4_eb4f;
const PRIME_3: u64 = 0x1656_67b1_9e37_79f9;
const PRIME_4: u64 = 0x85eb_ca77_c2b2_ae63;
const PRIME_5: u64 = 0x27d4_eb2f_1656_67c5;
const STRIPE_BYTES: u32 = 32;

// @ts-ignore: decorator
@inline function round(sum: u64, word: u64): u64 { return rotl<u64>(sum + word * PRIME_2, 31) * PRIME_1; }

// @ts-ignore: decorator
@inline function merge(hash: u64, sum: u64): u64 { return (hash ^ round(0, sum)) * PRIME_1 + PRIME_4; }

/** @param size a multiple of 8 */
export function xxh64(start: usize, size: u32, seed: u64): u64 {
  let p = start;
  const end = start + size;
  let hash = seed + PRIME_5;
  if (size >= STRIPE_BYTES) {
    let a = seed + PRIME_1 + PRIME_2;
    let b = seed + PRIME_2;
    let c = seed;
    let d = seed - PRIME_1;
    // Two stripes a step: of 16 KiB a seventh less time than one by one.
    while (p + 2 * STRIPE_BYTES <= end) {
      a = round(a, load<u64>(p));
      b = round(b, load<u64>(p, 8));
      c = round(c, load<u64>(p, 16));
      d = round(d, load<u64>(p, 24));
      a = round(a, load<u64>(p, 32));
      b = round(b, load<u64>(p, 40));
      c = round(c, load<u64>(p, 48));
      d = round(d, load<u64>(p, 56));
      p += 2 * STRIPE_BYTES;
    }
    if (p + STRIPE_BYTES <= end) {
      a = round(a, load<u64>(p));
      b = round(b, load<u64>(p, 8));
      c = round(c, load<u64>(p, 16));
      d = round(d, load<u64>(p, 24));
      p += STRIPE_BYTES;
    }
    hash = rotl<u64>(a, 1) + rotl<u64>(b, 7) + rotl<u64>(c, 12) + rotl<u64>(d, 18);
    hash = merge(merge(merge(merge(hash, a), b), c), d);
  }
  hash += size;
  while (p < end) {
    hash = rotl<u64>(hash ^ round(0, load<u64>(p)), 27) * PRIME_1 + PRIME_4;
    p += 8;
  }
  hash = (hash ^ (hash >> 33)) * PRIME_2;
  hash = (hash ^ (hash >> 29)) * PRIME_3;
  return hash ^ (hash >> 32);
}
