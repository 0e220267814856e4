// Messages to one queue, numbered: kept until the server has them on disk, sent again after a reconnect under their old
// numbers, by which the server knows what it has already.

import type { Parts } from "./codec.ts";
import { codeOf, type ErrorCode, type FailedMessage, PublishError, throwIfAborted, WasqError } from "./errors.ts";
import type { Link, Member, Session } from "./link.ts";
import { sequenceText, uuidOf } from "./message.ts";
import { inRange } from "./options.ts";
import { bytesAtMost, newMessage, type OutgoingMessage } from "./outgoing.ts";
import type { Confirm, Envelope, NewMessage, Refused } from "./schema.ts";

/** A message that is on disk. */
export interface Published {
  /** Only with `ids`, and unless the first confirmation was lost with its connection. */
  readonly messageId: string | undefined;
  /** FIFO, with `ids`: 20 digits. */
  readonly sequenceNumber: string | undefined;
  /** FIFO, with `ids`: the deduplication ID had been used, and `messageId` is the first one's. */
  readonly isDuplicate: boolean;
}

export interface PublisherOptions {
  /** Whether the server is to tell message IDs and sequence numbers. Default false: it costs some bytes a message. */
  readonly ids?: boolean;
  /** `ready()` waits while more than this is unconfirmed. Default 8 MiB. */
  readonly bufferBytes?: number;
  /** The server takes nothing for now (FULL: memory or disk); what was refused is sent again in `retryMs`. */
  readonly onRefused?: (refusal: { readonly code: ErrorCode; readonly retryMs: number }) => void;
  /** 16 bytes by which the server knows this producer. Default: random ones. Not for two publishers at a time. */
  readonly producerId?: Uint8Array;
}

export interface PublishOptions {
  /** Takes messages back that have not been sent yet; of others only the waiting ends, they may well be published. */
  readonly signal?: AbortSignal;
}

export interface Publisher {
  readonly queue: string;
  /** Messages that are not confirmed yet. */
  readonly unconfirmedCount: number;
  /**
   * Resolves when the message is on disk, however many connections that takes. Rejects with the server's code when it breaks a
   * rule of SQS, with BUFFER_FULL when eight times `bufferBytes` are unconfirmed, and with what ended the client.
   */
  publish(message: string | OutgoingMessage, options?: PublishOptions): Promise<Published>;
  /** The same for several, in order, with one promise. Rejects with a PublishError when some are refused; the others are on disk. */
  publishBatch(messages: readonly (string | OutgoingMessage)[], options?: PublishOptions): Promise<Published[]>;
  /** Backpressure: resolves when there is room, at once if there is some. Await it before every publish that is not awaited. */
  ready(): Promise<void>;
  /** Resolves when nothing is unconfirmed. */
  flush(): Promise<void>;
  /** Waits for all confirmations, then ends. */
  close(): Promise<void>;
}

interface Batch {
  readonly count: number;
  readonly results: Published[];
  readonly failures: FailedMessage[];
  openCount: number;
  isOver: boolean;
  resolve(results: Published[]): void;
  reject(error: unknown): void;
}

interface Entry {
  readonly message: Parts<NewMessage>;
  readonly bytes: number; // at most, encoded
  readonly batch: Batch;
  readonly index: number; // in the batch
  /** 0: never sent. */
  number: number;
  result: Published | undefined;
  failure: FailedMessage | undefined;
}

/** A Publish on its way. */
interface Sent {
  readonly last: number;
  readonly bytes: number;
}

const BUFFER_BYTES = 8 << 20;
const BUFFERS_MAX = 8;
const PUBLISH_BYTES = 256 << 10; // of one envelope
const PUBLISH_COUNT = 1_000;
const RETRY_MS = 1_000;
const ENVELOPE_OVERHEAD = 64;
const NOTHING: Published = Object.freeze({ messageId: undefined, sequenceNumber: undefined, isDuplicate: false });

