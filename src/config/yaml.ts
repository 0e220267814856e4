// YAML and JSON files, with the line of everything in them.
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import { DEPTH_MAX, type Mistakes, NODE_COUNT_MAX, type Tree } from "./tree.ts";

/** @returns undefined if there are mistakes: each is in `mistakes` */
export function parseJson(text: string, mistakes: Mistakes): Tree | undefined {
  try {
    JSON.parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const position = Number(/at position (\d+)/.exec(message)?.[1] ?? text.length);
    mistakes.add(lineAt(text, position), `this is no JSON: ${message}`);
    return undefined;
  }
  return parseYaml(text, mistakes); // JSON is YAML, and so has lines
}

function lineAt(text: string, position: number): number {
  return text.slice(0, position).split("\n").length;
}

/** @returns undefined if there are mistakes: each is in `mistakes` */
export function parseYaml(text: string, mistakes: Mistakes): Tree | undefined {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: "1.2", merge: false });
  const lineOf = (offset: number) => Math.max(lines.linePos(offset).line, 1);
  for (const { message, pos } of [...document.errors, ...document.warnings]) mistakes.add(lineOf(pos[0]), message);
  if (document.errors.length > 0 || document.warnings.length > 0) return undefined;

  let nodeCount = 0;
  const convert = (node: unknown, above: number, depth: number): Tree => {
    // An alias stands for all that its anchor holds, so few lines can be very much.
    if (++nodeCount > NODE_COUNT_MAX || depth > DEPTH_MAX) throw new TooMuch(above);
    if (isAlias(node)) return convert(node.resolve(document), above, depth + 1);
    const line = hasRange(node) ? lineOf(node.range[0]) : above;
    if (isSeq(node)) return { kind: "list", line, items: node.items.map((item) => convert(item, line, depth + 1)) };
    if (isMap(node)) {
      const entries = new Map<string, Tree>();
      for (const { key, value } of node.items) {
        const name = isScalar(key) ? textOf(key.value, key.source) : String(key);
        const keyLine = hasRange(key) ? lineOf(key.range[0]) : line;
        entries.set(name, { ...convert(value, keyLine, depth + 1), line: keyLine });
      }
      return { kind: "map", line, entries };
    }
    const value = isScalar(node) ? node.value : null;
    const source = isScalar(node) ? node.source : undefined;
    const isPlain = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
    return { kind: "scalar", line, value: isPlain ? value : null, text: textOf(value, source) };
  };
  try {
    return convert(document.contents, 1, 0);
  } catch (error) {
    if (!(error instanceof TooMuch)) throw error;
    mistakes.add(
      error.line,
      `more than ${NODE_COUNT_MAX} values, or more than ${DEPTH_MAX} inside one another, aliases counted as what they stand for`,
    );
    return undefined;
  }
}

class TooMuch extends Error {
  readonly line: number;

  constructor(line: number) {
    super("too much");
    this.line = line;
  }
}

function hasRange(node: unknown): node is { readonly range: readonly [number, number, number] } {
  return typeof node === "object" && node !== null && "range" in node && Array.isArray(node.range);
}

function textOf(value: unknown, source: string | undefined): string {
  return typeof value === "string" ? value : (source ?? String(value));
}
