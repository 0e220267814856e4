// Acks, nacks, touches and dead letters on their way: what is asked for in one go becomes one request, and what a broken
// connection left unanswered is asked again when the session goes on.
import { codeOf, WasqError } from "./errors.ts";
import type { Link } from "./link.ts";
import type { Message, Settlement } from "./message.ts";
import type { NotSettled, Range } from "./schema.ts";
import type { OutgoingEnvelope } from "./wire.ts";

const NUMBERS_MAX = 10_000; // of one request

interface Entry {
  readonly message: Message;
  /** Asked before the connection broke: that it is not ours any more is then the sign that it was done. */
  isRepeated: boolean;
  resolve(): void;
  reject(error: WasqError): void;
}

interface Batch {
  readonly settlement: Settlement;
  readonly entries: Entry[];
}

export class Settling {
  readonly #link: Link;
  readonly #subscription: number;
  #due: Batch[] = [];
  #unanswered: Batch[] = [];
  #pendingCount = 0;
  #onIdle: (() => void)[] = [];
  readonly #flush = (): void => this.flush();

  constructor(link: Link, subscription: number) {
    this.#link = link;
    this.#subscription = subscription;
  }

  /** How many were asked for and not answered. */
  get pendingCount(): number {
    return this.#pendingCount;
  }

  add(message: Message, settlement: Settlement): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pendingCount += 1;
      const entry: Entry = { message, isRepeated: false, resolve, reject };
      const last = this.#due.at(-1);
      if (last !== undefined && isSame(last.settlement, settlement)) last.entries.push(entry);
      else this.#due.push({ settlement, entries: [entry] });
      if (this.#link.isConnected) this.#link.beforeFlush(this.#flush);
    });
  }

  /** The session goes on: asks again what was not answered, then what came meanwhile. */
  resume(): void {
    for (const { entries } of this.#unanswered) for (const entry of entries) entry.isRepeated = true;
    this.#due = [...this.#unanswered, ...this.#due];
    this.#unanswered = [];
    if (this.#due.length > 0) this.#link.beforeFlush(this.#flush);
  }

  /** Nothing that is pending will be done. */
  fail(error: WasqError): void {
    const batches = [...this.#unanswered, ...this.#due];
    this.#unanswered = [];
    this.#due = [];
    for (const { entries } of batches) for (const entry of entries) this.#reject(entry, error);
  }

  /** Resolves when everything has its answer. */
  idle(): Promise<void> {
    if (this.#pendingCount === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  /** Sends what is due, ahead of what is sent after this call. */
  flush(): void {
    if (!this.#link.isConnected) return; // down meanwhile: resume() sends it
    const due = this.#due;
    this.#due = [];
    for (const { settlement, entries } of due) {
      for (let start = 0; start < entries.length; start += NUMBERS_MAX) {
        void this.#ask({ settlement, entries: entries.slice(start, start + NUMBERS_MAX) });
      }
    }
  }

  async #ask(batch: Batch): Promise<void> {
    const { settlement, entries } = batch;
    try {
      const deliveries = rangesOf(entries.map(({ message }) => message.delivery));
      const { settled } = await this.#link.request(envelopeOf(this.#subscription, deliveries, settlement));
      if (settled === undefined) throw new WasqError("PROTOCOL_ERROR", "the answer to a settlement was not Settled");
      this.#answered(batch, settled.failures);
    } catch (error) {
      const known = error instanceof WasqError ? error : new WasqError("PROTOCOL_ERROR", String(error));
      if (known.code === "CONNECTION_LOST" && this.#link.ended === undefined) this.#unanswered.push(batch);
      else for (const entry of entries) this.#reject(entry, this.#link.ended ?? known);
    }
  }

  #answered({ settlement, entries }: Batch, failures: readonly NotSettled[]): void {
    const failed = new Map<number, NotSettled["code"]>();
    for (const { delivery, last, code } of failures) {
      for (const number of numbersOf([{ first: delivery, last }])) failed.set(number, code);
    }
    for (const entry of entries) {
      const code = failed.get(entry.message.delivery);
      const isDone = code === "NOT_YOURS" && entry.isRepeated && settlement.kind !== "touch";
      if (code === undefined || isDone) {
        entry.resolve();
        this.#count();
      } else {
        const text = `${settlement.kind} of message ${entry.message.id} was not done: ${code}`;
        this.#reject(entry, entry.message.revoked ?? new WasqError(codeOf(code), text));
      }
    }
  }

  #reject(entry: Entry, error: WasqError): void {
    entry.reject(error);
    this.#count();
  }

  #count(): void {
    this.#pendingCount -= 1;
    if (this.#pendingCount === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
  }
}

function isSame(a: Settlement, b: Settlement): boolean {
  if (a.kind === "nack") return b.kind === "nack" && a.delayMs === b.delayMs && a.reason === b.reason;
  if (a.kind === "touch") return b.kind === "touch" && a.visibilityMs === b.visibilityMs;
  if (a.kind === "deadLetter") return b.kind === "deadLetter" && a.reason === b.reason;
  return b.kind === "ack";
}

function envelopeOf(subscription: number, deliveries: readonly Range[], settlement: Settlement): OutgoingEnvelope {
  if (settlement.kind === "ack") return { ack: { subscription, deliveries } };
  if (settlement.kind === "touch") {
    return { touch: { subscription, deliveries, visibilityMs: settlement.visibilityMs } };
  }
  if (settlement.kind === "deadLetter") {
    return { deadLetter: { subscription, deliveries, reason: settlement.reason } };
  }
  return { nack: { subscription, deliveries, delayMs: settlement.delayMs, reason: settlement.reason } };
}

/** Numbers as ascending ranges; `last` is 0 where there is only one. */
export function rangesOf(numbers: readonly number[]): Range[] {
  const ranges: Range[] = [];
  let current: Range | undefined;
  for (const number of [...numbers].sort((a, b) => a - b)) {
    if (current !== undefined && number === (current.last || current.first) + 1) current.last = number;
    else {
      current = { first: number, last: 0 };
      ranges.push(current);
    }
  }
  return ranges;
}

/** Every number of the ranges, ascending as they are. */
export function* numbersOf(ranges: readonly Range[]): Generator<number> {
  for (const { first, last } of ranges) for (let number = first; number <= (last || first); number++) yield number;
}
