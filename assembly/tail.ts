// The newest bytes of the log: what is being written, and a cache of what was written lately.
//
// A position p of the log is at ring + p % tailBytes. A record that starts before the end of the ring runs on past it,
// into a margin as long as the longest record, so every record is in one piece; the next one starts at the front.
//
//   ring ├────────────────────────────────────────┤ margin ├────────┤
//                 taken ▲        ▲ head
//   durable <= taken <= head <= reached; what lies before reached - tailBytes has been overwritten
//
// Records never cross a segment: when the next one does not fit, a SEAL fills the segment, and the next starts with a
// START. It tells the sequence number to come: whatever had the numbers before may have left the log by the next start,
// and a number given out twice would be a receipt handle for two messages.
import { crc32c } from "./crc32c";
import { reserve } from "./memory";
import { nh } from "./nh";
import { HEADER_BYTES, PART, RECEIVED, RUN, RUN_BYTES_MAX, RUN_FIXED_BYTES, SEAL, START, START_BYTES } from "./record";
import { partSeedOf, seedOf } from "./segments";
import * as spans from "./spans";

export const RECORD_BYTES_MAX: u32 = 2 << 20;

let ring: usize = 0;
let tailBytes: u64 = 0;
export let segmentBytes: u64 = 0;
export let segmentHeaderBytes: u64 = 0;

export let head: u64 = 0; // where the next record goes
let started: u64 = 0; // nothing before this is in the ring
let reached: u64 = 0; // the ring has been written to up to here: a record that is begun may end earlier, or never be
let taken: u64 = 0; // handed out for writing up to here
export let durable: u64 = 0;
let awaited: u64 = 0; // somebody waits for what lies before it to be on disk
let wrappedAt: u64 = 0; // the last record boundary at which the ring started over
export let nextNumber: u64 = 1;
export let nextSequence: u64 = 1;
let writableEnd: u64 = u64.MAX_VALUE; // beyond it the host has no segment to write to

export function open(tail: u32, segment: u32, segmentHeader: u32): bool {
  tailBytes = tail;
  segmentBytes = segment;
  segmentHeaderBytes = segmentHeader;
  ring = reserve(tail + RECORD_BYTES_MAX + 64);
  return ring != 0;
}

/** The log ends at `position`, everything before it on disk. */
export function startAt(position: u64): void {
  head = taken = durable = started = reached = wrappedAt = position;
}

export function setNextNumber(number: u64): void {
  nextNumber = number;
}

// @ts-ignore: decorator
@inline export function takeSequence(): u64 { return nextSequence++; }
export function sawSequence(sequence: u64): void {
  if (sequence >= nextSequence) nextSequence = sequence + 1;
}

/** Until it is told otherwise, the host can write up to `position`. */
export function setWritableEnd(position: u64): void {
  writableEnd = position;
}

/** Bytes of records that fit without overwriting what is not on disk yet, and in what the disk has for them. */
export function room(): u64 {
  const endMin = head + 2 * HEADER_BYTES;
  const ringMin = head - durable + RECORD_BYTES_MAX + segmentHeaderBytes + START_BYTES;
  if (endMin >= writableEnd || ringMin >= tailBytes) return 0;
  return min(writableEnd - endMin, tailBytes - ringMin);
}

/** Whether records of `bytes` in all have it. */
export function hasRoom(bytes: u32): bool { return <u64>bytes <= room(); }

/** Bytes left in the segment being written. */
export function segmentRoom(): f64 {
  return <f64>(segmentBytes - head % segmentBytes);
}

// @ts-ignore: decorator
@inline function address(position: u64): usize {
  return ring + <usize>(position % tailBytes);
}

/** Where the record at `position` is in memory; 0 when it is not any more. */
export function find(position: u64): usize {
  return position >= started && position < head && reached <= position + tailBytes ? address(position) : 0;
}

/** @param checkedBytes of the record, covered by its checksum */
function seal(start: u64, size: u32, kind: u32, checkedBytes: u32 = size): void {
  const p = address(start);
  const segment = <u32>(start / segmentBytes);
  const segmentStart = <u64>segment * segmentBytes + segmentHeaderBytes;
  store<u32>(p, size | (kind << 24), 4);
  store<u64>(p, nextNumber++, 8);
  store<u32>(p, segment, 16);
  store<u32>(p, <u32>((durable > segmentStart ? durable : segmentStart) % segmentBytes), 20);
  store<u32>(p, crc32c(p + 4, checkedBytes - 4, seedOf(segment)));
  head = start + ((<u64>size + 7) & ~7);
  // The record ran past the end of the ring: the next one starts at the front.
  if (start / tailBytes != head / tailBytes) wrappedAt = head;
  if (head > reached) reached = head;
  if (kind != RECEIVED) awaited = head;
}

/** Nobody waits for a RECEIVED record, unless it is said here. */
export function awaits(position: u64): void {
  if (position > awaited) awaited = position;
}

/** Whether anything that is not handed out for writing yet is waited for. */
export function isAwaited(): bool { return awaited > taken; }

/** Whether records of `bytes` in all fit the segment being written. A SEAL must still fit behind them. */
export function fitsSegment(bytes: u32): bool {
  return head + ((<u64>bytes + 7) & ~7) + HEADER_BYTES <= (head / segmentBytes + 1) * segmentBytes;
}

