// How many requests a second somebody may make: an even flow, and as much at once as he may in a second.
import { Kept } from "./kept.ts";

const NAMES_KEPT_MAX = 10_000;

export class RateLimit {
  readonly #stepMs: number;
  /** When the next request of each would be due if they came evenly: it may be up to a second ahead. */
  readonly #dueMs = new Kept<string, number>(NAMES_KEPT_MAX);

  constructor(perSecond: number) {
    this.#stepMs = 1000 / perSecond;
  }

  /** @returns false when it is too much; that counts for nothing */
  take(name: string, nowMs: number): boolean {
    const dueMs = Math.max(this.#dueMs.get(name) ?? 0, nowMs);
    if (dueMs + this.#stepMs > nowMs + 1000 + 1e-6) return false;
    this.#dueMs.set(name, dueMs + this.#stepMs);
    return true;
  }
}
