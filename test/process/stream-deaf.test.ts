// Clients that never read what they are told, and frames that are none, in the real process: they are closed with a code
// that says why, the broker's memory stays within its bounds, what was sent is there, and nobody else notices.
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { connect, type Json } from "../support/bare-stream.ts";
import { type BrokerProcess, call, startBroker } from "../support/broker-process.ts";
import { RawStream } from "../support/raw-stream.ts";

const MiB = 1024 * 1024;

let directory: string;
let broker: BrokerProcess;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "wasq-deaf-"));
  broker = await startBroker(directory);
  for (const QueueName of ["work", "quiet"]) await call(broker.endpoint, "CreateQueue", { QueueName });
});
afterEach(async () => {
  await broker.stop("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The broker's resident memory, 0 where the system does not tell. */
function residentBytes(): number {
  if (process.platform !== "linux") return 0;
  const status = readFileSync(`/proc/${broker.child.pid}/status`, "latin1");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

async function visible(): Promise<number> {
  const { body } = await call(broker.endpoint, "GetQueueAttributes", {
    QueueUrl: `${broker.endpoint}/000000000000/work`,
    AttributeNames: ["ApproximateNumberOfMessages"],
  });
  return Number(body.Attributes.ApproximateNumberOfMessages);
}

/** How many messages are in the queue when no more come. */
async function settledCount(): Promise<number> {
  for (let before = -1; ; ) {
    const now = await visible();
    if (now === before) return now;
    before = now;
    await sleep(200);
  }
}

interface Case {
  readonly options?: object;
  /** Sent first. */
  readonly requests?: readonly object[];
  readonly publishes: number;
  readonly messages: number; // of each
  readonly text: string;
  readonly code: number;
}

/** Its answer is as long as can be: one number over and over is told each time. */
const unheard = { ack: { subscription: 1, deliveries: Array(10_000).fill({ first: 1 }) } };

test.each<[string, Case]>([
  ["asks for IDs", { options: { wantsIds: true }, publishes: 150, messages: 10_000, text: "x", code: 4421 }],
  ["breaks rules", { publishes: 100, messages: 5_000, text: "", code: 4421 }],
  [
    "has asked much, and sends on",
    // Its answers fill what the network and the broker buffer: no Confirm goes out any more.
    { requests: Array(32).fill(unheard), publishes: 60, messages: 1, text: "x".repeat(100_000), code: 4414 },
  ],
])("one that %s is closed, and what it sent is there", async (_, { options, requests = [], publishes, ...each }) => {
  const producer = randomUUID();
  const { stream: deaf } = await RawStream.connect(broker.endpoint, { graceMs: 0 });
  let told = 0;
  deaf.onPush = ({ confirm }) => {
    told = confirm?.number ?? told;
  };
  await deaf.ask({ openPublisher: { publisher: 1, queue: "work", producer, ...options } });
  await deaf.ask({ subscribe: { subscription: 1, queue: "quiet" } });

  // Somebody else publishes and consumes meanwhile, one message for each Publish.
  const other = await connect(broker.endpoint);
  const bodies: string[] = [];
  other.onPush = ({ deliver }: Json) => {
    for (const { text } of deliver?.messages ?? []) bodies.push(text);
  };
  await other.ask({ openPublisher: { publisher: 1, queue: "quiet" } });
  await other.ask({
    subscribe: { subscription: 1, queue: "quiet", credit: { messages: 1_000, bytes: 1_000_000 } },
  });

  const beforeBytes = residentBytes();
  deaf.socket.pause();
  requests.forEach((request, i) => {
    deaf.send({ id: 1_000 + i, ...request });
  });
  const messages = Array.from({ length: each.messages }, () => ({ text: each.text }));
  for (let i = 0; i < publishes; i++) {
    deaf.send({ publish: { publisher: 1, first: 1 + i * each.messages, messages } });
    other.send({ publish: { publisher: 1, first: 1 + i, messages: [{ text: `m${i}` }] } });
    while (bodies.length <= i) await sleep(1);
  }
  expect(bodies).toEqual(Array.from({ length: publishes }, (_each, i) => `m${i}`));
  const there = await settledCount();
  expect(residentBytes() - beforeBytes).toBeLessThan(260 * MiB); // messages, the log's tail and what is read back of it

  deaf.socket.resume(); // now it reads what was on its way and, if it comes in time, why it was closed
  expect([each.code, 1006]).toContain(await deaf.closed);
  expect(there).toBeLessThan(publishes * each.messages);
  // What it was told of is there, and its producer is known as far as it was taken: sending on from there adds nothing twice.
  const again = await connect(broker.endpoint);
  const { confirmed } = await again.ask({ openPublisher: { publisher: 1, queue: "work", producer } });
  expect(confirmed).toBeGreaterThanOrEqual(told);
  expect(there).toBe(each.text === "" ? 0 : confirmed);
  again.socket.terminate();
  other.socket.terminate();
});

test("one that sends pings on and on, and reads no pong, is closed, and holds no memory", async () => {
  const { stream: deaf } = await RawStream.connect(broker.endpoint);
  deaf.socket.pause();
  const beforeBytes = residentBytes();
  const pings = Buffer.concat(Array.from({ length: 8_000 }, () => RawStream.frame(0x89, Buffer.alloc(125, "x"))));
  let hasEnded = false;
  deaf.socket.on("error", () => {
    hasEnded = true;
  });
  for (let i = 0; i < 100 && !hasEnded; i++) {
    // A hundred mebibytes; who has been closed takes no more of them.
    if (!deaf.socket.write(pings)) await Promise.race([once(deaf.socket, "drain").catch(() => {}), sleep(500)]);
    if (deaf.socket.writableLength > 4 * MiB) break;
  }
  expect(residentBytes() - beforeBytes).toBeLessThan(64 * MiB);
  deaf.socket.resume();
  expect([4421, 1006]).toContain(await deaf.closed);
  expect((await call(broker.endpoint, "ListQueues", {})).status).toBe(200);
});

test.each<[string, (deaf: RawStream) => void]>([
  [
    "in fragments, beyond 16 MiB",
    (deaf) => {
      deaf.socket.write(RawStream.frame(0x01, Buffer.alloc(MiB, "x")));
      for (let i = 0; i < 40; i++) deaf.socket.write(RawStream.frame(0x00, Buffer.alloc(MiB, "x")));
    },
  ],
  ["of a kind that WebSockets do not have", (deaf) => deaf.socket.write(RawStream.frame(0x83, Buffer.alloc(1)))],
  ["said to be compressed", (deaf) => deaf.socket.write(RawStream.frame(0xc1, Buffer.from("x")))],
  ["that continues nothing", (deaf) => deaf.socket.write(RawStream.frame(0x80, Buffer.from("x")))],
  ["of text that is not UTF-8", (deaf) => deaf.socket.write(RawStream.frame(0x81, Buffer.from([0xff, 0xfe])))],
  ["of control that is too long", (deaf) => deaf.socket.write(RawStream.frame(0x89, Buffer.alloc(200)))],
])("a frame %s ends its connection, and nobody else's", async (_, send) => {
  const other = await connect(broker.endpoint);
  const { stream } = await RawStream.connect(broker.endpoint);
  send(stream);
  expect([1002, 1006, 1007, 1009, 4400]).toContain(await stream.closed);
  expect(await other.ask({ unsubscribe: { subscription: 1 } })).toBe("NOT_FOUND");
  other.socket.terminate();
});
