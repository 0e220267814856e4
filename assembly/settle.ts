// DeleteMessage, ChangeMessageVisibility and their batches, and what a due timer does.
//
//   input row, 24 bytes:  0 slot   4 generation   8 receive count   12 visibilityMs   16 zero (8)
//   result, u32 each at the start of the output region: OK … BEYOND
import * as attempt from "./attempt";
import * as deliver from "./deliver";
import * as fair from "./fair";
import * as group from "./group";
import * as journal from "./journal";
import * as lifecycle from "./lifecycle";
import * as list from "./list";
import { inputStart, outputStart } from "./memory";
import * as message from "./message";
import * as owner from "./owner";
import * as queue from "./queue";
import * as r from "./record";
import { IN_FLIGHT, PENDING, SUBSCRIPTION, VISIBLE, WAITER } from "./state";
import { at, AUX_FIRST, NONE, slotBound } from "./slab";
import * as subscription from "./subscription";
import * as tail from "./tail";
import * as timers from "./timers";

const ROW_BYTES: usize = 24;
const VISIBILITY_MS_MAX: u64 = 43_200_000; // from the receive, however often it is changed
const OK: u32 = 0;
const EXPIRED: u32 = 1; // FIFO: the visibility timeout is over
const GONE: u32 = 2; // no such message any more
const BEYOND: u32 = 3;
const EXPIRED_ROWS_MAX: u32 = 1000;
const STATE_BYTES: u32 = 64;

/** The message a row names, if it still is that message and in this queue. */
function named(q: u32, row: usize): u32 {
  const slot = load<u32>(row);
  if (slot == NONE || slot >= slotBound()) return NONE;
  const state = message.state(slot);
  if (state <= PENDING || message.generation(slot) != load<u32>(row, 4) || message.queue(slot) != q) return NONE;
  return slot;
}

// @ts-ignore: decorator
@inline function isCurrent(slot: u32, row: usize): bool { return message.receives(slot) == load<u32>(row, 8); }

function isHeld(slot: u32, row: usize, nowMs: u64): bool {
  return isCurrent(slot, row) && message.state(slot) == IN_FLIGHT && message.visibleAtMs(slot) > nowMs;
}

/** @returns false when the tail has no room: again after the next commit */
export function remove(q: u32, count: u32, nowMs: u64): bool {
  if (!tail.hasRoom(count * r.ROW_BYTES + 64)) return false;
  fair.setNow(nowMs);
  journal.beginDeleted(count);
  const fifo = queue.isFifo(q);
  for (let i: u32 = 0; i < count; i++) {
    const row = inputStart() + <usize>i * ROW_BYTES;
    const slot = named(q, row);
    let result = OK;
    if (slot != NONE) {
      if (fifo && !isHeld(slot, row, nowMs)) result = EXPIRED;
      // An old handle deletes nothing: the message is another receiver's now.
      else if (isCurrent(slot, row)) lifecycle.remove(slot);
    }
    store<u32>(outputStart() + (<usize>i << 2), result);
  }
  journal.endDeleted();
  return true;
}

function changeOne(q: u32, row: usize, nowMs: u64): u32 {
  const slot = named(q, row);
  if (slot == NONE) return GONE;
  const fifo = queue.isFifo(q);
  if (fifo && !isHeld(slot, row, nowMs)) return GONE;
  if (message.receives(slot) == 0) return GONE; // delayed, or not received since it came here
  const visibilityMs = load<u32>(row, 12);
  const untilMs = nowMs + visibilityMs;
  const state = message.state(slot);
  if (untilMs > message.receivedMs(slot) + VISIBILITY_MS_MAX) return BEYOND;
  if (visibilityMs == 0) {
    message.setVisibleAtMs(slot, nowMs);
    if (state == IN_FLIGHT) lifecycle.comeBack(slot);
  } else if (state == VISIBLE) lifecycle.hide(slot, untilMs);
  else {
    message.setVisibleAtMs(slot, untilMs);
    owner.setDated(slot);
    lifecycle.rearm(slot);
  }
  journal.beginReceived(<f64>nowMs, <f64>untilMs, 1);
  journal.received(slot);
  journal.endReceived(r.VISIBILITY);
  return OK;
}

/** @returns false when the tail has no room: again after the next commit */
export function changeVisibility(q: u32, count: u32, nowMs: u64): bool {
  if (!tail.hasRoom(count * 128)) return false;
  fair.setNow(nowMs);
  for (let i: u32 = 0; i < count; i++) {
    store<u32>(outputStart() + (<usize>i << 2), changeOne(q, inputStart() + <usize>i * ROW_BYTES, nowMs));
  }
  return true;
}

/**
 * What a receive was handed never came to anybody: it is in its queue again as if there had been no receive.
 * @param attemptBytes of the receive's attempt ID behind the rows, 0: it had none
 * @returns false when the tail has no room: again after the next commit
 */
