// A broker in this process (a child of the benchmark's) that is given many queues; what they weigh, as JSON.
import { readFileSync } from "node:fs";
import { openBroker } from "../src/broker/open.ts";
import { openLog } from "../src/log/local-log.ts";
import { NodeDisk } from "../src/log/node-disk.ts";
import { DEFAULT_SETTINGS } from "../src/sqs/attributes.ts";
import { CORE_WASM } from "./support.ts";

export interface QueuesResult {
  readonly rssBytes: number;
  readonly heapBytes: number;
  readonly coreBytes: number;
  readonly logBytes: number;
  readonly seconds: number;
}

const AT_ONCE = 1_000;
const job: { directory: string; queueCount: number } = JSON.parse(process.argv[2] ?? "");
const { broker, core, flush } = await openBroker({
  coreWasm: readFileSync(CORE_WASM),
  openLog: (codec, segmentBytes) =>
    openLog(new NodeDisk(job.directory), { codec, segmentBytes, onNote: (text) => process.stderr.write(`${text}\n`) }),
  onFatal: (error) => {
    throw error;
  },
});

function weigh() {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  return { heapBytes: heapUsed, rssBytes: rss, coreBytes: core.usedBytes, logBytes: core.headPosition };
}

// What the first ones touch (the log's tail, compiled code) is not what a queue costs.
let madeCount = 0;
const make = (): Promise<void> => {
  const name = `idle-${String(madeCount++).padStart(7, "0")}`;
  const full = { account: "000000000000", region: "us-east-1", name };
  return new Promise((done) => broker.createQueue(full, DEFAULT_SETTINGS, new Map(), () => done()));
};
async function makeUpTo(count: number): Promise<void> {
  while (madeCount < count) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - madeCount) }, make));
  }
}

const empty = weigh();
const startMs = performance.now();
await makeUpTo(job.queueCount);
const seconds = (performance.now() - startMs) / 1000;
await flush();
await new Promise((later) => setTimeout(later, 2_000));
const full = weigh();
const result: QueuesResult = {
  rssBytes: full.rssBytes - empty.rssBytes,
  heapBytes: full.heapBytes - empty.heapBytes,
  coreBytes: full.coreBytes - empty.coreBytes,
  logBytes: full.logBytes - empty.logBytes,
  seconds,
};
process.stdout.write(JSON.stringify(result), () => process.exit(0));
