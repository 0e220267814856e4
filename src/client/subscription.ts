// One subscription: credit granted, deliveries kept until they are taken, taken messages kept until they are settled, and
// all of it carried over a reconnect.
import { codeOf, WasqError } from "./errors.ts";
import type { Link, Member, Session } from "./link.ts";
import { Message, type Settlement, type Settler } from "./message.ts";
import { inRange } from "./options.ts";
import type { Deliver, Envelope, Field, ResumedSubscription, Revoke } from "./schema.ts";
import { numbersOf, rangesOf, Settling } from "./settling.ts";
import { type Handler, type HandlerSettings, Worker } from "./worker.ts";

export interface SubscribeOptions {
  /** How many messages may be out at a time: delivered and not settled. Default 50; with a handler twice its concurrency. */
  readonly prefetch?: number;
  /** How many bytes of them, the last one included only in part. Default 16 MiB. */
  readonly prefetchBytes?: number;
  /** What a delivery brings besides id, body and receive count. */
  readonly fields?: readonly Exclude<Field, "FIELD_UNSPECIFIED">[];
  /** After so long a message is visible again if the broker dies, in ms. Default: the queue's visibility timeout. */
  readonly visibilityMs?: number;
  /** How long a message stays out without being settled, in ms: 1,000 to 43,200,000. Default an hour. */
  readonly processingMsMax?: number;
  /** FIFO: messages of one group out at a time: to 100. Default 1. */
  readonly groupInFlight?: number;
  /** Messages in one Deliver: to 1,000. Default 100. */
  readonly batchMessages?: number;
  /** How long the server waits for a Deliver to become fuller, in ms: to 10,000. Default 0. */
  readonly lingerMs?: number;
  /** Ends the subscription: what was not settled returns to the queue at once. */
  readonly signal?: AbortSignal;
}

/** A subscription whose messages go to a handler. */
export interface HandlerOptions extends SubscribeOptions, HandlerSettings {
  readonly handler: Handler;
}

export interface Subscription {
  readonly queue: string;
  /** After so long a message is visible again if the broker dies, in ms: as asked for, or the queue's visibility timeout. */
  readonly visibilityMs: number;
  /** Messages delivered and not settled, those not yet taken included. */
  readonly outstandingCount: number;
  /** No new deliveries until `resume()`. */
  pause(): void;
  resume(): void;
  /**
   * Ends it: handlers that run may finish and settle, everything else returns to the queue at once. Resolves when that is done.
   */
  close(): Promise<void>;
  /** Resolves when it has been closed; rejects with what else ended it, QUEUE_DELETED for instance. */
  readonly ended: Promise<void>;
}

/** A subscription to be read with `for await`; leaving the loop closes it. */
export interface MessageStream extends Subscription, AsyncIterable<Message> {
  /** Waits for a message, and takes it and what else has arrived, up to `countMax`. Nothing: the subscription is closed. */
  take(countMax: number): Promise<Message[]>;
  /** Like `close()`, but what has been taken stays with its taker until it is settled. */
  drain(): Promise<void>;
}

const PREFETCH = 50;
const PREFETCH_BYTES = 16 << 20;
const RETRY_MS = 1_000;
const AWAY_MS_MAX = 43_200_000;

/** How a settlement fails when the message is not ours any more. After others it is out as before. */
const GONE: ReadonlySet<string> = new Set(["NOT_YOURS", "NEVER_DELIVERED", "NOT_FOUND", "PROTOCOL_ERROR"]);

/** Errors after which the same Subscribe may succeed. */
const PASSING: ReadonlySet<string> = new Set(["CONNECTION_LOST", "GOING_AWAY", "FULL"]);

interface Waiting {
  resolve(result: IteratorResult<Message, undefined>): void;
  reject(error: unknown): void;
}

