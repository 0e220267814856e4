// A subscription: a consumer whom messages are pushed to, as far as its credit goes. While it can take some it stands in
// its queue's ring of waiters, between the long polls, and is served in turn like them.
//
//   cell:   7 state   16 queue index   20 the host's number for it   24 address of its body   32 end of its linger (f64)
//          48 links of the ring   56 links of the wheel
//
// What it has out is a ring of entries by delivery number, which grows with the span from the oldest to the newest:
//
//   entry:  0 slot, NONE: not out any more   4 generation; or why it was called back, until the client has been told
//           8 receive count   12 its bytes   16 bytes delivered up to and with it (u64)
//
//   1 <= oldest <= composed <= next     below oldest nothing is out; below composed all is in frames
//
// Its messages are in flight, each with a deadline of its own in the wheel: the end of the processing time. That is all
// that keeping a visibility timeout alive comes to. A session that ends gives everything back at once, and the log tells
// of the short timeout that counts when the broker has died.
import * as blocks from "./blocks";
import * as fair from "./fair";
import * as held from "./held";
import * as journal from "./journal";
import * as lifecycle from "./lifecycle";
import * as list from "./list";
import { outputStart } from "./memory";
import * as message from "./message";
import * as owner from "./owner";
import * as queue from "./queue";
import { at, giveAux, NONE, takeAux } from "./slab";
import { SUBSCRIPTION } from "./state";
import * as tail from "./tail";
import * as timers from "./timers";

export const SPAN_MAX: u64 = 131_072;
/** A frame is full when it has this much, whatever its count. */
export const FRAME_BYTES_SOFT: u32 = 1 << 20;

// Body.
const NEXT: usize = 0; // u64, the delivery number to give out next
const OLDEST: usize = 8; // u64
const COMPOSED: usize = 16; // u64
const LIMIT: usize = 24; // u64, the highest number that may be given out
const BYTES: usize = 32; // u64, delivered so far
const BYTES_LIMIT: usize = 40; // u64
const OUT_BYTES: usize = 48; // u64, of what is out
const WAIT: usize = 56; // u64, the position that must be on disk before it is composed
const OUT_COUNT: usize = 64;
const RING: usize = 68;
const CAPACITY: usize = 72; // entries, a power of two; 0: no ring yet
const FLAGS: usize = 76;
const VISIBILITY_MS: usize = 80; // what the log tells
const PROCESSING_MS: usize = 84;
const BATCH: usize = 88; // messages of a frame
const LINGER_MS: usize = 92;
const FIELDS: usize = 96;
const GROUP_MAX: usize = 100; // messages of a group that may be out
const AUTO_COUNT: usize = 104; // with AUTO: of what is out
const AUTO_BYTES: usize = 108;
export const READY_GROUPS: usize = 112; // list of held groups that have something more
const REVOKED: usize = 120; // entries called back, of which the client has not been told
const NEXT_DUE: usize = 124; // links of the lists below
const NEXT_WAITING: usize = 128;
const NEXT_PRIMED: usize = 132;
const BATCH_BYTES: usize = 136; // of the batch being taken
const CLIENT_ID: usize = 140; // what the client calls it
const BODY_BYTES: u32 = 256;
const ENTRY_SHIFT: u32 = 5;

const PAUSED: u32 = 1; // its socket takes nothing more, or is gone
const AUTO: u32 = 2;
const WAITING: u32 = 4; // in its queue's ring
const DUE: u32 = 8; // in the list of those that have something to be composed
const HELD: u32 = 16; // in the list of those whose deliveries wait for the disk
const PRIMED: u32 = 32; // in the list of those that have groups to go on with
const LINGERING: u32 = 64;
const REST_MS: u32 = 1_000;

/** Why something that was out is not any more, as the schema's RevokeReason; SELF: the subscription knows. */
export const SELF: u32 = 0;
const CLOSING: u32 = 5; // like SELF, for what is behind in its group as well
export const GROUP_FAILED: u32 = 1;
export const EXPIRED: u32 = 2;
export const ELSEWHERE: u32 = 3;
export const PURGED: u32 = 4;
let cause: u32 = ELSEWHERE;

/** Says what the moves that follow are due to. @returns what was said before, to be said again */
export function setCause(value: u32): u32 {
  const before = cause;
  cause = value;
  return before;
}

/** What calling back the rest of a group is due to, when a message of it has failed. */
export function causeOfCallBack(): u32 { return cause == CLOSING ? CLOSING : GROUP_FAILED; }

