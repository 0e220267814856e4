// One seed: a few lives of one broker on one disk. In each life clients do what clients do; it ends in order, with
// kill -9, or with the power gone, in the middle of anything. In the last one everything is drained and counted.
import { createHash } from "node:crypto";
import type { OpenedBroker } from "../../src/broker/open.ts";
import { SteadyClock } from "../../src/broker/steady-clock.ts";
import type { Delivered, Outgoing, Queue, QueueSettings, Received } from "../../src/broker/types.ts";
import { Keyring } from "../../src/keys/keyring.ts";
import { KeyError, type KeyProvider } from "../../src/keys/provider.ts";
import { LogError } from "../../src/log/errors.ts";
import { openLog } from "../../src/log/local-log.ts";
import { keyringSealer } from "../../src/vault/keyring-file.ts";
import { FakeDisk, type Fault, randomOf } from "../support/fake-disk.ts";
import { testCipher } from "../support/log-key.ts";
import { create, find, openOn, outgoing, purge, receive, remove, STANDARD, send } from "../support/open-broker.ts";
import { SimulatedDisk } from "../support/simulated-disk.ts";
import { VirtualLoop } from "../support/virtual-loop.ts";
import { Ledger, Message, type QueuePlan } from "./ledger.ts";

const KiB = 1024;
const SEGMENT_BYTES = 64 * KiB;
const START_MS = 1_800_000_000_000;
const DAY_MS = 86_400_000;
const LIFE_COUNT_MAX = 4;
const LIFE_MS_MAX = 3_000;
const CLIENT_COUNT = 6;
const STEP_MS_MAX = 60;
const VISIBILITY_MS_MAX = 4_000;
const DELAY_MS_MAX = 3_000;
const OPEN_MS_MAX = 600_000;
const EVENT_COUNT_MAX = 60_000; // ten times what a seed with much to do has: nothing spins

const QUEUES: readonly QueuePlan[] = [
  { name: "dead", fifo: false, deadLetters: undefined, receiveMax: 0, retentionMs: 14 * DAY_MS },
  { name: "dead.fifo", fifo: true, deadLetters: undefined, receiveMax: 0, retentionMs: 14 * DAY_MS },
  { name: "plain", fifo: false, deadLetters: undefined, receiveMax: 0, retentionMs: 4 * DAY_MS },
  { name: "keyed", fifo: false, deadLetters: undefined, receiveMax: 0, retentionMs: 4 * DAY_MS },
  { name: "brief", fifo: false, deadLetters: undefined, receiveMax: 0, retentionMs: 60_000 },
  { name: "failing", fifo: false, deadLetters: "dead", receiveMax: 2, retentionMs: 4 * DAY_MS },
  { name: "ordered.fifo", fifo: true, deadLetters: undefined, receiveMax: 0, retentionMs: 4 * DAY_MS },
  { name: "failing.fifo", fifo: true, deadLetters: "dead.fifo", receiveMax: 2, retentionMs: 4 * DAY_MS },
];
/** Clients send here; to dead letters only the broker does. */
const DEAD_LETTERS = QUEUES.filter(({ name }) => name.startsWith("dead"));
const SENT_TO = QUEUES.filter(({ name }) => !name.startsWith("dead"));

function settingsOf(plan: QueuePlan): QueueSettings {
  const deadLetterTargetArn = `arn:aws:sqs:us-east-1:000000000000:${plan.deadLetters}`;
  return {
    ...STANDARD,
    fifo: plan.fifo,
    kmsMasterKeyId: plan.name === "keyed" ? "alias/aws/sqs" : undefined,
    retentionSeconds: plan.retentionMs / 1000,
    redrive: plan.deadLetters === undefined ? undefined : { deadLetterTargetArn, maxReceiveCount: plan.receiveMax },
  };
}

