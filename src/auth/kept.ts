/**
 * What was found out and may be asked again: at most twice `countMax` entries, without a list of who was used when. The
 * young generation becomes the old one when it is full; what is asked for in the old one moves back to the young.
 */
export class Kept<Key, Value> {
  readonly #countMax: number;
  #young = new Map<Key, Value>();
  #old = new Map<Key, Value>();

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  get count(): number {
    return this.#young.size + this.#old.size;
  }

  get(key: Key): Value | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) {
      this.#old.delete(key);
      this.set(key, old);
    }
    return old;
  }

  set(key: Key, value: Value): void {
    if (this.#young.size >= this.#countMax) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
}
