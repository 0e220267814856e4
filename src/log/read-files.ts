// Segments open for reading: at most OPEN_COUNT_MAX unused ones, the longest unused closed first.
import type { Disk, DiskFile } from "./disk.ts";
import { ioError, systemCode } from "./errors.ts";
import { segmentName } from "./segment.ts";

const OPEN_COUNT_MAX = 128;

interface Opened {
  readonly file: Promise<DiskFile>;
  userCount: number;
  onUnused: (() => void) | undefined; // set while somebody waits for the last user
}

export class ReadFiles {
  readonly #disk: Disk;
  readonly #opened = new Map<number, Opened>(); // in the order of their last use

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** The file stays open, and the segment's bytes where they are, until `work` is done. */
  async use<T>(segment: number, work: (file: DiskFile) => Promise<T>): Promise<T> {
    const opened = this.#opened.get(segment) ?? {
      file: this.#open(segment),
      userCount: 0,
      onUnused: undefined,
    };
    this.#opened.delete(segment);
    this.#opened.set(segment, opened);
    opened.userCount++;
    try {
      const file = await opened.file.catch((error: unknown) => {
        if (this.#opened.get(segment) === opened) this.#opened.delete(segment);
        throw ioError(error, "open a segment for reading", segmentName(segment));
      });
      return await work(file);
    } finally {
      opened.userCount--;
      if (opened.userCount === 0) opened.onUnused?.();
      this.#shrink();
    }
  }

  async #open(segment: number): Promise<DiskFile> {
    try {
      return await this.#disk.open(segmentName(segment), "read");
    } catch (error) {
      if (!["EMFILE", "ENFILE"].includes(systemCode(error))) throw error;
      // Too many are open: ours that nobody uses are given up first.
      const unused = [...this.#opened].filter(([, { userCount }]) => userCount === 0);
      await Promise.all(unused.map(([other, opened]) => this.#close(other, opened)));
      return this.#disk.open(segmentName(segment), "read");
    }
  }

  /** Waits for the segment's users, then closes it. The caller sees to it that no new ones come. */
  async drain(segment: number): Promise<void> {
    const opened = this.#opened.get(segment);
    if (opened === undefined) return;
    if (opened.userCount > 0) {
      await new Promise<void>((resolve) => {
        opened.onUnused = resolve;
      });
    }
    void this.#close(segment, opened);
  }

  async close(): Promise<void> {
    for (const segment of [...this.#opened.keys()]) await this.drain(segment);
  }

  #shrink(): void {
    for (const [segment, opened] of this.#opened) {
      if (this.#opened.size <= OPEN_COUNT_MAX) return;
      if (opened.userCount === 0) void this.#close(segment, opened);
    }
  }

  #close(segment: number, opened: Opened): Promise<void> {
    if (this.#opened.get(segment) === opened) this.#opened.delete(segment);
    return opened.file.then((file) => file.close()).catch(() => {}); // nothing was written through it
  }
}
