// What of a sealed segment is still needed: for its index (bodies left out), or written again at the tail because the
// segment is about to be given up. The input region holds records of the segment from a record boundary on.
//
// Needed are: messages whose record this is; the state of receives and moves that no later record tells; moves and
// deletions of messages that are gone, while their own segment still exists; the newest settings of each queue; deduplication that outlives its message.
import * as attempt from "./attempt";
import * as dedup from "./dedup";
import * as journal from "./journal";
import * as lifecycle from "./lifecycle";
import { inputStart, outputStart } from "./memory";
import * as message from "./message";
import * as queue from "./queue";
import * as r from "./record";
import { valid, validPart } from "./replay";
import * as segments from "./segments";
import { FREE, PENDING } from "./state";
import * as slab from "./slab";
import * as tail from "./tail";
import * as group from "./group";

export let consumed: u32 = 0;
export let indexBytes: u32 = 0;
export let liveCount: u32 = 0; // of what went into index entries: live messages, and the newest records of queues
let rows: usize = 0; // the entry of rows that was written last, if nothing was written since
let indexing: bool = false;
let surveyed: u32 = 0; // segment

function current(row: usize): u32 {
  const slot = load<u32>(row);
  return slot != slab.NONE && slot < slab.slotBound() && message.state(slot) != FREE && message.generation(slot) == load<u32>(row, 4) ? slot : slab.NONE;
}

/** An entry with `bytes` bytes, head included; everything after the head is copied from the record. */
function entry(kind: u32, p: usize, position: u64, recordBytes: u32, bytes: u32): usize {
  rows = 0;
  const to = outputStart() + indexBytes;
  const padded = (bytes + 7) & ~7;
  store<u64>(to + padded - 8, 0);
  memory.copy(to + 24, p + 24, bytes - 24);
  store<u32>(to, padded);
  store<u32>(to, kind, 4);
  store<u64>(to, position, 8);
  store<u32>(to, recordBytes, 16);
  store<u32>(to, 0, 20);
  indexBytes += padded;
  return to;
}

/** What comes next is of `segment`: into index entries, or again at the tail. */
export function begin(segment: u32, forIndex: bool): void {
  surveyed = segment;
  indexing = forIndex;
  indexBytes = 0;
  liveCount = 0;
  rows = 0;
}

/** A SPAN, with all that is in it. */
export function copySpan(p: usize): void {
  copyEntry(p, load<u32>(p));
  liveCount += load<u32>(p, 48);
}

/** An entry as it stands. */
export function copyEntry(p: usize, bytes: u32): void {
  rows = 0;
  memory.copy(outputStart() + indexBytes, p, bytes);
  indexBytes += bytes;
}

/** A run of rows with the head of the one at `p`; rows follow, one by one. */
export function beginRows(p: usize): void {
  rows = outputStart() + indexBytes;
  memory.copy(rows, p, r.ROWS_HEAD_BYTES);
  store<u32>(rows, 0, 48);
}

export function copyRow(row: usize): void {
  const count = load<u32>(rows, 48);
  memory.copy(rows + r.ROWS_HEAD_BYTES + count * r.PLAIN_ROW_BYTES, row, r.PLAIN_ROW_BYTES);
  store<u32>(rows, count + 1, 48);
}

/** Without rows there is no run. */
export function endRows(): void {
  const count = load<u32>(rows, 48);
  const size = r.ROWS_HEAD_BYTES + count * r.PLAIN_ROW_BYTES;
  store<u32>(rows, size);
  if (count > 0) indexBytes += size;
  rows = 0; // the next row has offsets of its own
}

/** Takes the message into the run of plain ones if it belongs there. @returns false when it needs an entry of its own */
function row(p: usize, position: u64, size: u32): bool {
  // Flags, a first and a last receive, receives and a source: it has none of them. How far it took its producer an entry
  // of its own tells.
  if ((load<u32>(p, 28) & ~r.STEP) != 0 || (load<u64>(p, 64) | load<u64>(p, 72) | load<u64>(p, 80)) != 0) return false;
  const visibleAtMs = load<f64>(p, 56);
  const delayMs = visibleAtMs == 0 ? 0 : visibleAtMs - load<f64>(p, 48);
  if (delayMs < 0 || delayMs > <f64>u32.MAX_VALUE) return false;
  putRow(load<u64>(p, 40), load<u32>(p, 24), load<u64>(p, 32), load<f64>(p, 48), position, (size + 7) >> 3, <u32>delayMs);
  return true;
}

