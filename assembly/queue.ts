// One queue: 128 bytes, no timer of its own.
//
//   offset  size  field          meaning
//        0     4  number         never given out again while the log may tell of it; 0: this entry is free
//        4     4  flags          FIFO, SCOPE_GROUP, DEAD
//        8     8  visible        list of visible messages (standard; fair.ts: of groups as well), or of groups whose first
//                                message is visible (FIFO)
//       16     8  waiters        list of long polls, first come first
//       24     4  visibleCount   FIFO: counts messages behind a locked group as well, as SQS does
//       28     4  inFlightCount
//       32     4  delayedCount
//       36     4  next           free list; list of queues that have something for their waiters
//       40     8  retentionMs
//       48     4  delayMs        52     4  fair: cell of a standard queue that has message groups, 0: it has none
//       56     4  receiveMax     0: no dead-letter queue
//       60     4  deadLetters    index of the dead-letter queue, 0: none
//       64     8  configPosition of its newest QUEUE record
//       72     4  configBytes  what its segment counts for it, 0 once it was dropped
//       76     4  sourceNumber   what tells a dead-letter queue's receivers where a message came from; outlives a purge
//       80     4  ready          1 while in the list of queues to serve
//       84     4  inFlightMax
//       88     4  deadLettersNumber   number of the dead-letter queue: its index may be given to another
//       92     4  redelay        1: the next sweep applies a changed delay to what is delayed already
//       96     4  movedCount     at a start: messages that a task moved away since the newest QUEUE record
//      100     4  messageBytesMax   bodies (and attributes) beyond it are refused
//      104     4  watch         cell of what is counted and noted for those who watch it, 0: nobody does
//      108     4  limited       1: what is in flight came to its limit while a subscription could have gone on with a group
//
// A purge gives the name a new queue and drops the old one, whose messages are swept in the background.
import { CHUNK_BYTES, reserve, reserveChunk } from "./memory";
import * as segments from "./segments";

export const QUEUE_BYTES: u32 = 128;
const CHUNK_QUEUES: u32 = CHUNK_BYTES / QUEUE_BYTES;
const DIRECTORY_COUNT: u32 = 2048; // 16 million queues

export const FIFO: u32 = 1;
export const SCOPE_GROUP: u32 = 4;
export const CONTENT_BASED: u32 = 16;
export const DEAD: u32 = 8;

export const VISIBLE: usize = 8;
export const WAITERS: usize = 16;
export const VISIBLE_COUNT: usize = 24;
export const IN_FLIGHT_COUNT: usize = 28;
export const DELAYED_COUNT: usize = 32;
export const MOVED_COUNT: usize = 96;

let directory: usize = 0;
let end: u32 = 0;
let fresh: u32 = 1;
let free: u32 = 0;

export function open(): void {
  directory = reserve(DIRECTORY_COUNT * 4);
}

// @ts-ignore: decorator
@inline export function at(queue: u32): usize {
  return <usize>load<u32>(directory + ((<usize>queue >> 13) << 2)) + ((<usize>queue & (CHUNK_QUEUES - 1)) << 7);
}

// @ts-ignore: decorator
@inline export function isAtLimit(queue: u32): bool { return load<u32>(at(queue), IN_FLIGHT_COUNT) >= inFlightMax(queue); }
// @ts-ignore: decorator
@inline export function isLimited(queue: u32): bool { return load<u32>(at(queue), 108) != 0; }
export function setLimited(queue: u32, value: bool): void { store<u32>(at(queue), value ? 1 : 0, 108); }

/** Makes sure that `queue` has memory. */
export function ensure(queue: u32): bool {
  if (queue == 0 || queue >= DIRECTORY_COUNT * CHUNK_QUEUES) return false;
  while (queue >= end) {
    const chunk = reserveChunk();
    if (chunk == 0) return false;
    store<u32>(directory + ((<usize>end >> 13) << 2), <u32>chunk);
    end += CHUNK_QUEUES;
  }
  if (queue >= fresh) fresh = queue + 1;
  return true;
}

