import type { CoreExports } from "./exports.ts";

/** The core's linear memory. Growing it detaches every view, so views are asked for here each time, and not kept. */
export class CoreMemory {
  readonly #wasm: CoreExports;
  #bytes: Buffer;
  #words: Uint32Array;

  constructor(wasm: CoreExports) {
    this.#wasm = wasm;
    this.#bytes = Buffer.from(wasm.memory.buffer);
    this.#words = new Uint32Array(wasm.memory.buffer);
  }

  get bytes(): Buffer {
    if (this.#bytes.byteLength === 0) this.#renew(); // it is detached: to ask the memory itself costs more
    return this.#bytes;
  }

  get words(): Uint32Array {
    if (this.#words.byteLength === 0) this.#renew();
    return this.#words;
  }

  #renew(): void {
    this.#bytes = Buffer.from(this.#wasm.memory.buffer);
    this.#words = new Uint32Array(this.#wasm.memory.buffer);
  }
}
