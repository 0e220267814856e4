// The core and its model side by side: two queues in each, and whoever waits at them.
import { type QueueSpec, SHORT_TAIL, STANDARD } from "../../support/core-driver.ts";
import { ModelQueue } from "../../support/model-queue.ts";
import type { ModelSubscription } from "../../support/model-subscription.ts";
import { StreamDriver } from "../../support/stream-driver.ts";

/** How often what a run is for has happened in it. */
export const NONE_YET = {
  delivered: 0,
  revoked: 0,
  resumed: 0,
  polled: 0,
  moved: 0,
  indexed: 0,
  reclaimed: 0,
  again: 0,
  purged: 0,
  recreated: 0,
  wrapped: 0, // times that the tail went around
  contested: 0, // times that somebody was served, and another waited
  deadLess: 0, // times that the queue of dead letters was deleted under the one that points at it
  noisy: 0, // looks at a queue with a noisy group
};

/** Of the tail's oldest bytes, how many are compared with the log after each command. */
const FAR_END_BYTES = 64 * 1024;

export interface Poll {
  readonly token: number;
  readonly queue: ModelQueue;
  readonly count: number;
  readonly visibilityMs: number;
  readonly endsMs: number;
}

export class Both {
  readonly driver: StreamDriver;
  readonly main: ModelQueue;
  readonly dead: ModelQueue;
  readonly subscriptions = new Map<string, ModelSubscription>();
  readonly polls: Poll[] = [];
  /** That were handed out, the newest last. */
  readonly receipts: string[] = [];
  readonly counts = { ...NONE_YET };

  readonly isShort: boolean;
  /** Whether there is a queue of dead letters just now: it may be deleted, and made again. */
  isDeadThere = true;

  /** @param isShort with a tail that goes around */
  constructor(main: QueueSpec, isShort: boolean) {
    this.isShort = isShort;
    const dead = { ...STANDARD, name: "dead", fifo: main.fifo, retentionMs: 90_059 };
    this.driver = new StreamDriver([dead, main], isShort ? SHORT_TAIL : undefined);
    this.dead = new ModelQueue(dead, undefined);
    this.main = new ModelQueue(main, main.deadLetters === undefined ? undefined : this.dead);
    for (const queue of this.queues) queue.judgesTenants = main.deadLetters === undefined;
  }

  get queues(): readonly ModelQueue[] {
    return this.isDeadThere ? [this.main, this.dead] : [this.main];
  }
  get nowMs(): number {
    return this.driver.nowMs;
  }
  /** Whether `main` points at the other, be it there or not. */
  get isRedriving(): boolean {
    return this.main.spec.deadLetters !== undefined;
  }
  get hasDeadLetters(): boolean {
    return this.isRedriving && this.isDeadThere;
  }
  get liveCount(): number {
    return this.main.count + this.dead.count;
  }

  state(): [unknown, unknown] {
    const { driver, nowMs, queues } = this;
    const names = queues.map(({ spec }) => spec.name);
    const seen = names.map((queue) =>
      (["visible", "held", "delayed"] as const).flatMap((what) => driver.peek(queue, what, 100)).flat(),
    );
    const subscriptions = [...this.subscriptions];
    const noisy = queues.map((queue) => driver.quietGroups(queue.spec.name).noisyGroupCount);
    if (noisy.some((count) => count > 0)) this.counts.noisy++;
    return [
      [
        names.map((queue) => driver.counts(queue)),
        this.isShort ? driver.damagedInMemory(FAR_END_BYTES) : [],
        queues.map((queue, i) => !queue.judgesTenants || queue.allowsNoisy(noisy[i] as number)),
        seen.map((each) => each.sort()),
        subscriptions.map(([name]) => [name, driver.last(name), driver.outstanding(name)]),
      ],
      [
        queues.map((queue) => queue.counts(nowMs)),
        [],
        queues.map(() => true),
        queues.map((queue) => queue.all(nowMs).sort()),
        subscriptions.map(([name, { last, outstanding }]) => [name, last, outstanding]),
      ],
    ];
  }
}
