// What the project set out to reach, and what the runs say of it. A figure that is a ratio is one of each run by itself, whose
// rounds met the same machine; of several runs there is the median of those.
import {
  CLIENT_CORES_MAX,
  fellBehind,
  medians,
  type PeerNote,
  type Results,
  type RunRow,
  spreadOf,
  succeeded,
} from "./results.ts";

export interface Goal {
  readonly figure: string;
  readonly measured: string;
  readonly goal: string;
  /** undefined: the runs do not say. */
  readonly isMet: boolean | undefined;
  /** Of the runs that say something, those in which it is met. */
  readonly metCount: number;
  readonly runCount: number;
  /** What each run that says something has, and whether that is enough. */
  readonly each: readonly string[];
}

type Figures = Readonly<Record<string, number>>;
interface Other {
  readonly title: string;
  readonly value: number;
}

const SINGLES = "256 B, 64 in flight";
const TENS = "256 B, 1,000 in flight";
const PACE = "256 B, 5,000/s";
const MILLION = "1,000,000 queued";
const TEN_MILLION = "10,000,000 queued";
const MILLION_QUEUES = "1,000,000 of them";
const QUANTILES = { p50: "p50", p99: "p99", p999: "p99.9" } as const;

type Show = (value: number) => string;
const times: Show = (value) => `${value.toFixed(value < 10 ? 2 : 0)} times`;
const percent: Show = (value) => `${(value * 100).toFixed(0)} %`;
const ms: Show = (value) => `${value < 100 ? value.toFixed(2) : value.toFixed(0)} ms`;
const bytes: Show = (value) => `${value.toFixed(0)} B`;
const seconds: Show = (value) => `${value.toFixed(2)} s`;

/** Reads the rows of one run, or of all of them. */
class Reader {
  readonly #peers: readonly PeerNote[];
  readonly #rows: readonly RunRow[];

  constructor(peers: readonly PeerNote[], rows: readonly RunRow[]) {
    this.#peers = peers;
    this.#rows = rows;
  }

  rows(name: string, shape: string, peer: string): RunRow[] {
    return this.#rows.filter((row) => row.case === name && row.shape === shape && row.peer === peer);
  }

  figures(name: string, shape: string, peer: string): Figures {
    return medians(this.rows(name, shape, peer)) ?? {};
  }

  figure(name: string, shape: string, peer: string, field = "perSecond"): number {
    return this.figures(name, shape, peer)[field] ?? Number.NaN;
  }

  ratio(name: string, shape: string, peer: string, other: string): number {
    return this.figure(name, shape, peer) / this.figure(name, shape, other);
  }

  /** Everybody else whose confirmation says that the disk has it. */
  durable(): readonly PeerNote[] {
    return this.#peers.filter(({ role, isDurable }) => role === "peer" && isDurable);
  }

  /** Of them the one with the most or the least of a figure. */
  best(
    kind: "most" | "least",
    name: string,
    shape: string,
    field = "perSecond",
    among = this.durable(),
  ): Other | undefined {
    const all = among
      .map((peer) => ({ title: peer.title, value: this.figure(name, shape, peer.name, field) }))
      .filter(({ value }) => !Number.isNaN(value));
    return all.sort((a, b) => (kind === "most" ? b.value - a.value : a.value - b.value))[0];
  }

  /** Of the durable ones the least of a latency; a round that fell behind its pace has none. */
  quickest(field: string): Other | undefined {
    const all = this.durable().map(({ name, title }) => ({ title, rows: succeeded(this.rows("latency", PACE, name)) }));
    const there = all.filter(({ rows }) => rows.length > 0);
    const kept = there.flatMap(({ title, rows }) => {
      const value = medians(rows.filter((row) => !fellBehind(row)))?.[field];
      return value === undefined ? [] : [{ title, value }];
    });
    if (there.length > 0 && kept.length === 0)
      return { title: "no other kept the pace", value: Number.POSITIVE_INFINITY };
    return kept.sort((a, b) => a.value - b.value)[0];
  }
}

