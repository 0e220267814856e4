// Publish messages as protobufjs writes them, read by the core; and what the core writes, read by protobufjs.
import { createHash } from "node:crypto";
import fc from "fast-check";
import { type Type, Writer } from "protobufjs";
import { describe, expect, test } from "vitest";
import { readReceiptHandle } from "../../src/broker/receipt-handle.ts";
import { withoutForbiddenCharacters } from "../../src/sqs/characters.ts";
import { EnvelopeType } from "../../src/stream/schema.ts";
import { STANDARD } from "../support/core-driver.ts";
import { type DeliveredMessage, StreamDriver } from "../support/stream-driver.ts";

const PublishType = EnvelopeType.root.lookupType("wasq.v1.Publish");
const ALL_FIELDS = 0xffe;
const RUNS = Number(process.env["WASQ_STREAM_RUNS"] ?? 50);

interface NewMessage {
  readonly body?: Uint8Array;
  readonly text?: string;
  readonly delayMs?: number;
  readonly attributes?: readonly { name: string; type: string; text?: string; binary?: Uint8Array }[];
  readonly groupId?: string;
  readonly deduplicationId?: string;
  readonly traceHeader?: string;
}

function bytesOf(first: number, messages: readonly NewMessage[]): Uint8Array {
  return PublishType.encode(PublishType.fromObject({ publisher: 1, first, messages })).finish();
}

function driver(queue: Partial<typeof STANDARD> = {}): StreamDriver {
  return new StreamDriver([{ ...STANDARD, ...queue }]);
}

/** Everything that is delivered of the queue, in order. */
function drained(d: StreamDriver, fields = 0): DeliveredMessage[] {
  const messages: DeliveredMessage[] = [];
  d.onMessage = (_, __, message) => messages.push(message);
  d.subscribe("all", { queue: "main", fields, group: 100 });
  d.credit("all", 100_000);
  d.onMessage = () => {};
  if (messages.length > 0) d.settle("all", "ack", `1-${messages.length}`);
  d.close("all");
  return messages;
}

const text = fc.string({ unit: "binary", maxLength: 40 }).map((each) => withoutForbiddenCharacters(each));
const identifier = fc.stringMatching(/^[!-~]{1,128}$/);
const name = fc
  .stringMatching(/^[A-Za-z0-9_-]{1,20}(\.[A-Za-z0-9_-]{1,20})?$/)
  .filter((each) => !/^(aws|amazon)\./i.test(each));
const filled = text.map((each) => each || "x");
const attribute = fc.oneof(
  fc.record({ name, type: fc.constantFrom("String", "String.label", "String."), text: filled }),
  fc.record({ name, type: fc.constantFrom("Number", "Number.int"), text: fc.integer().map(String) }),
  fc.record({
    name,
    type: fc.constantFrom("Binary", "Binary.png"),
    binary: fc.uint8Array({ minLength: 1, maxLength: 50 }),
  }),
);
const message = fc.record(
  {
    text: filled,
    attributes: fc.uniqueArray(attribute, { maxLength: 10, selector: (each) => each.name }),
    groupId: identifier,
    traceHeader: filled,
  },
  { requiredKeys: ["text"] },
);

