// One set of tests for sqs-consumer, which polls, and for the adapter of its shape, which is streamed to.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Message, SQSClient } from "@aws-sdk/client-sqs";
import { Consumer as Polling } from "sqs-consumer";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Consumer as Streaming } from "../../src/client/consumer.ts";
import { type BrokerProcess, call, startBroker } from "../support/broker-process.ts";

const directory = mkdtempSync(join(tmpdir(), "wasq-consumer-"));
let broker: BrokerProcess;
let sqs: SQSClient;

beforeAll(async () => {
  broker = await startBroker(directory);
  sqs = new SQSClient({
    endpoint: broker.endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "x", secretAccessKey: "x" },
  });
});
afterAll(async () => {
  sqs.destroy();
  await broker.stop("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

/** What both have, as the tests use it. */
interface Consumer {
  start(): void;
  stop(options?: { abort?: boolean }): void;
  on(event: never, listener: never): unknown;
  readonly status: { readonly isRunning: boolean; readonly isPolling: boolean };
  updateOption(option: "batchSize" | "visibilityTimeout" | "waitTimeSeconds", value: number): void;
}

interface Options {
  readonly queueUrl: string;
  readonly handleMessage?: (message: Message) => Promise<Message | undefined>;
  readonly handleMessageBatch?: (messages: Message[]) => Promise<Message[] | undefined>;
  readonly batchSize?: number;
  readonly visibilityTimeout?: number;
  readonly waitTimeSeconds?: number;
  readonly shouldDeleteMessages?: boolean;
  readonly alwaysAcknowledge?: boolean;
  readonly strictReturn?: boolean;
  readonly terminateVisibilityTimeout?: boolean | number | ((messages: Message[]) => number);
  readonly handleMessageTimeout?: number;
  readonly pollingCompleteWaitTimeMs?: number;
  readonly messageAttributeNames?: string[];
  readonly messageSystemAttributeNames?: ("All" | "ApproximateReceiveCount" | "SentTimestamp")[];
}

const KINDS: readonly (readonly [string, (options: Options) => Consumer])[] = [
  ["sqs-consumer", (options) => Polling.create({ ...options, sqs })],
  ["the adapter", (options) => Streaming.create({ ...options, sqs })],
];

let queueCount = 0;

async function newQueue(attributes: Record<string, string> = {}): Promise<string> {
  queueCount += 1;
  const input = { QueueName: `consumer-${queueCount}`, Attributes: attributes };
  return (await call(broker.endpoint, "CreateQueue", input)).body.QueueUrl;
}

async function send(QueueUrl: string, ...bodies: string[]): Promise<void> {
  for (const MessageBody of bodies) await call(broker.endpoint, "SendMessage", { QueueUrl, MessageBody });
}

async function counts(QueueUrl: string): Promise<[visible: number, inFlight: number]> {
  const AttributeNames = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
  const { body } = await call(broker.endpoint, "GetQueueAttributes", { QueueUrl, AttributeNames });
  return AttributeNames.map((name) => Number(body.Attributes[name])) as [number, number];
}

describe.each(KINDS)("%s", (_name, create) => {
  const consumers: Consumer[] = [];
  afterEach(() => {
    for (const consumer of consumers.splice(0)) consumer.stop({ abort: true });
  });

  function started(options: Options, events: string[] = []): Consumer & { readonly seen: unknown[][] } {
    const consumer = create({ waitTimeSeconds: 1, ...options });
    consumer.on("error" as never, (() => {}) as never); // of those that are not asked for nobody is to hear
    const seen: unknown[][] = [];
    for (const event of events) {
      const listener = (...args: unknown[]): void => {
        seen.push([
          event,
          ...args.map((arg) => (arg instanceof Error ? arg.message : ((arg as Message)?.Body ?? arg))),
        ]);
      };
      consumer.on(event as never, listener as never);
    }
    consumers.push(consumer);
    consumer.start();
    return Object.assign(consumer, { seen });
  }

  test("hands over what is sent, and deletes what the handler returns", async () => {
    const queueUrl = await newQueue();
    const handled: string[] = [];
    const handleMessage = async (message: Message) => {
      handled.push(message.Body ?? "");
      return message.Body === "keep" ? undefined : message;
    };
    const { seen } = started({ queueUrl, handleMessage }, [
      "started",
      "message_received",
      "message_processed",
      "error",
    ]);
    await send(queueUrl, "one", "keep", "two");
    await expect.poll(() => handled.toSorted(), { timeout: 5_000 }).toEqual(["keep", "one", "two"]);
    await expect.poll(() => counts(queueUrl)).toEqual([0, 1]);
    const metadata = { queueUrl };
    expect(seen).toContainEqual(["message_received", "keep", metadata]);
    expect(seen).toContainEqual(["message_processed", "one", metadata]);
    expect(seen).not.toContainEqual(["message_processed", "keep", metadata]);
    expect(seen.filter(([event]) => event === "error")).toEqual([]);
  });

  test("gives a message as the SQS API does", async () => {
    const QueueUrl = await newQueue();
    await call(broker.endpoint, "SendMessage", {
      QueueUrl,
      MessageBody: "hi",
      MessageAttributes: {
        "order.id": { DataType: "Number", StringValue: "7" },
        raw: { DataType: "Binary", BinaryValue: "AQI=" },
      },
    });
    let received: Message | undefined;
    started({
      queueUrl: QueueUrl,
      messageAttributeNames: ["order.*"],
      messageSystemAttributeNames: ["ApproximateReceiveCount", "SentTimestamp"],
      handleMessage: async (message) => {
        received = message;
        return message;
      },
    });
    await expect.poll(() => received, { timeout: 5_000 }).toBeDefined();
    expect(received).toMatchObject({
      Body: "hi",
      MD5OfBody: "49f68a5c8493ec2c0bf489821c21fc3b",
      MessageAttributes: { "order.id": { DataType: "Number", StringValue: "7" } },
      Attributes: { ApproximateReceiveCount: "1" },
    });
    expect(Object.keys(received?.MessageAttributes ?? {})).toEqual(["order.id"]);
    expect(received?.MessageId).toMatch(/^[0-9a-f-]{36}$/);
    expect(received?.ReceiptHandle).toBeTruthy();
    expect(Number(received?.Attributes?.SentTimestamp)).toBeGreaterThan(1_600_000_000_000);
  });

  test("a handler that throws leaves the message until its timeout, counted from the receive", async () => {
    const queueUrl = await newQueue();
    const timesMs: number[] = [];
    const handleMessage = async (message: Message) => {
      timesMs.push(performance.now());
      if (timesMs.length === 1) throw new Error("no paper");
      return message;
    };
    const { seen } = started({ queueUrl, handleMessage, visibilityTimeout: 1 }, ["processing_error"]);
    await send(queueUrl, "x");
    await expect.poll(() => timesMs.length, { timeout: 6_000 }).toBe(2);
    const waitedMs = (timesMs[1] ?? 0) - (timesMs[0] ?? 0);
    expect(waitedMs).toBeGreaterThan(900);
    expect(waitedMs).toBeLessThan(2_500);
    expect(seen).toEqual([["processing_error", "Unexpected message handler failure: no paper", "x", { queueUrl }]]);
    await expect.poll(() => counts(queueUrl)).toEqual([0, 0]);
  });

  test("or gives it back at once, if it was told to", async () => {
    const queueUrl = await newQueue();
    let count = 0;
    const handleMessage = async (message: Message) => {
      count += 1;
      if (count < 3) throw new Error("no");
      return message;
    };
    started({ queueUrl, handleMessage, terminateVisibilityTimeout: true }, ["processing_error"]);
    await send(queueUrl, "x");
    await expect.poll(() => count, { timeout: 5_000 }).toBe(3);
    await expect.poll(() => counts(queueUrl)).toEqual([0, 0]);
  });

  test("a handler has its time", async () => {
    const queueUrl = await newQueue();
    const handleMessage = (): Promise<undefined> => new Promise(() => {});
    const { seen } = started({ queueUrl, handleMessage, handleMessageTimeout: 50 }, [
      "timeout_error",
      "processing_error",
    ]);
    await send(queueUrl, "x");
    const said = "Message handler timed out after 50ms: Operation timed out.";
    await expect.poll(() => seen, { timeout: 5_000 }).toEqual([["timeout_error", said, "x", { queueUrl }]]);
  });

  test("batches come together, and what of them is returned is deleted", async () => {
    const queueUrl = await newQueue();
    const all = Array.from({ length: 25 }, (_, index) => `m${index}`);
    await send(queueUrl, ...all);
    const handled: string[] = [];
    const sizes: number[] = [];
    const handleMessageBatch = async (messages: Message[]) => {
      sizes.push(messages.length);
      handled.push(...messages.map(({ Body }) => Body ?? ""));
      return messages.filter(({ Body }) => Body !== "m7");
    };
    const { seen } = started({ queueUrl, handleMessageBatch, batchSize: 10 }, ["response_processed"]);
    await expect.poll(() => handled.toSorted(), { timeout: 8_000 }).toEqual(all.toSorted());
    expect(Math.max(...sizes)).toBeLessThanOrEqual(10);
    expect(Math.max(...sizes)).toBeGreaterThan(1);
    await expect.poll(() => counts(queueUrl)).toEqual([0, 1]);
    await expect.poll(() => seen.length).toBe(sizes.length);
  });

  test("as many handlers run at a time as a batch has messages", async () => {
    const queueUrl = await newQueue();
    await send(queueUrl, ...Array.from({ length: 12 }, (_, index) => `m${index}`));
    let running = 0;
    let most = 0;
    let handled = 0;
    const handleMessage = async (message: Message) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 30));
      running -= 1;
      handled += 1;
      return message;
    };
    started({ queueUrl, handleMessage, batchSize: 4 });
    await expect.poll(() => handled, { timeout: 8_000 }).toBe(12);
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(4);
    await expect.poll(() => counts(queueUrl)).toEqual([0, 0]);
  });

  test("deletes nothing if it is not to", async () => {
    const queueUrl = await newQueue();
    let count = 0;
    const handleMessage = async (message: Message) => {
      count += 1;
      return message;
    };
    const { seen } = started({ queueUrl, handleMessage, shouldDeleteMessages: false, visibilityTimeout: 1 }, [
      "message_processed",
    ]);
    await send(queueUrl, "x");
    await expect.poll(() => count, { timeout: 6_000 }).toBeGreaterThan(1); // it comes again
    expect(seen[0]).toEqual(["message_processed", "x", { queueUrl }]);
  });

  test("acknowledges whatever is returned, if it was told to", async () => {
    const queueUrl = await newQueue();
    const handleMessage = async () => undefined;
    const { seen } = started({ queueUrl, handleMessage, alwaysAcknowledge: true }, ["message_processed"]);
    await send(queueUrl, "x");
    await expect.poll(() => seen, { timeout: 5_000 }).toEqual([["message_processed", "x", { queueUrl }]]);
    await expect.poll(() => counts(queueUrl)).toEqual([0, 0]);
  });

  test("acknowledges null as well, whatever strictReturn says of it", async () => {
    const queueUrl = await newQueue();
    const handleMessageBatch = async () => null as never;
    const options = { queueUrl, handleMessageBatch, alwaysAcknowledge: true, strictReturn: true };
    const { seen } = started(options, ["message_processed", "error"]);
    await send(queueUrl, "x");
    await expect.poll(() => seen, { timeout: 5_000 }).toEqual([["message_processed", "x", { queueUrl }]]);
    await expect.poll(() => counts(queueUrl)).toEqual([0, 0]);
  });

  test("a listener that throws stops nothing", async () => {
    const queueUrl = await newQueue();
    const handled: string[] = [];
    const handleMessage = async (message: Message): Promise<Message> => {
      handled.push(message.Body ?? "");
      throw new Error("the handler, too");
    };
    const consumer = started({ queueUrl, handleMessage, terminateVisibilityTimeout: 30 });
    const fail = (): void => {
      throw new Error("a listener");
    };
    for (const event of ["processing_error", "response_processed"]) consumer.on(event as never, fail as never);
    await send(queueUrl, "a", "b", "c");
    await expect.poll(() => handled.toSorted(), { timeout: 5_000 }).toEqual(["a", "b", "c"]);
  });

  test("says what is wrong with a wait of its own, and the message comes when its timeout is over", async () => {
    const queueUrl = await newQueue({ VisibilityTimeout: "2" });
    let count = 0;
    const handleMessage = async (message: Message): Promise<Message> => {
      count += 1;
      if (count === 1) throw new Error("not yet");
      return message;
    };
    const { seen } = started({ queueUrl, handleMessage, terminateVisibilityTimeout: () => 99_999 }, [
      "error",
      "message_processed",
    ]);
    await send(queueUrl, "x");
    await expect.poll(() => seen.map(([event]) => event), { timeout: 8_000 }).toEqual(["error", "message_processed"]);
    expect(seen[0]?.[1]).toMatch(/^Error changing visibility timeout: /);
  });

  test("says when there is nothing", async () => {
    const queueUrl = await newQueue();
    const { seen } = started({ queueUrl, handleMessage: async (message) => message }, ["empty"]);
    await expect.poll(() => seen.length, { timeout: 6_000 }).toBeGreaterThan(0);
    expect(seen[0]).toEqual(["empty", { queueUrl }]);
  });

  test("stops: nothing is handed over any more, and what runs is finished and deleted", async () => {
    const queueUrl = await newQueue();
    let finish = (): void => {};
    let count = 0;
    const handleMessage = async (message: Message) => {
      count += 1;
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      return message;
    };
    const consumer = started({ queueUrl, handleMessage, pollingCompleteWaitTimeMs: 5_000 }, ["stopped"]);
    expect(consumer.status.isRunning).toBe(true);
    await send(queueUrl, "x");
    await expect.poll(() => count, { timeout: 5_000 }).toBe(1);
    consumer.stop();
    expect(consumer.status.isRunning).toBe(false);
    await send(queueUrl, "later");
    expect(consumer.seen).toEqual([]);
    finish();
    await expect.poll(() => consumer.seen, { timeout: 5_000 }).toEqual([["stopped", { queueUrl }]]);
    await expect.poll(() => counts(queueUrl)).toEqual([1, 0]);
    expect(count).toBe(1);
  });

  test("waits for what runs no longer than it was told to, says so once, and polls until it is over", async () => {
    const queueUrl = await newQueue();
    let finish = (): void => {};
    const running = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const handleMessage = async (message: Message) => {
      await running;
      return message;
    };
    const late = "waiting_for_polling_to_complete_timeout_exceeded";
    const events = ["message_received", late, "stopped", "message_processed"];
    const consumer = started({ queueUrl, handleMessage, pollingCompleteWaitTimeMs: 100 }, events);
    const names = (): unknown[] => consumer.seen.map(([event]) => event);
    await send(queueUrl, "x");
    await expect.poll(names, { timeout: 5_000 }).toEqual(["message_received"]);
    consumer.stop();
    await expect.poll(names, { timeout: 5_000 }).toEqual(["message_received", late, "stopped"]);
    expect(consumer.status).toEqual({ isRunning: false, isPolling: true });
    finish();
    await expect.poll(() => consumer.status.isPolling, { timeout: 5_000 }).toBe(false);
    await expect.poll(() => counts(queueUrl)).toEqual([0, 0]);
    expect(names()).toEqual(["message_received", late, "stopped", "message_processed"]);
  });

  test("a queue that is not there is an error event, again and again, and no end", async () => {
    const queueUrl = `${await newQueue()}-missing`;
    const { seen, status } = started({ queueUrl, handleMessage: async (message) => message }, ["error"]);
    await expect.poll(() => seen.length, { timeout: 5_000 }).toBeGreaterThan(0);
    expect(String(seen[0]?.[1])).toMatch(/^SQS receive message failed: /);
    expect(status.isRunning).toBe(true);
  });

  test("takes options that may change, and refuses others", async () => {
    const queueUrl = await newQueue();
    const handled: string[] = [];
    const consumer = started(
      {
        queueUrl,
        handleMessage: async (message) => {
          handled.push(message.Body ?? "");
          return message;
        },
      },
      ["option_updated"],
    );
    consumer.updateOption("batchSize", 5);
    expect(consumer.seen).toEqual([["option_updated", "batchSize", 5, { queueUrl }]]);
    expect(() => consumer.updateOption("batchSize", 11)).toThrow("batchSize must be between 1 and 10.");
    expect(() => consumer.updateOption("waitTimeSeconds", 21)).toThrow("waitTimeSeconds must be between 0 and 20.");
    expect(() => consumer.updateOption("queueUrl" as never, 1)).toThrow("The update queueUrl cannot be updated");
    await send(queueUrl, "after");
    await expect.poll(() => handled, { timeout: 5_000 }).toEqual(["after"]);
  });

  test.each([
    [{}, "Missing SQS consumer option [ queueUrl ]."],
    [{ queueUrl: "http://x/1/q" }, "Missing SQS consumer option [ handleMessage or handleMessageBatch ]."],
    [{ batchSize: 11 }, "batchSize must be between 1 and 10."],
    [{ heartbeatInterval: 5, visibilityTimeout: 5 }, "heartbeatInterval must be less than visibilityTimeout."],
  ])("%o is refused: %s", (wrong, text) => {
    const fine = { queueUrl: "http://127.0.0.1:1/000000000000/q", handleMessage: async () => undefined };
    const isWhole = !("queueUrl" in wrong) && Object.keys(wrong).length > 0;
    expect(() => create((isWhole ? { ...fine, ...wrong } : wrong) as Options)).toThrow(text);
  });
});
