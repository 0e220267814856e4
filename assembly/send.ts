// SendMessage and its batch: entries from the input region into records, slots and, on FIFO queues, groups and
// deduplication.
//
//   entry (8-byte aligned):
//       0     4  bytes to the next entry        4     4  delayMs, 0xFFFFFFFF: the queue's
//       8     4  flags: 1 the host gives the MD5, 2 the host gives the SHA-256, 4 the body is elsewhere;
//                bits 16..31 how far it takes its producer, as in its record
//      12     4  body bytes                    16     4  attributes bytes
//      20     2  group ID bytes                22     2  deduplication ID bytes
//      24     2  sender ID bytes               26     2  trace header bytes
//      28     4  address of such a body        32    16  message ID
//      48    16  MD5 of the body               64    32  SHA-256 of the body
//      96     n  group ID, deduplication ID, sender ID, trace header, attributes, body
//
//   result, 48 bytes each at the start of the output region:
//       0     4  0 sent, 1 duplicate            8     8  sequence number (f64)
//      16    16  message ID (a duplicate: the first one's)   32  16  MD5 of the body
import * as dedup from "./dedup";
import * as fair from "./fair";
import * as group from "./group";
import * as lifecycle from "./lifecycle";
import { md5 } from "./md5";
import * as lanes from "./md5-lanes";
import { copy, inputStart, outputStart } from "./memory";
import * as message from "./message";
import * as queue from "./queue";
import * as r from "./record";
import * as segments from "./segments";
import * as sha256 from "./sha256";
import * as slab from "./slab";
import * as spans from "./spans";
import { PENDING } from "./state";
import * as tail from "./tail";

export const ENTRY_FIXED_BYTES: usize = 96;
export const RESULT_BYTES: u32 = 48;
export const QUEUE_DELAY: u32 = 0xffff_ffff;
export const GIVES_MD5: u32 = 1;
const GIVES_SHA256: u32 = 2;
export const BODY_ELSEWHERE: u32 = 4;
const HEX_BYTES: u32 = 64;
export const BATCH_MAX: u32 = 10;
/** A PART has no digest of its body. That is made again for each receive, which for longer ones costs more than the record saved. */
const PART_BODY_BYTES_MAX: u32 = 512;

export const OK: u32 = 0;
export const BUSY: u32 = 1; // the tail is full of what is being written: again after the next commit
export const FULL: u32 = 2; // memory is used up

/** What is sent until it is changed ends with a seal of so many bytes, 0: none; of the data key with this number. */
let sealBytes: u32 = 0;
let sealKey: u32 = 0;

export function setSeal(wrappedBytes: u32, key: u32): void {
  sealKey = key;
  sealBytes = key == 0 ? 0 : wrappedBytes + r.SEAL_BYTES;
}

/** Bytes at the end of the next message's record. */
// @ts-ignore: decorator
@inline export function sealRoom(): u32 { return sealBytes; }

const DIGEST: usize = memory.data(32);
const HEX: usize = memory.data(64);
const GROUP_KEY: usize = memory.data(16);
const DEDUP_KEY: usize = memory.data(16);
const SEPARATOR: usize = memory.data<u8>([0]);

// @ts-ignore: decorator
@inline function hexDigit(value: u32): u8 { return <u8>(value < 10 ? 48 + value : 87 + value); }

export function send(q: u32, count: u32, inputBytes: u32, nowMs: f64): u32 {
  if (!tail.hasRoom(inputBytes + count * (r.SENT_FIXED_BYTES + HEX_BYTES + 8 + sealBytes))) return BUSY;
  if (!slab.hasSlots(BATCH_MAX)) return FULL;
  if (!slab.hasAux(fair.CELLS_MAX * BATCH_MAX) && (queue.isFifo(q) || hasGroup(count))) return FULL;
  const isBatch = count > 1;
  if (isBatch) digestAll(count);
  const takesParts = isBatch && isBriefIn(q);
  let entry = inputStart();
  let result = outputStart();
  for (let i: u32 = 0; i < count; i++) {
    if (takesParts && isShort(entry)) sendShort(q, entry, result, nowMs);
    else sendOne(q, entry, result, nowMs);
    entry += load<u32>(entry);
    result += RESULT_BYTES;
  }
  if (takesParts) tail.endRun();
  return OK;
}

