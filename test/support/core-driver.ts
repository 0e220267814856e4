// The real core in virtual time: queues by name, messages by body, receipts as body#receive, with a ' for each time that
// a task moved the message. Whatever it writes is kept, so a restart is a fresh core that replays the same bytes.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { assert } from "../../src/base/assert.ts";
import { type MoveSource, Moves, storedTasks } from "../../src/broker/moves.ts";
import { type Outline, Outlines } from "../../src/broker/outlines.ts";
import type { MoveOptions, MoveTask } from "../../src/broker/types.ts";
import { Core, QUEUE_FLAG, type QuietGroups, RECEIVE, type ReceivedHandle, SEND, SOURCE } from "../../src/core/core.ts";
import type { Delivery } from "../../src/core/effects.ts";
import type { PeekedRow, PeekPage, PeekPlace } from "../../src/core/peeks.ts";
import { readStoredMessage } from "../../src/core/stored-message.ts";

export const MODULE = new WebAssembly.Module(readFileSync(new URL("../../build/out/core.wasm", import.meta.url)));
const MiB = 1024 * 1024;
export const SEGMENT_BYTES = 24 * 1024; // small, so that every longer test crosses several
const SEGMENT_HEADER_BYTES = 4096;
export const SIZES = {
  budgetBytes: 256 * MiB,
  tailBytes: 4 * MiB,
  cacheBytes: 1 * MiB,
  segmentBytes: SEGMENT_BYTES,
  segmentHeaderBytes: SEGMENT_HEADER_BYTES,
};
export type CoreSizes = typeof SIZES;
/**
 * Little more than the longest record, which a tail must have room for besides: it has gone around after a few hundred
 * messages. It ends within a segment, so a batch can go around.
 */
export const SHORT_TAIL: CoreSizes = { ...SIZES, tailBytes: 2 * MiB + 250 * 1024, cacheBytes: 320 * 1024 };
const QUEUE_FIXED_BYTES = 40; // of its record
const FILLER_BYTES_MAX = 12 * 1024;
const KIND_OFFSET = 7; // of a record
const SENT = 1;
/** How far behind the log's end outlines are made. */
const OUTLINE_LAG_BYTES = 8 * 1024;
/** When every test begins: 0 s on its own clock. */
const START_MS = 1_800_000_000_000;

export interface QueueSpec {
  readonly name: string;
  readonly fifo: boolean;
  readonly scopeGroup: boolean;
  readonly delayMs: number;
  readonly retentionMs: number;
  readonly visibilityMs: number;
  readonly receiveMax: number; // 0: no dead letters
  readonly deadLetters: string | undefined; // name of a queue that stands before this one
  readonly inFlightMax: number;
  readonly contentBased?: boolean;
  readonly messageBytesMax?: number;
}

export const STANDARD: QueueSpec = {
  name: "main",
  fifo: false,
  scopeGroup: false,
  delayMs: 0,
  retentionMs: 345_600_000,
  visibilityMs: 30_000,
  receiveMax: 0,
  deadLetters: undefined,
  inFlightMax: 120_000,
};

export interface SendEntry {
  readonly body: string;
  readonly groupId?: string | undefined;
  readonly deduplicationId?: string | undefined; // undefined on a FIFO queue: by content
  readonly delayMs?: number | undefined;
  readonly attributesBytes?: number; // what is sent besides, to fill segments
}

export interface SentEntry {
  readonly duplicate: boolean;
  readonly sequence: number;
  readonly messageId: string;
}

type PeekWhat = "visible" | "held" | "delayed";

/** Why a receive was refused. */
export type Refused = "overLimit" | "notRetryable";

export interface Answer {
  readonly receipts: readonly string[] | "gone";
  readonly atMs: number;
}

/** A queue as move tasks see it; its ARN is its name. */
class DriverQueue implements MoveSource {
  readonly account = "000000000000";
  readonly region = "local";
  index: number; // a purge gives it another
  isGone = false;
  moveTasks: readonly MoveTask[];

  constructor(index: number, moveTasks: readonly MoveTask[]) {
    this.index = index;
    this.moveTasks = moveTasks;
  }
}

