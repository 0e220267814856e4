// What no client should send, or not so much of: each has its answer, and the broker goes on. In virtual time, without a
// socket.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PublishType } from "../../src/stream/schema.ts";
import { Rig, type RigClient } from "../support/stream-rig.ts";

let rig: Rig;
let client: RigClient;

beforeEach(async () => {
  rig = await Rig.open();
  await rig.create("work");
  client = await rig.connect();
  await client.ask({ openPublisher: { publisher: 1, queue: "work" } });
  await client.ask({ subscribe: { subscription: 1, queue: "work", credit: { messages: 10, bytes: 1_000 } } });
});
afterEach(async () => {
  expect(rig.faults).toEqual([]);
  await rig.opened.close();
});

const publish = (first: number, text: string) => ({ publish: { publisher: 1, first, messages: [{ text }] } });

test.each([
  ["text", { first: "one" }],
  ["no number, with others behind it", { first: 1, last: "one" }],
  ["a fraction", { first: 1.5 }],
  ["below zero", { first: -1 }],
  ["beyond 2^53", { first: 2 ** 53 }],
  ["the highest of 64 bits", { first: "18446744073709551615" }],
  ["an end without bounds", { first: 1, last: 1e300 }],
])("%s is no delivery number", async (_, range) => {
  client.send(publish(1, "a"));
  await rig.settle();
  expect(await client.ask({ ack: { subscription: 1, deliveries: [range, { first: 1 }] } })).toBe("INVALID_PARAMETER");
  expect(await client.ask({ ack: { subscription: 1, deliveries: [{ first: 1 }] } })).toMatchObject({ count: 1 });
});

test("credit beyond no number is refused", async () => {
  for (const beyond of ["one", 0.5, -1, 1e300]) {
    const credit = { subscription: 1, messages: 1, bytes: 1, beyond };
    expect(await client.ask({ credit })).toBe("INVALID_PARAMETER");
  }
});

test.each([
  ["below zero", -1],
  ["a fraction", 1.5],
  ["beyond 32 bits", 2 ** 32],
  ["beyond 32 bits, as text", "9223372036854775808"],
  ["no number", true],
  ["text", "many"],
])("%s is no number of a JSON request, and is not taken for another", async (_, number) => {
  expect(await client.ask({ credit: { subscription: 1, messages: number, bytes: 1 } })).toBe("INVALID_PARAMETER");
  expect(await client.ask({ subscribe: { subscription: number, queue: "work" } })).toBe("INVALID_PARAMETER");
  const credit = { messages: 1, bytes: number };
  expect(await client.ask({ subscribe: { subscription: 2, queue: "work", credit } })).toBe("INVALID_PARAMETER");
  expect(await client.ask({ subscribe: { subscription: "2", queue: "work" } })).toMatchObject({ subscription: 2 });
  client.send({ publish: { publisher: 1, first: 1, messages: [{ text: "a", delayMs: number }] } });
  await rig.settle();
  expect(client.got().at(-1)).toMatchObject({ error: { code: "INVALID_PARAMETER" } });
});

/** `count` messages without a body, behind one that has one. */
function frameOf(count: number): Buffer {
  const head = PublishType.encode(
    PublishType.fromObject({ publisher: 2, first: 1, messages: [{ text: "a" }] }),
  ).finish();
  const publish = Buffer.concat([head, Buffer.from("1a00".repeat(count), "hex")]);
  const size = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...size(value >>> 7)]);
  const envelope = Buffer.concat([Buffer.from([0x1a, ...size(publish.byteLength)]), publish]);
  return Buffer.concat([Buffer.from(size(envelope.byteLength)), envelope]);
}

describe("a Publish with very many messages", () => {
  test("that break a rule is answered for each of them, to its bound", async () => {
    const binary = await rig.connect({}, { subprotocol: "wasq.v1.protobuf" });
    await binary.ask({ openPublisher: { publisher: 2, queue: "work" } });
    binary.raw(frameOf(9_999));
    await rig.settle();
    const [told] = binary.got();
    expect(told.confirm.number).toBe(10_000);
    expect(told.confirm.failures.length).toBe(9_999);
    binary.raw(frameOf(10_000));
    await rig.settle();
    expect(binary.got()).toMatchObject([{ error: { code: "LIMIT_EXCEEDED" } }]);
    expect(await client.ask({ unsubscribe: { subscription: 1 } })).toEqual({}); // the broker is as it was
  });
});

