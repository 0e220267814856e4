// Fair queues: a standard queue some of whose messages have a group ID. A group is a tenant, a message without one is a
// tenant by itself. A group that takes more than its share is noisy, and while others have visible messages theirs are
// received first; nothing is dropped, nobody is held back otherwise.
//
//   visible list of the queue          a message without a group, of a quiet group, or a stray of a noisy one
//     m ◄─► m ◄─► G1 ◄─► m ◄─► m …     G1: a group that was noisy, with what it had then, in front of all
//                 └ m ◄─► m
//   ring of noisy groups               what is theirs alone; the group with the fewest in flight comes first
//     G2 ◄─► G3
//     └ m ◄─► m    └ m
//
// So quiet messages are one list, oldest first, as in a queue without groups. A group that becomes noisy leaves its
// messages where they are: they are strays, which a receive that meets them in front puts into the group's own list, so
// many at a time. Nothing here costs more when more is queued or when there are more groups.
//
// Noisy is a group that sent something in the last five minutes and has, when one of its messages comes to the front,
//   more than a tenth of what is in flight, and at least 30 messages in flight; or
//   more than a tenth of consumers' time lately (worktime.ts), and at least ten seconds of it;
// until it has no visible message, or has sent nothing for five minutes.
//
//   group cell, besides what group.ts has there:
//        4  1 when noisy (1)    6  where it is listed (1): NOWHERE, NOISY_RING, BUNDLE    32  its own list    56  tenant cell
//   tenant cell:  0 group · 7 TENANT · 8 visible · 12 in flight · 16 delayed · 20 in its own list
//        24 worktime · 48 when it last sent, ms (u64) · 56 timer links: the end of five minutes, while noisy
//   fair cell, one for a queue that has groups:  0 group count · 7 FAIR · 8 visible, 12 in flight, 16 delayed of noisy groups
//        20 noisy group count · 24 worktime · 48 ring of noisy groups
import * as group from "./group";
import * as list from "./list";
import * as message from "./message";
import * as queue from "./queue";
import { FAIR, TENANT } from "./state";
import { at, AUX_FIRST, giveAux, NONE, takeAux } from "./slab";
import * as timers from "./timers";
import * as worktime from "./worktime";

const IN_FLIGHT_MIN: u32 = 30;
const WORKTIME_MS_MIN: u64 = 10_000; // less is too little to judge by
const SHARES: u64 = 10; // noisy is who has more than one of so many
const SILENT_MS: u64 = 300_000;
/** Strays that one receive puts into their group's list. */
const STRAYS_MAX: u32 = 1024;
/** Noisy groups among which the one with the fewest in flight is looked for. No more than 18 can be over a tenth at once. */
const CANDIDATES_MAX: u32 = 32;
/** Cells that one message's send may ask for: a group, its tenant cell, and the queue's. */
export const CELLS_MAX: u32 = 3;

const NOWHERE: u8 = 0;
const NOISY_RING: u8 = 1;
const BUNDLE: u8 = 2; // in its queue's visible list, for all of its own

const WORKTIME: usize = 24;
const RING: usize = 48;

let nowMs: u64 = 0;

/** The instant of the command under way. */
// @ts-ignore: decorator
@inline export function setNow(ms: u64): void { nowMs = ms; }

// @ts-ignore: decorator
@inline function isNoisy(g: u32): bool { return load<u8>(at(g), 4) != 0; }
// @ts-ignore: decorator
@inline function tenantOf(g: u32): usize { return at(load<u32>(at(g), 56)); }
// @ts-ignore: decorator
@inline function fairOf(q: u32): usize { return at(queue.fair(q)); }
// @ts-ignore: decorator
@inline function own(g: u32): usize { return at(g) + 32; }
// @ts-ignore: decorator
@inline function visibleOf(tenant: usize): u32 { return load<u32>(tenant, 8); }
// @ts-ignore: decorator
@inline function inFlightOf(tenant: usize): u32 { return load<u32>(tenant, 12); }
// @ts-ignore: decorator
@inline function lastSentMs(tenant: usize): u64 { return load<u64>(tenant, 48); }

function add(p: usize, field: usize, change: i32): void {
  store<u32>(p + field, load<u32>(p + field) + change);
}

/** One more message of the group whose key is at `key`. @returns the group, NONE when memory is used up */
export function join(q: u32, key: usize, sentMs: u64): u32 {
  const g = group.obtain(q, queue.number(q), key);
  if (g == NONE) return NONE;
  if (admit(g, q, sentMs)) {
    group.addMember(g);
    return g;
  }
  if (group.memberCount(g) == 0) group.drop(g);
  return NONE;
}

