// Subscriptions from the client's side, against a server that the test plays: what arrives, what goes back, and what a broken
// connection leaves behind.
import { describe, expect, test } from "vitest";
import type { Parts } from "../../src/client/codec.ts";
import type { Message, SubscribeOptions } from "../../src/client/index.ts";
import type { Envelope } from "../../src/client/schema.ts";
import { codeOf, connected, endAfterEach } from "../support/fake-client.ts";
import type { FakeConnection } from "../support/fake-stream.ts";

endAfterEach();

type WireMessage = Parts<NonNullable<Envelope["deliver"]>["messages"][number]>;

function deliver(first: number, ...bodies: (string | WireMessage)[]): Parts<Envelope> {
  const messages = bodies.map((body) => ({
    id: Buffer.alloc(16, 0xab),
    ...(typeof body === "string" ? { body: Buffer.from(body) } : body),
  }));
  return { deliver: { subscription: 1, first, messages } };
}

async function subscribed(options: SubscribeOptions = {}, fifo = false) {
  const all = await connected();
  const subscribing = all.client.subscribe("hello", options);
  const request = await all.connection.next("subscribe");
  all.connection.send({ id: request.id, subscribed: { subscription: 1, fifo } });
  return { ...all, request, stream: await subscribing };
}

async function take(stream: AsyncIterable<Message>, count: number): Promise<Message[]> {
  const iterator = stream[Symbol.asyncIterator]();
  const taken: Message[] = [];
  while (taken.length < count) {
    const { value } = await iterator.next();
    if (value === undefined) break;
    taken.push(value);
  }
  return taken;
}

/** Answers one settlement: everything done, but for those named. */
async function settle(
  connection: FakeConnection,
  kind: "ack" | "nack" | "touch" | "deadLetter",
  failures: { delivery: number; code: "NOT_YOURS" | "NEVER_DELIVERED" }[] = [],
) {
  const request = await connection.next(kind);
  connection.send({ id: request.id, settled: { subscription: 1, failures } });
  return request;
}