/** @internal */
export class LivePublisher implements Publisher, Member {
  readonly queue: string;
  /** Resolves with the first PublisherOpened. */
  readonly opened: Promise<void>;
  /** Resolves when it has ended, for whatever reason. */
  readonly ended: Promise<void>;
  readonly #link: Link;
  readonly #number: number;
  readonly #ids: boolean;
  readonly #bufferBytes: number;
  readonly #producerId: Uint8Array;
  readonly #onRefused: PublisherOptions["onRefused"];
  /** From the oldest that is not confirmed; the first `#sentCount` have been sent on this connection, in order. */
  #entries: Entry[] = [];
  #sentCount = 0;
  #sent: Sent[] = [];
  #sentBytes = 0;
  #entriesBytes = 0;
  #nextNumber = 1;
  #creditBytes = 0;
  #frameBytes = 16 << 20;
  #isOpen = false;
  #isHolding = false; // a GoAway, or a Refused that is to be waited for
  #isClosing = false;
  #wasOpened = false;
  #end: unknown;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #onQuiet: (() => void)[] = [];
  #onRoom: { resolve(): void; reject(error: unknown): void }[] = [];
  #onEmpty: { resolve(): void; reject(error: unknown): void }[] = [];
  #settleOpened: { resolve(): void; reject(error: unknown): void };
  #settleEnded = (): void => {};
  readonly #flush = (): void => this.#send();

