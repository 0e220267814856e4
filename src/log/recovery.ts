// What the segments hold, at start. Segments are replayed in order; the first that is not sealed is the tail.
//
//   the tail stops at                   and behind it in the segment                  then
//   zeros                               zeros                                         clean: go on from there
//   zeros, or what is no record         no record, or only of writes begun before it  torn: cut, said in a note
//   zeros, or what is no record         a record of a later write                     damaged: what precedes it was synced
//   any of these, before a position     anything                                      damaged: likewise
//   at which an epoch began
//   any of these                        (in a later segment) anything but zeros       damaged: likewise; the start looks at
//                                                                                     its first MiB, the log at the rest
//
// Nothing is changed before everything has been checked, and nothing is damaged in a way that is guessed around.
import { RECORD_BYTES_MAX, SEGMENT_HEADER_BYTES } from "../limits.ts";
import type { Disk, DiskFile } from "./disk.ts";
import type { Encryption } from "./encryption.ts";
import { damaged, ioError, systemCode } from "./errors.ts";
import { REPLAY_BYTES_MAX, type RecordCodec } from "./log.ts";
import { MANIFEST, type Manifest } from "./manifest.ts";
import { checkHeader, indexPieces, lastNonZero, loadIndex, segmentName } from "./segment.ts";
import { Buffers, PIECE_BUFFER_COUNT, SegmentReader } from "./segment-reader.ts";

export interface Recovered {
  /** Where the next record goes. */
  readonly endPosition: number;
  /** The segment being written; undefined when there is none yet. */
  readonly current: number | undefined;
  /** The next one, already in the manifest, all zeros. */
  readonly spare: number | undefined;
}

const ADVICE = "restore the directory from a copy";
/** Whoever goes on in the spare begins at its front; LocalLog looks at the rest before it is used. */
export const SPARE_CHECKED_BYTES = 1024 * 1024;
const SCAN_STEP_BYTES = REPLAY_BYTES_MAX - RECORD_BYTES_MAX - SEGMENT_HEADER_BYTES; // a record that begins here is whole

export async function recover(
  disk: Disk,
  manifest: Manifest,
  codec: RecordCodec,
  encryption: Encryption,
  onNote: (text: string) => void,
): Promise<Recovered> {
  const buffers = new Buffers(PIECE_BUFFER_COUNT);
  let previous: number | undefined;
  let tail: { readonly segment: number; readonly offset: number } | undefined;
  let spare: number | undefined;
  for await (const { segment, file, seed, index } of opened(disk, manifest, encryption)) {
    codec.begin(segment, seed);
    const reader = new SegmentReader(file, segment, manifest.segmentBytes);
    if (tail === undefined) {
      const isIndexed = index !== undefined && replayIndex(index, segment, codec, onNote);
      const offset = isIndexed
        ? "sealed"
        : await explained(segment, () => replayRecords(reader, codec, encryption, buffers));
      if (offset === "sealed") previous = segment;
      else tail = { segment, offset };
      continue;
    }
    // Writing into a segment begins when the one before it has been sealed and synced.
    const isBegun = async () => (await reader.nextNonZero(SEGMENT_HEADER_BYTES, SPARE_CHECKED_BYTES)) !== undefined;
    if (segment !== tail.segment + 1 || (await explained(segment, isBegun))) {
      const met = `no record here, though ${segmentName(segment)}, which follows, was begun`;
      throw damaged(segmentName(tail.segment), tail.offset, met, `acknowledged records are missing; ${ADVICE}`);
    }
    spare = segment;
  }
  if (tail !== undefined) {
    const { segment, offset } = tail;
    expectKnown(encryption, segment * manifest.segmentBytes + offset, segment, offset);
    const isTorn = await withFile(disk, segment, async (file) => {
      return (await new SegmentReader(file, segment, manifest.segmentBytes).dataEnd(offset)) > offset;
    });
    if (isTorn) await expectTorn(disk, tail.segment, tail.offset, manifest, codec, encryption);
    if (isTorn) await cut(disk, tail.segment, tail.offset, manifest.segmentBytes, onNote);
    else await syncSegment(disk, tail.segment);
  }
  // After a kill the bytes just read may be in the system's cache only, and are built upon from here on.
  if (previous !== undefined) await syncSegment(disk, previous);

  if (tail !== undefined) {
    return { endPosition: tail.segment * manifest.segmentBytes + tail.offset, current: tail.segment, spare };
  }
  const last = manifest.segments.at(-1);
  const endPosition = ((last ?? 0) + 1) * manifest.segmentBytes + SEGMENT_HEADER_BYTES;
  expectKnown(encryption, endPosition, last ?? 0, manifest.segmentBytes);
  return { endPosition, current: last, spare: undefined };
}

