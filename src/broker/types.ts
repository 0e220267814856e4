// What the edge may ask of the broker. Values only: no sockets, no wire formats.
import type { KeyError } from "../keys/provider.ts";

/** A queue's settings, already validated by the edge; stored and logged as they stand here. */
export interface QueueSettings {
  readonly fifo: boolean;
  readonly delaySeconds: number;
  readonly maximumMessageBytes: number;
  readonly retentionSeconds: number;
  readonly waitSeconds: number;
  readonly visibilitySeconds: number;
  readonly contentBasedDeduplication: boolean; // FIFO only, like the two below
  readonly deduplicationScope: "queue" | "messageGroup";
  readonly fifoThroughputLimit: "perQueue" | "perMessageGroupId";
  readonly redrive: { readonly deadLetterTargetArn: string; readonly maxReceiveCount: number } | undefined;
  readonly redriveAllow:
    | { readonly redrivePermission: "allowAll" | "denyAll" | "byQueue"; readonly sourceQueueArns: readonly string[] }
    | undefined;
  readonly policy: string | undefined;
  readonly kmsMasterKeyId: string | undefined;
  readonly kmsDataKeyReusePeriodSeconds: number;
  readonly sqsManagedSse: boolean;
}

export interface QueueName {
  readonly account: string; // 12 digits
  readonly region: string;
  readonly name: string;
}

/** A queue that exists. The object is the same one for the queue's whole life; its fields change. */
export interface Queue extends QueueName {
  readonly settings: QueueSettings;
  readonly tags: ReadonlyMap<string, string>;
  readonly createdMs: number;
  readonly modifiedMs: number;
}

export interface QueueCounts {
  readonly visible: number;
  readonly inFlight: number;
  readonly delayed: number;
}

/** One message to send. The edge has validated it; `attributes` is the edge's own block, opaque here. */
export interface Outgoing {
  readonly body: string;
  readonly delayMs: number | undefined; // undefined: the queue's
  readonly attributes: Uint8Array | undefined; // opaque to the broker, given back on receive
  readonly groupId: string | undefined;
  readonly deduplicationId: string | undefined;
  readonly senderId: string;
  readonly traceHeader: string | undefined;
}

/** "full": memory or disk has no room for it, retry later. "locked" is said of all messages of a send, or of none. */
export type Sent =
  | {
      readonly status: "sent" | "duplicate";
      readonly messageId: string;
      readonly bodyMd5: string;
      readonly sequenceNumber: string;
    }
  | { readonly status: "full" }
  | Locked;

/** The queue's key cannot be used now: nothing was sent, or what was to be received stays where it is. */
export interface Locked {
  readonly status: "locked";
  readonly error: KeyError;
}

/** A received message. `body` and `attributes` are copies, the receiver's to keep. */
export interface Delivered {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  readonly bodyMd5: string;
  readonly attributes: Uint8Array | undefined;
  readonly groupId: string | undefined;
  readonly deduplicationId: string | undefined;
  readonly senderId: string;
  readonly traceHeader: string | undefined;
  readonly sentMs: number;
  readonly firstReceivedMs: number;
  readonly receiveCount: number;
  readonly sequenceNumber: string | undefined; // FIFO only
  readonly deadLetterSourceArn: string | undefined;
}

export type Received =
  | { readonly status: "ok"; readonly messages: readonly Delivered[] }
  | { readonly status: "overLimit" | "queueGone" | "notRetryable" }
  | Locked;

export interface ReceiveOptions {
  readonly countMax: number;
  readonly visibilityMs: number;
  readonly waitMs: number; // 0: a short poll
  readonly attemptId?: string | undefined; // FIFO only: a retry with the same one gets the same messages
}

/** A place in a queue from which a look goes on. Values only, so that they can travel through a client. */
export interface PeekCursor {
  readonly part: "held" | "visible" | "delayed";
  readonly slot: number;
  readonly generation: number;
}

export interface PeekOptions {
  readonly held: boolean; // also what is in flight and, FIFO, what stands behind such in its group
  readonly delayed: boolean; // also what is delayed
  readonly from: PeekCursor | undefined;
  readonly countMax: number;
  readonly bytesMax: number; // of records, and one message in any case
}

/** A message looked at. Its receipt handle is none that anything could be done with. */
export interface Peeked extends Omit<Delivered, "receiptHandle"> {
  readonly place: "visible" | "inFlight" | "delayed";
}

/** "lost": what stood at `from` has been received or has gone; "failed": its bytes could not be read. */
export type PeekResult =
  | { readonly status: "ok"; readonly messages: readonly Peeked[]; readonly next: PeekCursor | undefined }
  | { readonly status: "lost" | "queueGone" }
  | { readonly status: "failed"; readonly error: Error };

/** "expired" is a FIFO handle past its visibility timeout; "gone" a message that is no more (only visibility changes mind). */
export type Settled = "ok" | "invalidHandle" | "expired" | "gone" | "beyondMaximum";

