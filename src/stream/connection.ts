// One WebSocket connection: frames in, frames out, and how much may wait for a slow reader. It has a session from its
// Hello on.
import {
  STREAM_ANSWERS_BYTES_MAX,
  STREAM_BACKLOG_BYTES_MAX,
  STREAM_BUFFERED_BYTES_MAX,
  STREAM_FRAME_BYTES_MAX,
  STREAM_REQUESTS_MAX,
} from "../limits.ts";
import type { Caller } from "./caller.ts";
import type { Codec } from "./codec.ts";
import { CLOSE, ConnectionError, type Incoming, type Outgoing, RequestError, type Requests } from "./envelope.ts";
import type { FrameCount, Pace, Paced } from "./pace.ts";
import { ErrorCode } from "./schema.ts";
import type { Session } from "./session.ts";

/** Half of what may be buffered: below it a blocked connection is given more again. */
const RESUME_BYTES = STREAM_BUFFERED_BYTES_MAX / 2;

/** What a request costs, in the pace's units, besides what it names; and how many bytes of an answer cost one. */
const REQUEST_UNITS = 2;
const TEXT_REQUEST_UNITS = 16;
const DECODED_BYTES_PER_UNIT = 64;
const ANSWER_BYTES_PER_UNIT = 16;
const PUBLISH_BYTES_PER_UNIT = 1024;
/** Of every frame that waits, beside its bytes. */
const WAITING_FRAME_BYTES = 128;
const NO_BYTES = new Uint8Array(0);
const DONE_KEPT_MAX = 10_000; // of them, until they are cut off

/** A WebSocket, as far as streams need one. */
export interface StreamSocket {
  /** What was sent and is still here. */
  readonly bufferedBytes: number;
  /** One WebSocket message. The bytes are the caller's again afterwards. */
  send(bytes: Uint8Array, isText: boolean): void;
  end(code: number, reason: string): void;
}

export interface ConnectionHost {
  readonly pace: Pace;
  nowMs(): number;
  hello(connection: Connection, id: number, hello: Requests["hello"]): Session;
  ended(connection: Connection): void;
  /** The connection takes nothing more, or takes some again. */
  blocked(connection: Connection, isBlocked: boolean): void;
  fault(error: unknown): void;
  takeFrame(bytes: Uint8Array): boolean;
}

export class Connection implements Paced {
  readonly codec: Codec;
  /** undefined: a page that has signed nothing, and has yet to bring a ticket. */
  readonly caller: Caller | undefined;
  /** Of the page that connects; undefined: no browser. */
  readonly origin: string | undefined;
  readonly openedMs: number;
  session: Session | undefined;
  isBlocked = false;
  isEnded = false;
  lastSentMs: number;
  /** When something of what is buffered last went out, while blocked. */
  progressMs = 0;
  readonly #socket: StreamSocket;
  readonly #host: ConnectionHost;
  #outbox: Uint8Array[] = [];
  /** Of answers and the like that have not been given to the socket. */
  outboxBytes = 0;
  /** Frames, or what is left of one, that wait for their turn. */
  #backlog: Uint8Array[] = [];
  #backlogFirst = 0;
  backlogBytes = 0;
  /** The WebSocket is gone; what had come before that is still to be done. */
  #isGone = false;
  readonly #frames: FrameCount = { pass: 0, count: 0 };
  #isFlushing = false;
  #bufferedBytes = 0;

  constructor(
    socket: StreamSocket,
    codec: Codec,
    caller: Caller | undefined,
    origin: string | undefined,
    host: ConnectionHost,
  ) {
    this.#socket = socket;
    this.codec = codec;
    this.caller = caller;
    this.origin = origin;
    this.#host = host;
    this.openedMs = host.nowMs();
    this.lastSentMs = this.openedMs;
  }

