// What the cases share: the machine, medians, tables, processes and their processor time.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, cpus, release, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));
export const BUNDLE = join(ROOT, "build", "out", "wasq.cjs");
export const CORE_WASM = join(ROOT, "build", "out", "core.wasm");
export const BODY = "x".repeat(256);
const TICKS_PER_SECOND = 100; // of /proc/<pid>/stat, on every Linux that Node runs on

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** What figures depend on besides the code; without the name that somebody gave it. */
export function machine(): string {
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const cores = `${availableParallelism()} cores, ${cpus()[0]?.model ?? "unknown CPU"}`;
  return `${cores}; ${memory}; Linux ${release()}; Node ${process.version}`;
}

const CHANGED = " with changes";

/** Of the code that is measured and of what measures it: the commit, and whether something is not in it. */
export function commit(): string {
  const git = (...args: string[]) => execFileSync("git", ["-C", ROOT, ...args], { encoding: "utf8" }).trim();
  const measured = ["src", "assembly", "bench", ":!bench/figures", ":!*.md"];
  const changed = git("status", "--porcelain", "--", ...measured) === "" ? "" : CHANGED;
  return `${git("rev-parse", "--short=7", "HEAD")}${changed}`;
}

/** Two of those may be different code under one name. */
export const isChanged = (commit: string): boolean => commit.endsWith(CHANGED);

/**
 * Between two values it is on the straight line from one to the other, so that the median of an even number is the mean of
 * the middle two.
 * @param share from 0, the least, to 1, the most; 0.5 is the median
 * @returns NaN of no values
 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  const place = (sorted.length - 1) * share;
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place % 1);
}
export const median = (values: readonly number[]): number => quantile(values, 0.5);

export function table(title: string, head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]) => `| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  say(`\n## ${title}\n`);
  say(line(head));
  say(line(widths.map((width) => "-".repeat(width))));
  for (const row of rows) say(line(row));
}

export const whole = (value: number): string => Math.round(value).toLocaleString("en-US");
export const percent = (value: number): string => `${Math.round(value * 100)} %`;

/** Processor time of all the process's threads. */
export function cpuSeconds(pid: number | "self"): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export function temporaryDirectory(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "wasq-bench-"));
  const remove = (): void => {
    process.off("exit", remove);
    rmSync(path, { recursive: true, force: true, maxRetries: 5 });
  };
  process.once("exit", remove);
  return { path, remove };
}

export interface Process {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly endpoint: string;
  stop(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
}

/** It ends when this process does, and before the servers that it is connected to. */
export function tied<Child extends ChildProcess>(child: Child): Child {
  const end = (): void => void child.kill("SIGKILL");
  process.prependOnceListener("exit", end);
  child.once("exit", () => process.off("exit", end));
  return child;
}

/** Starts a program of Node's that says where it listens. */
export async function startServer(args: readonly string[]): Promise<Process> {
  const child = tied(spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] }));
  let text = "";
  const endpoint = await new Promise<string>((resolve, reject) => {
    child.stdout.on("data", (piece: Buffer) => {
      text += piece.toString();
      const found = /at (http:\/\/[^\s,]+)/.exec(text)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.on("exit", () => reject(new Error(`The server ended before it listened: ${text}`)));
  });
  return {
    child,
    pid: child.pid ?? 0,
    endpoint,
    async stop(signal = "SIGTERM") {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill(signal);
      await exited;
    },
  };
}

export function startBroker(
  dataDirectory: string,
  nodeArgs: readonly string[] = [],
  port = 0,
  args: readonly string[] = [],
): Promise<Process> {
  return startServer([...nodeArgs, BUNDLE, "serve", "--port", String(port), "--data-dir", dataDirectory, ...args]);
}

export interface Answer {
  readonly text: string;
  readonly contentType: string;
}

export async function call(endpoint: string, action: string, input: object): Promise<Answer> {
  const response = await fetch(endpoint, { method: "POST", headers: headers(action), body: JSON.stringify(input) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${action} answers ${response.status}: ${text}`);
  return { text, contentType: response.headers.get("content-type") ?? "" };
}

export function headers(action: string): Record<string, string> {
  return { "content-type": "application/x-amz-json-1.0", "x-amz-target": `AmazonSQS.${action}` };
}

/** Runs a script of ours in a process of its own; what it prints is JSON. One that takes longer than it may is ended. */
export async function runScript<Result>(
  script: string,
  input: object,
  nodeArgs: readonly string[] = [],
  secondsMax = 600,
): Promise<Result> {
  const child = tied(
    spawn(process.execPath, [...nodeArgs, join(ROOT, "bench", script), JSON.stringify(input)], {
      stdio: ["ignore", "pipe", "inherit"],
      timeout: secondsMax * 1000,
      killSignal: "SIGKILL",
    }),
  );
  let text = "";
  child.stdout.on("data", (piece: Buffer) => {
    text += piece.toString();
  });
  const [code, signal] = await once(child, "close");
  if (signal !== null) throw new Error(`${script} took more than ${secondsMax} s, or was ended by ${signal}`);
  if (code !== 0) throw new Error(`${script} ended with ${code}: ${text}`);
  return JSON.parse(text) as Result;
}
