// What a client asks of its subscriptions, and what it is told. In virtual time, without a socket; the core's side of it
// is test/core/subscription.test.ts.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Queue } from "../../src/broker/types.ts";
import { outgoing } from "../support/open-broker.ts";
import { Rig, type RigClient } from "../support/stream-rig.ts";

let rig: Rig;
let queue: Queue;
let client: RigClient;

beforeEach(async () => {
  rig = await Rig.open();
  queue = await rig.create("work");
  client = await rig.connect();
  await client.ask({ openPublisher: { publisher: 1, queue: "work" } });
});
afterEach(async () => {
  expect(rig.faults).toEqual([]);
  await rig.opened.close();
});

let next = 1;
beforeEach(() => {
  next = 1;
});
async function publish(...texts: string[]): Promise<void> {
  client.send({ publish: { publisher: 1, first: next, messages: texts.map((text) => ({ text })) } });
  next += texts.length;
  await rig.settle();
}
const subscribe = (more: object = {}) => ({
  subscribe: { subscription: 1, queue: "work", credit: { messages: 100, bytes: 1_000_000 }, ...more },
});

describe("Subscribe", () => {
  test("names a queue by name, URL or path, and says what counts", async () => {
    expect(await client.ask(subscribe())).toEqual({
      subscription: 1,
      visibilityMs: 30_000,
      processingMsMax: 3_600_000,
    });
    const url = "https://elsewhere.test/000000000000/work";
    const more = { subscription: 2, queue: url, visibilityMs: 1_000, processingMsMax: 60_000 };
    expect(await client.ask(subscribe(more))).toEqual({
      subscription: 2,
      visibilityMs: 1_000,
      processingMsMax: 60_000,
    });
  });

  test.each([
    ["a queue that is not there", { queue: "nowhere" }, "QUEUE_DOES_NOT_EXIST"],
    ["no queue", { queue: "" }, "QUEUE_DOES_NOT_EXIST"],
    ["number 0", { subscription: 0 }, "INVALID_PARAMETER"],
    ["a visibility timeout beyond 12 hours", { visibilityMs: 43_200_001 }, "INVALID_PARAMETER"],
    ["a processing time below a second", { processingMsMax: 999 }, "INVALID_PARAMETER"],
    ["a batch of 1,001", { batchMessages: 1001 }, "INVALID_PARAMETER"],
    ["a linger of 11 s", { lingerMs: 11_000 }, "INVALID_PARAMETER"],
    ["101 of a group", { groupInFlight: 101 }, "INVALID_PARAMETER"],
    ["more credit than there is", { credit: { messages: 100_001, bytes: 1 } }, "INVALID_PARAMETER"],
    ["more bytes than there are", { credit: { messages: 1, bytes: 300_000_000 } }, "INVALID_PARAMETER"],
    ["credit beyond what was delivered", { credit: { messages: 1, bytes: 1, beyond: 1 } }, "INVALID_PARAMETER"],
  ])("is refused with %s, and nothing is open", async (_, more, code) => {
    expect(await client.ask(subscribe(more))).toBe(code);
    expect(await client.ask({ unsubscribe: { subscription: 1 } })).toBe("NOT_FOUND");
    expect(client.closed).toBeUndefined();
  });

  test("twice with one number is refused, of one queue it is not", async () => {
    await client.ask(subscribe());
    expect(await client.ask(subscribe())).toBe("ALREADY_EXISTS");
    expect(await client.ask(subscribe({ subscription: 2 }))).toMatchObject({ subscription: 2 });
    expect(await client.ask({ unsubscribe: { subscription: 1 } })).toEqual({});
    expect(await client.ask(subscribe())).toMatchObject({ subscription: 1 });
  });

  test("is limited to a thousand in a session", async () => {
    for (let subscription = 1; subscription <= 1000; subscription++) {
      client.send({ subscribe: { subscription, queue: "work" } });
    }
    expect(await client.ask(subscribe({ subscription: 1001 }))).toBe("LIMIT_EXCEEDED");
  });

  test("many of one session are served in turn", async () => {
    for (const subscription of [1, 2, 3]) await client.ask(subscribe({ subscription, batchMessages: 1 }));
    for (const text of "abcdef") await publish(text);
    expect([1, 2, 3].map((each) => client.bodies(each))).toEqual(["1:a 2:d", "1:b 2:e", "1:c 2:f"]);
  });

  test("asks for fields, and gets no others", async () => {
    await client.ask(subscribe({ fields: ["ATTRIBUTES", "SENDER_ID"] }));
    const attributes = [{ name: "kind", type: "String", text: "new" }];
    client.send({ publish: { publisher: 1, first: 1, messages: [{ text: "a", attributes }] } });
    await rig.settle();
    const deliver = client.got().find((each) => each.deliver)?.deliver;
    expect(deliver.messages).toEqual([{ messageId: expect.any(String), text: "a", attributes, senderId: "tester" }]);
  });
});

