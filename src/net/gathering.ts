// Bodies that come in more than one piece. Each has one buffer: a list of chunks would cost a sender of single bytes
// little and us a lot. All of them share a budget, counted in the capacity of their buffers.

/** What a buffer begins with: it doubles from here, so that a declared size alone costs nothing. */
const CAPACITY_BYTES_MIN = 16 * 1024;

export class GatheringBudget {
  readonly bytesMax: number;
  bytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }
}

export class Gathering {
  readonly #budget: GatheringBudget;
  readonly #declaredBytes: number; // 0: unknown
  #buffer: Buffer = Buffer.alloc(0);
  #sizeBytes = 0;

  constructor(budget: GatheringBudget, declaredBytes: number) {
    this.#budget = budget;
    this.#declaredBytes = declaredBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** What is here so far; a view. */
  get body(): Buffer {
    return this.#buffer.subarray(0, this.#sizeBytes);
  }

  /** Copies the piece. @returns false when the budget has no room for it */
  add(piece: Uint8Array): boolean {
    const sizeBytes = this.#sizeBytes + piece.byteLength;
    if (sizeBytes > this.#buffer.byteLength && !this.#grow(sizeBytes)) return false;
    this.#buffer.set(piece, this.#sizeBytes);
    this.#sizeBytes = sizeBytes;
    return true;
  }

  #grow(sizeBytes: number): boolean {
    let capacityBytes = CAPACITY_BYTES_MIN;
    while (capacityBytes < sizeBytes) capacityBytes *= 2;
    if (this.#declaredBytes >= sizeBytes) capacityBytes = Math.min(capacityBytes, this.#declaredBytes);
    // Both buffers are there while the one is copied to the other.
    if (this.#budget.bytes + capacityBytes > this.#budget.bytesMax) return false;
    const buffer = Buffer.allocUnsafeSlow(capacityBytes);
    this.#buffer.copy(buffer, 0, 0, this.#sizeBytes);
    this.#budget.bytes += capacityBytes - this.#buffer.byteLength;
    this.#buffer = buffer;
    return true;
  }

  /** Gives the room back; what `body` has given out stays readable. */
  letGo(): void {
    this.#budget.bytes -= this.#buffer.byteLength;
    this.#buffer = Buffer.alloc(0);
  }
}