// Lists of subscriptions through their bodies: first, last.
let dueFirst: u32 = NONE;
let dueLast: u32 = NONE;
let waitingFirst: u32 = NONE; // in the order of their positions
let waitingLast: u32 = NONE;
let primed: u32 = NONE;

// @ts-ignore: decorator
@inline export function body(cell: u32): usize { return <usize>load<u32>(at(cell), 24); }
// @ts-ignore: decorator
@inline export function queueOf(cell: u32): u32 { return load<u32>(at(cell), 16); }
// @ts-ignore: decorator
@inline export function token(cell: u32): u32 { return load<u32>(at(cell), 20); }
// @ts-ignore: decorator
@inline export function next(b: usize): u64 { return load<u64>(b, NEXT); }
// @ts-ignore: decorator
@inline export function composed(b: usize): u64 { return load<u64>(b, COMPOSED); }
// @ts-ignore: decorator
@inline export function fields(b: usize): u32 { return load<u32>(b, FIELDS); }
// @ts-ignore: decorator
@inline export function clientId(b: usize): u32 { return load<u32>(b, CLIENT_ID); }
// @ts-ignore: decorator
@inline export function batchMax(b: usize): u32 { return load<u32>(b, BATCH); }
// @ts-ignore: decorator
@inline export function groupMax(cell: u32): u32 { return load<u32>(body(cell), GROUP_MAX); }
// @ts-ignore: decorator
@inline export function visibilityMs(cell: u32): u32 { return load<u32>(body(cell), VISIBILITY_MS); }
// @ts-ignore: decorator
@inline export function processingMs(cell: u32): u32 { return load<u32>(body(cell), PROCESSING_MS); }
// @ts-ignore: decorator
@inline function has(b: usize, flag: u32): bool { return (load<u32>(b, FLAGS) & flag) != 0; }
// @ts-ignore: decorator
@inline function raise(b: usize, flag: u32): void { store<u32>(b, load<u32>(b, FLAGS) | flag, FLAGS); }
// @ts-ignore: decorator
@inline function lower(b: usize, flag: u32): void { store<u32>(b, load<u32>(b, FLAGS) & ~flag, FLAGS); }
// @ts-ignore: decorator
@inline function entry(b: usize, number: u64): usize {
  return <usize>load<u32>(b, RING) + (<usize>(<u32>number & (load<u32>(b, CAPACITY) - 1)) << ENTRY_SHIFT);
}

// --- opening and closing -----------------------------------------------------------------------------------------------

/** Without credit. @returns its cell, NONE when memory is used up */
export function open(
  q: u32, hostToken: u32, clientId: u32, visibility: u32, processing: u32, batch: u32, linger: u32, fieldBits: u32, perGroup: u32,
): u32 {
  const cell = takeAux();
  if (cell == NONE) return NONE;
  const b = blocks.take(BODY_BYTES);
  if (b == 0) {
    giveAux(cell);
    return NONE;
  }
  memory.fill(b, 0, BODY_BYTES);
  const p = at(cell);
  store<u8>(p, SUBSCRIPTION, 7);
  store<u32>(p, q, 16);
  store<u32>(p, hostToken, 20);
  store<u32>(p, <u32>b, 24);
  store<u64>(b, 1, NEXT);
  store<u64>(b, 1, OLDEST);
  store<u64>(b, 1, COMPOSED);
  store<u32>(b, clientId, CLIENT_ID);
  store<u32>(b, visibility, VISIBILITY_MS);
  store<u32>(b, processing, PROCESSING_MS);
  store<u32>(b, batch, BATCH);
  store<u32>(b, linger, LINGER_MS);
  store<u32>(b, fieldBits, FIELDS);
  store<u32>(b, perGroup, GROUP_MAX);
  return cell;
}

/** Gives back what is out at delivery number `from` and above, the newest first, so that the oldest is in front again. */
function giveBackFrom(b: usize, from: u64): void {
  const before = setCause(CLOSING);
  for (let number = next(b) - 1; number >= from; number--) {
    const slot = load<u32>(entry(b, number));
    if (slot != NONE) lifecycle.comeBack(slot);
  }
  setCause(before);
}

/** The end: what is out is visible again at once. */
export function close(cell: u32, nowMs: u64): void {
  fair.setNow(nowMs);
  const b = body(cell);
  raise(b, PAUSED); // so that nothing offers it again meanwhile
  leaveRing(cell);
  giveBackFrom(b, load<u64>(b, OLDEST));
  forget(cell);
}

