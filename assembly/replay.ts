// The log into state: every record in order; restore.ts then puts each message where it belongs. A message's slot comes
// with its record. A newer message in a slot shows that the older one had gone, whether or not the record that
// said so is still there.
//
// While replaying, a slot's list links hold its queue's number (next) and the high half of its sequence number (prev).
import * as attempt from "./attempt";
import { crc32c } from "./crc32c";
import * as dedup from "./dedup";
import * as group from "./group";
import { inputStart, outputStart } from "./memory";
import * as message from "./message";
import { sequenceAt } from "./order";
import * as queue from "./queue";
import * as r from "./record";
import * as restore from "./restore";
import * as segments from "./segments";
import * as slab from "./slab";
import { FREE, VISIBLE } from "./state";
import * as tail from "./tail";
import { xxh64 } from "./xxh64";

export const MORE: u32 = 0;
export const SEALED: u32 = 1;
export const END: u32 = 2;
export const INVALID: u32 = 3;
export const NO_MEMORY: u32 = 4;

let nowMs: f64 = 0;
let lastNumber: u64 = 0; // of the record before
let latestMs: f64 = 0;
let highestQueue: u32 = 0;
let producer: u32 = slab.NONE; // that the messages to come may be of: its deduplication entry,
let producerLast: u64 = 0; // and how far its REMEMBERED record says that it had come
export let consumed: u32 = 0;
export let noticeCount: u32 = 0; // queue records met, for the host: 16 bytes each at the output's start

export function begin(startMs: f64): void {
  nowMs = startMs;
}

/** The latest instant the log tells of. */
export function latest(): f64 { return latestMs; }

/** The highest queue number that any record names, be its queue or its messages long gone. */
export function highestQueueNumber(): u32 { return highestQueue; }

function sawTime(ms: f64): void {
  if (ms > latestMs) latestMs = ms;
}

/** A notice: 0 kind, 4 offset of the record in the input, 8 its size, 12 zero. */
function notice(kind: u32, p: usize, size: u32): void {
  const to = outputStart() + <usize>(noticeCount++) * 16;
  store<u32>(to, kind);
  store<u32>(to, <u32>(p - inputStart()), 4);
  store<u32>(to, size, 8);
}

function setSequence(slot: u32, sequence: u64): void {
  message.setGeneration(slot, <u32>sequence);
  message.setPrev(slot, <u32>(sequence >> 32));
  tail.sawSequence(sequence);
}

function match(row: usize): u32 {
  const slot = load<u32>(row);
  return slot != slab.NONE && slot < slab.slotBound() && message.state(slot) != FREE && message.generation(slot) == load<u32>(row, 4)
    ? slot : slab.NONE;
}

function sent(p: usize, position: u64, size: u32, groupKeyAt: u32, brief: bool): bool {
  const slot = load<u32>(p, 24);
  const sequence = load<u64>(p, 32);
  const flags = load<u32>(p, 28);
  const queueNumber = load<u32>(p, 44);
  const sentMs = load<f64>(p, 48);
  sawTime(sentMs);
  tail.sawSequence(sequence);
  if (queueNumber > highestQueue) highestQueue = queueNumber;
  const step = flags >> r.STEP_SHIFT;
  if (step != 0 && producer != slab.NONE) dedup.setSequence(producer, producerLast + <u64>step);
  if (!slab.ensureSlot(slot)) return false;
  if ((flags & r.FLAG_FIFO) && !(flags & (r.FLAG_MOVED | r.FLAG_REISSUES)) && sentMs + dedup.WINDOW_MS > nowMs) {
    if (!dedup.remember(queueNumber, p + groupKeyAt + 16, p + 88, sequence, sentMs + dedup.WINDOW_MS)) return false;
  }
  if (message.state(slot) != FREE && sequenceAt(slot) > sequence) return true;
  message.setPosition(slot, position, VISIBLE);
  message.setSent(slot, <u64>sentMs, size, brief);
  message.setQueue(slot, load<u32>(p, 40));
  slab.forgetLater(slot);
  if (!brief) {
    message.setReceives(slot, load<u32>(p, 80), (flags & r.FLAG_MOVED ? message.MOVED : 0) | reissuesOf(flags));
    message.setVisibleAtMs(slot, <u64>load<f64>(p, 56));
    const firstReceivedMs = load<f64>(p, 64);
    const receivedMs = load<f64>(p, 72);
    message.setFirstReceivedMs(slot, <u64>(firstReceivedMs != 0 ? firstReceivedMs : sentMs));
    message.setReceivedMs(slot, <u64>(receivedMs != 0 ? receivedMs : sentMs));
    message.setSource(slot, load<u32>(p, 84));
  }
  message.setNext(slot, queueNumber);
  setSequence(slot, sequence);
  message.clearTimer(slot);
  return enterGroup(slot, flags, p + groupKeyAt);
}

