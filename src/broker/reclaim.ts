// Gives disk back: a sealed segment gets its index once, and one with little left in it is written again at the tail
// and removed. One step at a time, and none before what it relies on is on disk.
import { assert } from "../base/assert.ts";
import { giveBack, pages } from "../base/pages.ts";
import type { Core } from "../core/core.ts";
import { LogError } from "../log/errors.ts";
import type { Log } from "../log/log.ts";
import { indexPieces } from "../log/segment.ts";
import type { Outlines } from "./outlines.ts";

/** A segment is given up when less than this share of it is live messages. */
const LIVE_SHARE_MIN = 0.5;
/** The core's table of segments holds 65,536; an old one is renewed long before its place is needed again. */
const AGE_MAX = 32_768;
const PIECE_BYTES = 1024 * 1024;
/** What one piece may add to the log: itself, or the states of its rows, four times as long. */
const REWRITTEN_BYTES_MAX = 5 * PIECE_BYTES;
/** A PART that is written again with receives is a SENT record: what that has in front of its content, less what a part has. */
const RECORD_GROWTH_BYTES_MAX = 168 - 32;
/** So few live records are written again at once; for more of them there are better moments than others. */
const FEW_COUNT_MAX = 256;
/**
 * A segment that has more of them, and lost such a share since the round before, is being consumed: to write the rest of it
 * again would be for nothing. By as many rounds it is put off at the most as this share can be lost: some fifty.
 */
const DRAINING_SHARE = 1 / 8;
/** Of a segment's bytes, what is appended from one round to the next by a log that is quiet: at 64 MiB, 1 MiB a second. */
const QUIET_SHARE = 1 / 256;
/**
 * What a log that is not quiet holds of what nobody needs, in segments that have something else: 1 GiB of segments of 64 MiB.
 * What lives for long would else be written again each time that a segment fills with what does not, beside it.
 */
const WAITING_SEGMENTS = 16;
/** So many rounds without a spare, two seconds, tell of a disk that gets full. */
const SPARELESS_ROUNDS_MIN = 8;
/** What lies between two live records is read with them if it is no more: one read is quicker than two. */
const GAP_BYTES_MAX = 16 * 1024;
/** Of reads of live records, with what lies between them. */
const READ_BYTES = 256 * 1024;
/** Written again at a time, or what a piece without entries has: a message that comes meanwhile waits for no more before it. */
const STEP_BYTES = 128 * 1024;

export class Reclaimer {
  readonly #core: Core;
  readonly #log: Log;
  readonly #outlines: Outlines;
  readonly #segmentBytes: number;
  readonly #headerBytes: number;
  readonly #flushed: () => Promise<void>;
  readonly #durablePosition: () => number;
  readonly #indexed: Set<number>;
  /**
   * Segments that may have been written again in part, and the first segment that may have copies of theirs. Whoever
   * deletes a copy deletes it where the copy is: were that given up, or indexed, before the first record is gone, the
   * message would be back at the next start.
   */
  readonly #begun = new Map<number, number>();
  /** Live records of segments that could be given up, in the round before. */
  readonly #liveBefore = new Map<number, number>();
  #round: Promise<void> | undefined; // under way
  readonly #firstOwn: number; // of the segments that were not full when this process began
  #hasRun = false;
  #sparelessRounds = 0; // one after another
  #isShort = false; // of space
  #headBefore: number; // when the round before began
  #rewrittenBytes = 0; // of segments given up since then, as they stood there
  #stepStart = 0; // of the log's head

  constructor(parts: {
    core: Core;
    log: Log;
    outlines: Outlines;
    segmentBytes: number;
    headerBytes: number;
    indexedSegments: readonly number[];
    flushed: () => Promise<void>;
    durablePosition: () => number;
  }) {
    this.#core = parts.core;
    this.#log = parts.log;
    this.#outlines = parts.outlines;
    this.#segmentBytes = parts.segmentBytes;
    this.#headerBytes = parts.headerBytes;
    this.#flushed = parts.flushed;
    this.#durablePosition = parts.durablePosition;
    this.#indexed = new Set(parts.indexedSegments);
    this.#headBefore = parts.core.headPosition;
    this.#firstOwn = Math.floor(this.#headBefore / this.#segmentBytes);
  }