export class CoreDriver {
  nowMs = 0;
  #core: Core;
  #moves: Moves<DriverQueue>;
  #outlines: Outlines;
  #queues: DriverQueue[]; // in the order of the specs
  readonly #specs: QueueSpec[];
  readonly #sizes: CoreSizes;
  /** Segments by number; a sealed one may have an index, which a restart reads instead of its records. */
  readonly #log = new Map<number, { bytes: Buffer; endOffset: number; index?: Buffer }>();
  /** By position: what the log has there stays what it is. */
  readonly #bodies = new Map<number, string>();
  readonly #handles = new Map<string, ReceivedHandle>();
  readonly #answers = new Map<number, Answer>();
  readonly #waiters = new Map<number, number>();
  #nextToken = 1;
  #nextMessage = 1;
  #nextNumber: number;

  /** A queue's index and number are its place in `specs`, from 1, until it is purged. */
  constructor(specs: readonly QueueSpec[], sizes: CoreSizes = SIZES) {
    this.#specs = [...specs];
    this.#nextNumber = specs.length + 1;
    this.#sizes = sizes;
    this.#core = Core.load(MODULE, sizes);
    this.#core.beginReplay(START_MS);
    assert(this.#core.finishReplay(START_MS, SEGMENT_HEADER_BYTES), "an empty log replays");
    this.#outlines = this.#newOutlines(SEGMENT_HEADER_BYTES);
    this.#moves = this.#newMoves();
    this.#queues = this.#specs.map((_, i) => new DriverQueue(i + 1, []));
    this.#specs.forEach((spec, i) => {
      assert(this.#core.openQueue(i + 1) === i + 1, "queues are opened in order");
      this.#giveRules(spec);
      this.#logQueue(this.#queues[i] as DriverQueue);
    });
    this.#flush();
  }

