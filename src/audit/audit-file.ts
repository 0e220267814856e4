// The audit log on disk: lines are appended in the order in which they came, and nobody waits for them.
import { closeSync, fstatSync, openSync, renameSync, write, writeSync } from "node:fs";
import type { AuditSink } from "./audit.ts";

const FILE_BYTES_MAX = 64 * 1024 * 1024; // then it goes on in a new one, and the one before is kept beside it
const CLOSING_STEP_MS = 5;
const WAITING_BYTES_MAX = 8 * 1024 * 1024;

export class AuditFile implements AuditSink {
  readonly #path: string;
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
    this.#path = path;
    this.#onTrouble = onTrouble;
    this.#bytesMax = bytesMax;
    try {
      this.#file = openSync(path, "a", 0o600);
    } catch (error) {
      throw new Error(`Cannot open the audit log ${path}: ${error instanceof Error ? error.message : String(error)}`);
    }
    this.#sizeBytes = fstatSync(this.#file).size;
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
    while (this.#isWriting) await new Promise((later) => setTimeout(later, CLOSING_STEP_MS));
    const rest = this.#waiting.join("");
    this.#waiting = [];
    try {
      if (rest !== "") writeSync(this.#file, rest);
      closeSync(this.#file);
    } catch (error) {
      this.#trouble(error);
    }
  }

  #next(): void {
    if (this.#waiting.length === 0) return;
    if (this.#sizeBytes >= this.#bytesMax) this.#roll();
    const bytes = Buffer.from(this.#waiting.join(""));
    this.#waiting = [];
    this.#waitingBytes = bytes.byteLength; // until they are written
    this.#isWriting = true;
    this.#put(bytes);
  }

  #put(bytes: Buffer): void {
    write(this.#file, bytes, (error, writtenBytes) => {
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

  #roll(): void {
    try {
      renameSync(this.#path, `${this.#path}.1`);
      const before = this.#file;
      this.#file = openSync(this.#path, "a", 0o600);
      this.#sizeBytes = 0;
      closeSync(before);
    } catch (error) {
      this.#trouble(error);
    }
  }

  #trouble(error: unknown): void {
    this.#onTrouble(`The audit log cannot be written: ${error instanceof Error ? error.message : String(error)}`);
  }
}
