// One run of the core, or of its rival, in a process of its own: filled to a depth, then send, receive and delete in
// turns of ten at that depth. Nothing is written to disk. Prints JSON.
import { createHash, randomFillSync } from "node:crypto";
import { PerformanceObserver } from "node:perf_hooks";
import { assert } from "../../src/base/assert.ts";
import { type ReceivedHandle, SEND } from "../../src/core/core.ts";
import { readStoredMessage } from "../../src/core/stored-message.ts";
import { SEGMENT_HEADER_BYTES } from "../../src/limits.ts";
import { BODY } from "../support.ts";
import { loadCore } from "./load-core.ts";
import { PlainQueue } from "./plain-queue.ts";

export interface CoreJob {
  readonly kind: "core" | "plain";
  readonly depth: number;
  readonly seconds: number;
}

export interface CoreResult {
  readonly sendsPerSecond: number;
  readonly receivesPerSecond: number;
  readonly deletesPerSecond: number;
  readonly pauseCount: number; // from here: of the measured part
  readonly pausesMs: number;
  readonly longestPauseMs: number;
}

/** A turn of ten, each step by itself. */
interface Subject {
  send(nowMs: number): void;
  receive(nowMs: number): void;
  delete(nowMs: number): void;
}

const TURN_COUNT = 10;
const VISIBILITY_MS = 30_000;
const START_MS = 1_800_000_000_000;

function wasmSubject(): Subject {
  const core = loadCore();
  core.beginReplay(START_MS);
  assert(core.finishReplay(START_MS, SEGMENT_HEADER_BYTES), "an empty core has room");
  const queue = core.openQueue(1);
  core.setQueue(queue, {
    flags: 0,
    delayMs: 0,
    retentionMs: 345_600_000,
    receiveMax: 0,
    deadLetters: 0,
    sourceNumber: 1,
    inFlightMax: 120_000,
    messageBytesMax: 1_048_576,
  });
  core.logQueue(queue, Buffer.from("{}"));
  const ids = Buffer.alloc(16 * TURN_COUNT);
  const digest = (algorithm: string, bytes: Uint8Array) => createHash(algorithm).update(bytes).digest();
  let handles: ReceivedHandle[] = [];
  const turn = (nowMs: number): void => {
    core.takeExtents();
    core.commit(core.headPosition, nowMs);
    core.tick(nowMs);
  };
  return {
    send(nowMs) {
      randomFillSync(ids);
      for (let i = 0; i < TURN_COUNT; i++) {
        core.beginSend();
        core.addMessage(
          BODY,
          undefined,
          undefined,
          undefined,
          "sender",
          undefined,
          undefined,
          ids,
          i * 16,
          digest,
          false,
        );
        assert(core.send(queue, nowMs) === SEND.ok, "the core has room");
        core.sentMessageId(0);
        core.sentBodyMd5(0);
      }
      turn(nowMs);
    },
    receive(nowMs) {
      handles = [];
      for (let i = 0; i < TURN_COUNT; i++) {
        core.receive(queue, 1, VISIBILITY_MS, 0, 1, undefined, nowMs);
        core.effects.drain(() => {
          for (const { slot, generation, receiveCount, position, recordBytes } of core.effects.deliveries()) {
            const record = core.record(position, recordBytes);
            if (record !== undefined) readStoredMessage(record);
            handles.push({ slot, generation, receiveCount });
          }
        });
      }
      turn(nowMs);
    },
    delete(nowMs) {
      for (const handle of handles) core.delete(queue, [handle], nowMs);
      turn(nowMs);
    },
  };
}

function plainSubject(): Subject {
  const queue = new PlainQueue();
  let handles: string[] = [];
  return {
    send(nowMs) {
      for (let i = 0; i < TURN_COUNT; i++) queue.send(`${BODY.slice(8)}${String(nowMs % 1e8).padStart(8, "0")}`, nowMs);
      queue.tick(nowMs);
    },
    receive(nowMs) {
      handles = [];
      for (let i = 0; i < TURN_COUNT; i++) {
        for (const { handle } of queue.receive(1, VISIBILITY_MS, nowMs)) handles.push(handle);
      }
      queue.tick(nowMs);
    },
    delete(nowMs) {
      for (const handle of handles) queue.delete(handle);
      queue.tick(nowMs);
    },
  };
}

const job: CoreJob = JSON.parse(process.argv[2] ?? "");
const subject = job.kind === "core" ? wasmSubject() : plainSubject();
let nowMs = START_MS;
for (let i = 0; i < job.depth; i += TURN_COUNT) {
  nowMs += i % 1000 === 0 ? 1 : 0;
  subject.send(nowMs);
}

const pausesMs: number[] = [];
const beganMs = performance.now();
const observer = new PerformanceObserver((list) => {
  for (const pause of list.getEntries()) if (pause.startTime >= beganMs) pausesMs.push(pause.duration);
});
observer.observe({ entryTypes: ["gc"] });
const spentMs = { send: 0, receive: 0, delete: 0 };
let turnCount = 0;
while (performance.now() - beganMs < job.seconds * 1000) {
  nowMs += turnCount % 10 === 0 ? 1 : 0;
  for (const step of ["send", "receive", "delete"] as const) {
    const stepMs = performance.now();
    subject[step](nowMs);
    spentMs[step] += performance.now() - stepMs;
  }
  turnCount++;
}
await new Promise((resolve) => setTimeout(resolve, 50)); // the observer tells a little later
const rate = (ms: number): number => (turnCount * TURN_COUNT * 1000) / ms;
const result: CoreResult = {
  sendsPerSecond: rate(spentMs.send),
  receivesPerSecond: rate(spentMs.receive),
  deletesPerSecond: rate(spentMs.delete),
  pauseCount: pausesMs.length,
  pausesMs: pausesMs.reduce((sum, ms) => sum + ms, 0),
  longestPauseMs: Math.max(0, ...pausesMs),
};
process.stdout.write(JSON.stringify(result), () => process.exit(0));