function forget(cell: u32): void {
  const b = body(cell);
  if (has(b, LINGERING)) timers.disarm(cell);
  if (has(b, DUE)) removeDue(cell);
  if (has(b, HELD)) removeWaiting(cell);
  if (has(b, PRIMED)) removePrimed(cell);
  if (load<u32>(b, CAPACITY) != 0) blocks.give(load<u32>(b, RING), load<u32>(b, CAPACITY) << ENTRY_SHIFT);
  blocks.give(b, BODY_BYTES);
  giveAux(cell);
}

/** Nothing of its batch is left to be told: what it is given next waits for the disk anew. */
function dropBatch(cell: u32): void {
  const b = body(cell);
  if (has(b, HELD)) removeWaiting(cell);
  store<u64>(b, next(b), COMPOSED);
}

/** What it was given and has not been told of, and never will be, counts no receive; it does if the tail has no room to say so. */
export function uncount(cell: u32): void {
  const b = body(cell);
  if (!tail.hasRoom(<u32>(next(b) - composed(b)) * 64)) return;
  for (let number = composed(b); number < next(b); number++) {
    const slot = load<u32>(entry(b, number));
    if (slot == NONE || message.receives(slot) == 0) continue;
    message.setReceives(slot, message.receives(slot) - 1, message.flags(slot));
    journal.state(slot);
  }
}

/** Its connection is gone: no credit; what it was not sent goes back, what it was sent stays out. */
export function detach(cell: u32, nowMs: u64): void {
  fair.setNow(nowMs);
  const b = body(cell);
  pause(cell);
  lower(b, AUTO);
  store<u64>(b, next(b) - 1, LIMIT);
  giveBackFrom(b, composed(b));
  dropBatch(cell);
  advance(b);
}

/** Its queue has been purged, and is now at `q`: nothing is out any more. */
export function moveTo(cell: u32, q: u32): void {
  const b = body(cell);
  const wasPaused = has(b, PAUSED);
  pause(cell); // so that nothing offers it to the old queue again
  const before = setCause(PURGED);
  for (let number = load<u64>(b, OLDEST); number < next(b); number++) {
    const slot = load<u32>(entry(b, number));
    if (slot != NONE) left(slot, false);
  }
  setCause(before);
  dropBatch(cell);
  store<u32>(at(cell), q, 16);
  if (!wasPaused) resume(cell);
}

// --- credit ------------------------------------------------------------------------------------------------------------

/** Bytes delivered up to and with `number`; of what is too long ago, the earliest that is known. */
function bytesAt(b: usize, number: u64): u64 {
  const last = next(b) - 1;
  if (number >= last) return load<u64>(b, BYTES);
  const capacity = <u64>load<u32>(b, CAPACITY);
  const first = last >= capacity ? last - capacity + 1 : 1;
  if (number >= first) return load<u64>(entry(b, number), 16);
  return load<u64>(entry(b, first), 16) - <u64>load<u32>(entry(b, first), 12);
}

/** @returns false when nothing has had the number `beyond` yet */
export function setCredit(cell: u32, count: u32, bytes: u32, beyond: u64, auto: bool): bool {
  const b = body(cell);
  if (!auto && beyond >= next(b)) return false;
  if (auto) {
    raise(b, AUTO);
    store<u32>(b, count, AUTO_COUNT);
    store<u32>(b, bytes, AUTO_BYTES);
  } else {
    lower(b, AUTO);
    store<u64>(b, beyond + <u64>count, LIMIT);
    store<u64>(b, bytesAt(b, beyond) + <u64>bytes, BYTES_LIMIT);
  }
  if (wants(b)) offer(cell);
  else leaveRing(cell);
  return true;
}

/** How many more it could be given, batches aside. */
function creditCount(b: usize): u64 {
  if (has(b, AUTO)) {
    const max = load<u32>(b, AUTO_COUNT);
    const out = load<u32>(b, OUT_COUNT);
    return out < max && load<u64>(b, OUT_BYTES) < <u64>load<u32>(b, AUTO_BYTES) ? <u64>(max - out) : 0;
  }
  const limit = load<u64>(b, LIMIT);
  return limit >= next(b) && load<u64>(b, BYTES) < load<u64>(b, BYTES_LIMIT) ? limit - next(b) + 1 : 0;
}

// @ts-ignore: decorator
@inline function wants(b: usize): bool {
  return !has(b, PAUSED | LINGERING) && composed(b) == next(b) && next(b) - load<u64>(b, OLDEST) < SPAN_MAX && creditCount(b) != 0;
}

