// Streams and polls at one queue: the core and the model, given the same random commands, agree. What the core hands out
// is judged message by message; what it owes must have come; counts, places, numbers, revocations and the events of a
// watch are the same. Time goes from one instant at which something is due to the next.
import fc from "fast-check";
import { expect, test } from "vitest";
import { readReceiptHandle } from "../../src/broker/receipt-handle.ts";
import type { ReceivedHandle } from "../../src/core/core.ts";
import type { Outcome } from "../../src/core/streams.ts";
import { EnvelopeType } from "../../src/stream/schema.ts";
import { type QueueSpec, STANDARD } from "../support/core-driver.ts";
import { type EventKind, type ModelMessage, ModelQueue } from "../support/model-queue.ts";
import { ModelSubscription, type SubscriptionSpec } from "../support/model-subscription.ts";
import { StreamDriver } from "../support/stream-driver.ts";

/** A larger number for a long run. */
const RUN_COUNT = Number(process.env["WASQ_MODEL_RUNS"] ?? 60);
/** The same in every run, another one in every long run; that of a failure plays it again. */
const SEED = process.env["WASQ_MODEL_SEED"] ?? (process.env["WASQ_MODEL_RUNS"] === undefined ? "1" : undefined);
/** A failure is told as it is; a long run looks for a shorter one, which takes a minute. */
const IS_SHORT = process.env["WASQ_MODEL_RUNS"] === undefined;
const COMMAND_COUNT = 150; // of a run
const ATTRIBUTES_BYTES = 1_500; // with which a run fills several segments of the log
const LIVE_COUNT_MAX = 30;
/** With dead letters: so few that one receive of 10 sees all of them. */
const FEW_COUNT_MAX = 9;
const GRACE_MS = 5_003;
const NAMES = ["r", "s", "t"] as const;
const PRODUCERS = 2;
const REMEMBERED_MS = 300_000;
const RECEIPT_HANDLE = 1 << 2;
const PublishType = EnvelopeType.root.lookupType("wasq.v1.Publish");

// Deadlines that do not fall together with those of polls, so that what comes first is no question.
const spec: fc.Arbitrary<SubscriptionSpec> = fc.record({
  visibilityMs: fc.constantFrom(0, 1_013, 20_011),
  processingMs: fc.constantFrom(2_117, 20_333, 50_777),
  batch: fc.constantFrom(1, 2, 100),
  lingerMs: fc.constantFrom(0, 0, 0, 709),
  group: fc.constantFrom(1, 2, 100),
});
const name = fc.nat(NAMES.length - 1);
const dead = fc.boolean();
const receipt = fc.nat(11); // counted back from the newest
const seconds = fc.constantFrom(0, 1, 2, 5, 20);

const COMMANDS = {
  send: {
    count: fc.integer({ min: 1, max: 3 }),
    group: fc.nat(2),
    id: fc.nat(30),
    delayS: fc.constantFrom(-1, 0, 1, 5),
  },
  publish: {
    producer: fc.nat(PRODUCERS - 1),
    back: fc.integer({ min: -1, max: 3 }),
    count: fc.integer({ min: 1, max: 4 }),
    group: fc.nat(2),
    id: fc.nat(30),
  },
  receive: { dead, count: fc.constantFrom(1, 2, 10), visibilityS: seconds },
  poll: { dead, count: fc.constantFrom(1, 10), visibilityS: fc.constantFrom(1, 5), waitS: fc.constantFrom(1, 20) },
  delete: { dead, receipt },
  change: { dead, receipt, visibilityS: fc.oneof(seconds, fc.constant(43_200)) },
  move: { dead },
  purge: { dead },
  subscribe: { name, dead: fc.constantFrom(false, false, false, true), spec },
  credit: {
    name,
    messages: fc.constantFrom(0, 1, 2, 5, 100),
    bytes: fc.constantFrom(0, 1, 1_600, 5_000, 1_000_000),
    back: fc.integer({ min: -1, max: 2 }), // from the newest number
    auto: fc.boolean(),
  },
  settle: {
    name,
    outcome: fc.constantFrom<Outcome>("ack", "ack", "ack", "nack", "touch", "deadLetter"),
    back: fc.integer({ min: -1, max: 6 }),
    count: fc.integer({ min: 1, max: 3 }),
    visibilityMs: fc.constantFrom(0, 0, 1_499, 30_001, 43_200_000),
  },
  cut: { name },
  comeBack: { name },
  close: { name },
  advance: { ms: fc.constantFrom(1, 999, 1000, 1001, 1001, 2117, 4000, 4000, 20_000, 61_000, 300_000) },
  index: {},
  reclaim: { place: fc.nat(7) },
  restart: {},
} as const;
const WEIGHTS: { readonly [Kind in keyof typeof COMMANDS]: number } = {
  send: 10,
  publish: 8,
  receive: 3,
  poll: 2,
  delete: 5,
  change: 4,
  move: 1,
  purge: 1,
  subscribe: 8,
  credit: 14,
  settle: 16,
  cut: 3,
  comeBack: 8,
  close: 1,
  advance: 8,
  index: 2,
  reclaim: 2,
  restart: 1,
};

