// Hands messages to a handler, so many at a time, and settles them by what it does.
import type { Message } from "./message.ts";
import { inRange, milliseconds } from "./options.ts";

/** Acked when it is over, given back when it throws, unless it has settled the message itself. */
export type Handler = (message: Message) => unknown;

export interface HandlerSettings {
  /** Handlers that run at a time. Default 1. Messages of one FIFO group are never worked on at the same time. */
  readonly concurrency?: number;
  /** How long a message waits after its handler has thrown, in ms: 11 hours if more is asked. Default 0. */
  readonly retryDelayMs?: number | ((message: Message, error: unknown) => number);
  /** What handlers throw, and why a message was not settled although it is still ours. Default: console.error. */
  readonly onError?: (error: unknown, message: Message) => void;
}

const CONCURRENCY_MAX = 10_000;
/** A message returns 12 hours after its delivery at the latest: handlers, and the wait for them, have the rest. */
const DELAY_MS_MAX = 11 * 3_600_000;

/** @internal Whose messages are worked on. */
export interface Source {
  /** Hands over the first message that is free, and forgets it. */
  take(isFree: (message: Message) => boolean): Message | undefined;
  /** Nobody settles it any more. */
  letGo(message: Message): void;
}

/** @internal */
export class Worker {
  readonly concurrency: number;
  readonly #options: HandlerSettings & { readonly handler: Handler };
  readonly #source: Source;
  readonly #busyGroups = new Set<string>();
  readonly #isFree = ({ groupId }: Message): boolean => groupId === undefined || !this.#busyGroups.has(groupId);
  #runningCount = 0;
  #onIdle: (() => void)[] = [];

  constructor(options: HandlerSettings & { readonly handler: Handler }, source: Source) {
    this.#options = options;
    this.#source = source;
    this.concurrency = inRange("concurrency", options.concurrency ?? 1, 1, CONCURRENCY_MAX);
  }

  /** Begins with as many messages as may run. */
  pump(): void {
    while (this.#runningCount < this.concurrency) {
      const message = this.#source.take(this.#isFree);
      if (message === undefined) return;
      void this.#run(message);
    }
  }

  /** Resolves when no handler runs. */
  idle(): Promise<void> {
    if (this.#runningCount === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  async #run(message: Message): Promise<void> {
    const { groupId } = message;
    this.#runningCount += 1;
    if (groupId !== undefined) this.#busyGroups.add(groupId);
    try {
      await this.#options.handler(message);
      if (!message.isSettled) void message.ack();
    } catch (error) {
      this.#failed(message, error);
    } finally {
      if (groupId !== undefined) this.#busyGroups.delete(groupId);
      this.#runningCount -= 1;
      if (this.#runningCount === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
      this.pump();
    }
    await this.#settled(message);
  }

  /** What the server refuses (ACCESS_DENIED, no dead-letter queue) is still out: it is given back, or let go at last. */
  async #settled(message: Message): Promise<void> {
    try {
      await message.settlement;
    } catch (error) {
      if (message.isSettled) return; // it is somebody else's
      void message.nack({ reason: textOf(error) });
      this.#tell(error, message);
      await message.settlement.catch((refusal) => {
        if (message.isSettled) return;
        this.#tell(refusal, message);
        this.#source.letGo(message);
      });
    }
  }

  #failed(message: Message, error: unknown): void {
    if (!message.isSettled) void message.nack({ delayMs: this.#delayMs(message, error), reason: textOf(error) });
    this.#tell(error, message);
  }

  /** A wait that makes no sense is told, and is none. */
  #delayMs(message: Message, error: unknown): number {
    const { retryDelayMs = 0 } = this.#options;
    try {
      const delayMs = Math.min(
        typeof retryDelayMs === "number" ? retryDelayMs : retryDelayMs(message, error),
        DELAY_MS_MAX,
      );
      return milliseconds("retryDelayMs", delayMs, 0, DELAY_MS_MAX);
    } catch (mistake) {
      this.#tell(mistake, message);
      return 0;
    }
  }

  #tell(error: unknown, message: Message): void {
    const { onError } = this.#options;
    try {
      if (onError === undefined) console.error("A message's handler failed:", error);
      else onError(error, message);
    } catch (mistake) {
      console.error("onError failed:", mistake);
    }
  }
}

/** Of whatever was thrown. */
function textOf(error: unknown): string {
  try {
    return String(error);
  } catch {
    return "an error without a text";
  }
}
