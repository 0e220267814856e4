// The way through the core for whole requests: whatever it takes, it answers as the actions do.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { OpenedBroker } from "../../src/broker/open.ts";
import { createDirect } from "../../src/sqs/direct.ts";
import type { Client, Direct, DirectReply, Handle, SqsRequest } from "../../src/sqs/exchange.ts";
import { createSqs } from "../../src/sqs/index.ts";
import { jsonReply } from "../../src/sqs/json.ts";
import { openAt } from "../support/open-broker.ts";
import { type Json, jsonRequest, NO_REQUEST, parseJson } from "../support/sqs-client.ts";

type Way = "direct" | "actions";

let directory: string;
let opened: OpenedBroker;
let direct: Direct;
let handle: Handle;
const faults: unknown[] = [];

async function open(): Promise<void> {
  opened = await openAt(directory);
  const answering = {
    account: "000000000000",
    defaultRegion: "us-east-1",
    onFault: (error: unknown) => faults.push(error),
  };
  direct = createDirect(opened.broker, opened.direct, answering);
  handle = createSqs(opened.broker, { ...answering, clock: opened.clock });
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "wasq-direct-"));
  await open();
});
afterAll(async () => {
  await opened.close();
  rmSync(directory, { recursive: true });
  expect(faults).toEqual([]);
});

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

/** As an HTTP request: what waited for the disk is a success. */
function clientOf(answer: (reply: DirectReply) => void): Client {
  return {
    text: "",
    answer,
    release() {
      answer(jsonReply(this.text));
    },
  };
}

/** @returns undefined when the direct way does not take it */
function ask(way: Way, action: string, input: unknown): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const request: SqsRequest = { ...NO_REQUEST, ...jsonRequest(action, input) };
    const answer = (reply: { status: number; contentType: string; body: string | Uint8Array }): void => {
      const text = typeof reply.body === "string" ? reply.body : Buffer.from(reply.body).toString();
      resolve({ status: reply.status, contentType: reply.contentType, text });
    };
    if (way === "actions") handle(request, answer);
    else if (direct(request, clientOf(answer)) === false) resolve(undefined);
  });
}

async function call(way: Way, action: string, input: unknown): Promise<Json> {
  const answer = await ask(way, action, input);
  if (answer?.status !== 200) throw new Error(`${action}, ${way}: ${answer?.status} ${answer?.text}`);
  return answer.text === "" ? {} : parseJson(answer.text);
}

let queueNumber = 0;
let urls: Record<Way, string>;

