// 64-byte cells, named by a number that never moves: messages in one range, everything else in another, because a
// message's number is written into the log and must be free for it again at the next start.
//
//   cell 1 … 2^27 - 1        messages ("slots"), each in two parts
//   cell 2^27 … 2^28 - 1     groups, deduplication entries, waiters
//
//   a chunk of slots   │ 16,384 × 40 bytes: what a send writes │ 16,384 × 24 bytes: what else becomes of a message │
//
// Most of a deep backlog was sent and no more: the system never has to find memory for the second part of it, which is zeros;
// where it gives memory by 4 KiB, and not by the 2 MiB that have both parts.
//
// cell >> 14 is the entry of the directory that holds its chunk's address. Cell 0 is no cell. Byte 7 of every cell is
// its state; 0 is a free one, whose link of lists is one of the free list, and whose second part is zeros.
import { CHUNK_BYTES, hasChunk, reserve, reserveChunk } from "./memory";

export const NONE: u32 = 0;
const CELL_BYTES: u32 = 64;
const SENT_BYTES: u32 = 40; // of a slot
const LATER_BYTES: u32 = CELL_BYTES - SENT_BYTES;
export const AUX_FIRST: u32 = 1 << 27;
const CHUNK_CELLS: u32 = CHUNK_BYTES / CELL_BYTES;
const DIRECTORY_COUNT: u32 = 1 << 14;
const PAGE_SLOTS: u32 = 4096 / SENT_BYTES;
const LATER_OFFSET: usize = <usize>(CHUNK_CELLS * SENT_BYTES);
const FREE_LINK: usize = 48; // from linksAt()

let directory: usize = 0;
let slotEnd: u32 = 0; // first slot number without memory
let slotFresh: u32 = 1; // first slot number never used
let slotFree: u32 = NONE;
let slotTouched: u32 = 1; // first slot number whose memory nobody has written to
let slotPrepared: u32 = 1; // slotFresh when memory was last prepared
let slotCount: u32 = 0;
let auxEnd: u32 = AUX_FIRST;
let auxFresh: u32 = AUX_FIRST;
let auxFree: u32 = NONE;

export function open(): void {
  directory = reserve(DIRECTORY_COUNT * 4);
}

// @ts-ignore: decorator
@inline function chunkOf(cell: u32): usize { return <usize>load<u32>(directory + ((<usize>cell >> 14) << 2)); }

/** A cell that is no slot. */
// @ts-ignore: decorator
@inline export function at(cell: u32): usize { return chunkOf(cell) + ((<usize>cell & (CHUNK_CELLS - 1)) << 6); }

/** What a send writes of a slot; message.ts. */
// @ts-ignore: decorator
@inline export function slotAt(slot: u32): usize { return chunkOf(slot) + (<usize>slot & (CHUNK_CELLS - 1)) * SENT_BYTES; }

/** The rest of it. */
// @ts-ignore: decorator
@inline export function laterAt(slot: u32): usize {
  return chunkOf(slot) + LATER_OFFSET + (<usize>slot & (CHUNK_CELLS - 1)) * LATER_BYTES;
}

/** From here on the links of any cell are where they are in one that is no slot: 48 next, 52 previous in its list; 56, 60 of its timer. */
// @ts-ignore: decorator
@inline export function linksAt(cell: u32): usize {
  return cell < AUX_FIRST ? slotAt(cell) - <usize>LATER_BYTES : at(cell);
}

function addChunk(firstCell: u32): bool {
  const chunk = reserveChunk();
  if (chunk == 0) return false;
  store<u32>(directory + ((<usize>firstCell >> 14) << 2), <u32>chunk);
  return true;
}

/** A free slot for a message; NONE when memory is used up. */
export function takeSlot(): u32 {
  let cell = slotFree;
  if (cell != NONE) {
    slotFree = load<u32>(linksAt(cell), FREE_LINK);
  } else {
    if (slotFresh >= slotEnd) {
      if (slotEnd >= AUX_FIRST || !addChunk(slotEnd)) return NONE;
      slotEnd += CHUNK_CELLS;
    }
    cell = slotFresh++;
  }
  slotCount++;
  return cell;
}

/** Whether `count` more slots can be had without asking for memory that may not be there. */
export function hasSlots(count: u32): bool {
  // Enough of a look ahead: one chunk holds more than any batch asks for.
  if (hasCells(slotFree, slotEnd - slotFresh, count)) return true;
  if (slotEnd >= AUX_FIRST || !addChunk(slotEnd)) return false;
  slotEnd += CHUNK_CELLS;
  return true;
}

