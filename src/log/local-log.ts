// The log on this machine's disk.
//
//   positions ───────────────────────────────────────────────────────────►
//   │ sealed, indexed │ sealed │ … │ current: records … end ▲ zeros │ spare: zeros │
//
// Invariants
//   - append() resolves after its bytes are on disk; pieces are written in order, each durable before the next begins.
//   - What lies behind the end, and all of the spare, is zeros: recovery tells the end from damage by it.
//   - The manifest names the spare before it is one, so moving on into it changes nothing but where the next write goes.
//   - After a failed write or sync of the log nothing more is accepted, not even on another descriptor.
import { assert } from "../base/assert.ts";
import { SEGMENT_HEADER_BYTES } from "../limits.ts";
import type { Disk, DiskFile, DiskLock } from "./disk.ts";
import { Encryption, type EncryptionOptions } from "./encryption.ts";
import { damaged, ioError, LogError } from "./errors.ts";
import type { Extent, Log, RecordCodec } from "./log.ts";
import { MANIFEST, type Manifest, ManifestFile, readManifest } from "./manifest.ts";
import { ReadFiles } from "./read-files.ts";
import { expectUnused, recover, SPARE_CHECKED_BYTES } from "./recovery.ts";
import { encodeHeader, encodeIndex, loadIndex, recordSeed, SPARE, segmentName, segmentOfName } from "./segment.ts";
import { SegmentReader } from "./segment-reader.ts";

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

interface Writable {
  readonly segment: number;
  readonly file: DiskFile;
}

