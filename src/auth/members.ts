// Members of a document that somebody may have written by hand: each is what it has to be, or an error with its place.

/** What is wrong with a document of identities, and where. */
export class IdentitiesError extends Error {
  override name = "IdentitiesError";
}

export type Source = { readonly [name: string]: unknown };

/** @param members that it may have; undefined: any */
export function objectOf(value: unknown, what: string, members: readonly string[] | undefined): Source {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new IdentitiesError(`${what} must be an object`);
  }
  const unknown = members && Object.keys(value).find((name) => !members.includes(name));
  if (unknown !== undefined) throw new IdentitiesError(`${what} has the unknown member "${unknown}"`);
  return value as Source; // checked above
}

export function listOf(value: unknown, what: string, countMax: number): readonly unknown[] {
  if (!Array.isArray(value)) throw new IdentitiesError(`${what} must be a list`);
  if (value.length > countMax)
    throw new IdentitiesError(`${what} has ${value.length} entries, at most ${countMax} are allowed`);
  return value;
}

export function textOf(value: unknown, what: string, pattern: RegExp): string {
  if (typeof value === "string" && pattern.test(value)) return value;
  throw new IdentitiesError(`${what} must match ${pattern.source}`);
}

export function numberOf(value: unknown, what: string, min: number, max: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
  throw new IdentitiesError(`${what} must be a whole number from ${min} to ${max}`);
}
