// The bundle in a process of its own, on a port the system chose.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SQSClient } from "@aws-sdk/client-sqs";

const BUNDLE = fileURLToPath(new URL("../../build/out/wasq.cjs", import.meta.url));

export class BrokerProcess {
  readonly endpoint: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, endpoint: string) {
    this.#child = child;
    this.endpoint = endpoint;
  }

  static async start(dataDirectory: string): Promise<BrokerProcess> {
    const args = [BUNDLE, "serve", "--port", "0", "--data-dir", dataDirectory];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    const endpoint = await new Promise<string>((resolve, reject) => {
      const read = (piece: Buffer) => {
        text += piece.toString();
        const [, found] = /at (http:\/\/\S+),/.exec(text) ?? [];
        if (found !== undefined) resolve(found);
      };
      child.stdout.on("data", read);
      child.stderr.on("data", read);
      child.on("exit", () => reject(new Error(`The broker ended before it listened: ${text}`)));
    });
    return new BrokerProcess(child, endpoint);
  }

  client(attemptsMax = 1): SQSClient {
    return new SQSClient({
      endpoint: this.endpoint,
      region: "us-east-1",
      credentials: { accessKeyId: "x", secretAccessKey: "x" },
      maxAttempts: attemptsMax,
    });
  }

  async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill(signal);
    await exited;
  }
}

/** A directory for one test's data. */
export function temporaryDirectory(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "wasq-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
