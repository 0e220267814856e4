// How much may be in one envelope. It is decoded in one go, while nobody else is served: what would take long is refused
// before that. In virtual time, without a socket.
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MESSAGE_BYTES_MAX, STREAM_PUBLISH_MESSAGES_MAX } from "../../src/limits.ts";
import { shapeProblem } from "../../src/stream/json-shape.ts";
import { EnvelopeType } from "../../src/stream/schema.ts";
import { Rig, type RigClient } from "../support/stream-rig.ts";

const MiB = 1024 * 1024;

let rig: Rig;

beforeEach(async () => {
  rig = await Rig.open();
  await rig.create("work");
});
afterEach(async () => {
  expect(rig.faults).toEqual([]);
  await rig.opened.close();
});

/** Somebody who may ask and publish. */
async function connect(subprotocol: "wasq.v1.json" | "wasq.v1.protobuf"): Promise<RigClient> {
  const client = await rig.connect({}, { subprotocol });
  await client.ask({ subscribe: { subscription: 1, queue: "work" } });
  await client.ask({ openPublisher: { publisher: 1, queue: "work" } });
  return client;
}

/** The unit so often that all of it has so many bytes, or a few less. */
const filled = (head: string, unit: string, tail: string, sizeBytes: number): string =>
  head + unit.repeat(Math.floor((sizeBytes - head.length - tail.length) / unit.length)) + tail;
const repeated = (head: string, unit: string, tail: string, count: number): string => head + unit.repeat(count) + tail;

describe("JSON", () => {
  const ACK = '{"id":7,"ack":{"subscription":1,"deliveries":[{"first":9}';
  const UNWATCH = '{"id":7,"unwatch":{"x":[0'; // four of them
  const PUBLISH = '{"publish":{"publisher":1,"first":1,"messages":[{"text":"';

  test.each([
    ["4 MiB", filled(PUBLISH, "x", '"}]}}', 4 * MiB)],
    ["4 MiB of escapes", filled(PUBLISH, "\\n", '"}]}}', 4 * MiB)],
    ["65,536 commas and brackets", repeated(UNWATCH, ",0", "]}}", 65_536 - 4)],
    ["100 names in one object", `{"id":7,${Array.from({ length: 99 }, (_, i) => `"n${i}":0`).join()}}`],
    ["any number of commas, brackets and quotes in a text", filled(PUBLISH, '[{,\\"', '"}]}}', 2 * MiB)],
  ])("an envelope may have %s", async (_, line) => {
    const client = await connect("wasq.v1.json");
    client.raw(line);
    await rig.settle();
    expect(client.closed).toBeUndefined();
    expect(client.got()).toHaveLength(1);
  });

  test.each([
    ["more than 4 MiB", filled(PUBLISH, "x", '"}]}}', 4 * MiB + 1)],
    ["16 MiB of ranges", filled(ACK, ',{"first":9}', "]}}", 16 * MiB)],
    ["more commas and brackets", repeated(UNWATCH, ",0", "]}}", 65_536 - 3)],
    ["very many empty objects", filled(ACK, ",{}", "]}}", MiB)],
    ["very many failures of its own making", filled('{"confirm":{"failures":[{}', ",{}", "]}}", MiB)],
    ["101 names in one object", `{"id":7,${Array.from({ length: 100 }, (_, i) => `"n${i}":0`).join()}}`],
    [
      "very many names deep inside",
      `{"ack":{"x":[{${Array.from({ length: 50_000 }, (_, i) => `"n${i}":0`).join()}}]}}`,
    ],
  ])("%s closes the connection with 4413", async (_, line) => {
    const client = await connect("wasq.v1.json");
    client.raw(line);
    expect(client.closed).toBe(4413);
  });

  test("a frame may have many envelopes of that size", async () => {
    const client = await connect("wasq.v1.json");
    const line = filled('{"id":7,"unwatch":{"watch":1,"comment":"', "x", '"}}', 3.9 * MiB);
    client.raw([line, line, line, line].join("\n"));
    await rig.settle();
    expect(client.got().map(({ error }) => error.code)).toEqual(Array.from({ length: 4 }, () => "NOT_FOUND"));
  });

  test("the largest message fits, though every letter is escaped", async () => {
    await rig.create("large", { maximumMessageBytes: MESSAGE_BYTES_MAX });
    const client = await rig.connect();
    await client.ask({ openPublisher: { publisher: 2, queue: "large" } });
    const letters = MESSAGE_BYTES_MAX / 2; // of two bytes each, and six when escaped
    client.raw(repeated(PUBLISH.replace('"publisher":1', '"publisher":2'), "\\u0436", '"}]}}', letters));
    await rig.settle();
    expect(client.got()).toEqual([{ confirm: { publisher: 2, number: 1 } }]);
  });

  test("as many messages fit as a Publish may have, and as many numbers as an Ack may name", async () => {
    const client = await connect("wasq.v1.json");
    const messages = Array.from({ length: STREAM_PUBLISH_MESSAGES_MAX }, () => ({ text: "x", delayMs: 0, trace: "" }));
    const deliveries = Array.from({ length: 10_000 }, (_, i) => ({ first: 2 ** 52 + i, last: 2 ** 52 + i }));
    client.send({ publish: { publisher: 1, first: 1, messages } }, { id: 7, ack: { subscription: 1, deliveries } });
    await rig.settle();
    const told = client.got();
    expect(told).toContainEqual({ confirm: { publisher: 1, number: 10_000 } });
    expect(told).toContainEqual({ id: 7, settled: { subscription: 1, failures: [expect.anything()] } });
  });

  test("the shape is told as a parser would tell it, wherever brackets and commas are text", () => {
    const json = fc.json({ depthSize: "large", maxDepth: 14 });
    const inAText = fc.string({ unit: fc.constantFrom(...'[]{},:"\\aж') }).map((text) => JSON.stringify([text]));
    fc.assert(
      fc.property(fc.oneof(json, inAText), fc.nat(), (text, extra) => {
        const line = Buffer.from(text);
        const { partCount, depth } = shapeOf(JSON.parse(text));
        expect(shapeProblem(line)).toBeUndefined();
        // Around it just as many lists as there may be, and beside it as many commas; then one more of each.
        const deep = (count: number) => Buffer.from("[".repeat(count) + text + "]".repeat(count));
        expect(shapeProblem(deep(16 - depth))).toBeUndefined();
        expect(shapeProblem(deep(17 - depth))).toBe("depth");
        const many = (count: number) => Buffer.from(`[${"0,".repeat(count)}${text}]`);
        const left = 65_536 - 1 - partCount;
        expect(shapeProblem(many(left - (extra % 3)))).toBeUndefined();
        expect(shapeProblem(many(left + 1))).toBe("parts");
      }),
      { numRuns: 60 },
    );
  });
});

