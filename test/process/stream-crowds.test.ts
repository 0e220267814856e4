// Very many connections at once, in the real process: ten thousand that do nothing, and thousands that come back in the
// same moment.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { connect, type Json } from "../support/bare-stream.ts";
import { type BrokerProcess, call, startBroker } from "../support/broker-process.ts";
import { RawStream } from "../support/raw-stream.ts";

const IDLE_COUNT = 10_000;
const STAMPEDE_COUNT = 2_000;
const OPENING_COUNT = 250; // on their way at once where nothing is to be shown by more: fewer than the listener's backlog
const OTHER_FILES_COUNT = 500; // that the two processes have open besides
const IDLE_BYTES_MAX = 100_000_000; // of the broker's memory, for all of the idle ones

let directory: string;
let broker: BrokerProcess;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "wasq-crowds-"));
  broker = await startBroker(directory, { port: await freePort() });
});
afterEach(async () => {
  if (broker.child.exitCode === null) await broker.stop("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

/** A port to be named: the system gives one that it chose itself to nobody again while it remembers connections. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 3000; i++) {
    if (await isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("it has not come to be so");
}

/** How many files a process may have open; Node raises its own limit as far as it is allowed to. */
function filesMax(): number {
  if (process.platform !== "linux") return Number.POSITIVE_INFINITY;
  const soft = /^Max open files +(\S+)/m.exec(readFileSync("/proc/self/limits", "latin1"))?.[1];
  return soft === "unlimited" ? Number.POSITIVE_INFINITY : Number(soft);
}

/** The broker's resident memory, 0 where the system does not tell. */
function residentBytes(): number {
  if (process.platform !== "linux") return 0;
  const status = readFileSync(`/proc/${broker.child.pid}/status`, "latin1");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

async function counts(name: string): Promise<{ visible: number; inFlight: number }> {
  const { body } = await call(broker.endpoint, "GetQueueAttributes", {
    QueueUrl: `${broker.endpoint}/000000000000/${name}`,
    AttributeNames: ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
  });
  const { ApproximateNumberOfMessages: visible, ApproximateNumberOfMessagesNotVisible: inFlight } = body.Attributes;
  return { visible: Number(visible), inFlight: Number(inFlight) };
}

/** A client that publishes to a queue of its own and gets back what it published, one message after the other, meanwhile. */
async function bystander(): Promise<{ finish(): Promise<void> }> {
  await call(broker.endpoint, "CreateQueue", { QueueName: "quiet" });
  const stream = await connect(broker.endpoint);
  const bodies: string[] = [];
  let next = 1;
  const publish = () => stream.send({ publish: { publisher: 1, first: next, messages: [{ text: `m${next++}` }] } });
  let isOver = false;
  stream.onPush = ({ deliver }: Json) => {
    if (!deliver) return;
    for (const { text } of deliver.messages) bodies.push(text);
    stream.send({ ack: { subscription: 1, deliveries: [{ first: deliver.first }] } });
    if (!isOver) publish();
  };
  const credit = { messages: 10, bytes: 1_000_000, auto: true };
  await stream.ask({ openPublisher: { publisher: 1, queue: "quiet" } });
  await stream.ask({ subscribe: { subscription: 1, queue: "quiet", credit } });
  publish();
  return {
    async finish() {
      const before = bodies.length;
      await until(() => bodies.length > before);
      isOver = true;
      await until(() => bodies.length === next - 1);
      expect(bodies).toEqual(Array.from({ length: next - 1 }, (_, i) => `m${i + 1}`));
      stream.socket.terminate();
    },
  };
}

test(`${IDLE_COUNT} idle subscriptions, a connection each, cost less than 100 MB, and nobody waits for them`, async (context) => {
  if (filesMax() < IDLE_COUNT + OTHER_FILES_COUNT) {
    context.skip(`${filesMax()} open files are allowed: ulimit -n ${IDLE_COUNT + OTHER_FILES_COUNT}`);
  }
  await call(broker.endpoint, "CreateQueue", { QueueName: "work" });
  const opening = {
    subscribe: { subscription: 1, queue: "work", credit: { messages: 1, bytes: 1_000 } },
  };
  const delivered: string[] = [];
  const ended: string[] = [];
  const streams: RawStream[] = [];
  const beforeBytes = residentBytes();
  while (streams.length < IDLE_COUNT) {
    const opened = Array.from({ length: OPENING_COUNT }, () => RawStream.connect(broker.endpoint));
    for (const { stream } of await Promise.all(opened)) {
      stream.onPush = ({ deliver, subscriptionEnded }) => {
        for (const { text } of deliver?.messages ?? []) delivered.push(text);
        if (subscriptionEnded) ended.push(subscriptionEnded.code);
      };
      streams.push(stream);
    }
    await Promise.all(streams.slice(-OPENING_COUNT).map((stream) => stream.ask(opening)));
  }
  expect(residentBytes() - beforeBytes).toBeLessThan(IDLE_BYTES_MAX);

  // Whoever has nothing to do with them does not notice them.
  const other = await bystander();
  await other.finish();

  // Each has credit for one message, and gets one.
  const sender = await connect(broker.endpoint);
  await sender.ask({ openPublisher: { publisher: 1, queue: "work" } });
  const messages = Array.from({ length: IDLE_COUNT + 1 }, (_, i) => ({ text: `m${i}` }));
  sender.send({ publish: { publisher: 1, first: 1, messages: messages.slice(0, 1) } });
  await until(() => delivered.length === 1);
  for (let first = 1; first <= IDLE_COUNT; first += 1_000) {
    sender.send({ publish: { publisher: 1, first: first + 1, messages: messages.slice(first, first + 1_000) } });
  }
  await until(() => delivered.length === IDLE_COUNT);
  expect(new Set(delivered).size).toBe(IDLE_COUNT);
  expect(await counts("work")).toEqual({ visible: 1, inFlight: IDLE_COUNT });

  // And all of them are told when the queue goes.
  await call(broker.endpoint, "DeleteQueue", { QueueUrl: `${broker.endpoint}/000000000000/work` });
  await until(() => ended.length === IDLE_COUNT);
  expect(new Set(ended)).toEqual(new Set(["QUEUE_DELETED"]));
  expect(streams.every(({ closeCode }) => closeCode === undefined)).toBe(true);
  for (const stream of streams) stream.cut();
  sender.socket.terminate();
  expect((await call(broker.endpoint, "ListQueues", {})).status).toBe(200);
});

interface Member {
  readonly stream: RawStream;
  readonly welcome: Json;
  readonly deliveries: { number: number; text: string }[];
}

/** All of them come in the same moment. */
async function stampede(hellos: readonly object[]): Promise<Member[]> {
  return Promise.all(
    hellos.map(async (hello) => {
      const { stream, welcome } = await RawStream.connect(broker.endpoint, hello);
      const deliveries: Member["deliveries"] = [];
      stream.onPush = ({ deliver }) => {
        (deliver?.messages ?? []).forEach(({ text }: Json, i: number) => {
          deliveries.push({ number: deliver.first + i, text });
        });
      };
      return { stream, welcome, deliveries };
    }),
  );
}

/** Sessions that have a message each, and the confirmed texts of those. */
async function working(): Promise<{ members: Member[]; texts: string[] }> {
  await call(broker.endpoint, "CreateQueue", { QueueName: "work" });
  const members = await stampede(Array.from({ length: STAMPEDE_COUNT }, () => ({ graceMs: 30_000 })));
  await subscribeAll(members);
  const sender = await connect(broker.endpoint);
  const texts = members.map((_, i) => `m${i}`);
  let confirmed = 0;
  sender.onPush = ({ confirm }) => {
    confirmed = confirm?.number ?? confirmed;
  };
  await sender.ask({ openPublisher: { publisher: 1, queue: "work" } });
  sender.send({ publish: { publisher: 1, first: 1, messages: texts.map((text) => ({ text })) } });
  await until(() => confirmed === STAMPEDE_COUNT && members.every(({ deliveries }) => deliveries.length === 1));
  sender.socket.terminate();
  return { members, texts };
}

async function subscribeAll(members: readonly Member[]): Promise<void> {
  const credit = { messages: 1, bytes: 1_000, auto: true };
  const subscribe = { subscription: 1, queue: "work", visibilityMs: 1_000, credit };
  await Promise.all(members.map(({ stream }) => stream.ask({ subscribe })));
}

const tokens = (members: readonly Member[]) =>
  members.map(({ welcome }) => ({ sessionToken: welcome.sessionToken, graceMs: 30_000 }));

test(`${STAMPEDE_COUNT} sessions are cut and come back at once: each goes on where it was, and nothing comes twice`, async () => {
  const { members, texts } = await working();
  const other = await bystander();
  for (const { stream } of members) stream.cut();
  const back = await stampede(tokens(members));
  for (const { welcome } of back) {
    expect(welcome.resumed).toBe(true);
    expect(welcome.subscriptions).toEqual([{ subscription: 1, outstanding: [{ first: 1 }], last: 1 }]);
  }
  // One more for each of them, in the same moment as they grant their credit again.
  for (const { stream } of back) {
    stream.send({ credit: { subscription: 1, messages: 2, bytes: 1_000, auto: true, beyond: 1 } });
  }
  for (let i = 0; i < STAMPEDE_COUNT; i += 10) {
    const Entries = texts.slice(i, i + 10).map((text) => ({ Id: text, MessageBody: `again-${text}` }));
    const QueueUrl = `${broker.endpoint}/000000000000/work`;
    expect((await call(broker.endpoint, "SendMessageBatch", { QueueUrl, Entries })).body.Successful).toHaveLength(10);
  }
  await until(() => back.every(({ deliveries }) => deliveries.length === 1));
  expect(back.map(({ deliveries }) => deliveries[0]?.text).sort()).toEqual(texts.map((text) => `again-${text}`).sort());
  const settled = await Promise.all(
    back.map(({ stream }) => stream.ask({ ack: { subscription: 1, deliveries: [{ first: 1, last: 2 }] } })),
  );
  expect(settled.every(({ count }) => count === 2)).toBe(true);
  expect(await counts("work")).toEqual({ visible: 0, inFlight: 0 });
  await other.finish();
  for (const { stream } of back) stream.cut();
});

test(`${STAMPEDE_COUNT} sessions come to a broker that was killed and started again: all are let in, and nothing is lost`, async () => {
  const { members, texts } = await working();
  const port = Number(new URL(broker.endpoint).port);
  await broker.stop("SIGKILL");
  await Promise.all(members.map(({ stream }) => stream.closed));
  broker = await startBroker(directory, { port });
  const back = await stampede(tokens(members));
  expect(back.some(({ welcome }) => welcome.resumed)).toBe(false);
  const known = new Set(members.map(({ welcome }) => welcome.sessionToken));
  expect(back.some(({ welcome }) => known.has(welcome.sessionToken))).toBe(false);
  await subscribeAll(back);
  const other = await bystander();
  // What was out comes again when its visibility timeout is over, one to each, and once.
  await until(() => back.every(({ deliveries }) => deliveries.length === 1));
  expect(back.map(({ deliveries }) => deliveries[0]?.text).sort()).toEqual([...texts].sort());
  const settled = await Promise.all(
    back.map(({ stream }) => stream.ask({ ack: { subscription: 1, deliveries: [{ first: 1 }] } })),
  );
  expect(settled.every(({ count }) => count === 1)).toBe(true);
  expect(await counts("work")).toEqual({ visible: 0, inFlight: 0 });
  await other.finish();
  for (const { stream } of back) stream.cut();
});
