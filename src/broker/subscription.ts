// One subscription: its frames out of the core, what its client does with deliveries into it.
import type { QueueEntry } from "./queue-entry.ts";
import type {
  BrokerSubscription,
  DeliveryRange,
  Outcome,
  OutcomeResult,
  SubscriptionListener,
} from "./stream-types.ts";
import type { StreamParts } from "./streams.ts";

const NOT_YOURS = 2; // the schema's SettleCode
/** How much of one subscription goes out before others have their turn. */
const ROUNDS_MAX = 16;
/** How soon a message whose key could not be used is tried again. */
const LOCKED_RETRY_MS = 1_000;
const PUMP_BYTES = 64 * 1024;

export class Subscription implements BrokerSubscription {
  readonly entry: QueueEntry;
  readonly #parts: StreamParts;
  readonly #cell: number;
  readonly #listener: SubscriptionListener;
  readonly #onClosed: () => void;
  #isPaused = false;
  /** How often it was to pause, in whatever state it was. */
  #pauseCount = 0;
  #isLoading = false;
  /** What comes next cannot be opened. */
  #isLocked = false;
  /** Nothing more goes out; what was asked before is still to be done. */
  #isClosing = false;
  #isClosed = false;
  /** Something was to be composed while it was paused. */
  #isOwing = false;
  /** Of envelopes that lie composed in the core, to be handed on together. */
  #composedBytes = 0;
  readonly #goOn = (): void => {
    this.#isLoading = false;
    this.#isLocked = false;
    this.pump(this.#parts.clock.nowMs());
    this.#parts.turn.soon();
  };

  constructor(
    parts: StreamParts,
    entry: QueueEntry,
    cell: number,
    listener: SubscriptionListener,
    onClosed: () => void,
  ) {
    this.#parts = parts;
    this.entry = entry;
    this.#cell = cell;
    this.#listener = listener;
    this.#onClosed = onClosed;
  }

  get queue(): QueueEntry {
    return this.entry;
  }
  get hasDeadLetterQueue(): boolean {
    return this.#parts.catalogue.hasDeadLetterQueue(this.entry);
  }
  get last(): number {
    return this.#parts.streams.lastDelivery(this.#cell);
  }

  /**
   * Composes what there is, and what it is given next when that is done, a few times over: others of the queue are given
   * theirs in between. @returns how many bytes went out
   */
  pump(nowMs: number): number {
    let sizeBytes = 0;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const composedBytes = this.#compose(nowMs);
      sizeBytes += composedBytes;
      if (composedBytes === 0 || sizeBytes >= PUMP_BYTES || this.#isClosed || this.#isPaused) break;
      this.#parts.streams.serve(nowMs);
    }
    this.#handOn();
    return sizeBytes;
  }