/** @throws LogError when the log ends before a position up to which it was on disk once */
function expectKnown(encryption: Encryption, endPosition: number, segment: number, offset: number): void {
  if (endPosition >= encryption.knownEnd) return;
  const met = `no record here, though the log was on disk up to position ${encryption.knownEnd} once`;
  throw damaged(segmentName(segment), offset, met, `acknowledged records are missing; ${ADVICE}`);
}

/** @throws LogError unless the data area of a segment that nobody should have written to is all zeros */
export async function expectUnused(disk: Disk, segment: number, segmentBytes: number): Promise<void> {
  await withFile(disk, segment, async (file) => {
    const sizeBytes = Math.min(segmentBytes, await file.sizeBytes());
    if (sizeBytes <= SEGMENT_HEADER_BYTES) return;
    const offset = await new SegmentReader(file, segment, sizeBytes).nextNonZero(SEGMENT_HEADER_BYTES);
    if (offset === undefined) return;
    throw damaged(segmentName(segment), offset, `there are records, but ${MANIFEST} does not name the file`, ADVICE);
  });
}

interface OpenedSegment {
  readonly segment: number;
  readonly file: DiskFile;
  readonly seed: number;
  readonly index: Uint8Array | string | undefined; // see loadIndex
}

/** Every segment with its header checked and its index loaded, the next one while one is in use. Closes them. */
async function* opened(disk: Disk, manifest: Manifest, encryption: Encryption): AsyncGenerator<OpenedSegment> {
  const { segments, segmentBytes } = manifest;
  const buffers = new Buffers(2); // one in use, one being read into
  const bufferOf = (sizeBytes: number) => buffers.take(sizeBytes);
  const open = (segment: number): Promise<OpenedSegment> =>
    explained(segment, async () => {
      const file = await disk.open(segmentName(segment), "read");
      try {
        const seed = await checkHeader(file, segment, manifest);
        return { segment, file, seed, index: await loadIndex(file, segment, segmentBytes, encryption, bufferOf) };
      } catch (error) {
        await file.close().catch(() => {});
        throw error;
      }
    });
  let next = segments[0] === undefined ? undefined : open(segments[0]);
  try {
    for (let i = 0; next !== undefined; i++) {
      const current: OpenedSegment = await next;
      const following = segments[i + 1];
      next = following === undefined ? undefined : open(following);
      next?.catch(() => {}); // met when its turn comes
      try {
        yield current;
      } finally {
        await explained(current.segment, () => current.file.close());
      }
    }
  } finally {
    await next?.then(({ file }) => file.close()).catch(() => {});
  }
}

async function withFile<T>(disk: Disk, segment: number, work: (file: DiskFile) => Promise<T>): Promise<T> {
  return explained(segment, async () => {
    const file = await disk.open(segmentName(segment), "read");
    try {
      return await work(file);
    } finally {
      await file.close();
    }
  });
}

async function explained<T>(segment: number, work: () => Promise<T>): Promise<T> {
  const name = segmentName(segment);
  try {
    return await work();
  } catch (error) {
    if (systemCode(error) === "ENOENT")
      throw damaged(name, 0, "the file is missing", `${MANIFEST} names it; ${ADVICE}`);
    throw ioError(error, "read the log", name);
  }
}

/** @returns whether the index could be used; the segment is sealed then */
function replayIndex(
  index: Uint8Array | string,
  segment: number,
  codec: RecordCodec,
  onNote: (text: string) => void,
): boolean {
  const pieces = typeof index === "string" ? index : (indexPieces(index) ?? "its entries cannot be told apart");
  if (typeof pieces === "string") {
    onNote(`The index of ${segmentName(segment)} is not used: ${pieces}; the records were read instead`);
    return false;
  }
  for (const piece of pieces) codec.replayIndex(piece, segment);
  return true;
}

