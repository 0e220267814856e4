// Options and events of the package sqs-consumer, as far as a stream has a meaning for them.
import type { ConnectOptions } from "./options.ts";
import type { Credentials } from "./sign.ts";
import type { SqsMessage } from "./sqs-message.ts";

/** Whoever names a message: the one that was handled, or an object with its id. */
export interface HasMessageId {
  readonly MessageId?: string | undefined;
}

/** The part of an SQSClient of the AWS SDK that says where and in which region the queue is, and who asks. */
export interface SqsClientLike {
  readonly config: {
    readonly endpoint?: (() => Promise<{ protocol: string; hostname: string; port?: number | undefined }>) | undefined;
    readonly region: (() => Promise<string>) | string;
    readonly credentials?: (() => Promise<Credentials>) | undefined;
  };
}

export interface ConsumerOptions {
  readonly queueUrl: string;
  /** Called for each message. What it returns with the message's MessageId says that the message may be deleted. */
  readonly handleMessage?: (message: SqsMessage) => Promise<HasMessageId | null | undefined> | Promise<void>;
  /** Called for several messages; wins over handleMessage. What it returns may be deleted. */
  readonly handleMessageBatch?: (
    messages: SqsMessage[],
  ) => Promise<readonly HasMessageId[] | null | undefined> | Promise<void>;
  /** System attributes wanted, by both of their names. */
  readonly attributeNames?: readonly string[];
  readonly messageSystemAttributeNames?: readonly string[];
  readonly messageAttributeNames?: readonly string[];
  /** How many messages are worked on at a time, or make a batch at most: 1 to 10. Default 1. */
  readonly batchSize?: number;
  /** Seconds after which a message that was not deleted is visible again. Default: the queue's. */
  readonly visibilityTimeout?: number;
  /** Seconds without a message after which `empty` is emitted, at least 1. Default 20. */
  readonly waitTimeSeconds?: number;
  /** ms to wait after the queue was not found, or access was denied. Default 10,000. */
  readonly authenticationErrorTimeout?: number;
  /** ms that `stop()` waits for running handlers before `stopped`. Default 0. */
  readonly pollingCompleteWaitTimeMs?: number;
  /** After a handler's failure: visible at once (true), or after so many seconds. Default: when the timeout is over. */
  readonly terminateVisibilityTimeout?: boolean | number | ((messages: SqsMessage[]) => number);
  /** ms after which a handler has failed. */
  readonly handleMessageTimeout?: number;
  /** false: the handlers delete. Default true. */
  readonly shouldDeleteMessages?: boolean;
  /** Deletes whatever a handler returns. Default false. */
  readonly alwaysAcknowledge?: boolean;
  /** A handler that returns null has failed. Default false. */
  readonly strictReturn?: boolean;
  /** Before a subscription is opened, and when it is open: at the start, and after a failure or updateOption. */
  readonly preReceiveMessageCallback?: () => Promise<void>;
  readonly postReceiveMessageCallback?: () => Promise<void>;
  /** Default: that of `sqs`, AWS_REGION, or eu-west-1. */
  readonly region?: string;
  /** Asked for endpoint, region and credentials. */
  readonly sqs?: SqsClientLike;
  /** false: the endpoint of `sqs`, instead of the queue URL's. */
  readonly useQueueUrlAsEndpoint?: boolean;

  // Taken so that nothing has to be deleted, and without a meaning here: nothing is polled, the server keeps the visibility
  // timeout alive, and FIFO queues keep their order.
  readonly pollingWaitTimeMs?: number;
  readonly heartbeatInterval?: number;
  readonly suppressFifoWarning?: boolean;
  readonly extendedAWSErrors?: boolean;

  /** Besides: how to connect (ticket, credentials ...), and where, if not to the queue URL's host. */
  readonly connection?: ConnectOptions;
  readonly endpoint?: string;
}

export interface StopOptions {
  /** Ends running work's hold on its messages as well. Default false. */
  readonly abort?: boolean;
}

/** The last argument of every event. */
export interface QueueMetadata {
  readonly queueUrl: string;
}

export type UpdatableOptions = "visibilityTimeout" | "batchSize" | "waitTimeSeconds" | "pollingWaitTimeMs";

export interface ConsumerEvents {
  response_processed: [QueueMetadata];
  empty: [QueueMetadata];
  message_received: [SqsMessage, QueueMetadata];
  message_processed: [SqsMessage, QueueMetadata];
  error: [Error, SqsMessage | SqsMessage[] | undefined, QueueMetadata];
  timeout_error: [Error, SqsMessage, QueueMetadata];
  processing_error: [Error, SqsMessage, QueueMetadata];
  aborted: [QueueMetadata];
  started: [QueueMetadata];
  stopped: [QueueMetadata];
  option_updated: [UpdatableOptions, number | undefined, QueueMetadata];
  waiting_for_polling_to_complete: [QueueMetadata];
  waiting_for_polling_to_complete_timeout_exceeded: [QueueMetadata];
}

/** @internal @throws Error for an option that is missing or out of range, in the words of sqs-consumer */
export function checkOptions(options: ConsumerOptions): void {
  if (!options.queueUrl) throw new Error("Missing SQS consumer option [ queueUrl ].");
  if (!options.handleMessage && !options.handleMessageBatch) {
    throw new Error("Missing SQS consumer option [ handleMessage or handleMessageBatch ].");
  }
  if (options.batchSize) checkOption("batchSize", options.batchSize, options);
  const { heartbeatInterval, visibilityTimeout } = options;
  if (heartbeatInterval && (!visibilityTimeout || heartbeatInterval >= visibilityTimeout)) {
    throw new Error("heartbeatInterval must be less than visibilityTimeout.");
  }
}

/** @internal @throws Error for a value that is out of range, and for options that cannot be changed */
export function checkOption(option: string, value: number | undefined, options: ConsumerOptions): void {
  if (option === "batchSize") {
    if (value === undefined || value > 10 || value < 1) throw new Error("batchSize must be between 1 and 10.");
  } else if (option === "visibilityTimeout") {
    if (options.heartbeatInterval && (value ?? 0) <= options.heartbeatInterval) {
      throw new Error("heartbeatInterval must be less than visibilityTimeout.");
    }
  } else if (option === "waitTimeSeconds") {
    if (value === undefined || value < 1 || value > 20) throw new Error("waitTimeSeconds must be between 0 and 20.");
  } else if (option === "pollingWaitTimeMs") {
    if (value === undefined || value < 0) throw new Error("pollingWaitTimeMs must be greater than 0.");
  } else throw new Error(`The update ${option} cannot be updated`);
}
