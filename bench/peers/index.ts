// npm run bench:peers -- [cases] [--full] [--rounds N] [--seconds S] [--scale F] [--peers a,b], or --show or --publish [files of runs]
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { commit, machine, ROOT, say } from "../support.ts";
import { holdAlone } from "./alone.ts";
import { BACKLOG_TITLE, backlog, backlogSeconds } from "./backlog.ts";
import { type Extent, LOAD_CASES, latencySeconds, shapesOf, takesPart } from "./cases.ts";
import { idleQueues, QUEUES_TITLE, queuesSeconds } from "./idle-queues.ts";
import { PAUSES_TITLE, pauses } from "./pauses.ts";
import { PEERS } from "./peers.ts";
import { plots } from "./plots.ts";
import { Progress } from "./progress.ts";
import { publish } from "./publish.ts";
import { printTables, provenance } from "./report.ts";
import type { Results, Row } from "./results.ts";
import { combine, fileNameOf, keepRun, newestIn, type Run, RunError, readAll } from "./runs.ts";
import type { Peer } from "./server.ts";
import { type Chosen, session, shapeSeconds, startSeconds } from "./session.ts";
import { SYNCS_TITLE, syncs, syncsSeconds } from "./syncs.ts";

const OUT = join(ROOT, "build", "out", "peers");
const RUNS = join(OUT, "runs");
const CASES = [...LOAD_CASES.map(({ name }) => name), "backlog", "queues", "pauses", "syncs"];
const TITLES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(LOAD_CASES.map(({ name, title }) => [name, title])),
  backlog: BACKLOG_TITLE,
  queues: QUEUES_TITLE,
  pauses: PAUSES_TITLE,
  syncs: SYNCS_TITLE,
};
const titleOf = (name: string): string => TITLES[name] ?? name;

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    full: { type: "boolean", default: false },
    publish: { type: "boolean", default: false },
    show: { type: "boolean", default: false },
    rounds: { type: "string", default: "2" },
    seconds: { type: "string", default: "1.2" },
    scale: { type: "string", default: "1" },
    peers: { type: "string", default: PEERS.map(({ name }) => name).join(",") },
  },
});

function refuse(text: string): never {
  process.stderr.write(`${text}\n`);
  process.exit(2);
}

function numberOf(flag: "rounds" | "seconds" | "scale", max = 3_600): number {
  const value = Number(flags[flag]);
  if (!(value > 0 && value <= max)) refuse(`--${flag} must be above 0 and at most ${max}, not "${flags[flag]}"`);
  return value;
}

/** A minute of collector pauses, when a round of a load takes what it takes by default. */
const PAUSES_ROUNDS = 50;
const extent: Extent = { seconds: numberOf("seconds"), isFull: flags.full, scale: numberOf("scale", 1) };
const showsFiles = flags.publish || flags.show;
const wanted = positionals.length > 0 && !showsFiles ? positionals : CASES;
/** What takes minutes is done once. */
const rounds = LOAD_CASES.some(({ name }) => wanted.includes(name)) ? Math.ceil(numberOf("rounds")) : 1;
const unknown = wanted.filter((name) => !CASES.includes(name));
if (unknown.length > 0) refuse(`No case "${unknown.join('", "')}": ${CASES.join(", ")}`);
const names = flags.peers.split(",");
const strangers = names.filter((name) => !PEERS.some((peer) => peer.name === name));
if (strangers.length > 0) refuse(`No peer "${strangers.join('", "')}": ${PEERS.map(({ name }) => name).join(", ")}`);

const pauseSeconds = extent.seconds * PAUSES_ROUNDS;
const asksFor = (peer: Peer, name: string): boolean => wanted.includes(name) && takesPart(peer, name, flags.full);

function loadsOf(peer: Peer): Chosen[] {
  return LOAD_CASES.filter(({ name }) => wanted.includes(name)).flatMap((of) =>
    shapesOf(peer, of, flags.full).map((shape) => ({ of, shape })),
  );
}

interface Step {
  readonly seconds: number;
  run(say: (text: string) => void, add: (...rows: Row[]) => void): Promise<void>;
}

/** A server's round. Its loads are over one by one, so that the rest can be told. */
function roundOf(peer: Peer, round: number, progress: Progress): Step | undefined {
  const loads = loadsOf(peer);
  if (loads.length === 0) return undefined;
  const expected = loads.map(({ shape }) => shapeSeconds(peer, shape, extent));
  return {
    seconds: startSeconds(peer),
    run(say, add) {
      const about = (text: string): void => say(`round ${round}/${rounds}, ${peer.title}: ${text}`);
      let done = 0;
      return session(peer, loads, round, extent, about, (row) => {
        progress.done(expected[done++] ?? 0);
        add(row);
      });
    },
  };
}

