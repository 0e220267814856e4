// Plays commands to the core and to the model, and time, from one instant at which something is due to the next.
import { expect } from "vitest";
import type { QueueSpec } from "../../support/core-driver.ts";
import type { ModelMessage, ModelQueue } from "../../support/model-queue.ts";
import { ModelSubscription } from "../../support/model-subscription.ts";
import { Both } from "./both.ts";
import { type Command, NAMES, type Of } from "./commands.ts";
import { Hearing } from "./hearing.ts";
import { Producers } from "./producers.ts";

const GRACE_MS = 5_003;
const RECEIPT_HANDLE = 1 << 2;
const NOTHING: [unknown, unknown] = [undefined, undefined];

export class Pair {
  readonly #both: Both;
  readonly #hearing: Hearing;
  readonly #producers: Producers;

  /** @param isFair a standard queue whose messages have groups @param isShort with a tail that goes around */
  constructor(main: QueueSpec, isFair: boolean, isShort: boolean) {
    this.#both = new Both(main, isShort);
    this.#hearing = new Hearing(this.#both);
    this.#watch();
    this.#producers = new Producers(this.#both, isFair || main.fifo);
  }

  get counts(): Both["counts"] {
    return this.#both.counts;
  }
  state(): [unknown, unknown] {
    return this.#both.state();
  }

  #watch(): void {
    for (const { spec } of this.#both.queues) this.#both.driver.watch(spec.name);
  }

  /** Does it to both. @returns the core's answer and the model's */
  play(each: Command): [unknown, unknown] {
    const { nowMs } = this.#both;
    if (each.kind === "advance") return this.#advance(nowMs + each.ms);
    const answers = this.#do(each, nowMs);
    this.#hearing.judge(nowMs);
    return answers;
  }

