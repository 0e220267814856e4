// Watching a queue: nothing is received, and what happens is told. In virtual time, without a socket.
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Queue } from "../../src/broker/types.ts";
import { Rig, type RigClient } from "../support/stream-rig.ts";

let rig: Rig;
let queue: Queue;
let client: RigClient;
let worker: RigClient;

beforeEach(async () => {
  rig = await Rig.open();
  queue = await rig.create("work");
  client = await rig.connect();
  worker = await rig.connect();
  await worker.ask({ openPublisher: { publisher: 1, queue: "work" } });
});
afterEach(async () => {
  expect(rig.faults).toEqual([]);
  await rig.opened.close();
});

const watch = (more: object = {}) => ({ watch: { watch: 1, queue: "work", ...more } });
const publish = (first: number, ...texts: string[]) => ({
  publish: { publisher: 1, first, messages: texts.map((text) => ({ text })) },
});

test("counts, age and rates are told as they change, and no oftener than asked", async () => {
  expect(await client.ask(watch({ intervalMs: 1_000 }))).toEqual({ watch: 1 });
  await rig.pass(0);
  expect(client.got()).toEqual([{ watched: { watch: 1, state: {} } }]);
  worker.send(publish(1, "a", "b"));
  await rig.settle();
  await rig.pass(999);
  expect(client.got()).toEqual([]);
  await rig.pass(1);
  expect(client.got()).toEqual([{ watched: { watch: 1, state: { visible: 2, oldestMs: 1000, sentRate: 2 } } }]);
  await rig.pass(5_000);
  expect(client.got()).toEqual([]); // nothing has changed
  await worker.ask({ subscribe: { subscription: 1, queue: "work", credit: { messages: 1, bytes: 100 } } });
  await rig.pass(1_000);
  expect(client.got()).toMatchObject([{ watched: { state: { visible: 1, inFlight: 1, subscriptions: 1 } } }]);
  expect(rig.opened.broker.counts(queue)).toMatchObject({ visible: 1, inFlight: 1 });
});

test("events tell what happened to each message, with its body when asked for", async () => {
  await client.ask(watch({ events: true, bodies: true }));
  await worker.ask({ subscribe: { subscription: 1, queue: "work", credit: { messages: 10, bytes: 1000 } } });
  worker.send(publish(1, "a"));
  await rig.settle();
  await worker.ask({ nack: { subscription: 1, deliveries: [{ first: 1 }], reason: "no paper" } });
  await worker.ask({ ack: { subscription: 1, deliveries: [{ first: 2 }] } });
  await rig.pass(500);
  const [{ watched }] = client.got();
  const messageId = watched.events[0].messageId;
  expect(messageId).toMatch(/^[0-9a-f-]{36}$/);
  const timeMs = 1_800_000_000_000;
  expect(watched.events).toEqual([
    { messageId, text: "a", kind: "SENT", timeMs },
    { messageId, kind: "DELIVERED", timeMs, receiveCount: 1 },
    { messageId, kind: "RETURNED", timeMs, receiveCount: 1, reason: "no paper" },
    { messageId, kind: "DELIVERED", timeMs, receiveCount: 2 },
    { messageId, kind: "SETTLED", timeMs, receiveCount: 2 },
  ]);
});

test("too many events are left out, and counted", async () => {
  await client.ask(watch({ events: true }));
  await rig.pass(0);
  client.got();
  worker.send(publish(1, ...Array.from({ length: 1500 }, (_, i) => `${i}`)));
  await rig.settle();
  await rig.pass(500);
  const [{ watched }] = client.got();
  expect(watched.events.length).toBe(1000);
  expect(watched.skipped).toBe(500);
  expect(watched.state.visible).toBe(1500);
});

test("a watch goes on through a purge and ends with its queue", async () => {
  await client.ask(watch({ events: true }));
  worker.send(publish(1, "a"));
  await rig.settle();
  await new Promise<void>((done) => rig.opened.broker.purgeQueue(queue, done));
  worker.send(publish(2, "b"));
  await rig.settle();
  await rig.pass(500);
  const told = client.got();
  expect(told[0].watched.state).toMatchObject({ visible: 1 });
  expect(told[0].watched.events.map((each: { kind: string }) => each.kind)).toEqual(["SENT", "SENT"]);
  await new Promise<void>((done) => rig.opened.broker.deleteQueue(queue, done));
  await rig.settle();
  expect(client.got()).toContainEqual({ watched: { watch: 1, deleted: true } });
  expect(await client.ask({ unwatch: { watch: 1 } })).toBe("NOT_FOUND");
});

test("is refused when it makes no sense, and can be closed", async () => {
  expect(await client.ask(watch({ queue: "nowhere" }))).toBe("QUEUE_DOES_NOT_EXIST");
  expect(await client.ask(watch({ intervalMs: 99 }))).toBe("INVALID_PARAMETER");
  expect(await client.ask(watch())).toEqual({ watch: 1 });
  expect(await client.ask(watch())).toBe("ALREADY_EXISTS");
  expect(await client.ask({ unwatch: { watch: 1 } })).toEqual({});
  worker.send(publish(1, "a"));
  await rig.pass(1_000);
  expect(client.got()).toEqual([]);
});

test("a session has at most a hundred watches; a closed one makes room", async () => {
  for (let watch = 1; watch <= 100; watch++) client.send({ watch: { watch, queue: "work" } });
  expect(await client.ask({ watch: { watch: 101, queue: "work" } })).toBe("LIMIT_EXCEEDED");
  await client.ask({ unwatch: { watch: 50 } });
  expect(await client.ask({ watch: { watch: 101, queue: "work" } })).toMatchObject({ watch: 101 });
});
