// Messages whose records have left the tail: read back in pieces, in order, whatever else happens to the log meanwhile.
import { afterEach, expect, test, vi } from "vitest";
import type { OpenedBroker } from "../../src/broker/open.ts";
import type { Delivered, Outgoing } from "../../src/broker/types.ts";
import { RECORD_BYTES_MAX, SEGMENT_HEADER_BYTES } from "../../src/limits.ts";
import { segmentName } from "../../src/log/segment.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import { create, find, openOn, outgoing, purge, receive, receiveAll, remove, send } from "../support/open-broker.ts";

const MiB = 1024 * 1024;
const SEGMENT_BYTES = 4 * MiB;
const TAIL_BYTES = 2 * RECORD_BYTES_MAX + MiB; // as small as one message of any size allows

let opened: OpenedBroker | undefined;
let disk = new FakeDisk();
let failures: Error[] = [];

afterEach(async () => {
  await opened?.close();
  opened = undefined;
});

async function start(more: { readonly tailBytes?: number; readonly cacheBytes?: number } = {}): Promise<OpenedBroker> {
  failures = [];
  opened = await openOn(disk, undefined, {
    segmentBytes: SEGMENT_BYTES,
    tailBytes: TAIL_BYTES,
    ...more,
    onFatal: (error) => failures.push(error),
  });
  return opened;
}

/** A fresh disk; nothing of what is there after a restart is in the tail. */
async function restart(): Promise<OpenedBroker> {
  await opened?.close();
  const again = await start();
  disk.calls.length = 0;
  return again;
}

async function sendAll(name: string, messages: readonly Outgoing[]): Promise<void> {
  const { broker } = opened as OpenedBroker;
  for (let i = 0; i < messages.length; i += 10) {
    const results = await send(broker, find(broker, name), messages.slice(i, i + 10));
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set(["sent"]));
  }
}

const bodyOf = (i: number, bytes: number): string => `${i} `.padEnd(bytes, String.fromCharCode(97 + (i % 26)));
const many = (count: number, bytes: number, first = 0): Outgoing[] =>
  Array.from({ length: count }, (_, i) => outgoing(bodyOf(first + i, bytes)));
const readCount = (): number => disk.calls.filter((call) => call.startsWith("read segment")).length;
const numbers = (messages: readonly Delivered[]): number[] => messages.map(({ body }) => Number.parseInt(body, 10));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

test("a backlog is read back in pieces, and most receives find their message read already", async () => {
  disk = new FakeDisk();
  await start();
  await create((opened as OpenedBroker).broker, "deep");
  await sendAll("deep", many(20_000, 256));
  const { broker } = await restart();
  const bytes = 20_000 * 456;
  let inMemoryCount = 0;
  const messages: Delivered[] = [];
  for (let i = 0; i < 20_000; i++) {
    let answered = false;
    const receiving = receive(broker, find(broker, "deep"), 1);
    receiving.then(() => {
      answered = true;
    });
    await Promise.resolve(); // what is in memory is answered without waiting for anything
    if (answered) inMemoryCount++;
    const received = await receiving;
    if (received.status === "ok") messages.push(...received.messages);
    if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve)); // clients come over sockets
  }
  expect(numbers(messages)).toEqual(upTo(20_000));
  expect(messages.every(({ body }, i) => body === bodyOf(i, 256))).toBe(true);
  expect(readCount()).toBeLessThan(bytes / (200 * 1024) + 20);
  expect(inMemoryCount).toBeGreaterThan(19_900);
}, 60_000);

test("receives that come together share their reads", async () => {
  disk = new FakeDisk();
  await start();
  await create((opened as OpenedBroker).broker, "shared");
  await sendAll("shared", many(300, 100));
  const { broker } = await restart();
  const receiving = Array.from({ length: 30 }, () => receive(broker, find(broker, "shared"), 10));
  const received = await Promise.all(receiving);
  const messages = received.flatMap((each) => (each.status === "ok" ? each.messages : []));
  expect(numbers(messages)).toEqual(upTo(300));
  expect(readCount()).toBeLessThan(12);
});

test("one receive gets ten messages of the largest size, and others in between keep theirs", async () => {
  disk = new FakeDisk();
  await start();
  const { broker: first } = opened as OpenedBroker;
  await create(first, "large");
  await create(first, "small");
  for (let i = 0; i < 20; i++) {
    await sendAll("large", [outgoing(bodyOf(i, MiB))]);
    await sendAll("small", many(100, 300, i * 100));
  }
  const { broker } = await restart();
  const receiving = upTo(20).map((i) => receive(broker, find(broker, i % 10 === 0 ? "large" : "small"), 10));
  const received = await Promise.all(receiving);
  const messages = received.flatMap((each) => (each.status === "ok" ? each.messages : []));
  expect(messages).toHaveLength(200);
  for (const { body } of messages) {
    expect(body).toBe(bodyOf(Number.parseInt(body, 10), body.length));
  }
  expect(messages.filter(({ body }) => body.length === MiB)).toHaveLength(20);
}, 60_000);

test("messages of a hundred queues lie side by side, and each queue's come in order", async () => {
  disk = new FakeDisk();
  await start();
  const names = upTo(100).map((i) => `queue-${i}`);
  for (const name of names) await create((opened as OpenedBroker).broker, name);
  for (let i = 0; i < 40; i++) {
    await Promise.all(names.map((name) => sendAll(name, [outgoing(bodyOf(i, 900))])));
  }
  const { broker } = await restart();
  const all = await Promise.all(names.map((name) => receiveAll(broker, find(broker, name))));
  for (const messages of all) expect(numbers(messages)).toEqual(upTo(40));
});

