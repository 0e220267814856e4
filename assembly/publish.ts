// Publish envelopes into messages: protobuf bytes in, records out, in the order of their numbers. A message whose number
// has been seen is not sent again; one that breaks a rule is named, and the others go on.
//
//   publisher's cell:  7 state   8 key of its producer (16)   24 flags   28 sender ID bytes   32 last number seen (u64)
//                     40 address of the sender ID
//
// What a producer's numbers have come to is remembered for five minutes in the deduplication table, by a key that no
// message's deduplication ID has, and in the log by a REMEMBERED record before the messages of each frame, from which they
// count on: what of them the log has when the process ends, it also knows to be of the producer.
//
//   results, in the output region:  0 code   4 offset to go on from   8 number to go on with (f64)   16 failures
//      20 bytes of Published fields   24 accepted   28 zero; then failures, 16 bytes each: number (f64), what is wrong
//      (u32), zero (u32); then, from PUBLISHED_OFFSET on, the Published fields of a Confirm
import * as attributes from "./attributes";
import * as blocks from "./blocks";
import * as characters from "./characters";
import * as dedup from "./dedup";
import * as journal from "./journal";
import { copy, INPUT_BYTES, inputStart, outputStart } from "./memory";
import * as queue from "./queue";
import * as r from "./record";
import * as sending from "./send";
import * as segments from "./segments";
import * as sha256 from "./sha256";
import * as slab from "./slab";
import { at, giveAux, NONE, takeAux } from "./slab";
import { PUBLISHER } from "./state";
import * as tail from "./tail";
import * as wire from "./wire";

const HAS_PRODUCER: u32 = 1;
const WANTS_IDS: u32 = 2;
const PRODUCER_BYTES: u32 = 16;

// Codes.
const DONE: u32 = 0;
const MORE: u32 = 1; // the results are full: again at once
const BUSY: u32 = 2; // the tail is full: again after a commit
const FULL: u32 = 3; // memory is used up: nothing from this number on was taken
const MALFORMED: u32 = 4; // not protobuf
const GAP: u32 = 5; // a number is missing

// What is wrong with a message; those of its attributes are in attributes.ts.
const EMPTY: u32 = 1;
const BAD_BODY: u32 = 2;
const TOO_LONG: u32 = 3;
const BAD_DELAY: u32 = 4;
const FIFO_DELAY: u32 = 5;
const NO_GROUP: u32 = 6;
const BAD_GROUP: u32 = 7;
const NO_DEDUPLICATION: u32 = 8;
const BAD_DEDUPLICATION: u32 = 9;
const STANDARD_DEDUPLICATION: u32 = 10;
const BAD_TRACE: u32 = 20;

const CELLS_MAX: u32 = 4; // that one message's send, and what is remembered of the producer, may ask for
const MESSAGES_MAX: u32 = 1000; // of one call
const FAILURES_OFFSET: usize = 32;
const PUBLISHED_OFFSET: usize = 32 + 16 * 1000;
const DELAY_MS_MAX: u64 = 900_000;
const TRACE_BYTES_MAX: u32 = 1024;
const HEX_BYTES: u32 = 64;


const DOMAIN: usize = memory.data<u8>([119, 97, 115, 113, 32, 112, 114, 111, 100, 117, 99, 101, 114, 0]); // "wasq producer"
const DOMAIN_BYTES: u32 = 14;
const MESSAGE_TAG: u32 = 0x1a; // field 3
const NOTHING: usize = memory.data(16);
const RESULT: usize = memory.data(48);

// The bytes that came in: the host's room for a WebSocket message.
let incoming: usize = 0;
let incomingBytes: u32 = 0;

/** Room for `bytes`; what was there before is no more. 0 when memory is used up. */
export function room(bytes: u32): usize {
  if (bytes > incomingBytes) {
    if (incoming != 0) blocks.give(incoming, incomingBytes);
    incoming = blocks.take(bytes);
    incomingBytes = incoming == 0 ? 0 : blocks.sizeOf(bytes);
  }
  return incoming;
}

