// Follows the log through the core's tail, at a distance, and makes an outline of each segment: its index entries, before it
// leaves memory. So an index, or giving a segment up, costs no reading of what has just been written.
//
//   … ├── outlined ──┤ ◄─ lag: most of it is deleted by then, and needs no entry ─► head
//
// What cannot be followed (a log that was there at the start, or more on its way to disk than the tail has room for) has
// no outline, and its segment is read. Neither has a segment with many records of queues: their entries are as long as
// they are, and would be held in memory until the segment is full, all of it once more.
import { giveBack, pages } from "../base/pages.ts";
import type { Core } from "../core/core.ts";

const PIECE_BYTES = 1024 * 1024;
/** Pieces that nobody uses, kept for the next segments: memory that is new is slow when it is written to first. */
const SPARE_PIECES_MAX = 2;
/** Farther back, what is read once more has left the processor's caches. */
const LAG_BYTES = 4 * 1024 * 1024;
/** Of segments that nobody has come to use: beyond it the oldest are forgotten. */
const KEPT_MAX = 32;
/** Of a segment, records of queues in its outline: 1 MiB, some 5,000. */
const QUEUE_SHARE_MAX = 1 / 64;

/** Of a segment: in parts of whole entries, and how many of them were live records when it was made, at most. */
export interface Outline {
  readonly parts: readonly Uint8Array[];
  readonly liveCount: number;
}

export class Outlines {
  readonly #core: Core;
  readonly #segmentBytes: number;
  readonly #headerBytes: number;
  readonly #lagBytes: number;
  readonly #complete = new Map<number, Outline>(); // by segment, in order
  #position: number; // that comes next
  #pieces: Uint8Array[] = []; // of its segment
  readonly #spare: ArrayBuffer[] = []; // of PIECE_BYTES each
  #liveCount = 0; // among them
  #queueBytes = 0;

  /** @param endPosition where the log goes on */
  constructor(parts: {
    core: Core;
    segmentBytes: number;
    headerBytes: number;
    tailBytes: number;
    endPosition: number;
  }) {
    this.#core = parts.core;
    this.#segmentBytes = parts.segmentBytes;
    this.#headerBytes = parts.headerBytes;
    this.#lagBytes = Math.min(LAG_BYTES, parts.tailBytes / 2);
    const { endPosition } = parts;
    const offset = endPosition % parts.segmentBytes;
    const isBegun = offset > parts.headerBytes;
    this.#position = isBegun ? this.#startBehind(endPosition) : endPosition - offset + parts.headerBytes;
  }

  /** Where the records of the next segment begin. */
  #startBehind(position: number): number {
    return (Math.floor(position / this.#segmentBytes) + 1) * this.#segmentBytes + this.#headerBytes;
  }

  /** To be called again and again while there is something to follow: goes on behind what is written now. */
  follow(): void {
    if (this.#core.headPosition - this.#position <= this.#lagBytes) return;
    this.#goTo(this.#core.headPosition - this.#lagBytes);
  }

  #goTo(end: number): void {
    while (this.#position < end) {
      const { consumedBytes, stop, entries, liveCount, queueBytes } = this.#core.outline(
        this.#position,
        end,
        PIECE_BYTES,
      );
      if (stop === "gone") {
        this.#leave(this.#core.headPosition);
        return;
      }
      this.#liveCount += liveCount;
      this.#queueBytes += queueBytes;
      if (this.#queueBytes > this.#segmentBytes * QUEUE_SHARE_MAX) {
        this.#leave(this.#position);
        continue;
      }
      if (entries.byteLength > 0) this.#add(entries);
      if (stop === "sealed") {
        const outline = { parts: this.#pieces, liveCount: this.#liveCount };
        this.#complete.set(Math.floor(this.#position / this.#segmentBytes), outline);
        this.#begin(this.#position);
        if (this.#complete.size > KEPT_MAX) this.#complete.delete(this.#complete.keys().next().value as number);
      } else {
        if (consumedBytes === 0) return; // not on disk yet
        this.#position += consumedBytes;
      }
    }
  }

  /** Goes on in the segment after the one of `position`. */
  #begin(position: number): void {
    this.#pieces = [];
    this.#liveCount = 0;
    this.#queueBytes = 0;
    this.#position = this.#startBehind(position);
  }

  /** There will be no outline of the segment, nor of any up to the one of `position`. */
  #leave(position: number): void {
    this.#giveBack(this.#pieces);
    this.#begin(position);
  }

  /** To the last part, or to a new one: they are kept for as long as a segment fills, in pages of their own. */
  #add(entries: Uint8Array): void {
    const last = this.#pieces.at(-1);
    if (last !== undefined && last.byteOffset + last.byteLength + entries.byteLength <= last.buffer.byteLength) {
      const grown = new Uint8Array(last.buffer, 0, last.byteLength + entries.byteLength);
      grown.set(entries, last.byteLength);
      this.#pieces[this.#pieces.length - 1] = grown;
      return;
    }
    const sizeBytes = Math.max(PIECE_BYTES, entries.byteLength);
    const buffer = (sizeBytes === PIECE_BYTES && this.#spare.pop()) || pages(sizeBytes);
    const part = new Uint8Array(buffer, 0, entries.byteLength);
    part.set(entries);
    this.#pieces.push(part);
  }

  #giveBack(pieces: readonly Uint8Array[]): void {
    for (const { buffer } of pieces) {
      const isSpare = buffer.byteLength === PIECE_BYTES && this.#spare.length < SPARE_PIECES_MAX;
      if (isSpare) this.#spare.push(buffer as ArrayBuffer);
      else giveBack(buffer);
    }
  }

  /** Of a segment that is sealed and on disk; undefined when it could not be followed. */
  of(segment: number): Outline | undefined {
    if (this.#position < (segment + 1) * this.#segmentBytes) this.#goTo((segment + 1) * this.#segmentBytes);
    return this.#complete.get(segment);
  }

  /** What all outlines take in memory, in bytes. */
  get heldBytes(): number {
    const complete = [...this.#complete.values()].flatMap(({ parts }) => parts);
    return [...complete, ...this.#pieces].reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
  }

  /** Nobody reads what of() has returned any more. */
  release(segment: number): void {
    this.#giveBack(this.#complete.get(segment)?.parts ?? []);
    this.#complete.delete(segment);
  }
}
