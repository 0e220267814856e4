// What the core says: deliveries, calls back, answers to polls, events of a watch. Each is judged by the rules, in the
// order in which the watch tells of it, and so is what the core does not say.
import { expect } from "vitest";
import { readReceiptHandle } from "../../../src/broker/receipt-handle.ts";
import type { ReceivedHandle } from "../../../src/core/core.ts";
import type { EventKind, ModelMessage, ModelQueue } from "../../support/model-queue.ts";
import type { ModelSubscription } from "../../support/model-subscription.ts";
import type { Both, Poll } from "./both.ts";
import { Turns } from "./turns.ts";

interface Delivered {
  readonly body: string;
  readonly receiveCount: number;
  readonly receiptHandle: string;
}

interface Said {
  readonly who: string; // a subscription, or a poll
  readonly queue: ModelQueue | undefined; // undefined: its subscription has ended
  /** The first message of a Deliver or an answer; a Revoke has none. */
  readonly first: string | undefined;
  /** Whether some of it could have been another's, once it has been judged. */
  isInTurn: boolean;
  /** @returns why it must not have been said */
  readonly judge: (said: Said) => string | undefined;
}

export class Hearing {
  readonly #both: Both;
  /** What the core has said since it was judged last. */
  #said: Said[] = [];
  #frame: Delivered[] = [];
  #events: string[] = []; // that the model foresees
  readonly #turns: ReadonlyMap<ModelQueue, Turns>;

  constructor(both: Both) {
    this.#both = both;
    const { driver, counts } = both;
    this.#turns = new Map(both.queues.map((queue) => [queue, new Turns()]));
    for (const queue of both.queues) {
      queue.onEvent = (kind: EventKind, { body, receiveCount }: ModelMessage) => {
        this.#events.push(`${queue.spec.name} ${kind} ${body.replaceAll("'", "")}#${receiveCount}`);
      };
    }
    driver.onMessage = (_name, _number, { body, earlierReceives, receiptHandle }) => {
      this.#frame.push({ body: Buffer.from(body).toString(), receiveCount: earlierReceives + 1, receiptHandle });
    };
    driver.onDeliver = (who, first) => {
      const messages = this.#frame.splice(0);
      counts.delivered += messages.length;
      const name = `${messages[0]?.body}#${messages[0]?.receiveCount}`;
      this.#hear(who, name, (said) => this.#delivered(who, first, messages, said));
    };
    driver.onRevoke = (who, number, reason) => {
      counts.revoked++;
      this.#hear(who, undefined, () => this.#of(who)?.revoked(number, reason));
    };
  }

  #of(name: string): ModelSubscription | undefined {
    return this.#both.subscriptions.get(name);
  }

  #hear(who: string, first: string | undefined, judge: Said["judge"]): void {
    this.#said.push({ who, queue: this.#of(who)?.queue, first, isInTurn: true, judge });
  }

  /** Of what was said before, nothing counts. */
  forget(): void {
    this.#said = [];
    this.#events = [];
    this.#both.driver.happened();
    this.standAnew(...this.#both.queues);
  }

  /** Those who wait at the queues stand in line anew. */
  standAnew(...queues: readonly ModelQueue[]): void {
    for (const queue of queues) this.#turns.get(queue)?.forget();
  }

  /** What the core has said and done since, against the rules. */
  judge(nowMs: number): void {
    const { main, dead, driver, hasDeadLetters, subscriptions } = this.#both;
    const events = driver.happened();
    const isAt = ({ queue, first }: Said) =>
      first === undefined ? events.length : events.indexOf(`${queue?.spec.name} DELIVERED ${first}`);
    const said = [...this.#said.splice(0), ...this.#answers(nowMs)].sort((a, b) => isAt(a) - isAt(b));
    expect(said.filter((each) => each.queue === undefined || isAt(each) < 0)).toEqual([]);
    const hear = (isMeant: (each: Said) => boolean): void => {
      for (const each of said) if (isMeant(each)) expect(each.judge(each), each.who).toBeUndefined();
    };
    if (hasDeadLetters) {
      // Whose messages go there is known before why: subscriptions first, and a poll moves what has failed.
      const isPoll = ({ who }: Said) => this.#of(who) === undefined;
      const there = new Set(driver.payloadSizes("dead").keys());
      expect(main.deadLettered(there, nowMs, false), "dead letters").toBeUndefined();
      hear((each) => each.queue === main && !isPoll(each));
      expect(main.deadLettered(there, nowMs, true), "dead letters").toBeUndefined();
      hear((each) => each.queue === dead && !isPoll(each));
      hear(isPoll);
    } else hear(() => true);
    this.#judgeWaiting(said, nowMs);
    for (const [name, subscription] of subscriptions) {
      expect(subscription.untold, `${name} is told what it has lost`).toEqual([]);
      expect(subscription.owed(nowMs), `${name} gets what there is`).toBeUndefined();
    }
    expect(events.sort(), "events").toEqual(this.#events.splice(0).sort());
  }

  /** Polls that are over. */
  #answers(nowMs: number): Said[] {
    const { polls, driver, receipts, counts } = this.#both;
    const answered = polls.flatMap((poll) => {
      const answer = driver.answer(poll.token);
      return answer === undefined ? [] : [{ poll, handed: answer.receipts as readonly string[] }];
    });
    return answered.flatMap(({ poll, handed }) => {
      polls.splice(polls.indexOf(poll), 1);
      if (handed.length === 0) {
        expect(poll.endsMs, "a poll waits").toBe(nowMs);
        return [];
      }
      counts.polled++;
      receipts.push(...handed);
      const judge = () => poll.queue.receive(handed, poll.count, poll.visibilityMs, undefined, nowMs);
      return [{ who: nameOf(poll), queue: poll.queue, first: handed[0]?.replaceAll("'", ""), isInTurn: true, judge }];
    });
  }

  /** Of those who wait still, and of the order in which others were served. */
  #judgeWaiting(said: readonly Said[], nowMs: number): void {
    const { polls, subscriptions, counts, main, dead } = this.#both;
    for (const poll of polls) {
      expect(poll.endsMs, "a poll waits no longer than it was to").toBeGreaterThan(nowMs);
      expect(poll.queue.receivable(nowMs), "a poll gets what there is").toEqual([]);
    }
    for (const [queue, turns] of this.#turns) {
      const served = said.filter((each) => each.queue === queue && each.first !== undefined);
      const waiting = [...subscriptions].filter(([, one]) => one.queue === queue && one.wants(nowMs));
      const polling = polls.filter((poll) => poll.queue === queue).map(nameOf);
      expect(turns.pass(served, [...waiting.map(([name]) => name), ...polling]), "turns").toBeUndefined();
    }
    counts.contested = [main, dead].reduce((sum, queue) => sum + (this.#turns.get(queue) as Turns).contestedCount, 0);
  }

  /** @returns why it must not have been */
  #delivered(name: string, first: number, messages: readonly Delivered[], said: Said): string | undefined {
    const { driver, receipts } = this.#both;
    const subscription = this.#of(name);
    if (subscription === undefined) return `${name} has ended`;
    const { queue } = subscription;
    said.isInTurn = !queue.spec.fifo || messages.some(({ body }) => !queue.isOfGroupOf(body, subscription));
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
}

function nameOf({ token }: Poll): string {
  return `poll ${token}`;
}
