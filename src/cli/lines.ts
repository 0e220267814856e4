// Bytes into lines, without ever holding more than one line of the largest size.

const NEWLINE = 0x0a;
const RETURN = 0x0d;

export interface Line {
  /** From 1. */
  readonly number: number;
  /** Without its end (\n or \r\n); undefined: it had more than `bytesMax` bytes. */
  readonly bytes: Uint8Array | undefined;
}

/** @param bytesMax of one line; of longer ones only the number is told */
export async function* linesOf(input: AsyncIterable<Uint8Array>, bytesMax: number): AsyncGenerator<Line[]> {
  let number = 0;
  let parts: Uint8Array[] = [];
  let bytes = 0;
  let isTooLong = false;
  const add = (part: Uint8Array): void => {
    bytes += part.length;
    if (bytes > bytesMax + 1) {
      isTooLong = true; // one more is the \r of a line of just the largest size
      parts = [];
    } else parts.push(part);
  };
  const take = (): Line => {
    number += 1;
    const whole = Buffer.concat(parts);
    const line = whole.at(-1) === RETURN ? whole.subarray(0, -1) : whole;
    const isFine = !isTooLong && line.length <= bytesMax;
    parts = [];
    bytes = 0;
    isTooLong = false;
    return { number, bytes: isFine ? line : undefined };
  };
  for await (const chunk of input) {
    const lines: Line[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      add(chunk.subarray(start, end));
      lines.push(take());
      start = end + 1;
    }
    if (start < chunk.length) add(Uint8Array.from(chunk.subarray(start))); // the chunk may be used again
    if (lines.length > 0) yield lines;
  }
  if (bytes > 0) yield [take()];
}
