// What a message move task does to messages: those of one queue that a receive could have now go to another, in the
// order in which a receive would have them, each with one MOVED record. Which task, where to, how many and when is the
// host's: it knows queues by name.
import * as fair from "./fair";
import * as group from "./group";
import * as lifecycle from "./lifecycle";
import * as message from "./message";
import * as queue from "./queue";
import * as r from "./record";
import { NONE } from "./slab";
import * as tail from "./tail";

export const NOTHING: u32 = 0xffff_ffff; // no visible message
export const LATER: u32 = 0xffff_fffe; // the first one's retention is over: the timers have to take it first
/** Instead of a source: whatever the queue has. */
export const ANY: u32 = 0xffff_fffd;

/** The message that a receive would have first, NONE when there is none. */
function first(q: u32): u32 {
  if (queue.fair(q) != NONE) return fair.first(q);
  const head = load<u32>(queue.at(q) + queue.VISIBLE);
  return head != NONE && queue.isFifo(q) ? group.first(head) : head;
}

function isOver(slot: u32, q: u32, nowMs: u64): bool {
  return message.sentMs(slot) + queue.retentionMs(q) <= nowMs;
}

/** The number of the queue that the next message to move was redriven from, 0: none; or one of the codes above. */
export function nextSource(q: u32, nowMs: u64): u32 {
  fair.setNow(nowMs);
  const slot = first(q);
  if (slot == NONE) return NOTHING;
  return isOver(slot, q, nowMs) ? LATER : message.source(slot);
}

/**
 * Moves at most `countMax` messages from `from` to `to`, up to the first that was not redriven from `source`.
 * @returns how many; fewer also when the tail has no room, or memory
 */
export function move(from: u32, to: u32, source: u32, countMax: u32, nowMs: u64): u32 {
  fair.setNow(nowMs);
  let count: u32 = 0;
  while (count < countMax) {
    const slot = first(from);
    if (slot == NONE || isOver(slot, from, nowMs)) break;
    if (source != ANY && message.source(slot) != source) break;
    if (!tail.hasRoom(r.MOVED_BYTES) || !lifecycle.reissue(slot, to, nowMs)) break;
    count++;
  }
  return count;
}
