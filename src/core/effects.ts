// What the core has decided for those who receive: one effect a receive (assembly/deliver.ts draws its layout).
import type { CoreMemory } from "./core-memory.ts";
import type { CoreExports } from "./exports.ts";

const EFFECT_BYTES = 16;
const DELIVERY_BYTES = 64;
const NOT_TAKEN = 0xffff_ffff;

/** One message handed out. Its record is asked for by its place: it may have to be loaded first. */
export interface Delivery {
  readonly position: number;
  readonly recordBytes: number;
  readonly slot: number;
  readonly generation: number;
  readonly receiveCount: number;
  readonly sequence: number;
  readonly sentMs: number;
  readonly firstReceivedMs: number;
  readonly sourceNumber: number;
  readonly moved: boolean;
  readonly reissues: number; // how often a task has moved it
}

/** What was handed out to one receive, as the core has it. */
export interface KeptDeliveries {
  readonly bytes: Uint8Array;
  readonly wanted: number;
}

export function readDelivery(bytes: Buffer, at: number): Delivery {
  return {
    position: bytes.readDoubleLE(at),
    recordBytes: bytes.readUInt32LE(at + 8),
    slot: bytes.readUInt32LE(at + 12),
    generation: bytes.readUInt32LE(at + 16),
    receiveCount: bytes.readUInt32LE(at + 20),
    sequence: bytes.readDoubleLE(at + 24),
    sentMs: bytes.readDoubleLE(at + 32),
    firstReceivedMs: bytes.readDoubleLE(at + 40),
    sourceNumber: bytes.readUInt32LE(at + 48),
    moved: bytes.readUInt32LE(at + 52) !== 0,
    reissues: bytes.readUInt32LE(at + 60),
  };
}

/** The effect that drain() is at. Everything of it is read where it lies, and only while drain's callback runs. */
export class Effects {
  readonly #wasm: CoreExports;
  readonly #memory: CoreMemory;
  readonly #input: number;
  readonly #output: number;
  readonly #reply: number;
  #at = 0;

  /** The receive it answers. */
  token = 0;
  /** Messages; -1: the queue is no more. */
  count = 0;
  /** The position that must be on disk before the answer leaves, 0: none. */
  waitPosition = 0;

  constructor(wasm: CoreExports, memory: CoreMemory) {
    this.#wasm = wasm;
    this.#memory = memory;
    this.#input = wasm.inputStart();
    this.#output = wasm.outputStart();
    this.#reply = wasm.replyStart();
  }

  /** Calls `each` for every effect since the last call; it must not ask anything of the core but what is below. */
  drain(each: () => void): void {
    const start = this.#wasm.effectsStart();
    const end = this.#output + this.#wasm.effectsEnd();
    this.#at = this.#output + start;
    if (this.#at === end) return;
    while (this.#at < end) {
      const { bytes, words } = this.#memory;
      const word = this.#at >> 2;
      this.token = words[word] as number;
      this.count = (words[word + 1] as number) | 0;
      this.waitPosition = bytes.readDoubleLE(this.#at + 8);
      each();
      this.#at += EFFECT_BYTES + Math.max(this.count, 0) * DELIVERY_BYTES;
    }
    this.#wasm.clearEffects();
  }

  /** The messages, as objects that are the caller's. */
  deliveries(): Delivery[] {
    const { bytes } = this.#memory;
    const deliveries: Delivery[] = [];
    for (let i = 0; i < this.count; i++) {
      deliveries.push(readDelivery(bytes, this.#at + EFFECT_BYTES + i * DELIVERY_BYTES));
    }
    return deliveries;
  }

  /** What compose() is given, for composeKept(). */
  kept(wanted: number): KeptDeliveries {
    const start = this.#at + EFFECT_BYTES;
    const end = start + this.count * DELIVERY_BYTES;
    return { bytes: Uint8Array.prototype.slice.call(this.#memory.bytes, start, end), wanted };
  }

  /**
   * The whole answer to a ReceiveMessage in AWS JSON, composed inside the core: a view, valid until the core is asked
   * anything else. @param wanted what Requests.parseReceive read of the attributes. @returns undefined when a record is
   * not in memory, or the answer is one that the core does not compose
   */
  compose(queue: number, wanted: number): Buffer | undefined {
    return this.#compose(queue, this.#at + EFFECT_BYTES, this.count, wanted);
  }

  /** The same of messages whose effect is over: their records were not in memory then. */
  composeKept(queue: number, { bytes, wanted }: KeptDeliveries): Buffer | undefined {
    this.#memory.bytes.set(bytes, this.#input);
    return this.#compose(queue, this.#input, bytes.byteLength / DELIVERY_BYTES, wanted);
  }

  #compose(queue: number, deliveries: number, count: number, wanted: number): Buffer | undefined {
    const size = this.#wasm.composeReceived(queue, deliveries, count, wanted) >>> 0;
    if (size === NOT_TAKEN) return undefined;
    return this.#memory.bytes.subarray(this.#reply, this.#reply + size);
  }
}