/** @param home index and number of the queue @param record its size by 8, and whether it is BRIEF or a PART */
function putRow(home: u64, slot: u32, sequence: u64, sentMs: f64, position: u64, record: u32, delayMs: u32): void {
  const follows = rows != 0 && home == load<u64>(rows, 24)
    && sequence >= load<u64>(rows, 32) && sequence - load<u64>(rows, 32) <= <u64>u32.MAX_VALUE
    && sentMs >= load<f64>(rows, 40) && sentMs - load<f64>(rows, 40) <= <f64>u32.MAX_VALUE;
  if (!follows) {
    rows = outputStart() + indexBytes;
    memory.fill(rows, 0, r.ROWS_HEAD_BYTES);
    store<u32>(rows, r.ROWS_HEAD_BYTES);
    store<u32>(rows, r.ROWS, 4);
    store<u64>(rows, position, 8);
    store<u64>(rows, home, 24);
    store<u64>(rows, sequence, 32);
    store<f64>(rows, sentMs, 40);
    indexBytes += r.ROWS_HEAD_BYTES;
  }
  const to = outputStart() + indexBytes;
  store<u32>(to, slot);
  store<u32>(to, <u32>(sequence - load<u64>(rows, 32)), 4);
  store<u32>(to, <u32>(sentMs - load<f64>(rows, 40)), 8);
  store<u32>(to, delayMs, 12);
  store<u32>(to, <u32>(position % tail.segmentBytes) >> 3, 16);
  store<u32>(to, record, 20);
  store<u32>(rows, load<u32>(rows) + r.PLAIN_ROW_BYTES);
  store<u32>(rows, load<u32>(rows, 48) + 1, 48);
  indexBytes += r.PLAIN_ROW_BYTES;
}

/**
 * The message's record again, with its state as it is now; a BRIEF one stays so if there still is nothing to add. A PART is a
 * SENT one (`kind` is PART for any of the three): what message.payloadBytes() says of it stays the same.
 */
function rewrite(slot: u32, p: usize, sizeBefore: u32, kind: u32): void {
  const visibleAtMs = lifecycle.loggedVisibleAtMs(slot);
  const receives = message.receives(slot);
  const isBrief = kind == r.BRIEF && receives == 0 && message.flags(slot) == 0 && visibleAtMs <= message.sentMs(slot);
  const fixedBefore = kind == r.SENT ? r.SENT_FIXED_BYTES : kind == r.BRIEF ? r.BRIEF_FIXED_BYTES : r.PART_FIXED_BYTES;
  const fixedBytes = isBrief ? r.BRIEF_FIXED_BYTES : r.SENT_FIXED_BYTES;
  const contentBytes = sizeBefore - fixedBefore;
  const size = fixedBytes + contentBytes;
  const to = tail.begin(size);
  const q = message.queue(slot);
  memory.copy(to + fixedBytes, p + fixedBefore, contentBytes);
  const sizes = to + fixedBytes - 16;
  if (kind == r.PART) {
    const senderBytes = <u32>load<u16>(p, 14);
    store<u64>(sizes, <u64>(contentBytes - senderBytes));
    store<u64>(sizes, <u64>senderBytes << 32, 8);
  } else memory.copy(sizes, p + fixedBefore - 16, 16);
  let kept: u32 = 0; // of its flags
  if (kind == r.SENT) {
    memory.copy(to + 24, p + 24, r.SENT_FIXED_BYTES - 16 - 24);
    kept = load<u32>(p, 28) & (r.FLAG_FIFO | r.FLAG_GROUP | r.FLAG_KEYED | r.FLAG_SEALED);
  } else {
    const id = to + (isBrief ? <usize>r.BRIEF_ID : 88);
    memory.copy(id, p + (kind == r.BRIEF ? <usize>r.BRIEF_ID : 16), 16);
    if (!isBrief) memory.fill(id + 16, 0, 48);
  }
  store<u32>(to, slot, 24);
  const moved = message.flags(slot) & message.MOVED ? r.FLAG_MOVED : 0;
  store<u32>(to, kept | moved | (message.reissues(slot) << r.FLAG_REISSUES_SHIFT), 28);
  store<u64>(to, lifecycle.sequenceOf(slot), 32);
  store<u32>(to, q, 40);
  store<u32>(to, queue.number(q), 44);
  store<f64>(to, <f64>message.sentMs(slot), 48);
  if (!isBrief) {
    store<f64>(to, <f64>visibleAtMs, 56);
    store<f64>(to, receives > 0 ? <f64>message.firstReceivedMs(slot) : 0, 64);
    store<f64>(to, receives > 0 ? <f64>message.receivedMs(slot) : 0, 72);
    store<u32>(to, receives, 80);
    store<u32>(to, message.source(slot), 84);
  }
  segments.count(message.position(slot), message.recordBytes(slot), -1);
  const position = tail.finish(size, isBrief ? r.BRIEF : r.SENT);
  if (kind != r.SENT && !isBrief) message.setRecord(slot, size);
  message.setPosition(slot, position, message.state(slot));
  segments.count(position, message.recordBytes(slot), 1);
}

