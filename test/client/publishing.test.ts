// Publishers from the client's side, against a server that the test plays: numbers, credit, refusals, resending.
import { describe, expect, test } from "vitest";
import { PublishError, type PublisherOptions } from "../../src/client/index.ts";
import { codeOf, connected, endAfterEach } from "../support/fake-client.ts";
import type { FakeConnection } from "../support/fake-stream.ts";

endAfterEach();

const MiB = 1 << 20;

async function opened(options: PublisherOptions = {}, creditBytes = 4 * MiB, confirmed = 0) {
  const all = await connected();
  const opening = all.client.publisher("hello", options);
  const request = await all.connection.next("openPublisher");
  all.connection.send({ id: request.id, publisherOpened: { publisher: 1, creditBytes, confirmed } });
  return { ...all, request, publisher: await opening };
}

async function texts(connection: FakeConnection): Promise<[number, string[]]> {
  const { first, messages } = await connection.next("publish");
  return [first, messages.map(({ text }) => text ?? "")];
}

describe("publishing", () => {
  test("what is published in one go is one Publish; confirmations are cumulative", async () => {
    const { client, connection } = await connected();
    const all = ["a", "b", "c"].map((body) => client.publish("hello", body));
    const { id, producerId } = await connection.next("openPublisher");
    expect(producerId.length).toBe(16);
    connection.send({ id, publisherOpened: { publisher: 1, creditBytes: MiB } });
    expect(await texts(connection)).toEqual([1, ["a", "b", "c"]]);
    connection.send({ confirm: { publisher: 1, number: 2 } });
    await Promise.all(all.slice(0, 2));
    const next = client.publish("hello", "d");
    expect(await texts(connection)).toEqual([4, ["d"]]);
    connection.send({ confirm: { publisher: 1, number: 4 } });
    await Promise.all([...all, next]);
  });

  test("carries every field, and tells the ids", async () => {
    const { connection, publisher, request } = await opened({ ids: true });
    expect(request).toMatchObject({ queue: "hello", wantsIds: true });
    const publishing = publisher.publish({
      body: new Uint8Array([104, 105]),
      delayMs: 0,
      groupId: "g",
      deduplicationId: "d",
      traceHeader: "t",
      attributes: { s: "text", n: 1.5, b: new Uint8Array([1]), own: { type: "Number.int", value: "7" } },
    });
    const { messages } = await connection.next("publish");
    expect(messages[0]).toMatchObject({
      body: Buffer.from("hi"),
      delayMs: 0,
      groupId: "g",
      deduplicationId: "d",
      traceHeader: "t",
      attributes: [
        { name: "s", type: "String", text: "text" },
        { name: "n", type: "Number", text: "1.5" },
        { name: "b", type: "Binary", binary: Buffer.from([1]) },
        { name: "own", type: "Number.int", text: "7" },
      ],
    });
    connection.send({
      confirm: {
        publisher: 1,
        number: 1,
        published: [{ number: 1, id: Buffer.alloc(16, 0x11), sequenceNumber: 5, duplicate: true }],
      },
    });
    expect(await publishing).toEqual({
      messageId: "11111111-1111-1111-1111-111111111111",
      sequenceNumber: "10000000000000000005",
      isDuplicate: true,
    });
  });

  test("a batch rejects when some are refused, and names them; a single one has the code itself", async () => {
    const { connection, publisher } = await opened();
    const batch = publisher.publishBatch(["a", "bad", "c"]);
    const single = publisher.publish("too long");
    await connection.next("publish");
    const failures = [{ number: 2, code: "INVALID_MESSAGE_CONTENTS" as const, message: "characters" }];
    connection.send({ confirm: { publisher: 1, number: 1, failures } });
    connection.send({ confirm: { publisher: 1, number: 4, failures: [{ number: 4, code: "MESSAGE_TOO_LONG" }] } });
    const error: unknown = await batch.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(PublishError);
    expect(error).toMatchObject({
      code: "INVALID_MESSAGE_CONTENTS",
      failures: [{ index: 1, code: "INVALID_MESSAGE_CONTENTS", message: "characters" }],
    });
    expect(await codeOf(single)).toBe("MESSAGE_TOO_LONG");
  });

  test("stays within the credit, to the byte that the server counts", async () => {
    const creditBytes = 10_000;
    const { connection, publisher } = await opened({}, creditBytes);
    const all = Array.from({ length: 100 }, () => publisher.publish("x".repeat(1_000)));
    let count = 0;
    let rounds = 0;
    while (count < 100) {
      rounds += 1;
      const { first, messages } = await connection.next("publish");
      expect(first).toBe(count + 1);
      await new Promise((resolve) => setTimeout(resolve, 5)); // more would have come by now
      expect(connection.unread).toEqual([]);
      expect(messages.length * 1_000).toBeLessThan(creditBytes);
      count += messages.length;
      connection.send({ confirm: { publisher: 1, number: count } });
    }
    expect(rounds).toBeLessThan(15); // and uses it
    await Promise.all(all);
  });

  test("one message above the credit goes alone", async () => {
    const { connection, publisher } = await opened({}, 1_000);
    const all = [publisher.publish("small"), publisher.publish("x".repeat(5_000)), publisher.publish("small again")];
    expect(await texts(connection)).toEqual([1, ["small"]]);
    connection.send({ confirm: { publisher: 1, number: 1 } });
    expect((await texts(connection))[0]).toBe(2);
    connection.send({ confirm: { publisher: 1, number: 2 } });
    expect(await texts(connection)).toEqual([3, ["small again"]]);
    connection.send({ confirm: { publisher: 1, number: 3 } });
    await Promise.all(all);
  });

  test("ready() waits while too much is unconfirmed; who does not await it is refused in the end", async () => {
    const { connection, publisher } = await opened({ bufferBytes: 1_000 });
    await publisher.ready();
    const first = publisher.publish("x".repeat(2_000));
    let isReady = false;
    const ready = publisher.ready().then(() => {
      isReady = true;
    });
    await connection.next("publish");
    expect(isReady).toBe(false);
    const more = Array.from({ length: 2 }, () => publisher.publish("x".repeat(2_500)));
    expect(await codeOf(publisher.publish("x".repeat(2_500)))).toBe("BUFFER_FULL");
    connection.send({ confirm: { publisher: 1, number: 3 } });
    await Promise.all([first, ready, ...more, publisher.flush()]);
    expect(publisher.unconfirmedCount).toBe(0);
  });

  test("a message that no frame can hold is refused here, and no connection ends for it", async () => {
    const { connection, publisher } = await opened();
    expect(await codeOf(publisher.publish("x".repeat(17 * MiB)))).toBe("MESSAGE_TOO_LONG");
    expect(connection.unread).toEqual([]);
  });

  test("what is no message is refused here by what is wrong with it, and blocks nobody", async () => {
    const { connection, publisher } = await opened({ bufferBytes: 1_000 });
    const wrong = [
      undefined,
      {},
      { body: 5 },
      { body: "x", groupId: 5 },
      { body: "x", delayMs: -1 },
      { body: "x", delayMs: Number.NaN },
      { body: "x", attributes: { a: null } },
      { body: "x", attributes: { a: true } },
    ];
    for (const message of wrong) expect(await codeOf(publisher.publish(message as never))).toBe("INVALID_PARAMETER");
    expect(publisher.unconfirmedCount).toBe(0);
    expect(connection.unread).toEqual([]);
    await publisher.ready();
  });

  test("an abort takes back what was not sent, and only stops waiting for what was", async () => {
    const { connection, publisher } = await opened({}, 1_000);
    const controller = new AbortController();
    const sent = codeOf(publisher.publish("x".repeat(900), { signal: controller.signal }));
    await connection.next("publish");
    const waiting = codeOf(publisher.publish("y".repeat(900), { signal: controller.signal }));
    const other = publisher.publish("z");
    controller.abort(new Error("enough"));
    expect(await Promise.all([sent, waiting])).toEqual(["Error: enough", "Error: enough"]);
    connection.send({ confirm: { publisher: 1, number: 1 } });
    expect(await texts(connection)).toEqual([2, ["z"]]);
    connection.send({ confirm: { publisher: 1, number: 2 } });
    await other;
  });

  test("close() waits for confirmations", async () => {
    const { connection, publisher } = await opened();
    const publishing = publisher.publish("a");
    const closing = publisher.close();
    expect(await codeOf(publisher.publish("b"))).toBe("CLOSED");
    await connection.next("publish");
    expect(connection.unread).toEqual([]);
    connection.send({ confirm: { publisher: 1, number: 1 } });
    const { id } = await connection.next("closePublisher");
    connection.send({ id, done: {} });
    await Promise.all([publishing, closing]);
  });

  test("a missing queue is its code, now and after a deletion", async () => {
    const { client, connection } = await connected();
    const publishing = codeOf(client.publish("missing", "x"));
    const first = await connection.next("openPublisher");
    connection.send({ id: first.id, error: { code: "QUEUE_DOES_NOT_EXIST" } });
    expect(await publishing).toBe("QUEUE_DOES_NOT_EXIST");
    const again = codeOf(client.publish("missing", "x")); // it may have been made meanwhile
    const second = await connection.next("openPublisher");
    connection.send({ id: second.id, publisherOpened: { publisher: 2, creditBytes: MiB } });
    await connection.next("publish");
    connection.send({ refused: { publisher: 2, from: 1, code: "QUEUE_DELETED" } });
    expect(await again).toBe("QUEUE_DELETED");
  });
});

