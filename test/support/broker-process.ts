// The broker as its users have it: a process of its own, reached over HTTP.
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const BUNDLE = fileURLToPath(new URL("../../build/out/wasq.cjs", import.meta.url));
export const BINARY = fileURLToPath(
  new URL(`../../build/out/wasq${process.platform === "win32" ? ".exe" : ""}`, import.meta.url),
);

export interface BrokerProcess {
  readonly endpoint: string;
  readonly child: ChildProcess;
  /** What it wrote to standard error so far. */
  stderr(): string;
  /** Sends the signal and resolves with the exit code, null if the signal ended it. */
  stop(signal: NodeJS.Signals): Promise<number | null>;
}

/** Starts a broker on any free port and resolves when it has said where it is. */
export function startBroker(
  dataDirectory: string,
  options: {
    readonly args?: readonly string[];
    readonly binary?: string;
    readonly port?: number;
    /** Besides the environment of the tests. */
    readonly env?: NodeJS.ProcessEnv;
  } = {},
): Promise<BrokerProcess> {
  const args = ["serve", "--port", String(options.port ?? 0), "--data-dir", dataDirectory, ...(options.args ?? [])];
  const child =
    options.binary === undefined
      ? spawn(process.execPath, [BUNDLE, ...args], {
          stdio: ["ignore", "pipe", "pipe"],
          env: { ...process.env, ...options.env },
        })
      : spawn(options.binary, args, { stdio: ["ignore", "pipe", "pipe"], env: {} });
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const exited = new Promise<number | null>((resolve) => child.on("exit", (code) => resolve(code)));
  return new Promise((resolve, reject) => {
    exited.then((code) => reject(new Error(`the broker ended with ${code}: ${errors}`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      const endpoint = /^wasq \S+ at (\S+),/.exec(line)?.[1];
      if (endpoint === undefined) return;
      resolve({
        endpoint,
        child,
        stderr: () => errors,
        stop(signal) {
          child.kill(signal);
          return exited;
        },
      });
    });
  });
}

export interface CallResult {
  readonly status: number;
  readonly queryError: string | null;
  // Whatever the action answers: the tests know which.
  // biome-ignore lint/suspicious/noExplicitAny: JSON of the wire
  readonly body: any;
}

/** One action over AWS JSON, without an SDK in between. */
export async function call(endpoint: string, action: string, input: object, signal?: AbortSignal): Promise<CallResult> {
  const response = await fetch(`${endpoint}/`, {
    method: "POST",
    headers: { "content-type": "application/x-amz-json-1.0", "x-amz-target": `AmazonSQS.${action}` },
    body: JSON.stringify(input),
    ...(signal === undefined ? {} : { signal }),
  });
  const text = await response.text();
  return {
    status: response.status,
    queryError: response.headers.get("x-amzn-query-error"),
    body: text === "" ? undefined : JSON.parse(text),
  };
}
