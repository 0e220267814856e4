// What is done of a run, and when the rest may be: by what was expected of it, and by how that has held so far.

/** Before as much has passed, nothing is known of how expectations hold. */
const LEARNED_SECONDS = 20;

export class Progress {
  readonly #expectedSeconds: number;
  readonly #nowSeconds: () => number;
  readonly #startedSeconds: number;
  #doneSeconds = 0;

  /**
   * @param expectedSeconds of all steps together
   * @param nowSeconds      a clock
   */
  constructor(expectedSeconds: number, nowSeconds: () => number) {
    this.#expectedSeconds = expectedSeconds;
    this.#nowSeconds = nowSeconds;
    this.#startedSeconds = nowSeconds();
  }

  /** A step of which so much was expected is over. */
  done(expectedSeconds: number): void {
    this.#doneSeconds += expectedSeconds;
  }

  get passedSeconds(): number {
    return this.#nowSeconds() - this.#startedSeconds;
  }

  get leftSeconds(): number {
    const left = Math.max(0, this.#expectedSeconds - this.#doneSeconds);
    return this.#doneSeconds < LEARNED_SECONDS ? left : left * (this.passedSeconds / this.#doneSeconds);
  }

  line(text: string): string {
    const left = this.leftSeconds < 90 ? `${Math.ceil(this.leftSeconds)} s` : `${Math.ceil(this.leftSeconds / 60)} min`;
    return `${String(Math.round(this.passedSeconds)).padStart(5)} s, about ${left} left  ${text}`;
  }
}