  constructor(link: Link, number: number, queue: string, options: PublisherOptions) {
    this.#link = link;
    this.#number = number;
    this.queue = queue;
    this.#ids = options.ids ?? false;
    this.#onRefused = options.onRefused;
    this.#bufferBytes = inRange("bufferBytes", options.bufferBytes ?? BUFFER_BYTES, 1, 2 ** 40);
    this.#producerId = options.producerId ?? crypto.getRandomValues(new Uint8Array(16));
    if (this.#producerId.length !== 16) throw new WasqError("INVALID_PARAMETER", "producerId needs 16 bytes");
    let settle = { resolve: (): void => {}, reject: (_error: unknown): void => {} };
    this.opened = new Promise((resolve, reject) => {
      settle = { resolve, reject };
    });
    this.opened.catch(() => {});
    this.#settleOpened = settle;
    this.ended = new Promise((resolve) => {
      this.#settleEnded = resolve;
    });
  }

  get isOver(): boolean {
    return this.#end !== undefined;
  }

  get unconfirmedCount(): number {
    return this.#entries.length;
  }

  // --- for the producer ---

  async publish(message: string | OutgoingMessage, options: PublishOptions = {}): Promise<Published> {
    try {
      const [published] = await this.publishBatch([message], options);
      return published ?? NOTHING;
    } catch (error) {
      const failure = error instanceof PublishError ? error.failures[0] : undefined;
      throw failure === undefined ? error : new WasqError(failure.code, failure.message);
    }
  }

  publishBatch(messages: readonly (string | OutgoingMessage)[], { signal }: PublishOptions = {}): Promise<Published[]> {
    return new Promise((resolve, reject) => {
      throwIfAborted(signal);
      if (this.#end !== undefined) throw this.#end;
      if (this.#isClosing) throw new WasqError("CLOSED", "the publisher is closed");
      if (messages.length === 0) {
        resolve([]);
        return;
      }
      const batch: Batch = {
        count: messages.length,
        results: [],
        failures: [],
        openCount: messages.length,
        isOver: false,
        resolve,
        reject,
      };
      const entries = messages.map((message, index) => this.#entryOf(message, batch, index));
      const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
      if (this.#entriesBytes > 0 && this.#entriesBytes + bytes > this.#bufferBytes * BUFFERS_MAX) {
        throw new WasqError("BUFFER_FULL", `${this.#entriesBytes} bytes are not confirmed yet: await ready()`);
      }
      this.#entriesBytes += bytes;
      for (const entry of entries) this.#entries.push(entry);
      if (signal !== undefined) this.#abortWith(signal, batch);
      this.#link.beforeFlush(this.#flush);
    });
  }

  ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) throw this.#end;
      if (this.#entriesBytes < this.#bufferBytes) resolve();
      else this.#onRoom.push({ resolve, reject });
    });
  }

  flush(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#entries.length === 0) resolve();
      else if (this.#end !== undefined) throw this.#end;
      else this.#onEmpty.push({ resolve, reject });
    });
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    if (this.#end === undefined) await this.flush();
    if (this.#end !== undefined) return;
    if (this.#isOpen) await this.#link.request({ closePublisher: { publisher: this.#number } }).catch(() => {});
    this.#finish(new WasqError("CLOSED", "the publisher is closed"));
  }

  // --- for the link ---

  up(session: Session): void {
    this.#frameBytes = session.limits?.frameBytes || this.#frameBytes;
    const resumed = session.resumed ? session.publishers.get(this.#number) : undefined;
    if (resumed === undefined) void this.#open();
    else this.#opened(resumed.confirmed, resumed.creditBytes);
  }

  down(): void {
    this.#isOpen = false;
    this.#isHolding = false;
    clearTimeout(this.#retry);
    this.#sentCount = 0;
    this.#sent = [];
    this.#sentBytes = 0;
  }

  receive({ confirm, refused }: Envelope): void {
    if (confirm !== undefined) this.#confirmed(confirm);
    else if (refused !== undefined) this.#refused(refused);
  }

  goAway(): Promise<void> {
    this.#isHolding = true;
    return new Promise((resolve) => {
      this.#onQuiet.push(resolve);
      this.#tell();
    });
  }

  end(error: WasqError): void {
    this.#finish(error);
  }

  // --- inside ---

  async #open(): Promise<void> {
    try {
      const { publisherOpened } = await this.#link.request({
        openPublisher: {
          publisher: this.#number,
          queue: this.queue,
          producerId: this.#producerId,
          wantsIds: this.#ids,
        },
      });
      this.#opened(publisherOpened?.confirmed ?? 0, publisherOpened?.creditBytes ?? 0);
    } catch (error) {
      const code = error instanceof WasqError ? error.code : undefined;
      if (code === "CONNECTION_LOST" || code === "GOING_AWAY") return; // again with the next connection
      if (code === "FULL") this.#retry = setTimeout(() => void this.#open(), RETRY_MS);
      else this.#finish(error);
    }
  }

  /** @param confirmed the newest number that the server knows of this producer */
  #opened(confirmed: number, creditBytes: number): void {
    this.#isOpen = true;
    this.#creditBytes = creditBytes;
    if (!this.#wasOpened) this.#nextNumber = confirmed + 1;
    else if (confirmed >= this.#nextNumber) {
      this.#finish(new WasqError("PRODUCER_TAKEN", `another publisher to ${this.queue} has the same producer id`));
      return;
    }
    this.#wasOpened = true;
    this.#continueBehind(confirmed);
    this.#settleOpened.resolve();
    this.#send();
  }

  /** The server's memory is of five minutes: where it has forgotten us, what it never confirmed gets new numbers. */
  #continueBehind(confirmed: number): void {
    const oldest = this.#entries[0]?.number || this.#nextNumber;
    if (oldest <= confirmed + 1) return;
    this.#nextNumber = confirmed + 1;
    for (const entry of this.#entries) {
      if (entry.number === 0) break;
      entry.number = this.#nextNumber;
      this.#nextNumber += 1;
    }
  }

  #send(): void {
    while (this.#isOpen && !this.#isHolding && this.#sentCount < this.#entries.length) {
      const end = this.#nextEnd();
      if (end === this.#sentCount) return;
      const entries = this.#entries.slice(this.#sentCount, end);
      for (const entry of entries) {
        if (entry.number !== 0) continue;
        entry.number = this.#nextNumber;
        this.#nextNumber += 1;
      }
      const first = entries[0]?.number ?? 0;
      const messages = entries.map((entry) => entry.message);
      const bytes = this.#link.push({ publish: { publisher: this.#number, first, messages } });
      this.#sent.push({ last: first + entries.length - 1, bytes });
      this.#sentBytes += bytes;
      this.#sentCount = end;
    }
  }

  /** How far the next Publish goes: to the size of an envelope, and to the credit. One message goes alone if need be. */
  #nextEnd(): number {
    const room = Math.min(PUBLISH_BYTES, this.#creditBytes - this.#sentBytes);
    let bytes = ENVELOPE_OVERHEAD;
    let end = this.#sentCount;
    while (end < this.#entries.length && end - this.#sentCount < PUBLISH_COUNT) {
      bytes += this.#entries[end]?.bytes ?? 0;
      if (bytes > room) break;
      end += 1;
    }
    const isAlone =
      end === this.#sentCount && (this.#sent.length === 0 || bytes <= this.#creditBytes - this.#sentBytes);
    return isAlone ? end + 1 : end;
  }

  #confirmed({ number, failures, published }: Confirm): void {
    const oldest = this.#entries[0]?.number ?? 0;
    const at = (of: number): Entry | undefined => this.#entries[of - oldest];
    for (const each of failures) {
      const entry = at(each.number);
      if (entry === undefined) continue;
      entry.failure = { index: entry.index, code: codeOf(each.code), message: each.message };
    }
    for (const each of published) {
      const entry = at(each.number);
      if (entry === undefined) continue;
      entry.result = {
        messageId: uuidOf(each.id),
        sequenceNumber: each.sequenceNumber === 0 ? undefined : sequenceText(each.sequenceNumber),
        isDuplicate: each.duplicate,
      };
    }
    this.#settle(Math.min(Math.max(number - oldest + 1, 0), this.#sentCount));
    let envelopes = 0;
    for (const { last, bytes } of this.#sent) {
      if (last > number) break;
      this.#sentBytes -= bytes;
      envelopes += 1;
    }
    this.#sent.splice(0, envelopes);
    this.#tell();
    this.#send();
  }

