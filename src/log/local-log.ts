// The log on this machine's disk.
//
//   positions ───────────────────────────────────────────────────────────►
//   │ sealed, indexed │ sealed │ … │ current: records … end ▲ │ spare │
//                                                             └ frontier.ts
//
// Invariants
//   - append() resolves after its bytes are on disk, and all that was appended before. Two at most are written beside one
//     another, in one segment: where the later one begins in a block of its own. What follows one that failed is rejected, too,
//     whatever there is of it: a start takes it for torn, or reads it.
//   - What lies behind the end, and all of the spare, is zeros: recovery tells the end from damage by it.
//   - After a failed write or sync of the log nothing more is accepted, not even on another descriptor. A write that found
//     no space is none of these: it waits.
import { assert } from "../base/assert.ts";
import { SEGMENT_HEADER_BYTES } from "../limits.ts";
import { BLOCK_BYTES, blockCeil, blockFloor, keepAligned, takeAligned } from "./blocks.ts";
import type { Disk, DiskFile, DiskLock } from "./disk.ts";
import { Encryption, type EncryptionOptions, SALT_BYTES } from "./encryption.ts";
import { damaged, ioError, LogError } from "./errors.ts";
import { Frontier } from "./frontier.ts";
import type { Extent, Log, RecordCodec } from "./log.ts";
import { MANIFEST, type Manifest, ManifestFile, readManifest } from "./manifest.ts";
import { ReadFiles } from "./read-files.ts";
import { expectUnused, recover } from "./recovery.ts";
import {
  FOOTER_BYTES,
  indexChecksum,
  loadIndex,
  putFooter,
  recordSeed,
  segmentName,
  segmentOfName,
} from "./segment.ts";

export interface LogOptions {
  readonly segmentBytes: number; // header page included; fixed when the log is made
  readonly codec: RecordCodec;
  /** Something an operator should know, in a sentence. */
  readonly onNote: (text: string) => void;
  /** 32 hex digits, for a log that is made; random if absent. */
  readonly logId?: string;
  /** Absent: nothing is encrypted, and a log that is cannot be opened. */
  readonly encryption?: EncryptionOptions;
}

export interface OpenedLog {
  readonly log: LocalLog;
  readonly endPosition: number; // where the next record goes
  readonly segments: readonly number[];
  /** What the checksums of records in segments that are begun from here on must begin with. */
  readonly recordSeed: number;
}

const INDEX_PIECE_BYTES = 256 * 1024;

/** One that was asked for. */
interface Append {
  readonly begun: Promise<void>; // all of it is on its way to disk, or it has failed
  readonly done: Promise<void>; // it is there, and all before it
  hasFailed: boolean; // at once, where `done` tells in its turn
}

