// Which subscription has a message that is in flight, and as which delivery: 8 bytes a slot, in blocks for as many slots
// as a slab's chunk has, and only where something has been streamed.
//
//   entry: 0 the subscription's cell, NONE   4 low 31 bits of the delivery number; the highest: its deadline has been set
//          since it was delivered, and is in the log as it is
import * as blocks from "./blocks";
import { reserve } from "./memory";
import { NONE } from "./slab";

const BLOCK_SLOTS: u32 = 1 << 14;
const BLOCK_BYTES: u32 = BLOCK_SLOTS * 8;
const DIRECTORY_COUNT: u32 = 1 << 13; // for all 2^27 slots
export const DELIVERY_MASK: u32 = 0x7fff_ffff;
const DATED: u32 = 0x8000_0000;

let directory: usize = 0;

export function open(): void {
  directory = reserve(DIRECTORY_COUNT * 4);
}

// @ts-ignore: decorator
@inline function entry(slot: u32): usize {
  const block = <usize>load<u32>(directory + ((<usize>slot >> 14) << 2));
  return block == 0 ? 0 : block + ((<usize>slot & (BLOCK_SLOTS - 1)) << 3);
}

/** The subscription that has the message, NONE. */
// @ts-ignore: decorator
@inline export function find(slot: u32): u32 {
  const p = entry(slot);
  return p == 0 ? NONE : load<u32>(p);
}

// @ts-ignore: decorator
@inline export function delivery(slot: u32): u32 { return load<u32>(entry(slot), 4) & DELIVERY_MASK; }

/** Of a message that a subscription has: whether its deadline has been set since. */
export function isDated(slot: u32): bool { return (load<u32>(entry(slot), 4) & DATED) != 0; }

/** The message's deadline has been set and logged; nothing happens to what nobody has. */
export function setDated(slot: u32): void {
  if (find(slot) != NONE) store<u32>(entry(slot), load<u32>(entry(slot), 4) | DATED, 4);
}

/** Makes sure that the slot can have an owner. @returns false when memory is used up */
export function prepare(slot: u32): bool {
  const at = directory + ((<usize>slot >> 14) << 2);
  if (load<u32>(at) != 0) return true;
  const block = blocks.take(BLOCK_BYTES);
  if (block == 0) return false;
  memory.fill(block, 0, BLOCK_BYTES);
  store<u32>(at, <u32>block);
  return true;
}

export function set(slot: u32, subscription: u32, delivery: u32): void {
  const p = entry(slot);
  store<u32>(p, subscription);
  store<u32>(p, delivery & DELIVERY_MASK, 4);
}

export function clear(slot: u32): void {
  store<u32>(entry(slot), NONE);
}
