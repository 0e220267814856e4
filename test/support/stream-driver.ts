// The core's streams in virtual time. What a subscription gets is read with protobufjs and noted as text:
// "1:a#1 2:b#1" for a Deliver (number, body, receive), "revoke 1-2 EXPIRED" for a Revoke.
import { randomBytes } from "node:crypto";
import { assert } from "../../src/base/assert.ts";
import type { CoreStreams, Outcome, PublishCode, Range } from "../../src/core/streams.ts";
import { EnvelopeType } from "../../src/stream/schema.ts";
import { CoreDriver, type CoreSizes, type QueueSpec } from "./core-driver.ts";

export interface SubscribeOptions {
  readonly queue: string;
  readonly visibilityMs?: number;
  readonly processingMs?: number;
  readonly batch?: number;
  readonly lingerMs?: number;
  readonly fields?: number;
  readonly group?: number;
}

export interface DeliveredMessage {
  readonly id: Uint8Array;
  readonly body: Uint8Array;
  readonly earlierReceives: number;
  readonly attributes: readonly {
    name: string;
    type: string;
    value: "text" | "binary";
    text: string;
    binary: Uint8Array;
  }[];
  readonly receiptHandle: string;
  readonly sentMs: number;
  readonly firstReceivedMs: number;
  readonly senderId: string;
  readonly groupId: string;
  readonly deduplicationId: string;
  readonly sequenceNumber: number;
  readonly traceHeader: string;
  readonly bodyMd5: Uint8Array;
  readonly deadLetterSource: string;
}

interface Envelope {
  readonly deliver: { subscription: number; first: number; messages: DeliveredMessage[] } | null;
  readonly revoke: { subscription: number; deliveries: { first: number; last: number }[]; reason: number } | null;
}

export interface PublishedMessage {
  readonly number: number;
  readonly id: Uint8Array;
  readonly sequenceNumber: number;
  readonly duplicate: boolean;
}

export interface PublishOutcome {
  readonly code: PublishCode;
  readonly number: number; // that comes next
  readonly failures: readonly string[]; // "number reason"
  readonly published: readonly PublishedMessage[];
}

interface Subscribed {
  readonly cell: number;
  readonly token: number;
  readonly queue: string;
  readonly notes: string[];
}

const ConfirmType = EnvelopeType.root.lookupType("wasq.v1.Confirm");
const REASONS = ["", "GROUP_FAILED", "EXPIRED", "SETTLED_ELSEWHERE", "PURGED"];
const EVENTS = ["", "SENT", "DELIVERED", "SETTLED", "RETURNED", "RETENTION_ENDED", "DEAD_LETTERED"];
const CODES = ["ok", "NEVER_DELIVERED", "NOT_YOURS", "BEYOND_MAXIMUM", "DEAD_LETTER_FULL"];

/** "1-3 5" */
export function rangesOf(text: string): Range[] {
  return text.split(" ").map((word) => {
    const [first = "", last = first] = word.split("-");
    return { first: Number(first), last: Number(last) };
  });
}

export class StreamDriver extends CoreDriver {
  readonly #subscriptions = new Map<string, Subscribed>();
  readonly #byToken = new Map<number, string>();
  #nextToken = 1;
  readonly #watched = new Set<string>();
  onRevoke: (subscription: string, number: number, reason: string) => void = () => {};
  onMessage: (subscription: string, number: number, message: DeliveredMessage) => void = () => {};
  /** Told of a Deliver, after each of its messages. */
  onDeliver: (subscription: string, first: number, count: number) => void = () => {};

  constructor(specs: readonly QueueSpec[], sizes?: CoreSizes) {
    super(specs, sizes);
    this.onDrained = () => this.#collect();
  }

  get streams(): CoreStreams {
    return this.core.streams();
  }

  cellOf(name: string): number {
    return this.#of(name).cell;
  }

