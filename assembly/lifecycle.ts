// Where a message is. It is in exactly one place:
//
//   send ──► pending ──on disk──► visible ──receive──► in flight ──delete──► gone
//                  └─delay──► delayed ──due──► ▲ │            │
//                                              └─┼────due─────┘   receive count too high: moved to the dead-letter queue
//   any place ──retention ends──► gone           ├──────────────► visible there
//                                                └─a move task──► visible or delayed elsewhere, as a new message
import * as attempt from "./attempt";
import * as dedup from "./dedup";
import * as fair from "./fair";
import * as events from "./events";
import * as group from "./group";
import * as journal from "./journal";
import * as list from "./list";
import * as message from "./message";
import * as owner from "./owner";
import * as queue from "./queue";
import { reserve } from "./memory";
import { DELAYED, FREE, IN_FLIGHT, PENDING, TENANT, VISIBLE } from "./state";
import { at, AUX_FIRST, giveSlot, NONE } from "./slab";
import * as segments from "./segments";
import * as subscription from "./subscription";
import * as tail from "./tail";
import * as timers from "./timers";

/** From this many receives on, a message that comes back goes behind the others, as in SQS. */
const RETURNS_TO_FRONT_MAX: u32 = 3;

let pending: usize = 0; // list, in log order
let readyHead: u32 = 0; // queues that may have something for their waiters

export function open(): void {
  pending = reserve(8);
}

/** The whole sequence number of a message: 2^32 later ones and it would be another's. */
export function sequenceOf(slot: u32): u64 {
  const sequence = (tail.nextSequence & 0xffff_ffff_0000_0000) | <u64>message.generation(slot);
  return sequence >= tail.nextSequence ? sequence - 0x1_0000_0000 : sequence;
}

export function dueOf(cell: u32): u64 {
  if (cell >= AUX_FIRST) return load<u8>(at(cell), 7) == TENANT ? fair.dueOf(cell) : <u64>load<f64>(at(cell), 32);
  const state = message.state(cell);
  const ends = message.sentMs(cell) + queue.retentionMs(message.queue(cell));
  if (state == VISIBLE) return ends;
  const visibleAt = message.visibleAtMs(cell);
  return visibleAt < ends ? visibleAt : ends;
}

export function rearm(slot: u32): void {
  timers.disarm(slot);
  timers.arm(slot, dueOf(slot));
}

function wake(queueIndex: u32): void {
  const p = queue.at(queueIndex);
  if (load<u32>(p + queue.WAITERS) == NONE || load<u32>(p, 80) != 0) return;
  store<u32>(p, 1, 80);
  store<u32>(p, readyHead, 36);
  readyHead = queueIndex;
}

/** A queue to serve; 0 when there is none. */
export function takeReady(): u32 {
  const index = readyHead;
  if (index == 0) return 0;
  const p = queue.at(index);
  readyHead = load<u32>(p, 36);
  store<u32>(p, 0, 36);
  store<u32>(p, 0, 80);
  return index;
}

export function hasReady(): bool { return readyHead != 0; }
export function serveAgain(queueIndex: u32): void { wake(queueIndex); }

/** It is PENDING, and its record the newest one of a message. */
// @ts-ignore: decorator
@inline export function addPending(slot: u32): void { list.pushBack(pending, slot); }

/** A message comes to (+1) or leaves (-1) what `field` of its queue counts. */
// @ts-ignore: decorator
@inline function count(slot: u32, q: u32, field: usize, change: i32): void {
  if (queue.fair(q) != NONE) fair.count(q, message.group(slot), field, change);
  queue.count(q, field, change);
}

/** Takes a visible message of a standard queue out of its list. */
// @ts-ignore: decorator
@inline function unlist(slot: u32, q: u32): void {
  if (queue.fair(q) != NONE) fair.unlist(q, slot);
  else list.remove(queue.at(q) + queue.VISIBLE, slot);
}

