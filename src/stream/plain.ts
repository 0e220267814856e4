// The envelopes that come and go with every batch, by hand: protobufjs takes a microsecond and more for each. What is not
// exactly of the form expected here is left to it, so that there is one judge of what can be read.
import type { ConfirmMessage, Incoming, Outgoing, RangeMessage, SettledMessage } from "./envelope.ts";
import { SETTLE_CODES } from "./schema.ts";

// Tags of Envelope's fields.
const ID = 0x08;
const CONFIRM = 0x22;
const ACK = 0x2a;
const CREDIT = 0x32;
const SETTLED = 0x4a;
// Tags by the field's number.
const NUMBER_1 = 0x08;
const NUMBER_2 = 0x10;
const NUMBER_3 = 0x18;
const NUMBER_4 = 0x20;
const NUMBER_5 = 0x28;
const BYTES_2 = 0x12;
const BYTES_3 = 0x1a;

const ENVELOPE_BYTES_MAX = 64;
const UINT32_MAX = 0xffff_ffff;
const HEAD_BYTES_MAX = 32; // before a Settled, and again of it up to its failures: sizes, tags and numbers
const FAILURE_BYTES_MAX = 24; // its tag, its size, two numbers of 64 bits and a code

const FACTOR_MAX = 2 ** 49; // of the eighth byte

let cursor = 0;

/** A varint at `cursor`, to 2^53 - 1; NaN for others. */
function readNumber(bytes: Uint8Array, end: number): number {
  let value = 0;
  for (let factor = 1; cursor < end; factor *= 128) {
    const byte = bytes[cursor++] as number;
    value += (byte & 127) * factor;
    if (byte < 128) return value <= Number.MAX_SAFE_INTEGER ? value : Number.NaN;
    if (factor > FACTOR_MAX) break;
  }
  return Number.NaN;
}

/** An Ack or a Credit, with an id or without, and nothing else. @returns undefined for whatever is otherwise */
export function readPlain(bytes: Uint8Array, start: number, end: number): Incoming | undefined {
  cursor = start;
  let id = 0;
  if (bytes[cursor] === ID) {
    cursor++;
    id = readNumber(bytes, end);
  }
  const tag = bytes[cursor++];
  if (!(id <= UINT32_MAX) || (tag !== ACK && tag !== CREDIT)) return undefined;
  const sizeBytes = readNumber(bytes, end);
  if (cursor + sizeBytes !== end) return undefined;
  const body = tag === ACK ? readAck(bytes, end) : readCredit(bytes, end);
  return body === undefined ? undefined : { kind: "request", id, name: tag === ACK ? "ack" : "credit", body };
}

function readAck(bytes: Uint8Array, end: number): object | undefined {
  let subscription = 0;
  const deliveries: RangeMessage[] = [];
  while (cursor < end) {
    const tag = bytes[cursor++];
    const value = readNumber(bytes, end);
    if (tag === NUMBER_1) subscription = value;
    else if (tag === BYTES_2 && cursor + value <= end) {
      const range = readRange(bytes, cursor + value);
      if (range === undefined) return undefined;
      deliveries.push(range);
    } else return undefined;
  }
  return subscription <= UINT32_MAX ? { subscription, deliveries } : undefined;
}

function readRange(bytes: Uint8Array, end: number): RangeMessage | undefined {
  let first = 0;
  let last = 0;
  while (cursor < end) {
    const tag = bytes[cursor++];
    const value = readNumber(bytes, end);
    if (tag === NUMBER_1) first = value;
    else if (tag === NUMBER_2) last = value;
    else return undefined;
  }
  return Number.isNaN(first + last) ? undefined : { first, last };
}