test("messages that break a rule are told of up to 100,000 at a time, and no end of them to who reads", async () => {
  const binary = await rig.connect({}, { subprotocol: "wasq.v1.protobuf" });
  await binary.ask({ openPublisher: { publisher: 2, queue: "work" } });
  for (let i = 0; i < 15; i++) {
    binary.raw(frameOf(9_999));
    await rig.settle();
  }
  expect(binary.got().reduce((sum, { confirm }) => sum + confirm.failures.length, 0)).toBe(15 * 9_999);
  binary.isStuck = true;
  for (let i = 0; i < 11; i++) binary.raw(frameOf(9_999));
  await rig.settle();
  for (let i = 0; i < 13; i++) binary.raw(frameOf(9_999));
  await rig.settle();
  expect(binary.closed).toBe(4421);
  expect(await client.ask({ unsubscribe: { subscription: 1 } })).toEqual({}); // nobody else notices
});

describe("IDs of published messages", () => {
  const ids = { publisher: 2, queue: "work", wantsIds: true };
  /** A Publish of `count` messages of one byte. */
  const small = (first: number, count: number) => ({
    publish: { publisher: 2, first, messages: Array.from({ length: count }, () => ({ body: "eA==" })) },
  });

  test("are told bit by bit, each with or before the Confirm of its number, however many one commit brings", async () => {
    const binary = await rig.connect({}, { subprotocol: "wasq.v1.protobuf" });
    await binary.ask({ openPublisher: ids });
    for (let i = 0; i < 6; i++) binary.send(small(1 + i * 10_000, 10_000));
    await rig.settle();
    const confirms: { number: number; published: { number: number }[] }[] = [];
    for (let i = 0; i < 20; i++) {
      confirms.push(...binary.got().map(({ confirm }) => confirm));
      await rig.settle();
    }
    expect(confirms.length).toBeGreaterThan(2);
    let told = 0;
    for (const { number, published } of confirms) {
      expect(published.length).toBeLessThanOrEqual(20_000);
      expect(published[0]?.number).toBe(told + 1);
      told += published.length;
      expect(number).toBe(told);
    }
    expect(told).toBe(60_000);
  });

  test("wait up to 4 MiB for a connection that reads nothing, which is closed then; what was sent is kept", async () => {
    const binary = await rig.connect({ graceMs: 0 }, { subprotocol: "wasq.v1.protobuf" });
    await binary.ask({ openPublisher: ids });
    binary.isStuck = true;
    binary.bufferedBytes = 2_000_000;
    binary.send({ id: 99, unwatch: { watch: 1 } }); // what goes out now meets a full buffer
    await rig.settle();
    let sent = 0;
    for (; binary.closed === undefined && sent < 400_000; sent += 10_000) {
      binary.send(small(sent + 1, 10_000));
      await rig.settle();
    }
    expect(binary.closed).toBe(4421);
    expect(sent).toBeGreaterThan(100_000);
    const watch = { watch: 1, queue: "work" };
    await client.ask({ watch });
    await rig.pass(500);
    const state = client.got().find(({ watched }) => watched)?.watched.state;
    expect((state.visible ?? 0) + state.inFlight).toBe(sent);
  });

  test("and the Confirm itself come before the answer to ClosePublisher, also where they had to wait", async () => {
    await client.ask({ openPublisher: ids });
    client.isStuck = true;
    client.bufferedBytes = 2_000_000;
    client.send({ id: 98, unwatch: { watch: 1 } });
    await rig.settle();
    client.got();
    client.send(small(1, 2), { id: 99, closePublisher: { publisher: 2 } });
    await rig.settle();
    expect(client.got()).toEqual([]);
    client.isStuck = false;
    client.drain();
    await rig.settle();
    const got = client.got().filter(({ deliver }) => !deliver);
    expect(got).toEqual([{ confirm: expect.objectContaining({ publisher: 2, number: 2 }) }, { id: 99, done: {} }]);
    expect(got[0].confirm.published).toHaveLength(2);
  });
});

test("answers that had to wait leave in frames that a client may read: a mebibyte or so each, as it reads them", async () => {
  client.isStuck = true;
  client.bufferedBytes = 2_000_000;
  client.send({ id: 98, unwatch: { watch: 1 } });
  await rig.settle();
  const { frameCount } = client;
  const deliveries = [{ first: 1_000_001, last: 1_010_000 }];
  for (let id = 100; id < 112; id++) client.send({ id, ack: { subscription: 1, deliveries } });
  await rig.settle();
  expect(client.frameCount).toBe(frameCount);
  client.got();
  for (let drains = 0; drains < 12; drains++) {
    const before = client.frameCount;
    client.drain();
    await rig.settle();
    expect(client.frameCount - before).toBeLessThanOrEqual(3);
    expect(client.bufferedBytes).toBeLessThan(3_000_000);
  }
  expect(client.got().map(({ id }) => id)).toEqual(Array.from({ length: 12 }, (_, i) => 100 + i));
});