/** What was sent before `position` is on disk: it becomes visible, or starts to wait for its delay. */
export function commitPending(position: u64, nowMs: u64): void {
  fair.setNow(nowMs);
  while (true) {
    const slot = load<u32>(pending);
    if (slot == NONE || message.position(slot) >= position) return;
    const q = message.queue(slot);
    if (isPlain(q) && showRun(slot, q, position, nowMs)) continue;
    list.remove(pending, slot);
    if (queue.isDead(q)) {
      release(slot, false);
      continue;
    }
    if (queue.isFifo(q)) group.append(message.group(slot), slot);
    if (message.visibleAtMs(slot) > nowMs) keepHidden(slot, DELAYED);
    else show(slot, false);
    events.note(q, events.SENT, slot);
  }
}

/** Whether a message that comes or goes there concerns its list and its counts, and nothing else: many can at once. */
// @ts-ignore: decorator
@inline export function isPlain(q: u32): bool {
  return (queue.flags(q) & (queue.FIFO | queue.DEAD)) == 0 && queue.fair(q) == NONE && queue.watch(q) == NONE;
}

/**
 * Shows the pending message `first`, and with it those behind it that were sent to the same queue: they are linked already as
 * they come to stand in its list. @returns false when the first waits for its delay
 */
function showRun(first: u32, q: u32, position: u64, nowMs: u64): bool {
  const retentionMs = queue.retentionMs(q);
  let sentMs = u64.MAX_VALUE; // of what was sent at once, all of it is due at once
  let bucket: u32 = 0;
  let last = NONE;
  let count: u32 = 0;
  for (let slot = first; slot != NONE; slot = message.next(slot)) {
    if (message.position(slot) >= position || message.queue(slot) != q || message.waitsForDelay(slot)) break;
    if (message.sentMs(slot) != sentMs) {
      if (message.sentMs(slot) > nowMs) break;
      sentMs = message.sentMs(slot);
      bucket = timers.bucketOf(sentMs + retentionMs);
    }
    message.setState(slot, VISIBLE);
    timers.push(slot, bucket);
    last = slot;
    count++;
  }
  if (count == 0) return false;
  list.moveFront(pending, last, queue.at(q) + queue.VISIBLE);
  queue.count(q, queue.VISIBLE_COUNT, count);
  wake(q);
  return true;
}

/** A message that is counted nowhere waits until it is visible. */
export function keepHidden(slot: u32, state: u8): void {
  message.setState(slot, state);
  count(slot, message.queue(slot), state == IN_FLIGHT ? queue.IN_FLIGHT_COUNT : queue.DELAYED_COUNT, 1);
  rearm(slot);
}

/** Makes a message visible that is in no list of its queue (FIFO: it is in its group already) and counted nowhere. */
export function show(slot: u32, inFront: bool): void {
  const q = message.queue(slot);
  message.setState(slot, VISIBLE);
  count(slot, q, queue.VISIBLE_COUNT, 1);
  if (queue.isFifo(q)) group.place(message.group(slot));
  else if (queue.fair(q) != NONE) fair.show(q, slot, inFront);
  else if (inFront) list.pushFront(queue.at(q) + queue.VISIBLE, slot);
  else list.pushBack(queue.at(q) + queue.VISIBLE, slot);
  rearm(slot);
  wake(q);
}

/** A delayed or received message's time has come, or its receiver gives it back. */
export function comeBack(slot: u32): void {
  const wasReceived = message.state(slot) == IN_FLIGHT;
  if (wasReceived) {
    // Given back before its time: what is written of it from now on must not hide it after a restart.
    if (owner.find(slot) != NONE) message.setVisibleAtMs(slot, message.receivedMs(slot));
    subscription.left(slot, true);
    events.note(message.queue(slot), events.RETURNED, slot);
  }
  count(slot, message.queue(slot), wasReceived ? queue.IN_FLIGHT_COUNT : queue.DELAYED_COUNT, -1);
  show(slot, wasReceived && message.receives(slot) < RETURNS_TO_FRONT_MAX);
}

/** A visible message is taken; FIFO: the caller places its group afterwards. */
export function hide(slot: u32, untilMs: u64): void {
  const q = message.queue(slot);
  if (!queue.isFifo(q)) unlist(slot, q);
  count(slot, q, queue.VISIBLE_COUNT, -1);
  count(slot, q, queue.IN_FLIGHT_COUNT, 1);
  message.setState(slot, IN_FLIGHT);
  message.setVisibleAtMs(slot, untilMs);
  rearm(slot);
}

