// The only door to core.wasm. No pointer leaves this file: commands go in as values and bytes, answers come out as
// values, or as bytes that are valid until the next call.

import { assert } from "../base/assert.ts";
import { CoreMemory } from "./core-memory.ts";
import { Effects } from "./effects.ts";
import type { CoreExports } from "./exports.ts";
import { Peeks } from "./peeks.ts";
import { type RequestHost, Requests } from "./requests.ts";
import { uuidText } from "./stored-message.ts";
import { CoreStreams } from "./streams.ts";

const SEND_ENTRY_BYTES = 96;
const SEND_RESULT_BYTES = 48;
const ROW_BYTES = 24;
const NOTICE_BYTES = 16;
const QUEUE_DELAY = 0xffff_ffff;
/** Above this many bytes the host's digests are quicker than the core's, the crossing included. */
export const CORE_DIGEST_BYTES_MAX = 256;

export const QUEUE_FLAG = { fifo: 1, scopeGroup: 4, contentBased: 16 } as const;
export const RECORD_KIND = { queue: 6, queueDropped: 7 } as const;

const RESTORE = { more: 0, done: 1 } as const;
/** Messages of one step: few, so that the first steps are over soon and the others run optimized code. */
const RESTORE_COUNT = 8_192;

/** What an answer to a receive may be instead of messages or a wait. */
export const RECEIVE = {
  none: 0xffff_fffe,
  overLimit: 0xffff_fffd,
  noMemory: 0xffff_fffc,
  busy: 0xffff_fffb,
  notRetryable: 0xffff_fffa,
} as const;
export const SEND = { ok: 0, busy: 1, full: 2 } as const;
/** What nextSource may answer instead of a queue's number, and what move may be given for one. */
export const SOURCE = { nothing: 0xffff_ffff, later: 0xffff_fffe, any: 0xffff_fffd, none: 0 } as const;
/** Codes of delete and changeVisibility, by their number. */
export const SETTLED = ["ok", "expired", "gone", "beyondMaximum"] as const;
export type SettledCode = (typeof SETTLED)[number];

export interface CoreSizes {
  readonly budgetBytes: number; // of all its memory
  readonly tailBytes: number;
  readonly cacheBytes: number;
  readonly segmentBytes: number;
  readonly segmentHeaderBytes: number;
}

export interface QueueRules {
  readonly flags: number;
  readonly delayMs: number;
  readonly retentionMs: number;
  readonly receiveMax: number; // 0: no dead letters
  readonly deadLetters: number; // index of the dead-letter queue, 0: none
  readonly sourceNumber: number;
  readonly inFlightMax: number;
  readonly messageBytesMax: number;
}

export interface QuietGroups {
  readonly noisyGroupCount: number;
  readonly visible: number;
  readonly inFlight: number;
  readonly delayed: number;
  readonly sentMs: number;
}

export interface ReceivedHandle {
  readonly slot: number;
  readonly generation: number;
  readonly receiveCount: number;
}

export class Core {
  readonly #wasm: CoreExports;
  readonly #input: number;
  readonly #output: number;
  readonly #views: CoreMemory;
  /** What has been decided for those who receive. */
  readonly effects: Effects;
  /** Looks that change nothing. */
  readonly peeks: Peeks;
  #hasRequests = false;
  #sendOffset = 0;
  #sendCount = 0;