/** Gives a message the group that its record's flags and key tell of, if any. @returns false when memory is used up */
function enterGroup(slot: u32, flags: u32, key: usize): bool {
  const has = (flags & (r.FLAG_FIFO | r.FLAG_GROUP)) != 0;
  const g = has ? group.obtain(message.queue(slot), message.next(slot), key) : slab.NONE;
  if (g != message.group(slot)) message.setGroup(slot, g);
  return !has || g != slab.NONE;
}

/** What a record's flags say of moves by tasks, as a message's flags. */
function reissuesOf(flags: u32): u32 {
  return ((flags & r.FLAG_REISSUES) >> r.FLAG_REISSUES_SHIFT) << message.REISSUES_SHIFT;
}

/** The messages of a RUN, one by one. */
function run(p: usize, position: u64, size: u32): bool {
  const q = load<u32>(p, 24);
  const queueNumber = load<u32>(p, 28);
  const sentMs = load<f64>(p, 40);
  let sequence = load<u64>(p, 32);
  sawTime(sentMs);
  if (queueNumber > highestQueue) highestQueue = queueNumber;
  for (let offset: u32 = r.RUN_FIXED_BYTES; offset < size; sequence++) {
    const part = p + offset;
    const partBytes = ((load<u32>(part, 4) & 0xff_ffff) + 7) & ~7;
    const slot = load<u32>(part, 8);
    const step = load<u16>(part, 12);
    tail.sawSequence(sequence);
    if (step != 0 && producer != slab.NONE) dedup.setSequence(producer, producerLast + <u64>step);
    if (!slab.ensureSlot(slot)) return false;
    if (message.state(slot) == FREE || sequenceAt(slot) <= sequence) {
      slab.forgetLater(slot);
      message.begin(slot, position + offset, VISIBLE, <u64>sentMs, partBytes, true, q, <u32>sequence);
      message.setNext(slot, queueNumber);
      message.setPrev(slot, <u32>(sequence >> 32));
      message.clearTimer(slot);
    }
    offset += partBytes;
  }
  return true;
}

