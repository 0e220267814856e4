// Looking at a queue without receiving from it.
import { codeOf, WasqError } from "./errors.ts";
import type { Link, Member, Session } from "./link.ts";
import { uuidOf } from "./message.ts";
import type { Envelope, EventKind, QueueState, Watched } from "./schema.ts";

export interface WatchOptions {
  /** At most one update in this time, in ms: 100 to 60,000. Default 500. */
  readonly intervalMs?: number;
  /** What happens to single messages as well. */
  readonly events?: boolean;
  /** SENT events have the body. */
  readonly bodies?: boolean;
  /** Ends the watch. */
  readonly signal?: AbortSignal;
}

export interface QueueEvent {
  readonly kind: EventKind;
  /** ms since 1970. */
  readonly timeMs: number;
  readonly messageId: string | undefined;
  readonly receiveCount: number;
  /** Of a SENT event, with `bodies`. */
  readonly body: string | undefined;
  /** Of a message given back or dead-lettered. */
  readonly reason: string | undefined;
}

export interface WatchUpdate {
  /** Counts, age of the oldest message in ms, and rates a second, as they are now. */
  readonly state: QueueState | undefined;
  readonly events: readonly QueueEvent[];
  /** Events that were left out since the last update because there were too many. */
  readonly skippedCount: number;
}

/** To be read with `for await`; leaving the loop closes it. Throws QUEUE_DELETED, and ACCESS_DENIED. */
export interface Watch extends AsyncIterable<WatchUpdate> {
  readonly queue: string;
  close(): Promise<void>;
}

const EVENTS_MAX = 10_000; // kept for a slow reader
const decoder = new TextDecoder();

interface Waiting {
  resolve(result: IteratorResult<WatchUpdate, undefined>): void;
  reject(error: unknown): void;
}

/** @internal */
export class LiveWatch implements Watch, Member {
  readonly queue: string;
  /** Resolves with the first Watching. */
  readonly opened: Promise<void>;
  readonly #link: Link;
  readonly #number: number;
  readonly #options: WatchOptions;
  #waiting: Waiting[] = [];
  /** What has come since the reader looked: the newest state, and events. */
  #update: { state: QueueState | undefined; events: QueueEvent[]; skippedCount: number } | undefined;
  #end: { error: unknown } | undefined;
  #settleOpened: { resolve(): void; reject(error: unknown): void };
  readonly #onAbort = (): void => {
    this.#unwatch();
    this.#finish(this.#options.signal?.reason);
  };

  constructor(link: Link, number: number, queue: string, options: WatchOptions) {
    this.#link = link;
    this.#number = number;
    this.queue = queue;
    this.#options = options;
    let settle = { resolve: (): void => {}, reject: (_error: unknown): void => {} };
    this.opened = new Promise((resolve, reject) => {
      settle = { resolve, reject };
    });
    this.opened.catch(() => {});
    this.#settleOpened = settle;
    options.signal?.addEventListener("abort", this.#onAbort);
  }

  [Symbol.asyncIterator](): AsyncIterator<WatchUpdate, undefined> {
    return {
      next: () =>
        new Promise((resolve, reject) => {
          this.#waiting.push({ resolve, reject });
          this.#handOut();
        }),
      return: async () => {
        await this.close();
        return { done: true, value: undefined };
      },
    };
  }

  async close(): Promise<void> {
    if (this.#end !== undefined) return;
    this.#unwatch();
    this.#finish(undefined);
  }

  up(_session: Session): void {
    void this.#watch();
  }

  down(): void {}

  receive({ watched }: Envelope): void {
    if (watched === undefined) return;
    if (watched.state !== undefined || watched.events.length > 0 || watched.skipped > 0) this.#keep(watched);
    const { endedCode, message } = watched;
    if (endedCode !== "ERROR_UNSPECIFIED") this.#finish(new WasqError(codeOf(endedCode), message));
    if (watched.deleted) this.#finish(new WasqError("QUEUE_DELETED", `the queue ${this.queue} has been deleted`));
    this.#handOut();
  }

  goAway(): Promise<void> {
    return Promise.resolve();
  }

  end(error: WasqError): void {
    this.#finish(error.code === "CLOSED" ? undefined : error);
  }

  async #watch(): Promise<void> {
    const { intervalMs, events, bodies } = this.#options;
    try {
      await this.#link.request({ watch: { watch: this.#number, queue: this.queue, intervalMs, events, bodies } });
      this.#settleOpened.resolve();
    } catch (error) {
      const code = error instanceof WasqError ? error.code : undefined;
      if (code === "ALREADY_EXISTS")
        this.#settleOpened.resolve(); // resumed: it goes on
      else if (code !== "CONNECTION_LOST" && code !== "GOING_AWAY") this.#finish(error);
    }
  }

  #keep({ state, events, skipped }: Watched): void {
    this.#update ??= { state: undefined, events: [], skippedCount: 0 };
    const update = this.#update;
    update.state = state ?? update.state;
    update.skippedCount += skipped;
    for (const each of events) {
      if (update.events.length === EVENTS_MAX) update.skippedCount += 1;
      else {
        update.events.push({
          kind: each.kind,
          timeMs: each.timeMs,
          messageId: each.id.length === 0 ? undefined : uuidOf(each.id),
          receiveCount: each.receiveCount,
          body: each.kind === "SENT" && this.#options.bodies === true ? decoder.decode(each.body) : undefined,
          reason: each.reason || undefined,
        });
      }
    }
  }

  #handOut(): void {
    while (this.#waiting.length > 0) {
      if (this.#update !== undefined) {
        this.#waiting.shift()?.resolve({ done: false, value: this.#update });
        this.#update = undefined;
      } else if (this.#end === undefined) return;
      else if (this.#end.error === undefined) this.#waiting.shift()?.resolve({ done: true, value: undefined });
      else this.#waiting.shift()?.reject(this.#end.error);
    }
  }

  #unwatch(): void {
    this.#link.push({ unwatch: { watch: this.#number } });
  }

  #finish(error: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#link.remove("watch", this.#number);
    this.#settleOpened.reject(error ?? new WasqError("CLOSED", "the watch is closed"));
    this.#handOut();
  }
}