/** Makes sure that the group, and its queue, have what they are judged by. @returns false when memory is used up */
export function admit(g: u32, q: u32, sentMs: u64): bool {
  const known = load<u32>(at(g), 56);
  if (known != NONE) {
    const p = at(known);
    if (sentMs > lastSentMs(p)) store<u64>(p, sentMs, 48);
    return true;
  }
  const tenant = takeAux();
  if (tenant == NONE) return false;
  if (queue.fair(q) == NONE) {
    const fair = takeAux();
    if (fair == NONE) {
      giveAux(tenant);
      return false;
    }
    store<u8>(at(fair), FAIR, 7);
    worktime.begin(at(fair) + WORKTIME, nowMs);
    queue.setFair(q, fair);
  }
  const p = at(tenant);
  store<u32>(p, g);
  store<u8>(p, TENANT, 7);
  store<u64>(p, sentMs, 48);
  worktime.begin(p + WORKTIME, nowMs);
  store<u32>(at(g), tenant, 56);
  add(fairOf(q), 0, 1);
  return true;
}

/** One message fewer; the last one takes with it what the group was judged by. It is in no list any more. */
export function leave(g: u32, q: u32): void {
  const p = at(g);
  if (group.memberCount(g) > 1) {
    store<u32>(p, group.memberCount(g) - 1, 40);
    return;
  }
  const fair = fairOf(q);
  giveAux(load<u32>(p, 56));
  group.drop(g);
  add(fair, 0, -1);
  if (load<u32>(fair) != 0) return;
  giveAux(queue.fair(q));
  queue.setFair(q, NONE);
}

/** A message comes to (+1) or leaves (-1) what `field` of its queue counts; called before the queue's own count changes. */
export function count(q: u32, g: u32, field: usize, change: i32): void {
  const fair = fairOf(q);
  if (field == queue.IN_FLIGHT_COUNT) worktime.add(fair + WORKTIME, load<u32>(queue.at(q) + field), nowMs);
  if (g == NONE) return;
  const tenant = tenantOf(g);
  if (field == queue.IN_FLIGHT_COUNT) worktime.add(tenant + WORKTIME, inFlightOf(tenant), nowMs);
  const place = field - queue.VISIBLE_COUNT + 8;
  add(tenant, place, change);
  if (!isNoisy(g)) return;
  add(fair, place, change);
  if (visibleOf(tenant) == 0) calm(g);
}

function countNoisy(g: u32, sign: i32): void {
  const fair = fairOf(group.queueOf(g));
  const tenant = tenantOf(g);
  for (let field: usize = 8; field < 20; field += 4) add(fair, field, sign * <i32>load<u32>(tenant + field));
  add(fair, 20, sign);
}

function makeNoisy(g: u32): void {
  store<u8>(at(g), 1, 4);
  countNoisy(g, 1);
  timers.arm(load<u32>(at(g), 56), lastSentMs(tenantOf(g)) + SILENT_MS);
  place(g);
}

function calm(g: u32): void {
  store<u8>(at(g), 0, 4);
  countNoisy(g, -1);
  timers.disarm(load<u32>(at(g), 56));
  place(g);
}

/** Lists the group where its own messages are looked for. */
function place(g: u32): void {
  const p = at(g);
  const q = group.queueOf(g);
  const wanted = load<u32>(p, 32) == NONE ? NOWHERE : isNoisy(g) ? NOISY_RING : BUNDLE;
  const is = load<u8>(p, 6);
  if (wanted == is) return;
  if (is == NOISY_RING) list.remove(fairOf(q) + RING, g);
  else if (is == BUNDLE) list.remove(queue.at(q) + queue.VISIBLE, g);
  if (wanted == NOISY_RING) list.pushBack(fairOf(q) + RING, g);
  else if (wanted == BUNDLE) list.pushFront(queue.at(q) + queue.VISIBLE, g);
  store<u8>(p, wanted, 6);
}

/** When a noisy group's five minutes end. */
export function dueOf(tenant: u32): u64 { return lastSentMs(at(tenant)) + SILENT_MS; }

/** They would have ended by now, had it not sent since. */
export function due(tenant: u32): void {
  if (dueOf(tenant) > nowMs) timers.arm(tenant, dueOf(tenant));
  else calm(load<u32>(at(tenant)));
}

function hasTooLargeShare(g: u32, q: u32): bool {
  const tenant = tenantOf(g);
  if (lastSentMs(tenant) + SILENT_MS <= nowMs) return false;
  const inFlight = inFlightOf(tenant);
  const allInFlight = load<u32>(queue.at(q) + queue.IN_FLIGHT_COUNT);
  if (inFlight >= IN_FLIGHT_MIN && inFlight * SHARES > allInFlight) return true;
  worktime.add(tenant + WORKTIME, inFlight, nowMs);
  const worked = worktime.lately(tenant + WORKTIME, nowMs);
  if (worked < worktime.scaled(WORKTIME_MS_MIN)) return false;
  const all = fairOf(q) + WORKTIME;
  worktime.add(all, allInFlight, nowMs);
  return worked * SHARES > worktime.lately(all, nowMs);
}

