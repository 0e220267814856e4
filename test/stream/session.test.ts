// Sessions: who is let in, what outlives a connection, how a connection ends. In virtual time, without a socket.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Queue } from "../../src/broker/types.ts";
import { Rig } from "../support/stream-rig.ts";

let rig: Rig;
let queue: Queue;

beforeEach(async () => {
  rig = await Rig.open();
  queue = await rig.create("work");
});
afterEach(async () => {
  expect(rig.faults).toEqual([]);
  await rig.opened.close();
});

const subscribe = (more: object = {}) => ({
  subscribe: { subscription: 1, queue: "work", credit: { messages: 100, bytes: 1_000_000 }, ...more },
});
const publish = (first: number, ...texts: string[]) => ({
  publish: { publisher: 1, first, messages: texts.map((text) => ({ text })) },
});
const counts = () => rig.opened.broker.counts(queue);

describe("Hello", () => {
  test("is answered by Welcome, which says what is allowed", async () => {
    const client = rig.client();
    const welcome = await client.ask({ hello: { clientName: "test", heartbeatMs: 500, graceMs: 90_000 } });
    expect(welcome).toMatchObject({
      serverName: "wasq",
      serverVersion: "1.2.3",
      timeMs: 1_800_000_000_000,
      heartbeatMs: 1_000,
      graceMs: 60_000,
      limits: { frameBytes: 16_777_216, subscriptions: 1000, outstandingSpan: 131_072 },
    });
    expect(welcome.sessionToken).toMatch(/^ses_[\w-]{24}$/);
    expect(welcome.resumed).toBeUndefined();
  });

  test("comes first, once, and within ten seconds", async () => {
    const early = rig.client();
    early.send(subscribe());
    expect(early.closed).toBe(4401);
    const twice = await rig.connect();
    twice.send({ id: 9, hello: {} });
    expect(twice.closed).toBe(4401);
    const late = rig.client();
    await rig.pass(9_999);
    expect(late.closed).toBeUndefined();
    await rig.pass(1);
    expect(late.closed).toBe(4408);
  });

  test("in binary is the same", async () => {
    const client = await rig.connect({ clientName: "binary" }, { subprotocol: "wasq.v1.protobuf" });
    expect(client.welcome).toMatchObject({ serverName: "wasq", limits: { frameBytes: 16_777_216 } });
  });
});

describe("tickets", () => {
  const caller = { account: "111111111111", region: "eu-west-1", senderId: "page", limitName: "page" };

  test("a page is let in with a ticket, once, in time, for its origin", async () => {
    const origin = "http://page.test";
    const bare = rig.client({ origin });
    bare.send({ id: 1, hello: {} });
    expect(bare.closed).toBe(4403);

    const { ticket, expiresInSeconds } = rig.hub.issueTicket(origin, caller);
    expect(expiresInSeconds).toBe(30);
    const page = await rig.connect({ ticket }, { origin });
    expect(page.welcome).toBeDefined();
    const again = rig.client({ origin });
    again.send({ id: 1, hello: { ticket } });
    expect(again.closed).toBe(4403);

    const other = rig.client({ origin: "http://other.test" });
    other.send({ id: 1, hello: rig.hub.issueTicket(origin, caller) });
    expect(other.closed).toBe(4403);

    const old = rig.hub.issueTicket(origin, caller).ticket;
    await rig.pass(30_000);
    const late = rig.client({ origin });
    late.send({ id: 1, hello: { ticket: old } });
    expect(late.closed).toBe(4403);
  });

  test("a ticket has the account and region of whoever asked for it", async () => {
    const origin = "http://page.test";
    const page = await rig.connect(rig.hub.issueTicket(origin, caller), { origin });
    expect(await page.ask(subscribe())).toBe("QUEUE_DOES_NOT_EXIST");
    const url = "http://127.0.0.1:9324/queue/us-east-1/000000000000/work";
    expect(await page.ask(subscribe({ queue: url }))).toMatchObject({ subscription: 1 });
  });
});