/** @internal */
export class LiveSubscription implements MessageStream, Member, Settler {
  readonly queue: string;
  /** Resolves with the first Subscribed. */
  readonly opened: Promise<void>;
  readonly ended: Promise<void>;
  readonly #number: number;
  readonly #link: Link;
  readonly #options: SubscribeOptions;
  readonly #settling: Settling;
  readonly #worker: Worker | undefined;
  readonly #prefetch: number;
  readonly #waiting: Waiting[] = [];
  /** Everything that is ours on the server's side, by delivery number. */
  readonly #held = new Map<number, Message>();
  /** Of those, the ones that nobody has taken yet, */
  #buffer: Message[] = [];
  /** and those of FIFO groups one of which is being given back, with how many are: the server calls them back. */
  #aside: Message[] = [];
  readonly #failingGroups = new Map<string, number>();
  #last = 0;
  #isOpen = false; // on this connection
  #isPaused = false;
  #isClosing = false;
  #isGoingAway = false;
  #isFifo = false;
  #visibilityMs = 0;
  #end: { error: unknown } | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #settleOpened: { resolve(): void; reject(error: unknown): void };
  #settleEnded: { resolve(): void; reject(error: unknown): void };
  #onIdle: (() => void)[] = [];
  readonly #onAbort = (): void => this.#abort();