export interface Outcome {
  readonly faults: readonly string[];
  /** Of everything that was asked and answered: the same for the same seed. */
  readonly trace: string;
  /** Of a trial: what the broker stopped with, if it did; and what its life asked of the disk. */
  readonly gaveUp: string | undefined;
  readonly calls: readonly string[];
  readonly sentCount: number;
  readonly deliveredCount: number;
  readonly deadLetterCount: number;
  readonly duplicateCount: number;
  readonly retriedCount: number; // messages that came again by an attempt ID
  readonly crashCount: number;
  readonly movedCount: number; // messages that a task brought back
  readonly keysRefused: number; // how often a queue's key could not be had
  readonly segmentCount: number; // the number of the last one
}

/** One life of this length, in which one call of the disk fails; or none, to see how many there are. */
export interface Trial {
  readonly lifeMs: number;
  readonly fault: Fault | undefined;
}

/** Plays the seed, or a trial with it. Nothing in it depends on anything else. */
export async function simulate(seed: number, trial?: Trial): Promise<Outcome> {
  const loop = new VirtualLoop();
  const restore = loop.install();
  try {
    return await new World(seed, loop, trial).play();
  } finally {
    restore();
  }
}

class World {
  readonly #loop: VirtualLoop;
  readonly #random: () => number;
  readonly #ledger = new Ledger();
  readonly #trace = createHash("sha256");
  readonly #trial: Trial | undefined;
  /** Why the broker, or its start, gave up after a call of the disk had failed. */
  #gaveUp: Error | undefined;
  #calls: readonly string[] = []; // of the disk, in a trial's life
  #disk = new FakeDisk();
  #opened: OpenedBroker | undefined;
  #skippedMs = 0; // of wall time, between lives
  #nextBody = 1;
  #crashCount = 0;
  readonly #orders = new Map<string, number>();
  readonly #hasMoves: boolean; // and so less is certain of dead letters
  readonly #attempts = new Map<string, { readonly id: string; readonly life: number }>(); // by queue, the last one
  #nextAttempt = 1;
  #life = 0;

  #isDraining = false;
  #keysRefused = 0;

