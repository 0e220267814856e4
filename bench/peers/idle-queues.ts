// Many queues that nobody uses: what each costs, and how long a start takes that finds them all.
import { temporaryDirectory } from "../support.ts";
import { type Extent, scaled } from "./cases.ts";
import { type Driver, ready } from "./driver.ts";
import { DRIVERS } from "./protocols.ts";
import type { Row } from "./results.ts";
import { preparedMany, warmUp } from "./run.ts";
import type { Peer } from "./server.ts";
import { diskBytes, treeRssBytes } from "./tree.ts";

export const QUEUES_TITLE = "Idle queues";
const MANY = { quick: [1_000_000], full: [100_000, 1_000_000] };
/** Of servers whose queues are files, processes or threads: a few tell what one costs. */
const SAMPLE = 1_000;
const PIECE = 10_000;
const AT_ONCE = 16;
const SETTLE_MS = 3_000;

const sleep = (ms: number): Promise<void> => new Promise((later) => setTimeout(later, ms));

function countsOf(peer: Peer, extent: Extent): readonly number[] {
  // A tube of beanstalkd is gone as soon as nobody uses it; the stream's queues are those of HTTP.
  if (peer.protocol === "beanstalk" || peer.protocol === "stream" || peer.role === "bare") return [];
  if (!peer.isDurable || DRIVERS[peer.protocol].prepareMany === undefined) return [SAMPLE];
  return (extent.isFull ? MANY.full : MANY.quick).map((count) => scaled(count, extent));
}

/** What it takes, as far as one can say. */
export function queuesSeconds(peer: Peer, extent: Extent): number {
  return countsOf(peer, extent).reduce((sum, count) => sum + 12 + (peer.warmSeconds ?? 0) + count / 30_000, 0);
}

export async function idleQueues(
  peer: Peer,
  extent: Extent,
  progress: (text: string) => void,
  add: (row: Row) => void,
): Promise<void> {
  for (const count of countsOf(peer, extent)) {
    const number = count.toLocaleString("en-US");
    const shape = count > SAMPLE ? `${number} of them` : `a sample of ${number}`;
    progress(`queues, ${peer.title}: ${shape}`);
    const row = { case: "queues", shape, peer: peer.name, round: 1 };
    try {
      add({ ...row, figures: await many(peer, count) });
    } catch (error) {
      add({ ...row, figures: {}, failure: error instanceof Error ? error.message : String(error) });
    }
  }
}

async function make(driver: Driver, port: number, names: readonly string[]): Promise<void> {
  const piece = driver.prepareMany === undefined ? AT_ONCE : PIECE;
  for (let at = 0; at < names.length; at += piece) await preparedMany(driver, port, names.slice(at, at + piece));
}

async function many(peer: Peer, count: number): Promise<Record<string, number>> {
  const directory = temporaryDirectory();
  const driver = DRIVERS[peer.protocol];
  let server = await peer.start(directory.path);
  try {
    await ready(driver, server.port);
    await warmUp(peer, server);
    await make(driver, server.port, ["first"]);
    await sleep(SETTLE_MS);
    const empty = { rss: treeRssBytes(server.pid), disk: diskBytes(directory.path) };
    const names = Array.from({ length: count }, (_, i) => `idle-${String(i).padStart(7, "0")}`);
    const beganMs = performance.now();
    await make(driver, server.port, names);
    const createdPerSecond = (count * 1000) / (performance.now() - beganMs);
    await sleep(SETTLE_MS);
    const figures = {
      rssPerQueue: (treeRssBytes(server.pid) - empty.rss) / count,
      diskPerQueue: (diskBytes(directory.path) - empty.disk) / count,
      createdPerSecond,
    };
    if (!peer.isDurable) return figures;
    await server.kill();
    const startedMs = performance.now();
    server = await peer.start(directory.path);
    await ready(driver, server.port, names.at(-1));
    return { ...figures, restartMs: performance.now() - startedMs };
  } finally {
    await server.kill();
    directory.remove();
  }
}
