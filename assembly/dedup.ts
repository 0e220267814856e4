// What was sent in the last five minutes, by the first 128 bits of the SHA-256 of its deduplication ID (and group, when
// that is the scope). Entries end in the order in which they began, so a list does for a clock.
//
//   cell: 0 sequence number (7 bytes) · 7 state · 8 key · 24 queue number · 28 table link · 32 message ID
//         48 list links · 56 expiresMs (f64)
import * as list from "./list";
import { reserve } from "./memory";
import { DEDUP } from "./state";
import { at, giveAux, NONE, takeAux } from "./slab";
import * as table from "./table";

export const WINDOW_MS: f64 = 300_000;

let entries: usize = 0;
let order: usize = 0; // list

export function open(): void {
  entries = table.open();
  order = reserve(8);
}

function forget(entry: u32): void {
  list.remove(order, entry);
  table.remove(entries, entry);
  giveAux(entry);
}

/** The entry for the key, unless its five minutes are over. */
export function find(queueNumber: u32, key: usize, nowMs: f64): u32 {
  const entry = table.find(entries, queueNumber, key);
  if (entry == NONE) return NONE;
  if (expiresMs(entry) > nowMs) return entry;
  forget(entry);
  return NONE;
}

// @ts-ignore: decorator
@inline export function sequence(entry: u32): u64 { return load<u64>(at(entry)) & 0x00ff_ffff_ffff_ffff; }
// @ts-ignore: decorator
@inline export function messageId(entry: u32): usize { return at(entry) + 32; }
// @ts-ignore: decorator
@inline export function expiresMs(entry: u32): f64 { return load<f64>(at(entry), 56); }

/** A producer has come further. */
export function setSequence(entry: u32, sequenceNumber: u64): void {
  store<u64>(at(entry), sequenceNumber | (<u64>DEDUP << 56));
}

/** The entry that was made last. */
export let latest: u32 = NONE;

/** @returns false when memory is used up */
export function remember(queueNumber: u32, key: usize, messageIdStart: usize, sequenceNumber: u64, expiresMs: f64): bool {
  const known = table.find(entries, queueNumber, key);
  if (known != NONE) forget(known);
  const entry = takeAux();
  if (entry == NONE) return false;
  const p = at(entry);
  store<u64>(p, sequenceNumber | (<u64>DEDUP << 56));
  memory.copy(p + 8, key, 16);
  store<u32>(p, queueNumber, 24);
  memory.copy(p + 32, messageIdStart, 16);
  store<f64>(p, expiresMs, 56);
  list.pushBack(order, entry);
  table.insert(entries, entry);
  latest = entry;
  return true;
}

/** Forgets at most `countMax` entries whose time is over. */
export function expire(nowMs: f64, countMax: u32): void {
  for (let i: u32 = 0; i < countMax; i++) {
    const entry = load<u32>(order);
    if (entry == NONE || expiresMs(entry) > nowMs) return;
    forget(entry);
  }
}
