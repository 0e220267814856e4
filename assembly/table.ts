// A hash table of cells by (queue index, 16-byte key), which grows by one bucket at an insertion (linear hashing), so
// that no operation ever pays for rehashing everything. Chained through the cells.
//
//   cell: 8 key (16 bytes) · 24 queue index · 28 next in the bucket
//   table: 0 bucket chunks (an address each, 1 MiB of u32) · BUCKETS bucket count · ENTRIES entry count
//
// With n = 2^k + s buckets, hash h belongs to h % 2^(k+1) if that is below n, else to h % 2^k.
import { CHUNK_BYTES, reserve, reserveChunk } from "./memory";
import { at, NONE } from "./slab";

const CHUNK_BUCKETS: u32 = CHUNK_BYTES / 4;
const CHUNKS: usize = 256;
const BUCKETS: usize = CHUNKS * 4;
const ENTRIES: usize = BUCKETS + 4;
export const TABLE_BYTES: usize = ENTRIES + 4;
const KEY: usize = 8;
const QUEUE: usize = 24;
const NEXT: usize = 28;
const FIRST_BUCKETS: u32 = 1024;

export function open(): usize {
  const table = reserve(TABLE_BYTES);
  const chunk = reserveChunk();
  if (table == 0 || chunk == 0) return 0;
  store<u32>(table, <u32>chunk);
  store<u32>(table, FIRST_BUCKETS, BUCKETS);
  return table;
}

// @ts-ignore: decorator
@inline function hash(queue: u32, key: usize): u32 { return load<u32>(key) ^ (queue * 0x9e3779b1); }

function bucketOf(table: usize, h: u32): usize {
  const count = load<u32>(table, BUCKETS);
  const top: u32 = 1 << (31 - clz<u32>(count));
  let bucket = h & ((top << 1) - 1);
  if (bucket >= count) bucket = h & (top - 1);
  return address(table, bucket);
}

// @ts-ignore: decorator
@inline function address(table: usize, bucket: u32): usize {
  return <usize>load<u32>(table + ((<usize>bucket >> 18) << 2)) + ((<usize>bucket & (CHUNK_BUCKETS - 1)) << 2);
}

export function find(table: usize, queue: u32, key: usize): u32 {
  const low = load<u64>(key);
  const high = load<u64>(key, 8);
  let cell = load<u32>(bucketOf(table, hash(queue, key)));
  while (cell != NONE) {
    const p = at(cell);
    if (load<u64>(p, KEY) == low && load<u64>(p, KEY + 8) == high && load<u32>(p, QUEUE) == queue) return cell;
    cell = load<u32>(p, NEXT);
  }
  return NONE;
}

/** The cell has its key and queue already, and is not in the table. */
export function insert(table: usize, cell: u32): void {
  const p = at(cell);
  const bucket = bucketOf(table, hash(load<u32>(p, QUEUE), p + KEY));
  store<u32>(p, load<u32>(bucket), NEXT);
  store<u32>(bucket, cell);
  const entries = load<u32>(table, ENTRIES) + 1;
  store<u32>(table, entries, ENTRIES);
  if (entries > load<u32>(table, BUCKETS)) grow(table);
}

function grow(table: usize): void {
  const count = load<u32>(table, BUCKETS);
  const slot = table + ((<usize>count >> 18) << 2);
  if ((<usize>count >> 18) >= CHUNKS) return;
  if (load<u32>(slot) == 0) {
    const chunk = reserveChunk();
    if (chunk == 0) return; // longer chains, nothing worse
    store<u32>(slot, <u32>chunk);
  }
  store<u32>(table, count + 1, BUCKETS);
  const from = address(table, count - (<u32>1 << (31 - clz<u32>(count))));
  let cell = load<u32>(from);
  store<u32>(from, NONE);
  store<u32>(address(table, count), NONE);
  while (cell != NONE) {
    const p = at(cell);
    const next = load<u32>(p, NEXT);
    const bucket = bucketOf(table, hash(load<u32>(p, QUEUE), p + KEY));
    store<u32>(p, load<u32>(bucket), NEXT);
    store<u32>(bucket, cell);
    cell = next;
  }
}

export function remove(table: usize, cell: u32): void {
  const p = at(cell);
  let link = bucketOf(table, hash(load<u32>(p, QUEUE), p + KEY));
  while (true) {
    const other = load<u32>(link);
    if (other == NONE) return;
    if (other == cell) break;
    link = at(other) + NEXT;
  }
  store<u32>(link, load<u32>(p, NEXT));
  store<u32>(table, load<u32>(table, ENTRIES) - 1, ENTRIES);
}
