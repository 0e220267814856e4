// Looks at a queue's messages that change nothing (assembly/peek.ts): pages of rows, and where the next one goes on.
import { assert } from "../base/assert.ts";
import type { CoreMemory } from "./core-memory.ts";
import { type Delivery, readDelivery } from "./effects.ts";
import type { CoreExports } from "./exports.ts";

const PEEK_ROW_BYTES = 64;
const PEEK_LOST = 0xffff_ffff;
/** By the core's number for it (assembly/state.ts). */
const PLACES: readonly (PeekedRow["place"] | undefined)[] = [undefined, undefined, "visible", "inFlight", "delayed"];

/** One message looked at. */
export interface PeekedRow extends Delivery {
  readonly place: "visible" | "inFlight" | "delayed";
}

/** Where a look at a queue goes on. */
export interface PeekPlace {
  readonly slot: number;
  readonly generation: number; // 0 among the hidden ones, whose place is a slot and no message
}

export interface PeekPage {
  readonly rows: readonly PeekedRow[];
  readonly next: PeekPlace | undefined; // undefined: that was all
  readonly isFull: boolean; // what stands at `next` did not fit; otherwise there has only been enough looking
}

export class Peeks {
  readonly #wasm: CoreExports;
  readonly #memory: CoreMemory;
  readonly #output: number;

  constructor(wasm: CoreExports, memory: CoreMemory) {
    this.#wasm = wasm;
    this.#memory = memory;
    this.#output = wasm.outputStart();
  }

  #peeked(count: number): PeekedRow[] {
    const { bytes } = this.#memory;
    const rows: PeekedRow[] = [];
    let at = this.#output + this.#wasm.peekRowsStart();
    for (let i = 0; i < count; i++, at += PEEK_ROW_BYTES) {
      const place = PLACES[bytes.readUInt8(at + 52)];
      assert(place !== undefined, "a message is in a known place");
      rows.push({ ...readDelivery(bytes, at), moved: bytes.readUInt8(at + 53) !== 0, place });
    }
    return rows;
  }

  #peekPage(count: number): PeekPage {
    const slot = this.#wasm.peekNextSlot() >>> 0;
    const next = slot === 0 ? undefined : { slot, generation: this.#wasm.peekNextGeneration() >>> 0 };
    return { rows: this.#peeked(count), next, isFull: this.#wasm.peekIsFull() !== 0 };
  }

  /**
   * What can be received, in the order in which it would be, up to `countMax` messages with records of `bytesMax` together.
   * @returns undefined when the message at `from` is none of these any more
   */
  visible(
    queue: number,
    from: PeekPlace | undefined,
    countMax: number,
    bytesMax: number,
    nowMs: number,
  ): PeekPage | undefined {
    const { slot, generation } = from ?? { slot: 0, generation: 0 };
    const count = this.#wasm.peekVisible(queue, slot, generation, countMax, bytesMax, nowMs) >>> 0;
    return count === PEEK_LOST ? undefined : this.#peekPage(count);
  }

  /** What cannot be received now, in the order of slots. May stop early, to be asked again from `next` on. */
  hidden(
    queue: number,
    from: PeekPlace | undefined,
    what: "held" | "delayed",
    countMax: number,
    bytesMax: number,
    nowMs: number,
  ): PeekPage {
    const bits = what === "held" ? 1 : 2;
    return this.#peekPage(this.#wasm.peekHidden(queue, from?.slot ?? 1, bits, countMax, bytesMax, nowMs) >>> 0);
  }

  /** The message as it is now; undefined when it has left the queue. */
  one(queue: number, place: PeekPlace): PeekedRow | undefined {
    return this.#peeked(this.#wasm.peekOne(queue, place.slot, place.generation))[0];
  }
}
