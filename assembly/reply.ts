// Answers of AWS JSON, composed whole: what the host writes to the socket as it stands. A member that has no value is
// left out; the order of members is the host's own (src/sqs), so that nobody can tell who composed an answer.
import * as cache from "./cache";
import * as json from "./json";
import { md5 } from "./md5";
import * as lanes from "./md5-lanes";
import { copy, outputStart, reserve } from "./memory";
import * as queue from "./queue";
import * as handle from "./receipt-handle";
import * as request from "./request";
import { RESULT_BYTES } from "./send";
import * as stored from "./stored";
import * as text from "./text";

export const REPLY_BYTES: u32 = 1 << 20;
const SLACK: u32 = 64;

let region: usize = 0;

export function open(): bool {
  region = reserve(REPLY_BYTES + SLACK);
  return region != 0;
}

// @ts-ignore: decorator
@inline export function replyStart(): usize { return region; }

/** What SendMessage answers; its result is in the output region. @returns bytes in the reply region */
export function sent(q: u32): u32 {
  return <u32>(members(text.put(region, "{"), outputStart(), queue.isFifo(q)) - region);
}

/** What SendMessageBatch answers when all entries were accepted. @returns bytes in the reply region */
export function sentBatch(q: u32): u32 {
  const fifo = queue.isFifo(q);
  let to = text.put(region, '{"Successful":[');
  for (let i: u32 = 0; i < request.count; i++) {
    to = text.put(to, i == 0 ? '{"Id":"' : ',{"Id":"');
    copy(to, request.entryId(i), request.entryIdBytes(i));
    to = text.put(to + request.entryIdBytes(i), '",');
    to = members(to, outputStart() + <usize>(i * RESULT_BYTES), fifo);
  }
  return <u32>(text.put(to, "]}") - region);
}

function members(start: usize, result: usize, fifo: bool): usize {
  let to = text.put(start, '"MessageId":"');
  to = text.uuid(to, result + 16);
  to = text.put(to, '","MD5OfMessageBody":"');
  to = text.hex(to, result + 32);
  if (fifo) {
    to = text.put(to, '","SequenceNumber":"');
    to = text.sequence(to, <u64>load<f64>(result, 8));
  }
  return text.put(to, '"}');
}

/** What DeleteMessageBatch answers when every handle was taken. @returns bytes in the reply region */
export function deletedBatch(): u32 {
  let to = text.put(region, '{"Successful":[');
  for (let i: u32 = 0; i < request.count; i++) {
    to = text.put(to, i == 0 ? '{"Id":"' : ',{"Id":"');
    copy(to, request.entryId(i), request.entryIdBytes(i));
    to = text.put(to + request.entryIdBytes(i), '"}');
  }
  return <u32>(text.put(to, "]}") - region);
}

// A delivery, as deliver.ts writes it.
const DELIVERY_BYTES: usize = 64;
/** What a message's answer has besides its record, at the most; the record's texts may double by their escapes. */
const MESSAGE_BYTES_MAX: u32 = 2560;
const RECEIVE_MAX: u32 = 10;
const RECORDS: usize = memory.data(40); // u32 each: where a delivery's record is
const DIGESTS: usize = memory.data(160); // of the bodies whose records have none
const DIGEST: usize = memory.data(16);
/** Of longer bodies the host makes the digest, so much quicker than the core that it may as well compose the answer. */
const CORE_DIGEST_BYTES_MAX: u32 = 4096;

/** What ReceiveMessage answers with the `count` deliveries at `deliveries`. @returns bytes in the reply region, 0: not for us */
export function received(q: u32, deliveries: usize, count: u32, wanted: u32): u32 {
  let bytesMax: u32 = 32;
  for (let i: usize = 0; i < count; i++) bytesMax += 2 * load<u32>(deliveries + i * DELIVERY_BYTES, 8) + MESSAGE_BYTES_MAX;
  if (bytesMax > REPLY_BYTES || count > RECEIVE_MAX) return 0;
  let lacking: u32 = 0;
  for (let i: usize = 0; i < count; i++) {
    const delivery = deliveries + i * DELIVERY_BYTES;
    const record = cache.find(<u64>load<f64>(delivery), load<u32>(delivery, 8));
    if (record == 0) return 0;
    // The name of the queue it came from is the host's, and so is the ID of a message that a task has moved.
    if (((wanted & FROM) != 0 && load<u32>(delivery, 52) != 0) || load<u32>(delivery, 60) != 0) return 0;
    if (!stored.hasMd5(record)) {
      if (stored.bodyBytes(record) > CORE_DIGEST_BYTES_MAX) return 0;
      lacking++;
    }
    store<u32>(RECORDS + (i << 2), <u32>record);
  }
  digestLacking(count, lacking);
  let to = text.put(region, '{"Messages":[');
  for (let i: usize = 0; i < count; i++) {
    if (i > 0) store<u8>(to++, COMMA);
    const record = <usize>load<u32>(RECORDS + (i << 2));
    const digest = stored.hasMd5(record) ? stored.md5Of(record) : DIGESTS + (i << 4);
    to = message(to, q, deliveries + i * DELIVERY_BYTES, record, digest, wanted);
  }
  return <u32>(text.put(to, "]}") - region);
}

