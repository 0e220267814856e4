// What a session asks is done in the order in which it was asked, also while the log has no room and some of it waits.
// In virtual time, without a socket.
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Queue } from "../../src/broker/types.ts";
import { outgoing, send } from "../support/open-broker.ts";
import { Rig, type RigClient } from "../support/stream-rig.ts";

const LARGE = "x".repeat(1_000_000);

let rig: Rig;
let queue: Queue;
let client: RigClient;

beforeEach(async () => {
  rig = await Rig.open();
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
  expect(counts()).toMatchObject({ visible: 0, inFlight: 0 });
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
