// A configuration file as values with their places, whatever its format.

export interface Scalar {
  readonly kind: "scalar";
  readonly line: number;
  readonly value: string | number | boolean | null;
  readonly text: string; // as it is written, without quotes: an account's leading zeros are in it
}

export interface List {
  readonly kind: "list";
  readonly line: number;
  readonly items: readonly Tree[];
}

export interface Branch {
  readonly kind: "map";
  readonly line: number;
  readonly entries: ReadonlyMap<string, Tree>; // a member's line is its value's
}

export type Tree = Scalar | List | Branch;

/** More than any file that a person writes: 1,000 queues with every attribute have some 30,000. */
export const NODE_COUNT_MAX = 100_000;
export const DEPTH_MAX = 32;

/** What is wrong in one file, each with its line. */
export class Mistakes {
  readonly lines: string[] = [];
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  add(line: number, text: string): void {
    this.lines.push(`${this.placeOf(line)}: ${text}`);
  }

  placeOf(line: number): string {
    return `${this.#file}:${line}`;
  }
}

export const KIND_NAMES = { map: "a group of settings", list: "a list", scalar: "a single value" } as const;

/** Reads the members of a map by name. What `known` does not have is a mistake. */
export function readMembers(
  tree: Tree,
  path: string,
  known: { readonly [name: string]: (value: Tree, path: string) => void },
  mistakes: Mistakes,
): void {
  const branch = asBranch(tree, path, mistakes);
  for (const [name, value] of branch?.entries ?? []) {
    const inner = path === "" ? name : `${path}.${name}`;
    const read = Object.hasOwn(known, name) ? known[name] : undefined;
    if (read !== undefined) read(value, inner);
    else mistakes.add(value.line, `${inner} is no setting; known here: ${Object.keys(known).join(", ")}`);
  }
}

/** An empty value stands for an empty map: `orders:` in YAML. */
export function asBranch(tree: Tree, path: string, mistakes: Mistakes): Branch | undefined {
  if (tree.kind === "map") return tree;
  if (tree.kind === "scalar" && tree.value === null) return { kind: "map", line: tree.line, entries: new Map() };
  mistakes.add(tree.line, `${path || "the file"} is ${KIND_NAMES[tree.kind]}, not ${KIND_NAMES.map}`);
  return undefined;
}

/** @returns undefined, and a mistake, for what is no text, number or truth value */
export function asText(tree: Tree, path: string, mistakes: Mistakes): string | undefined {
  if (tree.kind === "scalar" && tree.value !== null) return tree.text;
  const met = tree.kind === "scalar" ? "empty" : KIND_NAMES[tree.kind];
  mistakes.add(tree.line, `${path} is ${met}, where a single value is needed`);
  return undefined;
}

/** Plain values, for what goes on as JSON. */
export function toPlain(tree: Tree): unknown {
  if (tree.kind === "scalar") return tree.value;
  if (tree.kind === "list") return tree.items.map(toPlain);
  return Object.fromEntries([...tree.entries].map(([name, value]) => [name, toPlain(value)]));
}
