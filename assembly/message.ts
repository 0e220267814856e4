// One live message: a slot, in two parts (slab.ts).
//
//   what a send writes
//   offset  size  field            meaning
//        0     7  position         where its record starts in the log, in bytes
//        7     1  state            state.ts
//        8     8  sent             bits 0..43 sentMs, bits 44..61 the record's size in 8-byte units, 62 the record is
//                                  BRIEF or a PART, 63 APART
//       16     4  queue            index of its queue
//       20     4  generation       low half of its sequence number: which message of those that had this slot
//       24     4  next             in the list it is in: pending, its queue's visible messages, its group
//       28     4  prev
//       32     8  links of the timer wheel
//
//   what else becomes of it: zeros while nothing has, as in a free slot
//        0     4  group            its group's cell, 0: it has none
//        4     4  receives         bits 0..23 receive count (sticks at the top), 24 MOVED, 25..31 how often a task moved it
//        8     4  visibleAt        ms after sentMs; when a delayed or in-flight message is visible (again)
//       12     4  received         ms after sentMs, signed; the last receive
//       16     4  firstReceived    ms after sentMs, signed
//       20     4  source           number of the queue it was moved from, 0: none
//
// Times relative to sentMs fit: retention is at most 14 days, 32 bits of milliseconds are 49.
import { PART_FIXED_BYTES, SENT_FIXED_BYTES } from "./record";
import { laterAt, slotAt } from "./slab";

const APART: u8 = 0x80; // flag, in the last byte of `sent`: visible, and in its group's own list (fair.ts)
export const MOVED: u32 = 1 << 24; // flag: has been redriven; its record still tells of the queue it came from
/**
 * A message that a task moves is a new one, under an ID that the host makes of the first ID and this count, because the
 * record with the ID stays what it was. After 127 moves the count begins at 1 again, and with it the message's IDs.
 */
export const REISSUES_SHIFT: u32 = 25;
const REISSUES_MAX: u32 = 127;

const POSITION: u64 = 0x00ff_ffff_ffff_ffff;
const SENT_MS: u64 = 0xfff_ffff_ffff;
const SIZE_SHIFT: u64 = 44;
export const SIZE: u32 = 0x3_ffff; // after the shift
export const BRIEF: u32 = 0x4_0000; // after the shift, above the size
const RECORD: u64 = <u64>(SIZE | BRIEF) << SIZE_SHIFT;