/** Whether it is a short body and nothing else. */
function isShort(entry: usize): bool {
  const delayMs = load<u32>(entry, 4);
  if (delayMs != QUEUE_DELAY && delayMs != 0) return false;
  if ((load<u32>(entry, 8) & (BODY_ELSEWHERE | r.STEP)) != 0 || load<u32>(entry, 12) > PART_BODY_BYTES_MAX) return false;
  return (load<u32>(entry, 16) | load<u32>(entry, 20) | <u32>load<u16>(entry, 26)) == 0;
}

/** sendOne() of such a message, whose digest is made, as a part of a RUN: to a queue where that isBriefIn(). */
function sendShort(q: u32, entry: usize, result: usize, nowMs: f64): void {
  store<u32>(result, 0);
  store<f64>(result, <f64>tail.nextSequence, 8);
  v128.store(result, v128.load(entry, 32), 16);
  v128.store(result, v128.load(entry, 48), 32);
  const sender = entry + ENTRY_FIXED_BYTES;
  const senderBytes = <u32>load<u16>(entry, 24);
  sendPart(q, 0, entry + 32, sender, senderBytes, sender + senderBytes, load<u32>(entry, 12), nowMs);
}

/** Gives each entry the MD5 of its body, four at a time. */
function digestAll(count: u32): void {
  let entry = inputStart();
  for (let i: u32 = 0; i < count; i++) {
    const flags = load<u32>(entry, 8);
    if (!(flags & GIVES_MD5)) {
      lanes.add(bodyOf(entry), load<u32>(entry, 12), entry + 48);
      store<u32>(entry, flags | GIVES_MD5, 8);
      if (lanes.isFull()) lanes.digest();
    }
    entry += load<u32>(entry);
  }
  if (lanes.count() > 0) lanes.digest();
}

function bodyOf(entry: usize): usize {
  if (load<u32>(entry, 8) & BODY_ELSEWHERE) return <usize>load<u32>(entry, 28);
  const names = <u32>load<u16>(entry, 20) + load<u16>(entry, 22) + load<u16>(entry, 24) + load<u16>(entry, 26);
  return entry + ENTRY_FIXED_BYTES + names + load<u32>(entry, 16);
}

/** Whether a message of the batch has a group. */
function hasGroup(count: u32): bool {
  let entry = inputStart();
  for (let i: u32 = 0; i < count; i++) {
    if (load<u16>(entry, 20) != 0) return true;
    entry += load<u32>(entry);
  }
  return false;
}

function groupKey(start: usize, bytes: u32): void {
  sha256.begin();
  sha256.update(start, bytes);
  sha256.end(GROUP_KEY, 16);
}

