// The little this room remembers between requests. None of it outlives the process, and nothing durable leans on it.

import type { Queue } from "../broker/types.ts";

/** Work on one key happens one after the other, in the order it came. */
export class Turns {
  readonly #waiting = new Map<string, (() => void)[]>();

  /** Calls `work` now, or when those before it have released the key. It must release exactly once, and not throw. */
  take(key: string, work: (release: () => void) => void): void {
    const start = (): void => work(() => this.#next(key));
    const line = this.#waiting.get(key);
    if (line !== undefined) {
      line.push(start);
      return;
    }
    this.#waiting.set(key, []);
    start();
  }

  #next(key: string): void {
    const start = this.#waiting.get(key)?.shift();
    if (start === undefined) this.#waiting.delete(key);
    else start();
  }
}

/** Names that were let go a short while ago. */
export class Recent {
  readonly #windowMs: number;
  readonly #atMs = new Map<string, number>(); // in order of time

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  add(key: string, nowMs: number): void {
    this.#forget(nowMs);
    this.#atMs.delete(key);
    this.#atMs.set(key, nowMs);
  }

  has(key: string, nowMs: number): boolean {
    this.#forget(nowMs);
    return this.#atMs.has(key);
  }

  #forget(nowMs: number): void {
    for (const [key, atMs] of this.#atMs) {
      if (nowMs - atMs < this.#windowMs) return;
      this.#atMs.delete(key);
    }
  }
}

/** After DeleteQueue, before a queue of the same name; and between two PurgeQueue. */
const AWS_WAIT_MS = 60_000;

export class State {
  readonly changes = new Turns();
  readonly waitMs: number;
  readonly deleted: Recent;
  readonly purgedMs = new WeakMap<Queue, number>();

  /** @param awsWaits whether to refuse what AWS refuses only because it is distributed */
  constructor(awsWaits: boolean) {
    this.waitMs = awsWaits ? AWS_WAIT_MS : 0;
    this.deleted = new Recent(this.waitMs);
  }
}
