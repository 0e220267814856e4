// One wheel for every deadline, in steps of one millisecond: seven levels of 64 buckets, each level 64 times coarser.
// A cell sits in the level of the highest 6-bit digit in which its due time differs from the present, so it is filed
// again at most six times, and inserting, removing and finding the next deadline cost the same whatever is waiting.
//
// Links are in the cell (slab.ts): next at 56, prev at 60. The first of a bucket has HEAD | bucket as its prev, so a
// cell can be taken out without knowing where it was filed. prev 0: in no bucket. Bucket DUE holds what has come due
// and has not been handled yet.
import { reserve } from "./memory";
import { linksAt, NONE } from "./slab";

const NEXT: usize = 56;
const PREV: usize = 60;
const HEAD: u32 = 1 << 31;
const LEVELS: u32 = 7;
const DUE: u32 = LEVELS * 64;
const RANGE_MS: u64 = 1 << 42;

let heads: usize = 0; // DUE + 1 cells
let occupied: usize = 0; // LEVELS u64, a bit per bucket
let presentMs: u64 = 0;

export function open(): void {
  heads = reserve((DUE + 1) * 4);
  occupied = reserve(LEVELS * 8);
}

export function startAt(nowMs: u64): void {
  presentMs = nowMs;
}

/** Puts a cell that is in no bucket into the one that bucketOf() gave. */
// @ts-ignore: decorator
@inline export function push(cell: u32, bucket: u32): void {
  const head = heads + (<usize>bucket << 2);
  const first = load<u32>(head);
  const p = linksAt(cell);
  store<u32>(p, first, NEXT);
  store<u32>(p, HEAD | bucket, PREV);
  if (first != NONE) store<u32>(linksAt(first), cell, PREV);
  store<u32>(head, cell);
}

/** Where what is due then is filed, which must follow: the bucket counts as occupied. */
export function bucketOf(dueMs: u64): u32 {
  if (dueMs <= presentMs) return DUE;
  let due = dueMs;
  if (due - presentMs >= RANGE_MS >> 1) due = presentMs + (RANGE_MS >> 1);
  const level = <u32>(63 - clz<u64>(presentMs ^ due)) / 6;
  const capped = level >= LEVELS ? LEVELS - 1 : level;
  const index = <u32>(due >> <u64>(capped * 6)) & 63;
  const bits = occupied + (<usize>capped << 3);
  store<u64>(bits, load<u64>(bits) | (<u64>1 << <u64>index));
  return capped * 64 + index;
}

/** Files a cell that is in no bucket. What is due already is handled at the next advance. */
export function arm(cell: u32, dueMs: u64): void { push(cell, bucketOf(dueMs)); }

/** Takes a cell out of its bucket; harmless when it is in none. */
export function disarm(cell: u32): void {
  const p = linksAt(cell);
  const prev = load<u32>(p, PREV);
  if (prev == 0) return;
  const next = load<u32>(p, NEXT);
  store<u32>(p, 0, PREV);
  if (next != NONE) store<u32>(linksAt(next), prev, PREV);
  if (prev & HEAD) {
    const bucket = prev & ~HEAD;
    store<u32>(heads + (<usize>bucket << 2), next);
    if (next == NONE && bucket != DUE) {
      const bits = occupied + (<usize>(bucket >> 6) << 3);
      store<u64>(bits, load<u64>(bits) & ~(<u64>1 << <u64>(bucket & 63)));
    }
  } else store<u32>(linksAt(prev), next, NEXT);
}

// The start of the earliest occupied bucket, and its number; u64.MAX_VALUE when there is none.
let foundBucket: u32 = 0;
function earliest(): u64 {
  for (let level: u32 = 0; level < LEVELS; level++) {
    const bits = load<u64>(occupied + (<usize>level << 3));
    if (bits == 0) continue;
    const shift = <u64>(level * 6);
    const here = (presentMs >> shift) & 63;
    const ahead = ctz<u64>(rotr<u64>(bits, here));
    const index = (here + ahead) & 63;
    foundBucket = level * 64 + <u32>index;
    const start = ((presentMs >> shift) + ahead) << shift;
    return start < presentMs ? presentMs : start;
  }
  return u64.MAX_VALUE;
}

/** When to call advance again; a lower bound, +Infinity when nothing waits. */
export function nextMs(): f64 {
  if (load<u32>(heads + (<usize>DUE << 2)) != NONE) return <f64>presentMs;
  const start = earliest();
  return start == u64.MAX_VALUE ? Infinity : <f64>start;
}

/**
 * Moves the present to `nowMs` and hands out one cell that has come due, out of its bucket; NONE when there is none
 * left. `dueOf` is asked again for whatever is filed more finely. Call until NONE.
 */
export function pop(nowMs: u64, dueOf: (cell: u32) => u64): u32 {
  while (true) {
    const cell = load<u32>(heads + (<usize>DUE << 2));
    if (cell != NONE) {
      disarm(cell);
      return cell;
    }
    const start = earliest();
    if (start > nowMs) {
      if (nowMs > presentMs) presentMs = nowMs;
      return NONE;
    }
    if (start > presentMs) presentMs = start;
    const bucket = foundBucket;
    // Everything in the bucket is filed anew: finer, or as due.
    let moving = load<u32>(heads + (<usize>bucket << 2));
    store<u32>(heads + (<usize>bucket << 2), NONE);
    const bits = occupied + (<usize>(bucket >> 6) << 3);
    store<u64>(bits, load<u64>(bits) & ~(<u64>1 << <u64>(bucket & 63)));
    while (moving != NONE) {
      const p = linksAt(moving);
      const next = load<u32>(p, NEXT);
      store<u32>(p, 0, PREV);
      arm(moving, dueOf(moving));
      moving = next;
    }
  }
}