/** The caller has made sure of room in the tail, a slot, and auxiliary cells. */
export function sendOne(q: u32, entry: usize, result: usize, nowMs: f64): void {
  const flags = load<u32>(entry, 8);
  const bodyBytes = load<u32>(entry, 12);
  const attributesBytes = load<u32>(entry, 16);
  const groupBytes = <u32>load<u16>(entry, 20);
  const dedupBytes = <u32>load<u16>(entry, 22);
  const senderBytes = <u32>load<u16>(entry, 24);
  const traceBytes = <u32>load<u16>(entry, 26);
  const groupStart = entry + ENTRY_FIXED_BYTES;
  const dedupStart = groupStart + groupBytes;
  const restStart = dedupStart + dedupBytes;
  const restBytes = senderBytes + traceBytes + attributesBytes + bodyBytes;
  const body = bodyOf(entry);
  const bodyMd5 = entry + 48;
  if (!(flags & GIVES_MD5)) md5(body, bodyBytes, bodyMd5);
  memory.copy(result + 32, bodyMd5, 16);

  const fifo = queue.isFifo(q);
  let idStart = dedupStart;
  let idBytes = dedupBytes;
  if (fifo) {
    if (idBytes == 0) {
      // Content-based: the ID is the SHA-256 of the body in hex, and an explicit ID of that text is the same one.
      let digest = entry + 64;
      if (!(flags & GIVES_SHA256)) {
        sha256.begin();
        sha256.update(body, bodyBytes);
        sha256.end(DIGEST, 32);
        digest = DIGEST;
      }
      for (let i: usize = 0; i < 32; i++) {
        const byte = <u32>load<u8>(digest + i);
        store<u8>(HEX + 2 * i, hexDigit(byte >> 4));
        store<u8>(HEX + 2 * i + 1, hexDigit(byte & 15));
      }
      idStart = HEX;
      idBytes = HEX_BYTES;
    }
    groupKey(groupStart, groupBytes);
    sha256.begin();
    if (queue.flags(q) & queue.SCOPE_GROUP) {
      sha256.update(groupStart, groupBytes);
      sha256.update(SEPARATOR, 1); // an ID has no zero byte, so group and ID cannot be read another way
    }
    sha256.update(idStart, idBytes);
    sha256.end(DEDUP_KEY, 16);
    const known = dedup.find(queue.number(q), DEDUP_KEY, nowMs);
    if (known != slab.NONE) {
      store<u32>(result, 1);
      store<f64>(result, <f64>dedup.sequence(known), 8);
      memory.copy(result + 16, dedup.messageId(known), 16);
      return;
    }
  }

  const grouped = !fifo && groupBytes > 0;
  if (grouped) groupKey(groupStart, groupBytes);
  const slot = slab.takeSlot();
  const sequence = tail.takeSequence();
  const given = load<u32>(entry, 4);
  const delayMs = fifo || given == QUEUE_DELAY ? queue.delayMs(q) : given;
  const visibleAtMs = delayMs > 0 ? nowMs + <f64>delayMs : 0;
  const brief = !fifo && !grouped && delayMs == 0 && sealBytes == 0 && (load<u64>(bodyMd5) | load<u64>(bodyMd5, 8)) == 0;
  const fixedBytes = brief ? r.BRIEF_FIXED_BYTES : r.SENT_FIXED_BYTES;
  const size = fixedBytes + groupBytes + (fifo ? idBytes : 0) + restBytes + sealBytes;

  const p = tail.begin(size);
  store<u32>(p, slot, 24);
  store<u32>(p, (fifo ? r.FLAG_FIFO : grouped ? r.FLAG_GROUP : 0) | (flags & r.STEP) | (sealBytes != 0 ? r.FLAG_KEYED : 0), 28);
  store<u64>(p, sequence, 32);
  store<u32>(p, q, 40);
  store<u32>(p, queue.number(q), 44);
  store<f64>(p, nowMs, 48);
  if (brief) memory.copy(p + r.BRIEF_ID, entry + 32, 16);
  else {
    store<f64>(p, visibleAtMs, 56);
    memory.fill(p + 64, 0, 24); // never received, never moved
    memory.copy(p + 88, entry + 32, 16);
    memory.copy(p + 104, bodyMd5, 16);
    if (fifo) {
      memory.copy(p + 120, GROUP_KEY, 16);
      memory.copy(p + 136, DEDUP_KEY, 16);
    } else {
      memory.fill(p + 120, 0, 32);
      if (grouped) memory.copy(p + 120, GROUP_KEY, 16);
    }
  }
  let to = p + fixedBytes;
  store<u32>(to - 16, bodyBytes);
  store<u32>(to - 16, attributesBytes, 4);
  store<u16>(to - 16, <u16>groupBytes, 8);
  store<u16>(to - 16, <u16>(fifo ? idBytes : 0), 10);
  store<u16>(to - 16, <u16>senderBytes, 12);
  store<u16>(to - 16, <u16>traceBytes, 14);
  copy(to, groupStart, groupBytes);
  to += groupBytes;
  if (fifo) {
    copy(to, idStart, idBytes);
    to += idBytes;
  }
  copy(to, restStart, restBytes - bodyBytes);
  copy(to + restBytes - bodyBytes, body, bodyBytes);
  if (sealBytes != 0) {
    memory.fill(p + size - sealBytes, 0, sealBytes);
    store<u32>(p + size - 8, sealKey);
    store<u32>(p + size - 4, (sealBytes - r.SEAL_BYTES) | (1 << 16));
  }
  const position = tail.finish(size, brief ? r.BRIEF : r.SENT);

  message.begin(slot, position, PENDING, <u64>nowMs, size, brief, q, <u32>sequence);
  if (delayMs > 0) message.setVisibleAtMs(slot, <u64>visibleAtMs);
  segments.count(position, message.recordBytes(slot), 1);
  if (grouped) {
    fair.setNow(<u64>nowMs);
    message.setGroup(slot, fair.join(q, GROUP_KEY, <u64>nowMs));
  } else if (fifo) {
    message.setGroup(slot, group.join(q, GROUP_KEY));
    dedup.remember(queue.number(q), DEDUP_KEY, entry + 32, sequence, nowMs + dedup.WINDOW_MS);
  }
  lifecycle.addPending(slot);

  store<u32>(result, 0);
  store<f64>(result, <f64>sequence, 8);
  memory.copy(result + 16, entry + 32, 16);
}

