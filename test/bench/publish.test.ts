// What of the runs stands in the project's README.
import { expect, test } from "vitest";
import { goalsSummary, publish, summaryTable } from "../../bench/peers/publish.ts";
import type { PeerNote, Results, RunRow } from "../../bench/peers/results.ts";
import { RunError } from "../../bench/peers/runs.ts";

function peer(name: string, more: Partial<PeerNote> = {}): PeerNote {
  const common = { isDurable: true, hasIndexInMemory: false, settings: "" };
  return { name, title: name, version: "1.0", role: name === "wasq" ? "wasq" : "peer", ...common, ...more };
}

function results(peers: readonly PeerNote[], ...rows: readonly Omit<RunRow, "round">[]): Results {
  const note = { startedAt: "2026-11-26T03:00:00.000Z", endedAt: null, command: "", rounds: 1, completedRounds: 1 };
  const runs = Array.from({ length: Math.max(...rows.map(({ run }) => run + 1)) }, () => note);
  return { machine: "", commit: "", seconds: 1, scale: 1, runs, peers, missing: [], rows: rows.map(numbered) };
}
const numbered = (row: Omit<RunRow, "round">): RunRow => ({ ...row, round: 1 });

const latency = (name: string, p50: number, behindMs: number) =>
  ({ case: "latency", shape: "256 B, 5,000/s", peer: name, run: 0, figures: { p50, behindMs, lateCount: 0 } }) as const;
const sends = (name: string, ...perSecond: readonly number[]) =>
  perSecond.map(
    (each, run) =>
      ({ case: "publish", shape: "256 B, 64 in flight", peer: name, run, figures: { perSecond: each } }) as const,
  );

const lineOf = (text: string, name: string): string => text.split("\n").find((line) => line.includes(name)) ?? "";

test("the best that is on disk is bold, whoever it is, with the least and the most below", () => {
  const peers = [peer("wasq"), peer("redis"), peer("moto", { isDurable: false })];
  const text = summaryTable(
    results(peers, ...sends("wasq", 10, 30, 20), ...sends("redis", 40, 50, 60), ...sends("moto", 99)),
  );
  expect(lineOf(text, "wasq")).toContain("| 20<br><sub>10 to 30</sub> |");
  expect(lineOf(text, "redis")).toContain("| **50**<br><sub>40 to 60</sub> |");
  expect(lineOf(text, "moto")).toMatch(/moto 1\.0 `\*` .*\| 99 \|/);
});

test("a latency of one that did not keep the pace is marked, and is never the best", () => {
  const text = summaryTable(results([peer("wasq"), peer("nats")], latency("wasq", 2, 1), latency("nats", 1, 500)));
  expect(lineOf(text, "wasq")).toContain("| **2** |");
  expect(lineOf(text, "nats")).toContain("| 1 `†` |");
});

test("who was not measured in these cases has no line", () => {
  expect(lineOf(summaryTable(results([peer("wasq"), peer("redis")], ...sends("wasq", 1))), "redis")).toBe("");
});

test("goals that were missed are named with what was measured", () => {
  const bare = peer("bare", { role: "bare" });
  const text = goalsSummary(results([peer("wasq"), bare], ...sends("wasq", 50), ...sends("bare", 100)));
  expect(text).toMatch(/^Of \d+ goals 0 are met, 1 missed, \d+ not measured\./);
  expect(text).toContain("- missed: HTTP SendMessage, 64 connections, of bare: 50 %; goal: at least 75 %");
});

test("what was scaled down is not published", () => {
  const trial = { ...results([peer("wasq")], ...sends("wasq", 1)), scale: 0.5 };
  expect(() => publish(trial, (name) => name)).toThrow(RunError);
});
