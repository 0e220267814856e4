// A subscription once more, slow and obvious: its credit, its numbers, what it has out and what it has lost. Which of
// several messages it is given is the core's choice; the model says whether it may be.
import type { Outcome } from "../../src/core/streams.ts";
import type { Holder, Lost, ModelMessage, ModelQueue } from "./model-queue.ts";

export interface SubscriptionSpec {
  readonly visibilityMs: number;
  readonly processingMs: number;
  readonly batch: number;
  readonly lingerMs: number;
  readonly group: number;
}

export class ModelSubscription implements Holder {
  readonly queue: ModelQueue;
  readonly groupMax: number;
  readonly visibilityMs: number;
  readonly processingMs: number;
  readonly #spec: SubscriptionSpec;
  readonly #sizeOf: (message: ModelMessage) => number;
  readonly #out = new Map<number, ModelMessage>();
  readonly #bytesTo = [0]; // delivered up to and with each number
  #lost = new Map<number, Lost>();
  #isAuto = false;
  #messages = 0; // auto: of what is out; otherwise the highest number that may come
  #bytes = 0; // likewise, of all that was delivered
  #lingersUntilMs = 0;
  isAttached = true;
  /** Of one whose connection is gone: when nobody waits for it any more. */
  graceEndsMs = Number.POSITIVE_INFINITY;

  constructor(queue: ModelQueue, spec: SubscriptionSpec, sizeOf: (message: ModelMessage) => number) {
    this.queue = queue;
    this.#spec = spec;
    this.#sizeOf = sizeOf;
    this.groupMax = spec.group;
    this.visibilityMs = spec.visibilityMs;
    this.processingMs = spec.processingMs;
  }

  get last(): number {
    return this.#bytesTo.length - 1;
  }
  get outstanding(): string {
    const ranges: [number, number][] = [];
    for (const number of [...this.#out.keys()].sort((a, b) => a - b)) {
      const range = ranges.at(-1);
      if (range?.[1] === number - 1) range[1] = number;
      else ranges.push([number, number]);
    }
    return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(" ");
  }

  /** @returns whether it is taken */
  setCredit(messages: number, bytes: number, beyond: number, isAuto: boolean): boolean {
    if (!isAuto && beyond > this.last) return false;
    this.#isAuto = isAuto;
    this.#messages = isAuto ? messages : beyond + messages;
    this.#bytes = isAuto ? bytes : (this.#bytesTo[beyond] as number) + bytes;
    return true;
  }

  get #hasCredit(): boolean {
    if (!this.#isAuto) return this.last < this.#messages && (this.#bytesTo.at(-1) as number) < this.#bytes;
    const out = [...this.#out.values()];
    return out.length < this.#messages && out.reduce((sum, each) => sum + this.#sizeOf(each), 0) < this.#bytes;
  }

  /** A Deliver has come. @returns why it must not have */
  deliver(
    first: number,
    messages: readonly { body: string; receiveCount: number }[],
    nowMs: number,
  ): string | undefined {
    if (!this.isAttached) return "nobody is connected";
    if (this.#lingersUntilMs > nowMs) return `it lingers until ${this.#lingersUntilMs}`;
    if (messages.length > this.#spec.batch) return `${messages.length} messages are more than a batch`;
    if (first !== this.last + 1) return `${this.last + 1} comes next, not ${first}`;
    for (const { body, receiveCount } of messages) {
      if (!this.#hasCredit) return `there is no credit for ${body}`;
      const message = this.queue.deliver(body, receiveCount, this, nowMs);
      if (typeof message === "string") return message;
      this.#bytesTo.push((this.#bytesTo.at(-1) as number) + this.#sizeOf(message));
      this.#out.set(this.last, message);
    }
    const isFull = messages.length === this.#spec.batch;
    if (!isFull && this.#spec.lingerMs > 0) this.#lingersUntilMs = nowMs + this.#spec.lingerMs;
    return undefined;
  }

  /** Whether it stands in line for what comes next. */
  wants(nowMs: number): boolean {
    return this.isAttached && this.#lingersUntilMs <= nowMs && this.#hasCredit;
  }

  /** What should have come, and has not. */
  owed(nowMs: number): string | undefined {
    if (!this.wants(nowMs)) return undefined;
    return this.queue.owed(this, nowMs)?.body;
  }

  lost(message: ModelMessage, reasons: Lost): void {
    const [number] = [...this.#out].find(([, each]) => each === message) as [number, ModelMessage];
    this.#out.delete(number);
    if (reasons.length > 0) this.#lost.set(number, reasons);
  }

  /** A Revoke has come. @returns why it must not have */
  revoked(number: number, reason: string): string | undefined {
    const reasons = this.#lost.get(number);
    this.#lost.delete(number);
    if (reasons === undefined) return `${number} has not been lost`;
    return reasons.some((each) => each === reason) ? undefined : `${number} was lost by ${reasons}, not ${reason}`;
  }

  /** What it has lost without having been told. */
  get untold(): number[] {
    return [...this.#lost.keys()];
  }

  /** "count, number CODE …" */
  settle(outcome: Outcome, numbers: readonly number[], visibilityMs: number, nowMs: number): string {
    let count = 0;
    const failures: string[] = [];
    const last = this.last;
    for (const number of numbers) {
      const message = this.#out.get(number);
      let wrong: string | undefined = number === 0 || number > last ? "NEVER_DELIVERED" : "NOT_YOURS";
      if (message !== undefined) wrong = this.queue.settle(message, outcome, visibilityMs, nowMs);
      if (wrong === undefined) count++;
      else failures.push(`${number} ${wrong}`);
    }
    return [`${count}`, ...failures].join(", ");
  }

  /** Its connection is gone. */
  detach(graceEndsMs: number): void {
    this.isAttached = false;
    this.#isAuto = false;
    this.#messages = this.last;
    this.graceEndsMs = graceEndsMs;
  }
  resume(): void {
    this.isAttached = true;
    this.graceEndsMs = Number.POSITIVE_INFINITY;
  }
  close(nowMs: number): void {
    this.queue.close(this, nowMs);
  }

  nextMs(nowMs: number): number {
    return this.#lingersUntilMs > nowMs ? Math.min(this.#lingersUntilMs, this.graceEndsMs) : this.graceEndsMs;
  }
}
