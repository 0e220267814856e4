// Requests of AWS JSON that carry messages, read in place: the text is in the request region, what it asks for comes out
// where the commands look for it. Only what is certain to be right is taken. Anything else, be it wrong, rare or merely
// long, is for the host, which reads it again from the start and knows every error by name.
//
//   {"QueueUrl": "...", "MessageBody": "...", "DelaySeconds": 0, "MessageGroupId": "...", "MessageDeduplicationId": "..."}
//   {"QueueUrl": "...", "Entries": [{"Id": "...", as above}, up to 10]}
//   {"QueueUrl": "...", "ReceiptHandle": "..."}, {"QueueUrl": "...", "Entries": [{"Id": "...", "ReceiptHandle": "..."}, ...]}
//   {"QueueUrl": "...", "MaxNumberOfMessages": 10, "VisibilityTimeout": 30, "WaitTimeSeconds": 20,
//    "MessageSystemAttributeNames": [...], "AttributeNames": [...], "MessageAttributeNames": ["All"]}
import * as ids from "./ids";
import * as json from "./json";
import { copy, inputStart, reserve } from "./memory";
import * as queue from "./queue";
import * as handle from "./receipt-handle";
import { BATCH_MAX, ENTRY_FIXED_BYTES, QUEUE_DELAY, send } from "./send";

export const REQUEST_BYTES: u32 = 256 << 10;
const IDENTIFIER_BYTES_MAX: u32 = 128;
const ENTRY_ID_BYTES_MAX: u32 = 80;
const DELAY_SECONDS_MAX: u32 = 900;
const SENDER_BYTES_MAX: u32 = 256;

const OPEN_BRACE: u8 = 0x7b;
const CLOSE_BRACE: u8 = 0x7d;
const OPEN_BRACKET: u8 = 0x5b;
const CLOSE_BRACKET: u8 = 0x5d;
const COLON: u8 = 0x3a;
const COMMA: u8 = 0x2c;

// One message, or handle, of the request, each field a u32: where its parts are in the text.
const ID: usize = 0;
const ID_BYTES: usize = 4;
const BODY: usize = 8;
const BODY_BYTES: usize = 12; // 0: there is none
const BODY_ESCAPES: usize = 16;
const GROUP: usize = 20;
const GROUP_BYTES: usize = 24;
const DEDUPLICATION: usize = 28;
const DEDUPLICATION_BYTES: usize = 32;
const DELAY_MS: usize = 36;
const HANDLE: usize = 8; // where a body has its own
const SPAN_BYTES: usize = 40;

const spans: usize = memory.data(400); // BATCH_MAX of them
const sender: usize = memory.data(256);
let senderBytes: u32 = 0;

const LAST_URL_BYTES_MAX: u32 = 256;
const lastUrl: usize = memory.data(256);
let lastUrlBytes: u32 = 0;

let region: usize = 0;
export let urlStart: usize = 0;
export let urlBytes: u32 = 0;
export let count: u32 = 0;
export let entriesBytes: u32 = 0;

export function open(): bool {
  region = reserve(REQUEST_BYTES + json.SPAN_SLACK);
  return region != 0;
}

// @ts-ignore: decorator
@inline export function requestStart(): usize { return region; }
// @ts-ignore: decorator
@inline export function entryId(i: u32): usize { return <usize>load<u32>(spans + <usize>i * SPAN_BYTES, ID); }
// @ts-ignore: decorator
@inline export function entryIdBytes(i: u32): u32 { return load<u32>(spans + <usize>i * SPAN_BYTES, ID_BYTES); }

/** Whose messages come next: `bytes` in the input region. */
export function setSender(bytes: u32): void {
  senderBytes = min(bytes, SENDER_BYTES_MAX);
  memory.copy(sender, inputStart(), senderBytes);
}

/** Goes to the text's first member. */
function begin(bytes: u32): bool {
  store<u8>(region + bytes, 0);
  json.begin(region);
  urlBytes = 0;
  count = 0;
  return json.take(OPEN_BRACE);
}

/** After a member: whether another one follows; anything but "}" and "," ends the reading. */
let broken: bool = false;
function more(close: u8): bool {
  if (json.take(COMMA)) return true;
  broken = !json.take(close);
  return false;
}

