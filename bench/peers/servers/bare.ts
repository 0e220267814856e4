// No queue at all: the sockets that wasq has, a handler that reads what comes, commits as many bytes together and answers.
// What lies between it and wasq is wasq's own work.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Answers, answersOf, ceilingJob } from "../../end-to-end/answers.ts";
import type { CeilingJob } from "../../stream/ceiling.ts";
import { BODY, BUNDLE, call, ROOT, startBroker, temporaryDirectory } from "../../support.ts";
import { freePort, launch, type Peer, serverOf } from "../server.ts";

const script = (...path: string[]): string => join(ROOT, "bench", ...path, "ceiling.ts");

/** wasq's own, asked of one that runs for a moment. */
async function answers(): Promise<Answers> {
  const directory = temporaryDirectory();
  const broker = await startBroker(directory.path);
  try {
    const made = await call(broker.endpoint, "CreateQueue", { QueueName: "b" });
    return await answersOf(broker.endpoint, (JSON.parse(made.text) as { QueueUrl: string }).QueueUrl);
  } finally {
    await broker.stop("SIGKILL");
    directory.remove();
  }
}
let known: Promise<Answers> | undefined;

const common = {
  role: "bare",
  isDurable: true,
  version: () => (existsSync(BUNDLE) ? process.versions.node : undefined),
} as const;

export const bareHttp: Peer = {
  ...common,
  name: "bare",
  title: "(bare HTTP server)",
  protocol: "http",
  cases: ["publish", "consume"],
  settings: "parses the JSON, commits as many bytes together, answers; no queue behind it",
  async start(directory) {
    known ??= answers();
    const port = await freePort();
    const job = { ...ceilingJob("durable", join(directory, "log"), await known), port };
    return serverOf(launch(process.execPath, [script("end-to-end"), JSON.stringify(job)], directory), port);
  },
};

export const bareStream: Peer = {
  ...common,
  name: "bare-stream",
  title: "(bare WebSocket server)",
  protocol: "stream",
  cases: ["publish", "both", "latency"],
  settings: "reads the frames, commits their bytes together, answers; no queue behind it",
  async start(directory) {
    const port = await freePort();
    const job: CeilingJob = { filePath: join(directory, "log"), bodyBytes: BODY.length, port };
    return serverOf(launch(process.execPath, [script("stream"), JSON.stringify(job)], directory), port);
  },
};
