// The shape of the package sqs-consumer over a stream: to move from polling to streaming, change the import.
import { type Client, connect } from "./client.ts";
import {
  type ConsumerEvents,
  type ConsumerOptions,
  checkOption,
  checkOptions,
  type HasMessageId,
  type StopOptions,
  type UpdatableOptions,
} from "./consumer-options.ts";
import { Emitter } from "./emitter.ts";
import { WasqError } from "./errors.ts";
import type { Message } from "./message.ts";
import type { ConnectOptions } from "./options.ts";
import { type SqsMessage, SqsShape } from "./sqs-message.ts";
import type { MessageStream } from "./subscription.ts";

export type {
  ConsumerEvents,
  ConsumerOptions,
  HasMessageId,
  StopOptions,
  UpdatableOptions,
} from "./consumer-options.ts";
export type { SqsAttributeValue, SqsMessage } from "./sqs-message.ts";

/** A handler did not return in time. */
export class TimeoutError extends Error {
  override readonly name = "TimeoutError";
  readonly messageIds: readonly string[];

  constructor(message: string, messageIds: readonly string[]) {
    super(message);
    this.messageIds = messageIds;
  }
}

/** A handler threw; `cause` is what. */
export class StandardError extends Error {
  override readonly name = "StandardError";
  readonly messageIds: readonly string[];

  constructor(message: string, messageIds: readonly string[], cause: unknown) {
    super(message, { cause });
    this.messageIds = messageIds;
  }
}

/** The queue could not be reached, or did not do what it was asked; `cause` is a WasqError, `code` its code. */
export class SQSError extends Error {
  override readonly name = "SQSError";
  readonly code: string;
  readonly queueUrl: string;

  constructor(message: string, cause: unknown, queueUrl: string) {
    super(message, { cause });
    this.code = cause instanceof WasqError ? cause.code : "Unknown";
    this.queueUrl = queueUrl;
  }
}

/** A message with what its handler sees of it. */
interface Work {
  readonly message: Message;
  readonly shaped: SqsMessage;
  /** When its visibility timeout, counted from the receive, is over. */
  readonly visibleMs: number;
}

interface Run {
  readonly controller: AbortController;
  client: Client | undefined;
  stream: MessageStream | undefined;
  runningCount: number;
  isOver: boolean;
  onFree: (() => void) | undefined;
  emptyTimer: ReturnType<typeof setTimeout> | undefined;
}

const WAIT_SECONDS = 20;
const AUTHENTICATION_WAIT_MS = 10_000;
const EMPTY_MS_MIN = 1_000;
const WAITING_MS = 1_000;
const DEFAULT_REGION = "eu-west-1"; // sqs-consumer's, so that both see the same queue

export class Consumer extends Emitter<ConsumerEvents> {
  readonly #shape: SqsShape;
  #options: ConsumerOptions;
  #run: Run | undefined;
  /** Stopped, with handlers that still run. */
  #endingCount = 0;

  constructor(options: ConsumerOptions) {
    super();
    checkOptions(options);
    this.#options = options;
    const { attributeNames = [], messageSystemAttributeNames = [], messageAttributeNames = [] } = options;
    this.#shape = new SqsShape([...attributeNames, ...messageSystemAttributeNames], messageAttributeNames);
  }

  static create(options: ConsumerOptions): Consumer {
    return new Consumer(options);
  }

  get status(): { isRunning: boolean; isPolling: boolean } {
    return {
      isRunning: this.#run !== undefined,
      isPolling: this.#run?.stream !== undefined || this.#endingCount > 0,
    };
  }