function url(): bool {
  if (urlBytes != 0 || !json.plain() || json.spanBytes == 0) return false;
  urlStart = json.spanStart;
  urlBytes = json.spanBytes;
  return true;
}

/** Whether the URL is that of the request before. The host makes a text of one that is not. */
export function urlRepeats(): bool {
  if (urlBytes == lastUrlBytes && memory.compare(urlStart, lastUrl, urlBytes) == 0) return true;
  lastUrlBytes = urlBytes <= LAST_URL_BYTES_MAX ? urlBytes : 0;
  memory.copy(lastUrl, urlStart, lastUrlBytes);
  return false;
}

/** Letters, digits and ASCII punctuation, 1 to 128 of them. */
function identifier(span: usize, field: usize): bool {
  if (load<u32>(span + field, 4) != 0 || !json.plain()) return false;
  if (json.spanBytes == 0 || json.spanBytes > IDENTIFIER_BYTES_MAX) return false;
  for (let i: usize = 0; i < json.spanBytes; i++) {
    const byte = load<u8>(json.spanStart + i);
    if (byte <= 0x20 || byte >= 0x7f) return false;
  }
  store<u32>(span + field, <u32>json.spanStart);
  store<u32>(span + field, json.spanBytes, 4);
  return true;
}

function entryIdentifier(span: usize): bool {
  if (load<u32>(span, ID_BYTES) != 0 || !json.plain()) return false;
  if (json.spanBytes == 0 || json.spanBytes > ENTRY_ID_BYTES_MAX) return false;
  for (let i: usize = 0; i < json.spanBytes; i++) {
    const byte = load<u8>(json.spanStart + i);
    const letter = (byte | 0x20) - 97;
    if (letter > 25 && <u8>(byte - 48) > 9 && byte != 0x5f && byte != 0x2d) return false;
  }
  store<u32>(span, <u32>json.spanStart, ID);
  store<u32>(span, json.spanBytes, ID_BYTES);
  return true;
}

/** The member whose name was just read, into the message's span. */
function messageMember(span: usize): bool {
  if (json.is("MessageBody")) {
    if (!json.take(COLON) || load<u32>(span, BODY_BYTES) != 0 || !json.text() || json.spanBytes == 0) return false;
    store<u32>(span, <u32>json.spanStart, BODY);
    store<u32>(span, json.spanBytes, BODY_BYTES);
    store<u32>(span, json.hasEscapes ? 1 : 0, BODY_ESCAPES);
    return true;
  }
  if (json.is("MessageGroupId")) return json.take(COLON) && identifier(span, GROUP);
  if (json.is("MessageDeduplicationId")) return json.take(COLON) && identifier(span, DEDUPLICATION);
  if (!json.is("DelaySeconds") || !json.take(COLON) || load<u32>(span, DELAY_MS) != QUEUE_DELAY) return false;
  const seconds = json.natural();
  if (seconds > DELAY_SECONDS_MAX) return false;
  store<u32>(span, seconds * 1000, DELAY_MS);
  return true;
}

function newSpan(): usize {
  const span = spans + <usize>count * SPAN_BYTES;
  memory.fill(span, 0, SPAN_BYTES);
  store<u32>(span, QUEUE_DELAY, DELAY_MS);
  count++;
  return span;
}

/** A request of `bytes`: a URL, and one message or handle or a batch of them. */
function parse(bytes: u32, batch: bool, ofHandles: bool): bool {
  if (!begin(bytes)) return false;
  let single: usize = 0;
  if (!batch) single = newSpan();
  do {
    if (!json.plain()) return false;
    if (json.is("QueueUrl")) {
      if (!json.take(COLON) || !url()) return false;
    } else if (!batch) {
      if (!(ofHandles ? handleMember(single) : messageMember(single))) return false;
    } else if (!json.is("Entries") || !json.take(COLON) || count != 0 || !entries(ofHandles)) return false;
  } while (more(CLOSE_BRACE));
  return !broken && json.isAtEnd(region + bytes) && urlBytes != 0 && count != 0;
}

/** A SendMessage (or its batch) of `bytes`. @returns how many entries are in the input region now, 0: not for us */
export function parseSend(bytes: u32, batch: bool): u32 {
  return parse(bytes, batch, false) && build() ? count : 0;
}

