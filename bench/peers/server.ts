// A server under measurement: how it is found, started, and ended.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, openSync } from "node:fs";
import { createServer } from "node:net";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import type { Protocol } from "./protocols.ts";
import { endTree } from "./tree.ts";

export interface Server {
  readonly port: number;
  readonly pid: number;
  /** It has ended by itself. */
  hasEnded(): boolean;
  /** kill -9, of the whole tree. */
  kill(): Promise<void>;
}

/** "bare": no queue, but what the same sockets and disk could do with as little behind them as can be. */
export type Role = "wasq" | "peer" | "bare";

export interface Peer {
  /** As it is chosen on the command line. */
  readonly name: string;
  readonly role: Role;
  /** The cases that it can be asked for; absent: all of them. */
  readonly cases?: readonly string[];
  /** Fewer of them in a short run. */
  readonly quickCases?: readonly string[];
  readonly title: string;
  readonly protocol: Protocol;
  /** By which a message is received when one receive is timed; absent: the same. */
  readonly probeProtocol?: Protocol;
  /** Whether a confirmed message is on disk. */
  readonly isDurable: boolean;
  /** What of its settings matters here. */
  readonly settings: string;
  /** Messages of a backlog at most, of one that takes a few thousand a second or fewer. */
  readonly backlogMax?: number;
  /** What such a one does a second, roughly: what a run will take is reckoned by it, and nothing else. */
  readonly perSecond?: number;
  /** Messages in flight at most that it is asked for: of more it would show nothing but how long they wait. */
  readonly inFlightMax?: number;
  /** And at least, of one that has nothing of its own below. */
  readonly inFlightMin?: number;
  /** What it takes from its start until it can be used, seconds; absent: a moment. */
  readonly startSeconds?: number;
  /** How much longer than others it takes for a deep backlog, seconds. */
  readonly backlogExtraSeconds?: number;
  /** What it is warmed up for besides: a compiler that counts calls takes its time. */
  readonly warmSeconds?: number;
  readonly hasFifo?: boolean;
  /** Something of every queued message is in its memory. */
  readonly hasIndexInMemory?: boolean;
  /** Its version, undefined when it is not installed. */
  version(): string | undefined;
  /** Starts it on a directory that may have its data of before. */
  start(directory: string): Promise<Server>;
  /** Starts it without its syncs, for the quick filling of a deep backlog that is not measured. */
  startUnsynced?(directory: string): Promise<Server>;
}

const CACHE =
  process.env["WASQ_PEERS_DIR"] ?? join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "wasq-peers");

/** A file that bench/peers/install made. */
export const cached = (...path: string[]): string => join(CACHE, ...path);

/** A program of the system's, /usr/sbin included. */
export function program(name: string): string | undefined {
  const places = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin"];
  return places.map((place) => join(place, name)).find((path) => existsSync(path));
}

/** The first that looks like a version in what the program prints. */
export function versionOf(path: string | undefined, ...args: readonly string[]): string | undefined {
  if (path === undefined || !existsSync(path)) return undefined;
  const { stdout, stderr } = spawnSync(path, args, { encoding: "utf8" });
  return /\d+\.\d+[.\d]*/.exec(`${stdout}${stderr}`)?.[0];
}

/** Ports that nobody has now, one after the other; below those that clients are given, so that none of ours takes one. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  for (let port = 19_400 + (process.pid % 1_000); ports.length < count; port++) {
    const probe = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once("error", () => resolve(false)).listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!isFree) continue;
    ports.push(port);
    probe.close();
    await once(probe, "close");
  }
  return ports;
}

export async function freePort(): Promise<number> {
  return (await freePorts(1))[0] as number;
}

let traceFile: string | undefined;

/** Whatever is launched meanwhile runs under strace, which writes down what it does with files and sockets. */
export async function traced<Result>(file: string, start: () => Promise<Result>): Promise<Result> {
  traceFile = file;
  try {
    return await start();
  } finally {
    traceFile = undefined;
  }
}

/** Of a call, all that goes over a socket: what is confirmed is read off it. */
const TRACED_BYTES = "-s1048576";
const TRACED =
  "openat,open,fsync,fdatasync,sync_file_range,msync,write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,read,readv," +
  "recvfrom,recvmsg";

/** Runs a program in `directory`, its output in a file there. */
export function launch(
  path: string,
  args: readonly string[],
  directory: string,
  environment: Readonly<Record<string, string>> = {},
): ChildProcess {
  const log = openSync(join(directory, "server.log"), "a");
  const tracer =
    traceFile === undefined ? [] : ["-f", "--seccomp-bpf", "-yy", TRACED_BYTES, "-o", traceFile, `-etrace=${TRACED}`];
  const [command = path, ...rest] = traceFile === undefined ? [path, ...args] : ["strace", ...tracer, path, ...args];
  return spawn(command, rest, {
    cwd: directory,
    env: { ...process.env, ...environment },
    stdio: ["ignore", log, log],
  });
}

export function serverOf(child: ChildProcess, port: number, alsoEnd: readonly ChildProcess[] = []): Server {
  const { pid } = child;
  if (pid === undefined) throw new Error("The server could not be started");
  const ours = [child, ...alsoEnd];
  // Whatever ends this process, no server outlives it.
  const endAll = (): void => {
    for (const each of ours) if (each.exitCode === null) endTree(each.pid ?? 0);
  };
  process.prependOnceListener("exit", endAll); // before their directory goes
  return {
    port,
    pid,
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    async kill() {
      process.off("exit", endAll);
      for (const each of ours) {
        if (each.exitCode !== null || each.signalCode !== null) continue;
        const exited = once(each, "exit");
        endTree(each.pid ?? 0);
        await exited;
      }
    },
  };
}