function readCredit(bytes: Uint8Array, end: number): object | undefined {
  let subscription = 0;
  let messages = 0;
  let creditBytes = 0;
  let beyond = 0;
  let auto = 0;
  while (cursor < end) {
    const tag = bytes[cursor++];
    const value = readNumber(bytes, end);
    if (tag === NUMBER_1) subscription = value;
    else if (tag === NUMBER_2) messages = value;
    else if (tag === NUMBER_3) creditBytes = value;
    else if (tag === NUMBER_4) beyond = value;
    else if (tag === NUMBER_5) auto = value;
    else return undefined;
  }
  if (!(Math.max(subscription, messages, creditBytes, auto) <= UINT32_MAX) || Number.isNaN(beyond)) return undefined;
  return { subscription, messages, bytes: creditBytes, beyond, auto: auto !== 0 };
}

const scratch = new Uint8Array(ENVELOPE_BYTES_MAX);
let target = scratch;

function putVarint(value: number): void {
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) target[cursor++] = (rest % 128) | 128;
  target[cursor++] = rest;
}

/** Writes a field of a number, unless it is 0. */
function putNumber(tag: number, value: number): void {
  if (value === 0) return;
  target[cursor++] = tag;
  putVarint(value);
}

/** An envelope behind its size: all of it is so short that every size is one byte. */
function written(id: number, tag: number, first: number, second: number): Uint8Array {
  cursor = 1;
  putNumber(ID, id);
  scratch[cursor] = tag;
  const bodyStart = cursor + 2;
  cursor = bodyStart;
  putNumber(NUMBER_1, first);
  putNumber(NUMBER_2, second);
  scratch[bodyStart - 1] = cursor - bodyStart;
  scratch[0] = cursor - 1;
  return scratch.slice(0, cursor);
}

/** A Settled. @returns undefined for whatever is otherwise */
export function writeSettled({ id = 0, settled }: Outgoing): Uint8Array | undefined {
  if (settled === undefined) return undefined;
  const { subscription, count, failures } = settled as SettledMessage;
  return failures.length === 0 ? written(id, SETTLED, subscription, count) : settledWith(id, settled as SettledMessage);
}

/** The same in JSON, where what is 0 is left out. */
export function settledJson({ id = 0, settled }: Outgoing): string | undefined {
  if (settled === undefined) return undefined;
  const { subscription, count, failures } = settled as SettledMessage;
  const told = failures.map(({ delivery, code, last }) => ({
    ...(delivery > 0 && { delivery }),
    code: SETTLE_CODES[code],
    ...(last !== undefined && { last }),
  }));
  const body = { ...(subscription > 0 && { subscription }), ...(count > 0 && { count }) };
  return JSON.stringify({ ...(id > 0 && { id }), settled: { ...body, ...(told.length > 0 && { failures: told }) } });
}

/** One with failures: as many as there are numbers in a request. */
function settledWith(id: number, { subscription, count, failures }: SettledMessage): Uint8Array {
  target = new Uint8Array(2 * HEAD_BYTES_MAX + FAILURE_BYTES_MAX * failures.length);
  cursor = HEAD_BYTES_MAX;
  putNumber(NUMBER_1, subscription);
  putNumber(NUMBER_2, count);
  for (const { delivery, code, last = 0 } of failures) {
    target[cursor] = BYTES_3;
    const start = cursor + 2;
    cursor = start;
    putNumber(NUMBER_1, delivery);
    putNumber(NUMBER_2, code);
    putNumber(NUMBER_3, last);
    target[start - 1] = cursor - start;
  }
  const bytes = target;
  const end = cursor;
  target = scratch;
  // What stands before it has its size in it, and so comes last.
  cursor = 0;
  putNumber(ID, id);
  scratch[cursor++] = SETTLED;
  putVarint(end - HEAD_BYTES_MAX);
  const sizeBytes = cursor + end - HEAD_BYTES_MAX;
  const tagEnd = cursor;
  putVarint(sizeBytes);
  const start = HEAD_BYTES_MAX - cursor;
  bytes.set(scratch.subarray(tagEnd, cursor), start);
  bytes.set(scratch.subarray(0, tagEnd), start + cursor - tagEnd);
  return bytes.subarray(start, end);
}

/** A Confirm without failures. @returns undefined for others */
export function writeConfirm({ publisher, number, failures }: ConfirmMessage): Uint8Array | undefined {
  return failures.length === 0 ? written(0, CONFIRM, publisher, number) : undefined;
}