/** In the input region: the producer's 16 bytes, then the sender ID. @returns its cell, NONE when memory is used up */
export function open(hasProducer: bool, wantsIds: bool, senderBytes: u32): u32 {
  const sender = blocks.take(senderBytes);
  const cell = sender == 0 ? NONE : takeAux();
  if (cell == NONE) return NONE;
  const p = at(cell);
  store<u8>(p, PUBLISHER, 7);
  store<u32>(p, (hasProducer ? HAS_PRODUCER : 0) | (wantsIds ? WANTS_IDS : 0), 24);
  store<u32>(p, senderBytes, 28);
  store<u32>(p, <u32>sender, 40);
  memory.copy(sender, inputStart() + PRODUCER_BYTES, senderBytes);
  if (hasProducer) {
    sha256.begin();
    sha256.update(DOMAIN, DOMAIN_BYTES);
    sha256.update(inputStart(), PRODUCER_BYTES);
    sha256.end(p + 8, 16);
  }
  return cell;
}

export function close(cell: u32): void {
  blocks.give(load<u32>(at(cell), 40), load<u32>(at(cell), 28));
  giveAux(cell);
}

// @ts-ignore: decorator
@inline function has(cell: u32, flag: u32): bool { return (load<u32>(at(cell), 24) & flag) != 0; }

/** The last number that was seen, and for a producer that is remembered, on this queue the last that is. */
export function recall(cell: u32, q: u32, nowMs: f64): u64 {
  const p = at(cell);
  if (has(cell, HAS_PRODUCER)) {
    const known = dedup.find(queue.number(q), p + 8, nowMs);
    if (known != NONE && dedup.sequence(known) > load<u64>(p, 32)) store<u64>(p, dedup.sequence(known), 32);
  }
  return load<u64>(p, 32);
}

// What scan found.
export let scannedPublisher: u32 = 0;
export let scannedFirst: u64 = 0;
export let scannedCount: u32 = 0;

/** Reads the head of a Publish message at `offset` of the incoming bytes. @returns false when it is not one */
export function scan(offset: u32, bytes: u32): bool {
  const end = incoming + offset + bytes;
  wire.startAt(incoming + offset);
  scannedPublisher = 0;
  scannedFirst = 0;
  scannedCount = 0;
  while (true) {
    scannedCount += wire.skipSized(MESSAGE_TAG, end); // messages follow one another
    if (!wire.readField(end)) break;
    if (wire.field == 1 && wire.wireType == wire.VARINT) scannedPublisher = <u32>wire.value;
    else if (wire.field == 2 && wire.wireType == wire.VARINT) scannedFirst = wire.value;
    else if (wire.field == 3 && wire.wireType == wire.SIZED) scannedCount++;
  }
  return !wire.broken;
}

// One message as it was read.
let body: usize = 0;
let bodyBytes: u32 = 0;
let group: usize = 0;
let groupBytes: u32 = 0;
let dedupId: usize = 0;
let dedupBytes: u32 = 0;
let trace: usize = 0;
let traceBytes: u32 = 0;
let delayMs: u64 = 0;
let hasDelay: bool = false;

function read(start: usize, bytes: u32): u32 {
  bodyBytes = groupBytes = dedupBytes = traceBytes = 0;
  hasDelay = false;
  attributes.begin();
  let wrong: u32 = 0;
  let p = start;
  const end = start + bytes;
  while (true) {
    wire.startAt(p);
    if (!wire.readField(end)) return wire.broken ? attributes.MALFORMED : wrong;
    p = wire.cursor;
    if (wire.wireType == wire.SIZED) {
      const size = <u32>wire.value;
      if (wire.field == 1 || wire.field == 2) {
        body = wire.start;
        bodyBytes = size;
      } else if (wire.field == 4) {
        const problem = attributes.add(wire.start, size);
        if (problem == attributes.MALFORMED) return problem;
        if (wrong == 0) wrong = problem;
      } else if (wire.field == 5) {
        group = wire.start;
        groupBytes = size;
      } else if (wire.field == 6) {
        dedupId = wire.start;
        dedupBytes = size;
      } else if (wire.field == 7) {
        trace = wire.start;
        traceBytes = size;
      }
    } else if (wire.field == 3 && wire.wireType == wire.VARINT) {
      delayMs = wire.value;
      hasDelay = true;
    }
  }
}

/** The message, if it is nothing but a body, as most are. @returns false when it is another one, for read() */
// @ts-ignore: decorator
@inline function readPlain(start: usize, bytes: u32): bool {
  if (bytes < 3) return false;
  const tag = <u32>load<u8>(start);
  if (tag != 0x0a && tag != 0x12) return false; // fields 1 and 2
  let size = <u32>load<u8>(start, 1);
  let headBytes: u32 = 2;
  if (size >= 128) {
    const high = <u32>load<u8>(start, 2);
    if (high >= 128) return false;
    size = (size & 127) | (high << 7);
    headBytes = 3;
  }
  if (headBytes + size != bytes) return false;
  body = start + headBytes;
  bodyBytes = size;
  groupBytes = dedupBytes = traceBytes = 0;
  hasDelay = false;
  attributes.begin();
  return true;
}