describe("a delivery", () => {
  test("is asked for with every option, and carries every field", async () => {
    const { connection, stream, request } = await subscribed({
      prefetch: 7,
      prefetchBytes: 1_000,
      visibilityMs: 60_000,
      processingMsMax: 120_000,
      batchMessages: 5,
      lingerMs: 20,
      groupInFlight: 3,
      fields: ["ATTRIBUTES", "SEQUENCE_NUMBER", "BODY_MD5"],
    });
    expect(request).toMatchObject({
      subscription: 1,
      queue: "hello",
      visibilityMs: 60_000,
      processingMsMax: 120_000,
      batchMessages: 5,
      lingerMs: 20,
      groupInFlight: 3,
      fields: ["ATTRIBUTES", "SEQUENCE_NUMBER", "BODY_MD5", "GROUP_ID"],
      credit: { messages: 7, bytes: 1_000, auto: true },
    });
    connection.send(
      deliver(1, {
        id: Buffer.from("000102030405060708090a0b0c0d0e0f", "hex"),
        body: Buffer.from("grüße"),
        earlierReceives: 2,
        attributes: [
          { name: "colour", type: "String", text: "red" },
          { name: "raw", type: "Binary.x", binary: Buffer.from([1, 2]) },
        ],
        sequenceNumber: 42,
        bodyMd5: Buffer.from("00ff", "hex"),
        groupId: "g",
        sentMs: 1_790_000_000_000,
        receiptHandle: "handle",
        deadLetterSource: "arn",
      }),
    );
    const [message] = await take(stream, 1);
    expect(message).toMatchObject({
      id: "00010203-0405-0607-0809-0a0b0c0d0e0f",
      body: "grüße",
      receiveCount: 3,
      attributes: {
        colour: { type: "String", value: "red" },
        raw: { type: "Binary.x", value: new Uint8Array([1, 2]) },
      },
      sequenceNumber: "10000000000000000042",
      bodyMd5: "00ff",
      groupId: "g",
      sentMs: 1_790_000_000_000,
      receiptHandle: "handle",
      deadLetterSource: "arn",
      senderId: undefined,
      isSettled: false,
      revoked: undefined,
    });
  });

  test("is settled together with those settled in the same go, in the order of asking", async () => {
    const { connection, stream } = await subscribed();
    connection.send(deliver(1, "a", "b", "c", "d", "e", "f"));
    const [a, b, c, d, e, f] = (await take(stream, 6)) as [Message, Message, Message, Message, Message, Message];
    const all = [
      a.ack(),
      b.ack(),
      d.ack(),
      c.touch(5_000),
      e.nack({ delayMs: 7, reason: "later" }),
      f.deadLetter("bad"),
    ];
    expect((await settle(connection, "ack")).deliveries).toEqual([
      { first: 1, last: 2 },
      { first: 4, last: 0 },
    ]);
    expect(await settle(connection, "touch")).toMatchObject({ deliveries: [{ first: 3 }], visibilityMs: 5_000 });
    expect(await settle(connection, "nack")).toMatchObject({ deliveries: [{ first: 5 }], delayMs: 7, reason: "later" });
    expect(await settle(connection, "deadLetter")).toMatchObject({ deliveries: [{ first: 6 }], reason: "bad" });
    await Promise.all(all);
    expect(stream.outstandingCount).toBe(1); // the touched one
  });

  test("that is settled twice, or was not ours, says so by its code", async () => {
    const { connection, stream } = await subscribed();
    connection.send(deliver(1, "a", "b"));
    const [a, b] = (await take(stream, 2)) as [Message, Message];
    const acks = [codeOf(a.ack()), codeOf(b.ack())];
    expect(await codeOf(a.nack())).toBe("NOT_YOURS");
    await settle(connection, "ack", [{ delivery: 2, code: "NOT_YOURS" }]);
    expect(await Promise.all(acks)).toEqual(["no error", "NOT_YOURS"]);
  });

  test("whose settlement is refused is out as before, and is settled in another way", async () => {
    const { connection, stream } = await subscribed();
    connection.send(deliver(1, "a"));
    const [message] = await take(stream, 1);
    if (message === undefined) throw new Error("there is one");
    expect(await codeOf(message.nack({ delayMs: 43_200_001 }))).toBe("INVALID_PARAMETER");
    expect(await codeOf(message.touch(999))).toBe("INVALID_PARAMETER");
    const moving = codeOf(message.deadLetter());
    const refused = await connection.next("deadLetter");
    connection.send({ id: refused.id, error: { code: "NO_DEAD_LETTER_QUEUE", message: "there is none" } });
    expect(await moving).toBe("NO_DEAD_LETTER_QUEUE");
    expect([message.isSettled, stream.outstandingCount]).toEqual([false, 1]);
    const acking = message.ack();
    await settle(connection, "ack");
    await acking;
    expect([message.isSettled, stream.outstandingCount]).toEqual([true, 0]);
  });

  test("ten thousand numbers and one go in two requests", async () => {
    const { connection, stream } = await subscribed({ prefetch: 20_000 });
    connection.send(deliver(1, ...Array.from({ length: 10_001 }, () => "x")));
    const messages = await take(stream, 10_001);
    const acks = messages.map((message) => message.ack());
    expect((await settle(connection, "ack")).deliveries).toEqual([{ first: 1, last: 10_000 }]);
    expect((await settle(connection, "ack")).deliveries).toEqual([{ first: 10_001, last: 0 }]);
    await Promise.all(acks);
  });

  test("that is called back leaves the buffer, and aborts who works on it", async () => {
    const { connection, stream } = await subscribed();
    connection.send(deliver(1, "a", "b", "c"));
    const [a] = (await take(stream, 1)) as [Message];
    const { signal } = a;
    connection.send({ revoke: { subscription: 1, deliveries: [{ first: 1, last: 2 }], reason: "EXPIRED" } });
    await expect.poll(() => signal.aborted).toBe(true);
    expect(signal.reason).toMatchObject({ code: "EXPIRED" });
    expect(await codeOf(a.ack())).toBe("EXPIRED");
    const [next] = await take(stream, 1);
    expect(next?.body).toBe("c");
  });
});

