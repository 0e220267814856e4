// Disk is given back, and nothing that lives is lost by it: real files, small segments.
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { OpenedBroker } from "../../src/broker/open.ts";
import type { Delivered, Queue, Settled } from "../../src/broker/types.ts";
import type { DiskFile, OpenMode } from "../../src/log/disk.ts";
import { readManifest } from "../../src/log/manifest.ts";
import { NodeDisk } from "../../src/log/node-disk.ts";
import {
  create,
  find,
  openAt,
  openOn,
  outgoing,
  purge,
  receive,
  receiveAll,
  receiveAttempt,
  remove,
  SMALL_SEGMENT_BYTES,
  STANDARD,
  send,
} from "../support/open-broker.ts";

let directory = "";
let opened: OpenedBroker;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "wasq-reclaim-"));
  opened = await openAt(directory);
});

afterEach(async () => {
  await opened.close();
  rmSync(directory, { recursive: true, force: true });
});

async function restart(): Promise<void> {
  await opened.close();
  opened = await openAt(directory);
}

function segmentFiles(): string[] {
  return readdirSync(directory).filter((name) => name.startsWith("segment-"));
}

/** Of those that are in the log; the file of one that was removed may be kept for a while, to be used again. */
async function segmentCount(): Promise<number> {
  return (await readManifest(new NodeDisk(directory)))?.segments.length ?? 0;
}

/** An index stands behind its segment, in the same file. */
function indexCount(): number {
  return segmentFiles().filter((name) => statSync(join(directory, name)).size > SMALL_SEGMENT_BYTES).length;
}

async function removeMany(queue: Queue, handles: readonly string[]): Promise<Settled[]> {
  const settled: Settled[] = [];
  for (let i = 0; i < handles.length; i += 10) {
    settled.push(...(await remove(opened.broker, queue, handles.slice(i, i + 10))));
  }
  return settled;
}

const BODY = "b".repeat(300);

async function sendMany(name: string, first: number, count: number, body = BODY): Promise<void> {
  const queue = find(opened.broker, name);
  for (let i = 0; i < count; i += 10) {
    await send(
      opened.broker,
      queue,
      Array.from({ length: Math.min(10, count - i) }, (_, k) => outgoing(`${first + i + k} ${body}`)),
    );
  }
}

const numberOf = (body: string): number => Number(body.split(" ")[0]);

test("a drained queue gives its segments back", async () => {
  await create(opened.broker, "drained");
  await sendMany("drained", 0, 4000);
  expect(await segmentCount()).toBeGreaterThan(5);
  const queue = find(opened.broker, "drained");
  const messages = await receiveAll(opened.broker, queue);
  expect(messages).toHaveLength(4000);
  await removeMany(
    queue,
    messages.map((message) => message.receiptHandle),
  );
  await vi.waitFor(async () => expect(await segmentCount()).toBeLessThanOrEqual(3), { timeout: 20_000, interval: 200 });
  const filesBeside = async () => segmentFiles().length - (await segmentCount());
  await vi.waitFor(async () => expect(await filesBeside()).toBeLessThanOrEqual(1), { timeout: 20_000, interval: 200 });
  await restart();
  await vi.waitFor(async () => expect(await filesBeside()).toBe(0), { timeout: 20_000, interval: 200 });
  expect(opened.broker.counts(find(opened.broker, "drained"))).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
});

test("what still lives in a sparse segment is written again, with its receives, and survives restarts", async () => {
  await create(opened.broker, "sparse");
  await sendMany("sparse", 0, 4000);
  const queue = find(opened.broker, "sparse");
  const messages = await receiveAll(opened.broker, queue);
  const dead = messages.filter((message) => numberOf(message.body) % 10 !== 0);
  await removeMany(
    queue,
    dead.map((message) => message.receiptHandle),
  );
  await vi.waitFor(async () => expect(await segmentCount()).toBeLessThanOrEqual(5), { timeout: 20_000, interval: 200 });
  for (let round = 0; round < 2; round++) {
    await restart();
    expect(opened.broker.counts(find(opened.broker, "sparse"))).toEqual({ visible: 0, inFlight: 400, delayed: 0 });
  }
  // Handles from before all that still delete.
  const kept = messages.filter((message) => numberOf(message.body) % 10 === 0);
  const settled = await removeMany(
    find(opened.broker, "sparse"),
    kept.map((message) => message.receiptHandle),
  );
  expect(new Set(settled)).toEqual(new Set(["ok"]));
  expect(opened.broker.counts(find(opened.broker, "sparse"))).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
});