/** What is done once. */
function onceOf(peer: Peer): Step[] {
  const steps: Step[] = [];
  const step = (name: string, seconds: number, run: Step["run"]): void => {
    if (asksFor(peer, name)) steps.push({ seconds, run });
  };
  step("backlog", backlogSeconds(peer, extent), (say, add) => backlog(peer, extent, say, add));
  step("syncs", syncsSeconds(peer), async (say, add) => add(...(await syncs(peer, say))));
  step("queues", queuesSeconds(peer, extent), (say, add) => idleQueues(peer, extent, say, add));
  if (peer.name === "wasq") {
    step("pauses", pauseSeconds + 5, async (say, add) => add(...(await pauses(pauseSeconds, say))));
  }
  return steps;
}

function estimatedSeconds(present: readonly Peer[]): number {
  let sum = 0;
  for (const peer of present) {
    const loads = loadsOf(peer).map(({ shape }) => shapeSeconds(peer, shape, extent));
    if (loads.length > 0) sum += rounds * loads.reduce((all, each) => all + each, startSeconds(peer));
    for (const step of onceOf(peer)) sum += step.seconds;
  }
  return sum;
}

let keptFile: string | undefined;

async function measure(): Promise<Run> {
  const chosen = PEERS.filter(({ name }) => names.includes(name));
  const present = chosen.filter((peer) => peer.version() !== undefined);
  const missing = chosen.filter((peer) => peer.version() === undefined).map(({ title }) => title);
  if (missing.length > 0) say(`Not installed, see bench/peers/install: ${missing.join(", ")}`);
  let run: Run = {
    startedAt: new Date().toISOString(),
    endedAt: null,
    machine: machine(),
    commit: commit(),
    command: `npm run bench:peers${process.argv.length > 2 ? ` -- ${process.argv.slice(2).join(" ")}` : ""}`,
    rounds,
    completedRounds: 0,
    seconds: extent.seconds,
    latencySeconds: latencySeconds(extent),
    scale: extent.scale,
    peers: present.map((peer) => ({
      name: peer.name,
      title: peer.title,
      version: peer.version() ?? "",
      role: peer.role,
      isDurable: peer.isDurable,
      hasIndexInMemory: peer.hasIndexInMemory === true,
      settings: peer.settings,
    })),
    missing,
    rows: [],
  };
  const file = join(RUNS, fileNameOf(run));
  // After each measurement: a run that is broken off leaves what it has, and says so by having no end.
  const keep = (more: Partial<Run>): void => {
    run = { ...run, ...more };
    keepRun(file, run);
    keptFile = file;
  };
  const add = (...rows: Run["rows"]): void => keep({ rows: [...run.rows, ...rows] });
  say(`${run.machine}; commit ${run.commit}`);
  for (const { title, version, settings } of run.peers) say(`${title} ${version}: ${settings}`);
  const expectedSeconds = estimatedSeconds(present);
  const progress = new Progress(expectedSeconds, () => performance.now() / 1000);
  say(`This takes about ${Math.ceil(expectedSeconds / 60)} minutes. What is measured goes to ${file} as it comes.`);
  const tell = (text: string): void => void process.stderr.write(`${progress.line(text)}\n`);
  const take = async (step: Step | undefined): Promise<void> => {
    if (step === undefined) return;
    await step.run(tell, add);
    progress.done(step.seconds);
  };
  for (let round = 1; round <= rounds; round++) {
    for (const peer of present) await take(roundOf(peer, round, progress));
    keep({ completedRounds: round });
  }
  for (const peer of present) for (const step of onceOf(peer)) await take(step);
  keep({ endedAt: new Date().toISOString() });
  return run;
}

function orRefused<Result>(run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    if (error instanceof RunError) refuse(error.message);
    throw error;
  }
}

/** The runs of these files as one; of none, the newest. */
function given(files: readonly string[]): Results {
  return orRefused(() => {
    return readAll(files.length > 0 ? files : [newestIn(RUNS)]);
  });
}

function show(results: Results): void {
  printTables(results, titleOf);
  for (const { name, svg } of plots(results, titleOf)) writeFileSync(join(OUT, `${name}.svg`), svg);
  say(`\n${provenance(results)}\nPlots are in ${OUT}`);
}

// An end like any other: servers that run are ended, and their directories go.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => {
    if (keptFile !== undefined) process.stderr.write(`Broken off. What was measured is in ${keptFile}\n`);
    process.exit(1);
  });
}
mkdirSync(RUNS, { recursive: true });
if (showsFiles) {
  const results = given(positionals);
  show(results);
  if (flags.publish) orRefused(() => publish(results, titleOf));
} else {
  const other = await holdAlone(`process ${process.pid}, begun at ${new Date().toISOString()}`);
  if (other !== undefined)
    refuse(`A benchmark runs on this machine already, and each would measure the other: ${other}`);
  show(combine([await measure()]));
  say(`The run is ${keptFile}`);
}
process.exit(0);
