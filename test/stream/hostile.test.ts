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

describe("a Publish with very many messages", () => {
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
    client.isStuck = true;
    client.send(...acks(10));
    await rig.settle();
    expect(client.closed).toBeUndefined();
    client.send(...acks(60));
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
