// Publishing: confirmations, failures, refusals, credit, and sending again. In virtual time, without a socket; how frames
// are read is test/core/publish.test.ts.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Queue } from "../../src/broker/types.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import { type Json, Rig, type RigClient, SEGMENT_BYTES } from "../support/stream-rig.ts";

const PRODUCER = "0b5a6d0e-5f0b-4a53-9b0a-0c5f3f1c2d11";

let rig: Rig;
let queue: Queue;
let client: RigClient;

beforeEach(async () => {
  rig = await Rig.open();
  queue = await rig.create("work");
  client = await rig.connect();
});
afterEach(async () => {
  expect(rig.faults).toEqual([]);
  await rig.opened.close();
});

const open = (more: object = {}) => ({ openPublisher: { publisher: 1, queue: "work", ...more } });
const publish = (first: number, ...texts: string[]) => ({
  publish: { publisher: 1, first, messages: texts.map((text) => ({ text })) },
});
const visible = () => rig.opened.broker.counts(queue).visible;
const confirms = (got: Json[]) => got.flatMap((each) => each.confirm ?? []);

test.each([
  ["a queue that is not there", { queue: "nowhere" }, "QUEUE_DOES_NOT_EXIST"],
  ["number 0", { publisher: 0 }, "INVALID_PARAMETER"],
  ["a producer of 3 bytes", { producerId: "AAAA" }, "INVALID_PARAMETER"],
])("opening with %s is refused", async (_, more, code) => {
  expect(await client.ask(open(more))).toBe(code);
});

describe("Confirm", () => {
  test("is cumulative: one for everything that went to disk together", async () => {
    expect(await client.ask(open())).toEqual({ publisher: 1, creditBytes: 4_194_304 });
    client.send(publish(1, "a"), publish(2, "b", "c"), publish(4, "d"));
    expect(client.got()).toEqual([]);
    await rig.settle();
    expect(client.got()).toEqual([{ confirm: { publisher: 1, number: 4 } }]);
    expect(visible()).toBe(4);
  });

  test("names what broke a rule, and the others go on", async () => {
    await client.ask(open());
    client.send(publish(1, "a", "", "b\u0001", "c"));
    await rig.settle();
    expect(confirms(client.got())).toMatchObject([
      {
        number: 4,
        failures: [
          { number: 2, code: "MISSING_PARAMETER" },
          { number: 3, code: "INVALID_MESSAGE_CONTENTS" },
        ],
      },
    ]);
    expect(visible()).toBe(2);
  });

  test("tells IDs and sequence numbers when asked to", async () => {
    await rig.create("work.fifo", { fifo: true });
    await client.ask(open({ queue: "work.fifo", wantsIds: true }));
    const message = (deduplicationId: string) => ({ text: "x", groupId: "g", deduplicationId });
    client.send({ publish: { publisher: 1, first: 1, messages: [message("1"), message("2"), message("1")] } });
    await rig.settle();
    const [{ published }] = confirms(client.got());
    expect(published).toMatchObject([
      { number: 1, messageId: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4/) },
      { number: 2 },
      { number: 3, duplicate: true },
    ]);
    expect(published[2].messageId).toBe(published[0].messageId);
    expect(published[1].sequenceNumber).toBeGreaterThan(published[0].sequenceNumber);
  });

  test("is the same in binary", async () => {
    const binary = await rig.connect({}, { subprotocol: "wasq.v1.protobuf" });
    await binary.ask(open({ wantsIds: true }));
    binary.send(publish(1, "a", ""), publish(3, "b"));
    await rig.settle();
    const [confirm] = confirms(binary.got());
    expect(confirm).toMatchObject({ publisher: 1, number: 3, failures: [{ number: 2 }] });
    expect(confirm.published.map((each: Json) => [each.number, each.id.length])).toEqual([
      [1, 16],
      [3, 16],
    ]);
  });

  test("waits for a connection that reads nothing, and is one when it reads again", async () => {
    await client.ask(open());
    client.isStuck = true;
    client.bufferedBytes = 2_000_000;
    client.send({ id: 99, unwatch: { watch: 1 } }); // what goes out now meets a full buffer
    await rig.settle();
    client.got();
    for (let i = 1; i <= 50; i++) {
      client.send(publish(i, "x"));
      await rig.settle();
    }
    expect(client.got()).toEqual([]);
    expect(visible()).toBe(50);
    client.isStuck = false;
    client.drain();
    await rig.settle();
    expect(client.got()).toEqual([{ confirm: { publisher: 1, number: 50 } }]);
  });
});