describe("what is refused for now", () => {
  test("is sent again from there, in order, after the wait", async () => {
    const refusals: unknown[] = [];
    const { connection, publisher } = await opened({ onRefused: (refusal) => refusals.push(refusal) });
    const all = [publisher.publish("a"), publisher.publish("b")];
    await connection.next("publish");
    all.push(publisher.publish("c"));
    await connection.next("publish");
    connection.send(
      { confirm: { publisher: 1, number: 1 } },
      { refused: { publisher: 1, from: 2, code: "FULL", retryMs: 60 } },
    );
    await all[0];
    const refusedMs = performance.now();
    all.push(publisher.publish("d")); // waits behind
    expect(await texts(connection)).toEqual([2, ["b", "c", "d"]]);
    expect(performance.now() - refusedMs).toBeGreaterThan(50);
    expect(refusals).toEqual([{ code: "FULL", retryMs: 60 }]);
    connection.send({ confirm: { publisher: 1, number: 4 } });
    await Promise.all(all);
  });

  test("because the server has forgotten the producer gets new numbers", async () => {
    const { connection, publisher } = await opened({}, MiB, 7);
    const first = publisher.publish("a");
    expect(await texts(connection)).toEqual([8, ["a"]]); // behind what this producer id has sent before
    connection.send({ confirm: { publisher: 1, number: 8 } });
    await first;
    const second = publisher.publish("b");
    expect(await texts(connection)).toEqual([9, ["b"]]);
    connection.send({ refused: { publisher: 1, from: 1, code: "OUT_OF_ORDER" } });
    expect(await texts(connection)).toEqual([1, ["b"]]);
    connection.send({ confirm: { publisher: 1, number: 1 } });
    await second;
  });
});