let hiddenUntilMs: u64 = 0;
let hiddenDueMs: u64 = 0; // of the one before; u64.MAX_VALUE: there is none
let hiddenBucket: u32 = 0;

/** Messages from the front of a plain queue's list are about to be taken, one by one with hideNext(), then hideEnd(). */
export function hideBegin(untilMs: u64): void {
  hiddenUntilMs = untilMs;
  hiddenDueMs = u64.MAX_VALUE;
}

/** The next one. @returns the one behind it */
// @ts-ignore: decorator
@inline export function hideNext(slot: u32, retentionMs: u64): u32 {
  const next = message.next(slot);
  message.setNext(slot, NONE);
  message.setPrev(slot, NONE);
  message.setState(slot, IN_FLIGHT);
  message.setVisibleAtMs(slot, hiddenUntilMs);
  const due = min(message.visibleAtMs(slot), message.sentMs(slot) + retentionMs);
  timers.disarm(slot);
  // Once one of them is in the bucket, it stays occupied when another leaves it.
  if (due != hiddenDueMs) hiddenBucket = timers.bucketOf(due);
  hiddenDueMs = due;
  timers.push(slot, hiddenBucket);
  return next;
}

/** `taken` were taken, and `rest` is in front now. */
export function hideEnd(q: u32, rest: u32, taken: u32): void {
  list.cutFront(queue.at(q) + queue.VISIBLE, rest);
  queue.count(q, queue.VISIBLE_COUNT, -<i32>taken);
  queue.count(q, queue.IN_FLIGHT_COUNT, taken);
}

/** When the message is visible, as the log has it: a subscription's long hold on it, unless set by hand, ends with this process. */
export function loggedVisibleAtMs(slot: u32): u64 {
  const cell = owner.find(slot);
  return cell == NONE || owner.isDated(slot) ? message.visibleAtMs(slot) : message.receivedMs(slot) + subscription.visibilityMs(cell);
}

/** Takes the message out of its queue's (or group's) lists and counts; its group may end with it. */
function withdraw(slot: u32): void {
  const q = message.queue(slot);
  const state = message.state(slot);
  const fifo = queue.isFifo(q);
  timers.disarm(slot);
  if (state == IN_FLIGHT) subscription.left(slot, false);
  if (!fifo && state == VISIBLE) unlist(slot, q);
  if (state == VISIBLE) count(slot, q, queue.VISIBLE_COUNT, -1);
  else if (state == IN_FLIGHT) count(slot, q, queue.IN_FLIGHT_COUNT, -1);
  else if (state == DELAYED) count(slot, q, queue.DELAYED_COUNT, -1);
  if (!fifo) {
    leaveGroup(slot, q);
    if (state == IN_FLIGHT) wake(q); // a queue at its limit may hand out another
    return;
  }
  message.setState(slot, FREE); // so that its group does not take it for a visible one
  group.removeMember(message.group(slot), slot, state != PENDING);
  wake(q); // what stood behind it may be receivable now
}

/** On a standard queue, of a message that is listed and counted nowhere. */
// @ts-ignore: decorator
@inline function leaveGroup(slot: u32, q: u32): void {
  const g = message.group(slot);
  if (g != NONE) fair.leave(g, q);
}

/** The message is gone. `listed`: it had left the pending list. */
export function release(slot: u32, listed: bool): void {
  const q = message.queue(slot);
  if (listed) withdraw(slot);
  else if (queue.isFifo(q)) group.removeMember(message.group(slot), slot, false);
  else leaveGroup(slot, q);
  segments.count(message.position(slot), message.recordBytes(slot), -1);
  giveSlot(slot);
}

/** Its retention is over: a row in the open DELETED record. */
export function end(slot: u32): void {
  events.note(message.queue(slot), events.RETENTION_ENDED, slot);
  take(slot);
}

