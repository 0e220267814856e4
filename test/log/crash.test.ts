import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import { BLOCK_BYTES } from "../../src/log/blocks.ts";
import { LogError } from "../../src/log/errors.ts";
import { segmentName } from "../../src/log/segment.ts";
import { FakeDisk, randomOf } from "../support/fake-disk.ts";
import { commit, open, settle, Workload } from "../support/log-workload.ts";

const BATCH_COUNT = 24;
/** Of four lives, one has batches that end with a block, and are written beside one another. */
const workloadOf = (seed: number) => (seed % 4 === 3 ? new Workload(8 * BLOCK_BYTES, BLOCK_BYTES) : new Workload());

/** Half of the lives append several batches at once, more of them than are written at once; their writes end in any order. */
async function live(workload: Workload, disk: FakeDisk, seed: number): Promise<void> {
  const isBeside = seed % 2 === 1;
  const random = randomOf(seed + 10_000);
  if (isBeside) disk.turnsOfWrite = () => Math.floor(random() * 40);
  await workload.run(disk, randomOf(seed), BATCH_COUNT, isBeside ? 6 : 1);
  disk.turnsOfWrite = undefined;
}

async function callCount(seed: number): Promise<number> {
  const disk = new FakeDisk();
  await live(workloadOf(seed), disk, seed);
  return disk.calls.length;
}

/** Starts on `disk`, checks, writes one batch more. */
async function startAndGoOn(disk: FakeDisk, workload: Workload): Promise<string> {
  try {
    const opened = await open(disk, workload.segmentBytes);
    const wrong = workload.check(opened.codec.seen);
    if (wrong !== "") return wrong;
    // From here on, what was found counts as acknowledged.
    workload.written.splice(0, Number.POSITIVE_INFINITY, ...opened.codec.seen);
    opened.writer.add("after the crash");
    workload.written.push(...opened.writer.written);
    await commit(opened);
    workload.acknowledgedCount = workload.written.length;
    await opened.log.close();
    return "";
  } catch (error) {
    return String(error);
  }
}

test("after a power cut at any call: nothing acknowledged is lost, nothing else appears", async () => {
  const states = 2_000;
  const wrong: string[] = [];
  for (let seed = 0; seed < states; seed++) {
    const calls = await cachedCallCount(seed % 10);
    const random = randomOf(seed + 1_000);
    const disk = new FakeDisk();
    disk.fault = { call: Math.floor(random() * calls), code: "power" };
    const workload = workloadOf(seed % 10);
    await live(workload, disk, seed % 10);
    let crashed: FakeDisk;
    if (seed % 4 === 0) {
      // Only the process dies at first: the next one reads from the cache what is not on disk, and builds on it.
      disk.kill();
      const killed = await startAndGoOn(disk, workload);
      if (killed !== "") wrong.push(`seed ${seed}, killed: ${killed}`);
    }
    if (disk.misuses.length > 0) wrong.push(`seed ${seed}: ${disk.misuses}`);
    crashed = disk.cutPower(random);
    for (const start of ["first", "second"]) {
      const verdict = await startAndGoOn(crashed, workload);
      if (verdict !== "") wrong.push(`seed ${seed}, ${start} start: ${verdict}`);
      if (verdict !== "") break;
      crashed = crashed.cutPower(random);
    }
  }
  expect(wrong).toEqual([]);
}, 120_000);

const callCounts = new Map<number, number>();
async function cachedCallCount(seed: number): Promise<number> {
  const count = callCounts.get(seed) ?? (await callCount(seed));
  callCounts.set(seed, count);
  return count;
}

test.each([
  ["EIO", 8],
  ["ENOSPC", 8],
  ["EMFILE", 8],
  ["EIO", 7],
  ["ENOSPC", 7],
  ["EIO", 9],
  ["ENOSPC", 9],
] as const)(
  "every call failing once with %s, seed %i",
  async (code, seed) => {
    const wrong: string[] = [];
    const calls = await callCount(seed);
    for (let call = 0; call < calls; call++) {
      const disk = new FakeDisk();
      disk.fault = { call, code };
      const workload = workloadOf(seed);
      await live(workload, disk, seed);
      const at = `call ${call}, ${disk.calls[call]}`;
      for (const failure of workload.failures) {
        if (!(failure instanceof LogError) || failure.message.length < 20) wrong.push(`${at}: failed with ${failure}`);
      }
      if (disk.misuses.length > 0) wrong.push(`${at}: ${disk.misuses}`);
      if (disk.openCount !== 0) wrong.push(`${at}: ${disk.openCount} files left open`);
      const verdicts = [
        await startAndGoOn(disk, workload),
        await startAndGoOn(disk.cutPower(randomOf(call)), workload),
      ];
      for (const verdict of verdicts) if (verdict !== "") wrong.push(`${at}: ${verdict}`);
    }
    expect(wrong).toEqual([]);
  },
  60_000,
);

