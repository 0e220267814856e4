// Blocks of memory of 256 bytes and every power of two above, for what has no fixed size: rings that grow, and the parts
// of a subscription that do not fit a cell. A block that is given back waits in the list of its size.
import { reserve } from "./memory";

const SMALLEST_SHIFT: u32 = 8;
const CLASSES: u32 = 17; // up to 16 MiB
/** Small blocks are cut from pieces of this size. */
const PIECE_BYTES: u32 = 1 << 16;

let free: usize = 0; // the first block of each class, linked through their first words

export function open(): void {
  free = reserve(CLASSES * 4);
}

// @ts-ignore: decorator
@inline function classOf(bytes: u32): u32 {
  return bytes <= <u32>1 << SMALLEST_SHIFT ? 0 : 32 - clz<u32>(bytes - 1) - SMALLEST_SHIFT;
}

/** How many bytes a block taken for `bytes` has. */
export function sizeOf(bytes: u32): u32 { return <u32>1 << (classOf(bytes) + SMALLEST_SHIFT); }

/** A block of at least `bytes`, its content undefined; 0 when memory is used up. */
export function take(bytes: u32): usize {
  const list = free + (<usize>classOf(bytes) << 2);
  const block = load<u32>(list);
  if (block != 0) {
    store<u32>(list, load<u32>(block));
    return block;
  }
  const size = sizeOf(bytes);
  if (size >= PIECE_BYTES) return reserve(size);
  const piece = reserve(PIECE_BYTES);
  if (piece == 0) return 0;
  for (let next = piece + size; next < piece + PIECE_BYTES; next += size) give(next, size);
  return piece;
}

export function give(block: usize, bytes: u32): void {
  const list = free + (<usize>classOf(bytes) << 2);
  store<u32>(block, load<u32>(list));
  store<u32>(list, <u32>block);
}
