import { expect, test } from "vitest";
import { LogError } from "../../src/log/errors.ts";
import { FakeDisk, randomOf } from "../support/fake-disk.ts";
import { commit, open, Workload } from "../support/log-workload.ts";

const BATCH_COUNT = 24;

async function callCount(seed: number): Promise<number> {
  const disk = new FakeDisk();
  await new Workload().run(disk, randomOf(seed), BATCH_COUNT);
  return disk.calls.length;
}

/** Starts on `disk`, checks, writes one batch more. */
async function startAndGoOn(disk: FakeDisk, workload: Workload): Promise<string> {
  try {
    const opened = await open(disk);
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
    const workload = new Workload();
    await workload.run(disk, randomOf(seed % 10), BATCH_COUNT);
    let crashed: FakeDisk;
    if (seed % 4 === 0) {
      // Only the process dies at first: the next one reads from the cache what is not on disk, and builds on it.
      disk.kill();
      const killed = await startAndGoOn(disk, workload);
      if (killed !== "") wrong.push(`seed ${seed}, killed: ${killed}`);
    }
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

test.each(["EIO", "ENOSPC", "EMFILE"] as const)(
  "every call failing once with %s",
  async (code) => {
    const wrong: string[] = [];
    const calls = await callCount(7);
    for (let call = 0; call < calls; call++) {
      const disk = new FakeDisk();
      disk.fault = { call, code };
      const workload = new Workload();
      await workload.run(disk, randomOf(7), BATCH_COUNT);
      const at = `call ${call}, ${disk.calls[call]}`;
      for (const failure of workload.failures) {
        if (!(failure instanceof LogError) || failure.message.length < 20) wrong.push(`${at}: failed with ${failure}`);
      }
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

test("short writes are completed", async () => {
  const disk = new FakeDisk();
  disk.writeBytesMax = 100;
  const workload = new Workload();
  await workload.run(disk, randomOf(1), 6);
  expect(workload.failures).toEqual([]);
  expect(await startAndGoOn(disk, workload)).toBe("");
});
