// A file that somebody named: read whole, if it is one, and not too large.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

export const FILE_BYTES_MAX = 1024 * 1024;

/** The file's fault, or its name's, and not ours. */
export function isUnreadable(error: unknown): error is Error {
  return error instanceof Error && ("code" in error || error instanceof RangeError);
}

/** @returns the file as a text. @throws what `isUnreadable` knows */
export function readBounded(path: string): string {
  const descriptor = openSync(path, "r");
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) throw new RangeError("it is no file");
    if (stat.size > FILE_BYTES_MAX) throw tooLarge(stat.size);
    const bytes = Buffer.alloc(FILE_BYTES_MAX + 1); // it may grow while it is read
    let sizeBytes = 0;
    for (;;) {
      const readBytes = readSync(descriptor, bytes, sizeBytes, bytes.byteLength - sizeBytes, sizeBytes);
      sizeBytes += readBytes;
      if (sizeBytes > FILE_BYTES_MAX) throw tooLarge(sizeBytes);
      if (readBytes === 0) return bytes.toString("utf8", 0, sizeBytes).replace(/^\uFEFF/, "");
    }
  } finally {
    closeSync(descriptor);
  }
}

function tooLarge(sizeBytes: number): RangeError {
  return new RangeError(`it has ${sizeBytes} bytes or more, at most ${FILE_BYTES_MAX} are allowed`);
}
