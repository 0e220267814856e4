// Receives: asked of the core, waited for there, and turned into messages when the core hands some out.
import { type Core, RECEIVE } from "../core/core.ts";
import type { Delivery } from "../core/effects.ts";
import type { Catalogue } from "./catalogue.ts";
import { deliveredMessage } from "./delivered.ts";
import type { QueueEntry } from "./queue-entry.ts";
import type { RecordReader } from "./record-reader.ts";
import type { Turn } from "./turn.ts";
import type { Locked, Received, ReceiveOptions, Receiver } from "./types.ts";

interface Waiting {
  readonly entry: QueueEntry;
  readonly countMax: number;
  readonly visibilityMs: number;
  readonly attemptId: string | undefined;
  readonly untilMs: number; // how long it is ready to wait
  readonly receiver: Receiver;
  waiter: number; // the core's, while it waits there
}

const TOKEN_MAX = 0xffff_ffff;
const LOOK_BYTES_MAX = 16 * 1024 * 1024; // of records that a receive opens ahead: ten of the largest

export class Receives {
  readonly #core: Core;
  readonly #catalogue: Catalogue;
  readonly #reader: RecordReader;
  readonly #turn: Turn;
  readonly #waiting = new Map<number, Waiting>();
  #nextToken = 1;

  constructor(parts: { core: Core; catalogue: Catalogue; reader: RecordReader; turn: Turn }) {
    this.#core = parts.core;
    this.#catalogue = parts.catalogue;
    this.#turn = parts.turn;
    this.#reader = parts.reader;
  }

  /** @returns a function that gives up the wait */
  receive(entry: QueueEntry, options: ReceiveOptions, receiver: Receiver): () => void {
    const token = this.#nextToken;
    this.#nextToken = this.#nextToken === TOKEN_MAX ? 1 : this.#nextToken + 1;
    const { countMax, visibilityMs, waitMs, attemptId } = options;
    const untilMs = this.#turn.nowMs() + waitMs;
    const waiting: Waiting = { entry, countMax, visibilityMs, attemptId, untilMs, receiver, waiter: 0 };
    this.#waiting.set(token, waiting);
    if (entry.mayBeSealed) this.#unlock(token, waiting);
    else this.#ask(token);
    return () => {
      if (waiting.waiter !== 0 && this.#waiting.has(token)) this.#core.cancel(waiting.waiter, token);
      this.#waiting.delete(token);
    };
  }

  /** Opens what the receive would have before anything is handed out, so that without its key nothing has changed. */
  #unlock(token: number, { entry, countMax }: Waiting): void {
    const page = this.#core.peeks.visible(entry.index, undefined, countMax, LOOK_BYTES_MAX, this.#turn.nowMs());
    this.#reader.whenLoaded(
      page?.rows ?? [],
      () => this.#ask(token),
      (error) => this.#answer(token, { status: "locked", error }),
    );
  }

  #ask(token: number): void {
    this.#turn.admit(() => {
      const waiting = this.#waiting.get(token);
      if (waiting === undefined) return true;
      if (waiting.entry.isGone) {
        this.#answer(token, { status: "queueGone" });
        return true;
      }
      const nowMs = this.#turn.nowMs();
      const waitMs = Math.max(waiting.untilMs - nowMs, 0);
      const { entry, countMax, visibilityMs, attemptId } = waiting;
      const code = this.#core.receive(entry.index, countMax, visibilityMs, waitMs, token, attemptId, nowMs);
      if (code === RECEIVE.busy) return false;
      if (code === RECEIVE.none || code === RECEIVE.noMemory) this.#answer(token, { status: "ok", messages: [] });
      else if (code === RECEIVE.overLimit) this.#answer(token, { status: "overLimit" });
      else if (code === RECEIVE.notRetryable) this.#answer(token, { status: "notRetryable" });
      else waiting.waiter = code;
      return true;
    });
  }

  #answer(token: number, result: Received): void {
    const waiting = this.#waiting.get(token);
    this.#waiting.delete(token);
    waiting?.receiver.received(result);
  }

  /** What cannot be opened has been received by nobody: it is in its queue again when that is said. */
  #giveBack({ entry, attemptId, receiver }: Waiting, deliveries: readonly Delivery[], result: Locked): void {
    this.#turn.admit(() => {
      if (!this.#core.giveBack(entry.index, deliveries, attemptId, this.#turn.nowMs())) return false;
      this.#turn.hold(this.#turn.headPosition, { release: () => receiver.received(result) });
      return true;
    });
  }

  /** Answers all who wait with nothing: the broker is about to stop. */
  answerWaiting(): void {
    for (const [token, waiting] of this.#waiting) {
      if (waiting.waiter === 0) continue;
      this.#core.cancel(waiting.waiter, token);
      this.#answer(token, { status: "ok", messages: [] });
    }
  }

  /** Lets those who wait at the queue ask again after `change`, which gives it another place in the core. */
  askAgainAfter(entry: QueueEntry, change: () => void): void {
    const tokens: number[] = [];
    for (const [token, waiting] of this.#waiting) {
      if (waiting.entry !== entry || waiting.waiter === 0) continue;
      this.#core.cancel(waiting.waiter, token);
      waiting.waiter = 0;
      tokens.push(token);
    }
    change();
    for (const token of tokens) this.#ask(token);
  }

  /** Hands on what the core has decided since the last call. */
  drain(): void {
    const { effects } = this.#core;
    effects.drain(() => {
      const { token, count, waitPosition } = effects;
      const waiting = this.#waiting.get(token);
      this.#waiting.delete(token);
      if (waiting === undefined) return;
      const { entry, receiver } = waiting;
      if (count < 0) {
        this.#turn.hold(waitPosition, { release: () => receiver.received({ status: "queueGone" }) });
        return;
      }
      const wanted = count > 0 ? receiver.wanted : undefined;
      const isComposed = wanted !== undefined;
      if (isComposed && this.#answerWith(receiver, effects.compose(entry.index, wanted), waitPosition)) return;
      const deliveries = effects.deliveries();
      const kept = isComposed ? effects.kept(wanted) : undefined;
      const loaded = (): void => {
        // The place of a queue that is gone meanwhile may be another's.
        const body = kept === undefined || entry.isGone ? undefined : effects.composeKept(entry.index, kept);
        if (this.#answerWith(receiver, body, waitPosition)) return;
        const messages = deliveries.map((delivery) => deliveredMessage(this.#core, this.#catalogue, entry, delivery));
        this.#turn.hold(waitPosition, { release: () => receiver.received({ status: "ok", messages }) });
      };
      this.#reader.whenLoaded(deliveries, loaded, (error) => {
        entry.mayBeSealed = true; // who comes next looks first
        this.#giveBack(waiting, deliveries, { status: "locked", error });
      });
    });
    this.#reader.readAhead();
  }

  /** @returns false when the core has not composed this one */
  #answerWith(receiver: Receiver, body: Buffer | undefined, waitPosition: number): boolean {
    if (body === undefined) return false;
    if (waitPosition <= this.#turn.durablePosition) receiver.composed?.(body);
    else {
      const kept = Buffer.from(body);
      this.#turn.hold(waitPosition, { release: () => receiver.composed?.(kept) });
    }
    return true;
  }
}
