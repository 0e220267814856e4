// What a session asks is done in the order in which it was asked, also while the log has no room and some of it waits.
// In virtual time, without a socket.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Queue } from "../../src/broker/types.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import { outgoing, send } from "../support/open-broker.ts";
import { Rig, type RigClient, SEGMENT_BYTES } from "../support/stream-rig.ts";

const LARGE = "x".repeat(1_000_000);

let disk: FakeDisk;
let rig: Rig;
let queue: Queue;
let client: RigClient;

beforeEach(async () => {
  disk = new FakeDisk();
  rig = await Rig.open({ disk });
  queue = await rig.create("work");
  await rig.create("other");
  client = await rig.connect();
  await client.ask({ subscribe: { subscription: 1, queue: "work", credit: { messages: 1, bytes: 1_000_000 } } });
  await send(rig.opened.broker, queue, [outgoing("a"), outgoing("b")]);
  await rig.settle();
  expect(client.bodies()).toBe("1:a");
});
afterEach(async () => {
  expect(rig.faults).toEqual([]);
  await rig.opened.close();
});

/** More than the log can take before the next write is done: what comes now waits behind it. */
function fill(): void {
  const other = rig.opened.broker.find({ account: "000000000000", region: "us-east-1", name: "other" }) as Queue;
  for (let i = 0; i < 20; i++) rig.opened.broker.send(other, [outgoing(LARGE)], () => {});
}

const credit = (messages: number, beyond: number) => ({
  id: 50,
  credit: { subscription: 1, messages, bytes: 1_000_000, beyond },
});
const deliveries = [{ first: 1 }];

test("what is given back is there before the credit that comes after it", async () => {
  fill();
  client.send({ id: 49, nack: { subscription: 1, deliveries } }, credit(1, 1));
  expect(client.got()).toEqual([]); // both wait
  await rig.settle();
  const told = client.got();
  expect(told.map((each) => each.id ?? Object.keys(each)[0])).toEqual([49, 50, "deliver"]);
  expect(told[2].deliver).toMatchObject({ first: 2, messages: [{ text: "a", earlierReceives: 1 }] });
});

test("what was acknowledged before the end of its subscription, or of the session, is deleted", async () => {
  const counts = () => rig.opened.broker.counts(queue);
  fill();
  client.send({ id: 49, ack: { subscription: 1, deliveries } }, { id: 50, unsubscribe: { subscription: 1 } });
  await rig.settle();
  expect(client.got()).toMatchObject([
    { id: 50, done: {} },
    { id: 49, settled: { count: 1 } },
  ]);
  expect(counts()).toMatchObject({ visible: 1, inFlight: 0 });

  await client.ask({ subscribe: { subscription: 1, queue: "work", credit: { messages: 1, bytes: 1_000_000 } } });
  await rig.settle();
  expect(client.bodies()).toBe("1:b");
  fill();
  client.send({ ack: { subscription: 1, deliveries } }, { id: 51, bye: {} });
  await rig.settle();
  expect(client.closed).toBe(1000);
  expect(client.got()).toMatchObject([{ id: 51, done: {} }]);
  expect(counts()).toMatchObject({ visible: 0, inFlight: 0 });
});

