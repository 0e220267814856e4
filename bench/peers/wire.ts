// What goes over a publisher's connection, read as far as it tells which messages came and which are confirmed. Messages of
// a connection are numbered from 1 in the order in which they came.
import { gathered } from "./driver.ts";
import { Frames } from "./drivers/nats.ts";
import { Replies } from "./drivers/redis.ts";
import type { Protocol } from "./protocols.ts";

export interface Range {
  readonly first: number;
  readonly last: number;
}

export interface Wire {
  /** What the client sent. @returns the messages that are whole with it, in all */
  came(bytes: Buffer): number;
  /** What the server sent. @returns the messages that are confirmed with it */
  answered(bytes: Buffer): readonly Range[];
}

/** The n-th answer is for the n-th message, or for the n-th request that has so many. */
class InTurn implements Wire {
  readonly #requests: (bytes: Buffer) => void;
  readonly #answers: (bytes: Buffer) => void;
  readonly #sizes: number[] = [];
  #cameCount = 0;
  #confirmedCount = 0;
  #answerCount = 0;
  #ranges: Range[] = [];

  constructor(
    requests: (request: (messageCount: number) => void) => (bytes: Buffer) => void,
    answers: (answer: () => void) => (bytes: Buffer) => void,
  ) {
    this.#requests = requests((messageCount) => {
      this.#sizes.push(messageCount);
      this.#cameCount += messageCount;
    });
    this.#answers = answers(() => {
      const count = this.#sizes[this.#answerCount++] ?? 0;
      if (count > 0) this.#ranges.push({ first: this.#confirmedCount + 1, last: this.#confirmedCount + count });
      this.#confirmedCount += count;
    });
  }

  came(bytes: Buffer): number {
    this.#requests(bytes);
    return this.#cameCount;
  }

  answered(bytes: Buffer): readonly Range[] {
    this.#ranges = [];
    this.#answers(bytes);
    return this.#ranges;
  }
}

/** Which messages come, and which are confirmed, the stream itself tells. */
class Told implements Wire {
  readonly #came: (bytes: Buffer) => void;
  readonly #answered: (bytes: Buffer) => void;
  #cameCount = 0;
  #ranges: Range[] = [];

  constructor(
    came: (count: (messages: number) => void) => (bytes: Buffer) => void,
    answered: (confirm: (range: Range) => void) => (bytes: Buffer) => void,
  ) {
    this.#came = came((messages) => {
      this.#cameCount += messages;
    });
    this.#answered = answered((range) => {
      this.#ranges.push(range);
    });
  }

  came(bytes: Buffer): number {
    this.#came(bytes);
    return this.#cameCount;
  }

  answered(bytes: Buffer): readonly Range[] {
    this.#ranges = [];
    this.#answered(bytes);
    return this.#ranges;
  }
}

/** Lines, of which some have a body behind them. @param line its body's size, if there is one */
function lines(line: (text: string) => number | undefined): (bytes: Buffer) => void {
  return gathered((bytes) => {
    for (let at = 0; ; ) {
      const end = bytes.indexOf("\r\n", at);
      if (end === -1) return at;
      const text = bytes.toString("latin1", at, end);
      const size = Number(/ (\d+)$/.exec(text)?.[1]);
      const next = end + 2 + (/^(put|H?PUB) /.test(text) ? size + 2 : 0);
      if (next > bytes.byteLength) return at;
      line(text);
      at = next;
    }
  });
}

const beanstalk = (): Wire =>
  new InTurn(
    (request) => lines((text) => void (text.startsWith("put ") && request(1))),
    (answer) => lines((text) => void (text.startsWith("INSERTED ") && answer())),
  );

/** What is asked of the server itself has a subject that begins with "$". */
const nats = (): Wire =>
  new InTurn(
    (request) => lines((text) => void (/^PUB [^$]/.test(text) && request(1))),
    (answer) => new Frames(answer).take,
  );

/** Each message of a batch comes by itself; the answer to the last says how many there were. */
function natsBatches(): Wire {
  let upTo = 0;
  return new Told(
    (count) => lines((text) => void (text.startsWith("HPUB ") && count(1))),
    (confirm) =>
      new Frames((_sid, _reply, bytes, at, end) => {
        const count = Number(/"count":(\d+)/.exec(bytes.toString("latin1", at, end))?.[1] ?? 0);
        if (count > 0) confirm({ first: upTo + 1, last: upTo + count });
        upTo += count;
      }).take,
  );
}

const redis = (): Wire =>
  new InTurn(
    (request) => new Replies((words) => request(String(Array.isArray(words) ? words[0] : "") === "XADD" ? 1 : 0)).take,
    (answer) => new Replies(answer).take,
  );

/** Heads with a length, and what is of that length. */
function bodies(take: (head: string, body: string) => void): (bytes: Buffer) => void {
  return gathered((bytes) => {
    for (let at = 0; ; ) {
      const end = bytes.indexOf("\r\n\r\n", at);
      if (end === -1) return at;
      const head = bytes.toString("latin1", at, end);
      const next = end + 4 + Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      if (next > bytes.byteLength) return at;
      take(head, bytes.toString("latin1", end + 4, next));
      at = next;
    }
  });
}