interface Wanted {
  readonly figure: string;
  readonly goal: string;
  readonly show: Show;
  /** NaN: not measured. */
  value(read: Reader): number;
  /** What it has to be below, where that is measured as well. */
  other?(read: Reader): Other | undefined;
  isReached(value: number, other: number): boolean;
  /** Whatever else is to be said of the value. */
  about?(read: Reader): string;
  /** Why what was measured cannot be a win. */
  fault?(read: Reader): string | undefined;
  /** The goal is of the worst that was ever met, and not of the median. */
  readonly isWorst?: true;
}

type Measure = Wanted["value"];
type More = Partial<Pick<Wanted, "about" | "fault" | "isWorst">>;

function atLeast(figure: string, goal: number, show: Show, value: Measure, more: More = {}): Wanted {
  return { figure, goal: `at least ${show(goal)}`, show, value, isReached: (met) => met >= goal, ...more };
}

function atMost(figure: string, goal: number, show: Show, value: Measure, more: More = {}): Wanted {
  return { figure, goal: `at most ${show(goal)}`, show, value, isReached: (met) => met <= goal, ...more };
}

function under(figure: string, goal: number, show: Show, value: Measure, more: More = {}): Wanted {
  return { figure, goal: `under ${show(goal)}`, show, value, isReached: (met) => met < goal, ...more };
}

function below(
  figure: string,
  show: Show,
  value: Measure,
  other: (read: Reader) => Other | undefined,
  more: More & { readonly goal?: string } = {},
): Wanted {
  return { figure, goal: "below every durable peer", show, value, other, isReached: (met, of) => met < of, ...more };
}

/** At least such a share of a bare server. One whose client was the limit could do more. */
function ofBare(figure: string, goal: number, name: string, shape: string, peer: string, bare: string): Wanted {
  return atLeast(`${figure}, of bare`, goal, percent, (read) => read.ratio(name, shape, peer, bare), {
    about: (read) =>
      read.figure(name, shape, bare, "clientCores") > CLIENT_CORES_MAX ? ", whose client was the limit" : "",
  });
}

function ofBest(figure: string, name: string): Wanted {
  const best = (read: Reader) => read.best("most", name, TENS);
  return atLeast(
    `${figure}, of the best durable peer`,
    5,
    times,
    (read) => read.figure(name, TENS, "wasq-stream") / (best(read)?.value ?? Number.NaN),
    { about: (read) => ` ${best(read)?.title ?? ""}` },
  );
}

const deep = (read: Reader): Figures => read.figures("backlog", TEN_MILLION, "wasq-stream");
const queues = (read: Reader): Figures => read.figures("queues", MILLION_QUEUES, "wasq");

