// What the log needs of a file system: one flat directory. Tests put another one in its place.
// Failures are Errors with the operating system's name for them in `code` ("ENOSPC", "EIO").

/**
 * - "read": must exist, is not changed
 * - "durable": must exist; a write that has resolved is on disk
 * - "blocks": the same, past the system's cache where that can be; for nothing but writing whole blocks from aligned memory (blocks.ts)
 * - "create": made if absent, kept as it is if present; writes are on disk after sync()
 */
export type OpenMode = "read" | "durable" | "blocks" | "create";

export interface DiskFile {
  sizeBytes(): Promise<number>;
  /** Fills `into` from `offset` on. @returns bytes read: fewer than asked for only at the end of the file */
  read(into: Uint8Array, offset: number): Promise<number>;
  /** All of `bytes`, which must not change until the write has settled. One at a time: of writes beside one another each has a file. */
  write(bytes: Uint8Array, offset: number): Promise<void>;
  truncate(sizeBytes: number): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface DiskLock {
  release(): Promise<void>;
}

export interface Disk {
  /** As an operator would write it; for messages. */
  readonly directory: string;
  /** Makes the directory, durably, if it is absent. */
  makeDirectory(): Promise<void>;
  /** Takes the directory for this process. @throws LogError "locked" with the process that has it */
  lock(): Promise<DiskLock>;
  list(): Promise<readonly string[]>;
  open(name: string, mode: OpenMode): Promise<DiskFile>;
  /** Replaces `to` if there is one. */
  rename(from: string, to: string): Promise<void>;
  unlink(name: string): Promise<void>;
  /** Whether the file has another name as well: it is somebody's copy, too. */
  isLinked(name: string): Promise<boolean>;
  /** Makes what was created, renamed or unlinked durable. */
  syncDirectory(): Promise<void>;
  freeBytes(): Promise<number>;
}

/**
 * Goes on until all is written: one call of the operating system may write less than it was given.
 * @param unitBytes of which the next call begins with a multiple; what was written of a part is written again
 */
export async function writeFully(
  bytes: Uint8Array,
  offset: number,
  writeSome: (bytes: Uint8Array, offset: number) => Promise<number> | number,
  unitBytes = 1,
): Promise<void> {
  let doneBytes = await writeSome(bytes, offset);
  while (doneBytes < bytes.byteLength) {
    doneBytes -= doneBytes % unitBytes;
    const moreBytes = await writeSome(bytes.subarray(doneBytes), offset + doneBytes);
    if (moreBytes < Math.min(unitBytes, bytes.byteLength - doneBytes)) {
      throw Object.assign(new Error(`EIO: a write wrote ${moreBytes} bytes`), { code: "EIO" });
    }
    doneBytes += moreBytes;
  }
}

/** @returns bytes read: fewer than asked for only at the end of the file */
export async function readFully(
  into: Uint8Array,
  offset: number,
  readSome: (into: Uint8Array, offset: number) => Promise<number>,
): Promise<number> {
  let doneBytes = 0;
  while (doneBytes < into.byteLength) {
    const moreBytes = await readSome(into.subarray(doneBytes), offset + doneBytes);
    if (moreBytes === 0) break;
    doneBytes += moreBytes;
  }
  return doneBytes;
}