export function take(): u32 {
  let queue = free;
  if (queue != 0) free = load<u32>(at(queue), 36);
  else {
    queue = fresh;
    if (!ensure(queue)) return 0;
  }
  memory.fill(at(queue), 0, QUEUE_BYTES);
  return queue;
}

export function give(queue: u32): void {
  memory.fill(at(queue), 0, QUEUE_BYTES);
  store<u32>(at(queue), free, 36);
  free = queue;
}

/** After a replay: entries without a number become takeable. */
export function rebuildFree(): void {
  free = 0;
  for (let queue = fresh - 1; queue >= 1; queue--) {
    if (number(queue) == 0) give(queue);
  }
}

export function bound(): u32 { return fresh; }

// @ts-ignore: decorator
@inline export function number(queue: u32): u32 { return load<u32>(at(queue)); }
// @ts-ignore: decorator
@inline export function flags(queue: u32): u32 { return load<u32>(at(queue), 4); }
// @ts-ignore: decorator
@inline export function isFifo(queue: u32): bool { return (flags(queue) & FIFO) != 0; }
// @ts-ignore: decorator
@inline export function isDead(queue: u32): bool { return (flags(queue) & DEAD) != 0; }
// @ts-ignore: decorator
@inline export function retentionMs(queue: u32): u64 { return load<u64>(at(queue), 40); }
// @ts-ignore: decorator
@inline export function delayMs(queue: u32): u32 { return load<u32>(at(queue), 48); }
// @ts-ignore: decorator
@inline export function fair(queue: u32): u32 { return load<u32>(at(queue), 52); }
export function setFair(queue: u32, cell: u32): void { store<u32>(at(queue), cell, 52); }
// @ts-ignore: decorator
@inline export function receiveMax(queue: u32): u32 { return load<u32>(at(queue), 56); }
// @ts-ignore: decorator
@inline export function isContentBased(queue: u32): bool { return (flags(queue) & CONTENT_BASED) != 0; }
// @ts-ignore: decorator
@inline export function messageBytesMax(queue: u32): u32 { return load<u32>(at(queue), 100); }
// @ts-ignore: decorator
@inline export function watch(queue: u32): u32 { return load<u32>(at(queue), 104); }
export function setWatch(queue: u32, cell: u32): void { store<u32>(at(queue), cell, 104); }
// @ts-ignore: decorator
@inline export function inFlightMax(queue: u32): u32 { return load<u32>(at(queue), 84); }

/** The queue's newest QUEUE record is the one at `position`: its segment needs it, and the one before no longer. */
export function setConfig(queue: u32, position: u64, recordBytes: u32): void {
  const p = at(queue);
  segments.count(load<u64>(p, 64), load<u32>(p, 72), -1);
  const needed = isDead(queue) ? 0 : (recordBytes + 7) & ~7;
  store<u64>(p, position, 64);
  store<u32>(p, needed, 72);
  segments.count(position, needed, 1);
}

/** Its record is needed by nobody but the one that says that it was dropped. */
export function releaseConfig(queue: u32): void {
  const p = at(queue);
  segments.count(load<u64>(p, 64), load<u32>(p, 72), -1);
  store<u32>(p, 0, 72);
}

/** After a replay: segments know what records of queues they have. */
export function countConfigs(): void {
  for (let queue: u32 = 1; queue < fresh; queue++) {
    if (number(queue) != 0) segments.count(load<u64>(at(queue), 64), load<u32>(at(queue), 72), 1);
  }
}

/** The dead-letter queue, if it still exists. */
export function deadLetters(queue: u32): u32 {
  const target = load<u32>(at(queue), 60);
  return target != 0 && !isDead(target) && number(target) == load<u32>(at(queue), 88) ? target : 0;
}

// @ts-ignore: decorator
@inline export function count(queue: u32, field: usize, change: i32): void {
  const p = at(queue) + field;
  store<u32>(p, load<u32>(p) + change);
}
