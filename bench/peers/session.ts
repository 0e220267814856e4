// One server, one round: started on an empty directory, given every load, ended.
import { runScript, temporaryDirectory } from "../support.ts";
import type { LoadCase, Shape } from "./cases.ts";
import { ready } from "./driver.ts";
import type { LoadJob, LoadResult } from "./load.ts";
import { DRIVERS } from "./protocols.ts";
import type { Row } from "./results.ts";
import type { Peer, Server } from "./server.ts";

const WARM_MS = 600;
const FILL_IN_FLIGHT = 1_000;
/** Of what a server is given before its first measurement: compilers and caches have seen the work by then. */
const WARM_SHAPE: Shape = { name: "warm-up", job: { kind: "both", bodyBytes: 256, inFlight: 64 } };

export interface Chosen {
  readonly of: LoadCase;
  readonly shape: Shape;
}

export async function session(
  peer: Peer,
  chosen: readonly Chosen[],
  round: number,
  seconds: number,
  progress: (text: string) => void,
): Promise<Row[]> {
  const directory = temporaryDirectory();
  const server = await peer.start(directory.path);
  const rows: Row[] = [];
  try {
    await ready(DRIVERS[peer.protocol], server.port);
    await one(peer, server, "warm", WARM_SHAPE, 1);
    for (const [index, { of, shape }] of chosen.entries()) {
      progress(`${of.name}: ${shape.name}`);
      const row = { case: of.name, shape: shape.name, peer: peer.name, round };
      try {
        rows.push({ ...row, figures: await one(peer, server, `bench${index}`, shape, seconds) });
      } catch (error) {
        rows.push({ ...row, figures: {}, failure: error instanceof Error ? error.message : String(error) });
      }
    }
  } finally {
    await server.kill();
    directory.remove();
  }
  return rows;
}

async function one(
  peer: Peer,
  server: Server,
  name: string,
  { job: shaped, backlog }: Shape,
  seconds: number,
): Promise<Record<string, number>> {
  const queue = shaped.groupCount === undefined ? name : `${name}.fifo`;
  const common = { port: server.port, queue, bodyBytes: shaped.bodyBytes };
  await DRIVERS[peer.protocol].prepare({ ...common, ...shaped, isPaced: false });
  const run = (job: Pick<LoadJob, "kind" | "inFlight"> & Partial<LoadJob>): Promise<LoadResult> =>
    runScript<LoadResult>("peers/load.ts", {
      ...common,
      protocol: peer.protocol,
      serverPid: server.pid,
      warmMs: WARM_MS,
      seconds,
      ...job,
    });
  if (backlog !== undefined) {
    const countMax = Math.min(backlog, peer.backlogMax ?? backlog);
    await run({ kind: "publish", inFlight: Math.min(countMax, FILL_IN_FLIGHT), countMax });
    return figuresOf(await run({ ...shaped, countMax }));
  }
  return figuresOf(await run(shaped));
}

function figuresOf({ perSecond, lateCount, latencyMs, serverCores, clientCores }: LoadResult): Record<string, number> {
  return { perSecond, lateCount, serverCores, clientCores, ...latencyMs };
}