/** Whether hasSlots(count) would be true; asks for nothing. */
export function couldHaveSlots(count: u32): bool {
  return hasCells(slotFree, slotEnd - slotFresh, count) || (slotEnd < AUX_FIRST && hasChunk());
}

/** Of a batch every cell must be there: what was never used, and as many of the free list as are wanted besides. */
function hasCells(free: u32, freshCount: u32, count: u32): bool {
  let have = freshCount;
  for (let cell = free; have < count && cell != NONE; cell = load<u32>(linksAt(cell), FREE_LINK)) have++;
  return have >= count;
}

/**
 * Touches the memory of as many slots more as were used for the first time since this was called last, at most a chunk of
 * them. The system gives memory with the first touch, a page at a time, and slowly: better while nobody waits for it.
 */
export function prepareSlots(): void {
  let count = slotFresh - slotPrepared;
  if (count > CHUNK_CELLS) count = CHUNK_CELLS;
  slotPrepared = slotFresh;
  const end = slotFresh + count;
  if (end > slotEnd && slotEnd < AUX_FIRST && addChunk(slotEnd)) slotEnd += CHUNK_CELLS;
  if (slotTouched < slotFresh) slotTouched = slotFresh;
  for (; slotTouched < end && slotTouched < slotEnd; slotTouched += PAGE_SLOTS) store<u8>(slotAt(slotTouched), 0, 7);
}

export function giveSlot(cell: u32): void {
  addFree(cell);
  slotCount--;
}

// @ts-ignore: decorator
@inline function addFree(slot: u32): void {
  forgetLater(slot);
  store<u8>(slotAt(slot), 0, 7);
  store<u32>(linksAt(slot), slotFree, FREE_LINK);
  slotFree = slot;
}

/** The second part is zeros from here on. One that is already is not written to: it may have no memory yet. */
// @ts-ignore: decorator
@inline export function forgetLater(slot: u32): void {
  const p = laterAt(slot);
  if ((load<u64>(p) | load<u64>(p, 8) | load<u64>(p, 16)) == 0) return;
  store<u64>(p, 0);
  store<u64>(p, 0, 8);
  store<u64>(p, 0, 16);
}

/** Makes sure slot `cell` has memory, while the log is replayed and slots come with their numbers. */
export function ensureSlot(cell: u32): bool {
  if (cell == NONE || cell >= AUX_FIRST) return false;
  while (cell >= slotEnd) {
    if (!addChunk(slotEnd)) return false;
    slotEnd += CHUNK_CELLS;
  }
  if (cell >= slotFresh) slotFresh = cell + 1;
  return true;
}

/** After a replay that left `liveCount` messages: everything that is free becomes takeable, lowest number first. */
export function rebuildFreeSlots(liveCount: u32): void {
  slotFree = NONE;
  slotCount = liveCount;
  if (liveCount == slotFresh - 1) return;
  for (let slot = slotFresh - 1; slot >= 1; slot--) if (load<u8>(slotAt(slot), 7) == 0) addFree(slot);
}

/** Exclusive upper bound of the slot numbers in use. */
export function slotBound(): u32 { return slotFresh; }
export function liveSlots(): u32 { return slotCount; }

export function takeAux(): u32 {
  let cell = auxFree;
  if (cell != NONE) {
    auxFree = load<u32>(at(cell), FREE_LINK);
  } else {
    if (auxFresh >= auxEnd) {
      if (!addChunk(auxEnd)) return NONE;
      auxEnd += CHUNK_CELLS;
    }
    cell = auxFresh++;
  }
  memory.fill(at(cell), 0, CELL_BYTES);
  return cell;
}

export function giveAux(cell: u32): void {
  const p = at(cell);
  store<u8>(p, 0, 7);
  store<u32>(p, auxFree, FREE_LINK);
  auxFree = cell;
}

/** Whether `count` more auxiliary cells can be had. */
export function hasAux(count: u32): bool {
  if (hasCells(auxFree, auxEnd - auxFresh, count)) return true;
  if (!addChunk(auxEnd)) return false;
  auxEnd += CHUNK_CELLS;
  return true;
}

export function auxBound(): u32 { return auxFresh; }
