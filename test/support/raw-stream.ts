// The JSON subprotocol on a WebSocket of our own making: cheap enough for ten thousand of them, and as badly behaved as a
// test wants. It reads only as much as it is told to, and answers pings or does not.
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { Json } from "./bare-stream.ts";

const TEXT = 0x81;
const CLOSE = 8;
const PING = 9;
const PONG = 0x8a;

export interface RawOptions {
  /** Answers pings. Default: true. */
  readonly answersPings?: boolean;
}

export class RawStream {
  readonly socket: Socket;
  /** Told of everything that is pushed. */
  onPush: (envelope: Json) => void = () => {};
  /** Resolves with the close code, 1006 where the connection ended without one. */
  readonly closed: Promise<number>;
  closeCode: number | undefined;
  readonly #answersPings: boolean;
  readonly #answers = new Map<number, (envelope: Json) => void>();
  #rest: Buffer = Buffer.alloc(0);
  #isOpen = false;
  #onOpen = (): void => {};
  #nextId = 1;

  private constructor(socket: Socket, { answersPings = true }: RawOptions) {
    this.socket = socket;
    this.#answersPings = answersPings;
    socket.on("data", (data) => this.#take(data));
    socket.on("error", () => {});
    this.closed = new Promise((resolve) => {
      socket.on("close", () => {
        this.closeCode ??= 1006;
        resolve(this.closeCode);
      });
    });
  }

  /** Connects and upgrades; nothing has been said yet. Rejects when the server does not let it in. */
  static async open(endpoint: string, options: RawOptions = {}): Promise<RawStream> {
    const socket = connect(Number(new URL(endpoint).port), "127.0.0.1");
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    const stream = new RawStream(socket, options);
    socket.write(
      "GET /stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
        `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\nSec-WebSocket-Protocol: wasq.v1.json\r\n\r\n`,
    );
    await new Promise<void>((resolve, reject) => {
      stream.#onOpen = resolve;
      stream.closed.then(() => reject(new Error("the connection ended before it was open")));
    });
    return stream;
  }

  /** Connects and says Hello. @returns the stream and its Welcome */
  static async connect(
    endpoint: string,
    hello: object = {},
    options: RawOptions = {},
  ): Promise<{ stream: RawStream; welcome: Json }> {
    const stream = await RawStream.open(endpoint, options);
    return { stream, welcome: await stream.ask({ hello }) };
  }

  send(...envelopes: object[]): void {
    this.sendText(envelopes.map((each) => JSON.stringify(each)).join("\n"));
  }

  sendText(text: string): void {
    this.#frame(TEXT, Buffer.from(text));
  }

  /** The answer's body, or the error's code. Rejects when the connection ends first. */
  ask(envelope: object): Promise<Json> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#answers.set(id, ({ id: _, ...answer }) => {
        resolve(answer.error === undefined ? Object.values(answer)[0] : answer.error.code);
      });
      this.closed.then((code) => reject(new Error(`closed with ${code}`)));
      this.send({ id, ...envelope });
    });
  }

  /** Ends the connection without a word. */
  cut(): void {
    this.socket.resetAndDestroy();
  }

  #frame(head: number, payload: Buffer): void {
    this.socket.write(RawStream.frame(head, payload));
  }

  /** A frame with that first byte, masked with zeros, which is a mask. */
  static frame(head: number, payload: Buffer): Buffer {
    const size = payload.byteLength;
    const sizes =
      size < 126
        ? [size | 128]
        : size < 65_536
          ? [126 | 128, size >> 8, size & 255]
          : [127 | 128, 0, 0, 0, 0, size >>> 24, (size >> 16) & 255, (size >> 8) & 255, size & 255];
    return Buffer.concat([Buffer.from([head, ...sizes, 0, 0, 0, 0]), payload]);
  }

  #take(data: Buffer): void {
    let bytes = this.#rest.byteLength === 0 ? data : Buffer.concat([this.#rest, data]);
    if (!this.#isOpen) {
      const end = bytes.indexOf("\r\n\r\n");
      if (end !== -1 && bytes.toString("latin1", 0, 12) === "HTTP/1.1 101") {
        this.#isOpen = true;
        this.#onOpen();
        bytes = bytes.subarray(end + 4);
      } else if (end !== -1) this.socket.destroy();
    }
    let at = 0;
    for (let next = this.#isOpen ? frameAt(bytes, at) : undefined; next !== undefined; next = frameAt(bytes, at)) {
      this.#read(next.opcode, next.payload);
      at = next.end;
    }
    this.#rest = at === bytes.byteLength ? Buffer.alloc(0) : Buffer.from(bytes.subarray(at));
  }

  #read(opcode: number, payload: Buffer): void {
    if (opcode === PING && this.#answersPings) this.#frame(PONG, payload);
    if (opcode === CLOSE) this.closeCode = payload.byteLength < 2 ? 1005 : payload.readUInt16BE(0);
    if (opcode !== (TEXT & 15)) return;
    for (const line of payload.toString().split("\n")) {
      const envelope = JSON.parse(line);
      const answer = this.#answers.get(envelope.id);
      this.#answers.delete(envelope.id);
      if (answer === undefined) this.onPush(envelope);
      else answer(envelope);
    }
  }
}

/** The whole frame at that place. @returns undefined when it has not come to its end */
function frameAt(bytes: Buffer, at: number): { opcode: number; payload: Buffer; end: number } | undefined {
  if (bytes.byteLength < at + 2) return undefined;
  const small = (bytes[at + 1] as number) & 127;
  const headBytes = small === 127 ? 10 : small === 126 ? 4 : 2;
  if (bytes.byteLength < at + headBytes) return undefined;
  const size = small === 127 ? bytes.readUInt32BE(at + 6) : small === 126 ? bytes.readUInt16BE(at + 2) : small;
  const end = at + headBytes + size;
  if (bytes.byteLength < end) return undefined;
  return { opcode: (bytes[at] as number) & 15, payload: bytes.subarray(at + headBytes, end), end };
}
