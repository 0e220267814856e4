// Moves and the log: what was moved survives the segments that tell of it, on real files with small segments; and what
// happens to a task when its queue, or the disk's space, goes away under it.
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { OpenedBroker } from "../../src/broker/open.ts";
import type { MoveOptions, MoveTask, Peeked, QueueSettings } from "../../src/broker/types.ts";
import { readManifest } from "../../src/log/manifest.ts";
import { NodeDisk } from "../../src/log/node-disk.ts";
import { segmentName } from "../../src/log/segment.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import {
  create,
  find,
  openAt,
  openOn,
  outgoing,
  purge,
  receiveAll,
  remove,
  SMALL_SEGMENT_BYTES,
  STANDARD,
  send,
} from "../support/open-broker.ts";

let directory = "";
let opened: OpenedBroker;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "wasq-move-log-"));
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

const BODY = "b".repeat(500);
const FIFO: QueueSettings = { ...STANDARD, fifo: true };
const arn = (name: string): string => `arn:aws:sqs:us-east-1:000000000000:${name}`;
const toMain: MoveOptions = { destinationArn: arn("main"), messagesPerSecond: undefined };

async function sendMany(
  name: string,
  count: number,
  fifo?: (i: number) => { groupId: string; deduplicationId: string },
) {
  for (let i = 0; i < count; i += 10) {
    const messages = Array.from({ length: 10 }, (_, k) => outgoing(`${i + k} ${BODY}`, fifo?.(i + k)));
    const sent = await send(opened.broker, find(opened.broker, name), messages);
    expect(sent.map(({ status }) => status)).toEqual(messages.map(() => "sent"));
  }
}

function startMove(source: string, options: MoveOptions): Promise<string> {
  return new Promise((resolve) =>
    opened.broker.startMove(find(opened.broker, source), options, ({ status }) => resolve(status)),
  );
}

function newest(source: string): MoveTask | undefined {
  return opened.broker.moveTasks(find(opened.broker, source))[0];
}

async function moveAll(source: string, options: MoveOptions): Promise<void> {
  expect(await startMove(source, options)).toBe("started");
  await vi.waitFor(() => expect(newest(source)?.status).toBe("completed"), { interval: 5 });
}

async function look(name: string): Promise<readonly Peeked[]> {
  const options = { held: true, delayed: true, from: undefined, countMax: 10_000, bytesMax: 2 ** 30 };
  const result = await new Promise<Awaited<Parameters<Parameters<typeof opened.broker.peek>[2]>[0]>>((resolve) =>
    opened.broker.peek(find(opened.broker, name), options, resolve),
  );
  if (result.status !== "ok") throw new Error(`a look at ${name} ended with ${result.status}`);
  return result.messages;
}

const idsOf = (messages: readonly { body: string; messageId: string }[]): ReadonlyMap<string, string> =>
  new Map(messages.map(({ body, messageId }) => [body, messageId]));

/** The files of those that are in the log; that of one that was removed may be kept for a while, to be used again. */
async function segments(): Promise<string[]> {
  return ((await readManifest(new NodeDisk(directory)))?.segments ?? []).map(segmentName);
}

/** Waits until these have their index, which stands behind their data: it tells of what was in them then. */
async function indexed(names: readonly string[]): Promise<void> {
  const left = () => names.filter((name) => statSync(join(directory, name)).size <= SMALL_SEGMENT_BYTES);
  await vi.waitFor(() => expect(left()).toEqual([]), { timeout: 20_000, interval: 50 });
}

/** Waits until all of these segments but `keptMax` have been given up. */
async function givenUp(names: readonly string[], keptMax: number): Promise<void> {
  const left = async () => (await segments()).filter((name) => names.includes(name)).length;
  await vi.waitFor(async () => expect(await left()).toBeLessThanOrEqual(keptMax), { timeout: 20_000, interval: 100 });
}

