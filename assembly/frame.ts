// Deliver and Revoke envelopes (src/stream/broker.proto), composed where the records are: in the frame region, each
// behind its size, ready for the socket; several may follow one another, and leave as one.
//
//   size · 12 size of Deliver · 08 subscription · 10 first number · then for each message: 1a size ·
//     0a 10 message ID · 12 size body · 18 earlier receives, unless 0 · the fields that were asked for
//
// The content is written first, at the distance that the last envelope's sizes had; sizes that are longer or shorter push
// it into its place.
import * as attributes from "./attributes";
import * as cache from "./cache";
import * as identity from "./identity";
import * as lifecycle from "./lifecycle";
import { outputStart, reserve } from "./memory";
import * as message from "./message";
import * as names from "./names";
import * as queue from "./queue";
import * as handle from "./receipt-handle";
import { NONE } from "./slab";
import * as stored from "./stored";
import * as subscription from "./subscription";
import * as text from "./text";
import * as wire from "./wire";

/**
 * What goes before in a row, GOES_ON_BYTES_MAX at most, and one envelope: FRAME_BYTES_SOFT and a message that goes beyond it,
 * whose attributes and fields take a little more here.
 */
const FRAME_BYTES: u32 = 4 << 20;
const GOES_ON_BYTES_MAX: usize = 1 << 20;
const MESSAGE_HEAD_BYTES: usize = 6; // tag and size
const REVOKED_MAX: u32 = 1000; // ranges of one Revoke
const BATCH_MAX: u32 = 1000;

/** Instead of a size: the places in the output region must be loaded first, 16 bytes each: position (f64), record bytes. */
export const LOAD: u32 = 0xffff_ffff;
/** Instead of a size: the name of the queue whose number is in the output region must be given first. */
export const NAME: u32 = 0xffff_fffe;
/** Instead of a size: all that there was to be composed has gone meanwhile, and it can be served anew. */
export const EMPTIED: u32 = 0xffff_fffd;
export let placeCount: u32 = 0;
export let start: usize = 0; // of what was composed last

// Bits of the fields that a subscription asks for: 1 << number in the schema's Field.
const ATTRIBUTES: u32 = 1 << 1;
const RECEIPT_HANDLE: u32 = 1 << 2;
const SENT_TIME: u32 = 1 << 3;
const FIRST_RECEIVED_TIME: u32 = 1 << 4;
const SENDER_ID: u32 = 1 << 5;
const GROUP_ID: u32 = 1 << 6;
const DEDUPLICATION_ID: u32 = 1 << 7;
const SEQUENCE_NUMBER: u32 = 1 << 8;
const TRACE_HEADER: u32 = 1 << 9;
const BODY_MD5: u32 = 1 << 10;
const DEAD_LETTER_SOURCE: u32 = 1 << 11;

let frame: usize = 0;
export let filled: usize = 0; // the end of the envelopes of this row
let headBytes: usize = 4; // of the last one: what stands before its content
const ADDRESSES: usize = memory.data(4000);
const ID: usize = memory.data(16);

export function open(): void {
  frame = reserve(FRAME_BYTES);
}

/**
 * The next envelope for the subscription's client, 0 when there is none; LOAD or NAME: do that, and ask again; EMPTIED: serve.
 * @param goesOn behind the one composed before, if there is room; `start` tells
 */
export function compose(cell: u32, nowMs: u64, goesOn: bool): u32 {
  if (!goesOn || filled - frame > GOES_ON_BYTES_MAX) filled = frame;
  const b = subscription.body(cell);
  if (subscription.revokedCount(b) > 0) return composeRevoke(b);
  return subscription.isOnDisk(b) ? composeDeliver(cell, b, nowMs) : 0;
}

