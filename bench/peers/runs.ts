// Runs as files, one each, and several of them as one: those of one commit on one machine.
import { readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { isChanged } from "../support.ts";
import type { PeerNote, Results, Row, RunNote } from "./results.ts";

export interface Run extends RunNote {
  readonly machine: string;
  readonly commit: string;
  readonly seconds: number;
  /** Of a latency's measurement; absent, in files of before: as of any other. */
  readonly latencySeconds?: number;
  /** Of backlogs and numbers of queues; below 1 none of its figures is one. */
  readonly scale: number;
  readonly peers: readonly PeerNote[];
  readonly missing: readonly string[];
  readonly rows: readonly Row[];
}

export class RunError extends Error {}

const FILE_BYTES_MAX = 16 * 1024 * 1024;

/** By when it began, so that names are in order, and of what. */
export function fileNameOf({ startedAt, commit }: Run): string {
  return `${startedAt.slice(0, 19).replaceAll(":", "-")}Z-${commit.replaceAll(/\W+/g, "-")}.json`;
}

/** Whoever reads it finds all of what was last kept, and never a part. */
export function keepRun(file: string, run: Run): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(run, undefined, 1)}\n`);
  renameSync(`${file}.new`, file);
}

/** @throws RunError if there is none */
export function newestIn(directory: string): string {
  const names = readdirSync(directory).filter((name) => name.endsWith(".json"));
  const newest = names.sort().at(-1);
  if (newest === undefined) throw new RunError(`There is no run in ${directory}`);
  return join(directory, newest);
}

type Fields = Readonly<Record<string, unknown>>;
type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === "string";
const isNumber: Check = (value) => typeof value === "number" && Number.isFinite(value);
const isFlag: Check = (value) => typeof value === "boolean";
const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isListOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const hasAll =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isObject(value) && Object.entries(checks).every(([name, check]) => check(value[name]));

const NOTE: Readonly<Record<keyof RunNote, Check>> = {
  startedAt: (value) => isText(value) && !Number.isNaN(Date.parse(value as string)),
  endedAt: (value) => value === null || (isText(value) && !Number.isNaN(Date.parse(value as string))),
  command: isText,
  rounds: isNumber,
  completedRounds: isNumber,
};
const COMMON = {
  machine: isText,
  commit: isText,
  seconds: isNumber,
  latencySeconds: (value) => value === undefined || isNumber(value),
  scale: isNumber,
  peers: isListOf(
    hasAll({
      name: isText,
      title: isText,
      version: isText,
      role: (value) => value === "wasq" || value === "peer" || value === "bare",
      isDurable: isFlag,
      hasIndexInMemory: isFlag,
      settings: isText,
    }),
  ),
  missing: isListOf(isText),
} satisfies Readonly<Record<string, Check>>;
const ROW: Readonly<Record<keyof Row, Check>> = {
  case: isText,
  shape: isText,
  peer: isText,
  round: isNumber,
  figures: (value) => isObject(value) && Object.values(value).every((each) => each === null || isNumber(each)),
  failure: (value) => value === undefined || isText(value),
};
const RUN: Readonly<Record<keyof Run, Check>> = { ...NOTE, ...COMMON, rows: isListOf(hasAll(ROW)) };
const PUBLISHED: Readonly<Record<keyof Results, Check>> = {
  ...COMMON,
  runs: isListOf(hasAll(NOTE)),
  rows: isListOf(hasAll({ ...ROW, run: isNumber })),
};

function refuse(file: string, why: string): never {
  throw new RunError(`${file} is no run of this benchmark: ${why}`);
}

function fieldsIn(file: string): Fields {
  let value: unknown;
  try {
    const { size } = statSync(file);
    if (size > FILE_BYTES_MAX) refuse(file, `it has ${size} bytes, at most ${FILE_BYTES_MAX} are read`);
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    if (error instanceof RunError) throw error;
    if (!(error instanceof SyntaxError)) throw new RunError(`Cannot read ${file}: ${(error as Error).message}`);
    return refuse(file, "it is not JSON");
  }
  return isObject(value) ? value : refuse(file, "it has no fields");
}

function checked(file: string, value: Fields, checks: Readonly<Record<string, Check>>): Fields {
  for (const [name, check] of Object.entries(checks)) {
    if (!check(value[name])) {
      refuse(file, value[name] === undefined ? `it has no ${name}` : `its ${name} cannot be read`);
    }
  }
  if ((value["rows"] as readonly unknown[]).length === 0) refuse(file, "nothing was measured in it yet");
  return value;
}

/** @throws RunError that says what is wrong with the file */
export function readRun(file: string): Run {
  return checked(file, fieldsIn(file), RUN) as unknown as Run;
}

/**
 * Files of runs as one, or what was published, which is several already and goes together with none.
 * @throws RunError that says what is wrong with a file, or what differs between two
 */
export function readAll(files: readonly string[]): Results {
  const [only = ""] = files;
  if (files.length === 1) {
    const fields = fieldsIn(only);
    if (fields["runs"] !== undefined) return checked(only, fields, PUBLISHED) as unknown as Results;
  }
  return combine(files.map(readRun), files);
}

/** What has to be the same where runs are put together. */
function compared(run: Run): Record<string, string> {
  const about = ({ title, version, settings }: PeerNote) => [title, `${version}: ${settings}`] as const;
  return {
    commit: run.commit,
    machine: run.machine,
    "seconds of a measurement": String(run.seconds),
    "seconds of a latency's measurement": String(run.latencySeconds ?? run.seconds),
    "scale of backlogs and queues": String(run.scale),
    ...Object.fromEntries(run.peers.map(about)),
  };
}

/**
 * Runs as one, in the order in which they began.
 * @param files their names, for errors
 * @throws RunError that names what differs between two of them
 */
export function combine(runs: readonly Run[], files: readonly string[] = []): Results {
  const named = runs.map((run, i) => ({ run, name: basename(files[i] ?? fileNameOf(run)) }));
  named.sort((a, b) => Date.parse(a.run.startedAt) - Date.parse(b.run.startedAt));
  const [first] = named;
  if (first === undefined) throw new RunError("No run is given");
  const expected = new Map<string, { readonly value: string; readonly name: string }>();
  for (const { run, name } of named) {
    for (const [what, value] of Object.entries(compared(run))) {
      const before = expected.get(what);
      if (before === undefined) expected.set(what, { value, name });
      else if (before.value !== value) {
        throw new RunError(`The runs differ in ${what}: ${before.name} has "${before.value}", ${name} has "${value}"`);
      }
    }
    if (named.length > 1 && isChanged(run.commit)) {
      throw new RunError(`${name} is of ${run.commit}: nobody can tell whether the others had the same`);
    }
  }
  const starts = named.map(({ run }) => run.startedAt);
  const twice = starts.findIndex((start, i) => starts.indexOf(start) !== i);
  if (twice !== -1) throw new RunError(`${named[twice]?.name} is given twice: both began at ${starts[twice]}`);
  const peers = new Map(named.flatMap(({ run }) => run.peers.map((peer) => [peer.name, peer] as const)));
  const titles = new Set([...peers.values()].map(({ title }) => title));
  return {
    machine: first.run.machine,
    commit: first.run.commit,
    seconds: first.run.seconds,
    ...(first.run.latencySeconds === undefined ? {} : { latencySeconds: first.run.latencySeconds }),
    scale: first.run.scale,
    runs: named.map(({ run: { startedAt, endedAt, command, rounds, completedRounds } }) => ({
      startedAt,
      endedAt,
      command,
      rounds,
      completedRounds,
    })),
    peers: [...peers.values()],
    missing: [...new Set(named.flatMap(({ run }) => run.missing))].filter((title) => !titles.has(title)),
    rows: named.flatMap(({ run }, i) => run.rows.map((row) => ({ ...row, run: i }))),
  };
}
