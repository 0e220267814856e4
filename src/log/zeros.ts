// Zeros on disk, ahead of what will be written there: a block that has been written is written again in less time than
// one that the file system has yet to find.
import { alignedBytes } from "./blocks.ts";
import type { Disk } from "./disk.ts";
import { LogError } from "./errors.ts";

/** At a time: whoever writes beside waits for one at most. */
export const ZEROS = alignedBytes(256 * 1024);

/** All of the file, durable, from its front to its end. @throws LogError "closed" when it is stopped, or what the disk says */
export async function fillWithZeros(
  disk: Disk,
  name: string,
  sizeBytes: number,
  isStopped: () => boolean,
): Promise<void> {
  const file = await disk.open(name, "blocks");
  try {
    for (let offset = 0; offset < sizeBytes; offset += ZEROS.byteLength) {
      if (isStopped()) throw new LogError("closed", `Cannot fill ${name}: the log is being closed`, { file: name });
      await file.write(ZEROS.subarray(0, Math.min(ZEROS.byteLength, sizeBytes - offset)), offset);
    }
  } finally {
    await file.close();
  }
}
