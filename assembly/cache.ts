// Pieces of the log that were read back from disk, for deliveries whose records have left the tail.
//
// A piece is some bytes of one segment from a record's start on, as the host read them. Pieces lie in a ring in the
// order in which they came; the oldest make room for a new one. So whatever one answer needs, loaded together, is
// together in memory, and nothing has to be pinned.
//
//   place = where a piece begins, counted on for ever; its address is ring + place % capacity
//   a piece that would run past the end of the ring begins at the front instead
//
// Who reads on at the end of a piece of which enough was used gets a larger one, up to BLOCK_BYTES, and what follows is
// asked for ahead of its need. Who reads here and there gets small ones.
//
// piece: 0 position · 8 size · 12 bytes of it that are whole records · 16 place · 24 bytes used · 28 end of what was used
//        32 up to here all records are checked · 36 1: what follows has been asked for
import { reserve } from "./memory";
import { FLAG_SEALED, HEADER_BYTES, isPart, PART_FIXED_BYTES, RUN, RUN_FIXED_BYTES, SENT } from "./record";
import { validStep } from "./replay";
import * as segments from "./segments";
import * as tail from "./tail";

const BLOCK_BYTES_MIN: u32 = 32 << 10;
const BLOCK_BYTES: u32 = 512 << 10;
const PIECE_BYTES: u32 = 40;
const PIECE_COUNT: u32 = 1024; // a power of two
/** So far into a piece what follows it is asked for: receives that come together use what is left of it in no time. */
const AHEAD_PART: u32 = 8;
/** Less than this part of what was read was used: whoever reads is not going through the log. */
const USED_PART: u32 = 4;
const AHEAD_COUNT: u32 = 16; // a power of two
/** So many numbers of segments in a row may be missing, and reading goes on behind them. */
const GAP_MAX: u32 = 64;

let ring: usize = 0;
let capacity: u64 = 0;
let pieces: usize = 0;
let first: u32 = 0; // the oldest piece; pieces are counted on for ever, too
let end: u32 = 0;
let top: u64 = 0; // the next piece's place
let latest: u32 = 0; // the piece that was found last

const AHEAD: usize = memory.data(16 * 8); // positions
let aheadFirst: u32 = 0;
let aheadEnd: u32 = 0;

export function open(bytes: u32): bool {
  capacity = bytes;
  pieces = reserve(PIECE_COUNT * PIECE_BYTES);
  ring = reserve(bytes + 64);
  return ring != 0;
}

// @ts-ignore: decorator
@inline function at(piece: u32): usize { return pieces + <usize>((piece & (PIECE_COUNT - 1)) * PIECE_BYTES); }
// @ts-ignore: decorator
@inline function address(place: u64): usize { return ring + <usize>(place % capacity); }

// @ts-ignore: decorator
@inline function has(piece: u32, position: u64, bytes: u32): bool {
  const p = at(piece);
  const start = load<u64>(p);
  return position >= start && position + bytes <= start + <u64>load<u32>(p, 8);
}

/** @returns the piece that has all of the bytes; `end` when none has */
function pieceOf(position: u64, bytes: u32): u32 {
  if (latest - first < end - first && has(latest, position, bytes)) return latest;
  for (let piece = end; piece != first; ) {
    piece--;
    if (has(piece, position, bytes)) return piece;
  }
  return end;
}

/** Where the record at `position` is in memory, `bytes` of it with its padding; 0 when it must be loaded, or is damaged. */
export function find(position: u64, bytes: u32): usize {
  const recent = tail.find(position);
  if (recent != 0 && !isSealed(recent)) return recent;
  const piece = pieceOf(position, bytes);
  if (piece == end) return 0;
  const found = findIn(piece, position, bytes);
  if (found == 0 || !isSealed(found)) return found;
  // Opened by the host, it has a piece of its own, which may be another one.
  for (let other = end; other != first; ) {
    other--;
    if (other == piece || !has(other, position, bytes)) continue;
    const open = findIn(other, position, bytes);
    if (open != 0 && !isSealed(open)) return open;
  }
  return 0;
}

function findIn(piece: u32, position: u64, bytes: u32): usize {
  const p = at(piece);
  const offset = <u32>(position - load<u64>(p));
  const record = address(load<u64>(p, 16)) + offset;
  if ((((load<u32>(record, 4) & 0xff_ffff) + 7) & ~7) != bytes || !isChecked(p, offset, bytes)) return 0;
  latest = piece;
  if (offset >= load<u32>(p, 28)) {
    store<u32>(p, load<u32>(p, 24) + bytes, 24);
    store<u32>(p, offset + bytes, 28);
    if (load<u32>(p, 36) == 0 && offset >= load<u32>(p, 12) / AHEAD_PART && load<u32>(p, 24) >= offset / USED_PART) askAhead(p);
  }
  return record;
}

