// The queue rules once more, slow and obvious: plain objects, searched from the front. The model does not foresee an
// answer to a receive where the rules leave a choice (which of several visible messages); it judges the answer given.
import { assert } from "../../src/base/assert.ts";
import type { QueueSpec, Refused, SendEntry } from "./core-driver.ts";
import { ModelFair } from "./model-fair.ts";

const VISIBILITY_MS_MAX = 43_200_000;
const DEDUP_WINDOW_MS = 300_000;
const ATTEMPT_WINDOW_MS = 300_000;

interface ModelMessage {
  readonly body: string;
  readonly groupId: string | undefined;
  sentMs: number;
  delayedUntilMs: number;
  hiddenUntilMs: number;
  receivedMs: number;
  receiveCount: number;
  firstCountHere: number; // receives up to this one were in another queue
}

interface Attempt {
  readonly receipts: readonly string[];
  readonly endsMs: number;
  hiddenUntilMs: number; // of all of its messages, as long as nobody touched them
  isRepeated: boolean;
}

export class ModelQueue {
  readonly spec: QueueSpec;
  readonly #deadLetters: ModelQueue | undefined;
  #messages: ModelMessage[] = []; // in the order in which they came
  readonly #sent = new Map<string, number>(); // deduplication key -> when its window ends
  readonly #attempts = new Map<string, Attempt>();
  readonly #fair = new ModelFair(); // standard queues

  constructor(spec: QueueSpec, deadLetters: ModelQueue | undefined) {
    this.spec = spec;
    this.#deadLetters = deadLetters;
  }

  get count(): number {
    return this.#messages.length;
  }

  expire(nowMs: number): void {
    this.#fair.pass(this.#messages, this.spec.retentionMs, nowMs);
    this.#keep(({ sentMs }) => sentMs + this.spec.retentionMs > nowMs, nowMs);
  }

