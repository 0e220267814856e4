// What a run leaves behind: a row for each measurement, and where from.
import { median } from "../support.ts";
import type { Role } from "./server.ts";

export interface Row {
  readonly case: string;
  readonly shape: string;
  readonly peer: string;
  readonly round: number;
  readonly figures: Readonly<Record<string, number>>;
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

export interface Results {
  readonly startedAt: string;
  readonly machine: string;
  readonly command: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly peers: readonly PeerNote[];
  readonly missing: readonly string[];
  readonly rows: readonly Row[];
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
  { figure: "earlyCount", head: "before a sync", digits: 0 },
  { figure: "messagesPerSync", head: "1,000 in flight: messages a sync", digits: 1 },
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

/** Median over the rounds of each figure; undefined when every round failed. */
export function medians(rows: readonly Row[]): Record<string, number> | undefined {
  const good = rows.filter(({ failure }) => failure === undefined);
  if (good.length === 0) return undefined;
  const names = new Set(good.flatMap(({ figures }) => Object.keys(figures)));
  return Object.fromEntries(
    [...names].map((name) => {
      const values = good.map(({ figures }) => figures[name] ?? Number.NaN).filter((value) => !Number.isNaN(value));
      return [name, median(values)];
    }),
  );
}

/** Distinct values in the order in which they come first. */
export function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
