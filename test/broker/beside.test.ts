// Long appends do not wait for one another: each ends with a block, so that the next one begins in its own. What is answered, and
// what a start finds, is what it would be if they did.
import { afterEach, beforeEach, expect, test } from "vitest";
import { assert } from "../../src/base/assert.ts";
import { BLOCK_BYTES } from "../../src/log/blocks.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import { GatedDisk } from "../support/gated-disk.ts";
import { create, find, openOn, outgoing, receive, send } from "../support/open-broker.ts";
import { VirtualLoop } from "../support/virtual-loop.ts";

const OPTIONS = { segmentBytes: 8 * 1024 * 1024 };
const BODY = "b".repeat(60_000);
const BATCH_COUNT = 4;
const IN_BATCH = 10;

const loop = new VirtualLoop();
let uninstall: () => void;

beforeEach(() => {
  uninstall = loop.install();
});

afterEach(() => uninstall());

async function bodiesOf(disk: FakeDisk): Promise<{ numbers: number[]; notes: string[] }> {
  const notes: string[] = [];
  const opened = await loop.until(openOn(disk, (text) => notes.push(text), OPTIONS));
  const numbers: number[] = [];
  for (;;) {
    const received = await loop.until(receive(opened.broker, find(opened.broker, "q")));
    if (received.status !== "ok" || received.messages.length === 0) break;
    numbers.push(...received.messages.map(({ body }) => Number.parseInt(body, 10)));
  }
  await loop.until(opened.close());
  return { numbers: numbers.sort((a, b) => a - b), notes };
}

const numbersTo = (count: number) => Array.from({ length: count }, (_, i) => i);

test("two are under way, answers come in order, and a start after the later one alone got there has neither", async () => {
  const gated = new GatedDisk();
  const { disk } = gated;
  const opened = await loop.until(openOn(disk, () => {}, OPTIONS));
  await loop.until(create(opened.broker, "q"));
  await loop.run(loop.nowMs + 100);
  gated.isArmed = true;
  const answered: number[] = [];
  for (let batch = 0; batch < BATCH_COUNT; batch++) {
    const messages = numbersTo(IN_BATCH).map((i) => outgoing(`${batch * IN_BATCH + i} ${BODY}`));
    send(opened.broker, find(opened.broker, "q"), messages).then(() => answered.push(batch));
  }
  await loop.run(loop.nowMs + 100);
  const [first, second, third] = gated.writes;
  assert(first !== undefined && second !== undefined, "two are under way");
  expect(third).toBeUndefined();
  expect(second.offset).toBe(first.offset + first.sizeBytes);
  expect(second.offset % BLOCK_BYTES).toBe(0);

  await gated.endOf(1);
  await loop.run(loop.nowMs + 100);
  expect(answered).toEqual([]);
  expect(gated.writes, "a third one waits for the first").toEqual([first]);
  const { numbers, notes } = await bodiesOf(FakeDisk.of(disk.files()));
  expect(numbers).toEqual([]);
  expect(notes.join()).toMatch(/ended in a write that was torn/);

  await gated.endOf(0);
  await loop.run(loop.nowMs + 100);
  expect(answered).toEqual([0, 1]);
  expect((await bodiesOf(FakeDisk.of(disk.files()))).numbers).toEqual(numbersTo(2 * IN_BATCH));
  while (gated.waitingCount > 0) {
    await gated.endOf(0);
    await loop.run(loop.nowMs + 100);
  }
  expect(answered).toEqual(numbersTo(BATCH_COUNT));
  expect(disk.misuses).toEqual([]);
  gated.isArmed = false;
  await loop.until(opened.close());
  expect((await bodiesOf(disk)).numbers).toEqual(numbersTo(BATCH_COUNT * IN_BATCH));
});
