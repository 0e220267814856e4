// Connections that are dead, or as good as: it takes the broker half a minute to say so, and all of them the same one.
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connect, type Json } from "../support/bare-stream.ts";
import { type BrokerProcess, call, startBroker } from "../support/broker-process.ts";

let directory: string;
let broker: BrokerProcess;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "wasq-streams-"));
  broker = await startBroker(directory);
});
afterAll(async () => {
  await broker.stop("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A WebSocket of our own making: it answers no ping, and reads as much as it is told to. */
async function raw(envelopes: readonly object[]): Promise<{ socket: Socket; endedMs: () => number | undefined }> {
  const socket = connectTcp(Number(new URL(broker.endpoint).port), "127.0.0.1");
  await new Promise((resolve) => socket.once("connect", resolve));
  socket.write(
    "GET /stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
      `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\nSec-WebSocket-Protocol: wasq.v1.json\r\n\r\n`,
  );
  await new Promise((resolve) => socket.once("data", resolve));
  const payload = Buffer.from(envelopes.map((each) => JSON.stringify(each)).join("\n"));
  const head = Buffer.from([0x81, 0xfe, payload.byteLength >> 8, payload.byteLength & 255, 0, 0, 0, 0]);
  socket.write(Buffer.concat([head, payload]));
  const startMs = performance.now();
  let endedMs: number | undefined;
  const end = () => {
    endedMs ??= performance.now() - startMs;
  };
  socket.on("close", end);
  socket.on("error", end);
  return { socket, endedMs: () => endedMs };
}

const rssMiB = () =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${broker.child.pid as number}/status`, "utf8"))?.[1]) / 1024;

test("half-open connections, readers of nothing and of a byte a second: bounded, cut, and nobody else is slowed", async () => {
  for (const QueueName of ["dead", "stuck", "slow", "quick"]) await call(broker.endpoint, "CreateQueue", { QueueName });
  const credit = { messages: 1000, bytes: 200_000_000 };
  const opening = (queue: string) => [
    { id: 1, hello: { graceMs: 0 } },
    { id: 2, subscribe: { subscription: 1, queue, credit } },
  ];
  const dead = await raw(opening("dead"));
  const stuck = await raw(opening("stuck"));
  const slow = await raw(opening("slow"));
  dead.socket.resume();
  stuck.socket.pause();
  slow.socket.pause();
  const reading = setInterval(() => slow.socket.read(1), 1_000);

  const quick = await connect(broker.endpoint);
  let pushed: Json[] = [];
  quick.onPush = (envelope) => pushed.push(envelope);
  await quick.ask({
    subscribe: { subscription: 1, queue: "quick", credit: { messages: 100, bytes: 10_000_000, auto: true } },
  });
  await quick.ask({ openPublisher: { publisher: 1, queue: "quick" } });
  await quick.ask({ openPublisher: { publisher: 2, queue: "stuck" } });
  await quick.ask({ openPublisher: { publisher: 3, queue: "slow" } });
  const before = rssMiB();
  const large = "x".repeat(1_000_000);
  for (let first = 1; first <= 40; first++) {
    for (const publisher of [2, 3]) {
      quick.send({ publish: { publisher, first, messages: [{ text: large }] } });
      while (!pushed.some(({ confirm }) => confirm?.publisher === publisher && confirm.number >= first)) await sleep(2);
    }
    pushed = [];
  }
  // 80 MB were published: what of them is on its way to the two is a few mebibytes, the rest is in their queues.
  const visible = async (name: string) => {
    const input = {
      QueueUrl: `${broker.endpoint}/000000000000/${name}`,
      AttributeNames: ["ApproximateNumberOfMessages"],
    };
    return Number(
      (await call(broker.endpoint, "GetQueueAttributes", input)).body.Attributes.ApproximateNumberOfMessages,
    );
  };
  expect(await visible("stuck")).toBeGreaterThan(25);
  expect(await visible("slow")).toBeGreaterThan(25);
  expect(rssMiB() - before).toBeLessThan(160); // the core's tail and read cache are most of it

  quick.send({ publish: { publisher: 1, first: 1, messages: [{ text: "there" }] } });
  const sentMs = performance.now();
  while (!pushed.some(({ deliver }) => deliver)) await sleep(1);
  expect(performance.now() - sentMs).toBeLessThan(5_000);

  // Who reads nothing does not notice its end either: that what it had went back is the sign.
  while (dead.endedMs() === undefined || (await visible("stuck")) < 40) {
    expect(performance.now() - sentMs).toBeLessThan(55_000);
    await sleep(100);
  }
  clearInterval(reading);
  expect(dead.endedMs()).toBeGreaterThan(20_000);
  quick.socket.terminate();
  slow.socket.destroy();
}, 90_000);
