// What counts as reached.
import { describe, expect, test } from "vitest";
import { type Goal, goalsOf, verdict } from "../../bench/peers/goals.ts";
import { markdown } from "../../bench/peers/report.ts";
import type { PeerNote, Results, RunRow } from "../../bench/peers/results.ts";

const ROLES = { "wasq-stream": "wasq", wasq: "wasq", bare: "bare", redis: "peer", rabbitmq: "peer" } as const;
const PEERS: readonly PeerNote[] = Object.entries(ROLES).map(([name, role]) => {
  return { name, title: name, version: "1", role, isDurable: true, hasIndexInMemory: true, settings: "" };
});

type Figures = Readonly<Record<string, number>>;
type Measured = readonly [name: string, shape: string, peer: string, ...runs: readonly Figures[]];

/** Each with the figures that it had in one run after the other. */
function results(...all: readonly Measured[]): Results {
  const rows: RunRow[] = all.flatMap(([name, shape, peer, ...runs]) =>
    runs.map((figures, run) => ({ case: name, shape, peer, run, round: 1, figures })),
  );
  const note = { startedAt: "2026-11-25T10:00:00.000Z", endedAt: null, command: "", rounds: 1, completedRounds: 1 };
  const runs = Array.from({ length: Math.max(...rows.map(({ run }) => run + 1)) }, () => note);
  return { machine: "", commit: "", seconds: 1, scale: 1, runs, peers: PEERS, missing: [], rows };
}

function goal(of: Results, beginning: string): Goal {
  const found = goalsOf(of).filter(({ figure }) => figure.startsWith(beginning));
  expect(found).toHaveLength(1);
  return found[0] as Goal;
}

describe("a bound", () => {
  const deep = (rssPerMessage: number) =>
    results([
      "backlog",
      "10,000,000 queued",
      "wasq-stream",
      { rssPerMessage, deepReceiveP99Ms: 4, shallowReceiveP99Ms: 2 },
    ]);

  test("that is to be stayed under is missed where it is met to the byte", () => {
    expect(goal(deep(100), "RSS per queued message at 10")).toMatchObject({ isMet: false, goal: "under 100 B" });
    expect(goal(deep(99.9), "RSS per queued message at 10").isMet).toBe(true);
  });

  test("of at most so much is reached by as much", () => {
    expect(goal(deep(1), "HTTP receive p99")).toMatchObject({ isMet: true, goal: "at most 2.00 times" });
  });

  test.each([
    ["start with a million", ["queues", "1,000,000 of them", "wasq", { restartMs: 3_000 }] as const],
    ["longest collector", ["pauses", "60 s", "wasq", { longestMs: 10, seconds: 60 }] as const],
  ])("%s: its figure is under it or has missed it", (beginning, measured) => {
    expect(goal(results(measured), beginning).isMet).toBe(false);
  });

  test("of a minute is not judged by less", () => {
    const short = results(["pauses", "10 s", "wasq", { longestMs: 1, seconds: 10 }]);
    expect(goal(short, "longest collector").isMet).toBeUndefined();
  });

  test("of a run that was scaled down nothing is judged", () => {
    const scaled = { ...deep(1), scale: 0.01 };
    expect(goalsOf(scaled).every(({ isMet }) => isMet === undefined)).toBe(true);
  });

  test("what nobody measured is neither", () => {
    const none = goal(deep(1), "HTTP SendMessageBatch");
    expect(none.isMet).toBeUndefined();
    expect(verdict(none)).toBe("not measured");
  });
});

describe("several runs", () => {
  const shape = "256 B, 64 in flight";
  const sends = (own: readonly number[], bare: readonly number[]) =>
    results(
      ["publish", shape, "wasq", ...own.map((perSecond) => ({ perSecond }))],
      ["publish", shape, "bare", ...bare.map((perSecond) => ({ perSecond }))],
    );

  test("have a ratio each, and the median of them counts", () => {
    // The medians of both, 100 and 200, would be 50 %.
    const met = goal(sends([100, 800, 10], [100, 1_000, 200]), "HTTP SendMessage, 64 connections, of bare");
    expect(met).toMatchObject({ isMet: true, measured: "80 % (5 % to 100 %)", metCount: 2, runCount: 3 });
    expect(verdict(met)).toBe("met: in 2 of 3 runs");
  });

  test("that lack one side say nothing", () => {
    const one = goal(sends([100, 50], [200]), "HTTP SendMessage, 64 connections, of bare");
    expect(one).toMatchObject({ isMet: false, measured: "50 %", runCount: 1 });
    expect(verdict(one)).toBe("missed");
  });

  test("have the longest of all pauses", () => {
    const minutes = [3, 12, 4].map((longestMs) => ({ longestMs, seconds: 60 }));
    expect(goal(results(["pauses", "60 s", "wasq", ...minutes]), "longest collector")).toMatchObject({
      isMet: false,
      metCount: 2,
      each: ["3.00 ms met", "12.00 ms missed", "4.00 ms met"],
    });
  });
});

describe("a latency", () => {
  const at = (peer: string, p50: number, more: Figures = {}): Measured => [
    "latency",
    "256 B, 5,000/s",
    peer,
    { p50, lateCount: 0, behindMs: 2, ...more },
  ];
  const p50 = (...all: readonly Measured[]) => goal(results(...all), "stream, publish to delivery at 5,000/s, p50");

  test("has to be below the best of the durable ones; as good is not better", () => {
    expect(p50(at("wasq-stream", 1), at("redis", 1.1), at("rabbitmq", 2))).toMatchObject({
      isMet: true,
      measured: "1.00 ms; redis 1.10 ms",
    });
    expect(p50(at("wasq-stream", 1.1), at("redis", 1.1)).isMet).toBe(false);
  });

  test.each([
    ["never came", { lateCount: 1 }],
    ["were on their way still when it ended", { behindMs: 201 }],
  ])("of a run of which messages %s is no win", (_what, behind) => {
    const met = p50(at("wasq-stream", 1, behind), at("redis", 5));
    expect(met).toMatchObject({
      isMet: false,
      metCount: 0,
      measured: "1.00 ms; redis 5.00 ms; it did not keep the pace",
    });
  });

  test("of others that fell behind is none to be compared with", () => {
    expect(p50(at("wasq-stream", 2), at("redis", 1, { behindMs: 500 }), at("rabbitmq", 3))).toMatchObject({
      isMet: true,
      measured: "2.00 ms; rabbitmq 3.00 ms",
    });
    expect(p50(at("wasq-stream", 2), at("redis", 1, { lateCount: 9 })).measured).toBe(
      "2.00 ms; no other kept the pace",
    );
  });

  test("says so in its row", () => {
    const text = markdown(results(at("wasq-stream", 1, { lateCount: 3 })), (name) => name);
    expect(text).toMatch(/\*\*wasq-stream\*\* .*\| did not keep the pace \|/);
  });
});

test("a measurement through which nothing came says for how long, and does not look like a figure", () => {
  const nothing = { perSecond: 0, nothingWithinSeconds: 1.8 };
  const text = markdown(results(["fifo", "1,000 groups", "redis", nothing, nothing, { perSecond: 5 }]), (name) => name);
  expect(text).toMatch(/\| redis \| 0 \(0 to 5\) .*\| nothing came through within 1\.8 s in 2 of 3 rounds \|/);
});
