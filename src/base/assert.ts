/** A broken invariant of our own: never a client's fault, never caught and carried on from. */
export class InvariantError extends Error {
  override name = "InvariantError";
}

export function assert(condition: boolean, claim: string): asserts condition {
  if (!condition) throw new InvariantError(`Invariant does not hold: ${claim}`);
}
