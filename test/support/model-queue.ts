// The queue rules once more, slow and obvious: plain objects, searched from the front. The model does not foresee an
// answer to a receive where the rules leave a choice (which of several visible messages); it judges the answer given.
import { assert } from "../../src/base/assert.ts";
import type { Outcome } from "../../src/core/streams.ts";
import type { QueueSpec, Refused, SendEntry } from "./core-driver.ts";
import { ModelFair } from "./model-fair.ts";

const VISIBILITY_MS_MAX = 43_200_000;
const DEDUP_WINDOW_MS = 300_000;
const ATTEMPT_WINDOW_MS = 300_000;

/** Why a subscription has lost a message: one of these. */
export type Lost = readonly ("EXPIRED" | "GROUP_FAILED" | "SETTLED_ELSEWHERE" | "PURGED")[];

/** Whoever has a message that was pushed. */
export interface Holder {
  readonly groupMax: number; // of its messages, of one group
  readonly visibilityMs: number; // after a restart
  readonly processingMs: number;
  /** `reasons` is empty where it knows. */
  lost(message: ModelMessage, reasons: Lost): void;
}

export interface ModelMessage {
  readonly body: string;
  readonly groupId: string | undefined;
  sentMs: number;
  delayedUntilMs: number;
  hiddenUntilMs: number;
  receivedMs: number;
  receiveCount: number;
  firstCountHere: number; // receives up to this one were in another queue
  isOut: boolean; // received, and not come back yet
  holder: Holder | undefined;
  loggedUntilMs: number; // until when it is hidden at the latest if the process begins anew
}

export type EventKind = "SENT" | "DELIVERED" | "SETTLED" | "RETURNED" | "RETENTION_ENDED" | "DEAD_LETTERED";

interface Attempt {
  readonly receipts: readonly string[];
  readonly endsMs: number;
  hiddenUntilMs: number; // of all of its messages, as long as nobody touched them
  isRepeated: boolean;
}

function newMessage(body: string, groupId: string | undefined, nowMs: number, delayMs: number): ModelMessage {
  return {
    body,
    groupId,
    sentMs: nowMs,
    delayedUntilMs: nowMs + delayMs,
    hiddenUntilMs: 0,
    receivedMs: 0,
    receiveCount: 0,
    firstCountHere: 0,
    isOut: false,
    holder: undefined,
    loggedUntilMs: 0,
  };
}

export class ModelQueue {
  readonly spec: QueueSpec;
  /** Whether who comes first on a fair queue is judged: not where several are served at one instant, in turn. */
  judgesTenants = true;
  /** undefined: there is none, or it is not there. */
  deadLetters: ModelQueue | undefined;
  #messages: ModelMessage[] = []; // in the order in which they came
  readonly #sent = new Map<string, number>(); // deduplication key -> when its window ends
  readonly #attempts = new Map<string, Attempt>();
  #fair = new ModelFair(); // standard queues
  #going: ReadonlySet<string> = new Set(); // to the dead-letter queue, as is known before why
  /** Told of what a watch is told of, if time goes from one instant at which something is due to the next. */
  onEvent: (kind: EventKind, message: ModelMessage) => void = () => {};

  constructor(spec: QueueSpec, deadLetters: ModelQueue | undefined) {
    this.spec = spec;
    this.deadLetters = deadLetters;
  }

  get bodies(): string[] {
    return this.#messages.map(({ body }) => body);
  }

  /** What a poll would get. */
  receivable(nowMs: number): string[] {
    const { inFlight } = this.counts(nowMs);
    return inFlight >= this.spec.inFlightMax ? [] : this.#available(nowMs).map(({ body }) => body);
  }

  get count(): number {
    return this.#messages.length;
  }

  expire(nowMs: number): void {
    this.#fair.pass(this.#messages, this.spec.retentionMs, nowMs);
    const overMs = ({ sentMs }: ModelMessage) => sentMs + this.spec.retentionMs;
    const due = this.#messages.filter((each) => each.isOut && Math.min(each.hiddenUntilMs, overMs(each)) <= nowMs);
    for (const each of due.reverse()) {
      // Of those that run out together, in a group, one may be called back for another.
      if (each.hiddenUntilMs < overMs(each)) this.#comeBack(each, ["EXPIRED", "GROUP_FAILED"], nowMs);
    }
    for (const each of this.#messages) {
      if (overMs(each) > nowMs) continue;
      this.onEvent("RETENTION_ENDED", each);
      this.#lose(each, ["EXPIRED"], false, nowMs);
    }
    this.#keep(({ sentMs }) => sentMs + this.spec.retentionMs > nowMs, nowMs);
  }

