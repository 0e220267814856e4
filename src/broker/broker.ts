// The turn: commands into the core, records into the log, answers out once what they tell of is on disk.
//
//   requests of this loop pass ─► core ─► records in the tail ─► one append ─► answers, in log order
//
// While an append is under way the next one gathers. Nothing here waits for a message; everything waits for a position.
import { createHash, randomFillSync } from "node:crypto";
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { type Core, type Delivery, RECEIVE, type ReceivedHandle, SEND } from "../core/core.ts";
import { readStoredMessage } from "../core/stored-message.ts";
import type { Log } from "../log/log.ts";
import { type Catalogue, encodeQueue, QueueEntry } from "./catalogue.ts";
import { readReceiptHandle, writeReceiptHandle } from "./receipt-handle.ts";
import type {
  Broker,
  Delivered,
  Outgoing,
  Queue,
  QueueCounts,
  QueueName,
  QueueSettings,
  Received,
  Sent,
  Settled,
} from "./types.ts";

/**
 * Sends are refused when this much of the last segment is left and no other is prepared. Receiving and deleting a message
 * adds some 40 bytes to the log, and the smallest message has 170 in it: a third lets a whole segment be emptied, which
 * then makes room.
 */
const RESERVE_SHARE = 1 / 3;
/** How soon commands that found no room on disk try again: the next segment may just be being prepared. */
const SPACE_RETRY_MS = 20;
const TIMER_MS_MAX = 60_000;
const ID_POOL_BYTES = 16 * 1024;

interface Held {
  readonly position: number;
  readonly release: () => void;
}

interface Waiting {
  readonly entry: QueueEntry;
  readonly countMax: number;
  readonly visibilityMs: number;
  readonly untilMs: number; // how long it is ready to wait
  readonly done: (result: Received) => void;
  waiter: number; // the core's, while it waits there
}

export class LocalBroker implements Broker {
  readonly #core: Core;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #catalogue: Catalogue;
  readonly #segmentBytes: number;
  readonly #onFatal: (error: Error) => void;

  #durable: number;
  #appending = false;
  #scheduled = false;
  #stopped = false;
  #held: Held[] = [];
  #heldFirst = 0;
  /** Commands that found the tail full, oldest first; each says whether it got through. */
  #blocked: (() => boolean)[] = [];
  #idle: (() => void)[] = [];
  readonly #waiting = new Map<number, Waiting>();
  #nextToken = 1;
  #timer: NodeJS.Timeout | undefined;
  #spaceTimer: NodeJS.Timeout | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #marked = 0;
  readonly #ids = Buffer.alloc(ID_POOL_BYTES);
  #idOffset = ID_POOL_BYTES;

  constructor(parts: {
    core: Core;
    log: Log;
    clock: Clock;
    catalogue: Catalogue;
    durablePosition: number;
    segmentBytes: number;
    onFatal: (error: Error) => void;
  }) {
    this.#core = parts.core;
    this.#log = parts.log;
    this.#clock = parts.clock;
    this.#catalogue = parts.catalogue;
    this.#durable = parts.durablePosition;
    this.#marked = parts.durablePosition;
    this.#segmentBytes = parts.segmentBytes;
    this.#onFatal = parts.onFatal;
    this.tick();
  }

  get durablePosition(): number {
    return this.#durable;
  }

  // --- the turn -------------------------------------------------------------------------------------------------

  /** Runs `attempt` now, or after the commands that wait for room in the tail. */
  #admit(attempt: () => boolean): void {
    this.#boundLog();
    if (this.#blocked.length > 0 || !attempt()) this.#blocked.push(attempt);
    this.#afterCommand();
  }

  /** Tells the core how far it may write: past the end of this segment only when the next one is there. */
  #boundLog(): void {
    const { headPosition } = this.#core;
    const segmentEnd = (Math.floor(headPosition / this.#segmentBytes) + 1) * this.#segmentBytes;
    this.#core.setWritableEnd(this.#log.hasSpare ? Number.POSITIVE_INFINITY : segmentEnd);
  }

  /** "wait": the next segment is still being prepared, and the rest of this one is what deletes and receives live on. */
  #spaceForSends(): "yes" | "wait" | "no" {
    if (this.#log.hasSpare || this.#core.segmentRoomBytes > this.#segmentBytes * RESERVE_SHARE) return "yes";
    return this.#log.isFull ? "no" : "wait";
  }

  #afterCommand(): void {
    this.#drain();
    this.#schedule();
    this.#armTimer();
  }

