// Looking at messages through the broker: pages, bodies from memory and from the log, a queue that changes meanwhile.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { OpenedBroker } from "../../src/broker/open.ts";
import type { PeekCursor, PeekOptions, PeekResult, Queue } from "../../src/broker/types.ts";
import { create, find, openAt, outgoing, purge, receive, receiveAll, remove, send } from "../support/open-broker.ts";

let directory: string;
let opened: OpenedBroker;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "peek-"));
  opened = await openAt(directory);
});

afterEach(async () => {
  await opened.close();
  rmSync(directory, { recursive: true });
});

async function restart(): Promise<void> {
  await opened.close();
  opened = await openAt(directory);
}

function peek(queue: Queue, options: Partial<PeekOptions> = {}): Promise<PeekResult> {
  const all = { held: false, delayed: false, from: undefined, countMax: 1000, bytesMax: 8_000_000, ...options };
  return new Promise((resolve) => opened.broker.peek(queue, all, resolve));
}

/** Every page's bodies, shortened to what stands before the first space. */
async function pages(queue: Queue, options: Partial<PeekOptions> = {}): Promise<string[][]> {
  const found: string[][] = [];
  let from: PeekCursor | undefined;
  do {
    const result = await peek(queue, { ...options, from });
    if (result.status !== "ok") throw new Error(result.status);
    found.push(result.messages.map(({ body }) => body.split(" ")[0] as string));
    from = result.next;
  } while (from !== undefined);
  return found;
}

const BIG = "x".repeat(5_000);
const many = (count: number) => Array.from({ length: count }, (_, i) => `m${i}`);

async function fill(queue: Queue, count: number): Promise<void> {
  for (let i = 0; i < count; i += 10) {
    const names = many(count).slice(i, i + 10);
    await send(
      opened.broker,
      queue,
      names.map((name) => outgoing(`${name} ${BIG}`)),
    );
  }
}

test("bodies come from the log after a restart, over several segments, and everything is as it was", async () => {
  await fill(await create(opened.broker, "q"), 300); // 1.5 MB: six segments
  expect(await pages(find(opened.broker, "q"))).toEqual([many(300)]);
  await restart();
  const queue = find(opened.broker, "q");
  expect(await pages(queue)).toEqual([many(300)]);
  expect(await pages(queue, { countMax: 128 })).toEqual([
    many(300).slice(0, 128),
    many(300).slice(128, 256),
    many(300).slice(256),
  ]);
  const byBytes = await pages(queue, { bytesMax: 100_000 });
  expect(byBytes.flat()).toEqual(many(300));
  expect(byBytes.slice(0, -1).every((page) => page.length >= 18 && page.length <= 20)).toBe(true);
  expect(opened.broker.counts(queue)).toEqual({ visible: 300, inFlight: 0, delayed: 0 });
  const received = await receiveAll(opened.broker, queue);
  expect(received.map(({ receiveCount }) => receiveCount)).toEqual(many(300).map(() => 1));
});

test("held, visible, delayed: in this order, each with its place, and pages go from one into the next", async () => {
  const queue = await create(opened.broker, "q");
  for (const name of ["a", "b", "c"]) await send(opened.broker, queue, [outgoing(name)]);
  await send(opened.broker, queue, [{ ...outgoing("d"), delayMs: 900_000 }]);
  await receive(opened.broker, queue, 2);
  const result = await peek(queue, { held: true, delayed: true });
  if (result.status !== "ok") throw new Error(result.status);
  expect(result.messages.map(({ body, place, receiveCount }) => [body, place, receiveCount])).toEqual([
    ["a", "inFlight", 1],
    ["b", "inFlight", 1],
    ["c", "visible", 0],
    ["d", "delayed", 0],
  ]);
  expect(result.messages[0]).not.toHaveProperty("receiptHandle");
  const one = { held: true, delayed: true, countMax: 1 };
  expect((await pages(queue, one)).filter((page) => page.length > 0)).toEqual([["a"], ["b"], ["c"], ["d"]]);
  expect(await pages(queue)).toEqual([["c"]]);
  expect(await pages(queue, { delayed: true })).toEqual([["c", "d"]]);
});

test("a place that is no more is told; a queue that goes, too", async () => {
  const queue = await create(opened.broker, "q");
  await send(opened.broker, queue, [outgoing("a"), outgoing("b")]);
  const first = await peek(queue, { countMax: 1 });
  if (first.status !== "ok" || first.next === undefined) throw new Error("one of two");
  await receive(opened.broker, queue, 2);
  expect(await peek(queue, { from: first.next })).toEqual({ status: "lost" });
  await purge(opened.broker, queue);
  expect(await peek(queue, { from: first.next })).toEqual({ status: "lost" });
  expect(await pages(queue, { held: true })).toEqual([[]]);
  await new Promise<void>((done) => opened.broker.deleteQueue(queue, done));
  expect(await peek(queue)).toEqual({ status: "queueGone" });
});

test("a look at bodies on disk goes on while messages are deleted, the queue is purged and segments are given up", async () => {
  await fill(await create(opened.broker, "q"), 200);
  await restart();
  const queue = find(opened.broker, "q");
  const looking = peek(queue);
  const received = await receive(opened.broker, queue, 10);
  if (received.status !== "ok") throw new Error(received.status);
  await remove(
    opened.broker,
    queue,
    received.messages.map(({ receiptHandle }) => receiptHandle),
  );
  const seen = await looking;
  if (seen.status !== "ok") throw new Error(seen.status);
  const names = seen.messages.map(({ body }) => body.split(" ")[0] as string);
  expect(names).toEqual(many(200).filter((name) => names.includes(name)));
  expect(names.length).toBeGreaterThanOrEqual(190);

  const during = peek(queue);
  await purge(opened.broker, queue);
  expect(await during).toEqual({ status: "ok", messages: [], next: undefined });
});

test("looks come one after the other, and one that is given up answers nobody", async () => {
  const queue = await create(opened.broker, "q");
  await send(opened.broker, queue, [outgoing("a")]);
  const told: string[] = [];
  const all = { held: true, delayed: true, from: undefined, countMax: 10, bytesMax: 1000 };
  const give = opened.broker.peek(queue, all, () => told.push("first"));
  opened.broker.peek(queue, all, () => told.push("second"));
  give();
  await peek(queue);
  expect(told).toEqual(["second"]);
});