  /** All of it goes, and what is known of what was sent before. */
  purge(nowMs: number): void {
    for (const message of this.#messages) message.holder?.lost(message, ["PURGED"]);
    this.#messages = [];
    this.#sent.clear();
    this.#attempts.clear();
    this.#fair = new ModelFair();
    this.#fair.pass([], this.spec.retentionMs, nowMs);
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

  /** A start forgets who was noisy, and who had what was pushed. */
  restart(nowMs: number): void {
    this.#fair.restart(this.#messages);
    for (const message of this.#messages) {
      if (message.holder !== undefined) message.hiddenUntilMs = message.loggedUntilMs;
      message.holder = undefined;
      message.isOut = message.hiddenUntilMs > nowMs;
    }
  }

  /** What a subscription gave back as a whole may be hidden after a restart to the end of its timeout. */
  hiddenAgain(bodies: ReadonlySet<string>, nowMs: number): void {
    for (const message of this.#messages) {
      if (!bodies.has(message.body) || message.isOut || message.loggedUntilMs <= nowMs) continue;
      message.isOut = true;
      message.hiddenUntilMs = message.loggedUntilMs;
    }
  }

  // --- what is pushed ---

  /** A message that was out comes back. */
  #comeBack(message: ModelMessage, reasons: Lost, nowMs: number): void {
    if (!message.isOut) return;
    message.isOut = false;
    message.hiddenUntilMs = Math.min(message.hiddenUntilMs, nowMs);
    this.onEvent("RETURNED", message);
    this.#lose(message, reasons, true, nowMs);
  }

  /** Nobody has it any more; where it `failed`, the rest of its group is called back. */
  #lose(message: ModelMessage, reasons: Lost, failed: boolean, nowMs: number): void {
    const { holder } = message;
    if (holder === undefined) return;
    message.holder = undefined;
    holder.lost(message, reasons);
    if (!failed || !this.spec.fifo) return;
    const group = this.#messages.filter(({ groupId }) => groupId === message.groupId);
    for (const later of group.slice(group.indexOf(message) + 1)) {
      if (later.holder === holder) this.#comeBack(later, ["GROUP_FAILED"], nowMs);
    }
  }

  /** Whether the subscription may be given the message now, its credit aside. */
  #mayHave(message: ModelMessage, holder: Holder, nowMs: number): boolean {
    if (!this.#isVisible(message, nowMs) || this.counts(nowMs).inFlight >= this.spec.inFlightMax) return false;
    if (!this.spec.fifo) return true;
    const group = this.#messages.filter(({ groupId }) => groupId === message.groupId);
    const inFront = group.slice(0, group.indexOf(message)).filter(({ body }) => !this.#going.has(body));
    const out = group.filter((each) => each.holder === holder);
    return inFront.every((each) => each.holder === holder) && out.length < holder.groupMax;
  }

  #hasFailed({ receiveCount }: ModelMessage): boolean {
    return this.deadLetters !== undefined && receiveCount >= this.spec.receiveMax;
  }

  /** Whether the message is of a group of which the subscription has one. */
  isOfGroupOf(body: string, holder: Holder): boolean {
    const { groupId } = this.#messages.find((each) => each.body.replaceAll("'", "") === body) ?? {};
    return this.#messages.some((each) => each.groupId === groupId && each.holder === holder);
  }

  /** A message that the subscription should have been given. */
  owed(holder: Holder, nowMs: number): ModelMessage | undefined {
    return this.#messages.find((each) => this.#mayHave(each, holder, nowMs));
  }