type Command = {
  [Kind in keyof typeof COMMANDS]: { readonly kind: Kind } & {
    readonly [Field in keyof (typeof COMMANDS)[Kind]]: (typeof COMMANDS)[Kind][Field] extends fc.Arbitrary<infer Value>
      ? Value
      : never;
  };
}[keyof typeof COMMANDS];
type Of<Kind extends Command["kind"]> = Extract<Command, { kind: Kind }>;

const command = fc.oneof(
  ...Object.entries(COMMANDS).map(([kind, fields]) => ({
    weight: WEIGHTS[kind as keyof typeof WEIGHTS],
    arbitrary: fc.record({ kind: fc.constant(kind), ...fields }),
  })),
) as unknown as fc.Arbitrary<Command>;

interface Delivered {
  readonly body: string;
  readonly receiveCount: number;
  readonly receiptHandle: string;
}

interface Poll {
  readonly token: number;
  readonly queue: ModelQueue;
  readonly count: number;
  readonly visibilityMs: number;
  readonly endsMs: number;
}

/** How often what a run is for has happened in it. */
const NONE_YET = {
  delivered: 0,
  revoked: 0,
  resumed: 0,
  polled: 0,
  moved: 0,
  indexed: 0,
  reclaimed: 0,
  again: 0,
  purged: 0,
};

class Pair {
  readonly #driver: StreamDriver;
  readonly #main: ModelQueue;
  readonly #dead: ModelQueue;
  readonly #receipts: string[] = [];
  readonly #sizes = new Map<string, number>();
  readonly #subscriptions = new Map<string, ModelSubscription>();
  readonly #polls: Poll[] = [];
  #publishers: number[] = [];
  readonly #numbers = Array.from({ length: PRODUCERS }, () => ({ last: 0, untilMs: 0 }));
  #nextBody = 1;
  /** What the core has said since the last command, in order. */
  #said: { readonly name: string; readonly judge: () => string | undefined }[] = [];
  #frame: Delivered[] = [];
  #events: string[] = [];
  readonly counts = { ...NONE_YET };

  readonly #isGrouped: boolean;

