// What a request looks like to a policy: condition keys and their values, and the variables made of them.
import { ANY, ONE, type Pattern, patternOf, type Wildcard } from "./wildcard.ts";

/** Values by key; keys are lower case. A key that is absent is absent, one with no values is an empty list. */
export type Context = ReadonlyMap<string, readonly string[]>;

/** Keys that may have several values: only ForAnyValue and ForAllValues compare them. */
export const MULTI_VALUED: ReadonlySet<string> = new Set([
  "aws:tagkeys",
  "kms:encryptioncontextkeys",
  "sts:transitivetagkeys",
]);

const VARIABLE = /\$\{([^{}]*)\}/g;
const SPECIAL: Readonly<Record<string, string>> = { "*": "*", "?": "?", $: "$" };

/** A value of a policy with its variables filled in. */
export interface Filled {
  readonly text: string;
  readonly pattern: Pattern; // wildcards are those of the policy: what a variable stands for is literal
}

/** @returns undefined when a variable has no single value: then nothing is matched */
export function fill(value: string, context: Context, hasVariables: boolean): Filled | undefined {
  if (!hasVariables || !value.includes("${")) return { text: value, pattern: patternOf(value) };
  let text = "";
  const pattern: (string | Wildcard)[] = [];
  let at = 0;
  const addLiteral = (literal: string): void => {
    text += literal;
    // Neighbours that are literal are one piece, so that a comparison never has to go back between them.
    if (typeof pattern.at(-1) === "string") pattern.push((pattern.pop() as string) + literal);
    else if (literal !== "") pattern.push(literal);
  };
  const addPattern = (piece: string): void => {
    for (const part of patternOf(piece)) {
      if (typeof part === "string") addLiteral(part);
      else {
        text += part === ANY ? "*" : "?";
        pattern.push(part === ANY ? ANY : ONE);
      }
    }
  };
  for (const match of value.matchAll(VARIABLE)) {
    addPattern(value.slice(at, match.index));
    at = match.index + match[0].length;
    const filled = variable(match[1] ?? "", context);
    if (filled === undefined) return undefined;
    addLiteral(filled);
  }
  addPattern(value.slice(at));
  return { text, pattern };
}

/** `key`, or `key, 'otherwise'`. */
function variable(inside: string, context: Context): string | undefined {
  if (Object.hasOwn(SPECIAL, inside)) return SPECIAL[inside];
  const [, key = "", otherwise] = /^\s*([^,\s]+)\s*(?:,\s*'([^']*)'\s*)?$/.exec(inside) ?? [];
  const values = MULTI_VALUED.has(key.toLowerCase()) ? undefined : context.get(key.toLowerCase());
  return values?.length === 1 ? values[0] : otherwise;
}