/** Whether the message that was read is nothing but a body all the same. */
function isBodyAlone(): bool {
  return !hasDelay && (attributes.blockBytes | groupBytes | dedupBytes | traceBytes) == 0;
}

function check(q: u32): u32 {
  if (bodyBytes == 0) return EMPTY;
  if (bodyBytes + attributes.messageBytes > queue.messageBytesMax(q)) return TOO_LONG;
  if (!characters.isText(body, bodyBytes)) return BAD_BODY;
  if (hasDelay && delayMs > DELAY_MS_MAX) return BAD_DELAY;
  if (traceBytes > TRACE_BYTES_MAX || !characters.isText(trace, traceBytes)) return BAD_TRACE;
  if (queue.isFifo(q)) {
    if (hasDelay && delayMs > 0) return FIFO_DELAY;
    if (groupBytes == 0) return NO_GROUP;
    if (dedupBytes == 0 && !queue.isContentBased(q)) return NO_DEDUPLICATION;
  } else if (dedupBytes > 0) return STANDARD_DEDUPLICATION;
  if (groupBytes > 0 && !characters.isIdentifier(group, groupBytes)) return BAD_GROUP;
  return dedupBytes > 0 && !characters.isIdentifier(dedupId, dedupBytes) ? BAD_DEDUPLICATION : 0;
}

let seed: u64 = 0;
let seedHigh: u64 = 0;