const STEP_BYTES_MIN = 256 * 1024; // what one step of preparing a spare writes: an append waits for one at most
const STEP_BYTES_MAX = 4 * 1024 * 1024; // ... where records come so fast that all of them would wait for the spare
const ZEROS = new Uint8Array(STEP_BYTES_MAX);
const REMOVED_KEPT_MAX = 2; // files
const FREE_BYTES_MIN = 1024 * 1024; // left to the manifest, and to others, when a spare is made
const STAGING_KEPT_BYTES_MAX = 8 * 1024 * 1024;

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
    await log.start(current);
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
  #endPosition: number; // where the next append begins
  #current: Writable | undefined; // undefined only until started, and when the last segment is sealed
  #spare: Writable | undefined;
  #preparing: Promise<void> | undefined;
  #removed: number[] = []; // whose files are still there, to be used again; the manifest does not name them
  #givingBack: Promise<void> = Promise.resolve();
  #spareProblem: LogError | undefined; // why there is none; said once
  #appending: Promise<void> | undefined;
  #staging = new Uint8Array(64 * 1024);
  #failure: unknown;
  #isClosing = false; // accepts nothing new
  #isAbandoned = false; // finishes nothing either

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
    this.#endPosition = endPosition;
  }

  /** @param current the segment being written; undefined when the log has none yet */
  async start(current: number | undefined): Promise<void> {
    const end = Math.floor(this.#endPosition / this.#segmentBytes);
    if (current === undefined) {
      await this.#prepareSpare(undefined);
      await this.#roll();
    } else if (current === end) {
      this.#current = await this.#openWritable(current);
    }
    const next = this.#manifest.current.segments.at(-1);
    if (next !== undefined && !this.#segments.has(next)) {
      const spare = await this.#openWritable(next);
      if (this.#segmentBytes <= SPARE_CHECKED_BYTES) this.#spare = spare;
      else this.#preparing = this.#checkSpare(spare);
    }
    this.maintain();
  }

  /** The start has looked at the spare's front only: the rest must be zeros, too, before it is used. */
  async #checkSpare(spare: Writable): Promise<void> {
    const name = segmentName(spare.segment);
    try {
      const reader = new SegmentReader(spare.file, spare.segment, this.#segmentBytes);
      const offset = await attempt("check the next segment", name, () => reader.nextNonZero(SPARE_CHECKED_BYTES));
      if (offset !== undefined) {
        const text = `Cannot go on with the log: ${name} is damaged at offset ${offset}: there is something, though it was not begun`;
        throw new LogError("damaged", `${text}; restore the directory from a copy`, { file: name, offset });
      }
      this.#spare = spare;
    } catch (error) {
      this.#failure ??= error;
      await spare.file.close().catch(() => {});
    } finally {
      this.#preparing = undefined;
    }
  }

  get hasSpare(): boolean {
    return this.#spare !== undefined;
  }

  /** Resolves when the next segment is there, or cannot be prepared now. */
  async prepared(): Promise<void> {
    await this.#preparing;
  }

  get writableEnd(): number {
    const last = this.#spare?.segment ?? this.#current?.segment;
    return last === undefined ? this.#endPosition : (last + 1) * this.#segmentBytes;
  }

  get isFull(): boolean {
    return this.#spare === undefined && this.#spareProblem !== undefined;
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

  /**
   * To be called every few seconds: tries again to prepare the next segment after a full disk, and gives back the space
   * of removed segments that were not used again meanwhile.
   */
  maintain(): void {
    this.#prepareNext();
    if (this.#isClosing || this.#failure) return;
    for (const segment of this.#removed.splice(0))
      this.#givingBack = this.#givingBack.then(() => this.#unlink(segment));
  }

  #prepareNext(): void {
    if (this.#spare || this.#preparing || this.#isAbandoned || this.#failure) return;
    this.#preparing = this.#prepareInBackground(this.#removed.shift());
  }

  // The copy is made before the first await, so that the bytes may change from then on.
  async append(extents: readonly Extent[]): Promise<void> {
    this.#checkUsable();
    assert(this.#appending === undefined, "one append at a time");
    const appended = this.#write(this.#stage(extents)).catch((error: unknown) => {
      this.#failure ??= error;
      throw error;
    });
    const settled = () => {
      this.#appending = undefined;
    };
    this.#appending = appended.then(settled, settled);
    return appended;
  }

  /**
   * Copies the bytes, neighbours in one segment joined to one write, and encrypts them. All before anything is awaited: a
   * view on WebAssembly memory is detached when that memory grows, even while it is being written.
   */
  #stage(extents: readonly Extent[]): Extent[] {
    let sizeBytes = 0;
    for (const { bytes } of extents) sizeBytes += bytes.byteLength;
    let staging = this.#staging;
    if (sizeBytes > staging.byteLength) {
      staging = new Uint8Array(2 ** Math.ceil(Math.log2(sizeBytes)));
      if (staging.byteLength <= STAGING_KEPT_BYTES_MAX) this.#staging = staging;
    }
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
      staging.set(bytes, stagedBytes);
      stagedBytes += bytes.byteLength;
      end += bytes.byteLength;
      if (begins || writes.length === 0) writeStart = stagedBytes - bytes.byteLength;
      else writes.pop();
      writes.push({ position: end - (stagedBytes - writeStart), bytes: staging.subarray(writeStart, stagedBytes) });
    }
    for (const { position, bytes } of writes) this.#encryption.encrypt(bytes, position);
    return writes;
  }

  async #write(writes: readonly Extent[]): Promise<void> {
    const last = writes.at(-1);
    if (last === undefined) return;
    // A batch that cannot be written to its end is not begun.
    if (this.#segmentOf(last.position) !== this.#current?.segment) await this.#awaitSpare();
    for (const { position, bytes } of writes) {
      const segment = this.#segmentOf(position);
      if (segment !== this.#current?.segment) {
        await this.#awaitSpare();
        await this.#roll();
      }
      const current = this.#current;
      assert(current?.segment === segment, "the segment being written is the one the append goes to");
      const offset = position % this.#segmentBytes;
      try {
        await current.file.write(bytes, offset);
      } catch (error) {
        throw ioError(error, "append to the log", segmentName(segment), offset, "nothing more is written");
      }
      this.#endPosition = position + bytes.byteLength;
    }
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
    const bytes = encodeIndex(segment, isEncrypted ? this.#encryption.sealIndex(index) : index, isEncrypted);
    const name = segmentName(segment);
    await this.#readFiles.use(segment, async () => {
      const file = await attempt("write an index", name, () => this.#disk.open(name, "durable"));
      try {
        await file.write(bytes, this.#segmentBytes);
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
    assert(segment !== this.#current?.segment, "the segment being written stays");
    await this.#changeManifest(({ segments }) => ({ segments: segments.filter((other) => other !== segment) }));
    this.#segments.delete(segment);
    await this.#readFiles.drain(segment);
    // Its blocks are kept for a while: a spare that has them is made in less time, and on a full disk nobody else takes them.
    this.#removed.push(segment);
    if (this.#isClosing || this.#failure) return; // the next start deletes it
    this.#prepareNext();
    if (this.#removed.length > REMOVED_KEPT_MAX) await this.#unlink(this.#removed.shift() as number);
  }

  /** A failure is told, and no more: the next start tries again. */
  async #unlink(segment: number): Promise<void> {
    try {
      await this.#disk.unlink(segmentName(segment));
      await this.#disk.syncDirectory();
    } catch (error) {
      const { message } = ioError(error, "delete a removed segment", segmentName(segment));
      this.#onNote(`${message}; it is tried again at the next start`);
    }
  }

  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    await this.#appending;
    await this.#givingBack;
    for (const segment of this.#removed.splice(0)) await this.#unlink(segment);
    await this.abandon();
  }

  /** Lets go of everything that is open. */
  async abandon(): Promise<void> {
    this.#isClosing = true;
    this.#isAbandoned = true;
    await this.#preparing;
    await this.#givingBack;
    await this.#readFiles.close();
    await this.#current?.file.close().catch(() => {}); // all that was promised has been synced
    await this.#spare?.file.close().catch(() => {});
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

  async #openWritable(segment: number): Promise<Writable> {
    const name = segmentName(segment);
    return { segment, file: await attempt("open a segment for writing", name, () => this.#disk.open(name, "durable")) };
  }

  async #awaitSpare(): Promise<void> {
    await this.#preparing;
    if (this.#spare) return;
    const text = "Cannot append to the log: the segment is full and there is no next one";
    throw new LogError("noSpace", `${text}; ${this.#spareProblem?.message ?? "it was not prepared"}`);
  }

  /** Goes on in the spare. */
  async #roll(): Promise<void> {
    assert(this.#spare !== undefined, "there is a spare to go on in");
    const full = this.#current;
    this.#current = this.#spare;
    this.#spare = undefined;
    this.#segments.add(this.#current.segment);
    this.#prepareNext();
    await full?.file.close().catch(() => {}); // every write to it has been synced
  }

  /** @param recycled a removed segment, whose file is used again */
  async #prepareInBackground(recycled: number | undefined): Promise<void> {
    try {
      await this.#prepareSpare(recycled);
      if (this.#spareProblem) this.#onNote("There is room for the next segment again");
      this.#spareProblem = undefined;
    } catch (error) {
      if (!(error instanceof LogError)) this.#failure ??= error;
      else if (error.code !== "closed") {
        if (error.code !== this.#spareProblem?.code) this.#onNote(`${error.message}; it is tried again`);
        this.#spareProblem = error;
      }
    } finally {
      this.#preparing = undefined;
    }
  }

  async #prepareSpare(recycled: number | undefined): Promise<void> {
    const segment = (this.#manifest.current.segments.at(-1) ?? 0) + 1;
    const name = segmentName(segment);
    let writable: Writable | undefined;
    try {
      if (recycled !== undefined) await this.#disk.rename(segmentName(recycled), SPARE);
      await this.#fillSpare(segment, recycled !== undefined);
      await this.#disk.rename(SPARE, name);
      await this.#disk.syncDirectory();
      writable = await this.#openWritable(segment);
      await this.#changeManifest(({ segments }) => ({ segments: [...segments, segment] }));
    } catch (error) {
      await writable?.file.close().catch(() => {});
      // What the manifest may name stays; anything else gives its space back.
      if (!this.#manifest.uncertain) {
        for (const leftover of [SPARE, name]) await this.#disk.unlink(leftover).catch(() => {});
      }
      throw ioError(error, `prepare segment ${segment}`, SPARE);
    }
    this.#spare = writable;
  }

  /**
   * Header and zeros, durable, in the file `spare`, whatever that held.
   * @param isAllocated it was a segment and has its blocks
   */
  async #fillSpare(segment: number, isAllocated: boolean): Promise<void> {
    const { directory } = this.#disk;
    const unsized = await this.#disk.open(SPARE, "create");
    try {
      if (!isAllocated) {
        await unsized.truncate(0);
        const freeBytes = await this.#disk.freeBytes();
        const neededBytes = this.#segmentBytes + FREE_BYTES_MIN;
        if (freeBytes < neededBytes) {
          const text = `Cannot prepare segment ${segment}: ${freeBytes} bytes are free in ${directory}, ${neededBytes} are needed`;
          throw new LogError("noSpace", text, { file: SPARE });
        }
      }
      await unsized.truncate(this.#segmentBytes); // a step that does not change the size is on disk sooner
    } finally {
      await unsized.close();
    }
    const file = await this.#disk.open(SPARE, "durable");
    try {
      let stepBytes = STEP_BYTES_MIN;
      for (let offset = 0; offset < this.#segmentBytes; ) {
        if (this.#isAbandoned) throw new LogError("closed", "Cannot prepare a segment: the log is being closed");
        // It is to be ready when half of the current segment is used: sends are held back from two thirds on.
        const isLate = offset < 2 * (this.#endPosition % this.#segmentBytes);
        stepBytes = isLate ? Math.min(stepBytes * 2, STEP_BYTES_MAX) : Math.max(stepBytes / 2, STEP_BYTES_MIN);
        const step = ZEROS.subarray(0, Math.min(stepBytes, this.#segmentBytes - offset));
        await file.write(step, offset);
        offset += step.byteLength;
      }
      await file.write(encodeHeader(segment, this.#manifest.current), 0);
    } finally {
      await file.close();
    }
  }
}
