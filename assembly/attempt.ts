// What receives with an attempt ID handed out in the last five minutes: a retry with the same ID gets the same messages
// with the same receipt handles, as long as nobody has touched one of them. One that was taken back has no messages, and a
// retry of it is a receive like any other. Kept by the first 128 bits of the SHA-256 of
// the ID; entries end in the order in which they began, so a list does for a clock.
//
//   cell: 0 first of its further cells, 0: none · 4 message count (1) · 5 1: repeated (1) · 7 state · 8 key · 24 queue number · 28 table link
//         32 first row · 44 ms from the window's start to visibleAt · 48 list links · 56 expiresMs (f64)
//   further cell: 0 the next one · 7 state · 8 four rows
//   row:  0 slot · 4 generation · 8 receive count
//
// One message costs 64 bytes, ten cost 256: not more than deduplication remembers of them for as long.
import * as list from "./list";
import { reserve } from "./memory";
import * as message from "./message";
import * as queue from "./queue";
import * as sha256 from "./sha256";
import { ATTEMPT, ATTEMPT_ROWS, IN_FLIGHT } from "./state";
import { at, giveAux, NONE, slotBound, takeAux } from "./slab";
import * as table from "./table";

export const WINDOW_MS: f64 = 300_000;
const ROW_BYTES: usize = 12;
const FURTHER_ROWS: u32 = 4;

let attempts: usize = 0;
let order: usize = 0; // list
const KEY: usize = memory.data(16);

export function open(): void {
  attempts = table.open();
  order = reserve(8);
}

/** The key of an attempt ID; good until the next one is asked for. */
export function keyOf(idStart: usize, idBytes: u32): usize {
  sha256.begin();
  sha256.update(idStart, idBytes);
  sha256.end(KEY, 16);
  return KEY;
}

// @ts-ignore: decorator
@inline export function key(attempt: u32): usize { return at(attempt) + 8; }
// @ts-ignore: decorator
@inline export function queueNumber(attempt: u32): u32 { return load<u32>(at(attempt), 24); }
// @ts-ignore: decorator
@inline export function messageCount(attempt: u32): u32 { return <u32>load<u8>(at(attempt), 4); }
// @ts-ignore: decorator
@inline export function expiresMs(attempt: u32): f64 { return load<f64>(at(attempt), 56); }
// @ts-ignore: decorator
@inline export function visibleAtMs(attempt: u32): f64 { return expiresMs(attempt) - WINDOW_MS + <f64>load<u32>(at(attempt), 44); }
/** A retry has been handed its messages: what becomes of the first receive says nothing of them any more. */
// @ts-ignore: decorator
@inline export function setRepeated(attempt: u32): void { store<u8>(at(attempt), 1, 5); }
// @ts-ignore: decorator
@inline export function isRepeated(attempt: u32): bool { return load<u8>(at(attempt), 5) != 0; }
/** The messages are hidden until then from now on. */
export function setVisibleAtMs(attempt: u32, ms: f64): void {
  store<u32>(at(attempt), <u32>(ms - expiresMs(attempt) + WINDOW_MS), 44);
}

function forget(attempt: u32): void {
  let further = load<u32>(at(attempt));
  while (further != NONE) {
    const next = load<u32>(at(further));
    giveAux(further);
    further = next;
  }
  list.remove(order, attempt);
  table.remove(attempts, attempt);
  giveAux(attempt);
}

/** The attempt with this key, unless its five minutes are over. */
export function find(number: u32, keyStart: usize, nowMs: f64): u32 {
  const attempt = table.find(attempts, number, keyStart);
  if (attempt == NONE) return NONE;
  if (expiresMs(attempt) > nowMs) return attempt;
  forget(attempt);
  return NONE;
}

/**
 * Keeps `count` rows of a record (record.ts: slot, generation, receive count, 16 bytes each).
 * @returns false when memory is used up: then a retry is a receive like any other
 */
export function remember(number: u32, keyStart: usize, rows: usize, count: u32, hiddenUntilMs: f64, endsMs: f64): bool {
  const known = table.find(attempts, number, keyStart);
  if (known != NONE) forget(known);
  const attempt = takeAux();
  if (attempt == NONE) return false;
  const p = at(attempt);
  store<u8>(p, <u8>count, 4);
  store<u8>(p, 0, 5);
  store<u8>(p, ATTEMPT, 7);
  memory.copy(p + 8, keyStart, 16);
  store<u32>(p, number, 24);
  store<f64>(p, endsMs, 56);
  setVisibleAtMs(attempt, hiddenUntilMs);
  list.pushBack(order, attempt);
  table.insert(attempts, attempt);
  let link = p;
  let to = p + 32;
  for (let i: u32 = 0; i < count; i++) {
    if (i > 0 && (i - 1) % FURTHER_ROWS == 0) {
      const further = takeAux();
      if (further == NONE) {
        forget(attempt);
        return false;
      }
      store<u32>(link, further);
      link = at(further);
      store<u8>(link, ATTEMPT_ROWS, 7);
      to = link + 8;
    }
    memory.copy(to, rows + <usize>i * 16, ROW_BYTES);
    to += ROW_BYTES;
  }
  return true;
}

/** Writes the attempt's rows as a record has them. */
export function copyRows(attempt: u32, to: usize): void {
  const count = messageCount(attempt);
  let cell = at(attempt);
  let row = cell + 32;
  for (let i: u32 = 0; i < count; i++) {
    if (i > 0 && (i - 1) % FURTHER_ROWS == 0) {
      cell = at(load<u32>(cell));
      row = cell + 8;
    }
    memory.copy(to, row, ROW_BYTES);
    store<u32>(to, 0, 12);
    row += ROW_BYTES;
    to += 16;
  }
}

/** Whether the message of a record's row is as the receive left it: in flight, for as long, received by nobody since. */
function isUntouched(row: usize, q: u32, hiddenUntilMs: u64, nowMs: u64): bool {
  const slot = load<u32>(row);
  return slot < slotBound() && message.state(slot) == IN_FLIGHT && message.generation(slot) == load<u32>(row, 4)
    && message.receives(slot) == load<u32>(row, 8) && message.queue(slot) == q
    && message.visibleAtMs(slot) == hiddenUntilMs && hiddenUntilMs > nowMs
    && message.sentMs(slot) + queue.retentionMs(q) > nowMs;
}

/** Writes the attempt's rows as a record has them. @returns whether all of its messages are as it left them */
export function untouchedRows(attempt: u32, q: u32, nowMs: u64, to: usize): bool {
  copyRows(attempt, to);
  const hiddenUntilMs = <u64>visibleAtMs(attempt);
  for (let i: u32 = 0; i < messageCount(attempt); i++) {
    if (!isUntouched(to + <usize>i * 16, q, hiddenUntilMs, nowMs)) return false;
  }
  return true;
}

/** Forgets at most `countMax` attempts whose time is over. */
export function expire(nowMs: f64, countMax: u32): void {
  for (let i: u32 = 0; i < countMax; i++) {
    const attempt = load<u32>(order);
    if (attempt == NONE || expiresMs(attempt) > nowMs) return;
    forget(attempt);
  }
}
