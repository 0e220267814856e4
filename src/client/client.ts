// What `connect` gives: one socket, and on it any number of subscriptions, publishers and watches.
import { throwIfAborted, WasqError } from "./errors.ts";
import { Link } from "./link.ts";
import { type ConnectOptions, settingsOf } from "./options.ts";
import type { OutgoingMessage } from "./outgoing.ts";
import {
  LivePublisher,
  type Published,
  type Publisher,
  type PublisherOptions,
  type PublishOptions,
} from "./publisher.ts";
import {
  type HandlerOptions,
  LiveSubscription,
  type MessageStream,
  type SubscribeOptions,
  type Subscription,
} from "./subscription.ts";
import { LiveWatch, type Watch, type WatchOptions } from "./watch.ts";

export interface CloseOptions {
  /** How long handlers may run on and confirmations may take, in ms. Default 30,000. */
  readonly timeoutMs?: number;
}

export interface Client {
  /** Whether there is a connection now; without one, what is asked for waits. */
  readonly isConnected: boolean;
  /** Publishes through a publisher of the queue that is opened at the first call. Resolves when the message is on disk. */
  publish(queue: string, message: string | OutgoingMessage, options?: PublishOptions): Promise<Published>;
  /** The same for several with one promise. Rejects with a PublishError when some are refused. */
  publishBatch(
    queue: string,
    messages: readonly (string | OutgoingMessage)[],
    options?: PublishOptions,
  ): Promise<Published[]>;
  /** A publisher of one's own, for backpressure, message IDs, or a producer id that outlives the process. */
  publisher(queue: string, options?: PublisherOptions): Promise<Publisher>;
  /** Messages for a handler. Resolves when the server has taken the subscription. */
  subscribe(queue: string, options: HandlerOptions): Promise<Subscription>;
  /** Messages for `for await`. Resolves when the server has taken the subscription. */
  subscribe(queue: string, options?: SubscribeOptions): Promise<MessageStream>;
  /** Counts, rates and events of a queue, without receiving from it. */
  watch(queue: string, options?: WatchOptions): Promise<Watch>;
  /** Lets handlers finish and confirmations come, gives everything else back at once, and says goodbye. */
  close(options?: CloseOptions): Promise<void>;
}

const CLOSE_MS = 30_000;

/**
 * Connects to a broker.
 * @param url the broker's, as for HTTP: http://127.0.0.1:9324
 * @throws WasqError CONNECT_FAILED, TIMEOUT, NOT_AUTHORIZED; INVALID_PARAMETER for options
 */
export async function connect(url: string | URL, options: ConnectOptions = {}): Promise<Client> {
  throwIfAborted(options.signal);
  const settings = settingsOf(url, options);
  const link = new Link({
    ...settings,
    onChange: (change) => {
      if (change.kind === "closed") options.signal?.removeEventListener("abort", onAbort);
      options.onChange?.(change);
    },
  });
  const onAbort = (): void => void link.bye(new WasqError("CLOSED", "the client's signal was aborted"));
  options.signal?.addEventListener("abort", onAbort, { once: true });
  try {
    await link.start();
  } catch (error) {
    throwIfAborted(options.signal);
    throw error;
  }
  return new LiveClient(link);
}

class LiveClient implements Client {
  readonly #link: Link;
  readonly #publishers = new Map<string, LivePublisher>();
  readonly #closers = new Set<{ close(): Promise<void> }>();
  #closing: Promise<void> | undefined;

  constructor(link: Link) {
    this.#link = link;
  }

  get isConnected(): boolean {
    return this.#link.isConnected;
  }

  async publish(queue: string, message: string | OutgoingMessage, options?: PublishOptions): Promise<Published> {
    return this.#shared(queue).publish(message, options);
  }

  async publishBatch(
    queue: string,
    messages: readonly (string | OutgoingMessage)[],
    options?: PublishOptions,
  ): Promise<Published[]> {
    return this.#shared(queue).publishBatch(messages, options);
  }

  async publisher(queue: string, options: PublisherOptions = {}): Promise<Publisher> {
    const publisher = this.#addPublisher(queue, options);
    await publisher.opened;
    return publisher;
  }

  subscribe(queue: string, options: HandlerOptions): Promise<Subscription>;
  subscribe(queue: string, options?: SubscribeOptions): Promise<MessageStream>;
  async subscribe(queue: string, options: SubscribeOptions | HandlerOptions = {}): Promise<MessageStream> {
    this.#refuseWhenClosing();
    throwIfAborted(options.signal);
    const subscription = this.#add(
      "subscription",
      (number) => new LiveSubscription(this.#link, number, queue, options),
    );
    this.#closers.add(subscription);
    void subscription.ended.catch(() => {}).then(() => this.#closers.delete(subscription));
    await subscription.opened;
    return subscription;
  }

  async watch(queue: string, options: WatchOptions = {}): Promise<Watch> {
    this.#refuseWhenClosing();
    throwIfAborted(options.signal);
    const watch = this.#add("watch", (number) => new LiveWatch(this.#link, number, queue, options));
    await watch.opened;
    return watch;
  }

  close({ timeoutMs = CLOSE_MS }: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async #close(timeoutMs: number): Promise<void> {
    const everything = [...this.#closers].map((each) => each.close());
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    await Promise.race([Promise.allSettled(everything), late]);
    clearTimeout(timer);
    await this.#link.bye(new WasqError("CLOSED", "the client is closed"));
  }

  #shared(queue: string): LivePublisher {
    let publisher = this.#publishers.get(queue);
    if (publisher === undefined || publisher.isOver) {
      publisher = this.#addPublisher(queue, {});
      this.#publishers.set(queue, publisher);
    }
    return publisher;
  }

  #addPublisher(queue: string, options: PublisherOptions): LivePublisher {
    this.#refuseWhenClosing();
    const publisher = this.#add("publisher", (number) => new LivePublisher(this.#link, number, queue, options));
    this.#closers.add(publisher);
    void publisher.ended.then(() => this.#closers.delete(publisher));
    return publisher;
  }

  #add<M extends LivePublisher | LiveSubscription | LiveWatch>(
    kind: "subscription" | "publisher" | "watch",
    make: (number: number) => M,
  ): M {
    let made: M | undefined;
    this.#link.add(kind, (number) => {
      made = make(number);
      return made;
    });
    return made as M;
  }

  #refuseWhenClosing(): void {
    if (this.#closing !== undefined) throw new WasqError("CLOSED", "the client is closed");
  }
}