  #newOutlines(endPosition: number): Outlines {
    return new Outlines({
      core: this.#core,
      segmentBytes: SEGMENT_BYTES,
      headerBytes: SEGMENT_HEADER_BYTES,
      tailBytes: 2 * OUTLINE_LAG_BYTES,
      endPosition,
    });
  }

  #newMoves(): Moves<DriverQueue> {
    const places = {
      arnOf: (number: number) => this.#specs[number - 1]?.name,
      byArn: (arn: string) => this.#queues.find(({ index, isGone }) => index === this.#index(arn) && !isGone),
    };
    return new Moves(this.#core, places, (queue, done) => {
      this.#logQueue(queue);
      this.#flush();
      done();
    });
  }

  /** `recordBytes`: how long its record is to be, if it can be. */
  #logQueue(queue: DriverQueue, recordBytes = 0): void {
    const text = JSON.stringify(storedTasks(queue.moveTasks));
    const payload = Buffer.from(text.padEnd(recordBytes - QUEUE_FIXED_BYTES));
    assert(this.#core.logQueue(queue.index, payload), "the log has room for a queue");
  }

  /** All that is on disk. */
  get logBytes(): Buffer {
    return Buffer.concat([...this.#log.values()].map(({ bytes, endOffset }) => bytes.subarray(0, endOffset)));
  }

  spec(queue: string): QueueSpec {
    return this.#specs[this.#place(queue)] as QueueSpec;
  }

  #place(queue: string): number {
    const found = this.#specs.findIndex((spec) => spec.name === queue);
    assert(found >= 0, `there is a queue ${queue}`);
    return found;
  }

  #index(queue: string): number {
    return (this.#queues[this.#place(queue)] as DriverQueue).index;
  }

  #giveRules(spec: QueueSpec): void {
    const index = this.#index(spec.name);
    this.#core.setQueue(index, {
      flags:
        (spec.fifo ? QUEUE_FLAG.fifo : 0) |
        (spec.scopeGroup ? QUEUE_FLAG.scopeGroup : 0) |
        (spec.contentBased ? QUEUE_FLAG.contentBased : 0),
      delayMs: spec.delayMs,
      retentionMs: spec.retentionMs,
      receiveMax: spec.receiveMax,
      deadLetters: spec.deadLetters === undefined ? 0 : this.#index(spec.deadLetters),
      sourceNumber: this.#place(spec.name) + 1,
      inFlightMax: spec.inFlightMax,
      messageBytesMax: spec.messageBytesMax ?? 1_048_576,
    });
  }

  /** SetQueueAttributes. */
  set(queue: string, change: Partial<QueueSpec>): void {
    this.#specs[this.#place(queue)] = { ...this.spec(queue), ...change };
    this.#giveRules(this.spec(queue));
    this.#tick();
  }

  /** A driver whose core has only so many chunks of memory besides what it begins with. */
  static small(specs: readonly QueueSpec[], chunkCount: number): CoreDriver {
    return new CoreDriver(specs, CoreDriver.smallSizes(chunkCount));
  }

  static smallSizes(chunkCount: number): CoreSizes {
    const { usedBytes } = Core.load(MODULE, SIZES);
    return { ...SIZES, budgetBytes: usedBytes + chunkCount * MiB };
  }

  send(queue: string, entries: readonly SendEntry[]): SentEntry[] {
    const sent = this.trySend(queue, entries);
    assert(sent !== "full", "the core has room");
    return sent;
  }

  /** "full": memory is used up, and nothing has been sent. */
  trySend(queue: string, entries: readonly SendEntry[]): SentEntry[] | "full" {
    const core = this.#core;
    core.beginSend();
    for (const entry of entries) {
      const id = Buffer.alloc(16);
      id.writeUInt32LE(this.#nextMessage++);
      core.addMessage(
        entry.body,
        entry.attributesBytes === undefined ? undefined : new Uint8Array(entry.attributesBytes),
        entry.groupId,
        entry.deduplicationId,
        "sender",
        undefined,
        entry.delayMs,
        id,
        0,
        (algorithm, bytes) => createHash(algorithm).update(bytes).digest(),
        false,
      );
    }
    const code = core.send(this.#index(queue), this.#instant());
    if (code === SEND.full) return "full";
    assert(code === SEND.ok, "the tail has room");
    const sent = entries.map((_, i) => ({
      duplicate: core.sentDuplicate(i),
      sequence: core.sentSequence(i),
      messageId: core.sentMessageId(i),
    }));
    this.#flush();
    return sent;
  }

  /** A short poll. */
  receive(
    queue: string,
    countMax: number,
    visibilityMs: number | undefined,
    attemptId?: string | undefined,
  ): readonly string[] | Refused {
    const token = this.poll(queue, countMax, visibilityMs, 0, attemptId);
    if (typeof token === "string") return token;
    const { receipts } = this.#answers.get(token) ?? { receipts: [] };
    assert(receipts !== "gone", "the queue is there");
    return receipts;
  }

  /** A receive that may wait; its answer comes under the number returned. */
  poll(
    queue: string,
    countMax: number,
    visibilityMs: number | undefined,
    waitMs: number,
    attemptId?: string | undefined,
  ): number | Refused {
    const token = this.#nextToken++;
    const index = this.#index(queue);
    const hiddenMs = visibilityMs ?? this.spec(queue).visibilityMs;
    const code = this.#core.receive(index, countMax, hiddenMs, waitMs, token, attemptId, this.#instant());
    assert(code !== RECEIVE.noMemory && code !== RECEIVE.busy, "the core has room");
    if (code !== 0 && code < RECEIVE.notRetryable) this.#waiters.set(token, code);
    this.#flush();
    if (code === RECEIVE.notRetryable) return "notRetryable";
    return code === RECEIVE.overLimit ? "overLimit" : token;
  }

  answer(token: number): Answer | undefined {
    return this.#answers.get(token);
  }

  get hasWaiters(): boolean {
    return this.#waiters.size > 0;
  }

  cancel(token: number): void {
    this.#core.cancel(this.#waiters.get(token) ?? 0, token);
    this.#waiters.delete(token);
    this.#flush();
  }

  delete(queue: string, receipt: string): string {
    const codes = this.#core.delete(this.#index(queue), [this.#handle(receipt)], this.#instant());
    assert(codes !== undefined, "the tail has room");
    this.#flush();
    return codes[0] as string;
  }

  changeVisibility(queue: string, receipt: string, visibilityMs: number): string {
    const handles = [this.#handle(receipt)];
    const codes = this.#core.changeVisibility(this.#index(queue), handles, [visibilityMs], this.#instant());
    assert(codes !== undefined, "the tail has room");
    this.#flush();
    return codes[0] as string;
  }

  /** What was handed out by one receive never came to anybody. */
  giveBack(queue: string, receipts: readonly string[], attemptId: string | undefined): void {
    const handles = receipts.map((receipt) => this.#handle(receipt));
    assert(this.#core.giveBack(this.#index(queue), handles, attemptId, this.#instant()), "the tail has room");
    this.#flush();
  }

  /** What a task's pieces do: visible messages from one queue to another. */
  move(from: string, to: string, countMax: number): number {
    const count = this.#core.move(this.#index(from), this.#index(to), SOURCE.any, countMax, this.#instant());
    this.#flush();
    return count;
  }

  startTask(source: string, options: MoveOptions): string {
    let result: string | undefined;
    this.#moves.start(this.#queue(source), options, this.#instant(), ({ status }) => {
      result = status;
    });
    this.#tick();
    return result ?? "not on disk";
  }

  /** Cancels the newest one. */
  cancelTask(source: string): string {
    const queue = this.#queue(source);
    let result: string | undefined;
    this.#moves.cancel(queue, queue.moveTasks[0]?.id ?? "", (cancelled) => {
      result = cancelled.status === "cancelled" ? `cancelled ${cancelled.movedCount}` : cancelled.status;
    });
    return result ?? "not on disk";
  }

  tasks(source: string): readonly MoveTask[] {
    return this.#queue(source).moveTasks;
  }

  #queue(name: string): DriverQueue {
    return this.#queues[this.#place(name)] as DriverQueue;
  }

  /** PurgeQueue, where nobody polls: the queue begins anew beside its messages, which go. */
  protected purged(name: string, onMoved: (oldIndex: number) => void): void {
    const queue = this.#queue(name);
    const oldIndex = queue.index;
    queue.index = this.#core.openQueue(this.#nextNumber++);
    assert(queue.index !== 0, "the core has room");
    this.#giveRulesAround(name);
    this.#logQueue(queue);
    onMoved(oldIndex);
    assert(this.#core.dropQueue(oldIndex), "the log has room");
    this.#tick();
  }

  /** DeleteQueue. */
  drop(name: string): void {
    const queue = this.#queue(name);
    queue.isGone = true;
    while (!this.#core.dismissWaiters(queue.index, true)) this.#drain();
    assert(this.#core.dropQueue(queue.index), "the log has room");
    queue.index = 0; // nowhere: its place may be another's next
    this.#tick();
  }

  /** CreateQueue, of one that was deleted, as it was. */
  create(name: string): void {
    const queue = this.#queue(name);
    queue.index = this.#core.openQueue(this.#nextNumber++);
    assert(queue.index !== 0, "the core has room");
    queue.isGone = false;
    queue.moveTasks = [];
    this.#giveRulesAround(name);
    this.#logQueue(queue);
    this.#tick();
  }

  #giveRulesAround(name: string): void {
    for (const spec of this.#specs) if (spec.name === name || spec.deadLetters === name) this.#giveRules(spec);
  }

  /** The queue that the next message to move came from. */
  nextSource(queue: string): string {
    const source = this.#core.nextSource(this.#index(queue), this.#instant());
    if (source === SOURCE.nothing) return "nothing";
    return source === SOURCE.none ? "none" : (this.#specs[source - 1] as QueueSpec).name;
  }

  counts(queue: string): { visible: number; inFlight: number; delayed: number } {
    const index = this.#index(queue);
    return {
      visible: this.#core.visibleCount(index),
      inFlight: this.#core.inFlightCount(index),
      delayed: this.#core.delayedCount(index),
    };
  }

  /** The queue without its noisy groups; `ageMs` is of the message that is next. */
  quietGroups(queue: string): Omit<QuietGroups, "sentMs"> & { ageMs: number | undefined } {
    const { sentMs, ...counts } = this.#core.quietGroups(this.#index(queue));
    return { ...counts, ageMs: sentMs === 0 ? undefined : this.#instant() - sentMs };
  }

  /** Pages of at most `countMax` messages, each as body#receives@place. */
  peek(queue: string, what: PeekWhat, countMax: number): string[][] {
    return this.#pages(queue, what, countMax, MiB).filter((page) => page.length > 0);
  }

  /** Pages of what can be received, of at most so many bytes of records each. */
  peekPages(queue: string, countMax: number, bytesMax: number): string[][] {
    return this.#pages(queue, "visible", countMax, bytesMax);
  }

  /** One page of what can be received; undefined when there is no going on from `from`. */
  peekFrom(queue: string, from: PeekPlace | undefined, countMax: number): PeekPage | undefined {
    return this.#core.peeks.visible(this.#index(queue), from, countMax, MiB, this.#instant());
  }

  /** The bytes of every message's record besides its fixed part, by body. */
  payloadSizes(queue: string): Map<string, number> {
    const places = ["visible", "held", "delayed"] as const;
    const rows = places.flatMap((what) => this.#rows(queue, what, 100, MiB).flat());
    const fixedBytes = (row: PeekedRow) => (this.#record(row)[KIND_OFFSET] === SENT ? 168 : 32);
    return new Map(rows.map((row) => [this.#bodyOf(row), row.recordBytes - fixedBytes(row)]));
  }

  #bodyOf(row: PeekedRow): string {
    return `${this.bodyAt(row)}${"'".repeat(row.reissues)}`;
  }

  #pages(queue: string, what: PeekWhat, countMax: number, bytesMax: number): string[][] {
    return this.#rows(queue, what, countMax, bytesMax).map((rows) =>
      rows.map((row) => `${this.#bodyOf(row)}#${row.receiveCount}@${row.place}`),
    );
  }

  #rows(queue: string, what: PeekWhat, countMax: number, bytesMax: number): (readonly PeekedRow[])[] {
    const index = this.#index(queue);
    const pages: (readonly PeekedRow[])[] = [];
    let from: PeekPlace | undefined;
    do {
      const instant = this.#instant();
      const page =
        what === "visible"
          ? this.#core.peeks.visible(index, from, countMax, bytesMax, instant)
          : this.#core.peeks.hidden(index, from, what, countMax, bytesMax, instant);
      assert(page !== undefined, "nothing happens between two pages");
      pages.push(page.rows);
      from = page.next;
    } while (from !== undefined);
    return pages;
  }

  get hasSendMemory(): boolean {
    return this.#core.hasSendMemory;
  }

  get liveMessages(): number {
    return this.#core.liveMessages;
  }

  /** Everything that comes due on the way happens at its own instant. */
  advanceTo(nowMs: number): void {
    assert(nowMs >= this.nowMs, "time goes forward");
    const endMs = START_MS + nowMs;
    for (;;) {
      const nextMs = Math.min(this.#core.nextTickMs, Math.ceil(this.#moves.nextMs));
      if (nextMs > endMs) break;
      this.nowMs = Math.max(nextMs - START_MS, this.nowMs);
      this.#tick();
    }
    this.nowMs = nowMs;
  }

  /** Where the records end that were written from `position` on. */
  recordEnds(position: number): number[] {
    const ends: number[] = [];
    for (const segment of this.#segments()) {
      const { bytes, endOffset } = this.#log.get(segment) as { bytes: Buffer; endOffset: number };
      for (let offset = SEGMENT_HEADER_BYTES; offset < endOffset; ) {
        offset += (bytes.readUIntLE(offset + 4, 3) + 7) & ~7;
        if (segment * SEGMENT_BYTES + offset > position) ends.push(segment * SEGMENT_BYTES + offset);
      }
    }
    return ends;
  }

  /** Of the log, nothing from `position` on has come to the disk. */
  #cut(position: number): void {
    this.#bodies.clear();
    for (const segment of this.#segments()) {
      const kept = this.#log.get(segment) as { bytes: Buffer; endOffset: number; index?: Buffer };
      const endOffset = position - segment * SEGMENT_BYTES;
      if (endOffset <= SEGMENT_HEADER_BYTES) this.#log.delete(segment);
      else if (endOffset < kept.endOffset) {
        kept.bytes.fill(0, endOffset);
        kept.endOffset = endOffset;
        delete kept.index;
      }
    }
  }

  /** What is on disk, segment by segment, may be changed in place: a restart then finds that. */
  changeLog(change: (records: Buffer, segment: number) => void): void {
    for (const [segment, { bytes, endOffset }] of this.#log) {
      change(bytes.subarray(SEGMENT_HEADER_BYTES, endOffset), segment);
    }
  }

  /** The process ends after everything before `endPosition` was written, and another begins. Those who waited have gone. */
  restart(endPosition = Number.POSITIVE_INFINITY): void {
    this.#cut(endPosition);
    const core = Core.load(MODULE, this.#sizes);
    core.beginReplay(this.#instant());
    let replayedTo = SEGMENT_HEADER_BYTES;
    const seen = new Map<number, DriverQueue>();
    const numbers = new Map<number, number>();
    const onQueue = (dropped: boolean, record: Buffer): void => {
      const index = record.readUInt32LE(24);
      const number = record.readUInt32LE(28);
      if (!dropped) numbers.set(index, number);
      else if (numbers.get(index) === number) seen.delete(index); // otherwise the place is another's by now
      if (!dropped)
        seen.set(index, new DriverQueue(index, JSON.parse(record.toString("utf8", 40, 40 + record.readUInt32LE(32)))));
    };
    for (const segment of this.#segments()) replayedTo = this.#replaySegment(core, segment, onQueue);
    this.#core = core;
    this.#queues = this.#queues.map((queue) => seen.get(queue.index) ?? queue);
    this.#specs.forEach((spec, i) => {
      if (seen.has((this.#queues[i] as DriverQueue).index)) this.#giveRules(spec);
    });
    for (const queue of this.#queues)
      assert(seen.has(queue.index) !== queue.isGone, "what queues there are is in the log");
    assert(core.finishReplay(this.#instant(), replayedTo), "the core has room");
    this.#outlines = this.#newOutlines(replayedTo);
    this.#moves = this.#newMoves();
    this.#moves.resume(seen.values(), this.#instant());
    this.#waiters.clear();
    this.#tick();
  }

  #segments(): number[] {
    return [...this.#log.keys()].sort((a, b) => a - b);
  }

  /** Every sealed segment that has none gets its index. @returns how many */
  index(): number {
    const sealed = this.#segments().slice(0, -1);
    const bare = sealed.filter((segment) => this.#log.get(segment)?.index === undefined);
    for (const segment of bare) {
      const outline = this.#outline(segment);
      const isWhole = outline?.liveCount === this.#core.liveCount(segment); // it is the index as it stands
      const index = outline?.parts.map((part) => Buffer.from(isWhole ? part : this.#core.indexOutline(part, segment)));
      (this.#log.get(segment) as { index?: Buffer }).index = Buffer.concat(index ?? [this.#survey(segment, true)]);
    }
    return bare.length;
  }

  /** Gives up a sealed segment, the `place`th of them, however much of it lives. @returns whether there was one */
  reclaim(place: number): boolean {
    const sealed = this.#segments().slice(0, -1);
    const segment = sealed[place % Math.max(sealed.length, 1)];
    if (segment === undefined) return false;
    const outline = this.#outline(segment);
    if (outline === undefined) this.#survey(segment, false);
    else for (const part of outline.parts) this.#rewrite(segment, part);
    this.#flush();
    this.#core.removeSegment(segment);
    this.#log.delete(segment);
    return true;
  }

  /** Every other segment has to be read, outline or not. */
  #outline(segment: number): Outline | undefined {
    return segment % 2 === 1 ? this.#outlines.of(segment) : undefined;
  }

  #rewrite(segment: number, outline: Uint8Array): void {
    const { consumedBytes, places } = this.#core.rewriteOutline(outline, segment);
    assert(consumedBytes === outline.byteLength, "the tail has room");
    for (let i = 0; i < places.length; i += 2) {
      const [position = 0, recordBytes = 0] = places.subarray(i, i + 2);
      const { stop } = this.#core.survey(this.#record({ position, recordBytes }), position, false);
      assert(stop === "more", "the record is where the outline says");
    }
  }

  /** Goes through a sealed segment. @returns its index, if that is what it is for */
  #survey(segment: number, forIndex: boolean): Buffer {
    const { bytes } = this.#log.get(segment) as { bytes: Buffer };
    const start = segment * SEGMENT_BYTES + SEGMENT_HEADER_BYTES;
    const { stop, index } = this.#core.survey(bytes.subarray(SEGMENT_HEADER_BYTES), start, forIndex);
    assert(stop === "sealed", `a small segment is gone through in one piece, to its end, not: ${stop}`);
    return Buffer.from(index);
  }

  #replaySegment(core: Core, segment: number, onQueue: (dropped: boolean, record: Buffer) => void): number {
    const { bytes, endOffset, index } = this.#log.get(segment) as { bytes: Buffer; endOffset: number; index?: Buffer };
    if (index !== undefined) {
      assert(core.replayIndex(index, segment, onQueue), "the core has room");
      return (segment + 1) * SEGMENT_BYTES + SEGMENT_HEADER_BYTES;
    }
    let offset = SEGMENT_HEADER_BYTES;
    while (offset < endOffset) {
      const position = segment * SEGMENT_BYTES + offset;
      const piece = bytes.subarray(offset, Math.min(endOffset, offset + core.inputBytesMax));
      const { consumedBytes, stop } = core.replay(piece, position, onQueue);
      assert(stop === "more" || stop === "sealed", `the log reads to its end, not: ${stop}`);
      assert(consumedBytes > 0, "a record fits the input");
      offset += consumedBytes;
      if (stop === "sealed") return (segment + 1) * SEGMENT_BYTES + SEGMENT_HEADER_BYTES;
    }
    return segment * SEGMENT_BYTES + offset;
  }

  #instant(): number {
    return START_MS + this.nowMs;
  }

  #handle(receipt: string): ReceivedHandle {
    const handle = this.#handles.get(receipt);
    assert(handle !== undefined, `${receipt} was handed out`);
    return handle;
  }

  #tick(): void {
    while (!this.#core.tick(this.#instant())) this.#flush();
    this.#flush();
    while (this.#moves.nextMs <= this.#instant()) {
      this.#moves.run(this.#instant());
      this.#flush();
    }
  }

  /** @returns where the log's end is in its segment, before and after. @param roomBytes how much more may be written before it goes on */
  endBlock(
    blockBytes: number,
    roomBytes = Number.POSITIVE_INFINITY,
  ): { readonly before: number; readonly after: number } {
    const core = this.#core;
    const before = core.headPosition % SEGMENT_BYTES;
    core.setWritableEnd(core.headPosition + roomBytes);
    core.endBlock(blockBytes);
    core.setWritableEnd(Number.POSITIVE_INFINITY);
    const after = core.headPosition % SEGMENT_BYTES;
    this.#flush();
    return { before, after };
  }

  /** Writes what was decided and acknowledges it; that may decide more. */
  #flush(): void {
    let end: number;
    do {
      this.#drain();
      end = this.#core.headPosition;
      for (const { position, bytes } of this.#core.takeExtents()) this.#keep(position, bytes);
      this.#core.commit(end, this.#instant());
      this.#drain();
      this.#outlines.follow();
    } while (this.#core.headPosition !== end);
  }

  #keep(position: number, bytes: Uint8Array): void {
    const segment = Math.floor(position / SEGMENT_BYTES);
    let kept = this.#log.get(segment);
    if (kept === undefined) {
      kept = { bytes: Buffer.alloc(SEGMENT_BYTES), endOffset: SEGMENT_HEADER_BYTES };
      this.#log.set(segment, kept);
    }
    const offset = position % SEGMENT_BYTES;
    assert(offset === kept.endOffset, "the log is written without gaps");
    kept.bytes.set(bytes, offset);
    kept.endOffset += bytes.byteLength;
  }

  /** Where records are that the core has in memory still, and not as they went to the log; of the oldest of them, so many bytes. */
  damagedInMemory(spanBytes = Number.POSITIVE_INFINITY): number[] {
    const damaged: number[] = [];
    const from = Math.max(0, this.#core.headPosition - this.#sizes.tailBytes);
    for (const [segment, { bytes, endOffset }] of this.#log) {
      const start = segment * SEGMENT_BYTES;
      if (start + SEGMENT_BYTES <= from || start >= from + spanBytes) continue;
      for (let offset = SEGMENT_HEADER_BYTES; offset < endOffset; ) {
        const recordBytes = (bytes.readUIntLE(offset + 4, 3) + 7) & ~7;
        const position = start + offset;
        const inMemory = this.#core.recentRecord(position, recordBytes);
        if (inMemory?.equals(bytes.subarray(offset, offset + recordBytes)) === false) damaged.push(position);
        offset += recordBytes;
      }
    }
    return damaged;
  }

  /**
   * The log goes on, with what no message needs, until `marginBytes` before the end of the tail; with a `place`, before it
   * overwrites that one of the messages that are in memory still.
   */
  fillUpTo(place: number, marginBytes: number): void {
    const names = this.#specs.map(({ name }) => name).filter((name) => !this.#queue(name).isGone);
    const rows = names.flatMap((name) =>
      (["visible", "held", "delayed"] as const).flatMap((what) => this.#rows(name, what, 100, MiB).flat()),
    );
    const { headPosition } = this.#core;
    const { tailBytes } = this.#sizes;
    const marks = place === 0 ? [(this.rounds + 1) * tailBytes] : rows.map(({ position }) => position + tailBytes);
    const ahead = marks.map((mark) => mark - marginBytes).filter((position) => position > headPosition);
    const end = ahead.sort((a, b) => a - b)[place % Math.max(ahead.length, 1)] ?? headPosition;
    const queue = this.#queues.find(({ isGone }) => !isGone) as DriverQueue;
    for (
      let leftBytes = end - headPosition;
      leftBytes >= 2 * QUEUE_FIXED_BYTES;
      leftBytes = end - this.#core.headPosition
    ) {
      this.#logQueue(queue, Math.min(leftBytes & ~7, FILLER_BYTES_MAX));
      this.#flush();
    }
  }

  /** How often the tail has gone around. */
  get rounds(): number {
    return Math.floor(this.#core.headPosition / this.#sizes.tailBytes);
  }

  // --- for what else a test asks of the core ---

  /** A receipt that was come by in another way than by a receive. */
  know(receipt: string, handle: ReceivedHandle): void {
    this.#handles.set(receipt, handle);
  }

  get core(): Core {
    return this.#core;
  }
  get instantMs(): number {
    return this.#instant();
  }
  indexOf(queue: string): number {
    return this.#index(queue);
  }
  /** As receipt handles and messages' sources have it: it lasts through a purge. */
  numberOf(queue: string): number {
    return this.#place(queue) + 1;
  }
  nameOf(index: number): string {
    return this.#specs[this.#queues.findIndex((queue) => queue.index === index)]?.name ?? "gone";
  }
  /** What was decided is written and acknowledged. */
  flush(): void {
    this.#flush();
  }
  /** The body of what a place in the log has. */
  bodyAt(place: { readonly position: number; readonly recordBytes: number }): string {
    const known = this.#bodies.get(place.position);
    if (known !== undefined) return known;
    const { body } = readStoredMessage(this.#record(place));
    this.#bodies.set(place.position, body);
    return body;
  }
  /** Puts a record that has left the tail back into the core's memory. */
  load(place: { readonly position: number; readonly recordBytes: number }): void {
    this.#core.load(place.position, this.#record(place));
  }
  /** Told whenever effects have been read. */
  onDrained: () => void = () => {};

  #drain(): void {
    this.onDrained();
    const { effects } = this.#core;
    effects.drain(() => {
      const { token, count } = effects;
      this.#waiters.delete(token);
      const receipts = count < 0 ? "gone" : effects.deliveries().map((delivery) => this.#receipt(delivery));
      this.#answers.set(token, { receipts, atMs: this.nowMs });
    });
  }

  #receipt(delivery: Delivery): string {
    const receipt = `${this.bodyAt(delivery)}${"'".repeat(delivery.reissues)}#${delivery.receiveCount}`;
    const { slot, generation, receiveCount } = delivery;
    this.#handles.set(receipt, { slot, generation, receiveCount });
    return receipt;
  }

  #record({ position, recordBytes }: { readonly position: number; readonly recordBytes: number }): Buffer {
    const offset = position % SEGMENT_BYTES;
    const kept = this.#log.get(Math.floor(position / SEGMENT_BYTES));
    assert(kept !== undefined, "the record was written");
    return kept.bytes.subarray(offset, offset + recordBytes);
  }
}
