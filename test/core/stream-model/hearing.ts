// What the core says: deliveries, calls back, answers to polls, events of a watch. Each is judged by the rules, and so is
// what it does not say.
import { expect } from "vitest";
import { readReceiptHandle } from "../../../src/broker/receipt-handle.ts";
import type { ReceivedHandle } from "../../../src/core/core.ts";
import type { EventKind, ModelMessage, ModelQueue } from "../../support/model-queue.ts";
import type { ModelSubscription } from "../../support/model-subscription.ts";
import type { Both } from "./both.ts";

interface Delivered {
  readonly body: string;
  readonly receiveCount: number;
  readonly receiptHandle: string;
}

export class Hearing {
  readonly #both: Both;
  /** What the core has said since it was judged last, in order. */
  #said: { readonly name: string; readonly judge: () => string | undefined }[] = [];
  #frame: Delivered[] = [];
  #events: string[] = []; // that the model foresees

  constructor(both: Both) {
    this.#both = both;
    const { driver, counts } = both;
    for (const queue of both.queues) {
      queue.onEvent = (kind: EventKind, { body, receiveCount }: ModelMessage) => {
        this.#events.push(`${queue.spec.name} ${kind} ${body.replaceAll("'", "")}#${receiveCount}`);
      };
    }
    driver.onMessage = (_name, _number, { body, earlierReceives, receiptHandle }) => {
      this.#frame.push({ body: Buffer.from(body).toString(), receiveCount: earlierReceives + 1, receiptHandle });
    };
    driver.onDeliver = (name, first) => {
      const messages = this.#frame.splice(0);
      counts.delivered += messages.length;
      this.#said.push({ name, judge: () => this.#delivered(name, first, messages) });
    };
    driver.onRevoke = (name, number, reason) => {
      counts.revoked++;
      this.#said.push({ name, judge: () => this.#of(name)?.revoked(number, reason) });
    };
  }

  #of(name: string): ModelSubscription | undefined {
    return this.#both.subscriptions.get(name);
  }

  /** Of what was said before, nothing counts. */
  forget(): void {
    this.#said = [];
    this.#both.driver.happened();
  }

  /** What the core has said and done since, against the rules. */
  judge(nowMs: number): void {
    const { main, dead, driver, hasDeadLetters, subscriptions } = this.#both;
    const said = this.#said.splice(0);
    const hear = (queue: ModelQueue): void => {
      for (const { name, judge } of said) if (this.#of(name)?.queue === queue) expect(judge()).toBeUndefined();
    };
    const there = new Set(hasDeadLetters ? driver.payloadSizes("dead").keys() : []);
    expect(main.deadLettered(there, nowMs, false), "dead letters").toBeUndefined();
    hear(main);
    expect(main.deadLettered(there, nowMs, true), "dead letters").toBeUndefined();
    hear(dead);
    expect(said.filter(({ name }) => this.#of(name) === undefined)).toEqual([]);
    this.#judgePolls(nowMs);
    for (const [name, subscription] of subscriptions) {
      expect(subscription.untold, `${name} is told what it has lost`).toEqual([]);
      expect(subscription.owed(nowMs), `${name} gets what there is`).toBeUndefined();
    }
    expect(driver.happened().sort(), "events").toEqual(this.#events.splice(0).sort());
  }

  /** @returns why it must not have been */
  #delivered(name: string, first: number, messages: readonly Delivered[]): string | undefined {
    const { driver, receipts } = this.#both;
    const subscription = this.#of(name);
    if (subscription === undefined) return `${name} has ended`;
    const problem = subscription.deliver(first, messages, driver.nowMs);
    const queueNumber = driver.numberOf(subscription.queue.spec.name);
    for (const { body, receiveCount, receiptHandle } of messages) {
      const receipt = `${this.#bodyOf(body)}#${receiveCount}`;
      receipts.push(receipt);
      driver.know(receipt, readReceiptHandle(queueNumber, receiptHandle) as ReceivedHandle);
    }
    return problem;
  }

  /** What a message is called that a task may have moved. */
  #bodyOf(body: string): string {
    const here = this.#both.queues.flatMap((queue) => queue.bodies);
    return here.find((each) => each.replaceAll("'", "") === body) ?? body;
  }

  #judgePolls(nowMs: number): void {
    const { polls, driver, receipts, counts } = this.#both;
    for (const poll of [...polls]) {
      const answer = driver.answer(poll.token);
      if (answer === undefined) {
        expect(poll.endsMs, "a poll waits no longer than it was to").toBeGreaterThan(nowMs);
        expect(poll.queue.receivable(nowMs), "a poll gets what there is").toEqual([]);
        continue;
      }
      polls.splice(polls.indexOf(poll), 1);
      const handed = answer.receipts as readonly string[];
      if (handed.length === 0) {
        expect(poll.endsMs, "a poll waits").toBe(nowMs);
        continue;
      }
      counts.polled++;
      receipts.push(...handed);
      const problem = poll.queue.receive(handed, poll.count, poll.visibilityMs, undefined, nowMs);
      expect(problem, "a poll").toBeUndefined();
    }
  }
}
