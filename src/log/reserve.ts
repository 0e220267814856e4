// Blocks that the log has and does not use: a file as long as a segment, given up when a write finds none on the disk.
import type { Disk } from "./disk.ts";
import { ioError, LogError, systemCode } from "./errors.ts";
import { fillWithZeros } from "./zeros.ts";

const RESERVE = "reserve"; // has this name once it has all its blocks
const NEXT = "reserve.next";

export class Reserve {
  readonly #disk: Disk;
  readonly #sizeBytes: number;
  #isThere = false;

  constructor(disk: Disk, sizeBytes: number) {
    this.#disk = disk;
    this.#sizeBytes = sizeBytes;
  }

  get isThere(): boolean {
    return this.#isThere;
  }

  /** Looks for the one that the process before has left. */
  async find(): Promise<void> {
    try {
      const file = await this.#disk.open(RESERVE, "read");
      try {
        this.#isThere = (await file.sizeBytes()) === this.#sizeBytes;
      } finally {
        await file.close();
      }
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw ioError(error, "look for the reserve", RESERVE);
    }
  }

  /**
   * @param freeBytesMin what is left to others
   * @param recycled a file that nobody needs any more, for a disk that has no room for another
   * @throws LogError "noSpace" | "closed" | "io"
   */
  async make(freeBytesMin: number, recycled: string | undefined, isStopped: () => boolean): Promise<void> {
    const disk = this.#disk;
    try {
      const freeBytes = await disk.freeBytes();
      if (recycled !== undefined) await disk.rename(recycled, NEXT);
      else if (freeBytes < this.#sizeBytes + freeBytesMin) {
        throw new LogError("noSpace", `Cannot make the reserve: ${freeBytes} bytes are free in ${disk.directory}`);
      }
      const file = await disk.open(NEXT, "create");
      try {
        await file.truncate(this.#sizeBytes);
      } finally {
        await file.close();
      }
      // What a recycled one holds may stay: nobody reads it.
      if (recycled === undefined) await fillWithZeros(disk, NEXT, this.#sizeBytes, isStopped);
      await disk.rename(NEXT, RESERVE);
      await disk.syncDirectory();
    } catch (error) {
      await disk.unlink(NEXT).catch(() => {});
      throw ioError(error, "make the reserve", NEXT);
    }
    this.#isThere = true;
  }

  /** Its blocks are the disk's again; what failed is tried by the next start. */
  async giveUp(): Promise<void> {
    this.#isThere = false;
    await this.#disk.unlink(RESERVE).catch(() => {});
    await this.#disk.syncDirectory().catch(() => {});
  }
}
