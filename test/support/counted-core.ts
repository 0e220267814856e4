// The core, made to count what it does: every call of a function and every round of a loop is a step. A count says what
// an operation costs whatever the machine is doing meanwhile, and is the same at every run.
import { readFileSync } from "node:fs";
import binaryen from "binaryen";
import { assert } from "../../src/base/assert.ts";
import { Core, QUEUE_FLAG, RECEIVE, SEND } from "../../src/core/core.ts";
import type { Delivery } from "../../src/core/effects.ts";

const MiB = 1024 * 1024;
const START_MS = 1_800_000_000_000;
const BATCH_COUNT_MAX = 10;
const NO_LIMIT = 0xffff_ffff;

/** The compiled core, in which the count of steps has taken the place of the size of its memory. */
function countingModule(): WebAssembly.Module {
  const module = binaryen.readBinary(readFileSync(new URL("../../build/out/core.wasm", import.meta.url)));
  module.setFeatures(binaryen.Features.All);
  module.runPasses(["log-execution"]); // calls an imported function at every step
  module.removeFunction("log_execution");
  module.addGlobal("steps", binaryen.f64, true, module.f64.const(0));
  const steps = module.global.get("steps", binaryen.f64);
  const next = module.f64.add(steps, module.f64.const(1));
  module.addFunction("log_execution", binaryen.i32, binaryen.none, [], module.global.set("steps", next));
  module.addFunction("steps", binaryen.none, binaryen.f64, [], module.global.get("steps", binaryen.f64));
  module.removeExport("usedBytes");
  module.addFunctionExport("steps", "usedBytes");
  const bytes = module.emitBinary();
  module.dispose();
  return new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>);
}

const MODULE = countingModule();

/** One queue, number 1, whose log goes nowhere. */
export class CountedCore {
  readonly #core: Core;
  readonly #fifo: boolean;
  nowMs = START_MS;
  #nextMessage = 1;
  #subscription = 0;

  constructor(fifo: boolean) {
    this.#fifo = fifo;
    const sizes = {
      budgetBytes: 1024 * MiB,
      tailBytes: 16 * MiB,
      cacheBytes: 4 * MiB,
      segmentBytes: 4 * MiB,
      segmentHeaderBytes: 4096,
    };
    this.#core = Core.load(MODULE, sizes);
    this.#core.beginReplay(START_MS);
    assert(this.#core.finishReplay(START_MS, sizes.segmentHeaderBytes), "an empty log replays");
    assert(this.#core.openQueue(1) === 1, "the first queue has index 1");
    this.#core.setQueue(1, {
      flags: fifo ? QUEUE_FLAG.fifo : 0,
      delayMs: 0,
      retentionMs: 345_600_000,
      receiveMax: 0,
      deadLetters: 0,
      sourceNumber: 1,
      inFlightMax: NO_LIMIT,
      messageBytesMax: MiB,
    });
  }

  #commit(): void {
    this.#core.takeExtents();
    this.#core.commit(this.#core.headPosition, this.nowMs);
  }

  /** Sends `count` small messages; `groupOf` gives each its group. */
  send(count: number, groupOf: (i: number) => string | undefined): void {
    const id = Buffer.alloc(16);
    const digest = (): never => {
      throw new Error("small bodies are digested in the core");
    };
    for (let i = 0; i < count; i += BATCH_COUNT_MAX) {
      this.#core.beginSend();
      for (let k = i; k < Math.min(i + BATCH_COUNT_MAX, count); k++) {
        id.writeUInt32LE(this.#nextMessage++);
        const deduplicationId = this.#fifo ? String(this.#nextMessage).padStart(8, "0") : undefined;
        this.#core.addMessage(
          "x",
          undefined,
          groupOf(k),
          deduplicationId,
          "s",
          undefined,
          undefined,
          id,
          0,
          digest,
          false,
        );
      }
      assert(this.#core.send(1, this.nowMs) === SEND.ok, "the core has room");
      this.#commit();
    }
  }

  /** Receives up to `countMax` messages and, with `deletes`, deletes them. @returns how many */
  receive(countMax: number, deletes: boolean): number {
    const code = this.#core.receive(1, countMax, 30_000, 0, 1, undefined, this.nowMs);
    assert(code === 0 || code === RECEIVE.none, "the core has room");
    const { effects } = this.#core;
    let handles: Delivery[] = [];
    effects.drain(() => {
      handles = effects.deliveries();
    });
    if (deletes && handles.length > 0) this.#core.delete(1, handles, this.nowMs);
    this.#commit();
    return handles.length;
  }

  /** Somebody whom messages are pushed to: as many of a group at a time. */
  subscribe(groupInFlight: number): void {
    const streams = this.#core.streams();
    this.#subscription = streams.open(1, 1, {
      clientId: 1,
      visibilityMs: 30_000,
      processingMs: 3_600_000,
      batchMessages: 100,
      lingerMs: 0,
      fields: 0,
      groupInFlight,
    });
    streams.setCredit(this.#subscription, 100_000, 1_000_000_000, 0, true);
    this.#push();
  }

  #push(): void {
    const streams = this.#core.streams();
    let before: number;
    do {
      before = this.#core.headPosition;
      streams.serve(this.nowMs);
      this.#commit();
      while (streams.next() !== 0) while (streams.compose(this.#subscription, this.nowMs).status !== "nothing");
    } while (this.#core.headPosition !== before);
  }

  /** Gives back the newest but so many of what is out, and is pushed it again. */
  nack(place: number): void {
    const streams = this.#core.streams();
    const number = streams.lastDelivery(this.#subscription) + 1 - place;
    const result = streams.settle(this.#subscription, "nack", [{ first: number, last: number }], 0, this.nowMs);
    assert(result?.count === 1, "it was out");
    this.#push();
  }

  get noisyGroupCount(): number {
    return this.#core.quietGroups(1).noisyGroupCount;
  }

  /** Visible messages of groups that are not noisy. */
  get quietVisible(): number {
    return this.#core.quietGroups(1).visible;
  }

  /** Steps that `work` takes. */
  steps(work: () => void): number {
    const before = this.#core.usedBytes;
    work();
    return this.#core.usedBytes - before;
  }
}
