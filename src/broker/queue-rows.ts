// What is known of queues that nobody looks at, by their index in the core: columns instead of an object each. Blocks of
// them, so that none is ever copied to grow.

import { pages } from "../base/pages.ts";

const BLOCK_BITS = 13;
const BLOCK_COUNT = 1 << BLOCK_BITS;
const IN_BLOCK = BLOCK_COUNT - 1;

export interface QueueRow {
  readonly number: number; // lasts as long as the queue
  readonly coreNumber: number; // lasts until a purge
  readonly createdMs: number;
  readonly namespaceId: number;
  readonly settingsId: number;
}

interface Block {
  readonly numbers: Uint32Array;
  readonly coreNumbers: Uint32Array;
  readonly createdMs: Float64Array;
  readonly namespaceIds: Uint32Array;
  readonly settingsIds: Uint16Array;
}

/** The columns side by side in one buffer, the widest first. */
function emptyBlock(): Block {
  const buffer = pages(BLOCK_COUNT * (8 + 4 + 4 + 4 + 2));
  return {
    createdMs: new Float64Array(buffer, 0, BLOCK_COUNT),
    numbers: new Uint32Array(buffer, BLOCK_COUNT * 8, BLOCK_COUNT),
    coreNumbers: new Uint32Array(buffer, BLOCK_COUNT * 12, BLOCK_COUNT),
    namespaceIds: new Uint32Array(buffer, BLOCK_COUNT * 16, BLOCK_COUNT),
    settingsIds: new Uint16Array(buffer, BLOCK_COUNT * 20, BLOCK_COUNT),
  };
}

export class QueueRows {
  readonly #blocks: (Block | undefined)[] = [];

  set(index: number, row: QueueRow): void {
    const at = index & IN_BLOCK;
    const number = index >>> BLOCK_BITS;
    while (this.#blocks.length <= number) this.#blocks.push(undefined);
    let block = this.#blocks[number];
    if (block === undefined) {
      block = emptyBlock();
      this.#blocks[number] = block;
    }
    block.numbers[at] = row.number;
    block.coreNumbers[at] = row.coreNumber;
    block.createdMs[at] = row.createdMs;
    block.namespaceIds[at] = row.namespaceId;
    block.settingsIds[at] = row.settingsId;
  }

  number(index: number): number {
    return this.#blocks[index >>> BLOCK_BITS]?.numbers[index & IN_BLOCK] ?? 0;
  }
  coreNumber(index: number): number {
    return this.#blocks[index >>> BLOCK_BITS]?.coreNumbers[index & IN_BLOCK] ?? 0;
  }
  createdMs(index: number): number {
    return this.#blocks[index >>> BLOCK_BITS]?.createdMs[index & IN_BLOCK] ?? 0;
  }
  namespaceId(index: number): number {
    return this.#blocks[index >>> BLOCK_BITS]?.namespaceIds[index & IN_BLOCK] ?? 0;
  }
  settingsId(index: number): number {
    return this.#blocks[index >>> BLOCK_BITS]?.settingsIds[index & IN_BLOCK] ?? 0;
  }
}
