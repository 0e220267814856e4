// Where the log is written to: the segment of its end, the spare after it, and blocks on the disk for both.
//
//   │ current: records … end ▲ zeros ▲ hole │ spare: hole │      reserve: blocks
//                                zeroedTo
//
// A hole reads as zeros and has no blocks yet: a segment is made of one in no time, and to write into it takes half as long
// again as into zeros that were written before, and up to twice as long. So zeros go ahead of all but large writes: a few MiB
// where not much is written, and where more is, to the end of the spare. For while zeros are written into a hole, an append to
// the same file waits; the spare has all of them before its first append. Large writes find holes: nothing is written twice
// that comes by the megabyte.
//
// A removed segment becomes the spare, unless writes are large: it has its blocks.
//
// Invariants
//   - The manifest names the spare before it is one; all behind the end, and all of the spare, reads as zeros.
//   - What lies between the end and zeroedTo has its blocks. Beyond it, the reserve stands for those of a segment: without
//     one, the log can be written to as far as zeroedTo, and no further.
//   - A write that finds no block waits, with its acknowledgement: what the log keeps for that is given up, then it is
//     tried again, whole, whenever there may be space. Sends are refused meanwhile, by whoever asks writableEnd.
//   - Zeros never go where an append is written, or was.
//   - Appends, those beside them and zeros have files of their own: the system tells of a page of its cache that it could not write
//     once for each time a file was opened, to whoever asks first. With one file, that might be the append, of zeros. And some
//     file systems write through the cache what is to go past it, and say nothing.
//   - All go past the cache, or all through it: no block is in it that has yet to be written, when one is written past it.
import { assert } from "../base/assert.ts";
import { SEGMENT_HEADER_BYTES } from "../limits.ts";
import type { Disk, DiskFile } from "./disk.ts";
import { ioError, LogError } from "./errors.ts";
import type { ManifestFile } from "./manifest.ts";
import { SPARE_CHECKED_BYTES } from "./recovery.ts";
import { Reserve } from "./reserve.ts";
import { encodeHeader, SPARE, segmentName } from "./segment.ts";
import { SegmentReader } from "./segment-reader.ts";
import { fillWithZeros, ZEROS } from "./zeros.ts";

export interface Writable {
  readonly segment: number;
  readonly files: readonly [DiskFile, DiskFile]; // for appends; the second, while one is written to the first
  readonly zeros: DiskFile; // for zeros
  readonly isZeroed: boolean; // it has all its blocks
}

/** Ahead of the end, where not much is written: more than comes in while a step of them is written. */
const ZEROED_BYTES = 4 * 1024 * 1024;
/**
 * From one maintain() to the next: then all of what can be written to is zeroed ahead. Where less is written, so many zeros
 * in one row are what messages wait for when a segment begins: at 5,000 a second, three rounds of 20 s each, 1.1 to 34 ms at p99
 * and 4 to 106 at p99.9, and 125 at the longest; 1.1 to 1.2, 4 and 11 without.
 */
const BUSY_BYTES = 8 * 1024 * 1024;
/** Writes that are longer on average find holes. */
const LARGE_WRITE_BYTES = 256 * 1024;
const REMOVED_KEPT_MAX = 1; // file: where as much is removed as is written, the next one comes with the next segment
/** So long it is kept: at 5,000 messages a second a segment is filled in half a minute. */
const KEPT_MAINTAINS = 60;
const FREE_BYTES_MIN = 1024 * 1024; // left to the manifest, and to others, when a file is made

/** A segment that the manifest does not name any more, and whose file is still there to be used again. */
interface Removed {
  readonly segment: number;
  maintains: number; // that there were since
}

export class Frontier {
  readonly #disk: Disk;
  readonly #manifest: ManifestFile;
  readonly #segmentBytes: number;
  readonly #reserve: Reserve;
  readonly #onNote: (text: string) => void;
  /** After this nothing may be written any more. */
  readonly #onFailure: (error: unknown) => void;
  /** More can be written than before, or less. */
  onChange: (() => void) | undefined;

