// Envelopes to frames and back, in the two subprotocols. A Publish is never decoded here: its bytes are the core's to read.
import {
  STREAM_FIELDS_MAX,
  STREAM_JSON_BYTES_MAX,
  STREAM_JSON_NAMES_MAX,
  STREAM_JSON_PARTS_MAX,
  STREAM_REQUEST_BYTES_MAX,
} from "../limits.ts";
import { CLOSE, type ConfirmMessage, ConnectionError, type Incoming, type Outgoing } from "./envelope.ts";
import { numberProblem, UINT32_MAX } from "./json-numbers.ts";
import { shapeProblem } from "./json-shape.ts";
import { readPlain, settledJson, writeConfirm, writeSettled } from "./plain.ts";
import { BODY_FIELDS, EnvelopeType, PublishType, Reader } from "./schema.ts";

export const SUBPROTOCOLS = ["wasq.v1.protobuf", "wasq.v1.json"] as const;
export type Subprotocol = (typeof SUBPROTOCOLS)[number];

const ID_TAG = 0x08; // of Envelope.id
const PUBLISH_TAG = 0x1a; // of Envelope.publish
const CONFIRM_TAG = 0x22; // of Envelope.confirm
/** Of a frame with Publish messages, what is copied at a time: all of it, mostly. */
const TAKEN_BYTES = 256 * 1024;

export interface Codec {
  readonly subprotocol: Subprotocol;
  readonly isText: boolean;
  /**
   * Reads envelopes from `start` on, until `each` says false; it is told how many bytes of the frame each has taken.
   * @param takeFrame told of bytes whose Publish messages are named by their place in them, before each of those that follow
   * @returns where to go on; the frame's size at its end
   * @throws ConnectionError for what cannot be read
   */
  read(
    frame: Uint8Array,
    start: number,
    takeFrame: (bytes: Uint8Array) => void,
    each: (envelope: Incoming, sizeBytes: number) => boolean,
  ): number;
  write(envelope: Outgoing): Uint8Array;
  /** A Confirm, with fields of it that are encoded already. */
  writeConfirm(confirm: ConfirmMessage, fields: Uint8Array | undefined): Uint8Array;
  /** Envelopes that the core has composed, each behind its size. */
  rewrite(frame: Uint8Array): Uint8Array;
  /** Envelopes, one WebSocket message. */
  join(envelopes: readonly Uint8Array[]): Uint8Array;
}

function malformed(what: string): ConnectionError {
  return new ConnectionError(CLOSE.malformed, what);
}

function tooLarge(what: string): ConnectionError {
  return new ConnectionError(CLOSE.tooLarge, what);
}

// --- binary ------------------------------------------------------------------------------------------------------

let cursor = 0;

const SIZE_FACTOR_MAX = 128 ** 4; // of the fifth byte

/** A varint of at most 32 bits at `cursor`. */
function readSize(bytes: Uint8Array, end: number): number {
  let value = 0;
  for (let factor = 1; factor <= SIZE_FACTOR_MAX && cursor < end; factor *= 128) {
    const byte = bytes[cursor++] as number;
    value += (byte & 127) * factor;
    if (byte < 128) return value;
  }
  throw malformed("An envelope's size cannot be read");
}

/** Where the Publish of the envelope is, when it is nothing but that (and an id). @returns undefined for other envelopes */
function publishOf(bytes: Uint8Array, start: number, end: number): { offset: number; sizeBytes: number } | undefined {
  cursor = start;
  if (bytes[cursor] === ID_TAG) {
    cursor++;
    readSize(bytes, end);
  }
  if (bytes[cursor] !== PUBLISH_TAG) return undefined;
  cursor++;
  const sizeBytes = readSize(bytes, end);
  return cursor + sizeBytes === end ? { offset: cursor, sizeBytes } : undefined;
}

/**
 * The bytes of an envelope's Publish where something stands around or between them. What stands twice is one message,
 * whose parts follow one another. Nothing is decoded: text that is not UTF-8 could become other text.
 * @returns undefined for other envelopes
 * @throws ConnectionError for very many fields
 */
function scatteredPublishOf(envelope: Uint8Array): Uint8Array | undefined {
  const reader = Reader.create(envelope);
  let parts: Uint8Array[] = [];
  for (let count = 1; reader.pos < reader.len; count++) {
    if (count > STREAM_FIELDS_MAX) throw tooLarge(`An envelope has more than ${STREAM_FIELDS_MAX} fields`);
    const tag = reader.uint32();
    if (tag === PUBLISH_TAG) parts.push(reader.bytes());
    else {
      if (BODY_FIELDS.has(tag >>> 3)) parts = []; // another body: the last one counts
      reader.skipType(tag & 7);
    }
  }
  return parts.length === 0 ? undefined : Buffer.concat(parts);
}

interface Decoded {
  readonly id: number;
  readonly body?: string;
}

