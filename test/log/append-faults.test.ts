// Four appends asked for at once, of which one fails, however much of it is there: they are written one after another, or two
// beside one another where each has blocks of its own. Nothing is confirmed that is not on disk, or before what was asked for
// earlier; a start reads at least what was confirmed, and no hole.
import { describe, expect, test } from "vitest";
import { BLOCK_BYTES } from "../../src/log/blocks.ts";
import type { LogError } from "../../src/log/errors.ts";
import { segmentName } from "../../src/log/segment.ts";
import { FakeDisk, randomOf } from "../support/fake-disk.ts";
import { type Ending, GatedDisk, turns } from "../support/gated-disk.ts";
import { commit, type Opened, open, settle } from "../support/log-workload.ts";

const APPENDS = [0, 1, 2, 3];
const SEGMENT_BYTES = 64 * 1024;

const TRIES_MAX = 8;
const SEEDS = 20; // of what a power cut leaves
const NO_SPACE = { code: "ENOSPC", ending: "half" } as const;

interface UnderWay {
  readonly gated: GatedDisk;
  readonly opened: Opened;
  readonly outcomes: ("confirmed" | LogError | undefined)[];
}

const fourAsked = (blockBytes?: number): Promise<UnderWay> => askedFor(blockBytes, APPENDS.length);

/** One record that is on disk, and appends behind it that were asked for. @param blockBytes each begins in a block of its own */
async function askedFor(blockBytes: number | undefined, count: number): Promise<UnderWay> {
  const gated = new GatedDisk();
  const opened = await open(gated.disk, SEGMENT_BYTES);
  const { log, writer } = opened;
  const endBlock = () => {
    if (blockBytes !== undefined) writer.endBlock(blockBytes);
  };
  writer.add("on disk before");
  endBlock();
  await commit(opened);
  await settle(log);
  writer.durablePosition = writer.position;
  gated.isArmed = true;
  const outcomes: UnderWay["outcomes"] = APPENDS.slice(0, count).map(() => undefined);
  for (const i of APPENDS.slice(0, count)) {
    writer.add(`${i}`.repeat(100 + 1500 * i));
    endBlock();
    log.append(writer.take()).then(
      () => {
        outcomes[i] = "confirmed";
      },
      (error: LogError) => {
        outcomes[i] = error;
      },
    );
  }
  await turns();
  return { gated, opened, outcomes };
}

const confirmedOf = ({ outcomes }: UnderWay) => outcomes.flatMap((each, i) => (each === "confirmed" ? [i] : []));

/** What a start finds, of whatever may have been left: all that was confirmed, and nothing behind a hole. It goes on from there. */
async function expectPrefix({ gated, opened, outcomes }: UnderWay, seed: number): Promise<void> {
  const { disk } = gated;
  const { written } = opened.writer;
  const confirmedCount = 1 + outcomes.filter((each) => each === "confirmed").length;
  const random = randomOf(seed);
  const killed = FakeDisk.of(disk.files());
  for (const left of [killed, disk.cutPower(() => 0), disk.cutPower(random), disk.cutPower(random)]) {
    const again = await open(left, SEGMENT_BYTES);
    const seen = [...again.codec.seen];
    expect(seen.length).toBeGreaterThanOrEqual(confirmedCount);
    expect(seen).toEqual(written.slice(0, seen.length));
    again.writer.add("afterwards");
    await commit(again);
    await again.log.close();
    expect((await open(left, SEGMENT_BYTES)).codec.seen).toEqual([...seen, ...again.writer.written]);
  }
}

describe.each(APPENDS)("of four appends, the one before which %d are", (failing) => {
  test.each<[Ending]>([["nothing"], ["half"], ["all"]])("fails, with %s of the write done", async (ending) => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const asked = await fourAsked();
      const { gated, opened, outcomes } = asked;
      for (const i of APPENDS.slice(0, failing)) {
        expect(confirmedOf(asked)).toEqual(APPENDS.slice(0, i));
        await gated.end();
      }
      await gated.end({ code: "EIO", ending });
      expect(gated.waitingCount, "nothing is written behind it").toBe(0);
      expect(confirmedOf(asked)).toEqual(APPENDS.slice(0, failing));
      for (const i of APPENDS.slice(failing)) {
        expect(outcomes[i]).toMatchObject({ code: "io", file: segmentName(1) });
        expect(String(outcomes[i])).toMatch(
          /Cannot append to the log: .* at offset \d+: EIO.*; nothing more is written/,
        );
      }
      await expect(opened.log.append([])).rejects.toThrow("Cannot append to the log");
      await opened.log.close();
      await expectPrefix(asked, seed);
    }
  });

  test.each(["there is some", "the log is closed"])(
    "finds no space, until %s: it waits, and so does what is behind",
    async (end) => {
      for (let seed = 0; seed < SEEDS; seed++) {
        const asked = await fourAsked();
        const { gated, opened, outcomes } = asked;
        gated.disk.capacityBytes = 0; // whatever is given up, others have it
        for (let i = 0; i < failing; i++) await gated.end();
        // Whatever was given up for it, it tries once more.
        for (let tries = 0; tries < TRIES_MAX && gated.waitingCount > 0; tries++) await gated.end(NO_SPACE);
        expect(gated.waitingCount, "it does not wake itself for ever").toBe(0);
        expect(confirmedOf(asked)).toEqual(APPENDS.slice(0, failing));
        expect(outcomes.slice(failing).every((each) => each === undefined)).toBe(true);
        await expectPrefix(asked, seed);
        gated.isArmed = false;
        if (end === "there is some") {
          gated.disk.capacityBytes = Number.POSITIVE_INFINITY;
          opened.log.maintain();
          await turns();
          expect(confirmedOf(asked)).toEqual(APPENDS);
        } else {
          await opened.log.close();
          for (const i of APPENDS.slice(failing)) expect(outcomes[i]).toMatchObject({ code: "noSpace" });
        }
        await expectPrefix(asked, seed);
      }
    },
  );
});

