// Rate and totals on standard error while a command runs: one line that is drawn again on a terminal, now and then a line of
// its own elsewhere.
import type { WriteStream } from "node:tty";

export type Output = Pick<WriteStream, "write" | "isTTY" | "columns">;

const REDRAW_MS = 500;
const LINE_MS = 10_000;
const ERASE_LINE = "\r\u001b[K";

export class Progress {
  readonly #output: Output;
  /** What is to be said, given the rate a second since it was said last. */
  readonly #text: (rate: number) => string;
  readonly #count: () => number;
  readonly #startMs: number;
  readonly #timer: ReturnType<typeof setInterval>;
  #lastMs: number;
  #lastCount = 0;
  #isDrawn = false;

  constructor(output: Output, count: () => number, text: (rate: number) => string) {
    this.#output = output;
    this.#count = count;
    this.#text = text;
    this.#startMs = performance.now();
    this.#lastMs = this.#startMs;
    this.#timer = setInterval(() => this.#draw(), output.isTTY ? REDRAW_MS : LINE_MS);
    this.#timer.unref();
  }

  /** A line that stays, above the one that is drawn again. */
  say(text: string): void {
    this.erase();
    this.#output.write(`${text}\n`);
  }

  /** Takes the line away before something else is written to the terminal; it comes again. */
  erase(): void {
    if (this.#isDrawn) this.#output.write(ERASE_LINE);
    this.#isDrawn = false;
  }

  /** The last line: the rate over all. */
  end(): void {
    clearInterval(this.#timer);
    const seconds = (performance.now() - this.#startMs) / 1_000;
    this.say(`${this.#text(this.#count() / Math.max(seconds, 0.001))}, ${seconds.toFixed(1)} s`);
  }

  #draw(): void {
    const nowMs = performance.now();
    const count = this.#count();
    const text = this.#text(((count - this.#lastCount) * 1_000) / (nowMs - this.#lastMs));
    this.#lastMs = nowMs;
    this.#lastCount = count;
    if (this.#output.isTTY) {
      this.#output.write(`${ERASE_LINE}${text.slice(0, Math.max(0, (this.#output.columns || 80) - 1))}`);
      this.#isDrawn = true;
    } else this.#output.write(`${text}\n`);
  }
}

export function grouped(number: number): string {
  return Math.round(number)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}