function wanted({ rows, peers }: Results): Wanted[] {
  const title = (name: string): string => peers.find((peer) => peer.name === name)?.title ?? name;
  const pause = rows.find((row) => row.case === "pauses")?.shape ?? "";
  const indexed = (read: Reader) => read.durable().filter(({ hasIndexInMemory }) => hasIndexInMemory);
  return [
    ofBare("HTTP SendMessage, 64 connections", 0.75, "publish", SINGLES, "wasq", "bare"),
    ...["elasticmq", "goaws", "moto"].map((peer) =>
      atLeast(`HTTP SendMessage, 64 connections, of ${title(peer)}`, 10, times, (read) =>
        read.ratio("publish", SINGLES, "wasq", peer),
      ),
    ),
    ofBare("HTTP SendMessageBatch of 10", 0.7, "publish", TENS, "wasq", "bare"),
    ofBare("HTTP receive + delete, tens", 0.7, "consume", TENS, "wasq", "bare"),
    ofBest("stream publish", "publish"),
    ofBare("stream publish", 0.7, "publish", TENS, "wasq-stream", "bare-stream"),
    ofBest("stream publish + deliver + ack", "both"),
    ofBare("stream publish + deliver + ack", 0.7, "both", TENS, "wasq-stream", "bare-stream"),
    ...Object.entries(QUANTILES).map(([field, name]) =>
      below(
        `stream, publish to delivery at 5,000/s, ${name}`,
        ms,
        (read) => read.figure("latency", PACE, "wasq-stream", field),
        (read) => read.quickest(field),
        {
          fault: (read) =>
            read.rows("latency", PACE, "wasq-stream").some(fellBehind) ? "it did not keep the pace" : undefined,
        },
      ),
    ),
    under("RSS per queued message at 10 million", 100, bytes, (read) => deep(read)["rssPerMessage"] ?? Number.NaN),
    below(
      "RSS per queued message, others at a million",
      bytes,
      (read) => deep(read)["rssPerMessage"] ?? Number.NaN,
      (read) => read.best("least", "backlog", MILLION, "rssPerMessage", indexed(read)),
      { goal: "below every peer with an index in memory" },
    ),
    below(
      "restart after kill -9, a million queued",
      ms,
      (read) => read.figure("backlog", MILLION, "wasq-stream", "restartMs"),
      (read) => read.best("least", "backlog", MILLION, "restartMs"),
    ),
    atMost(
      "HTTP receive p99, at 10 million of at 1,000",
      2,
      times,
      (read) => (deep(read)["deepReceiveP99Ms"] ?? Number.NaN) / (deep(read)["shallowReceiveP99Ms"] ?? Number.NaN),
      {
        about: (read) =>
          `: ${ms(deep(read)["deepReceiveP99Ms"] ?? Number.NaN)} of ${ms(deep(read)["shallowReceiveP99Ms"] ?? Number.NaN)}`,
      },
    ),
    atMost("idle queue, RSS each at a million", 300, bytes, (read) => queues(read)["rssPerQueue"] ?? Number.NaN),
    under("start with a million queues", 3, seconds, (read) => (queues(read)["restartMs"] ?? Number.NaN) / 1000),
    under(
      "longest collector pause, a minute of HTTP and streams at once",
      10,
      ms,
      (read) =>
        read.figure("pauses", pause, "wasq", "seconds") >= 60
          ? read.figure("pauses", pause, "wasq", "longestMs")
          : Number.NaN,
      { isWorst: true },
    ),
  ];
}

function judged(want: Wanted, all: Reader, each: readonly Reader[]): Goal {
  const { figure, goal, show } = want;
  const met = each
    .map((read) => ({ read, value: want.value(read), other: want.other?.(read) }))
    .filter(({ value, other }) => !Number.isNaN(value) && (want.other === undefined || other !== undefined));
  if (met.length === 0) return { figure, measured: "", goal, isMet: undefined, metCount: 0, runCount: 0, each: [] };
  const { median: middle, least, most } = spreadOf(met.map(({ value }) => value));
  const value = want.isWorst === true ? most : middle;
  const other = want.other?.(all);
  const fault = met.map(({ read }) => want.fault?.(read)).find((text) => text !== undefined);
  const isReached = met.map(
    ({ read, value: own, other: of }) =>
      want.isReached(own, of?.value ?? Number.NaN) && want.fault?.(read) === undefined,
  );
  const against =
    other === undefined ? "" : `; ${other.title}${Number.isFinite(other.value) ? ` ${show(other.value)}` : ""}`;
  const range = met.length > 1 ? ` (${show(least)} to ${show(most)})` : "";
  return {
    figure,
    measured: `${show(value)}${want.about?.(all) ?? ""}${range}${against}${fault === undefined ? "" : `; ${fault}`}`,
    goal,
    isMet: fault === undefined && want.isReached(value, other?.value ?? Number.NaN),
    metCount: isReached.filter((is) => is).length,
    runCount: met.length,
    each: met.map(({ value: own }, i) => `${show(own)} ${isReached[i] === true ? "met" : "missed"}`),
  };
}

export function goalsOf(results: Results): Goal[] {
  const { peers, rows, runs, scale } = results;
  const all = new Reader(peers, rows);
  // Of a run that was scaled down nothing can be said.
  const each = (scale === 1 ? runs : []).map(
    (_, run) =>
      new Reader(
        peers,
        rows.filter((row) => row.run === run),
      ),
  );
  return wanted(results).map((want) => judged(want, all, each));
}

export function verdict({ isMet, metCount, runCount }: Goal): string {
  if (isMet === undefined) return "not measured";
  return `${isMet ? "met" : "missed"}${runCount > 1 ? `: in ${metCount} of ${runCount} runs` : ""}`;
}