describe("outcomes", () => {
  test("foreign and unknown ids are told with their reasons, and nothing is closed", async () => {
    await client.ask(subscribe());
    await publish("a", "b");
    const ack = (first: number, last = 0) => ({ ack: { subscription: 1, deliveries: [{ first, last }] } });
    expect(await client.ask(ack(1))).toEqual({ subscription: 1, count: 1 });
    expect(await client.ask(ack(0, 3))).toEqual({
      subscription: 1,
      count: 1,
      failures: [
        { code: "NEVER_DELIVERED" },
        { delivery: 1, code: "NOT_YOURS" },
        { delivery: 3, code: "NEVER_DELIVERED" },
      ],
    });
    expect(await client.ask(ack(9_007_199_254_740_991))).toMatchObject({ failures: [{ code: "NEVER_DELIVERED" }] });
    expect(await client.ask({ ack: { subscription: 7, deliveries: [{ first: 1 }] } })).toBe("NOT_FOUND");
    expect(await client.ask(ack(5, 4))).toBe("INVALID_PARAMETER");
    expect(await client.ask(ack(1, 10_001))).toBe("INVALID_PARAMETER");
    expect(await client.ask({ ack: { subscription: 1 } })).toEqual({ subscription: 1 });
    // However many they are: what has one reason is told in one.
    expect(await client.ask(ack(1, 10_000))).toEqual({
      subscription: 1,
      failures: [
        { delivery: 1, last: 2, code: "NOT_YOURS" },
        { delivery: 3, last: 10_000, code: "NEVER_DELIVERED" },
      ],
    });
  });

  test("their parameters have bounds", async () => {
    await client.ask(subscribe());
    await publish("a");
    const deliveries = [{ first: 1 }];
    const reason = "x".repeat(257);
    expect(await client.ask({ nack: { subscription: 1, deliveries, delayMs: 43_200_001 } })).toBe("INVALID_PARAMETER");
    expect(await client.ask({ nack: { subscription: 1, deliveries, reason } })).toBe("INVALID_PARAMETER");
    expect(await client.ask({ touch: { subscription: 1, deliveries, visibilityMs: 999 } })).toBe("INVALID_PARAMETER");
    expect(await client.ask({ deadLetter: { subscription: 1, deliveries } })).toBe("NO_DEAD_LETTER_QUEUE");
    expect(await client.ask({ touch: { subscription: 1, deliveries, visibilityMs: 1_000 } })).toMatchObject({
      count: 1,
    });
  });

  test("without an id are not answered, unless they fail", async () => {
    await client.ask(subscribe());
    await publish("a");
    client.got();
    client.send({ ack: { subscription: 1, deliveries: [{ first: 1 }] } }, { ack: { subscription: 2 } });
    await rig.settle();
    expect(client.got()).toMatchObject([{ error: { code: "NOT_FOUND" } }]);
    expect(rig.opened.broker.counts(queue)).toMatchObject({ inFlight: 0 });
  });

  test("dead letters go where the queue sends them, and say where they came from", async () => {
    await rig.create("dead");
    const arn = "arn:aws:sqs:us-east-1:000000000000:dead";
    await rig.create("lossy", { redrive: { deadLetterTargetArn: arn, maxReceiveCount: 5 } });
    await client.ask({ openPublisher: { publisher: 2, queue: "lossy" } });
    await client.ask(subscribe({ subscription: 2, queue: "lossy" }));
    await client.ask(subscribe({ subscription: 3, queue: "dead", fields: ["DEAD_LETTER_SOURCE"] }));
    client.send({ publish: { publisher: 2, first: 1, messages: [{ text: "a" }] } });
    await rig.settle();
    const answer = await client.ask({ deadLetter: { subscription: 2, deliveries: [{ first: 1 }], reason: "broken" } });
    expect(answer).toMatchObject({ count: 1 });
    const dead = client.got().find((each) => each.deliver?.subscription === 3)?.deliver;
    const deadLetterSource = "arn:aws:sqs:us-east-1:000000000000:lossy";
    expect(dead.messages).toMatchObject([{ text: "a", earlierReceives: 1, deadLetterSource }]);
  });

  test("by the other door: HTTP settles what was streamed, with the handle that was asked for", async () => {
    await client.ask(subscribe({ fields: ["RECEIPT_HANDLE"] }));
    await publish("a", "b");
    const messages = client.got().flatMap((each) => each.deliver?.messages ?? []);
    const { broker } = rig.opened;
    const deleted = await new Promise((done) => broker.delete(queue, [messages[0].receiptHandle], done));
    expect(deleted).toEqual(["ok"]);
    const change = [{ receiptHandle: messages[1].receiptHandle, visibilityMs: 0 }];
    expect(await new Promise((done) => broker.changeVisibility(queue, change, done))).toEqual(["ok"]);
    await rig.settle();
    const got = client.got();
    expect(got.filter((each) => each.revoke)).toEqual([
      { revoke: { subscription: 1, deliveries: [{ first: 1 }], reason: "SETTLED_ELSEWHERE" } },
      { revoke: { subscription: 1, deliveries: [{ first: 2 }], reason: "SETTLED_ELSEWHERE" } },
    ]);
    expect(got.find((each) => each.deliver)?.deliver).toMatchObject({ first: 3, messages: [{ earlierReceives: 1 }] });
  });
});

