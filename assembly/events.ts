// What happens to the messages of queues that somebody watches: counted, and noted for the host to read. A queue that
// nobody watches pays for one look at its watch.
//
//   watch cell:  7 WATCH   8 sent   12 delivered   16 settled (counts)   20 1: single events are noted   24 skipped
//   event, 48 bytes:  0 kind, as the schema's EventKind   4 queue index   8 message ID (16)   24 1: the ID is known
//      28 receive count   32 position of the record (f64)   40 its size   44 zero
import * as blocks from "./blocks";
import * as identity from "./identity";
import * as message from "./message";
import * as queue from "./queue";
import { WATCH } from "./state";
import { at, giveAux, NONE, takeAux } from "./slab";
import * as tail from "./tail";

export const SENT: u32 = 1;
export const DELIVERED: u32 = 2;
export const SETTLED: u32 = 3;
export const RETURNED: u32 = 4;
export const RETENTION_ENDED: u32 = 5;
export const DEAD_LETTERED: u32 = 6;

const EVENT_BYTES: u32 = 48;
const EVENT_COUNT_MAX: u32 = 4096;
const COUNTS: usize = 8;
const WANTS_EVENTS: usize = 20;
const SKIPPED: usize = 24;

let events: usize = 0;
export let count: u32 = 0;

export function start(): usize { return events; }
export function clear(): void { count = 0; }

/** Begins to watch; once for a queue. @returns false when memory is used up */
export function open(q: u32, wantsEvents: bool): bool {
  let cell = queue.watch(q);
  if (cell == NONE) {
    cell = takeAux();
    if (cell == NONE) return false;
    store<u8>(at(cell), WATCH, 7);
    queue.setWatch(q, cell);
  }
  if (!wantsEvents) return true;
  if (events == 0) events = blocks.take(EVENT_COUNT_MAX * EVENT_BYTES);
  if (events == 0) return false;
  store<u32>(at(cell), 1, WANTS_EVENTS);
  return true;
}

export function close(q: u32): void {
  const cell = queue.watch(q);
  if (cell == NONE) return;
  queue.setWatch(q, NONE);
  giveAux(cell);
}

/** 0 sent, 1 delivered, 2 settled, 4 skipped events. */
export function countOf(q: u32, which: u32): u32 {
  const cell = queue.watch(q);
  return cell == NONE ? 0 : load<u32>(at(cell) + COUNTS + (<usize>which << 2));
}

// @ts-ignore: decorator
@inline export function note(q: u32, kind: u32, slot: u32): void {
  const cell = queue.watch(q);
  if (cell != NONE) write(q, at(cell), kind, slot);
}

function write(q: u32, p: usize, kind: u32, slot: u32): void {
  if (kind <= SETTLED) {
    const counter = p + COUNTS + (<usize>(kind - 1) << 2);
    store<u32>(counter, load<u32>(counter) + 1);
  }
  if (load<u32>(p, WANTS_EVENTS) == 0) return;
  if (count == EVENT_COUNT_MAX) {
    store<u32>(p, load<u32>(p, SKIPPED) + 1, SKIPPED);
    return;
  }
  const to = events + <usize>(count++) * EVENT_BYTES;
  const record = tail.find(message.position(slot));
  store<u32>(to, kind);
  store<u32>(to, q, 4);
  if (record != 0) identity.put(to + 8, slot, record);
  store<u32>(to, record != 0 ? 1 : 0, 24);
  store<u32>(to, message.receives(slot), 28);
  store<f64>(to, <f64>message.position(slot), 32);
  store<u32>(to, message.recordBytes(slot), 40);
}
