/** Code tests `code`, never the text. A code is added, never renamed. */
export type LogErrorCode =
  | "damaged" // bytes that were once on disk are not what they were
  | "locked" // another process owns the directory
  | "newer" // written by a later version of this program
  | "mismatch" // a valid log, made with other settings
  | "readOnly" // the directory cannot be written
  | "notDirectory"
  | "noSpace"
  | "removed" // the segment asked for was given up
  | "closed"
  | "io"; // anything else the operating system refused

export class LogError extends Error {
  override name = "LogError";
  readonly code: LogErrorCode;
  readonly file: string | undefined;
  readonly offset: number | undefined; // bytes from the start of the file

  constructor(code: LogErrorCode, text: string, place: { file?: string; offset?: number; cause?: unknown } = {}) {
    super(text, place.cause === undefined ? undefined : { cause: place.cause });
    this.code = code;
    this.file = place.file;
    this.offset = place.offset;
  }
}

/** @param expected what would have been right, or what to do about it */
export function damaged(file: string, offset: number, met: string, expected: string): LogError {
  const text = `Cannot open the log: ${file} is damaged at offset ${offset}: ${met}; ${expected}. Nothing was changed.`;
  return new LogError("damaged", text, { file, offset });
}

const CODES: Readonly<Record<string, LogErrorCode>> = {
  ENOSPC: "noSpace",
  EDQUOT: "noSpace",
  EACCES: "readOnly",
  EPERM: "readOnly",
  EROFS: "readOnly",
  ENOTDIR: "notDirectory",
  EEXIST: "notDirectory",
};

const ADVICE: Partial<Record<LogErrorCode, string>> = {
  noSpace: "the disk (or the quota) is full; free some space",
  readOnly: "the directory and its files must be readable and writable by this process",
  notDirectory: "the data directory must be a directory",
};

/** What the operating system calls the failure ("ENOSPC"), or "" when it was none of its own. */
export function systemCode(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

/**
 * A failed call of the disk, told as what it means to the log. A LogError comes back as it is.
 * @param attempt what was attempted: "write segment 7"
 */
export function ioError(
  cause: unknown,
  attempt: string,
  file: string,
  offset?: number,
  consequence?: string,
): LogError {
  if (cause instanceof LogError) return cause;
  const code = CODES[systemCode(cause)] ?? "io";
  const where = offset === undefined ? file : `${file} at offset ${offset}`;
  const why = cause instanceof Error ? cause.message : String(cause);
  const text = [`Cannot ${attempt}: ${where}: ${why}`, ADVICE[code], consequence].filter(Boolean).join("; ");
  return new LogError(code, text, offset === undefined ? { file, cause } : { file, offset, cause });
}