/** What a decoded envelope has in it. */
function contentOf(envelope: Decoded): object | undefined {
  return envelope.body === undefined ? undefined : (envelope as unknown as Record<string, object>)[envelope.body];
}

function requestOf(envelope: Decoded): Incoming {
  return { kind: "request", id: envelope.id, name: envelope.body ?? "", body: contentOf(envelope) };
}

/** A Publish that is not in the frame as it came: in a frame of its own. */
function takenPublish(bytes: Uint8Array, takeFrame: (bytes: Uint8Array) => void): Incoming {
  takeFrame(bytes);
  return { kind: "publish", offset: 0, sizeBytes: bytes.byteLength };
}

export const BINARY: Codec = {
  subprotocol: "wasq.v1.protobuf",
  isText: false,

  read(frame, start, takeFrame, each) {
    let at = start;
    let takenStart = 0;
    let takenEnd = 0;
    let goesOn = true;
    while (goesOn && at < frame.byteLength) {
      cursor = at;
      const sizeBytes = readSize(frame, frame.byteLength);
      const from = cursor;
      const end = from + sizeBytes;
      if (end > frame.byteLength) throw malformed("An envelope is longer than its frame");
      const publish = publishOf(frame, from, end);
      const isSmall = sizeBytes <= STREAM_REQUEST_BYTES_MAX;
      const plain = publish === undefined && isSmall ? readPlain(frame, from, end) : undefined;
      if (plain !== undefined) goesOn = each(plain, sizeBytes);
      else if (publish !== undefined) {
        if (end > takenEnd) {
          const isWhole = at === 0 && frame.byteLength <= TAKEN_BYTES; // another view takes as long as a message
          takenStart = isWhole ? 0 : from;
          takenEnd = Math.max(end, Math.min(from + TAKEN_BYTES, frame.byteLength));
          takeFrame(isWhole ? frame : frame.subarray(takenStart, takenEnd));
        }
        const incoming: Incoming = {
          kind: "publish",
          offset: publish.offset - takenStart,
          sizeBytes: publish.sizeBytes,
        };
        goesOn = each(incoming, sizeBytes);
      } else {
        const bytes = frame.subarray(from, end);
        let scattered: Uint8Array | undefined;
        let envelope: Decoded | undefined;
        try {
          scattered = scatteredPublishOf(bytes);
          if (scattered === undefined && isSmall) envelope = EnvelopeType.decode(bytes) as unknown as Decoded;
        } catch (error) {
          if (error instanceof ConnectionError) throw error;
          throw malformed("An envelope is not protobuf");
        }
        if (envelope !== undefined) goesOn = each(requestOf(envelope), sizeBytes);
        else if (scattered === undefined) {
          throw tooLarge(`An envelope that is no Publish has at most ${STREAM_REQUEST_BYTES_MAX} bytes`);
        } else {
          goesOn = each(takenPublish(scattered, takeFrame), sizeBytes);
          takenEnd = 0;
        }
      }
      at = end;
    }
    return at;
  },

  write: (envelope) => writeSettled(envelope) ?? EnvelopeType.encodeDelimited(envelope).finish(),

  writeConfirm(confirm, fields) {
    if (fields === undefined) return writeConfirm(confirm) ?? this.write({ confirm });
    const head = EnvelopeType.encode({ confirm }).finish();
    // The head is the tag, its size as a varint, and the Confirm: all three again, with the fields behind.
    cursor = 1;
    readSize(head, head.byteLength);
    return delimited(Buffer.concat([head.subarray(cursor), fields]), CONFIRM_TAG);
  },

  rewrite: (frame) => frame,
  join: (envelopes) => (envelopes.length === 1 ? (envelopes[0] as Uint8Array) : Buffer.concat(envelopes)),
};

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest & 127) | 128);
  bytes.push(rest);
  return bytes;
}

/** An envelope of one body, behind its size. */
function delimited(body: Uint8Array, tag: number): Uint8Array {
  const inner = Buffer.concat([Buffer.from([tag, ...varint(body.byteLength)]), body]);
  return Buffer.concat([Buffer.from(varint(inner.byteLength)), inner]);
}

// --- JSON --------------------------------------------------------------------------------------------------------

type Plain = Record<string, unknown>;

const decoder = new TextDecoder("utf-8", { fatal: true });
const NEWLINE_BYTE = 10;
const NEWLINE = Buffer.from("\n");

function bytesOf(uuid: unknown): Buffer {
  const hex = typeof uuid === "string" ? uuid.replaceAll("-", "") : "";
  if (!/^[0-9a-fA-F]{32}$/.test(hex)) throw malformed("A producer is no UUID");
  return Buffer.from(hex, "hex");
}

/** 0 where it is none: the answer is pushed. */
function idOf(plain: Plain): number {
  const id = Number(plain["id"] ?? 0);
  return Number.isInteger(id) && id >= 0 && id <= UINT32_MAX ? id : 0;
}

