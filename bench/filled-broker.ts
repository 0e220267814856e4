// A broker in this process (a child of the benchmark's), filled; what it weighs and how it answers, as JSON.
import { readFileSync } from "node:fs";
import { type OpenedBroker, openBroker } from "../src/broker/open.ts";
import type { Queue } from "../src/broker/types.ts";
import { openLog } from "../src/log/local-log.ts";
import { NodeDisk } from "../src/log/node-disk.ts";
import { DEFAULT_SETTINGS } from "../src/sqs/attributes.ts";
import { encryptionIn } from "./log-key.ts";
import { BODY, CORE_WASM } from "./support.ts";

interface Weight {
  readonly heapBytes: number;
  readonly coreBytes: number;
  readonly rssBytes: number;
}

export interface FillJob {
  readonly directory: string;
  readonly messageCount: number;
  readonly receiveCount: number;
  /** More messages are sent to another queue than the tail holds: what is received comes from the disk. */
  readonly pushOut?: boolean;
}

export interface FillResult {
  readonly empty: Weight;
  readonly full: Weight;
  readonly recordBytes: number;
  readonly seconds: number;
  readonly receiveMs: readonly number[];
}

const IN_FLIGHT_SENDS = 64;
/** More than the tail holds, so that its pages count as the empty broker's. */
const WARM_COUNT = 120_000;
const MESSAGE = {
  body: BODY,
  delayMs: undefined,
  attributes: undefined,
  groupId: undefined,
  deduplicationId: undefined,
  senderId: "AIDACKCEVSQ6C2EXAMPLE",
  traceHeader: undefined,
};
const BATCH = Array.from({ length: 10 }, () => MESSAGE);

function open(directory: string): Promise<OpenedBroker> {
  return openBroker({
    coreWasm: readFileSync(CORE_WASM),
    openLog: (codec, segmentBytes) =>
      openLog(new NodeDisk(directory), {
        codec,
        segmentBytes,
        onNote: (text) => process.stderr.write(`${text}\n`),
        encryption: encryptionIn(directory),
      }),
    onFatal: (error) => {
      throw error;
    },
  });
}

function create({ broker }: OpenedBroker, name: string): Promise<Queue> {
  const queueName = { account: "000000000000", region: "us-east-1", name };
  return new Promise((resolve) =>
    broker.createQueue(queueName, DEFAULT_SETTINGS, new Map(), () => resolve(broker.find(queueName) as Queue)),
  );
}

/** Sends batches of ten, 64 at a time; one that is refused for want of a segment is sent again. */
async function fill({ broker }: OpenedBroker, queue: Queue, messageCount: number): Promise<void> {
  let leftCount = messageCount;
  const sender = async (): Promise<void> => {
    while (leftCount > 0) {
      leftCount -= BATCH.length;
      while (
        !(await new Promise<boolean>((done) => broker.send(queue, BATCH, ([sent]) => done(sent?.status === "sent"))))
      ) {
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT_SENDS }, sender));
}

function weigh({ core }: OpenedBroker): Weight {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  return { heapBytes: heapUsed, coreBytes: core.usedBytes, rssBytes: rss };
}

const job: FillJob = JSON.parse(process.argv[2] ?? "");
const opened = await open(job.directory);
const warm = await create(opened, "warm");
await fill(opened, warm, WARM_COUNT);
await new Promise<void>((done) => opened.broker.purgeQueue(warm, done));
while (opened.core.liveMessages > 0) await new Promise((resolve) => setTimeout(resolve, 10));
await opened.flush();
const queue = await create(opened, "filled");
const empty = weigh(opened);
const startPosition = opened.core.headPosition;
const startMs = performance.now();
await fill(opened, queue, job.messageCount);
const seconds = (performance.now() - startMs) / 1000;
const recordBytes = (opened.core.headPosition - startPosition) / job.messageCount;
const full = weigh(opened);
if (job.pushOut === true) await fill(opened, await create(opened, "newer"), WARM_COUNT);
await opened.flush();
const receiveMs: number[] = [];
for (let i = 0; i < job.receiveCount; i++) {
  const beganMs = performance.now();
  const options = { countMax: 1, visibilityMs: 30_000, waitMs: 0 };
  const received = await new Promise<string>((done) =>
    opened.broker.receive(queue, options, (result) =>
      done(result.status === "ok" ? String(result.messages.length) : result.status),
    ),
  );
  if (received !== "1") throw new Error(`A receive from a full queue gave ${received}`);
  receiveMs.push(performance.now() - beganMs);
  // The next request comes over a socket, in another pass of the loop.
  await new Promise((resolve) => setImmediate(resolve));
}
const result: FillResult = { empty, full, recordBytes, seconds, receiveMs };
process.stdout.write(JSON.stringify(result), () => process.exit(0));