  constructor(link: Link, number: number, queue: string, options: SubscribeOptions | HandlerOptions) {
    this.#link = link;
    this.#number = number;
    this.queue = queue;
    this.#options = options;
    this.#settling = new Settling(link, number);
    checkTimes(options);
    this.#worker = hasHandler(options)
      ? new Worker(options, {
          take: (isFree) => this.#takeFree(isFree),
          letGo: (message) => this.#letGo(message),
        })
      : undefined;
    const prefetch = options.prefetch ?? (this.#worker === undefined ? PREFETCH : this.#worker.concurrency * 2);
    this.#prefetch = inRange("prefetch", prefetch, 1, 100_000);
    inRange("prefetchBytes", options.prefetchBytes ?? PREFETCH_BYTES, 1, 256 << 20);
    const opened = promise();
    const ended = promise();
    this.opened = opened.promise;
    this.ended = ended.promise;
    this.#settleOpened = opened;
    this.#settleEnded = ended;
    options.signal?.addEventListener("abort", this.#onAbort);
  }

  get visibilityMs(): number {
    return this.#visibilityMs;
  }

  get outstandingCount(): number {
    return this.#held.size;
  }

  // --- for its consumer ---

  [Symbol.asyncIterator](): AsyncIterator<Message, undefined> {
    this.#refuseWithHandler();
    return {
      next: () => this.#next(),
      return: async () => {
        await this.close();
        return { done: true, value: undefined };
      },
    };
  }

  async take(countMax: number): Promise<Message[]> {
    this.#refuseWithHandler();
    for (;;) {
      const { value: first } = await this.#next();
      if (first === undefined) return [];
      const taken = [first, ...this.#buffer.splice(0, countMax - 1)].filter(({ revoked }) => revoked === undefined);
      if (taken.length > 0) return taken;
    }
  }

  pause(): void {
    this.#isPaused = true;
    this.#grant();
  }

  resume(): void {
    this.#isPaused = false;
    this.#grant();
  }

  async close(): Promise<void> {
    if (this.#worker !== undefined) return this.drain(); // its handlers settle what they have
    if (this.#beginClosing()) {
      await Promise.race([this.#settling.idle(), this.ended]);
      await this.#unsubscribe();
      this.#finish(undefined);
    }
    await this.ended.catch(() => {});
  }

  async drain(): Promise<void> {
    if (this.#beginClosing()) {
      this.#grant();
      this.#returnBuffer("the consumer closes");
      await this.#idle();
      await this.#unsubscribe();
      this.#finish(undefined);
    }
    await this.ended.catch(() => {});
  }

  settle(message: Message, settlement: Settlement): Promise<void> {
    if (message.revoked !== undefined) return Promise.reject(message.revoked);
    const isFailing = this.#isFifo && settlement.kind === "nack" && message.groupId !== undefined;
    if (isFailing) this.#setAside(message.groupId ?? "");
    const done = this.#settling.add(message, settlement);
    if (settlement.kind === "touch") return done;
    const over = (): void => {
      if (this.#held.get(message.delivery) === message) this.#held.delete(message.delivery);
      if (isFailing) this.#bringBack(message.groupId ?? "");
      this.#checkIdle();
    };
    return done.then(over, (error: WasqError) => {
      if (message.revoked === undefined && this.#end === undefined && !GONE.has(error.code)) {
        message.reopen();
        if (isFailing) this.#bringBack(message.groupId ?? "");
      } else over();
      throw error;
    });
  }

  // --- for the link ---

  up(session: Session): void {
    this.#isGoingAway = false;
    const resumed = session.resumed ? session.subscriptions.get(this.#number) : undefined;
    if (resumed === undefined) {
      this.#loseAll(new WasqError("SESSION_OVER", "the session is over: its messages went back to their queue"));
      this.#last = 0;
      if (!this.#isClosing) void this.#subscribe();
    } else {
      this.#isOpen = true;
      this.#settleOpened.resolve(); // it was open; the answer may have been lost
      this.#reconcile(resumed);
      this.#grant();
    }
  }

  down(): void {
    this.#isOpen = false;
    clearTimeout(this.#retry);
  }

  receive({ deliver, revoke, subscriptionEnded }: Envelope): void {
    if (deliver !== undefined) this.#delivered(deliver);
    else if (revoke !== undefined) this.#revoked(revoke);
    else if (subscriptionEnded !== undefined) {
      const code = codeOf(subscriptionEnded.code);
      const text = subscriptionEnded.message || code;
      this.#finish(new WasqError(code, `the subscription to ${this.queue} has ended: ${text}`));
    }
  }

  goAway(): Promise<void> {
    this.#isGoingAway = true;
    this.#returnBuffer("the server stops");
    return this.#idle();
  }

  end(error: WasqError): void {
    this.#finish(error.code === "CLOSED" ? undefined : error, error);
  }

  // --- inside ---

  #beginClosing(): boolean {
    if (this.#isClosing || this.#end !== undefined) return false;
    this.#isClosing = true;
    this.#finishWaiting();
    return true;
  }

  #refuseWithHandler(): void {
    if (this.#worker !== undefined) throw new WasqError("INVALID_PARAMETER", "the messages go to the handler");
  }

  async #subscribe(): Promise<void> {
    const { fields = [], ...options } = this.#options;
    this.#isOpen = true; // its number can be used before the answer is there
    const needsGroups = (options.groupInFlight ?? 1) > 1; // to know which ones a failure calls back
    try {
      const { subscribed } = await this.#link.request({
        subscribe: {
          subscription: this.#number,
          queue: this.queue,
          visibilityMs: options.visibilityMs,
          processingMsMax: options.processingMsMax,
          batchMessages: options.batchMessages,
          lingerMs: options.lingerMs,
          groupInFlight: options.groupInFlight,
          fields: needsGroups && !fields.includes("GROUP_ID") ? [...fields, "GROUP_ID"] : fields,
          credit: this.#credit(),
        },
      });
      this.#isFifo = subscribed?.fifo ?? false;
      this.#visibilityMs = subscribed?.visibilityMs ?? 0;
      this.#settleOpened.resolve();
    } catch (error) {
      this.#isOpen = false;
      if (this.#end !== undefined || this.#isClosing) return;
      if (!(error instanceof WasqError) || !PASSING.has(error.code)) this.#finish(error);
      else if (error.code === "FULL") this.#retry = setTimeout(() => void this.#subscribe(), RETRY_MS);
      // Otherwise it is tried again with the next connection.
    }
  }

  #credit(): { messages: number; bytes: number; auto: boolean } {
    const isShut = this.#isPaused || this.#isClosing || this.#isGoingAway;
    return {
      messages: isShut ? 0 : this.#prefetch,
      bytes: this.#options.prefetchBytes ?? PREFETCH_BYTES,
      auto: true,
    };
  }

  #grant(): void {
    if (this.#isOpen) this.#link.push({ credit: { subscription: this.#number, ...this.#credit() } });
  }

  #delivered({ first, messages }: Deliver): void {
    for (const [index, wire] of messages.entries()) {
      const delivery = first + index;
      if (delivery <= this.#last || this.#isClosing || this.#end !== undefined) continue; // Unsubscribe returns it
      this.#last = delivery;
      const message = new Message(this, delivery, wire);
      this.#held.set(delivery, message);
      (this.#failingGroups.has(message.groupId ?? "") ? this.#aside : this.#buffer).push(message);
    }
    if (this.#isGoingAway) this.#returnBuffer("the server stops");
    this.#handOut();
  }

  #revoked({ deliveries, reason }: Revoke): void {
    const error = new WasqError(codeOf(reason), `the server called the message back: ${reason}`);
    for (const delivery of numbersOf(deliveries)) {
      const message = this.#held.get(delivery);
      if (message !== undefined) this.#lose(message, error);
    }
    this.#buffer = this.#buffer.filter((message) => message.revoked === undefined);
    this.#checkIdle();
  }

  /** After a resume: gives back what never arrived, and lets go of what is not ours any more. */
  #reconcile({ outstanding, last }: ResumedSubscription): void {
    const ours = new Set(numbersOf(outstanding));
    const neverArrived = [...ours].filter((delivery) => !this.#held.has(delivery));
    if (neverArrived.length > 0) {
      const deliveries = rangesOf(neverArrived);
      this.#link.push({ nack: { subscription: this.#number, deliveries, reason: "lost on its way" } });
    }
    const gone = new WasqError("NOT_YOURS", "the message was called back while the connection was down");
    for (const [delivery, message] of this.#held) {
      if (!ours.has(delivery) && !message.isSettled) this.#lose(message, gone);
    }
    this.#buffer = this.#buffer.filter((message) => message.revoked === undefined);
    this.#last = Math.max(this.#last, last);
    this.#settling.resume();
  }

  #lose(message: Message, error: WasqError): void {
    this.#held.delete(message.delivery);
    message.revoke(error);
  }

  #loseAll(error: WasqError): void {
    for (const message of this.#held.values()) message.revoke(error);
    this.#held.clear();
    this.#buffer = [];
    this.#aside = [];
    this.#settling.fail(error);
    this.#checkIdle();
  }

  /** FIFO: those of the group behind one that is given back are called back in a moment; nobody is to begin with them. */
  #setAside(groupId: string): void {
    this.#failingGroups.set(groupId, (this.#failingGroups.get(groupId) ?? 0) + 1);
    this.#aside.push(...this.#buffer.filter((message) => message.groupId === groupId));
    this.#buffer = this.#buffer.filter((message) => message.groupId !== groupId);
  }

  /** It has been given back: what is still ours of the group came behind it, or was not called back. */
  #bringBack(groupId: string): void {
    const count = (this.#failingGroups.get(groupId) ?? 0) - 1;
    if (count > 0) {
      this.#failingGroups.set(groupId, count);
      return;
    }
    this.#failingGroups.delete(groupId);
    const ours = this.#aside.filter((message) => message.groupId === groupId && message.revoked === undefined);
    this.#aside = this.#aside.filter((message) => message.groupId !== groupId);
    if (ours.length === 0) return;
    this.#buffer = [...this.#buffer, ...ours].sort((a, b) => a.delivery - b.delivery);
    if (this.#isClosing || this.#isGoingAway) this.#returnBuffer("the consumer closes");
    else this.#handOut();
  }

  #returnBuffer(reason: string): void {
    const buffer = this.#buffer;
    this.#buffer = [];
    // From the back: of a FIFO group none is then behind one that was given back.
    for (const message of buffer.reverse()) {
      message.nack({ reason }).catch(() => {
        if (!message.isSettled) this.#letGo(message);
      });
    }
  }

  /** The server takes it back from nobody here: it returns when its time is over. */
  #letGo(message: Message): void {
    if (this.#held.get(message.delivery) === message) this.#held.delete(message.delivery);
    this.#checkIdle();
  }

  #next(): Promise<IteratorResult<Message, undefined>> {
    if (this.#end?.error !== undefined) return Promise.reject(this.#end.error);
    if (this.#isClosing || this.#end !== undefined) return Promise.resolve({ done: true, value: undefined });
    const message = this.#buffer.shift();
    if (message !== undefined) return Promise.resolve({ done: false, value: message });
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  #handOut(): void {
    this.#worker?.pump();
    while (this.#waiting.length > 0) {
      const message = this.#buffer.shift();
      if (message === undefined) return;
      this.#waiting.shift()?.resolve({ done: false, value: message });
    }
  }

  #takeFree(isFree: (message: Message) => boolean): Message | undefined {
    const index = this.#buffer.findIndex(isFree);
    return index === -1 ? undefined : this.#buffer.splice(index, 1)[0];
  }

  #finishWaiting(): void {
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      if (this.#end?.error !== undefined) reject(this.#end.error);
      else resolve({ done: true, value: undefined });
    }
  }

  #idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle.push(resolve);
      this.#checkIdle();
    });
  }

  #checkIdle(): void {
    if (this.#held.size > 0 || this.#settling.pendingCount > 0) return;
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  /** Everything that has been settled goes before it. Without a connection, the link says it when the session goes on. */
  async #unsubscribe(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#settling.flush();
    await this.#link.request({ unsubscribe: { subscription: this.#number } }).catch(() => {});
  }

  #abort(): void {
    const reason: unknown = this.#options.signal?.reason;
    void this.#unsubscribe();
    this.#finish(reason);
  }

  /** @param revoked what its messages are told; the same unless the end was asked for */
  #finish(error: unknown, revoked?: WasqError): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#isOpen = false;
    clearTimeout(this.#retry);
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#link.remove("subscription", this.#number);
    const known = error instanceof WasqError ? error : new WasqError("CLOSED", "the subscription is closed");
    this.#loseAll(revoked ?? known);
    this.#finishWaiting();
    this.#settleOpened.reject(error ?? known);
    if (error === undefined) this.#settleEnded.resolve();
    else this.#settleEnded.reject(error);
  }
}

/** @throws WasqError INVALID_PARAMETER for what the wire would make another number of */
function checkTimes({ visibilityMs, processingMsMax, lingerMs, batchMessages, groupInFlight }: SubscribeOptions): void {
  const all = { visibilityMs, processingMsMax, lingerMs, batchMessages, groupInFlight };
  for (const [name, value] of Object.entries(all)) if (value !== undefined) inRange(name, value, 0, AWAY_MS_MAX);
}

function hasHandler(options: SubscribeOptions | HandlerOptions): options is HandlerOptions {
  const handler: unknown = "handler" in options ? options.handler : undefined;
  if (handler === undefined || typeof handler === "function") return handler !== undefined;
  throw new WasqError("INVALID_PARAMETER", "handler is no function");
}

/** Whose rejection need not be caught. */
function promise(): { promise: Promise<void>; resolve(): void; reject(error: unknown): void } {
  let resolve = (): void => {};
  let reject = (_error: unknown): void => {};
  const made = new Promise<void>((done, fail) => {
    resolve = done;
    reject = fail;
  });
  made.catch(() => {});
  return { promise: made, resolve, reject };
}