/** Whether a message of nothing but a body is a PART there, or has a BRIEF record. */
export function isBriefIn(q: u32): bool {
  return !queue.isFifo(q) && queue.delayMs(q) == 0 && sealBytes == 0;
}

/** sendBrief() as a part of a RUN, which the caller ends. */
export function sendPart(
  q: u32, step: u32, id: usize, sender: usize, senderBytes: u32, body: usize, bodyBytes: u32, nowMs: f64,
): void {
  const size = r.PART_FIXED_BYTES + senderBytes + bodyBytes;
  if (!tail.takesPart(size)) {
    const head = tail.beginRun(size);
    if (head == 0) {
      sendBrief(q, step << r.STEP_SHIFT, id, sender, senderBytes, body, bodyBytes, nowMs);
      return;
    }
    store<u32>(head, q, 24);
    store<u32>(head, queue.number(q), 28);
    store<u64>(head, tail.nextSequence, 32);
    store<f64>(head, nowMs, 40);
  }
  const p = tail.beginPart(size);
  v128.store(p, v128.load(id), 16);
  copy(p + r.PART_FIXED_BYTES, sender, senderBytes);
  copy(p + r.PART_FIXED_BYTES + senderBytes, body, bodyBytes);
  const position = tail.head;
  addPart(p, slab.takeSlot(), q, step, senderBytes, size, <u64>nowMs);
  segments.countMany(position, 1, tail.head - position);
}

/** The part begun at `p`, but for what is written here, is that of a message in `slot`; its segment is not told of it. */
// @ts-ignore: decorator
@inline export function addPart(p: usize, slot: u32, q: u32, step: u32, senderBytes: u32, size: u32, nowMs: u64): void {
  store<u32>(p, slot, 8);
  store<u32>(p, step | (senderBytes << 16), 12);
  const position = tail.finishPart(size);
  spans.add(slot, (size + 7) & ~7);
  message.begin(slot, position, PENDING, nowMs, size, true, q, <u32>tail.takeSequence());
  lifecycle.addPending(slot);
}

/**
 * sendOne() of a message of nothing but a body, of which nobody computes anything, to a queue where that isBriefIn();
 * straight from where it came in. `flags`: r.STEP of its producer
 */
export function sendBrief(
  q: u32, flags: u32, id: usize, sender: usize, senderBytes: u32, body: usize, bodyBytes: u32, nowMs: f64,
): void {
  const slot = slab.takeSlot();
  const sequence = tail.takeSequence();
  const size = r.BRIEF_FIXED_BYTES + senderBytes + bodyBytes;
  const p = tail.begin(size);
  store<u32>(p, slot, 24);
  store<u32>(p, flags, 28);
  store<u64>(p, sequence, 32);
  store<u32>(p, q, 40);
  store<u32>(p, queue.number(q), 44);
  store<f64>(p, nowMs, 48);
  v128.store(p + r.BRIEF_ID, v128.load(id));
  store<u64>(p, <u64>bodyBytes, 72);
  store<u64>(p, <u64>senderBytes << 32, 80);
  copy(p + r.BRIEF_FIXED_BYTES, sender, senderBytes);
  copy(p + r.BRIEF_FIXED_BYTES + senderBytes, body, bodyBytes);
  const position = tail.finish(size, r.BRIEF);
  message.begin(slot, position, PENDING, <u64>nowMs, size, true, q, <u32>sequence);
  segments.count(position, message.recordBytes(slot), 1);
  lifecycle.addPending(slot);
}