  #current: Writable | undefined; // undefined only until started, and when the last segment is sealed
  #spare: Writable | undefined;
  #zeroedTo: number;
  #maintainedEnd: number; // of the log at the last maintain()
  #wasBusy = false; // between that and the one before
  #appendEnd: number; // behind all that has been written, or is being written
  #meanWriteBytes = 0;
  readonly #inUse = new Set<DiskFile>(); // by an append
  #zeroing: { readonly from: number; readonly done: Promise<void> } | undefined; // the step under way
  #isDry = false; // the last step found no block
  #providing: Promise<void> | undefined;
  #looks = false; // for space on the disk, when it provides next
  #removed: Removed[] = []; // oldest first
  #givingBack: Promise<void> = Promise.resolve();
  #problem: LogError | undefined; // why there is no space; said once
  #reserveProblem: string | undefined;
  #waiting: (() => void)[] = []; // for space
  #isClosing = false; // takes up nothing new, and waits for no space
  #isStopped = false; // finishes nothing either

  constructor(
    disk: Disk,
    manifest: ManifestFile,
    endPosition: number,
    onNote: (text: string) => void,
    onFailure: (error: unknown) => void,
  ) {
    this.#disk = disk;
    this.#manifest = manifest;
    this.#segmentBytes = manifest.current.segmentBytes;
    this.#reserve = new Reserve(disk, this.#segmentBytes);
    this.#onNote = onNote;
    this.#onFailure = onFailure;
    this.#zeroedTo = endPosition; // of what lies behind it, nobody knows
    this.#maintainedEnd = endPosition;
    this.#appendEnd = endPosition;
  }