/** @returns "sealed", or the offset of the first byte that is not part of a record */
async function replayRecords(
  reader: SegmentReader,
  codec: RecordCodec,
  encryption: Encryption,
  buffers: Buffers,
): Promise<number | "sealed"> {
  let offset = SEGMENT_HEADER_BYTES;
  let rest: Uint8Array = new Uint8Array(0); // of a record that goes on in the next piece
  const roomBytes = Math.min(REPLAY_BYTES_MAX, reader.endOffset);
  const segmentStart = reader.segment * reader.endOffset;
  for await (const piece of reader.pieces(SEGMENT_HEADER_BYTES, roomBytes, buffers)) {
    const { buffer, startInBuffer, sizeBytes } = piece;
    // What was never written becomes noise by it: no record either.
    encryption.decrypt(buffer.subarray(startInBuffer, startInBuffer + sizeBytes), segmentStart + piece.offset);
    buffer.set(rest, startInBuffer - rest.byteLength);
    rest = buffer.subarray(startInBuffer - rest.byteLength, startInBuffer + sizeBytes);
    for (;;) {
      const bytes = rest.subarray(0, REPLAY_BYTES_MAX);
      const { consumedBytes, stop } = codec.replay(bytes, segmentStart + offset);
      offset += consumedBytes;
      rest = rest.subarray(consumedBytes);
      if (stop === "sealed") {
        if (offset === reader.endOffset) return "sealed";
        throw damaged(segmentName(reader.segment), offset, "a closing record ends here", "it fills its segment");
      }
      if (stop !== "more") return offset;
      if (bytes.byteLength < REPLAY_BYTES_MAX) break; // on with the next piece
      if (consumedBytes === 0) return offset; // no record is as long as that
    }
  }
  if (rest.byteLength > 0) return offset;
  throw damaged(segmentName(reader.segment), offset, "the segment is full and not closed", "a closing record fills it");
}

/** Behind the tail's end there is something. @throws LogError unless it is what is left of the write that was torn */
async function expectTorn(
  disk: Disk,
  segment: number,
  offset: number,
  manifest: Manifest,
  codec: RecordCodec,
  encryption: Encryption,
): Promise<void> {
  const name = segmentName(segment);
  await withFile(disk, segment, async (file) => {
    const reader = new SegmentReader(file, segment, manifest.segmentBytes);
    const buffer = new Uint8Array(Math.min(REPLAY_BYTES_MAX, manifest.segmentBytes));
    const stop = segment * manifest.segmentBytes + offset;
    let from = await reader.nextNonZero(offset);
    while (from !== undefined) {
      const start = from & ~7; // where records may begin
      const sizeBytes = Math.min(buffer.byteLength, manifest.segmentBytes - start);
      const bytes = await reader.read(buffer.subarray(0, sizeBytes), start);
      encryption.decrypt(bytes, segment * manifest.segmentBytes + start);
      const writeStart = codec.findLater(bytes, segment * manifest.segmentBytes + start);
      if (writeStart > stop) {
        const met = `no record here, though one was written later, at offset ${writeStart % manifest.segmentBytes} or behind`;
        throw damaged(name, offset, met, `acknowledged records are missing; ${ADVICE}`);
      }
      const isLast = start + sizeBytes === manifest.segmentBytes;
      from = isLast ? undefined : await reader.nextNonZero(start + Math.min(SCAN_STEP_BYTES, sizeBytes));
    }
  });
}

/** Makes all bytes from `offset` on zeros again. Stopped half way, it is done once more at the next start. */
async function cut(
  disk: Disk,
  segment: number,
  offset: number,
  segmentBytes: number,
  onNote: (text: string) => void,
): Promise<void> {
  const name = segmentName(segment);
  let last = offset;
  try {
    const file = await disk.open(name, "durable");
    try {
      const reader = new SegmentReader(file, segment, segmentBytes);
      const page = new Uint8Array(SEGMENT_HEADER_BYTES);
      for (let from = await reader.nextNonZero(offset); from !== undefined; from = await reader.nextNonZero(last)) {
        const sizeBytes = SEGMENT_HEADER_BYTES - (from % SEGMENT_HEADER_BYTES);
        const bytes = await reader.read(page.subarray(0, sizeBytes), from);
        last = from + lastNonZero(bytes) + 1;
        await file.write(new Uint8Array(last - from), from);
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
