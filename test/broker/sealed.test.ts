// Queues with a key of their own: what is on disk of them, whom that is read back for, and what happens without the key.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { OpenedBroker } from "../../src/broker/open.ts";
import { SteadyClock } from "../../src/broker/steady-clock.ts";
import type { Outgoing, Queue, QueueSettings, Received } from "../../src/broker/types.ts";
import { Keyring } from "../../src/keys/keyring.ts";
import { type GeneratedKey, KeyError, type KeyProvider } from "../../src/keys/provider.ts";
import { NodeDisk } from "../../src/log/node-disk.ts";
import { keyringSealer } from "../../src/vault/keyring-file.ts";
import { create, find, openOn, outgoing, receive, remove, STANDARD, send } from "../support/open-broker.ts";

const KEYED: QueueSettings = { ...STANDARD, kmsMasterKeyId: "alias/aws/sqs", sqsManagedSse: false };
const FIFO: QueueSettings = { ...KEYED, fifo: true };
const SECRET = "nobody-may-read-this";

/** The local keyring behind a line that can be cut, and that counts who calls. */
class CutKeyring implements KeyProvider {
  readonly #keyring = new Keyring({ version: 1, keys: [] }, Buffer.alloc(32, 9), keyringSealer(Buffer.alloc(32, 9)));
  isCut = false;
  generateCount = 0;
  unwrapCount = 0;

  async generate(keyId: string, account: string): Promise<GeneratedKey> {
    this.generateCount++;
    this.#check();
    return this.#keyring.generate(keyId, account);
  }
  async unwrap(wrapped: Uint8Array): Promise<Buffer> {
    this.unwrapCount++;
    this.#check();
    return this.#keyring.unwrap(wrapped);
  }
  #check(): void {
    if (this.isCut) throw new KeyError("KmsThrottled", "The line is cut");
  }
}

let directory = "";
let keys = new CutKeyring();
let passedMs = 0;
let opened: OpenedBroker | undefined;
let failures: Error[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "wasq-sealed-"));
  keys = new CutKeyring();
  passedMs = 0;
  failures = [];
});

afterEach(async () => {
  await opened?.close();
  opened = undefined;
  rmSync(directory, { recursive: true });
});

async function start(): Promise<OpenedBroker> {
  const wallMs = Date.now();
  opened = await openOn(new NodeDisk(directory), undefined, {
    keyProvider: keys,
    clock: new SteadyClock(
      () => wallMs,
      () => passedMs,
    ),
    onFatal: (error) => failures.push(error),
  });
  return opened;
}

async function restart(): Promise<OpenedBroker> {
  await opened?.close();
  return start();
}

const queue = (name = "orders"): Queue => find((opened as OpenedBroker).broker, name);
const sendTo = async (name: string, ...messages: Outgoing[]): Promise<string[]> =>
  (await send((opened as OpenedBroker).broker, queue(name), messages)).map((sent) =>
    sent.status === "locked" ? sent.error.code : sent.status,
  );
const receiveFrom = (name: string, waitMs = 0): Promise<Received> =>
  receive((opened as OpenedBroker).broker, queue(name), 10, 30_000, waitMs);
const bodiesOf = (received: Received): unknown =>
  received.status === "ok" ? received.messages.map(({ body }) => body) : received.status;

/** In which of the directory's files the text stands. */
function filesWith(text: string): string[] {
  return readdirSync(directory).filter((name) => {
    if (!name.startsWith("segment")) return false;
    return readFileSync(join(directory, name)).includes(text);
  });
}

