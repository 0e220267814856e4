// Several runs of bench:peers as one: which can be put together, and how many there truly were.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { markdown, provenance } from "../../bench/peers/report.ts";
import type { PeerNote, Row } from "../../bench/peers/results.ts";
import {
  combine,
  fileNameOf,
  keepRun,
  newestIn,
  type Run,
  RunError,
  readAll,
  readRun,
} from "../../bench/peers/runs.ts";

const directory = mkdtempSync(join(tmpdir(), "wasq-runs-"));
afterAll(() => rmSync(directory, { recursive: true }));

function peer(name: string, version = "1.0"): PeerNote {
  const common = { isDurable: true, hasIndexInMemory: false, settings: "as it starts" };
  return { name, title: name, version, role: name === "wasq" ? "wasq" : "peer", ...common };
}

function row(peerName: string, perSecond: number, round = 1): Row {
  return { case: "publish", shape: "256 B, 64 in flight", peer: peerName, round, figures: { perSecond } };
}

function run(hour: number, rows: readonly Row[], more: Partial<Run> = {}): Run {
  return {
    startedAt: `2026-11-25T${hour}:00:00.000Z`,
    endedAt: `2026-11-25T${hour}:12:00.000Z`,
    machine: "2 cores",
    commit: "abcdef0",
    command: "npm run bench:peers -- --rounds 1",
    rounds: 1,
    completedRounds: 1,
    seconds: 1.2,
    scale: 1,
    peers: [peer("wasq"), peer("redis")],
    missing: [],
    rows,
    ...more,
  };
}

const titleOf = (name: string): string => name;

describe("complete runs of one commit on one machine", () => {
  const three = [
    run(12, [row("wasq", 300), row("redis", 90)]),
    run(10, [row("wasq", 100), row("redis", 80)]),
    run(11, [row("wasq", 200), row("redis", 70)]),
  ];

  test("are shown as medians, with the least and the most", () => {
    expect(markdown(combine(three), titleOf)).toContain("| **wasq** | 200 (100 to 300) |");
    expect(markdown(combine(three), titleOf)).toContain("| redis | 80 (70 to 90) |");
  });

  test("say how many runs and rounds there were, and in which order", () => {
    const results = combine(three);
    expect(results.runs.map(({ startedAt }) => startedAt.slice(11, 13))).toEqual(["10", "11", "12"]);
    expect(results.rows.map(({ run: place, figures }) => [place, figures["perSecond"]])).toEqual([
      [0, 100],
      [0, 80],
      [1, 200],
      [1, 70],
      [2, 300],
      [2, 90],
    ]);
    expect(markdown(results, titleOf)).toContain("Medians of 3 rounds in 3 runs, the least and the most in brackets.");
    expect(provenance(results)).toContain("Medians of 3 runs, of 1.2 s a measurement: 2026-11-25 10:00 UTC (1 round)");
  });

  test("one alone has no brackets", () => {
    const text = markdown(combine(three.slice(0, 1)), titleOf);
    expect(text).toContain("One round.");
    expect(text).toContain("| **wasq** | 300 |");
  });
});

describe("a run that was broken off", () => {
  // Of its second round only wasq had its turn.
  const broken = run(10, [row("wasq", 100), row("redis", 80), row("wasq", 300, 2)], {
    endedAt: null,
    rounds: 3,
  });

  test("claims the rounds that it had, and none that it was to have", () => {
    expect(provenance(combine([broken]))).toContain("10:00 UTC (broken off after 1 of 3 rounds)");
    expect(markdown(combine([broken]), titleOf)).toContain("Medians of 2 rounds, the least");
  });

  test("says of whom there is less", () => {
    const lines = markdown(combine([broken, run(11, [row("wasq", 200), row("redis", 70)])]), titleOf).split("\n");
    expect(lines.find((line) => line.startsWith("| **wasq**"))).toBe("| **wasq** | 200 (100 to 300) |  |  |  |");
    expect(lines.find((line) => line.startsWith("| redis"))).toBe("| redis | 75 (70 to 80) |  |  | of 2 rounds |");
  });
});

