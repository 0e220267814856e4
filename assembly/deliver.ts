// Receives, at once or waited for, and what they hand out: effects in the output region, from EFFECTS_OFFSET on.
//
//   effect:  0 token (u32)   4 count (u32), GONE: the queue is no more
//            8 position that must be on disk before the answer leaves (f64), 0: none
//   then `count` deliveries of 64 bytes:
//            0 position (f64)   8 record bytes   12 slot   16 generation   20 receive count   24 sequence number (f64)
//           32 sentMs (f64)    40 firstReceivedMs (f64)   48 source number   52 1: redriven   56 zero
//           60 how often a task has moved it
//
// A waiter's cell:
//    0 token · 4 countMax (1) · 7 state · 8 attempt key · 24 queue number, 0: no attempt ID · 28 table link
//   32 when the wait is over (f64) · 40 visibilityMs · 44 queue index · 48 list links · 56 timer links
import * as attempt from "./attempt";
import * as events from "./events";
import * as fair from "./fair";
import * as group from "./group";
import * as held from "./held";
import * as journal from "./journal";
import * as lifecycle from "./lifecycle";
import * as list from "./list";
import { inputStart, OUTPUT_BYTES, outputStart } from "./memory";
import * as message from "./message";
import * as owner from "./owner";
import * as queue from "./queue";
import * as r from "./record";
import { IN_FLIGHT, SUBSCRIPTION, VISIBLE, WAITER } from "./state";
import { at, giveAux, NONE, takeAux } from "./slab";
import * as subscription from "./subscription";
import * as table from "./table";
import * as tail from "./tail";
import * as timers from "./timers";

export const EFFECTS_OFFSET: u32 = 4096;
const EFFECT_BYTES: u32 = 16;
const DELIVERY_BYTES: u32 = 64;
const RECEIVE_MAX: u32 = 10;
/** What one receive may answer: an earlier one with the same attempt ID, and itself. */
const LARGEST: u32 = 2 * EFFECT_BYTES + RECEIVE_MAX * DELIVERY_BYTES;
const GONE: u32 = 0xffff_ffff;
/** Messages that one receive may move to the dead-letter queue before it gives the others a turn. */
const MOVES_MAX: u32 = 256;
/** What one receive may add to the log. */
export const RECEIVE_LOG_BYTES: u32 = MOVES_MAX * r.MOVED_BYTES + 4096;
const SUBSCRIBER_LOG_BYTES: u32 = RECEIVE_LOG_BYTES + 1000 * r.ROW_BYTES;

let end: u32 = EFFECTS_OFFSET;
let waitingAttempts: usize = 0; // table of waiters with an attempt ID

export function open(): void {
  waitingAttempts = table.open();
}

export function effectsEnd(): u32 { return end; }
export function clearEffects(): void { end = EFFECTS_OFFSET; }
export function hasEffectRoom(): bool { return end + LARGEST <= OUTPUT_BYTES; }

function effect(token: u32, count: u32, position: f64): usize {
  const p = outputStart() + end;
  store<u32>(p, token);
  store<u32>(p, count, 4);
  store<f64>(p, position, 8);
  return p + EFFECT_BYTES;
}

function delivery(p: usize, slot: u32): void {
  store<f64>(p, <f64>message.position(slot));
  store<u32>(p, message.recordBytes(slot), 8);
  store<u32>(p, slot, 12);
  store<u32>(p, message.generation(slot), 16);
  store<u32>(p, message.receives(slot), 20);
  store<f64>(p, <f64>lifecycle.sequenceOf(slot), 24);
  store<f64>(p, <f64>message.sentMs(slot), 32);
  store<f64>(p, <f64>message.firstReceivedMs(slot), 40);
  store<u32>(p, message.source(slot), 48);
  store<u32>(p, message.flags(slot) & message.MOVED ? 1 : 0, 52);
  store<u32>(p, 0, 56);
  store<u32>(p, message.reissues(slot), 60);
}

