// A look at a queue's messages that changes nothing: rows in the output region, behind the effects that are there.
//
//   row, 64 bytes:  0 position (f64)   8 record bytes   12 slot   16 generation   20 receive count   24 sequence number (f64)
//                  32 sentMs (f64)    40 firstReceivedMs (f64), 0: never    48 source number
//                  52 state (state.ts)   53 1: redriven   54 zero (2)    56 zero   60 reissues
//
// What can be received is walked in the order it would be handed out. What is hidden has no list of its own: all slots
// are looked through, so many at a time. Either stops at a place (nextSlot, nextGeneration) from which it can go on.
import * as deliver from "./deliver";
import * as fair from "./fair";
import * as group from "./group";
import * as lifecycle from "./lifecycle";
import { OUTPUT_BYTES, outputStart } from "./memory";
import * as message from "./message";
import * as queue from "./queue";
import { DELAYED, IN_FLIGHT, PENDING, VISIBLE } from "./state";
import { NONE, slotBound } from "./slab";

const ROW_BYTES: u32 = 64;
/** Slots that one call looks at. */
const STEPS_MAX: u32 = 65_536;

/** Bits of what hidden() shows. */
const SHOW_HELD: u32 = 1; // in flight, or behind such in its group
const SHOW_DELAYED: u32 = 2;

/** The place to go on from is none any more: the message there has been received, deleted, or moved. */
export const LOST: u32 = 0xffff_ffff;

/** Where the next call goes on; NONE: everything has been looked at. */
export let nextSlot: u32 = NONE;
export let nextGeneration: u32 = 0;
/** It stopped because the next message did not fit the page, not because it had looked at enough. */
export let isFull: bool = false;

export function rowsStart(): u32 { return deliver.effectsEnd(); }

let rowCount: u32 = 0;
let rowsBytes: u64 = 0; // of the rows' records

function begin(): void {
  rowCount = 0;
  rowsBytes = 0;
  isFull = false;
}

/** @returns false when the page is full without it */
function show(slot: u32, countMax: u32, bytesMax: u32): bool {
  const bytes = message.recordBytes(slot);
  const end = deliver.effectsEnd() + (rowCount + 1) * ROW_BYTES;
  if (rowCount >= countMax || end > OUTPUT_BYTES || (rowCount > 0 && rowsBytes + bytes > bytesMax)) {
    isFull = true;
    return false;
  }
  const p = outputStart() + end - ROW_BYTES;
  store<f64>(p, <f64>message.position(slot));
  store<u32>(p, bytes, 8);
  store<u32>(p, slot, 12);
  store<u32>(p, message.generation(slot), 16);
  store<u32>(p, message.receives(slot), 20);
  store<f64>(p, <f64>lifecycle.sequenceOf(slot), 24);
  store<f64>(p, <f64>message.sentMs(slot), 32);
  store<f64>(p, message.receives(slot) == 0 ? 0 : <f64>message.firstReceivedMs(slot), 40);
  store<u32>(p, message.source(slot), 48);
  store<u32>(p, <u32>message.state(slot) | (message.flags(slot) & message.MOVED ? 0x100 : 0), 52);
  store<u32>(p, 0, 56);
  store<u32>(p, message.reissues(slot), 60);
  rowCount++;
  rowsBytes += bytes;
  return true;
}

function stopAt(slot: u32): u32 {
  nextSlot = slot;
  nextGeneration = slot == NONE ? 0 : message.generation(slot);
  return rowCount;
}

function isOver(slot: u32, q: u32, nowMs: u64): bool {
  return message.sentMs(slot) + queue.retentionMs(q) <= nowMs;
}

function isNamed(q: u32, slot: u32, generation: u32): bool {
  if (slot == NONE || slot >= slotBound()) return false;
  return message.state(slot) > PENDING && message.state(slot) <= DELAYED &&
    message.generation(slot) == generation && message.queue(slot) == q;
}

function firstVisible(q: u32): u32 {
  if (queue.fair(q) != NONE) return fair.firstListed(q);
  const head = load<u32>(queue.at(q) + queue.VISIBLE);
  return queue.isFifo(q) && head != NONE ? group.first(head) : head;
}

function nextVisible(q: u32, slot: u32): u32 {
  if (queue.fair(q) != NONE) return fair.nextListed(q, slot);
  const next = message.next(slot);
  if (next != NONE || !queue.isFifo(q)) return next;
  const behind = group.nextInRing(message.group(slot));
  return behind == NONE ? NONE : group.first(behind);
}

/**
 * What can be received, in order; FIFO: what is visible of the groups that can be received from.
 * @param slot NONE: from the front; else the place where the last call stopped
 * @returns the number of rows, or LOST
 */
export function visible(q: u32, slot: u32, generation: u32, countMax: u32, bytesMax: u32, nowMs: u64): u32 {
  begin();
  let at = slot;
  if (at == NONE) at = firstVisible(q);
  else {
    if (!isNamed(q, at, generation)) return LOST;
    if (queue.isFifo(q) ? !group.inRing(message.group(at)) : message.state(at) != VISIBLE) return LOST;
  }
  for (let step: u32 = 0; at != NONE; step++) {
    if (step == STEPS_MAX) return stopAt(at);
    const shown = message.state(at) == VISIBLE && !isOver(at, q, nowMs);
    if (shown && !show(at, countMax, bytesMax)) return stopAt(at);
    at = nextVisible(q, at);
  }
  return stopAt(NONE);
}

function isShown(slot: u32, q: u32, what: u32): bool {
  const state = message.state(slot);
  if (state == DELAYED) return (what & SHOW_DELAYED) != 0;
  if (state == IN_FLIGHT) return (what & SHOW_HELD) != 0;
  return state == VISIBLE && (what & SHOW_HELD) != 0 && queue.isFifo(q) && !group.inRing(message.group(slot));
}

/** What cannot be received now, in the order of slots, from `slot` on. @returns the number of rows */
export function hidden(q: u32, slot: u32, what: u32, countMax: u32, bytesMax: u32, nowMs: u64): u32 {
  begin();
  const bound = slotBound();
  const end = bound - slot > STEPS_MAX && bound > slot ? slot + STEPS_MAX : bound;
  for (let at = slot; at < end; at++) {
    const state = message.state(at);
    if (state <= PENDING || state > DELAYED || message.queue(at) != q || isOver(at, q, nowMs)) continue;
    if (isShown(at, q, what) && !show(at, countMax, bytesMax)) return stopAt(at);
  }
  return stopAt(end < bound ? end : NONE);
}

/** One message as it is now, however it is. @returns 1, or 0: it is gone, or in another queue */
export function one(q: u32, slot: u32, generation: u32): u32 {
  begin();
  return isNamed(q, slot, generation) && show(slot, 1, 0) ? 1 : 0;
}
