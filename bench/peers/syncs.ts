// Whether a confirmation is worth what it says: under strace, how many syncs the messages have, and whether any confirmation
// leaves before one that follows the message.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../support.ts";
import { ready } from "./driver.ts";
import { read, type Traced } from "./durability.ts";
import { DRIVERS } from "./protocols.ts";
import type { Row } from "./results.ts";
import { prepared, runLoad } from "./run.ts";
import { type Peer, program, traced } from "./server.ts";
import { WIRES } from "./wire.ts";

export const SYNCS_TITLE = "Under strace: syncs, and confirmations that leave before the one that they need";
const QUEUE = "traced";
const ALONE = { kind: "publish", bodyBytes: 256, inFlight: 1, countMax: 200 } as const;
const TOGETHER = { kind: "publish", bodyBytes: 256, inFlight: 1_000, countMax: 5_000 } as const;
/** Some take long to start under strace. */
export const syncsSeconds = (peer: Peer): number =>
  hasPart(peer) ? 6 + (peer.backlogExtraSeconds === undefined ? 0 : 30) : 0;

/** Those that keep nothing on disk need no proof. */
const hasPart = ({ role, isDurable, protocol }: Peer): boolean => role !== "bare" && (isDurable || protocol === "nats");

export async function syncs(peer: Peer, progress: (text: string) => void): Promise<Row[]> {
  if (!hasPart(peer)) return [];
  progress(`syncs, ${peer.title}`);
  const row = { case: "syncs", shape: "256 B", peer: peer.name, round: 1 };
  try {
    if (program("strace") === undefined) throw new Error("strace is not installed");
    const alone = await trace(peer, ALONE);
    const together = await trace(peer, TOGETHER);
    progress(`syncs, ${peer.title}, 1 in flight: ${filesText(alone)}`);
    progress(`syncs, ${peer.title}, 1,000 in flight: ${filesText(together)}`);
    const figures = {
      syncsPerMessage: alone.syncCount / alone.confirmedCount,
      checkedCount: alone.confirmedCount,
      earlyCount: alone.earlyCount,
      messagesPerSync: together.syncCount === 0 ? Number.NaN : together.confirmedCount / together.syncCount,
      togetherCheckedCount: together.confirmedCount,
      togetherEarlyCount: together.earlyCount,
    };
    return [{ ...row, figures }];
  } catch (error) {
    return [{ ...row, figures: {}, failure: error instanceof Error ? error.message : String(error) }];
  }
}

/** Some servers have a new directory for each batch: those that are synced most tell enough. */
const KINDS_SHOWN_MAX = 10;

function filesText({ files }: Traced): string {
  const most = [...files].sort(([, a], [, b]) => b - a).slice(0, KINDS_SHOWN_MAX);
  const rest = files.size > most.length ? `, and ${files.size - most.length} kinds more` : "";
  return `${most.map(([kind, count]) => `${count} ${kind}`).join(", ")}${rest}`;
}

/** @throws if the trace does not show every message come and confirmed: then it cannot be read */
async function trace(peer: Peer, job: typeof ALONE | typeof TOGETHER): Promise<Traced> {
  const wire = WIRES[peer.protocol];
  if (wire === undefined) throw new Error(`What goes over ${peer.protocol} is not read`);
  const directory = temporaryDirectory();
  const file = join(directory.path, "strace");
  const server = await traced(file, () => peer.start(directory.path));
  try {
    await ready(DRIVERS[peer.protocol], server.port);
    await prepared(peer, { ...job, port: server.port, queue: QUEUE });
    await runLoad(peer, server, { ...job, queue: QUEUE });
    const found = read(readFileSync(file, "latin1"), server.port, wire, job.countMax * job.bodyBytes);
    if (found.cameCount < job.countMax || found.confirmedCount < found.cameCount) {
      throw new Error(`the trace shows ${found.cameCount} messages and ${found.confirmedCount} confirmations`);
    }
    return found;
  } finally {
    await server.kill();
    directory.remove();
  }
}
