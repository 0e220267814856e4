// The end of a start: every record has been applied and every queue has its settings; now each message goes where it
// belongs, in the order of sequence numbers. In steps, because the host's compiler makes code quick between two calls,
// not during one.
//
//   weed: what is of queues that are gone ──► (order, if slots are in none) ──► place: lists, counts, timers
import * as fair from "./fair";
import * as group from "./group";
import * as lifecycle from "./lifecycle";
import * as list from "./list";
import { CHUNK_BYTES, poolChunks, reserve } from "./memory";
import * as message from "./message";
import * as order from "./order";
import * as queue from "./queue";
import * as segments from "./segments";
import * as slab from "./slab";
import { DELAYED, FREE, GROUP, IN_FLIGHT, VISIBLE } from "./state";
import * as timers from "./timers";

export const MORE: u32 = 0;
export const DONE: u32 = 1;
export const NO_MEMORY: u32 = 2;

const WEEDING: u32 = 0;
const SORTING: u32 = 1;
const PLACING: u32 = 2;

let stage: u32 = WEEDING;
let nowMs: u64 = 0;
let next: u32 = 0; // a slot; a place in the order while placing what was sorted
let live: u32 = 0;
let isOrdered: bool = true; // slots and sequence numbers are in the same order
let lowest: u64 = 0;
let highest: u64 = 0;
let chunks: usize = 0; // room for their order, if slots are in none
let chunkCount: u32 = 0;

export function begin(startMs: u64): void {
  nowMs = startMs;
  stage = WEEDING;
  next = 1;
  live = 0;
  isOrdered = true;
  lowest = u64.MAX_VALUE;
  highest = 0;
  timers.startAt(startMs);
  fair.setNow(startMs);
}

/** Goes on for about `countMax` messages. @returns MORE, DONE or NO_MEMORY */
export function step(countMax: u32): u32 {
  if (stage == WEEDING) {
    const end = min(slab.slotBound(), next + countMax);
    weed(end);
    if (end < slab.slotBound()) return MORE;
    next = 1;
    stage = PLACING;
    return isOrdered ? MORE : beginSort();
  }
  if (stage == SORTING) {
    if (!order.step(countMax)) return MORE;
    next = 0;
    stage = PLACING;
    return MORE;
  }
  const bound = isOrdered ? slab.slotBound() : order.size;
  const end = min(bound, next + countMax);
  if (!place(end)) return NO_MEMORY;
  if (end < bound) return MORE;
  finish();
  return DONE;
}

/** Frees what is of a queue that is no more, or that was purged since. */
function weed(end: u32): void {
  let q: u32 = 0;
  let number: u32 = 0; // of the queue with this index
  for (; next < end; next++) {
    if (message.state(next) == FREE) continue;
    if (message.queue(next) != q) {
      q = message.queue(next);
      number = q < queue.bound() ? queue.number(q) : 0;
    }
    if (q == 0 || number != message.next(next)) {
      message.setState(next, FREE);
      continue;
    }
    live++;
    const sequence = order.sequenceAt(next);
    if (sequence < highest) isOrdered = false;
    if (sequence > highest) highest = sequence;
    if (sequence < lowest) lowest = sequence;
  }
}

function beginSort(): u32 {
  chunkCount = <u32>(order.bytesFor(live) / CHUNK_BYTES) + 1;
  chunks = reserve(<usize>chunkCount * CHUNK_BYTES);
  if (chunks == 0) return NO_MEMORY;
  order.begin(chunks, live, lowest, highest);
  stage = SORTING;
  return MORE;
}

/** @returns false when memory is used up */
function place(end: u32): bool {
  for (; next < end; next++) {
    const slot = isOrdered ? next : load<u32>(order.start + (<usize>next << 2));
    if (slot != slab.NONE && message.state(slot) != FREE && !placeOne(slot)) return false;
  }
  return true;
}

function placeOne(slot: u32): bool {
  const q = message.queue(slot);
  const sentMs = message.sentMs(slot);
  segments.count(message.position(slot), message.recordBytes(slot), 1);
  const hidden = message.visibleAtMs(slot) > nowMs;
  const state = !hidden ? VISIBLE : message.receives(slot) > 0 ? IN_FLIGHT : DELAYED;
  message.setState(slot, state);
  if (!hidden && message.group(slot) == slab.NONE) {
    // Nearly every message of a deep backlog: nobody waits for it, and no timer holds it yet.
    const home = queue.at(q);
    list.pushBack(home + queue.VISIBLE, slot);
    store<u32>(home, load<u32>(home, queue.VISIBLE_COUNT) + 1, queue.VISIBLE_COUNT);
    timers.arm(slot, sentMs + load<u64>(home, 40));
    return true;
  }
  const g = message.group(slot);
  if (g != slab.NONE) group.addMember(g);
  if (queue.isFifo(q)) group.append(g, slot);
  else if (g != slab.NONE && !fair.admit(g, q, sentMs)) return false;
  if (state == VISIBLE) lifecycle.show(slot, false);
  else lifecycle.keepHidden(slot, state);
  return true;
}

function finish(): void {
  if (!isOrdered) poolChunks(chunks, chunkCount);
  slab.rebuildFreeSlots(live);
  queue.rebuildFree();
  queue.countConfigs();
  for (let cell = slab.AUX_FIRST; cell < slab.auxBound(); cell++) {
    if (load<u8>(slab.at(cell), 7) == GROUP && group.memberCount(cell) == 0) group.drop(cell);
  }
}
