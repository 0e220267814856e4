// A session's watch: a queue's counts and rates as they change, and what happens to its messages.
import type { BrokerWatch, QueueActivity, StreamBroker, WatchEvent } from "../broker/stream-types.ts";
import type { Queue } from "../broker/types.ts";
import { type Action, Rights } from "./caller.ts";
import { type ErrorName, RequestError, type Requests } from "./envelope.ts";
import { ErrorCode } from "./schema.ts";
import type { Session } from "./session.ts";

const INTERVAL_MS = 500;
const INTERVAL_MS_MIN = 100;
const INTERVAL_MS_MAX = 60_000;
const EVENTS_MAX = 1_000;
const EVENTS_BYTES_MAX = 1024 * 1024;

const LOOK: readonly Action[] = ["GetQueueAttributes"];
const LOOK_AT_MESSAGES: readonly Action[] = ["GetQueueAttributes", "ReceiveMessage"];

/** Counts are the queue's attributes; what happens to single messages, or stands in them, is for those who may receive. */
export function watchActions({ events, bodies }: Requests["watch"]): readonly Action[] {
  return events || bodies ? LOOK_AT_MESSAGES : LOOK;
}

export class SessionWatch {
  readonly number: number;
  readonly #session: Session;
  readonly #rights: Rights;
  readonly #actions: readonly Action[];
  readonly #intervalMs: number;
  #broker: BrokerWatch | undefined;
  #told: QueueActivity | undefined;
  #toldMs: number;
  #events: WatchEvent[] = [];
  #eventBytes = 0;
  #skipped = 0;
  #skippedTold = 0;
  #isClosed = false;

  private constructor(session: Session, queue: Queue, request: Requests["watch"], intervalMs: number, nowMs: number) {
    this.#session = session;
    this.#rights = new Rights(session, queue);
    this.#actions = watchActions(request);
    this.number = request.watch;
    this.#intervalMs = intervalMs;
    this.#toldMs = nowMs - intervalMs;
  }

  /** @throws RequestError */
  static open(
    session: Session,
    broker: StreamBroker,
    queue: Queue,
    request: Requests["watch"],
    nowMs: number,
  ): SessionWatch {
    const intervalMs = request.intervalMs || INTERVAL_MS;
    if (intervalMs < INTERVAL_MS_MIN || intervalMs > INTERVAL_MS_MAX) {
      throw new RequestError(
        "INVALID_PARAMETER",
        `interval_ms is ${intervalMs}: ${INTERVAL_MS_MIN} to ${INTERVAL_MS_MAX} is allowed`,
      );
    }
    const watch = new SessionWatch(session, queue, request, intervalMs, nowMs);
    watch.#broker = broker.watch(
      queue,
      { events: request.events, bodies: request.bodies },
      { event: (event) => watch.#take(event), ended: () => watch.#ended() },
    );
    return watch;
  }

  #take(event: WatchEvent): void {
    const sizeBytes = 64 + (event.body?.byteLength ?? 0);
    if (this.#events.length >= EVENTS_MAX || this.#eventBytes + sizeBytes > EVENTS_BYTES_MAX) {
      this.#skipped++;
      return;
    }
    this.#events.push(event);
    this.#eventBytes += sizeBytes;
  }

  /** Tells what has changed, when it is time. */
  tick(nowMs: number): void {
    const { connection } = this.#session;
    if (this.#isClosed || connection === undefined || connection.isBlocked) return;
    if (nowMs - this.#toldMs < this.#intervalMs) return;
    const broker = this.#broker as BrokerWatch;
    const activity = broker.activity();
    const skipped = this.#skipped + broker.skipped;
    const isChanged = this.#told === undefined || isOther(activity, this.#told) || skipped > this.#skippedTold;
    if (!isChanged && this.#events.length === 0) return;
    const seconds = (nowMs - this.#toldMs) / 1000;
    const rate = (count: number, before: number | undefined) => (before === undefined ? 0 : (count - before) / seconds);
    connection.push({
      watched: {
        watch: this.number,
        state: {
          visible: activity.visible,
          inFlight: activity.inFlight,
          delayed: activity.delayed,
          oldestMs: activity.oldestMs,
          sentRate: rate(activity.sentCount, this.#told?.sentCount),
          deliveredRate: rate(activity.deliveredCount, this.#told?.deliveredCount),
          settledRate: rate(activity.settledCount, this.#told?.settledCount),
          subscriptions: activity.subscriptions,
          pollers: activity.pollers,
        },
        events: this.#events.map(({ kind, timeMs, messageId, receiveCount, body, reason }) => ({
          kind,
          timeMs: Math.floor(timeMs),
          receiveCount,
          reason,
          ...(messageId === undefined ? {} : { id: messageId }),
          ...(body === undefined ? {} : { body }),
        })),
        skipped: skipped - this.#skippedTold,
      },
    });
    this.#told = activity;
    this.#toldMs = nowMs;
    this.#skippedTold = skipped;
    this.#events = [];
    this.#eventBytes = 0;
  }

  #ended(): void {
    this.#isClosed = true;
    this.#session.watches.delete(this.number);
    this.#session.connection?.push({ watched: { watch: this.number, deleted: true } });
  }

  /** Its caller may have lost the right to look. */
  recheck(): void {
    const refusal = this.#rights.askAgain(this.#actions);
    if (refusal === undefined) return;
    this.close();
    this.#session.watches.delete(this.number);
    const code: ErrorName = "ACCESS_DENIED";
    const watched = { watch: this.number, endedCode: ErrorCode[code], message: refusal };
    this.#session.connection?.push({ watched });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#broker?.close();
  }
}

function isOther(one: QueueActivity, other: QueueActivity): boolean {
  return (
    one.visible !== other.visible ||
    one.inFlight !== other.inFlight ||
    one.delayed !== other.delayed ||
    one.sentCount !== other.sentCount ||
    one.deliveredCount !== other.deliveredCount ||
    one.settledCount !== other.settledCount ||
    one.subscriptions !== other.subscriptions ||
    one.pollers !== other.pollers
  );
}
