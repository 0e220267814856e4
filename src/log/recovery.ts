// What the segments hold, at start. Segments are replayed in order; the first that is not sealed is the tail.
//
//   the tail stops at                   and behind it in the segment                  then
//   zeros                               zeros                                         clean: go on from there
//   zeros, or what is no record         no record, or only of writes begun before it  torn: cut, said in a note
//   zeros, or what is no record         a record of a later write                     damaged: what precedes it was synced
//   any of these                        (in a later segment) anything but zeros       damaged: likewise
//
// Nothing is changed before everything has been checked, and nothing is damaged in a way that is guessed around.
import { RECORD_BYTES_MAX, SEGMENT_HEADER_BYTES } from "../limits.ts";
import type { Disk, DiskFile } from "./disk.ts";
import { damaged, ioError, systemCode } from "./errors.ts";
import { REPLAY_BYTES_MAX, type RecordCodec } from "./log.ts";
import { MANIFEST, type Manifest } from "./manifest.ts";
import { checkHeader, firstNonZero, indexPieces, loadIndex, segmentName } from "./segment.ts";

export interface Recovered {
  /** Where the next record goes. */
  readonly endPosition: number;
  /** The segment being written; undefined when there is none yet. */
  readonly current: number | undefined;
  /** The next one, already in the manifest, all zeros. */
  readonly spare: number | undefined;
}

const ADVICE = "restore the directory from a copy";
const SCAN_STEP_BYTES = REPLAY_BYTES_MAX - RECORD_BYTES_MAX - SEGMENT_HEADER_BYTES; // a record that begins here is whole

export async function recover(
  disk: Disk,
  manifest: Manifest,
  codec: RecordCodec,
  onNote: (text: string) => void,
): Promise<Recovered> {
  const buffer = new Uint8Array(Math.min(REPLAY_BYTES_MAX, manifest.segmentBytes));
  let previous: number | undefined;
  let tail: { readonly segment: number; readonly offset: number } | undefined;
  let spare: number | undefined;

  for (const segment of manifest.segments) {
    await withFile(disk, segment, async (file) => {
      await checkHeader(file, segment, manifest);
      const reader = new Reader(file, segment, manifest.segmentBytes, buffer);
      if (tail === undefined) {
        if (await replayIndex(file, segment, manifest, codec, onNote)) {
          previous = segment;
          return;
        }
        const offset = await replayRecords(reader, codec);
        if (offset === "sealed") previous = segment;
        else tail = { segment, offset };
        return;
      }
      // Writing into a segment begins when the one before it has been sealed and synced.
      const offset = await reader.nextNonZero(SEGMENT_HEADER_BYTES);
      if (offset !== undefined || segment !== tail.segment + 1) {
        const met = `no record here, though ${segmentName(segment)}, which follows, was begun`;
        throw damaged(segmentName(tail.segment), tail.offset, met, `acknowledged records are missing; ${ADVICE}`);
      }
      spare = segment;
    });
  }

  if (tail !== undefined) await settleTail(disk, tail.segment, tail.offset, manifest, codec, buffer, onNote);
  // After a kill the bytes just read may be in the system's cache only, and are built upon from here on.
  if (previous !== undefined) await syncSegment(disk, previous);

  if (tail !== undefined) {
    return { endPosition: tail.segment * manifest.segmentBytes + tail.offset, current: tail.segment, spare };
  }
  const last = manifest.segments.at(-1);
  const endPosition = ((last ?? 0) + 1) * manifest.segmentBytes + SEGMENT_HEADER_BYTES;
  return { endPosition, current: last, spare: undefined };
}

/** @throws LogError unless the data area of a segment that nobody should have written to is all zeros */
export async function expectUnused(disk: Disk, segment: number, segmentBytes: number): Promise<void> {
  await withFile(disk, segment, async (file) => {
    const sizeBytes = Math.min(segmentBytes, await file.sizeBytes());
    if (sizeBytes <= SEGMENT_HEADER_BYTES) return;
    const reader = new Reader(file, segment, sizeBytes, new Uint8Array(Math.min(REPLAY_BYTES_MAX, sizeBytes)));
    const offset = await reader.nextNonZero(SEGMENT_HEADER_BYTES);
    if (offset === undefined) return;
    throw damaged(segmentName(segment), offset, `there are records, but ${MANIFEST} does not name the file`, ADVICE);
  });
}

class Reader {
  readonly #file: DiskFile;
  readonly segment: number;
  readonly endOffset: number;
  readonly #buffer: Uint8Array;

  constructor(file: DiskFile, segment: number, endOffset: number, buffer: Uint8Array) {
    this.#file = file;
    this.segment = segment;
    this.endOffset = endOffset;
    this.#buffer = buffer;
  }

