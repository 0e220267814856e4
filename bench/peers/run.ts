// A load on a server, in a process of its own, and the warm-up that every server has before anything of it is measured.
import { runScript } from "../support.ts";
import type { LoadJob, LoadResult } from "./load.ts";
import { DRIVERS } from "./protocols.ts";
import type { Peer, Server } from "./server.ts";

/** Of a load, what its server does not say. */
export type Wanted = Omit<LoadJob, "protocol" | "port" | "serverPid" | "warmMs" | "seconds"> & Partial<LoadJob>;

/** Its own start and end, and half a minute for what is unconfirmed at the end. */
const OVERHEAD_SECONDS = 60;
const WARM_SECONDS = 1;
const WARM = { queue: "warm", kind: "both", bodyBytes: 256, inFlight: 64 } as const;

/** What a fill of so many messages may take. */
export const fillSeconds = (count: number): number => 60 + count / 15_000;

/** @throws if a job of a counted number of messages did not do them all */
export async function runLoad(peer: Peer, { port, pid }: Server, wanted: Wanted): Promise<LoadResult> {
  const job: LoadJob = { protocol: peer.protocol, port, serverPid: pid, warmMs: 0, seconds: 1, ...wanted };
  const secondsMax =
    Math.ceil(job.warmMs / 1000) + Math.ceil(Math.max(job.seconds, job.secondsMax ?? 120)) + OVERHEAD_SECONDS;
  const result = await runScript<LoadResult>("peers/load.ts", job, [], secondsMax);
  if (result.doneCount < (job.countMax ?? 0))
    throw new Error(`${result.doneCount} of ${job.countMax} messages were done`);
  return result;
}

/** Compilers and caches have seen the work, and memory that is taken once is taken. */
export async function warmUp(peer: Peer, server: Server): Promise<void> {
  const { port } = server;
  await DRIVERS[peer.protocol].prepare({ ...WARM, port, isPaced: false });
  await runLoad(peer, server, { ...WARM, seconds: WARM_SECONDS, warmMs: WARM_SECONDS * 500 });
}