/** Deletes, with a row in the open DELETED record. */
export function remove(slot: u32): void {
  events.note(message.queue(slot), events.SETTLED, slot);
  take(slot);
}

/** As remove(), of one that is in flight in a plain queue and its owner's no more; then removedInFlight(). */
// @ts-ignore: decorator
@inline export function removeInFlight(slot: u32): void {
  const position = message.position(slot);
  journal.deleted(slot, message.generation(slot), position);
  timers.disarm(slot);
  segments.count(position, message.recordBytes(slot), -1);
  giveSlot(slot);
}

export function removedInFlight(q: u32, removed: u32): void {
  queue.count(q, queue.IN_FLIGHT_COUNT, -<i32>removed);
  wake(q); // a queue at its limit may hand out others
}

function take(slot: u32): void {
  journal.deleted(slot, message.generation(slot), message.position(slot));
  release(slot, true);
}

const MOVED_KEY: usize = memory.data(16);

/** A visible message leaves its queue for `to`, listed nowhere yet. @returns false when there was no memory for it */
function carry(slot: u32, to: u32, nowMs: u64): bool {
  const g = message.group(slot);
  let target = NONE;
  if (g != NONE) {
    memory.copy(MOVED_KEY, group.key(g), 16);
    target = queue.isFifo(to) ? group.join(to, MOVED_KEY) : fair.join(to, MOVED_KEY, nowMs);
    if (target == NONE) return false;
  }
  withdraw(slot);
  message.setQueue(slot, to);
  message.setGroup(slot, target);
  message.setGeneration(slot, <u32>tail.takeSequence());
  return true;
}

/** Logs what was carried, and gives it its place in its new queue. */
function arrive(slot: u32, nowMs: u64): void {
  const q = message.queue(slot);
  const g = message.group(slot);
  journal.moved(slot, sequenceOf(slot), g != NONE ? MOVED_KEY : 0, false);
  if (queue.isFifo(q)) group.append(g, slot);
  if (message.visibleAtMs(slot) > nowMs) keepHidden(slot, DELAYED);
  else show(slot, false);
}

/** A visible message goes to the dead-letter queue `to`. @returns false when there was no memory for it */
export function move(slot: u32, to: u32, nowMs: u64): bool {
  const from = message.queue(slot);
  const source = load<u32>(queue.at(from), 76);
  const firstReceivedMs = message.firstReceivedMs(slot);
  const receivedMs = message.receivedMs(slot);
  if (!carry(slot, to, nowMs)) return false;
  // A standard queue's message keeps its age, a FIFO queue's starts a new one.
  if (queue.isFifo(to)) message.setSentMs(slot, nowMs);
  message.setVisibleAtMs(slot, 0);
  message.setFirstReceivedMs(slot, firstReceivedMs);
  message.setReceivedMs(slot, receivedMs);
  message.setSource(slot, source);
  message.setReceives(slot, message.receives(slot), message.flags(slot) | message.MOVED);
  arrive(slot, nowMs);
  events.note(from, events.DEAD_LETTERED, slot);
  return true;
}

/** A task moves a visible message to `to`, where it is as if sent now. @returns false when there was no memory for it */
export function reissue(slot: u32, to: u32, nowMs: u64): bool {
  if (!carry(slot, to, nowMs)) return false;
  const delayMs = queue.delayMs(to);
  message.setSentMs(slot, nowMs);
  message.setVisibleAtMs(slot, delayMs > 0 ? nowMs + delayMs : 0);
  message.setFirstReceivedMs(slot, nowMs);
  message.setReceivedMs(slot, nowMs);
  message.setSource(slot, 0);
  message.setReceives(slot, 0, message.reissuedFlags(slot));
  arrive(slot, nowMs);
  return true;
}

/** Housekeeping that needs no record. */
export function forgetOld(nowMs: f64): void {
  dedup.expire(nowMs, 10_000);
  attempt.expire(nowMs, 10_000);
}

/** Whether anything of the log is still to be acknowledged to the core. */
export function hasPending(): bool { return load<u32>(pending) != NONE; }
export function isFullyDurable(): bool { return tail.durable == tail.head; }
