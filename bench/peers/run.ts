// A load on a server, in a process of its own, and the warm-up that every server has before anything of it is measured.
import { runScript } from "../support.ts";
import type { Driver, Target } from "./driver.ts";
import type { LoadJob, LoadResult } from "./load.ts";
import { DRIVERS } from "./protocols.ts";
import type { Peer, Server } from "./server.ts";

/** Of a load, what its server does not say. */
export type Wanted = Omit<LoadJob, "protocol" | "port" | "serverPid" | "warmMs" | "seconds"> & Partial<LoadJob>;

const COUNTED_SECONDS_MAX = 120;
/** Its own start and end, and some half a minute for what is unconfirmed at the end. */
const OVERHEAD_SECONDS = 60;
const WARM_SECONDS = 1;
const WARM = { queue: "warm", kind: "both", bodyBytes: 256, inFlight: 64 } as const;

/** What a fill of so many messages may take. */
export const fillSeconds = (count: number): number => 60 + count / 15_000;

/** @throws if a job of a counted number of messages did not do them all */
export async function runLoad(peer: Peer, { port, pid }: Server, wanted: Wanted): Promise<LoadResult> {
  const job: LoadJob = { protocol: peer.protocol, port, serverPid: pid, warmMs: 0, seconds: 1, ...wanted };
  const measured = job.countMax === undefined ? job.seconds : (job.secondsMax ?? COUNTED_SECONDS_MAX);
  const secondsMax = Math.ceil(job.warmMs / 1000 + measured) + OVERHEAD_SECONDS;
  const result = await runScript<LoadResult>("peers/load.ts", job, [], secondsMax);
  if (result.doneCount < (job.countMax ?? 0))
    throw new Error(`${result.doneCount} of ${job.countMax} messages were done`);
  return result;
}

/** @throws if it takes longer: a server that hangs holds up nobody but itself */
async function within<Result>(secondsMax: number, promise: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it gives no answer for ${secondsMax} s`)), secondsMax * 1000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

const ANSWER_SECONDS_MAX = 60;

/** Makes the queue of a load. @throws if that takes too long */
export function prepared(peer: Peer, target: Omit<Target, "isPaced">): Promise<void> {
  return within(ANSWER_SECONDS_MAX, DRIVERS[peer.protocol].prepare({ ...target, isPaced: false }));
}

/** Makes many queues. @throws if the server hangs */
export function preparedMany(driver: Driver, port: number, names: readonly string[]): Promise<void> {
  const target = { port, bodyBytes: 1, inFlight: 1, isPaced: false };
  const made =
    driver.prepareMany?.(port, names) ?? Promise.all(names.map((queue) => driver.prepare({ ...target, queue })));
  return within(
    10 * ANSWER_SECONDS_MAX,
    made.then(() => {}),
  );
}

/** Compilers and caches have seen the work, and memory that is taken once is taken. */
export async function warmUp(peer: Peer, server: Server): Promise<void> {
  const { port } = server;
  await prepared(peer, { ...WARM, port });
  await runLoad(peer, server, { ...WARM, seconds: WARM_SECONDS, warmMs: WARM_SECONDS * 500 });
  const more = (peer.warmSeconds ?? 0) / 2;
  if (more === 0) return;
  await runLoad(peer, server, { ...WARM, seconds: more });
  await runLoad(peer, server, { ...WARM, kind: "publish", seconds: more });
}
