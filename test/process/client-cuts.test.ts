// Networks that break and brokers that die, with the real process behind a proxy that can be cut.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { type Client, type ConnectionChange, connect, type Message } from "../../src/client/index.ts";
import { type BrokerProcess, call, startBroker } from "../support/broker-process.ts";
import { CutProxy } from "../support/cut-proxy.ts";

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface Behind {
  broker: BrokerProcess;
  readonly proxy: CutProxy;
  readonly client: Client;
  readonly changes: ConnectionChange[];
  readonly QueueUrl: string;
  readonly directory: string;
}

/** A broker with a queue "hello", and a client that reaches it through a proxy. */
async function behindProxy(options: { graceMs?: number } = {}): Promise<Behind> {
  const directory = mkdtempSync(join(tmpdir(), "wasq-cuts-"));
  const broker = await startBroker(directory);
  const { body } = await call(broker.endpoint, "CreateQueue", { QueueName: "hello" });
  const proxy = await CutProxy.start(broker.endpoint);
  const changes: ConnectionChange[] = [];
  const client = await connect(proxy.endpoint, { ...options, onChange: (change) => changes.push(change) });
  const all: Behind = { broker, proxy, client, changes, QueueUrl: body.QueueUrl, directory };
  ends.push(
    () => rmSync(directory, { recursive: true, force: true }),
    () => all.broker.stop("SIGKILL"),
    () => proxy.stop(),
    () => client.close({ timeoutMs: 0 }),
  );
  return all;
}

