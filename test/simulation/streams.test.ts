// Seeds as in simulation.test.ts: WASQ_SEEDS, WASQ_FIRST_SEED.
import { expect, test } from "vitest";
import { simulateStreams } from "./stream-world.ts";

const SEED_COUNT = Number(process.env["WASQ_SEEDS"] ?? 60);
const FIRST_SEED = Number(process.env["WASQ_FIRST_SEED"] ?? 1);

test(
  "streams: nothing confirmed is lost, nothing sent again is there twice, order and groups hold through cuts and crashes",
  async () => {
    const failures: string[] = [];
    const total: Record<string, number> = {};
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEED_COUNT && failures.length < 5; seed++) {
      const { faults, ...counts } = await simulateStreams(seed);
      if (faults.length > 0) failures.push(`seed ${seed}: ${faults.slice(0, 3).join("\n")}`);
      for (const [name, count] of Object.entries(counts)) total[name] = (total[name] ?? 0) + count;
    }
    expect(failures).toEqual([]);
    // It did what it is for.
    if (SEED_COUNT < 60) return;
    for (const [name, count] of Object.entries(total)) expect(count, name).toBeGreaterThan(SEED_COUNT);
  },
  SEED_COUNT * 5_000,
);
