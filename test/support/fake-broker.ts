import { hash } from "node:crypto";
// A broker in memory: plain maps, a clock that tests move, no disk. Good enough to see what the edge asks and answers.

import type { Clock } from "../../src/base/clock.ts";
import type {
  Broker,
  Delivered,
  MoveCancelled,
  MoveOptions,
  MoveStarted,
  MoveTask,
  Outgoing,
  PeekOptions,
  PeekResult,
  Queue,
  QueueCounts,
  QueueName,
  QueueSettings,
  Received,
  Sent,
  Settled,
} from "../../src/broker/types.ts";
import { md5 } from "../../src/sqs/digest.ts";

export class FakeClock implements Clock {
  #nowMs = 1_700_000_000_000;

  nowMs(): number {
    return this.#nowMs;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
  }
}

interface FakeMessage {
  readonly id: string;
  readonly outgoing: Outgoing;
  readonly sentMs: number;
  readonly sequenceNumber: string;
  visibleAtMs: number;
  firstReceivedMs: number;
  receiveCount: number;
  receiptHandle: string;
}

class FakeQueue implements Queue {
  readonly account: string;
  readonly region: string;
  readonly name: string;
  settings: QueueSettings;
  tags: ReadonlyMap<string, string>;
  readonly createdMs: number;
  modifiedMs: number;
  messages: FakeMessage[] = [];
  moveTasks: MoveTask[] = []; // what they move, tests of the real broker see
  readonly issued = new Set<string>(); // receipt handles

  constructor(name: QueueName, settings: QueueSettings, tags: ReadonlyMap<string, string>, nowMs: number) {
    this.account = name.account;
    this.region = name.region;
    this.name = name.name;
    this.settings = settings;
    this.tags = tags;
    this.createdMs = nowMs;
    this.modifiedMs = nowMs;
  }
}

export class FakeBroker implements Broker {
  readonly clock: FakeClock;
  /** What the next calls answer instead of doing their work. */
  next: {
    send?: "full";
    receive?: "overLimit" | "queueGone" | "notRetryable" | "never";
    settle?: Settled;
    peek?: PeekResult;
    move?: "active" | "overLimit";
    throws?: Error;
  } = {};
  /** While true, nothing is answered until `release`. */
  held = false;
  cancelledCount = 0;
  readonly #queues = new Map<string, FakeQueue>();
  readonly #answers: (() => void)[] = [];
  #number = 0;

  constructor(clock: FakeClock) {
    this.clock = clock;
  }

  /** Lets the oldest held answer go. */
  release(): void {
    this.#answers.shift()?.();
  }

  get heldCount(): number {
    return this.#answers.length;
  }

  find(name: QueueName): FakeQueue | undefined {
    if (this.next.throws !== undefined) throw this.next.throws;
    return this.#queues.get(keyOf(name));
  }

