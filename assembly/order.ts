// Messages by their sequence numbers, for the start: the order in which a queue hands them out. Slots that have been
// used again are in no order of their own. Where the numbers lie close together each slot is put at its number's place,
// with gaps; otherwise they are sorted, eleven bits at a time from the lowest: one pass counts how often each digit
// occurs, another one moves.
import * as message from "./message";
import { slotBound } from "./slab";
import { FREE } from "./state";

const DIGIT_BITS: u32 = 11;
const DIGIT_COUNT: u32 = 1 << DIGIT_BITS;
const PLACES: usize = memory.data(2048 * 4); // how often a digit occurs; then its next one's place

const SCATTERING: u32 = 0;
const COLLECTING: u32 = 1;
const COUNTING: u32 = 2;
const MOVING: u32 = 3;

let stage: u32 = SCATTERING;
let from: usize = 0; // u32 each: the order so far
let to: usize = 0; // the order that is being made
let count: u32 = 0;
let lowest: u64 = 0;
let range: u64 = 0;
let shift: u64 = 0;
let next: u32 = 0; // of this pass: a slot, or a place

/** Entries of the order when it is complete; 0 is a gap. */
export let size: u32 = 0;
/** Where it is then. */
export let start: usize = 0;

/** While the log is replayed a slot's list links hold its queue's number (next) and its sequence number's high half (prev). */
// @ts-ignore: decorator
@inline export function sequenceAt(slot: u32): u64 {
  return (<u64>message.prev(slot) << 32) | <u64>message.generation(slot);
}

/** Bytes that ordering `slotCount` slots takes. */
export function bytesFor(slotCount: u32): usize { return <usize>slotCount << 3; }

/** `slotCount` slots are not free; their numbers lie between the two. `room` is zeroed. */
export function begin(room: usize, slotCount: u32, lowestNumber: u64, highestNumber: u64): void {
  count = slotCount;
  lowest = lowestNumber;
  range = highestNumber - lowestNumber;
  from = room;
  to = room + (<usize>count << 2);
  next = 1;
  stage = range < <u64>count * 2 ? SCATTERING : COLLECTING;
  size = 0;
}

/** Goes on for about `countMax` slots. @returns false as long as there is more to do */
export function step(countMax: u32): bool {
  if (stage == SCATTERING || stage == COLLECTING) {
    const end = min(slotBound(), next + countMax);
    if (stage == SCATTERING) scatter(end);
    else collect(end);
    if (end < slotBound()) return false;
    if (stage == SCATTERING) return complete(<u32>range + 1);
    shift = 0;
    return beginPass();
  }
  const end = min(count, next + countMax);
  for (; next < end; next++) {
    const slot = load<u32>(from + (<usize>next << 2));
    const place = placeOf(slot);
    const value = load<u32>(place);
    store<u32>(place, value + 1);
    if (stage == MOVING) store<u32>(to + (<usize>value << 2), slot);
  }
  if (end < count) return false;
  if (stage == COUNTING) {
    placeDigits();
    stage = MOVING;
    next = 0;
    return false;
  }
  const swap = from;
  from = to;
  to = swap;
  shift += DIGIT_BITS;
  return beginPass();
}

function complete(entries: u32): bool {
  start = from;
  size = entries;
  return true;
}

function scatter(end: u32): void {
  for (; next < end; next++) {
    if (message.state(next) != FREE) store<u32>(from + (<usize>(sequenceAt(next) - lowest) << 2), next);
  }
}

function collect(end: u32): void {
  for (; next < end; next++) {
    if (message.state(next) != FREE) store<u32>(from + (<usize>(size++) << 2), next);
  }
}

function beginPass(): bool {
  if (range >> shift == 0) return complete(count);
  memory.fill(PLACES, 0, DIGIT_COUNT * 4);
  stage = COUNTING;
  next = 0;
  return false;
}

// @ts-ignore: decorator
@inline function placeOf(slot: u32): usize {
  return PLACES + ((<usize>((sequenceAt(slot) - lowest) >> shift) & (DIGIT_COUNT - 1)) << 2);
}

function placeDigits(): void {
  let before: u32 = 0;
  for (let digit: u32 = 0; digit < DIGIT_COUNT; digit++) {
    const place = PLACES + (<usize>digit << 2);
    const digitCount = load<u32>(place);
    store<u32>(place, before);
    before += digitCount;
  }
}
