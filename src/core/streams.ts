// The door to the core's streams: subscriptions, what is done with their deliveries, publishers. Frames go in and come out
// as bytes; those that come out are views, valid until the next call of anything in the core.
import { assert } from "../base/assert.ts";
import type { CoreMemory } from "./core-memory.ts";
import type { CoreExports } from "./exports.ts";

const RANGE_BYTES = 16;
const FAILURE_BYTES = 16;
const OUTCOME_RUNS_OFFSET = 16;
const OUTCOME_RUN_BYTES = 24;
const PUBLISH_FAILURES_OFFSET = 32;
const PUBLISHED_OFFSET = 32 + 16 * 1000;
const PLACE_BYTES = 16;
const EVENT_BYTES = 48;
const LOAD = 0xffff_ffff;
const NAME = 0xffff_fffe;
const EMPTIED = 0xffff_fffd;
const OUTSTANDING_COUNT = 10_000;

/** What may be done with deliveries, by its number in assembly/outcome.ts. */
export const OUTCOME = { ack: 0, nack: 1, touch: 2, deadLetter: 3 } as const;
export type Outcome = keyof typeof OUTCOME;

/** How a call of publish() ended, by its number in assembly/publish.ts. */
export const PUBLISH = ["done", "more", "busy", "full", "malformed", "gap"] as const;
export type PublishCode = (typeof PUBLISH)[number];

export interface Range {
  readonly first: number;
  readonly last: number; // included
}

export interface SubscriptionRules {
  readonly clientId: number; // what the client calls it
  readonly visibilityMs: number; // what counts after a crash
  readonly processingMs: number; // how long a message stays out at most
  readonly batchMessages: number; // 1 to 1,000
  readonly lingerMs: number;
  readonly fields: number; // bits: 1 << number in the schema's Field
  readonly groupInFlight: number;
}

/** One envelope behind its size; or what must be seen to before there can be one. */
export type Composed =
  | { readonly status: "frame"; readonly bytes: Buffer }
  | { readonly status: "nothing" }
  | { readonly status: "emptied" } // of what it had, and so it can be served again
  | { readonly status: "load"; readonly places: readonly { position: number; recordBytes: number }[] }
  | { readonly status: "name"; readonly queueNumber: number };

export interface OutcomeResult {
  readonly count: number;
  /** Numbers that were not done, from first to last: 10,000 of which nothing is known are one of these. */
  readonly failures: readonly (Range & { readonly code: number })[];
}

export interface PublishResult {
  readonly code: PublishCode;
  readonly offset: number; // where to go on in the incoming bytes
  readonly number: number; // and with which number
  readonly acceptedCount: number;
  readonly failures: readonly { readonly number: number; readonly reason: number }[];
  readonly published: Buffer | undefined; // fields of a Confirm, a view
}

export interface WatchCounts {
  readonly sent: number;
  readonly delivered: number;
  readonly settled: number;
  readonly skipped: number; // events that were not noted
}

export interface NotedEvent {
  readonly kind: number; // the schema's EventKind
  readonly messageId: Uint8Array | undefined;
  readonly receiveCount: number;
}

export interface Scanned {
  readonly publisher: number;
  readonly first: number;
  readonly count: number;
}

const NOTHING: Composed = { status: "nothing" };
const NOTHING_LEFT: Composed = { status: "emptied" };
const NO_FAILURES: readonly { readonly number: number; readonly reason: number }[] = [];

export class CoreStreams {
  readonly #wasm: CoreExports;
  readonly #memory: CoreMemory;
  readonly #input: number;
  readonly #output: number;
  #incoming = 0;

  constructor(wasm: CoreExports, memory: CoreMemory) {
    this.#wasm = wasm;
    this.#memory = memory;
    this.#input = wasm.inputStart();
    this.#output = wasm.outputStart();
  }

  // --- subscriptions ---------------------------------------------------------------------------------------------

