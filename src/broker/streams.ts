// Streams: subscriptions, publishers and watches, between the core and the room that has their sessions.
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import type { Core } from "../core/core.ts";
import type { CoreStreams } from "../core/streams.ts";
import type { Catalogue } from "./catalogue.ts";
import { Loads } from "./loads.ts";
import { MessageIds } from "./message-ids.ts";
import { Publisher } from "./publisher.ts";
import { QueueEntry } from "./queue-entry.ts";
import type { RecordReader } from "./record-reader.ts";
import type { Seals } from "./seals.ts";
import type {
  BrokerPublisher,
  BrokerSubscription,
  BrokerWatch,
  PublisherListener,
  PublishHead,
  StreamBroker,
  SubscriptionListener,
  SubscriptionRules,
  WatchListener,
} from "./stream-types.ts";
import { Subscription } from "./subscription.ts";
import type { Turn } from "./turn.ts";
import type { Queue, QueueName } from "./types.ts";
import { Watches } from "./watches.ts";

/** A drain composes about so much before the loop goes round: sockets are read, and others get their turn. */
const DRAIN_BYTES = 512 * 1024;
const TOKEN_MAX = 0xffff_ffff;

/** What subscriptions, publishers and watches are given. */
export interface StreamParts {
  readonly core: Core;
  readonly streams: CoreStreams;
  readonly catalogue: Catalogue;
  readonly reader: RecordReader;
  readonly loads: Loads;
  readonly seals: Seals;
  readonly turn: Turn;
  readonly clock: Clock;
  readonly ids: MessageIds;
  readonly watches: Watches;
  /** Those who can take something are given it when this pass over the sockets is done. */
  serveSoon(): void;
}

export class Streams implements StreamBroker {
  readonly #parts: StreamParts;
  readonly #subscriptions = new Map<number, Subscription>();
  readonly #publishers = new Set<Publisher>();
  readonly #watches: Watches;
  #nextToken = 1;
  #isServing = false;
  #isDraining = false;

  constructor(parts: {
    core: Core;
    catalogue: Catalogue;
    reader: RecordReader;
    seals: Seals;
    turn: Turn;
    clock: Clock;
  }) {
    const streams = parts.core.streams();
    this.#watches = new Watches({ ...parts, streams });
    const serveSoon = () => this.#serveSoon();
    this.#parts = { ...parts, streams, loads: new Loads(), ids: new MessageIds(), watches: this.#watches, serveSoon };
  }

  find(name: QueueName): Queue | undefined {
    return this.#parts.catalogue.find(name);
  }

  #entry(queue: Queue): QueueEntry {
    assert(queue instanceof QueueEntry, "queues come from this broker");
    return queue;
  }

  // --- subscriptions ----------------------------------------------------------------------------------------------

  subscribe(queue: Queue, rules: SubscriptionRules, listener: SubscriptionListener): BrokerSubscription | undefined {
    const entry = this.#entry(queue);
    const token = this.#takeToken();
    const cell = this.#parts.streams.open(entry.index, token, rules);
    if (cell === 0) return undefined;
    const subscription = new Subscription(this.#parts, entry, cell, listener, () => {
      this.#subscriptions.delete(token);
    });
    this.#subscriptions.set(token, subscription);
    return subscription;
  }

  #takeToken(): number {
    do this.#nextToken = this.#nextToken === TOKEN_MAX ? 1 : this.#nextToken + 1;
    while (this.#subscriptions.has(this.#nextToken));
    return this.#nextToken;
  }

  /** Hands on frames for whoever has been given something since the last call. */
  drain(): void {
    this.#watches.drain();
    // Sending a frame may end a session, and with it ask something of the core that is drained in turn.
    if (this.#isDraining) return;
    this.#isDraining = true;
    const { streams, clock } = this.#parts;
    let composedBytes = 0;
    try {
      for (let token = streams.next(); token !== 0; token = streams.next()) {
        composedBytes += this.#subscriptions.get(token)?.pump(clock.nowMs()) ?? 0;
        if (composedBytes >= DRAIN_BYTES) break;
      }
    } finally {
      this.#isDraining = false;
    }
    if (composedBytes > 0) this.#serveSoon();
  }

  /** Those whose batch is on its way can take another. */
  #serveSoon(): void {
    if (this.#isServing) return;
    this.#isServing = true;
    setImmediate(() => {
      this.#isServing = false;
      const { streams, turn, clock } = this.#parts;
      turn.begin();
      streams.serve(clock.nowMs());
      turn.ran();
    });
  }

  // --- publishers -------------------------------------------------------------------------------------------------

  openPublisher(
    queue: Queue,
    options: { readonly producerId: Uint8Array | undefined; readonly wantsIds: boolean; readonly senderId: string },
    listener: PublisherListener,
  ): BrokerPublisher | undefined {
    const entry = this.#entry(queue);
    const cell = this.#parts.streams.openPublisher(options.producerId, options.wantsIds, options.senderId);
    if (cell === 0) return undefined;
    const publisher = new Publisher(this.#parts, entry, cell, listener, () => this.#publishers.delete(publisher));
    this.#publishers.add(publisher);
    return publisher;
  }

  afterConfirmed(run: () => void): void {
    this.#parts.turn.afterRelease(run);
  }

  whenFlushed(done: () => void): void {
    const { turn } = this.#parts;
    turn.hold(turn.headPosition, { release: done });
  }
  takeFrame(bytes: Uint8Array): boolean {
    return this.#parts.streams.takeIncoming(bytes);
  }
  publishHead(offset: number, sizeBytes: number): PublishHead | undefined {
    return this.#parts.streams.scanPublish(offset, sizeBytes);
  }

  // --- watches ----------------------------------------------------------------------------------------------------

  watch(
    queue: Queue,
    options: { readonly events: boolean; readonly bodies: boolean },
    listener: WatchListener,
  ): BrokerWatch {
    const entry = this.#entry(queue);
    return this.#watches.open(entry, options, listener, () => {
      let count = 0;
      for (const subscription of this.#subscriptions.values()) if (subscription.entry === entry) count++;
      return count;
    });
  }

  // --- queues -----------------------------------------------------------------------------------------------------

  /** A purge has given the queue another place in the core; the old one still has its messages. */
  moved(entry: QueueEntry, oldIndex: number): void {
    for (const subscription of this.#subscriptions.values()) {
      if (subscription.entry === entry) subscription.move();
    }
    this.#watches.moved(entry, oldIndex);
  }

  /** The queue is being deleted. */
  ended(entry: QueueEntry): void {
    for (const subscription of [...this.#subscriptions.values()]) {
      if (subscription.entry === entry) subscription.end();
    }
    for (const publisher of [...this.#publishers]) if (publisher.entry === entry) publisher.end();
    this.#watches.ended(entry);
  }
}