  start(): void {
    if (this.#run !== undefined) return;
    const run: Run = {
      controller: new AbortController(),
      client: undefined,
      stream: undefined,
      runningCount: 0,
      isOver: false,
      onFree: undefined,
      emptyTimer: undefined,
    };
    this.#run = run;
    this.#tell("started");
    void this.#consume(run);
  }

  stop({ abort = false }: StopOptions = {}): void {
    const run = this.#run;
    if (run === undefined) return;
    this.#run = undefined;
    run.isOver = true;
    clearTimeout(run.emptyTimer);
    run.onFree?.();
    if (abort) {
      run.controller.abort(new Error("The consumer was stopped"));
      this.#tell("aborted");
    }
    const ended = this.#end(run);
    const waitMs = abort ? 0 : (this.#options.pollingCompleteWaitTimeMs ?? 0);
    if (waitMs === 0 || run.runningCount === 0) this.#tell("stopped");
    else this.#waitFor(ended, waitMs);
  }

  /** Takes effect with the messages that come after it. */
  updateOption(option: UpdatableOptions, value: number): void {
    checkOption(option, value, this.#options);
    this.#options = { ...this.#options, [option]: value };
    const run = this.#run;
    // A subscription keeps what it was made with: the next one has the new value.
    if (run !== undefined && (option === "batchSize" || option === "visibilityTimeout")) void run.stream?.drain();
    this.#tell("option_updated", option, value);
  }

  // --- one start, to its stop ---

  async #consume(run: Run): Promise<void> {
    while (!run.isOver) {
      try {
        await this.#options.preReceiveMessageCallback?.();
        run.client ??= await this.#connect(run);
        const stream = await run.client.subscribe(this.#options.queueUrl, {
          fields: this.#shape.fields,
          prefetch: this.#batchSize * 2,
          signal: run.controller.signal,
          ...this.#visibility(),
        });
        run.stream = stream;
        await this.#options.postReceiveMessageCallback?.();
        if (run.isOver) break;
        this.#awaitEmpty(run);
        await (this.#options.handleMessageBatch === undefined ? this.#each(run, stream) : this.#batches(run, stream));
      } catch (error) {
        void run.stream?.drain(); // a callback may have failed while messages came
        run.stream = undefined;
        if (run.isOver) break;
        this.#failed(error);
        if (run.client !== undefined && error instanceof WasqError && error.code === "CLOSED") run.client = undefined;
        await pause(this.#options.authenticationErrorTimeout ?? AUTHENTICATION_WAIT_MS, run.controller.signal);
      }
    }
    run.stream = undefined;
  }

  async #connect(run: Run): Promise<Client> {
    const { connection = {}, queueUrl, sqs } = this.#options;
    const own = this.#options.useQueueUrlAsEndpoint === false ? await sqs?.config.endpoint?.() : undefined;
    const place = own === undefined ? undefined : `${own.protocol}//${own.hostname}${own.port ? `:${own.port}` : ""}`;
    const url = this.#options.endpoint ?? place ?? new URL(queueUrl).origin;
    const known = this.#options.region ?? sqs?.config.region ?? environment()["AWS_REGION"] ?? DEFAULT_REGION;
    const region = typeof known === "function" ? await known() : known;
    return connect(url, {
      waitForServer: true,
      region,
      ...this.#signing(),
      ...connection,
      signal: run.controller.signal,
      onChange: (change) => {
        connection.onChange?.(change);
        if (change.kind === "disconnected" && !run.isOver) this.#failed(change.error);
      },
    });
  }

  /** As the SDK would sign. */
  #signing(): Pick<ConnectOptions, "credentials"> {
    const { connection, sqs } = this.#options;
    const credentials = sqs?.config.credentials;
    return credentials && !connection?.authorize && !connection?.ticket ? { credentials: () => credentials() } : {};
  }

  /** Messages one by one, `batchSize` of them at a time. */
  async #each(run: Run, stream: MessageStream): Promise<void> {
    for (;;) {
      while (run.runningCount >= this.#batchSize && !run.isOver) {
        await new Promise<void>((resolve) => {
          run.onFree = resolve;
        });
      }
      if (run.isOver) return;
      const messages = await stream.take(this.#batchSize - run.runningCount);
      if (messages.length === 0) return; // closed: the queue's options have changed, or stop() was called
      this.#awaitEmpty(run);
      for (const message of messages) void this.#workOn(run, this.#work(stream, message));
    }
  }

  async #batches(run: Run, stream: MessageStream): Promise<void> {
    for (;;) {
      const messages = await stream.take(this.#batchSize);
      if (messages.length === 0) return;
      this.#awaitEmpty(run);
      run.runningCount += 1;
      await this.#handleBatch(messages.map((message) => this.#work(stream, message)));
      run.runningCount -= 1;
      this.#tell("response_processed");
      if (run.isOver) return;
    }
  }

  async #workOn(run: Run, work: Work): Promise<void> {
    run.runningCount += 1;
    await this.#handleOne(work);
    run.runningCount -= 1;
    run.onFree?.();
    if (run.runningCount === 0) this.#tell("response_processed");
  }

