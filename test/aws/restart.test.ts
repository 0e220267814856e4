// The SDK and sqs-consumer at work while the broker is killed and started again at its port: their retries carry them over,
// and no acknowledged message is lost.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateQueueCommand, GetQueueAttributesCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BrokerProcess, startBroker } from "../support/broker-process.ts";

const MESSAGE_COUNT = 300;
const KILLS = [50, 200]; // when so many were sent
/** Below the ports that clients are given: one that asks such a port until somebody answers may end with itself. */
const PORT = 20_000 + (process.pid % 10_000);

const directory = mkdtempSync(join(tmpdir(), "wasq-restart-"));
let broker: BrokerProcess;
let client: SQSClient;

beforeAll(async () => {
  broker = await startBroker(directory, { port: PORT });
  const credentials = { accessKeyId: "x", secretAccessKey: "y" };
  client = new SQSClient({ endpoint: broker.endpoint, region: "eu-west-1", credentials, maxAttempts: 20 });
});

afterAll(async () => {
  client.destroy();
  await broker.stop("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

async function killAndRestart(): Promise<void> {
  await broker.stop("SIGKILL");
  broker = await startBroker(directory, { port: PORT });
}

test.each([
  ["standard", "kept", {}],
  ["FIFO", "kept.fifo", { FifoQueue: "true" }],
])("a %s queue", { timeout: 120_000 }, async (_, name, attributes) => {
  const isFifo = name.endsWith(".fifo");
  const created = await client.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }));
  const queueUrl = created.QueueUrl ?? "";
  const handled: string[] = [];
  const consumer = Consumer.create({
    queueUrl,
    sqs: client,
    batchSize: 10,
    waitTimeSeconds: 1,
    visibilityTimeout: 2, // what a receive of a broker that was killed has hidden comes back
    suppressFifoWarning: true,
    handleMessageBatch: async (messages) => {
      handled.push(...messages.map((message) => message.Body ?? ""));
      return messages;
    },
  });
  consumer.on("error", () => undefined); // a poll that the kill cut off
  consumer.start();
  const restarts: Promise<void>[] = [];
  for (let i = 0; i < MESSAGE_COUNT; i++) {
    // Without its deduplication id a send that was acknowledged to nobody would be made twice.
    const order = isFifo ? { MessageGroupId: "g", MessageDeduplicationId: `d${i}` } : {};
    await client.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: String(i), ...order }));
    if (KILLS.includes(i)) restarts.push(killAndRestart()); // meanwhile the next one is sent
  }
  await Promise.all(restarts);
  const expected = Array.from({ length: MESSAGE_COUNT }, (_each, i) => String(i));
  const counts = async () => {
    const get = new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ["All"] });
    const { Attributes: all } = await client.send(get);
    return [all?.["ApproximateNumberOfMessages"], all?.["ApproximateNumberOfMessagesNotVisible"]];
  };
  await expect.poll(() => new Set(handled).size, { timeout: 60_000 }).toBe(MESSAGE_COUNT);
  await expect.poll(counts, { timeout: 60_000 }).toEqual(["0", "0"]);
  consumer.stop({ abort: true });
  // Each for the first time in the order of the sends, which on a standard queue nobody promises.
  if (isFifo) expect([...new Set(handled)]).toEqual(expected);
});
