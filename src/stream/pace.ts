// How much is done for one client before others have their turn. A frame can have a million requests in it: beyond what one
// pass over the sockets has room for they wait, connection by connection, and go on in turn.
//
//   units: about half a microsecond each, of a request and of what it names

import {
  STREAM_BACKLOG_BYTES_MAX,
  STREAM_BACKLOG_BYTES_SMALL,
  STREAM_BACKLOGS_BYTES_MAX,
  STREAM_PASS_FRAMES_MAX,
  STREAM_PASS_FRAMES_SMALL,
  STREAM_PASSES_FRAMES_MAX,
} from "../limits.ts";

/** Of one pass: what comes in it, and again what has been waiting. */
const PASS_UNITS = 8_000;
/** Everybody who waits gets so much of a pass, whatever the others want. */
const SHARE_UNITS = 256;
/** Below it nobody counts passes: no timer for a client of ordinary size. */
const SMALL_UNITS = PASS_UNITS / 8;
/** What a WebSocket message costs, or a ping, whatever is in it. */
const FRAME_UNITS = 1;

export interface Paced {
  /** Of what waits. */
  readonly backlogBytes: number;
  /** Does some of what waits, until mayGoOn() is false. @returns whether anything is left */
  goOn(): boolean;
}

/** How many frames of a connection have come, in the pass in which the last one came. */
export interface FrameCount {
  pass: number;
  count: number;
}

export class Pace {
  #leftUnits = PASS_UNITS;
  #pass = 0;
  #frameCount = 0; // of all connections, in this pass
  /** In the order in which they have their turn. */
  readonly #waiting = new Set<Paced>();
  #waitingBytes = 0;
  #isScheduled = false;

  /** Whether there is room for more in this pass, or in this share of it. */
  get mayGoOn(): boolean {
    return this.#leftUnits > 0;
  }

  spend(units: number): void {
    this.#leftUnits -= units;
    if (this.#leftUnits < PASS_UNITS - SMALL_UNITS) this.#schedule();
  }

  /**
   * A frame has come. The socket library hands over all that a socket has before it looks at another one, and there is no
   * stopping it but by the connection's end. @returns false when there are too many
   */
  frame(counted: FrameCount): boolean {
    if (counted.pass !== this.#pass) {
      counted.pass = this.#pass;
      counted.count = 0;
    }
    counted.count++;
    this.#frameCount++;
    this.spend(FRAME_UNITS);
    if (this.#frameCount > STREAM_PASSES_FRAMES_MAX) return counted.count <= STREAM_PASS_FRAMES_SMALL;
    return counted.count <= STREAM_PASS_FRAMES_MAX;
  }

  /** So much more waits to be gone on with, counted in its backlogBytes already. @returns false when it is too much */
  wait(paced: Paced, sizeBytes: number): boolean {
    this.#waitingBytes += sizeBytes;
    this.#waiting.add(paced);
    this.#schedule();
    const { backlogBytes } = paced;
    if (this.#waitingBytes > STREAM_BACKLOGS_BYTES_MAX && backlogBytes > STREAM_BACKLOG_BYTES_SMALL) return false;
    return backlogBytes <= STREAM_BACKLOG_BYTES_MAX;
  }

  /** So much of what waited has been done, or never will be. */
  waited(sizeBytes: number): void {
    this.#waitingBytes -= sizeBytes;
  }

  leave(paced: Paced): void {
    this.#waiting.delete(paced);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#pass++;
      this.#frameCount = 0;
      this.#round();
      this.#leftUnits = PASS_UNITS;
      if (this.#waiting.size > 0) this.#schedule();
    });
  }

  #round(): void {
    const shareUnits = Math.max(PASS_UNITS / Math.max(this.#waiting.size, 1), SHARE_UNITS);
    let passUnits = PASS_UNITS;
    for (const paced of [...this.#waiting]) {
      if (passUnits <= 0) return;
      this.#leftUnits = shareUnits;
      this.#waiting.delete(paced);
      if (paced.goOn()) this.#waiting.add(paced); // behind the others
      passUnits -= shareUnits - this.#leftUnits;
    }
  }
}