describe("a connection that breaks", () => {
  async function working() {
    const client = await rig.connect();
    await client.ask({ openPublisher: { publisher: 1, queue: "work" } });
    await client.ask(subscribe());
    client.send(publish(1, "a", "b", "c"));
    await rig.settle();
    expect(client.bodies()).toBe("1:a 2:b 3:c");
    await client.ask({ ack: { subscription: 1, deliveries: [{ first: 2 }] } });
    return client;
  }

  test("can be resumed within the grace period: nothing is delivered twice", async () => {
    const client = await working();
    client.cut();
    await rig.pass(2_000);
    expect(counts()).toMatchObject({ visible: 0, inFlight: 2 });
    const again = await rig.connect({ sessionToken: client.welcome.sessionToken });
    expect(again.welcome).toMatchObject({
      sessionToken: client.welcome.sessionToken,
      resumed: true,
      subscriptions: [{ subscription: 1, outstanding: [{ first: 1 }, { first: 3 }], last: 3 }],
      publishers: [{ publisher: 1, confirmed: 3, creditBytes: 4_194_304 }],
    });
    again.send(publish(4, "d"));
    await rig.settle();
    expect(again.bodies()).toBe(""); // every credit is 0
    again.send({ credit: { subscription: 1, messages: 10, bytes: 1000, beyond: 3 } });
    await rig.settle();
    expect(again.bodies()).toBe("4:d");
    expect(await again.ask({ ack: { subscription: 1, deliveries: [{ first: 1, last: 4 }] } })).toMatchObject({
      count: 3,
      failures: [{ delivery: 2, code: "NOT_YOURS" }],
    });
    await rig.pass(3_600_000, queue);
    expect(counts()).toMatchObject({ visible: 0, inFlight: 0 });
  });

  test("gives back at once what was out when nobody comes in time", async () => {
    const client = await working();
    client.cut();
    await rig.pass(4_999);
    expect(counts()).toMatchObject({ visible: 0, inFlight: 2 });
    await rig.pass(1);
    expect(counts()).toMatchObject({ visible: 2, inFlight: 0 });
    const again = await rig.connect({ sessionToken: client.welcome.sessionToken });
    expect(again.welcome.resumed).toBeUndefined();
    expect(again.welcome.sessionToken).not.toBe(client.welcome.sessionToken);
    expect(await again.ask({ ack: { subscription: 1, deliveries: [{ first: 1 }] } })).toBe("NOT_FOUND");
    expect(rig.hub.sessionCount).toBe(1);
  });

  test("without a grace period gives back at once", async () => {
    const client = await rig.connect({ graceMs: 0 });
    await client.ask(subscribe());
    await client.ask({ openPublisher: { publisher: 1, queue: "work" } });
    client.send(publish(1, "a"));
    await rig.settle();
    client.cut();
    expect(counts()).toMatchObject({ visible: 1, inFlight: 0 });
    expect(rig.hub.sessionCount).toBe(0);
  });

  test("that is only half dead is taken over by the next one", async () => {
    const client = await working();
    const next = await rig.connect({ sessionToken: client.welcome.sessionToken });
    expect(client.closed).toBe(4409);
    expect(next.welcome.resumed).toBe(true);
    client.cut(); // the old socket notices at last: nothing is left for it to end
    await rig.pass(10_000);
    expect(counts()).toMatchObject({ visible: 0, inFlight: 2 });
    expect(next.closed).toBeUndefined();
  });

  test("what was being delivered when it broke is listed, or goes back if it had not been composed", async () => {
    const client = await working();
    client.isStuck = true;
    client.bufferedBytes = 2_000_000;
    client.send(publish(4, "d")); // the frame that blocks
    await rig.settle();
    client.send(publish(5, "e"));
    await rig.settle();
    client.cut();
    const again = await rig.connect({ sessionToken: client.welcome.sessionToken });
    expect(again.welcome.subscriptions[0]).toMatchObject({
      outstanding: [{ first: 1 }, { first: 3, last: 4 }],
      last: 4,
    });
    expect(counts()).toMatchObject({ visible: 1, inFlight: 3 });
  });

  test("a stampede of them comes back: every session is resumed, and none has a message twice", async () => {
    const clients = [];
    for (let i = 0; i < 300; i++) {
      const client = await rig.connect();
      await client.ask(subscribe({ credit: { messages: 1, bytes: 1000 } }));
      clients.push(client);
    }
    const sender = await rig.connect();
    await sender.ask({ openPublisher: { publisher: 1, queue: "work" } });
    sender.send(publish(1, ...clients.map((_, i) => `m${i}`)));
    await rig.settle();
    const seen = clients.map((client) => client.bodies());
    for (const client of clients) client.cut();
    const again = [];
    for (const client of clients) again.push(await rig.connect({ sessionToken: client.welcome.sessionToken }));
    expect(again.every(({ welcome }) => welcome.resumed === true)).toBe(true);
    expect(new Set(seen).size).toBe(300);
    expect(counts()).toMatchObject({ visible: 0, inFlight: 300 });
    expect(rig.hub.connectionCount).toBe(301);
  });
});

