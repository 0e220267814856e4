// One server, one round: started on an empty directory, given every load, ended; after a load that failed, anew. Each row is handed on as soon as it is there.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../support.ts";
import { type Extent, type LoadCase, measuredSeconds, type Shape, scaled } from "./cases.ts";
import { ready } from "./driver.ts";
import type { LoadResult } from "./load.ts";
import { DRIVERS } from "./protocols.ts";
import type { Row } from "./results.ts";
import { fillSeconds, prepared, runLoad, warmUp } from "./run.ts";
import type { Peer, Server } from "./server.ts";

const WARM_MS = 600;
const FILL_IN_FLIGHT = 1_000;
/** Of a backlog, before what is measured of it: a quick server is done with all of it in half a second. */
const WARM_SHARE = 0.25;
const WARM_UP_SECONDS = 3; // with the start of one that is there in a moment

/** What a round takes before its first load. */
export const startSeconds = (peer: Peer): number =>
  WARM_UP_SECONDS + (peer.startSeconds ?? 0) + (peer.warmSeconds ?? 0);

const SHAPE_SECONDS = 0.6; // besides what is measured
const FILLED_PER_SECOND = 150_000;
const FILLED_BYTES_PER_SECOND = 100_000_000;

/** What a measurement takes, as far as one can say. */
export function shapeSeconds(peer: Peer, shape: Shape, extent: Extent): number {
  const { job, backlog } = shape;
  const perSecond = peer.perSecond ?? FILLED_PER_SECOND;
  if (backlog === undefined) {
    const loaded = WARM_MS / 1000 + measuredSeconds(shape, extent);
    const leftCount = job.perSecond === undefined ? job.inFlight : (job.perSecond - perSecond) * loaded;
    return loaded + SHAPE_SECONDS + endSeconds(peer, Math.max(0, leftCount) / perSecond);
  }
  const count = Math.min(scaled(backlog, extent), peer.backlogMax ?? backlog);
  const bytesSeconds = (count * job.bodyBytes) / FILLED_BYTES_PER_SECOND;
  return 2 * (count / perSecond + bytesSeconds + SHAPE_SECONDS); // filled and drained
}

/** The end of a load that has left so many seconds of work: it is done, or a new server takes the place of this one. */
function endSeconds(peer: Peer, leftSeconds: number): number {
  const start = startSeconds(peer);
  return leftSeconds > start ? 2 * start : leftSeconds;
}

export interface Chosen {
  readonly of: LoadCase;
  readonly shape: Shape;
}

export async function session(
  peer: Peer,
  chosen: readonly Chosen[],
  round: number,
  extent: Extent,
  progress: (text: string) => void,
  add: (row: Row) => void,
): Promise<void> {
  let running: Running | undefined;
  let doneCount = 0;
  try {
    for (const [index, { of, shape }] of chosen.entries()) {
      running ??= await begin(peer);
      const { server, directory } = running;
      progress(`${of.name}: ${shape.name}`);
      const row = { case: of.name, shape: shape.name, peer: peer.name, round };
      let isInDoubt = false;
      try {
        // To wait longer than a new server takes would be a waste, and nobody comes after the last.
        const drainSecondsMax = index + 1 < chosen.length ? startSeconds(peer) : 0;
        const { figures, unconfirmedCount } = await one(peer, server, `bench${index}`, shape, extent, drainSecondsMax);
        if (server.hasEnded()) throw new Error("the server ended meanwhile");
        add({ ...row, figures });
        isInDoubt = unconfirmedCount > 0;
      } catch (error) {
        const last = server.hasEnded() ? lastWords(directory.path) : "";
        add({ ...row, figures: {}, failure: `${textOf(error)}${last}` });
        // It may have ended, or hang.
        isInDoubt = true;
      }
      // What comes next finds a new one.
      if (isInDoubt) {
        running = undefined;
        await end({ server, directory });
      }
      doneCount++;
    }
  } catch (error) {
    // It does not start, or not work at all: the others go on.
    for (const { of, shape } of chosen.slice(doneCount)) {
      add({ case: of.name, shape: shape.name, peer: peer.name, round, figures: {}, failure: textOf(error) });
    }
  } finally {
    if (running !== undefined) await end(running);
  }
}

interface Running {
  readonly server: Server;
  readonly directory: ReturnType<typeof temporaryDirectory>;
}

async function begin(peer: Peer): Promise<Running> {
  const directory = temporaryDirectory();
  let server: Server | undefined;
  try {
    server = await peer.start(directory.path);
    await ready(DRIVERS[peer.protocol], server.port);
    await warmUp(peer, server);
    return { server, directory };
  } catch (error) {
    await server?.kill();
    directory.remove();
    throw error;
  }
}

async function end({ server, directory }: Running): Promise<void> {
  await server.kill();
  directory.remove();
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** What a server said last. */
function lastWords(directory: string): string {
  const last = readFileSync(join(directory, "server.log"), "latin1").trim().split("\n").at(-1) ?? "";
  return last === "" ? "" : `: ${last.slice(0, 200)}`;
}

interface Measured {
  readonly figures: Record<string, number>;
  /** What its server is still at. */
  readonly unconfirmedCount: number;
}

async function one(
  peer: Peer,
  server: Server,
  name: string,
  shape: Shape,
  extent: Extent,
  drainSecondsMax: number,
): Promise<Measured> {
  const { job: shaped, backlog } = shape;
  const queue = shaped.groupCount === undefined ? name : `${name}.fifo`;
  const { bodyBytes } = shaped;
  const seconds = measuredSeconds(shape, extent);
  await prepared(peer, { ...shaped, port: server.port, queue });
  if (backlog === undefined) {
    const result = await runLoad(peer, server, { ...shaped, queue, warmMs: WARM_MS, seconds, drainSecondsMax });
    const { unconfirmedCount } = result;
    const figures = figuresOf(result);
    // It may be that nothing comes through at first, and that is not the same as never.
    if (figures["perSecond"] === 0) figures["nothingWithinSeconds"] = WARM_MS / 1000 + seconds;
    return { figures, unconfirmedCount };
  }
  const countMax = Math.min(scaled(backlog, extent), peer.backlogMax ?? backlog);
  const fill = { queue, bodyBytes, countMax, secondsMax: fillSeconds(countMax) };
  await runLoad(peer, server, { ...fill, kind: "publish", inFlight: Math.min(countMax, FILL_IN_FLIGHT) });
  const warmCount = Math.floor(countMax * WARM_SHARE);
  const result = await runLoad(peer, server, { ...shaped, ...fill, warmCount });
  return { figures: figuresOf(result), unconfirmedCount: result.unconfirmedCount };
}

function figuresOf({ perSecond, paced, serverCores, clientCores }: LoadResult): Record<string, number> {
  const figures = { perSecond, serverCores, clientCores };
  if (paced === null) return figures;
  const { messageCount, latencyMs, sentLateMs, behindMs, lateCount } = paced;
  return {
    ...figures,
    messageCount,
    ...latencyMs,
    sentLateP50: sentLateMs.p50,
    sentLateP99: sentLateMs.p99,
    behindMs,
    lateCount,
  };
}