/** Two queues alike, one for each way. */
async function createQueues(attributes: Record<string, string> = {}): Promise<void> {
  queueNumber++;
  const create = async (way: Way) => {
    const name = `${way}-${queueNumber}${attributes["FifoQueue"] === "true" ? ".fifo" : ""}`;
    const { QueueUrl } = await call("actions", "CreateQueue", { QueueName: name, Attributes: attributes });
    return String(QueueUrl);
  };
  urls = { direct: await create("direct"), actions: await create("actions") };
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/g;

/** What must differ between two answers, evened out. */
function even(text: string | undefined): string | undefined {
  return text
    ?.replaceAll(UUID, "<id>")
    .replaceAll(/"1\d{19}"/g, '"<sequence>"')
    .replaceAll(/"ReceiptHandle":"w[A-Za-z0-9_-]{27}"/g, '"ReceiptHandle":"<handle>"')
    .replaceAll(/Timestamp":"\d{13}"/g, 'Timestamp":"<ms>"');
}

async function expectAlike(action: string, input: (url: string) => unknown): Promise<Answer> {
  const ours = await ask("direct", action, input(urls.direct));
  const theirs = await ask("actions", action, input(urls.actions));
  expect(ours, "taken").toBeDefined();
  expect({ ...ours, text: even(ours?.text) }).toEqual({ ...theirs, text: even(theirs?.text) });
  return ours as Answer;
}

const EVERYTHING = {
  MaxNumberOfMessages: 10,
  VisibilityTimeout: 0,
  MessageSystemAttributeNames: ["All"],
  MessageAttributeNames: ["All"],
};

async function expectSameMessages(): Promise<void> {
  await expectAlike("ReceiveMessage", (QueueUrl) => ({ QueueUrl, ...EVERYTHING }));
}

// --- texts -----------------------------------------------------------------------------------------------------------

/** JSON of the value with white space, and escapes in bodies, as `choices` say. Elsewhere escapes are the actions' to read. */
function spell(value: unknown, choices: Iterator<number>): string {
  const choice = () => choices.next().value as number;
  const space = () => ["", "", "", " ", "\n", "\t\r "][choice() % 6] as string;
  const body = (of: string) => {
    let spelled = "";
    for (const unit of of.split("")) {
      const plain = JSON.stringify(unit).slice(1, -1);
      const escaped = `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
      spelled += choice() % 5 === 0 ? escaped : unit === "/" && choice() % 2 === 0 ? "\\/" : plain;
    }
    return `"${spelled}"`;
  };
  const members = Object.entries(value as Json).sort(() => (choice() % 2 === 0 ? 1 : -1));
  const spelled = members.map(([name, each]) => {
    const text = name === "MessageBody" ? body(String(each)) : JSON.stringify(each);
    return `"${name}"${space()}:${space()}${text}${space()}`;
  });
  return `${space()}{${space()}${spelled.join(`,${space()}`)}}${space()}`;
}

function* endless(numbers: readonly number[]): Iterator<number> {
  for (let i = 0; ; i++) yield numbers[i % numbers.length] ?? 0;
}

const allowed = fc
  .string({ unit: "binary", minLength: 1, maxLength: 80 })
  .map((text) => text.replace(/[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "~"));
const body = fc.oneof(allowed, fc.string({ minLength: 250, maxLength: 300 }), fc.json());
const identifier = fc.string({ minLength: 1, maxLength: 20 }).map((text) => text.replace(/[^!-~]|["\\]/g, "x"));
const styles = fc.array(fc.nat(1000), { minLength: 1, maxLength: 40 });

// --- tests -----------------------------------------------------------------------------------------------------------

describe("sends", () => {
  beforeEach(() => createQueues());

  test.each([
    ["a body", { MessageBody: "hello" }],
    ["one of another alphabet, with quotes, lines and a pair of surrogates", { MessageBody: 'ж "x"\r\n\\ \u{1F980}' }],
    ["one that the host digests", { MessageBody: "x".repeat(2000) }],
    ["a delay of none", { MessageBody: "now", DelaySeconds: 0 }],
    ["a group", { MessageBody: "fair", MessageGroupId: "tenant-1" }],
  ])("%s", async (_what, input) => {
    await expectAlike("SendMessage", (QueueUrl) => ({ QueueUrl, ...input }));
    await expectSameMessages();
  });

  test("go to the queue they name, in whatever order queues are asked for", async () => {
    const all: string[] = [];
    for (let i = 0; i < 3; i++) {
      await createQueues();
      all.push(urls.direct);
    }
    const order = [0, 1, 1, 2, 0, 2, 2, 1, 0];
    for (const [i, at] of order.entries()) {
      await call("direct", "SendMessage", { QueueUrl: all[at], MessageBody: `${at} ${i}` });
    }
    for (const [at, url] of all.entries()) {
      const { Messages } = (await call("direct", "ReceiveMessage", { QueueUrl: url, MaxNumberOfMessages: 10 })) as {
        Messages: { Body: string }[];
      };
      const expected = order.flatMap((to, i) => (to === at ? [`${at} ${i}`] : []));
      expect(Messages.map(({ Body }) => Body).sort()).toEqual(expected);
    }
  });

  test("a delay", async () => {
    await expectAlike("SendMessage", (QueueUrl) => ({ QueueUrl, MessageBody: "later", DelaySeconds: 900 }));
    const input = { QueueUrl: urls.direct, AttributeNames: ["ApproximateNumberOfMessagesDelayed"] };
    expect(await call("actions", "GetQueueAttributes", input)).toEqual({
      Attributes: { ApproximateNumberOfMessagesDelayed: "1" },
    });
  });

  test("a batch", async () => {
    const Entries = Array.from({ length: 10 }, (_, i) => ({ Id: `e-${i}_`, MessageBody: `body ${i} "é"` }));
    const { text } = await expectAlike("SendMessageBatch", (QueueUrl) => ({ QueueUrl, Entries }));
    expect(parseJson(text)).toMatchObject({ Successful: Entries.map(({ Id }) => ({ Id })) });
    await expectSameMessages();
  });

  test("a batch of bodies of all sizes, whoever digests them", async () => {
    const sizes = [1, 55, 56, 64, 256, 257, 1_000, 16_384, 16_385, 300];
    const Entries = sizes.map((size, i) => ({ Id: String(i), MessageBody: String(i).repeat(size) }));
    await expectAlike("SendMessageBatch", (QueueUrl) => ({ QueueUrl, Entries }));
    await expectSameMessages();
  });

  test("any plain message, however it is spelled", async () => {
    await fc.assert(
      fc.asyncProperty(body, fc.option(identifier, { nil: undefined }), styles, async (MessageBody, group, numbers) => {
        const input = { MessageBody, ...(group === undefined ? {} : { MessageGroupId: group }) };
        await expectAlike("SendMessage", (QueueUrl) => spell({ ...input, QueueUrl }, endless(numbers)));
        const { Messages } = (await call("direct", "ReceiveMessage", { QueueUrl: urls.direct })) as {
          Messages: { Body: string; ReceiptHandle: string }[];
        };
        expect(Messages[0]?.Body).toBe(MessageBody);
        for (const QueueUrl of Object.values(urls)) await call("actions", "PurgeQueue", { QueueUrl });
      }),
      { numRuns: 150 },
    );
  });

  test.each([
    ["no body", { QueueUrl: "" }],
    ["an empty body", { MessageBody: "" }],
    ["a character that no message has", { MessageBody: "a\u0000b" }],
    ["half a pair", '{"QueueUrl":"@","MessageBody":"\\ud83e"}'],
    ["a character that is none", '{"QueueUrl":"@","MessageBody":"\\uffff"}'],
    ["an unknown member", { MessageBody: "x", Surprise: 1 }],
    ["a member of another type", { MessageBody: 1 }],
    ["an explicit null", { MessageBody: "x", DelaySeconds: null }],
    ["attributes", { MessageBody: "x", MessageAttributes: { a: { DataType: "String", StringValue: "b" } } }],
    ["a body twice", '{"QueueUrl":"@","MessageBody":"x","MessageBody":"y"}'],
    ["a URL twice", '{"QueueUrl":"@","QueueUrl":"@","MessageBody":"y"}'],
    ["too long a delay", { MessageBody: "x", DelaySeconds: 901 }],
    ["a delay in parts", '{"QueueUrl":"@","MessageBody":"x","DelaySeconds":1.0}'],
    ["a delay of an odd spelling", '{"QueueUrl":"@","MessageBody":"x","DelaySeconds":01}'],
    ["a deduplication ID on a standard queue", { MessageBody: "x", MessageDeduplicationId: "d" }],
    ["a group with a space", { MessageBody: "x", MessageGroupId: "a b" }],
    ["a comma too many", '{"QueueUrl":"@","MessageBody":"x",}'],
    ["something behind it", '{"QueueUrl":"@","MessageBody":"x"} {}'],
    ["a zero byte behind it", '{"QueueUrl":"@","MessageBody":"x"}\u0000'],
    ["no end", '{"QueueUrl":"@","MessageBody":"x'],
    ["nothing", ""],
    ["no object", "[]"],
    ["another queue", '{"QueueUrl":"http://localhost/000000000000/nobody","MessageBody":"x"}'],
    ["a body that is not UTF-8", Buffer.from('{"QueueUrl":"@","MessageBody":"\xff"}', "latin1")],
  ])("what has %s is for the actions, and nothing has been done", async (_what, input) => {
    const filled = (way: Way): unknown => {
      if (input instanceof Buffer) return Buffer.from(input.toString("latin1").replace("@", urls[way]), "latin1");
      return typeof input === "string" ? input.replaceAll("@", urls[way]) : { QueueUrl: urls[way], ...input };
    };
    const request = { ...NO_REQUEST, ...jsonRequest("SendMessage", "") };
    const text = filled("direct");
    const bytes = text instanceof Buffer ? text : Buffer.from(typeof text === "string" ? text : JSON.stringify(text));
    const answer = () => expect.unreachable("no answer");
    expect(direct({ ...request, body: bytes }, clientOf(answer))).toBe(false);
    const left = await call("actions", "ReceiveMessage", { QueueUrl: urls.direct });
    expect(left).toEqual({});
  });

  test("a batch with any of its rules broken is for the actions", async () => {
    const entry = { Id: "a", MessageBody: "x" };
    const batches: unknown[] = [
      [],
      Array.from({ length: 11 }, (_, i) => ({ Id: `${i}`, MessageBody: "x" })),
      [entry, entry],
      [{ ...entry, Id: "" }],
      [{ ...entry, Id: "a b" }],
      [{ ...entry, Id: "a".repeat(81) }],
      [{ MessageBody: "x" }],
      [entry, { Id: "b" }],
      [entry, { Id: "b", MessageBody: "" }],
      {},
    ];
    for (const Entries of batches) {
      expect(await ask("direct", "SendMessageBatch", { QueueUrl: urls.direct, Entries })).toBeUndefined();
    }
    expect(await call("actions", "ReceiveMessage", { QueueUrl: urls.direct })).toEqual({});
  });

  test("a message longer than the queue takes is for the actions", async () => {
    await createQueues({ MaximumMessageSize: "1024" });
    const send = (size: number) =>
      ask("direct", "SendMessage", { QueueUrl: urls.direct, MessageBody: "é".repeat(size / 2) });
    expect(await send(1024)).toBeDefined();
    expect(await send(1026)).toBeUndefined();
  });

  test("bytes changed at random are taken only for what JSON.parse makes of them", async () => {
    const input = JSON.stringify({
      QueueUrl: urls.direct,
      MessageBody: 'b "é" \n',

      MessageGroupId: "g",
    });
    const original = Buffer.from(input);
    const start = input.indexOf("MessageBody"); // another URL may be another queue's
    let takenCount = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: start, max: original.length - 1 }), fc.nat(255)), {
          minLength: 1,
          maxLength: 3,
        }),
        async (changes) => {
          const bytes = Buffer.from(original);
          for (const [at, byte] of changes) bytes[at] = byte;
          const request = { ...NO_REQUEST, ...jsonRequest("SendMessage", ""), body: bytes };
          const answered = await new Promise<string | false>((resolve) => {
            const answer = ({ body: text }: { body: string | Uint8Array }) => resolve(String(text));
            if (direct(request, clientOf(answer)) === false) resolve(false);
          });
          if (answered === false) return;
          takenCount++;
          const { MessageBody } = parseJson(new TextDecoder("utf8", { fatal: true }).decode(bytes));
          const { Messages } = (await call("actions", "ReceiveMessage", { QueueUrl: urls.direct })) as {
            Messages: { Body: string; ReceiptHandle: string }[];
          };
          expect(Messages[0]?.Body).toBe(MessageBody);
          const ReceiptHandle = Messages[0]?.ReceiptHandle;
          await call("actions", "DeleteMessage", { QueueUrl: urls.direct, ReceiptHandle });
        },
      ),
      { numRuns: 2000 },
    );
    expect(takenCount).toBeGreaterThan(10);
  });
});

describe("FIFO sends", () => {
  test("carry their group, and a sequence number in the answer", async () => {
    await createQueues({ FifoQueue: "true" });
    const message = { MessageBody: "x", MessageGroupId: "g", MessageDeduplicationId: "d" };
    await expectAlike("SendMessage", (QueueUrl) => ({ QueueUrl, ...message }));
    await expectAlike("SendMessage", (QueueUrl) => ({ QueueUrl, ...message, MessageBody: "again" }));
    const Entries = ["a", "b"].map((Id) => ({ ...message, Id, MessageDeduplicationId: Id, DelaySeconds: 0 }));
    await expectAlike("SendMessageBatch", (QueueUrl) => ({ QueueUrl, Entries }));
    await expectSameMessages();
  });

  test("may leave the deduplication ID to the body's hash, where the queue says so", async () => {
    const message = { MessageBody: "x", MessageGroupId: "g" };
    await createQueues({ FifoQueue: "true" });
    expect(await ask("direct", "SendMessage", { QueueUrl: urls.direct, ...message })).toBeUndefined();
    await createQueues({ FifoQueue: "true", ContentBasedDeduplication: "true" });
    for (const size of [1, 1, 5000, 5000]) {
      const MessageBody = "x".repeat(size);
      await expectAlike("SendMessage", (QueueUrl) => ({ QueueUrl, ...message, MessageBody }));
    }
    const Entries = [2, 300, 2, 300, 17_000, 17_000].map((size, i) => ({
      ...message,
      Id: String(i),
      MessageBody: "x".repeat(size),
    }));
    await expectAlike("SendMessageBatch", (QueueUrl) => ({ QueueUrl, Entries }));
    await expectSameMessages();
  });

  test.each([
    ["no group", { MessageBody: "x", MessageDeduplicationId: "d" }],
    ["a delay", { MessageBody: "x", MessageDeduplicationId: "d", MessageGroupId: "g", DelaySeconds: 1 }],
  ])("with %s are for the actions", async (_what, input) => {
    await createQueues({ FifoQueue: "true" });
    expect(await ask("direct", "SendMessage", { QueueUrl: urls.direct, ...input })).toBeUndefined();
  });
});

describe("receives", () => {
  const attributes = {
    "a.name": { DataType: "String", StringValue: 'quoted "é" \r\n' },
    count: { DataType: "Number.int", StringValue: "42" },
    blob: { DataType: "Binary", BinaryValue: Buffer.from([0, 255, 1]).toString("base64") },
    longer: { DataType: "Binary.png", BinaryValue: Buffer.alloc(100, 7).toString("base64") },
  };

  async function sendEverything(): Promise<void> {
    const Entries = [
      { Id: "0", MessageBody: "plain" },
      { Id: "1", MessageBody: '\t"ж"\r\n\\ \u{1F980} \u007f' },
      { Id: "2", MessageBody: "with attributes", MessageAttributes: attributes },
      {
        Id: "3",
        MessageBody: "traced",
        MessageSystemAttributes: { AWSTraceHeader: { DataType: "String", StringValue: "Root=1" } },
      },
      { Id: "4", MessageBody: "of a group", MessageGroupId: 'g!"#' },
    ];
    for (const QueueUrl of Object.values(urls)) await call("actions", "SendMessageBatch", { QueueUrl, Entries });
  }

  test.each([
    ["everything", EVERYTHING],
    ["nothing but the messages", { MaxNumberOfMessages: 10, VisibilityTimeout: 0 }],
    ["one, by default", { VisibilityTimeout: 0 }],
    [
      "some system attributes",
      { MaxNumberOfMessages: 10, VisibilityTimeout: 0, AttributeNames: ["SenderId", "AWSTraceHeader"] },
    ],
    [
      "what no standard message has",
      { MaxNumberOfMessages: 3, VisibilityTimeout: 0, AttributeNames: ["SequenceNumber"] },
    ],
    ["both lists, unknown names among them", { ...EVERYTHING, AttributeNames: ["Nonsense", "SentTimestamp"] }],
    ["all attributes, by the other name", { ...EVERYTHING, MessageAttributeNames: [".*"] }],
    ["empty lists", { ...EVERYTHING, AttributeNames: [], MessageAttributeNames: [], MessageSystemAttributeNames: [] }],
  ])("answer %s as the actions do", async (_what, input) => {
    await createQueues();
    await sendEverything();
    await expectAlike("ReceiveMessage", (QueueUrl) => ({ QueueUrl, ...input }));
  });

  test("of messages that have to be read back from disk answer as the actions do, and as from memory", async () => {
    await createQueues();
    await sendEverything();
    const before = await expectAlike("ReceiveMessage", (QueueUrl) => ({ QueueUrl, ...EVERYTHING }));
    await opened.close();
    await open();
    const after = await expectAlike("ReceiveMessage", (QueueUrl) => ({ QueueUrl, ...EVERYTHING }));
    const counted = before.text.replaceAll('ReceiveCount":"1"', 'ReceiveCount":"2"');
    const bare = (text: string) => even(text)?.replaceAll("<id>", "");
    expect(bare(after.text)).toBe(bare(counted));
    expect(after.text.match(UUID)).toEqual(before.text.match(UUID));
  });

  test("of an empty queue answer with nothing", async () => {
    await createQueues();
    await expectAlike("ReceiveMessage", (QueueUrl) => ({ QueueUrl }));
    await expectAlike("ReceiveMessage", (QueueUrl) => ({ QueueUrl, WaitTimeSeconds: 0, MaxNumberOfMessages: 10 }));
  });

  test("wait, and are answered when a message comes", async () => {
    await createQueues();
    const waiting = expectAlike("ReceiveMessage", (QueueUrl) => ({ QueueUrl, WaitTimeSeconds: 20 }));
    await call("direct", "SendMessage", { QueueUrl: urls.direct, MessageBody: "here" });
    // The other way is asked only when the first has its answer.
    await new Promise(setImmediate);
    await call("direct", "SendMessage", { QueueUrl: urls.actions, MessageBody: "here" });
    await waiting;
  });

  test.each([
    [{ MaxNumberOfMessages: 11 }],
    [{ MaxNumberOfMessages: 0 }],
    [{ VisibilityTimeout: 43_201 }],
    [{ WaitTimeSeconds: 21 }],
    [{ WaitTimeSeconds: -1 }],
    [{ MessageAttributeNames: ["a.*"] }],
    [{ ReceiveRequestAttemptId: "a" }],
    [{ MaxNumberOfMessages: "1" }],
    [{ Surprise: true }],
  ])("with %j are for the actions", async (input) => {
    await createQueues();
    expect(await ask("direct", "ReceiveMessage", { QueueUrl: urls.direct, ...input })).toBeUndefined();
  });

  test("of a redriven message name the queue it came from", async () => {
    await createQueues();
    const { Attributes } = (await call("actions", "GetQueueAttributes", {
      QueueUrl: urls.direct,
      AttributeNames: ["QueueArn"],
    })) as { Attributes: { QueueArn: string } };
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: Attributes.QueueArn, maxReceiveCount: 1 });
    const source = await call("actions", "CreateQueue", {
      QueueName: `source-${queueNumber}`,
      Attributes: { RedrivePolicy },
    });
    const QueueUrl = source["QueueUrl"];
    await call("direct", "SendMessage", { QueueUrl, MessageBody: "poison" });
    await call("direct", "ReceiveMessage", { QueueUrl, VisibilityTimeout: 0 });
    await call("direct", "ReceiveMessage", { QueueUrl });
    const { Messages } = await call("direct", "ReceiveMessage", { QueueUrl: urls.direct, AttributeNames: ["All"] });
    expect(Messages).toMatchObject([
      {
        Body: "poison",
        Attributes: {
          ApproximateReceiveCount: "2",
          DeadLetterQueueSourceArn: `arn:aws:sqs:us-east-1:000000000000:source-${queueNumber}`,
        },
      },
    ]);
  });
});

describe("deletes", () => {
  async function receiveHandles(countMax: number): Promise<string[]> {
    const input = { QueueUrl: urls.direct, MaxNumberOfMessages: countMax };
    const { Messages = [] } = (await call("direct", "ReceiveMessage", input)) as {
      Messages?: { ReceiptHandle: string }[];
    };
    return Messages.map(({ ReceiptHandle }) => ReceiptHandle);
  }

  beforeEach(async () => {
    await createQueues();
    const Entries = Array.from({ length: 10 }, (_, i) => ({ Id: `${i}`, MessageBody: `${i}` }));
    await call("direct", "SendMessageBatch", { QueueUrl: urls.direct, Entries });
  });

  test("delete what they name, one or several, and say so again when it is gone", async () => {
    const [first = "", ...rest] = await receiveHandles(10);
    const one = { QueueUrl: urls.direct, ReceiptHandle: first };
    expect(await ask("direct", "DeleteMessage", one)).toMatchObject({ status: 200, text: "" });
    expect(await ask("direct", "DeleteMessage", one)).toMatchObject({ status: 200, text: "" });
    const Entries = rest.map((ReceiptHandle, i) => ({ Id: `id-${i}`, ReceiptHandle }));
    const batch = { QueueUrl: urls.direct, Entries };
    const answer = await ask("direct", "DeleteMessageBatch", batch);
    expect(answer?.text).toBe((await ask("actions", "DeleteMessageBatch", batch))?.text);
    const counts = { QueueUrl: urls.direct, AttributeNames: ["ApproximateNumberOfMessagesNotVisible"] };
    expect(await call("actions", "GetQueueAttributes", counts)).toEqual({
      Attributes: { ApproximateNumberOfMessagesNotVisible: "0" },
    });
  });

  test("with a handle that is none, or another queue's, are for the actions; nothing of the batch is done", async () => {
    const [first = "", second = ""] = await receiveHandles(2);
    const broken = `${second.slice(0, 5)}${second[5] === "A" ? "B" : "A"}${second.slice(6)}`;
    for (const ReceiptHandle of ["", "x", broken, "x".repeat(27), `${second}x`]) {
      const input = { QueueUrl: urls.direct, ReceiptHandle };
      expect(await ask("direct", "DeleteMessage", input)).toBeUndefined();
      const Entries = [
        { Id: "a", ReceiptHandle: first },
        { Id: "b", ReceiptHandle },
      ];
      expect(await ask("direct", "DeleteMessageBatch", { QueueUrl: urls.direct, Entries })).toBeUndefined();
    }
    expect(await ask("direct", "DeleteMessage", { QueueUrl: urls.actions, ReceiptHandle: first })).toBeUndefined();
    const counts = { QueueUrl: urls.direct, AttributeNames: ["ApproximateNumberOfMessagesNotVisible"] };
    expect(await call("actions", "GetQueueAttributes", counts)).toEqual({
      Attributes: { ApproximateNumberOfMessagesNotVisible: "2" },
    });
  });
});