describe("runs that cannot be compared", () => {
  const first = run(10, [row("wasq", 1)]);
  test.each([
    ["commit", { commit: "1234567" }, /differ in commit: a\.json has "abcdef0", b\.json has "1234567"/],
    ["machine", { machine: "64 cores" }, /differ in machine: a\.json has "2 cores", b\.json has "64 cores"/],
    [
      "duration of latencies",
      { latencySeconds: 6 },
      /differ in seconds of a latency's measurement: a\.json has "1\.2", b\.json has "6"/,
    ],
    [
      "duration",
      { seconds: 9, latencySeconds: 1.2 },
      /differ in seconds of a measurement: a\.json has "1\.2", b\.json has "9"/,
    ],
    ["version", { peers: [peer("wasq"), peer("redis", "2.0")] }, /differ in redis: .*"1\.0: .*"2\.0: /],
  ])("differ in %s", (_what, more, message) => {
    const other = run(11, [row("wasq", 1)], more);
    expect(() => combine([first, other], ["/x/a.json", "/x/b.json"])).toThrow(RunError);
    expect(() => combine([first, other], ["/x/a.json", "/x/b.json"])).toThrow(message);
  });

  test("are of a commit with changes, which may be others each time; alone it is shown", () => {
    const [one, other] = [10, 11].map((hour) => run(hour, [row("wasq", 1)], { commit: "abcdef0 with changes" }));
    expect(() => combine([one as Run, other as Run])).toThrow(/nobody can tell/);
    expect(combine([one as Run]).commit).toBe("abcdef0 with changes");
  });

  test("are one and the same", () => {
    expect(() => combine([first, first], ["a.json", "copy.json"])).toThrow(/given twice/);
  });

  test("are none", () => {
    expect(() => combine([])).toThrow(RunError);
  });
});

describe("a file", () => {
  const write = (name: string, text: string): string => {
    const file = join(directory, name);
    writeFileSync(file, text);
    return file;
  };
  const whole = run(10, [row("wasq", 1), { ...row("redis", 0), figures: {}, failure: "it ended" }]);

  test("has what was kept, and a figure that could not be had as none", () => {
    const file = join(directory, fileNameOf(whole));
    keepRun(file, whole);
    expect(readRun(file)).toEqual(whole);
    keepRun(file, run(10, [row("wasq", Number.NaN)]));
    expect(readRun(file).rows[0]?.figures).toEqual({ perSecond: null });
    rmSync(file);
  });

  test("of before latencies had a time of their own is read, and goes together with others of the same", () => {
    const file = join(directory, "old.json");
    keepRun(file, run(10, [row("wasq", 1)]));
    expect(readRun(file).latencySeconds).toBeUndefined();
    expect(provenance(combine([readRun(file), run(11, [row("wasq", 2)])]))).toContain("of 1.2 s a measurement: ");
    const now = run(12, [row("wasq", 2)], { latencySeconds: 6 });
    expect(provenance(combine([now]))).toContain("of 1.2 s a measurement, 6 s one of latencies: ");
    rmSync(file);
  });

  test("that was published is shown as it was, and goes together with no other", () => {
    const published = combine([run(10, [row("wasq", 1)]), run(11, [row("wasq", 2)], { endedAt: null })]);
    const file = write("published.json.txt", JSON.stringify(published));
    expect(readAll([file])).toEqual(published);
    expect(() => readAll([file, file])).toThrow(/is no run of this benchmark: it has no startedAt/);
    const broken = write("broken.json.txt", JSON.stringify({ ...published, rows: [row("wasq", 1)] }));
    expect(() => readAll([broken])).toThrow(/its rows cannot be read/);
    expect(
      readAll([new URL("../../bench/figures/results.json", import.meta.url).pathname]).rows.length,
    ).toBeGreaterThan(0);
  });

  test("of the run that began last is the newest", () => {
    for (const hour of [11, 13, 12]) keepRun(join(directory, fileNameOf(run(hour, [row("wasq", 1)]))), whole);
    expect(newestIn(directory)).toBe(join(directory, "2026-11-25T13-00-00Z-abcdef0.json"));
  });

  test.each([
    ["is not there", () => join(directory, "missing.json"), /Cannot read .*missing\.json: ENOENT/],
    ["is no JSON", () => write("x", "{"), /x is no run of this benchmark: it is not JSON/],
    ["is a list", () => write("x", "[]"), /it has no fields/],
    ["lacks a field", () => write("x", JSON.stringify({ ...whole, commit: undefined })), /it has no commit/],
    ["has a field of another kind", () => write("x", JSON.stringify({ ...whole, rounds: "2" })), /its rounds cannot/],
    [
      "has a figure that is no number",
      () => write("x", JSON.stringify({ ...whole, rows: [{ ...row("wasq", 1), figures: { perSecond: "1" } }] })),
      /its rows cannot be read/,
    ],
    [
      "has a time that is no number",
      () => write("x", JSON.stringify({ ...whole, latencySeconds: "6" })),
      /its latencySeconds/,
    ],
    ["has no rows", () => write("x", JSON.stringify({ ...whole, rows: [] })), /nothing was measured in it yet/],
    ["is too long", () => write("x", " ".repeat(16 * 1024 * 1024 + 1)), /16777217 bytes, at most 16777216/],
  ])("that %s is refused", (_what, file, message) => {
    expect(() => readRun(file())).toThrow(RunError);
    expect(() => readRun(file())).toThrow(message);
  });
});
