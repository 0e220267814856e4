// Memory for what lives long and is large. malloc puts it between what comes and goes, and then keeps the holes: a process
// that made a million queues had a hundred megabytes of them. A buffer that may be resized has pages of its own.

/** Zeros; given back to the system as soon as nobody has it. */
export function pages(byteLength: number): ArrayBuffer {
  return new ArrayBuffer(byteLength, { maxByteLength: byteLength });
}
