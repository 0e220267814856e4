// The log as the rest of the broker sees it. It knows bytes and positions, never queues.
//
// A position is segment * segmentBytes + offset: it only grows. Bytes [0, SEGMENT_HEADER_BYTES) of a segment
// are the log's own header; records follow. The core lays records out, so that none crosses a segment.
import { RECORD_BYTES_MAX } from "../limits.ts";

/** A piece of one segment, to be written exactly at `position`. Pieces of one append are in order, without overlap. */
export interface Extent {
  readonly position: number;
  readonly bytes: Uint8Array; // valid until the append has settled
}

/** What a segment's bytes mean; implemented by the core, so that the log does not have to know. */
export interface RecordCodec {
  /** What the checksums of the segment's records begin with. Told before anything of a segment is applied. */
  begin(segment: number, seed: number): void;
  /**
   * Applies the records at the start of `bytes`, which begin at a record boundary at `position`.
   * - "more": all of `bytes` was whole records, or the last one is cut off by the end of `bytes`
   * - "sealed": the segment's closing record was met (it is counted in consumedBytes)
   * - "end": zeros, or bytes of another segment: nothing more was written here
   * - "invalid": bytes that are no record of this log
   * At most REPLAY_BYTES_MAX per call: room for any record, the closing one included.
   */
  replay(bytes: Uint8Array, position: number): { consumedBytes: number; stop: "more" | "sealed" | "end" | "invalid" };
  /**
   * Looks for valid records of this segment, later than what was replayed, anywhere in `bytes` (8-byte steps).
   * All of them: one that belongs to a torn write may lie before one that proves the tear to be damage.
   * @returns the greatest position up to which all had been synced when such a record was made, or -1
   */
  findLater(bytes: Uint8Array, position: number): number;
  /** Applies whole index entries of a sealed segment, in order, instead of its records; at most 2 MiB per call. */
  replayIndex(bytes: Uint8Array, segment: number): void;
}

export const REPLAY_BYTES_MAX = RECORD_BYTES_MAX + 64 * 1024;

/** Appends that are worth asking for before those before them are on disk: those that are written, and others that are ready. */
export const APPENDS_MAX = 4;

export interface Log {
  /**
   * Resolves when the bytes are on disk, and all that was appended before. A rejection is fatal: what was appended after it
   * is rejected, too, and the log accepts nothing more.
   */
  append(extents: readonly Extent[]): Promise<void>;
  /** Bytes that were appended and not removed. @throws LogError "damaged" | "removed" */
  read(position: number, size: number): Promise<Uint8Array>;
  /** Segments that exist, ascending; the last one is being written (the spare is not in it). */
  segments(): readonly number[];
  /** True while all of the next segment can be written to, past the end of the current one. */
  readonly hasSpare: boolean;
  /** How far the log can be written to now: what lies before it has its blocks on the disk, or a reserve that stands for them. */
  readonly writableEnd: number;
  /** True when there was no space for more, until another try succeeds. */
  readonly isFull: boolean;
  /** Called when writableEnd or isFull have changed in between appends. */
  onSpaceChange: (() => void) | undefined;
  /** Stores a sealed segment's index behind its data, durable on return. */
  writeIndex(segment: number, index: Uint8Array): Promise<void>;
  readIndex(segment: number): Promise<Uint8Array | undefined>;
  /** Forgets a sealed segment: the manifest does not name it any more, and its file goes, or becomes another one. */
  remove(segment: number): Promise<void>;
  close(): Promise<void>;
}
