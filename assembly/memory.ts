// Linear memory, from the bottom up: constants, then fixed regions, then 1 MiB chunks that the slabs take as they grow.
// Nothing is ever given back to the host; a freed cell goes to its slab's free list.
//
//   ┌───────────┬───────┬────────┬──────────┬────────────┬──────────┬───────┬─────────┬─────────┬──
//   │ constants │ input │ output │ log tail │ read cache │ segments │ wheel │ chunk 0 │ chunk 1 │ …
//   └───────────┴───────┴────────┴──────────┴────────────┴──────────┴───────┴─────────┴─────────┴──

export const CHUNK_BYTES: u32 = 1 << 20;
export const INPUT_BYTES: u32 = (2 << 20) + (64 << 10); // a full batch, or a piece of the log to replay
export const OUTPUT_BYTES: u32 = INPUT_BYTES + (64 << 10); // an index of as much log, and results

const PAGES_MAX: i32 = 65536; // as asconfig.json says: all that 32 bits reach

const STEP_PAGES: u32 = 4096;

const COPIED_HERE_MAX: u32 = 1024;

let top: usize = 0;
let endMax: usize = 0;

/** Sets the budget in bytes; reserve() fails beyond it. */
export function open(budgetBytes: f64): void {
  top = (__heap_base + 4095) & ~4095;
  endMax = <usize>budgetBytes;
}

/** Takes zeroed bytes at the top, growing memory when needed. @returns 0 when the budget is used up */
export function reserve(bytes: usize): usize {
  const start = top;
  const end = (start + bytes + 15) & ~15;
  if (end < start || end > endMax) return 0;
  const have = <usize>memory.size() << 16;
  if (end > have) {
    // By 256 MiB: pages that nobody has touched cost nothing, and each step costs the host a whole collection, for which all of
    // this memory is new then.
    const needed = <u32>((end - have + 65535) >> 16);
    const left = min(<u32>((endMax - have + 65535) >> 16), PAGES_MAX - memory.size());
    const pages = max(needed, min(left, STEP_PAGES));
    if (memory.grow(pages) < 0 && memory.grow(needed) < 0) return 0;
  }
  top = end;
  return start;
}

let pool: usize = 0; // chunks that were used for something passing, linked through their first word

/** A zeroed chunk of CHUNK_BYTES; 0 when the budget is used up. */
export function reserveChunk(): usize {
  const chunk = pool;
  if (chunk == 0) return reserve(CHUNK_BYTES);
  pool = load<u32>(chunk);
  memory.fill(chunk, 0, CHUNK_BYTES);
  return chunk;
}

/** Whether the budget has another chunk. */
export function hasChunk(): bool { return pool != 0 || top + CHUNK_BYTES <= endMax; }

/** Gives chunks that lie side by side to those who ask for one next. */
export function poolChunks(start: usize, count: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    const chunk = start + <usize>i * CHUNK_BYTES;
    store<u32>(chunk, <u32>pool);
    pool = chunk;
  }
}

export function usedBytes(): f64 {
  return <f64>top;
}

let input: usize = 0;
let output: usize = 0;

export function openRegions(): void {
  input = reserve(INPUT_BYTES);
  output = reserve(OUTPUT_BYTES);
}

// @ts-ignore: decorator
@inline export function inputStart(): usize { return input; }
// @ts-ignore: decorator
@inline export function outputStart(): usize { return output; }

/**
 * Copies as memory.copy does, for areas that do not overlap: that one is a call of the host, which costs more than most of
 * what is copied here. Long ones leave it at that.
 */
export function copy(to: usize, from: usize, bytes: u32): void {
  if (bytes > COPIED_HERE_MAX) {
    memory.copy(to, from, bytes);
    return;
  }
  if (bytes >= 16) {
    const last = bytes - 16; // the rest overlaps what was copied before
    for (let i: usize = 0; i < last; i += 16) v128.store(to + i, v128.load(from + i));
    v128.store(to + last, v128.load(from + last));
  } else if (bytes >= 8) {
    const rest = load<u64>(from + bytes - 8);
    store<u64>(to, load<u64>(from));
    store<u64>(to + bytes - 8, rest);
  } else if (bytes >= 4) {
    const rest = load<u32>(from + bytes - 4);
    store<u32>(to, load<u32>(from));
    store<u32>(to + bytes - 4, rest);
  } else {
    for (let i: usize = 0; i < bytes; i++) store<u8>(to + i, load<u8>(from + i));
  }
}