export function giveBack(q: u32, count: u32, attemptBytes: u32, nowMs: u64): bool {
  if (!tail.hasRoom(count * STATE_BYTES + 256)) return false;
  fair.setNow(nowMs);
  if (attemptBytes > 0) {
    const key = attempt.keyOf(inputStart() + <usize>count * ROW_BYTES, attemptBytes);
    const known = attempt.find(queue.number(q), key, <f64>nowMs);
    if (known != NONE && attempt.isRepeated(known)) return true; // they are the retry's
    if (known != NONE) {
      const endsMs = <f64>nowMs + attempt.WINDOW_MS;
      journal.beginReceived(<f64>nowMs, <f64>nowMs, 0);
      const rows = journal.endAttempt(key, queue.number(q), endsMs, true);
      attempt.remember(queue.number(q), key, rows, 0, <f64>nowMs, endsMs);
    }
  }
  for (let i = <i32>count - 1; i >= 0; i--) {
    const row = inputStart() + <usize>i * ROW_BYTES;
    const slot = named(q, row);
    if (slot == NONE || !isCurrent(slot, row) || message.receives(slot) == 0) continue;
    message.setReceives(slot, message.receives(slot) - 1, message.flags(slot));
    if (message.state(slot) == IN_FLIGHT) {
      message.setVisibleAtMs(slot, nowMs);
      lifecycle.comeBack(slot);
    }
    journal.state(slot);
  }
  return true;
}

/** Does what has come due. @returns false when something had to be left: call again after effects are read or a commit */
export function tick(nowMs: u64): bool {
  fair.setNow(nowMs);
  lifecycle.forgetOld(<f64>nowMs);
  let finished = true;
  if (!tail.hasRoom(EXPIRED_ROWS_MAX * r.ROW_BYTES + 64)) return false;
  const cause = subscription.setCause(subscription.EXPIRED);
  journal.beginDeleted(EXPIRED_ROWS_MAX);
  while (true) {
    if (!deliver.hasEffectRoom() || journal.deletedCount() >= EXPIRED_ROWS_MAX) {
      finished = false;
      break;
    }
    const cell = timers.pop(nowMs, lifecycle.dueOf);
    if (cell == NONE) break;
    if (cell >= AUX_FIRST) {
      if (load<u8>(at(cell), 7) == WAITER) deliver.timeOut(cell);
      else if (load<u8>(at(cell), 7) == SUBSCRIPTION) subscription.lingered(cell);
      else fair.due(cell);
      continue;
    }
    const q = message.queue(cell);
    if (queue.isDead(q)) continue; // the sweep has it
    if (message.sentMs(cell) + queue.retentionMs(q) <= nowMs) lifecycle.end(cell);
    else if (message.state(cell) == VISIBLE) lifecycle.rearm(cell); // its retention has grown since
    else lifecycle.comeBack(cell);
  }
  journal.endDeleted();
  subscription.setCause(cause);
  return finished;
}

// The sweep: one pass over all slots, a piece at a time, for what a change of a queue means to its messages.
let sweepNext: u32 = 0; // 0: none under way
let sweepEnd: u32 = 0;
let sweepAgain: bool = false;

export function requestSweep(): void {
  if (sweepNext == 0) {
    sweepNext = 1;
    sweepEnd = slotBound();
  } else sweepAgain = true;
}

export function isSweeping(): bool { return sweepNext != 0; }

/** Messages of dropped queues go; those of others get the deadline that their queue's settings mean now. */
export function sweep(nowMs: u64, countMax: u32): void {
  if (sweepNext == 0) return;
  fair.setNow(nowMs);
  let end = sweepNext + countMax;
  if (end > sweepEnd) end = sweepEnd;
  for (let slot = sweepNext; slot < end; slot++) {
    if (!tail.hasRoom(STATE_BYTES)) {
      sweepNext = slot;
      return;
    }
    const state = message.state(slot);
    if (state <= PENDING) continue;
    const q = message.queue(slot);
    if (queue.isDead(q)) lifecycle.release(slot, true); // a subscription has been told before
    else {
      if (load<u32>(queue.at(q), 92) != 0) redelay(slot, q);
      lifecycle.rearm(slot);
    }
  }
  sweepNext = end;
  if (end < sweepEnd) return;
  sweepNext = 0;
  for (let q: u32 = 1; q < queue.bound(); q++) {
    if (queue.number(q) == 0) continue;
    store<u32>(queue.at(q), 0, 92);
    if (!queue.isDead(q)) continue;
    // Dropped while this pass was under way, or still with messages on their way to disk: another pass.
    if (sweepAgain || lifecycle.hasPending()) sweepAgain = true;
    else if (load<u32>(queue.at(q), 80) == 0) queue.give(q);
    else sweepAgain = true;
  }
  if (sweepAgain) {
    sweepAgain = false;
    requestSweep();
  }
}

/** A FIFO queue's delay counts for what is delayed already. */
function redelay(slot: u32, q: u32): void {
  if (message.receives(slot) != 0 || message.state(slot) < VISIBLE || message.state(slot) == VISIBLE) return;
  message.setVisibleAtMs(slot, message.sentMs(slot) + queue.delayMs(q));
  journal.state(slot); // its SENT record tells of the old delay
}