/** A disk that counts what is read of segments. */
class CountingDisk extends NodeDisk {
  readCount = 0;
  readBytes = 0;
  longestWriteBytes = 0; // of a segment's, zeros left out

  override async open(name: string, mode: OpenMode): Promise<DiskFile> {
    const file = await super.open(name, mode);
    return {
      sizeBytes: () => file.sizeBytes(),
      read: (into, offset) => {
        if (name.startsWith("segment-")) {
          this.readCount++;
          this.readBytes += into.byteLength;
        }
        return file.read(into, offset);
      },
      write: (bytes, offset) => {
        const hasRecords = name.startsWith("segment-") && bytes.some((byte) => byte !== 0);
        if (hasRecords) this.longestWriteBytes = Math.max(this.longestWriteBytes, bytes.byteLength);
        return file.write(bytes, offset);
      },
      truncate: (sizeBytes) => file.truncate(sizeBytes),
      sync: () => file.sync(),
      close: () => file.close(),
    };
  }
}

test("what this process has written is indexed and given up without being read; what lives is read, record by record", async () => {
  await opened.close();
  rmSync(directory, { recursive: true });
  const disk = new CountingDisk(directory);
  opened = await openOn(disk);
  await create(opened.broker, "followed");
  await sendMany("followed", 0, 4000);
  const queue = find(opened.broker, "followed");
  await vi.waitFor(() => expect(indexCount()).toBeGreaterThan(3), { timeout: 20_000, interval: 200 });
  expect(disk.readCount).toBe(0);
  const messages = await receiveAll(opened.broker, queue);
  const dead = messages.filter((message) => numberOf(message.body) !== 1000);
  await sendMany("followed", 4000, 2000);
  const later = await receiveAll(opened.broker, queue);
  await removeMany(
    queue,
    [...dead, ...later].map((message) => message.receiptHandle),
  );
  await vi.waitFor(async () => expect(await segmentCount()).toBeLessThanOrEqual(3), { timeout: 20_000, interval: 200 });
  await restart();
  expect(opened.broker.counts(find(opened.broker, "followed"))).toEqual({ visible: 0, inFlight: 1, delayed: 0 });
});

test("what an index tells of is given up without being read again", async () => {
  await opened.close();
  rmSync(directory, { recursive: true });
  const disk = new CountingDisk(directory);
  opened = await openOn(disk);
  await create(opened.broker, "indexed");
  await sendMany("indexed", 0, 4000);
  await vi.waitFor(() => expect(indexCount()).toBeGreaterThan(3), { timeout: 20_000, interval: 200 });
  const queue = find(opened.broker, "indexed");
  const messages = await receiveAll(opened.broker, queue);
  const segmentCountBefore = await segmentCount();
  disk.readBytes = 0;
  const [kept, ...dead] = messages.map((message) => message.receiptHandle);
  await removeMany(queue, dead);
  await vi.waitFor(async () => expect(await segmentCount()).toBeLessThanOrEqual(3), { timeout: 20_000, interval: 200 });
  expect(disk.readBytes).toBeGreaterThan(0);
  expect(disk.readBytes).toBeLessThan(((segmentCountBefore - 3) * SMALL_SEGMENT_BYTES) / 4);
  await restart();
  expect(await removeMany(find(opened.broker, "indexed"), [kept as string])).toEqual(["ok"]);
  expect(opened.broker.counts(find(opened.broker, "indexed"))).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
});

