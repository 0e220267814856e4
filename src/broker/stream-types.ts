// What the stream room may ask of the broker. Bytes of frames go in and come out; the core reads and writes them.
import type { Queue, QueueCounts, QueueName } from "./types.ts";

export interface DeliveryRange {
  readonly first: number;
  readonly last: number; // included
}

export interface SubscriptionRules {
  readonly clientId: number; // what the client calls it, as it stands in the frames
  readonly visibilityMs: number; // what counts after a crash
  readonly processingMs: number; // how long a message stays out at most
  readonly batchMessages: number; // 1 to 1,000
  readonly lingerMs: number;
  readonly fields: number; // bits: 1 << number in the schema's Field
  readonly groupInFlight: number;
}

export interface SubscriptionListener {
  /** Envelopes, each behind its size, valid until this returns. */
  frame(bytes: Uint8Array): void;
  /** The queue is no more, and neither is the subscription. */
  ended(): void;
}

/** What may be done with deliveries. */
export type Outcome = "ack" | "nack" | "touch" | "deadLetter";

export interface OutcomeResult {
  readonly count: number;
  /** Numbers that were not done, in the order in which they were named: runs of them with the schema's SettleCode. */
  readonly failures: readonly (DeliveryRange & { readonly code: number })[];
}

export interface BrokerSubscription {
  readonly queue: Queue;
  /** Whether the queue has somewhere to send dead letters. */
  readonly hasDeadLetterQueue: boolean;
  /** The newest delivery number; 0: none yet. */
  readonly last: number;
  /** `done` is told once it counts; false: nothing has had the number `beyond` yet, and nothing has changed. */
  setCredit(messages: number, bytes: number, beyond: number, auto: boolean, done: (taken: boolean) => void): void;
  /** `done` comes when what was done is on disk, or at once where that need not be waited for. */
  settle(
    outcome: Outcome,
    ranges: readonly DeliveryRange[],
    visibilityMs: number,
    reason: string, // for those who watch
    done: (result: OutcomeResult) => void,
  ): void;
  /** No frames until resume(). */
  pause(): void;
  resume(): void;
  /** The connection is gone: no credit, and no frames until resume(). */
  detach(): void;
  outstanding(): readonly DeliveryRange[];
  readonly hasOutstanding: boolean;
  /** What is out is visible again at once, when what was asked before is done; `done` is told then. */
  close(done?: () => void): void;
}

/** Why a message was not taken, by its number in assembly/publish.ts and attributes.ts. */
export interface PublishFailure {
  readonly number: number;
  readonly reason: number;
}

export interface PublisherListener {
  /** Everything up to `number` is on disk, but for the failures. `published`: fields of a Confirm, to keep. */
  confirmed(
    number: number,
    failures: readonly PublishFailure[],
    published: Uint8Array | undefined,
    sizeBytes: number,
  ): void;
  /** Nothing from `from` on was taken of a Publish that began with `first`. */
  refused(from: number, reason: "full" | "gap", first: number, sizeBytes: number): void;
  /** So many more messages broke a rule, of which `confirmed` will tell; below zero: of so many it has told, or never will. */
  failing(count: number): void;
  /** What came was no Publish message. */
  malformed(): void;
  /** The queue is no more, and neither is the publisher. */
  ended(): void;
}

export interface BrokerPublisher {
  readonly queue: Queue;
  /** The newest number that was seen of it, or is remembered of its producer; 0: none. */
  readonly last: number;
  /** @param offset of a Publish message in the frame taken last; its numbers begin with `first` */
  publish(offset: number, sizeBytes: number, first: number): void;
  /** What was published before is confirmed or refused first, and then `done` is told. Nothing may be published behind it. */
  close(done?: () => void): void;
}

export interface PublishHead {
  readonly publisher: number;
  readonly first: number;
  readonly count: number;
}

export interface WatchEvent {
  readonly kind: number; // the schema's EventKind
  readonly timeMs: number;
  readonly messageId: Uint8Array | undefined;
  readonly receiveCount: number;
  readonly body: Uint8Array | undefined; // of what was sent
  readonly reason: string; // what a client said of it
}

export interface QueueActivity extends QueueCounts {
  readonly oldestMs: number; // age of the oldest visible message, 0 without one
  /** Counted up since the first watch began. */
  readonly sentCount: number;
  readonly deliveredCount: number;
  readonly settledCount: number;
  readonly subscriptions: number;
  readonly pollers: number;
}

export interface WatchListener {
  /** Something has happened to a message. Only asked for with `events`. */
  event(event: WatchEvent): void;
  ended(): void;
}

export interface BrokerWatch {
  readonly queue: Queue;
  /** Events that were left out because there were too many at once. */
  readonly skipped: number;
  activity(): QueueActivity;
  close(): void;
}

export interface StreamBroker {
  find(name: QueueName): Queue | undefined;
  /** @returns undefined when memory is used up */
  subscribe(queue: Queue, rules: SubscriptionRules, listener: SubscriptionListener): BrokerSubscription | undefined;
  /** @returns undefined when memory is used up */
  openPublisher(
    queue: Queue,
    options: { readonly producerId: Uint8Array | undefined; readonly wantsIds: boolean; readonly senderId: string },
    listener: PublisherListener,
  ): BrokerPublisher | undefined;
  watch(
    queue: Queue,
    options: { readonly events: boolean; readonly bodies: boolean },
    listener: WatchListener,
  ): BrokerWatch;
  /** Runs `done` when all that was asked so far is on disk. */
  whenFlushed(done: () => void): void;
  /** Runs `run` when all that one commit has put on disk is confirmed: where that was much, before any is handed out. */
  afterConfirmed(run: () => void): void;
  /** Takes a copy of a frame, for publish() until the next one. @returns false when memory is used up */
  takeFrame(bytes: Uint8Array): boolean;
  /** The head of a Publish message in that frame; undefined: it is none. */
  publishHead(offset: number, sizeBytes: number): PublishHead | undefined;
}
