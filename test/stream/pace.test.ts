// A client that asks very much at once: it has its turns, and everybody else has theirs. Work is counted, not timed.
// In virtual time, without a socket.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Queue } from "../../src/broker/types.ts";
import { Pace, type Paced } from "../../src/stream/pace.ts";
import { EnvelopeType } from "../../src/stream/schema.ts";
import { outgoing, send } from "../support/open-broker.ts";
import { Rig, type RigClient } from "../support/stream-rig.ts";

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

const MiB = 1024 * 1024;
const BINARY = { subprotocol: "wasq.v1.protobuf" } as const;
const subscribe = { subscribe: { subscription: 1, queue: "work", credit: { messages: 1_000, bytes: 1_000_000 } } };

/** One WebSocket message. */
function frameOf(envelopes: readonly object[]): Buffer {
  return Buffer.concat(envelopes.map((each) => EnvelopeType.encodeDelimited(EnvelopeType.fromObject(each)).finish()));
}

/** One pass over the sockets is done. */
const pass = (): Promise<void> => new Promise((later) => setImmediate(later));

/** Acks of numbers that were never delivered; every one is answered. */
const acks = (count: number, numbers = 1, firstId = 1_000) =>
  Array.from({ length: count }, (_, i) => ({
    id: firstId + i,
    ack: { subscription: 1, deliveries: [{ first: 1_000_000, last: 1_000_000 + numbers - 1 }] },
  }));

async function flooder(): Promise<RigClient> {
  const client = await rig.connect({}, BINARY);
  await client.ask(subscribe);
  return client;
}

/** Passes until it has been told so much. @returns how many, and how much at most in one of them */
async function passesUntil(client: RigClient, count: number): Promise<{ passes: number; most: number; ids: number[] }> {
  const ids: number[] = [];
  let passes = 0;
  let most = 0;
  while (ids.length < count && passes < 10_000) {
    const told = client.got().map(({ id }) => id as number);
    most = Math.max(most, told.length);
    ids.push(...told);
    passes++;
    await pass();
  }
  return { passes, most, ids };
}

test("a frame with very many requests is done bit by bit, in its order, each answered once", async () => {
  const client = await flooder();
  client.raw(frameOf(acks(50_000)));
  const { most, passes, ids } = await passesUntil(client, 50_000);
  expect(ids).toEqual(Array.from({ length: 50_000 }, (_, i) => 1_000 + i));
  expect(most).toBeLessThan(8_000); // some rounds of 8,000 units, of four each
  expect(passes).toBeGreaterThan(6);
});

test("whoever asks little is answered while others wait", async () => {
  const flooders = await Promise.all([flooder(), flooder(), flooder()]);
  const other = await rig.connect();
  await rig.settle();
  for (const client of flooders) client.raw(frameOf(acks(30_000)));
  other.send({ id: 7, unwatch: { watch: 1 } });
  await pass();
  await pass();
  expect(other.got()).toMatchObject([{ id: 7, error: { code: "NOT_FOUND" } }]);
  const told = flooders.map((client) => client.got().length);
  for (const count of told) {
    expect(count).toBeGreaterThan(0); // each has its turn
    expect(count).toBeLessThan(8_000);
  }
});

test("what requests name counts as well, and so does what they are answered", async () => {
  const client = await flooder();
  await send(rig.opened.broker, queue, [outgoing("first")]);
  await rig.settle();
  client.got();
  client.raw(frameOf(acks(2_000, 10_000)));
  expect((await passesUntil(client, 2_000)).most).toBeLessThan(800); // likewise, of 43 units each
  // Number 1 over and over: it is out, and kept, each time.
  const deliveries = Array.from({ length: 1_000 }, () => ({ first: 1 }));
  const touches = Array.from({ length: 100 }, (_, i) => ({
    id: 1_000 + i,
    touch: { subscription: 1, deliveries, visibilityMs: 60_000 },
  }));
  client.raw(frameOf(touches));
  expect((await passesUntil(client, 100)).most).toBeLessThan(20);
});

test("messages that are published between them arrive, all of them, in their order", async () => {
  const client = await flooder();
  await client.ask({ openPublisher: { publisher: 1, queue: "work" } });
  const envelopes = acks(30_000).flatMap((ack, i) =>
    i % 30 === 0
      ? [ack, { publish: { publisher: 1, first: i / 30 + 1, messages: [{ body: Buffer.from(`${i / 30}`) }] } }]
      : [ack],
  );
  client.raw(frameOf(envelopes));
  const bodies: string[] = [];
  for (let i = 0; i < 200 && bodies.length < 1_000; i++) {
    for (const { deliver } of client.got()) {
      for (const { body } of deliver?.messages ?? []) bodies.push(Buffer.from(body).toString());
    }
    await rig.settle();
  }
  expect(bodies).toEqual(Array.from({ length: 1_000 }, (_, i) => `${i}`));
});