test("a text that is not UTF-8 is refused wherever it stands in its envelope", async () => {
  const binary = await rig.connect({}, { subprotocol: "wasq.v1.protobuf" });
  await binary.ask({ openPublisher: { publisher: 2, queue: "work" } });
  // publisher 2, first, and a message: the text ff 61
  const publish = (first: number) => Buffer.from([0x08, 0x02, 0x10, first, 0x1a, 0x04, 0x12, 0x02, 0xff, 0x61]);
  const good = (first: number) => Buffer.from([0x08, 0x02, 0x10, first, 0x1a, 0x04, 0x12, 0x02, 0x62, 0x61]);
  const id = Buffer.from([0x08, 0x07]);
  const inside = (bytes: Buffer) => Buffer.concat([Buffer.from([0x1a, bytes.byteLength]), bytes]);
  const other = Buffer.from([0x92, 0x02, 0x00]); // a Bye: whatever stands last counts
  const envelopes = [
    Buffer.concat([id, inside(publish(1))]),
    Buffer.concat([inside(publish(2)), id]),
    Buffer.concat([other, inside(publish(3)), id]),
    Buffer.concat([inside(good(9)), other, inside(publish(4)), id]),
    Buffer.concat([inside(publish(5).subarray(0, 4)), inside(publish(5).subarray(4)), id]),
    Buffer.concat([inside(good(6)), id]),
  ];
  for (const envelope of envelopes) binary.raw(Buffer.concat([Buffer.from([envelope.byteLength]), envelope]));
  await rig.settle();
  const confirms = binary.got();
  const failures = confirms.flatMap(({ confirm }) => confirm?.failures ?? []);
  expect(failures.map(({ number }: { number: number }) => number)).toEqual([1, 2, 3, 4, 5]);
  expect(client.bodies()).toBe("1:ba");
});

test("a socket that throws ends its own connection, and nobody else's", async () => {
  const broken = await rig.connect();
  await broken.ask({ openPublisher: { publisher: 1, queue: "work" } });
  await broken.ask({ subscribe: { subscription: 1, queue: "work", credit: { messages: 10, bytes: 1_000 } } });
  const others = [await rig.connect(), await rig.connect(), await rig.connect()];
  for (const other of others) await other.ask({ openPublisher: { publisher: 1, queue: "work" } });
  broken.isBroken = true;
  broken.send(publish(1, "its own"));
  for (const other of others) other.send(publish(1, "another's"));
  await rig.settle();
  for (const other of others) expect(other.got()).toMatchObject([{ confirm: { number: 1 } }]);
  expect(broken.closed).toBe(4450);
  expect(rig.faults.splice(0).map(String)).toContain("Error: a broken socket");
});

describe("answers that nobody waits for", () => {
  const acks = (count: number) =>
    Array.from({ length: count }, (_, i) => ({
      id: 1000 + i,
      ack: { subscription: 1, deliveries: [{ first: 1, last: 10_000 }] },
    }));

  test("wait for the disk up to a million numbers", async () => {
    client.send(publish(1, "a"), ...acks(20));
    expect(client.closed).toBeUndefined();
    await rig.settle();
    client.send(publish(2, "b"), ...acks(100));
    expect(client.closed).toBe(4421);
  });

  test("wait for their reader up to 16 MiB", async () => {
    // One number over and over is no run: each time it gets a reason of its own.
    const deliveries = Array.from({ length: 10_000 }, () => ({ first: 1 }));
    const longAcks = (count: number) =>
      Array.from({ length: count }, (_, i) => ({ id: 1000 + i, ack: { subscription: 1, deliveries } }));
    client.isStuck = true;
    client.send(...longAcks(10));
    await rig.settle();
    expect(client.closed).toBeUndefined();
    for (let i = 0; i < 60 && client.closed === undefined; i++) {
      client.send(...longAcks(1));
      await rig.settle();
    }
    expect(client.closed).toBe(4421);
  });

  test("do not repeat what was asked at length", async () => {
    client.send({ id: 1000, subscribe: { subscription: 2, queue: "x".repeat(100_000) } });
    await rig.settle();
    const [{ error }] = client.got();
    expect(error.code).toBe("QUEUE_DOES_NOT_EXIST");
    expect(error.message.length).toBeLessThan(300);
  });
});