test("writes that the system cuts short are gone on with, from the last whole block on", async () => {
  const asked = await fourAsked();
  asked.gated.disk.writeBytesMax = BLOCK_BYTES + 7;
  for (const _ of APPENDS) await asked.gated.end();
  expect(confirmedOf(asked)).toEqual(APPENDS);
  await expectPrefix(asked, 0);
});

describe("of four appends, each in blocks of its own,", () => {
  const ENDINGS: readonly Ending[] = ["nothing", "half", "all"];

  test("two are written beside one another, and confirmed in the order in which they were asked for", async () => {
    const asked = await fourAsked(BLOCK_BYTES);
    const { gated } = asked;
    expect(gated.waitingCount).toBe(2);
    expect(gated.fileCount).toBe(2);
    await gated.endOf(1);
    expect(confirmedOf(asked)).toEqual([]);
    expect(gated.waitingCount, "a third one waits for the first").toBe(1);
    await expectPrefix(asked, 0);
    await gated.endOf(0);
    expect(confirmedOf(asked)).toEqual([0, 1]);
    expect(gated.waitingCount).toBe(2);
    expect(gated.fileCount).toBe(2);
    await gated.endOf(0);
    expect(confirmedOf(asked)).toEqual([0, 1, 2]);
    await gated.endOf(0);
    expect(confirmedOf(asked)).toEqual(APPENDS);
    await expectPrefix(asked, 0);
  });

  const cases = [0, 1].flatMap((failing) =>
    [true, false].flatMap((isFirst) => ENDINGS.map((ending) => ({ failing, isFirst, ending }))),
  );
  test.each(cases)(
    "write $failing of two fails, with $ending of it done, first: $isFirst",
    async ({ failing, isFirst, ending }) => {
      for (let seed = 0; seed < SEEDS; seed++) {
        const asked = await fourAsked(BLOCK_BYTES);
        const { gated, opened, outcomes } = asked;
        const failure = { code: "EIO", ending } as const;
        if (isFirst) {
          await gated.endOf(failing, failure);
          expect(confirmedOf(asked), "its outcome is met in its turn").toEqual([]);
          await expectPrefix(asked, seed);
          await gated.end();
        } else {
          await gated.endOf(1 - failing);
          await gated.endOf(0, failure);
          if (failing === 1) await gated.end(); // the third one had been begun
        }
        expect(gated.waitingCount, "nothing more is written").toBe(0);
        expect(confirmedOf(asked)).toEqual(failing === 0 ? [] : [0]);
        for (const i of APPENDS.slice(failing)) {
          expect(outcomes[i]).toMatchObject({ code: "io", file: segmentName(1) });
        }
        await expect(opened.log.append([])).rejects.toThrow("Cannot append to the log");
        await opened.log.close();
        await expectPrefix(asked, seed);
      }
    },
  );

  test.each([2, 3, 4])("a close waits for the write of one that is rejected already, of %d", async (count) => {
    const asked = await askedFor(BLOCK_BYTES, count);
    const { gated, opened, outcomes } = asked;
    await gated.endOf(0, { code: "EIO", ending: "nothing" });
    const { openCount } = gated.disk;
    let isClosed = false;
    const closed = opened.log.close().then(() => {
      isClosed = true;
    });
    await turns();
    expect(isClosed).toBe(false);
    expect(gated.disk.openCount, "its file is open").toBe(openCount);
    await gated.end();
    await closed;
    expect(gated.disk.openCount).toBe(0);
    expect(gated.disk.misuses).toEqual([]);
    for (const outcome of outcomes) expect(outcome).toMatchObject({ code: "io" });
    await expectPrefix(asked, 0);
  });

  test("one that goes on in the next segment waits for those before it", async () => {
    const asked = await askedFor(BLOCK_BYTES, 2);
    const { gated, opened } = asked;
    const { log, writer } = opened;
    let isDone = false;
    writer.add("x".repeat(SEGMENT_BYTES - 20_000));
    writer.add("y".repeat(20_000)); // in the next one
    const last = log.append(writer.take()).then(() => {
      isDone = true;
    });
    await turns();
    expect(gated.waitingCount, "two are under way, and nothing of the third").toBe(2);
    await gated.endOf(0);
    expect(gated.waitingCount, "it waits for both").toBe(1);
    await gated.end();
    expect(confirmedOf(asked)).toEqual([0, 1]);
    await gated.end();
    await last;
    expect(isDone).toBe(true);
    expect(gated.disk.misuses).toEqual([]);
    const again = await open(FakeDisk.of(gated.disk.files()), SEGMENT_BYTES);
    expect(again.codec.seen).toEqual(writer.written);
  });

  test.each([0, 1])("write %d of two finds no space until there is some", async (failing) => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const asked = await fourAsked(BLOCK_BYTES);
      const { gated, opened } = asked;
      gated.disk.capacityBytes = 0;
      await gated.endOf(1 - failing);
      for (let tries = 0; tries < TRIES_MAX && gated.waitingCount > 0; tries++) await gated.endOf(0, NO_SPACE);
      expect(gated.waitingCount, "it does not wake itself for ever").toBe(0);
      expect(confirmedOf(asked)).toEqual(failing === 0 ? [] : [0]);
      await expectPrefix(asked, seed);
      gated.isArmed = false;
      gated.disk.capacityBytes = Number.POSITIVE_INFINITY;
      opened.log.maintain();
      await turns();
      expect(confirmedOf(asked)).toEqual(APPENDS);
      await expectPrefix(asked, seed);
    }
  });
});
