// Long appends do not wait for one another: each ends with a block, so that the next one begins in its own. What is answered, and
// what a start finds, is what it would be if they did.
import { expect, test } from "vitest";
import { SEGMENT_HEADER_BYTES } from "../../src/limits.ts";
import { BLOCK_BYTES } from "../../src/log/blocks.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import { create, find, openOn, outgoing, receive, send } from "../support/open-broker.ts";
import { VirtualLoop } from "../support/virtual-loop.ts";

const OPTIONS = { segmentBytes: 8 * 1024 * 1024 };
const BODY = "b".repeat(60_000);
const BATCH_COUNT = 4;
const IN_BATCH = 10;

interface Write {
  readonly offset: number;
  readonly sizeBytes: number;
  /** Lets it get to the disk. */
  readonly end: () => Promise<void>;
}

/** A disk whose long writes to segments, from then on when it is armed, end when they are told to. */
function gated(disk: FakeDisk): { writes: Write[]; arm: () => void } {
  const writes: Write[] = [];
  let isArmed = false;
  const openFile = disk.open.bind(disk);
  disk.open = async (name, mode) => {
    const file = await openFile(name, mode);
    return {
      ...file,
      write: (bytes, offset) => {
        const hasRecords = offset >= SEGMENT_HEADER_BYTES && bytes.some((byte) => byte !== 0);
        if (!isArmed || !name.startsWith("segment-") || !hasRecords) return file.write(bytes, offset);
        return new Promise((resolve, reject) => {
          const end = () => file.write(bytes, offset).then(resolve, reject);
          writes.push({ offset, sizeBytes: bytes.byteLength, end });
        });
      },
    };
  };
  return {
    writes,
    arm: () => {
      isArmed = true;
    },
  };
}

async function inVirtualTime(run: (loop: VirtualLoop) => Promise<void>): Promise<void> {
  const loop = new VirtualLoop();
  const uninstall = loop.install();
  try {
    await run(loop);
  } finally {
    uninstall();
  }
}

async function bodiesOf(loop: VirtualLoop, disk: FakeDisk): Promise<{ numbers: number[]; notes: string[] }> {
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

test("two are under way, answers come in order, and a start after the later one alone got there has neither", () =>
  inVirtualTime(async (loop) => {
    const disk = new FakeDisk();
    const { writes, arm } = gated(disk);
    const opened = await loop.until(openOn(disk, () => {}, OPTIONS));
    await loop.until(create(opened.broker, "q"));
    await loop.run(loop.nowMs + 100);
    arm();
    const answered: number[] = [];
    for (let batch = 0; batch < BATCH_COUNT; batch++) {
      const messages = numbersTo(IN_BATCH).map((i) => outgoing(`${batch * IN_BATCH + i} ${BODY}`));
      send(opened.broker, find(opened.broker, "q"), messages).then(() => answered.push(batch));
    }
    await loop.run(loop.nowMs + 100);
    expect(writes).toHaveLength(2);
    const [first, second] = writes as [Write, Write];
    expect(second.offset).toBe(first.offset + first.sizeBytes);
    expect(second.offset % BLOCK_BYTES).toBe(0);

    await second.end();
    await loop.run(loop.nowMs + 100);
    expect(answered).toEqual([]);
    expect(writes, "a third one waits for the first").toHaveLength(2);
    const { numbers, notes } = await bodiesOf(loop, FakeDisk.of(disk.files()));
    expect(numbers).toEqual([]);
    expect(notes.join()).toMatch(/ended in a write that was torn/);

    await first.end();
    await loop.run(loop.nowMs + 100);
    expect(answered).toEqual([0, 1]);
    expect((await bodiesOf(loop, FakeDisk.of(disk.files()))).numbers).toEqual(numbersTo(2 * IN_BATCH));
    for (let ended = 2; answered.length < BATCH_COUNT; ended++) {
      await writes[ended]?.end();
      await loop.run(loop.nowMs + 100);
    }
    expect(answered).toEqual(numbersTo(BATCH_COUNT));
    await loop.until(opened.close());
    expect((await bodiesOf(loop, FakeDisk.of(disk.files()))).numbers).toEqual(numbersTo(BATCH_COUNT * IN_BATCH));
  }));
