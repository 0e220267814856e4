// Events into records. Layouts: record.ts. Every caller has made sure of room in the tail beforehand.
import * as attempt from "./attempt";
import * as lifecycle from "./lifecycle";
import * as message from "./message";
import * as queue from "./queue";
import * as r from "./record";
import * as tail from "./tail";

let rowsStart: usize = 0; // the record being filled with rows
let rowCount: u32 = 0;
let rowsHead: u32 = 0; // bytes before the first row

/** Opens a record of rows; `countMax` rows at most will follow, and `endBytes` behind them. */
function beginRows(headBytes: u32, countMax: u32, endBytes: u32): void {
  rowsStart = tail.begin(headBytes + countMax * r.ROW_BYTES + endBytes);
  rowCount = 0;
  rowsHead = headBytes;
}

export function nextRow(): usize {
  return rowsStart + rowsHead + r.ROW_BYTES * rowCount++;
}

/** Writes the rows so far; none, and nothing is written. */
function endRows(kind: u32): void {
  if (rowCount > 0) tail.finish(rowsHead + rowCount * r.ROW_BYTES, kind);
}

const RECEIVED_HEAD: u32 = 48;
const DELETED_HEAD: u32 = 32;

export function beginReceived(nowMs: f64, visibleAtMs: f64, countMax: u32): void {
  beginRows(RECEIVED_HEAD, countMax, r.ATTEMPT_BYTES);
  store<f64>(rowsStart, nowMs, 24);
  store<f64>(rowsStart, visibleAtMs, 32);
}

export function received(slot: u32): void {
  const row = nextRow();
  store<u32>(row, slot);
  store<u32>(row, message.generation(slot), 4);
  store<u32>(row, message.receives(slot), 8);
  store<u32>(row, 0, 12);
}

export function endReceived(kind: u32): void {
  store<u32>(rowsStart, rowCount, 40);
  store<u32>(rowsStart, 0, 44);
  endRows(kind);
}

/** The open record of a receive is one that a retry with the key's attempt ID may repeat until `expiresMs`. @returns its rows */
export function endAttempt(key: usize, queueNumber: u32, expiresMs: f64, tellsNothingNew: bool): usize {
  const rows = rowsStart + RECEIVED_HEAD;
  const end = rows + rowCount * r.ROW_BYTES;
  store<u32>(rowsStart, rowCount, 40);
  store<u32>(rowsStart, tellsNothingNew ? 1 : 0, 44);
  memory.copy(end, key, 16);
  store<u32>(end, queueNumber, 16);
  store<u32>(end, 0, 20);
  store<f64>(end, expiresMs, 24);
  tail.finish(RECEIVED_HEAD + rowCount * r.ROW_BYTES + r.ATTEMPT_BYTES, r.ATTEMPT);
  return rows;
}

/** An attempt that is remembered, again: its record's segment is about to be given up. */
export function attempted(cell: u32): void {
  const count = attempt.messageCount(cell);
  beginReceived(attempt.expiresMs(cell) - attempt.WINDOW_MS, attempt.visibleAtMs(cell), count);
  attempt.copyRows(cell, rowsStart + RECEIVED_HEAD);
  rowCount = count;
  endAttempt(attempt.key(cell), attempt.queueNumber(cell), attempt.expiresMs(cell), true);
}

export function beginDeleted(countMax: u32): void {
  beginRows(DELETED_HEAD, countMax, 0);
}

export function deleted(slot: u32, generation: u32, position: u64): void {
  const row = nextRow();
  store<u32>(row, slot);
  store<u32>(row, generation, 4);
  store<u64>(row, position, 8);
}

export function endDeleted(): void {
  store<u32>(rowsStart, rowCount, 24);
  store<u32>(rowsStart, 0, 28);
  endRows(r.DELETED);
}

export function deletedCount(): u32 { return rowCount; }

/** The message as it is now, where its record stays what it was when it was sent. */
export function state(slot: u32): void {
  const p = tail.begin(64);
  store<u32>(p, slot, 24);
  store<u32>(p, message.generation(slot), 28);
  store<u32>(p, message.receives(slot), 32);
  store<u32>(p, 1, 36);
  store<f64>(p, <f64>lifecycle.loggedVisibleAtMs(slot), 40);
  store<f64>(p, <f64>message.receivedMs(slot), 48);
  store<f64>(p, <f64>message.firstReceivedMs(slot), 56);
  tail.finish(64, r.STATE);
}