  #settle(count: number): void {
    for (const entry of this.#entries.splice(0, count)) this.#over(entry);
    this.#sentCount -= count;
  }

  #over({ batch, index, result, failure, bytes }: Entry): void {
    this.#entriesBytes -= bytes;
    if (failure === undefined) batch.results[index] = result ?? NOTHING;
    else batch.failures.push(failure);
    batch.openCount -= 1;
    if (batch.openCount > 0 || batch.isOver) return;
    batch.isOver = true;
    if (batch.failures.length === 0) batch.resolve(batch.results);
    else batch.reject(new PublishError(batch.failures, batch.count));
  }

  #refused({ from, code, retryMs, message }: Refused): void {
    if (code === "ACCESS_DENIED") {
      this.#finish(new WasqError(code, message));
      return;
    }
    if (code === "QUEUE_DELETED") {
      this.#finish(new WasqError(code, `the queue ${this.queue} has been deleted`));
      return;
    }
    // Nothing from there on was taken, whatever has been sent.
    const oldest = this.#entries[0]?.number ?? 0;
    this.#sentCount = Math.max(0, Math.min(this.#sentCount, from - oldest));
    this.#sent = this.#sent.filter(({ last }) => last < from);
    this.#sentBytes = this.#sent.reduce((sum, { bytes }) => sum + bytes, 0);
    if (code === "OUT_OF_ORDER") this.#continueBehind(from - 1);
    else this.#onRefused?.({ code: codeOf(code), retryMs });
    this.#tell();
    this.#isHolding = true;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => {
      this.#isHolding = false;
      this.#send();
    }, retryMs);
  }

  #tell(): void {
    if (this.#sent.length === 0) for (const resolve of this.#onQuiet.splice(0)) resolve();
    if (this.#entriesBytes < this.#bufferBytes) for (const { resolve } of this.#onRoom.splice(0)) resolve();
    if (this.#entries.length === 0) for (const { resolve } of this.#onEmpty.splice(0)) resolve();
  }

  #entryOf(message: string | OutgoingMessage, batch: Batch, index: number): Entry {
    const made = typeof message === "string" ? { text: message } : newMessage(message);
    const bytes = bytesAtMost(made);
    const entry: Entry = { message: made, bytes, batch, index, number: 0, result: undefined, failure: undefined };
    if (bytes + ENVELOPE_OVERHEAD > this.#frameBytes) {
      throw new WasqError(
        "MESSAGE_TOO_LONG",
        `message ${index} has ${bytes} bytes: a frame has at most ${this.#frameBytes}`,
      );
    }
    return entry;
  }

  #abortWith(signal: AbortSignal, batch: Batch): void {
    const onAbort = (): void => {
      if (batch.isOver) return;
      batch.isOver = true;
      this.#entries = this.#entries.filter((entry) => {
        const isTakenBack = entry.batch === batch && entry.number === 0;
        if (isTakenBack) this.#entriesBytes -= entry.bytes;
        return !isTakenBack;
      });
      this.#tell();
      batch.reject(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    const { resolve, reject } = batch;
    batch.resolve = (results) => {
      signal.removeEventListener("abort", onAbort);
      resolve(results);
    };
    batch.reject = (error) => {
      signal.removeEventListener("abort", onAbort);
      reject(error);
    };
  }

  #finish(error: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    this.#isOpen = false;
    clearTimeout(this.#retry);
    this.#link.remove("publisher", this.#number);
    for (const { batch } of this.#entries.splice(0)) {
      if (batch.isOver) continue;
      batch.isOver = true;
      batch.reject(error);
    }
    this.#entriesBytes = 0;
    this.#sentCount = 0;
    for (const resolve of this.#onQuiet.splice(0)) resolve();
    for (const { reject } of [...this.#onRoom.splice(0), ...this.#onEmpty.splice(0)]) reject(error);
    this.#settleOpened.reject(error);
    this.#settleEnded();
  }
}