test("nothing of a message is on disk, and a restart reads it back", async () => {
  await start();
  await create((opened as OpenedBroker).broker, "orders", KEYED);
  await create((opened as OpenedBroker).broker, "orders.fifo", FIFO);
  await create((opened as OpenedBroker).broker, "plain");
  const attributes = Buffer.from(`${SECRET} in attributes`);
  const whole = {
    ...outgoing(`${SECRET} body`),
    attributes,
    traceHeader: `${SECRET} trace`,
    senderId: `${SECRET} sender`,
  };
  expect(await sendTo("orders", whole, outgoing(""))).toEqual(["sent", "sent"]);
  const fifo = outgoing(`${SECRET} fifo`, { groupId: `${SECRET} group`, deduplicationId: `${SECRET} dedup` });
  expect(await sendTo("orders.fifo", fifo, fifo)).toEqual(["sent", "duplicate"]);
  expect(filesWith(SECRET)).toEqual([]);
  expect(await sendTo("plain", outgoing(`${SECRET} plain`))).toEqual(["sent"]);
  expect(filesWith(`${SECRET} plain`)).toHaveLength(1); // the search finds what there is

  await restart();
  expect(await sendTo("orders.fifo", fifo)).toEqual(["duplicate"]);
  const received = await receiveFrom("orders");
  expect(received.status === "ok" && received.messages[0]).toMatchObject({
    body: `${SECRET} body`,
    bodyMd5: (await import("node:crypto")).hash("md5", `${SECRET} body`),
    traceHeader: `${SECRET} trace`,
    senderId: `${SECRET} sender`,
    receiveCount: 1,
  });
  expect(received.status === "ok" && Buffer.from(received.messages[0]?.attributes ?? []).equals(attributes)).toBe(true);
  expect(bodiesOf(received)).toEqual([`${SECRET} body`, ""]);
  const ordered = await receiveFrom("orders.fifo");
  expect(ordered.status === "ok" && ordered.messages[0]).toMatchObject({
    body: `${SECRET} fifo`,
    groupId: `${SECRET} group`,
    deduplicationId: `${SECRET} dedup`,
  });
  expect(failures).toEqual([]);
});

test("a data key is asked for once a period, however many send, and once more for each period after it", async () => {
  await start();
  await create((opened as OpenedBroker).broker, "orders", { ...KEYED, kmsDataKeyReusePeriodSeconds: 60 });
  await Promise.all(Array.from({ length: 20 }, (_, i) => sendTo("orders", outgoing(`${i}`))));
  passedMs = 59_999;
  await sendTo("orders", outgoing("the last one"));
  expect(keys.generateCount).toBe(1);
  passedMs = 60_000; // the boundary itself is over
  await sendTo("orders", outgoing("the next one"));
  expect(keys.generateCount).toBe(2);
  passedMs = 400_000; // three minutes nobody asked in
  await sendTo("orders", outgoing("again"));
  expect(keys.generateCount).toBe(3);
  expect(keys.unwrapCount).toBe(0);
  await restart();
  const all = [];
  for (let i = 0; i < 3; i++) all.push(...(bodiesOf(await receiveFrom("orders")) as string[]));
  expect(all).toHaveLength(23);
  expect(all).toEqual(expect.arrayContaining(["0", "19", "the last one", "the next one", "again"]));
  expect(keys.unwrapCount).toBe(3); // one for each data key, however many messages
});

test("without the key sends and receives are refused, nothing changes, and all goes on by itself", async () => {
  await start();
  const dead = await create((opened as OpenedBroker).broker, "dead");
  await create((opened as OpenedBroker).broker, "orders", {
    ...KEYED,
    redrive: { deadLetterTargetArn: `arn:aws:sqs:us-east-1:000000000000:${dead.name}`, maxReceiveCount: 1 },
  });
  await create((opened as OpenedBroker).broker, "plain");
  await sendTo("orders", outgoing("first"));
  await sendTo("plain", outgoing("plain"));
  keys.isCut = true;
  passedMs = 100_000;
  expect(await sendTo("orders", outgoing("second"))).toEqual(["sent"]); // its data key is still good
  passedMs = 300_000;
  expect(await sendTo("orders", outgoing("third"), outgoing("fourth"))).toEqual(["KmsThrottled", "KmsThrottled"]);
  expect(bodiesOf(await receiveFrom("plain"))).toEqual(["plain"]);

  await restart(); // while nobody answers
  expect(bodiesOf(await receiveFrom("plain"))).toEqual([]);
  for (let i = 0; i < 5; i++) expect(await receiveFrom("orders")).toMatchObject({ status: "locked" });
  expect((opened as OpenedBroker).broker.counts(queue())).toEqual({ visible: 2, inFlight: 0, delayed: 0 });
  keys.isCut = false;
  const received = await receiveFrom("orders");
  expect(bodiesOf(received)).toEqual(["first", "second"]);
  expect(received.status === "ok" && received.messages.map(({ receiveCount }) => receiveCount)).toEqual([1, 1]);
  expect(await sendTo("orders", outgoing("fifth"))).toEqual(["sent"]);
  expect(failures).toEqual([]);
});