/** Of the bodies that have none in their records: four at a time, but one alone is quicker by itself. */
function digestLacking(count: u32, lacking: u32): void {
  if (lacking == 0) return;
  for (let i: usize = 0; i < count; i++) {
    const record = <usize>load<u32>(RECORDS + (i << 2));
    if (stored.hasMd5(record)) continue;
    const body = stored.body(record), bodyBytes = stored.bodyBytes(record);
    if (lacking == 1) md5(body, bodyBytes, DIGESTS + (i << 4));
    else lanes.add(body, bodyBytes, DIGESTS + (i << 4));
    if (lanes.isFull()) lanes.digest();
  }
  if (lanes.count() > 0) lanes.digest();
}

const COMMA: u8 = 0x2c;

function message(start: usize, q: u32, delivery: usize, record: usize, digest: usize, wanted: u32): usize {
  let to = text.put(start, '{"MessageId":"');
  to = text.uuid(to, stored.id(record));
  to = text.put(to, '","ReceiptHandle":"');
  to = handle.write(to, q, load<u32>(delivery, 12), load<u32>(delivery, 16), load<u32>(delivery, 20));
  to = text.put(to, '","MD5OfBody":"');
  to = text.hex(to, digest);
  to = text.put(to, '","Body":"');
  to = json.escape(stored.body(record), stored.bodyBytes(record), to);
  stored.readNames(record);
  store<u8>(to++, QUOTE);
  if ((wanted & ~request.ALL_ATTRIBUTES) != 0) to = systemAttributes(to, q, delivery, record, wanted);
  if ((wanted & request.ALL_ATTRIBUTES) != 0 && stored.attributesBytes > 0) {
    to = messageAttributes(to, stored.attributes, stored.attributesBytes);
  }
  store<u8>(to, CLOSE_BRACE);
  return to + 1;
}

const QUOTE: u8 = 0x22;
const CLOSE_BRACE: u8 = 0x7d;

// Bits of `wanted`: request.ts gives them out.
const SENDER: u32 = 1;
const SENT: u32 = 2;
const RECEIVES: u32 = 4;
const FIRST: u32 = 8;
const SEQUENCE: u32 = 16;
const DEDUPLICATION: u32 = 32;
const GROUP: u32 = 64;
const TRACE: u32 = 128;
const FROM: u32 = 256;

let first: bool = true;

function begin(start: usize, name: string): usize {
  const to = text.put(start, first ? ',"Attributes":{"' : '","');
  first = false;
  return text.put(text.put(to, name), '":"');
}

function systemAttributes(start: usize, q: u32, delivery: usize, record: usize, wanted: u32): usize {
  const fifo = queue.isFifo(q);
  first = true;
  let to = start;
  if (wanted & SENDER) to = json.escape(stored.sender, stored.senderBytes, begin(to, "SenderId"));
  if (wanted & SENT) to = text.decimal(begin(to, "SentTimestamp"), <u64>load<f64>(delivery, 32));
  if (wanted & RECEIVES) to = text.decimal(begin(to, "ApproximateReceiveCount"), load<u32>(delivery, 20));
  if (wanted & FIRST) to = text.decimal(begin(to, "ApproximateFirstReceiveTimestamp"), <u64>load<f64>(delivery, 40));
  if (fifo && wanted & SEQUENCE) to = text.sequence(begin(to, "SequenceNumber"), <u64>load<f64>(delivery, 24));
  if (fifo && wanted & DEDUPLICATION) {
    to = begin(to, "MessageDeduplicationId");
    // A redriven message must not be taken for another with the same ID, so it has its message ID instead.
    if (load<u32>(delivery, 52) != 0) to = text.uuid(to, stored.id(record));
    else to = json.escape(stored.deduplication, stored.deduplicationBytes, to);
  }
  if (wanted & GROUP && stored.groupBytes > 0) {
    to = json.escape(stored.group, stored.groupBytes, begin(to, "MessageGroupId"));
  }
  if (wanted & TRACE && stored.traceBytes > 0) {
    to = json.escape(stored.trace, stored.traceBytes, begin(to, "AWSTraceHeader"));
  }
  return first ? to : text.put(to, '"}');
}

/** All of them, and the digest of all: the block is what the digest is taken of (src/sqs/message-attributes.ts). */
function messageAttributes(start: usize, block: usize, blockBytes: u32): usize {
  md5(block, blockBytes, DIGEST);
  let to = text.put(start, ',"MD5OfMessageAttributes":"');
  to = text.hex(to, DIGEST);
  to = text.put(to, '","MessageAttributes":{"');
  const end = block + blockBytes;
  let p = block;
  while (p < end) {
    if (p > block) to = text.put(to, ',"');
    const nameBytes = bswap<u32>(load<u32>(p));
    to = json.escape(p + 4, nameBytes, to);
    const type = p + 4 + nameBytes;
    const typeBytes = bswap<u32>(load<u32>(type));
    to = text.put(to, '":{"DataType":"');
    to = json.escape(type + 4, typeBytes, to);
    const transport = type + 4 + typeBytes;
    const valueBytes = bswap<u32>(load<u32>(transport, 1));
    const value = transport + 5;
    if (load<u8>(transport) == 1) to = json.escape(value, valueBytes, text.put(to, '","StringValue":"'));
    else to = text.base64(text.put(to, '","BinaryValue":"'), value, valueBytes);
    to = text.put(to, '"}');
    p = value + valueBytes;
  }
  return text.put(to, "}");
}