/** Into the ring, if it can take anything. */
export function offer(cell: u32): void {
  const b = body(cell);
  if (!wants(b)) return;
  if (!has(b, WAITING)) {
    raise(b, WAITING);
    list.pushBack(queue.at(queueOf(cell)) + queue.WAITERS, cell);
  }
  if (load<u32>(b, READY_GROUPS) != NONE) prime(cell);
  lifecycle.serveAgain(queueOf(cell));
}

export function isWaiting(cell: u32): bool { return has(body(cell), WAITING); }

export function leaveRing(cell: u32): void {
  const b = body(cell);
  if (!has(b, WAITING)) return;
  lower(b, WAITING);
  list.remove(queue.at(queueOf(cell)) + queue.WAITERS, cell);
}

/** Nothing more until resume(). */
export function pause(cell: u32): void {
  raise(body(cell), PAUSED);
  leaveRing(cell);
}

export function resume(cell: u32): void {
  lower(body(cell), PAUSED);
  offer(cell);
}

/** There is no memory for what it could take: others are not to wait for it, and it tries again in a while. */
export function rest(cell: u32, nowMs: u64): void {
  leaveRing(cell);
  linger(cell, nowMs, REST_MS);
}

function linger(cell: u32, nowMs: u64, ms: u32): void {
  const b = body(cell);
  if (has(b, LINGERING)) return;
  raise(b, LINGERING);
  store<f64>(at(cell), <f64>(nowMs + ms), 32);
  timers.arm(cell, nowMs + ms);
}

/** The linger is over. */
export function lingered(cell: u32): void {
  lower(body(cell), LINGERING);
  offer(cell);
}

// --- deliveries --------------------------------------------------------------------------------------------------------

/** How many it can take now; there is room in its ring for as many. */
export function room(cell: u32): u32 {
  const b = body(cell);
  if (!wants(b)) return 0;
  let count = min(creditCount(b), <u64>load<u32>(b, BATCH));
  const span = next(b) - load<u64>(b, OLDEST);
  count = min(count, SPAN_MAX - span);
  while (<u64>load<u32>(b, CAPACITY) < span + count) {
    if (!grow(b)) {
      count = <u64>load<u32>(b, CAPACITY) - span;
      break;
    }
  }
  store<u32>(b, 0, BATCH_BYTES);
  return <u32>count;
}

function grow(b: usize): bool {
  const before = load<u32>(b, CAPACITY);
  const capacity: u32 = before == 0 ? blocks.sizeOf(1) >> ENTRY_SHIFT : before * 2;
  const ring = blocks.take(capacity << ENTRY_SHIFT);
  if (ring == 0) return false;
  const old = <usize>load<u32>(b, RING);
  store<u32>(b, <u32>ring, RING);
  store<u32>(b, capacity, CAPACITY);
  if (before == 0) return true;
  // The older half stands for what is too long ago: it must not be taken for anything.
  const last = next(b) - 1;
  for (let number = last >= <u64>before ? last - <u64>before + 1 : 1; number <= last; number++) {
    memory.copy(entry(b, number), old + (<usize>(<u32>number & (before - 1)) << ENTRY_SHIFT), 1 << ENTRY_SHIFT);
  }
  // bytesAt() reads as far back as the ring is long.
  const first = last >= <u64>before ? last - <u64>before + 1 : 1;
  const known = first <= last ? load<u64>(entry(b, first), 16) - <u64>load<u32>(entry(b, first), 12) : load<u64>(b, BYTES);
  for (let i: u64 = 1; i <= <u64>before && first > i; i++) {
    const p = entry(b, first - i);
    memory.fill(p, 0, 1 << ENTRY_SHIFT);
    store<u64>(p, known, 16);
  }
  blocks.give(old, before << ENTRY_SHIFT);
  return true;
}

/** A message of its batch, in flight by now. @returns whether it can take another */
export function hold(cell: u32, slot: u32): bool {
  const b = body(cell);
  const number = next(b);
  const bytes = message.payloadBytes(slot);
  const total = load<u64>(b, BYTES) + <u64>bytes;
  const p = entry(b, number);
  store<u32>(p, slot);
  store<u32>(p, message.generation(slot), 4);
  store<u32>(p, message.receives(slot), 8);
  store<u32>(p, bytes, 12);
  store<u64>(p, total, 16);
  store<u64>(b, number + 1, NEXT);
  store<u64>(b, total, BYTES);
  store<u32>(b, load<u32>(b, OUT_COUNT) + 1, OUT_COUNT);
  store<u64>(b, load<u64>(b, OUT_BYTES) + <u64>bytes, OUT_BYTES);
  owner.set(slot, cell, <u32>number);
  const batchBytes = load<u32>(b, BATCH_BYTES) + bytes;
  store<u32>(b, batchBytes, BATCH_BYTES);
  return batchBytes < FRAME_BYTES_SOFT && creditCount(b) != 0;
}

