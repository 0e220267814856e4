// What is written past the system's cache is whole blocks, from memory that begins where a block could.
//
//   on disk      │ block   │ block   │ block   │
//   before       ├─ records ─┐ zeros │
//   an append              └─ records ─────┐
//   is written             │ block   │ block ▒▒│   what stood in its first block once more, and zeros behind its end
//
// Past the cache, for who writes a log does not read it soon: a page of the cache for each page of it costs a copy and, on a
// virtual machine, memory that its host may have yet to find. Measured there, in holes: 300 MB/s through the cache, 1,300 past
// it, half a MiB at a time.

/** As much as any disk or file system asks for that is in use; so a segment's header fills one. */
export const BLOCK_BYTES = 4096;

const PAGE_BYTES = 64 * 1024; // of WebAssembly

export const blockFloor = (bytes: number): number => bytes - (bytes % BLOCK_BYTES);
export const blockCeil = (bytes: number): number => blockFloor(bytes + BLOCK_BYTES - 1);

/**
 * At least so many bytes, zeros at first. Where an ArrayBuffer begins nobody says; WebAssembly's memory begins with a page of the
 * system's, for it is mapped.
 */
export function alignedBytes(sizeBytes: number): Uint8Array {
  const pages = Math.ceil(sizeBytes / PAGE_BYTES);
  return new Uint8Array(new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer);
}

const KEPT_MAX = 4;
const KEPT_BYTES_MAX = 4 * 1024 * 1024; // each
const kept: Uint8Array[] = [];

/** At least so many bytes, of whatever; to be given to keepAligned() when nothing uses them any more. */
export function takeAligned(sizeBytes: number): Uint8Array {
  const place = kept.findIndex(({ byteLength }) => byteLength >= sizeBytes);
  if (place >= 0) return kept.splice(place, 1)[0] as Uint8Array;
  return alignedBytes(2 ** Math.ceil(Math.log2(sizeBytes)));
}

export function keepAligned(bytes: Uint8Array): void {
  if (bytes.byteLength > KEPT_BYTES_MAX) return;
  if (kept.length >= KEPT_MAX) kept.shift();
  kept.push(bytes);
}