test("what ran out before it was told, because the disk was slow, comes again at once", async () => {
  const queue = await rig.create("slow.fifo", { fifo: true });
  const one = { subscription: 5, queue: "slow.fifo", processingMsMax: 1_000, credit: { messages: 9, bytes: 1_000 } };
  expect(await client.ask({ subscribe: one })).toMatchObject({ subscription: 5 });
  rig.opened.broker.send(queue, [outgoing("a", { groupId: "g", deduplicationId: "1" })], () => {
    // It is on disk and has been given to the subscription; that is not on disk yet.
    void rig.pass(1_001, queue);
  });
  await rig.settle();
  expect(client.bodies(5)).toBe("2:a");
});

describe("the visibility timeout", () => {
  test("is kept alive while the session lives, to the end of the processing time", async () => {
    await client.ask(subscribe({ visibilityMs: 1_000, processingMsMax: 20_000 }));
    await publish("a");
    await rig.pass(19_999, queue);
    expect(rig.opened.broker.counts(queue)).toMatchObject({ visible: 0, inFlight: 1 });
    client.got();
    await client.ask({ credit: { subscription: 1, messages: 0, bytes: 0, beyond: 1 } });
    await rig.pass(1, queue);
    expect(client.got()).toEqual([{ revoke: { subscription: 1, deliveries: [{ first: 1 }], reason: "EXPIRED" } }]);
    expect(rig.opened.broker.counts(queue)).toMatchObject({ visible: 1, inFlight: 0 });
  });
});

describe("the queue", () => {
  test("deleted: the subscription and the publisher end, and say so", async () => {
    await client.ask(subscribe());
    await publish("a");
    client.got();
    await new Promise<void>((done) => rig.opened.broker.deleteQueue(queue, done));
    await rig.settle();
    expect(client.got()).toEqual([
      { subscriptionEnded: { subscription: 1, code: "QUEUE_DELETED" } },
      { refused: { publisher: 1, from: 2, code: "QUEUE_DELETED" } },
    ]);
    expect(await client.ask({ ack: { subscription: 1, deliveries: [{ first: 1 }] } })).toBe("NOT_FOUND");
    client.send({ publish: { publisher: 1, first: 2, messages: [{ text: "b" }] } });
    await rig.settle();
    expect(client.got()).toMatchObject([{ error: { code: "NOT_FOUND" } }]);
  });

  test("purged: what is out is called back, and the subscription goes on", async () => {
    await client.ask(subscribe());
    await publish("a", "b");
    client.got();
    await new Promise<void>((done) => rig.opened.broker.purgeQueue(queue, done));
    await rig.settle();
    expect(client.got()).toEqual([
      { revoke: { subscription: 1, deliveries: [{ first: 1, last: 2 }], reason: "PURGED" } },
    ]);
    expect(await client.ask({ ack: { subscription: 1, deliveries: [{ first: 1 }] } })).toMatchObject({
      failures: [{ delivery: 1, code: "NOT_YOURS" }],
    });
    await publish("c");
    expect(client.bodies()).toBe("3:c");
    expect(await client.ask({ ack: { subscription: 1, deliveries: [{ first: 3 }] } })).toMatchObject({ count: 1 });
  });
});

