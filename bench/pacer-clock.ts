// The pacer's thread: it sleeps until an instant, wakes the client, and sleeps again.
import { isMainThread, workerData } from "node:worker_threads";

export interface ClockJob {
  /** WAKES counts what the client was woken for, first of all that this thread is there; STATE is the client's. */
  readonly cells: Int32Array;
  /** The first instant, microseconds of process.hrtime; there when STATE is GOES. */
  readonly start: Float64Array;
  readonly tickMicros: number;
}

export const WAKES = 0;
export const STATE = 1;
const WAITS = 0;
export const GOES = 1;
export const STOPS = 2;

function run({ cells, start, tickMicros }: ClockJob): void {
  const wake = (): void => {
    Atomics.add(cells, WAKES, 1);
    Atomics.notify(cells, WAKES);
  };
  wake();
  Atomics.wait(cells, STATE, WAITS);
  const startMicros = start[0] ?? 0;
  for (let tick = 0; ; ) {
    const nowMicros = Number(process.hrtime.bigint()) / 1000;
    const leftMicros = startMicros + tick * tickMicros - nowMicros;
    if (leftMicros > 0) {
      if (Atomics.wait(cells, STATE, GOES, leftMicros / 1000) === "timed-out") continue; // if it was woken in time
      return;
    }
    if (Atomics.load(cells, STATE) !== GOES) return;
    wake();
    tick = Math.max(tick, Math.floor((nowMicros - startMicros) / tickMicros)) + 1;
  }
}

if (!isMainThread) run(workerData as ClockJob);