/** Sends to a queue, receives and deletes, over and over, until it is told to stop. */
function keepBusy(name: string): { stop: () => Promise<void> } {
  let isOver = false;
  const work = async (): Promise<void> => {
    const queue = find(opened.broker, name);
    for (let i = 0; !isOver; i += 50) {
      await sendMany(name, i, 50, "short");
      const messages = await receiveAll(opened.broker, queue);
      await removeMany(
        queue,
        messages.map((message) => message.receiptHandle),
      );
      await new Promise((others) => setImmediate(others));
    }
  };
  const worked = work();
  return {
    stop: () => {
      isOver = true;
      return worked;
    },
  };
}

/** Fills so many segments. One of so many messages lives on in "kept", 200 side by side: some 400 of a segment. */
async function fillMixed(segments: number, oneOf: number): Promise<number> {
  const noise = find(opened.broker, "noise");
  const { headPosition } = opened.core;
  let keptCount = 0;
  while (opened.core.headPosition - headPosition < segments * SMALL_SEGMENT_BYTES) {
    await sendMany("kept", keptCount, 200, "short");
    keptCount += 200;
    await sendMany("noise", 0, 200 * (oneOf - 1), "short");
    const messages = await receiveAll(opened.broker, noise);
    await removeMany(
      noise,
      messages.map((message) => message.receiptHandle),
    );
  }
  return keptCount;
}

async function oldestSegment(): Promise<number> {
  return (await readManifest(new NodeDisk(directory)))?.segments[0] ?? -1;
}

test("a busy log leaves what lives beside what does not, and a quiet one writes it again, with nothing read but that", async () => {
  await opened.close();
  rmSync(directory, { recursive: true });
  const disk = new CountingDisk(directory);
  opened = await openOn(disk);
  await create(opened.broker, "kept");
  await create(opened.broker, "noise");
  const keptCount = await fillMixed(4, 5);
  const { headPosition } = opened.core;
  const busy = keepBusy("noise");
  const passed = () => opened.core.headPosition - headPosition > 6 * SMALL_SEGMENT_BYTES;
  await vi.waitFor(() => expect(indexCount()).toBeGreaterThan(1), { timeout: 20_000, interval: 50 });
  await vi.waitFor(() => expect(passed()).toBe(true), { timeout: 20_000, interval: 50 });
  // A machine that stood still for a quarter of a second looks quiet, and then one of the four goes. And where there were 256
  // messages left, or fewer, they were read.
  const oldest = await oldestSegment();
  expect(oldest).toBeLessThanOrEqual(3);
  // Of one that went, what lives was read: less than half.
  expect(disk.readBytes).toBeLessThan((oldest * SMALL_SEGMENT_BYTES) / 2);
  await busy.stop();
  await vi.waitFor(async () => expect(await segmentCount()).toBeLessThanOrEqual(4), { timeout: 20_000, interval: 200 });
  expect(disk.readBytes).toBeGreaterThan(keptCount * "short".length);
  expect(disk.readBytes).toBeLessThan(2 * SMALL_SEGMENT_BYTES);
  await restart();
  expect(opened.broker.counts(find(opened.broker, "kept"))).toEqual({ visible: keptCount, inFlight: 0, delayed: 0 });
});

test("what is written again goes to disk little by little, so that nobody else waits for all of it", async () => {
  await opened.close();
  rmSync(directory, { recursive: true });
  const segmentBytes = 4 * 1024 * 1024;
  const disk = new CountingDisk(directory);
  opened = await openOn(disk, undefined, { segmentBytes });
  await create(opened.broker, "kept");
  await create(opened.broker, "noise");
  const body = "b".repeat(2000);
  for (let i = 0; i < 700; i += 10) {
    await sendMany("kept", i, 10, body);
    await sendMany("noise", i, 20, body);
  }
  const noise = find(opened.broker, "noise");
  const messages = await receiveAll(opened.broker, noise);
  expect(messages).toHaveLength(1400);
  const first = await oldestSegment();
  await removeMany(
    noise,
    messages.map((message) => message.receiptHandle),
  );
  expect(opened.core.liveBytes(first)).toBeGreaterThan(1_000_000);
  disk.longestWriteBytes = 0;
  const isGone = async () => expect(await oldestSegment()).toBeGreaterThan(first);
  await vi.waitFor(isGone, { timeout: 20_000, interval: 200 });
  expect(disk.longestWriteBytes).toBeLessThan(192 * 1024);
  await opened.close();
  opened = await openOn(new NodeDisk(directory), undefined, { segmentBytes });
  expect(opened.broker.counts(find(opened.broker, "kept"))).toEqual({ visible: 700, inFlight: 0, delayed: 0 });
});