test("a long poll that is woken by what it cannot open counts no receive, and nothing goes to the dead letters", async () => {
  await start();
  const { broker } = opened as OpenedBroker;
  const dead = await create(broker, "dead");
  const redrive = { deadLetterTargetArn: `arn:aws:sqs:us-east-1:000000000000:${dead.name}`, maxReceiveCount: 1 };
  await create(broker, "orders", { ...KEYED, redrive });
  const delayed = { ...outgoing("delayed"), delayMs: 60_000 };
  await sendTo("orders", delayed, delayed);
  await restart(); // so that what is delayed must be read back, and opened
  keys.isCut = true;
  passedMs = 50_000;
  const polls = [receiveFrom("orders", 20_000), receiveFrom("orders", 20_000)];
  passedMs = 60_000;
  (opened as OpenedBroker).broker.counts(queue()); // time is looked at
  expect(await Promise.all(polls)).toMatchObject([{ status: "locked" }, { status: "locked" }]);
  expect((opened as OpenedBroker).broker.counts(queue())).toEqual({ visible: 2, inFlight: 0, delayed: 0 });
  await restart();
  keys.isCut = false;
  const received = await receiveFrom("orders");
  expect(received.status === "ok" && received.messages.map(({ receiveCount }) => receiveCount)).toEqual([1, 1]);
  expect(failures).toEqual([]);
});

test("a FIFO queue's poll without the key may be tried again with its attempt ID", async () => {
  await start();
  await create((opened as OpenedBroker).broker, "orders.fifo", FIFO);
  const poll = (waitMs: number): Promise<Received> =>
    receive((opened as OpenedBroker).broker, queue("orders.fifo"), 10, 30_000, waitMs, "an attempt");
  await sendTo("orders.fifo", outgoing("first", { groupId: "g", deduplicationId: "1" }));
  expect(bodiesOf(await receive((opened as OpenedBroker).broker, queue("orders.fifo"), 10, 10_000))).toEqual(["first"]);
  await restart();
  keys.isCut = true;
  const polled = poll(20_000);
  passedMs = 10_000;
  (opened as OpenedBroker).broker.counts(queue("orders.fifo"));
  expect(await polled).toMatchObject({ status: "locked" });
  keys.isCut = false;
  const again = await poll(0);
  expect(again.status === "ok" && again.messages).toMatchObject([{ body: "first", receiveCount: 2 }]);
});

test("a stream that ends while it waits for the key counts no receive of what it was never sent", async () => {
  await start();
  const { broker } = opened as OpenedBroker;
  const dead = await create(broker, "dead");
  const redrive = { deadLetterTargetArn: `arn:aws:sqs:us-east-1:000000000000:${dead.name}`, maxReceiveCount: 2 };
  await create(broker, "orders", { ...KEYED, redrive });
  await sendTo("orders", outgoing("first"), outgoing("second"));
  await restart();
  keys.isCut = true;
  const rules = { clientId: 1, visibilityMs: 30_000, processingMs: 60_000, batchMessages: 10, lingerMs: 0 };
  for (let i = 0; i < 5; i++) {
    const { streams, flush } = opened as OpenedBroker;
    const listener = { frame: () => {}, ended: () => {} };
    const asked = keys.unwrapCount;
    const subscription = streams.subscribe(queue(), { ...rules, fields: 0xffff, groupInFlight: 10 }, listener);
    if (subscription === undefined) throw new Error("there is memory");
    subscription.setCredit(10, 1_000_000, 0, false, () => {});
    await vi.waitFor(() => expect(keys.unwrapCount).toBeGreaterThan(asked));
    await flush();
    await new Promise((done) => setImmediate(done));
    if (i % 2 === 0) subscription.detach();
    subscription.close();
  }
  expect((opened as OpenedBroker).broker.counts(queue())).toEqual({ visible: 2, inFlight: 0, delayed: 0 });
  keys.isCut = false;
  const received = await receiveFrom("orders");
  expect(received.status === "ok" && received.messages.map(({ receiveCount }) => receiveCount)).toEqual([1, 1]);
  await restart();
  expect((opened as OpenedBroker).broker.counts(queue())).toEqual({ visible: 0, inFlight: 2, delayed: 0 });
  expect(failures).toEqual([]);
});