/** Whether the record at `position` still is the one of the message in `slot`. */
export function lives(slot: u32, position: u64): bool {
  return slot < slab.slotBound() && message.state(slot) > PENDING && message.position(slot) == position && !queue.isDead(message.queue(slot));
}

function brief(p: usize, position: u64, size: u32): void {
  const slot = load<u32>(p, 24);
  if (!lives(slot, position)) return;
  liveCount++;
  if (indexing) putRow(load<u64>(p, 40), slot, load<u64>(p, 32), load<f64>(p, 48), position, ((size + 7) >> 3) | message.BRIEF, 0);
  else rewrite(slot, p, size, r.BRIEF);
}

function run(p: usize, position: u64, size: u32): void {
  const home = load<u64>(p, 24);
  const sentMs = load<f64>(p, 40);
  let sequence = load<u64>(p, 32);
  for (let offset: u32 = r.RUN_FIXED_BYTES; offset < size; sequence++) {
    const part = p + offset;
    const partBytes = load<u32>(part, 4) & 0xff_ffff;
    const slot = load<u32>(part, 8);
    if (lives(slot, position + offset)) {
      liveCount++;
      if (indexing) putRow(home, slot, sequence, sentMs, position + offset, ((partBytes + 7) >> 3) | message.BRIEF, 0);
      else rewrite(slot, part, partBytes, r.PART);
    }
    offset += (partBytes + 7) & ~7;
  }
}

function sent(p: usize, position: u64, size: u32): void {
  const slot = load<u32>(p, 24);
  const flags = load<u32>(p, 28);
  const fifo = (flags & r.FLAG_FIFO) != 0;
  if (lives(slot, position)) {
    liveCount++;
    if (!indexing) rewrite(slot, p, size, r.SENT);
    else if (!row(p, position, size)) {
      const grouped = fifo ? r.ENTRY_SENT_FIFO_BYTES : flags & r.FLAG_GROUP ? r.ENTRY_SENT_GROUP_BYTES : r.ENTRY_SENT_BYTES;
      const to = entry(r.SENT, p, position, (size + 7) & ~7, grouped);
      store<u32>(to, flags & ~r.STEP, 28);
      if (grouped > r.ENTRY_SENT_BYTES) {
        memory.copy(to + 88, p + 88, 16);
        memory.copy(to + 104, p + 120, grouped - 104);
      }
    }
    // A move changes the sequence number, and with it the entry's: it is remembered by itself.
    if (!fifo || !message.hasMoved(slot)) return;
  }
  if (!fifo) return;
  const known = dedup.find(load<u32>(p, 44), p + 136, 0);
  if (known == slab.NONE || dedup.sequence(known) != load<u64>(p, 32)) return;
  remembered(p, known, position);
}