describe("what is published is delivered as it was", () => {
  test("on standard queues", () => {
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 20 }), (messages) => {
        const d = driver();
        const { code, number, failures, published } = d.publish(
          d.openPublisher(undefined, true),
          "main",
          bytesOf(1, messages),
        );
        expect({ code, number, failures }).toEqual({ code: "done", number: messages.length + 1, failures: [] });
        const delivered = drained(d, ALL_FIELDS);
        expect(delivered.map((each) => Buffer.from(each.id))).toEqual(published.map((each) => Buffer.from(each.id)));
        delivered.forEach((each, i) => {
          const sent = messages[i] as NewMessage;
          const body = Buffer.from(sent.text as string);
          expect(Buffer.from(each.body)).toEqual(body);
          expect(Buffer.from(each.bodyMd5)).toEqual(createHash("md5").update(body).digest());
          expect(each.groupId).toBe(sent.groupId ?? "");
          expect(each.traceHeader).toBe(sent.traceHeader ?? "");
          expect([each.senderId, each.sequenceNumber, each.deduplicationId]).toEqual(["sender", 0, ""]);
          expect(each.sentMs).toBe(d.instantMs);
          expect(each.firstReceivedMs).toBe(d.instantMs);
          expect(readReceiptHandle(1, each.receiptHandle)?.receiveCount).toBe(1);
          const sorted = [...(sent.attributes ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1));
          expect(
            each.attributes.map(({ name, type, value, text, binary }) => ({
              name,
              type,
              value: value === "text" ? text : Buffer.from(binary),
            })),
          ).toEqual(
            sorted.map(({ name, type, text, binary }) => ({
              name,
              type,
              value: text ?? Buffer.from(binary as Uint8Array),
            })),
          );
        });
      }),
      { numRuns: RUNS },
    );
  });

  test("on FIFO queues, once for each deduplication ID", () => {
    const fifo = fc.record({
      text: filled,
      groupId: fc.constantFrom("a", "b"),
      deduplicationId: fc.constantFrom("1", "2", "3", "4", "5"),
    });
    fc.assert(
      fc.property(fc.array(fifo, { minLength: 1, maxLength: 12 }), (messages) => {
        const d = driver({ fifo: true });
        const { failures, published } = d.publish(d.openPublisher(undefined, true), "main", bytesOf(1, messages));
        expect(failures).toEqual([]);
        const firsts = messages.filter(
          (each, i) => messages.findIndex(({ deduplicationId: id }) => id === each.deduplicationId) === i,
        );
        expect(published.map(({ duplicate }) => duplicate)).toEqual(messages.map((each) => !firsts.includes(each)));
        const delivered = drained(d, ALL_FIELDS);
        for (const groupId of ["a", "b"]) {
          expect(
            delivered
              .filter((each) => each.groupId === groupId)
              .map((each) => [Buffer.from(each.body).toString(), each.deduplicationId]),
          ).toEqual(firsts.filter((each) => each.groupId === groupId).map((each) => [each.text, each.deduplicationId]));
        }
        for (const each of delivered) {
          const { sequenceNumber } = published.find(({ id }) => Buffer.from(id).equals(each.id)) ?? {};
          expect(each.sequenceNumber).toBe(sequenceNumber);
          expect(sequenceNumber).toBeGreaterThan(0);
        }
      }),
      { numRuns: Math.ceil(RUNS / 3) },
    );
  });
});