let taken: u32 = 0; // of the receive under way
let wanted: u32 = 0;
let receiver: u32 = NONE; // the subscription it is for, NONE: a poll
let deliveries: usize = 0;
let moves: u32 = 0;
let starved: bool = false; // memory is used up: the subscription could have had more
export const BATCH_MAX: u32 = 1000; // messages that a subscription takes in one turn
const TAKEN_SLOTS: usize = memory.data(4000);
const AGAIN_ROWS: usize = memory.data(160);

function take(slot: u32, nowMs: u64, visibilityMs: u32): void {
  if (receiver != NONE && !owner.prepare(slot)) {
    wanted = taken; // what was taken is all there is
    starved = true;
    return;
  }
  if (message.receives(slot) == 0) message.setFirstReceivedMs(slot, nowMs);
  message.setReceivedMs(slot, nowMs);
  message.setReceives(slot, message.receives(slot) + 1, message.flags(slot));
  lifecycle.hide(slot, nowMs + visibilityMs);
  events.note(message.queue(slot), events.DELIVERED, slot);
  store<u32>(TAKEN_SLOTS + (<usize>taken << 2), slot);
  if (receiver == NONE) delivery(deliveries + taken * DELIVERY_BYTES, slot);
  else if (!subscription.hold(receiver, slot)) wanted = taken + 1;
  taken++;
}

/** Whether the message has had its receives and has gone to the dead-letter queue instead. */
function redrive(slot: u32, q: u32, nowMs: u64): bool {
  const receiveMax = queue.receiveMax(q);
  if (receiveMax == 0 || message.receives(slot) < receiveMax || moves >= MOVES_MAX) return false;
  const target = queue.deadLetters(q);
  if (target == 0 || target == q) return false;
  if (!lifecycle.move(slot, target, nowMs)) return false;
  moves++;
  return true;
}

function isOver(slot: u32, q: u32, nowMs: u64): bool {
  return message.sentMs(slot) + queue.retentionMs(q) <= nowMs;
}

/** As takeStandard(), where nothing but their list and their counts is concerned. */
function takePlain(q: u32, processingMs: u32, nowMs: u64): void {
  const inFlight = load<u32>(queue.at(q), queue.IN_FLIGHT_COUNT);
  const room = queue.inFlightMax(q) - min(inFlight, queue.inFlightMax(q));
  const retentionMs = queue.retentionMs(q);
  let slot = load<u32>(queue.at(q) + queue.VISIBLE);
  wanted = min(wanted, room);
  lifecycle.hideBegin(nowMs + processingMs);
  while (taken < wanted && slot != NONE && message.sentMs(slot) + retentionMs > nowMs) {
    if (!owner.prepare(slot)) {
      starved = true;
      break;
    }
    const receives = message.receives(slot);
    if (receives == 0) message.setFirstReceivedMs(slot, nowMs);
    message.setReceivedMs(slot, nowMs);
    message.setReceives(slot, receives + 1, message.flags(slot));
    store<u32>(TAKEN_SLOTS + (<usize>(taken++) << 2), slot);
    const next = lifecycle.hideNext(slot, retentionMs);
    if (!subscription.hold(receiver, slot)) wanted = taken;
    slot = next;
  }
  if (taken > 0) lifecycle.hideEnd(q, slot, taken);
}

function takeStandard(q: u32, visibilityMs: u32, nowMs: u64): void {
  const visible = queue.at(q) + queue.VISIBLE;
  while (taken < wanted) {
    const slot = queue.fair(q) == NONE ? load<u32>(visible) : fair.first(q);
    // What retention has ended is the timer's to remove; it is due, and nothing older stands behind it.
    if (slot == NONE || isOver(slot, q, nowMs)) break;
    if (load<u32>(queue.at(q), queue.IN_FLIGHT_COUNT) >= queue.inFlightMax(q)) break;
    if (redrive(slot, q, nowMs)) continue;
    if (moves >= MOVES_MAX) break;
    take(slot, nowMs, visibilityMs);
  }
}

