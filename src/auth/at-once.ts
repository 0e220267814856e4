// How many requests at once somebody may have: those that wait for messages are most of them.

export class AtOnce {
  readonly #countMax: number;
  readonly #counts = new Map<string, number>(); // of those who have any

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** @returns false when he has as many as he may; that counts for nothing */
  enter(name: string): boolean {
    const count = this.#counts.get(name) ?? 0;
    if (count >= this.#countMax) return false;
    this.#counts.set(name, count + 1);
    return true;
  }

  /** One that had entered has been answered, or nobody waits for it any more. */
  leave(name: string): void {
    const count = this.#counts.get(name) ?? 0;
    if (count <= 1) this.#counts.delete(name);
    else this.#counts.set(name, count - 1);
  }
}