  /**
   * One round: indexes what was sealed, gives up what can be. While one is under way it is that one.
   * @param waits for better moments, with what can wait
   */
  run(waits = true): Promise<void> {
    this.#round ??= this.#oneRound(waits).finally(() => {
      this.#round = undefined;
    });
    return this.#round;
  }

  async #oneRound(waits: boolean): Promise<void> {
    const sealed = this.#log
      .segments()
      .filter((segment) => (segment + 1) * this.#segmentBytes <= this.#durablePosition());
    if (!this.#hasRun) {
      // Of those that it finds, nobody knows how far the process before had come.
      const unsure = sealed.filter((segment) => segment < this.#firstOwn && !this.#isWorthKeeping(segment, sealed));
      for (const segment of unsure) this.#begun.set(segment, segment + 1);
      this.#hasRun = true;
    }
    const isQuiet = this.#isQuiet();
    let hasTime = isQuiet; // for one: then it may have something else to do again
    this.#lookForSpace();
    const waiting: number[] = [];
    for (const segment of sealed) {
      if (this.#mayHaveCopies(segment)) continue;
      await this.#unlessFull(async () => {
        if (this.#isWorthKeeping(segment, sealed)) await this.#indexOnce(segment);
        else if (!waits) await this.#giveUp(segment);
        else if (this.#isDraining(segment)) return;
        else if (this.#isDue(segment)) await this.#giveUp(segment);
        else if (hasTime) {
          hasTime = false;
          await this.#giveUp(segment);
        } else {
          if (!isQuiet) await this.#indexOnce(segment); // it may be there for long, and a start would read all of it
          waiting.push(segment);
        }
      });
    }
    await this.#unlessFull(() => this.#giveUpSome(waiting));
  }

  /** A full disk has no room for an index, or for the manifest without the segment: it is tried again. */
  async #unlessFull(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      if (!(error instanceof LogError && error.code === "noSpace")) throw error;
    }
  }

  /** Whether the disk gets full. At the beginning of each segment there is no spare, too, until it is prepared. */
  #lookForSpace(): void {
    this.#sparelessRounds = this.#log.hasSpare ? 0 : this.#sparelessRounds + 1;
    this.#isShort = this.#log.isFull || this.#sparelessRounds >= SPARELESS_ROUNDS_MIN;
  }

  /** Whether little was appended since the round before, but for what that has written again. */
  #isQuiet(): boolean {
    const { headPosition } = this.#core;
    const appendedBytes = headPosition - this.#headBefore - this.#rewrittenBytes;
    this.#headBefore = headPosition;
    this.#rewrittenBytes = 0;
    return appendedBytes < this.#segmentBytes * QUIET_SHARE;
  }

  /** Whether it is given up however busy the log is: there is little to do, or it is begun, or the disk gets full. */
  #isDue(segment: number): boolean {
    return this.#core.liveCount(segment) <= FEW_COUNT_MAX || this.#begun.has(segment) || this.#isShort;
  }

  /** Of segments that wait for a log that is quiet: as many as are too many, those with the least that lives first. */
  async #giveUpSome(waiting: number[]): Promise<void> {
    waiting.sort((a, b) => this.#core.liveBytes(b) - this.#core.liveBytes(a));
    const unneeded = (segment: number): number => this.#segmentBytes - this.#core.liveBytes(segment);
    let heldBytes = waiting.reduce((sum, segment) => sum + unneeded(segment), 0);
    while (heldBytes > WAITING_SEGMENTS * this.#segmentBytes) {
      const segment = waiting.pop();
      if (segment === undefined) return;
      heldBytes -= unneeded(segment);
      if (!this.#mayHaveCopies(segment)) await this.#giveUp(segment);
    }
  }

  #isWorthKeeping(segment: number, sealed: readonly number[]): boolean {
    const newest = sealed[sealed.length - 1] ?? segment;
    return newest - segment < AGE_MAX && this.#core.liveBytes(segment) >= this.#segmentBytes * LIVE_SHARE_MIN;
  }

  /** Whether it is worth waiting for what is left of it to go. It is not where the disk gets full. */
  #isDraining(segment: number): boolean {
    const count = this.#core.liveCount(segment);
    const before = this.#liveBefore.get(segment) ?? Number.POSITIVE_INFINITY;
    this.#liveBefore.set(segment, count);
    return !this.#isShort && count > FEW_COUNT_MAX && count <= before * (1 - DRAINING_SHARE);
  }

  async #indexOnce(segment: number): Promise<void> {
    if (this.#indexed.has(segment)) return;
    const outline = this.#outlines.of(segment);
    const outlineBytes = outline?.parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
    const index = new Gathered(outlineBytes ?? PIECE_BYTES);
    try {
      if (outline === undefined) await this.#survey(segment, true, (entries) => index.add(entries));
      else if (this.#core.liveCount(segment) === outline.liveCount) {
        // All that it tells of is still needed: it is the index, and nobody looks at its messages one by one.
        for (const part of outline.parts) index.add(part);
      } else {
        for (const part of outline.parts) {
          index.add(this.#core.indexOutline(part, segment));
          await new Promise((others) => setImmediate(others)); // a part takes a millisecond or two
        }
      }
      await this.#flushed(); // what the index leaves out is gone for good only now
      await this.#log.writeIndex(segment, index.bytes);
    } finally {
      index.giveBack();
    }
    this.#indexed.add(segment);
    this.#outlines.release(segment);
  }

  #mayHaveCopies(segment: number): boolean {
    for (const copiesFrom of this.#begun.values()) if (copiesFrom <= segment) return true;
    return false;
  }

  async #giveUp(segment: number): Promise<void> {
    const grownBytes = RECORD_GROWTH_BYTES_MAX * this.#core.liveCount(segment);
    const room = this.#core.liveBytes(segment) + grownBytes + this.#needed;
    if (!this.#log.hasSpare && this.#core.segmentRoomBytes < room) return; // no space to begin
    if (!this.#begun.has(segment)) this.#begun.set(segment, Math.floor(this.#core.headPosition / this.#segmentBytes));
    this.#rewrittenBytes += this.#core.liveBytes(segment);
    const entries = await this.#entriesOf(segment);
    const isDone = entries === undefined ? this.#survey(segment, false, () => {}) : this.#rewrite(segment, entries);
    if (!(await isDone)) return; // no space to do it now
    await this.#flushed();
    this.#outlines.release(segment);
    // As long as it is there, so must be what tells of the end of its messages: a disk may have no room for it to go.
    await this.#log.remove(segment);
    this.#core.removeSegment(segment);
    this.#indexed.delete(segment);
    this.#begun.delete(segment);
    this.#liveBefore.delete(segment);
  }

  /** Those of its outline; or of its index, in which there is as little of what nobody needs. */
  async #entriesOf(segment: number): Promise<readonly Uint8Array[] | undefined> {
    const outline = this.#outlines.of(segment);
    if (outline !== undefined) return outline.parts;
    const index = this.#indexed.has(segment) ? await this.#log.readIndex(segment) : undefined;
    return index && indexPieces(index);
  }

  /** What is needed of a segment again at the tail, by its entries. @returns false when there is no space to do it now */
  async #rewrite(segment: number, entries: readonly Uint8Array[]): Promise<boolean> {
    for (const part of entries) {
      for (let rest = part; rest.byteLength > 0; ) {
        if (!this.#hasRoom) return false;
        const { consumedBytes, isTailFull, places } = this.#core.rewriteOutline(rest, segment);
        if (!(await this.#rewritePlaces(places))) return false;
        if (this.#isStepDone) await this.#endStep();
        if (isTailFull && !(await this.#afterFull(consumedBytes > 0))) return false;
        rest = rest.subarray(consumedBytes);
      }
    }
    return true;
  }

  /** Live records again at the tail. @returns as #rewrite */
  async #rewritePlaces(places: Float64Array): Promise<boolean> {
    const positionOf = (i: number): number => places[i] ?? Number.POSITIVE_INFINITY;
    const endOf = (i: number): number => positionOf(i) + (places[i + 1] ?? 0);
    for (let i = 0; i < places.length; ) {
      const start = positionOf(i);
      let next = i + 2;
      while (positionOf(next) - endOf(next - 2) <= GAP_BYTES_MAX && endOf(next) - start <= READ_BYTES) next += 2;
      if (!this.#hasRoom) return false;
      const bytes = await this.#log.read(start, endOf(next - 2) - start);
      for (; i < next; i += 2) {
        let rest = bytes.subarray(positionOf(i) - start, endOf(i) - start);
        while (rest.byteLength > 0) {
          const { consumedBytes, stop } = this.#core.survey(rest, endOf(i) - rest.byteLength, false);
          rest = rest.subarray(consumedBytes);
          if (stop === "tailFull" && !(await this.#afterFull(consumedBytes > 0))) return false;
          assert(
            stop !== "invalid" && (stop !== "more" || rest.byteLength === 0),
            "a live record is where its entry says",
          );
          if (this.#isStepDone) await this.#endStep();
        }
      }
    }
    return true;
  }

  /** Whether so much was written, by whomever, that what comes next waits for it. */
  get #isStepDone(): boolean {
    return this.#core.headPosition - this.#stepStart >= STEP_BYTES;
  }

  async #endStep(): Promise<void> {
    await this.#flushed();
    this.#stepStart = this.#core.headPosition;
  }

  /** Whether there is the room to write something again. */
  get #hasRoom(): boolean {
    return this.#log.hasSpare || this.#core.segmentRoomBytes >= this.#needed;
  }

  /** @returns false when nothing is on its way to disk that would make room in the tail: it is the next segment that lacks */
  async #afterFull(hasWritten: boolean): Promise<boolean> {
    if (!hasWritten && this.#core.headPosition === this.#durablePosition()) return false;
    await this.#flushed();
    return true;
  }

  /** What is left to deletes and receives, whatever else wants to be written. */
  get #needed(): number {
    return Math.min(REWRITTEN_BYTES_MAX, this.#segmentBytes / 16);
  }

  async #survey(segment: number, forIndex: boolean, onIndex: (index: Uint8Array) => void): Promise<boolean> {
    const start = segment * this.#segmentBytes;
    let offset = this.#headerBytes;
    let pieceBytes = PIECE_BYTES;
    while (offset < this.#segmentBytes) {
      if (!forIndex && !this.#hasRoom) return false;
      const size = Math.min(pieceBytes, this.#segmentBytes - offset);
      const bytes = await this.#log.read(start + offset, size);
      const { consumedBytes, stop, index } = this.#core.survey(bytes, start + offset, forIndex);
      if (index.byteLength > 0) onIndex(index);
      offset += consumedBytes;
      if (stop === "sealed") return true;
      if (stop === "invalid") {
        throw new Error(
          `Cannot read segment ${segment} again: at offset ${offset} there is no valid record, where one was written before`,
        );
      }
      if (stop === "tailFull" && !(await this.#afterFull(consumedBytes > 0))) return false;
      if (!forIndex && this.#isStepDone) await this.#endStep();
      // A record longer than the piece: more of it at a time, up to all that the core takes.
      pieceBytes = consumedBytes === 0 && stop === "more" ? this.#core.inputBytesMax & ~7 : PIECE_BYTES;
    }
    return true;
  }
}

/** Bytes that come in pieces, in one buffer. */
class Gathered {
  #all: Uint8Array;
  #sizeBytes = 0;

  constructor(expectedBytes: number) {
    this.#all = new Uint8Array(pages(expectedBytes));
  }

  add(piece: Uint8Array): void {
    const neededBytes = this.#sizeBytes + piece.byteLength;
    if (neededBytes > this.#all.byteLength) {
      const all = new Uint8Array(pages(2 * neededBytes));
      all.set(this.bytes);
      giveBack(this.#all.buffer);
      this.#all = all;
    }
    this.#all.set(piece, this.#sizeBytes);
    this.#sizeBytes = neededBytes;
  }

  /** A view: not after giveBack(). */
  get bytes(): Uint8Array {
    return this.#all.subarray(0, this.#sizeBytes);
  }

  giveBack(): void {
    giveBack(this.#all.buffer);
  }
}