/** The message is in another queue now. `key` is its group's, 0: it has none; `again`: a record told so before. */
export function moved(slot: u32, sequence: u64, key: usize, again: bool): void {
  const p = tail.begin(r.MOVED_BYTES);
  const to = message.queue(slot);
  store<u32>(p, slot, 24);
  store<u32>(p, message.source(slot), 28);
  store<u64>(p, sequence, 32);
  store<u32>(p, to, 40);
  store<u32>(p, queue.number(to), 44);
  store<f64>(p, <f64>message.sentMs(slot), 48);
  store<u64>(p, message.position(slot), 56);
  store<u32>(p, message.receives(slot), 64);
  const redriven = (message.flags(slot) & message.MOVED) != 0;
  const grouped = queue.isFifo(to) ? r.FLAG_FIFO : key != 0 ? r.FLAG_GROUP : 0;
  const flags = grouped | (redriven ? 0 : r.FLAG_BY_TASK) | (again ? r.FLAG_AGAIN : 0);
  store<u32>(p, flags | (message.reissues(slot) << r.FLAG_REISSUES_SHIFT), 68);
  store<f64>(p, <f64>message.firstReceivedMs(slot), 72);
  store<f64>(p, <f64>lifecycle.loggedVisibleAtMs(slot), 80);
  store<f64>(p, <f64>message.receivedMs(slot), 88);
  if (key != 0) memory.copy(p + 96, key, 16);
  else memory.fill(p + 96, 0, 16);
  tail.finish(r.MOVED_BYTES, r.MOVED);
}

/** A queue's settings, as the host has them. @returns the record's position */
export function queueSettings(index: u32, payload: usize, payloadBytes: u32): u64 {
  const size = 40 + payloadBytes;
  const p = tail.begin(size);
  store<u32>(p, index, 24);
  store<u32>(p, queue.number(index), 28);
  store<u32>(p, payloadBytes, 32);
  store<u32>(p, 0, 36);
  memory.copy(p + 40, payload, payloadBytes);
  return tail.finish(size, r.QUEUE);
}

export function queueDropped(index: u32, number: u32, configPosition: u64): void {
  const p = tail.begin(40);
  store<u32>(p, index, 24);
  store<u32>(p, number, 28);
  store<u64>(p, configPosition, 32);
  tail.finish(40, r.QUEUE_DROPPED);
}

/** How far a producer's numbers have come on a queue. */
export function remembered(queueNumber: u32, key: usize, last: u64, expiresMs: f64): void {
  const p = tail.begin(r.REMEMBERED_BYTES);
  store<u32>(p, 0, 24);
  store<u32>(p, queueNumber, 28);
  memory.copy(p + 32, key, 16);
  memory.fill(p + 48, 0, 16);
  store<u64>(p, last, 64);
  store<f64>(p, expiresMs, 72);
  tail.finish(r.REMEMBERED_BYTES, r.REMEMBERED);
}

export function mark(): void {
  tail.begin(r.HEADER_BYTES);
  tail.finish(r.HEADER_BYTES, r.MARK);
}

/** At most `bytesMax` bytes of nothing; no more than the segment has room for. @returns false when it is full */
export function fill(bytesMax: u32): bool {
  const room = <u32>tail.segmentRoom();
  if (room < 2 * r.HEADER_BYTES) return false;
  nothing(min(bytesMax, room - r.HEADER_BYTES) & ~7); // a SEAL must still fit behind it
  return true;
}

/** Nothing, to the end of the block of `blockBytes` that the log ends in, or of the next one, if the segment has room for that. */
export function endBlock(blockBytes: u32): void {
  let size = blockBytes - <u32>(tail.head % <u64>blockBytes);
  if (size == blockBytes) return;
  if (size < r.HEADER_BYTES) size += blockBytes;
  if (tail.hasRoom(size) && tail.fitsSegment(size)) nothing(size);
}

function nothing(size: u32): void {
  const p = tail.begin(size);
  memory.fill(p + r.HEADER_BYTES, 0, size - r.HEADER_BYTES);
  tail.finish(size, r.MARK);
}
