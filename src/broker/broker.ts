// The broker: queues and messages as the edge asks for them, each asked of the core in a turn and answered from the disk on.
import { createHash } from "node:crypto";
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { type Core, type ReceivedHandle, SEND } from "../core/core.ts";
import type { Log } from "../log/log.ts";
import type { Catalogue } from "./catalogue.ts";
import { Direct } from "./direct.ts";
import { MessageIds } from "./message-ids.ts";
import { Mover } from "./mover.ts";
import { Moves } from "./moves.ts";
import { Peeks } from "./peeks.ts";
import { QueueEntry } from "./queue-entry.ts";
import { encodeQueue } from "./queue-record.ts";
import { readReceiptHandle } from "./receipt-handle.ts";
import { Receives } from "./receives.ts";
import { RecordReader } from "./record-reader.ts";
import type { Seals } from "./seals.ts";
import { sequenceText } from "./sequence.ts";
import { Streams } from "./streams.ts";
import { Turn } from "./turn.ts";
import type {
  Broker,
  MoveCancelled,
  MoveOptions,
  MoveStarted,
  MoveTask,
  Outgoing,
  PeekOptions,
  PeekResult,
  Queue,
  QueueCounts,
  QueueName,
  QueueSettings,
  Received,
  ReceiveOptions,
  Sent,
  Settled,
} from "./types.ts";

export class LocalBroker implements Broker {
  readonly #core: Core;
  readonly #catalogue: Catalogue;
  readonly #turn: Turn;
  readonly #receives: Receives;
  readonly #peeks: Peeks;
  readonly #moves: Moves<QueueEntry>;
  readonly #mover: Mover;
  readonly #seals: Seals;
  readonly #ids = new MessageIds();
  /** What is pushed to its consumers, and published on the same sockets. */
  readonly streams: Streams;
  /** The way for whole requests. */
  readonly direct: Direct;