/** Seals the segment being written: the next record is one of the next segment. */
export function endSegment(): void {
  endRun();
  const segment = head / segmentBytes;
  const left = <u32>((segment + 1) * segmentBytes - head);
  memory.fill(address(head), 0, left);
  seal(head, left, SEAL);
  head = (segment + 1) * segmentBytes + segmentHeaderBytes;
  store<u64>(address(head), nextSequence, 24);
  seal(head, START_BYTES, START);
}

/** Room for a record of `size` bytes, header included, at the head; its payload is the caller's to write. */
export function begin(size: u32): usize {
  endRun();
  if (!fitsSegment(size)) endSegment();
  const p = address(head);
  store<u64>(p + ((<usize>size - 1) & ~7), 0); // padding
  const end = head + ((<u64>size + 7) & ~7);
  if (end > reached) reached = end;
  return p;
}

/** Completes the record begun. @returns its position */
export function finish(size: u32, kind: u32): u64 {
  const start = head;
  seal(start, size, kind);
  return start;
}

// The RUN that is being written (record.ts), its parts so far before the head. A part's place in memory must follow from its
// position: none begins behind the end of the ring, the first no more than any other.
let run: u64 = 0; // where it begins; 0: there is none
let runAddress: usize = 0;
let runPartsEnd: u64 = 0; // where another part may begin, at most
let runSegmentEnd: u64 = 0; // less a SEAL
let runSeed: u32 = 0; // of its parts
let runCount: u32 = 0;

/**
 * Begins a RUN whose first part is of `partBytes`; bytes 24 to 48 of it are the caller's to write. 0: none can begin here,
 * something else is to be written first.
 */
export function beginRun(partBytes: u32): usize {
  const p = begin(RUN_FIXED_BYTES + ((partBytes + 7) & ~7));
  if (head % tailBytes + RUN_FIXED_BYTES >= tailBytes) return 0;
  run = head;
  runAddress = p;
  runCount = 0;
  const segment = <u32>(head / segmentBytes);
  runSeed = partSeedOf(segment);
  runSegmentEnd = <u64>(segment + 1) * segmentBytes - HEADER_BYTES;
  runPartsEnd = min((head / tailBytes + 1) * tailBytes, head + RUN_BYTES_MAX);
  head += RUN_FIXED_BYTES;
  spans.begin();
  return p;
}

/** Whether a RUN is being written. */
// @ts-ignore: decorator
@inline export function hasRun(): bool { return run != 0; }

/** Whether there is a RUN that takes one more part, of `size` bytes. */
// @ts-ignore: decorator
@inline export function takesPart(size: u32): bool {
  return run != 0 && head < runPartsEnd && head + ((<u64>size + 7) & ~7) <= runSegmentEnd;
}

/** Room for the next part of the RUN, which takes it, or has just been begun with it. */
// @ts-ignore: decorator
@inline export function beginPart(size: u32): usize {
  const p = runAddress + <usize>(head - run);
  store<u64>(p + ((<usize>size - 1) & ~7), 0); // padding
  const end = head + ((<u64>size + 7) & ~7);
  if (end > reached) reached = end;
  return p;
}

/** @returns the part's position */
// @ts-ignore: decorator
@inline export function finishPart(size: u32): u64 {
  const start = head;
  const p = runAddress + <usize>(start - run);
  const padded = (size + 7) & ~7;
  store<u32>(p, size | (PART << 24), 4);
  store<u32>(p, partChecksum(p, padded, runSeed));
  runCount++;
  head = start + <u64>padded;
  return start;
}

/** What the PART at `p` has at its beginning when it is whole; `padded`: its bytes with the padding. */
// @ts-ignore: decorator
@inline export function partChecksum(p: usize, padded: u32, seed: u32): u32 {
  return <u32>nh(p + 8, padded - 8, partSeed(p, seed));
}

/** Of the checksum of the PART at `p`, where that takes one of 64 bits. */
// @ts-ignore: decorator
@inline export function partSeed(p: usize, seed: u32): u64 { return (<u64>load<u32>(p, 4) << 32) | <u64>seed; }

/** Completes the RUN that is being written, if there is one: before anything else is, and before it goes to disk. */
export function endRun(): void {
  if (run == 0) return;
  store<u64>(runAddress, <u64>runCount, 48);
  const start = run;
  run = 0;
  const size = <u32>(head - start);
  seal(start, size, RUN, RUN_FIXED_BYTES);
  spans.end(runAddress, start, size);
}

// What takeExtent found.
export let extentStart: u64 = 0;
export let extentAddress: usize = 0;

/** The next piece to write: one segment's bytes, in one piece of memory. @returns its size, 0 when all is taken */
export function takeExtent(): u32 {
  if (taken % segmentBytes == 0 && taken != 0 && taken < head) taken += segmentHeaderBytes;
  if (taken >= head) return 0;
  let end = (taken / segmentBytes + 1) * segmentBytes;
  if (end > head) end = head;
  if (taken < wrappedAt && wrappedAt < end) end = wrappedAt;
  extentStart = taken;
  extentAddress = address(taken);
  taken = end;
  return <u32>(end - extentStart);
}

/** Everything before `position` is on disk. */
export function setDurable(position: u64): void {
  durable = position;
}