  /** @param isFair a standard queue whose messages have groups */
  constructor(main: QueueSpec, isFair: boolean) {
    this.#isGrouped = isFair || main.fifo;
    const dead = { ...STANDARD, name: "dead", fifo: main.fifo, retentionMs: 90_059 };
    this.#driver = new StreamDriver([dead, main]);
    this.#dead = new ModelQueue(dead, undefined);
    this.#main = new ModelQueue(main, main.deadLetters === undefined ? undefined : this.#dead);
    for (const queue of [this.#dead, this.#main]) {
      queue.judgesTenants = false;
      const note = (kind: EventKind, { body, receiveCount }: ModelMessage) =>
        this.#events.push(`${queue.spec.name} ${kind} ${body.replaceAll("'", "")}#${receiveCount}`);
      queue.onEvent = note;
    }
    this.#driver.onMessage = (_name, _number, { body, earlierReceives, receiptHandle }) => {
      this.#frame.push({ body: Buffer.from(body).toString(), receiveCount: earlierReceives + 1, receiptHandle });
    };
    this.#driver.onDeliver = (name, first) => {
      const messages = this.#frame.splice(0);
      this.counts.delivered += messages.length;
      this.#said.push({ name, judge: () => this.#delivered(name, first, messages) });
    };
    this.#driver.onRevoke = (name, number, reason) => {
      this.counts.revoked++;
      this.#said.push({ name, judge: () => this.#of(name)?.revoked(number, reason) });
    };
    this.#begin();
  }

  #of(name: string): ModelSubscription | undefined {
    return this.#subscriptions.get(name);
  }

  /** What a message is called that a task may have moved. */
  #bodyOf(body: string): string {
    const here = [this.#main, this.#dead].flatMap((queue) => queue.bodies);
    return here.find((each) => each.replaceAll("'", "") === body) ?? body;
  }

  /** @returns why it must not have been */
  #delivered(name: string, first: number, messages: readonly Delivered[]): string | undefined {
    const subscription = this.#of(name);
    if (subscription === undefined) return `${name} has ended`;
    const problem = subscription.deliver(first, messages, this.#driver.nowMs);
    const queueNumber = this.#driver.numberOf(subscription.queue.spec.name);
    for (const { body, receiveCount, receiptHandle } of messages) {
      const receipt = `${this.#bodyOf(body)}#${receiveCount}`;
      this.#receipts.push(receipt);
      this.#driver.know(receipt, readReceiptHandle(queueNumber, receiptHandle) as ReceivedHandle);
    }
    return problem;
  }

  #begin(): void {
    for (const queue of ["main", "dead"]) this.#driver.watch(queue);
    this.#publishers = this.#numbers.map((_, i) => this.#driver.openPublisher(Buffer.alloc(16, i + 1)));
    for (const publisher of this.#publishers) this.#driver.lastPublished(publisher, "main"); // as whoever opens it asks
  }

  #measure(): void {
    for (const queue of ["main", "dead"]) {
      for (const [body, bytes] of this.#driver.payloadSizes(queue)) this.#sizes.set(body, bytes);
    }
  }

  /** Does it to both. @returns the core's answer and the model's */
  play(each: Command): [unknown, unknown] {
    const { nowMs } = this.#driver;
    if (each.kind === "advance") return this.#advance(nowMs + each.ms);
    const answers = this.#do(each, nowMs);
    this.#judge(nowMs);
    return answers;
  }

  #advance(endMs: number): [unknown, unknown] {
    while (this.#driver.nowMs < endMs) {
      const { nowMs } = this.#driver;
      const subscriptions = [...this.#subscriptions.values()];
      const nextMs = Math.min(
        endMs,
        this.#main.nextMs(nowMs),
        this.#dead.nextMs(nowMs),
        ...subscriptions.map((one) => one.nextMs(nowMs)),
        ...this.#polls.map((poll) => poll.endsMs),
      );
      this.#driver.advanceTo(nextMs);
      this.#main.expire(nextMs);
      this.#dead.expire(nextMs);
      this.#judge(nextMs);
      for (const [name, { graceEndsMs }] of [...this.#subscriptions]) {
        if (graceEndsMs > nextMs) continue;
        this.#close(name, nextMs);
        this.#judge(nextMs);
      }
    }
    return [undefined, undefined];
  }

  #close(name: string, nowMs: number): void {
    this.#driver.close(name);
    const subscription = this.#of(name) as ModelSubscription;
    this.#subscriptions.delete(name);
    subscription.close(nowMs);
  }

  /** What the core has said and done since, against the rules. */
  #judge(nowMs: number): void {
    const said = this.#said.splice(0);
    const hear = (queue: ModelQueue): void => {
      for (const { name, judge } of said) if (this.#of(name)?.queue === queue) expect(judge()).toBeUndefined();
    };
    const there = new Set(this.#main.spec.deadLetters === undefined ? [] : this.#driver.payloadSizes("dead").keys());
    expect(this.#main.deadLettered(there, nowMs, false), "dead letters").toBeUndefined();
    hear(this.#main);
    expect(this.#main.deadLettered(there, nowMs, true), "dead letters").toBeUndefined();
    hear(this.#dead);
    expect(said.filter(({ name }) => this.#of(name) === undefined)).toEqual([]);
    for (const poll of [...this.#polls]) {
      const answer = this.#driver.answer(poll.token);
      if (answer === undefined) {
        expect(poll.endsMs, "a poll waits no longer than it was to").toBeGreaterThan(nowMs);
        expect(poll.queue.receivable(nowMs), "a poll gets what there is").toEqual([]);
        continue;
      }
      this.#polls.splice(this.#polls.indexOf(poll), 1);
      const receipts = answer.receipts as readonly string[];
      if (receipts.length === 0) {
        expect(poll.endsMs, "a poll waits").toBe(nowMs);
        continue;
      }
      this.counts.polled++;
      this.#receipts.push(...receipts);
      const problem = poll.queue.receive(receipts, poll.count, poll.visibilityMs, undefined, nowMs);
      expect(problem, "a poll").toBeUndefined();
    }
    for (const [name, subscription] of this.#subscriptions) {
      expect(subscription.untold, `${name} is told what it has lost`).toEqual([]);
      expect(subscription.owed(nowMs), `${name} gets what there is`).toBeUndefined();
    }
    expect(this.#driver.happened().sort(), "events").toEqual(this.#events.splice(0).sort());
  }

  #do(each: Exclude<Command, Of<"advance">>, nowMs: number): [unknown, unknown] {
    const nothing: [unknown, unknown] = [undefined, undefined];
    switch (each.kind) {
      case "send":
        return this.#send(each, nowMs);
      case "publish":
        return this.#publish(each, nowMs);
      case "index":
        this.counts.indexed += this.#driver.index();
        return nothing;
      case "reclaim":
        if (this.#driver.reclaim(each.place)) this.counts.reclaimed++;
        return nothing;
      case "restart":
        this.#restart(nowMs);
        return nothing;
      case "move": {
        if (this.#live > this.#liveMax) return nothing;
        const [from, to] = each.dead ? [this.#dead, this.#main] : [this.#main, this.#dead];
        const count = this.#driver.move(from.spec.name, to.spec.name, 1000);
        this.#measure();
        const expected = from.moveTo(to, nowMs);
        this.counts.moved += count;
        return [count, expected];
      }
      case "purge": {
        const queue = each.dead ? this.#dead : this.#main;
        if (this.#polls.some((poll) => poll.queue === queue)) return nothing;
        queue.purge(nowMs); // first: what is given meanwhile was not there yet
        this.#driver.purge(queue.spec.name);
        // Nothing is remembered of producers, but by whoever is open.
        if (!each.dead) for (const known of this.#numbers) known.untilMs = nowMs;
        this.counts.purged++;
        return nothing;
      }
      case "receive": {
        const queue = each.dead ? this.#dead : this.#main;
        const countMax = this.#countOf(each.count);
        const receipts = this.#driver.receive(queue.spec.name, countMax, each.visibilityS * 1000);
        if (typeof receipts !== "string") this.#receipts.push(...receipts);
        return [queue.receive(receipts, countMax, each.visibilityS * 1000, undefined, nowMs), undefined];
      }
      case "poll": {
        const queue = each.dead ? this.#dead : this.#main;
        if (this.#polls.length > 2) return nothing;
        // Dead letters come one by one, and the first of them answers.
        const count = each.dead && this.#main.spec.deadLetters !== undefined ? 1 : this.#countOf(each.count);
        const visibilityMs = each.visibilityS * 1000;
        const endsMs = nowMs + each.waitS * 1000 + 3;
        const token = this.#driver.poll(queue.spec.name, count, visibilityMs, endsMs - nowMs);
        expect(typeof token, "a poll waits").toBe("number");
        this.#polls.push({ token: token as number, queue, count, visibilityMs, endsMs });
        return nothing;
      }
      case "delete":
      case "change": {
        const queue = each.dead ? this.#dead : this.#main;
        const receipt = this.#receipts.at(-1 - each.receipt);
        if (receipt === undefined) return nothing;
        const { name } = queue.spec;
        if (each.kind === "delete") return [this.#driver.delete(name, receipt), queue.delete(receipt, nowMs)];
        const ms = each.visibilityS * 1000;
        return [this.#driver.changeVisibility(name, receipt, ms), queue.changeVisibility(receipt, ms, nowMs)];
      }
      case "subscribe": {
        const name = NAMES[each.name] as string;
        if (this.#subscriptions.has(name)) return nothing;
        const queue = each.dead ? this.#dead : this.#main;
        this.#driver.subscribe(name, { queue: queue.spec.name, fields: RECEIPT_HANDLE, ...each.spec });
        const sizeOf = ({ body }: ModelMessage) => this.#sizes.get(body) as number;
        this.#subscriptions.set(name, new ModelSubscription(queue, each.spec, sizeOf));
        return nothing;
      }
    }
    return this.#onSubscription(each, nowMs);
  }

  #onSubscription(each: Of<"credit" | "settle" | "cut" | "comeBack" | "close">, nowMs: number): [unknown, unknown] {
    const nothing: [unknown, unknown] = [undefined, undefined];
    const name = NAMES[each.name] as string;
    const subscription = this.#of(name);
    if (subscription === undefined) return nothing;
    switch (each.kind) {
      case "credit": {
        if (!subscription.isAttached) return nothing;
        const { messages, bytes, auto } = each;
        const beyond = Math.max(subscription.last - each.back, 0);
        const expected = subscription.setCredit(messages, bytes, beyond, auto);
        return [this.#driver.credit(name, messages, { bytes, beyond, auto }), expected];
      }
      case "settle": {
        if (!subscription.isAttached) return nothing;
        if (each.outcome === "deadLetter" && this.#main.spec.deadLetters === undefined) return nothing;
        const first = Math.max(subscription.last - each.back, 0);
        const numbers = Array.from({ length: each.count }, (_, i) => first + i);
        const visibilityMs = each.outcome === "touch" ? Math.max(each.visibilityMs, 1_499) : each.visibilityMs;
        // First the model: what is given meanwhile was not out yet.
        const expected = subscription.settle(each.outcome, numbers, visibilityMs, nowMs);
        return [this.#driver.settle(name, each.outcome, numbers.join(" "), visibilityMs), expected];
      }
      case "cut":
        if (!subscription.isAttached) return nothing;
        this.#driver.detach(name);
        subscription.detach(nowMs + GRACE_MS);
        return nothing;
      case "comeBack":
        if (subscription.isAttached) return nothing;
        this.#driver.resume(name);
        subscription.resume();
        this.counts.resumed++;
        return nothing;
      case "close":
        this.#close(name, nowMs);
        return nothing;
    }
  }

  #restart(nowMs: number): void {
    this.#subscriptions.clear();
    this.#polls.length = 0;
    this.#said.length = 0;
    this.#driver.happened();
    this.#driver.restart();
    // An open publisher knows its numbers; one that is opened anew has what is remembered of its producer.
    for (const known of this.#numbers) if (known.untilMs <= nowMs) known.last = 0;
    this.#begin();
    for (const queue of [this.#main, this.#dead]) {
      queue.restart(nowMs);
      const held = this.#driver.peek(queue.spec.name, "held", 100).flat();
      const hidden = new Set(
        held.filter((each) => each.endsWith("inFlight")).map((each) => each.split("#")[0] as string),
      );
      queue.hiddenAgain(hidden, nowMs);
    }
  }

  #countOf(count: number): number {
    return this.#main.spec.deadLetters === undefined ? count : 10;
  }

  get #liveMax(): number {
    return this.#main.spec.deadLetters === undefined ? LIVE_COUNT_MAX : FEW_COUNT_MAX;
  }

  get #live(): number {
    return this.#main.count + this.#dead.count;
  }

  #entries(count: number, group: number, id: number): { body: string; groupId?: string; deduplicationId?: string }[] {
    const { fifo } = this.#main.spec;
    return Array.from({ length: count }, (_, i) => ({
      body: `m${this.#nextBody++}`,
      ...(this.#isGrouped ? { groupId: `g${group}` } : {}),
      ...(fifo ? { deduplicationId: `d${(id + i) % 30}` } : {}),
    }));
  }

  #send({ count, group, id, delayS }: Of<"send">, nowMs: number): [unknown, unknown] {
    if (this.#live + count > this.#liveMax) return [undefined, undefined];
    const delayMs = this.#main.spec.fifo || delayS < 0 ? undefined : delayS * 1000;
    const entries = this.#entries(count, group, id).map((each) => ({
      ...each,
      delayMs,
      attributesBytes: ATTRIBUTES_BYTES,
    }));
    const expected = this.#main.send(entries, nowMs);
    const sent = this.#driver.send("main", entries);
    this.#measure();
    return [sent.map(({ duplicate }) => duplicate), expected];
  }

  /** Over a stream: numbers that have been seen are not sent again, and none may be left out. */
  #publish({ producer, back, count, group, id }: Of<"publish">, nowMs: number): [unknown, unknown] {
    if (this.#live + count > this.#liveMax) return [undefined, undefined];
    const known = this.#numbers[producer] as { last: number; untilMs: number };
    const first = Math.max(known.last + 1 - back, 1);
    const entries = this.#entries(count, group, id);
    const messages = entries.map(({ body, ...rest }) => ({ text: body, ...rest }));
    const isGap = first > known.last + 1;
    const fresh = isGap ? [] : entries.slice(known.last + 1 - first);
    if (first <= known.last) this.counts.again++;
    this.#main.send(fresh, nowMs);
    const bytes = PublishType.encode(PublishType.fromObject({ publisher: 1, first, messages })).finish();
    const { code, number, failures } = this.#driver.publish(this.#publishers[producer] as number, "main", bytes);
    this.#measure();
    if (!isGap && first + count - 1 > known.last) {
      known.last = first + count - 1;
      known.untilMs = nowMs + REMEMBERED_MS;
    }
    const last = this.#driver.lastPublished(this.#publishers[producer] as number, "main");
    return [
      [code, isGap ? 0 : number, failures, last],
      [isGap ? "gap" : "done", isGap ? 0 : first + count, [], known.last],
    ];
  }

  state(): [unknown, unknown] {
    const { nowMs } = this.#driver;
    const seen = ["main", "dead"].map((queue) =>
      (["visible", "held", "delayed"] as const).flatMap((what) => this.#driver.peek(queue, what, 100)).flat(),
    );
    const subscriptions = [...this.#subscriptions];
    return [
      [
        this.#driver.counts("main"),
        this.#driver.counts("dead"),
        seen.map((each) => each.sort()),
        subscriptions.map(([name]) => [name, this.#driver.last(name), this.#driver.outstanding(name)]),
      ],
      [
        this.#main.counts(nowMs),
        this.#dead.counts(nowMs),
        [this.#main, this.#dead].map((queue) => queue.all(nowMs).sort()),
        subscriptions.map(([name, { last, outstanding }]) => [name, last, outstanding]),
      ],
    ];
  }
}

test.for<[string, Partial<QueueSpec>, { isFair: boolean }?]>([
  ["a standard queue", { delayMs: 1000 }],
  ["a standard queue with few in flight", { inFlightMax: 4 }],
  ["a standard queue with dead letters", { receiveMax: 2, deadLetters: "dead" }],
  ["a fair queue", { delayMs: 1000 }, { isFair: true }],
  ["a fair queue with dead letters", { receiveMax: 2, deadLetters: "dead" }, { isFair: true }],
  ["a FIFO queue", { fifo: true, inFlightMax: 5 }],
  ["a FIFO queue with a delay", { fifo: true, delayMs: 2000 }],
  ["a FIFO queue with dead letters", { fifo: true, receiveMax: 2, deadLetters: "dead" }],
])(
  "%s pushes and hands out as its model does",
  { timeout: RUN_COUNT * 2_000 },
  ([, change, { isFair } = { isFair: false }]) => {
    const main = { ...STANDARD, retentionMs: 61_357, ...change };
    const sums = { ...NONE_YET };
    fc.assert(
      fc.property(
        fc.array(command, { minLength: COMMAND_COUNT, maxLength: COMMAND_COUNT, size: "max" }),
        (commands) => {
          const pair = new Pair(main, isFair);
          for (const each of commands) {
            const [answer, expected] = pair.play(each);
            expect(answer, each.kind).toEqual(expected);
            const [state, expectedState] = pair.state();
            expect(state, `after ${each.kind}`).toEqual(expectedState);
          }
          for (const [what, count] of Object.entries(pair.counts)) sums[what as keyof typeof sums] += count;
        },
      ),
      { numRuns: RUN_COUNT, endOnFailure: IS_SHORT, ...(SEED === undefined ? {} : { seed: Number(SEED) }) },
    );
    // All of it has happened, and often.
    for (const [what, count] of Object.entries(sums)) expect(count, what).toBeGreaterThan(RUN_COUNT / 10);
    expect(sums.delivered).toBeGreaterThan(RUN_COUNT * 3);
  },
);