/** The message that a receive hands out next, NONE when none is visible. */
export function first(q: u32): u32 {
  const visible = queue.at(q) + queue.VISIBLE;
  for (let i: u32 = 0; i < STRAYS_MAX; i++) {
    const cell = load<u32>(visible);
    if (cell == NONE) break;
    const g = cell >= AUX_FIRST ? cell : message.group(cell);
    if (g == NONE) return cell;
    if (!isNoisy(g)) {
      if (!hasTooLargeShare(g, q)) return cell == g ? load<u32>(own(g)) : cell;
      makeNoisy(g);
      if (cell == g) continue;
    }
    list.remove(visible, cell);
    append(g, cell, false);
  }
  return firstOfNoisy(q);
}

function firstOfNoisy(q: u32): u32 {
  const ring = fairOf(q) + RING;
  const head = load<u32>(ring);
  let found = head;
  let fewest: u32 = u32.MAX_VALUE;
  let g = head;
  for (let i: u32 = 0; g != NONE; i++) {
    if (i == CANDIDATES_MAX) {
      list.remove(ring, head); // another one has its turn the next time
      list.pushBack(ring, head);
      break;
    }
    const inFlight = inFlightOf(tenantOf(g));
    if (inFlight < fewest) {
      fewest = inFlight;
      found = g;
    }
    g = list.next(g);
  }
  return found == NONE ? NONE : load<u32>(own(found));
}

function append(g: u32, slot: u32, inFront: bool): void {
  message.setApart(slot, true);
  add(tenantOf(g), 20, 1);
  if (inFront) list.pushFront(own(g), slot);
  else list.pushBack(own(g), slot);
  place(g);
}

/** Lists a message that has become visible, and is counted already. */
export function show(q: u32, slot: u32, inFront: bool): void {
  const g = message.group(slot);
  if (g != NONE && isNoisy(g)) {
    const tenant = tenantOf(g);
    const strays = visibleOf(tenant) - 1 - load<u32>(tenant, 20);
    if (inFront || strays == 0) { // behind strays it is one, so that the order is kept
      append(g, slot, inFront);
      return;
    }
  }
  if (inFront) list.pushFront(queue.at(q) + queue.VISIBLE, slot);
  else list.pushBack(queue.at(q) + queue.VISIBLE, slot);
}

/** Takes a visible message out of its list; it is still counted as visible. */
export function unlist(q: u32, slot: u32): void {
  if (!message.isApart(slot)) {
    list.remove(queue.at(q) + queue.VISIBLE, slot);
    return;
  }
  const g = message.group(slot);
  message.setApart(slot, false);
  add(tenantOf(g), 20, -1);
  list.remove(own(g), slot);
  place(g);
}

// --- for those who only look ------------------------------------------------------------------------------------------
/** What stands at `cell` of the visible list, or of the ring: a message, or the first one of a group's own. */
function firstAt(cell: u32): u32 { return cell >= AUX_FIRST ? load<u32>(own(cell)) : cell; }

/** All visible messages once: the list, then the ring. @returns the first one, NONE when there is none */
export function firstListed(q: u32): u32 {
  const head = load<u32>(queue.at(q) + queue.VISIBLE);
  return firstAt(head != NONE ? head : load<u32>(fairOf(q) + RING));
}

/** The one behind `slot`. */
export function nextListed(q: u32, slot: u32): u32 {
  const next = message.next(slot);
  if (next != NONE) return firstAt(next);
  let last = NONE;
  if (message.isApart(slot)) {
    last = message.group(slot);
    const behind = list.next(last);
    if (behind != NONE) return firstAt(behind);
  }
  const isInRing = last != NONE && load<u8>(at(last), 6) == NOISY_RING;
  return isInRing ? NONE : firstAt(load<u32>(fairOf(q) + RING));
}

export function noisyGroups(q: u32): u32 { return queue.fair(q) == NONE ? 0 : load<u32>(fairOf(q), 20); }

/** How many of what `field` of the queue counts are not of noisy groups. */
export function quietCount(q: u32, field: usize): u32 {
  const all = load<u32>(queue.at(q) + field);
  return queue.fair(q) == NONE ? all : all - load<u32>(fairOf(q) + field - queue.VISIBLE_COUNT + 8);
}

/** When the quiet message was sent that is received next, 0: there is none, or none among so many strays. */
export function firstQuietSentMs(q: u32): u64 {
  let cell = load<u32>(queue.at(q) + queue.VISIBLE);
  for (let i: u32 = 0; cell != NONE && i < STRAYS_MAX; i++) {
    const g = cell >= AUX_FIRST ? cell : message.group(cell);
    if (g == NONE || !isNoisy(g)) return message.sentMs(firstAt(cell));
    cell = list.next(cell);
  }
  return 0;
}