  /** Nothing that comes is read any more. */
  get #isDeaf(): boolean {
    return this.isEnded || this.session?.isLeaving === true;
  }

  // --- in ---------------------------------------------------------------------------------------------------------

  /** A WebSocket message has come. The bytes are the caller's again afterwards. */
  receive(frame: Uint8Array, isText: boolean): void {
    if (this.#isDeaf || this.#isGone) return;
    this.#guard(() => {
      this.#countFrame();
      if (isText !== this.codec.isText) {
        const expected = this.codec.isText ? "text" : "binary";
        throw new ConnectionError(CLOSE.wrongType, `This subprotocol has ${expected} messages`);
      }
      if (frame.byteLength > STREAM_FRAME_BYTES_MAX) {
        throw new ConnectionError(CLOSE.tooLarge, `A message has at most ${STREAM_FRAME_BYTES_MAX} bytes`);
      }
      const isInTurn = this.backlogBytes === 0 && this.#host.pace.mayGoOn;
      const end = isInTurn ? this.#read(frame) : 0;
      if (end < frame.byteLength && !this.#isDeaf) this.#wait(frame.slice(end));
    });
  }

  #countFrame(): void {
    if (this.#host.pace.frame(this.#frames)) return;
    throw new ConnectionError(CLOSE.tooManyRequests, "WebSocket messages come faster than they can be taken");
  }

  /** Handles as much of the frame as there is room for now. @returns how many bytes that was */
  #read(frame: Uint8Array): number {
    return this.codec.read(
      frame,
      0,
      (bytes) => {
        if (!this.#host.takeFrame(bytes)) throw new ConnectionError(CLOSE.fault, "Memory is used up");
      },
      (envelope, sizeBytes) => {
        // The bytes of a Publish in protobuf are counted where it is handled: nothing has been decoded.
        if (this.codec.isText || envelope.kind !== "publish") this.#host.pace.spend(sizeBytes / DECODED_BYTES_PER_UNIT);
        this.#handle(envelope);
        return this.#host.pace.mayGoOn && !this.#isDeaf;
      },
    );
  }

  #wait(frame: Uint8Array): void {
    const sizeBytes = frame.byteLength + WAITING_FRAME_BYTES;
    this.#backlog.push(frame);
    this.backlogBytes += sizeBytes;
    if (this.#host.pace.wait(this, sizeBytes)) return;
    throw new ConnectionError(CLOSE.tooManyRequests, `More than ${STREAM_BACKLOG_BYTES_MAX} bytes of requests wait`);
  }

  goOn(): boolean {
    this.#guard(() => {
      while (this.backlogBytes > 0 && !this.isEnded && this.#host.pace.mayGoOn) {
        const frame = this.#backlog[this.#backlogFirst] as Uint8Array;
        const end = this.#read(frame);
        if (this.isEnded) return;
        if (this.#isDeaf) {
          this.#forgetBacklog();
          return;
        }
        const isDone = end === frame.byteLength;
        if (!isDone) this.#backlog[this.#backlogFirst] = frame.subarray(end);
        else this.#drop();
        this.#waited(end + (isDone ? WAITING_FRAME_BYTES : 0));
      }
    });
    if (this.backlogBytes > 0) return true;
    if (this.#isGone) this.#finish();
    return false;
  }

  /** The first frame that waited is done. */
  #drop(): void {
    this.#backlog[this.#backlogFirst++] = NO_BYTES;
    if (this.#backlogFirst < DONE_KEPT_MAX && this.#backlogFirst < this.#backlog.length) return;
    this.#backlog.splice(0, this.#backlogFirst);
    this.#backlogFirst = 0;
  }

  #forgetBacklog(): void {
    this.#backlog = [];
    this.#backlogFirst = 0;
    this.#waited(this.backlogBytes);
  }

  #waited(sizeBytes: number): void {
    this.backlogBytes -= sizeBytes;
    this.#host.pace.waited(sizeBytes);
  }

  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      if (error instanceof ConnectionError) this.end(error.code, error.message);
      else {
        this.#host.fault(error);
        this.end(CLOSE.fault, "A fault of the server");
      }
    }
  }

  #handle(envelope: Incoming): void {
    const { pace } = this.#host;
    pace.spend(this.codec.isText ? TEXT_REQUEST_UNITS : REQUEST_UNITS);
    if (envelope.kind === "publish") pace.spend(envelope.sizeBytes / PUBLISH_BYTES_PER_UNIT);
    const isHello = envelope.kind === "request" && envelope.name === "hello";
    if (this.session === undefined) {
      if (envelope.kind === "refused") throw new ConnectionError(CLOSE.malformed, envelope.message);
      if (!isHello) throw new ConnectionError(CLOSE.noHello, "The first envelope is a Hello");
      const { id, body } = envelope as { id: number; body: Requests["hello"] };
      this.session = this.#host.hello(this, id, body);
      return;
    }
    if (isHello) throw new ConnectionError(CLOSE.noHello, "Hello comes once");
    const { session } = this;
    try {
      if (envelope.kind === "refused") throw new RequestError("INVALID_PARAMETER", envelope.message);
      if (envelope.kind === "publish") session.publish(envelope.offset, envelope.sizeBytes);
      else session.request(envelope.id, envelope.name, envelope.body);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      this.fail(envelope.kind === "publish" ? 0 : envelope.id, error);
    }
    if (session.waitingCount > STREAM_REQUESTS_MAX || this.#outbox.length > STREAM_REQUESTS_MAX) {
      throw new ConnectionError(CLOSE.tooManyRequests, `More than ${STREAM_REQUESTS_MAX} requests wait for an answer`);
    }
    if (this.outboxBytes > STREAM_ANSWERS_BYTES_MAX) {
      throw new ConnectionError(CLOSE.tooManyRequests, `More than ${STREAM_ANSWERS_BYTES_MAX} bytes of answers wait`);
    }
  }

  // --- out --------------------------------------------------------------------------------------------------------

  fail(id: number, { code, message }: RequestError): void {
    this.push({ id, error: { code: ErrorCode[code], message } });
  }

  push(envelope: Outgoing): void {
    const bytes = this.codec.write(envelope);
    this.#host.pace.spend(bytes.byteLength / ANSWER_BYTES_PER_UNIT);
    this.pushBytes(bytes);
  }

  /** An envelope in this connection's own form; it goes out with the others of this pass. */
  pushBytes(bytes: Uint8Array): void {
    if (this.isEnded || this.#isGone) return;
    this.#hold(bytes);
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => {
      this.#isFlushing = false;
      this.flush();
    });
  }

  /** What waits goes out now. */
  flush(): void {
    try {
      this.#flush();
    } catch (error) {
      this.#host.fault(error);
      this.end(CLOSE.fault, "A fault of the server");
    }
  }

  /** Envelopes that the core has composed, a view. */
  frame(bytes: Uint8Array): void {
    if (this.isEnded || this.#isGone) return;
    this.#flush(); // answers to what came before come before
    const frame = this.codec.rewrite(bytes);
    if (this.#outbox.length === 0) this.#send(frame);
    else this.#hold(Buffer.from(frame)); // they have filled what may be buffered
  }

  #hold(bytes: Uint8Array): void {
    this.#outbox.push(bytes);
    this.outboxBytes += bytes.byteLength;
  }

  /** Sends what waits, a mebibyte to a message and as long as the connection takes it; at its end whether it does or not. */
  #flush(isEnd = false): void {
    while (this.#outbox.length > 0 && !this.isEnded && (isEnd || !this.isBlocked)) {
      let count = 0;
      let sizeBytes = 0;
      for (const { byteLength } of this.#outbox) {
        if (count > 0 && sizeBytes + byteLength > STREAM_BUFFERED_BYTES_MAX) break;
        sizeBytes += byteLength;
        count++;
      }
      const envelopes = this.#outbox.splice(0, count);
      this.outboxBytes -= sizeBytes;
      this.#send(this.codec.join(envelopes));
    }
  }

  #send(bytes: Uint8Array): void {
    this.#socket.send(bytes, this.codec.isText);
    this.lastSentMs = this.#host.nowMs();
    if (this.isBlocked || this.#socket.bufferedBytes <= STREAM_BUFFERED_BYTES_MAX) return;
    this.isBlocked = true;
    this.#host.blocked(this, true);
    this.progressMs = this.lastSentMs;
    this.#bufferedBytes = this.#socket.bufferedBytes;
    this.session?.pause();
  }

  /** Some of what was buffered has gone out. */
  drained(): void {
    if (this.isEnded || this.#isGone || !this.isBlocked) return;
    const { bufferedBytes } = this.#socket;
    if (bufferedBytes < this.#bufferedBytes) this.progressMs = this.#host.nowMs();
    this.#bufferedBytes = bufferedBytes;
    if (bufferedBytes > RESUME_BYTES) return;
    this.isBlocked = false;
    this.#host.blocked(this, false);
    this.#flush();
    if (!this.isBlocked) this.session?.resume();
  }

  /** A ping has come, and its pong waits behind everything else: for who reads none of them there is an end, too. */
  pinged(): void {
    this.#guard(() => this.#countFrame());
    if (this.isEnded) return;
    if (this.#socket.bufferedBytes <= STREAM_ANSWERS_BYTES_MAX) return;
    this.end(CLOSE.tooManyRequests, `More than ${STREAM_ANSWERS_BYTES_MAX} bytes of pongs wait`);
  }

  end(code: number, reason: string): void {
    if (this.isEnded) return;
    try {
      this.#flush(true);
    } catch (error) {
      this.#host.fault(error);
    }
    this.#socket.end(code, reason);
    this.#finish();
  }

  /** The WebSocket is gone. What came over it and waits for its turn is done first, answered to nobody. */
  closed(): void {
    if (this.isEnded) return;
    if (this.backlogBytes === 0) {
      this.#finish();
      return;
    }
    this.#isGone = true;
    this.isBlocked = true;
    this.session?.pause();
  }

  #finish(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.#outbox = [];
    this.outboxBytes = 0;
    this.#forgetBacklog();
    this.#host.pace.leave(this);
    this.#host.ended(this);
  }
}