function apply(kind: u32, p: usize, position: u64, size: u32, groupKeyAt: u32, entryBytes: u32): bool {
  if (kind == r.SENT || kind == r.BRIEF) return sent(p, position, size, groupKeyAt, kind == r.BRIEF);
  if (kind == r.RUN) return run(p, position, size);
  if (kind == r.RECEIVED || kind == r.VISIBILITY || kind == r.ATTEMPT) {
    const atMs = load<f64>(p, 24);
    const visibleAtMs = load<f64>(p, 32);
    const rowCount = load<u32>(p, 40);
    sawTime(atMs);
    if (kind == r.ATTEMPT) {
      const end = p + 48 + rowCount * r.ROW_BYTES;
      const endsMs = load<f64>(end, 24);
      if (endsMs > nowMs) attempt.remember(load<u32>(end, 16), end, p + 48, rowCount, visibleAtMs, endsMs);
      if (load<u32>(p, 44) != 0) return true;
    }
    for (let i: u32 = 0; i < rowCount; i++) {
      const row = p + 48 + i * r.ROW_BYTES;
      const slot = match(row);
      const count = load<u32>(row, 8);
      if (slot == slab.NONE || count < message.receives(slot)) continue;
      if (kind != r.VISIBILITY) {
        if (message.receives(slot) == 0) message.setFirstReceivedMs(slot, <u64>atMs);
        message.setReceivedMs(slot, <u64>atMs);
        message.setReceives(slot, count, message.flags(slot));
      }
      message.setVisibleAtMs(slot, <u64>visibleAtMs);
    }
  } else if (kind == r.DELETED) {
    for (let i: u32 = 0; i < load<u32>(p, 24); i++) {
      const row = p + 32 + i * r.ROW_BYTES;
      const slot = load<u32>(row);
      if (slot == slab.NONE || slot >= slab.slotBound() || message.state(slot) == FREE) continue;
      // By its record, too: the move that gave it its last generation may be told further on, if at all.
      if (message.generation(slot) == load<u32>(row, 4) || message.position(slot) == load<u64>(row, 8)) message.setState(slot, FREE);
    }
  } else if (kind == r.STATE) {
    const slot = match(p + 24);
    if (slot != slab.NONE && (load<u32>(p, 36) != 0 || load<u32>(p, 32) >= message.receives(slot))) {
      message.setReceives(slot, load<u32>(p, 32), message.flags(slot));
      message.setVisibleAtMs(slot, <u64>load<f64>(p, 40));
      message.setReceivedMs(slot, <u64>load<f64>(p, 48));
      message.setFirstReceivedMs(slot, <u64>load<f64>(p, 56));
    }
  } else if (kind == r.MOVED) {
    const slot = load<u32>(p, 24);
    const sequence = load<u64>(p, 32);
    tail.sawSequence(sequence);
    if (slot >= slab.slotBound() || message.state(slot) == FREE || message.position(slot) != load<u64>(p, 56) || sequenceAt(slot) >= sequence) return true;
    const flags = load<u32>(p, 68);
    const from = message.queue(slot);
    if ((flags & r.FLAG_BY_TASK) && !(flags & r.FLAG_AGAIN) && from < queue.bound()) queue.count(from, queue.MOVED_COUNT, 1);
    message.setSentMs(slot, <u64>load<f64>(p, 48));
    sawTime(load<f64>(p, 48));
    message.setQueue(slot, load<u32>(p, 40));
    message.setNext(slot, load<u32>(p, 44));
    message.setSource(slot, load<u32>(p, 28));
    message.setReceives(slot, load<u32>(p, 64), (flags & r.FLAG_BY_TASK ? 0 : message.MOVED) | reissuesOf(flags));
    message.setVisibleAtMs(slot, <u64>load<f64>(p, 80));
    message.setFirstReceivedMs(slot, <u64>load<f64>(p, 72));
    message.setReceivedMs(slot, <u64>load<f64>(p, 88));
    setSequence(slot, sequence);
    return enterGroup(slot, flags, p + 96);
  } else if (kind == r.QUEUE) {
    const index = load<u32>(p, 24);
    const number = load<u32>(p, 28);
    if (number > highestQueue) highestQueue = number;
    if (!queue.ensure(index)) return false;
    if (number >= queue.number(index)) {
      store<u32>(queue.at(index), number);
      store<u64>(queue.at(index), position, 64);
      store<u32>(queue.at(index), size, 72);
      store<u32>(queue.at(index), 0, <usize>queue.MOVED_COUNT);
      notice(r.QUEUE, p, entryBytes);
    }
  } else if (kind == r.QUEUE_DROPPED) {
    const index = load<u32>(p, 24);
    if (!queue.ensure(index)) return false;
    if (load<u32>(p, 28) > highestQueue) highestQueue = load<u32>(p, 28);
    notice(r.QUEUE_DROPPED, p, entryBytes);
    if (queue.number(index) == load<u32>(p, 28)) memory.fill(queue.at(index), 0, queue.QUEUE_BYTES);
  } else if (kind == r.START) {
    tail.sawSequence(load<u64>(p, 24) - 1);
  } else if (kind == r.REMEMBERED) {
    producer = slab.NONE;
    if (load<f64>(p, 72) <= nowMs) return true;
    producerLast = load<u64>(p, 64);
    if (!dedup.remember(load<u32>(p, 28), p + 32, p + 48, producerLast, load<f64>(p, 72))) return false;
    producer = dedup.latest;
  }
  return true;
}

/** Whether a whole, valid record of `segment` is at `p`. @returns its size, 0 if not, 0xFFFFFFFF if it may go on past `left` */
export function valid(p: usize, left: u32, segment: u32): u32 {
  if (left < r.HEADER_BYTES) return 0xffff_ffff;
  const size = load<u32>(p, 4) & 0xff_ffff;
  if (load<u32>(p, 16) != segment || size < r.HEADER_BYTES || size > tail.RECORD_BYTES_MAX + 64) return 0;
  if (size > left) return 0xffff_ffff;
  if (load<u8>(p, 7) == r.RUN) return isWholeRun(p, size, segment) ? size : 0;
  return load<u32>(p) == crc32c(p + 4, size - 4, segments.seedOf(segment)) ? size : 0;
}

