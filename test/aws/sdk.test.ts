// The public JavaScript clients, unchanged, against the running process.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListQueuesCommand,
  ListQueueTagsCommand,
  type Message,
  PurgeQueueCommand,
  QueueDoesNotExist,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SetQueueAttributesCommand,
  SQSClient,
  TagQueueCommand,
  UntagQueueCommand,
} from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BrokerProcess, startBroker } from "../support/broker-process.ts";

let broker: BrokerProcess;
let client: SQSClient;
const directory = mkdtempSync(join(tmpdir(), "wasq-sdk-"));

beforeAll(async () => {
  broker = await startBroker(directory);
  client = new SQSClient({
    endpoint: broker.endpoint,
    region: "eu-west-1",
    credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" },
  });
});

afterAll(async () => {
  client.destroy();
  await broker.stop("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

async function createQueue(name: string, attributes: Record<string, string> = {}): Promise<string> {
  const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }));
  if (QueueUrl === undefined) throw new Error("no QueueUrl");
  return QueueUrl;
}

async function arnOf(queueUrl: string): Promise<string> {
  const answer = await client.send(new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ["QueueArn"] }));
  return answer.Attributes?.["QueueArn"] ?? "";
}

test("a queue's life: create, find, list, attributes, tags, delete", async () => {
  const url = await createQueue("life", { VisibilityTimeout: "7" });
  expect(url).toBe(`${broker.endpoint}/000000000000/life`);
  expect((await client.send(new GetQueueUrlCommand({ QueueName: "life" }))).QueueUrl).toBe(url);
  expect((await client.send(new ListQueuesCommand({ QueueNamePrefix: "li" }))).QueueUrls).toEqual([url]);
  expect(await arnOf(url)).toBe("arn:aws:sqs:eu-west-1:000000000000:life");
  await client.send(new SetQueueAttributesCommand({ QueueUrl: url, Attributes: { DelaySeconds: "3" } }));
  const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ["All"] }));
  expect(Attributes).toMatchObject({ VisibilityTimeout: "7", DelaySeconds: "3", SqsManagedSseEnabled: "true" });
  await client.send(new TagQueueCommand({ QueueUrl: url, Tags: { team: "a", cost: "b" } }));
  await client.send(new UntagQueueCommand({ QueueUrl: url, TagKeys: ["cost"] }));
  expect((await client.send(new ListQueueTagsCommand({ QueueUrl: url }))).Tags).toEqual({ team: "a" });
  await client.send(new DeleteQueueCommand({ QueueUrl: url }));
  await expect(client.send(new GetQueueUrlCommand({ QueueName: "life" }))).rejects.toBeInstanceOf(QueueDoesNotExist);
});

test("messages with attributes go and come back, their digests checked by the SDK", async () => {
  const url = await createQueue("messages");
  const body = 'tab\t, quote ", CR\r, snow \u2603, and \u{1f600}';
  const sent = await client.send(
    new SendMessageCommand({
      QueueUrl: url,
      MessageBody: body,
      MessageAttributes: {
        color: { DataType: "String", StringValue: "blue" },
        blob: { DataType: "Binary", BinaryValue: new Uint8Array([1, 2, 3]) },
        count: { DataType: "Number", StringValue: "3" },
      },
    }),
  );
  expect(sent.MD5OfMessageAttributes).toBe("d838729972a4b70e2d2acd9d59ac847c");
  const received = await client.send(
    new ReceiveMessageCommand({
      QueueUrl: url,
      MessageAttributeNames: ["All"],
      MessageSystemAttributeNames: ["All"],
      WaitTimeSeconds: 1,
    }),
  );
  const message = received.Messages?.[0];
  expect(message).toMatchObject({ MessageId: sent.MessageId, Body: body, MD5OfBody: sent.MD5OfMessageBody });
  expect(message?.MessageAttributes?.["blob"]?.BinaryValue).toEqual(new Uint8Array([1, 2, 3]));
  expect(message?.Attributes).toMatchObject({ ApproximateReceiveCount: "1" });
  await client.send(
    new ChangeMessageVisibilityCommand({ QueueUrl: url, ReceiptHandle: message?.ReceiptHandle, VisibilityTimeout: 0 }),
  );
  const again = await client.send(new ReceiveMessageCommand({ QueueUrl: url }));
  expect(again.Messages?.[0]?.MessageId).toBe(sent.MessageId);
  await client.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: again.Messages?.[0]?.ReceiptHandle }));
  expect((await client.send(new ReceiveMessageCommand({ QueueUrl: url }))).Messages).toBeUndefined();
});

test("a long poll returns the moment a message is sent", async () => {
  const url = await createQueue("poll");
  const waiting = client.send(new ReceiveMessageCommand({ QueueUrl: url, WaitTimeSeconds: 20 }));
  const started = performance.now();
  await client.send(new SendMessageCommand({ QueueUrl: url, MessageBody: "now" }));
  expect((await waiting).Messages?.[0]?.Body).toBe("now");
  expect(performance.now() - started).toBeLessThan(10_000);
});

