// How long the garbage collector holds up a broker that is as busy as it can be, over both of its doors at once.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../support.ts";
import { ready } from "./driver.ts";
import { DRIVERS } from "./protocols.ts";
import type { Row } from "./results.ts";
import { prepared, runLoad } from "./run.ts";
import { startWasq, wasqHttp, wasqStream } from "./servers/wasq.ts";

export const PAUSES_TITLE = "Garbage collection under load";
const LOAD = { kind: "both", bodyBytes: 256, inFlight: 1_000, warmMs: 2_000 } as const;

export async function pauses(seconds: number, progress: (text: string) => void): Promise<Row[]> {
  const shape = `${Math.round(seconds)} s of HTTP and streams at once`;
  progress(`pauses: ${shape}`);
  const row = { case: "pauses", shape, peer: wasqHttp.name, round: 1 };
  const directory = temporaryDirectory();
  const server = await startWasq(directory.path, ["--trace-gc"]);
  try {
    await ready(DRIVERS[wasqHttp.protocol], server.port);
    const both = [wasqHttp, wasqStream].map(async (door) => {
      const queue = `busy-${door.name}`;
      await prepared(door, { ...LOAD, port: server.port, queue });
      return runLoad(door, server, { ...LOAD, queue, seconds });
    });
    const perSecond = (await Promise.all(both)).reduce((sum, each) => sum + each.perSecond, 0);
    const found = pausesIn(readFileSync(join(directory.path, "server.log"), "latin1"));
    if (found.length === 0) throw new Error("Node reports no collection: has the format of --trace-gc changed?");
    const figures = {
      seconds,
      longestMs: Math.max(...found),
      pauseCount: found.length,
      pausesMs: found.reduce((sum, each) => sum + each, 0),
      perSecond,
    };
    return [{ ...row, figures }];
  } catch (error) {
    return [{ ...row, figures: {}, failure: error instanceof Error ? error.message : String(error) }];
  } finally {
    await server.kill();
    directory.remove();
  }
}

/** Of each collection the time in which nothing else ran: its end, or the longest of its steps before. Milliseconds. */
export function pausesIn(log: string): number[] {
  return [...log.matchAll(/ms: (?:Scavenge|Mark-Compact|Minor Mark).* MB, ([\d.]+) \/ [\d.]+ ms(.*)/g)].map(
    ([, pause = "", rest = ""]) => Math.max(Number(pause), Number(/biggest step ([\d.]+) ms/.exec(rest)?.[1] ?? 0)),
  );
}
