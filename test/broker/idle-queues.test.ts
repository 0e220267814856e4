// More queues than are kept as objects: what is known of one is the same before and after it became a row.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Catalogue } from "../../src/broker/catalogue.ts";
import type { OpenedBroker } from "../../src/broker/open.ts";
import { Outlines } from "../../src/broker/outlines.ts";
import type { Queue, QueueSettings } from "../../src/broker/types.ts";
import { SEGMENT_HEADER_BYTES } from "../../src/limits.ts";
import {
  create,
  find,
  openAt,
  outgoing,
  purge,
  receiveAll,
  SMALL_SEGMENT_BYTES,
  STANDARD,
  send,
} from "../support/open-broker.ts";

const ACCOUNT = "000000000000";
const REGION = "us-east-1";
const ROUND_COUNT = 9_000; // more than are kept
let directory = "";
let opened: OpenedBroker;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "wasq-idle-"));
  opened = await openAt(directory);
});

afterEach(async () => {
  await opened.close();
  rmSync(directory, { recursive: true, force: true });
});

function makeWith(name: string, settings: QueueSettings, tags = new Map<string, string>()): Promise<Queue> {
  return new Promise((done) =>
    opened.broker.createQueue({ account: ACCOUNT, region: REGION, name }, settings, tags, () =>
      done(find(opened.broker, name)),
    ),
  );
}

async function makeOthers(prefix: string): Promise<void> {
  await Promise.all(Array.from({ length: ROUND_COUNT }, (_, i) => create(opened.broker, `${prefix}-${i}`)));
}

/** What nobody holds is gone after this, and rows stand for it once others were asked for. */
async function forget(prefix: string): Promise<void> {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  await makeOthers(`${prefix}-a`);
  await new Promise((later) => setImmediate(later));
  collect();
  await makeOthers(`${prefix}-b`);
}

const seen = ({ name, settings, tags, createdMs, modifiedMs }: Queue) => ({
  name,
  settings: { ...settings },
  tags: [...tags],
  createdMs,
  modifiedMs,
});

test("queues nobody looked at for long have their settings, tags, times and messages, before and after a start", async () => {
  const slow = { ...STANDARD, visibilitySeconds: 60, delaySeconds: 0 };
  const made = [
    await makeWith("usual", STANDARD),
    await makeWith("slow", slow),
    await makeWith("tagged", STANDARD, new Map([["a", "1"]])),
    await makeWith("redriven", {
      ...STANDARD,
      redrive: { deadLetterTargetArn: `arn:aws:sqs:${REGION}:${ACCOUNT}:usual`, maxReceiveCount: 3 },
    }),
    await makeWith("purged", STANDARD),
  ].map(seen);
  await send(opened.broker, find(opened.broker, "purged"), [outgoing("before")]);
  await purge(opened.broker, find(opened.broker, "purged"));
  await forget("x");
  expect(made.map(({ name }) => seen(find(opened.broker, name)))).toEqual(made);
  await send(opened.broker, find(opened.broker, "purged"), [outgoing("after")]);
  await forget("y");
  expect(await receiveAll(opened.broker, find(opened.broker, "purged"))).toHaveLength(1);
  await opened.close();
  opened = await openAt(directory);
  expect(made.map(({ name }) => seen(find(opened.broker, name)))).toEqual(made);
  const names = opened.broker.list(ACCOUNT, REGION, "x-a-10", "x-a-100", 4).map(({ name }) => name);
  expect(names).toEqual(["x-a-1000", "x-a-1001", "x-a-1002", "x-a-1003"]);
});

test("who holds a queue and who finds it later hold the same one, and its change is seen", async () => {
  const held = await create(opened.broker, "held");
  await forget("x");
  await new Promise<void>((done) =>
    opened.broker.setQueue(held, { ...STANDARD, visibilitySeconds: 7 }, new Map([["k", "v"]]), done),
  );
  expect(find(opened.broker, "held")).toBe(held);
  await forget("y");
  const found = find(opened.broker, "held");
  expect(found).toBe(held);
  expect(found.settings.visibilitySeconds).toBe(7);
  expect([...found.tags]).toEqual([["k", "v"]]);
  await new Promise<void>((done) => opened.broker.deleteQueue(found, done));
  expect(() => find(opened.broker, "held")).toThrow();
});

test("a queue that nobody looked up is no object once it is on disk; one that was found before is the one found later", () => {
  const catalogue = new Catalogue(opened.core);
  const add = (name: string, settings = STANDARD, tags = new Map<string, string>()) => {
    const full = { account: ACCOUNT, region: REGION, name };
    const entry = catalogue.entryOf(full, settings, tags, 1_000);
    entry.coreNumber = entry.number;
    entry.index = opened.core.openQueue(entry.number);
    catalogue.add(entry);
    return entry;
  };
  const findAgain = (name: string) => catalogue.find({ account: ACCOUNT, region: REGION, name });
  const heldNames = () => [...catalogue.held()].map(({ name }) => name);
  const plain = add("plain");
  const slow = add("slow", { ...STANDARD, visibilitySeconds: 60 });
  const known = add("known");
  const tagged = add("tagged", STANDARD, new Map([["a", "1"]]));
  const gone = add("gone");
  expect(findAgain("known")).toBe(known);
  catalogue.remove(gone);
  const again = add("gone");
  for (const entry of [plain, slow, known, tagged, gone, again]) catalogue.made(entry);
  expect(heldNames()).toEqual(["known", "tagged"]);
  expect(findAgain("known")).toBe(known);
  expect(findAgain("tagged")).toBe(tagged);
  for (const entry of [plain, slow, again]) {
    const found = findAgain(entry.name);
    expect(found).toEqual(Object.assign(entry, { isKnown: true }));
    expect(findAgain(entry.name)).toBe(found);
  }
  expect(heldNames().sort()).toEqual(["gone", "known", "plain", "slow", "tagged"]);
});

test("nothing is kept of the records of many queues while the log fills; of messages behind them there is an outline", async () => {
  const outlines = new Outlines({
    core: opened.core,
    segmentBytes: SMALL_SEGMENT_BYTES,
    headerBytes: SEGMENT_HEADER_BYTES,
    tailBytes: 32 * 1024,
    endPosition: opened.core.headPosition,
  });
  const segment = (): number => Math.floor(opened.core.headPosition / SMALL_SEGMENT_BYTES);
  const heldBytes: number[] = [];
  for (let round = 0; round < 60; round++) {
    await Promise.all(Array.from({ length: 100 }, (_, i) => create(opened.broker, `q-${round}-${i}`)));
    outlines.follow();
    heldBytes.push(outlines.heldBytes);
  }
  const full = segment();
  expect(full).toBeGreaterThan(3);
  // What little there is of a segment before there are too many: one part, and none for most of the time.
  expect(Math.max(...heldBytes)).toBeLessThanOrEqual(1024 * 1024);
  expect(heldBytes.filter((bytes) => bytes === 0).length).toBeGreaterThan(heldBytes.length / 2);
  for (let i = 0; i < full; i++) expect(outlines.of(i)).toBe(undefined);

  const queue = find(opened.broker, "q-0-0");
  while (segment() < full + 3) {
    await send(
      opened.broker,
      queue,
      Array.from({ length: 10 }, () => outgoing("m".repeat(200))),
    );
    outlines.follow();
  }
  expect(outlines.heldBytes).toBeGreaterThan(0);
  expect(outlines.of(full + 1)).toBeDefined();
  outlines.release(full + 1);
  expect(outlines.of(full + 1)).toBe(undefined);
});