/** Its batch is complete and waits to be composed, first of all for `position` to be on disk; 0: for nothing. */
export function handed(cell: u32, position: u64): void {
  const b = body(cell);
  leaveRing(cell);
  store<u64>(b, position, WAIT);
  if (position == 0 || position <= tail.durable) {
    pushDue(cell);
    return;
  }
  raise(b, HELD);
  tail.awaits(position);
  store<u32>(b, NONE, NEXT_WAITING);
  if (waitingLast == NONE) waitingFirst = cell;
  else store<u32>(body(waitingLast), cell, NEXT_WAITING);
  waitingLast = cell;
}

/** Everything before `position` is on disk. */
export function committed(position: u64): void {
  while (waitingFirst != NONE && load<u64>(body(waitingFirst), WAIT) <= position) {
    const cell = waitingFirst;
    removeWaiting(cell);
    pushDue(cell);
  }
}

/** Whether what it was given may be told: the log has it. */
export function isOnDisk(b: usize): bool { return !has(b, HELD); }

/** All up to `number` is in frames: another batch can come, now or when the linger is over. */
export function setComposed(cell: u32, number: u64, nowMs: u64): void {
  const b = body(cell);
  const count = number - composed(b);
  store<u64>(b, number, COMPOSED);
  if (number != next(b)) return;
  advance(b);
  const lingerMs = load<u32>(b, LINGER_MS);
  if (lingerMs != 0 && count < <u64>load<u32>(b, BATCH)) linger(cell, nowMs, lingerMs);
  offer(cell);
}

/** The slot that has delivery `number`, NONE when it is not out (any more). */
export function slotAt(b: usize, number: u64): u32 {
  return number >= load<u64>(b, OLDEST) && number < next(b) ? load<u32>(entry(b, number)) : NONE;
}

/** How often it had been received, this time included. */
export function receivesAt(b: usize, number: u64): u32 { return load<u32>(entry(b, number), 8); }
export function oldest(b: usize): u64 { return load<u64>(b, OLDEST); }
export function revokedCount(b: usize): u32 { return load<u32>(b, REVOKED); }

/** Why the number was called back, if the client is still to be told; 0 otherwise. */
export function revokedAt(b: usize, number: u64): u32 {
  const p = entry(b, number);
  return load<u32>(p) == NONE ? load<u32>(p, 4) : 0;
}

/** The client is being told of it. */
export function setTold(b: usize, number: u64): void {
  store<u32>(entry(b, number), 0, 4);
  store<u32>(b, load<u32>(b, REVOKED) - 1, REVOKED);
}

/** Ranges of what is out at `from` and above, into the output region. @returns how many, at most `countMax` */
export function outstanding(cell: u32, from: u64, countMax: u32): u32 {
  const b = body(cell);
  let count: u32 = 0;
  let p = outputStart();
  for (let number = max(from, load<u64>(b, OLDEST)); number < composed(b) && count < countMax; number++) {
    if (load<u32>(entry(b, number)) == NONE) continue;
    store<f64>(p, <f64>number);
    while (number + 1 < composed(b) && load<u32>(entry(b, number + 1)) != NONE) number++;
    store<f64>(p, <f64>number, 8);
    p += 16;
    count++;
  }
  return count;
}

/** Moves `oldest` past what is neither out nor still to be told. */
export function advance(b: usize): void {
  let number = load<u64>(b, OLDEST);
  const end = composed(b);
  while (number < end) {
    const p = entry(b, number);
    if (load<u32>(p) != NONE || load<u32>(p, 4) != 0) break;
    number++;
  }
  store<u64>(b, number, OLDEST);
}

