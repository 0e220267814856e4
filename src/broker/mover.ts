// Gives move tasks their turns: a piece, and the next one when it is on disk and requests have been served in between.
import type { Core } from "../core/core.ts";
import type { Moves } from "./moves.ts";
import type { QueueEntry } from "./queue-entry.ts";
import type { Turn } from "./turn.ts";

const TIMER_MS_MAX = 60_000;
/** How soon it looks again for room on a full disk: what deletes and receives live on is not for moves. */
const SPACE_RETRY_MS = 100;

export class Mover {
  readonly #core: Core;
  readonly #turn: Turn;
  readonly #moves: Moves<QueueEntry>;
  #timer: NodeJS.Timeout | undefined;
  #underWay = false; // a piece is in the turn, or on its way to disk
  #stopped = false;

  constructor(core: Core, turn: Turn, moves: Moves<QueueEntry>) {
    this.#core = core;
    this.#turn = turn;
    this.#moves = moves;
  }

  /** To be called when there may be something to do earlier than before. */
  wake(): void {
    if (this.#underWay || this.#stopped) return;
    clearTimeout(this.#timer);
    const waitMs = this.#moves.nextMs - this.#turn.nowMs();
    if (waitMs === Number.POSITIVE_INFINITY) return;
    if (waitMs > 0) this.#wakeIn(Math.min(Math.ceil(waitMs), TIMER_MS_MAX));
    else if (this.#turn.spaceForSends() !== "yes") this.#wakeIn(SPACE_RETRY_MS);
    else this.#piece();
  }

  #wakeIn(ms: number): void {
    this.#timer = setTimeout(() => this.wake(), ms);
  }

  #piece(): void {
    this.#underWay = true;
    const release = (): void => {
      setImmediate(() => {
        this.#underWay = false;
        this.wake();
      });
    };
    this.#turn.admit(() => {
      this.#moves.run(this.#turn.nowMs());
      this.#turn.hold(this.#core.headPosition, { release });
      return true;
    });
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}
