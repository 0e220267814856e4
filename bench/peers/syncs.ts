// Whether a confirmation is worth what it says: under strace, how many syncs the messages have, and whether any confirmation
// leaves before one that follows the message.
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { temporaryDirectory } from "../support.ts";
import { ready } from "./driver.ts";
import type { LoadJob } from "./load.ts";
import { DRIVERS } from "./protocols.ts";
import type { Row } from "./results.ts";
import { runLoad } from "./run.ts";
import { type Peer, program, traced } from "./server.ts";

// With 1,000 in flight a confirmation cannot be told from its neighbours': syncs are counted there, and not what left before.
export const SYNCS_TITLE = "Under strace: syncs; with one in flight, confirmations before them";
const QUEUE = "traced";
const ALONE = { kind: "publish", bodyBytes: 256, inFlight: 1, countMax: 200 } as const;
const TOGETHER = { kind: "publish", bodyBytes: 256, inFlight: 1_000, countMax: 5_000 } as const;
/** Of a connection: greetings and the like. */
const FIRST_ANSWERS = 20;
/** Wide windows have several connections; others (of the client's own start) say a few words. */
const ANSWERS_MIN = 3;
/** wasq's next segment and its reserve, which are filled ahead with zeros: those writes confirm nothing. */
const PREPARED = /\/(spare|reserve\.next)>/;

export const syncsSeconds = (peer: Peer): number => (hasPart(peer) ? 6 : 0);

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
    const { answerCount } = alone;
    progress(`syncs, ${peer.title}, 1 in flight: ${filesText(alone)}`);
    progress(`syncs, ${peer.title}, 1,000 in flight: ${filesText(together)}`);
    if (!(answerCount > ALONE.countMax / 2)) throw new Error(`strace shows ${answerCount} answers`);
    const figures = {
      syncsPerMessage: alone.syncCount / answerCount,
      earlyCount: alone.earlyCount,
      checkedCount: answerCount,
      messagesPerSync: TOGETHER.countMax / together.syncCount,
    };
    return [{ ...row, figures }];
  } catch (error) {
    return [{ ...row, figures: {}, failure: error instanceof Error ? error.message : String(error) }];
  }
}

async function trace(peer: Peer, job: Pick<LoadJob, "kind" | "bodyBytes" | "inFlight" | "countMax">): Promise<Traced> {
  const directory = temporaryDirectory();
  const file = join(directory.path, "strace");
  const server = await traced(file, () => peer.start(directory.path));
  try {
    await ready(DRIVERS[peer.protocol], server.port);
    await DRIVERS[peer.protocol].prepare({ ...job, port: server.port, queue: QUEUE, isPaced: false });
    await runLoad(peer, server, { ...job, queue: QUEUE });
    return read(readFileSync(file, "latin1"), server.port, job.inFlight === 1);
  } finally {
    await server.kill();
    directory.remove();
  }
}

export interface Traced {
  readonly syncCount: number; // from the first message to the last answer
  readonly answerCount: number;
  /** Answers without a sync since the last bytes came. */
  readonly earlyCount: number;
  /** Of the whole trace, by what made it durable and in which kind of file. */
  readonly files: ReadonlyMap<string, number>;
}

function filesText({ files }: Traced): string {
  return [...files].map(([kind, count]) => `${count} ${kind}`).join(", ");
}

interface Event {
  readonly kind: "came" | "synced" | "answered";
  readonly connection: string;
  /** Of a sync: the call, and the file with its numbers as #. */
  readonly file?: string;
}

/** @param isAlone one message at a time: each answer can be told apart */
export function read(text: string, port: number, isAlone: boolean): Traced {
  const all = events(text, port);
  const answers = new Map<string, number>();
  for (const { kind, connection } of all) {
    if (kind === "answered") answers.set(connection, (answers.get(connection) ?? 0) + 1);
  }
  const most = Math.max(...answers.values());
  const isLoad = ({ connection }: Event): boolean =>
    isAlone ? answers.get(connection) === most : (answers.get(connection) ?? 0) >= ANSWERS_MIN;
  const ofLoad = all.filter((event) => event.kind === "synced" || isLoad(event));
  const skipped = isAlone ? FIRST_ANSWERS : 0;
  let [answerCount, earlyCount, syncCount, syncsBefore] = [0, 0, 0, 0];
  let [hasCome, hasSynced, seen] = [false, false, 0];
  for (const { kind } of ofLoad) {
    if (kind === "came") {
      hasSynced = false;
      hasCome = true;
    } else if (kind === "synced") {
      hasSynced = true;
      if (hasCome && seen >= skipped) syncsBefore++;
    } else if (++seen > skipped) {
      answerCount++;
      if (!hasSynced) earlyCount++;
      syncCount += syncsBefore;
      syncsBefore = 0;
    }
  }
  const files = new Map<string, number>();
  for (const { file } of all) if (file !== undefined) files.set(file, (files.get(file) ?? 0) + 1);
  return { answerCount, earlyCount, syncCount, files };
}

function events(text: string, port: number): Event[] {
  const found: Event[] = [];
  const begun = new Map<string, string>(); // by thread: a call that others interrupted
  const synchronous = new Set<string>(); // descriptors whose writes are syncs
  const place = `127.0.0.1:${port}->`;
  for (const line of text.split("\n")) {
    const [, thread = "", rest = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    const isBegun = rest.endsWith("<unfinished ...>");
    const call = resumed === null ? rest : `${begun.get(thread) ?? ""}${resumed[1]}`;
    if (isBegun) begun.set(thread, rest.slice(0, -"<unfinished ...>".length));
    const [, name = "", descriptor = ""] = /^(\w+)\((\d+)?/.exec(call) ?? [];
    const connection = call.includes(place) ? /->([\d.:]+)\]/.exec(call)?.[1] : undefined;
    const result = isBegun ? Number.NaN : Number(/\) += (-?\d+)/.exec(call)?.[1] ?? Number.NaN);
    // An answer counts from where it begins, everything else from where it ends.
    const isWrite = /^(p?write|send)/.test(name);
    if (connection !== undefined && isWrite) {
      if (resumed === null) found.push({ kind: "answered", connection });
    } else if (result >= 0) {
      if (connection !== undefined && /^(read|recv)/.test(name)) {
        if (result > 0) found.push({ kind: "came", connection });
      } else if ((/sync$/.test(name) || (isWrite && synchronous.has(descriptor))) && !PREPARED.test(call)) {
        const path = /^\w+\(\d+<([^>]*)>/.exec(call)?.[1] ?? "?";
        const how = isWrite ? `O_DSYNC ${name}` : name;
        const file = `${how} of ${basename(path).replaceAll(/[0-9a-f]{6,}|\d+/g, "#")}`;
        found.push({ kind: "synced", connection: "", file });
      } else if (name.startsWith("open")) {
        if (/O_D?SYNC/.test(call)) synchronous.add(String(result));
        else synchronous.delete(String(result));
      }
    }
  }
  return found;
}