  #handOn(): void {
    const sizeBytes = this.#composedBytes;
    if (sizeBytes === 0) return;
    this.#composedBytes = 0;
    this.#listener.frame(this.#parts.streams.composed(sizeBytes));
  }

  #compose(nowMs: number): number {
    const { streams, catalogue, reader, loads } = this.#parts;
    let sizeBytes = 0;
    while (!this.#isClosed && !this.#isLoading) {
      if (this.#isPaused) {
        this.#isOwing = true;
        break;
      }
      const composed = streams.compose(this.#cell, nowMs, this.#composedBytes > 0);
      if (composed.status === "nothing") break;
      if (composed.status === "name") {
        streams.setName(composed.queueNumber, catalogue.arnOf(composed.queueNumber) ?? "");
      } else if (composed.status === "emptied") {
        this.#parts.serveSoon();
      } else if (composed.status === "load") {
        this.#isLoading = true;
        if (!loads.begin(this.#goOn)) break;
        reader.whenLoaded(
          composed.places,
          () => {
            loads.end();
            this.#goOn();
          },
          // Without its key it cannot be pushed, nor what comes after it; until the key can be used again.
          () => {
            loads.end();
            this.#isLocked = true;
            setTimeout(this.#goOn, LOCKED_RETRY_MS).unref();
          },
        );
        break;
      } else {
        sizeBytes += composed.bytes.byteLength;
        this.#composedBytes += composed.bytes.byteLength;
        if (this.#composedBytes >= PUMP_BYTES) this.#handOn();
      }
    }
    return sizeBytes;
  }

  /** Does it after whatever was asked before, be it that this still waits for room in the log. */
  #inTurn(run: (nowMs: number) => void): void {
    const { turn, clock } = this.#parts;
    turn.admit(() => {
      if (!this.#isClosed) run(clock.nowMs());
      return true;
    });
  }

  setCredit(messages: number, bytes: number, beyond: number, auto: boolean, done: (taken: boolean) => void): void {
    const { streams, turn, clock } = this.#parts;
    turn.admit(() => {
      const taken = this.#isClosed || streams.setCredit(this.#cell, messages, bytes, beyond, auto);
      if (taken) streams.serve(clock.nowMs());
      done(taken);
      return true;
    });
  }

  settle(
    outcome: Outcome,
    ranges: readonly DeliveryRange[],
    visibilityMs: number,
    reason: string,
    done: (result: OutcomeResult) => void,
  ): void {
    const { streams, turn } = this.#parts;
    turn.admit(() => {
      if (this.#isClosed) {
        done({ count: 0, failures: ranges.map((range) => ({ ...range, code: NOT_YOURS })) });
        return true;
      }
      const nowMs = turn.nowMs();
      const result = streams.settle(this.#cell, outcome, ranges, visibilityMs, nowMs);
      if (result === undefined) return false;
      this.#parts.watches.drain(reason);
      // A change of visibility that is lost costs a standard queue a redelivery; on FIFO it could cost the order.
      const waits = this.entry.settings.fifo || outcome === "ack" || outcome === "deadLetter";
      turn.hold(waits ? turn.headPosition : 0, { release: () => done(result) });
      return true;
    });
  }

  /** At once: nothing more is given to who cannot take it. */
  pause(): void {
    this.#pauseCount++;
    if (this.#isPaused || this.#isClosed) return;
    this.#isPaused = true;
    this.#parts.streams.pause(this.#cell);
  }

  resume(): void {
    const { streams } = this.#parts;
    const pauseCount = this.#pauseCount;
    this.#inTurn((nowMs) => {
      if (!this.#isPaused || this.#pauseCount !== pauseCount) return; // paused again meanwhile
      this.#isPaused = false;
      streams.resume(this.#cell);
      if (this.#isOwing) {
        this.#isOwing = false;
        this.pump(nowMs);
      }
      if (!this.#isClosed) streams.serve(nowMs);
    });
  }

  detach(): void {
    const { streams } = this.#parts;
    this.pause();
    this.#inTurn((nowMs) => {
      if (this.#isLocked) streams.uncount(this.#cell);
      streams.detach(this.#cell, nowMs);
      streams.serve(nowMs);
    });
  }

  get hasOutstanding(): boolean {
    return this.#parts.streams.hasOutstanding(this.#cell);
  }

  outstanding(): readonly DeliveryRange[] {
    return this.#parts.streams.outstanding(this.#cell);
  }

  close(done: () => void = () => {}): void {
    const { streams, turn, clock, loads } = this.#parts;
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.pause();
    turn.admit(() => {
      if (!this.#isClosed) {
        this.#isClosed = true;
        loads.forget(this.#goOn);
        if (this.#isLocked) streams.uncount(this.#cell);
        const nowMs = clock.nowMs();
        streams.close(this.#cell, nowMs);
        this.#onClosed();
        streams.serve(nowMs);
      }
      done();
      return true;
    });
  }

  /** The queue has another place in the core. */
  move(): void {
    this.#parts.streams.move(this.#cell, this.entry.index);
  }

  /** The queue is being deleted. */
  end(): void {
    this.#isClosed = true;
    this.#parts.streams.close(this.#cell, this.#parts.clock.nowMs());
    this.#onClosed();
    if (!this.#isClosing) this.#listener.ended();
  }
}
