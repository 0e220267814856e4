// What the clients of a simulated broker know, and what they therefore may expect. Where an answer never came, both
// outcomes are right; where it came, only one is.
import type { Delivered, Sent } from "../../src/broker/types.ts";

const DEDUP_WINDOW_MS = 300_000;

export interface QueuePlan {
  readonly name: string;
  readonly fifo: boolean;
  readonly deadLetters: string | undefined;
  readonly receiveMax: number; // 0: no dead letters
  readonly retentionMs: number;
}

export class Message {
  readonly queue: QueuePlan;
  readonly body: string;
  readonly group: string | undefined;
  readonly deduplicationId: string | undefined;
  readonly order: number; // of its sends
  readonly askedMs: number;
  readonly delayMs: number;
  isSent = false; // acknowledged
  messageId: string | undefined;
  sentMs = Number.POSITIVE_INFINITY; // when it was acknowledged
  isDeleteAsked = false; // with a handle that was good
  isDeleted = false; // acknowledged
  /** By a purge, a deleted queue, or retention: it may be gone, or not yet. */
  mayBeGone = false;
  purgedMs = Number.POSITIVE_INFINITY; // from here on it is gone
  notBeforeMs: number; // earlier it is not visible
  lastChange = { askedMs: Number.NEGATIVE_INFINITY, notBeforeMs: 0 }; // of its visibility timeout
  deliveryCount = 0;
  place: QueuePlan; // where it was seen last
  lastHandle: string | undefined; // the only one that deletes it; undefined when that is not known
  lastReceiveCount = 0;

  constructor(
    queue: QueuePlan,
    body: string,
    ids: { readonly group: string | undefined; readonly deduplicationId: string | undefined },
    order: number,
    askedMs: number,
    delayMs: number,
  ) {
    this.queue = queue;
    this.place = queue;
    this.body = body;
    this.group = ids.group;
    this.deduplicationId = ids.deduplicationId;
    this.order = order;
    this.askedMs = askedMs;
    this.delayMs = delayMs;
    this.notBeforeMs = askedMs + delayMs;
  }

  toString(): string {
    return this.body.slice(0, 40).replace(/[·. ]+$/, "");
  }

  /** Whether a deletion with the handle deletes it. Once it is visible again, another receive may be on its way. */
  isGoodHandle(handle: string, nowMs: number): boolean {
    return handle === this.lastHandle && nowMs < this.notBeforeMs;
  }

  /** A receive is on disk before it is answered; elsewhere a crash may cost a redelivery. */
  get hasDurableReceives(): boolean {
    return this.place.fifo || this.place.receiveMax > 0;
  }
}

export class Ledger {
  readonly faults: string[] = [];
  readonly messages = new Map<string, Message>(); // by body
  retriedCount = 0;
  readonly #groups = new Map<string, Message[]>(); // FIFO, by queue and group, in the order of their sends
  readonly #known = new Map<string, Message>(); // by queue and deduplication ID: the one that counts, acknowledged
  readonly #unsure = new Set<string>(); // IDs whose window may have begun without our knowing
  deliveredCount = 0;
  duplicateCount = 0;
  deadLetterCount = 0;
  /** Dead-letter queues that a task has been asked to empty: from then on their messages may be back as new ones. */
  readonly emptied = new Set<string>();
  /** Messages that came back to their queue under another ID. */
  readonly moved = new Set<string>();
  readonly #bodyOf = new Map<string, string>(); // by message ID

  fault(text: string): void {
    this.faults.push(text);
  }

  add(message: Message): void {
    this.messages.set(message.body, message);
    if (!message.queue.fifo) return;
    const key = `${message.queue.name} ${message.group}`;
    const group = this.#groups.get(key) ?? [];
    group.push(message);
    this.#groups.set(key, group);
    this.#unsure.add(`${message.queue.name} ${message.deduplicationId}`);
  }

  /** @param nowMs at the answer */
  sent(message: Message, result: Sent, nowMs: number): void {
    const key = `${message.queue.name} ${message.deduplicationId}`;
    const first = this.#known.get(key);
    if (!("messageId" in result)) return;
    if (result.status === "sent") {
      message.isSent = true;
      message.sentMs = nowMs;
      message.messageId = result.messageId;
      if (message.deduplicationId === undefined) return;
      if (first !== undefined && !first.mayBeGone && message.askedMs < first.askedMs + DEDUP_WINDOW_MS - 1) {
        this.fault(`${message} was taken, though ${first} with its deduplication ID had been sent`);
      }
      this.#known.set(key, message);
      return;
    }
    this.duplicateCount++;
    if (message.deduplicationId === undefined) this.fault(`${message} is no duplicate: its queue has none`);
    // The first one's answer may have been lost; then this tells who it was.
    const isOver = first !== undefined && nowMs > first.sentMs + DEDUP_WINDOW_MS;
    if (first?.messageId === result.messageId && isOver && message.askedMs > first.sentMs + DEDUP_WINDOW_MS) {
      this.fault(`${message} was taken for ${first}, which was sent more than five minutes before`);
    }
    if (first !== undefined && !first.mayBeGone && !isOver && first.messageId !== result.messageId) {
      this.fault(`${message} was taken for ${result.messageId}, though ${first} is ${first.messageId}`);
    }
  }