function uuidOf(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** JSON has text for bodies and IDs. */
function withTexts(each: Plain): Plain {
  const { id, body, ...rest } = each;
  return {
    ...(id instanceof Uint8Array && id.byteLength === 16 ? { messageId: uuidOf(id) } : {}),
    ...(body instanceof Uint8Array ? { text: Buffer.from(body).toString() } : {}),
    ...rest,
  };
}

function base64(_: string, value: unknown): unknown {
  // A Buffer has turned itself into this by the time it comes here.
  const buffer = value as { readonly type?: string; readonly data?: number[] } | null;
  if (buffer?.type === "Buffer" && Array.isArray(buffer.data)) return Buffer.from(buffer.data).toString("base64");
  return value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value;
}

function jsonOf(message: Plain): Uint8Array {
  const plain: Plain = EnvelopeType.toObject(EnvelopeType.fromObject(message), { longs: Number, enums: String });
  const { deliver, confirm, watched } = plain as Record<string, Plain | undefined>;
  if (deliver !== undefined) deliver["messages"] = ((deliver["messages"] ?? []) as Plain[]).map(withTexts);
  if (confirm?.["published"] !== undefined) confirm["published"] = (confirm["published"] as Plain[]).map(withTexts);
  if (watched?.["events"] !== undefined) watched["events"] = (watched["events"] as Plain[]).map(withTexts);
  return Buffer.from(JSON.stringify(plain, base64));
}

/** @throws ConnectionError for a line that would take too long to parse */
function checkLine(line: Uint8Array): void {
  if (line.byteLength > STREAM_JSON_BYTES_MAX) {
    throw tooLarge(`A line of JSON has at most ${STREAM_JSON_BYTES_MAX} bytes`);
  }
  const problem = shapeProblem(line);
  if (problem === "depth") throw malformed("A frame is nested too deep");
  if (problem === "parts") {
    throw tooLarge(`A line of JSON has at most ${STREAM_JSON_PARTS_MAX} commas and opening brackets`);
  }
  if (problem === "names") throw tooLarge(`An object in JSON has at most ${STREAM_JSON_NAMES_MAX} names`);
}

export const JSON_CODEC: Codec = {
  subprotocol: "wasq.v1.json",
  isText: true,

  read(frame, start, takeFrame, each) {
    let at = start;
    let goesOn = true;
    while (goesOn && at < frame.byteLength) {
      const newline = frame.indexOf(NEWLINE_BYTE, at);
      const end = newline < 0 ? frame.byteLength : newline;
      const bytes = frame.subarray(at, end);
      checkLine(bytes);
      let line: string;
      try {
        line = decoder.decode(bytes);
      } catch {
        throw malformed("A frame is not UTF-8");
      }
      at = Math.min(end + 1, frame.byteLength);
      if (line.trim() === "") continue;
      let envelope: Decoded;
      let problem: string | undefined;
      try {
        const plain: Plain = JSON.parse(line);
        if (typeof plain !== "object" || plain === null || Array.isArray(plain)) throw malformed("not an object");
        const opening = plain["openPublisher"] as Plain | undefined;
        if (opening?.["producer"] !== undefined) opening["producerId"] = bytesOf(opening["producer"]);
        problem = numberProblem(plain);
        if (problem !== undefined) envelope = { id: idOf(plain) };
        else envelope = EnvelopeType.fromObject(plain) as unknown as Decoded;
      } catch (error) {
        if (error instanceof ConnectionError) throw error;
        throw malformed(`A line is not an envelope in JSON: ${line.slice(0, 80)}`);
      }
      let incoming: Incoming;
      if (problem !== undefined) incoming = { kind: "refused", id: envelope.id, message: problem };
      else if (envelope.body !== "publish") incoming = requestOf(envelope);
      else incoming = takenPublish(PublishType.encode(contentOf(envelope) ?? {}).finish(), takeFrame);
      goesOn = each(incoming, bytes.byteLength);
    }
    return at;
  },

  write(envelope) {
    const settled = settledJson(envelope);
    return settled === undefined ? jsonOf(envelope) : Buffer.from(settled);
  },
  writeConfirm(confirm, fields) {
    if (fields === undefined) return jsonOf({ confirm });
    return this.rewrite(BINARY.writeConfirm(confirm, fields));
  },
  rewrite(frame) {
    const reader = Reader.create(frame);
    const envelopes: Uint8Array[] = [];
    while (reader.pos < reader.len) envelopes.push(jsonOf(EnvelopeType.decodeDelimited(reader) as unknown as Plain));
    return this.join(envelopes);
  },
  join: (envelopes) => Buffer.concat(envelopes.flatMap((each, i) => (i === 0 ? [each] : [NEWLINE, each]))),
};

export function codecOf(subprotocol: Subprotocol): Codec {
  return subprotocol === "wasq.v1.json" ? JSON_CODEC : BINARY;
}
