// How many subscriptions wait for the disk at a time. Whoever opens and closes them in a storm would have a piece of the log
// in memory for each, and everybody else would wait for all of them.

const LOADS_MAX = 64;

export class Loads {
  readonly #waiting = new Set<() => void>();
  #runningCount = 0;
  #isDue = false;

  /**
   * Takes a place, to be given back with `end`.
   * @param again called later if there is none now: what was to be read then is to be asked for anew
   * @returns whether there was one
   */
  begin(again: () => void): boolean {
    if (this.#runningCount < LOADS_MAX) {
      this.#runningCount += 1;
      return true;
    }
    this.#waiting.add(again);
    return false;
  }

  end(): void {
    this.#runningCount -= 1;
    this.#handOnSoon();
  }

  #handOnSoon(): void {
    if (this.#isDue || this.#waiting.size === 0) return;
    this.#isDue = true;
    setImmediate(() => this.#handOn()); // sockets have their turn in between
  }

  /** Nobody waits for it any more. */
  forget(again: () => void): void {
    this.#waiting.delete(again);
  }

  #handOn(): void {
    this.#isDue = false;
    let freeCount = LOADS_MAX - this.#runningCount;
    for (const again of this.#waiting) {
      if (freeCount === 0) break;
      freeCount -= 1;
      this.#waiting.delete(again);
      again();
    }
    // Some have nothing to read any more: nobody will end for them.
    if (this.#runningCount < LOADS_MAX) this.#handOnSoon();
  }
}
