// Records as the core writes them, in plain TypeScript: what the log's tests write, and what they read back.
//   0 u32 CRC-32C over [4, size) · 4 u24 size · 7 u8 kind · 8 u64 number · 16 u32 segment · 20 u32 write start · 24 payload
import { crc32c } from "../../src/base/crc32c.ts";
import { SEGMENT_HEADER_BYTES } from "../../src/limits.ts";
import type { Extent, RecordCodec } from "../../src/log/log.ts";

const HEADER_BYTES = 24;
const SEAL = 255;
const MESSAGE = 1;
const NOTHING = 9;

export interface Seen {
  readonly number: number;
  readonly text: string;
  readonly position: number;
}

const pad8 = (sizeBytes: number) => (sizeBytes + 7) & ~7;
const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Lays records out as the core does: none crosses a segment, a closing record fills what is left. */
export class PlainWriter {
  readonly segmentBytes: number;
  position: number;
  nextNumber: number;
  /** Up to here all is known to be on disk; absent: up to where the batch begins. */
  durablePosition: number | undefined;
  readonly written: Seen[] = [];
  readonly #seed: number;
  #extents: { position: number; parts: Uint8Array[]; sizeBytes: number }[] = [];

  constructor(segmentBytes: number, position: number, nextNumber: number, seed: number) {
    this.segmentBytes = segmentBytes;
    this.#seed = seed;
    this.position = position;
    this.nextNumber = nextNumber;
  }

  add(content: string | Uint8Array): void {
    const payload = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const text = new TextDecoder().decode(payload);
    const sizeBytes = HEADER_BYTES + payload.byteLength;
    const segmentEnd = (Math.floor(this.position / this.segmentBytes) + 1) * this.segmentBytes;
    if (this.position + pad8(sizeBytes) + HEADER_BYTES > segmentEnd) this.seal();
    this.written.push({ number: this.nextNumber, text, position: this.position });
    this.#put(MESSAGE, sizeBytes, payload);
  }

  /** What comes next begins in a block of its own, as after the core's endBlock(); a record of nothing fills this one. */
  endBlock(blockBytes: number): void {
    const restBytes = -this.position & (blockBytes - 1);
    if (restBytes === 0) return;
    const sizeBytes = restBytes < HEADER_BYTES ? restBytes + blockBytes : restBytes;
    const segmentEnd = (Math.floor(this.position / this.segmentBytes) + 1) * this.segmentBytes;
    if (this.position + sizeBytes + HEADER_BYTES > segmentEnd) return;
    this.#put(NOTHING, sizeBytes, new Uint8Array(sizeBytes - HEADER_BYTES));
  }

  seal(): void {
    const segmentEnd = (Math.floor(this.position / this.segmentBytes) + 1) * this.segmentBytes;
    this.#put(SEAL, segmentEnd - this.position, new Uint8Array());
    this.position = segmentEnd + SEGMENT_HEADER_BYTES;
  }

  /** The batch: what was added since the last one. */
  take(): Extent[] {
    const extents = this.#extents.map(({ position, parts }) => ({ position, bytes: Buffer.concat(parts) }));
    this.#extents = [];
    return extents;
  }

  #put(kind: number, sizeBytes: number, payload: Uint8Array): void {
    const bytes = new Uint8Array(pad8(sizeBytes));
    const view = viewOf(bytes);
    const segment = Math.floor(this.position / this.segmentBytes);
    let extent = this.#extents.at(-1);
    if (extent === undefined || extent.position + extent.sizeBytes !== this.position) {
      extent = { position: this.position, parts: [], sizeBytes: 0 };
      this.#extents.push(extent);
    }
    view.setUint32(4, sizeBytes + kind * 2 ** 24, true);
    view.setBigUint64(8, BigInt(this.nextNumber++), true);
    view.setUint32(16, segment, true);
    const segmentStart = segment * this.segmentBytes + SEGMENT_HEADER_BYTES;
    const writeStart = Math.max(this.durablePosition ?? extent.position, segmentStart);
    view.setUint32(20, writeStart % this.segmentBytes, true);
    bytes.set(payload, HEADER_BYTES);
    view.setUint32(0, crc32c(bytes.subarray(4, sizeBytes), this.#seed), true);
    extent.parts.push(bytes);
    extent.sizeBytes += bytes.byteLength;
    this.position += bytes.byteLength;
  }
}

type Decoded = { kind: number; sizeBytes: number; number: number; segment: number; writeOffset: number };

export class PlainCodec implements RecordCodec {
  readonly segmentBytes: number;
  readonly seen: Seen[] = [];
  readonly indexed: number[] = []; // segments whose index was replayed
  lastNumber = 0;
  readonly #seeds = new Map<number, number>(); // by segment

  constructor(segmentBytes: number) {
    this.segmentBytes = segmentBytes;
  }

  begin(segment: number, seed: number): void {
    this.#seeds.set(segment, seed);
  }

  #decode(bytes: Uint8Array, segment: number): Decoded | "short" | undefined {
    const seed = this.#seeds.get(segment);
    if (seed === undefined) throw new Error(`segment ${segment} was not begun`);
    return decode(bytes, seed);
  }

