// Whoever sends, over SQS or over a stream: bodies that nothing else has, the numbers that each producer has come to,
// and what each message takes of a credit in bytes.

import { EnvelopeType } from "../../../src/stream/schema.ts";
import type { PublishOutcome } from "../../support/stream-driver.ts";
import type { Both } from "./both.ts";
import { type Of, PRODUCERS } from "./commands.ts";

const ATTRIBUTES_BYTES = 1_500; // with which a run fills several segments of the log
const LIVE_COUNT_MAX = 30;
/** With dead letters: so few that one receive of 10 sees all of them. */
const FEW_COUNT_MAX = 9;
const REMEMBERED_MS = 300_000;
const PublishType = EnvelopeType.root.lookupType("wasq.v1.Publish");

interface Entry {
  readonly body: string;
  readonly groupId?: string;
  readonly deduplicationId?: string;
}

/** No two are the same anywhere, and many are of another length. */
function bodyOf(number: number): string {
  return `m${number}${`.${number.toString(36)}`.repeat((number % 7) * 20)}`;
}

export class Producers {
  readonly #both: Both;
  readonly #isGrouped: boolean;
  readonly #sizes = new Map<string, number>(); // by body
  readonly #numbers = Array.from({ length: PRODUCERS }, () => ({ last: 0, untilMs: 0 }));
  #publishers: number[] = [];
  #nextBody = 1;

  constructor(both: Both, isGrouped: boolean) {
    this.#both = both;
    this.#isGrouped = isGrouped;
    this.open();
  }

  get isFull(): boolean {
    return this.#both.liveCount > this.#liveMax;
  }
  get #liveMax(): number {
    return this.#both.isRedriving ? FEW_COUNT_MAX : LIVE_COUNT_MAX;
  }

  /** Also after a restart: an open publisher knows its numbers, one that is opened anew what is remembered of its producer. */
  open(): void {
    const { driver, nowMs } = this.#both;
    for (const known of this.#numbers) if (known.untilMs <= nowMs) known.last = 0;
    this.#publishers = this.#numbers.map((_, i) => driver.openPublisher(Buffer.alloc(16, i + 1)));
    for (const publisher of this.#publishers) driver.lastPublished(publisher, "main"); // as whoever opens it asks
  }

  /** The queue is another one, under its name. */
  openAnew(nowMs: number): void {
    for (const publisher of this.#publishers) this.#both.driver.closePublisher(publisher);
    this.forget(nowMs);
    this.open();
  }

  /** Nothing is remembered of producers any more, but by whoever is open. */
  forget(nowMs: number): void {
    for (const known of this.#numbers) known.untilMs = nowMs;
  }

  /** Bytes that count for a credit. */
  sizeOf(body: string): number {
    return this.#sizes.get(body) as number;
  }

  measure(): void {
    for (const { spec } of this.#both.queues) {
      for (const [body, bytes] of this.#both.driver.payloadSizes(spec.name)) this.#sizes.set(body, bytes);
    }
  }

  #entries(count: number, group: number, id: number): Entry[] {
    const { fifo } = this.#both.main.spec;
    return Array.from({ length: count }, (_, i) => ({
      body: bodyOf(this.#nextBody++),
      ...(this.#isGrouped && (fifo || (id + i) % 4 > 0) ? { groupId: `g${group}` } : {}),
      ...(fifo ? { deduplicationId: `d${(id + i) % 30}` } : {}),
    }));
  }

  send({ count, group, id, delayS }: Of<"send">, nowMs: number): [unknown, unknown] {
    const { driver, main, liveCount } = this.#both;
    if (liveCount + count > this.#liveMax) return [undefined, undefined];
    const delayMs = main.spec.fifo || delayS < 0 ? undefined : delayS * 1000;
    const entries = this.#entries(count, group, id).map((each) => ({
      ...each,
      delayMs,
      attributesBytes: ATTRIBUTES_BYTES,
    }));
    const expected = main.send(entries, nowMs);
    const sent = driver.send("main", entries);
    this.measure();
    return [sent.map(({ duplicate }) => duplicate), expected];
  }

  /** Over a stream: numbers that have been seen are not sent again, and none may be left out. */
  publish({ producer, back, count, group, id }: Of<"publish">, nowMs: number): [unknown, unknown] {
    const { driver, main, counts, liveCount } = this.#both;
    if (liveCount + count > this.#liveMax) return [undefined, undefined];
    const known = this.#numbers[producer] as { last: number; untilMs: number };
    const publisher = this.#publishers[producer] as number;
    const first = Math.max(known.last + 1 - back, 1);
    const entries = this.#entries(count, group, id);
    const isGap = first > known.last + 1;
    if (first <= known.last) counts.again++;
    main.send(isGap ? [] : entries.slice(known.last + 1 - first), nowMs);
    const { code, number, failures } = this.#publish(publisher, first, entries);
    this.measure();
    if (!isGap && first + count - 1 > known.last) {
      known.last = first + count - 1;
      known.untilMs = nowMs + REMEMBERED_MS;
    }
    const last = driver.lastPublished(publisher, "main");
    return [
      [code, isGap ? 0 : number, failures, last],
      [isGap ? "gap" : "done", isGap ? 0 : first + count, [], known.last],
    ];
  }

  #publish(publisher: number, first: number, entries: readonly Entry[]): PublishOutcome {
    const messages = entries.map(({ body, ...rest }) => ({ text: body, ...rest }));
    const bytes = PublishType.encode(PublishType.fromObject({ publisher: 1, first, messages })).finish();
    return this.#both.driver.publish(publisher, "main", bytes);
  }
}