  /** The message has been pushed. @returns it, or why it must not have been */
  deliver(body: string, receiveCount: number, holder: Holder, nowMs: number): ModelMessage | string {
    const message = this.#messages.find((each) => each.body.replaceAll("'", "") === body);
    if (message === undefined) return `${body} is not in ${this.spec.name}`;
    if (!this.#mayHave(message, holder, nowMs)) return `${body} is not to be had`;
    if (this.#hasFailed(message)) return `${body} belongs to the dead letters`;
    if (receiveCount !== message.receiveCount + 1) return `${body} has been received ${message.receiveCount} times`;
    const available = this.spec.fifo ? [] : this.#available(nowMs);
    const problem = this.spec.fifo ? undefined : this.#fair.take(message, available, this.#inFlight(nowMs));
    if (problem !== undefined && this.judgesTenants) return problem;
    message.receiveCount = receiveCount;
    message.receivedMs = nowMs;
    message.hiddenUntilMs = nowMs + holder.processingMs;
    message.loggedUntilMs = nowMs + holder.visibilityMs;
    message.isOut = true;
    message.holder = holder;
    this.onEvent("DELIVERED", message);
    this.#settle(nowMs);
    if (!this.spec.fifo) this.#fair.look(this.#available(nowMs), this.#inFlight(nowMs));
    return message;
  }

  /**
   * Messages that had their receives have gone to the dead-letter queue; those that stand behind others of their group
   * only once it is `isOver` who was given what. @returns why one must not have
   */
  deadLettered(bodies: ReadonlySet<string>, nowMs: number, isOver: boolean): string | undefined {
    this.#going = isOver ? new Set() : bodies;
    for (const message of this.#messages.filter((each) => bodies.has(each.body))) {
      const inFront = this.#messages.slice(0, this.#messages.indexOf(message));
      const isBlocked = inFront.some((each) => each.groupId === message.groupId && each.holder === undefined);
      if (!this.#hasFailed(message) || !this.#isVisible(message, nowMs)) return `${message.body} had not failed`;
      if (this.spec.fifo && isBlocked && isOver) return `${message.body} was not its group's first`;
      if (!this.spec.fifo || !isBlocked) this.#toDeadLetters(message, nowMs);
    }
    return undefined;
  }

  #toDeadLetters(message: ModelMessage, nowMs: number): void {
    const target = this.deadLetters as ModelQueue;
    this.onEvent("DEAD_LETTERED", message);
    this.#keep((each) => each !== message, nowMs);
    target.#fair.sent(message.groupId, nowMs);
    message.firstCountHere = message.receiveCount;
    message.hiddenUntilMs = 0;
    message.isOut = false;
    if (target.spec.fifo) message.sentMs = nowMs;
    target.#messages.push(message);
    target.expire(nowMs);
  }

  /** @returns why it was not done */
  settle(message: ModelMessage, outcome: Outcome, visibilityMs: number, nowMs: number): string | undefined {
    if (outcome === "ack") {
      this.onEvent("SETTLED", message);
      this.#lose(message, [], false, nowMs);
      this.#keep((each) => each !== message, nowMs);
      return undefined;
    }
    if (outcome === "deadLetter") {
      if (this.deadLetters === undefined) return "DEAD_LETTER_FULL";
      this.#lose(message, [], false, nowMs);
      this.#toDeadLetters(message, nowMs);
      return undefined;
    }
    if (nowMs + visibilityMs > message.receivedMs + VISIBILITY_MS_MAX) return "BEYOND_MAXIMUM";
    message.loggedUntilMs = nowMs + visibilityMs;
    if (outcome === "nack" && visibilityMs === 0) this.#comeBack(message, [], nowMs);
    else {
      if (outcome === "nack") this.#lose(message, [], true, nowMs);
      message.hiddenUntilMs = nowMs + visibilityMs;
    }
    return undefined;
  }

  /** A subscription ends: all that it has comes back. */
  close(holder: Holder, nowMs: number): void {
    for (const each of this.#messages) {
      if (each.holder !== holder) continue;
      each.holder = undefined;
      this.#comeBack(each, [], nowMs);
    }
  }

  /** When something comes due next. */
  nextMs(nowMs: number): number {
    const times = this.#messages.flatMap((each) => [
      each.hiddenUntilMs,
      each.delayedUntilMs,
      each.sentMs + this.spec.retentionMs,
    ]);
    return Math.min(...times.filter((ms) => ms > nowMs));
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
      const message = newMessage(body, groupId, nowMs, delay);
      this.#messages.push(message);
      this.onEvent("SENT", message);
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
    for (const message of this.#available(nowMs)) if (this.#hasFailed(message)) this.#toDeadLetters(message, nowMs);
  }

  /** All that can be received goes to `target`, as if sent there now. */
  moveTo(target: ModelQueue, nowMs: number): number {
    const moved = this.#available(nowMs);
    this.#keep((message) => !moved.includes(message), nowMs);
    for (const { body, groupId } of moved) {
      target.#fair.sent(groupId, nowMs);
      target.#messages.push(newMessage(`${body}'`, groupId, nowMs, target.spec.delayMs));
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
      message.loggedUntilMs = hiddenUntilMs;
      if (hiddenUntilMs === nowMs) this.#comeBack(message, [], nowMs);
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
        if (problem !== undefined && this.judgesTenants) return problem;
      }
      available.splice(available.indexOf(message), 1);
      message.receiveCount++;
      message.receivedMs = nowMs;
      message.hiddenUntilMs = nowMs + visibilityMs;
      message.loggedUntilMs = message.hiddenUntilMs;
      message.isOut = true;
      this.onEvent("DELIVERED", message);
      taken.push(message);
      this.#settle(nowMs, taken);
    }
    if (visibilityMs === 0) for (const message of taken) this.#comeBack(message, [], nowMs);
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
      named.message.isOut = false;
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
    if (isNewest) {
      this.onEvent("SETTLED", message);
      this.#lose(message, ["SETTLED_ELSEWHERE"], false, nowMs);
      this.#keep((each) => each !== message, nowMs);
    }
    return "ok";
  }

  changeVisibility(receipt: string, visibilityMs: number, nowMs: number): string {
    const named = this.#named(receipt);
    if (named === undefined) return "gone";
    const { message, isNewest } = named;
    if (this.spec.fifo && !(isNewest && message.hiddenUntilMs > nowMs)) return "gone";
    if (nowMs + visibilityMs > message.receivedMs + VISIBILITY_MS_MAX) return "beyondMaximum";
    message.loggedUntilMs = nowMs + visibilityMs;
    if (visibilityMs === 0) this.#comeBack(message, ["SETTLED_ELSEWHERE"], nowMs);
    else message.isOut = true;
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
