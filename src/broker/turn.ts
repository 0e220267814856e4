// The turn: commands into the core, records into the log, answers out once what they tell of is on disk.
//
//   requests of this loop pass ─► core ─► records in the tail ─► one append ─► answers, in log order
//
// While an append is under way the next one gathers. When that has become long it is written beside the other, if that was long, too,
// or made ready to follow it. In the midst of a pass, too, what is long goes to disk: or else the disk would wait while a long pass
// goes on, and whoever sent all that for the disk.
// Nothing here waits for a message; everything waits for a position.
import type { Clock } from "../base/clock.ts";
import type { Core } from "../core/core.ts";
import { BLOCK_BYTES } from "../log/blocks.ts";
import { APPENDS_MAX, type Log } from "../log/log.ts";
import type { Seals } from "./seals.ts";

/**
 * Sends are refused when no more can be written than this much of a segment. Receiving and deleting a message
 * adds some 40 bytes to the log, and the smallest message has 40 in it: half lets a whole segment be emptied, which
 * then makes room.
 */
const RESERVE_SHARE = 1 / 2;
/** How soon deadlines that found no room on disk are looked at again. */
const TICK_AGAIN_MS = 20;
const TIMER_MS_MAX = 60_000;
/**
 * So much has come meanwhile that it goes to disk before what has got there is handed out: the disk is the bottleneck.
 * And so much has got there that those who sent it are answered first: they send more while it is handed out.
 */
const AT_ONCE_BYTES = 32 * 1024;
/**
 * So much goes to disk while more is still being read, if nothing else is on its way there: half of what 1,000 messages of 256 bytes
 * are, so that one half is read while the other is written. It is more than the event loop writes itself (log/prompt-writes.ts).
 */
const AMID_BYTES = 152 * 1024;
/**
 * So much is made ready to follow what is on its way there. From one append's end to the next one's beginning goes a part of the
 * loop's pass, and the pool's thread has to be woken: of half as much, a stream published a tenth less a second with 10,000 in
 * flight, a hundred a frame, and an eighth less was published, delivered and acknowledged.
 */
const NEXT_BYTES = 1024 * 1024;
const NEXT_SHARE = 1 / 32; // of a segment, at most
/** An append as long as that is filled up to the end of a block, by half a block on average: the next one need not wait for it. */
const BESIDE_BYTES = AMID_BYTES;
/** With every such part of that, what nobody waits for is done: it takes a turn of the loop, too much for a few messages. */
const TIDY_SHARE = 1 / 8;
/** What nobody waits for goes to disk with what comes in so long a time, or then. */
const UNAWAITED_MS = 4;
const RELEASED_KEPT_MAX = 1024;
const FILLING_BYTES_MAX = 1024 * 1024; // of nothing, at a time

/** What waits for the disk. */
export interface Held {
  /** Called once, when everything up to the position it was held at is on disk. What it throws is told, and keeps nobody else waiting. */
  release(): void;
}

export class Turn {
  readonly #core: Core;
  readonly #log: Log;
  readonly #seals: Seals;
  readonly #clock: Clock;
  readonly #segmentBytes: number;
  readonly #nextBytes: number;
  readonly #onFatal: (error: Error) => void;
  readonly #onFault: (error: unknown) => void;
  /** Hands on what commands and deadlines have decided: the core's effects. */
  readonly #drain: () => void;
  readonly #onWriting: () => void;

  #durable: number;
  #taken: number; // up to here it is on disk, or on its way there
  #appendCount = 0; // under way
  #scheduled = false;
  #isTidying = false;
  #tidiedTo: number; // what had been taken when that was done last
  #stopped = false;
  #failure: Error | undefined; // of the log: nothing gets there any more
  readonly #flushing = new Set<(failure: Error) => void>();
  #held: Held[] = [];
  #heldAt: number[] = []; // the position of each
  #heldFirst = 0;
  #awaitedTo = 0; // the furthest of them, also of those that were released
  #isReleasing = false;
  #afterRelease: (() => void)[] = [];
  /** Commands that found the tail full, oldest first; each says whether it got through. */
  #blocked: (() => boolean)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #againTimer: NodeJS.Timeout | undefined;
  #laterTimer: NodeJS.Timeout | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #marked = 0;
  #writableEnd = -1;

