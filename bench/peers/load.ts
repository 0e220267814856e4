// The client, in a process of its own: one load on one server, what was done as JSON.
import { createHistogram, performance } from "node:perf_hooks";
import { text } from "node:stream/consumers";
import { type PacedResult, Pacer } from "../pacer.ts";
import { cpuSeconds } from "../support.ts";
import { type Consumed, type Driver, type Producer, ready, type Target } from "./driver.ts";
import { DRIVERS, type Protocol } from "./protocols.ts";
import { treeCpuSeconds } from "./tree.ts";

export interface LoadJob {
  readonly protocol: Protocol;
  readonly port: number;
  readonly serverPid: number;
  readonly queue: string;
  readonly bodyBytes: number;
  /** Sent and not confirmed; of "both": sent and not acknowledged, so that neither side runs away from the other. */
  readonly inFlight: number;
  readonly groupCount?: number;
  /** "consume" takes what is there already; "paced" publishes at `perSecond` and consumes; "first" waits for a message. */
  readonly kind: "publish" | "consume" | "both" | "paced" | "first";
  /** Consumers besides, with some credit of their own, that look at their sockets for a moment in a second. */
  readonly slowCount?: number;
  /** Messages at most: the run ends when they are done. */
  readonly countMax?: number;
  /** Of these so many before anything is measured: code that is not compiled yet would be measured with them. */
  readonly warmCount?: number;
  /** What a counted run may take; 120 if it is absent. */
  readonly secondsMax?: number;
  readonly perSecond?: number;
  readonly warmMs: number;
  readonly seconds: number;
  /** How long it waits at its end for what is unconfirmed: else whoever comes next finds the server at work. */
  readonly drainSecondsMax?: number;
}

export interface LoadResult {
  readonly perSecond: number; // published: confirmed; else acknowledged
  readonly doneCount: number;
  /** Sent, and not confirmed when the wait at the end was over. */
  readonly unconfirmedCount: number;
  readonly paced: PacedResult | null;
  /** Consumed one at a time: from a message to the next, with its end. */
  readonly latencyMs: Readonly<Record<"p50" | "p99", number>>;
  /** Consumed one at a time, where receiving is a request: that request. */
  readonly receiveP99Ms: number;
  readonly firstAtMs: number; // of the first message, since 1970
  readonly serverCores: number;
  readonly clientCores: number;
}

const CHECK_MS = 10;
const SLOW_READS_MS = 50;
/** What a slow consumer may hold: it is not of the window, which would be full of it. */
const SLOW_IN_FLIGHT = 100;
const COUNTED_SECONDS_MAX = 120;
/** Where a job does not say. */
const DRAIN_SECONDS_MAX = 30;

const given: LoadJob = JSON.parse(process.argv[2] ?? "");
// A job without a port waits for it: its server starts later, and this process's own start is not to be measured.
const job: LoadJob = given.port === 0 ? { ...given, ...JSON.parse(await text(process.stdin)) } : given;
const driver: Driver = DRIVERS[job.protocol];
const target: Target = { ...job, isPaced: job.kind === "paced" };
const unit = driver.unit(target);
const wantedCount = job.countMax ?? Number.POSITIVE_INFINITY;
// Published are whole units: one that is too many is better than one that never goes. Of a backlog there is no more than that.
const countMax = job.kind === "consume" ? wantedCount : Math.ceil(wantedCount / unit) * unit;

const slowCount = job.slowCount ?? 0;
const windowCount = job.inFlight + slowCount * SLOW_IN_FLIGHT;

const counts = { sent: 0, confirmed: 0, delivered: 0, settled: 0, slowlySettled: 0 };
const RANGE = { lowest: 1, highest: 3_600_000_000, figures: 3 }; // microseconds
const latency = createHistogram(RANGE);
const receive = createHistogram(RANGE);

const nowMicros = (): number => performance.now() * 1000;
let pacer: Pacer | undefined;

let goOn = (): void => {};
let isOver = false;

interface Connection {
  readonly producer: Producer;
  readonly own: { unconfirmed: number };
}

async function connection(): Promise<Connection> {
  const own = { unconfirmed: 0 };
  const producer = await driver.producer(target, (count) => {
    own.unconfirmed -= count;
    counts.confirmed += count;
    advance();
  });
  return { producer, own };
}

async function publish(): Promise<void> {
  const connections: Connection[] = [];
  const connectionCount = Math.min(driver.producerCount?.(target) ?? 1, job.inFlight);
  for (let i = 0; i < connectionCount; i++) connections.push(await connection());
  const share = Math.ceil(windowCount / connectionCount / unit) * unit;
  let scheduled = false;
  goOn = () => {
    if (target.isPaced || scheduled || isOver) return;
    scheduled = true;
    setImmediate(more);
  };
  function more(): void {
    scheduled = false;
    if (isOver) return;
    const ended = job.kind === "both" ? counts.settled + counts.slowlySettled : counts.confirmed;
    const room = Math.min(windowCount - (counts.sent - ended), countMax - counts.sent);
    let left = Math.floor(room / unit) * unit;
    for (const { producer, own } of connections) {
      const count = Math.min(left, share - own.unconfirmed);
      if (count <= 0) continue;
      left -= count;
      own.unconfirmed += count;
      counts.sent += count;
      producer.send(count);
    }
  }
  if (target.isPaced) {
    let turn = 0;
    pacer = await Pacer.start(job.perSecond ?? 1, 1, (stamp) => {
      counts.sent++;
      connections[turn++ % connectionCount]?.producer.send(1, stamp);
    });
  } else goOn();
}

