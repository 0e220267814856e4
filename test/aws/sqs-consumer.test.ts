// sqs-consumer against the running process: what its users rely on is that nothing is lost and nothing done twice.
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fileBroker } from "../support/file-broker.ts";

const broker = fileBroker();
let client: SQSClient;

beforeAll(() => {
  const credentials = { accessKeyId: "x", secretAccessKey: "y" };
  client = new SQSClient({ endpoint: broker.endpoint, region: "eu-west-1", credentials });
});

afterAll(() => client.destroy());

async function createQueue(name: string, attributes: Record<string, string> = {}): Promise<string> {
  const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }));
  if (QueueUrl === undefined) throw new Error("no QueueUrl");
  return QueueUrl;
}

async function arnOf(queueUrl: string): Promise<string> {
  const answer = await client.send(new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ["QueueArn"] }));
  return answer.Attributes?.["QueueArn"] ?? "";
}

/** Runs sqs-consumer until `done` says so. */
async function consume(
  queueUrl: string,
  handleMessageBatch: (messages: Message[]) => Promise<Message[]>,
  done: () => boolean,
): Promise<void> {
  const consumer = Consumer.create({
    queueUrl,
    sqs: client,
    batchSize: 10,
    waitTimeSeconds: 1,
    handleMessageBatch,
    suppressFifoWarning: true,
  });
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
    const bad = Array.from({ length: 10 }, (_each, i) => i * 100 + 90 + i); // one in each group
    const isBad = (message: Message): boolean => bad.includes(Number(message.Body));
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
    expect([...dead].map(Number).sort((a, b) => a - b)).toEqual(bad);
  },
  90_000,
);