function takeFifo(q: u32, visibilityMs: u32, nowMs: u64): void {
  const ring = queue.at(q) + queue.VISIBLE;
  while (taken < wanted) {
    const g = load<u32>(ring);
    if (g == NONE) break;
    let slot = group.first(g);
    const before = taken;
    while (slot != NONE && taken < wanted && message.state(slot) == VISIBLE && !isOver(slot, q, nowMs)) {
      if (load<u32>(queue.at(q), queue.IN_FLIGHT_COUNT) >= queue.inFlightMax(q)) break;
      const next = message.next(slot);
      if (redrive(slot, q, nowMs)) {
        // The group may have ended with it.
        if (next == NONE) break;
      } else {
        if (moves >= MOVES_MAX) break;
        take(slot, nowMs, visibilityMs);
      }
      slot = next;
    }
    if (taken > before) group.place(g);
    else if (load<u32>(ring) == g) break; // at the limit, or its first message is over: nothing can be had from it
  }
}

/**
 * @param key of the attempt ID, 0 without one
 * @returns how many were taken; the effect is written if any, and its records are in the log
 */
function receiveNow(q: u32, countMax: u32, visibilityMs: u32, token: u32, key: usize, nowMs: u64): u32 {
  taken = 0;
  wanted = countMax;
  moves = 0;
  deliveries = outputStart() + end + EFFECT_BYTES;
  const fifo = queue.isFifo(q);
  if (fifo) takeFifo(q, visibilityMs, nowMs);
  else takeStandard(q, visibilityMs, nowMs);
  if (taken == 0) return 0;
  const visibleAtMs = <f64>(nowMs + visibilityMs);
  journal.beginReceived(<f64>nowMs, visibleAtMs, taken);
  for (let i: u32 = 0; i < taken; i++) journal.received(load<u32>(TAKEN_SLOTS + (<usize>i << 2)));
  if (key == 0) journal.endReceived(r.RECEIVED);
  else {
    const endsMs = <f64>nowMs + attempt.WINDOW_MS;
    const rows = journal.endAttempt(key, queue.number(q), endsMs, false);
    attempt.remember(queue.number(q), key, rows, taken, visibleAtMs, endsMs);
  }
  if (visibilityMs == 0) giveBackTaken(q);
  // On a standard queue a crash may cost a redelivery, so nobody waits for the disk. Order, and how often a message
  // may fail, are promises.
  effect(token, taken, fifo || queue.receiveMax(q) != 0 ? <f64>tail.head : 0);
  end += EFFECT_BYTES + taken * DELIVERY_BYTES;
  return taken;
}

/** A retry: the same messages with the same receive counts, hidden anew. @returns receive()'s codes */
function receiveAgain(known: u32, q: u32, visibilityMs: u32, token: u32, nowMs: u64): u32 {
  if (!attempt.untouchedRows(known, q, nowMs, AGAIN_ROWS)) return NOT_RETRYABLE;
  taken = 0;
  deliveries = outputStart() + end + EFFECT_BYTES;
  const visibleAtMs = <f64>(nowMs + visibilityMs);
  journal.beginReceived(<f64>nowMs, visibleAtMs, attempt.messageCount(known));
  while (taken < attempt.messageCount(known)) {
    const slot = load<u32>(AGAIN_ROWS + <usize>taken * r.ROW_BYTES);
    message.setReceivedMs(slot, nowMs);
    message.setVisibleAtMs(slot, nowMs + visibilityMs);
    lifecycle.rearm(slot);
    journal.received(slot);
    delivery(deliveries + taken * DELIVERY_BYTES, slot);
    store<u32>(TAKEN_SLOTS + (<usize>taken << 2), slot);
    taken++;
  }
  journal.endAttempt(attempt.key(known), queue.number(q), attempt.expiresMs(known), false);
  attempt.setVisibleAtMs(known, visibleAtMs);
  attempt.setRepeated(known);
  if (visibilityMs == 0) giveBackTaken(q);
  effect(token, taken, <f64>tail.head);
  end += EFFECT_BYTES + taken * DELIVERY_BYTES;
  return 0;
}

