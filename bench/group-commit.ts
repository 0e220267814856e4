// What a bare server does for the disk: bytes are gathered while those before them sync, in a file of blocks that were
// written before, and whoever waits for them is told once they are there.
import { closeSync, constants, fsyncSync, openSync, write, writeSync } from "node:fs";

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

export class GroupCommit {
  readonly #file: number;
  #gathering: Buffer;
  #syncing: Buffer;
  #gatheredBytes = 0;
  #filePosition = 0;
  #waiting: (() => void)[] = [];
  #busy = false;
  #scheduled = false;

  /** @param gatherBytes what may come in while a write is under way */
  constructor(path: string, gatherBytes: number) {
    this.#file = openPrewritten(path);
    this.#gathering = Buffer.alloc(gatherBytes);
    this.#syncing = Buffer.alloc(gatherBytes);
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
    setImmediate(() => this.#write());
  }

  #write(): void {
    this.#scheduled = false;
    if (this.#busy || this.#gatheredBytes === 0) return;
    this.#busy = true;
    const answers = this.#waiting;
    const sizeBytes = this.#gatheredBytes;
    this.#waiting = [];
    this.#gatheredBytes = 0;
    [this.#gathering, this.#syncing] = [this.#syncing, this.#gathering];
    if (this.#filePosition + sizeBytes > FILE_BYTES) this.#filePosition = 0;
    write(this.#file, this.#syncing, 0, sizeBytes, this.#filePosition, (error) => {
      if (error) throw error;
      this.#filePosition += sizeBytes;
      this.#busy = false;
      for (const answer of answers) answer();
      this.#write();
    });
  }
}