  #schedule(): void {
    if (this.#scheduled || this.#appending || this.#stopped) return;
    if (this.#core.headPosition === this.#durable && this.#blocked.length === 0) return;
    this.#scheduled = true;
    // After this pass over the sockets: everything that came in it goes to disk together.
    setImmediate(() => {
      this.#scheduled = false;
      this.#append();
    });
  }

  #append(): void {
    if (this.#appending || this.#stopped) return;
    const extents = this.#core.takeExtents();
    if (extents.length === 0) {
      this.#retryBlocked();
      this.#notifyIdle();
      return;
    }
    const end = this.#core.headPosition;
    this.#appending = true;
    this.#log.append(extents).then(
      () => {
        this.#appending = false;
        this.#committed(end);
      },
      (error: Error) => {
        this.#stopped = true;
        this.#onFatal(error);
      },
    );
  }

  #committed(position: number): void {
    this.#durable = position;
    const nowMs = this.#clock.nowMs();
    this.#boundLog();
    if (!this.#core.commit(position, nowMs)) setImmediate(() => this.tick());
    this.#drain();
    this.#release();
    this.#retryBlocked();
    this.#append();
    this.#armTimer();
  }

  #retryBlocked(): void {
    this.#boundLog();
    let done = 0;
    while (done < this.#blocked.length && (this.#blocked[done] as () => boolean)()) done++;
    if (done > 0) {
      this.#blocked.splice(0, done);
      this.#drain();
    }
    if (this.#blocked.length > 0 && !this.#appending && this.#core.headPosition === this.#durable) {
      // Nothing on its way to disk will wake them: they wait for a segment.
      clearTimeout(this.#spaceTimer);
      this.#spaceTimer = setTimeout(() => this.#schedule(), SPACE_RETRY_MS);
    }
  }

  /** `release` runs once everything up to `position` is on disk; at once if it is. */
  #hold(position: number, release: () => void): void {
    if (position <= this.#durable) release();
    else this.#held.push({ position, release });
  }

  #release(): void {
    while (this.#heldFirst < this.#held.length) {
      const held = this.#held[this.#heldFirst] as Held;
      if (held.position > this.#durable) break;
      this.#heldFirst++;
      held.release();
    }
    if (this.#heldFirst > 1024 && this.#heldFirst * 2 > this.#held.length) {
      this.#held = this.#held.slice(this.#heldFirst);
      this.#heldFirst = 0;
    }
  }

  #notifyIdle(): void {
    if (this.#core.headPosition !== this.#durable || this.#blocked.length > 0) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  /** Resolves when all that was asked so far is on disk. */
  flushed(): Promise<void> {
    return new Promise((resolve) => {
      this.#hold(this.#core.headPosition, () => resolve());
      this.#schedule();
    });
  }

  /** A log that has gone quiet gets a last record, so that damage to what came before is never taken for a torn tail. */
  markQuiet(): void {
    if (this.#appending || this.#durable === this.#marked || this.#core.headPosition !== this.#durable) return;
    this.#boundLog();
    if (!this.#core.hasRoom(64)) return;
    this.#core.mark();
    this.#marked = this.#core.headPosition;
    this.#schedule();
  }

  // --- time -----------------------------------------------------------------------------------------------------

  tick(): void {
    if (this.#stopped) return;
    this.#boundLog();
    const finished = this.#core.tick(this.#clock.nowMs());
    this.#afterCommand();
    if (!finished && !this.#stopped) setTimeout(() => this.tick(), this.#log.hasSpare ? 1 : SPACE_RETRY_MS);
  }

  #nowMs(): number {
    const nowMs = this.#clock.nowMs();
    if (this.#core.nextTickMs <= nowMs) {
      this.#core.tick(nowMs);
      this.#drain();
    }
    return nowMs;
  }

  #armTimer(): void {
    const nextMs = this.#core.nextTickMs;
    if (nextMs >= this.#timerAtMs || this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = nextMs;
    const waitMs = Math.min(Math.max(Math.ceil(nextMs - this.#clock.nowMs()), 0), TIMER_MS_MAX);
    this.#timer = setTimeout(() => {
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.tick();
    }, waitMs);
  }

  // --- queues ---------------------------------------------------------------------------------------------------

  find(name: QueueName): Queue | undefined {
    return this.#catalogue.find(name);
  }

  list(account: string, region: string, prefix: string, after: string, countMax: number): readonly Queue[] {
    return this.#catalogue.list(account, region, prefix, after, countMax);
  }

  #entry(queue: Queue): QueueEntry {
    assert(queue instanceof QueueEntry, "queues come from this broker");
    return queue;
  }

  createQueue(
    name: QueueName,
    settings: QueueSettings,
    tags: ReadonlyMap<string, string>,
    done: (queue: Queue) => void,
  ): void {
    const nowMs = this.#nowMs();
    const entry = new QueueEntry(name, this.#catalogue.takeNumber(), settings, tags, nowMs, nowMs);
    entry.coreNumber = entry.number;
    entry.index = this.#core.openQueue(entry.coreNumber);
    if (entry.index === 0) throw new Error(`Cannot create queue "${name.name}": the core's memory is used up`);
    this.#catalogue.add(entry);
    this.#logEntry(entry, () => done(entry));
  }

  #logEntry(entry: QueueEntry, done: () => void): void {
    const payload = encodeQueue(entry);
    this.#admit(() => {
      if (!this.#core.logQueue(entry.index, payload)) return false;
      this.#hold(this.#core.headPosition, done);
      return true;
    });
  }

  setQueue(queue: Queue, settings: QueueSettings, tags: ReadonlyMap<string, string>, done: () => void): void {
    const entry = this.#entry(queue);
    this.#catalogue.set(entry, settings, tags, this.#nowMs());
    this.#logEntry(entry, done);
    this.#soon();
  }

  deleteQueue(queue: Queue, done: () => void): void {
    const entry = this.#entry(queue);
    this.#catalogue.remove(entry);
    this.#dismiss(entry.index, true);
    this.#drop(entry.index, done);
  }

  purgeQueue(queue: Queue, done: () => void): void {
    const entry = this.#entry(queue);
    const oldIndex = entry.index;
    const number = this.#catalogue.takeNumber();
    const index = this.#core.openQueue(number);
    if (index === 0) throw new Error(`Cannot purge queue "${entry.name}": the core's memory is used up`);
    entry.index = index;
    entry.coreNumber = number;
    this.#catalogue.changed(entry);
    // Those who wait are asked to wait again, at the queue's new place.
    const waiting = [...this.#waiting].filter(([, each]) => each.entry === entry && each.waiter !== 0);
    for (const [token, each] of waiting) {
      this.#core.cancel(each.waiter, token);
      each.waiter = 0;
    }
    this.#logEntry(entry, () => {});
    this.#drop(oldIndex, done);
    for (const [token] of waiting) this.#ask(token);
  }

  /** The queue's messages go; what of them is on disk is dead from here on. */
  #drop(index: number, done: () => void): void {
    this.#admit(() => {
      if (!this.#core.dropQueue(index)) return false;
      this.#hold(this.#core.headPosition, done);
      return true;
    });
    this.#soon();
  }

  #soon(): void {
    setImmediate(() => this.tick());
  }

  #dismiss(index: number, gone: boolean): void {
    while (!this.#core.dismissWaiters(index, gone)) this.#drain();
    this.#drain();
  }

  counts(queue: Queue): QueueCounts {
    const { index } = this.#entry(queue);
    this.#nowMs();
    return {
      visible: this.#core.visibleCount(index),
      inFlight: this.#core.inFlightCount(index),
      delayed: this.#core.delayedCount(index),
    };
  }

  // --- messages -------------------------------------------------------------------------------------------------

  #takeId(): number {
    if (this.#idOffset >= ID_POOL_BYTES) {
      randomFillSync(this.#ids);
      this.#idOffset = 0;
    }
    const at = this.#idOffset;
    this.#idOffset += 16;
    this.#ids[at + 6] = ((this.#ids[at + 6] as number) & 0x0f) | 0x40; // a version 4 UUID
    this.#ids[at + 8] = ((this.#ids[at + 8] as number) & 0x3f) | 0x80;
    return at;
  }

  send(queue: Queue, messages: readonly Outgoing[], done: (results: readonly Sent[]) => void): void {
    const entry = this.#entry(queue);
    this.#admit(() => {
      const space = this.#spaceForSends();
      if (space === "wait") return false;
      if (space === "no") {
        done(messages.map(() => ({ status: "full" })));
        return true;
      }
      const nowMs = this.#nowMs();
      const core = this.#core;
      core.beginSend();
      for (const message of messages) {
        core.addMessage(
          message.body,
          message.attributes,
          message.groupId,
          message.deduplicationId,
          message.senderId,
          message.traceHeader,
          message.delayMs,
          this.#ids,
          this.#takeId(),
          digest,
          entry.settings.fifo && message.deduplicationId === undefined,
        );
      }
      const code = core.send(entry.index, nowMs);
      if (code === SEND.busy) return false;
      if (code === SEND.full) {
        done(messages.map(() => ({ status: "full" })));
        return true;
      }
      const results: Sent[] = [];
      for (let i = 0; i < messages.length; i++) {
        results.push({
          status: core.sentDuplicate(i) ? "duplicate" : "sent",
          messageId: core.sentMessageId(i),
          bodyMd5: core.sentBodyMd5(i),
          sequenceNumber: entry.settings.fifo ? sequenceText(core.sentSequence(i)) : "",
        });
      }
      this.#hold(core.headPosition, () => done(results));
      return true;
    });
  }