describe("credit", () => {
  test("bounds what is unconfirmed: a publisher that reads no confirmations is closed, and what was sent is kept", async () => {
    await client.ask(open());
    client.isStuck = true;
    client.bufferedBytes = 2_000_000;
    client.send({ id: 99, unwatch: { watch: 1 } });
    await rig.settle();
    const large = "x".repeat(1_000_000);
    for (let i = 1; i <= 4; i++) {
      client.send(publish(i, large));
      await rig.settle();
    }
    expect(client.closed).toBeUndefined();
    client.send(publish(5, large));
    expect(client.closed).toBe(4414);
    expect(visible()).toBe(4);
  });

  test("lets one frame be larger when nothing else is unconfirmed", async () => {
    const client = await rig.connect({}, { subprotocol: "wasq.v1.protobuf" });
    await client.ask(open());
    const body = Buffer.alloc(1_000_000, "x");
    client.send({ publish: { publisher: 1, first: 1, messages: Array.from({ length: 6 }, () => ({ body })) } });
    await rig.settle();
    expect(client.closed).toBeUndefined();
    expect(confirms(client.got()).at(-1)).toMatchObject({ publisher: 1, number: 6 });
  });
});

describe("Refused", () => {
  test("a number left out is told once, and what was sent meanwhile is dropped", async () => {
    await client.ask(open());
    client.send(publish(1, "a"), publish(3, "c"), publish(4, "d"), publish(5, "e"));
    await rig.settle();
    expect(client.got()).toEqual([
      { refused: { publisher: 1, from: 2, code: "OUT_OF_ORDER" } },
      { confirm: { publisher: 1, number: 1 } },
    ]);
    client.send(publish(2, "b", "c", "d", "e"));
    client.send(publish(7, "g"));
    await rig.settle();
    expect(client.got()).toEqual([
      { refused: { publisher: 1, from: 6, code: "OUT_OF_ORDER" } },
      { confirm: { publisher: 1, number: 5 } },
    ]);
    expect(visible()).toBe(5);
  });

  test("numbers begin at 1", async () => {
    await client.ask(open());
    client.send(publish(0, "a"));
    client.send({ publish: { publisher: 2, first: 1, messages: [{ text: "a" }] } });
    await rig.settle();
    expect(client.got().map((each) => each.error?.code)).toEqual(["INVALID_PARAMETER", "NOT_FOUND"]);
    expect(visible()).toBe(0);
  });
});

describe("sending again", () => {
  test("after a resume adds nothing twice, and names failures again", async () => {
    await client.ask(open());
    client.send(publish(1, "a", "", "c"));
    await rig.settle();
    client.cut();
    const again = await rig.connect({ sessionToken: client.welcome.sessionToken });
    expect(again.welcome.publishers).toEqual([{ publisher: 1, confirmed: 3, creditBytes: 4_194_304 }]);
    again.send(publish(1, "a", "", "c", "d"));
    await rig.settle();
    expect(confirms(again.got())).toMatchObject([{ number: 4, failures: [{ number: 2 }] }]);
    expect(visible()).toBe(3);
  });

  test("in another session, by the producer, for five minutes", async () => {
    await client.ask(open({ producer: PRODUCER }));
    client.send(publish(1, "a", "b"));
    await rig.settle();
    client.cut();
    await rig.pass(200_000);
    const other = await rig.connect();
    expect(await other.ask(open({ producer: PRODUCER }))).toMatchObject({ confirmed: 2 });
    other.send(publish(1, "a", "b", "c"));
    await rig.settle();
    expect(visible()).toBe(3);
    await rig.pass(300_000);
    const late = await rig.connect();
    expect(await late.ask(open({ producer: PRODUCER }))).toEqual({ publisher: 1, creditBytes: 4_194_304 });
  });

  test("on a connection that is only half dead does no harm", async () => {
    await client.ask(open({ producer: PRODUCER }));
    const other = await rig.connect();
    await other.ask(open({ producer: PRODUCER }));
    other.send(publish(1, "a", "b"));
    client.send(publish(1, "a", "b", "c"));
    await rig.settle();
    expect(visible()).toBe(3);
  });

  test("survives a purge as a new beginning of the queue, not of the numbers", async () => {
    await client.ask(open({ producer: PRODUCER }));
    client.send(publish(1, "a"));
    await rig.settle();
    await new Promise<void>((done) => rig.opened.broker.purgeQueue(queue, done));
    client.send(publish(2, "b"));
    await rig.settle();
    expect(confirms(client.got()).at(-1)).toMatchObject({ number: 2 });
    expect(visible()).toBe(1);
  });
});