const http = (): Wire =>
  new InTurn(
    (request) => bodies((_head, body) => request(body.split('"MessageBody":').length - 1)),
    (answer) => bodies(answer),
  );

const ACK = 0x003c0050;
const AMQP_HEADER_BYTES = 8;

/** Frames from `skipped` bytes on. */
function amqpFrames(skipped: number, take: (kind: number, bytes: Buffer, at: number) => void): (bytes: Buffer) => void {
  let skip = skipped;
  return gathered((bytes) => {
    let at = Math.min(skip, bytes.byteLength);
    skip -= at;
    while (bytes.byteLength - at >= 8) {
      const next = at + 7 + bytes.readUInt32BE(at + 3) + 1;
      if (next > bytes.byteLength) break;
      take(bytes[at] as number, bytes, at + 7);
      at = next;
    }
    return at;
  });
}

/** Of messages that fit a frame. Confirmations name one, or all up to one, and not always in order. */
function amqp(): Wire {
  let upTo = 0;
  return new Told(
    (count) =>
      amqpFrames(AMQP_HEADER_BYTES, (kind) => {
        if (kind === 3) count(1);
      }),
    (confirm) =>
      amqpFrames(0, (kind, bytes, at) => {
        if (kind !== 1 || bytes.readUInt32BE(at) !== ACK) return;
        const last = Number(bytes.readBigUInt64BE(at + 4));
        const isMultiple = bytes[at + 12] === 1;
        confirm({ first: isMultiple ? upTo + 1 : last, last });
        if (isMultiple) upTo = Math.max(upTo, last);
      }),
  );
}

interface Field {
  readonly tag: number;
  /** Of a number: its value; of bytes: where they begin and end. */
  readonly value: number;
  readonly at: number;
  readonly end: number;
}

function varint(bytes: Buffer, from: number): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let at = from, scale = 1; ; scale *= 128) {
    const byte = bytes[at++] ?? 0;
    value += (byte & 127) * scale;
    if (byte < 128) return { value, end: at };
  }
}

/** Protobuf: numbers and bytes. */
function fields(bytes: Buffer, from: number, to: number): Field[] {
  const found: Field[] = [];
  for (let at = from; at < to; ) {
    const tag = varint(bytes, at);
    const { value, end } = varint(bytes, tag.end);
    at = (tag.value & 7) === 2 ? end + value : end;
    found.push({ tag: tag.value, value, at: end, end: at });
  }
  return found;
}

const MASK_BYTES = 4;

/** WebSocket: behind the head of the upgrade binary frames, each of envelopes that their size begins. */
function envelopes(take: (bytes: Buffer, at: number, end: number) => void): (bytes: Buffer) => void {
  let isOpen = false;
  return gathered((bytes) => {
    let at = 0;
    if (!isOpen) {
      const end = bytes.indexOf("\r\n\r\n");
      if (end === -1) return 0;
      isOpen = true;
      at = end + 4;
    }
    for (;;) {
      const second = bytes[at + 1] ?? 0;
      const short = second & 127;
      const sizeBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
      const start = at + 2 + sizeBytes + (second & 128 ? MASK_BYTES : 0); // the client's mask is zeros
      if (start > bytes.byteLength) return at;
      const size =
        sizeBytes === 0 ? short : bytes.readUIntBE(at + 2 + Math.max(0, sizeBytes - 6), Math.min(6, sizeBytes));
      if (start + size > bytes.byteLength) return at;
      if (((bytes[at] ?? 0) & 15) === 2) {
        for (let from = start; from < start + size; ) {
          const length = varint(bytes, from);
          from = length.end + length.value;
          take(bytes, length.end, from);
        }
      }
      at = start + size;
    }
  });
}

const PUBLISH = 0x1a;
const MESSAGE = 0x1a;
const CONFIRM = 0x22;
const CONFIRM_NUMBER = 0x10;

/** A confirmation is of all messages up to a number. */
function stream(): Wire {
  let upTo = 0;
  return new Told(
    (count) =>
      envelopes((bytes, at, end) => {
        for (const publish of fields(bytes, at, end).filter(({ tag }) => tag === PUBLISH)) {
          count(fields(bytes, publish.at, publish.end).filter(({ tag }) => tag === MESSAGE).length);
        }
      }),
    (confirm) =>
      envelopes((bytes, at, end) => {
        for (const told of fields(bytes, at, end).filter(({ tag }) => tag === CONFIRM)) {
          const last = fields(bytes, told.at, told.end).find(({ tag }) => tag === CONFIRM_NUMBER)?.value ?? 0;
          if (last > upTo) confirm({ first: upTo + 1, last });
          upTo = Math.max(upTo, last);
        }
      }),
  );
}

/** By protocol; those that are not here are of servers that keep nothing. */
export const WIRES: Partial<Record<Protocol, () => Wire>> = {
  stream,
  http,
  redis,
  nats,
  natsBatches,
  amqp,
  beanstalk,
};
