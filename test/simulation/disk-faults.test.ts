// Every call of the file system failing once, under clients' load: the broker goes on, or stops with a reason; either
// way the next start has everything that was acknowledged. WASQ_FAULTS=all tries every call of a longer life with every error.
import { expect, test } from "vitest";
import { simulate } from "./world.ts";

const SEED = 24;
const CODES = ["EIO", "ENOSPC", "EMFILE"] as const;
const TAKES_ALL = process.env["WASQ_FAULTS"] === "all";
/** A round of housekeeping is in it: indexes, a segment given up. Work grows with its square, so every run's is short. */
const LIFE_MS = TAKES_ALL ? 1_600 : 1_200;

/** A call without its numbers: which segment, where, how much. */
const kindOf = (call: string): string => call.replace(/segment-\d+/, "segment").replaceAll(/ \d+/g, "");

const EXPECTED: ReadonlySet<string> = new Set([
  ...["makeDirectory", "lock", "list", "syncDirectory", "freeBytes"],
  ...["open manifest read", "open reserve read", "rename manifest.next manifest", "rename reserve.next reserve"],
  ...["open create", "truncate", "write", "sync", "close"].map((what) => of(what, "manifest.next")),
  ...["open create", "truncate", "open blocks", "write", "close"].map((what) => of(what, "reserve.next")),
  ...["open create", "truncate", "open durable", "open blocks", "write", "sync", "close"].map((what) =>
    of(what, "spare"),
  ),
  ...["open durable", "open blocks", "open read", "size", "read", "write", "close", "unlink"].map((what) =>
    of(what, "segment.log"),
  ),
  ...["rename spare segment.log", "rename segment.log spare", "isLinked segment.log"],
]);

/** "open create" of a file is `open FILE create`. */
function of(what: string, file: string): string {
  const [verb = "", ...mode] = what.split(" ");
  return [verb, file, ...mode].join(" ");
}

test(
  "every call failing once",
  async () => {
    const { faults, calls, segmentCount } = await simulate(SEED, { lifeMs: LIFE_MS, fault: undefined });
    expect(faults).toEqual([]);
    expect(calls.length).toBeGreaterThan(300);
    expect(segmentCount).toBeGreaterThan(5);
    // Whatever a broker asks of a disk is in it.
    const kinds = new Set(calls.map(kindOf));
    expect([...kinds].filter((kind) => !EXPECTED.has(kind))).toEqual([]);
    expect([...EXPECTED].filter((kind) => !kinds.has(kind))).toEqual([]);
    const wrong: string[] = [];
    const stops = new Set<string>();
    let wentOnCount = 0;
    for (let call = 0; call < calls.length; call++) {
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