  /** Up to the end of the data area, or as much as the buffer holds. Valid until the next call. */
  async read(offset: number): Promise<Uint8Array> {
    const sizeBytes = Math.min(this.#buffer.byteLength, this.endOffset - offset);
    const bytes = this.#buffer.subarray(0, sizeBytes);
    const readBytes = await this.#file.read(bytes, offset);
    if (readBytes === sizeBytes) return bytes;
    throw damaged(
      segmentName(this.segment),
      offset + readBytes,
      "the file ends here",
      `it has ${this.endOffset} bytes`,
    );
  }

  async nextNonZero(fromOffset: number): Promise<number | undefined> {
    for (let offset = fromOffset; offset < this.endOffset; ) {
      const bytes = await this.read(offset);
      const found = firstNonZero(bytes);
      if (found >= 0) return offset + found;
      offset += bytes.byteLength;
    }
    return undefined;
  }
}

async function withFile(disk: Disk, segment: number, work: (file: DiskFile) => Promise<void>): Promise<void> {
  const name = segmentName(segment);
  try {
    const file = await disk.open(name, "read");
    try {
      await work(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (systemCode(error) === "ENOENT")
      throw damaged(name, 0, "the file is missing", `${MANIFEST} names it; ${ADVICE}`);
    throw ioError(error, "read the log", name);
  }
}

/** @returns whether the segment has an index, and so is sealed */
async function replayIndex(
  file: DiskFile,
  segment: number,
  manifest: Manifest,
  codec: RecordCodec,
  onNote: (text: string) => void,
): Promise<boolean> {
  const index = await loadIndex(file, segment, manifest.segmentBytes);
  if (index === undefined) return false;
  const pieces = typeof index === "string" ? index : (indexPieces(index) ?? "its entries cannot be told apart");
  if (typeof pieces === "string") {
    onNote(`The index of ${segmentName(segment)} is not used: ${pieces}; the records were read instead`);
    return false;
  }
  for (const piece of pieces) codec.replayIndex(piece, segment);
  return true;
}

/** @returns "sealed", or the offset of the first byte that is not part of a record */
async function replayRecords(reader: Reader, codec: RecordCodec): Promise<number | "sealed"> {
  let offset = SEGMENT_HEADER_BYTES;
  while (offset < reader.endOffset) {
    const bytes = await reader.read(offset);
    const { consumedBytes, stop } = codec.replay(bytes, reader.segment * reader.endOffset + offset);
    offset += consumedBytes;
    if (stop === "sealed") {
      if (offset === reader.endOffset) return "sealed";
      throw damaged(segmentName(reader.segment), offset, "a closing record ends here", "it fills its segment");
    }
    if (stop !== "more" || consumedBytes === 0) return offset;
  }
  throw damaged(segmentName(reader.segment), offset, "the segment is full and not closed", "a closing record fills it");
}

async function settleTail(
  disk: Disk,
  segment: number,
  offset: number,
  manifest: Manifest,
  codec: RecordCodec,
  buffer: Uint8Array,
  onNote: (text: string) => void,
): Promise<void> {
  const name = segmentName(segment);
  let isTorn = false;
  await withFile(disk, segment, async (file) => {
    const reader = new Reader(file, segment, manifest.segmentBytes, buffer);
    const stop = segment * manifest.segmentBytes + offset;
    let from = await reader.nextNonZero(offset);
    isTorn = from !== undefined;
    while (from !== undefined) {
      const start = from & ~7; // where records may begin
      const bytes = await reader.read(start);
      const writeStart = codec.findLater(bytes, segment * manifest.segmentBytes + start);
      if (writeStart > stop) {
        const met = `no record here, though one was written later, at offset ${writeStart % manifest.segmentBytes} or behind`;
        throw damaged(name, offset, met, `acknowledged records are missing; ${ADVICE}`);
      }
      const isLast = start + bytes.byteLength === manifest.segmentBytes;
      from = isLast ? undefined : await reader.nextNonZero(start + Math.min(SCAN_STEP_BYTES, bytes.byteLength));
    }
  });
  if (isTorn) await cut(disk, segment, offset, manifest.segmentBytes, buffer, onNote);
  else await syncSegment(disk, segment);
}

/** Makes all bytes from `offset` on zeros again. Stopped half way, it is done once more at the next start. */
async function cut(
  disk: Disk,
  segment: number,
  offset: number,
  segmentBytes: number,
  buffer: Uint8Array,
  onNote: (text: string) => void,
): Promise<void> {
  const name = segmentName(segment);
  let last = offset;
  try {
    const file = await disk.open(name, "durable");
    try {
      const reader = new Reader(file, segment, segmentBytes, buffer);
      for (let from = await reader.nextNonZero(offset); from !== undefined; from = await reader.nextNonZero(from)) {
        const bytes = await reader.read(from);
        let sizeBytes = Math.min(bytes.byteLength, SEGMENT_HEADER_BYTES - (from % SEGMENT_HEADER_BYTES));
        while (sizeBytes > 1 && bytes[sizeBytes - 1] === 0) sizeBytes--;
        last = from + sizeBytes;
        await file.write(new Uint8Array(sizeBytes), from);
        from += sizeBytes;
      }
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw ioError(error, "cut off a torn write", name, offset);
  }
  const text = `${name} ended in a write that was torn at offset ${offset}: ${last - offset} bytes of it were cut off`;
  onNote(`${text}; none of it had been acknowledged`);
}

async function syncSegment(disk: Disk, segment: number): Promise<void> {
  const name = segmentName(segment);
  try {
    const file = await disk.open(name, "durable");
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw ioError(error, "make the log's end durable", name);
  }
}