  #of(name: string): Subscribed {
    const found = this.#subscriptions.get(name);
    assert(found !== undefined, `${name} has subscribed`);
    return found;
  }

  subscribe(name: string, options: SubscribeOptions): void {
    const token = this.#nextToken++;
    const cell = this.streams.open(this.indexOf(options.queue), token, {
      clientId: token,
      visibilityMs: options.visibilityMs ?? 30_000,
      processingMs: options.processingMs ?? 3_600_000,
      batchMessages: options.batch ?? 100,
      lingerMs: options.lingerMs ?? 0,
      fields: options.fields ?? 0,
      groupInFlight: options.group ?? 1,
    });
    assert(cell !== 0, "the core has room");
    this.#subscriptions.set(name, { cell, token, queue: options.queue, notes: [] });
    this.#byToken.set(token, name);
  }

  credit(name: string, messages: number, options: { bytes?: number; beyond?: number; auto?: boolean } = {}): boolean {
    const { bytes = 1_000_000_000, beyond = 0, auto = false } = options;
    const taken = this.streams.setCredit(this.#of(name).cell, messages, bytes, beyond, auto);
    this.#serve();
    return taken;
  }

  settle(name: string, outcome: Outcome, numbers: string, visibilityMs = 0): string {
    const ranges = rangesOf(numbers);
    const result = this.streams.settle(this.#of(name).cell, outcome, ranges, visibilityMs, this.instantMs);
    assert(result !== undefined, "the tail has room");
    this.#serve();
    const failures = result.failures.flatMap(({ first, last, code }) =>
      Array.from({ length: last - first + 1 }, (_, i) => `${first + i} ${CODES[code]}`),
    );
    return [`${result.count}`, ...failures].join(", ");
  }

  pause(name: string): void {
    this.streams.pause(this.#of(name).cell);
  }
  resume(name: string): void {
    this.streams.resume(this.#of(name).cell);
    this.#serve();
  }
  detach(name: string): void {
    this.streams.detach(this.#of(name).cell, this.instantMs);
    this.#serve();
  }
  close(name: string): void {
    this.streams.close(this.#of(name).cell, this.instantMs);
    this.#byToken.delete(this.#of(name).token);
    this.#subscriptions.delete(name);
    this.#serve();
  }
  /** Every subscription ends with the process. */
  override restart(endPosition?: number): void {
    this.#subscriptions.clear();
    this.#byToken.clear();
    this.#watched.clear();
    super.restart(endPosition);
  }
  outstanding(name: string): string {
    const ranges = this.streams.outstanding(this.#of(name).cell);
    return ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)).join(" ");
  }
  last(name: string): number {
    return this.streams.lastDelivery(this.#of(name).cell);
  }

  /** What came since this was asked last. */
  got(name: string): string {
    return this.#of(name).notes.splice(0).join(" | ");
  }

  /** PurgeQueue, where nobody polls: subscriptions and the watch go with the queue to its new place. */
  purge(queue: string): void {
    this.purged(queue, (oldIndex) => {
      for (const each of this.#subscriptions.values()) {
        if (each.queue === queue) this.streams.move(each.cell, this.indexOf(queue));
      }
      if (!this.#watched.has(queue)) return;
      this.streams.closeWatch(oldIndex);
      assert(this.streams.openWatch(this.indexOf(queue), true), "the core has room");
    });
    this.#serve();
  }

  /** Subscriptions and the watch end with the queue. */
  override drop(queue: string): void {
    for (const [name, { cell, token, queue: of }] of this.#subscriptions) {
      if (of !== queue) continue;
      this.streams.close(cell, this.instantMs);
      this.#byToken.delete(token);
      this.#subscriptions.delete(name);
    }
    if (this.#watched.delete(queue)) this.streams.closeWatch(this.indexOf(queue));
    super.drop(queue);
    this.#serve();
  }

  // --- watches ---

  watch(queue: string): void {
    assert(this.streams.openWatch(this.indexOf(queue), true), "the core has room");
    this.#watched.add(queue);
  }

  /** What has happened since this was asked last to messages of queues that are watched: "queue KIND body#receives". */
  happened(): string[] {
    const notes: string[] = [];
    this.streams.drainEvents((index, { kind, receiveCount }, place) => {
      notes.push(`${this.nameOf(index)} ${EVENTS[kind]} ${this.bodyAt(place)}#${receiveCount}`);
    });
    return notes;
  }

  // --- publishers ---

  openPublisher(producerId?: Uint8Array, wantsIds = false): number {
    const cell = this.streams.openPublisher(producerId, wantsIds, "sender");
    assert(cell !== 0, "the core has room");
    return cell;
  }

  closePublisher(publisher: number): void {
    this.streams.closePublisher(publisher);
  }

  lastPublished(publisher: number, queue: string): number {
    return this.streams.lastPublished(publisher, this.indexOf(queue), this.instantMs);
  }

  /** The bytes of a Publish message, the envelope's part of that name. `seed`: of each call's message IDs */
  publish(
    publisher: number,
    queue: string,
    bytes: Uint8Array,
    seed: () => Uint8Array = () => randomBytes(16),
  ): PublishOutcome {
    assert(this.streams.takeIncoming(bytes), "the core has room");
    const scanned = this.streams.scanPublish(0, bytes.byteLength);
    if (scanned === undefined) return { code: "malformed", number: 0, failures: [], published: [] };
    const failures: string[] = [];
    const published: Buffer[] = [];
    let offset = 0;
    let number = scanned.first;
    for (;;) {
      const result = this.streams.publish(
        publisher,
        this.indexOf(queue),
        offset,
        bytes.byteLength - offset,
        number,
        seed(),
        0,
        this.instantMs,
      );
      failures.push(...result.failures.map((each) => `${each.number} ${each.reason}`));
      if (result.published !== undefined) published.push(Buffer.from(result.published));
      ({ offset, number } = result);
      this.flush();
      if (result.code === "more" || result.code === "busy") {
        assert(this.streams.takeIncoming(bytes), "the core has room");
        continue;
      }
      const confirm = ConfirmType.decode(Buffer.concat(published)) as unknown as { published: PublishedMessage[] };
      return { code: result.code, number, failures, published: confirm.published };
    }
  }

  #serve(): void {
    this.streams.serve(this.instantMs);
    this.flush();
  }

  #collect(): void {
    for (let isMore = true; isMore; ) {
      isMore = false;
      for (let token = this.streams.next(); token !== 0; token = this.streams.next()) {
        isMore = true;
        this.#compose(this.#byToken.get(token) as string);
      }
      if (isMore) this.streams.serve(this.instantMs);
    }
  }

  #compose(name: string): void {
    const { cell, token, notes } = this.#of(name);
    for (;;) {
      const composed = this.streams.compose(cell, this.instantMs);
      if (composed.status === "nothing") return;
      if (composed.status === "emptied") continue;
      if (composed.status === "load") {
        for (const place of composed.places) {
          if (!this.core.hasRecord(place.position, place.recordBytes)) this.load(place);
        }
      } else if (composed.status === "name") this.streams.setName(composed.queueNumber, `arn:${composed.queueNumber}`);
      else {
        const envelope = EnvelopeType.decodeDelimited(Buffer.from(composed.bytes)) as unknown as Envelope;
        assert((envelope.deliver ?? envelope.revoke)?.subscription === token, "the client's own number");
        notes.push(this.#note(name, envelope));
      }
    }
  }

  #note(name: string, { deliver, revoke }: Envelope): string {
    if (revoke !== null) {
      for (const { first, last } of revoke.deliveries) {
        for (let number = first; number <= Math.max(first, last); number++) {
          this.onRevoke(name, number, REASONS[revoke.reason] as string);
        }
      }
      const ranges = revoke.deliveries.map(({ first, last }) => (last === 0 ? `${first}` : `${first}-${last}`));
      return `revoke ${ranges.join(" ")} ${REASONS[revoke.reason]}`;
    }
    assert(deliver !== null, "a Deliver or a Revoke");
    const notes = deliver.messages.map((message, i) => {
      this.onMessage(name, deliver.first + i, message);
      return `${deliver.first + i}:${Buffer.from(message.body)}#${message.earlierReceives + 1}`;
    });
    this.onDeliver(name, deliver.first, notes.length);
    return notes.join(" ");
  }
}