  receive(
    queue: Queue,
    options: { readonly countMax: number; readonly visibilityMs: number; readonly waitMs: number },
    done: (result: Received) => void,
  ): () => void {
    const entry = this.#entry(queue);
    const token = this.#nextToken;
    this.#nextToken = this.#nextToken === 0xffff_ffff ? 1 : this.#nextToken + 1;
    const { countMax, visibilityMs, waitMs } = options;
    const waiting: Waiting = { entry, countMax, visibilityMs, untilMs: this.#nowMs() + waitMs, done, waiter: 0 };
    this.#waiting.set(token, waiting);
    this.#ask(token);
    return () => {
      if (waiting.waiter !== 0 && this.#waiting.has(token)) this.#core.cancel(waiting.waiter, token);
      this.#waiting.delete(token);
    };
  }

  #ask(token: number): void {
    this.#admit(() => {
      const waiting = this.#waiting.get(token);
      if (waiting === undefined) return true;
      if (waiting.entry.isGone) {
        this.#answer(token, { status: "queueGone" });
        return true;
      }
      const nowMs = this.#nowMs();
      const waitMs = Math.max(waiting.untilMs - nowMs, 0);
      const { countMax, visibilityMs } = waiting;
      const code = this.#core.receive(waiting.entry.index, countMax, visibilityMs, waitMs, token, nowMs);
      if (code === RECEIVE.busy) return false;
      if (code === RECEIVE.none || code === RECEIVE.noMemory) this.#answer(token, { status: "ok", messages: [] });
      else if (code === RECEIVE.overLimit) this.#answer(token, { status: "overLimit" });
      else waiting.waiter = code;
      return true;
    });
  }

  #answer(token: number, result: Received): void {
    const waiting = this.#waiting.get(token);
    this.#waiting.delete(token);
    waiting?.done(result);
  }

  /** Answers all who wait with nothing: the broker is about to stop. */
  answerWaiting(): void {
    for (const [token, waiting] of this.#waiting) {
      if (waiting.waiter === 0) continue;
      this.#core.cancel(waiting.waiter, token);
      this.#answer(token, { status: "ok", messages: [] });
    }
  }

  #drain(): void {
    this.#core.drainEffects((token, waitPosition, count, deliveries) => {
      const waiting = this.#waiting.get(token);
      this.#waiting.delete(token);
      if (waiting === undefined) return;
      if (count < 0) {
        this.#hold(waitPosition, () => waiting.done({ status: "queueGone" }));
        return;
      }
      const { entry } = waiting;
      const messages: Delivered[] = [];
      const onDisk: Promise<void>[] = [];
      deliveries.forEach((delivery, i) => {
        if (delivery.record !== undefined) messages[i] = this.#delivered(entry, delivery, delivery.record);
        else
          onDisk.push(
            this.#readRecord(delivery).then((record) => {
              messages[i] = this.#delivered(entry, delivery, record);
            }),
          );
      });
      if (onDisk.length === 0) {
        this.#hold(waitPosition, () => waiting.done({ status: "ok", messages }));
        return;
      }
      Promise.all(onDisk).then(
        () => this.#hold(waitPosition, () => waiting.done({ status: "ok", messages })),
        (error: Error) => this.#onFatal(error),
      );
    });
  }

  /** A record from its segment, checked: the start does not read the bodies of segments that have an index. */
  async #readRecord(delivery: Delivery): Promise<Buffer> {
    const read = await this.#log.read(delivery.position, delivery.recordBytes);
    const record = Buffer.from(read.buffer, read.byteOffset, read.byteLength);
    const size = record.readUIntLE(4, 3);
    const isWhole = size <= record.byteLength && size > 24;
    if (isWhole && this.#core.crc32c(record.subarray(4, size)) === record.readUInt32LE(0)) return record;
    const segment = Math.floor(delivery.position / this.#segmentBytes);
    throw new Error(
      `Cannot read a message: segment ${segment} is damaged at offset ${delivery.position % this.#segmentBytes}, where a record ` +
        `of ${delivery.recordBytes} bytes was written; restore the data directory from a copy`,
    );
  }

  #delivered(entry: QueueEntry, delivery: Delivery, record: Buffer): Delivered {
    const stored = readStoredMessage(record);
    const { fifo } = entry.settings;
    return {
      messageId: stored.messageId,
      receiptHandle: writeReceiptHandle(entry.number, delivery),
      body: stored.body,
      bodyMd5: stored.bodyMd5,
      attributes: stored.attributes,
      groupId: stored.groupId,
      // A redriven message must not be taken for another with the same ID, so it has its message ID instead.
      deduplicationId: fifo && delivery.moved ? stored.messageId : stored.deduplicationId,
      senderId: stored.senderId,
      traceHeader: stored.traceHeader,
      sentMs: delivery.sentMs,
      firstReceivedMs: delivery.firstReceivedMs,
      receiveCount: delivery.receiveCount,
      sequenceNumber: fifo ? sequenceText(delivery.sequence) : undefined,
      deadLetterSourceArn: delivery.moved ? this.#catalogue.arnOf(delivery.sourceNumber) : undefined,
    };
  }

  delete(queue: Queue, receiptHandles: readonly string[], done: (results: readonly Settled[]) => void): void {
    const entry = this.#entry(queue);
    const { handles, places, results } = readHandles(entry, receiptHandles);
    this.#admit(() => {
      const codes = this.#core.delete(entry.index, handles, this.#nowMs());
      if (codes === undefined) return false;
      codes.forEach((code, i) => {
        results[places[i] as number] = code;
      });
      this.#hold(this.#core.headPosition, () => done(results));
      return true;
    });
  }

  changeVisibility(
    queue: Queue,
    changes: readonly { readonly receiptHandle: string; readonly visibilityMs: number }[],
    done: (results: readonly Settled[]) => void,
  ): void {
    const entry = this.#entry(queue);
    const { handles, places, results } = readHandles(
      entry,
      changes.map((change) => change.receiptHandle),
    );
    const visibilityMs = places.map((place) => (changes[place] as { visibilityMs: number }).visibilityMs);
    this.#admit(() => {
      const codes = this.#core.changeVisibility(entry.index, handles, visibilityMs, this.#nowMs());
      if (codes === undefined) return false;
      codes.forEach((code, i) => {
        results[places[i] as number] = code;
      });
      // A lost change costs a standard queue a redelivery or a wait; on FIFO it could cost the order.
      this.#hold(entry.settings.fifo ? this.#core.headPosition : 0, () => done(results));
      return true;
    });
  }

  async close(): Promise<void> {
    this.answerWaiting();
    await this.flushed();
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#spaceTimer);
  }
}

function readHandles(
  entry: QueueEntry,
  texts: readonly string[],
): { handles: ReceivedHandle[]; places: number[]; results: Settled[] } {
  const handles: ReceivedHandle[] = [];
  const places: number[] = [];
  const results: Settled[] = texts.map((text, i) => {
    const handle = readReceiptHandle(entry.number, text);
    if (handle === undefined) return "invalidHandle";
    handles.push(handle);
    places.push(i);
    return "ok";
  });
  return { handles, places, results };
}

function digest(algorithm: "md5" | "sha256", bytes: Uint8Array): Uint8Array {
  return createHash(algorithm).update(bytes).digest();
}

/** 20 digits, as SQS's are. */
function sequenceText(sequence: number): string {
  return `1${String(sequence).padStart(19, "0")}`;
}