  private constructor(wasm: CoreExports) {
    this.#wasm = wasm;
    this.#input = wasm.inputStart();
    this.#output = wasm.outputStart();
    this.#views = new CoreMemory(wasm);
    this.effects = new Effects(wasm, this.#views);
    this.peeks = new Peeks(wasm, this.#views);
  }

  static load(module: WebAssembly.Module, sizes: CoreSizes): Core {
    assert(WebAssembly.Module.imports(module).length === 0, "the core imports nothing");
    // Its exports have no types of their own; exports.ts states them, and the tests call every one.
    const wasm = new WebAssembly.Instance(module, {}).exports as unknown as CoreExports;
    const { budgetBytes, tailBytes, cacheBytes, segmentBytes, segmentHeaderBytes } = sizes;
    const opened = wasm.open(budgetBytes, tailBytes, cacheBytes, segmentBytes, segmentHeaderBytes);
    assert(opened === 1, "the core's memory budget holds its fixed regions");
    return new Core(wasm);
  }

  #memory(): Buffer {
    return this.#views.bytes;
  }

  /** Whole requests, read and answered in here; to be asked for once, as what is parsed is kept in one place. */
  requests(host: RequestHost): Requests {
    assert(!this.#hasRequests, "one at a time reads requests");
    this.#hasRequests = true;
    return new Requests(this.#wasm, this.#views, host);
  }

  /** The core's streams: subscriptions and publishers. */
  streams(): CoreStreams {
    return new CoreStreams(this.#wasm, this.#views);
  }

  get inputBytesMax(): number {
    return this.#wasm.inputBytes();
  }
  get usedBytes(): number {
    return this.#wasm.usedBytes();
  }
  get headPosition(): number {
    return this.#wasm.headPosition();
  }
  /** Of what takeExtents() would return; false where it is nothing but receives that went out without waiting. */
  get isAwaited(): boolean {
    return this.#wasm.isAwaited() !== 0;
  }
  get segmentRoomBytes(): number {
    return this.#wasm.segmentRoom();
  }
  get liveMessages(): number {
    return this.#wasm.liveMessages() >>> 0;
  }

  // --- send ---

  /** Makes ready what the next sends are likely to need, for a moment at which nobody waits. */
  prepare(): void {
    this.#wasm.prepare();
  }
  /** Whether there is memory for another batch of messages. */
  get hasSendMemory(): boolean {
    return this.#wasm.hasSendMemory() !== 0;
  }

  beginSend(): void {
    this.#sendOffset = 0;
    this.#sendCount = 0;
  }

  /**
   * Adds a message to the batch. The edge has bounded its parts; `delayMs` undefined is the queue's. `messageIds` gives
   * 16 random bytes at `messageIdOffset`. `digest` is asked only for large bodies.
   */
  addMessage(
    body: string,
    attributes: Uint8Array | undefined,
    groupId: string | undefined,
    deduplicationId: string | undefined,
    senderId: string,
    traceHeader: string | undefined,
    delayMs: number | undefined,
    messageIds: Uint8Array,
    messageIdOffset: number,
    digest: (algorithm: "md5" | "sha256", bytes: Uint8Array) => Uint8Array,
    needsSha256: boolean,
  ): void {
    const bytes = this.#memory();
    const entry = this.#input + this.#sendOffset;
    let at = entry + SEND_ENTRY_BYTES;
    const groupBytes = groupId === undefined ? 0 : bytes.write(groupId, at, "latin1");
    at += groupBytes;
    const deduplicationBytes = deduplicationId === undefined ? 0 : bytes.write(deduplicationId, at, "latin1");
    at += deduplicationBytes;
    const senderBytes = bytes.write(senderId, at, "utf8");
    at += senderBytes;
    const traceBytes = traceHeader === undefined ? 0 : bytes.write(traceHeader, at, "utf8");
    at += traceBytes;
    if (attributes !== undefined) bytes.set(attributes, at);
    const attributesBytes = attributes === undefined ? 0 : attributes.byteLength;
    at += attributesBytes;
    const bodyBytes = bytes.write(body, at, "utf8");
    let flags = 0;
    if (bodyBytes > CORE_DIGEST_BYTES_MAX) {
      const view = bytes.subarray(at, at + bodyBytes);
      bytes.set(digest("md5", view), entry + 48);
      flags = 1;
      if (needsSha256) {
        bytes.set(digest("sha256", view), entry + 64);
        flags = 3;
      }
    }
    at += bodyBytes;
    const entryBytes = (at - entry + 7) & ~7;
    const word = entry >> 2;
    const words = this.#views.words;
    words[word] = entryBytes;
    words[word + 1] = delayMs === undefined ? QUEUE_DELAY : delayMs;
    words[word + 2] = flags;
    words[word + 3] = bodyBytes;
    words[word + 4] = attributesBytes;
    words[word + 5] = groupBytes | (deduplicationBytes << 16);
    words[word + 6] = senderBytes | (traceBytes << 16);
    words[word + 7] = 0;
    for (let i = 0; i < 16; i++) bytes[entry + 32 + i] = messageIds[messageIdOffset + i] as number;
    this.#sendOffset += entryBytes;
    this.#sendCount++;
  }

  /** @returns one of SEND; on anything but ok the batch stays and may be sent again. */
  /** What is sent from here on has room for a seal: SEAL_BYTES and the wrapped data key's. Key 0: it has none. */
  setSeal(wrappedBytes: number, key: number): void {
    this.#wasm.setSeal(wrappedBytes, key);
  }
  send(queue: number, nowMs: number): number {
    return this.#wasm.send(queue, this.#sendCount, this.#sendOffset, nowMs);
  }

  sentDuplicate(i: number): boolean {
    return this.#memory().readUInt32LE(this.#output + i * SEND_RESULT_BYTES) !== 0;
  }
  sentSequence(i: number): number {
    return this.#memory().readDoubleLE(this.#output + i * SEND_RESULT_BYTES + 8);
  }
  sentMessageId(i: number): string {
    return uuidText(this.#memory(), this.#output + i * SEND_RESULT_BYTES + 16);
  }
  sentBodyMd5(i: number): string {
    const at = this.#output + i * SEND_RESULT_BYTES + 32;
    return this.#memory().toString("hex", at, at + 16);
  }

  // --- receive and settle ---

  /**
   * A receive; with an attempt ID, on a FIFO queue, one that a retry with the same ID may repeat.
   * @returns 0: an effect has the messages; one of RECEIVE; else the number of a waiter, for cancel.
   */
  receive(
    queue: number,
    countMax: number,
    visibilityMs: number,
    waitMs: number,
    token: number,
    attemptId: string | undefined,
    nowMs: number,
  ): number {
    const attemptBytes = attemptId === undefined ? 0 : this.#memory().write(attemptId, this.#input, "latin1");
    return this.#wasm.receive(queue, countMax, visibilityMs, waitMs, token, attemptBytes, nowMs) >>> 0;
  }

  cancel(waiter: number, token: number): void {
    this.#wasm.cancel(waiter, token);
  }

  #rows(handles: readonly ReceivedHandle[], visibilityMs: readonly number[] | undefined): void {
    this.#memory();
    let word = this.#input >> 2;
    handles.forEach((handle, i) => {
      this.#views.words[word] = handle.slot;
      this.#views.words[word + 1] = handle.generation;
      this.#views.words[word + 2] = handle.receiveCount;
      this.#views.words[word + 3] = visibilityMs?.[i] ?? 0;
      word += ROW_BYTES >> 2;
    });
  }

  #settled(count: number): SettledCode[] {
    this.#memory();
    const word = this.#output >> 2;
    const codes: SettledCode[] = [];
    for (let i = 0; i < count; i++) codes.push(SETTLED[this.#views.words[word + i] as number] as SettledCode);
    return codes;
  }

  /** @returns undefined when the tail is full: again after a commit */
  delete(queue: number, handles: readonly ReceivedHandle[], nowMs: number): SettledCode[] | undefined {
    this.#rows(handles, undefined);
    return this.#wasm.remove(queue, handles.length, nowMs) === 0 ? undefined : this.#settled(handles.length);
  }

  /** @returns undefined when the tail is full: again after a commit */
  changeVisibility(
    queue: number,
    handles: readonly ReceivedHandle[],
    visibilityMs: readonly number[],
    nowMs: number,
  ): SettledCode[] | undefined {
    this.#rows(handles, visibilityMs);
    return this.#wasm.changeVisibility(queue, handles.length, nowMs) === 0 ? undefined : this.#settled(handles.length);
  }

  /**
   * What a receive was handed never came to anybody: it is in the queue again, and the receive does not count.
   * @param attemptId of the receive
   * @returns false when the tail is full: again after a commit
   */
  giveBack(queue: number, handles: readonly ReceivedHandle[], attemptId: string | undefined, nowMs: number): boolean {
    this.#rows(handles, undefined);
    const behindRows = this.#input + handles.length * ROW_BYTES;
    const attemptBytes = attemptId === undefined ? 0 : this.#memory().write(attemptId, behindRows, "latin1");
    return this.#wasm.giveBack(queue, handles.length, attemptBytes, nowMs) !== 0;
  }

  // --- move tasks ---

  /** The queue that the next message to move was redriven from, by its lasting number; or one of SOURCE. */
  nextSource(index: number, nowMs: number): number {
    return this.#wasm.nextSource(index, nowMs) >>> 0;
  }
  /**
   * Moves visible messages, at most `countMax`, up to the first that was not redriven from `source` (or SOURCE.any).
   * @returns how many; fewer also when there was no room for more
   */
  move(from: number, to: number, source: number, countMax: number, nowMs: number): number {
    return this.#wasm.move(from, to, source, countMax, nowMs) >>> 0;
  }
  /** After a replay: messages that tasks moved away from the queue since its settings were last logged. */
  movedCount(index: number): number {
    return this.#wasm.queueMoved(index) >>> 0;
  }

  // --- queues ---

  /** @returns the queue's index, 0 when memory is used up */
  openQueue(number: number): number {
    return this.#wasm.queueOpen(number);
  }
  setQueue(index: number, rules: QueueRules): void {
    this.#wasm.queueSet(
      index,
      rules.flags,
      rules.delayMs,
      rules.retentionMs,
      rules.receiveMax,
      rules.deadLetters,
      rules.sourceNumber,
      rules.inFlightMax,
      rules.messageBytesMax,
    );
  }
  /** @returns false when the tail is full: again after a commit */
  logQueue(index: number, payload: Uint8Array): boolean {
    assert(payload.byteLength <= this.inputBytesMax, "a queue's settings fit the input region");
    this.#memory().set(payload, this.#input);
    return this.#wasm.queueLog(index, payload.byteLength) !== 0;
  }
  /** @returns false when the tail is full: again after a commit */
  dropQueue(index: number): boolean {
    return this.#wasm.queueDrop(index) !== 0;
  }
  /** Answers those who wait at the queue; @returns false: drain effects and call again */
  dismissWaiters(index: number, gone: boolean): boolean {
    return this.#wasm.queueDismiss(index, gone ? 1 : 0) !== 0;
  }
  visibleCount(index: number): number {
    return this.#wasm.queueVisible(index) >>> 0;
  }
  inFlightCount(index: number): number {
    return this.#wasm.queueInFlight(index) >>> 0;
  }
  delayedCount(index: number): number {
    return this.#wasm.queueDelayed(index) >>> 0;
  }
  /** The queue without its noisy message groups; `sentMs` is of the visible message that is next, 0: there is none. */
  quietGroups(index: number): QuietGroups {
    return {
      noisyGroupCount: this.#wasm.queueNoisyGroups(index) >>> 0,
      visible: this.#wasm.queueQuietVisible(index) >>> 0,
      inFlight: this.#wasm.queueQuietInFlight(index) >>> 0,
      delayed: this.#wasm.queueQuietDelayed(index) >>> 0,
      sentMs: this.#wasm.queueQuietSentMs(index),
    };
  }

  // --- time ---

  /** @returns false when there is more to do: drain effects and call again soon */
  tick(nowMs: number): boolean {
    return this.#wasm.tick(nowMs) !== 0;
  }
  get nextTickMs(): number {
    return this.#wasm.nextTickMs();
  }

  // --- the log ---

  /** What has been written to the tail and not been taken, as views of the core's memory. */
  takeExtents(): { position: number; bytes: Uint8Array }[] {
    const extents: { position: number; bytes: Uint8Array }[] = [];
    for (;;) {
      const size = this.#wasm.takeExtent() >>> 0;
      if (size === 0) return extents;
      const address = this.#wasm.extentAddress() >>> 0;
      extents.push({ position: this.#wasm.extentStart(), bytes: this.#memory().subarray(address, address + size) });
    }
  }
  /** Everything before `position` is on disk. @returns false when there is more to hand out: drain and tick */
  commit(position: number, nowMs: number): boolean {
    return this.#wasm.commit(position, nowMs) !== 0;
  }
  /** Nothing is written beyond `position` until this says otherwise; +Infinity: no bound. */
  setWritableEnd(position: number): void {
    this.#wasm.setWritableEnd(position);
  }
  hasRoom(bytes: number): boolean {
    return this.#wasm.hasRoom(bytes) !== 0;
  }
  mark(): void {
    this.#wasm.mark();
  }
  /** Writes at most so many bytes of nothing, if there is room for as many. @returns false when the segment is full */
  fill(bytesMax: number): boolean {
    return this.#wasm.fill(bytesMax) !== 0;
  }
  /** Writes nothing to the end of the block that the log ends in, if there is room: what comes next begins in one of its own. */
  endBlock(blockBytes: number): void {
    this.#wasm.endBlock(blockBytes);
  }
  liveCount(segment: number): number {
    return this.#wasm.segmentLiveCount(segment) >>> 0;
  }
  liveBytes(segment: number): number {
    return this.#wasm.segmentLiveBytes(segment);
  }
  addSegment(segment: number): void {
    this.#wasm.addSegment(segment);
  }
  removeSegment(segment: number): void {
    this.#wasm.removeSegment(segment);
  }

  // --- records in memory, and those that must be read back first ---

  /** Whether the record is in memory; if it was read back it has been checked. */
  hasRecord(position: number, recordBytes: number): boolean {
    return this.#wasm.findRecord(position, recordBytes) !== 0;
  }
  /** A view of a record; undefined when it must be loaded, or what was loaded is damaged. */
  record(position: number, recordBytes: number): Buffer | undefined {
    const address = this.#wasm.findRecord(position, recordBytes) >>> 0;
    return address === 0 ? undefined : this.#memory().subarray(address, address + recordBytes);
  }
  /** A view of a record in the tail, be it sealed or not. */
  recentRecord(position: number, recordBytes: number): Buffer | undefined {
    const address = this.#wasm.findRecent(position) >>> 0;
    return address === 0 ? undefined : this.#memory().subarray(address, address + recordBytes);
  }
  /** How many bytes to read from `position` on; `recordBytes` 0 when it is not known what is there. */
  planLoad(position: number, recordBytes: number): number {
    return this.#wasm.planLoad(position, recordBytes) >>> 0;
  }
  /** Takes what was read of one segment from `position`, where a record begins. It makes room for it by forgetting. */
  load(position: number, bytes: Uint8Array): void {
    const address = this.#wasm.takeLoad(bytes.byteLength) >>> 0;
    this.#memory().set(bytes, address);
    this.#wasm.addLoad(position, bytes.byteLength);
  }
  /** Where it would help to read now; 0: nowhere (any more). */
  takeAhead(): number {
    return this.#wasm.takeAhead();
  }

  // --- replay ---

  beginReplay(nowMs: number): void {
    this.#wasm.replayBegin(nowMs);
  }

  /** What the checksums of the segment's records begin with, 0: nothing; and of later segments, unless told otherwise. */
  setSeed(segment: number, seed: number): void {
    this.#wasm.setSeed(segment, seed);
  }
  /** What the checksums of the segment's records begin with. */
  seedOf(segment: number): number {
    return this.#wasm.seedOf(segment) >>> 0;
  }

  #put(bytes: Uint8Array): void {
    assert(bytes.byteLength <= this.inputBytesMax, "a piece of the log fits the input region");
    this.#memory().set(bytes, this.#input);
  }

  #notices(each: (dropped: boolean, record: Buffer) => void): void {
    const count = this.#wasm.replayNotices();
    const bytes = this.#memory();
    for (let i = 0; i < count; i++) {
      const at = this.#output + i * NOTICE_BYTES;
      const start = this.#input + bytes.readUInt32LE(at + 4);
      each(
        bytes.readUInt32LE(at) === RECORD_KIND.queueDropped,
        bytes.subarray(start, start + bytes.readUInt32LE(at + 8)),
      );
    }
  }

  /** Applies records; `onQueue` is told of each queue's settings (40 bytes in, the payload) or end, in order. */
  replay(
    bytes: Uint8Array,
    position: number,
    onQueue: (dropped: boolean, record: Buffer) => void,
  ): { consumedBytes: number; stop: "more" | "sealed" | "end" | "invalid" | "noMemory" } {
    this.#put(bytes);
    const stop = (["more", "sealed", "end", "invalid", "noMemory"] as const)[
      this.#wasm.replay(bytes.byteLength, position)
    ];
    assert(stop !== undefined, "replay ends in a known way");
    const consumedBytes = this.#wasm.replayConsumed();
    this.#notices(onQueue);
    return { consumedBytes, stop };
  }
  replayIndex(bytes: Uint8Array, segment: number, onQueue: (dropped: boolean, record: Buffer) => void): boolean {
    this.#put(bytes);
    const stop = this.#wasm.replayIndex(bytes.byteLength, segment);
    this.#notices(onQueue);
    return stop === 0;
  }
  findLater(bytes: Uint8Array, position: number): number {
    this.#put(bytes);
    return this.#wasm.replayFindLater(bytes.byteLength, position);
  }
  get replayLatestMs(): number {
    return this.#wasm.replayLatestMs();
  }
  /** The highest queue number any record names: numbers after it are free. */
  get highestQueueNumber(): number {
    return this.#wasm.replayHighestQueue() >>> 0;
  }
  /** @returns false when memory is used up */
  finishReplay(nowMs: number, endPosition: number): boolean {
    this.#wasm.replayFinish(nowMs, endPosition);
    let code: number = RESTORE.more;
    while (code === RESTORE.more) code = this.#wasm.restoreStep(RESTORE_COUNT);
    return code === RESTORE.done;
  }

  /** Goes through a sealed segment's records: into index entries, or what is needed of them again at the tail. */
  survey(
    bytes: Uint8Array,
    position: number,
    forIndex: boolean,
  ): { consumedBytes: number; stop: "more" | "sealed" | "invalid" | "tailFull"; index: Uint8Array } {
    this.#put(bytes);
    const stop = (["more", "sealed", "invalid", "tailFull"] as const)[
      this.#wasm.survey(bytes.byteLength, position, forIndex ? 1 : 0)
    ];
    assert(stop !== undefined, "a survey ends in a known way");
    return { consumedBytes: this.#wasm.surveyConsumed(), stop, index: this.#surveyed() };
  }

  #surveyed(): Uint8Array {
    return this.#memory().subarray(this.#output, this.#output + this.#wasm.surveyIndexBytes());
  }

  /**
   * Index entries of records that are on disk and still in the tail, from `position` to `end`, some at a time: a view, as
   * all index entries that come from here. `liveCount`: how many of them count as live records, or did a while ago.
   * "gone": one has left the tail, and the segment must be surveyed some day
   */
  outline(
    position: number,
    end: number,
    bytesMax: number,
  ): {
    consumedBytes: number;
    stop: "more" | "sealed" | "gone";
    entries: Uint8Array;
    liveCount: number;
    queueBytes: number;
  } {
    const stop = (["more", "sealed", "gone"] as const)[this.#wasm.outlineRecent(position, end, bytesMax)];
    assert(stop !== undefined, "an outline ends in a known way");
    const queueBytes = this.#wasm.outlineQueueBytes();
    const liveCount = this.#wasm.outlineLiveCount();
    return { consumedBytes: this.#wasm.outlineConsumed(), stop, entries: this.#surveyed(), liveCount, queueBytes };
  }

  /** What is still needed of a segment's outline, for its index. */
  indexOutline(entries: Uint8Array, segment: number): Uint8Array {
    this.#put(entries);
    this.#wasm.outlineUse(entries.byteLength, segment, 1);
    return this.#surveyed();
  }

  /**
   * The same again at the tail, but for messages: their records are to be surveyed, at `places`, a position and bytes each, in
   * order. It goes on behind what was consumed, until nothing is left.
   */
  rewriteOutline(
    entries: Uint8Array,
    segment: number,
  ): { consumedBytes: number; isTailFull: boolean; places: Float64Array } {
    this.#put(entries);
    const isTailFull = this.#wasm.outlineUse(entries.byteLength, segment, 0) !== 0;
    const consumedBytes = this.#wasm.outlineConsumed();
    assert(isTailFull || consumedBytes > 0, "an outline's next entry has places for all of its messages");
    const { buffer } = this.#memory();
    const places = new Float64Array(buffer, this.#output, 2 * this.#wasm.outlinePlaces()).slice();
    return { consumedBytes, isTailFull, places };
  }

  // --- hashes, for tests and for measuring ---
  md5(bytes: Uint8Array): string {
    this.#put(bytes);
    this.#wasm.md5Of(bytes.byteLength);
    return this.#memory().toString("hex", this.#output, this.#output + 16);
  }
  /** Of two to four texts at once. */
  md5s(texts: readonly Uint8Array[]): string[] {
    this.#put(Buffer.concat(texts));
    for (const [i, { byteLength }] of texts.entries()) this.#memory().writeUInt32LE(byteLength, this.#output + 4 * i);
    this.#wasm.md5sOf(texts.length);
    const start = this.#output + 16;
    return texts.map((_, i) => this.#memory().toString("hex", start + 16 * i, start + 16 * i + 16));
  }
  sha256(bytes: Uint8Array): string {
    this.#put(bytes);
    this.#wasm.sha256Of(bytes.byteLength);
    return this.#memory().toString("hex", this.#output, this.#output + 32);
  }
  crc32c(bytes: Uint8Array): number {
    this.#put(bytes);
    return this.#wasm.crc32cOf(bytes.byteLength) >>> 0;
  }
  /** @param bytes a multiple of 8 of them */
  xxh64(bytes: Uint8Array, seed: bigint): bigint {
    this.#put(bytes);
    return BigInt.asUintN(64, this.#wasm.xxh64Of(bytes.byteLength, seed));
  }
  /** @param bytes a multiple of 8 of them */
  nh(bytes: Uint8Array, seed: bigint): bigint {
    this.#put(bytes);
    return BigInt.asUintN(64, this.#wasm.nhOf(bytes.byteLength, seed));
  }
}