test("a segment with nothing but moves is given up, and the moves survive it", async () => {
  for (const name of ["dead", "main", "noise"]) await create(opened.broker, name);
  await sendMany("dead", 800);
  const withBodies = await segments();
  const sentIds = idsOf(await look("dead"));
  await sendMany("noise", 400);
  await moveAll("dead", toMain);
  await sendMany("noise", 800);
  const ids = idsOf(await look("main"));
  expect(ids.size).toBe(800);
  for (const [body, id] of ids) expect(id).not.toBe(sentIds.get(body));
  const withMoves = (await segments()).filter((name) => !withBodies.includes(name));
  await purge(opened.broker, find(opened.broker, "noise"));
  await givenUp(withMoves, 2); // the newest, and the one prepared
  expect(await segments()).toEqual(expect.arrayContaining(withBodies.slice(0, 2)));
  for (let round = 0; round < 2; round++) {
    await restart();
    expect(opened.broker.counts(find(opened.broker, "dead")).visible).toBe(0);
    const messages = await look("main");
    expect(idsOf(messages)).toEqual(ids);
    expect(new Set(messages.map(({ receiveCount }) => receiveCount))).toEqual(new Set([0]));
    expect(newest("dead")).toMatchObject({ status: "completed", movedCount: 800, toMoveCount: 800 });
  }
});

test.each(["deleted", "purged", "dropped with its queue"])(
  "a message that was moved and then %s does not come back when the segment with its move is given up",
  async (how) => {
    for (const name of ["dead", "main", "kept", "noise"]) await create(opened.broker, name);
    // Neighbours that live keep the segments of what is moved.
    for (let i = 0; i < 30; i++) {
      await sendMany("kept", 20);
      await sendMany("dead", 10);
    }
    const withBodies = await segments();
    await sendMany("noise", 400);
    await indexed(withBodies.slice(0, 2));
    await moveAll("dead", toMain);
    const main = find(opened.broker, "main");
    if (how === "purged") await purge(opened.broker, main);
    else if (how === "deleted") {
      const messages = await receiveAll(opened.broker, main);
      for (const { receiptHandle } of messages) await remove(opened.broker, main, [receiptHandle]);
    } else await new Promise<void>((done) => opened.broker.deleteQueue(main, done));
    await sendMany("noise", 800);
    const withMoves = (await segments()).filter((name) => !withBodies.includes(name));
    await purge(opened.broker, find(opened.broker, "noise"));
    await givenUp(withMoves, 2);
    expect(await segments()).toEqual(expect.arrayContaining(withBodies.slice(0, 2)));
    for (let round = 0; round < 2; round++) {
      await restart();
      expect(opened.broker.counts(find(opened.broker, "dead")).visible).toBe(0);
      expect(opened.broker.counts(find(opened.broker, "kept")).visible).toBe(600);
      if (how !== "dropped with its queue") expect(opened.broker.counts(find(opened.broker, "main")).visible).toBe(0);
    }
  },
);

test("a moved message that is written again keeps its new ID, and can be moved once more", async () => {
  for (const name of ["dead", "main", "noise"]) await create(opened.broker, name);
  for (let i = 0; i < 20; i++) {
    await send(opened.broker, find(opened.broker, "dead"), [outgoing(`kept ${i}`)]);
    await sendMany("noise", 50);
  }
  await moveAll("dead", toMain);
  const first = idsOf(await look("main"));
  const before = await segments();
  await purge(opened.broker, find(opened.broker, "noise"));
  await givenUp(before, 2);
  await restart();
  expect(idsOf(await look("main"))).toEqual(first);
  await moveAll("main", { ...toMain, destinationArn: arn("dead") });
  await restart();
  const second = idsOf(await look("dead"));
  expect([...second.keys()].sort()).toEqual([...first.keys()].sort());
  for (const [body, id] of second) expect(id).not.toBe(first.get(body));
});