/** Of one group, what a subscription may have of it now. */
function takeOfGroup(q: u32, g: u32, nowMs: u64): void {
  const processingMs = subscription.processingMs(receiver);
  let slot = held.holder(g) == NONE ? group.first(g) : held.nextOf(g);
  let left = held.roomFor(receiver, g);
  while (left > 0 && taken < wanted) {
    if (slot == NONE || message.state(slot) != VISIBLE || isOver(slot, q, nowMs)) return;
    if (load<u32>(queue.at(q), queue.IN_FLIGHT_COUNT) >= queue.inFlightMax(q)) return;
    const next = message.next(slot);
    if (redrive(slot, q, nowMs)) {
      if (next == NONE) return; // the group may have ended with it
    } else {
      if (moves >= MOVES_MAX) return;
      const before = taken;
      take(slot, nowMs, processingMs);
      if (taken == before) return;
      held.took(receiver, g);
      left--;
    }
    slot = next;
  }
}

/** What goes on with the groups that it holds. */
function takeHeld(q: u32, nowMs: u64): void {
  let g = load<u32>(subscription.body(receiver) + subscription.READY_GROUPS);
  while (g != NONE && taken < wanted) {
    const before = taken;
    const after = held.nextReady(g);
    takeOfGroup(q, g, nowMs);
    if (taken > before) held.place(g);
    else if (starved || moves >= MOVES_MAX) break;
    else if (queue.isAtLimit(q)) {
      queue.setLimited(q, true);
      break;
    }
    g = after;
  }
}

/** Groups that nobody holds. */
function takeGroups(q: u32, nowMs: u64): void {
  const ring = queue.at(q) + queue.VISIBLE;
  while (taken < wanted) {
    const g = load<u32>(ring);
    if (g == NONE) break;
    const before = taken;
    takeOfGroup(q, g, nowMs);
    if (taken > before) held.place(g);
    else if (load<u32>(ring) == g) break; // at the limit, or its first message is over
  }
}

/**
 * What the subscription can have now. `onlyHeld`: of the groups that it holds; for others it stands in line.
 * @returns how many were taken; their records are in the log
 */
function receiveInto(cell: u32, nowMs: u64, onlyHeld: bool): u32 {
  taken = 0;
  wanted = subscription.room(cell);
  moves = 0;
  starved = wanted == 0;
  if (starved) return 0;
  receiver = cell;
  const q = subscription.queueOf(cell);
  const fifo = queue.isFifo(q);
  if (fifo) {
    takeHeld(q, nowMs);
    if (!onlyHeld) takeGroups(q, nowMs);
  } else if (lifecycle.isPlain(q) && queue.receiveMax(q) == 0) takePlain(q, subscription.processingMs(cell), nowMs);
  else takeStandard(q, subscription.processingMs(cell), nowMs);
  receiver = NONE;
  if (taken == 0) return 0;
  // The log has the short timeout: it counts if this process ends, and with it every session.
  journal.beginReceived(<f64>nowMs, <f64>(nowMs + subscription.visibilityMs(cell)), taken);
  for (let i: u32 = 0; i < taken; i++) journal.received(load<u32>(TAKEN_SLOTS + (<usize>i << 2)));
  journal.endReceived(r.RECEIVED);
  subscription.handed(cell, fifo || queue.receiveMax(q) != 0 ? tail.head : 0);
  return taken;
}

