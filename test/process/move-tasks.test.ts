// kill -9 while messages are moved: every one of them is in one of the two queues, once, and the task goes on by itself.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type BrokerProcess, call, startBroker } from "../support/broker-process.ts";

const MESSAGE_COUNT = 10_000; // some forty pieces
const CONNECTIONS = 8;
const arn = (name: string): string => `arn:aws:sqs:us-east-1:000000000000:${name}`;

let directory = "";
let broker: BrokerProcess;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "wasq-moves-"));
  broker = await startBroker(directory);
  await ok("CreateQueue", { QueueName: "dead" });
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: arn("dead"), maxReceiveCount: 1 });
  await ok("CreateQueue", { QueueName: "main", Attributes: { RedrivePolicy } });
  await inParallel(async (worker) => {
    for (let i = worker * 10; i < MESSAGE_COUNT; i += CONNECTIONS * 10) {
      const Entries = Array.from({ length: 10 }, (_, k) => ({ Id: `e${k}`, MessageBody: `message ${i + k}` }));
      await ok("SendMessageBatch", { QueueUrl: "dead", Entries });
    }
  });
}, 60_000);

afterEach(async () => {
  await broker.stop("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

// biome-ignore lint/suspicious/noExplicitAny: JSON of the wire
async function ok(action: string, input: object): Promise<any> {
  const { status, body } = await call(broker.endpoint, action, input);
  expect(status, `${action} ${JSON.stringify(body)}`).toBe(200);
  return body;
}

async function inParallel(work: (worker: number) => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: CONNECTIONS }, (_, worker) => work(worker)));
}

async function killAndRestart(): Promise<void> {
  await broker.stop("SIGKILL");
  broker = await startBroker(directory);
}

async function visibleCount(QueueUrl: string): Promise<number> {
  const AttributeNames = ["ApproximateNumberOfMessages"];
  const { Attributes } = await ok("GetQueueAttributes", { QueueUrl, AttributeNames });
  return Number(Attributes.ApproximateNumberOfMessages);
}

async function newestTask(): Promise<{ Status: string; TaskHandle: string; ApproximateNumberOfMessagesMoved: number }> {
  const { Results } = await ok("ListMessageMoveTasks", { SourceArn: arn("dead") });
  return Results[0];
}

async function drain(QueueUrl: string): Promise<string[]> {
  const bodies: string[] = [];
  await inParallel(async () => {
    for (;;) {
      const { Messages } = await ok("ReceiveMessage", { QueueUrl, MaxNumberOfMessages: 10, VisibilityTimeout: 600 });
      if (Messages === undefined) return;
      for (const { Body } of Messages) bodies.push(Body);
    }
  });
  return bodies;
}

const ALL = Array.from({ length: MESSAGE_COUNT }, (_, i) => `message ${i}`).sort();
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test("a task at its rate goes on after every kill, from the message at which it was", async () => {
  await ok("StartMessageMoveTask", {
    SourceArn: arn("dead"),
    DestinationArn: arn("main"),
    MaxNumberOfMessagesPerSecond: 500,
  });
  let movedCount = 0;
  for (let cycle = 0; cycle < 5; cycle++) {
    await sleep(100 + cycle * 23);
    movedCount = (await newestTask()).ApproximateNumberOfMessagesMoved;
    // To list is to look, and may see what the disk has not; an acknowledgement after it says that it has.
    await ok("TagQueue", { QueueUrl: "main", Tags: { cycle: `${cycle}` } });
    await killAndRestart();
    // It moves on while it is looked at: what is in the queue lies between what it tells before and after.
    const before = await newestTask();
    const visible = await visibleCount("main");
    const after = await newestTask();
    expect(before.Status).toBe("RUNNING");
    expect(before.ApproximateNumberOfMessagesMoved).toBeGreaterThanOrEqual(movedCount);
    expect(visible).toBeGreaterThanOrEqual(before.ApproximateNumberOfMessagesMoved);
    expect(visible).toBeLessThanOrEqual(after.ApproximateNumberOfMessagesMoved);
  }
  expect(movedCount).toBeGreaterThan(100);
  const { TaskHandle } = await newestTask();
  const cancelled = await ok("CancelMessageMoveTask", { TaskHandle });
  await killAndRestart();
  expect(await newestTask()).toMatchObject({ Status: "CANCELLED", ...cancelled });
  expect(await visibleCount("main")).toBe(cancelled.ApproximateNumberOfMessagesMoved);
  expect([...(await drain("dead")), ...(await drain("main"))].sort()).toEqual(ALL);
}, 60_000);

test("a task without a rate: killed anywhere, it loses nothing and doubles nothing", async () => {
  const places = ["dead", "main"];
  let interrupted = 0;
  for (let cycle = 0; cycle < 8; cycle++) {
    // There and back: main is a dead-letter queue too, so that it can be a source.
    const [from = "", to = ""] = cycle % 2 === 0 ? places : [...places].reverse();
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: arn(from), maxReceiveCount: 1_000 });
    await ok("SetQueueAttributes", { QueueUrl: to, Attributes: { RedrivePolicy } });
    await ok("SetQueueAttributes", { QueueUrl: from, Attributes: { RedrivePolicy: "" } });
    await ok("StartMessageMoveTask", { SourceArn: arn(from), DestinationArn: arn(to) });
    await sleep(cycle);
    await killAndRestart();
    if ((await visibleCount(from)) > 0) interrupted++;
    for (;;) {
      const { Results } = await ok("ListMessageMoveTasks", { SourceArn: arn(from) });
      if (Results[0].Status === "COMPLETED") {
        expect(Results[0].ApproximateNumberOfMessagesMoved).toBe(MESSAGE_COUNT);
        break;
      }
      expect(Results[0].Status).toBe("RUNNING");
      await sleep(5);
    }
    expect(await visibleCount(from)).toBe(0);
    expect(await visibleCount(to)).toBe(MESSAGE_COUNT);
  }
  expect(interrupted).toBeGreaterThan(0);
  expect((await drain("dead")).sort()).toEqual(ALL);
}, 60_000);