describe("a subscription", () => {
  test("rejects with the server's code", async () => {
    const { client, connection } = await connected();
    const subscribing = codeOf(client.subscribe("missing"));
    const { id } = await connection.next("subscribe");
    connection.send({ id, error: { code: "QUEUE_DOES_NOT_EXIST", message: "The specified queue does not exist." } });
    expect(await subscribing).toBe("QUEUE_DOES_NOT_EXIST");
  });

  test("is not asked for with what the wire would make another number of", async () => {
    const { client, connection } = await connected();
    const wrong = [
      { visibilityMs: -1 },
      { lingerMs: Number.NaN },
      { processingMsMax: 2.5 },
      { fields: ["NONSENSE" as "SENT_TIME"] },
      { handler: 5 as never },
    ];
    for (const options of wrong) expect(await codeOf(client.subscribe("hello", options))).toBe("INVALID_PARAMETER");
    expect(connection.unread).toEqual([]);
  });

  test("grants nothing while it is paused", async () => {
    const { connection, stream } = await subscribed({ prefetch: 3 });
    stream.pause();
    expect(await connection.next("credit")).toMatchObject({ subscription: 1, messages: 0 });
    stream.resume();
    expect(await connection.next("credit")).toMatchObject({ subscription: 1, messages: 3, auto: true });
  });

  test("is closed by leaving the loop, behind what was settled in it", async () => {
    const { connection, stream } = await subscribed();
    connection.send(deliver(1, "a", "b"));
    const loop = (async () => {
      for await (const message of stream) {
        void message.ack();
        break;
      }
    })();
    await settle(connection, "ack");
    const unsubscribe = await connection.next("unsubscribe");
    connection.send({ id: unsubscribe.id, done: {} });
    await loop;
    await stream.ended;
  });

  test("ends with the queue", async () => {
    const { connection, stream } = await subscribed();
    const next = codeOf(take(stream, 1));
    connection.send({ subscriptionEnded: { subscription: 1, code: "QUEUE_DELETED" } });
    expect(await next).toBe("QUEUE_DELETED");
    expect(await codeOf(stream.ended)).toBe("QUEUE_DELETED");
  });

  test("an aborted one throws what it was aborted with, and gives everything back", async () => {
    const controller = new AbortController();
    const { connection, stream } = await subscribed({ signal: controller.signal });
    connection.send(deliver(1, "a"));
    const [a] = (await take(stream, 1)) as [Message];
    const next = take(stream, 1);
    controller.abort(new Error("enough"));
    await expect(next).rejects.toThrow("enough");
    await connection.next("unsubscribe");
    expect(a.revoked?.code).toBe("CLOSED");
    await expect(stream.ended).rejects.toThrow("enough");
  });

  test.each([{ prefetch: 0 }, { prefetch: 100_001 }, { prefetchBytes: 0 }])("refuses %o", async (options) => {
    const { client } = await connected();
    expect(await codeOf(client.subscribe("hello", options))).toBe("INVALID_PARAMETER");
  });
});