/** Whether the record is one whose content only its queue's key opens: the host does that. */
// @ts-ignore: decorator
@inline export function isSealed(record: usize): bool {
  return load<u8>(record, 7) == SENT && (load<u32>(record, 28) & FLAG_SEALED) != 0;
}

/** Checks what has not been checked up to the record's end; behind damage, the record alone. */
function isChecked(p: usize, offset: u32, bytes: u32): bool {
  const start = address(load<u64>(p, 16));
  const segment = segments.segmentOf(load<u64>(p));
  let checked = load<u32>(p, 32);
  while (checked < offset + bytes) {
    const size = validStep(start + checked, load<u32>(p, 8) - checked, segment);
    if (size == 0 || size == 0xffff_ffff) return validStep(start + offset, bytes, segment) + 7 >= bytes;
    checked += (size + 7) & ~7;
    store<u32>(p, checked, 32);
  }
  return true;
}

/** Where the log goes on behind the piece; 0 when that is in memory, or not known. */
function following(p: usize): u64 {
  let position = load<u64>(p) + <u64>load<u32>(p, 12);
  if (load<u32>(p, 12) == 0) return 0;
  if (position % tail.segmentBytes == 0) {
    const segment = segments.segmentOf(position);
    let next = segment;
    while (!segments.exists(next)) if (++next - segment > GAP_MAX) return 0;
    position = <u64>next * tail.segmentBytes + tail.segmentHeaderBytes;
  }
  if (position + HEADER_BYTES > tail.durable || tail.find(position) != 0) return 0;
  return pieceOf(position, HEADER_BYTES) == end ? position : 0;
}

function askAhead(p: usize): void {
  store<u32>(p, 1, 36);
  const position = following(p);
  if (position == 0 || aheadEnd - aheadFirst >= AHEAD_COUNT) return;
  store<u64>(AHEAD + ((<usize>aheadEnd & (AHEAD_COUNT - 1)) << 3), position);
  aheadEnd++;
}

/** Where to read ahead; 0 when nowhere. */
export function takeAhead(): u64 {
  while (aheadFirst != aheadEnd) {
    const position = load<u64>(AHEAD + ((<usize>aheadFirst & (AHEAD_COUNT - 1)) << 3));
    aheadFirst++;
    if (pieceOf(position, HEADER_BYTES) == end) return position;
  }
  return 0;
}

/** How much to read at `position`, for a record of `bytes` there (0: not known) and what is likely to be asked for next. */
export function plan(position: u64, bytes: u32): u32 {
  let size = BLOCK_BYTES_MIN;
  for (let piece = end; piece != first; ) {
    piece--;
    const p = at(piece);
    const pieceEnd = load<u64>(p) + <u64>load<u32>(p, 12);
    // In the next segment or right behind: the reader of that piece goes on.
    const goesOn = position >= pieceEnd && position - pieceEnd <= <u64>load<u32>(p, 8) + tail.segmentHeaderBytes;
    if (!goesOn) continue;
    const before = load<u32>(p, 8);
    // Larger than a block: its records are, and so will be the next.
    if (load<u32>(p, 24) >= load<u32>(p, 12) / USED_PART) size = max(min(before * 2, BLOCK_BYTES), before);
    break;
  }
  if (size < bytes) size = bytes;
  const left = min((position / tail.segmentBytes + 1) * tail.segmentBytes, tail.durable) - position;
  return <u64>size < left ? size : <u32>left;
}

/** Room for a piece of `bytes`, for the host to fill. */
export function take(bytes: u32): usize {
  if (top % capacity + <u64>bytes > capacity) top += capacity - (top % capacity);
  const to = top + <u64>bytes;
  while (first != end && (end - first >= PIECE_COUNT || load<u64>(at(first), 16) + capacity < to)) first++;
  return address(top);
}

/** The room taken last holds `bytes` of the log from `position` on. */
export function add(position: u64, bytes: u32): void {
  const p = at(end);
  const start = address(top);
  store<u64>(p, position);
  store<u32>(p, bytes, 8);
  store<u32>(p, wholeRecords(start, bytes, segments.segmentOf(position)), 12);
  store<u64>(p, top, 16);
  store<u64>(p, 0, 24);
  store<u64>(p, 0, 32);
  top += (<u64>bytes + 7) & ~7;
  end++;
}

/** Goes by the sizes alone: a wrong one costs a read, and every record is checked before it is handed out. */
function wholeRecords(start: usize, bytes: u32, segment: u32): u32 {
  let offset: u32 = 0;
  while (offset + HEADER_BYTES <= bytes) {
    const p = start + offset;
    const size = load<u8>(p, 7) == RUN ? RUN_FIXED_BYTES : load<u32>(p, 4) & 0xff_ffff;
    const padded = (size + 7) & ~7;
    if (isPart(p) ? size < PART_FIXED_BYTES : size < HEADER_BYTES || load<u32>(p, 16) != segment) break;
    if (padded > bytes - offset) break;
    offset += padded;
  }
  return offset;
}