  #advance(endMs: number): [unknown, unknown] {
    const { driver, queues, polls, subscriptions } = this.#both;
    while (this.#both.nowMs < endMs) {
      const { nowMs } = this.#both;
      const nextMs = Math.min(
        endMs,
        ...queues.map((queue) => queue.nextMs(nowMs)),
        ...[...subscriptions.values()].map((one) => one.nextMs(nowMs)),
        ...polls.map((poll) => poll.endsMs),
      );
      driver.advanceTo(nextMs);
      for (const queue of queues) queue.expire(nextMs);
      this.#hearing.judge(nextMs);
      for (const [name, { graceEndsMs }] of [...subscriptions]) {
        if (graceEndsMs > nextMs) continue;
        this.#close(name, nextMs);
        this.#hearing.judge(nextMs);
      }
    }
    return NOTHING;
  }

  #close(name: string, nowMs: number): void {
    const { driver, subscriptions } = this.#both;
    driver.close(name);
    const subscription = subscriptions.get(name) as ModelSubscription;
    subscriptions.delete(name);
    subscription.close(nowMs);
  }

  #do(each: Exclude<Command, Of<"advance">>, nowMs: number): [unknown, unknown] {
    const { driver, counts } = this.#both;
    switch (each.kind) {
      case "send":
        return this.#producers.send(each, nowMs);
      case "publish":
        return this.#producers.publish(each, nowMs);
      case "index":
        counts.indexed += driver.index();
        return NOTHING;
      case "reclaim":
        if (driver.reclaim(each.place)) counts.reclaimed++;
        return NOTHING;
      case "fill": {
        if (!this.#both.isShort) return NOTHING;
        const { rounds } = driver;
        driver.fillUpTo(each.place, each.marginBytes);
        counts.wrapped += driver.rounds - rounds;
        return NOTHING;
      }
      case "restart":
        this.#restart(nowMs);
        return NOTHING;
      case "credit":
      case "settle":
      case "cut":
      case "comeBack":
      case "close":
        return this.#onSubscription(each, nowMs);
    }
    return this.#onQueue(each, each.dead ? this.#both.dead : this.#both.main, nowMs);
  }

  #onQueue(
    each: Of<"move" | "purge" | "recreate" | "receive" | "poll" | "delete" | "change" | "subscribe">,
    queue: ModelQueue,
    nowMs: number,
  ): [unknown, unknown] {
    const { driver, main, dead, polls, receipts, subscriptions, counts } = this.#both;
    const { name } = queue.spec;
    if (!this.#both.isDeadThere && each.kind !== "recreate" && (each.dead || each.kind === "move")) return NOTHING;
    switch (each.kind) {
      case "move": {
        if (this.#producers.isFull) return NOTHING;
        const to = each.dead ? main : dead;
        const count = driver.move(name, to.spec.name, 1000);
        this.#producers.measure();
        counts.moved += count;
        return [count, queue.moveTo(to, nowMs)];
      }
      case "purge":
        if (polls.some((poll) => poll.queue === queue)) return NOTHING;
        queue.purge(nowMs); // first: what is given meanwhile was not there yet
        driver.purge(name);
        this.#hearing.standAnew(queue);
        if (!each.dead) this.#producers.forget(nowMs);
        counts.purged++;
        return NOTHING;
      case "recreate":
        this.#recreate(queue, nowMs);
        return NOTHING;
      case "receive": {
        const countMax = this.#countOf(each.count);
        const handed = driver.receive(name, countMax, each.visibilityS * 1000);
        if (typeof handed !== "string") receipts.push(...handed);
        return [queue.receive(handed, countMax, each.visibilityS * 1000, undefined, nowMs), undefined];
      }
      case "poll": {
        if (polls.length > 2) return NOTHING;
        // Dead letters come one by one, and the first of them answers.
        const count = each.dead && this.#both.isRedriving ? 1 : this.#countOf(each.count);
        const visibilityMs = each.visibilityS * 1000;
        const endsMs = nowMs + each.waitS * 1000 + 3;
        const token = driver.poll(name, count, visibilityMs, endsMs - nowMs);
        expect(typeof token, "a poll waits").toBe("number");
        polls.push({ token: token as number, queue, count, visibilityMs, endsMs });
        return NOTHING;
      }
      case "delete":
      case "change": {
        const receipt = receipts.at(-1 - each.receipt);
        if (receipt === undefined) return NOTHING;
        if (each.kind === "delete") return [driver.delete(name, receipt), queue.delete(receipt, nowMs)];
        const ms = each.visibilityS * 1000;
        return [driver.changeVisibility(name, receipt, ms), queue.changeVisibility(receipt, ms, nowMs)];
      }
      case "subscribe": {
        const subscriber = NAMES[each.name] as string;
        if (subscriptions.has(subscriber)) return NOTHING;
        driver.subscribe(subscriber, { queue: name, fields: RECEIPT_HANDLE, ...each.spec });
        const sizeOf = ({ body }: ModelMessage) => this.#producers.sizeOf(body);
        subscriptions.set(subscriber, new ModelSubscription(queue, each.spec, sizeOf));
        return NOTHING;
      }
    }
  }

  #onSubscription(each: Of<"credit" | "settle" | "cut" | "comeBack" | "close">, nowMs: number): [unknown, unknown] {
    const { driver, subscriptions, isRedriving, counts } = this.#both;
    const name = NAMES[each.name] as string;
    const subscription = subscriptions.get(name);
    if (subscription === undefined) return NOTHING;
    switch (each.kind) {
      case "credit": {
        if (!subscription.isAttached) return NOTHING;
        const { messages, bytes, auto } = each;
        const beyond = Math.max(subscription.last - each.back, 0);
        const expected = subscription.setCredit(messages, bytes, beyond, auto);
        return [driver.credit(name, messages, { bytes, beyond, auto }), expected];
      }
      case "settle": {
        if (!subscription.isAttached) return NOTHING;
        if (each.outcome === "deadLetter" && !isRedriving) return NOTHING;
        const first = Math.max(subscription.last - each.back, 0);
        const numbers = Array.from({ length: each.count }, (_, i) => first + i);
        const visibilityMs = each.outcome === "touch" ? Math.max(each.visibilityMs, 1_499) : each.visibilityMs;
        // First the model: what is given meanwhile was not out yet.
        const expected = subscription.settle(each.outcome, numbers, visibilityMs, nowMs);
        return [driver.settle(name, each.outcome, numbers.join(" "), visibilityMs), expected];
      }
      case "cut":
        if (!subscription.isAttached) return NOTHING;
        driver.detach(name);
        subscription.detach(nowMs + GRACE_MS);
        return NOTHING;
      case "comeBack":
        if (subscription.isAttached) return NOTHING;
        driver.resume(name);
        subscription.resume();
        counts.resumed++;
        return NOTHING;
      case "close":
        this.#close(name, nowMs);
        return NOTHING;
    }
  }

  #restart(nowMs: number): void {
    const { driver, queues, polls, subscriptions } = this.#both;
    subscriptions.clear();
    polls.length = 0;
    this.#hearing.forget();
    driver.restart();
    this.#watch();
    this.#producers.open();
    for (const queue of queues) {
      queue.restart(nowMs);
      const held = driver.peek(queue.spec.name, "held", 100).flat();
      const hidden = held.filter((each) => each.endsWith("inFlight")).map((each) => each.split("#")[0] as string);
      queue.hiddenAgain(new Set(hidden), nowMs);
    }
  }

  /** DeleteQueue ends whoever is there, with or without an answer; a queue of the same name knows nothing of it. */
  #recreate(queue: ModelQueue, nowMs: number): void {
    const { driver, main, polls, subscriptions, isRedriving, counts } = this.#both;
    const { name } = queue.spec;
    if (!this.#both.queues.includes(queue)) {
      this.#create(queue);
      return;
    }
    for (const [subscriber, one] of [...subscriptions]) if (one.queue === queue) subscriptions.delete(subscriber);
    queue.purge(nowMs);
    driver.drop(name);
    for (const poll of polls.filter((each) => each.queue === queue)) {
      expect(driver.answer(poll.token)?.receipts, "a poll is told that its queue is gone").toBe("gone");
      polls.splice(polls.indexOf(poll), 1);
    }
    if (queue !== main && isRedriving) {
      // Dead letters have nowhere to go meanwhile, and stay.
      this.#both.isDeadThere = false;
      main.deadLetters = undefined;
      counts.deadLess++;
      this.#hearing.forget();
      return;
    }
    this.#create(queue);
    if (queue === main) this.#producers.openAnew(nowMs);
  }

  #create(queue: ModelQueue): void {
    const { driver, main, dead, isRedriving, counts } = this.#both;
    this.#hearing.forget();
    if (queue === dead) {
      this.#both.isDeadThere = true;
      if (isRedriving) main.deadLetters = dead;
    }
    driver.create(queue.spec.name);
    driver.watch(queue.spec.name);
    counts.recreated++;
  }

  #countOf(count: number): number {
    return this.#both.isRedriving ? 10 : count;
  }
}
