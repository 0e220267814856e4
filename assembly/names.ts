// A few names of queues by their numbers, as the host gave them: what tells receivers of a dead letter where it came from.
// One place for each of 1,024 remainders; a name that is not there is asked for again.
import * as blocks from "./blocks";
import { reserve } from "./memory";

const PLACES: u32 = 1024;
const PLACE_BYTES: u32 = 16; // 0 number 4 address 8 bytes
const NAME_BYTES_MAX: u32 = 256;

let places: usize = 0;
/** Of the name that was found. */
export let bytes: u32 = 0;

export function open(): void {
  places = reserve(PLACES * PLACE_BYTES);
}

// @ts-ignore: decorator
@inline function place(number: u32): usize { return places + <usize>((number & (PLACES - 1)) * PLACE_BYTES); }

/** Where the name is; 0 when it must be given. */
export function find(number: u32): usize {
  const p = place(number);
  if (load<u32>(p) != number || load<u32>(p, 4) == 0) return 0;
  bytes = load<u32>(p, 8);
  return load<u32>(p, 4);
}

/** @returns false when memory is used up */
export function set(number: u32, name: usize, nameBytes: u32): bool {
  const p = place(number);
  if (load<u32>(p, 4) == 0) {
    const block = blocks.take(NAME_BYTES_MAX);
    if (block == 0) return false;
    store<u32>(p, <u32>block, 4);
  }
  const kept = min(nameBytes, NAME_BYTES_MAX);
  memory.copy(load<u32>(p, 4), name, kept);
  store<u32>(p, number);
  store<u32>(p, kept, 8);
  return true;
}
