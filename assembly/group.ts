// A message group. Of a standard queue: fair.ts. Of a FIFO queue: every one of its messages in order, received ones
// included. It may be received from while its first message is visible; then it is in its queue's ring. So a message in
// flight holds back what was sent after it, and nothing ever searches a blocked backlog.
//
//   cell: 8 key · 24 queue number · 28 table link · 32 messages (list) · 40 message count, pending ones included
//         44 queue index · 48 ring links · 56 what held.ts has of it
import * as held from "./held";
import * as list from "./list";
import * as message from "./message";
import * as queue from "./queue";
import { GROUP, VISIBLE } from "./state";
import { at, giveAux, NONE, takeAux } from "./slab";
import * as table from "./table";

let groups: usize = 0;

export function open(): void {
  groups = table.open();
}

// @ts-ignore: decorator
@inline export function key(group: u32): usize { return at(group) + 8; }
// @ts-ignore: decorator
@inline export function queueOf(group: u32): u32 { return load<u32>(at(group), 44); }
// @ts-ignore: decorator
@inline export function first(group: u32): u32 { return load<u32>(at(group), 32); }
// @ts-ignore: decorator
@inline export function inRing(group: u32): bool { return load<u8>(at(group), 6) == 1; }

/** The group behind it in its queue's ring, NONE at the end. */
export function nextInRing(group: u32): u32 { return load<u32>(at(group), 48); }

/** The group, made if it is not there. NONE when memory is used up. */
export function obtain(queueIndex: u32, queueNumber: u32, keyStart: usize): u32 {
  let group = table.find(groups, queueNumber, keyStart);
  if (group != NONE) return group;
  group = takeAux();
  if (group == NONE) return NONE;
  const p = at(group);
  store<u8>(p, GROUP, 7);
  memory.copy(p + 8, keyStart, 16);
  store<u32>(p, queueNumber, 24);
  store<u32>(p, queueIndex, 44);
  table.insert(groups, group);
  return group;
}

export function addMember(group: u32): void {
  store<u32>(at(group), load<u32>(at(group), 40) + 1, 40);
}

/** One more message of the FIFO queue's group whose key is at `keyStart`. NONE when memory is used up */
export function join(queueIndex: u32, keyStart: usize): u32 {
  const group = obtain(queueIndex, queue.number(queueIndex), keyStart);
  if (group != NONE) addMember(group);
  return group;
}

export function memberCount(group: u32): u32 { return load<u32>(at(group), 40); }

/** The message takes its place at the end. */
export function append(group: u32, slot: u32): void {
  list.pushBack(at(group) + 32, slot);
}

/** In the ring if and only if the first message is visible; a group that comes in goes to the end. A held one is not. */
export function place(group: u32): void {
  if (held.holder(group) != NONE) {
    held.place(group);
    return;
  }
  const head = first(group);
  const deliverable = head != NONE && message.state(head) == VISIBLE;
  if (deliverable == inRing(group)) return;
  const ring = queue.at(load<u32>(at(group), 44)) + queue.VISIBLE;
  if (deliverable) list.pushBack(ring, group);
  else list.remove(ring, group);
  store<u8>(at(group), deliverable ? 1 : 0, 6);
}

/** A subscription holds it from now on: it is not for others. */
export function leaveRing(group: u32): void {
  if (!inRing(group)) return;
  list.remove(queue.at(load<u32>(at(group), 44)) + queue.VISIBLE, group);
  store<u8>(at(group), 0, 6);
}

/** After a receive that left it deliverable: behind the others. */
export function rotate(group: u32): void {
  if (!inRing(group)) return;
  const ring = queue.at(load<u32>(at(group), 44)) + queue.VISIBLE;
  list.remove(ring, group);
  list.pushBack(ring, group);
}

/** Takes the message out of the list it is in, and forgets the group with its last member. */
export function removeMember(group: u32, slot: u32, listed: bool): void {
  const p = at(group);
  if (listed) {
    list.remove(p + 32, slot);
    place(group);
  }
  const count = load<u32>(p, 40) - 1;
  store<u32>(p, count, 40);
  if (count == 0) drop(group);
}

export function drop(group: u32): void {
  table.remove(groups, group);
  giveAux(group);
}