function isWholeRun(p: usize, size: u32, segment: u32): bool {
  if (!isRunHead(p, size, segment)) return false;
  let count: u32 = 0;
  let offset = r.RUN_FIXED_BYTES;
  while (offset < size) {
    const partBytes = validPart(p + offset, size - offset, segment);
    if (partBytes == 0 || partBytes == 0xffff_ffff) return false;
    offset += (partBytes + 7) & ~7;
    count++;
  }
  return offset == size && count == load<u32>(p, 48);
}

// @ts-ignore: decorator
@inline function isRunHead(p: usize, size: u32, segment: u32): bool {
  return size > r.RUN_FIXED_BYTES && load<u32>(p) == crc32c(p + 4, r.RUN_FIXED_BYTES - 4, segments.seedOf(segment));
}

/** As tail.partChecksum(), of a PART of any kind. */
function partChecksum(p: usize, size: u32, padded: u32, seed: u32): u32 {
  const kind = <u32>load<u8>(p, 7);
  if (kind == r.PART) return tail.partChecksum(p, padded, seed);
  if (kind == r.PART_XXH64) return <u32>xxh64(p + 8, padded - 8, tail.partSeed(p, seed));
  return crc32c(p + 4, size - 4, seed);
}

/** Whether a whole, valid PART of `segment` is at `p`. @returns as valid() */
export function validPart(p: usize, left: u32, segment: u32): u32 {
  if (left < r.PART_FIXED_BYTES) return 0xffff_ffff;
  const size = load<u32>(p, 4) & 0xff_ffff;
  if (!r.isPart(p) || size < r.PART_FIXED_BYTES || size > tail.RECORD_BYTES_MAX) return 0;
  const padded = (size + 7) & ~7;
  if (padded > left) return 0xffff_ffff;
  const seed = segments.partSeedOf(segment);
  return load<u32>(p) == partChecksum(p, size, padded, seed) ? size : 0;
}

/** As valid(), for who goes from message to message: a RUN is its head here, and its parts come after it. */
export function validStep(p: usize, left: u32, segment: u32): u32 {
  if (left < r.HEADER_BYTES) return 0xffff_ffff;
  if (r.isPart(p)) return validPart(p, left, segment);
  if (load<u8>(p, 7) != r.RUN) return valid(p, left, segment);
  if (left < r.RUN_FIXED_BYTES) return 0xffff_ffff;
  return load<u32>(p, 16) == segment && isRunHead(p, load<u32>(p, 4) & 0xff_ffff, segment) ? r.RUN_FIXED_BYTES : 0;
}

/** Applies the records in the input region, which begins at `position`. */
export function replay(inputBytes: u32, position: f64): u32 {
  let p = inputStart();
  const end = p + inputBytes;
  let place = <u64>position;
  const segment = segments.segmentOf(place);
  consumed = 0;
  noticeCount = 0;
  segments.add(segment);
  while (p < end) {
    const left = <u32>(end - p);
    const size = valid(p, left, segment);
    if (size == 0xffff_ffff) return MORE;
    if (size == 0) {
      const empty = load<u64>(p) == 0 && load<u64>(p, 8) == 0;
      return empty || (load<u32>(p, 16) != segment && load<u32>(p, 16) < segment) ? END : INVALID;
    }
    const number = load<u64>(p, 8);
    if (number <= lastNumber) return INVALID;
    const kind = <u32>load<u8>(p, 7);
    if (!apply(kind, p, place, (size + 7) & ~7, 120, size)) return NO_MEMORY;
    lastNumber = number;
    const padded = (size + 7) & ~7;
    consumed += padded;
    p += padded;
    place += padded;
    if (kind == r.SEAL) return SEALED;
  }
  return MORE;
}

/** A message as it was sent, in a slot that is there. @param record its size by 8, and whether it is BRIEF or a PART */
// @ts-ignore: decorator
@inline function plain(
  slot: u32, sequence: u64, position: u64, sentMs: u64, record: u32, q: u32, queueNumber: u32, delayMs: u32,
): void {
  if (message.state(slot) != FREE && sequenceAt(slot) > sequence) return;
  slab.forgetLater(slot);
  const isBrief = (record & message.BRIEF) != 0;
  message.begin(slot, position, VISIBLE, sentMs, (record & message.SIZE) << 3, isBrief, q, <u32>sequence);
  if (delayMs != 0) message.setVisibleAtMs(slot, sentMs + <u64>delayMs);
  message.setNext(slot, queueNumber);
  message.setPrev(slot, <u32>(sequence >> 32));
  message.clearTimer(slot);
}