test("what was read ahead of segments that are given up meanwhile is of no consequence", async () => {
  disk = new FakeDisk();
  await start();
  await create((opened as OpenedBroker).broker, "sparse");
  await create((opened as OpenedBroker).broker, "noise");
  for (let i = 0; i < 12; i++) {
    await sendAll("sparse", many(100, 500, i * 100));
    await sendAll("noise", many(50, 20_000));
  }
  const { broker } = await restart();
  const half = [];
  for (let i = 0; i < 60; i++) half.push(await receive(broker, find(broker, "sparse"), 10, 0));
  const before = (opened as OpenedBroker).core.headPosition;
  await purge(broker, find(broker, "noise"));
  await vi.waitFor(() => expect([...disk.files().keys()]).not.toContain(segmentName(1)), { timeout: 20_000 });
  expect((opened as OpenedBroker).core.headPosition).toBeGreaterThan(before); // written again, at another place
  expect(numbers(await receiveAll(broker, find(broker, "sparse"))).sort((a, b) => a - b)).toEqual(upTo(1200));
}, 60_000);

test("a purge between the receive and the read costs nothing", async () => {
  disk = new FakeDisk();
  await start();
  await create((opened as OpenedBroker).broker, "purged");
  await sendAll("purged", many(100, 1000));
  const { broker } = await restart();
  const receiving = receive(broker, find(broker, "purged"), 10);
  const purging = purge(broker, find(broker, "purged"));
  const received = await receiving;
  expect(received.status === "ok" && numbers(received.messages)).toEqual(upTo(10));
  await purging;
  expect(await receiveAll(broker, find(broker, "purged"))).toEqual([]);
});

test("a damaged record is told with its segment and offset, and its neighbours are still delivered", async () => {
  disk = new FakeDisk();
  await start();
  await create((opened as OpenedBroker).broker, "damaged");
  await sendAll("damaged", many(9_000, 900));
  await vi.waitFor(
    () => expect(disk.bytesOf(segmentName(1)).byteLength).toBeGreaterThan(SEGMENT_BYTES), // has its index
    { timeout: 20_000 },
  );
  const { broker } = await restart();
  const bytes = disk.bytesOf(segmentName(1));
  const at = Buffer.from(bytes.buffer, bytes.byteOffset, SEGMENT_BYTES).indexOf(bodyOf(5, 900));
  bytes[at + 500] = (bytes[at + 500] as number) ^ 1;
  for (let i = 0; i < 5; i++) {
    const received = await receive(broker, find(broker, "damaged"), 1);
    expect(received.status === "ok" && numbers(received.messages)).toEqual([i]);
  }
  void receive(broker, find(broker, "damaged"), 1);
  await vi.waitFor(() => expect(failures).toHaveLength(1));
  expect(at).toBeGreaterThan(SEGMENT_HEADER_BYTES);
  expect(failures[0]?.message).toMatch(
    new RegExp(`^Cannot read a message: segment 1 is damaged at offset ${at - 168 - "tester".length}, where a record`),
  );
});

test("with no more room than one receive needs, handles still delete what they received", async () => {
  disk = new FakeDisk();
  await start();
  await create((opened as OpenedBroker).broker, "tight");
  await sendAll("tight", many(2_000, 2_000));
  await opened?.close();
  const { broker } = await start({ cacheBytes: 64 * 1024 });
  const messages = await receiveAll(broker, find(broker, "tight"));
  expect(numbers(messages)).toEqual(upTo(2_000));
  for (let i = 0; i < messages.length; i += 10) {
    const handles = messages.slice(i, i + 10).map((message) => message.receiptHandle);
    expect(new Set(await remove(broker, find(broker, "tight"), handles))).toEqual(new Set(["ok"]));
  }
  expect(broker.counts(find(broker, "tight"))).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
});

test("a storm of subscriptions to a backlog reads for few of them at a time, and not for those that have gone", async () => {
  disk = new FakeDisk();
  await start();
  await create((opened as OpenedBroker).broker, "deep");
  await sendAll("deep", many(300, 100_000));
  const again = await restart();
  const { broker, streams } = again;
  const rules = {
    ...{ clientId: 1, visibilityMs: 30_000, processingMs: 60_000, batchMessages: 1, lingerMs: 0 },
    ...{ fields: 0, groupInFlight: 1 },
  };
  let frameCount = 0;
  const open = () => {
    const listener = { frame: () => frameCount++, ended: () => {} };
    const subscription = streams.subscribe(find(broker, "deep"), rules, listener);
    subscription?.setCredit(1, 1, 0, false, () => {});
    return subscription;
  };
  const storm = Array.from({ length: 300 }, open);
  while (readCount() === 0) await new Promise((resolve) => setImmediate(resolve));
  for (const each of storm) each?.close();
  await again.flush();
  expect(readCount()).toBeLessThanOrEqual(128);
  frameCount = 0;
  const lasting = Array.from({ length: 300 }, open);
  await vi.waitFor(() => expect(frameCount).toBe(300));
  for (const each of lasting) each?.close();
  expect(failures).toEqual([]);
});
