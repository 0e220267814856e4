// The audit log on disk, or on standard output: lines are appended in the order in which they came, and nobody waits for
// them.
import { closeSync, fstatSync, openSync, renameSync, type Stats, statSync, write } from "node:fs";
import type { AuditSink } from "./audit.ts";

const FILE_BYTES_MAX = 64 * 1024 * 1024; // then it goes on in a new one, and the one before is kept beside it
const STEP_MS = 5;
/** Whoever should read the lines and does not: a stop waits no longer. */
const CLOSING_MS_MAX = 3_000;
/** For standard output, which is neither moved nor closed. */
export const STANDARD_OUTPUT = "-";
const WAITING_BYTES_MAX = 8 * 1024 * 1024;

export class AuditFile implements AuditSink {
  readonly #path: string | undefined; // undefined: standard output
  readonly #onTrouble: (text: string) => void;
  readonly #bytesMax: number;
  #file: number;
  #sizeBytes: number;
  #waiting: string[] = [];
  #waitingBytes = 0;
  #lost = 0;
  #isWriting = false;

  /** @throws Error when the file cannot be opened: who wants a log must not believe that there is one */
  constructor(path: string, onTrouble: (text: string) => void, bytesMax = FILE_BYTES_MAX) {
    this.#path = path === STANDARD_OUTPUT ? undefined : path;
    this.#onTrouble = onTrouble;
    this.#bytesMax = bytesMax;
    try {
      this.#file = this.#path === undefined ? process.stdout.fd : openSync(path, "a", 0o600);
    } catch (error) {
      throw new Error(`Cannot open the audit log ${path}: ${error instanceof Error ? error.message : String(error)}`);
    }
    this.#sizeBytes = this.#path === undefined ? 0 : fstatSync(this.#file).size;
  }

  write(line: string): void {
    const sizeBytes = Buffer.byteLength(line);
    if (this.#waitingBytes + sizeBytes > WAITING_BYTES_MAX) {
      this.#lost++;
      return;
    }
    this.#waiting.push(line);
    this.#waitingBytes += sizeBytes;
    if (!this.#isWriting) this.#next();
  }

  /** Resolves when what was still here is written. */
  async close(): Promise<void> {
    const endMs = performance.now() + CLOSING_MS_MAX;
    while (this.#isWriting && performance.now() < endMs) await new Promise((later) => setTimeout(later, STEP_MS));
    if (this.#isWriting) {
      this.#onTrouble("The end of the audit log is lost: nobody takes it");
      return;
    }
    try {
      if (this.#path !== undefined) closeSync(this.#file);
    } catch (error) {
      this.#trouble(error);
    }
  }

  #next(): void {
    if (this.#waiting.length === 0) return;
    if (this.#path !== undefined) this.#follow(this.#path);
    const bytes = Buffer.from(this.#waiting.join(""));
    this.#waiting = [];
    this.#waitingBytes = bytes.byteLength; // until they are written
    this.#isWriting = true;
    this.#put(bytes);
  }

  #put(bytes: Buffer): void {
    write(this.#file, bytes, (error, writtenBytes) => {
      // A pipe that is full, and does not block.
      if (error?.code === "EAGAIN") {
        setTimeout(() => this.#put(bytes), STEP_MS);
        return;
      }
      this.#sizeBytes += error === null ? writtenBytes : 0;
      if (error === null && writtenBytes < bytes.byteLength) {
        this.#put(bytes.subarray(writtenBytes));
        return;
      }
      this.#isWriting = false;
      this.#waitingBytes = this.#waiting.reduce((sum, line) => sum + Buffer.byteLength(line), 0);
      if (error !== null) this.#trouble(error);
      if (this.#lost > 0) {
        this.#onTrouble(`The audit log has lost ${this.#lost} lines: the disk takes them too slowly`);
        this.#lost = 0;
      }
      this.#next();
    });
  }

  /** Somebody may have moved or removed the file, as who rotates logs does; and a long one is moved here. */
  #follow(path: string): void {
    try {
      const there = statSync(path, { throwIfNoEntry: false });
      const isOurs = there !== undefined && isSame(there, fstatSync(this.#file));
      if (isOurs) this.#sizeBytes = there.size; // it may have been cut
      if (isOurs && this.#sizeBytes < this.#bytesMax) return;
      if (isOurs) renameSync(path, `${path}.1`);
      const before = this.#file;
      this.#file = openSync(path, "a", 0o600);
      this.#sizeBytes = fstatSync(this.#file).size;
      closeSync(before);
    } catch (error) {
      this.#trouble(error);
    }
  }

  #trouble(error: unknown): void {
    this.#onTrouble(`The audit log cannot be written: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function isSame(one: Stats, other: Stats): boolean {
  return one.ino === other.ino && one.dev === other.dev;
}