describe("a message of nothing but a body, which has a way of its own", () => {
  const MessageType = PublishType.fields["messages"]?.resolve().resolvedType as Type;
  const UNKNOWN = Buffer.from("7800", "hex"); // a varint, which no version has had

  /** The same messages, as they are or each with a field that says nothing. */
  function encoded(first: number, bodies: readonly NewMessage[], hasMore: boolean): Buffer {
    const head = PublishType.encode(PublishType.fromObject({ publisher: 1, first })).finish();
    const messages = bodies.map((each) => {
      const alone = Buffer.from(MessageType.encode(MessageType.fromObject(each)).finish());
      const bytes = hasMore ? Buffer.concat([alone, UNKNOWN]) : alone;
      return Writer.create().uint32(0x1a).bytes(bytes).finish();
    });
    return Buffer.concat([head, ...messages]);
  }

  const sizeBytes = fc.oneof(
    fc.integer({ min: 0, max: 40 }),
    fc.constantFrom(
      126,
      127,
      128,
      129,
      1023,
      1024,
      2047,
      2048,
      2049,
      9000,
      16_382,
      16_383,
      16_384,
      16_385,
      17_000,
      17_001,
    ),
  );
  const plain = fc.record({
    sizeBytes,
    /** What stands somewhere in it: text, halves of characters, what no text has. */
    marks: fc.array(
      fc.record({
        at: fc.nat(),
        bytes: fc.constantFrom("61", "0a", "00", "1f", "c3a9", "c3", "e282ac", "efbfbe", "f09f9880", "ff"),
      }),
      { maxLength: 2 },
    ),
    isText: fc.boolean(),
  });
  function bodyOf({
    sizeBytes,
    marks,
    isText,
  }: {
    sizeBytes: number;
    marks: readonly { at: number; bytes: string }[];
    isText: boolean;
  }): NewMessage {
    const body = Buffer.alloc(sizeBytes, "what is in it ");
    for (const { at, bytes } of marks) if (sizeBytes > 0) body.write(bytes, at % sizeBytes, "hex");
    const text = body.toString();
    return isText && Buffer.from(text).equals(body) ? { text } : { body };
  }

  test.each([
    ["to a standard queue", {}],
    ["to one with a delay", { delayMs: 1000 }],
  ])("%s is what the general way makes of it, to the byte", (_, queue) => {
    const frames = fc.array(fc.array(plain, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(frames, fc.boolean(), fc.boolean(), (frames, hasProducer, wantsIds) => {
        const ways = [false, true].map((hasMore) => {
          const d = driver({ messageBytesMax: 17_000, ...queue });
          const publisher = d.openPublisher(hasProducer ? Buffer.alloc(16, 7) : undefined, wantsIds);
          let first = 1;
          let seeds = 0;
          const outcomes = frames.map((each) => {
            const bytes = encoded(first, each.map(bodyOf), hasMore);
            first += each.length;
            return d.publish(publisher, "main", bytes, () => Buffer.alloc(16, ++seeds));
          });
          const log = d.logBytes;
          d.restart();
          return { outcomes, log: createHash("sha256").update(log).digest("hex"), live: d.liveMessages };
        });
        expect(ways[0]).toEqual(ways[1]);
      }),
      { numRuns: RUNS },
    );
  });
});

describe("bytes that are not what they should be", () => {
  test("change nothing that protobufjs would read in another way", () => {
    const d = driver();
    const cut = fc.record({ at: fc.nat(), byte: fc.option(fc.nat(255)), drop: fc.nat(3) });
    fc.assert(
      fc.property(
        fc.array(message, { minLength: 1, maxLength: 5 }),
        fc.array(cut, { minLength: 1, maxLength: 3 }),
        (messages, cuts) => {
          let bytes = Buffer.from(bytesOf(1, messages));
          for (const { at, byte, drop } of cuts) {
            const offset = at % bytes.length;
            const middle = byte === null ? [] : [byte];
            bytes = Buffer.concat([
              bytes.subarray(0, offset),
              Buffer.from(middle),
              bytes.subarray(offset + (byte === null ? drop : 1)),
            ]);
            if (bytes.length === 0) return;
          }

          const { code, failures } = d.publish(d.openPublisher(), "main", bytes);
          const bodies = drained(d).map((each) => Buffer.from(each.body).toString("hex"));
          let read: { messages: (NewMessage & { content?: "body" | "text" })[] } | undefined;
          try {
            read = PublishType.decode(bytes) as unknown as typeof read;
          } catch {
            // What it cannot read the core may have read in part: messages before the fault are messages.
            return;
          }
          if (code !== "done") return; // a number left out, or stricter than protobufjs: nothing was misread
          const failed = new Set(failures.map((each) => Number.parseInt(each, 10)));
          const first = (read as unknown as { first: number }).first;
          const expected = (read?.messages ?? [])
            .filter((_, i) => !failed.has(first + i))
            .map((each) =>
              Buffer.from(each.content === "text" ? (each.text as string) : (each.body as Uint8Array)).toString("hex"),
            );
          if (first >= 1) expect(bodies).toEqual(expected);
        },
      ),
      { numRuns: RUNS * 3 },
    );
  });

  test("of any kind do no harm", () => {
    const d = driver();
    const publisher = d.openPublisher();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        d.publish(publisher, "main", bytes);
      }),
      { numRuns: RUNS * 3 },
    );
    expect(
      d.publish(publisher, "main", bytesOf(d.lastPublished(publisher, "main") + 1, [{ text: "still here" }])).code,
    ).toBe("done");
  });

  test.each([
    ["a size beyond the end", "1a05"],
    ["a varint without an end", "08ffffffffffffffffffff01"],
    ["a group", "0b0c"],
    ["field 0", "0000"],
    ["a message that stops in a field", "08011001 1a03 0a0561"],
  ])("%s", (_, hex) => {
    const d = driver();
    expect(d.publish(d.openPublisher(), "main", Buffer.from(hex.replaceAll(" ", ""), "hex")).code).toBe("malformed");
    expect(d.liveMessages).toBe(0);
  });
});

