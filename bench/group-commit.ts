// What a bare server does for the disk: bytes are gathered while those before them sync, and whoever waits for them is told
// once they are there. What it has told of it keeps, file after file, each written once. It writes with what the broker's
// log writes with: past the system's cache in whole blocks, small writes on the event loop where the disk is quick, and
// into zeros that were written ahead where writes are small. Else the broker would be ahead by how it writes.
//
//   buffer   0        lead            end
//            ├────────┼───────────────┼───────┤
//            │ before │ gathered      │ zeros │   whole blocks
//
// `before` is what the last write left in a block that it did not fill: that is written once more.
import { basename, dirname } from "node:path";
import { alignedBytes, BLOCK_BYTES, blockCeil, blockFloor } from "../src/log/blocks.ts";
import type { DiskFile } from "../src/log/disk.ts";
import { NodeDisk } from "../src/log/node-disk.ts";
import { fillWithZeros } from "../src/log/zeros.ts";

const FILE_BYTES = 64 * 1024 * 1024;
/** Larger writes go into holes: to find blocks for them costs less than to write twice. */
const SMALL_BYTES = 512 * 1024;
const MEAN_OF_WRITES = 16;
const RECEIVED_MS = 4;

export class GroupCommit {
  readonly #disk: NodeDisk;
  readonly #zeros: NodeDisk; // whose large writes say nothing of how small the others are
  readonly #name: string;
  #file: DiskFile | undefined;
  #next: Promise<DiskFile>; // the file behind this one
  #fileCount = 0;
  #meanBytes = 0; // of a write
  #gathering: Buffer;
  #writing: Buffer;
  #leadBytes = 0; // of the buffer that gathers, what is on disk already
  #endBytes = 0; // of the buffer that gathers
  #filePosition = 0; // of what that buffer begins with; whole blocks
  #waiting: (() => void)[] = [];
  #isBusy = false;
  #isScheduled = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param gatherBytes what may come in while a write is under way */
  constructor(path: string, gatherBytes: number) {
    this.#disk = new NodeDisk(dirname(path));
    this.#zeros = new NodeDisk(dirname(path));
    this.#name = basename(path);
    this.#next = this.#prepare();
    this.#gathering = Buffer.from(alignedBytes(gatherBytes + BLOCK_BYTES).buffer);
    this.#writing = Buffer.from(alignedBytes(gatherBytes + BLOCK_BYTES).buffer);
  }

  async #prepare(): Promise<DiskFile> {
    const name = `${this.#name}-${this.#fileCount++}`;
    const made = await this.#disk.open(name, "create");
    await made.truncate(FILE_BYTES);
    await made.sync();
    await made.close();
    if (this.#meanBytes < SMALL_BYTES) await fillWithZeros(this.#zeros, name, FILE_BYTES, () => false);
    return this.#disk.open(name, "blocks");
  }

  /** So many bytes that begin with the text. */
  addText(text: string, bytes: number): void {
    this.#gathering.write(text, this.#endBytes, "latin1");
    this.#endBytes += bytes;
  }

  addBytes(bytes: Uint8Array): void {
    this.#gathering.set(bytes, this.#endBytes);
    this.#endBytes += bytes.byteLength;
  }

  /** Bytes of no matter what. */
  addSize(bytes: number): void {
    this.#endBytes += bytes;
  }

  /** Sees to it that what was added goes to disk. */
  commit(onDisk: () => void): void {
    this.#waiting.push(onDisk);
    if (this.#isBusy || this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#begin();
    });
  }

  /** The same, for what nobody waits for: with what comes next, or in a while, as the broker's receives. */
  commitSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#begin();
    }, RECEIVED_MS);
  }

  #begin(): void {
    if (this.#isBusy || this.#endBytes === this.#leadBytes) return;
    this.#isBusy = true;
    void this.#write();
  }

  async #write(): Promise<void> {
    if (this.#file === undefined || this.#filePosition + blockCeil(this.#endBytes) > FILE_BYTES) await this.#goOn();
    const bytes = this.#gathering;
    const end = this.#endBytes;
    const filled = blockFloor(end);
    const sizeBytes = blockCeil(end);
    const position = this.#filePosition;
    const answers = this.#waiting;
    bytes.fill(0, end, sizeBytes);
    bytes.copy(this.#writing, 0, filled, end);
    this.#gathering = this.#writing;
    this.#writing = bytes;
    this.#leadBytes = end - filled;
    this.#endBytes = this.#leadBytes;
    this.#filePosition += filled;
    this.#waiting = [];
    this.#meanBytes += (sizeBytes - this.#meanBytes) / MEAN_OF_WRITES;
    await (this.#file as DiskFile).write(bytes.subarray(0, sizeBytes), position);
    this.#isBusy = false;
    for (const answer of answers) answer();
    if (this.#waiting.length > 0) this.#begin();
    else if (this.#endBytes > this.#leadBytes) this.commitSoon();
  }

  /** To be called when nothing is under way. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#file?.close();
    await (await this.#next).close();
  }

  /** In the next file, which begins as the last block of this one. */
  async #goOn(): Promise<void> {
    const last = this.#file;
    this.#file = await this.#next;
    this.#filePosition = 0;
    this.#next = this.#prepare();
    await last?.close();
  }
}
