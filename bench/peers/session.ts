// One server, one round: started on an empty directory, given every load, ended; after a load that failed, anew. Each row is handed on as soon as it is there.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../support.ts";
import { type Extent, type LoadCase, type Shape, scaled } from "./cases.ts";
import { ready } from "./driver.ts";
import type { LoadResult } from "./load.ts";
import { DRIVERS } from "./protocols.ts";
import type { Row } from "./results.ts";
import { fillSeconds, prepared, runLoad, warmUp } from "./run.ts";
import type { Peer, Server } from "./server.ts";

const WARM_MS = 600;
const FILL_IN_FLIGHT = 1_000;
const START_SECONDS = 3;

/** What a round takes before its first load. */
export const startSeconds = ({ warmSeconds }: Peer): number => START_SECONDS + (warmSeconds ?? 0);

const SHAPE_SECONDS = 0.6; // besides what is measured
const FILLED_PER_SECOND = 150_000;
const SYNCED_PER_SECOND = 3_000; // by those that sync each message, or are as slow without
const FILLED_BYTES_PER_SECOND = 100_000_000;

/** What a measurement takes, as far as one can say. */
export function shapeSeconds({ backlogMax }: Peer, { job, backlog }: Shape, extent: Extent): number {
  if (backlog === undefined) return extent.seconds + WARM_MS / 1000 + SHAPE_SECONDS;
  const count = Math.min(scaled(backlog, extent), backlogMax ?? backlog);
  const messages = count / (backlogMax === undefined ? FILLED_PER_SECOND : SYNCED_PER_SECOND);
  return 2 * (messages + (count * job.bodyBytes) / FILLED_BYTES_PER_SECOND + SHAPE_SECONDS); // filled and drained
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
      progress(`${of.name}: ${shape.name}`);
      const row = { case: of.name, shape: shape.name, peer: peer.name, round };
      try {
        const figures = await one(peer, running.server, `bench${index}`, shape, extent);
        if (running.server.hasEnded()) throw new Error("the server ended meanwhile");
        add({ ...row, figures });
      } catch (error) {
        const last = running.server.hasEnded() ? lastWords(running.directory.path) : "";
        add({ ...row, figures: {}, failure: `${textOf(error)}${last}` });
        // It may have ended, or hang: what comes next finds a new one.
        await end(running);
        running = undefined;
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

async function one(
  peer: Peer,
  server: Server,
  name: string,
  { job: shaped, backlog }: Shape,
  extent: Extent,
): Promise<Record<string, number>> {
  const queue = shaped.groupCount === undefined ? name : `${name}.fifo`;
  const { bodyBytes } = shaped;
  const { seconds } = extent;
  await prepared(peer, { ...shaped, port: server.port, queue });
  if (backlog === undefined) {
    const figures = figuresOf(await runLoad(peer, server, { ...shaped, queue, warmMs: WARM_MS, seconds }));
    // It may be that nothing comes through at first, and that is not the same as never.
    return figures["perSecond"] === 0 ? { ...figures, nothingWithinSeconds: WARM_MS / 1000 + seconds } : figures;
  }
  const countMax = Math.min(scaled(backlog, extent), peer.backlogMax ?? backlog);
  const fill = { queue, bodyBytes, countMax, secondsMax: fillSeconds(countMax) };
  await runLoad(peer, server, { ...fill, kind: "publish", inFlight: Math.min(countMax, FILL_IN_FLIGHT) });
  return figuresOf(await runLoad(peer, server, { ...shaped, ...fill }));
}

function figuresOf({ perSecond, paced, serverCores, clientCores }: LoadResult): Record<string, number> {
  const figures = { perSecond, serverCores, clientCores };
  if (paced === null) return figures;
  const { latencyMs, sentLateMs, behindMs, lateCount } = paced;
  return { ...figures, ...latencyMs, sentLateP50: sentLateMs.p50, sentLateP99: sentLateMs.p99, behindMs, lateCount };
}
