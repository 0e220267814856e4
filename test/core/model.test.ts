// The core and the model, given the same random commands, answer the same.
import fc from "fast-check";
import { expect, test } from "vitest";
import { CoreDriver, type QueueSpec, STANDARD } from "../support/core-driver.ts";
import { ModelQueue } from "../support/model-queue.ts";

const RUN_COUNT = 110;
const COMMAND_COUNT = 120; // of a run; eight kinds of queues: 105,600 commands in all
const ATTRIBUTES_BYTES = 1_500; // with which a run fills several segments of the log
/** So few that one receive of 10 sees all of them: then the rules leave no choice which of them move to dead letters. */
const LIVE_COUNT_MAX = 9;
/** So many that thirty of one group can be in flight. */
const FAIR_LIVE_COUNT_MAX = 80;

/** Commands between two looks at all messages: prime to the length of a run, so that every place in it is looked at. */
const LOOK_EVERY = 7;

type Command =
  | {
      readonly kind: "send";
      readonly count: number;
      readonly group: number;
      readonly id: number;
      readonly delayS: number;
    }
  | {
      readonly kind: "receive";
      readonly dead: boolean;
      readonly count: number;
      readonly visibilityS: number;
      readonly attempt: number; // of three IDs; from there on none
    }
  | { readonly kind: "giveBack" } // the newest receive that had something, unless that was known to somebody already
  | { readonly kind: "delete"; readonly dead: boolean; readonly receipt: number }
  | { readonly kind: "change"; readonly dead: boolean; readonly receipt: number; readonly visibilityS: number }
  | { readonly kind: "move"; readonly dead: boolean } // all that is visible there, to the other queue
  | { readonly kind: "advance"; readonly ms: number }
  | { readonly kind: "index" } // every sealed segment of the log gets its index
  | { readonly kind: "reclaim"; readonly place: number } // a sealed segment is given up
  | { readonly kind: "restart" };

const seconds = fc.constantFrom(0, 1, 2, 5, 20);
const receipt = fc.nat(11); // counted back from the newest
const dead = fc.boolean();
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("send" as const),
      count: fc.integer({ min: 1, max: 3 }),
      group: fc.nat(2),
      id: fc.nat(30),
      delayS: fc.constantFrom(-1, 0, 1, 5),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("receive" as const),
      dead,
      count: fc.constantFrom(1, 2, 3, 10),
      visibilityS: seconds,
      attempt: fc.nat(4),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("giveBack" as const) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("delete" as const), dead, receipt }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("change" as const),
      dead,
      receipt,
      visibilityS: fc.oneof(seconds, fc.constant(43_200)),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("advance" as const),
      ms: fc.constantFrom(1, 999, 1000, 1001, 4000, 20_000, 61_000, 300_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("move" as const), dead }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("index" as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("reclaim" as const), place: fc.nat(7) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const) }) },
);

class Pair {
  readonly #driver: CoreDriver;
  readonly #main: ModelQueue;
  readonly #dead: ModelQueue;
  #receipts: readonly string[] = [];
  #newest: { queue: ModelQueue; receipts: readonly string[]; attemptId: string | undefined } | undefined;
  movedCount = 0;
  givenBackCount = 0; // receives
  indexedCount = 0; // segments
  reclaimedCount = 0;
  #nextBody = 1;

  readonly #grouped: boolean; // a fair queue, where groups are for the choosing
  readonly #liveCountMax: number;

  constructor(main: QueueSpec, grouped: boolean) {
    this.#grouped = grouped || main.fifo;
    this.#liveCountMax = grouped && main.deadLetters === undefined ? FAIR_LIVE_COUNT_MAX : LIVE_COUNT_MAX;
    const dead = { ...STANDARD, name: "dead", fifo: main.fifo, retentionMs: 90_000 };
    this.#driver = new CoreDriver([dead, main]);
    this.#dead = new ModelQueue(dead, undefined);
    this.#main = new ModelQueue(main, main.deadLetters === undefined ? undefined : this.#dead);
  }

