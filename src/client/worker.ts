// Hands messages to a handler, so many at a time, and settles them by what it does.
import type { Message } from "./message.ts";
import { inRange } from "./options.ts";

/** Acked when it is over, given back when it throws, unless it has settled the message itself. */
export type Handler = (message: Message) => unknown;

export interface HandlerSettings {
  /** Handlers that run at a time. Default 1. Messages of one FIFO group are never worked on at the same time. */
  readonly concurrency?: number;
  /** How long a message waits after its handler has thrown, in ms. Default 0. */
  readonly retryDelayMs?: number | ((message: Message, error: unknown) => number);
  /** What handlers throw. Default: console.error. */
  readonly onError?: (error: unknown, message: Message) => void;
}

const CONCURRENCY_MAX = 10_000;

/** @internal */
export class Worker {
  readonly concurrency: number;
  readonly #options: HandlerSettings & { readonly handler: Handler };
  readonly #take: (isFree: (message: Message) => boolean) => Message | undefined;
  readonly #busyGroups = new Set<string>();
  readonly #isFree = ({ groupId }: Message): boolean => groupId === undefined || !this.#busyGroups.has(groupId);
  #runningCount = 0;
  #onIdle: (() => void)[] = [];

  /** @param take hands over the first message that is free, and forgets it */
  constructor(
    options: HandlerSettings & { readonly handler: Handler },
    take: (isFree: (message: Message) => boolean) => Message | undefined,
  ) {
    this.#options = options;
    this.#take = take;
    this.concurrency = inRange("concurrency", options.concurrency ?? 1, 1, CONCURRENCY_MAX);
  }

  /** Begins with as many messages as may run. */
  pump(): void {
    while (this.#runningCount < this.concurrency) {
      const message = this.#take(this.#isFree);
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
  }

  #failed(message: Message, error: unknown): void {
    const { retryDelayMs = 0, onError } = this.#options;
    const delayMs = typeof retryDelayMs === "number" ? retryDelayMs : retryDelayMs(message, error);
    if (!message.isSettled) void message.nack({ delayMs, reason: String(error) });
    if (onError === undefined) console.error("A message's handler failed:", error);
    else onError(error, message);
  }
}
