// One run of the core, or of its rival, in a process of its own: with so many messages queued elsewhere, requests to send,
// receive and delete in turns of ten. The core makes the log's records as well, which nobody writes. Prints JSON.
import { createHash, randomFillSync } from "node:crypto";
import { PerformanceObserver } from "node:perf_hooks";
import { assert } from "../../src/base/assert.ts";
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

/** What a request in AWS JSON costs from its bytes to the bytes of its answer: no sockets, no disk. */
interface Subject {
  send(request: Buffer, nowMs: number): unknown;
  receive(request: Buffer, nowMs: number): Buffer;
  delete(request: Buffer, nowMs: number): unknown;
  /** As send, to a queue that nobody receives from: what lies about. */
  fill(request: Buffer, nowMs: number): void;
  /** After ten requests: what was sent is on disk, what was due is done. */
  turn(nowMs: number): void;
}

const TURN_COUNT = 10;
const VISIBILITY_MS = 30_000;
const START_MS = 1_800_000_000_000;
const QueueUrl = "http://127.0.0.1:9324/000000000000/b";

function wasmSubject(): Subject {
  const core = loadCore();
  core.beginReplay(START_MS);
  assert(core.finishReplay(START_MS, SEGMENT_HEADER_BYTES), "an empty core has room");
  const open = (number: number): number => {
    const opened = core.openQueue(number);
    core.setQueue(opened, {
      flags: 0,
      delayMs: 0,
      retentionMs: 345_600_000,
      receiveMax: 0,
      deadLetters: 0,
      sourceNumber: number,
      inFlightMax: 120_000,
      messageBytesMax: 1_048_576,
    });
    core.logQueue(opened, Buffer.from("{}"));
    return opened;
  };
  const queue = open(1);
  const store = open(2);
  const requests = core.requests({
    fillRandom: (bytes) => randomFillSync(bytes),
    digest: (algorithm, bytes) => createHash(algorithm).update(bytes).digest(),
  });
  requests.setSender("sender");
  const { effects } = core;
  const sendTo = (to: number, request: Buffer, nowMs: number): string => {
    assert(requests.parseSend(request, false) !== undefined, "the request is a plain one");
    const answer = requests.send(to, false, false, nowMs);
    assert(answer !== undefined, "the core has room");
    return answer;
  };
  return {
    send: (request, nowMs) => sendTo(queue, request, nowMs),
    fill: (request, nowMs) => void sendTo(store, request, nowMs),
    receive(request, nowMs) {
      const asked = requests.parseReceive(request);
      assert(asked !== undefined, "the request is a plain one");
      core.receive(queue, asked.countMax ?? 1, VISIBILITY_MS, 0, 1, undefined, nowMs);
      let answer: Buffer | undefined;
      effects.drain(() => {
        const composed = effects.compose(queue, asked.wanted);
        if (composed !== undefined) answer = Buffer.from(composed);
      });
      assert(answer !== undefined, "the message is in memory");
      return answer;
    },
    delete(request, nowMs) {
      assert(requests.parseDelete(request, false) !== undefined, "the request is a plain one");
      return requests.delete(queue, false, nowMs);
    },
    turn(nowMs) {
      core.takeExtents();
      core.commit(core.headPosition, nowMs);
      core.tick(nowMs);
    },
  };
}

function plainSubject(): Subject {
  const queue = new PlainQueue();
  const store = new PlainQueue();
  const parse = (request: Buffer) => JSON.parse(request.toString());
  return {
    send(request, nowMs) {
      const { MessageBody }: { MessageBody: string } = parse(request);
      const { id, bodyMd5 } = queue.send(MessageBody, nowMs);
      return JSON.stringify({ MessageId: id, MD5OfMessageBody: bodyMd5 });
    },
    fill(request, nowMs) {
      const { MessageBody }: { MessageBody: string } = parse(request);
      store.send(MessageBody, nowMs);
    },
    receive(request, nowMs) {
      const { MaxNumberOfMessages = 1 }: { MaxNumberOfMessages?: number } = parse(request);
      const Messages = queue.receive(MaxNumberOfMessages, VISIBILITY_MS, nowMs).map(({ handle, message }) => ({
        MessageId: message.id,
        ReceiptHandle: handle,
        MD5OfBody: message.bodyMd5,
        Body: message.body,
      }));
      return Buffer.from(JSON.stringify({ Messages }));
    },
    delete(request) {
      const { ReceiptHandle }: { ReceiptHandle: string } = parse(request);
      return queue.delete(ReceiptHandle);
    },
    turn(nowMs) {
      queue.tick(nowMs);
    },
  };
}

const bytesOf = (request: object): Buffer => Buffer.from(JSON.stringify({ QueueUrl, ...request }));
// Bodies that differ, so that the plain queue cannot keep one string for all of them.
const sends = Array.from({ length: 100 }, (_, i) =>
  bytesOf({ MessageBody: BODY.slice(3) + String(i).padStart(3, "0") }),
);
const receive = bytesOf({ MaxNumberOfMessages: 1 });

/** Ten times the same step. @returns how long it took, the turn's end with it */
function turnOf(nowMs: number, step: (i: number) => void): number {
  const stepMs = performance.now();
  for (let i = 0; i < TURN_COUNT; i++) step(i);
  subject.turn(nowMs);
  return performance.now() - stepMs;
}

const job: CoreJob = JSON.parse(process.argv[2] ?? "");
const subject = job.kind === "core" ? wasmSubject() : plainSubject();
let nowMs = START_MS;
for (let i = 0; i < job.depth; i += TURN_COUNT) {
  nowMs += i % 1000 === 0 ? 1 : 0;
  turnOf(nowMs, (k) => subject.fill(sends[(i + k) % sends.length] as Buffer, nowMs));
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
  spentMs.send += turnOf(nowMs, (i) => subject.send(sends[(turnCount + i) % sends.length] as Buffer, nowMs));
  const answers: Buffer[] = [];
  spentMs.receive += turnOf(nowMs, () => answers.push(subject.receive(receive, nowMs)));
  // The client's part, not counted.
  const deletes = answers.map((answer) => {
    const { Messages }: { Messages: { ReceiptHandle: string }[] } = JSON.parse(answer.toString());
    return bytesOf({ ReceiptHandle: Messages[0]?.ReceiptHandle });
  });
  spentMs.delete += turnOf(nowMs, (i) => subject.delete(deletes[i] as Buffer, nowMs));
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