  constructor(parts: {
    core: Core;
    log: Log;
    seals: Seals;
    clock: Clock;
    segmentBytes: number;
    durablePosition: number;
    drain: () => void;
    /** Something is on its way to disk, and this pass over the sockets is done: the time for what nobody waits for. */
    onWriting: () => void;
    onFatal: (error: Error) => void;
    onFault: (error: unknown) => void;
  }) {
    this.#core = parts.core;
    this.#log = parts.log;
    this.#seals = parts.seals;
    this.#clock = parts.clock;
    this.#segmentBytes = parts.segmentBytes;
    this.#nextBytes = Math.min(NEXT_BYTES, parts.segmentBytes * NEXT_SHARE);
    this.#durable = parts.durablePosition;
    this.#taken = parts.durablePosition;
    this.#tidiedTo = parts.durablePosition;
    this.#marked = parts.durablePosition;
    this.#drain = parts.drain;
    this.#onWriting = parts.onWriting;
    this.#onFatal = parts.onFatal;
    this.#onFault = parts.onFault;
    this.#boundLog(); // before anything is written: a start may find a full disk
    this.#log.onSpaceChange = () => this.#schedule(); // whoever waits for room tries again, or is refused
  }

  get durablePosition(): number {
    return this.#durable;
  }

  /** The log's end: what has been decided so far is on disk once this position is. */
  get headPosition(): number {
    return this.#core.headPosition;
  }

  /** Something that the broker cannot go on without has failed; what fails once it is stopping is of no consequence. */
  fail(error: Error): void {
    if (!this.#stopped) this.#onFatal(error);
  }

  // --- commands -------------------------------------------------------------------------------------------------

  /** Runs `attempt` now, or after the commands that wait for room in the tail; it says whether it got through. */
  admit(attempt: () => boolean): void {
    this.#boundLog();
    if (this.#blocked.length > 0 || !attempt()) this.#blocked.push(attempt);
    this.#afterCommand();
  }

  /** True when a command may go into the core at once: it comes after no other. Call ran() behind it. */
  begin(): boolean {
    if (this.#blocked.length > 0) return false;
    this.#boundLog();
    return true;
  }

  /** To be called after commands that did not come through admit(). */
  ran(): void {
    this.#afterCommand();
  }

  /** The same after commands that did nothing but send: until what they sent is on disk it decides nothing, and has no deadline. */
  sent(): void {
    this.#schedule();
  }

  /**
   * Tells the core how far it may write: to the end of the segment that is prepared after the one the log writes to, or
   * to the end of this one. The core may be a segment ahead of the log already.
   */
  #boundLog(): void {
    const { writableEnd } = this.#log;
    if (writableEnd === this.#writableEnd) return;
    this.#writableEnd = writableEnd;
    this.#core.setWritableEnd(writableEnd);
  }

  get #writableBytes(): number {
    return this.#log.writableEnd - this.#core.headPosition;
  }

  /** Whether there is a segment after the one that the core writes to. */
  get #hasNext(): boolean {
    return this.#writableBytes > this.#segmentBytes;
  }

  /** "wait": the next segment is still being prepared, and the rest of this one is what deletes and receives live on. */
  spaceForSends(): "yes" | "wait" | "no" {
    if (this.#writableBytes > this.#segmentBytes * RESERVE_SHARE) return "yes";
    return this.#log.isFull ? "no" : "wait";
  }

  /** Why sends are refused now, undefined while they are taken. */
  get trouble(): string | undefined {
    if (this.#stopped) return "The broker is stopping";
    if (this.spaceForSends() === "no") return "The disk is full: sends are refused until there is room";
    if (!this.#core.hasSendMemory)
      return "The memory for messages is used up: sends are refused until some are deleted";
    return undefined;
  }

  #afterCommand(): void {
    this.#drain();
    this.#schedule();
    this.#armTimer();
  }

  // --- the log --------------------------------------------------------------------------------------------------

  #schedule(): void {
    if (this.#stopped) return;
    const gatheredBytes = this.#core.headPosition - this.#taken;
    const atOnceBytes = this.#appendCount === 0 ? Math.min(AMID_BYTES, this.#nextBytes) : this.#nextBytes;
    if (gatheredBytes >= atOnceBytes && this.#appendCount < APPENDS_MAX) this.#append();
    else if (this.#isAwaited) this.#appendSoon();
    else if (gatheredBytes > 0) this.#appendLater();
  }

  /** Whether anybody waits for something to go to disk. */
  get #isAwaited(): boolean {
    return this.#awaitedTo > this.#taken || this.#blocked.length > 0 || this.#core.isAwaited;
  }

  #appendLater(): void {
    this.#laterTimer ??= setTimeout(() => {
      this.#laterTimer = undefined;
      if (this.#mayAppend) this.#append();
    }, UNAWAITED_MS);
  }

  /** After this pass over the sockets: everything that came in it goes to disk together. */
  #appendSoon(): void {
    if (this.#scheduled || this.#appendCount > 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#mayAppend) this.#append();
    });
  }

