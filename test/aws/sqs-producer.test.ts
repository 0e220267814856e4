// sqs-producer against the running process, as it is used: with a queue's URL and nothing else. The SDK inside it then
// takes the endpoint from that URL.
import { CreateQueueCommand, type Message, SQSClient } from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";
import { Producer } from "sqs-producer";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { fileBroker } from "../support/file-broker.ts";

const broker = fileBroker();
let client: SQSClient;

beforeAll(() => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", "x");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "y");
  vi.stubEnv("AWS_REGION", "eu-west-1");
  // The SDK says of each request that it took the endpoint from the URL.
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  client = new SQSClient({ endpoint: broker.endpoint });
});

afterAll(() => {
  client.destroy();
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

async function createQueue(name: string, attributes: Record<string, string> = {}): Promise<string> {
  const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }));
  if (QueueUrl === undefined) throw new Error("no QueueUrl");
  return QueueUrl;
}

/** Runs sqs-consumer, which deletes what it was given, until it was given `count` messages. */
async function consume(queueUrl: string, count: number): Promise<Message[]> {
  const got: Message[] = [];
  const failures: Error[] = [];
  const consumer = Consumer.create({
    queueUrl,
    batchSize: 10,
    suppressFifoWarning: true,
    waitTimeSeconds: 5,
    messageAttributeNames: ["All"],
    messageSystemAttributeNames: ["All"],
    handleMessageBatch: async (messages) => {
      got.push(...messages);
      return messages;
    },
  });
  await new Promise<void>((resolve) => {
    consumer.on("error", (error) => failures.push(error));
    consumer.on("response_processed", () => got.length >= count && resolve());
    consumer.start();
  });
  consumer.stop({ abort: true });
  expect(failures).toEqual([]);
  return got;
}

test("25 messages go in batches of ten to sqs-consumer, with their attributes", async () => {
  const queueUrl = await createQueue("produced");
  const producer = Producer.create({ queueUrl });
  const attribute = { DataType: "Number", StringValue: "7" };
  const sent = await producer.send([
    "one", // a text is its own id
    ...Array.from({ length: 24 }, (_, i) => ({
      id: `m${i}`,
      body: `body ${i}`,
      messageAttributes: { weight: attribute },
    })),
  ]);
  expect(sent).toHaveLength(25);
  expect(sent[0]).toMatchObject({ Id: "one", MessageId: expect.any(String) });
  expect(await producer.queueSize()).toBe(25);
  const got = await consume(queueUrl, 25);
  const bodies = ["one", ...Array.from({ length: 24 }, (_, i) => `body ${i}`)];
  expect(got.map((each) => each.Body)).toEqual(bodies);
  expect(got.slice(1).every((each) => each.MessageAttributes?.["weight"]?.StringValue === "7")).toBe(true);
  expect(await producer.queueSize()).toBe(0);
});

test("a message the queue does not take is named, the others are sent", async () => {
  const queueUrl = await createQueue("picky", { MaximumMessageSize: "1024" });
  const producer = Producer.create({ queueUrl });
  const failure = await producer
    .send([
      { id: "good", body: "x" },
      { id: "long", body: "x".repeat(1025) },
      { id: "control", body: "\u0000" },
    ])
    .catch((error: unknown) => error);
  expect(failure).toMatchObject({ failedMessages: ["long", "control"] });
  expect((await consume(queueUrl, 1)).map((each) => each.Body)).toEqual(["x"]);
});

test("a whole batch that is refused is the SDK's error", async () => {
  const producer = Producer.create({ queueUrl: await createQueue("refusing") });
  await expect(producer.send("not an id: it has spaces")).rejects.toMatchObject({ name: "InvalidBatchEntryId" });
  const gone = Producer.create({ queueUrl: `${broker.endpoint}/000000000000/gone` });
  await expect(gone.send("x")).rejects.toMatchObject({ name: "QueueDoesNotExist" });
});

test("FIFO: groups keep their order, and a deduplication id counts once", async () => {
  const queueUrl = await createQueue("produced.fifo", { FifoQueue: "true" });
  const producer = Producer.create({ queueUrl });
  const messages = Array.from({ length: 30 }, (_, i) => ({
    id: `m${i}`,
    body: String(i),
    groupId: `g${i % 3}`,
    deduplicationId: `d${i}`,
  }));
  const sent = await producer.send(messages);
  const again = await producer.send(messages.slice(0, 10));
  expect(again.map((each) => each.MessageId)).toEqual(sent.slice(0, 10).map((each) => each.MessageId));
  const got = await consume(queueUrl, 30);
  for (const group of ["g0", "g1", "g2"]) {
    const bodies = got.filter((each) => each.Attributes?.["MessageGroupId"] === group).map((each) => Number(each.Body));
    expect(bodies).toEqual(messages.filter((each) => each.groupId === group).map((each) => Number(each.body)));
  }
});
