import type { Clock } from "../base/clock.ts";

/** The wall clock as it stood at the start, carried on by the monotonic one: a jump of the former moves no deadline. */
export class SteadyClock implements Clock {
  #startMs = Date.now() - performance.now();

  nowMs(): number {
    return Math.floor(this.#startMs + performance.now());
  }

  /** The log tells of an instant after ours: the wall clock went back between two runs. Time goes on from there. */
  notBefore(instantMs: number): void {
    const behindMs = instantMs - this.nowMs();
    if (behindMs > 0) this.#startMs += behindMs;
  }
}