test("every call failing once during a start after a crash", async () => {
  const wrong: string[] = [];
  for (let call = 0; call < 200; call++) {
    const random = randomOf(call);
    const disk = new FakeDisk();
    disk.fault = { call: 150 + call, code: "power" };
    const workload = new Workload();
    await workload.run(disk, randomOf(3), BATCH_COUNT);
    const crashed = disk.cutPower(random);
    crashed.fault = { call: call % 60, code: "EIO" };
    await open(crashed).then(
      ({ log }) => log.close(),
      (error: unknown) => error instanceof LogError || wrong.push(`call ${call}: ${error}`),
    );
    crashed.kill();
    const verdict = await startAndGoOn(crashed, workload);
    if (verdict !== "") wrong.push(`call ${call}: ${verdict}`);
  }
  expect(wrong).toEqual([]);
});

describe("a long append", () => {
  const MiB = 1024 * 1024;
  const BODY = "x".repeat(60_000);
  const PIECE_BYTES = 256 * 1024;

  /** The files before it, acknowledged, and after it; and what was written of it, by PIECE_BYTES. */
  async function longAppend() {
    const disk = new FakeDisk();
    const opened = await open(disk, 2 * MiB);
    await settle(opened.log);
    opened.writer.add("acknowledged");
    await commit(opened);
    await settle(opened.log);
    const before = disk.files();
    const acknowledgedCount = opened.writer.written.length;
    for (let i = 0; i < 22; i++) opened.writer.add(`${i}${BODY}`);
    const from = disk.calls.length;
    await commit(opened);
    const after = disk.files();
    const name = segmentName(1);
    const pieces = disk.calls.slice(from).flatMap((call) => {
      const [what, file, offset, sizeBytes] = call.split(" ");
      if (what !== "write" || file !== name) return [];
      const end = Number(offset) + Number(sizeBytes);
      const starts = Array.from({ length: Math.ceil(Number(sizeBytes) / PIECE_BYTES) }, (_, i) => i * PIECE_BYTES);
      return starts.map((start) => {
        const from = Number(offset) + start;
        return { offset: from, sizeBytes: Math.min(PIECE_BYTES, end - from) };
      });
    });
    await opened.log.close();
    return { before, after, name, pieces, written: opened.writer.written, acknowledgedCount };
  }

  type Long = Awaited<ReturnType<typeof longAppend>>;

  /** Starts on the files with these bytes of the append; twice. @returns what is wrong, or "" */
  async function startOn(long: Long, parts: readonly { offset: number; sizeBytes: number }[]): Promise<string> {
    const { before, after, name, written, acknowledgedCount } = long;
    const bytes = (before.get(name) as Uint8Array).slice();
    for (const { offset, sizeBytes } of parts) {
      bytes.set((after.get(name) as Uint8Array).subarray(offset, offset + sizeBytes), offset);
    }
    const disk = FakeDisk.of(new Map(before).set(name, bytes));
    try {
      const first = await open(disk, 2 * MiB);
      const { seen } = first.codec;
      await first.log.close();
      if (seen.length < acknowledgedCount) return "what was acknowledged is lost";
      if (!isDeepStrictEqual(seen, written.slice(0, seen.length))) return "not what was written";
      const isWhole = parts.length === 0 || seen.length === written.length;
      if (!isWhole && !first.notes.some((note) => note.includes(name))) return "cut without a word";
      const second = await open(disk, 2 * MiB);
      await second.log.close();
      return second.codec.seen.length === seen.length && second.notes.length === 0
        ? ""
        : "the next start sees another log";
    } catch (error) {
      return String(error);
    }
  }

  test("any pieces of it missing: cut, told of, and never half back", async () => {
    const long = await longAppend();
    const { pieces } = long;
    expect(pieces.length).toBeGreaterThan(2);
    const wrong: string[] = [];
    for (let kept = 0; kept < 2 ** pieces.length; kept++) {
      const verdict = await startOn(
        long,
        pieces.filter((_, i) => kept & (1 << i)),
      );
      if (verdict !== "") wrong.push(`pieces ${kept.toString(2)}: ${verdict}`);
    }
    expect(wrong).toEqual([]);
  }, 60_000);

  test("any of its sectors missing", async () => {
    const long = await longAppend();
    const random = randomOf(11);
    const wrong: string[] = [];
    for (let state = 0; state < 3; state++) {
      const share = state === 0 ? 1 : random() ** 0.1; // most of it is there
      const sectors = long.pieces.flatMap(({ offset, sizeBytes }) => {
        if (random() < 0.3) return []; // the whole piece is missing
        const first = Math.floor(offset / 512);
        const count = Math.ceil((offset + sizeBytes) / 512) - first;
        const all = Array.from({ length: count }, (_, i) => ({ offset: (first + i) * 512, sizeBytes: 512 }));
        return all.filter(() => random() < share);
      });
      const verdict = await startOn(long, sectors);
      if (verdict !== "") wrong.push(`state ${state}: ${verdict}`);
    }
    expect(wrong).toEqual([]);
  }, 60_000);
});

test("short writes are completed", async () => {
  const disk = new FakeDisk();
  disk.writeBytesMax = 5_000; // a block, and some of the next one
  const workload = new Workload();
  await workload.run(disk, randomOf(1), 6);
  expect(workload.failures).toEqual([]);
  expect(await startAndGoOn(disk, workload)).toBe("");
});
