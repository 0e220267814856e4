// What a subscription's client does with what it was delivered, by delivery numbers: deletes it, gives it back, keeps it
// longer, or sends it to the dead-letter queue.
//
//   input:   ranges, 16 bytes each: first (f64), last (f64); 10,000 numbers at most
//   output:  0 how many were done   4 how many runs of numbers were not   8 zero; then those runs, 24 bytes each from 16
//            on: first (f64), last (f64), code (u32), zero (u32)
//
// Numbers that nothing is known of cost nothing each: a run of them is judged as a whole, and told as one.
import * as fair from "./fair";
import * as journal from "./journal";
import * as lifecycle from "./lifecycle";
import { inputStart, outputStart } from "./memory";
import * as message from "./message";
import * as owner from "./owner";
import * as queue from "./queue";
import * as r from "./record";
import { NONE } from "./slab";
import * as subscription from "./subscription";
import * as tail from "./tail";
import * as timers from "./timers";

export const ACK: u32 = 0;
export const NACK: u32 = 1;
export const TOUCH: u32 = 2;
export const DEAD_LETTER: u32 = 3;

// Codes, as the schema's SettleCode.
const NEVER_DELIVERED: u32 = 1;
const NOT_YOURS: u32 = 2;
const BEYOND_MAXIMUM: u32 = 3;
const DEAD_LETTER_FULL: u32 = 4;

const VISIBILITY_MS_MAX: u64 = 43_200_000;
const RUNS_OFFSET: usize = 16;
const RUN_BYTES: usize = 24;
let runs: u32 = 0; // told so far

function total(ranges: u32): u32 {
  let count: u32 = 0;
  for (let i: u32 = 0; i < ranges; i++) {
    const p = inputStart() + <usize>i * 16;
    count += <u32>(load<f64>(p, 8) - load<f64>(p)) + 1;
  }
  return count;
}

/** Numbers that were not done, behind those told before. */
function tell(first: u64, last: u64, code: u32): void {
  const before = outputStart() + RUNS_OFFSET + <usize>runs * RUN_BYTES - RUN_BYTES;
  if (runs > 0 && load<u32>(before, 16) == code && <u64>load<f64>(before, 8) + 1 == first) {
    store<f64>(before, <f64>last, 8);
    return;
  }
  const run = before + RUN_BYTES;
  store<f64>(run, <f64>first);
  store<f64>(run, <f64>last, 8);
  store<u32>(run, code, 16);
  store<u32>(run, 0, 20);
  runs++;
}

/** @returns false when the tail has no room: again after the next commit */
export function settle(cell: u32, kind: u32, ranges: u32, visibilityMs: u32, nowMs: u64): bool {
  fair.setNow(nowMs);
  const b = subscription.body(cell);
  const count = total(ranges);
  if (!tail.hasRoom(count * (kind == DEAD_LETTER ? r.MOVED_BYTES : r.ROW_BYTES) + 64)) return false;
  const before = subscription.setCause(subscription.SELF);
  if (kind == ACK) journal.beginDeleted(count);
  else if (kind != DEAD_LETTER) journal.beginReceived(<f64>nowMs, <f64>(nowMs + visibilityMs), count);
  const isRun = kind == ACK && lifecycle.isPlain(subscription.queueOf(cell));
  let done: u32 = 0;
  runs = 0;
  for (let i: u32 = 0; i < ranges; i++) {
    const p = inputStart() + <usize>i * 16;
    const last = <u64>load<f64>(p, 8);
    let number = <u64>load<f64>(p);
    while (number <= last) {
      const composed = subscription.composed(b);
      const oldest = subscription.oldest(b);
      let end = number;
      let wrong: u32 = NOT_YOURS;
      if (number == 0) wrong = NEVER_DELIVERED;
      else if (number >= composed) {
        wrong = NEVER_DELIVERED;
        end = last;
      } else if (number < oldest) end = min(last, oldest - 1);
      else {
        if (isRun) {
          const count = subscription.removeRun(cell, number, min(last, composed - 1));
          if (count > 0) {
            done += count;
            number += count;
            continue;
          }
        }
        const slot = subscription.slotAt(b, number);
        if (slot != NONE) wrong = one(kind, slot, visibilityMs, nowMs);
      }
      if (wrong == 0) done++;
      else tell(number, end, wrong);
      number = end + 1;
    }
  }
  if (kind == ACK) journal.endDeleted();
  else if (kind != DEAD_LETTER) journal.endReceived(r.VISIBILITY);
  subscription.setCause(before);
  subscription.advance(b);
  store<u32>(outputStart(), done);
  store<u32>(outputStart(), runs, 4);
  return true;
}

function one(kind: u32, slot: u32, visibilityMs: u32, nowMs: u64): u32 {
  if (kind == ACK) {
    lifecycle.remove(slot);
    return 0;
  }
  if (kind == DEAD_LETTER) {
    const target = queue.deadLetters(message.queue(slot));
    return target != 0 && lifecycle.move(slot, target, nowMs) ? 0 : DEAD_LETTER_FULL;
  }
  const untilMs = nowMs + visibilityMs;
  if (untilMs > message.receivedMs(slot) + VISIBILITY_MS_MAX) return BEYOND_MAXIMUM;
  journal.received(slot);
  message.setVisibleAtMs(slot, untilMs);
  if (kind == NACK && visibilityMs == 0) lifecycle.comeBack(slot);
  else {
    if (kind == NACK) subscription.left(slot, true); // nobody's, until then
    else owner.setDated(slot);
    timers.disarm(slot);
    timers.arm(slot, lifecycle.dueOf(slot));
  }
  return 0;
}
