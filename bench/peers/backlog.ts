// A deep backlog: what a queued message costs in memory and on disk, how long a receive takes before it, a restart after
// kill -9, and what a drain gives back.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { ROOT, temporaryDirectory, tied } from "../support.ts";
import { type Extent, scaled } from "./cases.ts";
import { ready } from "./driver.ts";
import type { LoadJob, LoadResult } from "./load.ts";
import { DRIVERS } from "./protocols.ts";
import type { Row } from "./results.ts";
import { fillSeconds, prepared, runLoad, type Wanted, warmUp } from "./run.ts";
import type { Peer, Server } from "./server.ts";
import { diskBytes, treeRssBytes } from "./tree.ts";

export const BACKLOG_TITLE = "A backlog of 256-byte messages: its cost, receives before it, kill -9, the drain";
const QUEUE = "deep";
const BODY_BYTES = 256;
const FILL_IN_FLIGHT = 10_000;
const SHALLOW = 1_000;
const SHALLOW_IN_FLIGHT = 64;
const PROBED = 900; // received one at a time
const COUNT = 1_000_000;
const DEEP_COUNT = 10_000_000;
/** Of servers that keep messages in memory: a sample says what a message costs. */
const SAMPLE = 5_000;
const SETTLE_MS = 3_000;
const CONSUMER_STARTS_MS = 500;
const RESTART_SECONDS_MAX = 180;
const MB = 1_000_000;

const sleep = (ms: number): Promise<void> => new Promise((later) => setTimeout(later, ms));

/** What a drain gives back is told by a million; ten of them would take minutes of each. */
interface Depth {
  readonly count: number;
  readonly drains: boolean;
}

function depthsOf(peer: Peer, extent: Extent): readonly Depth[] {
  // The same broker as by its stream; and those that would take minutes.
  if (peer.role === "bare" || (peer.role === "wasq" && peer.protocol === "http")) return [];
  if ((peer.backlogMax ?? SAMPLE) < SHALLOW) return [];
  if (!peer.isDurable) return [{ count: SAMPLE, drains: false }];
  const isDeep = peer.role === "wasq" || (extent.isFull && peer.backlogExtraSeconds === undefined);
  const deepest = isDeep ? [{ count: scaled(DEEP_COUNT, extent), drains: false }] : [];
  return [{ count: scaled(COUNT, extent), drains: true }, ...deepest];
}

/** What it takes, as far as one can say: a quick server a millionth of it for each message. */
export function backlogSeconds(peer: Peer, extent: Extent): number {
  return depthsOf(peer, extent).reduce(
    (sum, { count, drains }) =>
      sum + 8 + (peer.warmSeconds ?? 0) + (count / COUNT) * (drains ? 16 : 6) + (peer.backlogExtraSeconds ?? 0),
    0,
  );
}

export async function backlog(
  peer: Peer,
  extent: Extent,
  progress: (text: string) => void,
  add: (row: Row) => void,
): Promise<void> {
  for (const depth of depthsOf(peer, extent)) {
    const queued = `${depth.count.toLocaleString("en-US")} queued`;
    const shape = peer.isDurable ? queued : "a sample of what is not durable";
    const row = { case: "backlog", shape, peer: peer.name, round: 1 };
    try {
      const figures = await deep(peer, depth, (text) => progress(`backlog, ${peer.title}, ${queued}: ${text}`));
      add({ ...row, figures });
    } catch (error) {
      add({ ...row, figures: {}, failure: error instanceof Error ? error.message : String(error) });
    }
  }
}

