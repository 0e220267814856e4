// Standard input, whatever it is: the process's own stream takes what it does not know (a directory, a disk) for an empty
// input, and somebody would believe that everything has been sent.
import { createReadStream, fstatSync } from "node:fs";

const STANDARD_INPUT = 0;

/** Reading has failed: `what` tells what was met. */
export class InputError extends Error {
  override name = "InputError";

  constructor(what: string, lines: number) {
    super(`Cannot read standard input${lines === 0 ? "" : ` beyond line ${lines}`}: ${what}`);
  }
}

export function standardInput(): AsyncIterable<Uint8Array> {
  const met = fstatSync(STANDARD_INPUT);
  const isStream = met.isFile() || met.isCharacterDevice() || met.isFIFO() || met.isSocket();
  return isStream ? process.stdin : createReadStream("", { fd: STANDARD_INPUT, autoClose: false });
}

/** The reason in words. */
export function metBy(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "EISDIR") return "it is a directory";
  if (code === "EBADF") return "it is not open for reading";
  return error instanceof Error ? error.message : String(error);
}