async function countOf(endpoint: string, QueueUrl: string): Promise<[visible: number, inFlight: number]> {
  const AttributeNames = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
  const { body } = await call(endpoint, "GetQueueAttributes", { QueueUrl, AttributeNames });
  return AttributeNames.map((name) => Number(body.Attributes[name])) as [number, number];
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

test("a cut of two seconds within the grace: nothing comes twice, and everything comes", async () => {
  const { proxy, client, changes, broker, QueueUrl } = await behindProxy();
  const seen = new Map<string, number>();
  const held: Message[] = [];
  const subscription = await client.subscribe("hello", {
    concurrency: 20,
    handler: async (message) => {
      seen.set(message.body, (seen.get(message.body) ?? 0) + 1);
      held.push(message);
      await pause(20);
    },
  });
  const all = Array.from({ length: 3_000 }, (_, index) => `m${index}`);
  const publishing = Promise.all(
    all.map(async (body, index) => pause(index / 2).then(() => client.publish("hello", body))),
  );
  await expect.poll(() => seen.size, { timeout: 10_000 }).toBeGreaterThan(200);
  proxy.cut();
  await pause(2_000);
  proxy.mend();
  await publishing;
  await expect.poll(() => seen.size, { timeout: 15_000 }).toBe(all.length);
  await expect.poll(() => countOf(broker.endpoint, QueueUrl), { timeout: 10_000 }).toEqual([0, 0]);
  expect([...seen.values()].filter((times) => times > 1)).toEqual([]);
  expect(held.filter(({ revoked }) => revoked !== undefined)).toEqual([]);
  expect(changes.filter(({ kind }) => kind === "connected")).toMatchObject([{ resumed: false }, { resumed: true }]);
  await subscription.close();
});

test("many short cuts under load: each message is worked on once", { timeout: 60_000 }, async () => {
  const { proxy, client, broker, QueueUrl } = await behindProxy();
  const seen = new Map<string, number>();
  const subscription = await client.subscribe("hello", {
    concurrency: 50,
    prefetch: 200,
    handler: ({ body }) => {
      seen.set(body, (seen.get(body) ?? 0) + 1);
    },
  });
  const publisher = await client.publisher("hello");
  let isDone = false;
  let count = 0;
  const publishing = (async () => {
    while (!isDone) {
      await publisher.ready();
      const batch = Array.from({ length: 20 }, () => `m${count++}`);
      publisher.publishBatch(batch).catch(() => {});
      await pause(1);
    }
    await publisher.close();
  })();
  for (let cuts = 0; cuts < 12; cuts++) {
    await pause(150 + 37 * (cuts % 5));
    proxy.cut();
    proxy.mend();
  }
  isDone = true;
  await publishing;
  await expect.poll(() => seen.size, { timeout: 20_000 }).toBe(count);
  await expect.poll(() => countOf(broker.endpoint, QueueUrl), { timeout: 10_000 }).toEqual([0, 0]);
  expect([...seen.values()].filter((times) => times > 1)).toEqual([]);
  await subscription.close();
});

test("a cut beyond the grace: the messages go to others, and who has them is told", async () => {
  const { proxy, client, broker, QueueUrl, changes } = await behindProxy({ graceMs: 300 });
  await client.publish("hello", "x");
  const stream = await client.subscribe("hello");
  const [message] = (await stream.take(1)) as [Message];
  proxy.cut();
  await expect.poll(() => countOf(broker.endpoint, QueueUrl)).toEqual([1, 0]);
  proxy.mend();
  await expect.poll(() => message.signal.aborted, { timeout: 10_000 }).toBe(true);
  expect(message.revoked?.code).toBe("SESSION_OVER");
  const [again] = (await stream.take(1)) as [Message];
  expect(again).toMatchObject({ body: "x", receiveCount: 2 });
  await again.ack();
  expect(changes.at(-1)).toMatchObject({ kind: "connected", resumed: false });
});

test("kill -9 of the broker under publish load: all that was confirmed is there, and nothing twice", {
  timeout: 90_000,
}, async () => {
  const all = await behindProxy();
  const { client, directory, QueueUrl, proxy } = all;
  const publisher = await client.publisher("hello");
  const confirmed = new Set<string>();
  let count = 0;
  let isDone = false;
  const publishing = (async () => {
    while (!isDone) {
      await publisher.ready();
      const batch = Array.from({ length: 50 }, () => `m${count++}`);
      publisher.publishBatch(batch).then(
        () => {
          for (const body of batch) confirmed.add(body);
        },
        () => {
          isDone = true; // and too few are confirmed
        },
      );
      await pause(1);
    }
    await publisher.close();
  })();
  for (let kills = 0; kills < 3; kills++) {
    await pause(700);
    const before = confirmed.size;
    expect(before).toBeGreaterThan(0);
    await all.broker.stop("SIGKILL");
    all.broker = await startBroker(directory);
    proxy.leadTo(all.broker.endpoint);
    await expect.poll(() => confirmed.size, { timeout: 15_000 }).toBeGreaterThan(before);
  }
  isDone = true;
  await publishing;
  expect(confirmed.size).toBe(count);
  expect(await countOf(all.broker.endpoint, QueueUrl)).toEqual([count, 0]);
  const found = new Map<string, number>();
  const stream = await client.subscribe("hello", { prefetch: 1_000 });
  while ([...found.values()].length < count) {
    const messages = await stream.take(1_000);
    for (const { body } of messages) found.set(body, (found.get(body) ?? 0) + 1);
    await Promise.all(messages.map((message) => message.ack()));
  }
  expect([...found.values()].filter((times) => times !== 1)).toEqual([]);
  expect(await countOf(all.broker.endpoint, QueueUrl)).toEqual([0, 0]);
  expect(proxy.connectionCount).toBeGreaterThan(3);
});

test("kill -9 of the broker under consumers: what was acked never comes again, and nothing is lost", {
  timeout: 90_000,
}, async () => {
  const all = await behindProxy();
  const { client, directory, QueueUrl, proxy } = all;
  const bodies = Array.from({ length: 30_000 }, (_, index) => `m${index}`);
  for (let start = 0; start < bodies.length; start += 1_000) {
    await client.publishBatch("hello", bodies.slice(start, start + 1_000));
  }
  const acked = new Set<string>();
  const unknown = new Set<string>(); // acks that were on their way when the broker died: done or not
  const again: string[] = [];
  const stream = await client.subscribe("hello", { prefetch: 500, visibilityMs: 1_000 });
  const consuming = (async () => {
    for (;;) {
      const messages = await stream.take(100);
      if (messages.length === 0) return; // closed
      for (const message of messages) {
        if (acked.has(message.body)) again.push(message.body);
        message.ack().then(
          () => acked.add(message.body),
          () => unknown.add(message.body),
        );
      }
    }
  })();
  for (const share of [0.2, 0.5]) {
    await expect.poll(() => acked.size, { timeout: 20_000, interval: 2 }).toBeGreaterThan(bodies.length * share);
    await all.broker.stop("SIGKILL");
    all.broker = await startBroker(directory);
    proxy.leadTo(all.broker.endpoint);
  }
  await expect.poll(() => countOf(all.broker.endpoint, QueueUrl), { timeout: 30_000 }).toEqual([0, 0]);
  await stream.close();
  await consuming;
  expect(again).toEqual([]);
  expect(bodies.filter((body) => !acked.has(body) && !unknown.has(body))).toEqual([]);
  expect(acked.size).toBeGreaterThan(bodies.length * 0.9);
});

test("an orderly stop: what runs is finished, what waits goes back, and the client comes again", {
  timeout: 60_000,
}, async () => {
  const all = await behindProxy();
  const { client, changes, directory, QueueUrl, proxy } = all;
  const seen = new Map<string, number>();
  await client.subscribe("hello", {
    concurrency: 5,
    prefetch: 100,
    handler: async ({ body }) => {
      await pause(50);
      seen.set(body, (seen.get(body) ?? 0) + 1);
    },
  });
  await client.publishBatch(
    "hello",
    Array.from({ length: 200 }, (_, index) => `m${index}`),
  );
  await expect.poll(() => seen.size).toBeGreaterThan(10);
  await all.broker.stop("SIGTERM");
  expect(changes.map(({ kind }) => kind)).toContain("going-away");
  all.broker = await startBroker(directory);
  proxy.leadTo(all.broker.endpoint);
  await expect.poll(() => seen.size, { timeout: 30_000 }).toBe(200);
  expect([...seen.values()].filter((times) => times > 1)).toEqual([]);
  await expect.poll(() => countOf(all.broker.endpoint, QueueUrl)).toEqual([0, 0]);
});