/** A visibility timeout of 0: what was handed out is receivable again, in its old order. */
function giveBackTaken(q: u32): void {
  for (let i: i32 = <i32>taken - 1; i >= 0; i--) {
    const slot = load<u32>(TAKEN_SLOTS + (<usize>i << 2));
    if (message.state(slot) == IN_FLIGHT) lifecycle.comeBack(slot);
  }
  if (!queue.isFifo(q)) return;
  for (let i: u32 = 0; i < taken; i++) {
    group.rotate(message.group(load<u32>(TAKEN_SLOTS + (<usize>i << 2))));
  }
}

export const RECEIVED_NONE: u32 = 0xffff_fffe;
export const OVER_LIMIT: u32 = 0xffff_fffd;
export const NO_MEMORY: u32 = 0xffff_fffc;
export const NOT_RETRYABLE: u32 = 0xffff_fffa;

/** How many polls wait at the queue; it stops counting at 10,000. */
export function pollers(q: u32): u32 {
  let count: u32 = 0;
  for (let waiter = load<u32>(queue.at(q) + queue.WAITERS); waiter != NONE && count < 10_000; waiter = load<u32>(at(waiter), 48)) {
    if (load<u8>(at(waiter), 7) == WAITER) count++;
  }
  return count;
}

/** When the message that would be received first was sent; 0 when there is none. */
export function firstSentMs(q: u32): f64 {
  const head = queue.isFifo(q) || queue.fair(q) == NONE ? load<u32>(queue.at(q) + queue.VISIBLE) : fair.firstListed(q);
  if (head == NONE) return 0;
  return <f64>message.sentMs(queue.isFifo(q) ? group.first(head) : head);
}

/** Why a receive has nothing. */
function nothing(q: u32): u32 {
  const full = load<u32>(queue.at(q), queue.IN_FLIGHT_COUNT) >= queue.inFlightMax(q);
  return full && !queue.isFifo(q) ? OVER_LIMIT : RECEIVED_NONE;
}

/**
 * @param attemptBytes bytes of the attempt ID at the start of the input region, 0: none
 * @returns 0 when answered by an effect, a waiter's cell when it waits, or one of the codes above
 */
export function receive(
  q: u32, countMax: u32, visibilityMs: u32, waitMs: u32, token: u32, attemptBytes: u32, nowMs: u64,
): u32 {
  fair.setNow(nowMs);
  let key: usize = 0;
  if (attemptBytes > 0) {
    key = attempt.keyOf(inputStart(), attemptBytes);
    const known = attempt.find(queue.number(q), key, <f64>nowMs);
    if (known != NONE && attempt.messageCount(known) > 0) return receiveAgain(known, q, visibilityMs, token, nowMs);
    // Who asks again has given up the wait that is still under way.
    const earlier = table.find(waitingAttempts, queue.number(q), key);
    if (earlier != NONE) timeOut(earlier);
  }
  // Those who wait already come first.
  if (load<u32>(queue.at(q) + queue.WAITERS) == NONE) {
    if (receiveNow(q, countMax, visibilityMs, token, key, nowMs) > 0) return 0;
    if (waitMs == 0) return nothing(q);
  } else if (waitMs == 0) {
    serve(nowMs);
    return receiveNow(q, countMax, visibilityMs, token, key, nowMs) > 0 ? 0 : nothing(q);
  }
  const waiter = takeAux();
  if (waiter == NONE) return NO_MEMORY;
  const p = at(waiter);
  store<u32>(p, token);
  store<u8>(p, <u8>countMax, 4);
  store<u8>(p, WAITER, 7);
  store<f64>(p, <f64>(nowMs + waitMs), 32);
  store<u32>(p, visibilityMs, 40);
  store<u32>(p, q, 44);
  if (key != 0) {
    memory.copy(p + 8, key, 16);
    store<u32>(p, queue.number(q), 24);
    table.insert(waitingAttempts, waiter);
  }
  list.pushBack(queue.at(q) + queue.WAITERS, waiter);
  timers.arm(waiter, nowMs + waitMs);
  lifecycle.serveAgain(q);
  return waiter;
}

