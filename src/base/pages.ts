// Memory for what lives long and is large. malloc puts it between what comes and goes, and then keeps the holes: a process
// that made a million queues had a hundred megabytes of them. A buffer that may be resized has pages of its own.

/** Zeros; given back to the system as soon as nobody has it. */
export function pages(byteLength: number): ArrayBuffer {
  return new ArrayBuffer(byteLength, { maxByteLength: byteLength });
}

/** Gives the memory of a buffer back at once: what waits for the collector counts as memory in use, and brings a collection on. */
export function giveBack(buffer: ArrayBufferLike): void {
  if (buffer instanceof ArrayBuffer) buffer.transferToFixedLength(0);
}