/** A message move task, "cancelling" until its end is on disk. */
export interface MoveTask {
  readonly id: string; // UUID
  readonly destinationArn: string | undefined; // undefined: each message goes where it was redriven from
  readonly messagesPerSecond: number | undefined; // undefined: as fast as it goes
  readonly startedMs: number;
  readonly status: "running" | "completed" | "cancelling" | "cancelled" | "failed";
  readonly movedCount: number;
  readonly toMoveCount: number; // what was visible at the start
  readonly failure: MoveFailure | undefined;
}
/** No queue is known that the next message was redriven from; the queue it would go to is no more; it took too long. */
export type MoveFailure = "sourceUnknown" | "destinationGone" | "timedOut";
export type MoveOptions = Pick<MoveTask, "destinationArn" | "messagesPerSecond">;
/** "active": the source has a task that runs; "overLimit": the account has too many. */
export type MoveStarted =
  | { readonly status: "started"; readonly id: string }
  | { readonly status: "active" | "overLimit" };
export type MoveCancelled =
  | { readonly status: "cancelled"; readonly movedCount: number }
  | { readonly status: "unknown" | "notActive" };

/** The queues. Every callback comes once what it reports is on disk, in the order the log has it. */
export interface Broker {
  find(name: QueueName): Queue | undefined;
  /** Names in code-unit order that start with `prefix`, after `after`, at most `countMax`. */
  list(account: string, region: string, prefix: string, after: string, countMax: number): readonly Queue[];
  /** The caller has checked that the name is free. */
  createQueue(name: QueueName, settings: QueueSettings, tags: ReadonlyMap<string, string>, done: () => void): void;
  setQueue(queue: Queue, settings: QueueSettings, tags: ReadonlyMap<string, string>, done: () => void): void;
  deleteQueue(queue: Queue, done: () => void): void;
  /** Drops every message accepted before the call, and the deduplication window. */
  purgeQueue(queue: Queue, done: () => void): void;
  counts(queue: Queue): QueueCounts;

  /** 1 to 10 messages, in order. */
  send(queue: Queue, messages: readonly Outgoing[], done: (results: readonly Sent[]) => void): void;
  /** @returns a function that gives up the wait: nothing is received for a client that has gone. */
  receive(queue: Queue, options: ReceiveOptions, done: (result: Received) => void): () => void;
  /**
   * Looks at messages and changes nothing: what is held first, then what can be received in its order, then what is delayed.
   * @returns a function that gives it up
   */
  peek(queue: Queue, options: PeekOptions, done: (result: PeekResult) => void): () => void;
  delete(queue: Queue, receiptHandles: readonly string[], done: (results: readonly Settled[]) => void): void;
  changeVisibility(
    queue: Queue,
    changes: readonly { readonly receiptHandle: string; readonly visibilityMs: number }[],
    done: (results: readonly Settled[]) => void,
  ): void;

  /** Newest first: what runs, and what has ended lately. */
  moveTasks(source: Queue): readonly MoveTask[];
  /** The caller has checked that messages of `source` may go to the destination, if one is given. */
  startMove(source: Queue, options: MoveOptions, done: (result: MoveStarted) => void): void;
  cancelMove(source: Queue, taskId: string, done: (result: MoveCancelled) => void): void;
}

/** A ReceiveMessage as the core read it; undefined: the queue's setting, or the service's default. */
export interface ReceiveRequest {
  readonly queueUrl: string;
  readonly countMax: number | undefined;
  readonly visibilityMs: number | undefined;
  readonly waitMs: number | undefined;
  readonly wanted: number; // what is asked for of the messages' attributes: bits of assembly/request.ts
}

/** Whoever receives: called once, on one of two ways. */
export interface Receiver {
  /** What is wanted of the messages' attributes, if an answer that the core composes is welcome. */
  readonly wanted?: number;
  /** The whole answer in AWS JSON; it is valid only during the call. */
  composed?(body: Uint8Array): void;
  received(result: Received): void;
}

/** An answer that waits for the disk. */
export interface HeldAnswer {
  /** Set before it is released. */
  text: string;
  /** Called once, when what the answer tells is on disk. */
  release(): void;
}

/**
 * Requests of AWS JSON that the core reads and answers whole: a parse, then, in the same breath, the command for what was
 * parsed. Whatever it does not take has changed nothing.
 */
export interface DirectBroker {
  /** Reads SendMessage, or its batch. @returns its QueueUrl, undefined: not taken */
  parseSend(body: Uint8Array, batch: boolean, senderId: string): string | undefined;
  /** Sends what was parsed. @returns false: not taken */
  send(queue: Queue, batch: boolean, answer: HeldAnswer): boolean;
  parseDelete(body: Uint8Array, batch: boolean): string | undefined;
  delete(queue: Queue, batch: boolean, answer: HeldAnswer): boolean;
  parseReceive(body: Uint8Array): ReceiveRequest | undefined;
  /** As Broker.receive; there is nothing that it does not take. */
  receive(queue: Queue, options: ReceiveOptions, receiver: Receiver): () => void;
  /** Grows whenever a queue comes or goes: what was found by name before may not be what is found now. */
  readonly queuesVersion: number;
}