test("what came before the end of a connection is done, though it waits for its turn", async () => {
  const client = await flooder();
  await send(rig.opened.broker, queue, [outgoing("a"), outgoing("b")]);
  await rig.settle();
  client.raw(frameOf([...acks(20_000), { ack: { subscription: 1, deliveries: [{ first: 1 }] } }]));
  client.raw(frameOf([{ ack: { subscription: 1, deliveries: [{ first: 2 }] } }]));
  client.cut();
  expect(rig.opened.broker.counts(queue)).toMatchObject({ inFlight: 2 });
  for (let i = 0; i < 30; i++) await pass();
  await rig.settle();
  expect(rig.opened.broker.counts(queue)).toMatchObject({ visible: 0, inFlight: 0 });
  expect(rig.hub.connectionCount).toBe(0);
});

test("whoever takes the session over does not wait for what the older connection has asked", async () => {
  const client = await flooder();
  client.raw(frameOf(acks(50_000)));
  client.cut();
  const again = await rig.connect({ sessionToken: client.welcome.sessionToken });
  expect(again.welcome.resumed).toBe(true);
  expect(rig.hub.connectionCount).toBe(1);
});

test("more than two frames of the largest size do not wait", async () => {
  const client = await flooder();
  const other = await rig.connect();
  const frame = frameOf([{ bye: {} }, ...acks(1)]);
  const large = Buffer.concat([frameOf(acks(200_000, 10_000)), frame]);
  for (let i = 0; i < 20 && client.closed === undefined; i++) client.raw(large);
  expect(client.closed).toBe(4421);
  expect(await other.ask({ unwatch: { watch: 1 } })).toBe("NOT_FOUND");
});

test("what waits has a bound for all connections together, below which nobody with little is closed", () => {
  const pace = new Pace();
  const waiting: Paced[] = [];
  /** Somebody whose frames begin to wait. */
  const mayWait = (backlogBytes: number): boolean => {
    const paced = { backlogBytes, goOn: () => false };
    waiting.push(paced);
    return pace.wait(paced, backlogBytes);
  };
  for (let i = 0; i < 10; i++) expect(mayWait(25 * MiB)).toBe(true);
  expect(mayWait(33 * MiB)).toBe(false); // more than one may have
  expect(mayWait(2 * MiB)).toBe(false); // of more than all may have, not little
  expect(mayWait(1 * MiB)).toBe(true);
  pace.waited(100 * MiB);
  expect(mayWait(2 * MiB)).toBe(true);
  for (const each of waiting) pace.leave(each);
});

describe("very many WebSocket messages in one pass, with nothing in them", () => {
  const nothing = Buffer.alloc(0);
  const isOpen = (client: RigClient) => client.closed === undefined;

  test("close their connection beyond fifty thousand; as many in several passes do not", async () => {
    const client = await flooder();
    for (let i = 0; i < 5; i++) {
      for (let j = 0; j < 45_000; j++) client.raw(nothing);
      await pass();
      await pass();
    }
    expect(client.closed).toBeUndefined();
    let count = 0;
    while (isOpen(client) && count < 60_000) {
      client.raw(nothing);
      count++;
    }
    expect(count).toBe(50_001);
    expect(client.closed).toBe(4421);
  });

  test("of many connections: they are closed beyond ten thousand, and whoever sends less goes on", async () => {
    const flooders = await Promise.all(Array.from({ length: 30 }, flooder));
    const other = await rig.connect();
    await pass();
    await pass();
    let count = 0;
    for (const client of flooders) {
      for (let i = 0; i < 45_000 && isOpen(client); i++) {
        client.raw(nothing);
        count++;
      }
    }
    expect(flooders.filter(isOpen)).toHaveLength(2);
    expect(count).toBeLessThan(400_000);
    for (let i = 0; i < 9_000; i++) other.raw("");
    other.send({ id: 7, unwatch: { watch: 1 } });
    await pass();
    await pass();
    expect(other.got()).toMatchObject([{ id: 7, error: { code: "NOT_FOUND" } }]);
  });

  test("pings count like messages", async () => {
    const client = await flooder();
    for (let i = 0; i < 49_950; i++) client.ping();
    expect(client.closed).toBeUndefined();
    for (let i = 0; i < 100; i++) client.ping();
    expect(client.closed).toBe(4421);
  });
});