describe("after a cut", () => {
  test("a resumed session gets what it has not confirmed, under the old numbers", async () => {
    const { server, connection, publisher } = await opened();
    const all = ["a", "b", "c"].map((body) => publisher.publish(body));
    await connection.next("publish");
    connection.send({ confirm: { publisher: 1, number: 1 } });
    await all[0];
    connection.cut();
    all.push(publisher.publish("d"));
    const second = await server.welcomed({
      resumed: true,
      publishers: [{ publisher: 1, confirmed: 2, creditBytes: MiB }],
    });
    // b as well, although it is confirmed: that says that it was seen, not that it broke no rule.
    expect(await texts(second)).toEqual([2, ["b", "c", "d"]]);
    const failures = [{ number: 2, code: "INVALID_MESSAGE_CONTENTS" as const }];
    second.send({ confirm: { publisher: 1, number: 4, failures } });
    expect(await Promise.all(all.map(codeOf))).toEqual([
      "no error",
      "INVALID_MESSAGE_CONTENTS",
      "no error",
      "no error",
    ]);
  });

  test("a new session is opened with the same producer id, and gets the same", async () => {
    const { server, connection, publisher, request } = await opened();
    const publishing = publisher.publish("a");
    await connection.next("publish");
    connection.cut();
    const second = await server.welcomed();
    const open = await second.next("openPublisher");
    expect(Buffer.from(open.producerId)).toEqual(Buffer.from(request.producerId));
    second.send({ id: open.id, publisherOpened: { publisher: 1, creditBytes: MiB, confirmed: 1 } });
    expect(await texts(second)).toEqual([1, ["a"]]);
    second.send({ confirm: { publisher: 1, number: 1 } });
    await publishing;
  });

  test("a server that has forgotten the producer gets what is left under new numbers", async () => {
    const { server, connection, publisher } = await opened();
    const first = publisher.publish("a");
    await connection.next("publish");
    connection.send({ confirm: { publisher: 1, number: 1 } });
    await first;
    const second = publisher.publish("b");
    await connection.next("publish");
    connection.cut();
    const later = await server.welcomed();
    const open = await later.next("openPublisher");
    later.send({ id: open.id, publisherOpened: { publisher: 1, creditBytes: MiB, confirmed: 0 } });
    expect(await texts(later)).toEqual([1, ["b"]]);
    later.send({ confirm: { publisher: 1, number: 1 } });
    await second;
  });

  test("a server that knows more of the producer than it sent has another one of that id", async () => {
    const { server, connection, publisher } = await opened({ producerId: new Uint8Array(16) });
    const publishing = codeOf(publisher.publish("a"));
    await connection.next("publish");
    connection.cut();
    const second = await server.welcomed();
    const open = await second.next("openPublisher");
    second.send({ id: open.id, publisherOpened: { publisher: 1, creditBytes: MiB, confirmed: 2 } });
    expect(await publishing).toBe("PRODUCER_TAKEN");
  });
});
