// What a bare server does for the disk: bytes are gathered while those before them sync, and whoever waits for them is told
// once they are there. What it has told of it keeps, file after file, each written once; or it overwrites one file of
// blocks that were written before, which is quicker, and keeps the last 64 MiB only. Small writes it makes itself where the
// disk is quick, by the same rule as the broker: else that would be ahead by what a thread pool costs.
import { close, closeSync, constants, fsync, fsyncSync, ftruncate, open, openSync, write, writeSync } from "node:fs";
import { PromptWrites } from "../src/log/prompt-writes.ts";

const FILE_BYTES = 64 * 1024 * 1024;
const PIECE_BYTES = 1024 * 1024;

function openPrewritten(path: string): number {
  const zeros = Buffer.alloc(PIECE_BYTES);
  const prepared = openSync(path, "w");
  for (let at = 0; at < FILE_BYTES; at += PIECE_BYTES) writeSync(prepared, zeros);
  fsyncSync(prepared);
  closeSync(prepared);
  return openSync(path, constants.O_WRONLY | constants.O_DSYNC);
}

/**
 * A file with its size and no blocks yet. Measured: as quick for single messages as one that was written with zeros in the
 * background, and quicker for tens.
 */
function openSparse(path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const settle = (error: Error | null, then: () => void): void => (error ? reject(error) : then());
    open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_DSYNC, (error, file) =>
      settle(error, () =>
        ftruncate(file, FILE_BYTES, (cut) =>
          settle(cut, () => fsync(file, (sync) => settle(sync, () => resolve(file)))),
        ),
      ),
    );
  });
}

export class GroupCommit {
  readonly #path: string;
  readonly #promptWrites = new PromptWrites();
  #file: number | undefined;
  #next: Promise<number> | undefined; // the file behind this one
  #fileCount = 0;
  #gathering: Buffer;
  #syncing: Buffer;
  #gatheredBytes = 0;
  #filePosition = 0;
  #waiting: (() => void)[] = [];
  #busy = false;
  #scheduled = false;

  /** @param gatherBytes what may come in while a write is under way. @param keeps all of it, or the last 64 MiB */
  constructor(path: string, gatherBytes: number, keeps: boolean) {
    this.#path = path;
    if (keeps) this.#prepare();
    else this.#file = openPrewritten(path);
    this.#gathering = Buffer.alloc(gatherBytes);
    this.#syncing = Buffer.alloc(gatherBytes);
  }

  #prepare(): void {
    this.#next = openSparse(`${this.#path}-${this.#fileCount++}`);
  }

  /** So many bytes that begin with the text. */
  addText(text: string, bytes: number): void {
    this.#gathering.write(text, this.#gatheredBytes, "latin1");
    this.#gatheredBytes += bytes;
  }

  addBytes(bytes: Uint8Array): void {
    this.#gathering.set(bytes, this.#gatheredBytes);
    this.#gatheredBytes += bytes.byteLength;
  }

  /** Bytes of no matter what. */
  addSize(bytes: number): void {
    this.#gatheredBytes += bytes;
  }

  /** Sees to it that what was added goes to disk. */
  commit(onDisk?: () => void): void {
    if (onDisk !== undefined) this.#waiting.push(onDisk);
    if (this.#busy || this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#begin());
  }

  #begin(): void {
    this.#scheduled = false;
    if (this.#busy || this.#gatheredBytes === 0) return;
    this.#busy = true;
    const isOver = this.#filePosition + this.#gatheredBytes > FILE_BYTES;
    if (this.#file !== undefined && !isOver) this.#write(this.#file);
    else if (this.#next === undefined) this.#overwrite();
    else void this.#next.then((file) => this.#goOn(file));
  }

  #overwrite(): void {
    this.#filePosition = 0;
    this.#write(this.#file as number); // there is one file, which was opened at once
  }

  #goOn(file: number): void {
    if (this.#file !== undefined) close(this.#file);
    this.#file = file;
    this.#filePosition = 0;
    this.#prepare();
    this.#write(file);
  }

  #write(file: number): void {
    const answers = this.#waiting;
    const sizeBytes = this.#gatheredBytes;
    this.#waiting = [];
    this.#gatheredBytes = 0;
    [this.#gathering, this.#syncing] = [this.#syncing, this.#gathering];
    const written = (error: Error | null): void => {
      if (error) throw error;
      this.#filePosition += sizeBytes;
      this.#busy = false;
      for (const answer of answers) answer();
      this.#begin();
    };
    if (this.#promptWrites.admits(sizeBytes)) {
      const startMs = performance.now();
      writeSync(file, this.#syncing, 0, sizeBytes, this.#filePosition);
      this.#promptWrites.took(performance.now() - startMs);
      written(null);
    } else write(file, this.#syncing, 0, sizeBytes, this.#filePosition, written);
  }
}
