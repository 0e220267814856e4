import type { Clock } from "../base/clock.ts";

/** The wall clock as it stood at the start, carried on by the monotonic one: a jump of the former moves no deadline. */
export class SteadyClock implements Clock {
  readonly #passedMs: () => number;
  #startMs: number;

  /** @param passedMs of a monotonic clock, since any moment */
  constructor(wallMs: () => number = Date.now, passedMs: () => number = () => performance.now()) {
    this.#passedMs = passedMs;
    this.#startMs = wallMs() - passedMs();
  }

  nowMs(): number {
    return Math.floor(this.#startMs + this.#passedMs());
  }

  /** The log tells of an instant after ours: the wall clock went back between two runs. Time goes on from there. */
  notBefore(instantMs: number): void {
    const behindMs = instantMs - this.nowMs();
    if (behindMs > 0) this.#startMs += behindMs;
  }
}
