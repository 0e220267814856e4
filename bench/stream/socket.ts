// A WebSocket client for load: frames are built once and patched, masked with a key of zeros, and read without an object
// for each message. It speaks the binary subprotocol as far as the cases need it.
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";

/** A varint of 5 bytes, whatever its value: to be written over in place. */
const WIDE_BYTES = 5;

export function putWide(bytes: Buffer, at: number, value: number): void {
  let rest = value;
  for (let i = 0; i < WIDE_BYTES - 1; i++) {
    bytes[at + i] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  bytes[at + WIDE_BYTES - 1] = rest;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest & 127) | 128);
  bytes.push(rest);
  return bytes;
}

/** A masked WebSocket message of one envelope. */
export function frameOf(envelope: Buffer): Buffer {
  const payload = Buffer.concat([Buffer.from(varint(envelope.byteLength)), envelope]);
  const size = payload.byteLength;
  const head =
    size < 126
      ? Buffer.from([0x82, 0x80 | size, 0, 0, 0, 0])
      : size < 65_536
        ? Buffer.from([0x82, 0xfe, size >> 8, size & 255, 0, 0, 0, 0])
        : Buffer.from([
            0x82,
            0xff,
            0,
            0,
            0,
            0,
            size >>> 24,
            (size >> 16) & 255,
            (size >> 8) & 255,
            size & 255,
            0,
            0,
            0,
            0,
          ]);
  return Buffer.concat([head, payload]);
}

export const field = (tag: number, body: Buffer): Buffer =>
  Buffer.concat([Buffer.from([...varint(tag), ...varint(body.byteLength)]), body]);
export const number = (tag: number, value: number): Buffer => Buffer.from([...varint(tag), ...varint(value)]);

/** A Publish of `count` messages, and where in it the first number is. */
export function publishMessage(count: number, bodyBytes: number): { publish: Buffer; numberAt: number } {
  const wide = Buffer.alloc(WIDE_BYTES);
  putWide(wide, 0, 0);
  const message = field(0x1a, field(0x0a, Buffer.alloc(bodyBytes, "x")));
  const messages = Buffer.concat(Array.from({ length: count }, () => message));
  const publish = Buffer.concat([number(0x08, 1), Buffer.from([0x10]), wide, messages]);
  return { publish, numberAt: publish.byteLength - messages.byteLength - WIDE_BYTES };
}

/** The WebSocket message of it, and where the first number is and the first body begins. */
export function publishFrame(count: number, bodyBytes: number): { frame: Buffer; numberAt: number; bodyAt: number } {
  const { publish, numberAt } = publishMessage(count, bodyBytes);
  const frame = frameOf(field(0x1a, publish));
  const start = frame.byteLength - publish.byteLength;
  const messageBytes = (publish.byteLength - numberAt - WIDE_BYTES) / count;
  return { frame, numberAt: start + numberAt, bodyAt: start + numberAt + WIDE_BYTES + messageBytes - bodyBytes };
}

export interface Handlers {
  confirmed?(number: number): void;
  /** `bytes` from `at` to `end` are the messages. */
  delivered?(first: number, count: number, bytes: Buffer, at: number, end: number): void;
  settled?(): void;
}

let cursor = 0;
function readVarint(bytes: Buffer): number {
  let value = 0;
  let shift = 1;
  for (;;) {
    const byte = bytes[cursor++] as number;
    value += (byte & 127) * shift;
    if (byte < 128) return value;
    shift *= 128;
  }
}

/** Calls for each message of a Deliver with the first `textBytes` of its body, as text: the body is what a message ends with. */
export function eachBody(
  bytes: Buffer,
  at: number,
  end: number,
  { bodyBytes, textBytes }: { readonly bodyBytes: number; readonly textBytes: number },
  take: (text: string) => void,
): void {
  cursor = at;
  while (cursor < end) {
    cursor++;
    const size = readVarint(bytes);
    cursor += size;
    const bodyAt = cursor - bodyBytes;
    take(bytes.toString("latin1", bodyAt, bodyAt + textBytes));
  }
}

export class LoadSocket {
  readonly socket: Socket;
  readonly #handlers: Handlers;
  #rest: Buffer = Buffer.alloc(0);
  #isOpen = false;
  #onOpen = (): void => {};

  private constructor(socket: Socket, handlers: Handlers) {
    this.socket = socket;
    this.#handlers = handlers;
    socket.setNoDelay(true);
    socket.on("data", (data) => this.#take(data));
  }

  static async open(port: number, handlers: Handlers): Promise<LoadSocket> {
    const socket = connect(port, "127.0.0.1");
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    const load = new LoadSocket(socket, handlers);
    socket.write(
      `GET /stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n` +
        `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\nSec-WebSocket-Protocol: wasq.v1.protobuf\r\n\r\n`,
    );
    await new Promise<void>((resolve) => {
      load.#onOpen = resolve;
    });
    return load;
  }

  #take(data: Buffer): void {
    let bytes = this.#rest.byteLength === 0 ? data : Buffer.concat([this.#rest, data]);
    if (!this.#isOpen) {
      const end = bytes.indexOf("\r\n\r\n");
      if (end === -1) {
        this.#rest = bytes;
        return;
      }
      if (!bytes.subarray(0, 12).equals(Buffer.from("HTTP/1.1 101"))) throw new Error(bytes.toString());
      bytes = bytes.subarray(end + 4);
      this.#isOpen = true;
      this.#onOpen();
    }
    let at = 0;
    for (;;) {
      if (bytes.byteLength - at < 2) break;
      let size = (bytes[at + 1] as number) & 127;
      let head = 2;
      if (size === 126) {
        if (bytes.byteLength - at < 4) break;
        size = bytes.readUInt16BE(at + 2);
        head = 4;
      } else if (size === 127) {
        if (bytes.byteLength - at < 10) break;
        size = bytes.readUInt32BE(at + 6);
        head = 10;
      }
      if (bytes.byteLength - at < head + size) break;
      const opcode = (bytes[at] as number) & 15;
      if (opcode === 8) throw new Error(`closed: ${bytes.subarray(at + head + 2, at + head + size)}`);
      if (opcode === 2) this.#envelopes(bytes, at + head, at + head + size);
      at += head + size;
    }
    this.#rest = at === bytes.byteLength ? Buffer.alloc(0) : Buffer.from(bytes.subarray(at));
  }

  #envelopes(bytes: Buffer, start: number, end: number): void {
    cursor = start;
    while (cursor < end) {
      const size = readVarint(bytes);
      const next = cursor + size;
      let tag = readVarint(bytes);
      if (tag === 0x08) {
        readVarint(bytes);
        tag = readVarint(bytes);
      }
      readVarint(bytes); // the body's size
      if (tag === 0x22) this.#confirm(bytes);
      else if (tag === 0x12) this.#deliver(bytes, next);
      else if (tag === 0x4a) this.#handlers.settled?.();
      else if (tag === 0x5a) throw new Error(`error: ${bytes.subarray(cursor, next).toString("latin1")}`);
      cursor = next;
    }
  }

  #confirm(bytes: Buffer): void {
    cursor++; // publisher
    readVarint(bytes);
    cursor++; // number
    this.#handlers.confirmed?.(readVarint(bytes));
  }

  #deliver(bytes: Buffer, end: number): void {
    cursor++;
    readVarint(bytes);
    cursor++;
    const first = readVarint(bytes);
    const at = cursor;
    let count = 0;
    while (cursor < end) {
      cursor++;
      const size = readVarint(bytes);
      cursor += size;
      count++;
    }
    this.#handlers.delivered?.(first, count, bytes, at, end);
  }
}