test("a log that is never quiet writes it again as well, once there is too much beside it that nobody needs", async () => {
  await create(opened.broker, "kept");
  await create(opened.broker, "noise");
  const busy = keepBusy("noise");
  let keptCount = 0;
  const counts: number[] = [];
  for (let segment = 0; segment < 60; segment++) {
    keptCount += await fillMixed(1, 5);
    counts.push(await segmentCount());
  }
  // What nobody needs has sixteen segments, and some more where half of a segment or more lives: of sixty not all are there.
  expect(Math.max(...counts)).toBeGreaterThan(16);
  expect(Math.max(...counts)).toBeLessThan(50);
  await busy.stop();
  await restart();
  expect(opened.broker.counts(find(opened.broker, "kept"))).toEqual({ visible: keptCount, inFlight: 0, delayed: 0 });
});

test("a purge drops what was there, keeps what comes after, and gives the disk back", async () => {
  await create(opened.broker, "purged");
  await sendMany("purged", 0, 3000);
  await purge(opened.broker, find(opened.broker, "purged"));
  await sendMany("purged", 10_000, 5);
  expect(opened.broker.counts(find(opened.broker, "purged")).visible).toBe(5);
  await vi.waitFor(async () => expect(await segmentCount()).toBeLessThanOrEqual(3), { timeout: 20_000, interval: 200 });
  await restart();
  const left = await receiveAll(opened.broker, find(opened.broker, "purged"));
  expect(left.map((message) => numberOf(message.body))).toEqual([10_000, 10_001, 10_002, 10_003, 10_004]);
});

test("order, groups and deduplication of a FIFO queue survive rewriting and restarts", async () => {
  const fifo = { ...STANDARD, fifo: true };
  await create(opened.broker, "kept.fifo", fifo);
  await create(opened.broker, "noise");
  const queue = find(opened.broker, "kept.fifo");
  for (let i = 0; i < 200; i++) {
    const message = outgoing(`${i} ${BODY}`, { groupId: `g${i % 7}`, deduplicationId: `d${i}` });
    await send(opened.broker, queue, [message]);
    await sendMany("noise", i * 20, 20);
  }
  await purge(opened.broker, find(opened.broker, "noise"));
  await vi.waitFor(async () => expect(await segmentCount()).toBeLessThanOrEqual(4), { timeout: 20_000, interval: 200 });
  await restart();
  const again = find(opened.broker, "kept.fifo");
  const [duplicate] = await send(opened.broker, again, [outgoing("again", { groupId: "g0", deduplicationId: "d17" })]);
  expect(duplicate?.status).toBe("duplicate");
  // A group is held while its messages are in flight, so each round is deleted before the next.
  const messages: Delivered[] = [];
  for (;;) {
    const round = await receiveAll(opened.broker, again);
    if (round.length === 0) break;
    messages.push(...round);
    const handles = round.map((message) => message.receiptHandle);
    expect(new Set(await removeMany(again, handles))).toEqual(new Set(["ok"]));
  }
  expect(messages).toHaveLength(200);
  for (let group = 0; group < 7; group++) {
    const order = messages
      .filter((message) => message.groupId === `g${group}`)
      .map((message) => numberOf(message.body));
    expect(order).toEqual([...order].sort((a, b) => a - b));
  }
});