  constructor(seed: number, loop: VirtualLoop, trial: Trial | undefined) {
    this.#loop = loop;
    this.#random = randomOf(seed);
    this.#hasMoves = this.#random() < 0.5;
    this.#trial = trial;
    this.#disk.fault = trial?.fault;
    if (trial === undefined && this.#random() < 0.15) this.#disk.capacityBytes = (24 + this.#below(30)) * SEGMENT_BYTES;
  }

  async play(): Promise<Outcome> {
    const lifeCount = this.#trial === undefined ? 1 + this.#below(LIFE_COUNT_MAX) : 1;
    for (let life = 0; life < lifeCount && this.#ledger.faults.length === 0; life++) await this.#live();
    if (this.#ledger.faults.length === 0) await this.#drain();
    const { eventCount } = this.#loop;
    if (eventCount > EVENT_COUNT_MAX) this.#ledger.fault(`${eventCount} events: something asks again and again`);
    const { faults, messages, deliveredCount, deadLetterCount, duplicateCount, retriedCount } = this.#ledger;
    return {
      faults,
      trace: this.#trace.digest("hex"),
      gaveUp: this.#gaveUp?.message,
      calls: this.#calls,
      sentCount: messages.size,
      deliveredCount,
      deadLetterCount,
      keysRefused: this.#keysRefused,
      duplicateCount,
      retriedCount,
      crashCount: this.#crashCount,
      movedCount: this.#ledger.moved.size,
      segmentCount: Math.max(0, ...[...this.#disk.files().keys()].map((name) => Number(/\d+/.exec(name)?.[0] ?? 0))),
    };
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #pick<T>(of: readonly T[]): T {
    return of[this.#below(of.length)] as T;
  }

  #note(text: string): void {
    this.#trace.update(`${this.#loop.nowMs} ${text}\n`);
  }

  // --- lives ----------------------------------------------------------------------------------------------------

  async #live(): Promise<void> {
    const disk = new SimulatedDisk(this.#disk, this.#loop, this.#random);
    const isCutShort = this.#trial === undefined && this.#random() < 0.1;
    const isOpen = await this.#open(disk, isCutShort ? this.#below(40) : OPEN_MS_MAX);
    if (isOpen) {
      for (let client = 0; client < CLIENT_COUNT; client++) void this.#client().catch((error) => this.#failed(error));
      const endMs = this.#loop.nowMs + (this.#trial?.lifeMs ?? this.#below(LIFE_MS_MAX));
      await this.#loop.run(endMs, () => this.#isOver);
      if (this.#trial !== undefined) await this.#probe();
    }
    if (this.#ledger.faults.length > 0) return;
    if (this.#trial !== undefined) this.#calls = [...this.#disk.calls];
    const opened = this.#opened;
    if (opened !== undefined && this.#gaveUp === undefined && this.#random() < 0.15) {
      let isClosed = false;
      void opened.close().then(
        () => {
          isClosed = true;
        },
        (error) => this.#failed(error),
      );
      if (!(await this.#loop.run(this.#loop.nowMs + OPEN_MS_MAX, () => isClosed)))
        this.#ledger.fault("it does not stop");
      this.#disk.kill();
    } else {
      this.#crashCount++;
      const { capacityBytes } = this.#disk;
      this.#disk = await disk.crash(this.#random() < 0.6 ? "power" : "kill");
      this.#disk.capacityBytes = capacityBytes;
    }
    this.#opened = undefined;
    this.#disk.fault = undefined;
    this.#loop.clear();
    this.#ledger.crashed();
    // Time goes on without it; the wall clock may even have been set back.
    this.#skippedMs += this.#random() < 0.1 ? -this.#below(3_000) : this.#below(this.#random() < 0.2 ? 400_000 : 5_000);
    this.#note(`life ends, ${this.#ledger.messages.size} messages, skipped ${this.#skippedMs}`);
  }

  get #isOver(): boolean {
    return this.#ledger.faults.length > 0 || (this.#gaveUp !== undefined && this.#disk.fault !== undefined);
  }

  /** Whatever failed: as long as the broker is there, it answers. */
  async #probe(): Promise<void> {
    let isAnswered = false;
    void this.#send(SENT_TO[0] as QueuePlan).then(() => {
      isAnswered = true;
    });
    await this.#loop.run(this.#loop.nowMs + OPEN_MS_MAX, () => isAnswered || this.#isOver);
    if (!isAnswered && !this.#isOver) this.#ledger.fault("it is there, and does not answer");
  }

  /** @returns whether it was open in time */
  async #open(disk: SimulatedDisk, forMs: number): Promise<boolean> {
    const loop = this.#loop;
    this.#life++;
    const clock = new SteadyClock(
      () => START_MS + loop.nowMs + this.#skippedMs,
      () => loop.nowMs,
    );
    let isOpen = false;
    void openOn(disk, undefined, {
      segmentBytes: SEGMENT_BYTES,
      tailBytes: 4 * 1024 * KiB + 512 * KiB,
      cacheBytes: 512 * KiB,
      clock,
      keyProvider: this.#keyProvider(),
      openLog: (codec, segmentBytes) =>
        openLog(disk, {
          codec,
          segmentBytes,
          onNote: (text) => this.#note(text),
          logId: "5eed".repeat(8),
          // Now and then a life goes on without, and the next one begins again.
          encryption: { cipher: testCipher(this.#life), isOn: this.#life % 4 !== 3 },
        }),
      onFatal: (error) => this.#failed(error),
    })
      .then(async (opened) => {
        for (const plan of QUEUES) {
          const name = { account: "000000000000", region: "us-east-1", name: plan.name };
          if (opened.broker.find(name) === undefined) await create(opened.broker, plan.name, settingsOf(plan));
        }
        this.#opened = opened;
        isOpen = true;
      })
      .catch((error) => this.#failed(error));
    await loop.run(loop.nowMs + forMs, () => isOpen || this.#isOver);
    if (!isOpen && forMs === OPEN_MS_MAX && !this.#isOver) this.#ledger.fault("it does not open");
    return isOpen;
  }

  /** The local keyring, far away: an answer takes its time, and does not always come. */
  #keyProvider(): KeyProvider {
    const masterKey = Buffer.alloc(32, 7);
    const keyring = new Keyring({ version: 1, keys: [] }, masterKey, keyringSealer(masterKey));
    const asked = async <Answer>(answer: () => Promise<Answer>): Promise<Answer> => {
      await this.#loop.sleep(this.#below(40));
      if (this.#isDraining || this.#random() < 0.8) return answer();
      this.#keysRefused++;
      throw new KeyError("KmsThrottled", "not now");
    };
    return {
      generate: (keyId, account) => asked(() => keyring.generate(keyId, account)),
      unwrap: (wrapped) => asked(() => keyring.unwrap(wrapped)),
    };
  }

  #failed(error: unknown): void {
    // What the disk refused is explained, and enough of a reason.
    if (this.#disk.fault !== undefined && error instanceof LogError) {
      this.#gaveUp ??= error;
      return;
    }
    this.#ledger.fault(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }

  // --- clients --------------------------------------------------------------------------------------------------

  get #broker() {
    return (this.#opened as OpenedBroker).broker;
  }

  #nowMs(): number {
    return (this.#opened as OpenedBroker).clock.nowMs();
  }

  #queue(plan: QueuePlan): Queue {
    return find(this.#broker, plan.name);
  }

  async #client(): Promise<void> {
    const held: { readonly plan: QueuePlan; readonly delivered: Delivered }[] = [];
    for (;;) {
      await this.#loop.sleep(this.#below(STEP_MS_MAX));
      const dice = this.#random();
      if (dice < 0.4) await this.#send(this.#pick(SENT_TO));
      else if (dice < 0.75) {
        const plan = this.#pick(QUEUES);
        const isTwice = plan.fifo && this.#random() < 0.3;
        const messages = await (isTwice ? this.#receiveTwice(plan) : this.#receive(plan));
        for (const delivered of messages) held.push({ plan, delivered });
      } else if (dice < 0.92 && held.length > 0) {
        const { plan } = this.#pick(held);
        const some = held.filter((each) => each.plan === plan).slice(-1 - this.#below(10));
        for (const each of some) held.splice(held.indexOf(each), 1);
        await this.#delete(
          plan,
          some.map(({ delivered }) => delivered),
        );
      } else if (dice < 0.97 && held.length > 0) {
        const { plan, delivered } = this.#pick(held);
        await this.#changeVisibility(plan, delivered);
      } else if (dice > 0.97 && dice <= 0.99 && this.#hasMoves) await this.#move(this.#pick(DEAD_LETTERS));
      else if (dice > 0.995) await this.#purge(this.#pick(SENT_TO));
    }
  }

  async #send(plan: QueuePlan): Promise<void> {
    const nowMs = this.#nowMs();
    const messages: Message[] = [];
    const count = this.#random() < 0.5 ? 1 : 1 + this.#below(10);
    const batch: Outgoing[] = Array.from({ length: count }, () => {
      const group = plan.fifo || this.#random() < 0.7 ? `group-${this.#below(3)}` : undefined;
      const order = (this.#orders.get(`${plan.name} ${group}`) ?? 0) + 1;
      this.#orders.set(`${plan.name} ${group}`, order);
      const bodyBytes = this.#random() < 0.9 ? this.#below(600) : this.#below(12_000);
      const body = `${this.#nextBody++} ${plan.name} ${group} ${order} `.padEnd(bodyBytes, "·.");
      // Now and then an ID that was used before.
      const number = this.#random() < 0.2 ? 1 + this.#below(this.#nextBody) : this.#nextBody;
      const deduplicationId = plan.fifo ? `id-${number}` : undefined;
      const delayMs = !plan.fifo && this.#random() < 0.2 ? 1_000 * this.#below(DELAY_MS_MAX / 1_000) : 0;
      messages.push(new Message(plan, body, { group, deduplicationId }, order, nowMs, delayMs));
      return { ...outgoing(body), groupId: group, deduplicationId, delayMs };
    });
    for (const message of messages) this.#ledger.add(message);
    const results = await send(this.#broker, this.#queue(plan), batch);
    results.forEach((result, i) => {
      this.#ledger.sent(messages[i] as Message, result, this.#nowMs());
      this.#note(`sent ${messages[i]?.body} ${result.status}`);
    });
  }

  async #receive(
    plan: QueuePlan,
    countMax = 1 + this.#below(10),
    waitMs = this.#waitMs(),
  ): Promise<readonly Delivered[]> {
    const askedMs = this.#nowMs();
    const visibilityMs = this.#below(VISIBILITY_MS_MAX);
    const received = await receive(this.#broker, this.#queue(plan), countMax, visibilityMs, waitMs);
    return this.#received(plan, received, askedMs, visibilityMs, false);
  }

  #received(
    plan: QueuePlan,
    received: Received,
    askedMs: number,
    visibilityMs: number,
    isRetry: boolean,
  ): readonly Delivered[] {
    if (received.status !== "ok") {
      this.#note(`${plan.name} ${received.status}`);
      return [];
    }
    this.#ledger.delivered(plan, received.messages, askedMs, visibilityMs, this.#nowMs(), isRetry);
    for (const { body, receiveCount } of received.messages) this.#note(`received ${body} ${receiveCount}`);
    return received.messages;
  }

  /** With an attempt ID, sometimes one of a life before; then perhaps again, as if the answer had not come. */
  async #receiveTwice(plan: QueuePlan): Promise<readonly Delivered[]> {
    const countMax = 1 + this.#below(10);
    const visibilityMs = this.#below(VISIBILITY_MS_MAX);
    const waitMs = this.#waitMs();
    const last = this.#attempts.get(plan.name);
    const isOld = last !== undefined && last.life !== this.#life && this.#random() < 0.5;
    const attemptId = isOld ? last.id : `try-${this.#nextAttempt++}`;
    this.#attempts.set(plan.name, { id: attemptId, life: this.#life });
    const ask = async (): Promise<[readonly Delivered[], number]> => {
      const askedMs = this.#nowMs();
      const received = await receive(this.#broker, this.#queue(plan), countMax, visibilityMs, waitMs, attemptId);
      return [this.#received(plan, received, askedMs, visibilityMs, true), askedMs];
    };
    const [first, askedMs] = await ask();
    if (first.length === 0 || this.#random() < 0.5) return first;
    const [second] = await ask();
    const mustBeSame = this.#nowMs() < askedMs + visibilityMs && !first.some(({ body }) => this.#mayBeTouched(body));
    const handles = (messages: readonly Delivered[]) => messages.map(({ receiptHandle }) => receiptHandle).join();
    if (mustBeSame && handles(second) !== handles(first)) {
      this.#ledger.fault(`${attemptId} gave ${first.length} messages of ${plan.name} and, again, ${second.length}`);
    }
    return second.length > 0 ? second : first;
  }

  /** By somebody else, who has its handle; or it is gone. */
  #mayBeTouched(body: string): boolean {
    const message = this.#ledger.messages.get(body) as Message;
    return message.isDeleteAsked || message.mayBeGone;
  }

  #waitMs(): number {
    return this.#random() < 0.7 ? 0 : this.#below(500);
  }

  async #delete(plan: QueuePlan, deliveries: readonly Delivered[]): Promise<void> {
    const good = deliveries.map(({ body, receiptHandle }) => {
      const message = this.#ledger.messages.get(body) as Message;
      const isGood = message.isGoodHandle(receiptHandle, this.#nowMs());
      const mayBeGood = message.lastHandle === undefined || message.lastHandle === receiptHandle;
      if (isGood || mayBeGood) message.isDeleteAsked = true;
      return isGood ? message : undefined;
    });
    const handles = deliveries.map(({ receiptHandle }) => receiptHandle);
    const codes = await remove(this.#broker, this.#queue(plan), handles);
    codes.forEach((code, i) => {
      const message = good[i];
      this.#note(`deleted ${deliveries[i]?.body} ${code}`);
      if (message === undefined) return;
      // A deletion that had to wait for room may have met another receive's message.
      if (code === "ok") message.isDeleted = message.isGoodHandle(handles[i] as string, this.#nowMs());
      else if (code === "expired" && plan.fifo) message.isDeleteAsked = message.isDeleted;
      else this.#ledger.fault(`deleting ${message} gave ${code}`);
    });
  }

  async #changeVisibility(plan: QueuePlan, delivered: Delivered): Promise<void> {
    const message = this.#ledger.messages.get(delivered.body) as Message;
    const askedMs = this.#nowMs();
    const visibilityMs = this.#below(VISIBILITY_MS_MAX);
    message.lastChange = { askedMs, notBeforeMs: askedMs + visibilityMs };
    message.notBeforeMs = Math.min(message.notBeforeMs, askedMs + visibilityMs);
    const change = { receiptHandle: delivered.receiptHandle, visibilityMs };
    const [code] = await new Promise<readonly string[]>((resolve) =>
      this.#broker.changeVisibility(this.#queue(plan), [change], resolve),
    );
    this.#note(`changed ${delivered.body} ${code}`);
    if (code === "invalidHandle" || code === "beyondMaximum") this.#ledger.fault(`changing ${message}: ${code}`);
  }

  async #purge(plan: QueuePlan): Promise<void> {
    const gone = this.#ledger.purging(plan.name);
    await purge(this.#broker, this.#queue(plan));
    for (const message of gone) message.purgedMs = Math.min(message.purgedMs, this.#nowMs() + 1);
    this.#note(`purged ${plan.name}`);
  }

  /** Starts a task, or stops the one that runs. */
  async #move({ name }: QueuePlan): Promise<void> {
    const queue = find(this.#broker, name);
    this.#ledger.emptied.add(name);
    const messagesPerSecond = this.#random() < 0.5 ? undefined : 1 + this.#below(100);
    const [task] = this.#broker.moveTasks(queue);
    if (task?.status === "failed") this.#ledger.fault(`a task of ${name} failed: ${task.failure}`);
    const status = await new Promise<string>((resolve) => {
      if (task?.status === "running") this.#broker.cancelMove(queue, task.id, (result) => resolve(result.status));
      else
        this.#broker.startMove(queue, { destinationArn: undefined, messagesPerSecond }, (result) =>
          resolve(result.status),
        );
    });
    this.#note(`moves from ${name} ${status}`);
  }

  // --- the end --------------------------------------------------------------------------------------------------

  async #drain(): Promise<void> {
    this.#disk.capacityBytes = Number.POSITIVE_INFINITY;
    this.#isDraining = true;
    const disk = new SimulatedDisk(this.#disk, this.#loop, this.#random);
    if (!(await this.#open(disk, OPEN_MS_MAX))) return;
    this.#ledger.grown(this.#nowMs());
    const drained = new Set<string>();
    let isDrained = false;
    const drainAll = async (): Promise<void> => {
      // Whatever is delayed or in flight comes back within this time; what fails once more becomes a dead letter.
      const endMs = this.#loop.nowMs + VISIBILITY_MS_MAX + DELAY_MS_MAX;
      for (let hasMore = true; hasMore || this.#loop.nowMs < endMs; ) {
        hasMore = false;
        for (const plan of QUEUES) {
          const messages = await this.#receive(plan, 10, 0);
          if (messages.length === 0) continue;
          hasMore = true;
          for (const { body } of messages) drained.add(body);
          await this.#delete(plan, messages);
        }
        if (!hasMore) await this.#loop.sleep(500);
      }
      isDrained = true;
    };
    void drainAll().catch((error) => this.#failed(error));
    if (!(await this.#loop.run(this.#loop.nowMs + OPEN_MS_MAX, () => isDrained || this.#ledger.faults.length > 0))) {
      this.#ledger.fault("it cannot be drained");
    }
    if (this.#ledger.faults.length > 0) return;
    this.#ledger.grown(this.#nowMs()); // retention went on meanwhile
    this.#ledger.checkComplete(drained);
    for (const plan of QUEUES) {
      const { visible, inFlight, delayed } = this.#broker.counts(this.#queue(plan));
      if (visible + inFlight + delayed > 0)
        this.#ledger.fault(`${plan.name} has ${visible} ${inFlight} ${delayed} left`);
    }
    this.#loop.clear();
  }
}
