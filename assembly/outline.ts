// Outlines of segments: their index entries (record.ts), made of the records while these are still in the tail. So neither
// an index nor giving a segment up needs the segment to be read, decrypted and checked again.
//
// Of a RUN there is an entry already (spans.ts): it is copied, whatever of it is still needed.
//
// An outline is made a good while after its records and used later still: what went out of need meanwhile is in it, and is
// left out when it is used. Nothing comes into need again.
import * as dedup from "./dedup";
import { inputStart, OUTPUT_BYTES, outputStart } from "./memory";
import * as message from "./message";
import * as r from "./record";
import * as segments from "./segments";
import * as slab from "./slab";
import * as spans from "./spans";
import * as survey from "./survey";
import * as tail from "./tail";

export const MORE: u32 = 0;
export const SEALED: u32 = 1;
export const GONE: u32 = 2; // they have left the tail
export const TAIL_FULL: u32 = 3;

export let consumed: u32 = 0;
/** Of what recent() made: entries that are records of queues, as long as these. */
export let queueBytes: u32 = 0;
/**
 * Where messages are that must be written again: 16 bytes each in the output region, position and bytes as f64. Records
 * side by side are one place.
 */
export let placeCount: u32 = 0;

const PLACE_BYTES: u32 = 16;
/** Of several records: a piece to be read and gone through at once. */
const PLACE_LENGTH_MAX: u32 = 128 << 10;

/**
 * The entries of the records from `position` on, to `end`, about `bytesMax` or the end of the segment, into the output
 * region; survey.ts has their size. @returns MORE, SEALED or GONE
 */
export function recent(position: u64, end: u64, bytesMax: u32): u32 {
  survey.begin(segments.segmentOf(position), true);
  consumed = 0;
  queueBytes = 0;
  while (position < end && position < tail.durable && consumed < bytesMax) {
    const span = spans.at(position);
    if (span != 0) {
      survey.copySpan(span);
      consumed += load<u32>(span, 16);
      position += load<u32>(span, 16);
      continue;
    }
    const p = tail.find(position);
    if (p == 0) return GONE;
    const size = load<u32>(p, 4) & 0xff_ffff;
    const kind = <u32>load<u8>(p, 7);
    const padded = (size + 7) & ~7;
    consumed += padded;
    if (kind == r.SEAL) {
      survey.lastNumber(load<u64>(p, 8));
      return SEALED;
    }
    const before = survey.indexBytes;
    survey.keep(kind, p, position, size);
    if (kind == r.QUEUE) queueBytes += survey.indexBytes - before;
    position += padded;
  }
  return MORE;
}

/**
 * Goes through a part of an outline in the input region: whole entries. `forIndex`: what is still needed of it into the
 * output region; otherwise again into the log, but for messages, whose places are told.
 * @returns MORE, or TAIL_FULL: go on behind what was consumed, if there is anything left
 */
export function use(inputBytes: u32, segment: u32, forIndex: bool): u32 {
  survey.begin(segment, forIndex);
  consumed = 0;
  placeCount = 0;
  while (consumed < inputBytes) {
    const p = inputStart() + consumed;
    const size = load<u32>(p);
    const kind = load<u32>(p, 4);
    const isMany = kind == r.SPAN || kind == r.ROWS;
    if (!forIndex && !hasPlaces(isMany ? load<u32>(p, 48) : 1)) return MORE;
    if (kind == r.SPAN) span(p, segment, forIndex);
    else if (kind == r.ROWS) rows(p, segment, forIndex);
    else {
      if (!forIndex && !tail.hasRoom(size * 5 + 256)) return TAIL_FULL;
      if (kind == r.SENT) sent(p, size, forIndex);
      else if (kind == r.SEAL) {
        if (forIndex) survey.lastNumber(load<u64>(p, 24));
      } else survey.keep(kind, p, load<u64>(p, 8), load<u32>(p, 16));
    }
    consumed += size;
  }
  return MORE;
}

function hasPlaces(count: u32): bool {
  return (placeCount + count) * PLACE_BYTES <= OUTPUT_BYTES;
}

/** @param recordBytes with the padding */
function place(position: u64, recordBytes: u32): void {
  const to = outputStart() + <usize>placeCount * PLACE_BYTES;
  if (placeCount > 0) {
    const last = to - PLACE_BYTES;
    const bytes = <u32>load<f64>(last, 8);
    if (<u64>load<f64>(last) + bytes == position && bytes + recordBytes <= PLACE_LENGTH_MAX) {
      store<f64>(last, <f64>(bytes + recordBytes), 8);
      return;
    }
  }
  store<f64>(to, <f64>position);
  store<f64>(to, <f64>recordBytes, 8);
  placeCount++;
}

/** Parts that are no longer needed are marked as such. */
function span(p: usize, segment: u32, forIndex: bool): void {
  if (segments.liveCount(segment) == 0) return;
  const end = p + r.SPAN_HEAD_BYTES + (<usize>load<u32>(p, 48) << 1);
  const step = load<u32>(p, 20);
  let slot = load<u32>(p, 52);
  let position = load<u64>(p, 8) + r.RUN_FIXED_BYTES;
  let isNeeded = false;
  for (let row = p + r.SPAN_HEAD_BYTES; row < end; row += 2) {
    const size = <u32>load<u16>(row);
    const recordBytes = (size & r.SPAN_SIZE) << 3;
    if (survey.lives(slot, position)) {
      isNeeded = true;
      if (!forIndex) place(position, recordBytes);
    } else store<u16>(row, <u16>(size | r.SPAN_GONE));
    position += recordBytes;
    slot += step;
  }
  if (forIndex && isNeeded) survey.copyEntry(p, load<u32>(p));
}

function rows(p: usize, segment: u32, forIndex: bool): void {
  const start = <u64>segment * tail.segmentBytes;
  const end = p + r.ROWS_HEAD_BYTES + <usize>load<u32>(p, 48) * r.PLAIN_ROW_BYTES;
  if (forIndex) survey.beginRows(p);
  for (let row = p + r.ROWS_HEAD_BYTES; row < end; row += r.PLAIN_ROW_BYTES) {
    const position = start + (<u64>load<u32>(row, 16) << 3);
    if (!survey.lives(load<u32>(row), position)) continue;
    if (forIndex) survey.copyRow(row);
    else place(position, (load<u32>(row, 20) & message.SIZE) << 3);
  }
  if (forIndex) survey.endRows();
}

function sent(p: usize, size: u32, forIndex: bool): void {
  const slot = load<u32>(p, 24);
  const fifo = (load<u32>(p, 28) & r.FLAG_FIFO) != 0;
  if (survey.lives(slot, load<u64>(p, 8))) {
    if (forIndex) survey.copyEntry(p, size);
    else place(load<u64>(p, 8), load<u32>(p, 16));
    if (!fifo || !message.hasMoved(slot)) return;
  }
  if (!fifo) return;
  const known = dedup.find(load<u32>(p, 44), p + 120, 0);
  if (known == slab.NONE || dedup.sequence(known) != load<u64>(p, 32)) return;
  survey.remembered(p, known, load<u64>(p, 8));
}