  constructor(parts: {
    core: Core;
    log: Log;
    seals: Seals;
    clock: Clock;
    catalogue: Catalogue;
    durablePosition: number;
    segmentBytes: number;
    onWriting: () => void;
    onFatal: (error: Error) => void;
    onFault: (error: unknown) => void;
  }) {
    const { core, log, catalogue, segmentBytes, seals } = parts;
    this.#seals = seals;
    this.#core = core;
    this.#catalogue = catalogue;
    this.#turn = new Turn({ ...parts, drain: () => this.#drain() });
    const reader = new RecordReader({ core, log, seals, segmentBytes, onFatal: (error) => this.#turn.fail(error) });
    this.streams = new Streams({ core, catalogue, reader, seals, turn: this.#turn, clock: parts.clock });
    this.#receives = new Receives({ core, catalogue, reader, turn: this.#turn });
    this.#peeks = new Peeks({ core, catalogue, reader, turn: this.#turn });
    this.#moves = new Moves<QueueEntry>(core, catalogue, (source, done) => this.#logEntry(source, done));
    this.#moves.resume(catalogue.held(), this.#turn.nowMs());
    this.#mover = new Mover(core, this.#turn, this.#moves);
    this.direct = new Direct({ core, catalogue, seals, turn: this.#turn, receives: this.#receives });
    this.#turn.tick();
    this.#mover.wake();
  }

  #drain(): void {
    this.#receives.drain();
    this.streams.drain();
  }

  get durablePosition(): number {
    return this.#turn.durablePosition;
  }

  /** Why sends are refused now, undefined while they are taken. */
  get trouble(): string | undefined {
    return this.#turn.trouble;
  }

  /** Resolves when all that was asked so far is on disk; rejects with why it will never be. */
  flushed(): Promise<void> {
    return this.#turn.flushed();
  }
  /** Runs `then` when all that was asked so far is on disk. */
  whenWritten(then: () => void): void {
    this.#turn.hold(this.#core.headPosition, { release: then });
  }
  fillSegment(): Promise<void> {
    return this.#turn.fillSegment();
  }

  markQuiet(): void {
    this.#turn.markQuiet();
  }
  tick(): void {
    this.#turn.tick();
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

  createQueue(name: QueueName, settings: QueueSettings, tags: ReadonlyMap<string, string>, done: () => void): void {
    const nowMs = this.#turn.nowMs();
    const entry = this.#catalogue.entryOf(name, settings, tags, nowMs);
    entry.coreNumber = entry.number;
    entry.index = this.#core.openQueue(entry.coreNumber);
    if (entry.index === 0) throw new Error(`Cannot create queue "${name.name}": the core's memory is used up`);
    this.#catalogue.add(entry);
    this.#logEntry(entry, () => {
      this.#catalogue.made(entry);
      done();
    });
  }

  #logEntry(entry: QueueEntry, done: () => void): void {
    this.#catalogue.keep(entry);
    const payload = encodeQueue(entry);
    this.#turn.admit(() => {
      if (!this.#core.logQueue(entry.index, payload)) return false;
      this.#turn.hold(this.#core.headPosition, { release: done });
      return true;
    });
  }

  setQueue(queue: Queue, settings: QueueSettings, tags: ReadonlyMap<string, string>, done: () => void): void {
    const entry = this.#entry(queue);
    this.#catalogue.set(entry, settings, tags, this.#turn.nowMs());
    this.#logEntry(entry, done);
    this.#turn.soon();
  }

  deleteQueue(queue: Queue, done: () => void): void {
    const entry = this.#entry(queue);
    this.#catalogue.remove(entry);
    this.streams.ended(entry);
    this.#dismiss(entry.index, true);
    this.#drop(entry.index, done);
  }

  purgeQueue(queue: Queue, done: () => void): void {
    const entry = this.#entry(queue);
    const number = this.#catalogue.takeNumber();
    const index = this.#core.openQueue(number);
    if (index === 0) throw new Error(`Cannot purge queue "${entry.name}": the core's memory is used up`);
    const change = (): boolean => {
      // What stands in line before this is still the old queue's: a message of a queue whose record is not written yet would
      // be nobody's after a crash.
      if (!this.#core.logQueue(index, encodeQueue(entry))) return false;
      const oldIndex = entry.index;
      entry.index = index;
      entry.coreNumber = number;
      this.#catalogue.changed(entry);
      this.streams.moved(entry, oldIndex);
      this.#drop(oldIndex, done);
      return true;
    };
    this.#receives.askAgainAfter(entry, () => this.#turn.admit(change));
  }

  /** The queue's messages go; what of them is on disk is dead from here on. */
  #drop(index: number, done: () => void): void {
    this.#turn.admit(() => {
      if (!this.#core.dropQueue(index)) return false;
      this.#turn.hold(this.#core.headPosition, { release: done });
      return true;
    });
    this.#turn.soon();
  }

  #dismiss(index: number, gone: boolean): void {
    while (!this.#core.dismissWaiters(index, gone)) this.#receives.drain();
    this.#receives.drain();
  }

  counts(queue: Queue): QueueCounts {
    const { index } = this.#entry(queue);
    this.#turn.nowMs();
    return {
      visible: this.#core.visibleCount(index),
      inFlight: this.#core.inFlightCount(index),
      delayed: this.#core.delayedCount(index),
    };
  }

  // --- messages -------------------------------------------------------------------------------------------------

  send(queue: Queue, messages: readonly Outgoing[], done: (results: readonly Sent[]) => void): void {
    const entry = this.#entry(queue);
    this.#seals.whenReady(entry, (error) => {
      if (error !== undefined) done(messages.map(() => ({ status: "locked", error })));
      else this.#send(entry, messages, done);
    });
  }

  #send(entry: QueueEntry, messages: readonly Outgoing[], done: (results: readonly Sent[]) => void): void {
    this.#turn.admit(() => {
      const space = this.#turn.spaceForSends();
      if (space === "wait") return false;
      if (space === "no") {
        done(messages.map(() => ({ status: "full" })));
        return true;
      }
      const nowMs = this.#turn.nowMs();
      if (!this.#seals.select(entry, nowMs)) {
        this.send(entry, messages, done); // the data key's time ended in the line
        return true;
      }
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
          this.#ids.bytes,
          this.#ids.take(),
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
      this.#turn.hold(core.headPosition, { release: () => done(results) });
      return true;
    });
  }

  receive(queue: Queue, options: ReceiveOptions, done: (result: Received) => void): () => void {
    return this.#receives.receive(this.#entry(queue), options, { received: done });
  }

  peek(queue: Queue, options: PeekOptions, done: (result: PeekResult) => void): () => void {
    return this.#peeks.peek(this.#entry(queue), options, done);
  }

  /** Answers all who wait with nothing: the broker is about to stop. */
  answerWaiting(): void {
    this.#receives.answerWaiting();
  }

  delete(queue: Queue, receiptHandles: readonly string[], done: (results: readonly Settled[]) => void): void {
    const entry = this.#entry(queue);
    const { handles, places, results } = readHandles(entry, receiptHandles);
    this.#turn.admit(() => {
      const codes = this.#core.delete(entry.index, handles, this.#turn.nowMs());
      if (codes === undefined) return false;
      codes.forEach((code, i) => {
        results[places[i] as number] = code;
      });
      this.#turn.hold(this.#core.headPosition, { release: () => done(results) });
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
    this.#turn.admit(() => {
      const codes = this.#core.changeVisibility(entry.index, handles, visibilityMs, this.#turn.nowMs());
      if (codes === undefined) return false;
      codes.forEach((code, i) => {
        results[places[i] as number] = code;
      });
      // A lost change costs a standard queue a redelivery or a wait; on FIFO it could cost the order.
      this.#turn.hold(entry.settings.fifo ? this.#core.headPosition : 0, { release: () => done(results) });
      return true;
    });
  }

  // --- move tasks -----------------------------------------------------------------------------------------------

  moveTasks(source: Queue): readonly MoveTask[] {
    return this.#entry(source).moveTasks;
  }

  startMove(source: Queue, options: MoveOptions, done: (result: MoveStarted) => void): void {
    this.#moves.start(this.#entry(source), options, this.#turn.nowMs(), (result) => {
      done(result);
      this.#mover.wake();
    });
  }

  cancelMove(source: Queue, taskId: string, done: (result: MoveCancelled) => void): void {
    this.#moves.cancel(this.#entry(source), taskId, done);
  }

  async close(): Promise<void> {
    this.answerWaiting();
    this.#mover.stop();
    try {
      await this.flushed();
    } finally {
      this.#turn.stop();
    }
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