/** A DeleteMessage (or its batch) of `bytes`. */
export function parseDelete(bytes: u32, batch: bool): bool {
  return parse(bytes, batch, true);
}

function handleMember(span: usize): bool {
  if (!json.is("ReceiptHandle") || !json.take(COLON) || load<u32>(span, HANDLE) != 0) return false;
  if (!json.plain() || json.spanBytes != handle.TEXT_BYTES) return false;
  store<u32>(span, <u32>json.spanStart, HANDLE);
  return true;
}

/** The handles parsed, as rows for settle.ts. @returns false when one is not of this queue */
export function buildRows(q: u32): bool {
  for (let i: u32 = 0; i < count; i++) {
    const start = <usize>load<u32>(spans + <usize>i * SPAN_BYTES, HANDLE);
    const row = inputStart() + <usize>i * handle.ROW_BYTES;
    if (start == 0 || !handle.read(start, q, row)) return false;
  }
  return true;
}

// What a ReceiveMessage asks for.
export const NOT_GIVEN: u32 = 0xffff_ffff;
export let countMax: u32 = 0;
export let visibilityMs: u32 = 0;
export let waitMs: u32 = 0;
/** A bit per name of SYSTEM_NAMES, in that order, and ALL_ATTRIBUTES. */
export let wanted: u32 = 0;
export const ALL_ATTRIBUTES: u32 = 1 << 31;
const SYSTEM_COUNT: u32 = 9;
const VISIBILITY_SECONDS_MAX: u32 = 43_200;
const WAIT_SECONDS_MAX: u32 = 20;
const RECEIVE_MAX: u32 = 10;

function systemBits(): u32 {
  if (json.is("All")) return (1 << SYSTEM_COUNT) - 1;
  if (json.is("SenderId")) return 1;
  if (json.is("SentTimestamp")) return 2;
  if (json.is("ApproximateReceiveCount")) return 4;
  if (json.is("ApproximateFirstReceiveTimestamp")) return 8;
  if (json.is("SequenceNumber")) return 16;
  if (json.is("MessageDeduplicationId")) return 32;
  if (json.is("MessageGroupId")) return 64;
  if (json.is("AWSTraceHeader")) return 128;
  return json.is("DeadLetterQueueSourceArn") ? 256 : 0;
}

/** A list of names; an empty one is as good as none. */
function names(ofSystem: bool): bool {
  if (!json.take(OPEN_BRACKET)) return false;
  if (json.take(CLOSE_BRACKET)) return true;
  do {
    if (!json.plain()) return false;
    if (ofSystem) wanted |= systemBits();
    else if (json.is("All") || json.is(".*")) wanted |= ALL_ATTRIBUTES;
    else return false; // a choice among attributes is the host's to make
  } while (more(CLOSE_BRACKET));
  return !broken;
}

function receiveMember(): bool {
  if (json.is("QueueUrl")) return json.take(COLON) && url();
  if (json.is("MaxNumberOfMessages")) {
    if (!json.take(COLON) || countMax != NOT_GIVEN) return false;
    countMax = json.natural();
    return countMax >= 1 && countMax <= RECEIVE_MAX;
  }
  if (json.is("VisibilityTimeout")) {
    if (!json.take(COLON) || visibilityMs != NOT_GIVEN) return false;
    const seconds = json.natural();
    visibilityMs = seconds * 1000;
    return seconds <= VISIBILITY_SECONDS_MAX;
  }
  if (json.is("WaitTimeSeconds")) {
    if (!json.take(COLON) || waitMs != NOT_GIVEN) return false;
    const seconds = json.natural();
    waitMs = seconds * 1000;
    return seconds <= WAIT_SECONDS_MAX;
  }
  if (json.is("MessageAttributeNames")) return json.take(COLON) && names(false);
  if (!json.is("MessageSystemAttributeNames") && !json.is("AttributeNames")) return false;
  return json.take(COLON) && names(true);
}