  /** @returns the subscription, 0 when memory is used up. `token` comes back from next(). */
  open(queue: number, token: number, rules: SubscriptionRules): number {
    const { clientId, visibilityMs, processingMs, batchMessages, lingerMs, fields, groupInFlight } = rules;
    return (
      this.#wasm.subscriptionOpen(
        queue,
        token,
        clientId,
        visibilityMs,
        processingMs,
        batchMessages,
        lingerMs,
        fields,
        groupInFlight,
      ) >>> 0
    );
  }
  /** What is out is visible again at once. */
  close(subscription: number, nowMs: number): void {
    this.#wasm.subscriptionClose(subscription, nowMs);
  }
  /** Nobody is connected: what was composed stays out, the rest goes back, and there is no credit. */
  detach(subscription: number, nowMs: number): void {
    this.#wasm.subscriptionDetach(subscription, nowMs);
  }
  /** Before it is closed or detached: what it was not told of counts no receive. */
  uncount(subscription: number): void {
    this.#wasm.subscriptionUncount(subscription);
  }
  /** The queue is at another index, without any of its messages. */
  move(subscription: number, queue: number): void {
    this.#wasm.subscriptionMove(subscription, queue);
  }
  pause(subscription: number): void {
    this.#wasm.subscriptionPause(subscription);
  }
  resume(subscription: number): void {
    this.#wasm.subscriptionResume(subscription);
  }
  /** @returns false when no delivery has had the number `beyond` */
  setCredit(subscription: number, messages: number, bytes: number, beyond: number, auto: boolean): boolean {
    return this.#wasm.subscriptionCredit(subscription, messages, bytes, beyond, auto ? 1 : 0) !== 0;
  }
  lastDelivery(subscription: number): number {
    return this.#wasm.subscriptionLast(subscription);
  }

  hasOutstanding(subscription: number): boolean {
    return this.#wasm.subscriptionOutstanding(subscription, 1, 1) !== 0;
  }

  outstanding(subscription: number): Range[] {
    const ranges: Range[] = [];
    for (let from = 1; ; from = (ranges.at(-1) as Range).last + 1) {
      const count = this.#wasm.subscriptionOutstanding(subscription, from, OUTSTANDING_COUNT);
      const bytes = this.#memory.bytes;
      for (let i = 0; i < count; i++) {
        const at = this.#output + i * RANGE_BYTES;
        ranges.push({ first: bytes.readDoubleLE(at), last: bytes.readDoubleLE(at + 8) });
      }
      if (count < OUTSTANDING_COUNT) return ranges;
    }
  }

  /** The token of a subscription that has something to be composed, 0 when there is none. */
  next(): number {
    return this.#wasm.streamNext() >>> 0;
  }

  /**
   * The next envelope for the subscription's client.
   * @param goesOn right behind the one composed before, of whichever subscription: they may leave as one
   */
  compose(subscription: number, nowMs: number, goesOn = false): Composed {
    const size = this.#wasm.compose(subscription, nowMs, goesOn ? 1 : 0) >>> 0;
    if (size === 0) return NOTHING;
    if (size === EMPTIED) return NOTHING_LEFT;
    const bytes = this.#memory.bytes;
    if (size === NAME) return { status: "name", queueNumber: bytes.readUInt32LE(this.#output) };
    if (size === LOAD) {
      const places = [];
      for (let i = 0; i < this.#wasm.placeCount(); i++) {
        const at = this.#output + i * PLACE_BYTES;
        places.push({ position: bytes.readDoubleLE(at), recordBytes: bytes.readUInt32LE(at + 8) });
      }
      return { status: "load", places };
    }
    const start = this.#wasm.frameStart() >>> 0;
    return { status: "frame", bytes: bytes.subarray(start, start + size) };
  }
  /** The last `sizeBytes` bytes of what was composed. */
  composed(sizeBytes: number): Buffer {
    const end = this.#wasm.frameEnd() >>> 0;
    return this.#memory.bytes.subarray(end - sizeBytes, end);
  }

  setName(queueNumber: number, name: string): void {
    const size = this.#memory.bytes.write(name, this.#input, 256, "utf8");
    this.#wasm.nameSet(queueNumber, size);
  }

  /** Hands what can be handed out to those who can take it again. @returns false when there is more for another call */
  serve(nowMs: number): boolean {
    return this.#wasm.serveWaiting(nowMs) !== 0;
  }

  /** @returns undefined when the tail is full: again after a commit */
  settle(
    subscription: number,
    outcome: Outcome,
    ranges: readonly Range[],
    visibilityMs: number,
    nowMs: number,
  ): OutcomeResult | undefined {
    let at = this.#input;
    const memory = this.#memory.bytes;
    for (const { first, last } of ranges) {
      memory.writeDoubleLE(first, at);
      memory.writeDoubleLE(last, at + 8);
      at += RANGE_BYTES;
    }
    if (this.#wasm.settleDeliveries(subscription, OUTCOME[outcome], ranges.length, visibilityMs, nowMs) === 0)
      return undefined;
    const bytes = this.#memory.bytes;
    const failures = [];
    const runCount = bytes.readUInt32LE(this.#output + 4);
    for (let i = 0; i < runCount; i++) {
      const run = this.#output + OUTCOME_RUNS_OFFSET + i * OUTCOME_RUN_BYTES;
      const code = bytes.readUInt32LE(run + 16);
      failures.push({ first: bytes.readDoubleLE(run), last: bytes.readDoubleLE(run + 8), code });
    }
    return { count: bytes.readUInt32LE(this.#output), failures };
  }

  // --- watches ---------------------------------------------------------------------------------------------------

  /** Counts what happens to the queue's messages from now on; notes single events, if wanted. */
  openWatch(queue: number, wantsEvents: boolean): boolean {
    return this.#wasm.watchOpen(queue, wantsEvents ? 1 : 0) !== 0;
  }
  closeWatch(queue: number): void {
    this.#wasm.watchClose(queue);
  }
  watchCounts(queue: number): WatchCounts {
    const count = (which: number) => this.#wasm.watchCount(queue, which) >>> 0;
    return { sent: count(0), delivered: count(1), settled: count(2), skipped: count(4) };
  }
  /** When the message that would be received first was sent; 0 when there is none. */
  oldestSentMs(queue: number): number {
    return this.#wasm.queueOldestMs(queue);
  }
  pollers(queue: number): number {
    return this.#wasm.queuePollers(queue) >>> 0;
  }

  /** Hands over what has been noted since the last call. */
  drainEvents(
    each: (queue: number, event: NotedEvent, place: { position: number; recordBytes: number }) => void,
  ): void {
    const count = this.#wasm.eventsCount() >>> 0;
    const start = this.#wasm.eventsStart() >>> 0;
    for (let i = 0; i < count; i++) {
      const bytes = this.#memory.bytes;
      const at = start + i * EVENT_BYTES;
      const messageId = bytes[at + 24] === 0 ? undefined : Buffer.from(bytes.subarray(at + 8, at + 24));
      const place = { position: bytes.readDoubleLE(at + 32), recordBytes: bytes.readUInt32LE(at + 40) };
      const event = { kind: bytes.readUInt32LE(at), messageId, receiveCount: bytes.readUInt32LE(at + 28) };
      each(bytes.readUInt32LE(at + 4), event, place);
    }
    this.#wasm.eventsClear();
  }

  // --- publishers ------------------------------------------------------------------------------------------------

  /** @returns the publisher, 0 when memory is used up */
  openPublisher(producerId: Uint8Array | undefined, wantsIds: boolean, senderId: string): number {
    const memory = this.#memory.bytes;
    if (producerId !== undefined) {
      assert(producerId.byteLength === 16, "a producer has 16 bytes");
      memory.set(producerId, this.#input);
    }
    const senderBytes = memory.write(senderId, this.#input + 16, "utf8");
    return this.#wasm.publisherOpen(producerId === undefined ? 0 : 1, wantsIds ? 1 : 0, senderBytes) >>> 0;
  }
  closePublisher(publisher: number): void {
    this.#wasm.publisherClose(publisher);
  }
  /** The newest number that has been seen of it; 0: none. */
  lastPublished(publisher: number, queue: number, nowMs: number): number {
    return this.#wasm.publisherLast(publisher, queue, nowMs);
  }

  /** Takes a copy of bytes that came in, for scanPublish and publish. @returns false when memory is used up */
  takeIncoming(bytes: Uint8Array): boolean {
    this.#incoming = this.#wasm.incomingRoom(Math.max(bytes.byteLength, 1)) >>> 0;
    if (this.#incoming === 0) return false;
    this.#memory.bytes.set(bytes, this.#incoming);
    return true;
  }

  /** A copy of some of the bytes that came in. */
  copyIncoming(offset: number, sizeBytes: number): Buffer {
    const start = this.#incoming + offset;
    return Buffer.from(this.#memory.bytes.subarray(start, start + sizeBytes));
  }

  /** The head of the Publish message at `offset` of the incoming bytes; undefined when it is none. */
  scanPublish(offset: number, sizeBytes: number): Scanned | undefined {
    if (this.#wasm.publishScan(offset, sizeBytes) === 0) return undefined;
    return {
      publisher: this.#wasm.scannedPublisher() >>> 0,
      first: this.#wasm.scannedFirst(),
      count: this.#wasm.scannedCount() >>> 0,
    };
  }

  /**
   * Sends the messages that stand at `offset` of the incoming bytes and behind it.
   * @param seed 16 random bytes, from `seedOffset` of it on: the message IDs are made of them
   */
  publish(
    publisher: number,
    queue: number,
    offset: number,
    sizeBytes: number,
    number: number,
    seed: Uint8Array,
    seedOffset: number,
    nowMs: number,
  ): PublishResult {
    const { bytes: memory } = this.#memory;
    for (let i = 0; i < 16; i++) memory[this.#input + i] = seed[seedOffset + i] as number;
    this.#wasm.publish(publisher, queue, offset, sizeBytes, number, nowMs);
    const { words, bytes } = this.#memory;
    const out = this.#output;
    const word = out >> 2;
    const failureCount = words[word + 4] as number;
    const publishedBytes = words[word + 5] as number;
    const publishedStart = out + PUBLISHED_OFFSET;
    return {
      code: PUBLISH[words[word] as number] as PublishCode,
      offset: words[word + 1] as number,
      number: bytes.readDoubleLE(out + 8),
      acceptedCount: words[word + 6] as number,
      failures: failureCount === 0 ? NO_FAILURES : this.#publishFailures(failureCount),
      published: publishedBytes === 0 ? undefined : bytes.subarray(publishedStart, publishedStart + publishedBytes),
    };
  }

  #publishFailures(count: number): { number: number; reason: number }[] {
    const { bytes } = this.#memory;
    const failures = [];
    for (let i = 0; i < count; i++) {
      const at = this.#output + PUBLISH_FAILURES_OFFSET + i * FAILURE_BYTES;
      failures.push({ number: bytes.readDoubleLE(at), reason: bytes.readUInt32LE(at + 8) });
    }
    return failures;
  }
}
