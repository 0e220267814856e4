// Seeds: WASQ_SEEDS=50000 plays so many, WASQ_FIRST_SEED=7 begins there. A failing one is printed; play it alone with
// WASQ_FIRST_SEED=<seed> WASQ_SEEDS=1.
import { expect, test } from "vitest";
import { type Outcome, simulate } from "./world.ts";

const SEED_COUNT = Number(process.env["WASQ_SEEDS"] ?? 200);
const FIRST_SEED = Number(process.env["WASQ_FIRST_SEED"] ?? 1);
const FAILURES_SHOWN_MAX = 5;

test(
  "nothing acknowledged is lost, nothing deleted comes back, order and deduplication hold through crashes",
  async () => {
    const failures: string[] = [];
    const total = {
      sentCount: 0,
      deliveredCount: 0,
      deadLetterCount: 0,
      duplicateCount: 0,
      retriedCount: 0,
      crashCount: 0,
      movedCount: 0,
      keysRefused: 0,
      segmentCount: 0,
    };
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEED_COUNT && failures.length < FAILURES_SHOWN_MAX; seed++) {
      const outcome: Outcome = await simulate(seed);
      if (outcome.faults.length > 0) failures.push(`seed ${seed}: ${outcome.faults.slice(0, 3).join("\n")}`);
      for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += outcome[name];
    }
    expect(failures).toEqual([]);
    // It did what it is for.
    if (SEED_COUNT < 200) return;
    expect(total.sentCount).toBeGreaterThan(100 * SEED_COUNT);
    expect(total.deliveredCount).toBeGreaterThan(100 * SEED_COUNT);
    expect(total.deadLetterCount).toBeGreaterThan(SEED_COUNT);
    expect(total.duplicateCount).toBeGreaterThan(SEED_COUNT);
    expect(total.retriedCount).toBeGreaterThan(SEED_COUNT);
    expect(total.crashCount).toBeGreaterThan(SEED_COUNT);
    expect(total.movedCount).toBeGreaterThan(SEED_COUNT / 4);
    expect(total.keysRefused).toBeGreaterThan(SEED_COUNT / 4);
    expect(total.segmentCount).toBeGreaterThan(3 * SEED_COUNT);
  },
  SEED_COUNT * 5_000,
);

test("the same seed plays the same", async () => {
  const [first, second] = [await simulate(3), await simulate(3)];
  expect(second).toEqual(first);
  expect((await simulate(4)).trace).not.toBe(first.trace);
});
