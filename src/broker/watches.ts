// Watches: what the core counts and notes of queues that somebody watches, handed to those who do.

import type { Clock } from "../base/clock.ts";
import type { Core } from "../core/core.ts";
import { readStoredBody } from "../core/stored-message.ts";
import type { CoreStreams } from "../core/streams.ts";
import type { QueueEntry } from "./queue-entry.ts";
import type { BrokerWatch, QueueActivity, WatchEvent, WatchListener } from "./stream-types.ts";

// The schema's EventKind.
const SENT = 1;
const RETURNED = 4;
const DEAD_LETTERED = 6;

interface Watch {
  readonly entry: QueueEntry;
  readonly wantsEvents: boolean;
  readonly wantsBodies: boolean;
  readonly listener: WatchListener;
}

/** Counts of a queue before it had its present place in the core. */
interface Counts {
  sent: number;
  delivered: number;
  settled: number;
  skipped: number;
}

export class Watches {
  readonly #parts: { readonly core: Core; readonly streams: CoreStreams; readonly clock: Clock };
  readonly #byEntry = new Map<QueueEntry, Set<Watch>>();
  readonly #before = new Map<QueueEntry, Counts>();

  constructor(parts: { core: Core; streams: CoreStreams; clock: Clock }) {
    this.#parts = parts;
  }

  open(
    entry: QueueEntry,
    options: { readonly events: boolean; readonly bodies: boolean },
    listener: WatchListener,
    subscriptions: () => number,
  ): BrokerWatch {
    const watch: Watch = { entry, wantsEvents: options.events, wantsBodies: options.bodies, listener };
    const watches = this.#byEntry.get(entry) ?? new Set<Watch>();
    this.#byEntry.set(entry, watches.add(watch));
    this.#parts.streams.openWatch(entry.index, watch.wantsEvents);
    const counts = () => this.#counts(entry);
    return {
      queue: entry,
      get skipped() {
        return counts().skipped;
      },
      activity: () => this.#activity(entry, subscriptions()),
      close: () => {
        watches.delete(watch);
        if (watches.size > 0) return;
        this.#forget(entry);
        if (!entry.isGone) this.#parts.streams.closeWatch(entry.index);
      },
    };
  }

  #forget(entry: QueueEntry): void {
    this.#byEntry.delete(entry);
    this.#before.delete(entry);
  }

  #counts(entry: QueueEntry): Counts {
    const before = this.#before.get(entry);
    const now = this.#parts.streams.watchCounts(entry.index);
    return {
      sent: now.sent + (before?.sent ?? 0),
      delivered: now.delivered + (before?.delivered ?? 0),
      settled: now.settled + (before?.settled ?? 0),
      skipped: now.skipped + (before?.skipped ?? 0),
    };
  }

  #activity(entry: QueueEntry, subscriptions: number): QueueActivity {
    const { core, streams, clock } = this.#parts;
    const { index } = entry;
    const { sent, delivered, settled } = this.#counts(entry);
    const oldestSentMs = streams.oldestSentMs(index);
    return {
      visible: core.visibleCount(index),
      inFlight: core.inFlightCount(index),
      delayed: core.delayedCount(index),
      oldestMs: oldestSentMs === 0 ? 0 : Math.max(clock.nowMs() - oldestSentMs, 0),
      sentCount: sent,
      deliveredCount: delivered,
      settledCount: settled,
      subscriptions,
      pollers: streams.pollers(index),
    };
  }

  /** Hands on what the core has noted since the last call; `reason`: what a client said of it. */
  drain(reason = ""): void {
    if (this.#byEntry.size === 0) return;
    const { core, streams, clock } = this.#parts;
    const timeMs = clock.nowMs();
    streams.drainEvents((queue, event, place) => {
      for (const [entry, watches] of this.#byEntry) {
        if (entry.index !== queue) continue;
        for (const watch of watches) {
          if (!watch.wantsEvents) continue;
          const record =
            watch.wantsBodies && event.kind === SENT ? core.record(place.position, place.recordBytes) : undefined;
          const given = event.kind === RETURNED || event.kind === DEAD_LETTERED ? reason : "";
          const told: WatchEvent = { ...event, timeMs, body: record && readStoredBody(record), reason: given };
          watch.listener.event(told);
        }
      }
    });
  }

  /** The queue has another place in the core; what was counted at the old one goes on. */
  moved(entry: QueueEntry, oldIndex: number): void {
    const watches = this.#byEntry.get(entry);
    if (watches === undefined) return;
    const { streams } = this.#parts;
    const before = this.#before.get(entry) ?? { sent: 0, delivered: 0, settled: 0, skipped: 0 };
    const counts = streams.watchCounts(oldIndex);
    for (const key of ["sent", "delivered", "settled", "skipped"] as const) before[key] += counts[key];
    this.#before.set(entry, before);
    streams.closeWatch(oldIndex);
    streams.openWatch(
      entry.index,
      [...watches].some(({ wantsEvents }) => wantsEvents),
    );
  }

  /** The queue is being deleted. */
  ended(entry: QueueEntry): void {
    const watches = this.#byEntry.get(entry);
    if (watches === undefined) return;
    this.#parts.streams.closeWatch(entry.index);
    this.#forget(entry);
    for (const { listener } of watches) listener.ended();
  }
}