test("what is written again because its segment is given up stays sealed, needs no key for that, and is read back", async () => {
  await start();
  await create((opened as OpenedBroker).broker, "orders", KEYED);
  await create((opened as OpenedBroker).broker, "filler");
  await sendTo("orders", outgoing(`${SECRET} kept`));
  await sendTo("orders", outgoing(`${SECRET} kept, too`));
  const segments = () => readdirSync(directory).filter((name) => name.startsWith("segment"));
  const [first] = segments();
  await restart();
  keys.isCut = true;
  for (let i = 0; i < 60; i++) {
    await sendTo("filler", outgoing("x".repeat(30_000)));
    const received = await receiveFrom("filler");
    if (received.status !== "ok") throw new Error(received.status);
    const handles = received.messages.map(({ receiptHandle }) => receiptHandle);
    await remove((opened as OpenedBroker).broker, queue("filler"), handles);
  }
  await vi.waitFor(() => expect(segments()).not.toContain(first), { timeout: 10_000 });
  expect(filesWith(SECRET)).toEqual([]);
  expect(await receiveFrom("orders")).toMatchObject({ status: "locked" });
  keys.isCut = false;
  expect(bodiesOf(await receiveFrom("orders"))).toEqual([`${SECRET} kept`, `${SECRET} kept, too`]);
  expect(failures).toEqual([]);
});

test("a message keeps its seal where it goes; a queue's new settings are for new messages", async () => {
  await start();
  const { broker } = opened as OpenedBroker;
  const dead = await create(broker, "dead");
  await create(broker, "orders", {
    ...KEYED,
    redrive: { deadLetterTargetArn: `arn:aws:sqs:us-east-1:000000000000:${dead.name}`, maxReceiveCount: 1 },
  });
  await sendTo("orders", outgoing(`${SECRET} of old`));
  await receiveFrom("orders");
  passedMs = 31_000;
  broker.counts(queue());
  expect(bodiesOf(await receiveFrom("orders"))).toEqual([]); // now a dead letter
  await new Promise<void>((done) => broker.setQueue(queue(), STANDARD, new Map(), done));
  await sendTo("orders", outgoing("in the open now"));
  expect([filesWith(SECRET), filesWith("in the open now").length]).toEqual([[], 1]);
  await restart();
  keys.isCut = true;
  expect(bodiesOf(await receiveFrom("orders"))).toEqual(["in the open now"]);
  expect(await receiveFrom("dead")).toMatchObject({ status: "locked" });
  keys.isCut = false;
  passedMs += 31_000;
  expect(bodiesOf(await receiveFrom("dead"))).toEqual([`${SECRET} of old`]);
});

test("a changed byte of a sealed message is damage, with its place, and nothing is guessed", async () => {
  await start();
  await create((opened as OpenedBroker).broker, "orders", KEYED);
  await sendTo("orders", outgoing("x".repeat(4_000)));
  await sendTo("orders", outgoing("whatever comes after it"));
  await (opened as OpenedBroker).flush();
  const name = join(directory, filesWith("alias/aws/sqs")[0] ?? "");
  const bytes = readFileSync(name);
  const at = bytes.indexOf("alias/aws/sqs") + 2_000; // amid the first message
  await restart();
  bytes[at] = (bytes[at] as number) ^ 1;
  writeFileSync(name, bytes);
  let answered = false;
  void receiveFrom("orders").then(() => {
    answered = true;
  });
  await vi.waitFor(() => expect(failures).toHaveLength(1));
  expect(failures[0]?.message).toMatch(/^Cannot read a message: segment 1 is damaged at offset \d+/);
  expect(answered).toBe(false);
});