/** The next of a row of 64-bit numbers (splitmix64): the host's 16 random bytes become as many IDs as a frame needs. */
// @ts-ignore: decorator
@inline function mix(state: u64): u64 {
  let z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// @ts-ignore: decorator
@inline function putId(p: usize): void {
  seed += 0x9e3779b97f4a7c15;
  seedHigh += 0x9e3779b97f4a7c15;
  store<u64>(p, (mix(seed) & 0xff0f_ffff_ffff_ffff) | 0x0040_0000_0000_0000); // version 4
  store<u64>(p, (mix(seedHigh) & 0xffff_ffff_ffff_ff3f) | 0x80, 8); // variant
}

/** The message that was read, as an entry for send.ts; its body stays where it is. `step`: how far it takes its producer */
function putEntry(cell: u32, step: u32): void {
  const entry = inputStart();
  const sender = load<u32>(at(cell), 40);
  const senderBytes = load<u32>(at(cell), 28);
  store<u32>(entry, hasDelay ? <u32>delayMs : sending.QUEUE_DELAY, 4);
  // Nobody may ever ask for the body's MD5: who does computes it.
  store<u32>(entry, sending.GIVES_MD5 | sending.BODY_ELSEWHERE | (step << r.STEP_SHIFT), 8);
  store<u32>(entry, bodyBytes, 12);
  store<u32>(entry, attributes.blockBytes, 16);
  store<u16>(entry, <u16>groupBytes, 20);
  store<u16>(entry, <u16>dedupBytes, 22);
  store<u16>(entry, <u16>senderBytes, 24);
  store<u16>(entry, <u16>traceBytes, 26);
  store<u32>(entry, <u32>body, 28);
  putId(entry + 32);
  memory.fill(entry + 48, 0, 16);
  let p = entry + sending.ENTRY_FIXED_BYTES;
  copy(p, group, groupBytes);
  p += groupBytes;
  copy(p, dedupId, dedupBytes);
  p += dedupBytes;
  copy(p, sender, senderBytes);
  p += senderBytes;
  copy(p, trace, traceBytes);
  p += traceBytes;
  attributes.putBlock(p);
}

function putPublished(p: usize, number: u64): usize {
  const sequence = load<f64>(RESULT, 8);
  const isDuplicate = load<u32>(RESULT) != 0;
  const isFifo = sequence != 0;
  const size = 1 + wire.sizeOfVarint(number) + 18 + (isFifo ? 1 + wire.sizeOfVarint(<u64>sequence) : 0) + (isDuplicate ? 2 : 0);
  p = wire.putVarint(wire.putVarint(p, 0x22), size);
  p = wire.putNumber(p, 0x08, number);
  p = wire.putBytes(p, 0x12, RESULT + 16, 16);
  if (isFifo) p = wire.putNumber(p, 0x18, <u64>sequence);
  return isDuplicate ? wire.putNumber(p, 0x20, 1) : p;
}

// Where takeParts() has come to.
let takenTo: usize = 0;

/**
 * Takes messages of nothing but a body that follow one another from `start` on, the first of which has the number `next`, into
 * the RUN that is being written: what is the same for all of them is looked at once. It ends before the first one, of at most
 * `countMax`, of which this is not plainly right; that has left no trace. @returns how many
 */
function takeParts(cell: u32, q: u32, start: usize, end: usize, next: u64, countMax: u32, nowMs: u64): u32 {
  const hasProducer = has(cell, HAS_PRODUCER);
  const sender = <usize>load<u32>(at(cell), 40);
  const senderBytes = load<u32>(at(cell), 28);
  const bodyBytesMax = queue.messageBytesMax(q);
  const position = tail.head;
  let room = tail.room(); // no further cell is needed: what is remembered of the producer has been seen to
  let count: u32 = 0;
  let p = start;
  while (count < countMax && p + 3 <= end && <u32>load<u8>(p) == MESSAGE_TAG) {
    let bytes = <u32>load<u8>(p, 1);
    let inner = p + 2;
    if (bytes >= 128) {
      const high = <u32>load<u8>(p, 2);
      if (high >= 128) break;
      bytes = (bytes & 127) | (high << 7);
      inner = p + 3;
    }
    if (<usize>bytes > end - inner || !readPlain(inner, bytes)) break;
    if (bodyBytes == 0 || bodyBytes > bodyBytesMax) break;
    const size = r.PART_FIXED_BYTES + senderBytes + bodyBytes;
    if (<u64>sentBytesMax(bodyBytes + senderBytes) + 2 * r.REMEMBERED_BYTES > room || !tail.takesPart(size)) break;
    const part = tail.beginPart(size);
    if (!characters.copyText(part + r.PART_FIXED_BYTES + senderBytes, body, bodyBytes)) break;
    const slot = slab.takeSlot();
    if (slot == slab.NONE) break;
    copy(part + r.PART_FIXED_BYTES, sender, senderBytes);
    putId(part + r.PART_ID);
    sending.addPart(part, slot, q, hasProducer ? <u32>(next + count - toldLast) : 0, senderBytes, size, nowMs);
    room -= (size + 7) & ~7;
    count++;
    p = inner + bytes;
  }
  if (count > 0) segments.countMany(position, count, tail.head - position);
  takenTo = p;
  return count;
}

/** What a message of so many bytes of body, names and attributes may take of the log. */
// @ts-ignore: decorator
@inline function sentBytesMax(bytes: u32): u32 { return r.SENT_FIXED_BYTES + bytes + HEX_BYTES + 8 + sending.sealRoom(); }

/**
 * Sends the messages of a Publish that stand at `offset` of the incoming bytes and behind it; the first of them has
 * `number`. In the input region: 16 random bytes. Results: see above.
 */
export function publish(
  cell: u32, q: u32, offset: u32, bytes: u32, number: u64, nowMs: f64,
): void {
  seed = load<u64>(inputStart());
  seedHigh = load<u64>(inputStart(), 8);
  const out = outputStart();
  const end = incoming + offset + bytes;
  const wantsIds = has(cell, WANTS_IDS);
  const isFifo = queue.isFifo(q);
  const isBrief = sending.isBriefIn(q);
  const hasProducer = has(cell, HAS_PRODUCER);
  const sender = <usize>load<u32>(at(cell), 40);
  const senderBytes = load<u32>(at(cell), 28);
  memory.fill(RESULT, 0, 16); // sent, without a sequence number
  told = false;
  let published = out + PUBLISHED_OFFSET;
  let failures: u32 = 0;
  let accepted: u32 = 0;
  let handled: u32 = 0;
  // Another connection of the same producer may have got further.
  let last = recall(cell, q, nowMs);
  let code = DONE;
  let p = incoming + offset;
  let next = number;
  while (true) {
    if (isBrief && !wantsIds && tail.hasRun() && next == last + 1) {
      const count = takeParts(cell, q, p, end, next, MESSAGES_MAX - handled, <u64>nowMs);
      if (count > 0) {
        p = takenTo;
        next += count;
        handled += count;
        accepted += count;
        last = loggedLast = next - 1;
      }
    }
    wire.startAt(p);
    if (!wire.readField(end)) {
      if (wire.broken) code = MALFORMED;
      break;
    }
    if (wire.field != 3 || wire.wireType != wire.SIZED) {
      p = wire.cursor;
      continue;
    }
    const after = wire.cursor;
    if (next > last + 1) {
      code = GAP;
      break;
    }
    if (handled == MESSAGES_MAX) {
      code = MORE;
      break;
    }
    const isPlain = readPlain(wire.start, <u32>wire.value);
    let wrong = isPlain ? 0 : read(wire.start, <u32>wire.value);
    if (wrong == attributes.MALFORMED) {
      code = MALFORMED;
      break;
    }
    if (wrong == 0) wrong = check(q);
    if (wrong != 0) {
      if (hasProducer && next > last && !tail.hasRoom(r.REMEMBERED_BYTES)) {
        code = BUSY;
        break;
      }
      const failure = out + FAILURES_OFFSET + <usize>(failures++) * 16;
      store<f64>(failure, <f64>next);
      store<u32>(failure, wrong, 8);
      if (next > last) last = next;
    } else if (next > last) {
      const size = sentBytesMax(bodyBytes + attributes.blockBytes + groupBytes + dedupBytes + traceBytes + senderBytes);
      if (!tail.hasRoom(size + 2 * r.REMEMBERED_BYTES)) {
        code = BUSY;
        break;
      }
      if (size > INPUT_BYTES || !slab.hasSlots(1) || !slab.hasAux(isFifo || groupBytes > 0 ? CELLS_MAX : 1)) {
        code = FULL;
        break;
      }
      const isShort = isBrief && (isPlain || isBodyAlone());
      let step: u32 = 0;
      if (hasProducer) {
        // What a RUN counts on from stands before it.
        if (!isShort || !tail.takesPart(r.PART_FIXED_BYTES + senderBytes + bodyBytes)) tell(cell, q, last, size, nowMs);
        step = <u32>(next - toldLast);
      }
      if (isShort) {
        putId(RESULT + 16);
        sending.sendPart(q, step, RESULT + 16, sender, senderBytes, body, bodyBytes, nowMs);
      } else {
        putEntry(cell, step);
        sending.sendOne(q, inputStart(), RESULT, nowMs);
      }
      last = next;
      // A duplicate has no record.
      if (load<u32>(RESULT) == 0) loggedLast = next;
      accepted++;
      if (wantsIds) {
        if (!isFifo) store<f64>(RESULT, 0, 8);
        published = putPublished(published, next);
      }
    }
    handled++;
    next++;
    p = after;
  }
  tail.endRun();
  const before = load<u64>(at(cell), 32);
  store<u64>(at(cell), last, 32);
  if (last > before && hasProducer) remember(cell, q, last, nowMs);
  store<u32>(out, code);
  store<u32>(out, <u32>(p - incoming), 4);
  store<f64>(out, <f64>next, 8);
  store<u32>(out, failures, 16);
  store<u32>(out, <u32>(published - out - PUBLISHED_OFFSET), 20);
  store<u32>(out, accepted, 24);
}

// Of the call under way: whether the log has been told of its producer, in which segment, how far it had come by that
// record, and how far with the messages behind it.
let told: bool = false;
let toldSegment: u64 = 0;
let toldLast: u64 = 0;
let loggedLast: u64 = 0;

/** Before a message's record of at most `size` bytes: what it counts on from is in the log, in the same segment. */
function tell(cell: u32, q: u32, last: u64, size: u32, nowMs: f64): void {
  if (told && tail.head / tail.segmentBytes == toldSegment && tail.fitsSegment(size)) return;
  if (!tail.fitsSegment(size + r.REMEMBERED_BYTES)) tail.endSegment();
  told = true;
  toldSegment = tail.head / tail.segmentBytes;
  toldLast = loggedLast = last;
  journal.remembered(queue.number(q), at(cell) + 8, last, nowMs + dedup.WINDOW_MS);
}

/** Memory for it was seen to before messages were taken, room in the log too. */
function remember(cell: u32, q: u32, last: u64, nowMs: f64): void {
  const expiresMs = nowMs + dedup.WINDOW_MS;
  if (!dedup.remember(queue.number(q), at(cell) + 8, NOTHING, last, expiresMs)) return;
  // What came behind the last message was named as wrong, or was had already: no record tells of it.
  if (!told || loggedLast < last) journal.remembered(queue.number(q), at(cell) + 8, last, expiresMs);
}