describe("the end", () => {
  test("Bye gives back at once, and is answered", async () => {
    const client = await rig.connect();
    await client.ask({ openPublisher: { publisher: 1, queue: "work" } });
    await client.ask(subscribe());
    client.send(publish(1, "a"));
    await rig.settle();
    expect(await client.ask({ bye: {} })).toEqual({});
    expect(client.closed).toBe(1000);
    expect(counts()).toMatchObject({ visible: 1, inFlight: 0 });
    const again = await rig.connect({ sessionToken: client.welcome.sessionToken });
    expect(again.welcome.resumed).toBeUndefined();
  });

  test("a quiet server says that it is alive, when asked to", async () => {
    const client = await rig.connect({ heartbeatMs: 2_000 });
    await rig.pass(1_999);
    expect(client.got()).toEqual([]);
    await rig.pass(1);
    expect(client.got()).toEqual([{ heartbeat: { timeMs: 1_800_000_002_000 } }]);
    const silent = await rig.connect();
    await rig.pass(60_000);
    expect(silent.got()).toEqual([]);
  });

  test("GoAway: no deliveries and nothing new; what is out is settled; then everybody is closed", async () => {
    const client = await rig.connect();
    await client.ask({ openPublisher: { publisher: 1, queue: "work" } });
    await client.ask(subscribe());
    client.send(publish(1, "a"));
    await rig.settle();
    client.got();
    rig.hub.goAway(1_000, "upgrade");
    client.send(publish(2, "b"));
    await rig.settle();
    expect(client.got()).toEqual([
      { goAway: { deadlineMs: 1_000, reason: "upgrade" } },
      { confirm: { publisher: 1, number: 2 } },
    ]);
    client.isStuck = true; // blocked, and reading again: still no deliveries
    client.bufferedBytes = 2_000_000;
    client.send({ id: 99, unwatch: { watch: 1 } });
    await rig.settle();
    client.isStuck = false;
    client.drain();
    await rig.settle();
    expect(client.bodies()).toBe("");
    expect(await client.ask(subscribe({ subscription: 2 }))).toBe("GOING_AWAY");
    expect(await client.ask({ ack: { subscription: 1, deliveries: [{ first: 1 }] } })).toMatchObject({ count: 1 });
    const late = await rig.connect();
    expect(late.got()).toMatchObject([{ goAway: { deadlineMs: 1_000 } }]);
    await rig.pass(1_000);
    expect([client.closed, late.closed]).toEqual([4410, 4410]);
  });

  test("stop() waits for what is out, and no longer than it must", async () => {
    const client = await rig.connect();
    await client.ask({ openPublisher: { publisher: 1, queue: "work" } });
    await client.ask(subscribe());
    client.send(publish(1, "a"));
    await rig.settle();
    const stopped = rig.hub.stop("over");
    expect(client.closed).toBeUndefined();
    expect(await client.ask({ ack: { subscription: 1, deliveries: [{ first: 1 }] } })).toMatchObject({ count: 1 });
    await stopped;
    expect(client.closed).toBe(4410);
  });
});

