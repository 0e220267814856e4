// One publisher: its frames into the core, in order, and confirmed when they are on disk. What came before its end is done
// before it ends, be it that this still waits for room in the log or for the queue's data key.
import type { QueueEntry } from "./queue-entry.ts";
import type { BrokerPublisher, PublisherListener, PublishFailure } from "./stream-types.ts";
import type { StreamParts } from "./streams.ts";
import type { Held } from "./turn.ts";

const NO_FAILURES: readonly PublishFailure[] = [];

/** A Publish on its way: what of it has been taken, and where to go on; then it waits for the disk. There is one object for each. */
class Frame implements Held {
  readonly first: number;
  readonly sizeBytes: number;
  number: number; // that comes next
  failures: PublishFailure[] | undefined;
  published: Buffer[] | undefined;
  readonly #publisher: Publisher;
  #confirmedTo = 0;
  #freedBytes = 0;

  constructor(publisher: Publisher, first: number, sizeBytes: number) {
    this.#publisher = publisher;
    this.first = first;
    this.sizeBytes = sizeBytes;
    this.number = first;
  }

  get failureCount(): number {
    return this.failures === undefined ? 0 : this.failures.length;
  }

  /** What is to be told once it is on disk. @param freedBytes of the credit */
  confirms(number: number, freedBytes: number): this {
    this.#confirmedTo = number;
    this.#freedBytes = freedBytes;
    return this;
  }

  release(): void {
    this.#publisher.released(this, this.#confirmedTo, this.#freedBytes);
  }
}

export class Publisher implements BrokerPublisher {
  readonly entry: QueueEntry;
  readonly #parts: StreamParts;
  readonly #cell: number;
  readonly #listener: PublisherListener;
  readonly #onClosed: () => void;
  #isClosed = false;
  #frameCount = 0; // neither confirmed nor refused yet
  /** To be told when none is left and the publisher is closed; undefined: nobody has asked for that. */
  #onDone: (() => void)[] | undefined;
  #waitingCount = 0; // frames that wait for the queue's data key; later ones go behind them

  constructor(parts: StreamParts, entry: QueueEntry, cell: number, listener: PublisherListener, onClosed: () => void) {
    this.#parts = parts;
    this.entry = entry;
    this.#cell = cell;
    this.#listener = listener;
    this.#onClosed = onClosed;
  }

  get queue(): QueueEntry {
    return this.entry;
  }
  get last(): number {
    return this.#lastAt(this.#parts.clock.nowMs());
  }

