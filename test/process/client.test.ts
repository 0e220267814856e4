// The client against the real process: both doors to the same queues.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Client, type ConnectOptions, connect, type Message, PublishError } from "../../src/client/index.ts";
import { type BrokerProcess, call, startBroker } from "../support/broker-process.ts";
import { codeOf } from "../support/fake-client.ts";

const directory = mkdtempSync(join(tmpdir(), "wasq-client-"));
let broker: BrokerProcess;
const clients: Client[] = [];

beforeAll(async () => {
  broker = await startBroker(directory);
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close({ timeoutMs: 2_000 })));
});
afterAll(async () => {
  await broker.stop("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

async function connected(options: ConnectOptions = {}): Promise<Client> {
  const client = await connect(broker.endpoint, options);
  clients.push(client);
  return client;
}

let queueCount = 0;

async function newQueue(attributes: Record<string, string> = {}): Promise<{ name: string; QueueUrl: string }> {
  queueCount += 1;
  const name = `q${queueCount}${attributes["FifoQueue"] === "true" ? ".fifo" : ""}`;
  const { body } = await call(broker.endpoint, "CreateQueue", { QueueName: name, Attributes: attributes });
  return { name, QueueUrl: body.QueueUrl };
}

async function counts(QueueUrl: string): Promise<[visible: number, inFlight: number]> {
  const AttributeNames = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
  const { body } = await call(broker.endpoint, "GetQueueAttributes", { QueueUrl, AttributeNames });
  return [
    Number(body.Attributes.ApproximateNumberOfMessages),
    Number(body.Attributes.ApproximateNumberOfMessagesNotVisible),
  ];
}

describe("publishing", () => {
  test("is there for a poller, with every field, when the promise resolves", async () => {
    const { name, QueueUrl } = await newQueue();
    const client = await connected();
    await client.publish(name, {
      body: "hällo",
      attributes: { s: "text", n: 7, b: new Uint8Array([1, 2, 3]), own: { type: "Number.int", value: "9" } },
      traceHeader: "Root=1-5759e988-bd862e3fe1be46a994272793",
    });
    const { body } = await call(broker.endpoint, "ReceiveMessage", {
      QueueUrl,
      MessageAttributeNames: ["All"],
      AttributeNames: ["AWSTraceHeader"],
    });
    expect(body.Messages).toHaveLength(1);
    expect(body.Messages[0]).toMatchObject({
      Body: "hällo",
      Attributes: { AWSTraceHeader: "Root=1-5759e988-bd862e3fe1be46a994272793" },
      MessageAttributes: {
        s: { DataType: "String", StringValue: "text" },
        n: { DataType: "Number", StringValue: "7" },
        b: { DataType: "Binary", BinaryValue: "AQID" },
        own: { DataType: "Number.int", StringValue: "9" },
      },
    });
  });

  test("tells ids and sequence numbers, and what a FIFO queue had already", async () => {
    const { name } = await newQueue({ FifoQueue: "true" });
    const client = await connected();
    const publisher = await client.publisher(name, { ids: true });
    const message = { body: "paid", groupId: "customer-7", deduplicationId: "order-1" };
    const first = await publisher.publish(message);
    expect(first).toMatchObject({ isDuplicate: false });
    expect(first.messageId).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(first.sequenceNumber).toMatch(/^1\d{19}$/);
    expect(await publisher.publish(message)).toMatchObject({ messageId: first.messageId, isDuplicate: true });
    const stream = await client.subscribe(name, { fields: ["SEQUENCE_NUMBER", "GROUP_ID", "DEDUPLICATION_ID"] });
    const [received] = await stream.take(1);
    expect(received).toMatchObject({
      id: first.messageId,
      sequenceNumber: first.sequenceNumber,
      groupId: "customer-7",
      deduplicationId: "order-1",
    });
    await received?.ack();
  });

  test("names the messages of a batch that break a rule, and publishes the others", async () => {
    const { name, QueueUrl } = await newQueue({ MaximumMessageSize: "1024" });
    const client = await connected();
    const error: unknown = await client
      .publishBatch(name, ["fine", "\u0001", "x".repeat(2_000), "fine too"])
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(PublishError);
    expect((error as PublishError).failures.map(({ index, code }) => [index, code])).toEqual([
      [1, "INVALID_MESSAGE_CONTENTS"],
      [2, "MESSAGE_TOO_LONG"],
    ]);
    expect(await counts(QueueUrl)).toEqual([2, 0]);
  });

  test("a hundred thousand in any order of confirmation, held back by ready()", async () => {
    const { name, QueueUrl } = await newQueue();
    const client = await connected();
    const publisher = await client.publisher(name, { bufferBytes: 1 << 20 });
    let confirmed = 0;
    for (let batch = 0; batch < 100; batch++) {
      await publisher.ready();
      const messages = Array.from({ length: 1_000 }, (_, index) => `message ${batch * 1_000 + index}`);
      void publisher.publishBatch(messages).then(() => {
        confirmed += 1_000;
      });
    }
    await publisher.close();
    expect(confirmed).toBe(100_000);
    expect(await counts(QueueUrl)).toEqual([100_000, 0]);
  });

  test.each([
    ["a queue that is not there", "missing", "QUEUE_DOES_NOT_EXIST"],
    ["an empty body", "", "MISSING_PARAMETER"],
  ])("%s is an error by its code", async (_name, what, code) => {
    const { name } = await newQueue();
    const client = await connected();
    expect(
      await codeOf(client.publish(what === "missing" ? "missing" : name, "body".repeat(Number(what !== "")))),
    ).toBe(code);
  });
});

describe("consuming", () => {
  test("by name or URL, as it is sent over HTTP; an ack deletes", async () => {
    const { name, QueueUrl } = await newQueue();
    const client = await connected();
    const stream = await client.subscribe(QueueUrl, { fields: ["SENT_TIME", "RECEIPT_HANDLE", "BODY_MD5"] });
    expect(stream.visibilityMs).toBe(30_000);
    await call(broker.endpoint, "SendMessage", { QueueUrl, MessageBody: "one" });
    const [message] = await stream.take(1);
    expect(message).toMatchObject({ body: "one", receiveCount: 1, bodyMd5: "f97c5d29941bfb1b2fdab0874906ab82" });
    expect(Math.abs((message?.sentMs ?? 0) - Date.now())).toBeLessThan(10_000);
    expect(await counts(QueueUrl)).toEqual([0, 1]);
    await message?.ack();
    expect(await counts(QueueUrl)).toEqual([0, 0]);
    expect(await codeOf(message?.ack() ?? Promise.resolve())).toBe("NOT_YOURS");
    expect(name).not.toBe(QueueUrl);
  });

  test("a nack brings it again, now or later; the receives are counted", async () => {
    const { name } = await newQueue();
    const client = await connected();
    await client.publish(name, "again");
    const stream = await client.subscribe(name);
    const [first] = await stream.take(1);
    await first?.nack();
    const [second] = await stream.take(1);
    expect(second).toMatchObject({ body: "again", receiveCount: 2 });
    const givenBackMs = performance.now();
    await second?.nack({ delayMs: 300, reason: "not yet" });
    const [third] = await stream.take(1);
    expect(performance.now() - givenBackMs).toBeGreaterThan(290);
    expect(third?.receiveCount).toBe(3);
    await third?.ack();
  });

  test("a message deleted over HTTP is called back", async () => {
    const { name, QueueUrl } = await newQueue();
    const client = await connected();
    await client.publish(name, "x");
    const stream = await client.subscribe(name, { fields: ["RECEIPT_HANDLE"] });
    const [message] = (await stream.take(1)) as [Message];
    await call(broker.endpoint, "DeleteMessage", { QueueUrl, ReceiptHandle: message.receiptHandle });
    await expect.poll(() => message.revoked?.code).toBe("SETTLED_ELSEWHERE");
    expect(await codeOf(message.ack())).toBe("SETTLED_ELSEWHERE");
    expect(await counts(QueueUrl)).toEqual([0, 0]);
  });

  test("stays out beyond its visibility timeout, until its processing time is over", async () => {
    const { name, QueueUrl } = await newQueue({ VisibilityTimeout: "1" });
    const client = await connected();
    await client.publish(name, "slow");
    const stream = await client.subscribe(name, { processingMsMax: 2_500 });
    const [message] = (await stream.take(1)) as [Message];
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(await counts(QueueUrl)).toEqual([0, 1]);
    const [again] = (await stream.take(1)) as [Message];
    expect(again).toMatchObject({ body: "slow", receiveCount: 2 });
    expect(message.revoked?.code).toBe("EXPIRED");
    await again.touch(60_000);
    await again.ack();
  });

  test("a dead letter goes to its queue at once, with the way back", async () => {
    const dead = await newQueue();
    const RedrivePolicy = JSON.stringify({
      deadLetterTargetArn: `arn:aws:sqs:us-east-1:000000000000:${dead.name}`,
      maxReceiveCount: 5,
    });
    const { name } = await newQueue({ RedrivePolicy });
    const client = await connected();
    await client.publish(name, "bad");
    const [message] = await (await client.subscribe(name)).take(1);
    await message?.deadLetter("cannot be read");
    const [letter] = await (await client.subscribe(dead.name, { fields: ["DEAD_LETTER_SOURCE"] })).take(1);
    expect(letter).toMatchObject({ body: "bad", deadLetterSource: `arn:aws:sqs:us-east-1:000000000000:${name}` });
  });

  test("a prefetch is never exceeded, and settling makes room", async () => {
    const { name, QueueUrl } = await newQueue();
    const client = await connected();
    await client.publishBatch(
      name,
      Array.from({ length: 25 }, (_, index) => `m${index}`),
    );
    const stream = await client.subscribe(name, { prefetch: 10 });
    const taken: Message[] = [];
    while (taken.length < 10) taken.push(...(await stream.take(10)));
    await new Promise((resolve) => setTimeout(resolve, 100)); // more would have come by now
    expect(await counts(QueueUrl)).toEqual([15, 10]);
    expect(stream.outstandingCount).toBe(10);
    await Promise.all(taken.slice(0, 5).map((message) => message.ack()));
    await expect.poll(() => counts(QueueUrl)).toEqual([10, 10]);
  });

  test("handlers work on what comes, as many at a time as they may", async () => {
    const { name, QueueUrl } = await newQueue();
    const client = await connected();
    let running = 0;
    let most = 0;
    const seen = new Map<string, number>();
    const subscription = await client.subscribe(name, {
      concurrency: 4,
      onError: () => {},
      handler: async ({ body }) => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setTimeout(resolve, 2));
        running -= 1;
        const times = (seen.get(body) ?? 0) + 1;
        seen.set(body, times);
        if (times === 1 && Number(body) % 10 === 0) throw new Error("at first I fail");
      },
    });
    const all = Array.from({ length: 100 }, (_, index) => String(index));
    await client.publishBatch(name, all);
    await expect.poll(() => counts(QueueUrl), { timeout: 10_000 }).toEqual([0, 0]);
    await subscription.close();
    expect(most).toBe(4);
    expect([...seen.values()].reduce((sum, times) => sum + times, 0)).toBe(110);
  });

  test("a FIFO group has its order, whatever fails, and nobody else has it meanwhile", async () => {
    const { name, QueueUrl } = await newQueue({ FifoQueue: "true", ContentBasedDeduplication: "true" });
    const [client, other] = [await connected(), await connected()];
    const groups = ["a", "b", "c"];
    const messages = Array.from({ length: 90 }, (_, index) => {
      const groupId = groups[index % 3] as string;
      return { body: `${groupId}${String(Math.floor(index / 3)).padStart(2, "0")}`, groupId };
    });
    await client.publishBatch(name, messages);
    const done: string[] = [];
    const failed = new Set<string>();
    const busy = new Set<string>();
    const handler = async ({ body }: Message): Promise<void> => {
      const group = body[0] as string;
      expect(busy.has(group)).toBe(false);
      busy.add(group);
      await new Promise((resolve) => setTimeout(resolve, 1));
      busy.delete(group);
      if (body.endsWith("5") && !failed.has(body)) {
        failed.add(body);
        throw new Error("once");
      }
      done.push(body);
    };
    const options = { handler, concurrency: 8, groupInFlight: 5, onError: () => {} };
    const subscriptions = [await client.subscribe(name, options), await other.subscribe(name, options)];
    await expect.poll(() => counts(QueueUrl), { timeout: 15_000 }).toEqual([0, 0]);
    for (const group of groups) {
      const ofGroup = done.filter((body) => body.startsWith(group));
      expect(ofGroup).toEqual(ofGroup.toSorted());
      expect(ofGroup).toHaveLength(30);
    }
    await Promise.all(subscriptions.map((each) => each.close()));
  });

  test("what is not settled goes back at once when the loop is left, the client closed or a signal aborted", async () => {
    const { name, QueueUrl } = await newQueue();
    const client = await connected();
    await client.publishBatch(name, ["1", "2", "3"]);
    for await (const message of await client.subscribe(name)) {
      expect(message.body).toMatch(/[123]/);
      break;
    }
    await expect.poll(() => counts(QueueUrl)).toEqual([3, 0]);
    const controller = new AbortController();
    const stream = await client.subscribe(name, { signal: controller.signal });
    await stream.take(1);
    controller.abort();
    await expect.poll(() => counts(QueueUrl)).toEqual([3, 0]);
    await (await client.subscribe(name)).take(1);
    await client.close();
    await expect.poll(() => counts(QueueUrl)).toEqual([3, 0]);
  });

  test("a purge calls back what is out; a deletion ends it, by its code", async () => {
    const { name, QueueUrl } = await newQueue();
    const client = await connected();
    await client.publish(name, "x");
    const stream = await client.subscribe(name);
    const [message] = (await stream.take(1)) as [Message];
    await call(broker.endpoint, "PurgeQueue", { QueueUrl });
    await expect.poll(() => message.revoked?.code).toBe("PURGED");
    await client.publish(name, "after");
    const [after] = await stream.take(1);
    expect(after?.body).toBe("after");
    const next = codeOf(stream.take(1));
    await call(broker.endpoint, "DeleteQueue", { QueueUrl });
    expect(await next).toBe("QUEUE_DELETED");
    expect(await codeOf(client.subscribe(name))).toBe("QUEUE_DOES_NOT_EXIST");
    expect(await codeOf(client.publish(name, "x"))).toMatch(/QUEUE_DELETED|QUEUE_DOES_NOT_EXIST/);
  });

  test.each([
    ["a processing time of a day", { processingMsMax: 86_400_000 }],
    ["a batch of a million", { batchMessages: 1_000_000 }],
    ["a linger of a minute", { lingerMs: 60_000 }],
    ["a visibility of a day", { visibilityMs: 86_400_000 }],
  ])("%s is refused by its code, and the connection goes on", async (_name, options) => {
    const { name } = await newQueue();
    const client = await connected();
    expect(await codeOf(client.subscribe(name, options))).toBe("INVALID_PARAMETER");
    await client.publish(name, "still here");
  });
});

describe("watching", () => {
  test("sees what happens, and receives nothing", async () => {
    const { name, QueueUrl } = await newQueue();
    const client = await connected();
    const watch = await client.watch(name, { events: true, bodies: true, intervalMs: 100 });
    const kinds: string[] = [];
    const sent: string[] = [];
    const looking = (async () => {
      for await (const { events } of watch) {
        for (const { kind, body } of events) {
          kinds.push(kind);
          if (body !== undefined) sent.push(body);
        }
        if (kinds.includes("SETTLED")) break;
      }
    })();
    await client.publish(name, "look at me");
    expect(await counts(QueueUrl)).toEqual([1, 0]);
    const stream = await client.subscribe(name);
    const [first] = await stream.take(1);
    await first?.nack({ reason: "no" });
    const [second] = await stream.take(1);
    await second?.ack();
    await looking;
    expect(sent).toEqual(["look at me"]);
    expect(kinds).toEqual(["SENT", "DELIVERED", "RETURNED", "DELIVERED", "SETTLED"]);
  });
});

test("queues of another region are other queues", async () => {
  const { name } = await newQueue();
  const elsewhere = await connected({ region: "eu-west-3" });
  expect(await codeOf(elsewhere.subscribe(name))).toBe("QUEUE_DOES_NOT_EXIST");
});