/** How far the key of `known` has come, instead of the record or entry at `p`. */
export function remembered(p: usize, known: u32, position: u64): void {
  const cell = slab.at(known);
  let to: usize;
  if (indexing) {
    rows = 0;
    to = outputStart() + indexBytes;
    store<u32>(to, 80);
    store<u32>(to, r.REMEMBERED, 4);
    store<u64>(to, position, 8);
    store<u64>(to, 0, 16);
    indexBytes += 80;
  } else to = tail.begin(80);
  store<u32>(to, 0, 24);
  store<u32>(to, load<u32>(cell, 24), 28);
  memory.copy(to + 32, cell + 8, 16);
  memory.copy(to + 48, cell + 32, 16);
  store<u64>(to, dedup.sequence(known), 64);
  store<f64>(to, dedup.expiresMs(known), 72);
  if (!indexing) tail.finish(80, r.REMEMBERED);
}

/** The attempt that this is the newest record of, NONE: it has another, or is over. */
function attemptOf(p: usize, rowCount: u32): u32 {
  const end = p + 48 + rowCount * r.ROW_BYTES;
  const known = attempt.find(load<u32>(end, 16), end, 0);
  const isNewest = known != slab.NONE && attempt.expiresMs(known) == load<f64>(end, 24)
    && attempt.visibleAtMs(known) == load<f64>(p, 32);
  return isNewest ? known : slab.NONE;
}

function received(kind: u32, p: usize, position: u64, size: u32): void {
  const count = load<u32>(p, 40);
  const known = kind == r.ATTEMPT ? attemptOf(p, count) : slab.NONE;
  let needed = known != slab.NONE;
  if (needed && !indexing) journal.attempted(known);
  if (kind == r.ATTEMPT && load<u32>(p, 44) != 0) {
    if (needed && indexing) entry(kind, p, position, size, size);
    return;
  }
  for (let i: u32 = 0; i < count; i++) {
    const row = p + 48 + i * r.ROW_BYTES;
    const slot = current(row);
    if (slot == slab.NONE || message.receives(slot) != load<u32>(row, 8)) continue;
    needed = true;
    if (!indexing && segments.segmentOf(message.position(slot)) != surveyed) journal.state(slot);
  }
  if (indexing && needed) entry(kind, p, position, size, size);
}

function deleted(p: usize, position: u64, size: u32): void {
  const count = load<u32>(p, 24);
  let needed: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const home = segments.segmentOf(load<u64>(p + 32 + i * r.ROW_BYTES, 8));
    if (home != surveyed && segments.exists(home)) needed++;
  }
  if (needed == 0) return;
  if (indexing) {
    entry(r.DELETED, p, position, size, size);
    return;
  }
  journal.beginDeleted(needed);
  for (let i: u32 = 0; i < count; i++) {
    const row = p + 32 + i * r.ROW_BYTES;
    const home = segments.segmentOf(load<u64>(row, 8));
    if (home != surveyed && segments.exists(home)) journal.deleted(load<u32>(row), load<u32>(row, 4), load<u64>(row, 8));
  }
  journal.endDeleted();
}

/** A move is told as long as the message's record is there, or the message would come back where it was before. */
function moved(p: usize, position: u64, size: u32): void {
  const slot = load<u32>(p, 24);
  const from = load<u64>(p, 56);
  const home = segments.segmentOf(from);
  const lives = slot < slab.slotBound() && message.state(slot) != FREE && message.position(slot) == from;
  if (lives && message.generation(slot) != <u32>load<u64>(p, 32)) return; // it has moved on since
  if (!lives && (home == surveyed || !segments.exists(home))) return;
  if (indexing) entry(r.MOVED, p, position, size, size);
  else if (!lives) {
    const to = tail.begin(size);
    memory.copy(to + 24, p + 24, size - 24);
    store<u32>(to, load<u32>(p, 68) | r.FLAG_AGAIN, 68);
    tail.finish(size, r.MOVED);
  } else if (home != surveyed) {
    const g = message.group(slot);
    journal.moved(slot, lifecycle.sequenceOf(slot), g != slab.NONE ? group.key(g) : 0, true);
    journal.state(slot);
  }
}

