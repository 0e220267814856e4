// Data keys in memory: one a queue's messages are sealed under, for as long as it may be reused, and those that have opened
// messages lately. Whoever has the queue's key is asked as seldom as that allows, and once for many who wait.
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { DATA_KEY_BYTES, type GeneratedKey, KeyError, type KeyProvider, WRAPPED_BYTES_MAX } from "../keys/provider.ts";
import type { QueueEntry } from "./queue-entry.ts";

/** How long, and how many, data keys that messages were opened with are remembered. */
const OPENED_MS = 300_000;
const OPENED_COUNT_MAX = 1_000;

export class DataKey {
  readonly number: number; // in this process
  readonly plain: Buffer;
  readonly wrapped: Buffer;
  readonly madeMs: number;
  #sealedCount = 0n;

  constructor(number: number, { plain, wrapped }: GeneratedKey, madeMs: number) {
    this.number = number;
    this.plain = plain;
    this.wrapped = wrapped;
    this.madeMs = madeMs;
  }

  /** Never the same: a key seals in the process that it was made for, and in no other. */
  nextNonce(): Buffer {
    const nonce = Buffer.alloc(12);
    nonce.writeBigUInt64LE(this.#sealedCount++);
    return nonce;
  }
}

type Waiter = (error: KeyError | undefined) => void;

export class DataKeys {
  readonly #provider: KeyProvider;
  readonly #clock: Clock;
  /** Runs its argument when everything that was sent so far is on disk. */
  readonly #whenWritten: (then: () => void) => void;
  readonly #live = new Map<string, { key: DataKey; untilMs: number }>(); // by queue and KmsMasterKeyId
  readonly #waiters = new Map<string, Waiter[]>();
  readonly #byNumber = new Map<number, DataKey>(); // that records not yet written may need
  readonly #opened = new Map<string, { key: Promise<DataKey>; untilMs: number }>(); // least recently used first
  #nextNumber = 1;

  constructor(provider: KeyProvider, clock: Clock, whenWritten: (then: () => void) => void) {
    this.#provider = provider;
    this.#clock = clock;
    this.#whenWritten = whenWritten;
  }

  live(entry: QueueEntry, nowMs: number): DataKey | undefined {
    const name = nameOf(entry);
    const live = this.#live.get(name);
    // The period may have been made shorter since.
    if (live === undefined || nowMs >= Math.min(live.untilMs, live.key.madeMs + periodMs(entry))) return undefined;
    return live.key;
  }

  /** Runs `then` once the queue has a live data key, or why it has none; who asked first comes first. */
  whenLive(entry: QueueEntry, then: Waiter): void {
    const name = nameOf(entry);
    const waiting = this.#waiters.get(name);
    if (waiting !== undefined) {
      waiting.push(then);
      return;
    }
    if (this.live(entry, this.#clock.nowMs()) !== undefined) {
      then(undefined);
      return;
    }
    this.#waiters.set(name, [then]);
    const { account, settings } = entry;
    this.#provider.generate(settings.kmsMasterKeyId ?? "", account, entry.arn).then(
      (generated) => {
        this.#begin(name, generated, periodMs(entry));
        this.#tell(name, undefined);
      },
      (error: unknown) => this.#tell(name, asKeyError(error)),
    );
  }

  #tell(name: string, error: KeyError | undefined): void {
    const waiting = this.#waiters.get(name);
    this.#waiters.delete(name);
    for (const waiter of waiting ?? []) waiter(error);
  }

  #begin(name: string, generated: GeneratedKey, forMs: number): void {
    assert(generated.plain.byteLength === DATA_KEY_BYTES, "a data key has the length of AES-256's");
    assert(generated.wrapped.byteLength <= WRAPPED_BYTES_MAX, "a wrapped data key fits a record");
    const nowMs = this.#clock.nowMs();
    this.#retire(name);
    const key = new DataKey(this.#nextNumber++, generated, nowMs);
    this.#live.set(name, { key, untilMs: nowMs + forMs });
    this.#byNumber.set(key.number, key);
    // Messages that have left memory in the meantime need nobody to be opened.
    const copy = new DataKey(0, { plain: Buffer.from(key.plain), wrapped: key.wrapped }, nowMs);
    this.#remember(key.wrapped, Promise.resolve(copy), nowMs + forMs);
  }

  /** Sent under it is nothing more; what was is written first. */
  #retire(name: string): void {
    const live = this.#live.get(name);
    if (live === undefined) return;
    this.#live.delete(name);
    this.#whenWritten(() => {
      this.#byNumber.delete(live.key.number);
      live.key.plain.fill(0);
    });
  }

  byNumber(number: number): DataKey {
    const key = this.#byNumber.get(number);
    assert(key !== undefined, "a data key lives until what was sent under it is written");
    return key;
  }

  /** The data key of a message that was read back. @throws KeyError */
  async unwrapped(wrapped: Buffer): Promise<DataKey> {
    const nowMs = this.#clock.nowMs();
    const name = wrapped.toString("latin1");
    const known = this.#opened.get(name);
    if (known !== undefined && nowMs < known.untilMs) {
      this.#opened.delete(name);
      this.#opened.set(name, known);
      return known.key;
    }
    const kept = Buffer.from(wrapped);
    const asked = this.#provider.unwrap(kept).then(
      (plain) => new DataKey(0, { plain, wrapped: kept }, nowMs),
      (error: unknown) => {
        if (this.#opened.get(name)?.key === asked) this.#opened.delete(name);
        throw asKeyError(error);
      },
    );
    this.#remember(kept, asked, nowMs + OPENED_MS);
    return asked;
  }

  #remember(wrapped: Buffer, key: Promise<DataKey>, untilMs: number): void {
    const name = wrapped.toString("latin1");
    this.#drop(name);
    this.#opened.set(name, { key, untilMs });
    for (const oldest of this.#opened.keys()) {
      if (this.#opened.size <= OPENED_COUNT_MAX) break;
      this.#drop(oldest);
    }
  }

  #drop(name: string): void {
    const opened = this.#opened.get(name);
    this.#opened.delete(name);
    // Behind those who wait for it to open what they have read.
    opened?.key.then(
      ({ plain }) => setImmediate(() => plain.fill(0)),
      () => {},
    );
  }

  /** Overwrites what has had its time. */
  forget(nowMs: number): void {
    for (const [name, { untilMs }] of this.#live) if (nowMs >= untilMs) this.#retire(name);
    for (const [name, { untilMs }] of this.#opened) if (nowMs >= untilMs) this.#drop(name);
  }

  close(): void {
    this.forget(Number.POSITIVE_INFINITY);
  }
}

/** A data key is one queue's: whoever has the queue's key is told which, and may refuse another. */
function nameOf({ number, settings }: QueueEntry): string {
  return `${number} ${settings.kmsMasterKeyId}`;
}

function periodMs({ settings }: QueueEntry): number {
  return settings.kmsDataKeyReusePeriodSeconds * 1000;
}

function asKeyError(error: unknown): KeyError {
  if (error instanceof KeyError) return error;
  return new KeyError("KmsAccessDenied", error instanceof Error ? error.message : String(error));
}