let allDoneMs: number | undefined; // of a counted run

/** More of what is counted is done. */
function advance(): void {
  if (allDoneMs === undefined && done() >= countMax) allDoneMs = performance.now();
  goOn();
}

const sleep = (ms: number): Promise<void> => new Promise((later) => setTimeout(later, ms));
const done = (): number => (job.kind === "publish" ? counts.confirmed : counts.settled);

let firstAtMs = 0;
let settledMicros = 0;
let deliveredMicros = 0;

function record(histogram: typeof latency, sinceMicros: number): void {
  histogram.record(Math.max(1, Math.round(nowMicros() - sinceMicros)));
}

async function consume(): Promise<void> {
  const connectionCount = Math.min(driver.consumerCount?.(target) ?? 1, job.inFlight);
  const own = { ...target, inFlight: Math.ceil(job.inFlight / connectionCount) };
  for (let i = 0; i < connectionCount; i++) await driver.consumer(own, consumed);
}

const consumed: Consumed = {
  delivered(count) {
    if (counts.delivered === 0) firstAtMs = performance.timeOrigin + performance.now();
    else if (job.kind === "consume") {
      record(latency, deliveredMicros);
      record(receive, settledMicros);
    }
    deliveredMicros = nowMicros();
    counts.delivered += count;
  },
  settled(count) {
    settledMicros = nowMicros();
    counts.settled += count;
    advance();
  },
  stamp: (text) => pacer?.delivered(text),
};

/** What they hold is theirs, and nobody waits for it. */
async function consumeSlowly(): Promise<void> {
  const nothing = () => {};
  const settled = (count: number): void => {
    counts.slowlySettled += count;
    goOn();
  };
  const own = { ...target, inFlight: SLOW_IN_FLIGHT };
  const sockets = await driver.consumer(own, { delivered: nothing, settled, stamp: nothing });
  setInterval(() => {
    for (const socket of sockets) socket.resume();
    setTimeout(() => {
      for (const socket of sockets) socket.pause();
    }, SLOW_READS_MS);
  }, 1_000);
}

async function main(): Promise<LoadResult> {
  await ready(driver, job.port, job.queue);
  for (let i = 0; i < slowCount; i++) await consumeSlowly();
  if (job.kind !== "publish") await consume();
  const isCounted = job.countMax !== undefined;
  const begin = () => ({
    ms: performance.now(),
    done: done(),
    server: treeCpuSeconds(job.serverPid),
    client: cpuSeconds("self"),
  });
  let start = begin();
  if (job.kind !== "consume" && job.kind !== "first") await publish();
  const longestMs = (isCounted ? (job.secondsMax ?? COUNTED_SECONDS_MAX) : job.seconds) * 1000;
  if (!isCounted) {
    await sleep(job.warmMs);
    start = begin();
  } else if (job.warmCount !== undefined) {
    while (performance.now() < start.ms + longestMs && done() < job.warmCount) await sleep(1);
    if (allDoneMs === undefined) start = begin(); // else all of it came at once, and that is what there is to measure
  }
  pacer?.measure();
  const endMs = start.ms + longestMs;
  while (performance.now() < endMs && done() < countMax) await sleep(Math.min(CHECK_MS, endMs - performance.now()));
  const seconds = ((allDoneMs ?? performance.now()) - start.ms) / 1000;
  const result = {
    perSecond: (done() - start.done) / seconds,
    doneCount: done(),
    serverCores: (treeCpuSeconds(job.serverPid) - start.server) / seconds,
    clientCores: (cpuSeconds("self") - start.client) / seconds,
  };
  const paced = (await pacer?.finish()) ?? null;
  // What is unconfirmed still would be work of the load that comes next. What is refused of it now was not measured.
  isOver = true;
  let isRefused = false;
  process.on("uncaughtException", () => {
    isRefused = true;
  });
  const untilMs = performance.now() + (job.drainSecondsMax ?? DRAIN_SECONDS_MAX) * 1000;
  while (!isRefused && counts.confirmed < counts.sent && performance.now() < untilMs) await sleep(CHECK_MS);
  const at = (percent: number, of = latency): number => (of.count === 0 ? Number.NaN : of.percentile(percent) / 1000);
  return {
    ...result,
    unconfirmedCount: counts.sent - counts.confirmed,
    paced,
    firstAtMs,
    receiveP99Ms: at(99, receive),
    latencyMs: { p50: at(50), p99: at(99) },
  };
}

const result = await main();
process.stdout.write(JSON.stringify(result), () => process.exit(0));