describe("a handler", () => {
  test("runs so often at a time, acks what it finishes, gives back what it throws at", async () => {
    const { client, connection } = await connected();
    const running: string[] = [];
    const finish = new Map<string, (error?: Error) => void>();
    const errors: unknown[] = [];
    const subscribing = client.subscribe("hello", {
      concurrency: 2,
      retryDelayMs: 500,
      onError: (error, message) => errors.push([String(error), message.body]),
      handler: (message) => {
        running.push(message.body);
        return new Promise<void>((resolve, reject) => {
          finish.set(message.body, (error) => (error === undefined ? resolve() : reject(error)));
        });
      },
    });
    const { id, credit } = await connection.next("subscribe");
    expect(credit?.messages).toBe(4);
    connection.send({ id, subscribed: { subscription: 1 } }, deliver(1, "a", "b", "c", "d"));
    const subscription = await subscribing;
    await expect.poll(() => running).toEqual(["a", "b"]);
    finish.get("b")?.();
    expect((await settle(connection, "ack")).deliveries).toEqual([{ first: 2, last: 0 }]);
    await expect.poll(() => running).toEqual(["a", "b", "c"]);
    finish.get("a")?.(new Error("no paper"));
    const nack = await settle(connection, "nack");
    expect(nack).toMatchObject({ deliveries: [{ first: 1 }], delayMs: 500, reason: "Error: no paper" });
    await expect.poll(() => running).toEqual(["a", "b", "c", "d"]);
    expect(errors).toEqual([["Error: no paper", "a"]]);

    const closing = subscription.close(); // waits for c and d
    expect((await connection.next("credit")).messages).toBe(0);
    finish.get("c")?.();
    finish.get("d")?.();
    await settle(connection, "ack");
    const unsubscribe = await connection.next("unsubscribe");
    connection.send({ id: unsubscribe.id, done: {} });
    await closing;
  });

  test("whose message is not settled after all hears of it, and the message goes back", async () => {
    const { client, connection } = await connected();
    const errors: string[] = [];
    const subscribing = client.subscribe("hello", {
      onError: (error) => errors.push(String(error)),
      handler: (message) => message.deadLetter(),
    });
    const { id } = await connection.next("subscribe");
    connection.send({ id, subscribed: { subscription: 1 } }, deliver(1, "a"));
    const subscription = await subscribing;
    const refused = await connection.next("deadLetter");
    connection.send({ id: refused.id, error: { code: "NO_DEAD_LETTER_QUEUE", message: "there is none" } });
    await settle(connection, "nack");
    connection.send(deliver(2, "b"));
    const again = await connection.next("deadLetter");
    connection.send({ id: again.id, error: { code: "ACCESS_DENIED", message: "not you" } });
    for (let asked = 0; asked < 2; asked++) {
      const nack = await connection.next("nack");
      connection.send({ id: nack.id, error: { code: "ACCESS_DENIED", message: "not you" } });
    }
    await expect.poll(() => errors.length).toBe(4);
    expect(errors).toEqual(["WasqError: there is none", ...Array(3).fill("WasqError: not you")]);
    const closing = subscription.close(); // nobody waits for a message that cannot be settled
    await connection.next("credit");
    const unsubscribe = await connection.next("unsubscribe");
    connection.send({ id: unsubscribe.id, done: {} });
    await closing;
  });

  test("waits as long as it says and the protocol can, and goes on whatever its callbacks throw", async () => {
    const { client, connection } = await connected();
    const waits = [1e12, 0.6, Number.NaN, -1, "throws"] as const;
    const told: string[] = [];
    await Promise.all([
      client.subscribe("hello", {
        handler: () => Promise.reject(new Error("no")),
        retryDelayMs: ({ delivery }) => {
          const wait = waits[delivery - 1];
          if (typeof wait !== "number") throw new Error("no idea");
          return wait;
        },
        onError: (error) => {
          told.push(String(error));
          throw new Error("onError is no better");
        },
      }),
      connection.next("subscribe").then(({ id }) => connection.send({ id, subscribed: { subscription: 1 } })),
    ]);
    const delays: unknown[] = [];
    for (const index of waits.keys()) {
      connection.send(deliver(index + 1, "x"));
      const { id, delayMs } = await connection.next("nack");
      connection.send({ id, settled: { subscription: 1 } });
      delays.push(delayMs);
    }
    expect(delays).toEqual([39_600_000, 1, 0, 0, 0]);
    expect(told.filter((text) => text !== "Error: no")).toEqual([
      "WasqError: retryDelayMs is NaN: a number from 0 to 39600000 is needed",
      "WasqError: retryDelayMs is -1: a number from 0 to 39600000 is needed",
      "Error: no idea",
    ]);
  });

  test("never works on two messages of a group at once, nor on those behind one that failed", async () => {
    const { client, connection } = await connected();
    const running: string[] = [];
    const finish = new Map<string, (error?: Error) => void>();
    const subscribing = client.subscribe("orders.fifo", {
      concurrency: 10,
      groupInFlight: 3,
      onError: () => {},
      handler: (message) => {
        running.push(message.body);
        return new Promise<void>((resolve, reject) => {
          finish.set(message.body, (error) => (error === undefined ? resolve() : reject(error)));
        });
      },
    });
    const request = await connection.next("subscribe");
    expect(request.fields).toEqual(["GROUP_ID"]);
    const of = (groupId: string, body: string): WireMessage => ({ groupId, body: Buffer.from(body) });
    connection.send(
      { id: request.id, subscribed: { subscription: 1, fifo: true } },
      deliver(1, of("x", "x1"), of("x", "x2"), of("x", "x3"), of("y", "y1"), of("y", "y2")),
    );
    await subscribing;
    await expect.poll(() => running).toEqual(["x1", "y1"]);
    finish.get("y1")?.();
    await settle(connection, "ack");
    await expect.poll(() => running).toEqual(["x1", "y1", "y2"]);
    finish.get("x1")?.(new Error("no"));
    const nack = await connection.next("nack");
    connection.send(deliver(6, of("x", "x4"), of("y", "y3"))); // had been sent before the nack was read
    connection.send({
      revoke: { subscription: 1, deliveries: [{ first: 2, last: 3 }, { first: 6 }], reason: "GROUP_FAILED" },
    });
    connection.send(deliver(8, of("x", "x1 again")));
    await expect.poll(() => running).toEqual(["x1", "y1", "y2"]);
    finish.get("y2")?.();
    await settle(connection, "ack");
    await expect.poll(() => running).toEqual(["x1", "y1", "y2", "y3"]);
    connection.send({ id: nack.id, settled: { subscription: 1, count: 1 } });
    await expect.poll(() => running).toEqual(["x1", "y1", "y2", "y3", "x1 again"]);
  });
});