  list(account: string, region: string, prefix: string, after: string, countMax: number): readonly Queue[] {
    return [...this.#queues.values()]
      .filter((queue) => queue.account === account && queue.region === region)
      .filter((queue) => queue.name.startsWith(prefix) && queue.name > after)
      .sort((left, right) => (left.name < right.name ? -1 : 1))
      .slice(0, countMax);
  }

  createQueue(name: QueueName, settings: QueueSettings, tags: ReadonlyMap<string, string>, done: () => void): void {
    this.#answer(() => {
      this.#queues.set(keyOf(name), new FakeQueue(name, settings, tags, this.clock.nowMs()));
      done();
    });
  }

  setQueue(queue: Queue, settings: QueueSettings, tags: ReadonlyMap<string, string>, done: () => void): void {
    this.#answer(() => {
      const fake = this.#of(queue);
      fake.settings = settings;
      fake.tags = tags;
      fake.modifiedMs = this.clock.nowMs();
      done();
    });
  }

  deleteQueue(queue: Queue, done: () => void): void {
    this.#answer(() => {
      this.#queues.delete(keyOf(queue));
      done();
    });
  }

  purgeQueue(queue: Queue, done: () => void): void {
    this.#of(queue).messages = [];
    this.#answer(done);
  }

  counts(queue: Queue): QueueCounts {
    const nowMs = this.clock.nowMs();
    const hidden = this.#of(queue).messages.filter((message) => message.visibleAtMs > nowMs);
    const delayed = hidden.filter((message) => message.receiveCount === 0).length;
    const visible = this.#of(queue).messages.length - hidden.length;
    return { visible, inFlight: hidden.length - delayed, delayed };
  }

  send(queue: Queue, messages: readonly Outgoing[], done: (results: readonly Sent[]) => void): void {
    const nowMs = this.clock.nowMs();
    const results = messages.map((outgoing): Sent => {
      if (this.next.send === "full") return { status: "full" };
      const id = `00000000-0000-4000-8000-${String(++this.#number).padStart(12, "0")}`;
      const sequenceNumber = String(this.#number).padStart(20, "0");
      this.#of(queue).messages.push({
        id,
        outgoing,
        sentMs: nowMs,
        sequenceNumber,
        visibleAtMs: nowMs + (outgoing.delayMs ?? queue.settings.delaySeconds * 1000),
        firstReceivedMs: 0,
        receiveCount: 0,
        receiptHandle: "",
      });
      return { status: "sent", messageId: id, bodyMd5: md5(outgoing.body), sequenceNumber };
    });
    this.#answer(() => done(results));
  }

  receive(
    queue: Queue,
    options: { readonly countMax: number; readonly visibilityMs: number; readonly waitMs: number },
    done: (result: Received) => void,
  ): () => void {
    const { receive } = this.next;
    const cancel = (): void => {
      this.cancelledCount++;
    };
    if (receive === "never") return cancel;
    if (receive !== undefined) {
      this.#answer(() => done({ status: receive }));
      return cancel;
    }
    const nowMs = this.clock.nowMs();
    const fake = this.#of(queue);
    const taken = fake.messages.filter((message) => message.visibleAtMs <= nowMs).slice(0, options.countMax);
    for (const message of taken) {
      message.receiveCount++;
      message.firstReceivedMs ||= nowMs;
      message.visibleAtMs = nowMs + options.visibilityMs;
      message.receiptHandle = `handle-${queue.name}-${++this.#number}`;
      fake.issued.add(message.receiptHandle);
    }
    const messages = taken.map((message) => delivered(message, queue.settings.fifo));
    this.#answer(() => done({ status: "ok", messages }));
    return cancel;
  }

  peek(queue: Queue, options: PeekOptions, done: (result: PeekResult) => void): () => void {
    const nowMs = this.clock.nowMs();
    const messages = this.#of(queue).messages.map((message) => {
      const { receiptHandle: _, ...rest } = delivered(message, queue.settings.fifo);
      const hidden = message.visibleAtMs > nowMs;
      const place = !hidden ? "visible" : message.receiveCount > 0 ? "inFlight" : "delayed";
      return { ...rest, place } as const;
    });
    const parts = { held: "inFlight", visible: "visible", delayed: "delayed" } as const;
    const shown = (["held", "visible", "delayed"] as const)
      .filter((part) => part === "visible" || options[part])
      .flatMap((part) => messages.filter(({ place }) => place === parts[part]));
    const start = options.from?.slot ?? 0;
    const next = start + options.countMax;
    const more = shown.length > next ? { part: "visible" as const, slot: next, generation: 1 } : undefined;
    this.#answer(() => done(this.next.peek ?? { status: "ok", messages: shown.slice(start, next), next: more }));
    return () => {
      this.cancelledCount++;
    };
  }

  delete(queue: Queue, receiptHandles: readonly string[], done: (results: readonly Settled[]) => void): void {
    const fake = this.#of(queue);
    const results = receiptHandles.map((handle): Settled => {
      if (this.next.settle !== undefined) return this.next.settle;
      if (!fake.issued.has(handle)) return "invalidHandle";
      fake.messages = fake.messages.filter((message) => message.receiptHandle !== handle);
      return "ok";
    });
    this.#answer(() => done(results));
  }

  changeVisibility(
    queue: Queue,
    changes: readonly { readonly receiptHandle: string; readonly visibilityMs: number }[],
    done: (results: readonly Settled[]) => void,
  ): void {
    const fake = this.#of(queue);
    const results = changes.map(({ receiptHandle, visibilityMs }): Settled => {
      if (this.next.settle !== undefined) return this.next.settle;
      if (!fake.issued.has(receiptHandle)) return "invalidHandle";
      const message = fake.messages.find((one) => one.receiptHandle === receiptHandle);
      if (message === undefined) return "gone";
      message.visibleAtMs = this.clock.nowMs() + visibilityMs;
      return "ok";
    });
    this.#answer(() => done(results));
  }

  moveTasks(source: Queue): readonly MoveTask[] {
    return this.#of(source).moveTasks;
  }

  startMove(source: Queue, options: MoveOptions, done: (result: MoveStarted) => void): void {
    const { move } = this.next;
    if (move !== undefined) {
      this.#answer(() => done({ status: move }));
      return;
    }
    const id = `00000000-0000-4000-8000-${String(++this.#number).padStart(12, "0")}`;
    const counts = { movedCount: 0, toMoveCount: this.counts(source).visible };
    const task: MoveTask = {
      id,
      ...options,
      startedMs: this.clock.nowMs(),
      status: "running",
      ...counts,
      failure: undefined,
    };
    this.#of(source).moveTasks.unshift(task);
    this.#answer(() => done({ status: "started", id }));
  }

  cancelMove(source: Queue, taskId: string, done: (result: MoveCancelled) => void): void {
    const { moveTasks } = this.#of(source);
    const place = moveTasks.findIndex(({ id }) => id === taskId);
    const task = moveTasks[place];
    if (task?.status === "running") moveTasks[place] = { ...task, status: "cancelled" };
    this.#answer(() => {
      if (task === undefined) done({ status: "unknown" });
      else if (task.status === "running") done({ status: "cancelled", movedCount: task.movedCount });
      else done({ status: "notActive" });
    });
  }

  #of(queue: Queue): FakeQueue {
    const fake = this.#queues.get(keyOf(queue));
    if (fake === undefined) throw new Error(`Test asks for queue ${queue.name}, which is not there`);
    return fake;
  }

  #answer(answer: () => void): void {
    if (this.held) this.#answers.push(answer);
    else answer();
  }
}

function keyOf(name: QueueName): string {
  return `${name.account}/${name.region}/${name.name}`;
}

function delivered(message: FakeMessage, fifo: boolean): Delivered {
  const { body, attributes, groupId, deduplicationId, senderId, traceHeader } = message.outgoing;
  return {
    messageId: message.id,
    receiptHandle: message.receiptHandle,
    body,
    bodyMd5: md5(body),
    attributes,
    groupId,
    deduplicationId: deduplicationId ?? (fifo ? hash("sha256", body, "hex") : undefined),
    senderId,
    traceHeader,
    sentMs: message.sentMs,
    firstReceivedMs: message.firstReceivedMs,
    receiveCount: message.receiveCount,
    sequenceNumber: fifo ? message.sequenceNumber : undefined,
    deadLetterSourceArn: undefined,
  };
}