/** Commas and opening brackets of a value's JSON, and how deep it is. */
function shapeOf(value: unknown): { partCount: number; depth: number } {
  if (typeof value !== "object" || value === null) return { partCount: 0, depth: 0 };
  const inside = Object.values(value).map(shapeOf);
  return {
    partCount: inside.reduce((sum, each) => sum + each.partCount, 1 + Math.max(inside.length - 1, 0)),
    depth: inside.reduce((max, each) => Math.max(max, each.depth), 0) + 1,
  };
}

describe("protobuf", () => {
  function varint(value: number): number[] {
    return value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))];
  }
  const field = (number: number, bytes: Uint8Array): Buffer =>
    Buffer.concat([Buffer.from(varint(number * 8 + 2)), Buffer.from(varint(bytes.byteLength)), bytes]);
  const times = (bytes: readonly number[], count: number): Buffer =>
    Buffer.concat(Array.from({ length: count }, () => Buffer.from(bytes)));
  const ID = [8, 7];
  const SUBSCRIPTION = Buffer.from([8, 1]);
  const RANGE = [0x12, 2, 8, 9];
  const UNKNOWN = [0xf8, 0x7d, 0];
  const of = (...parts: readonly (Uint8Array | readonly number[])[]) =>
    Buffer.concat(parts.map((each) => Uint8Array.from(each)));
  const withUnknown = (count: number) =>
    of(
      ID,
      EnvelopeType.encode({ publish: { publisher: 1, first: 1, messages: [{ body: Buffer.from("x") }] } }).finish(),
      times(UNKNOWN, count),
    );
  const sent = (client: RigClient, envelope: Uint8Array) =>
    client.raw(Buffer.concat([Buffer.from(varint(envelope.byteLength)), envelope]));

  test.each([
    ["256 KiB", of(ID, field(5, of(SUBSCRIPTION, times(RANGE, 64 * 1024 - 4))))],
    ["1,000 fields", withUnknown(998)],
  ])("an envelope may have %s", async (_, envelope) => {
    expect(envelope.byteLength).toBeLessThanOrEqual(256 * 1024);
    const client = await connect("wasq.v1.protobuf");
    sent(client, envelope);
    await rig.settle();
    expect(client.closed).toBeUndefined();
    expect(client.got()).toHaveLength(1);
  });

  test("a Publish may fill its frame", async () => {
    const client = await connect("wasq.v1.protobuf");
    const messages = Array.from({ length: 15 }, () => ({ body: Buffer.alloc(MESSAGE_BYTES_MAX - 64, "x") }));
    client.send({ publish: { publisher: 1, first: 1, messages } });
    await rig.settle();
    expect(client.closed).toBeUndefined();
    expect(client.got().at(-1)).toMatchObject({ confirm: { publisher: 1, number: 15 } });
  });

  test.each([
    ["an Ack with very many ranges", of(ID, field(5, of(SUBSCRIPTION, times(RANGE, 64 * 1024))))],
    ["a Nack with very many ranges", of(ID, field(7, of(SUBSCRIPTION, times(RANGE, 64 * 1024))))],
    ["a request that is not known and large", field(2_000, Buffer.alloc(MiB))],
    ["1,001 fields", withUnknown(999)],
    ["a Publish in very many parts", times([0x1a, 2, 8, 1], 1_001)],
  ])("%s closes the connection with 4413", async (_, envelope) => {
    const client = await connect("wasq.v1.protobuf");
    sent(client, envelope);
    expect(client.closed).toBe(4413);
  });
});
