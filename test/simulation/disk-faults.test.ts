// Every call of the file system failing once, under clients' load: the broker goes on, or stops with a reason; either
// way the next start has everything that was acknowledged. WASQ_FAULTS=all tries every call with every error.
import { expect, test } from "vitest";
import { simulate } from "./world.ts";

const SEED = 5;
const LIFE_MS = 1_600; // a round of housekeeping is in it: indexes, segments given up
const CODES = ["EIO", "ENOSPC", "EMFILE"] as const;
const TAKES_ALL = process.env["WASQ_FAULTS"] === "all";

test(
  "every call failing once",
  async () => {
    const { faults, callCount, segmentCount } = await simulate(SEED, { lifeMs: LIFE_MS, fault: undefined });
    expect(faults).toEqual([]);
    expect(callCount).toBeGreaterThan(300);
    expect(segmentCount).toBeGreaterThan(5);
    const wrong: string[] = [];
    const stops = new Set<string>();
    let wentOnCount = 0;
    for (let call = 0; call < callCount; call++) {
      for (const code of TAKES_ALL ? CODES : [CODES[call % CODES.length] as (typeof CODES)[number]]) {
        const outcome = await simulate(SEED, { lifeMs: LIFE_MS, fault: { call, code } });
        if (outcome.faults.length > 0) wrong.push(`call ${call}, ${code}: ${outcome.faults.slice(0, 3).join("\n")}`);
        if (outcome.gaveUp === undefined) wentOnCount++;
        else stops.add(outcome.gaveUp.replaceAll(/\d+/g, "#"));
      }
    }
    expect(wrong).toEqual([]);
    // Both happen: a failed append is the end, a spare that cannot be prepared is not.
    expect(wentOnCount).toBeGreaterThan(50);
    expect([...stops].filter((text) => text.startsWith("Cannot append to the log")).length).toBeGreaterThan(0);
    expect([...stops].filter((text) => !text.startsWith("Cannot "))).toEqual([]);
  },
  TAKES_ALL ? 1_200_000 : 400_000,
);
