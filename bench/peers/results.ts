// What is measured leaves rows behind; what they say together, and how it is shown.
import { quantile } from "../support.ts";
import type { Role } from "./server.ts";

export interface Row {
  readonly case: string;
  readonly shape: string;
  readonly peer: string;
  readonly round: number;
  /** A figure that could not be had is NaN; in a file it is null. */
  readonly figures: Readonly<Record<string, number | null>>;
  /** Why there are no figures. */
  readonly failure?: string;
}

export interface PeerNote {
  readonly name: string;
  readonly title: string;
  readonly version: string;
  readonly role: Role;
  readonly isDurable: boolean;
  readonly hasIndexInMemory: boolean;
  readonly settings: string;
}

/** One time that the benchmark ran. */
export interface RunNote {
  readonly startedAt: string;
  /** null: it is not over, or was broken off. */
  readonly endedAt: string | null;
  readonly command: string;
  /** That it was to have. */
  readonly rounds: number;
  /** That everybody has gone through. */
  readonly completedRounds: number;
}

/** Of one run, or of several that can be compared. */
export interface Results {
  readonly machine: string;
  readonly commit: string;
  readonly seconds: number;
  /** Of a latency's measurement; absent, of runs of before: as of any other. */
  readonly latencySeconds?: number;
  readonly scale: number;
  readonly runs: readonly RunNote[];
  readonly peers: readonly PeerNote[];
  readonly missing: readonly string[];
  readonly rows: readonly RunRow[];
}

export interface RunRow extends Row {
  /** Its place among the runs, from 0. */
  readonly run: number;
}

/** Of a case's figures, how they are shown: what counts first. */
export interface Column {
  readonly figure: string;
  readonly head: string;
  readonly digits: number;
}

const perSecond: Column = { figure: "perSecond", head: "messages/s", digits: 0 };
const cores: readonly Column[] = [
  { figure: "serverCores", head: "server cores", digits: 2 },
  { figure: "clientCores", head: "client cores", digits: 2 },
];
const LATENCY: readonly Column[] = [
  { figure: "p50", head: "p50 ms", digits: 2 },
  { figure: "p99", head: "p99 ms", digits: 2 },
  { figure: "p999", head: "p99.9 ms", digits: 2 },
  { figure: "max", head: "worst ms", digits: 1 },
  { figure: "messageCount", head: "of messages", digits: 0 },
  { figure: "sentLateP50", head: "of it the client's: p50 ms", digits: 2 },
  { figure: "sentLateP99", head: "p99 ms", digits: 2 },
  { figure: "behindMs", head: "behind at the end ms", digits: 0 },
  { figure: "lateCount", head: "never came", digits: 0 },
];
const BACKLOG: readonly Column[] = [
  { figure: "rssPerMessage", head: "RSS B each", digits: 0 },
  { figure: "diskPerMessage", head: "disk B each", digits: 0 },
  { figure: "shallowP99Ms", head: "one: p99 ms at 1,000", digits: 2 },
  { figure: "deepP99Ms", head: "with all", digits: 2 },
  { figure: "restartMs", head: "restart ms", digits: 0 },
  { figure: "drainPerSecond", head: "drained/s", digits: 0 },
  { figure: "leftMb", head: "disk left MB", digits: 0 },
];
const QUEUES: readonly Column[] = [
  { figure: "rssPerQueue", head: "RSS B each", digits: 0 },
  { figure: "diskPerQueue", head: "disk B each", digits: 0 },
  { figure: "createdPerSecond", head: "created/s", digits: 0 },
  { figure: "restartMs", head: "restart ms", digits: 0 },
];

const SYNCS: readonly Column[] = [
  { figure: "syncsPerMessage", head: "1 in flight: syncs each", digits: 2 },
  { figure: "checkedCount", head: "confirmations", digits: 0 },
  { figure: "earlyCount", head: "early", digits: 0 },
  { figure: "messagesPerSync", head: "1,000 in flight: messages a sync", digits: 1 },
  { figure: "togetherCheckedCount", head: "confirmations", digits: 0 },
  { figure: "togetherEarlyCount", head: "early", digits: 0 },
];
const PAUSES: readonly Column[] = [
  { figure: "longestMs", head: "longest ms", digits: 1 },
  { figure: "pauseCount", head: "pauses", digits: 0 },
  { figure: "pausesMs", head: "all of them ms", digits: 0 },
  { figure: "perSecond", head: "messages/s meanwhile", digits: 0 },
];

export function columnsOf(name: string): readonly Column[] {
  if (name === "backlog") return BACKLOG;
  if (name === "queues") return QUEUES;
  if (name === "pauses") return PAUSES;
  if (name === "syncs") return SYNCS;
  return name === "latency" ? [...LATENCY, ...cores] : [perSecond, ...cores];
}

/** Above this share of one core the client is what was measured. */
export const CLIENT_CORES_MAX = 0.9;
/** Of a paced load: what has not come of it when it ends, as time of its pace. */
const BEHIND_MS_MAX = 200;

/** Whether messages of a paced load did not come, or so many were on their way at its end that it could not keep up. */
export function fellBehind({ figures: { lateCount, behindMs } }: Row): boolean {
  return (lateCount ?? 0) > 0 || (behindMs ?? 0) > BEHIND_MS_MAX;
}

/** Whether it was the client that made the most of what is slowest: it sent late. */
export function sentLate({ figures: { sentLateP99, p99 } }: Row): boolean {
  return (sentLateP99 ?? 0) > (p99 ?? 0) / 2;
}

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  /** Of how many rounds. */
  readonly count: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const [least = Number.NaN, middle = Number.NaN, most = Number.NaN] = [0, 0.5, 1].map((share) =>
    quantile(values, share),
  );
  return { least, median: middle, most, count: values.length };
}

export const succeeded = <R extends Row>(rows: readonly R[]): R[] =>
  rows.filter(({ failure }) => failure === undefined);

/** Over the rounds of each figure; undefined when every round failed. */
export function spreads(rows: readonly Row[]): Record<string, Spread> | undefined {
  const good = succeeded(rows);
  if (good.length === 0) return undefined;
  const names = new Set(good.flatMap(({ figures }) => Object.keys(figures)));
  const known = (name: string): number[] =>
    good.map(({ figures }) => figures[name] ?? Number.NaN).filter((value) => !Number.isNaN(value));
  return Object.fromEntries([...names].map((name) => [name, spreadOf(known(name))]));
}

/** Medians of the same. */
export function medians(rows: readonly Row[]): Record<string, number> | undefined {
  const all = spreads(rows);
  return all && Object.fromEntries(Object.entries(all).map(([name, { median }]) => [name, median]));
}

/** In how many runs and rounds something was measured, whatever they were to have. */
export function countsOf(rows: readonly RunRow[]): { readonly runs: number; readonly rounds: number } {
  const good = succeeded(rows);
  return {
    runs: new Set(good.map(({ run }) => run)).size,
    rounds: new Set(good.map(({ run, round }) => `${run} ${round}`)).size,
  };
}

export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** Distinct values in the order in which they come first. */
export function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