  /** @returns the core's answer and the model's */
  play(each: Command): [unknown, unknown] {
    const nowMs = this.#driver.nowMs;
    if (each.kind === "advance") {
      this.#driver.advanceTo(nowMs + each.ms);
      this.#main.expire(nowMs + each.ms);
      this.#dead.expire(nowMs + each.ms);
      return [undefined, undefined];
    }
    if (each.kind === "restart") {
      this.#newest = undefined; // whoever it was for has gone
      this.#main.restart(nowMs);
      this.#dead.restart(nowMs);
      return [this.#driver.restart(), undefined];
    }
    if (each.kind === "index") {
      this.indexedCount += this.#driver.index();
      return [undefined, undefined];
    }
    if (each.kind === "reclaim") {
      if (this.#driver.reclaim(each.place)) this.reclaimedCount++;
      return [undefined, undefined];
    }
    if (each.kind === "send") return this.#send(each, nowMs);
    if (each.kind === "move") {
      if (this.#main.count + this.#dead.count > this.#liveCountMax) return [undefined, undefined];
      const [from, to] = each.dead ? [this.#dead, this.#main] : [this.#main, this.#dead];
      const count = this.#driver.move(from.spec.name, to.spec.name, 1000);
      this.movedCount += count;
      return [count, from.moveTo(to, nowMs)];
    }
    if (each.kind === "giveBack") {
      if (this.#newest === undefined) return [undefined, undefined];
      const { queue, receipts, attemptId } = this.#newest;
      this.#newest = undefined;
      this.#driver.giveBack(queue.spec.name, receipts, attemptId);
      if (queue.giveBack(receipts, attemptId, nowMs)) {
        this.#receipts = this.#receipts.filter((receipt) => !receipts.includes(receipt));
        this.givenBackCount++;
      }
      return [undefined, undefined];
    }
    const queue = each.dead ? this.#dead : this.#main;
    const { name } = queue.spec;
    if (each.kind === "receive") {
      const countMax = this.#main.spec.deadLetters === undefined ? each.count : 10;
      const visibilityMs = each.visibilityS * 1000;
      const attemptId = queue.spec.fifo && each.attempt < 3 ? `try${each.attempt}` : undefined;
      const receipts = this.#driver.receive(name, countMax, visibilityMs, attemptId);
      if (typeof receipts !== "string" && receipts.length > 0) {
        this.#receipts = [...this.#receipts, ...receipts];
        this.#newest = { queue, receipts, attemptId };
      }
      return [queue.receive(receipts, countMax, visibilityMs, attemptId, nowMs), undefined];
    }
    const receipt = this.#receipts.at(-1 - each.receipt);
    if (receipt === undefined) return [undefined, undefined];
    if (each.kind === "delete") return [this.#driver.delete(name, receipt), queue.delete(receipt, nowMs)];
    const visibilityMs = each.visibilityS * 1000;
    return [
      this.#driver.changeVisibility(name, receipt, visibilityMs),
      queue.changeVisibility(receipt, visibilityMs, nowMs),
    ];
  }

  #send({ count, group, id, delayS }: Command & { kind: "send" }, nowMs: number): [unknown, unknown] {
    const entryCount = this.#liveCountMax > LIVE_COUNT_MAX ? count * 3 : count;
    if (this.#main.count + entryCount > this.#liveCountMax) return [undefined, undefined];
    const { fifo, name } = this.#main.spec;
    const entries = Array.from({ length: entryCount }, (_, i) => ({
      body: `m${this.#nextBody++}`,
      groupId: this.#grouped && (fifo || id % 4 > 0) ? `g${group}` : undefined,
      deduplicationId: fifo ? `d${(id + i) % 30}` : undefined,
      delayMs: fifo || delayS < 0 ? undefined : delayS * 1000,
      attributesBytes: ATTRIBUTES_BYTES,
    }));
    const sent = this.#driver.send(name, entries);
    return [sent.map(({ duplicate }) => duplicate), this.#main.send(entries, nowMs)];
  }

  state(): [unknown, unknown] {
    const { nowMs } = this.#driver;
    const noisy = [this.#main, this.#dead].map(
      (queue) => !queue.allowsNoisy(this.#driver.quietGroups(queue.spec.name).noisyGroupCount),
    );
    return [
      [this.#driver.counts("main"), this.#driver.counts("dead"), this.#driver.liveMessages, noisy],
      [this.#main.counts(nowMs), this.#dead.counts(nowMs), this.#main.count + this.#dead.count, [false, false]],
    ];
  }

  /** What a look shows, and what is there. */
  messages(): [unknown, unknown] {
    const { nowMs } = this.#driver;
    const seen = ["main", "dead"].map((queue) =>
      (["visible", "held", "delayed"] as const).flatMap((what) => this.#driver.peek(queue, what, 2)).flat(),
    );
    return [seen.map((each) => each.sort()), [this.#main, this.#dead].map((queue) => queue.all(nowMs).sort())];
  }
}

test.for<[string, Partial<QueueSpec>, "grouped"?]>([
  ["a standard queue", { delayMs: 1000 }],
  ["a standard queue with few in flight", { inFlightMax: 4 }],
  // Without a limit: one that is reached ends a receive before it has met every message that is to be moved.
  ["a standard queue with dead letters", { receiveMax: 2, deadLetters: "dead" }],
  ["a fair queue", { inFlightMax: 60, retentionMs: 400_000 }, "grouped"],
  ["a fair queue with dead letters", { receiveMax: 2, deadLetters: "dead" }, "grouped"],
  ["a FIFO queue", { fifo: true, inFlightMax: 5 }],
  ["a FIFO queue with a delay, deduplicated by group", { fifo: true, delayMs: 2000, scopeGroup: true }],
  ["a FIFO queue with dead letters", { fifo: true, receiveMax: 2, deadLetters: "dead" }],
])("%s answers as its model does", { timeout: 120_000 }, ([, change, grouped]) => {
  const spec = { ...STANDARD, retentionMs: 60_000, ...change };
  let playedCount = 0;
  let movedCount = 0;
  let indexedCount = 0;
  let reclaimedCount = 0;
  let givenBackCount = 0;
  fc.assert(
    fc.property(fc.array(command, { minLength: COMMAND_COUNT, maxLength: COMMAND_COUNT, size: "max" }), (commands) => {
      const pair = new Pair(spec, grouped !== undefined);
      for (const each of commands) {
        const [answer, expected] = pair.play(each);
        expect(answer, each.kind).toEqual(expected);
        const [state, expectedState] = pair.state();
        expect(state, `after ${each.kind}`).toEqual(expectedState);
        if (playedCount % LOOK_EVERY === 0) {
          const [seen, there] = pair.messages();
          expect(seen, `after ${each.kind}`).toEqual(there);
        }
        playedCount++;
      }
      movedCount += pair.movedCount;
      indexedCount += pair.indexedCount;
      reclaimedCount += pair.reclaimedCount;
      givenBackCount += pair.givenBackCount;
    }),
    { numRuns: RUN_COUNT },
  );
  expect(playedCount).toBeGreaterThanOrEqual(RUN_COUNT * COMMAND_COUNT);
  expect(movedCount).toBeGreaterThan(RUN_COUNT);
  expect(indexedCount).toBeGreaterThan(RUN_COUNT);
  expect(reclaimedCount).toBeGreaterThan(RUN_COUNT);
  expect(givenBackCount).toBeGreaterThan(RUN_COUNT);
});
