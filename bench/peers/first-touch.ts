// Memory that a virtual machine has not used since its start is found by its host at the first touch, page by page: a
// server that writes through the system's cache would pay for that, and one that writes past it would not. So as much
// of the cache as the servers need is touched before anything is measured, by a file that is written and deleted.
import { closeSync, openSync, readFileSync, statfsSync, unlinkSync, writeSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";

const PIECE = Buffer.alloc(4 * 1024 * 1024, 1);
const GIB = 2 ** 30;
/** What is measured in a short run leaves no more than that in the cache at once. */
const QUICK_BYTES_MAX = 4 * GIB;
/** Of free memory, and of free space on the disk. */
const SHARE_MAX = 0.8;
/** Slower than any memory is found. What it may take is reckoned by it. */
const BYTES_PER_SECOND = 280e6;

function freeMemoryBytes(): number {
  try {
    return Number(/MemFree: +(\d+)/.exec(readFileSync("/proc/meminfo", "latin1"))?.[1]) * 1024;
  } catch {
    return 0; // where it is not told, nothing is known of it
  }
}

/** What there is to touch. */
export function untouchedBytes(directory: string, isFull: boolean): number {
  const { bavail, bsize } = statfsSync(directory);
  const bytes = SHARE_MAX * Math.min(freeMemoryBytes(), bavail * bsize);
  return Math.floor(Math.min(bytes, isFull ? Number.POSITIVE_INFINITY : QUICK_BYTES_MAX));
}

export const touchSeconds = (bytes: number): number => bytes / BYTES_PER_SECOND;

/**
 * Writes so many bytes to a file, which is deleted.
 * @param told of each GiB: how many there are, and how quick it was
 */
export async function touch(
  path: string,
  bytes: number,
  told: (gib: number, perSecond: number) => void,
): Promise<void> {
  const file = openSync(path, "w");
  try {
    let startMs = performance.now();
    for (let at = 0; at < bytes; ) {
      at += writeSync(file, PIECE, 0, Math.min(PIECE.byteLength, bytes - at));
      if (at % GIB !== 0 && at < bytes) continue;
      told(at / GIB, Math.min(at, GIB) / ((performance.now() - startMs) / 1000));
      startMs = performance.now();
      await nextTurn(); // an interrupt is heard
    }
  } finally {
    closeSync(file);
    unlinkSync(path);
  }
}