  /**
   * @param current the segment of the end, unless that is still to be begun
   * @param spare the one after it, if there is one
   */
  async start(current: number | undefined, spare: number | undefined): Promise<void> {
    await this.#reserve.find();
    if (this.#manifest.current.segments.length === 0) {
      await this.#makeSpare();
      await this.roll();
    }
    if (current !== undefined) this.#current = await this.#openWritable(current, false);
    // What is asked first does not wait for the reserve.
    if (!this.#reserve.isThere && this.#current !== undefined && this.#wantsZeros) await this.#zeroStep();
    if (spare !== undefined) {
      const opened = await this.#openWritable(spare, false);
      if (this.#segmentBytes <= SPARE_CHECKED_BYTES) this.#spare = opened;
      else this.#providing = this.#checkSpare(opened);
    }
    this.#provide(true);
  }

  /** The start has looked at the spare's front only: the rest must be zeros, too, before it is used. */
  async #checkSpare(spare: Writable): Promise<void> {
    const name = segmentName(spare.segment);
    try {
      const offset = await attempt("check the next segment", name, async () => {
        const file = await this.#disk.open(name, "read");
        try {
          return await new SegmentReader(file, spare.segment, this.#segmentBytes).nextNonZero(SPARE_CHECKED_BYTES);
        } finally {
          await file.close();
        }
      });
      if (offset !== undefined) {
        const text = `Cannot go on with the log: ${name} is damaged at offset ${offset}: there is something, though it was not begun`;
        throw new LogError("damaged", `${text}; restore the directory from a copy`, { file: name, offset });
      }
      this.#spare = spare;
    } catch (error) {
      this.#isStopped = true;
      this.#onFailure(error);
      await closeWritable(spare);
    } finally {
      this.#providing = undefined;
    }
    this.#changed();
    this.#provide(true);
  }

  get current(): Writable | undefined {
    return this.#current;
  }

  /** True while all of the spare can be written to. */
  get hasSpare(): boolean {
    return this.#spare !== undefined && this.writableEnd === this.#end;
  }

  get writableEnd(): number {
    return this.#reserve.isThere ? this.#end : Math.min(this.#end, Math.max(this.#zeroedTo, this.#appendEnd));
  }

  /** Of the last segment that is there. */
  get #end(): number {
    const last = this.#spare ?? this.#current;
    return last === undefined ? this.#appendEnd : (last.segment + 1) * this.#segmentBytes;
  }

  get isFull(): boolean {
    return this.#problem !== undefined;
  }

  // --- writing --------------------------------------------------------------------------------------------------

  /** From here on no zeros go where the append is written to. @param end behind it */
  beginAppend(end: number, sizeBytes: number): void {
    this.#appendEnd = end;
    this.#meanWriteBytes += (sizeBytes - this.#meanWriteBytes) / 8;
  }

  /**
   * Writes whole blocks to the segment being written, two such writes at a time at most; waits for space as long as it takes.
   * @throws what the disk says; LogError "noSpace" when closing
   */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    const { segment, files } = this.#current as Writable;
    assert(segment === this.#segmentOf(position), "the segment being written is the one the append goes to");
    const end = position + bytes.byteLength;
    if (this.#zeroing !== undefined && this.#zeroing.from < end) await this.#zeroing.done;
    const file = this.#inUse.has(files[0]) ? files[1] : files[0];
    assert(!this.#inUse.has(file), "two appends are written at a time, at most");
    this.#inUse.add(file);
    try {
      await this.#writeTo(file, segment, bytes, position);
    } finally {
      this.#inUse.delete(file);
    }
    this.#zeroedTo = Math.max(this.#zeroedTo, end);
  }

  async #writeTo(file: DiskFile, segment: number, bytes: Uint8Array, position: number): Promise<void> {
    for (;;) {
      try {
        await file.write(bytes, position % this.#segmentBytes);
        return;
      } catch (cause) {
        const errorOf = (consequence?: string) =>
          ioError(cause, "append to the log", segmentName(segment), position % this.#segmentBytes, consequence);
        // Nothing of it has been acknowledged, and all of it is written again: a page that the disk had no room for may
        // count as clean in memory.
        if (errorOf().code !== "noSpace" || !(await this.#waitForSpace(errorOf())))
          throw errorOf("nothing more is written");
      }
    }
  }

  appended(): void {
    this.#provide(false);
  }

  /** Goes on in the spare. */
  async roll(): Promise<void> {
    await this.awaitSpare();
    const full = this.#current;
    this.#current = this.#spare;
    this.#spare = undefined;
    this.#provide(true);
    if (full !== undefined) await closeWritable(full); // every write to it has been synced
  }

  /** Resolves when all is ready that can be. */
  async prepared(): Promise<void> {
    while (this.#providing !== undefined) await this.#providing;
  }

  async awaitSpare(): Promise<void> {
    while (this.#spare === undefined && this.#providing !== undefined) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (this.#spare !== undefined) return;
    const text = "Cannot append to the log: the segment is full and there is no next one";
    throw new LogError("noSpace", `${text}; ${this.#problem?.message ?? "it was not prepared"}`);
  }

  // --- space ----------------------------------------------------------------------------------------------------

  /** @returns false when it is not to be waited for any more */
  async #waitForSpace(error: LogError): Promise<boolean> {
    if (await this.#findSpace(error)) return true;
    if (this.#isClosing) return false;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return !this.#isClosing;
  }

  /** A write has found no block. @returns whether there may be some now */
  async #findSpace(error: LogError): Promise<boolean> {
    this.#tell(error);
    let isFound = true;
    if (this.#reserve.isThere) await this.#reserve.giveUp();
    else if (this.#removed.length > 0) await this.#unlink((this.#removed.shift() as Removed).segment);
    else isFound = false;
    // Otherwise those that wait would wake one another for ever, each with its own failure.
    if (isFound) this.#wake();
    this.onChange?.();
    this.#provide(false);
    return isFound;
  }

  #tell(error: LogError): void {
    if (error.code !== this.#problem?.code) this.#onNote(`${error.message}; it is tried again`);
    this.#problem = error;
    this.onChange?.();
  }

  #changed(): void {
    this.#wake();
    this.onChange?.();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /**
   * To be called every second or so: looks for space again, and gives back that of removed segments which were not used
   * again for a while.
   */
  maintain(): void {
    this.#wasBusy = this.#appendEnd - this.#maintainedEnd >= BUSY_BYTES;
    this.#maintainedEnd = this.#appendEnd;
    this.#provide(true);
    this.#wake();
    if (this.#isClosing || this.#isStopped) return;
    for (const removed of this.#removed) removed.maintains++;
    while (this.#removed[0] !== undefined && this.#removed[0].maintains >= KEPT_MAINTAINS) this.#giveBackOldest();
  }

  /** The file of a segment that the manifest does not name any more: it may be the next one; on a full disk nobody else takes its blocks. */
  giveBack(segment: number): void {
    this.#removed.push({ segment, maintains: 0 });
    if (this.#isClosing || this.#isStopped) return; // the next start deletes it
    this.#provide(true);
    if (this.#removed.length > REMOVED_KEPT_MAX) this.#giveBackOldest();
    this.#wake();
  }

  /** In the background, one after another. */
  #giveBackOldest(): void {
    const { segment } = this.#removed.shift() as Removed;
    this.#givingBack = this.#givingBack.then(() => this.#unlink(segment));
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

  // --- getting ready --------------------------------------------------------------------------------------------

  /** In the background, whatever is not ready. @param looks for space on the disk, too */
  #provide(looks: boolean): void {
    this.#looks ||= looks;
    if (this.#providing !== undefined || this.#isStopped) return;
    if (this.#looks || this.#wantsZeros) this.#providing = Promise.resolve().then(() => this.#provideAll());
  }

  async #provideAll(): Promise<void> {
    try {
      for (;;) {
        if (this.#isStopped) return;
        if (this.#looks) {
          this.#looks = false;
          this.#isDry = false;
          await this.#makeFiles();
        } else if (this.#wantsZeros) await this.#zeroStep();
        else return;
        if (this.#problem !== undefined && this.hasSpare && !this.#isDry) {
          this.#problem = undefined;
          this.#onNote("There is room for the next segment again");
          this.#changed();
        }
      }
    } catch (error) {
      this.#isStopped = true;
      this.#onFailure(error);
    } finally {
      this.#providing = undefined;
      this.#wake();
    }
  }

  async #makeFiles(): Promise<void> {
    if (this.#spare === undefined) {
      try {
        await this.#makeSpare();
        this.#changed();
      } catch (error) {
        if (!(error instanceof LogError) || this.#manifest.uncertain) throw error;
        if (error.code !== "closed") this.#tell(error);
      }
    }
    if (this.#reserve.isThere || this.#isStopped) return;
    try {
      const isShort = this.#problem?.code === "noSpace";
      const recycled = isShort && this.#spare !== undefined ? await this.#takeRemoved() : undefined;
      const file = recycled === undefined ? undefined : segmentName(recycled);
      await this.#reserve.make(this.#holeBytes + FREE_BYTES_MIN, file, () => this.#isStopped);
      this.#reserveProblem = undefined;
      this.#changed();
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      // Without it the log goes on: whatever is to be written to gets its blocks beforehand.
      const isNews = error.code !== "noSpace" && error.code !== "closed" && error.code !== this.#reserveProblem;
      if (isNews) this.#onNote(`${error.message}; it is tried again`);
      this.#reserveProblem = error.code;
    }
  }

  /** What may be written to and has no blocks. */
  get #holeBytes(): number {
    return this.#end - Math.max(this.#zeroedTo, this.#appendEnd);
  }

  async #makeSpare(): Promise<void> {
    const segment = (this.#manifest.current.segments.at(-1) ?? 0) + 1;
    const name = segmentName(segment);
    let writable: Writable | undefined;
    try {
      const recycled = await this.#roomFor(segment);
      if (recycled !== undefined) await this.#disk.rename(segmentName(recycled), SPARE);
      const unsized = await this.#disk.open(SPARE, "create");
      try {
        if (recycled === undefined) await unsized.truncate(0);
        await unsized.truncate(this.#segmentBytes);
        await unsized.sync();
      } finally {
        await unsized.close();
      }
      if (recycled !== undefined) await fillWithZeros(this.#disk, SPARE, this.#segmentBytes, () => this.#isStopped);
      const file = await this.#disk.open(SPARE, "durable");
      try {
        await file.write(encodeHeader(segment, this.#manifest.current), 0);
      } finally {
        await file.close();
      }
      await this.#disk.rename(SPARE, name);
      await this.#disk.syncDirectory();
      writable = await this.#openWritable(segment, recycled !== undefined);
      await this.#manifest.change(({ segments }) => ({ segments: [...segments, segment] }));
    } catch (error) {
      if (writable !== undefined) await closeWritable(writable);
      // What the manifest may name stays; anything else gives its space back.
      if (!this.#manifest.uncertain) {
        for (const leftover of [SPARE, name]) await this.#disk.unlink(leftover).catch(() => {});
      }
      throw ioError(error, `prepare segment ${segment}`, SPARE);
    }
    this.#spare = writable;
  }

  /** @returns the removed segment that it is to be made of; undefined: a hole. @throws LogError "noSpace" */
  async #roomFor(segment: number): Promise<number | undefined> {
    const removed = this.#hasLargeWrites ? undefined : await this.#takeRemoved();
    if (removed !== undefined) return removed;
    const { directory } = this.#disk;
    const freeBytes = await this.#disk.freeBytes();
    const neededBytes = this.#segmentBytes + this.#holeBytes + FREE_BYTES_MIN;
    if (freeBytes >= neededBytes) return undefined;
    const recycled = await this.#takeRemoved();
    if (recycled !== undefined) return recycled;
    const text = `Cannot prepare segment ${segment}: ${freeBytes} bytes are free in ${directory}, ${neededBytes} are needed`;
    throw new LogError("noSpace", text, { file: SPARE });
  }

  /** A removed segment whose file is to be written over. One that has another name is somebody's copy, which stays as it is. */
  async #takeRemoved(): Promise<number | undefined> {
    for (;;) {
      const segment = this.#removed.shift()?.segment;
      if (segment === undefined) return undefined;
      const name = segmentName(segment);
      if (!(await attempt("look at a removed segment", name, () => this.#disk.isLinked(name)))) return segment;
      await this.#unlink(segment);
    }
  }

  /** Where the next zeros go. */
  get #zeroFrom(): number {
    const from = Math.ceil(Math.max(this.#zeroedTo, this.#appendEnd) / SEGMENT_HEADER_BYTES) * SEGMENT_HEADER_BYTES;
    return from % this.#segmentBytes === 0 ? from + SEGMENT_HEADER_BYTES : from;
  }

  get #wantsZeros(): boolean {
    const from = this.#zeroFrom;
    const end = this.#end;
    if (this.#isDry || from >= end) return false;
    if (!this.#reserve.isThere || this.#problem !== undefined) return true;
    if (this.#hasLargeWrites) return false;
    return this.#isBusy || from + ZEROS.byteLength <= this.#appendEnd + ZEROED_BYTES;
  }

  get #isBusy(): boolean {
    return this.#wasBusy || this.#appendEnd - this.#maintainedEnd >= BUSY_BYTES;
  }

  get #hasLargeWrites(): boolean {
    return this.#meanWriteBytes > LARGE_WRITE_BYTES;
  }

  async #zeroStep(): Promise<void> {
    // A start takes one of its own, so that what is asked first does not wait for the reserve.
    if (this.#zeroing !== undefined) return this.#zeroing.done;
    const from = this.#zeroFrom;
    const segment = this.#segmentOf(from);
    const writable = segment === this.#current?.segment ? this.#current : this.#spare;
    assert(writable?.segment === segment, "zeros go to a segment that can be written to");
    const end = (segment + 1) * this.#segmentBytes;
    if (writable.isZeroed && from % this.#segmentBytes === SEGMENT_HEADER_BYTES) {
      this.#zeroedTo = end;
    } else {
      const step = ZEROS.subarray(0, end - from);
      let error: unknown;
      const done = writable.zeros.write(step, from % this.#segmentBytes).catch((cause: unknown) => {
        error = ioError(cause, "write zeros ahead", segmentName(segment), from % this.#segmentBytes);
      });
      this.#zeroing = { from, done };
      await done;
      this.#zeroing = undefined;
      if (error instanceof LogError) {
        if (error.code !== "noSpace") throw error;
        if (!(await this.#findSpace(error))) this.#isDry = true;
        return;
      }
      this.#zeroedTo = Math.max(this.#zeroedTo, from + step.byteLength);
    }
    if (!this.#reserve.isThere) this.#changed();
  }

  // --- the end --------------------------------------------------------------------------------------------------

  /** From here on a write that finds no space fails. */
  stopWaiting(): void {
    this.#isClosing = true;
    this.#wake();
  }

  async giveBackAll(): Promise<void> {
    await this.#givingBack;
    for (const { segment } of this.#removed.splice(0)) await this.#unlink(segment);
  }

  /** Lets go of everything that is open. */
  async abandon(): Promise<void> {
    this.stopWaiting();
    this.#isStopped = true;
    await this.prepared();
    await this.#givingBack;
    // All that was promised has been synced.
    for (const writable of [this.#current, this.#spare]) if (writable !== undefined) await closeWritable(writable);
  }

  #segmentOf(position: number): number {
    return Math.floor(position / this.#segmentBytes);
  }

  async #openWritable(segment: number, isZeroed: boolean): Promise<Writable> {
    const name = segmentName(segment);
    return attempt("open a segment for writing", name, async () => {
      const opened: DiskFile[] = [];
      try {
        for (let i = 0; i < 3; i++) opened.push(await this.#disk.open(name, "blocks"));
      } catch (error) {
        for (const file of opened) await file.close().catch(() => {});
        throw error;
      }
      const [first, second, zeros] = opened as [DiskFile, DiskFile, DiskFile];
      return { segment, files: [first, second], zeros, isZeroed };
    });
  }
}

async function closeWritable({ files, zeros }: Writable): Promise<void> {
  for (const open of [...files, zeros]) await open.close().catch(() => {});
}

async function attempt<T>(what: string, file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw ioError(error, what, file);
  }
}