/** Opens the log in `disk`'s directory, or makes one there; its records go through `options.codec` meanwhile. */
export async function openLog(disk: Disk, options: LogOptions): Promise<OpenedLog> {
  assert(options.segmentBytes % SEGMENT_HEADER_BYTES === 0, "a segment is whole pages");
  assert(options.segmentBytes > SEGMENT_HEADER_BYTES, "a segment has room for records");
  const lock = await attempt("open the log", disk.directory, async () => {
    await disk.makeDirectory();
    return disk.lock();
  });
  try {
    return await openLocked(disk, lock, options);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function openLocked(disk: Disk, lock: DiskLock, options: LogOptions): Promise<OpenedLog> {
  const { segmentBytes, codec, onNote } = options;
  const names = await attempt("list the log's files", disk.directory, () => disk.list());
  const present = names.map(segmentOfName).filter((segment) => segment !== undefined);
  const stored = await readManifest(disk);
  if (stored === undefined && present.length > 0) {
    throw damaged(
      MANIFEST,
      0,
      "the file is missing",
      "there are segments; restore it from a copy of the whole directory",
    );
  }
  if (stored !== undefined && stored.segmentBytes !== segmentBytes) {
    const text = `Cannot open the log: it was made with segments of ${stored.segmentBytes} bytes, ${segmentBytes} are wanted; use the size it has`;
    throw new LogError("mismatch", text, { file: MANIFEST, offset: 0 });
  }
  const fresh = { logId: options.logId ?? crypto.randomUUID().replaceAll("-", ""), segmentBytes, segments: [] };
  const manifest = new ManifestFile(disk, stored ?? fresh);
  const encryption = new Encryption(manifest.current, options.encryption);
  // Names seen after a kill may be in the system's cache only.
  if (stored === undefined) await manifest.change(() => ({}));
  else await attempt("open the log", disk.directory, () => disk.syncDirectory());

  const listed = new Set(manifest.current.segments);
  const last = manifest.current.segments.at(-1) ?? 0;
  const leftovers = present.filter((segment) => !listed.has(segment));
  for (const segment of leftovers) if (segment > last) await expectUnused(disk, segment, segmentBytes);

  const { current, endPosition, spare } = await recover(disk, manifest.current, codec, encryption, onNote);
  for (const segment of leftovers) {
    await attempt("delete a removed segment", segmentName(segment), () => disk.unlink(segmentName(segment)));
  }
  await encryption.begin(manifest, endPosition);
  const log = new LocalLog(disk, lock, manifest, encryption, endPosition, spare, onNote);
  try {
    await log.start(current, spare);
  } catch (error) {
    await log.abandon();
    throw error;
  }
  return { log, endPosition, segments: log.segments(), recordSeed: recordSeed(manifest.current) };
}

async function attempt<T>(what: string, file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw ioError(error, what, file);
  }
}

export class LocalLog implements Log {
  readonly #disk: Disk;
  readonly #lock: DiskLock;
  readonly #manifest: ManifestFile;
  readonly #encryption: Encryption;
  readonly #onNote: (text: string) => void;
  readonly #segmentBytes: number;
  readonly #segments: Set<number>; // ascending; without the spare
  readonly #readFiles: ReadFiles;
  readonly #frontier: Frontier;
  #endPosition: number; // where the next append begins
  #last: Append | undefined; // of those under way
  #lastButOne: Append | undefined;
  readonly #lastBlock = new Uint8Array(BLOCK_BYTES); // as it is on disk, or on its way there, up to the end
  #failure: unknown;
  #isClosing = false; // accepts nothing new

  /** Use openLog. */
  constructor(
    disk: Disk,
    lock: DiskLock,
    manifest: ManifestFile,
    encryption: Encryption,
    endPosition: number,
    spare: number | undefined,
    onNote: (text: string) => void,
  ) {
    this.#disk = disk;
    this.#lock = lock;
    this.#manifest = manifest;
    this.#encryption = encryption;
    this.#onNote = onNote;
    this.#segmentBytes = manifest.current.segmentBytes;
    this.#segments = new Set(manifest.current.segments.filter((segment) => segment !== spare));
    this.#readFiles = new ReadFiles(disk);
    this.#frontier = new Frontier(disk, manifest, endPosition, onNote, (error) => {
      this.#failure ??= error;
    });
    this.#endPosition = endPosition;
  }

  /** @param current the segment being written; undefined when the log has none yet */
  async start(current: number | undefined, spare: number | undefined): Promise<void> {
    const hasEnd = current === this.#segmentOf(this.#endPosition);
    await this.#frontier.start(hasEnd ? current : undefined, spare);
    this.#sawCurrent();
    if (hasEnd) await this.#readLastBlock(current);
  }

  /** What the first append writes once more. */
  async #readLastBlock(segment: number): Promise<void> {
    const bytes = this.#lastBlock.subarray(0, this.#endPosition % BLOCK_BYTES);
    const name = segmentName(segment);
    const offset = blockFloor(this.#endPosition % this.#segmentBytes);
    const readBytes = await attempt("read the log's end", name, async () => {
      const file = await this.#disk.open(name, "read");
      try {
        return await file.read(bytes, offset);
      } finally {
        await file.close();
      }
    });
    if (readBytes === bytes.byteLength) return;
    // What is missing here would be written over with zeros.
    const text = `Cannot go on with the log: ${name} ends at offset ${offset + readBytes}, and the log at ${offset + bytes.byteLength}`;
    throw new LogError("damaged", `${text}; restore the directory from a copy`, {
      file: name,
      offset: offset + readBytes,
    });
  }

  #sawCurrent(): void {
    const segment = this.#frontier.current?.segment;
    if (segment !== undefined) this.#segments.add(segment);
  }

  get hasSpare(): boolean {
    return this.#frontier.hasSpare;
  }

  /** Resolves when the next segment is there, or cannot be prepared now. */
  prepared(): Promise<void> {
    return this.#frontier.prepared();
  }

  get writableEnd(): number {
    return this.#frontier.writableEnd;
  }

  get isFull(): boolean {
    return this.#frontier.isFull;
  }

  set onSpaceChange(listener: (() => void) | undefined) {
    this.#frontier.onChange = listener;
  }

  segments(): readonly number[] {
    return [...this.#segments];
  }

  /** How many lives have written to the segment being written; 0 where nothing is encrypted. */
  get epochCount(): number {
    const start = this.#segmentOf(this.#endPosition) * this.#segmentBytes;
    return this.#encryption.countWithin(start, start + this.#segmentBytes);
  }

  freeBytes(): Promise<number> {
    return attempt("ask for the free space", this.#disk.directory, () => this.#disk.freeBytes());
  }

  /** To be called every second or so: looks for space again, and gives back what was removed and not used again. */
  maintain(): void {
    if (this.#failure === undefined) this.#frontier.maintain();
  }

  /** From here on a write that finds no space fails: for whoever is about to close, and waits for appends before. */
  stopWaiting(): void {
    this.#frontier.stopWaiting();
  }

  // The copy is made before the first await, so that the bytes may change from then on.
  async append(extents: readonly Extent[]): Promise<void> {
    this.#checkUsable();
    const staging = takeAligned(this.#stagedBytes(extents));
    const writes = this.#stage(extents, staging);
    if (writes.length === 0) return this.#last?.done;
    const append = this.#begin(writes, extents[0]?.position ?? 0);
    try {
      await append.done;
    } catch (error) {
      this.#failure ??= error;
      throw error;
    }
    if (this.#last === append) this.#last = undefined;
    keepAligned(staging);
  }

  #begin(writes: readonly Extent[], position: number): Append {
    const before = this.#last;
    const lastButOne = this.#lastButOne;
    let onBegun = (): void => {};
    const begun = new Promise<void>((resolve) => {
      onBegun = resolve;
    });
    const run = async (): Promise<void> => {
      if (before !== undefined) {
        // When that one fails, the one before this may still be under way: its end is waited for all the same.
        await lastButOne?.done.catch(() => before.done);
        await before.begun;
        if (before.hasFailed || !this.#goesBeside(writes, position)) await before.done;
      }
      const written = this.#write(writes, onBegun);
      written.catch(fail); // and it is thrown below, in the order of the appends
      try {
        await before?.done;
      } finally {
        await written.catch(() => {}); // until then its file and its bytes are in use
      }
      await written;
    };
    const fail = (): void => {
      append.hasFailed = true;
      onBegun();
    };
    const append: Append = { begun, done: run(), hasFailed: false };
    append.done.catch(fail);
    this.#lastButOne = before;
    this.#last = append;
    return append;
  }

  /** Whether an append need not wait for the one before it, which is under way. */
  #goesBeside(writes: readonly Extent[], position: number): boolean {
    const isOwnBlock = writes.length === 1 && position % BLOCK_BYTES === 0;
    return isOwnBlock && this.#isInCurrent(position);
  }

  /** How much room there must be for them at most, each in blocks of its own. */
  #stagedBytes(extents: readonly Extent[]): number {
    let sizeBytes = 0;
    for (const { bytes } of extents) sizeBytes += blockCeil(bytes.byteLength) + BLOCK_BYTES;
    return sizeBytes;
  }

  /**
   * Copies the bytes, encrypted, into whole blocks (blocks.ts), neighbours in one segment joined to one write. All before
   * anything is awaited: a view on WebAssembly memory is detached when that memory grows, even while it is being written.
   */
  #stage(extents: readonly Extent[], staging: Uint8Array): Extent[] {
    const writes: Extent[] = [];
    let end = this.#endPosition;
    let writeStart = 0; // in staging
    let stagedBytes = 0;
    for (const { position, bytes } of extents) {
      const begins = end % this.#segmentBytes === 0; // the segment is full: on behind the next one's header
      if (begins) end += SEGMENT_HEADER_BYTES;
      assert(position === end, "appends follow one another without a gap");
      assert(
        (position % this.#segmentBytes) + bytes.byteLength <= this.#segmentBytes,
        "an extent stays in its segment",
      );
      if (begins || writes.length === 0) {
        writeStart = blockCeil(stagedBytes);
        stagedBytes = writeStart + (position % BLOCK_BYTES);
        staging.set(this.#lastBlock.subarray(0, position % BLOCK_BYTES), writeStart);
      } else writes.pop();
      this.#encryption.encrypt(bytes, position, staging.subarray(stagedBytes, stagedBytes + bytes.byteLength));
      stagedBytes += bytes.byteLength;
      end += bytes.byteLength;
      const writeEnd = blockCeil(stagedBytes);
      staging.fill(0, stagedBytes, writeEnd);
      writes.push({ position: end - (stagedBytes - writeStart), bytes: staging.subarray(writeStart, writeEnd) });
    }
    this.#lastBlock.set(staging.subarray(blockFloor(stagedBytes), stagedBytes));
    this.#endPosition = end;
    return writes;
  }

  /** It may go on in the next segment. @param onBegun called when the last of it is on its way to disk */
  async #write(writes: readonly Extent[], onBegun: () => void): Promise<void> {
    const frontier = this.#frontier;
    const { position, bytes } = writes.at(-1) as Extent;
    frontier.beginAppend(position + bytes.byteLength, bytes.byteLength);
    // A batch that cannot be written to its end is not begun.
    if (!this.#isInCurrent(position)) await frontier.awaitSpare();
    for (const piece of writes) {
      if (!this.#isInCurrent(piece.position)) {
        await frontier.roll();
        this.#sawCurrent();
      }
      const written = frontier.write(piece.bytes, piece.position);
      if (piece === writes.at(-1)) onBegun();
      await written;
    }
    frontier.appended();
  }

  #isInCurrent(position: number): boolean {
    return this.#segmentOf(position) === this.#frontier.current?.segment;
  }

  /** The segment stays until the read that was begun is done, whatever is removed meanwhile. */
  async read(position: number, sizeBytes: number): Promise<Uint8Array> {
    this.#checkUsable();
    const segment = this.#segmentOf(position);
    const offset = position % this.#segmentBytes;
    assert(offset >= SEGMENT_HEADER_BYTES && offset + sizeBytes <= this.#segmentBytes, "a read stays in its segment");
    this.#checkExists(segment, "read");
    const bytes = new Uint8Array(sizeBytes);
    return this.#readFiles.use(segment, async (file) => {
      const name = segmentName(segment);
      const readBytes = await attempt("read", name, () => file.read(bytes, offset));
      if (readBytes === sizeBytes) {
        this.#encryption.decrypt(bytes, position);
        return bytes;
      }
      const text = `Cannot read ${sizeBytes} bytes of ${name} at offset ${offset}: the file ends at ${offset + readBytes}`;
      throw new LogError("damaged", text, { file: name, offset: offset + readBytes });
    });
  }

  async writeIndex(segment: number, index: Uint8Array): Promise<void> {
    this.#checkUsable();
    this.#checkExists(segment, "write the index of");
    assert(segment < this.#segmentOf(this.#endPosition), "a segment has an index once it is sealed");
    const isEncrypted = this.#encryption.coversIndex(segment * this.#segmentBytes, (segment + 1) * this.#segmentBytes);
    const name = segmentName(segment);
    await this.#readFiles.use(segment, async () => {
      const file = await attempt("write an index", name, () => this.#disk.open(name, "durable"));
      try {
        await this.#writeIndexTo(file, segment, index, isEncrypted);
      } catch (cause) {
        const error = ioError(cause, "write an index", name, this.#segmentBytes);
        // A full disk costs the index only, and what was written of it is given back.
        if (error.code === "noSpace") await file.truncate(this.#segmentBytes).catch(() => {});
        else this.#failure ??= error;
        throw error;
      } finally {
        await file.close().catch(() => {});
      }
    });
  }

  /** A piece at a time, and others meanwhile: some are of many megabytes. */
  async #writeIndexTo(file: DiskFile, segment: number, index: Uint8Array, isEncrypted: boolean): Promise<void> {
    const leadBytes = isEncrypted ? SALT_BYTES : 0;
    const buffer = new Uint8Array(leadBytes + Math.min(index.byteLength, INDEX_PIECE_BYTES) + FOOTER_BYTES);
    const encrypt = isEncrypted ? this.#encryption.beginIndex(buffer.subarray(0, leadBytes)) : undefined;
    let checksum = 0;
    let sizeBytes = 0;
    let start = 0; // in the index
    let at = leadBytes; // in the buffer
    do {
      const piece = index.subarray(start, start + INDEX_PIECE_BYTES);
      start += piece.byteLength;
      buffer.set(piece, at);
      encrypt?.(buffer.subarray(at, at + piece.byteLength));
      const endOfPiece = at + piece.byteLength;
      checksum = indexChecksum(buffer.subarray(0, endOfPiece), checksum);
      const offset = this.#segmentBytes + sizeBytes;
      sizeBytes += endOfPiece;
      const isLast = start === index.byteLength;
      const end = isLast ? endOfPiece + FOOTER_BYTES : endOfPiece;
      if (isLast) putFooter(buffer.subarray(endOfPiece, end), { segment, sizeBytes, checksum, isEncrypted });
      await file.write(buffer.subarray(0, end), offset);
      at = 0;
    } while (start < index.byteLength);
  }

  async readIndex(segment: number): Promise<Uint8Array | undefined> {
    this.#checkUsable();
    this.#checkExists(segment, "read the index of");
    const name = segmentName(segment);
    const index = await this.#readFiles.use(segment, (file) =>
      attempt("read an index", name, () => loadIndex(file, segment, this.#segmentBytes, this.#encryption)),
    );
    if (typeof index !== "string") return index;
    this.#onNote(`The index of ${name} is not used: ${index}`);
    return undefined;
  }

  async remove(segment: number): Promise<void> {
    this.#checkUsable();
    this.#checkExists(segment, "remove");
    assert(segment !== this.#frontier.current?.segment, "the segment being written stays");
    await this.#changeManifest(({ segments }) => ({ segments: segments.filter((other) => other !== segment) }));
    this.#segments.delete(segment);
    await this.#readFiles.drain(segment);
    if (this.#failure === undefined) this.#frontier.giveBack(segment); // otherwise the next start deletes it
  }

  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#frontier.stopWaiting();
    await this.#last?.done.catch(() => {});
    await this.#frontier.giveBackAll();
    await this.abandon();
  }

  /** Lets go of everything that is open. */
  async abandon(): Promise<void> {
    this.#isClosing = true;
    await this.#frontier.abandon();
    await this.#readFiles.close();
    await this.#lock.release();
  }

  #segmentOf(position: number): number {
    return Math.floor(position / this.#segmentBytes);
  }

  #checkUsable(): void {
    if (this.#failure) throw this.#failure;
    if (this.#isClosing) throw new LogError("closed", "Cannot use the log: it has been closed");
  }

  #checkExists(segment: number, what: string): void {
    if (this.#segments.has(segment)) return;
    const file = segmentName(segment);
    throw new LogError("removed", `Cannot ${what} ${file}: the segment has been removed`, { file });
  }

  async #changeManifest(changesOf: (current: Manifest) => Partial<Manifest>): Promise<void> {
    try {
      await this.#manifest.change(changesOf);
    } finally {
      this.#failure ??= this.#manifest.uncertain;
    }
  }
}