/** The messages of a RUN, in an index: record.ts, SPAN. */
function span(p: usize): bool {
  const q = load<u32>(p, 24);
  const queueNumber = load<u32>(p, 28);
  const sentMs = load<f64>(p, 40);
  const step = load<u32>(p, 20);
  let slot = load<u32>(p, 52);
  let sequence = load<u64>(p, 32);
  let position = load<u64>(p, 8) + r.RUN_FIXED_BYTES;
  if (queueNumber > highestQueue) highestQueue = queueNumber;
  const end = p + r.SPAN_HEAD_BYTES + (<usize>load<u32>(p, 48) << 1);
  for (let row = p + r.SPAN_HEAD_BYTES; row < end; row += 2) {
    const size = <u32>load<u16>(row);
    if ((size & r.SPAN_GONE) == 0) {
      if (slot - 1 >= slab.slotBound() - 1 && !slab.ensureSlot(slot)) return false;
      plain(slot, sequence, position, <u64>sentMs, size | message.BRIEF, q, queueNumber, 0);
    }
    position += <u64>(size & r.SPAN_SIZE) << 3;
    sequence++;
    slot += step;
  }
  tail.sawSequence(sequence - 1);
  sawTime(sentMs);
  return true;
}

/** Messages as they were sent, in an index: record.ts, ROWS. */
function rows(p: usize, segment: u32): bool {
  const q = load<u32>(p, 24);
  const queueNumber = load<u32>(p, 28);
  const firstSequence = load<u64>(p, 32);
  const firstMs = <u64>load<f64>(p, 40);
  const start = <u64>segment * tail.segmentBytes;
  const end = p + r.ROWS_HEAD_BYTES + <usize>load<u32>(p, 48) * r.PLAIN_ROW_BYTES;
  if (queueNumber > highestQueue) highestQueue = queueNumber;
  let lastSequence: u64 = 0;
  let lastMs: u64 = 0;
  for (let row = p + r.ROWS_HEAD_BYTES; row < end; row += r.PLAIN_ROW_BYTES) {
    const slot = load<u32>(row);
    const sequence = firstSequence + <u64>load<u32>(row, 4);
    const sentMs = firstMs + <u64>load<u32>(row, 8);
    if (sequence > lastSequence) lastSequence = sequence;
    if (sentMs > lastMs) lastMs = sentMs;
    if (slot - 1 >= slab.slotBound() - 1 && !slab.ensureSlot(slot)) return false;
    plain(slot, sequence, start + (<u64>load<u32>(row, 16) << 3), sentMs, load<u32>(row, 20), q, queueNumber, load<u32>(row, 12));
  }
  tail.sawSequence(lastSequence);
  sawTime(<f64>lastMs);
  return true;
}

/** Applies index entries; the input region holds whole ones. @returns MORE or NO_MEMORY */
export function replayIndex(inputBytes: u32, segment: u32): u32 {
  let p = inputStart();
  const end = p + inputBytes;
  noticeCount = 0;
  segments.add(segment);
  while (p < end) {
    const size = load<u32>(p);
    const kind = load<u32>(p, 4);
    if (kind == r.SEAL) lastNumber = load<u64>(p, 24);
    else if (kind == r.ROWS) {
      if (!rows(p, segment)) return NO_MEMORY;
    }
    else if (kind == r.SPAN) {
      if (!span(p)) return NO_MEMORY;
    }
    else if (!apply(kind, p, load<u64>(p, 8), load<u32>(p, 16), 104, size)) return NO_MEMORY;
    p += size;
  }
  return MORE;
}

/** How far the log was on disk when a valid record later than all that was replayed was made, at most; -1: there is none. */
export function findLater(inputBytes: u32, position: f64): f64 {
  const start = inputStart();
  const segment = segments.segmentOf(<u64>position);
  let found: f64 = -1;
  for (let offset: u32 = 0; offset + r.HEADER_BYTES <= inputBytes; offset += 8) {
    const p = start + offset;
    if (load<u32>(p, 16) != segment || load<u64>(p, 8) <= lastNumber) continue;
    const size = valid(p, inputBytes - offset, segment);
    if (size == 0 || size == 0xffff_ffff) continue;
    const write = <f64>(<u64>segment * tail.segmentBytes + <u64>load<u32>(p, 20));
    if (write > found) found = write;
  }
  return found;
}

/** All records are in and every queue has its settings: restore.ts builds the lists. */
export function finish(startMs: f64, endPosition: f64): void {
  tail.startAt(<u64>endPosition);
  tail.setNextNumber(lastNumber + 1);
  restore.begin(<u64>startMs);
}