/** A message stops being out, whoever did it. `failed`: it is to be received again. Nothing happens to what nobody has. */
export function left(slot: u32, failed: bool): void {
  const cell = owner.find(slot);
  if (cell == NONE) return;
  const b = body(cell);
  const low = owner.delivery(slot);
  let number = (next(b) & ~<u64>owner.DELIVERY_MASK) | <u64>low;
  if (number >= next(b)) number -= <u64>owner.DELIVERY_MASK + 1;
  owner.clear(slot);
  const p = entry(b, number);
  store<u32>(p, NONE);
  store<u32>(p, 0, 4);
  store<u32>(b, load<u32>(b, OUT_COUNT) - 1, OUT_COUNT);
  store<u64>(b, load<u64>(b, OUT_BYTES) - <u64>load<u32>(p, 12), OUT_BYTES);
  // What it has not been sent it need not be told of.
  if (cause != SELF && cause != CLOSING && number < composed(b)) {
    store<u32>(p, cause, 4);
    store<u32>(b, load<u32>(b, REVOKED) + 1, REVOKED);
    pushDue(cell);
  }
  if (number == load<u64>(b, OLDEST)) advance(b);
  if (queue.isFifo(queueOf(cell))) held.left(cell, slot, failed);
  if (!has(b, WAITING)) offer(cell);
}

/**
 * Deletes what has the numbers from `first` to `last` in a plain queue, up to one that is not out. All are in frames.
 * @returns how many
 */
export function removeRun(cell: u32, first: u64, last: u64): u32 {
  const b = body(cell);
  let bytes: u64 = 0;
  let number = first;
  for (; number <= last; number++) {
    const p = entry(b, number);
    const slot = load<u32>(p);
    if (slot == NONE) break;
    owner.clear(slot);
    store<u32>(p, NONE);
    store<u32>(p, 0, 4);
    bytes += <u64>load<u32>(p, 12);
    lifecycle.removeInFlight(slot);
  }
  const count = <u32>(number - first);
  if (count == 0) return 0;
  store<u32>(b, load<u32>(b, OUT_COUNT) - count, OUT_COUNT);
  store<u64>(b, load<u64>(b, OUT_BYTES) - bytes, OUT_BYTES);
  lifecycle.removedInFlight(queueOf(cell), count);
  if (first == load<u64>(b, OLDEST)) advance(b);
  if (!has(b, WAITING)) offer(cell);
  return count;
}

// --- lists -------------------------------------------------------------------------------------------------------------

function pushDue(cell: u32): void {
  const b = body(cell);
  if (has(b, DUE)) return;
  raise(b, DUE);
  store<u32>(b, NONE, NEXT_DUE);
  if (dueLast == NONE) dueFirst = cell;
  else store<u32>(body(dueLast), cell, NEXT_DUE);
  dueLast = cell;
}

/** One that has something to be composed, out of the list; NONE when there is none. */
export function takeDue(): u32 {
  const cell = dueFirst;
  if (cell != NONE) removeDue(cell);
  return cell;
}

function removeDue(cell: u32): void {
  const b = body(cell);
  lower(b, DUE);
  const after = load<u32>(b, NEXT_DUE);
  const before = predecessor(dueFirst, cell, NEXT_DUE);
  if (before == NONE) dueFirst = after;
  else store<u32>(body(before), after, NEXT_DUE);
  if (dueLast == cell) dueLast = before;
}

function removeWaiting(cell: u32): void {
  const b = body(cell);
  lower(b, HELD);
  const after = load<u32>(b, NEXT_WAITING);
  const before = predecessor(waitingFirst, cell, NEXT_WAITING);
  if (before == NONE) waitingFirst = after;
  else store<u32>(body(before), after, NEXT_WAITING);
  if (waitingLast == cell) waitingLast = before;
}

/** Held groups have something to go on with. */
export function prime(cell: u32): void {
  const b = body(cell);
  if (has(b, PRIMED)) return;
  raise(b, PRIMED);
  store<u32>(b, primed, NEXT_PRIMED);
  primed = cell;
}

export function hasPrimed(): bool { return primed != NONE; }

export function takePrimed(): u32 {
  const cell = primed;
  if (cell != NONE) removePrimed(cell);
  return cell;
}

function removePrimed(cell: u32): void {
  const b = body(cell);
  lower(b, PRIMED);
  const after = load<u32>(b, NEXT_PRIMED);
  const before = predecessor(primed, cell, NEXT_PRIMED);
  if (before == NONE) primed = after;
  else store<u32>(body(before), after, NEXT_PRIMED);
}

/** The one before `cell` in a list, NONE for the first. These lists are emptied with every command: they are short. */
function predecessor(first: u32, cell: u32, link: usize): u32 {
  let before = NONE;
  for (let other = first; other != cell; other = load<u32>(body(other) + link)) before = other;
  return before;
}