describe("a cut", () => {
  test("within the grace: nothing twice, what was lost on its way goes back, and it goes on", async () => {
    const { server, connection, stream } = await subscribed({ prefetch: 10 });
    connection.send(deliver(1, "a", "b", "c"));
    const [a, b, c] = (await take(stream, 3)) as [Message, Message, Message];
    const acked = a.ack();
    await connection.next("ack"); // never answered
    connection.cut();
    const touched = codeOf(b.touch(9_000)); // asked for while there is no connection
    const second = await server.welcomed({
      resumed: true,
      subscriptions: [{ subscription: 1, outstanding: [{ first: 2, last: 5 }], last: 5 }],
    });
    const nack = await second.next("nack"); // 4 and 5 never arrived
    expect(nack).toMatchObject({ id: 0, deliveries: [{ first: 4, last: 5 }] });
    expect(await second.next("credit")).toMatchObject({ messages: 10, auto: true });
    await settle(second, "ack", [{ delivery: 1, code: "NOT_YOURS" }]); // asked again: it had been done
    await settle(second, "touch");
    await acked;
    expect(await touched).toBe("no error");
    second.send(deliver(6, "f"));
    const [f] = (await take(stream, 1)) as [Message];
    expect(f.body).toBe("f");
    expect(c.revoked).toBeUndefined();
  });

  test("a message that is not ours any more afterwards is called back", async () => {
    const { server, connection, stream } = await subscribed();
    connection.send(deliver(1, "a", "b"));
    const [a] = (await take(stream, 1)) as [Message];
    connection.cut();
    const second = await server.welcomed({ resumed: true, subscriptions: [{ subscription: 1, last: 2 }] });
    await second.next("credit");
    expect(a.revoked?.code).toBe("NOT_YOURS");
    second.send(deliver(3, "c"));
    const [next] = await take(stream, 1);
    expect(next?.body).toBe("c"); // not b
  });

  test("that outlives the session: messages are called back, acks fail, and it subscribes anew", async () => {
    const { server, connection, stream } = await subscribed();
    connection.send(deliver(1, "a", "b"));
    const [a] = (await take(stream, 1)) as [Message];
    const ack = codeOf(a.ack());
    await connection.next("ack");
    const { signal } = a;
    connection.cut();
    const second = await server.welcomed({ resumed: false });
    const { id } = await second.next("subscribe");
    second.send({ id, subscribed: { subscription: 1 } });
    expect(await ack).toBe("SESSION_OVER");
    expect(signal.reason).toMatchObject({ code: "SESSION_OVER" });
    second.send(deliver(1, "a again"));
    const [next] = await take(stream, 1);
    expect(next?.body).toBe("a again"); // b was in the buffer: it is not ours any more
  });

  test("a Subscribe that may not have arrived is sent again", async () => {
    const { server, client, connection } = await connected();
    const subscribing = client.subscribe("hello");
    await connection.next("subscribe");
    connection.cut();
    const second = await server.welcomed({ resumed: true });
    const { id } = await second.next("subscribe");
    second.send({ id, subscribed: { subscription: 1 } });
    await subscribing;
  });

  test("what was closed meanwhile is closed when the session goes on", async () => {
    const { server, connection, stream, changes } = await subscribed();
    connection.cut();
    await expect.poll(() => changes.at(-1)?.kind).toBe("disconnected");
    await stream.close();
    const second = await server.welcomed({ resumed: true, subscriptions: [{ subscription: 1 }] });
    expect((await second.next("unsubscribe")).subscription).toBe(1);
  });
});

