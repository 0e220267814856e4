// The real process under load, between ceilings of the same run.
import { join } from "node:path";
import {
  call,
  median,
  type Process,
  percent,
  ROOT,
  runScript,
  startBroker,
  startServer,
  table,
  temporaryDirectory,
  whole,
} from "../support.ts";
import { type Answers, answersOf, ceilingJob } from "./answers.ts";
import type { CeilingJob } from "./ceiling.ts";
import type { LoadJob, LoadResult } from "./load.ts";

const ROUND_COUNT = Number(process.env["BENCH_ROUNDS"] ?? 3);
const SECONDS = Number(process.env["BENCH_SECONDS"] ?? 5);

const CASES = [
  { name: "send, 1 connection", kind: "send", connectionCount: 1 },
  { name: "send, 64 connections", kind: "send", connectionCount: 64 },
  { name: "send, 256 connections", kind: "send", connectionCount: 256 },
  { name: "send over the actions, 64 connections", kind: "sendOddly", connectionCount: 64 },
  { name: "batches of ten, 64 connections", kind: "batch", connectionCount: 64 },
  { name: "receive and delete tens, 64 connections", kind: "receiveDelete", connectionCount: 64 },
] as const;
const TARGETS = ["broker", "durable", "parse"] as const;
type Target = (typeof TARGETS)[number];

function startCeiling(mode: CeilingJob["mode"], directory: string, answers: Answers): Promise<Process> {
  const job = ceilingJob(mode, join(directory, mode), answers);
  return startServer([join(ROOT, "bench", "end-to-end", "ceiling.ts"), JSON.stringify(job)]);
}

export async function http(): Promise<void> {
  const directory = temporaryDirectory();
  const started: Process[] = [];
  try {
    const broker = await startBroker(join(directory.path, "data"));
    started.push(broker);
    const made: { QueueUrl: string } = JSON.parse(
      (await call(broker.endpoint, "CreateQueue", { QueueName: "b" })).text,
    );
    const QueueUrl = made.QueueUrl;
    const answers = await answersOf(broker.endpoint, QueueUrl);
    const durable = await startCeiling("durable", directory.path, answers);
    started.push(durable);
    const parse = await startCeiling("parse", directory.path, answers);
    started.push(parse);
    await measure({ broker, durable, parse }, QueueUrl);
  } finally {
    for (const server of started) await server.stop(server === started[0] ? "SIGTERM" : "SIGKILL");
    directory.remove();
  }
}

async function measure(servers: Readonly<Record<Target, Process>>, queueUrl: string): Promise<void> {
  const results = new Map<string, LoadResult[]>();
  const run = (target: Target, each: (typeof CASES)[number], seconds: number): Promise<LoadResult> => {
    const { endpoint, pid } = servers[target];
    const { kind, connectionCount } = each;
    const job: LoadJob = { endpoint, serverPid: pid, queueUrl, kind, connectionCount, seconds };
    return runScript<LoadResult>("end-to-end/load.ts", job);
  };
  for (const target of TARGETS) await run(target, CASES[1], 1); // warm
  for (let round = 0; round < ROUND_COUNT; round++) {
    for (const each of CASES) {
      for (const target of TARGETS) {
        const key = `${target} ${each.name}`;
        results.set(key, [...(results.get(key) ?? []), await run(target, each, SECONDS)]);
      }
    }
  }
  const figure = (target: Target, name: string, field: keyof LoadResult): number =>
    median((results.get(`${target} ${name}`) ?? []).map((result) => result[field]));
  const rows: string[][] = [];
  for (const { name } of CASES) {
    const ours = figure("broker", name, "messagesPerSecond");
    for (const target of TARGETS) {
      const runs = results.get(`${target} ${name}`);
      if (runs === undefined) continue;
      const theirs = figure(target, name, "messagesPerSecond");
      const failedCount = runs.reduce((sum, result) => sum + result.failedCount, 0);
      rows.push([
        name,
        target,
        whole(theirs),
        target === "broker" ? "" : percent(ours / theirs),
        figure(target, name, "p50Ms").toFixed(1),
        figure(target, name, "p99Ms").toFixed(1),
        percent(figure(target, name, "serverCpu")),
        percent(figure(target, name, "clientCpu")),
        String(failedCount),
      ]);
    }
  }
  const head = ["case", "server", "messages/s", "broker is", "p50 ms", "p99 ms", "server CPU", "client CPU", "failed"];
  table(`HTTP: medians of ${ROUND_COUNT} rounds of ${SECONDS} s`, head, rows);
  const batchGain =
    figure("broker", CASES[4].name, "messagesPerSecond") / figure("broker", CASES[1].name, "messagesPerSecond");
  process.stdout.write(`\nBatches of ten carry ${batchGain.toFixed(1)} times the messages of single sends.\n`);
}