test("what stands behind a frame that ends within a field is no part of it, be it a message", () => {
  const d = driver();
  const publisher = d.openPublisher();
  const messages = Buffer.from(bytesOf(1, [{ text: "whole" }, { text: "cut" }, { text: "another's" }]));
  for (let cutBytes = messages.indexOf("cut") - 4 + 1; cutBytes < messages.indexOf("cut") + "cut".length; cutBytes++) {
    const before = d.liveMessages;
    const number = d.lastPublished(publisher, "main") + 1;
    expect(d.streams.takeIncoming(messages)).toBe(true);
    // As if nobody had looked through the frame before.
    const { code } = d.streams.publish(publisher, d.indexOf("main"), 0, cutBytes, number, Buffer.alloc(16), 0, d.nowMs);
    expect([cutBytes, code, d.liveMessages - before]).toEqual([cutBytes, "malformed", 1]);
  }
});

describe("rules of a message", () => {
  const big = "x".repeat(1025);
  test.each<[string, NewMessage, Partial<typeof STANDARD>, string]>([
    ["no body", {}, {}, "1 1"],
    ["an empty body", { text: "" }, {}, "1 1"],
    ["a control character", { text: "a\u0001" }, {}, "1 2"],
    ["a control character in the middle of a word of eight", { text: "abcdefg\u0000hijk" }, {}, "1 2"],
    ["bytes that are not UTF-8", { body: Uint8Array.of(0x61, 0xff) }, {}, "1 2"],
    ["a surrogate", { body: Uint8Array.of(0xed, 0xa0, 0x80) }, {}, "1 2"],
    ["an overlong form", { body: Uint8Array.of(0xc0, 0xaf) }, {}, "1 2"],
    ["U+FFFE", { text: "\ufffe" }, {}, "1 2"],
    ["a body that stops in a character", { body: Uint8Array.of(0x61, 0xe2, 0x82) }, {}, "1 2"],
    ["too long", { text: big }, {}, "1 3"],
    [
      "too long with its attributes",
      { text: "x".repeat(1000), attributes: [{ name: "aaaaaaaaaa", type: "String", text: "aaaaaaaaaa" }] },
      {},
      "1 3",
    ],
    ["a delay beyond 15 minutes", { text: "a", delayMs: 900_001 }, {}, "1 4"],
    ["a delay on a FIFO queue", { text: "a", groupId: "g", deduplicationId: "d", delayMs: 1 }, { fifo: true }, "1 5"],
    ["no group on a FIFO queue", { text: "a", deduplicationId: "d" }, { fifo: true }, "1 6"],
    ["a group with a space", { text: "a", groupId: "g g" }, {}, "1 7"],
    ["no deduplication ID", { text: "a", groupId: "g" }, { fifo: true }, "1 8"],
    [
      "a deduplication ID too long",
      { text: "a", groupId: "g", deduplicationId: "d".repeat(129) },
      { fifo: true },
      "1 9",
    ],
    ["a deduplication ID on a standard queue", { text: "a", deduplicationId: "d" }, {}, "1 10"],
    [
      "eleven attributes",
      { text: "a", attributes: Array.from({ length: 11 }, (_, i) => ({ name: `n${i}`, type: "String", text: "v" })) },
      {},
      "1 11",
    ],
    ["a name with a space", { text: "a", attributes: [{ name: "n n", type: "String", text: "v" }] }, {}, "1 12"],
    [
      "a name that begins with a dot",
      { text: "a", attributes: [{ name: ".n", type: "String", text: "v" }] },
      {},
      "1 12",
    ],
    ["a reserved name", { text: "a", attributes: [{ name: "aWs.n", type: "String", text: "v" }] }, {}, "1 13"],
    ["another type", { text: "a", attributes: [{ name: "n", type: "Float", text: "v" }] }, {}, "1 14"],
    ["no value", { text: "a", attributes: [{ name: "n", type: "String" }] }, {}, "1 15"],
    ["text for Binary", { text: "a", attributes: [{ name: "n", type: "Binary", text: "v" }] }, {}, "1 16"],
    ["no number", { text: "a", attributes: [{ name: "n", type: "Number", text: "1e" }] }, {}, "1 17"],
    [
      "a number of 39 digits",
      { text: "a", attributes: [{ name: "n", type: "Number", text: "1".repeat(39) }] },
      {},
      "1 17",
    ],
    [
      "a control character in a value",
      { text: "a", attributes: [{ name: "n", type: "String", text: "\u0002" }] },
      {},
      "1 18",
    ],
    [
      "a name twice",
      {
        text: "a",
        attributes: [
          { name: "n", type: "String", text: "1" },
          { name: "n", type: "String", text: "2" },
        ],
      },
      {},
      "1 19",
    ],
    ["a trace header too long", { text: "a", traceHeader: big }, {}, "1 20"],
  ])("%s", (_, broken, queue, expected) => {
    const d = driver({ ...queue, messageBytesMax: 1024 });
    const sound = { text: "sound", ...(queue.fifo ? { groupId: "g", deduplicationId: "s" } : {}) };
    const outcome = d.publish(d.openPublisher(), "main", bytesOf(1, [broken, sound]));
    expect(outcome).toMatchObject({ code: "done", number: 3, failures: [expected] });
    expect(drained(d).map((each) => Buffer.from(each.body).toString())).toEqual(["sound"]);
  });

  test.each(["0", "-1.5", "+.5", "1e-9", "12.", "9".repeat(38), "1E126", "1e-128"])("%s is a number", (value) => {
    const d = driver();
    const attributes = [{ name: "n", type: "Number", text: value }];
    expect(d.publish(d.openPublisher(), "main", bytesOf(1, [{ text: "a", attributes }])).failures).toEqual([]);
  });

  test("a FIFO queue that makes the ID from the body needs none", () => {
    const d = driver({ fifo: true, contentBased: true });
    const messages = [
      { text: "a", groupId: "g" },
      { text: "a", groupId: "g" },
    ];
    d.publish(d.openPublisher(), "main", bytesOf(1, messages));
    expect(d.liveMessages).toBe(1);
  });
});

