// One publisher: its frames into the core, in order, and confirmed when they are on disk.
import type { QueueEntry } from "./queue-entry.ts";
import type { BrokerPublisher, PublisherListener, PublishFailure } from "./stream-types.ts";
import type { StreamParts } from "./streams.ts";

/** A Publish on its way: what of it has been taken, and where to go on. */
interface Frame {
  readonly first: number;
  readonly sizeBytes: number;
  readonly failures: PublishFailure[];
  readonly published: Buffer[];
  number: number; // that comes next
}

export class Publisher implements BrokerPublisher {
  readonly entry: QueueEntry;
  readonly #parts: StreamParts;
  readonly #cell: number;
  readonly #listener: PublisherListener;
  readonly #onClosed: () => void;
  #isClosed = false;
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
    return this.#parts.streams.lastPublished(this.#cell, this.entry.index, this.#parts.clock.nowMs());
  }

  publish(offset: number, sizeBytes: number, first: number): void {
    const { streams, turn } = this.#parts;
    const frame: Frame = { first, sizeBytes, failures: [], published: [], number: first };
    let rest: Buffer | undefined;
    if (this.#waitingCount > 0 || !this.#parts.seals.select(this.entry, turn.nowMs())) {
      this.#whenReady(frame, streams.copyIncoming(offset, sizeBytes));
      return;
    }
    if (turn.begin()) {
      rest = this.#take(frame, offset, sizeBytes);
      turn.ran();
    } else rest = streams.copyIncoming(offset, sizeBytes);
    if (rest !== undefined) this.#goOn(frame, rest);
  }

  /** The queue's data key must be had before the core sees the frame; those that come meanwhile keep their order. */
  #whenReady(frame: Frame, copy: Buffer): void {
    this.#waitingCount++;
    this.#parts.seals.whenReady(this.entry, (error) => {
      this.#waitingCount--;
      if (this.#isClosed) return;
      if (error !== undefined) this.#refuse(frame, "full");
      else this.#goOn(frame, copy);
    });
  }

  #goOn(frame: Frame, copy: Buffer): void {
    const { streams, turn } = this.#parts;
    let rest: Buffer | undefined = copy;
    // The bytes that came in make room for the next frame; what could not be taken yet waits in line, in a copy.
    turn.admit(() => {
      if (this.#isClosed || rest === undefined) {
        this.#listener.failing(-frame.failures.length);
        return true;
      }
      if (!streams.takeIncoming(rest)) {
        this.#listener.failing(-frame.failures.length);
        this.#refuse(frame, "full");
        return true;
      }
      if (!this.#parts.seals.select(this.entry, turn.nowMs())) {
        this.#whenReady(frame, rest); // its time ended in the line
        return true;
      }
      rest = this.#take(frame, 0, rest.byteLength);
      return rest === undefined;
    });
  }

  /** @returns undefined when the frame is done with, or a copy of what could not be taken yet */
  #take(frame: Frame, offset: number, sizeBytes: number): Buffer | undefined {
    const { streams, turn, ids } = this.#parts;
    const end = offset + sizeBytes;
    const space = turn.spaceForSends();
    if (space === "wait") return streams.copyIncoming(offset, sizeBytes);
    if (space === "no") {
      this.#refuse(frame, "full");
      return undefined;
    }
    const nowMs = turn.nowMs();
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
        frame.failures.push(...result.failures);
        this.#listener.failing(result.failures.length);
      }
      if (result.published !== undefined) frame.published.push(Buffer.from(result.published));
      frame.number = result.number;
      at = result.offset;
      switch (result.code) {
        case "more":
          continue;
        case "busy":
          return streams.copyIncoming(at, end - at);
        case "malformed":
          this.#listener.failing(-frame.failures.length);
          this.#listener.malformed();
          return undefined;
        case "full":
        case "gap":
          this.#confirm(frame, 0);
          this.#refuse(frame, result.code);
          return undefined;
        case "done":
          this.#confirm(frame, frame.sizeBytes);
          return undefined;
      }
    }
  }

  #confirm(frame: Frame, sizeBytes: number): void {
    const { turn } = this.#parts;
    const { failures } = frame;
    // Where a number is missing the frame has not come as far as its own numbers.
    const number = Math.min(frame.number - 1, this.last);
    const published = frame.published.length === 0 ? undefined : Buffer.concat(frame.published);
    // Also where nothing was sent: what it repeats may still be on its way to disk.
    turn.hold(turn.headPosition, {
      release: () => {
        if (failures.length > 0) this.#listener.failing(-failures.length);
        if (!this.#isClosed) this.#listener.confirmed(number, failures, published, sizeBytes);
      },
    });
  }

  #refuse(frame: Frame, reason: "full" | "gap"): void {
    this.#listener.refused(this.last + 1, reason, frame.first, frame.sizeBytes);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#parts.streams.closePublisher(this.#cell);
    this.#onClosed();
  }

  /** The queue is being deleted. */
  end(): void {
    this.close();
    this.#listener.ended();
  }
}