describe("a consumer that does not read", () => {
  test("gets nothing beyond a mebibyte, keeps nobody else waiting, and is closed after 30 s", async () => {
    const quick = await rig.connect();
    await client.ask(subscribe());
    client.isStuck = true;
    await publish("x".repeat(900_000));
    await publish("y".repeat(900_000));
    expect(client.frameCount).toBeGreaterThan(0);
    const { bufferedBytes } = client;
    await publish("z".repeat(900_000));
    expect(client.bufferedBytes).toBe(bufferedBytes);
    expect(rig.opened.broker.counts(queue)).toMatchObject({ visible: 1 });
    await quick.ask(subscribe());
    expect(quick.bodies().slice(0, 3)).toBe("1:z");
    await rig.pass(20_000);
    client.drain(bufferedBytes - 1); // one byte has gone out: that is progress
    await rig.pass(29_999);
    expect(client.closed).toBeUndefined();
    await rig.pass(1);
    expect(client.closed).toBe(4420);
    await rig.pass(5_000, queue);
    expect(quick.bodies().slice(0, 2)).toBe("2:"); // what it had goes to the other
  });

  test("goes on where it was when it reads again", async () => {
    await client.ask(subscribe({ credit: { messages: 100, bytes: 100_000_000 } }));
    client.isStuck = true;
    await publish("x".repeat(900_000));
    await publish("y".repeat(900_000));
    await publish("z".repeat(900_000));
    client.isStuck = false;
    client.drain();
    await rig.settle();
    const numbers = client.bodies().split(" ");
    expect(numbers.map((each) => each.slice(0, 3))).toEqual(["1:x", "2:y", "3:z"]);
    expect(
      client
        .got()
        .filter((each) => each.confirm)
        .at(-1),
    ).toEqual({ confirm: { publisher: 1, number: 3 } });
  });

  test("and asks on and on is closed", async () => {
    client.isStuck = true;
    client.bufferedBytes = 2_000_000;
    client.send({ id: 1, unwatch: { watch: 5 } });
    await rig.settle();
    for (let id = 2; id < 10_100 && client.closed === undefined; id++) {
      client.send({ id, unwatch: { watch: 5 } });
      if (id % 100 === 0) await new Promise((later) => setImmediate(later)); // more than a pass has room for
    }
    expect(client.closed).toBe(4421);
  });
});

describe("FIFO", () => {
  test("a group belongs to one session at a time, and a failure calls back what stands behind it", async () => {
    await rig.create("work.fifo", { fifo: true, contentBasedDeduplication: true });
    const other = await rig.connect();
    await client.ask({ openPublisher: { publisher: 2, queue: "work.fifo" } });
    expect(await client.ask(subscribe({ subscription: 2, queue: "work.fifo", groupInFlight: 3 }))).toMatchObject({
      fifo: true,
    });
    const messages = ["a", "b", "c", "d"].map((text) => ({ text, groupId: "g" }));
    client.send({ publish: { publisher: 2, first: 1, messages } });
    await rig.settle();
    await other.ask(subscribe({ subscription: 2, queue: "work.fifo" }));
    expect(client.bodies(2)).toBe("1:a 2:b 3:c");
    expect(other.bodies(2)).toBe("");
    client.got();
    await client.ask({ nack: { subscription: 2, deliveries: [{ first: 1 }] } });
    expect(client.got()).toContainEqual({
      revoke: { subscription: 2, deliveries: [{ first: 2, last: 3 }], reason: "GROUP_FAILED" },
    });
  });
});
