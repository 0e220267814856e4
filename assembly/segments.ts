// What of each log segment is still needed: live messages and newest records of queues, and their bytes. 65,536 entries of 16 bytes, by segment
// number; the broker gives up a segment long before its number's place comes round again.
//
//   0  4  segment number, 0: does not exist    4  4  live records    8  8  live bytes
import { reserve } from "./memory";
import { segmentBytes } from "./tail";

const COUNT: u32 = 1 << 16;
let entries: usize = 0;

export function open(): void {
  entries = reserve(COUNT * 16);
}

// @ts-ignore: decorator
@inline function at(segment: u32): usize { return entries + ((<usize>segment & (COUNT - 1)) << 4); }
// Positions asked about lie close to one another mostly, and a division costs more than all the rest here.
let knownSegment: u32 = 0;
let knownStart: u64 = 0;

export function segmentOf(position: u64): u32 {
  if (position - knownStart >= segmentBytes) {
    knownSegment = <u32>(position / segmentBytes);
    knownStart = <u64>knownSegment * segmentBytes;
  }
  return knownSegment;
}

export function exists(segment: u32): bool { return load<u32>(at(segment)) == segment; }

export function remove(segment: u32): void { memory.fill(at(segment), 0, 16); }

/** A record of `bytes` at `position` became needed (+1) or is no longer (-1). */
export function count(position: u64, bytes: u32, change: i32): void {
  if (bytes == 0) return;
  const segment = segmentOf(position);
  const p = at(segment);
  if (load<u32>(p) != segment) {
    if (change < 0) return;
    memory.fill(p, 0, 16);
    store<u32>(p, segment);
  }
  store<u32>(p, load<u32>(p, 4) + change, 4);
  store<u64>(p, load<u64>(p, 8) + <u64>(<i64>change * <i64>bytes), 8);
}

/** So many records of so many bytes in all, from `position` on in one segment, became needed. */
export function countMany(position: u64, records: u32, bytes: u64): void {
  const segment = segmentOf(position);
  add(segment);
  const p = at(segment);
  store<u32>(p, load<u32>(p, 4) + records, 4);
  store<u64>(p, load<u64>(p, 8) + bytes, 8);
}

/** Makes the segment known even if nothing in it is live. */
export function add(segment: u32): void {
  if (exists(segment)) return;
  memory.fill(at(segment), 0, 16);
  store<u32>(at(segment), segment);
}

export function liveCount(segment: u32): u32 { return exists(segment) ? load<u32>(at(segment), 4) : 0; }
export function liveBytes(segment: u32): f64 { return exists(segment) ? <f64>load<u64>(at(segment), 8) : 0; }

// Segments of an older format have no seed; those that come after the last of them have the log's.
let seed: u32 = 0;
let unseeded: u32 = 0; // the last segment without

export function setSeed(segment: u32, value: u32): void {
  if (value != 0) seed = value;
  else if (segment > unseeded) unseeded = segment;
}

/** What the checksums of the segment's records begin with. */
// @ts-ignore: decorator
@inline export function seedOf(segment: u32): u32 { return segment > unseeded ? seed : 0; }

/** The same of PARTs, which do not say which segment they were written to: record.ts. */
// @ts-ignore: decorator
@inline export function partSeedOf(segment: u32): u32 { return seedOf(segment) ^ (segment * 0x9e37_79b1); }