/** A ReceiveMessage of `bytes`, into the variables above. @returns false: not for us */
export function parseReceive(bytes: u32): bool {
  if (!begin(bytes)) return false;
  countMax = visibilityMs = waitMs = NOT_GIVEN;
  wanted = 0;
  do {
    if (!json.plain() || !receiveMember()) return false;
  } while (more(CLOSE_BRACE));
  return !broken && json.isAtEnd(region + bytes) && urlBytes != 0;
}

/** The list of a batch. */
function entries(ofHandles: bool): bool {
  if (!json.take(OPEN_BRACKET)) return false;
  do {
    if (count == BATCH_MAX || !json.take(OPEN_BRACE)) return false;
    const span = newSpan();
    do {
      if (!json.plain()) return false;
      if (json.is("Id")) {
        if (!json.take(COLON) || !entryIdentifier(span)) return false;
      } else if (!(ofHandles ? handleMember(span) : messageMember(span))) return false;
    } while (more(CLOSE_BRACE));
    if (broken || load<u32>(span, ID_BYTES) == 0) return false;
  } while (more(CLOSE_BRACKET));
  return !broken && areDistinct();
}

function areDistinct(): bool {
  for (let i: u32 = 1; i < count; i++) {
    for (let j: u32 = 0; j < i; j++) {
      if (entryIdBytes(i) == entryIdBytes(j) && memory.compare(entryId(i), entryId(j), entryIdBytes(i)) == 0) return false;
    }
  }
  return true;
}

/** Spans into entries, as send.ts wants them: all but their message IDs. */
function build(): bool {
  let entry = inputStart();
  for (let i: u32 = 0; i < count; i++) {
    const span = spans + <usize>i * SPAN_BYTES;
    const bodySpan = load<u32>(span, BODY_BYTES);
    if (bodySpan == 0) return false;
    const groupBytes = load<u32>(span, GROUP_BYTES);
    const deduplicationBytes = load<u32>(span, DEDUPLICATION_BYTES);
    let to = entry + ENTRY_FIXED_BYTES;
    copy(to, load<u32>(span, GROUP), groupBytes);
    to += groupBytes;
    copy(to, load<u32>(span, DEDUPLICATION), deduplicationBytes);
    to += deduplicationBytes;
    copy(to, sender, senderBytes);
    to += senderBytes;
    let bodyBytes = bodySpan;
    if (load<u32>(span, BODY_ESCAPES)) bodyBytes = json.copy(load<u32>(span, BODY), bodySpan, to);
    else copy(to, load<u32>(span, BODY), bodySpan);
    const end = (to + bodyBytes + 7) & ~7;
    store<u32>(entry, <u32>(end - entry));
    store<u32>(entry, load<u32>(span, DELAY_MS), 4);
    store<u32>(entry, 0, 8);
    store<u32>(entry, bodyBytes, 12);
    store<u32>(entry, 0, 16);
    store<u32>(entry, groupBytes | (deduplicationBytes << 16), 20);
    store<u32>(entry, senderBytes, 24);
    store<u32>(entry, 0, 28);
    entry = end;
  }
  entriesBytes = <u32>(entry - inputStart());
  return true;
}

/** Whether what was parsed keeps the queue's rules. Which one it breaks is the host's to say. */
function keepsRules(q: u32): bool {
  const fifo = queue.isFifo(q);
  let entry = inputStart();
  for (let i: u32 = 0; i < count; i++) {
    if (load<u32>(entry, 12) > queue.messageBytesMax(q)) return false;
    const delayMs = load<u32>(entry, 4);
    const deduplicated = load<u16>(entry, 22) != 0;
    if (fifo) {
      if (delayMs != QUEUE_DELAY && delayMs != 0) return false;
      if (load<u16>(entry, 20) == 0 || (!deduplicated && !queue.isContentBased(q))) return false;
    } else if (deduplicated) return false;
    entry += load<u32>(entry);
  }
  return true;
}

/** Sends what was parsed. @returns false when nothing was done: the host takes it from the start */
export function sendParsed(q: u32, nowMs: f64): bool {
  if (!keepsRules(q) || ids.left() < count) return false;
  let entry = inputStart();
  for (let i: u32 = 0; i < count; i++) {
    ids.take(entry + 32);
    entry += load<u32>(entry);
  }
  return send(q, count, entriesBytes, nowMs) == 0;
}