/** Finishes an envelope whose content stands from `content` to `end`. @returns its size, and sets `start` */
function seal(tag: u32, content: usize, end: usize): u32 {
  const bytes = <u32>(end - content);
  const sizes = wire.sizeOfVarint(tag) + wire.sizeOfVarint(bytes);
  headBytes = wire.sizeOfVarint(sizes + bytes) + sizes;
  start = filled;
  if (content != start + headBytes) memory.copy(start + headBytes, content, bytes);
  let p = wire.putVarint(start, sizes + bytes);
  p = wire.putVarint(p, tag);
  wire.putVarint(p, bytes);
  filled = start + headBytes + bytes;
  return <u32>headBytes + bytes;
}

/** Those called back for one reason, in ranges, from the oldest on. */
function composeRevoke(b: usize): u32 {
  const content = filled + headBytes;
  let p = wire.putNumber(content, 0x08, subscription.clientId(b));
  let reason: u32 = 0;
  let ranges: u32 = 0;
  let number = subscription.oldest(b);
  const end = subscription.composed(b);
  while (number < end && ranges < REVOKED_MAX && subscription.revokedCount(b) > 0) {
    const why = subscription.revokedAt(b, number);
    if (why == 0 || (reason != 0 && why != reason)) {
      number++;
      continue;
    }
    reason = why;
    const first = number;
    while (number < end && subscription.revokedAt(b, number) == reason) subscription.setTold(b, number++);
    const one = number - first == 1;
    p = wire.putVarint(wire.putVarint(p, 0x12), 1 + wire.sizeOfVarint(first) + (one ? 0 : 1 + wire.sizeOfVarint(number - 1)));
    p = wire.putNumber(p, 0x08, first);
    if (!one) p = wire.putNumber(p, 0x10, number - 1);
    ranges++;
  }
  subscription.advance(b);
  p = wire.putNumber(p, 0x18, reason);
  return seal(0xba, content, p);
}

function composeDeliver(cell: u32, b: usize, nowMs: u64): u32 {
  const end = subscription.next(b);
  let first = subscription.composed(b);
  while (first < end && subscription.slotAt(b, first) == NONE) first++; // deleted meanwhile
  if (first == end) {
    if (first == subscription.composed(b)) return 0;
    subscription.setComposed(cell, first, nowMs);
    return EMPTIED;
  }
  let count: u32 = 0;
  let bytes: u32 = 0;
  let isLoaded = true;
  while (first + count < end && count < BATCH_MAX && bytes < subscription.FRAME_BYTES_SOFT) {
    const slot = subscription.slotAt(b, first + count);
    if (slot == NONE) break;
    const address = cache.find(message.position(slot), message.recordBytes(slot));
    if (address == 0) isLoaded = false;
    store<u32>(ADDRESSES + (<usize>count << 2), <u32>address);
    bytes += message.payloadBytes(slot);
    count++;
  }
  if (!isLoaded) return askFor(b, first, count);
  const fields = subscription.fields(b);
  if (fields & DEAD_LETTER_SOURCE) {
    for (let i: u32 = 0; i < count; i++) {
      const slot = subscription.slotAt(b, first + i);
      if (!(message.flags(slot) & message.MOVED) || names.find(message.source(slot)) != 0) continue;
      store<u32>(outputStart(), message.source(slot));
      return NAME;
    }
  }
  const content = filled + headBytes;
  let p = wire.putNumber(content, 0x08, subscription.clientId(b));
  p = wire.putNumber(p, 0x10, first);
  for (let i: u32 = 0; i < count; i++) {
    const slot = subscription.slotAt(b, first + i);
    const earlier = subscription.receivesAt(b, first + i) - 1;
    const record = <usize>load<u32>(ADDRESSES + (<usize>i << 2));
    p = fields == 0 ? putPlain(p, slot, record, earlier) : putWithFields(p, slot, record, earlier, fields);
  }
  subscription.setComposed(cell, first + count, nowMs);
  return seal(0x12, content, p);
}

