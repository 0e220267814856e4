// Load at a fixed pace, as an open loop: each message has its instant, and its latency begins there, however late it could be
// sent. So a server that stops for a while is asked to account for all that should have come meanwhile.
//
// A timer of Node's is a millisecond late as a rule. A thread that sleeps until the next instant wakes the client instead:
// it is some 0.1 ms late, and takes a tenth to a fifth of a core at 5,000 a second. How late messages left is told with
// their latencies, so that what the client did is not taken for the server.
import { createHistogram, performance, type RecordableHistogram } from "node:perf_hooks";
import { Worker } from "node:worker_threads";
import { type ClockJob, GOES, STATE, STOPS, WAKES } from "./pacer-clock.ts";

/** Bodies begin with their instants: microseconds, as digits. */
export const STAMP_BYTES = 16;

export interface PacedResult {
  /** That came, of those that were planned in the measured time. */
  readonly messageCount: number;
  /** From the planned instant to the delivery. */
  readonly latencyMs: Readonly<Record<"p50" | "p99" | "p999" | "max", number>>;
  /** From the planned instant to the sending. */
  readonly sentLateMs: Readonly<Record<"p50" | "p99", number>>;
  /** Planned and not delivered when the time was over, as time of the pace. */
  readonly behindMs: number;
  /** Planned and not delivered some seconds later. */
  readonly lateCount: number;
}

/** Of a quicker pace several messages leave at once: below that, waking costs more than it tells. */
const TICK_MICROS_MIN = 200;
const START_AFTER_MICROS = 1_000;
const DRAIN_MS = 2_000;
const CHECK_MS = 10;
const RANGE = { lowest: 1, highest: 3_600_000_000, figures: 3 }; // microseconds

const nowMicros = (): number => performance.now() * 1000;

export function stampOf(micros: number): string {
  return String(Math.round(micros)).padStart(STAMP_BYTES, "0");
}

export class Pacer {
  readonly #perSecond: number;
  readonly #send: (stamp: string) => void;
  readonly #perSend: number;
  readonly #cells = new Int32Array(new SharedArrayBuffer(8));
  readonly #latency = createHistogram(RANGE);
  readonly #sentLate = createHistogram(RANGE);
  #startMicros = 0;
  #number = 0; // of sends
  #measuredFromMicros = Number.POSITIVE_INFINITY;
  #planned = 0; // messages, in the measured time
  #noted = 0;
  #isOver = false;

  private constructor(perSecond: number, perSend: number, send: (stamp: string) => void) {
    this.#perSecond = perSecond;
    this.#perSend = perSend;
    this.#send = send;
  }

  /**
   * @param perSecond messages
   * @param perSend   messages that leave together
   * @param send      sends so many, of which each begins with the stamp
   */
  static async start(perSecond: number, perSend: number, send: (stamp: string) => void): Promise<Pacer> {
    const pacer = new Pacer(perSecond, perSend, send);
    const cells = pacer.#cells;
    const start = new Float64Array(new SharedArrayBuffer(8));
    const tickMicros = Math.max(TICK_MICROS_MIN, pacer.#gapMicros);
    const clock: ClockJob = { cells, start, tickMicros };
    const worker = new Worker(new URL("./pacer-clock.ts", import.meta.url), { workerData: clock });
    worker.once("error", (error) => {
      throw error;
    });
    await Atomics.waitAsync(cells, WAKES, 0).value;
    // The other thread's performance.now() begins elsewhere; this clock is one for all.
    const offset = Number(process.hrtime.bigint()) / 1000 - nowMicros();
    pacer.#startMicros = nowMicros() + START_AFTER_MICROS;
    start[0] = pacer.#startMicros + offset;
    Atomics.store(cells, STATE, GOES);
    Atomics.notify(cells, STATE);
    pacer.#run();
    return pacer;
  }

  get #gapMicros(): number {
    return (1_000_000 * this.#perSend) / this.#perSecond;
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const seen = Atomics.load(this.#cells, WAKES);
      this.#sendDue();
      const wake = Atomics.waitAsync(this.#cells, WAKES, seen);
      // Answers are read in between, even when the next instant has come already.
      await (wake.async ? wake.value : new Promise(setImmediate));
    }
  }

  #sendDue(): void {
    for (;;) {
      const instant = this.#startMicros + this.#number * this.#gapMicros;
      const lateMicros = nowMicros() - instant;
      if (lateMicros < 0) return;
      this.#number++;
      if (instant >= this.#measuredFromMicros) {
        this.#planned += this.#perSend;
        this.#sentLate.record(Math.max(1, Math.round(lateMicros)));
      }
      this.#send(stampOf(instant));
    }
  }

  /** What is planned from now on counts. */
  measure(): void {
    this.#measuredFromMicros = Math.ceil(nowMicros());
  }

  /** A message came, whose body begins with this. */
  delivered(stamp: string): void {
    const instant = Number(stamp);
    if (!(instant >= this.#measuredFromMicros)) return;
    this.#noted++;
    this.#latency.record(Math.max(1, Math.round(nowMicros() - instant)));
  }

  /** Sends nothing more, and waits a while for what is on its way. */
  async finish(): Promise<PacedResult> {
    this.#isOver = true;
    Atomics.store(this.#cells, STATE, STOPS);
    Atomics.notify(this.#cells, STATE);
    const missing = (): number => Math.max(0, this.#planned - this.#noted);
    const behindMs = (missing() * 1000) / this.#perSecond;
    const untilMs = performance.now() + DRAIN_MS;
    while (missing() > 0 && performance.now() < untilMs) await new Promise((later) => setTimeout(later, CHECK_MS));
    const at = (of: RecordableHistogram, percent: number): number =>
      of.count === 0 ? Number.NaN : of.percentile(percent) / 1000;
    const [latency, sentLate] = [this.#latency, this.#sentLate];
    return {
      messageCount: this.#noted,
      latencyMs: { p50: at(latency, 50), p99: at(latency, 99), p999: at(latency, 99.9), max: at(latency, 100) },
      sentLateMs: { p50: at(sentLate, 50), p99: at(sentLate, 99) },
      behindMs,
      lateCount: missing(),
    };
  }
}