describe("numbers", () => {
  const producer = Buffer.from("0123456789abcdef");
  const three = [{ text: "a" }, { text: "" }, { text: "c" }];

  test("what has been seen is not sent again; what broke a rule is named again", () => {
    const d = driver();
    const publisher = d.openPublisher();
    expect(d.publish(publisher, "main", bytesOf(1, three))).toMatchObject({ number: 4, failures: ["2 1"] });
    expect(d.publish(publisher, "main", bytesOf(2, [...three.slice(1), { text: "d" }]))).toMatchObject({
      number: 5,
      failures: ["2 1"],
    });
    expect(drained(d).map((each) => Buffer.from(each.body).toString())).toEqual(["a", "c", "d"]);
  });

  test("a number left out stops everything from there on", () => {
    const d = driver();
    const publisher = d.openPublisher();
    expect(d.publish(publisher, "main", bytesOf(2, three))).toMatchObject({ code: "gap", number: 2 });
    expect(d.liveMessages).toBe(0);
    expect(d.lastPublished(publisher, "main")).toBe(0);
  });

  test("a producer is remembered for five minutes, through a restart, on each queue by itself", () => {
    const d = new StreamDriver([{ ...STANDARD, name: "other" }, STANDARD]);
    d.publish(d.openPublisher(producer), "main", bytesOf(1, three));
    d.advanceTo(299_000);
    expect(d.lastPublished(d.openPublisher(producer), "main")).toBe(3);
    d.restart();
    const again = d.openPublisher(producer);
    expect(d.lastPublished(again, "main")).toBe(3);
    expect(d.lastPublished(d.openPublisher(producer), "other")).toBe(0);
    expect(d.lastPublished(d.openPublisher(Buffer.from("0123456789abcdeX")), "main")).toBe(0);
    d.publish(again, "main", bytesOf(1, [...three, { text: "d" }]));
    expect(d.counts("main").visible).toBe(3);
    d.advanceTo(299_000 + 300_000);
    expect(d.lastPublished(d.openPublisher(producer), "main")).toBe(0);
  });

  describe("what the log has of a Publish when the power goes is never sent again", () => {
    const bodies = (d: StreamDriver) => drained(d).map((each) => Buffer.from(each.body).toString());

    test.each([
      ["a few messages", [{ text: "a" }, { text: "b" }, { text: "c" }]],
      ["some that break a rule among them", [{}, { text: "a" }, {}, {}, { text: "b" }, { text: "c" }, {}]],
      [
        "so many that they take three segments",
        Array.from({ length: 30 }, (_, i) => ({ text: `${i}-`.padEnd(1500, "x") })),
      ],
    ])("%s", (_, messages) => {
      const start = () => {
        const d = driver();
        d.publish(d.openPublisher(producer), "main", bytesOf(1, [{ text: "before" }]));
        const position = d.core.headPosition;
        d.publish(d.openPublisher(producer), "main", bytesOf(2, messages));
        return { d, ends: [position, ...d.recordEnds(position)] };
      };
      const texts = ["before", ...messages.flatMap((each) => ("text" in each ? [each.text] : []))];
      for (const end of start().ends) {
        const { d } = start();
        d.restart(end);
        const again = d.openPublisher(producer);
        // Its client sends again what was not confirmed to it; and once more.
        expect(d.publish(again, "main", bytesOf(2, messages)).code).toBe("done");
        expect(d.publish(again, "main", bytesOf(2, messages)).code).toBe("done");
        d.index();
        d.restart();
        expect(d.lastPublished(d.openPublisher(producer), "main")).toBe(messages.length + 1);
        expect(bodies(d)).toEqual(texts);
      }
    });

    test("whatever has become of its segments", () => {
      const messages = Array.from({ length: 100 }, (_, i) => ({ text: `${i}-`.padEnd(1000, "x") }));
      const d = driver();
      d.publish(d.openPublisher(producer), "main", bytesOf(1, messages));
      for (let round = 0; round < 4; round++) {
        if (round % 2 === 0) d.index();
        else for (let place = 0; d.reclaim(place); place++) if (place === 8) break;
        d.restart();
        const again = d.openPublisher(producer);
        expect(d.lastPublished(again, "main")).toBe(100);
        d.publish(again, "main", bytesOf(1, messages));
        expect(d.counts("main").visible).toBe(100);
      }
    });
  });

  test("a frame of more messages than one call takes, or than the tail has room for, goes on where it stopped", () => {
    const d = driver();
    const many = Array.from({ length: 2500 }, (_, i) => ({ text: `${i}-${"x".repeat(2000)}` }));
    const outcome = d.publish(d.openPublisher(producer, true), "main", bytesOf(1, many));
    expect(outcome).toMatchObject({ code: "done", number: 2501, failures: [] });
    expect(outcome.published.map((each) => each.number)).toEqual(many.map((_, i) => i + 1));
    expect(new Set(outcome.published.map((each) => Buffer.from(each.id).toString("hex"))).size).toBe(2500);
    expect(drained(d).map((each) => Buffer.from(each.body).toString())).toEqual(many.map((each) => each.text));
  });
});