describe("a watch", () => {
  test("brings states and events, goes on after a cut, and ends with the queue", async () => {
    const { server, client, connection } = await connected();
    const watching = client.watch("hello", { events: true, bodies: true, intervalMs: 200 });
    const request = await connection.next("watch");
    expect(request).toMatchObject({ watch: 1, queue: "hello", events: true, bodies: true, intervalMs: 200 });
    connection.send({ id: request.id, watching: { watch: 1 } });
    const watch = await watching;
    const iterator = watch[Symbol.asyncIterator]();
    const sent = { kind: "SENT", timeMs: 5, id: Buffer.alloc(16, 1), body: Buffer.from("hi") } as const;
    connection.send({ watched: { watch: 1, state: { visible: 3 }, events: [sent] } });
    connection.send({ watched: { watch: 1, state: { visible: 4 }, events: [{ kind: "SETTLED" }], skipped: 2 } });
    // Updates that have not been read become one.
    await expect.poll(async () => (await iterator.next()).value?.events.length).toBeGreaterThan(0);
    connection.cut();
    const second = await server.welcomed({ resumed: true });
    const again = await second.next("watch");
    second.send({ id: again.id, error: { code: "ALREADY_EXISTS" } }); // it had survived
    second.send({ watched: { watch: 1, state: { visible: 9 } } }, { watched: { watch: 1, deleted: true } });
    const updates: unknown[] = [];
    const reading = async (): Promise<void> => {
      for await (const { state } of { [Symbol.asyncIterator]: () => iterator }) updates.push(state?.visible);
    };
    expect(await codeOf(reading())).toBe("QUEUE_DELETED");
    expect(updates.at(-1)).toBe(9);
  });
});