function dismiss(waiter: u32): void {
  timers.disarm(waiter);
  if (load<u32>(at(waiter), 24) != 0) table.remove(waitingAttempts, waiter);
  list.remove(queue.at(load<u32>(at(waiter), 44)) + queue.WAITERS, waiter);
  giveAux(waiter);
}

/** The client has gone. Nothing happens if the wait is over already. */
export function cancel(waiter: u32, token: u32): void {
  const p = at(waiter);
  if (load<u8>(p, 7) == WAITER && load<u32>(p) == token) dismiss(waiter);
}

/** The wait is over: an answer without messages. */
export function timeOut(waiter: u32): void {
  const token = load<u32>(at(waiter));
  dismiss(waiter);
  effect(token, 0, 0);
  end += EFFECT_BYTES;
}

/** Answers everyone who waits at a queue that is being dropped. @returns false when the effects are full: call again */
export function dismissAll(q: u32, gone: bool): bool {
  while (hasEffectRoom()) {
    const waiter = load<u32>(queue.at(q) + queue.WAITERS);
    if (waiter == NONE) return true;
    if (load<u8>(at(waiter), 7) == SUBSCRIPTION) {
      subscription.leaveRing(waiter); // the host closes or moves it
      continue;
    }
    const token = load<u32>(at(waiter));
    dismiss(waiter);
    effect(token, gone ? GONE : 0, 0);
    end += EFFECT_BYTES;
  }
  return false;
}

/** There is room in flight again: those who wait and hold groups go on with them, for nobody else can. */
function primeHolders(q: u32): void {
  queue.setLimited(q, false);
  for (let waiter = load<u32>(queue.at(q) + queue.WAITERS); waiter != NONE; waiter = load<u32>(at(waiter), 48)) {
    if (load<u8>(at(waiter), 7) != SUBSCRIPTION) continue;
    if (load<u32>(subscription.body(waiter) + subscription.READY_GROUPS) != NONE) subscription.prime(waiter);
  }
  lifecycle.serveAgain(q);
}

/** Hands what has become visible to those who wait for it. @returns false when effects or the tail are full: call again */
export function serve(nowMs: u64): bool {
  fair.setNow(nowMs);
  while (subscription.hasPrimed() || lifecycle.hasReady()) {
    if (subscription.hasPrimed()) {
      if (!tail.hasRoom(SUBSCRIBER_LOG_BYTES)) return false;
      const cell = subscription.takePrimed();
      if (receiveInto(cell, nowMs, true) > 0) continue;
      if (moves >= MOVES_MAX) subscription.prime(cell);
      else if (starved && subscription.isWaiting(cell)) subscription.rest(cell, nowMs);
      continue;
    }
    const q = lifecycle.takeReady();
    if (queue.isLimited(q) && !queue.isAtLimit(q)) {
      primeHolders(q);
      continue;
    }
    while (true) {
      const waiter = load<u32>(queue.at(q) + queue.WAITERS);
      if (waiter == NONE) break;
      if (!hasEffectRoom() || !tail.hasRoom(SUBSCRIBER_LOG_BYTES)) {
        lifecycle.serveAgain(q);
        return false;
      }
      const p = at(waiter);
      if (load<u8>(p, 7) == SUBSCRIPTION) {
        // With something it has left the ring; it comes back behind the others when that is composed.
        if (receiveInto(waiter, nowMs, false) == 0 && moves < MOVES_MAX) {
          if (!starved) break;
          subscription.rest(waiter, nowMs);
        }
        continue;
      }
      const key = load<u32>(p, 24) != 0 ? p + 8 : 0;
      if (receiveNow(q, load<u8>(p, 4), load<u32>(p, 40), load<u32>(p), key, nowMs) == 0) {
        if (moves < MOVES_MAX) break;
        continue;
      }
      dismiss(waiter);
    }
  }
  return true;
}