test("FIFO: order, IDs and what deduplication knows outlive the segments", async () => {
  await create(opened.broker, "dead.fifo", FIFO);
  await create(opened.broker, "main.fifo", FIFO);
  await create(opened.broker, "noise");
  const group = (i: number) => ({ groupId: `g${i % 3}`, deduplicationId: `d${i}` });
  for (let i = 0; i < 30; i++) {
    await send(opened.broker, find(opened.broker, "dead.fifo"), [outgoing(`${i}`, group(i))]);
    await sendMany("noise", 30);
  }
  await moveAll("dead.fifo", { ...toMain, destinationArn: arn("main.fifo") });
  const before = await segments();
  const ids = idsOf(await look("main.fifo"));
  await purge(opened.broker, find(opened.broker, "noise"));
  await givenUp(before, 2);
  await restart();
  const [again] = await send(opened.broker, find(opened.broker, "dead.fifo"), [outgoing("again", group(7))]);
  expect(again?.status).toBe("duplicate"); // the queue it was sent to remembers it
  const [fresh] = await send(opened.broker, find(opened.broker, "main.fifo"), [outgoing("30", group(30))]);
  expect(fresh?.status).toBe("sent"); // the one it was moved to never knew its ID
  const numbers = new Map<string | undefined, number[]>();
  for (const { groupId, body, messageId, deduplicationId } of await receiveAll(
    opened.broker,
    find(opened.broker, "main.fifo"),
  )) {
    numbers.set(groupId, [...(numbers.get(groupId) ?? []), Number(body)]);
    if (body === "30") continue;
    expect(messageId).toBe(ids.get(body));
    expect(deduplicationId).toBe(messageId);
  }
  for (const [groupId, ofGroup] of numbers) {
    const all = Array.from({ length: 31 }, (_, i) => i).filter((i) => `g${i % 3}` === groupId);
    expect(ofGroup).toEqual(all.slice(0, ofGroup.length));
  }
  expect(numbers.size).toBe(3);
});

test("a purge of the source leaves nothing to move: the task is through, and has moved what it had moved", async () => {
  for (const name of ["dead", "main"]) await create(opened.broker, name);
  await sendMany("dead", 50);
  await startMove("dead", { ...toMain, messagesPerSecond: 20 });
  await vi.waitFor(() => expect(newest("dead")?.movedCount).toBeGreaterThan(2), { interval: 5 });
  await purge(opened.broker, find(opened.broker, "dead"));
  await vi.waitFor(() => expect(newest("dead")?.status).toBe("completed"), { interval: 5 });
  const task = newest("dead");
  expect(opened.broker.counts(find(opened.broker, "main")).visible).toBe(task?.movedCount);
  await restart();
  expect(newest("dead")).toEqual(task);
});

test("a source that is deleted takes its task with it, and does not come back", async () => {
  for (const name of ["dead", "dead2", "main"]) await create(opened.broker, name);
  await sendMany("dead", 50);
  await sendMany("dead2", 10);
  await startMove("dead", { ...toMain, messagesPerSecond: 100 });
  await vi.waitFor(() => expect(newest("dead")?.movedCount).toBeGreaterThan(2), { interval: 5 });
  await new Promise<void>((done) => opened.broker.deleteQueue(find(opened.broker, "dead"), done));
  const moved = opened.broker.counts(find(opened.broker, "main")).visible;
  // Another task at the same rate: while it is worked through, the first one's time comes again and again.
  await moveAll("dead2", { ...toMain, messagesPerSecond: 100 });
  expect(opened.broker.counts(find(opened.broker, "main")).visible).toBe(moved + 10);
  await restart();
  expect(() => find(opened.broker, "dead")).toThrow();
  await create(opened.broker, "dead");
  expect(newest("dead")).toBeUndefined();
});

test("on a full disk a task waits, while receives and deletes go on, and is through when there is room", async () => {
  const disk = new FakeDisk();
  disk.capacityBytes = 11 * SMALL_SEGMENT_BYTES;
  await opened.close();
  opened = await openOn(disk);
  for (const name of ["dead", "main", "filler"]) await create(opened.broker, name);
  await sendMany("dead", 1_000);
  for (let full = false; !full; ) {
    const [sent] = await send(opened.broker, find(opened.broker, "filler"), [outgoing(BODY)]);
    full = sent?.status === "full";
  }
  await startMove("dead", toMain);
  const filler = await receiveAll(opened.broker, find(opened.broker, "filler"));
  expect(newest("dead")).toMatchObject({ status: "running", movedCount: 0 });
  for (let i = 0; i < filler.length; i += 10) {
    const handles = filler.slice(i, i + 10).map(({ receiptHandle }) => receiptHandle);
    expect(new Set(await remove(opened.broker, find(opened.broker, "filler"), handles))).toEqual(new Set(["ok"]));
  }
  await vi.waitFor(() => expect(newest("dead")?.status).toBe("completed"), { timeout: 20_000, interval: 20 });
  expect(newest("dead")).toMatchObject({ movedCount: 1_000 });
  expect(opened.broker.counts(find(opened.broker, "main")).visible).toBe(1_000);
});