  /** Whether what has been gathered is worth a write of its own now, and does not wait for one that is under way. */
  get #mayAppend(): boolean {
    if (this.#appendCount === 0) return true;
    return this.#appendCount < APPENDS_MAX && this.#core.headPosition - this.#taken >= this.#nextBytes;
  }

  #append(): void {
    if (this.#stopped) return;
    if (this.#core.headPosition - this.#taken >= BESIDE_BYTES) this.#core.endBlock(BLOCK_BYTES);
    const extents = this.#core.takeExtents();
    if (extents.length === 0) {
      this.#retryBlocked();
      if (this.#core.headPosition !== this.#taken) this.#schedule(); // some got through
      return;
    }
    const end = this.#core.headPosition;
    this.#taken = end;
    this.#appendCount++;
    let appended: Promise<void>;
    try {
      appended = this.#log.append(this.#seals.sealed(extents));
    } catch (error) {
      appended = Promise.reject(error);
    }
    if (end - this.#tidiedTo >= this.#nextBytes * TIDY_SHARE) this.#tidySoon();
    appended.then(
      () => {
        this.#appendCount--;
        this.#committed(end);
      },
      (error: Error) => {
        if (this.#failure !== undefined) return; // it is the same one
        this.#failure = error;
        this.stop();
        // What was asked gets no answer; whoever waits for the disk alone, to close it, is not to wait for ever.
        for (const fail of this.#flushing) fail(error);
        this.#flushing.clear();
        this.#onFatal(error);
      },
    );
  }

  #tidySoon(): void {
    if (this.#isTidying) return;
    this.#isTidying = true;
    setImmediate(() => {
      this.#isTidying = false;
      if (this.#stopped) return;
      this.#tidiedTo = this.#taken;
      this.#core.prepare();
      this.#onWriting();
    });
  }

  #committed(position: number): void {
    const isMuch = position - this.#durable >= AT_ONCE_BYTES;
    this.#durable = position;
    const nowMs = this.#clock.nowMs();
    this.#boundLog();
    if (this.#core.headPosition - this.#taken >= AT_ONCE_BYTES && this.#mayAppend) this.#append();
    if (isMuch) this.#release();
    if (!this.#core.commit(position, nowMs)) setImmediate(() => this.tick());
    this.#drain();
    if (!isMuch) this.#release();
    this.#retryBlocked();
    if (this.#isAwaited && this.#mayAppend) this.#append();
    else this.#schedule();
    this.#armTimer();
  }

  #retryBlocked(): void {
    this.#boundLog();
    let done = 0;
    while (done < this.#blocked.length && (this.#blocked[done] as () => boolean)()) done++;
    if (done > 0) {
      this.#blocked.splice(0, done);
      this.#drain();
    }
    // Those left are woken by what is on its way to disk, or by the log when there is more to write to.
  }

  /** `held` is released once everything up to `position` is on disk; at once if it is. */
  hold(position: number, held: Held): void {
    if (position <= this.#durable) {
      this.#let(held);
      return;
    }
    this.#held.push(held);
    this.#heldAt.push(position);
    if (position > this.#awaitedTo) this.#awaitedTo = position;
  }

  #let(held: Held): void {
    try {
      held.release();
    } catch (error) {
      this.#onFault(error);
    }
  }

  /** Runs when everybody has been released whom the same commit releases; if there is none just now, soon. */
  afterRelease(run: () => void): void {
    if (this.#isReleasing) this.#afterRelease.push(run);
    else queueMicrotask(run);
  }

  #release(): void {
    this.#isReleasing = true;
    while (this.#heldFirst < this.#held.length) {
      if ((this.#heldAt[this.#heldFirst] as number) > this.#durable) break;
      const held = this.#held[this.#heldFirst] as Held;
      this.#heldFirst++;
      this.#let(held);
    }
    this.#isReleasing = false;
    for (const release of this.#afterRelease.splice(0)) this.#let({ release });
    if (this.#heldFirst === this.#held.length) {
      this.#held.length = 0;
      this.#heldAt.length = 0;
      this.#heldFirst = 0;
    } else if (this.#heldFirst > RELEASED_KEPT_MAX && this.#heldFirst * 2 > this.#held.length) {
      this.#held.splice(0, this.#heldFirst);
      this.#heldAt.splice(0, this.#heldFirst);
      this.#heldFirst = 0;
    }
  }

  /** Resolves when all that was asked so far is on disk; rejects with why it will never be. */
  flushed(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#flushing.add(reject);
      const release = (): void => {
        this.#flushing.delete(reject);
        resolve();
      };
      this.hold(this.#core.headPosition, { release });
      this.#schedule();
    });
  }

  /** A log that has gone quiet gets a last record, so that damage to what came before is never taken for a torn tail. */
  markQuiet(): void {
    if (this.#appendCount > 0 || this.#durable === this.#marked || this.#core.headPosition !== this.#durable) return;
    this.#boundLog();
    if (!this.#core.hasRoom(64)) return;
    this.#core.mark();
    this.#marked = this.#core.headPosition;
    this.#schedule();
  }

  /**
   * Fills the segment being written with nothing, up to its end: what is written next is in another one.
   * Resolves when that is on disk, or there is no other segment to go on in.
   */
  async fillSegment(): Promise<void> {
    const segment = Math.floor(this.#core.headPosition / this.#segmentBytes);
    const sizeBytes = Math.min(FILLING_BYTES_MAX, this.#segmentBytes / 2);
    while (Math.floor(this.#core.headPosition / this.#segmentBytes) === segment && this.#hasNext) {
      this.#boundLog();
      if (this.#core.hasRoom(sizeBytes)) {
        if (!this.#core.fill(sizeBytes)) this.#core.mark();
      } else if (this.#core.headPosition === this.#durable) return;
      await this.flushed();
    }
  }

  // --- time -----------------------------------------------------------------------------------------------------

  tick(): void {
    if (this.#stopped) return;
    this.#boundLog();
    const finished = this.#core.tick(this.#clock.nowMs());
    this.#afterCommand();
    if (!finished) this.#tickAgain();
  }

  /** There is more to do than could be done at once, or than the log has room for. One such tick at a time. */
  #tickAgain(): void {
    if (this.#againTimer !== undefined || this.#stopped) return;
    const again = () => {
      this.#againTimer = undefined;
      this.tick();
    };
    this.#againTimer = setTimeout(again, this.#hasNext ? 1 : TICK_AGAIN_MS);
  }

  /** Ticks when this pass over the sockets is done. */
  soon(): void {
    setImmediate(() => this.tick());
  }

  /** The present; what had come due before it has been done. */
  nowMs(): number {
    const nowMs = this.#clock.nowMs();
    if (this.#core.nextTickMs <= nowMs) {
      this.#core.tick(nowMs);
      this.#drain();
    }
    return nowMs;
  }

  #armTimer(): void {
    const nextMs = this.#core.nextTickMs;
    if (nextMs >= this.#timerAtMs || this.#stopped) return;
    const nowMs = this.#clock.nowMs();
    if (nextMs <= nowMs && this.#againTimer !== undefined) return; // due, and could not be done just now
    clearTimeout(this.#timer);
    this.#timerAtMs = nextMs;
    const waitMs = Math.min(Math.max(Math.ceil(nextMs - nowMs), 0), TIMER_MS_MAX);
    this.#timer = setTimeout(() => {
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.tick();
    }, waitMs);
  }

  /** Nothing is written or timed after this. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#againTimer);
    clearTimeout(this.#laterTimer);
  }
}