test("a receive can be repeated by its attempt ID after its segment was indexed, and after it was written again", async () => {
  await create(opened.broker, "tried.fifo", { ...STANDARD, fifo: true });
  await create(opened.broker, "noise");
  const tried = (): Queue => find(opened.broker, "tried.fifo");
  const again = (attemptId: string) => receiveAttempt(opened.broker, tried(), attemptId);
  const sendTo = (groupId: string, count: number) =>
    send(
      opened.broker,
      tried(),
      Array.from({ length: count }, (_, i) => outgoing(BODY, { groupId, deduplicationId: `${groupId}-${i}` })),
    );
  await sendTo("g", 7);
  const seven = await again("seven");
  expect(seven).toHaveLength(7);
  await sendTo("h", 2);
  const two = await again("two");
  expect(await remove(opened.broker, tried(), two as string[])).toEqual(["ok", "ok"]);

  const check = async () => {
    expect(await again("seven")).toEqual(seven);
    expect(await again("two")).toBe("notRetryable");
  };
  await sendMany("noise", 0, 4000); // all of it lives: the segments get indexes
  await vi.waitFor(() => expect(indexCount()).toBeGreaterThan(3), { timeout: 20_000, interval: 200 });
  await restart();
  await check();
  await sendMany("noise", 4000, 2000);
  await purge(opened.broker, find(opened.broker, "noise"));
  await vi.waitFor(async () => expect(await segmentCount()).toBeLessThanOrEqual(4), { timeout: 20_000, interval: 200 });
  await restart();
  await check();
  await check();
});

test("tenants of a fair queue are known after their segment was indexed, and after they were written again", async () => {
  await create(opened.broker, "tenants");
  await create(opened.broker, "noise");
  const tenants = (): Queue => find(opened.broker, "tenants");
  const sendAs = (groupId: string, body: string) => send(opened.broker, tenants(), [{ ...outgoing(body), groupId }]);
  const receiveBodies = async (countMax: number): Promise<string[]> => {
    const received = await receive(opened.broker, tenants(), countMax, 3_600_000);
    return received.status === "ok" ? received.messages.map(({ body }) => body) : [received.status];
  };
  for (let i = 0; i < 40; i++) await sendAs("A", "a");
  await sendAs("C", "c");
  await sendMany("noise", 0, 4000); // all of it lives: the segments get indexes
  await vi.waitFor(() => expect(indexCount()).toBeGreaterThan(3), { timeout: 20_000, interval: 200 });
  await restart();
  for (let i = 0; i < 3; i++) expect(await receiveBodies(10)).toEqual(Array.from({ length: 10 }, () => "a"));
  await sendAs("B", "b");
  expect(await receiveBodies(3)).toEqual(["c", "b", "a"]);

  await sendMany("noise", 4000, 2000);
  await purge(opened.broker, find(opened.broker, "noise"));
  await vi.waitFor(async () => expect(await segmentCount()).toBeLessThanOrEqual(4), { timeout: 20_000, interval: 200 });
  await restart();
  await sendAs("D", "d");
  expect(await receiveBodies(2)).toEqual(["d", "a"]);
});

test("records of queues keep their segments: a log of nothing else comes to rest, and a queue that goes gives its up", async () => {
  const count = 8_000;
  const names = Array.from({ length: count }, (_, i) => `idle-${i}`);
  await Promise.all(names.map((name) => create(opened.broker, name)));
  const segments = segmentFiles();
  expect(segments.length).toBeGreaterThan(3);
  await vi.waitFor(() => expect(indexCount()).toBeGreaterThan(1), { timeout: 20_000, interval: 200 });
  const { headPosition } = opened.core;
  await restart();
  await vi.waitFor(() => expect(indexCount()).toBeGreaterThan(1), { timeout: 20_000, interval: 200 });
  expect(opened.core.headPosition - headPosition).toBeLessThan(SMALL_SEGMENT_BYTES);
  expect(names.every((name) => find(opened.broker, name).name === name)).toBe(true);
  const gone = (name: string) =>
    new Promise<void>((done) => opened.broker.deleteQueue(find(opened.broker, name), done));
  await Promise.all(names.map(gone));
  await vi.waitFor(async () => expect(await segmentCount()).toBeLessThanOrEqual(3), { timeout: 20_000, interval: 200 });
});