  /** Everything in the queue, whatever is known of it, may be gone; what was acknowledged is, once this is. */
  purging(queue: string): readonly Message[] {
    const all = [...this.messages.values()].filter((message) => message.queue.name === queue);
    for (const message of all) message.mayBeGone = true;
    return all.filter((message) => message.isSent);
  }

  /** @param askedMs when the receive was asked for */
  delivered(
    from: QueuePlan,
    messages: readonly Delivered[],
    askedMs: number,
    visibilityMs: number,
    nowMs: number,
    isRetry = false,
  ): void {
    messages.forEach((delivered, i) => {
      this.deliveredCount++;
      const message = this.messages.get(delivered.body);
      if (message === undefined) {
        this.fault(`never sent: ${delivered.body.slice(0, 60)}`);
        return;
      }
      const isDeadLetter = message.queue.name !== from.name;
      if (isDeadLetter) this.deadLetterCount++;
      if (isDeadLetter && message.queue.deadLetters !== from.name) {
        this.fault(`${message} was sent to ${message.queue.name} and came from ${from.name}`);
      }
      const mayBeNew = this.emptied.has(message.queue.deadLetters ?? "");
      const isNew = message.messageId !== undefined && message.messageId !== delivered.messageId;
      if (isNew && mayBeNew) this.moved.add(message.body);
      if ((this.#bodyOf.get(delivered.messageId) ?? message.body) !== message.body) {
        this.fault(`${message} and ${this.#bodyOf.get(delivered.messageId)?.slice(0, 40)} are ${delivered.messageId}`);
      }
      this.#bodyOf.set(delivered.messageId, message.body);
      const what = `${message} came from ${from.name} at ${nowMs}`;
      if (delivered.groupId !== message.group)
        this.fault(`${what} in group ${delivered.groupId}, not ${message.group}`);
      if (isRetry && delivered.receiptHandle === message.lastHandle) {
        // The same receive once more.
        this.retriedCount++;
        message.notBeforeMs = askedMs + visibilityMs;
        return;
      }
      if (message.isDeleted) this.fault(`${what}, deleted`);
      if (!isDeadLetter && !mayBeNew && askedMs >= message.purgedMs)
        this.fault(`${what}, purged at ${message.purgedMs}`);
      if (nowMs < message.notBeforeMs) this.fault(`${what}, before ${message.notBeforeMs}`);
      if (!isDeadLetter && askedMs > message.sentMs + from.retentionMs) this.fault(`${what}, after its retention`);
      if (
        !isDeadLetter &&
        !mayBeNew &&
        message.hasDurableReceives &&
        delivered.receiveCount <= message.lastReceiveCount
      ) {
        this.fault(`${what}, receive ${delivered.receiveCount} after receive ${message.lastReceiveCount}`);
      }
      if (isNew && !mayBeNew) {
        this.fault(`${what} as ${delivered.messageId}, sent as ${message.messageId}`);
      }
      if (!isDeadLetter && from.fifo) this.#checkOrder(message, messages.slice(0, i), what);
      message.messageId = delivered.messageId;
      message.deliveryCount++;
      message.place = from;
      message.lastReceiveCount = isDeadLetter ? 0 : delivered.receiveCount;
      message.lastHandle = delivered.receiptHandle;
      message.notBeforeMs = askedMs + visibilityMs;
      // A change that was asked for after the receive, and before its answer, may have been decided after it.
      const { lastChange } = message;
      if (lastChange.askedMs >= askedMs) message.notBeforeMs = Math.min(message.notBeforeMs, lastChange.notBeforeMs);
    });
  }

  #checkOrder(message: Message, together: readonly Delivered[], what: string): void {
    for (const earlier of this.#groups.get(`${message.queue.name} ${message.group}`) ?? []) {
      if (earlier === message) return;
      if (!earlier.isSent || earlier.isDeleteAsked || earlier.mayBeGone) continue;
      if (together.some(({ body }) => body === earlier.body)) continue;
      // It may be among the dead letters: receives whose answers never came count as well.
      if (message.queue.receiveMax > 0 && earlier.deliveryCount > 0) continue;
      this.fault(`${what}, though ${earlier} of its group stands before it`);
    }
  }

  /** The process has ended: what was only in its memory is not known any more. */
  crashed(): void {
    for (const message of this.messages.values()) {
      if (message.hasDurableReceives) continue;
      message.notBeforeMs = message.askedMs + message.delayMs;
      message.lastHandle = undefined;
    }
  }

  /** What retention may have ended by now need not be found. */
  grown(nowMs: number): void {
    for (const message of this.messages.values()) {
      if (nowMs >= message.askedMs + message.queue.retentionMs) message.mayBeGone = true;
    }
  }

  /** Everything has been drained: what was acknowledged and never deleted must have come. @param drained bodies */
  checkComplete(drained: ReadonlySet<string>): void {
    for (const message of this.messages.values()) {
      if (!message.isSent || message.isDeleteAsked || message.mayBeGone || drained.has(message.body)) continue;
      this.fault(`lost: ${message}, acknowledged at ${message.sentMs}`);
    }
  }
}