/** What is needed of a record, or of an index entry that is no message's. */
export function keep(kind: u32, p: usize, position: u64, size: u32): void {
  if (kind == r.RUN) run(p, position, size);
  else if (kind == r.BRIEF) brief(p, position, size);
  else if (kind == r.SENT) sent(p, position, size);
  else if (kind == r.RECEIVED || kind == r.VISIBILITY || kind == r.ATTEMPT) received(kind, p, position, size);
  else if (kind == r.DELETED) deleted(p, position, size);
  else if (kind == r.STATE) {
    const slot = current(p + 24);
    if (slot == slab.NONE || message.receives(slot) != load<u32>(p, 32)) return;
    if (indexing) entry(kind, p, position, size, size);
    else if (segments.segmentOf(message.position(slot)) != surveyed) journal.state(slot);
  } else if (kind == r.MOVED) {
    moved(p, position, size);
  } else if (kind == r.QUEUE) {
    const index = load<u32>(p, 24);
    if (index >= queue.bound() || queue.number(index) != load<u32>(p, 28) || load<u64>(queue.at(index), 64) != position) return;
    liveCount++;
    if (indexing) entry(kind, p, position, (size + 7) & ~7, size);
    else queue.setConfig(index, journal.queueSettings(index, p + 40, load<u32>(p, 32)), size);
  } else if (kind == r.QUEUE_DROPPED) {
    const home = segments.segmentOf(load<u64>(p, 32));
    if (home == surveyed || !segments.exists(home)) return;
    if (indexing) entry(kind, p, position, size, size);
    else journal.queueDropped(load<u32>(p, 24), load<u32>(p, 28), load<u64>(p, 32));
  } else if (kind == r.REMEMBERED) {
    const known = dedup.find(load<u32>(p, 28), p + 32, 0);
    // The newest of its key: a producer may have come further by now, which the messages behind this record tell.
    if (known != slab.NONE && dedup.expiresMs(known) == load<f64>(p, 72)) remembered(p, known, position);
  }
}

/** An index says which record number its segment ended with. */
export function lastNumber(number: u64): void {
  const to = outputStart() + indexBytes;
  memory.fill(to, 0, 32);
  store<u32>(to, 32);
  store<u32>(to, r.SEAL, 4);
  store<u64>(to, number, 24);
  indexBytes += 32;
}

/** A PART that was read by itself, of a message that must be written again. */
function part(p: usize, position: u64, size: u32): void {
  const slot = load<u32>(p, 8);
  if (lives(slot, position)) rewrite(slot, p, size, r.PART);
}

/** Goes through records, or a PART that is written again; what was read is in `consumed`. @returns 0: go on behind it, 1: the segment ends here, 2: not a record, 3: the tail is full */
export function survey(inputBytes: u32, position: f64, forIndex: bool): u32 {
  let p = inputStart();
  const end = p + inputBytes;
  let place = <u64>position;
  begin(segments.segmentOf(place), forIndex);
  consumed = 0;
  while (p < end) {
    const isPartAlone = r.isPart(p) && !forIndex;
    const size = isPartAlone ? validPart(p, <u32>(end - p), surveyed) : valid(p, <u32>(end - p), surveyed);
    if (size == 0xffff_ffff) return 0;
    if (size == 0) return 2;
    const kind = <u32>load<u8>(p, 7);
    if (kind != r.SEAL && kind != r.MARK) {
      // What is written again is hardly larger than what was read, but for the states of a record's rows.
      if (!forIndex && !tail.hasRoom(size * 5 + 256)) return 3;
      if (isPartAlone) part(p, place, size);
      else keep(kind, p, place, size);
    }
    const padded = (size + 7) & ~7;
    p += padded;
    place += padded;
    consumed += padded;
    if (kind == r.SEAL) {
      if (forIndex) lastNumber(load<u64>(p - padded, 8));
      return 1;
    }
  }
  return 0;
}
