// Time that a test moves. While it is installed, setTimeout, setInterval and setImmediate of this process are its own:
// what they are given runs when virtual time comes to it, in an order that depends on nothing else.

interface Event {
  readonly atMs: number;
  readonly number: number; // among those of the same instant, the first asked is the first run
  readonly run: () => void;
}

const GLOBALS = [
  "setTimeout",
  "setInterval",
  "setImmediate",
  "clearTimeout",
  "clearInterval",
  "clearImmediate",
] as const;
const realImmediate = setImmediate;

/** Resolves when nothing is left that could go on without an event: the promises' turn comes before the immediate's. */
const settled = () => new Promise<void>((resolve) => realImmediate(resolve));

export class VirtualLoop {
  nowMs = 0;
  eventCount = 0; // that have run
  #events: Event[] = []; // a heap, the earliest first
  #cancelled = new Set<number>();
  #nextNumber = 1;

  /** @returns a function that puts the real ones back */
  install(): () => void {
    const before = GLOBALS.map((name) => [name, globalThis[name]] as const);
    // Node's own never take less than a millisecond.
    const after = (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
      this.after(Math.max(1, ms), () => run(...args));
    const every = (run: () => void, ms: number) => {
      // One number for all of its events, so that clearing ends it.
      const number = this.#nextNumber++;
      const again = (): void => {
        run();
        this.#push(this.nowMs + ms, number, again);
      };
      this.#push(this.nowMs + ms, number, again);
      return number;
    };
    const cancel = (number: number | undefined) => {
      if (number !== undefined) this.#cancelled.add(number);
    };
    Object.assign(globalThis, {
      setTimeout: after,
      setInterval: every,
      setImmediate: (run: (...args: unknown[]) => void, ...args: unknown[]) => this.after(0, () => run(...args)),
      clearTimeout: cancel,
      clearInterval: cancel,
      clearImmediate: cancel,
    });
    return () => {
      Object.assign(globalThis, Object.fromEntries(before));
    };
  }

  after(ms: number, run: () => void): number {
    const number = this.#nextNumber++;
    this.#push(this.nowMs + Math.max(0, Math.ceil(ms)), number, run);
    return number;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** Nothing that was asked for happens any more: the process has ended. */
  clear(): void {
    this.#events = [];
    this.#cancelled.clear();
  }

  /** Goes on until `isDone`, at most to `endMs`. @returns whether it is done */
  async run(endMs: number, isDone: () => boolean = () => false): Promise<boolean> {
    await settled();
    while (!isDone()) {
      const next = this.#events[0];
      if (next === undefined || next.atMs > endMs) {
        this.nowMs = Math.max(this.nowMs, endMs);
        return isDone();
      }
      this.#pop();
      if (this.#cancelled.delete(next.number)) continue;
      this.nowMs = next.atMs;
      this.eventCount++;
      next.run();
      await settled();
    }
    return true;
  }

  /** Lets time go on, for a minute at most, until the work has come to its end. @returns what that is */
  async until<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const settle = () => {
      isDone = true;
    };
    work.then(settle, settle);
    if (!(await this.run(this.nowMs + 60_000, () => isDone))) throw new Error("It is not done within a minute");
    return work;
  }

  #push(atMs: number, number: number, run: () => void): void {
    const events = this.#events;
    const event = { atMs, number, run };
    let i = events.push(event) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(event, events[parent] as Event)) break;
      events[i] = events[parent] as Event;
      i = parent;
    }
    events[i] = event;
  }

  #pop(): void {
    const events = this.#events;
    const last = events.pop() as Event;
    if (events.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= events.length) break;
      if (child + 1 < events.length && isBefore(events[child + 1] as Event, events[child] as Event)) child++;
      if (!isBefore(events[child] as Event, last)) break;
      events[i] = events[child] as Event;
      i = child;
    }
    events[i] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.number < b.number);
}