  replay(bytes: Uint8Array, position: number): { consumedBytes: number; stop: "more" | "sealed" | "end" | "invalid" } {
    const segment = Math.floor(position / this.segmentBytes);
    let consumedBytes = 0;
    while (consumedBytes + HEADER_BYTES <= bytes.byteLength) {
      const rest = bytes.subarray(consumedBytes);
      const view = viewOf(rest);
      if (view.getBigUint64(0, true) === 0n || view.getUint32(16, true) !== segment)
        return { consumedBytes, stop: "end" };
      const record = this.#decode(rest, segment);
      if (record === "short") return { consumedBytes, stop: "more" };
      const atSegmentStart = (position + consumedBytes) % this.segmentBytes === SEGMENT_HEADER_BYTES;
      // Segments may have been removed in between; within one the numbers have no gaps.
      const isNext =
        record && (atSegmentStart ? record.number > this.lastNumber : record.number === this.lastNumber + 1);
      if (!record || !isNext) return { consumedBytes, stop: "invalid" };
      this.lastNumber = record.number;
      if (record.kind === SEAL) return { consumedBytes: consumedBytes + pad8(record.sizeBytes), stop: "sealed" };
      const text = new TextDecoder().decode(rest.subarray(HEADER_BYTES, record.sizeBytes));
      if (record.kind !== NOTHING) this.seen.push({ number: record.number, text, position: position + consumedBytes });
      consumedBytes += pad8(record.sizeBytes);
    }
    return { consumedBytes, stop: "more" };
  }

  findLater(bytes: Uint8Array, position: number): number {
    const segment = Math.floor(position / this.segmentBytes);
    const view = viewOf(bytes);
    let found = -1;
    for (let offset = 0; offset + HEADER_BYTES <= bytes.byteLength; offset += 8) {
      if (view.getUint32(offset + 16, true) !== segment) continue; // the quick look: the rest of it takes a checksum
      const record = this.#decode(bytes.subarray(offset), segment);
      if (!record || record === "short" || record.number <= this.lastNumber) continue;
      found = Math.max(found, segment * this.segmentBytes + record.writeOffset);
    }
    return found;
  }

  /** An entry of these tests: 0 u32 size · 4 u32 text bytes · 8 f64 number · 16 f64 position · 24 text. */
  replayIndex(bytes: Uint8Array, segment: number): void {
    const view = viewOf(bytes);
    if (this.indexed.at(-1) !== segment) this.indexed.push(segment);
    for (let offset = 0; offset < bytes.byteLength; offset += view.getUint32(offset, true)) {
      const number = view.getFloat64(offset + 8, true);
      const textStart = offset + 24;
      const text = new TextDecoder().decode(bytes.subarray(textStart, textStart + view.getUint32(offset + 4, true)));
      this.lastNumber = Math.max(this.lastNumber, number + 1); // the closing record's number, at least
      this.seen.push({ number, text, position: view.getFloat64(offset + 16, true) });
    }
  }
}

export function encodeIndexOf(seen: readonly Seen[]): Uint8Array {
  const entries = seen.map(({ number, text, position }) => {
    const textBytes = new TextEncoder().encode(text);
    const entry = new Uint8Array(pad8(24 + textBytes.byteLength));
    const view = viewOf(entry);
    view.setUint32(0, entry.byteLength, true);
    view.setUint32(4, textBytes.byteLength, true);
    view.setFloat64(8, number, true);
    view.setFloat64(16, position, true);
    entry.set(textBytes, 24);
    return entry;
  });
  return new Uint8Array(Buffer.concat(entries));
}

/** A record for `segment`, as somebody would make it up: valid under `seed`, 0 when they do not know the log's. */
export function forgedRecord(segment: number, number: number, writeOffset: number, seed = 0): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + 8);
  const view = viewOf(bytes);
  view.setUint32(4, bytes.byteLength + MESSAGE * 2 ** 24, true);
  view.setBigUint64(8, BigInt(number), true);
  view.setUint32(16, segment, true);
  view.setUint32(20, writeOffset, true);
  view.setUint32(0, crc32c(bytes.subarray(4), seed), true);
  return bytes;
}

/** @returns "short" when the record may go on behind `bytes`, undefined when it is none */
function decode(bytes: Uint8Array, seed: number): Decoded | "short" | undefined {
  const view = viewOf(bytes);
  const sizeAndKind = view.getUint32(4, true);
  const sizeBytes = sizeAndKind & 0xffffff;
  if (sizeBytes < HEADER_BYTES) return undefined;
  if (pad8(sizeBytes) > bytes.byteLength) return "short";
  if (view.getUint32(0, true) !== crc32c(bytes.subarray(4, sizeBytes), seed)) return undefined;
  if (bytes.subarray(sizeBytes, pad8(sizeBytes)).some((byte) => byte !== 0)) return undefined;
  return {
    kind: sizeAndKind >>> 24,
    sizeBytes,
    number: Number(view.getBigUint64(8, true)),
    segment: view.getUint32(16, true),
    writeOffset: view.getUint32(20, true),
  };
}