function askFor(b: usize, first: u64, count: u32): u32 {
  let p = outputStart();
  for (let i: u32 = 0; i < count; i++) {
    const slot = subscription.slotAt(b, first + i);
    store<f64>(p, <f64>message.position(slot));
    store<u32>(p, message.recordBytes(slot), 8);
    p += 16;
  }
  placeCount = count;
  return LOAD;
}

function putPlain(p: usize, slot: u32, record: usize, earlier: u32): usize {
  const bodyBytes = stored.bodyBytes(record);
  let size = 19 + wire.sizeOfVarint(bodyBytes) + bodyBytes;
  if (earlier != 0) size += 1 + wire.sizeOfVarint(earlier);
  store<u8>(p, 0x1a);
  p = wire.putVarint(p + 1, size);
  store<u16>(p, 0x100a);
  identity.put(p + 2, slot, record);
  p = wire.putBytes(p + 18, 0x12, stored.body(record), bodyBytes);
  return earlier != 0 ? wire.putNumber(p, 0x18, earlier) : p;
}

function putWithFields(at: usize, slot: u32, record: usize, earlier: u32, fields: u32): usize {
  const content = at + MESSAGE_HEAD_BYTES;
  let p = content;
  store<u16>(p, 0x100a);
  identity.put(p + 2, slot, record);
  const bodyBytes = stored.bodyBytes(record);
  p = wire.putBytes(p + 18, 0x12, stored.body(record), bodyBytes);
  if (earlier != 0) p = wire.putNumber(p, 0x18, earlier);
  p = putFields(p, slot, record, earlier + 1, fields);
  const size = <u32>(p - content);
  store<u8>(at, 0x1a);
  const to = wire.putVarint(at + 1, size);
  memory.copy(to, content, size);
  return to + size;
}

function putFields(p: usize, slot: u32, record: usize, receives: u32, fields: u32): usize {
  stored.readNames(record);
  const q = message.queue(slot);
  const isRedriven = (message.flags(slot) & message.MOVED) != 0;
  if (fields & ATTRIBUTES) p = attributes.putFields(p, 0x22, stored.attributes, stored.attributesBytes);
  if (fields & RECEIPT_HANDLE) {
    p = handle.write(wire.putSize(p, 0x2a, handle.TEXT_BYTES), q, slot, message.generation(slot), receives);
  }
  if (fields & SENT_TIME) p = wire.putNumber(p, 0x30, message.sentMs(slot));
  if (fields & FIRST_RECEIVED_TIME) p = wire.putNumber(p, 0x38, message.firstReceivedMs(slot));
  if (fields & SENDER_ID) p = wire.putBytes(p, 0x42, stored.sender, stored.senderBytes);
  if (fields & GROUP_ID && stored.groupBytes > 0) p = wire.putBytes(p, 0x4a, stored.group, stored.groupBytes);
  if (fields & DEDUPLICATION_ID && queue.isFifo(q)) {
    // A message that was moved must not be taken for another with the same ID, so it has its message ID instead.
    if (isRedriven || message.reissues(slot) > 0) {
      identity.put(ID, slot, record);
      p = text.uuid(wire.putSize(p, 0x52, identity.TEXT_BYTES), ID);
    } else if (stored.deduplicationBytes > 0) {
      p = wire.putBytes(p, 0x52, stored.deduplication, stored.deduplicationBytes);
    }
  }
  if (fields & SEQUENCE_NUMBER && queue.isFifo(q)) p = wire.putNumber(p, 0x58, lifecycle.sequenceOf(slot));
  if (fields & TRACE_HEADER && stored.traceBytes > 0) p = wire.putBytes(p, 0x62, stored.trace, stored.traceBytes);
  if (fields & BODY_MD5) {
    store<u16>(p, 0x106a);
    stored.bodyMd5(p + 2, record);
    p += 18;
  }
  if (fields & DEAD_LETTER_SOURCE && isRedriven) {
    const name = names.find(message.source(slot));
    if (names.bytes > 0) p = wire.putBytes(p, 0x82, name, names.bytes);
  }
  return p;
}