// @ts-ignore: decorator
@inline export function state(slot: u32): u8 { return load<u8>(slotAt(slot), 7); }
// @ts-ignore: decorator
@inline export function setState(slot: u32, value: u8): void { store<u8>(slotAt(slot), value, 7); }
// @ts-ignore: decorator
@inline export function position(slot: u32): u64 { return load<u64>(slotAt(slot)) & POSITION; }
/** Sets the state too: they share a word. */
// @ts-ignore: decorator
@inline export function setPosition(slot: u32, value: u64, kind: u8): void { store<u64>(slotAt(slot), value | (<u64>kind << 56)); }
// @ts-ignore: decorator
@inline export function sentMs(slot: u32): u64 { return load<u64>(slotAt(slot), 8) & SENT_MS; }
// @ts-ignore: decorator
@inline export function recordBytes(slot: u32): u32 { return (<u32>(load<u64>(slotAt(slot), 8) >> SIZE_SHIFT) & SIZE) << 3; }
// @ts-ignore: decorator
@inline export function isBrief(slot: u32): bool { return (<u32>(load<u64>(slotAt(slot), 8) >> SIZE_SHIFT) & BRIEF) != 0; }
/** About its body and attributes: what its record has besides the fixed part; 56 more where that is BRIEF. */
// @ts-ignore: decorator
@inline export function payloadBytes(slot: u32): u32 {
  return recordBytes(slot) - (isBrief(slot) ? PART_FIXED_BYTES : SENT_FIXED_BYTES);
}
// @ts-ignore: decorator
@inline export function isApart(slot: u32): bool { return (load<u8>(slotAt(slot), 15) & APART) != 0; }
export function setApart(slot: u32, apart: bool): void {
  const others = load<u8>(slotAt(slot), 15) & ~APART;
  store<u8>(slotAt(slot), apart ? others | APART : others, 15);
}
// @ts-ignore: decorator
@inline export function setSent(slot: u32, ms: u64, bytes: u32, brief: bool): void {
  store<u64>(slotAt(slot), ms | (<u64>(((bytes + 7) >> 3) | (brief ? BRIEF : 0)) << SIZE_SHIFT), 8);
}
/** A message that was just sent, in a slot that was free: in no group, never received, as a free one's second part says. */
// @ts-ignore: decorator
@inline export function begin(slot: u32, position: u64, kind: u8, ms: u64, bytes: u32, brief: bool, q: u32, sequence: u32): void {
  const p = slotAt(slot);
  store<u64>(p, position | (<u64>kind << 56));
  store<u64>(p, ms | (<u64>(((bytes + 7) >> 3) | (brief ? BRIEF : 0)) << SIZE_SHIFT), 8);
  store<u64>(p, <u64>q | (<u64>sequence << 32), 16);
}
/** It is in no bucket of the timer wheel, whatever its slot held. */
// @ts-ignore: decorator
@inline export function clearTimer(slot: u32): void { store<u64>(slotAt(slot), 0, 32); }
/** It counts as sent then; its record stays. */
export function setSentMs(slot: u32, ms: u64): void { store<u64>(slotAt(slot), (load<u64>(slotAt(slot), 8) & RECORD) | ms, 8); }
/** It has another record, a SENT one. */
export function setRecord(slot: u32, bytes: u32): void {
  store<u64>(slotAt(slot), (load<u64>(slotAt(slot), 8) & ~RECORD) | (<u64>((bytes + 7) >> 3) << SIZE_SHIFT), 8);
}
// @ts-ignore: decorator
@inline export function queue(slot: u32): u32 { return load<u32>(slotAt(slot), 16); }
// @ts-ignore: decorator
@inline export function setQueue(slot: u32, value: u32): void { store<u32>(slotAt(slot), value, 16); }
// @ts-ignore: decorator
@inline export function group(slot: u32): u32 { return load<u32>(laterAt(slot)); }
// @ts-ignore: decorator
@inline export function setGroup(slot: u32, value: u32): void { store<u32>(laterAt(slot), value); }
// @ts-ignore: decorator
@inline export function generation(slot: u32): u32 { return load<u32>(slotAt(slot), 20); }
// @ts-ignore: decorator
@inline export function setGeneration(slot: u32, value: u32): void { store<u32>(slotAt(slot), value, 20); }
// @ts-ignore: decorator
@inline export function receives(slot: u32): u32 { return load<u32>(laterAt(slot), 4) & 0xff_ffff; }
// @ts-ignore: decorator
@inline export function flags(slot: u32): u32 { return load<u32>(laterAt(slot), 4) & 0xff00_0000; }
// @ts-ignore: decorator
@inline export function setReceives(slot: u32, count: u32, flagBits: u32): void { store<u32>(laterAt(slot), (count > 0xff_ffff ? 0xff_ffff : count) | flagBits, 4); }
// @ts-ignore: decorator
@inline export function reissues(slot: u32): u32 { return load<u32>(laterAt(slot), 4) >> REISSUES_SHIFT; }
/** The flags of the message when a task has moved it once more: no redriven one any longer. */
export function reissuedFlags(slot: u32): u32 {
  const count = reissues(slot);
  return (count < REISSUES_MAX ? count + 1 : 1) << REISSUES_SHIFT;
}
/** Whether its record tells of another queue than the message is in, or was in another life. */
// @ts-ignore: decorator
@inline export function hasMoved(slot: u32): bool { return load<u32>(laterAt(slot), 4) >= MOVED; }
// @ts-ignore: decorator
@inline export function visibleAtMs(slot: u32): u64 { return sentMs(slot) + <u64>load<u32>(laterAt(slot), 8); }
/** Of one that was never received: whether it has a delay. What is BRIEF has none, and need not be looked at further. */
// @ts-ignore: decorator
@inline export function waitsForDelay(slot: u32): bool { return !isBrief(slot) && load<u32>(laterAt(slot), 8) != 0; }
export function setVisibleAtMs(slot: u32, ms: u64): void {
  const sent = sentMs(slot);
  const after = ms > sent ? ms - sent : 0;
  store<u32>(laterAt(slot), after > 0xffff_ffff ? 0xffff_ffff : <u32>after, 8);
}
// @ts-ignore: decorator
@inline export function receivedMs(slot: u32): u64 { return sentMs(slot) + <u64><i64>load<i32>(laterAt(slot), 12); }
// @ts-ignore: decorator
@inline export function setReceivedMs(slot: u32, ms: u64): void { store<i32>(laterAt(slot), <i32>(<i64>ms - <i64>sentMs(slot)), 12); }
// @ts-ignore: decorator
@inline export function firstReceivedMs(slot: u32): u64 { return sentMs(slot) + <u64><i64>load<i32>(laterAt(slot), 16); }
// @ts-ignore: decorator
@inline export function setFirstReceivedMs(slot: u32, ms: u64): void { store<i32>(laterAt(slot), <i32>(<i64>ms - <i64>sentMs(slot)), 16); }
// @ts-ignore: decorator
@inline export function source(slot: u32): u32 { return load<u32>(laterAt(slot), 20); }
// @ts-ignore: decorator
@inline export function setSource(slot: u32, value: u32): void { store<u32>(laterAt(slot), value, 20); }
// @ts-ignore: decorator
@inline export function next(slot: u32): u32 { return load<u32>(slotAt(slot), 24); }
// @ts-ignore: decorator
@inline export function setNext(slot: u32, value: u32): void { store<u32>(slotAt(slot), value, 24); }
// @ts-ignore: decorator
@inline export function prev(slot: u32): u32 { return load<u32>(slotAt(slot), 28); }
// @ts-ignore: decorator
@inline export function setPrev(slot: u32, value: u32): void { store<u32>(slotAt(slot), value, 28); }
