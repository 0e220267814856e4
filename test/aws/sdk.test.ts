// The public SDK, and the consumer library most people use, against the real process.
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  type SQSClient,
} from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BrokerProcess, temporaryDirectory } from "../support/process.ts";

const directory = temporaryDirectory();
let broker: BrokerProcess;
let client: SQSClient;

beforeAll(async () => {
  broker = await BrokerProcess.start(directory.path);
  client = broker.client();
});

afterAll(async () => {
  client.destroy();
  await broker.end("SIGTERM");
  directory.remove();
});

async function queue(name: string, attributes: Record<string, string> = {}): Promise<string> {
  const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }));
  return QueueUrl as string;
}

test("a message with attributes goes there and back, and the SDK's digests agree", async () => {
  const QueueUrl = await queue("sdk");
  const body = "Grüße, \u{1f980}\r\n<&quot;>";
  const attributes = {
    text: { DataType: "String", StringValue: "ä" },
    count: { DataType: "Number.int", StringValue: "007" },
    bytes: { DataType: "Binary", BinaryValue: new Uint8Array([0, 255, 7]) },
  };
  const sent = await client.send(
    new SendMessageCommand({ QueueUrl, MessageBody: body, MessageAttributes: attributes }),
  );
  const { Messages } = await client.send(
    new ReceiveMessageCommand({ QueueUrl, MessageAttributeNames: ["All"], MessageSystemAttributeNames: ["All"] }),
  );
  const message = Messages?.[0];
  expect(message?.MessageId).toBe(sent.MessageId);
  expect(message?.Body).toBe(body);
  expect(message?.MD5OfMessageAttributes).toBe(sent.MD5OfMessageAttributes);
  expect(message?.MessageAttributes).toMatchObject(attributes);
  expect(message?.Attributes?.ApproximateReceiveCount).toBe("1");
  await client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message?.ReceiptHandle }));
  const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }));
  expect(Attributes?.ApproximateNumberOfMessages).toBe("0");
  expect(Attributes?.ApproximateNumberOfMessagesNotVisible).toBe("0");
});

test("batches answer entry by entry", async () => {
  const QueueUrl = await queue("batch");
  const Entries = Array.from({ length: 10 }, (_, i) => ({ Id: `e${i}`, MessageBody: `m${i}` }));
  const sent = await client.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
  expect(sent.Successful?.length).toBe(10);
  const { Messages = [] } = await client.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
  expect(Messages.map(({ Body }) => Body).sort()).toEqual(Entries.map(({ MessageBody }) => MessageBody));
  const handles = Messages.map(({ ReceiptHandle }, i) => ({ Id: `e${i}`, ReceiptHandle }));
  const deleted = await client.send(
    new DeleteMessageBatchCommand({ QueueUrl, Entries: [...handles.slice(1), { Id: "bad", ReceiptHandle: "bad" }] }),
  );
  expect(deleted.Successful?.length).toBe(9);
  expect(deleted.Failed).toMatchObject([{ Id: "bad", Code: "ReceiptHandleIsInvalid", SenderFault: true }]);
});

test("FIFO: order, the group's lock, and a duplicate's answer", async () => {
  const QueueUrl = await queue("order.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true" });
  const send = (body: string) =>
    client.send(new SendMessageCommand({ QueueUrl, MessageBody: body, MessageGroupId: "g" }));
  const first = await send("a");
  await send("b");
  expect((await send("a")).MessageId).toBe(first.MessageId);
  const receive = () => client.send(new ReceiveMessageCommand({ QueueUrl }));
  const a = (await receive()).Messages?.[0];
  expect(a?.Body).toBe("a");
  expect((await receive()).Messages).toBeUndefined();
  await client.send(
    new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle: a?.ReceiptHandle, VisibilityTimeout: 0 }),
  );
  expect((await receive()).Messages?.[0]?.Body).toBe("a");
});

test("a long poll is answered by the send it waits for", async () => {
  const QueueUrl = await queue("poll");
  const waiting = client.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }));
  await client.send(new SendMessageCommand({ QueueUrl, MessageBody: "now" }));
  expect((await waiting).Messages?.[0]?.Body).toBe("now");
});

test("an unknown queue has the error class the SDK knows", async () => {
  await expect(client.send(new GetQueueUrlCommand({ QueueName: "nowhere" }))).rejects.toMatchObject({
    name: "QueueDoesNotExist",
  });
});

test("sqs-consumer empties a queue", async () => {
  const queueUrl = await queue("consumer");
  const Entries = Array.from({ length: 10 }, (_, i) => ({ Id: `e${i}`, MessageBody: `m${i}` }));
  await client.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries }));
  const handled = new Set<string | undefined>();
  await new Promise<void>((resolve, reject) => {
    const consumer = Consumer.create({
      queueUrl,
      sqs: client,
      batchSize: 3,
      handleMessage: async (message) => {
        handled.add(message.Body);
        return message;
      },
    });
    consumer.on("error", reject);
    consumer.on("processing_error", reject);
    consumer.on("response_processed", () => {
      if (handled.size === Entries.length) consumer.stop();
    });
    consumer.on("stopped", () => resolve());
    consumer.start();
  });
  const { Attributes } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ["All"] }),
  );
  expect(Attributes?.ApproximateNumberOfMessages).toBe("0");
  expect(Attributes?.ApproximateNumberOfMessagesNotVisible).toBe("0");
});
