// Chance, which the core does not have: random bytes that the host puts here, taken sixteen at a time as message IDs.
export const IDS_BYTES: u32 = 4096;
const ID_BYTES: u32 = 16;

const pool: usize = memory.data(4096);
let taken: u32 = IDS_BYTES;

// @ts-ignore: decorator
@inline export function idsStart(): usize { return pool; }

/** How many IDs are left; the host refills the pool when a request may need more. */
export function left(): u32 { return (IDS_BYTES - taken) / ID_BYTES; }

/** The whole pool is new. */
export function refilled(): void { taken = 0; }

/** The next one, as a version 4 UUID. left() must have said that there is one. */
export function take(to: usize): void {
  const id = pool + taken;
  taken += ID_BYTES;
  memory.copy(to, id, ID_BYTES);
  store<u8>(to, (load<u8>(to, 6) & 0x0f) | 0x40, 6); // version
  store<u8>(to, (load<u8>(to, 8) & 0x3f) | 0x80, 8); // variant
}