test("batches, purge, and a body of exactly 1 MiB", async () => {
  const url = await createQueue("batches");
  const entries = Array.from({ length: 10 }, (_, i) => ({ Id: `m${i}`, MessageBody: `body ${i}` }));
  const { Successful } = await client.send(new SendMessageBatchCommand({ QueueUrl: url, Entries: entries }));
  expect(Successful?.map((each) => each.Id)).toEqual(entries.map((each) => each.Id));
  const { Messages } = await client.send(new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10 }));
  expect(Messages?.map((each) => each.Body)).toEqual(entries.map((each) => each.MessageBody));
  const deleted = await client.send(
    new DeleteMessageBatchCommand({
      QueueUrl: url,
      Entries: Messages?.map((each, i) => ({ Id: `d${i}`, ReceiptHandle: each.ReceiptHandle })),
    }),
  );
  expect(deleted.Successful).toHaveLength(10);
  const large = "x".repeat(1_048_576);
  await client.send(new SendMessageCommand({ QueueUrl: url, MessageBody: large }));
  const back = await client.send(new ReceiveMessageCommand({ QueueUrl: url, VisibilityTimeout: 0 }));
  expect(back.Messages?.[0]?.Body).toBe(large);
  await client.send(new PurgeQueueCommand({ QueueUrl: url }));
  expect((await client.send(new ReceiveMessageCommand({ QueueUrl: url }))).Messages).toBeUndefined();
});

/** Runs sqs-consumer until `done` says so. */
async function consume(
  queueUrl: string,
  handleMessageBatch: (messages: Message[]) => Promise<Message[]>,
  done: () => boolean,
): Promise<void> {
  const consumer = Consumer.create({ queueUrl, sqs: client, batchSize: 10, waitTimeSeconds: 1, handleMessageBatch });
  const failures: Error[] = [];
  consumer.on("error", (error) => failures.push(error));
  consumer.on("processing_error", () => undefined); // thrown on purpose by a handler
  await new Promise<void>((resolve) => {
    consumer.on("response_processed", () => done() && resolve());
    consumer.start();
  });
  consumer.stop();
  expect(failures).toEqual([]);
}

test.each([
  ["standard", "work", {}],
  ["FIFO", "work.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true" }],
])(
  "sqs-consumer works through 1,000 messages on a %s queue, failures end as dead letters",
  async (_, name, type) => {
    const fifo = name.endsWith(".fifo");
    const deadUrl = await createQueue(`dead-${name}`, type);
    const redrive = JSON.stringify({ deadLetterTargetArn: await arnOf(deadUrl), maxReceiveCount: 2 });
    const url = await createQueue(name, { ...type, RedrivePolicy: redrive, VisibilityTimeout: "1" });
    for (let i = 0; i < 1000; i += 10) {
      const entries = Array.from({ length: 10 }, (_each, k) => ({
        Id: `m${k}`,
        MessageBody: `${i + k}`,
        ...(fifo ? { MessageGroupId: `g${(i + k) % 10}` } : {}),
      }));
      await client.send(new SendMessageBatchCommand({ QueueUrl: url, Entries: entries }));
    }
    const isBad = (message: Message): boolean => Number(message.Body) % 100 === 99;
    const done = new Map<string, string[]>();
    let count = 0;
    await consume(
      url,
      async (messages) => {
        const good = messages.filter((message) => !isBad(message));
        for (const message of good) {
          const group = `g${Number(message.Body) % 10}`;
          done.set(group, [...(done.get(group) ?? []), message.Body ?? ""]);
        }
        count += good.length;
        return good; // only these are deleted
      },
      () => count >= 990,
    );
    const handled = [...done.values()].flat();
    expect(new Set(handled).size).toBe(990);
    if (fifo) {
      for (const bodies of done.values()) expect(bodies).toEqual([...bodies].sort((a, b) => Number(a) - Number(b)));
    }
    // The ten that were never deleted arrive, once each, when a receive meets them for the third time.
    const dead = new Set<string>();
    const deadline = Date.now() + 30_000;
    while (dead.size < 10 && Date.now() < deadline) {
      await client.send(new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1 }));
      const { Messages } = await client.send(
        new ReceiveMessageCommand({ QueueUrl: deadUrl, MaxNumberOfMessages: 10, MessageSystemAttributeNames: ["All"] }),
      );
      for (const message of Messages ?? []) {
        dead.add(message.Body ?? "");
        expect(message.Attributes?.["DeadLetterQueueSourceArn"]).toBe(await arnOf(url));
        await client.send(new DeleteMessageCommand({ QueueUrl: deadUrl, ReceiptHandle: message.ReceiptHandle }));
      }
    }
    expect([...dead].map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: 10 }, (_each, i) => i * 100 + 99));
  },
  90_000,
);

test("FIFO: a group is held while one receiver has it, and a duplicate gets the first answer", async () => {
  const url = await createQueue("held.fifo", { FifoQueue: "true" });
  const one = { QueueUrl: url, MessageGroupId: "g", MessageDeduplicationId: "1", MessageBody: "first" };
  const first = await client.send(new SendMessageCommand(one));
  await client.send(new SendMessageCommand({ ...one, MessageDeduplicationId: "2", MessageBody: "second" }));
  const again = await client.send(new SendMessageCommand({ ...one, MessageBody: "first, once more" }));
  expect([again.MessageId, again.SequenceNumber]).toEqual([first.MessageId, first.SequenceNumber]);
  const { Messages } = await client.send(new ReceiveMessageCommand({ QueueUrl: url }));
  expect(Messages?.map((each) => each.Body)).toEqual(["first"]);
  expect((await client.send(new ReceiveMessageCommand({ QueueUrl: url }))).Messages).toBeUndefined();
  await client.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: Messages?.[0]?.ReceiptHandle }));
  const next = await client.send(new ReceiveMessageCommand({ QueueUrl: url }));
  expect(next.Messages?.map((each) => each.Body)).toEqual(["second"]);
});