async function deep(
  peer: Peer,
  { count, drains }: Depth,
  progress: (text: string) => void,
): Promise<Record<string, number>> {
  const directory = temporaryDirectory();
  const driver = DRIVERS[peer.protocol];
  let server: Server = await (peer.startUnsynced ?? peer.start)(directory.path);
  const secondsMax = fillSeconds(count);
  const run = (job: Pick<Wanted, "kind" | "inFlight"> & Partial<Wanted>): Promise<LoadResult> =>
    runLoad(peer, server, { queue: QUEUE, bodyBytes: BODY_BYTES, secondsMax, ...job });
  const probe = (): Promise<LoadResult> =>
    run({ kind: "consume", inFlight: 1, countMax: PROBED, protocol: peer.probeProtocol ?? peer.protocol });
  const publish = (countMax: number, inFlight: number) => run({ kind: "publish", inFlight, countMax });
  try {
    await ready(driver, server.port);
    await warmUp(peer, server);
    await prepared(peer, { port: server.port, queue: QUEUE, bodyBytes: BODY_BYTES, inFlight: 1 });
    progress("a thousand");
    // Twice: the first time it is new to everything that compiles.
    for (let i = 0; i < 2; i++) {
      await publish(SHALLOW, SHALLOW_IN_FLIGHT);
      if (i === 0) await probe();
    }
    const shallow = await probe();
    const empty = { rss: treeRssBytes(server.pid), disk: diskBytes(directory.path) };
    progress("filling");
    await publish(count, Math.min(FILL_IN_FLIGHT, count));
    await sleep(SETTLE_MS);
    const full = { rss: treeRssBytes(server.pid), disk: diskBytes(directory.path) };
    const deepest = await probe();
    const figures = {
      rssPerMessage: (full.rss - empty.rss) / count,
      diskPerMessage: (full.disk - empty.disk) / count,
      shallowP99Ms: shallow.latencyMs.p99,
      deepP99Ms: deepest.latencyMs.p99,
      shallowReceiveP99Ms: shallow.receiveP99Ms,
      deepReceiveP99Ms: deepest.receiveP99Ms,
    };
    if (!peer.isDurable) return figures;
    progress("kill -9");
    await server.kill();
    const killed = await restart(peer, directory.path);
    server = killed.server;
    const restartMs = killed.ms;
    if (!drains) return { ...figures, restartMs };
    progress("draining");
    if (peer.startUnsynced !== undefined) {
      // With a sync for each acknowledgement it would take minutes: what is left is measured, and not how quickly.
      await server.kill();
      server = await peer.startUnsynced(directory.path);
      await ready(driver, server.port, QUEUE);
    }
    const drained = await run({ kind: "consume", inFlight: 1_000, countMax: count - PROBED - SHALLOW });
    await sleep(SETTLE_MS);
    const leftMb = diskBytes(directory.path) / MB;
    const drainPerSecond = peer.startUnsynced === undefined ? drained.perSecond : Number.NaN;
    return { ...figures, restartMs, drainPerSecond, leftMb };
  } finally {
    await server.kill();
    directory.remove();
  }
}

/** From the start of the process until a consumer has a message. The consumer waits already, and asks every 5 ms. */
async function restart(peer: Peer, directory: string): Promise<{ server: Server; ms: number }> {
  const first = { kind: "first", queue: QUEUE, bodyBytes: BODY_BYTES, inFlight: 1, countMax: 1 } as const;
  const secondsMax = RESTART_SECONDS_MAX;
  const job: LoadJob = { ...first, protocol: peer.protocol, port: 0, serverPid: 0, warmMs: 0, seconds: 1, secondsMax };
  const child = tied(
    spawn(process.execPath, [join(ROOT, "bench", "peers", "load.ts"), JSON.stringify(job)], {
      stdio: ["pipe", "pipe", "inherit"],
      timeout: (RESTART_SECONDS_MAX + 10) * 1000,
      killSignal: "SIGKILL",
    }),
  );
  let text = "";
  child.stdout.on("data", (piece: Buffer) => {
    text += piece.toString();
  });
  await sleep(CONSUMER_STARTS_MS);
  const startedMs = performance.timeOrigin + performance.now();
  const server = await peer.start(directory);
  child.stdin.end(JSON.stringify({ port: server.port, serverPid: server.pid }));
  await once(child, "close");
  const { firstAtMs }: Partial<LoadResult> = text === "" ? {} : JSON.parse(text);
  if (firstAtMs === undefined || firstAtMs === 0) {
    await server.kill();
    throw new Error(`after kill -9 it hands out no message within ${job.secondsMax} s`);
  }
  return { server, ms: firstAtMs - startedMs };
}