  /** Everything else goes. */
  #keep(isKept: (message: ModelMessage) => boolean, nowMs: number): void {
    this.#messages = this.#messages.filter(isKept);
    this.#settle(nowMs);
  }

  #settle(nowMs: number, taken: readonly ModelMessage[] = []): void {
    const visible = this.#messages.filter((each) => this.#isVisible(each, nowMs) && !taken.includes(each));
    if (!this.spec.fifo) this.#fair.settle(this.#messages, visible);
  }

  #inFlight(nowMs: number, taken: readonly ModelMessage[] = []): ModelMessage[] {
    return this.#messages.filter((each) => each.hiddenUntilMs > nowMs || taken.includes(each));
  }

  /** A start forgets who was noisy. */
  restart(): void {
    this.#fair.restart(this.#messages);
  }

  /** Whether the rules allow so many noisy groups now. */
  allowsNoisy(noisyGroupCount: number): boolean {
    return this.#fair.allows(noisyGroupCount);
  }

  /** @returns whether each was a duplicate */
  send(entries: readonly SendEntry[], nowMs: number): boolean[] {
    return entries.map(({ body, groupId, deduplicationId, delayMs }) => {
      if (this.spec.fifo) {
        const key = `${this.spec.scopeGroup ? groupId : ""}/${deduplicationId}`;
        if ((this.#sent.get(key) ?? 0) > nowMs) return true;
        this.#sent.set(key, nowMs + DEDUP_WINDOW_MS);
      }
      const delay = this.spec.fifo ? this.spec.delayMs : (delayMs ?? this.spec.delayMs);
      this.#fair.sent(groupId, nowMs);
      this.#messages.push({
        body,
        groupId,
        sentMs: nowMs,
        delayedUntilMs: nowMs + delay,
        hiddenUntilMs: 0,
        receivedMs: 0,
        receiveCount: 0,
        firstCountHere: 0,
      });
      return false;
    });
  }

  #isVisible(message: ModelMessage, nowMs: number): boolean {
    return message.delayedUntilMs <= nowMs && message.hiddenUntilMs <= nowMs;
  }

  /** What a receive may take: FIFO, of every group what lies before its first invisible message. */
  #available(nowMs: number): ModelMessage[] {
    if (!this.spec.fifo) return this.#messages.filter((message) => this.#isVisible(message, nowMs));
    const blocked = new Set<string | undefined>();
    return this.#messages.filter((message) => {
      if (!this.#isVisible(message, nowMs)) blocked.add(message.groupId);
      return !blocked.has(message.groupId);
    });
  }

  #moveFailed(nowMs: number): void {
    const target = this.#deadLetters;
    if (target === undefined) return;
    const failed = this.#available(nowMs).filter(({ receiveCount }) => receiveCount >= this.spec.receiveMax);
    this.#keep((message) => !failed.includes(message), nowMs);
    for (const message of failed) {
      target.#fair.sent(message.groupId, nowMs);
      message.firstCountHere = message.receiveCount;
      if (target.spec.fifo) message.sentMs = nowMs;
      target.#messages.push(message);
    }
    target.expire(nowMs);
  }

  /** All that can be received goes to `target`, as if sent there now. */
  moveTo(target: ModelQueue, nowMs: number): number {
    const moved = this.#available(nowMs);
    this.#keep((message) => !moved.includes(message), nowMs);
    for (const { body, groupId } of moved) {
      target.#fair.sent(groupId, nowMs);
      target.#messages.push({
        body: `${body}'`,
        groupId,
        sentMs: nowMs,
        delayedUntilMs: nowMs + target.spec.delayMs,
        hiddenUntilMs: 0,
        receivedMs: 0,
        receiveCount: 0,
        firstCountHere: 0,
      });
    }
    return moved.length;
  }

  /** Takes what `receipts` names. @returns why a receive must not have answered so, undefined when it may */
  receive(
    receipts: readonly string[] | Refused,
    countMax: number,
    visibilityMs: number,
    attemptId: string | undefined,
    nowMs: number,
  ): string | undefined {
    if (attemptId === undefined) return this.#receive(receipts, countMax, visibilityMs, nowMs);
    const known = this.#attempts.get(attemptId);
    const hiddenUntilMs = nowMs + visibilityMs;
    if (known !== undefined && known.endsMs > nowMs) return this.#receiveAgain(known, receipts, hiddenUntilMs, nowMs);
    const problem = this.#receive(receipts, countMax, visibilityMs, nowMs);
    if (problem === undefined && typeof receipts !== "string" && receipts.length > 0)
      this.#attempts.set(attemptId, {
        receipts,
        endsMs: nowMs + ATTEMPT_WINDOW_MS,
        hiddenUntilMs,
        isRepeated: false,
      });
    return problem;
  }

  /** Hides what an attempt has handed out anew, if all of it is as the attempt left it. */
  #receiveAgain(
    attempt: Attempt,
    receipts: readonly string[] | Refused,
    hiddenUntilMs: number,
    nowMs: number,
  ): string | undefined {
    const messages = this.#messages.filter((each) => attempt.receipts.includes(`${each.body}#${each.receiveCount}`));
    const untouched = messages.filter((each) => each.hiddenUntilMs === attempt.hiddenUntilMs);
    if (untouched.length < attempt.receipts.length || attempt.hiddenUntilMs <= nowMs)
      return receipts === "notRetryable" ? undefined : "the attempt was over";
    if (receipts.toString() !== attempt.receipts.toString()) return `${attempt.receipts} were to be had again`;
    for (const message of messages) {
      message.receivedMs = nowMs;
      message.hiddenUntilMs = hiddenUntilMs;
    }
    attempt.hiddenUntilMs = hiddenUntilMs;
    attempt.isRepeated = true;
    return undefined;
  }

  #receive(
    receipts: readonly string[] | Refused,
    countMax: number,
    visibilityMs: number,
    nowMs: number,
  ): string | undefined {
    this.#moveFailed(nowMs);
    const available = this.#available(nowMs);
    if (!this.spec.fifo) this.#fair.look(available, this.#inFlight(nowMs));
    const { inFlight } = this.counts(nowMs);
    const room = this.spec.inFlightMax - inFlight;
    const count = Math.max(0, Math.min(countMax, available.length, room));
    if (receipts === "notRetryable") return "it was no retry";
    if (receipts === "overLimit") return !this.spec.fifo && room <= 0 ? undefined : "there is room for more in flight";
    if (receipts.length === 0 && count === 0 && room <= 0 && !this.spec.fifo) return "the limit is not an empty answer";
    if (receipts.length !== count) return `${count} were to be had, not ${receipts.length}`;
    const taken: ModelMessage[] = [];
    const closed = new Set<string | undefined>(); // groups left behind by this receive
    let group: string | undefined;
    for (const receipt of receipts) {
      const message = available.find((each) => `${each.body}#${each.receiveCount + 1}` === receipt);
      if (message === undefined) return `${receipt} is not to be had`;
      if (this.spec.fifo) {
        const first = available.find((each) => each.groupId === message.groupId);
        if (first !== message) return `${first?.body} comes before ${message.body}`;
        if (message.groupId !== group && available.some((each) => group !== undefined && each.groupId === group))
          return `group ${group} had more`;
        if (closed.has(message.groupId)) return `group ${message.groupId} had its turn`;
        if (group !== undefined && group !== message.groupId) closed.add(group);
        group = message.groupId;
      }
      if (!this.spec.fifo) {
        const problem = this.#fair.take(message, available, this.#inFlight(nowMs, taken));
        if (problem !== undefined) return problem;
      }
      available.splice(available.indexOf(message), 1);
      message.receiveCount++;
      message.receivedMs = nowMs;
      message.hiddenUntilMs = nowMs + visibilityMs;
      taken.push(message);
      this.#settle(nowMs, taken);
    }
    if (!this.spec.fifo) this.#fair.look(available, this.#inFlight(nowMs, taken));
    return undefined;
  }

  /** A receive that handed out `receipts` has come to nobody. @returns whether there has been none, then */
  giveBack(receipts: readonly string[], attemptId: string | undefined, nowMs: number): boolean {
    const attempt = attemptId === undefined ? undefined : this.#attempts.get(attemptId);
    if (attempt !== undefined && attempt.endsMs > nowMs) {
      if (attempt.isRepeated) return false;
      this.#attempts.delete(attemptId as string);
    }
    for (const receipt of receipts) {
      const named = this.#named(receipt);
      if (named === undefined || !named.isNewest) continue;
      named.message.receiveCount--;
      named.message.hiddenUntilMs = Math.min(named.message.hiddenUntilMs, nowMs);
    }
    this.#settle(nowMs);
    return true;
  }

  /** The message a receipt names, if it was handed out by this queue. */
  #named(receipt: string): { message: ModelMessage; isNewest: boolean } | undefined {
    const [body, number] = receipt.split("#");
    const message = this.#messages.find((each) => each.body === body);
    if (message === undefined || Number(number) <= message.firstCountHere) return undefined;
    assert(Number(number) <= message.receiveCount, "a receipt was handed out");
    return { message, isNewest: Number(number) === message.receiveCount };
  }

  delete(receipt: string, nowMs: number): string {
    const named = this.#named(receipt);
    if (named === undefined) return "ok";
    const { message, isNewest } = named;
    if (this.spec.fifo && !(isNewest && message.hiddenUntilMs > nowMs)) return "expired";
    if (isNewest) this.#keep((each) => each !== message, nowMs);
    return "ok";
  }

  changeVisibility(receipt: string, visibilityMs: number, nowMs: number): string {
    const named = this.#named(receipt);
    if (named === undefined) return "gone";
    const { message, isNewest } = named;
    if (this.spec.fifo && !(isNewest && message.hiddenUntilMs > nowMs)) return "gone";
    if (nowMs + visibilityMs > message.receivedMs + VISIBILITY_MS_MAX) return "beyondMaximum";
    message.hiddenUntilMs = nowMs + visibilityMs;
    this.#settle(nowMs);
    return "ok";
  }

  /** Each message as body#receives@place, in no particular order. */
  all(nowMs: number): string[] {
    return this.#messages.map(({ body, receiveCount, delayedUntilMs, hiddenUntilMs }) => {
      const place = hiddenUntilMs > nowMs ? "inFlight" : delayedUntilMs > nowMs ? "delayed" : "visible";
      return `${body}#${receiveCount}@${place}`;
    });
  }

  counts(nowMs: number): { visible: number; inFlight: number; delayed: number } {
    const delayed = this.#messages.filter(({ delayedUntilMs }) => delayedUntilMs > nowMs).length;
    const inFlight = this.#messages.filter(({ hiddenUntilMs }) => hiddenUntilMs > nowMs).length;
    return { visible: this.#messages.length - delayed - inFlight, inFlight, delayed };
  }
}