  #lastAt(nowMs: number): number {
    return this.#parts.streams.lastPublished(this.#cell, this.entry.index, nowMs);
  }

  publish(offset: number, sizeBytes: number, first: number): void {
    const { streams, turn } = this.#parts;
    const frame = new Frame(this, first, sizeBytes);
    this.#frameCount++;
    const nowMs = turn.nowMs();
    let rest: Buffer | undefined;
    if (this.#waitingCount > 0 || !this.#parts.seals.select(this.entry, nowMs)) {
      this.#whenReady(frame, streams.copyIncoming(offset, sizeBytes));
      return;
    }
    if (turn.begin()) {
      rest = this.#take(frame, offset, sizeBytes, nowMs);
      turn.sent();
    } else rest = streams.copyIncoming(offset, sizeBytes);
    if (rest !== undefined) this.#goOn(frame, rest);
  }

  /** The queue's data key must be had before the core sees the frame; those that come meanwhile keep their order. */
  #whenReady(frame: Frame, copy: Buffer): void {
    this.#waitingCount++;
    this.#parts.seals.whenReady(this.entry, (error) => {
      this.#waitingCount--;
      if (this.#isClosed) this.#drop(frame);
      else if (error !== undefined) this.#refuse(frame, "full");
      else this.#goOn(frame, copy);
    });
  }

  #goOn(frame: Frame, copy: Buffer): void {
    const { streams, turn } = this.#parts;
    let rest: Buffer | undefined = copy;
    // The bytes that came in make room for the next frame; what could not be taken yet waits in line, in a copy.
    turn.admit(() => {
      if (this.#isClosed || rest === undefined) {
        this.#drop(frame);
        return true;
      }
      if (!streams.takeIncoming(rest)) {
        this.#refuse(frame, "full");
        return true;
      }
      const nowMs = turn.nowMs();
      if (!this.#parts.seals.select(this.entry, nowMs)) {
        this.#whenReady(frame, rest); // its time ended in the line
        return true;
      }
      rest = this.#take(frame, 0, rest.byteLength, nowMs);
      return rest === undefined;
    });
  }

  /** @returns undefined when the frame is done with, or a copy of what could not be taken yet */
  #take(frame: Frame, offset: number, sizeBytes: number, nowMs: number): Buffer | undefined {
    const { streams, turn, ids } = this.#parts;
    const end = offset + sizeBytes;
    const space = turn.spaceForSends();
    if (space === "wait") return streams.copyIncoming(offset, sizeBytes);
    if (space === "no") {
      this.#refuse(frame, "full");
      return undefined;
    }
    let at = offset;
    for (;;) {
      const result = streams.publish(
        this.#cell,
        this.entry.index,
        at,
        end - at,
        frame.number,
        ids.bytes,
        ids.take(),
        nowMs,
      );
      if (result.failures.length > 0) {
        if (frame.failures === undefined) frame.failures = [...result.failures];
        else frame.failures.push(...result.failures);
        this.#listener.failing(result.failures.length);
      }
      if (result.published !== undefined) {
        frame.published ??= [];
        frame.published.push(Buffer.from(result.published));
      }
      frame.number = result.number;
      at = result.offset;
      switch (result.code) {
        case "more":
          continue;
        case "busy":
          return streams.copyIncoming(at, end - at);
        case "malformed":
          this.#drop(frame);
          this.#listener.malformed();
          return undefined;
        case "full":
        case "gap":
          this.#tellRefused(frame, result.code);
          this.#confirm(frame, 0, nowMs);
          return undefined;
        case "done":
          this.#confirm(frame, frame.sizeBytes, nowMs);
          return undefined;
      }
    }
  }

  #confirm(frame: Frame, freedBytes: number, nowMs: number): void {
    const { turn } = this.#parts;
    // Where a number is missing the frame has not come as far as its own numbers.
    const number = Math.min(frame.number - 1, this.#lastAt(nowMs));
    // Also where nothing was sent: what it repeats may still be on its way to disk.
    turn.hold(turn.headPosition, frame.confirms(number, freedBytes));
  }

  /** The frame is on disk, as far as it was taken. */
  released(frame: Frame, number: number, freedBytes: number): void {
    const { failures, published } = frame;
    if (failures !== undefined) this.#listener.failing(-failures.length);
    if (!this.#isClosed) {
      const fields = published === undefined ? undefined : Buffer.concat(published);
      this.#listener.confirmed(number, failures ?? NO_FAILURES, fields, freedBytes);
    }
    this.#done();
  }

  /** Nothing more is taken of the frame, and nothing of it waits for the disk. */
  #refuse(frame: Frame, reason: "full" | "gap"): void {
    this.#tellRefused(frame, reason);
    this.#drop(frame);
  }

  #tellRefused(frame: Frame, reason: "full" | "gap"): void {
    this.#listener.refused(this.last + 1, reason, frame.first, frame.sizeBytes);
  }

  /** The failures of the frame will never be told. */
  #drop(frame: Frame): void {
    if (frame.failureCount > 0) this.#listener.failing(-frame.failureCount);
    this.#done();
  }

  #done(): void {
    this.#frameCount--;
    if (this.#frameCount === 0 && this.#onDone !== undefined) this.#close();
  }

  close(done: () => void = () => {}): void {
    if (this.#isClosed) {
      done();
      return;
    }
    this.#onDone ??= [];
    this.#onDone.push(done);
    if (this.#frameCount === 0) this.#close();
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#parts.streams.closePublisher(this.#cell);
    this.#onClosed();
    for (const done of this.#onDone?.splice(0) ?? []) done();
  }

  /** The queue is being deleted: what has not been taken never will be, nor is what waits for the disk confirmed any more. */
  end(): void {
    if (this.#isClosed) return;
    this.#listener.ended();
    this.#close();
  }
}
