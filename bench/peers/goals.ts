// What the project set out to reach, and what one run says of it.
import { medians, type PeerNote, type Results } from "./results.ts";

export interface Goal {
  readonly figure: string;
  readonly measured: string;
  readonly goal: string;
  /** undefined: this run does not say. */
  readonly isMet: boolean | undefined;
}

type Figures = Readonly<Record<string, number>>;

const SINGLES = "256 B, 64 in flight";
const TENS = "256 B, 1,000 in flight";
const PACE = "256 B, 5,000/s";
const MILLION = "1,000,000 queued";
const TEN_MILLION = "10,000,000 queued";
const MILLION_QUEUES = "1,000,000 of them";
const QUANTILES = { p50: "p50", p99: "p99", p999: "p99.9" } as const;

const times = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)} times`;
const percent = (value: number): string => `${(value * 100).toFixed(0)} %`;
const ms = (value: number): string => `${value < 100 ? value.toFixed(2) : value.toFixed(0)} ms`;
const bytes = (value: number): string => `${value.toFixed(0)} B`;

class Reader {
  readonly #results: Results;
  constructor(results: Results) {
    this.#results = results;
  }

  figures(name: string, shape: string, peer: string): Figures {
    const of = (row: Results["rows"][number]) => row.case === name && row.shape === shape && row.peer === peer;
    return medians(this.#results.rows.filter(of)) ?? {};
  }

  figure(name: string, shape: string, peer: string, field = "perSecond"): number {
    return this.figures(name, shape, peer)[field] ?? Number.NaN;
  }

  title(peer: string): string {
    return this.#results.peers.find(({ name }) => name === peer)?.title ?? peer;
  }

  /** Everybody else whose confirmation says that the disk has it. */
  durable(): readonly PeerNote[] {
    return this.#results.peers.filter(({ role, isDurable }) => role === "peer" && isDurable);
  }

  /** Of them the one with the most or the least of a figure. */
  best(
    kind: "most" | "least",
    name: string,
    shape: string,
    field = "perSecond",
    among = this.durable(),
  ): { title: string; value: number } | undefined {
    const all = among
      .map((peer) => ({ title: peer.title, value: this.figure(name, shape, peer.name, field) }))
      .filter(({ value }) => !Number.isNaN(value));
    return all.sort((a, b) => (kind === "most" ? b.value - a.value : a.value - b.value))[0];
  }
}

function atLeast(figure: string, value: number, goal: number, show: (value: number) => string, about = ""): Goal {
  const isMet = Number.isNaN(value) ? undefined : value >= goal;
  return {
    figure,
    measured: isMet === undefined ? "" : `${show(value)}${about}`,
    goal: `at least ${show(goal)}`,
    isMet,
  };
}

function atMost(figure: string, value: number, goal: number, show: (value: number) => string, about = ""): Goal {
  const isMet = Number.isNaN(value) ? undefined : value <= goal;
  return {
    figure,
    measured: isMet === undefined ? "" : `${show(value)}${about}`,
    goal: `at most ${show(goal)}`,
    isMet,
  };
}

function below(
  figure: string,
  value: number,
  other: { title: string; value: number } | undefined,
  show: (value: number) => string,
): Goal {
  const isKnown = !Number.isNaN(value) && other !== undefined;
  return {
    figure,
    measured: isKnown ? `${show(value)}; ${other.title} ${show(other.value)}` : "",
    goal: "below every durable peer",
    isMet: isKnown ? value < other.value : undefined,
  };
}

export function goalsOf(results: Results): Goal[] {
  const read = new Reader(results);
  const ofBare = (name: string, shape: string, peer: string, bare: string): number =>
    read.figure(name, shape, peer) / read.figure(name, shape, bare);
  const ofBest = (figure: string, name: string): Goal => {
    const best = read.best("most", name, TENS);
    const ratio = read.figure(name, TENS, "wasq-stream") / (best?.value ?? Number.NaN);
    return atLeast(figure, ratio, 5, times, ` ${best?.title ?? ""}`);
  };
  const deep = read.figures("backlog", TEN_MILLION, "wasq-stream");
  const shallow = read.figures("backlog", MILLION, "wasq-stream");
  const queues = read.figures("queues", MILLION_QUEUES, "wasq");
  const [pause] = results.rows.filter((row) => row.case === "pauses");
  const nan = Number.NaN;
  const indexed = read.durable().filter(({ hasIndexInMemory }) => hasIndexInMemory);
  const leastMemory = read.best("least", "backlog", MILLION, "rssPerMessage", indexed);
  return [
    atLeast("HTTP SendMessage, 64 connections, of bare", ofBare("publish", SINGLES, "wasq", "bare"), 0.75, percent),
    ...["elasticmq", "goaws", "moto"].map((peer) =>
      atLeast(
        `HTTP SendMessage, 64 connections, of ${read.title(peer)}`,
        ofBare("publish", SINGLES, "wasq", peer),
        10,
        times,
      ),
    ),
    atLeast("HTTP SendMessageBatch of 10, of bare", ofBare("publish", TENS, "wasq", "bare"), 0.7, percent),
    atLeast("HTTP receive + delete, tens, of bare", ofBare("consume", TENS, "wasq", "bare"), 0.7, percent),
    ofBest("stream publish, of the best durable peer", "publish"),
    atLeast("stream publish, of bare", ofBare("publish", TENS, "wasq-stream", "bare-stream"), 0.7, percent),
    ofBest("stream publish + deliver + ack, of the best durable peer", "both"),
    atLeast(
      "stream publish + deliver + ack, of bare",
      ofBare("both", TENS, "wasq-stream", "bare-stream"),
      0.7,
      percent,
    ),
    ...Object.entries(QUANTILES).map(([field, name]) =>
      below(
        `stream, publish to delivery at 5,000/s, ${name}`,
        read.figure("latency", PACE, "wasq-stream", field),
        read.best("least", "latency", PACE, field),
        ms,
      ),
    ),
    atMost("RSS per queued message at 10 million", deep["rssPerMessage"] ?? nan, 100, bytes),
    {
      ...below("RSS per queued message, others at a million", deep["rssPerMessage"] ?? nan, leastMemory, bytes),
      goal: "below every peer with an index in memory",
    },
    below(
      "restart after kill -9, a million queued",
      shallow["restartMs"] ?? nan,
      read.best("least", "backlog", MILLION, "restartMs"),
      ms,
    ),
    atMost(
      "HTTP receive p99, at 10 million of at 1,000",
      (deep["deepReceiveP99Ms"] ?? nan) / (deep["shallowReceiveP99Ms"] ?? nan),
      2,
      times,
      `: ${ms(deep["deepReceiveP99Ms"] ?? nan)} of ${ms(deep["shallowReceiveP99Ms"] ?? nan)}`,
    ),
    atMost("idle queue, RSS each at a million", queues["rssPerQueue"] ?? nan, 300, bytes),
    atMost("start with a million queues", (queues["restartMs"] ?? nan) / 1000, 3, (s) => `${s.toFixed(2)} s`),
    atMost(`longest collector pause, ${pause?.shape ?? "under load"}`, pause?.figures["longestMs"] ?? nan, 10, ms),
  ];
}

export function verdict({ isMet }: Goal): string {
  if (isMet === undefined) return "not measured";
  return isMet ? "met" : "missed";
}