describe("what was published while the log had no room", () => {
  const publish = (first: number, ...texts: string[]) => ({
    publish: { publisher: 1, first, messages: texts.map((text) => ({ text })) },
  });
  const counts = () => rig.opened.broker.counts(queue);
  const words = () => client.got().map((each) => Object.keys(each).find((name) => name !== "id"));
  const close = { id: 51, closePublisher: { publisher: 1 } };
  const bye = { id: 52, bye: {} };

  beforeEach(async () => {
    await client.ask({ openPublisher: { publisher: 1, queue: "work" } });
    await client.ask({ ack: { subscription: 1, deliveries } });
    expect(counts()).toMatchObject({ visible: 1, inFlight: 0 });
  });

  test("is confirmed before its publisher is closed, also to whoever says Bye without waiting for it", async () => {
    fill();
    client.send(publish(1, "c"), publish(2, "d"), close, bye);
    expect(client.got()).toEqual([]);
    await rig.settle();
    expect(client.got()).toEqual([
      { confirm: { publisher: 1, number: 2 } },
      { id: 51, done: {} },
      { id: 52, done: {} },
    ]);
    expect(client.closed).toBe(1000);
    expect(counts().visible).toBe(3);
  });

  test("is confirmed before Bye is answered, and so is what broke a rule named, and what was acknowledged settled", async () => {
    await client.ask({ credit: { subscription: 1, messages: 1, bytes: 1_000_000, beyond: 1 } });
    fill();
    client.send({ id: 50, ack: { subscription: 1, deliveries: [{ first: 2 }] } }, publish(1, "c", "", "d"), bye);
    expect(client.closed).toBeUndefined();
    await rig.settle();
    const told = client.got().filter((each) => each.deliver === undefined);
    expect(told).toMatchObject([
      { id: 50, settled: { subscription: 1, count: 1 } },
      { confirm: { publisher: 1, number: 3, failures: [{ number: 2, code: "MISSING_PARAMETER" }] } },
      { id: 52, done: {} },
    ]);
    expect(client.closed).toBe(1000);
    expect(counts()).toMatchObject({ visible: 2, inFlight: 0 });
  });

  test("is refused in words before Bye is answered, when the disk turns out to be full", async () => {
    disk.capacityBytes = 2.5 * SEGMENT_BYTES; // no third segment
    fill();
    client.send(publish(1, "c"), publish(2, "d"), bye);
    expect(client.got()).toEqual([]);
    await rig.settle();
    expect(client.got()).toMatchObject([{ refused: { publisher: 1, from: 1, code: "FULL" } }, { id: 52, done: {} }]);
    expect(client.closed).toBe(1000);
    expect(counts().visible).toBe(1);
  });

  test("is refused when the queue is deleted meanwhile, and Bye is answered", async () => {
    fill();
    client.send(publish(1, "c"), bye);
    rig.opened.broker.deleteQueue(queue, () => {});
    await rig.settle();
    expect(client.got()).toMatchObject([
      { refused: { publisher: 1, from: 1, code: "QUEUE_DELETED" } },
      { id: 52, done: {} },
    ]);
    expect(client.closed).toBe(1000);
  });

  test("is taken also if the connection, its session or both end before there is room", async () => {
    const brief = await rig.connect({ graceMs: 0 });
    await brief.ask({ openPublisher: { publisher: 1, queue: "work" } });
    fill();
    client.send(publish(1, "c"), bye);
    client.cut();
    brief.send(publish(1, "d"));
    brief.cut();
    expect(rig.hub.sessionCount).toBe(0);
    await rig.settle();
    expect(counts().visible).toBe(3);
  });

  test("is waited for by a server that is about to stop", async () => {
    fill();
    client.send(publish(1, "c"), bye);
    const stopped = rig.hub.stop("upgrade");
    await rig.settle();
    await stopped;
    expect(words()).toEqual(["goAway", "confirm", "done"]);
    expect(client.closed).toBe(1000);
    expect(counts().visible).toBe(2);
  });

  test("is all there is: what comes behind Bye, or behind ClosePublisher on its number, is not taken", async () => {
    fill();
    client.send(publish(1, "c"), close, publish(2, "d"), { ...close, id: 53 });
    expect(client.got()).toMatchObject([]);
    await Promise.resolve();
    expect(client.got()).toMatchObject([{ error: { code: "NOT_FOUND" } }, { id: 53, error: { code: "NOT_FOUND" } }]);
    client.send(bye, { id: 54, unwatch: { watch: 1 } });
    client.raw("this is no JSON, and nobody reads it");
    const again = await rig.connect({ sessionToken: client.welcome.sessionToken });
    expect(again.welcome.resumed).toBeUndefined(); // nobody comes back for a session that has said Bye
    expect(client.got().map(({ id }) => id)).toEqual([undefined, 51, 52]);
    expect(client.closed).toBe(1000);
    expect(counts().visible).toBe(2);
  });
});

test("of a session that has said Bye nothing is left", async () => {
  for (let i = 0; i < 3; i++) await (await rig.connect()).ask({ bye: {} });
  expect(rig.hub.waitingCount).toBe(0);
  expect(rig.hub.sessionCount).toBe(1);
  client.cut();
  expect(rig.hub.waitingCount).toBe(1);
});

test("credit from before a cut counts for nothing after it, however late it comes through", async () => {
  fill();
  client.send(credit(10, 1));
  client.cut();
  const again = await rig.connect({ sessionToken: client.welcome.sessionToken });
  expect(again.welcome.resumed).toBe(true);
  await rig.settle();
  expect(again.bodies()).toBe("");
  again.send(credit(10, again.welcome.subscriptions[0].last));
  await rig.settle();
  expect(again.bodies()).toMatch(/^\d:b$/);
});

test("a connection that takes nothing more gets nothing, though it took some while it waited", async () => {
  fill();
  client.send(credit(10, 1));
  client.bufferedBytes = 2_000_000;
  client.send({ id: 7, unwatch: { watch: 9 } }); // what goes out now meets a full buffer
  await Promise.resolve();
  client.drain(); // takes some again, which waits behind the credit
  client.bufferedBytes = 2_000_000;
  client.send({ id: 8, unwatch: { watch: 9 } });
  await rig.settle();
  client.got();
  expect(client.bodies()).toBe("");
  client.drain();
  await rig.settle();
  expect(client.bodies()).toBe("2:b");
});