describe("what cannot be read", () => {
  test.each([
    ["no JSON", "{"],
    ["a list", "[]"],
    ["a number", "7"],
    ["a subscription of text", '{"subscribe":"x"}'],
    ["a producer that is no UUID", '{"openPublisher":{"publisher":1,"queue":"work","producer":"me"}}'],
    ["brackets without end", `{"a":${"[".repeat(100_000)}`],
  ])("%s closes a JSON connection with 4400", async (_, text) => {
    const client = await rig.connect();
    client.raw(text);
    expect(client.closed).toBe(4400);
  });

  test("a Hello with a number that is none closes it with 4400, too", async () => {
    const client = rig.client();
    client.raw('{"id":1,"hello":{"graceMs":-1}}');
    expect(client.closed).toBe(4400);
  });

  test.each([
    ["a size beyond the frame", [5, 8]],
    ["a size without an end", [255, 255, 255, 255, 255, 255]],
    ["a field that stops", [2, 0x92, 0x01]],
    ["field 0", [2, 0, 0]],
    ["a Publish that stops in a message", [8, 0x1a, 6, 0x08, 1, 0x1a, 5, 0x0a, 3]],
  ])("%s closes a binary connection with 4400", async (_, bytes) => {
    const client = await rig.connect({}, { subprotocol: "wasq.v1.protobuf" });
    await client.ask({ openPublisher: { publisher: 1, queue: "work" } });
    client.raw(Uint8Array.from(bytes));
    expect(client.closed).toBe(4400);
  });

  test("the other type of message closes with 4405, one beyond 16 MiB with 4413", async () => {
    const text = await rig.connect();
    text.raw(Buffer.from("{}"), false);
    expect(text.closed).toBe(4405);
    const large = await rig.connect();
    large.raw(Buffer.alloc(16 * 1024 * 1024 + 1), true);
    expect(large.closed).toBe(4413);
  });

  test("an envelope that is not known is answered, fields that are not known are ignored", async () => {
    const client = await rig.connect();
    expect(await client.ask({})).toBe("UNKNOWN_REQUEST");
    expect(await client.ask({ fly: {} })).toBe("UNKNOWN_REQUEST");
    expect(await client.ask({ welcome: {} })).toBe("UNKNOWN_REQUEST");
    expect(await client.ask({ ...subscribe(), colour: "red" })).toMatchObject({ subscription: 1 });
    expect(client.closed).toBeUndefined();
  });

  test("numbers may be text in JSON, whatever their size", async () => {
    const client = await rig.connect();
    const credit = { messages: "2", bytes: "1000000", beyond: "0" };
    expect(await client.ask({ subscribe: { subscription: "1", queue: "work", credit } })).toMatchObject({
      subscription: 1,
    });
    expect(await client.ask({ openPublisher: { publisher: "1", queue: "work" } })).toMatchObject({ publisher: 1 });
    client.send({ publish: { publisher: "1", first: "1", messages: [{ text: "a", delayMs: "0" }] } });
    await rig.settle();
    expect(client.bodies()).toBe("1:a");
    const deliveries = [{ first: "1", last: "1" }, { first: "9007199254740991" }];
    expect(await client.ask({ ack: { subscription: "1", deliveries } })).toMatchObject({
      count: 1,
      failures: [{ delivery: 9_007_199_254_740_991, code: "NEVER_DELIVERED" }],
    });
  });

  test("empty frames, empty lines and Windows' line ends are nothing", async () => {
    const client = await rig.connect();
    client.raw("");
    client.raw("\r\n\r\n");
    client.raw('{"id":50,"unsubscribe":{"subscription":4}}\r\n');
    await rig.settle();
    expect(client.got()).toMatchObject([{ id: 50, error: { code: "NOT_FOUND" } }]);
  });
});

test("a session that is taken over while a delivery waits for the disk leaves nobody waiting for ever", async () => {
  await rig.create("orders.fifo", { fifo: true, contentBasedDeduplication: true });
  const credit = (messages: number) => ({ credit: { subscription: 1, messages, bytes: 1_000_000 } });
  const one = await rig.connect();
  const other = await rig.connect();
  await one.ask({ openPublisher: { publisher: 1, queue: "orders.fifo" } });
  const messages = ["a", "b"].map((text) => ({ text, groupId: text }));
  await one.ask({ publish: { publisher: 1, first: 1, messages } });
  for (const each of [one, other]) await each.ask({ subscribe: { subscription: 1, queue: "orders.fifo" } });
  // Both have been given something that the log does not have yet; then, before it has, one connects again.
  one.send(credit(1));
  other.send(credit(1));
  const again = rig.client();
  again.send({ id: 1, hello: { sessionToken: one.welcome.sessionToken } }, credit(2));
  await rig.settle();
  expect(one.closed).toBe(4409);
  expect(other.bodies()).toBe("1:b");
  expect(again.bodies()).toBe("2:a");
});
