// A deep backlog: what a queued message costs in memory and on disk, how long a receive takes before it, a restart after
// kill -9, and what a drain gives back.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { ROOT, runScript, temporaryDirectory } from "../support.ts";
import { ready } from "./driver.ts";
import type { LoadJob, LoadResult } from "./load.ts";
import { DRIVERS } from "./protocols.ts";
import type { Row } from "./results.ts";
import type { Peer, Server } from "./server.ts";
import { diskBytes, treeRssBytes } from "./tree.ts";

export const BACKLOG_TITLE = "A backlog of 256-byte messages: its cost, receives before it, kill -9, the drain";
const QUEUE = "deep";
const BODY_BYTES = 256;
const FILL_IN_FLIGHT = 10_000;
const SHALLOW = 1_000;
const SHALLOW_IN_FLIGHT = 64;
const PROBED = 900; // received one at a time
const QUICK_COUNTS = [1_000_000];
const FULL_COUNTS = [1_000_000, 10_000_000];
/** Of servers that keep messages in memory: a sample says what a message costs. */
const SAMPLE = 20_000;
const SETTLE_MS = 3_000;
const CONSUMER_STARTS_MS = 500;
const MB = 1_000_000;

const sleep = (ms: number): Promise<void> => new Promise((later) => setTimeout(later, ms));

export async function backlog(peer: Peer, isFull: boolean, progress: (text: string) => void): Promise<Row[]> {
  if (peer.protocol === "http" && peer.isDurable) return []; // the same broker as by its stream
  if ((peer.backlogMax ?? SAMPLE) < SHALLOW) return []; // it would take minutes
  const rows: Row[] = [];
  const isSample = !peer.isDurable;
  for (const count of isSample ? [SAMPLE] : isFull ? FULL_COUNTS : QUICK_COUNTS) {
    const queued = `${count.toLocaleString("en-US")} queued`;
    const shape = isSample ? "a sample of what is not durable" : queued;
    const row = { case: "backlog", shape, peer: peer.name, round: 1 };
    try {
      const figures = await deep(peer, count, (text) => progress(`backlog, ${peer.title}, ${queued}: ${text}`));
      rows.push({ ...row, figures });
    } catch (error) {
      rows.push({ ...row, figures: {}, failure: error instanceof Error ? error.message : String(error) });
    }
  }
  return rows;
}

async function deep(peer: Peer, count: number, progress: (text: string) => void): Promise<Record<string, number>> {
  const directory = temporaryDirectory();
  const driver = DRIVERS[peer.protocol];
  let server: Server = await (peer.startUnsynced ?? peer.start)(directory.path);
  const run = (job: Pick<LoadJob, "kind" | "inFlight"> & Partial<LoadJob>): Promise<LoadResult> =>
    runScript<LoadResult>("peers/load.ts", { ...jobOf(peer, server), ...job });
  try {
    await ready(driver, server.port);
    await driver.prepare({ port: server.port, queue: QUEUE, bodyBytes: BODY_BYTES, inFlight: 1, isPaced: false });
    progress("a thousand");
    await run({ kind: "publish", inFlight: SHALLOW_IN_FLIGHT, countMax: SHALLOW });
    const shallow = await run({ kind: "consume", inFlight: 1, countMax: PROBED });
    const empty = { rss: treeRssBytes(server.pid), disk: diskBytes(directory.path) };
    progress("filling");
    await run({ kind: "publish", inFlight: Math.min(FILL_IN_FLIGHT, count), countMax: count });
    await sleep(SETTLE_MS);
    const full = { rss: treeRssBytes(server.pid), disk: diskBytes(directory.path) };
    const deepProbe = await run({ kind: "consume", inFlight: 1, countMax: PROBED });
    const figures = {
      rssPerMessage: (full.rss - empty.rss) / count,
      diskPerMessage: (full.disk - empty.disk) / count,
      shallowP99Ms: shallow.latencyMs.p99,
      deepP99Ms: deepProbe.latencyMs.p99,
    };
    if (!peer.isDurable) return figures;
    progress("kill -9");
    await server.kill();
    const killed = await restart(peer, directory.path);
    server = killed.server;
    progress("draining");
    if (peer.startUnsynced !== undefined) {
      // With a sync for each acknowledgement it would take minutes: what is left is measured, and not how quickly.
      await server.kill();
      server = await peer.startUnsynced(directory.path);
    }
    const drained = await run({ kind: "consume", inFlight: 1_000, countMax: count - PROBED - SHALLOW });
    await sleep(SETTLE_MS);
    const leftMb = diskBytes(directory.path) / MB;
    const drainPerSecond = peer.startUnsynced === undefined ? drained.perSecond : Number.NaN;
    return { ...figures, restartMs: killed.ms, drainPerSecond, leftMb };
  } finally {
    await server.kill();
    directory.remove();
  }
}

function jobOf(peer: Peer, { port, pid }: Pick<Server, "port" | "pid">): Omit<LoadJob, "kind" | "inFlight"> {
  const common = { queue: QUEUE, bodyBytes: BODY_BYTES, warmMs: 0, seconds: 1 };
  return { ...common, protocol: peer.protocol, port, serverPid: pid };
}

/** From the start of the process until a consumer has a message. The consumer waits already, and asks every 5 ms. */
async function restart(peer: Peer, directory: string): Promise<{ server: Server; ms: number }> {
  const job: LoadJob = { ...jobOf(peer, { port: 0, pid: 0 }), kind: "first", inFlight: 1, countMax: 1 };
  const child = spawn(process.execPath, [join(ROOT, "bench", "peers", "load.ts"), JSON.stringify(job)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.on("data", (piece: Buffer) => {
    text += piece.toString();
  });
  await sleep(CONSUMER_STARTS_MS);
  const startedMs = performance.timeOrigin + performance.now();
  const server = await peer.start(directory);
  child.stdin.end(JSON.stringify({ port: server.port, serverPid: server.pid }));
  await once(child, "close");
  const { firstAtMs }: LoadResult = JSON.parse(text);
  return { server, ms: firstAtMs - startedMs };
}