test("Welcome tells of no number that is not on disk, whoever of its producer has sent it", async () => {
  const producer = "0b5a6d0e-5f0b-4a53-9b0a-0c5f3f1c2d11";
  const open = { openPublisher: { publisher: 7, queue: "work", producer } };
  const one = await rig.connect();
  const other = await rig.connect();
  await one.ask(open);
  one.send({ publish: { publisher: 7, first: 1, messages: [{ text: "a" }] } });
  other.send({ id: 90, ...open });
  other.cut();
  const again = rig.client();
  again.send({ id: 91, hello: { sessionToken: other.welcome.sessionToken } });
  await Promise.resolve(); // the disk has not answered
  await Promise.resolve();
  const [{ welcome }] = again.got();
  expect(welcome.resumed).toBe(true);
  expect(welcome.publishers[0].confirmed ?? 0).toBe(0);
  await rig.settle();
  expect(one.got()).toMatchObject([{ confirm: { number: 1 } }]);
});

test("ClosePublisher is answered when all is confirmed, and its number is free again", async () => {
  await client.ask(open());
  client.send(publish(1, "a"));
  client.send({ id: 77, closePublisher: { publisher: 1 } });
  await rig.settle();
  expect(client.got()).toEqual([{ confirm: { publisher: 1, number: 1 } }, { id: 77, done: {} }]);
  expect(await client.ask({ closePublisher: { publisher: 1 } })).toBe("NOT_FOUND");
  expect(await client.ask(open())).toMatchObject({ publisher: 1 });
});

test("who sent much is confirmed before it is handed out; of a little, the delivery comes first", async () => {
  await client.ask(open());
  await client.ask({ subscribe: { subscription: 1, queue: "work", credit: { messages: 1_000, bytes: 1_000_000 } } });
  const kinds = () => client.got().map((each: object) => Object.keys(each)[0]);
  client.send(publish(1, "a little"));
  await rig.settle();
  expect(kinds()).toEqual(["deliver", "confirm"]);
  client.send(publish(2, ...Array.from({ length: 200 }, () => "much".repeat(75))));
  await rig.settle();
  const [first, ...others] = kinds();
  expect(first).toBe("confirm");
  expect(new Set(others)).toEqual(new Set(["deliver"]));
});

test("a session has at most a hundred publishers; a closed one makes room", async () => {
  for (let publisher = 1; publisher <= 100; publisher++) client.send(open({ publisher }));
  expect(await client.ask(open({ publisher: 101 }))).toBe("LIMIT_EXCEEDED");
  await client.ask({ closePublisher: { publisher: 50 } });
  expect(await client.ask(open({ publisher: 101 }))).toMatchObject({ publisher: 101 });
});

test("what a full disk refuses is told once, with when to send it again, and taken then, once", async () => {
  const disk = new FakeDisk();
  const small = await Rig.open({ disk });
  queue = await small.create("work");
  const sender = await small.connect();
  await sender.ask(open());
  disk.capacityBytes = 2.5 * SEGMENT_BYTES; // no third segment
  const large = "x".repeat(1_000_000);
  let number = 0;
  let told: Json[] = [];
  while (told.every((each) => each.refused === undefined) && number < 20) {
    sender.send(publish(++number, large));
    sender.send(publish(++number, large));
    sender.send(publish(++number, large));
    await small.settle();
    told = sender.got();
  }
  const refusals = told.flatMap((each) => each.refused ?? []);
  expect(refusals).toEqual([{ publisher: 1, from: expect.any(Number), code: "FULL", retryMs: 1_000 }]);
  const [{ from }] = refusals;
  expect(small.opened.broker.counts(queue).visible).toBe(from - 1);
  sender.send(publish(from + 1, "behind it")); // sent before it was known: refused as well, without a word
  await small.settle();
  expect(sender.got()).toEqual([]);
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  const confirmed = async (): Promise<boolean> => {
    sender.send(publish(from, "again", "and more"));
    await small.settle();
    return confirms(sender.got()).length > 0;
  };
  await vi.waitFor(async () => expect(await confirmed()).toBe(true), { timeout: 10_000, interval: 50 });
  expect(small.opened.broker.counts(queue).visible).toBe(from + 1);
  expect(small.faults).toEqual([]);
  await small.opened.close();
});
