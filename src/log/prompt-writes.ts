// Whether a small write is done sooner where it is asked for than on the thread pool.
//
// A write on the pool wakes a thread, which wakes the event loop when it is done: 0.03 to 0.05 ms of a write of 0.14 on an idle
// machine, and more where others want the processors. So a small write that nothing is under way beside is
// made by the event loop itself, which stands still meanwhile. That is for disks that are quick, and is found out by doing
// it: one that is not is tried again later and later. Where writes are large there is enough to do while they go on.
//
// Measured up to which size it pays, with zeros ahead (zeros.ts), 256 bytes, streams with 1,000 in flight, ten in a frame: of up
// to 192 KiB instead of 64 a message published took a tenth less of the processors' time, and one published, delivered and
// acknowledged an eighth, as many a second or a few more; over HTTP 158,000 a second instead of 133,000. From 256 KiB on, with
// all that the window holds, those who publish wait where they went on before: 730,000 a second instead of 920,000. Up to 128 KiB
// since appends are written beside one another: a window's two halves, of 150 KiB, go on the pool while the loop reads on,
// 1,003,000 a second and 1,069,000; over HTTP as many as with 192.

const SMALL_BYTES = 128 * 1024;
const PROMPT_MS_MAX = 0.5; // at the mean
const MEAN_OF_MS = 16;
const MEAN_OF_BYTES = 8;
const PAUSE_WRITES_MIN = 16;
const PAUSE_WRITES_MAX = 4096;
const TRUSTED_WRITES = 256; // so many prompt ones, and what was slow before is forgotten

export class PromptWrites {
  #underWay = 0; // on the thread pool
  #meanBytes = 0; // of all writes
  #meanMs = 0; // of those that were made at once
  #pausedWrites = 0; // still to come, before it is tried again
  #pauseWrites = PAUSE_WRITES_MIN; // how many it will be the next time
  #promptWrites = 0; // since the last pause

  /** To be asked of each write, once. @returns whether it is to be made at once; then tell took() */
  admits(sizeBytes: number): boolean {
    this.#meanBytes += (sizeBytes - this.#meanBytes) / MEAN_OF_BYTES;
    if (this.#underWay > 0 || sizeBytes > SMALL_BYTES || this.#meanBytes > SMALL_BYTES) return false;
    if (this.#pausedWrites === 0) return true;
    this.#pausedWrites--;
    return false;
  }

  /** One that was made at once took so long. */
  took(ms: number): void {
    this.#meanMs += (ms - this.#meanMs) / MEAN_OF_MS;
    if (this.#meanMs <= PROMPT_MS_MAX) {
      if (++this.#promptWrites === TRUSTED_WRITES) this.#pauseWrites = PAUSE_WRITES_MIN;
      return;
    }
    this.#pausedWrites = this.#pauseWrites;
    this.#pauseWrites = Math.min(2 * this.#pauseWrites, PAUSE_WRITES_MAX);
    this.#promptWrites = 0;
    this.#meanMs = PROMPT_MS_MAX / 2; // the next one shows
  }

  /** Another one goes to the thread pool. */
  began(): void {
    this.#underWay++;
  }

  ended(): void {
    this.#underWay--;
  }
}
