// Groups of a FIFO queue that a subscription holds: some of their messages are out with it, so nobody else gets any. It
// may have more of them while fewer than its maximum are out, in order.
//
//   group cell:  6 where it is listed: 0 nowhere, 1 in its queue's ring, 2 in its holder's list of ready groups
//               56 the subscription that holds it, NONE   60 how many of its messages are out there
import * as group from "./group";
import * as lifecycle from "./lifecycle";
import * as list from "./list";
import * as message from "./message";
import * as owner from "./owner";
import { IN_FLIGHT, VISIBLE } from "./state";
import { at, NONE } from "./slab";
import * as subscription from "./subscription";

const READY: u8 = 2;

// @ts-ignore: decorator
@inline export function holder(g: u32): u32 { return load<u32>(at(g), 56); }
// @ts-ignore: decorator
@inline function count(g: u32): u32 { return load<u32>(at(g), 60); }

/** The group's next message for its holder: the first behind those that are out; NONE when something else is there. */
export function nextOf(g: u32): u32 {
  const cell = holder(g);
  let slot = group.first(g);
  while (slot != NONE && message.state(slot) == IN_FLIGHT) {
    // Given back for later: what stands behind it has to wait.
    if (owner.find(slot) != cell) return NONE;
    slot = message.next(slot);
  }
  return slot != NONE && message.state(slot) == VISIBLE ? slot : NONE;
}

/** The ready group behind it in its holder's list, NONE at the end. */
export function nextReady(g: u32): u32 { return load<u32>(at(g), 48); }

/** How many more of the group may go out. */
export function roomFor(cell: u32, g: u32): u32 {
  const max = subscription.groupMax(cell);
  return holder(g) == cell ? (count(g) < max ? max - count(g) : 0) : max;
}

/** A message of the group has gone out to `cell`. */
export function took(cell: u32, g: u32): void {
  group.leaveRing(g);
  store<u32>(at(g), cell, 56);
  store<u32>(at(g), count(g) + 1, 60);
}

/** Ready, or not any more. */
export function place(g: u32): void {
  const cell = holder(g);
  const isListed = load<u8>(at(g), 6) == READY;
  const isReady = roomFor(cell, g) > 0 && nextOf(g) != NONE;
  if (isReady == isListed) {
    if (isReady) subscription.prime(cell);
    return;
  }
  const ready = subscription.body(cell) + subscription.READY_GROUPS;
  store<u8>(at(g), isReady ? READY : 0, 6);
  if (!isReady) {
    list.remove(ready, g);
    return;
  }
  list.pushBack(ready, g);
  subscription.prime(cell);
}

const LATER_MAX: u32 = 100;
const LATER: usize = memory.data(400);

/** A message of the group is not out any more. When it failed, those behind it are called back, the last one first. */
export function left(cell: u32, slot: u32, failed: bool): void {
  const g = message.group(slot);
  store<u32>(at(g), count(g) - 1, 60);
  if (failed && count(g) > 0) callBack(cell, slot);
  if (count(g) > 0 || holder(g) == NONE) return;
  if (load<u8>(at(g), 6) == READY) {
    list.remove(subscription.body(cell) + subscription.READY_GROUPS, g);
    store<u8>(at(g), 0, 6);
  }
  store<u32>(at(g), NONE, 56);
}

function callBack(cell: u32, failed: u32): void {
  let later: u32 = 0;
  // What is out of a group stands together: behind it is the backlog, however long.
  for (let slot = message.next(failed); slot != NONE && later < LATER_MAX && owner.find(slot) == cell; slot = message.next(slot)) {
    store<u32>(LATER + (<usize>(later++) << 2), slot);
  }
  const before = subscription.setCause(subscription.causeOfCallBack());
  while (later > 0) lifecycle.comeBack(load<u32>(LATER + (<usize>(--later) << 2)));
  subscription.setCause(before);
}