  async #handleOne(work: Work): Promise<void> {
    const { shaped } = work;
    try {
      this.#announce("message_received", shaped);
      const result = await this.#execute(shaped);
      const isOurs = this.#options.alwaysAcknowledge === true || result?.MessageId === shaped.MessageId;
      if (!isOurs) this.#leave([work]);
      else if (await this.#delete(work, shaped)) this.#tell("message_processed", shaped);
    } catch (error) {
      this.#giveBack([work]);
      if (error instanceof TimeoutError) this.#tell("timeout_error", error, shaped);
      else this.#tell("processing_error", error as Error, shaped);
    }
  }

  async #execute(shaped: SqsMessage): Promise<HasMessageId | undefined> {
    const { handleMessage, handleMessageTimeout, strictReturn } = this.#options;
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      const late = new Promise<never>((_, reject) => {
        if (!handleMessageTimeout) return;
        const text = `Message handler timed out after ${handleMessageTimeout}ms: Operation timed out.`;
        timer = setTimeout(() => reject(new TimeoutError(text, [shaped.MessageId])), handleMessageTimeout);
      });
      const result = await Promise.race([handleMessage?.(shaped), late]);
      if (result === null && strictReturn && !this.#options.alwaysAcknowledge)
        throw new Error("strictReturn is enabled: handleMessage must not return null.");
      return result ?? undefined;
    } catch (error) {
      if (error instanceof TimeoutError) throw error;
      throw new StandardError(`Unexpected message handler failure: ${textOf(error)}`, [shaped.MessageId], error);
    } finally {
      clearTimeout(timer);
    }
  }

  async #handleBatch(works: readonly Work[]): Promise<void> {
    const shaped = works.map((work) => work.shaped);
    let result: readonly HasMessageId[];
    try {
      for (const message of shaped) this.#announce("message_received", message);
      result = this.#namedBy(await this.#options.handleMessageBatch?.(shaped));
    } catch (error) {
      this.#giveBack(works);
      const ids = shaped.map(({ MessageId }) => MessageId);
      const failure = new StandardError(`Unexpected message batch handler failure: ${textOf(error)}`, ids, error);
      this.#tell("error", failure, shaped);
      return;
    }
    const named = new Set(result.map(({ MessageId }) => MessageId));
    const isOurs = (work: Work): boolean =>
      this.#options.alwaysAcknowledge === true || named.has(work.shaped.MessageId);
    const ours = works.filter(isOurs);
    this.#leave(works.filter((work) => !isOurs(work)));
    await Promise.all(
      ours.map(async (work) => {
        if (await this.#delete(work, [work.shaped])) this.#tell("message_processed", work.shaped);
      }),
    );
  }

  /** What a batch's handler has returned, where it is a list. */
  #namedBy(result: unknown): readonly HasMessageId[] {
    if (result === null && this.#options.strictReturn && !this.#options.alwaysAcknowledge)
      throw new Error("strictReturn is enabled: handleMessageBatch must return an array.");
    return Array.isArray(result) ? result : [];
  }

  /** Whether it is deleted, or is left to its handler to delete. @param told what an error is told with */
  async #delete(work: Work, told: SqsMessage | SqsMessage[]): Promise<boolean> {
    if (this.#options.shouldDeleteMessages === false) {
      this.#leave([work]);
      return true;
    }
    try {
      await work.message.ack();
      return true;
    } catch (error) {
      this.#giveBack([work]);
      this.#failedAt("SQS delete message failed", error, told);
      return false;
    }
  }

  /** Nobody deletes them here: they are visible again when their visibility timeout, counted from the receive, is over. */
  #leave(works: readonly Work[]): void {
    for (const work of works) {
      this.#changeVisibility(work, leftMs(work), "");
    }
  }

  #giveBack(works: readonly Work[]): void {
    const { terminateVisibilityTimeout: terminate = false } = this.#options;
    const ours = works.filter(({ message }) => !message.isSettled);
    if (terminate === false) {
      this.#leave(ours);
      return;
    }
    let seconds: number;
    try {
      const shaped = ours.map((work) => work.shaped);
      seconds = terminate === true ? 0 : typeof terminate === "function" ? terminate(shaped) : terminate;
    } catch (error) {
      this.#leave(ours);
      this.#failedAt("Error changing visibility timeout", error, undefined);
      return;
    }
    for (const work of ours) this.#changeVisibility(work, seconds * 1_000, "the handler failed");
  }

  /** A time that makes no sense is told, and the message is visible when its visibility timeout is over. */
  #changeVisibility(work: Work, delayMs: number, reason: string): void {
    const { message, shaped } = work;
    message.nack({ delayMs, reason }).catch((error) => {
      if (message.isSettled) return; // it is somebody else's already
      this.#failedAt("Error changing visibility timeout", error, shaped);
      if (reason !== "") void message.nack({ delayMs: leftMs(work) });
    });
  }

  // --- the end ---

  async #end(run: Run): Promise<void> {
    this.#endingCount += 1;
    await run.stream?.drain();
    await run.client?.close();
    this.#endingCount -= 1;
    run.controller.abort(new Error("The consumer was stopped"));
  }

  #waitFor(ended: Promise<void>, waitMs: number): void {
    this.#tell("waiting_for_polling_to_complete");
    const again = setInterval(() => this.#tell("waiting_for_polling_to_complete"), WAITING_MS);
    let isOver = false;
    const finish = (isLate: boolean): void => {
      if (isOver) return;
      isOver = true;
      clearInterval(again);
      clearTimeout(late);
      if (isLate) this.#tell("waiting_for_polling_to_complete_timeout_exceeded");
      this.#tell("stopped");
    };
    const late = setTimeout(() => finish(true), waitMs);
    void ended.then(() => finish(false));
  }

  // --- small things ---

  get #batchSize(): number {
    return this.#options.batchSize || 1;
  }

  #visibility(): { visibilityMs?: number } {
    const { visibilityTimeout } = this.#options;
    return visibilityTimeout === undefined ? {} : { visibilityMs: visibilityTimeout * 1_000 };
  }

  #work(stream: MessageStream, message: Message): Work {
    return { message, shaped: this.#shape.of(message), visibleMs: performance.now() + stream.visibilityMs };
  }

  #awaitEmpty(run: Run): void {
    clearTimeout(run.emptyTimer);
    run.emptyTimer = setTimeout(
      () => {
        if (run.isOver) return;
        if (run.runningCount === 0) this.#tell("empty");
        this.#awaitEmpty(run);
      },
      Math.max((this.#options.waitTimeSeconds ?? WAIT_SECONDS) * 1_000, EMPTY_MS_MIN),
    );
  }

  #failed(error: unknown): void {
    this.#failedAt("SQS receive message failed", error, undefined);
  }

  #failedAt(what: string, error: unknown, told: SqsMessage | SqsMessage[] | undefined): void {
    this.#tell("error", new SQSError(`${what}: ${textOf(error)}`, error, this.#options.queueUrl), told);
  }

  /** A listener that throws is told of, and stops nothing. */
  #tell<K extends keyof ConsumerEvents>(event: K, ...args: WithoutLast<ConsumerEvents[K]>): void {
    try {
      this.#announce(event, ...args);
    } catch (error) {
      console.error(`A listener of ${event} failed:`, error);
    }
  }

  /** Adds the queue to an event, as its last argument. An error that nobody listens to goes to the console. */
  #announce<K extends keyof ConsumerEvents>(event: K, ...args: WithoutLast<ConsumerEvents[K]>): void {
    const metadata = { queueUrl: this.#options.queueUrl };
    const hadListener = this.emit(event, ...([...args, metadata] as unknown as ConsumerEvents[K]));
    if (!hadListener && event === "error") console.error(args[0]);
  }
}

type WithoutLast<A extends unknown[]> = A extends [...infer Rest, unknown] ? Rest : never;

/** Node's; browsers have none. */
function environment(): Readonly<Record<string, string | undefined>> {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  return process?.env ?? {};
}

/** A message returns 12 hours after its delivery at the latest, which was somewhat before it came. */
function leftMs({ visibleMs }: Work): number {
  return Math.min(Math.max(0, visibleMs - performance.now()), 43_140_000);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
