// Streams end to end: the real process, a bare server with the same frames and group commits, and Redis Streams with
// appendfsync always, under the same load in the same run.
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { PacedResult } from "../pacer.ts";
import {
  call,
  percent,
  quantile,
  runScript,
  startBroker,
  startServer,
  table,
  temporaryDirectory,
  whole,
} from "../support.ts";
import type { CeilingJob } from "./ceiling.ts";
import type { LoadJob, LoadResult } from "./load.ts";
import { redis } from "./redis.ts";

const SECONDS = Number(process.env["WASQ_BENCH_SECONDS"] ?? 3);
const QUEUE = "bench";

export interface Shape {
  readonly bodyBytes: number;
  readonly perFrame: number;
  readonly inFlight: number;
}

const SHAPES: readonly Shape[] = [
  { bodyBytes: 64, perFrame: 10, inFlight: 1_000 },
  { bodyBytes: 256, perFrame: 10, inFlight: 1_000 },
  { bodyBytes: 256, perFrame: 100, inFlight: 10_000 },
  { bodyBytes: 1024, perFrame: 10, inFlight: 1_000 },
  { bodyBytes: 16_384, perFrame: 10, inFlight: 200 },
];

type Wanted = Pick<LoadJob, "publishes" | "consumes" | "countMax" | "perSecond">;
const PUBLISH: Wanted = { publishes: true, consumes: false };
const BOTH: Wanted = { publishes: true, consumes: true };

async function onBroker(shape: Shape, ...jobs: readonly Wanted[]): Promise<LoadResult[]> {
  const directory = temporaryDirectory();
  const broker = await startBroker(directory.path);
  try {
    await call(broker.endpoint, "CreateQueue", { QueueName: QUEUE });
    const results: LoadResult[] = [];
    for (const job of jobs) {
      const port = Number(new URL(broker.endpoint).port);
      const input = { ...shape, ...job, port, queue: QUEUE, serverPid: broker.pid, seconds: SECONDS };
      results.push(await runScript<LoadResult>("stream/load.ts", input));
    }
    return results;
  } finally {
    await broker.stop("SIGKILL");
    directory.remove();
  }
}

async function onCeiling(shape: Shape, job: Wanted): Promise<LoadResult> {
  const directory = temporaryDirectory();
  const ceiling: CeilingJob = { filePath: join(directory.path, "log"), bodyBytes: shape.bodyBytes };
  const server = await startServer([join(import.meta.dirname, "ceiling.ts"), JSON.stringify(ceiling)]);
  try {
    const port = Number(new URL(server.endpoint).port);
    const input = { ...shape, ...job, port, queue: QUEUE, serverPid: server.pid, seconds: SECONDS };
    return await runScript<LoadResult>("stream/load.ts", input);
  } finally {
    await server.stop("SIGKILL");
    directory.remove();
  }
}

/** Median of one write of 4 KiB that is on disk when it returns, in ms. */
function syncMs(): number {
  const directory = temporaryDirectory();
  const file = openSync(join(directory.path, "sync"), constants.O_CREAT | constants.O_WRONLY | constants.O_DSYNC);
  const block = Buffer.alloc(4096, 1);
  for (let i = 0; i < 256; i++) writeSync(file, block, 0, 4096, i * 4096);
  const times: number[] = [];
  for (let i = 0; i < 500; i++) {
    const startMs = performance.now();
    writeSync(file, block, 0, 4096, (i % 256) * 4096);
    times.push(performance.now() - startMs);
  }
  closeSync(file);
  directory.remove();
  return quantile(times, 0.5);
}

const cores = ({ cpu }: LoadResult): string => `${cpu.server.toFixed(2)} / ${cpu.load.toFixed(2)}`;
const nameOf = ({ bodyBytes, perFrame, inFlight }: Shape): string =>
  `${bodyBytes} B, ${perFrame} a frame, ${whole(inFlight)} in flight`;

export async function stream(): Promise<void> {
  const published: string[][] = [];
  const backlog: string[][] = [];
  const together: string[][] = [];
  for (const shape of SHAPES) {
    const bare = await onCeiling(shape, PUBLISH);
    const [own] = (await onBroker(shape, PUBLISH)) as [LoadResult];
    const peer = await redis(shape, SECONDS, "publish");
    published.push([
      nameOf(shape),
      whole(own.published),
      percent(own.published / bare.published),
      whole(bare.published),
      peer === undefined ? "" : whole(peer.perSecond),
      cores(own),
      cores(bare),
    ]);
    const frames = Math.floor(Math.min(100_000, 200_000_000 / shape.bodyBytes) / shape.perFrame);
    const countMax = frames * shape.perFrame;
    const filled = { ...PUBLISH, countMax };
    const [, drained] = (await onBroker(shape, filled, { publishes: false, consumes: true, countMax })) as LoadResult[];
    if (drained !== undefined) backlog.push([nameOf(shape), whole(drained.delivered), cores(drained)]);
    const bareBoth = await onCeiling(shape, BOTH);
    const [both] = (await onBroker(shape, BOTH)) as [LoadResult];
    const peerBoth = await redis(shape, SECONDS, "both");
    together.push([
      nameOf(shape),
      whole(both.settled),
      percent(both.settled / bareBoth.settled),
      whole(bareBoth.settled),
      peerBoth === undefined ? "" : whole(peerBoth.perSecond),
      cores(both),
      cores(bareBoth),
    ]);
  }
  const head = ["", "wasq", "share of bare", "bare", "Redis", "cores: server / load", "bare's"];
  table("Published, confirmed from disk, messages/s", head, published);
  table("Backlog delivered and acknowledged, messages/s", ["", "wasq", "cores: server / load"], backlog);
  table("Published, delivered and acknowledged, messages/s", head, together);

  const shape = { bodyBytes: 256, perFrame: 1, inFlight: 1_000 };
  const paced = { ...BOTH, perSecond: 5_000 };
  const [own] = (await onBroker(shape, paced)) as [LoadResult];
  const bare = await onCeiling(shape, paced);
  const peer = await redis({ ...shape, perSecond: 5_000 }, SECONDS, "both");
  const sync = syncMs();
  const ms = (value: number | null | undefined) => value?.toFixed(2) ?? "";
  const row = (name: string, paced: PacedResult | null | undefined, perSecond: number): string[] => [
    name,
    ms(paced?.latencyMs.p50),
    ms(paced?.latencyMs.p99),
    ms(paced?.latencyMs.p999),
    ms(paced?.sentLateMs.p50),
    ms(paced?.sentLateMs.p99),
    whole(paced?.behindMs ?? 0),
    whole(paced?.lateCount ?? 0),
    whole(perSecond),
  ];
  table(
    `From the planned instant to the delivery at 5,000/s, ms; one disk sync takes ${sync.toFixed(2)}`,
    ["", "p50", "p99", "p99.9", "of it the client's: p50", "p99", "behind at the end", "never came", "messages/s"],
    [
      row("wasq", own.paced, own.settled),
      row("bare", bare.paced, bare.settled),
      ...(peer === undefined ? [] : [row("Redis", peer.paced, peer.perSecond)]),
    ],
  );
}
