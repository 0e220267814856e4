// npm run bench:peers -- [cases] [--full] [--rounds N] [--seconds S] [--peers a,b] [--readme]
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { machine, ROOT, say } from "../support.ts";
import { BACKLOG_TITLE, backlog } from "./backlog.ts";
import { LOAD_CASES } from "./cases.ts";
import { idleQueues, QUEUES_TITLE } from "./idle-queues.ts";
import { PEERS } from "./peers.ts";
import { plots } from "./plots.ts";
import { markdown, printTables } from "./report.ts";
import type { Results, Row } from "./results.ts";
import { type Chosen, session } from "./session.ts";

const OUT = join(ROOT, "build", "out", "peers");
const JSON_FILE = join(OUT, "results.json");
const CASES = [...LOAD_CASES.map(({ name }) => name), "backlog", "queues"];
const TITLES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(LOAD_CASES.map(({ name, title }) => [name, title])),
  backlog: BACKLOG_TITLE,
  queues: QUEUES_TITLE,
};
const titleOf = (name: string): string => TITLES[name] ?? name;

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    full: { type: "boolean", default: false },
    readme: { type: "boolean", default: false },
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "1.2" },
    peers: { type: "string", default: PEERS.map(({ name }) => name).join(",") },
  },
});

function refuse(text: string): never {
  process.stderr.write(`${text}\n`);
  process.exit(2);
}

function numberOf(flag: "rounds" | "seconds"): number {
  const value = Number(flags[flag]);
  if (!(value > 0 && value <= 3_600)) refuse(`--${flag} must be a number above 0, not "${flags[flag]}"`);
  return value;
}

const rounds = Math.ceil(numberOf("rounds"));
const seconds = numberOf("seconds");
const wanted = positionals.length > 0 ? positionals : CASES;
const unknown = wanted.filter((name) => !CASES.includes(name));
if (unknown.length > 0) refuse(`No case "${unknown.join('", "')}": ${CASES.join(", ")}`);
const names = flags.peers.split(",");
const strangers = names.filter((name) => !PEERS.some((peer) => peer.name === name));
if (strangers.length > 0) refuse(`No peer "${strangers.join('", "')}": ${PEERS.map(({ name }) => name).join(", ")}`);

const startedMs = performance.now();
function progress(text: string): void {
  const passed = Math.round((performance.now() - startedMs) / 1000);
  process.stderr.write(`${String(passed).padStart(5)} s  ${text}\n`);
}

async function measure(): Promise<Results> {
  const chosen = PEERS.filter(({ name }) => names.includes(name));
  const present = chosen.filter((peer) => peer.version() !== undefined);
  const missing = chosen.filter((peer) => peer.version() === undefined).map(({ title }) => title);
  if (missing.length > 0) say(`Not installed, see bench/peers/install: ${missing.join(", ")}`);
  const rows: Row[] = [];
  const results: Results = {
    startedAt: new Date().toISOString(),
    machine: machine(),
    command: `npm run bench:peers${process.argv.length > 2 ? ` -- ${process.argv.slice(2).join(" ")}` : ""}`,
    rounds,
    seconds,
    peers: present.map((peer) => ({
      name: peer.name,
      title: peer.title,
      version: peer.version() ?? "",
      isDurable: peer.isDurable,
      settings: peer.settings,
    })),
    missing,
    rows,
  };
  say(results.machine);
  for (const { title, version, settings } of results.peers) say(`${title} ${version}: ${settings}`);
  for (let round = 1; round <= rounds; round++) {
    for (const peer of present) {
      const loads: Chosen[] = LOAD_CASES.filter(
        ({ name, only }) => wanted.includes(name) && (only?.(peer) ?? true),
      ).flatMap((of) => (flags.full ? of.full : of.quick).map((shape) => ({ of, shape })));
      if (loads.length === 0) continue;
      const say = (text: string): void => progress(`round ${round}/${rounds}, ${peer.title}: ${text}`);
      rows.push(...(await session(peer, loads, round, seconds, say)));
      keep(results);
    }
  }
  // What takes minutes is done once.
  for (const peer of present) {
    if (wanted.includes("backlog")) rows.push(...(await backlog(peer, flags.full, progress)));
    if (wanted.includes("queues")) rows.push(...(await idleQueues(peer, flags.full, progress)));
    keep(results);
  }
  return results;
}

/** After each server: a run that is broken off leaves what it has. */
function keep(results: Results): void {
  writeFileSync(JSON_FILE, `${JSON.stringify(results, undefined, 1)}\n`);
}

mkdirSync(dirname(JSON_FILE), { recursive: true });
if (flags.readme) {
  const results: Results = JSON.parse(readFileSync(JSON_FILE, "utf8"));
  process.stdout.write(markdown(results, titleOf));
} else {
  const results = await measure();
  printTables(results, titleOf);
  for (const { name, svg } of plots(results, titleOf)) writeFileSync(join(OUT, `${name}.svg`), svg);
  say(`\nJSON and plots are in ${OUT}`);
}
process.exit(0);
