// Who waits for the disk is not kept waiting by what nobody waits for: a receive on a plain standard queue goes to disk with
// what comes after it, or some milliseconds later. The broker on a disk of its own, in virtual time.
import { afterEach, beforeEach, expect, test } from "vitest";
import type { OpenedBroker } from "../../src/broker/open.ts";
import type { Queue, QueueSettings } from "../../src/broker/types.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import { create, find, openOn, outgoing, receive, remove, STANDARD, send } from "../support/open-broker.ts";
import { VirtualLoop } from "../support/virtual-loop.ts";

let loop: VirtualLoop;
let uninstall: () => void;
let disk: FakeDisk;
let opened: OpenedBroker;

beforeEach(async () => {
  loop = new VirtualLoop();
  uninstall = loop.install();
  disk = new FakeDisk();
  opened = await loop.until(openOn(disk));
});

afterEach(async () => {
  await loop.until(opened.close());
  uninstall();
});

/** Writes to the log's segments so far. */
const writeCount = (): number => disk.calls.filter((call) => call.startsWith("write seg")).length;

async function filled(settings: QueueSettings = STANDARD): Promise<Queue> {
  const queue = await loop.until(create(opened.broker, settings.fifo ? "q.fifo" : "q", settings));
  const fifo = settings.fifo ? { groupId: "g", deduplicationId: "d" } : undefined;
  await loop.until(send(opened.broker, queue, [outgoing("body", fifo)]));
  await loop.run(loop.nowMs + 1_000);
  return queue;
}

async function received(queue: Queue): Promise<string[]> {
  const result = await loop.until(receive(opened.broker, queue));
  return result.status === "ok" ? result.messages.map((each) => each.receiptHandle) : [];
}

test("a receive is answered before anything is written, and on disk a few milliseconds later", async () => {
  const queue = await filled();
  const before = writeCount();
  expect(await received(queue)).toHaveLength(1);
  expect(writeCount()).toBe(before);
  await loop.run(loop.nowMs + 3);
  expect(writeCount()).toBe(before);
  await loop.run(loop.nowMs + 1);
  expect(writeCount()).toBe(before + 1);
});

test("a delete that comes meanwhile takes it along: one write for both", async () => {
  const queue = await filled();
  const before = writeCount();
  const handles = await received(queue);
  const startMs = loop.nowMs;
  await loop.until(remove(opened.broker, queue, handles));
  expect(loop.nowMs).toBe(startMs);
  expect(writeCount()).toBe(before + 1);
  await loop.run(loop.nowMs + 100);
  expect(writeCount()).toBe(before + 1);
});

test("a flush takes it along, too", async () => {
  const queue = await filled();
  const before = writeCount();
  await received(queue);
  const startMs = loop.nowMs;
  await loop.until(opened.flush());
  expect(loop.nowMs).toBe(startMs);
  expect(writeCount()).toBe(before + 1);
});

test("a kill before that costs a redelivery, and no message", async () => {
  expect(await received(await filled())).toHaveLength(1);
  disk.kill();
  loop.clear();
  opened = await loop.until(openOn(disk));
  expect(await loop.until(receive(opened.broker, find(opened.broker, "q")))).toMatchObject({
    status: "ok",
    messages: [{ receiveCount: 1 }],
  });
});

test("on a FIFO queue it is written before it is answered", async () => {
  const queue = await filled({ ...STANDARD, fifo: true });
  const before = writeCount();
  expect(await received(queue)).toHaveLength(1);
  expect(writeCount()).toBe(before + 1);
});
