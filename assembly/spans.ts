// Spans: index entries of RUNs (record.ts, SPAN), made while the RUN is written and all of it is at hand: two bytes a message,
// and nobody needs to go through its parts again for an index.
//
//   ring ├─ span ─┬─ span ─┬─ span ─┬─ being made … ┤     outline.ts takes them from the oldest on; those that it has not
//         first ▲                     last ▲              taken when their place is needed are lost, and their RUNs gone through
import { reserve } from "./memory";
import * as r from "./record";

const RING_BYTES: usize = 1 << 20;
const COUNT_MIN: u32 = 3; // fewer are shorter as rows
const COUNT_MAX: u32 = 2000;
const ENTRY_BYTES_MAX: usize = <usize>(r.SPAN_HEAD_BYTES + 2 * COUNT_MAX);
const WRAP_BYTES: usize = 8; // behind the last entry of the ring: 0 where another would have its size

let ring: usize = 0;
let first: usize = 0;
let last: usize = 0;
let waiting: u32 = 0; // whole ones, from `first` on

// Of the one being made.
let isOpen: bool = false;
let count: u32 = 0;
let nextSlot: u32 = 0;
let slotStep: u32 = 0; // free slots are taken in any order, but mostly upwards or downwards

export function open(): bool {
  ring = reserve(RING_BYTES);
  first = last = ring;
  return ring != 0;
}

/** A RUN begins. */
export function begin(): void {
  isOpen = true;
  count = 0;
}

/** It has one more part, of `bytes` with its padding. */
export function add(slot: u32, bytes: u32): void {
  if (!isOpen) return;
  if (count == 0) store<u32>(last, slot, 52);
  else if (count == 1) slotStep = slot - nextSlot;
  else if (slot != nextSlot) isOpen = false;
  if (bytes > r.SPAN_SIZE << 3 || count == COUNT_MAX) isOpen = false;
  if (!isOpen) return;
  store<u16>(last + r.SPAN_HEAD_BYTES + (<usize>count << 1), <u16>(bytes >> 3));
  // Of the second one the step shows.
  nextSlot = count++ == 0 ? slot : slot + slotStep;
}

/** The RUN is whole: it is at `p`, of `bytes`, and at `position` in the log. */
export function end(p: usize, position: u64, bytes: u32): void {
  if (!isOpen) return;
  isOpen = false;
  if (count < COUNT_MIN) return;
  const size = (r.SPAN_HEAD_BYTES + 2 * count + 7) & ~7;
  for (let i = r.SPAN_HEAD_BYTES + 2 * count; i < size; i += 2) store<u16>(last + i, 0);
  store<u32>(last, size);
  store<u32>(last, r.SPAN, 4);
  store<u64>(last, position, 8);
  store<u32>(last, bytes, 16);
  store<u32>(last, slotStep, 20);
  for (let i: usize = 24; i < 48; i += 8) store<u64>(last + i, load<u64>(p + i)); // queue, sequence number, sentMs
  store<u32>(last, count, 48);
  if (waiting++ == 0) first = last;
  last += size;
  if (last + ENTRY_BYTES_MAX + WRAP_BYTES > ring + RING_BYTES) {
    store<u32>(last, 0);
    last = ring;
  }
  while (waiting > 0 && first >= last && first < last + ENTRY_BYTES_MAX + WRAP_BYTES) drop();
}

function drop(): void {
  first += load<u32>(first);
  waiting--;
  if (waiting > 0 && load<u32>(first) == 0) first = ring;
}

/** The entry of the RUN at `position`, until the next one is written; 0: there is none. Those before it are forgotten. */
export function at(position: u64): usize {
  while (waiting > 0 && load<u64>(first, 8) < position) drop();
  return waiting > 0 && load<u64>(first, 8) == position ? first : 0;
}
