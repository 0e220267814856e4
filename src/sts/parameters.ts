// The parameters of one request, from its query string and its form, and what AWS says of those that are wrong: all at once.
import { isUtf8 } from "node:buffer";
import { StsError } from "./errors.ts";

const BODY_BYTES_MAX = 128 * 1024; // fifty tags and a policy, percent-encoded, have some 70 KiB
const PARAMETER_COUNT_MAX = 300;
const PROBLEMS_TOLD_MAX = 10;

/** As they came: names and values decoded. @throws StsError for what cannot be read, or is there twice */
export function readParameters(query: string, body: Uint8Array): ReadonlyMap<string, string> {
  if (body.byteLength > BODY_BYTES_MAX) {
    throw new StsError(
      "MalformedQueryString",
      `The body has ${body.byteLength} bytes, at most ${BODY_BYTES_MAX} may be`,
    );
  }
  if (!isUtf8(body)) throw new StsError("MalformedQueryString", "The body is not valid UTF-8");
  const parameters = new Map<string, string>();
  for (const text of [query, Buffer.from(body).toString()]) {
    for (const pair of text.split("&")) {
      if (pair === "") continue;
      const equals = pair.indexOf("=");
      const name = decoded(equals === -1 ? pair : pair.slice(0, equals));
      // Which of two would be meant?
      if (parameters.has(name)) throw new StsError("MalformedQueryString", `The parameter ${name} is there twice`);
      parameters.set(name, equals === -1 ? "" : decoded(pair.slice(equals + 1)));
      if (parameters.size > PARAMETER_COUNT_MAX) {
        throw new StsError("MalformedQueryString", `There are more than ${PARAMETER_COUNT_MAX} parameters`);
      }
    }
  }
  return parameters;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    throw new StsError("MalformedQueryString", "A parameter is not valid percent-encoded UTF-8");
  }
}

export interface TextRules {
  readonly min?: number; // characters
  readonly max: number;
  readonly pattern?: string; // of the whole text
  readonly required?: boolean;
}

/** Reads the members of one action. What is wrong is collected, and told by `check`. */
export class Members {
  readonly #parameters: ReadonlyMap<string, string>;
  readonly #problems: string[] = [];
  #problemCount = 0;

  constructor(parameters: ReadonlyMap<string, string>) {
    this.#parameters = parameters;
  }

  has(name: string): boolean {
    return [...this.#parameters.keys()].some((each) => each === name || each.startsWith(`${name}.`));
  }

  text(name: string, rules: TextRules, what = lowerFirst(name)): string | undefined {
    const value = this.#parameters.get(name);
    if (value === undefined) {
      if (rules.required) this.#problem("null", what, "Member must not be null");
      return undefined;
    }
    const { min = 0, max, pattern } = rules;
    const length = [...value].length;
    if (length > max) this.#problem(value, what, `Member must have length less than or equal to ${max}`);
    if (length < min) this.#problem(value, what, `Member must have length greater than or equal to ${min}`);
    if (pattern !== undefined && !new RegExp(`^(?:${pattern})$`, "u").test(value)) {
      this.#problem(value, what, `Member must satisfy regular expression pattern: ${pattern}`);
    }
    return value;
  }

  number(name: string, min: number, max: number): number | undefined {
    const value = this.#parameters.get(name);
    if (value === undefined) return undefined;
    const what = lowerFirst(name);
    if (!/^[+-]?\d{1,10}$/.test(value)) {
      throw new StsError("MalformedQueryString", `${name} must be a whole number`);
    }
    const number = Number(value);
    if (number < min) this.#problem(value, what, `Member must have value greater than or equal to ${min}`);
    if (number > max) this.#problem(value, what, `Member must have value less than or equal to ${max}`);
    return number;
  }

  /** `Name.member.1`, or `Name.member.1.Key`: what stands behind the number, and how far it goes. */
  list<Item>(name: string, countMax: number, read: (prefix: string, what: string) => Item): readonly Item[] {
    const numbers = new Set<number>();
    for (const each of this.#parameters.keys()) {
      const [, number] = each.startsWith(`${name}.member.`)
        ? (/^\.member\.([1-9]\d{0,4})(?:\.|$)/.exec(each.slice(name.length)) ?? [])
        : [];
      if (number !== undefined) numbers.add(Number(number));
    }
    const what = lowerFirst(name);
    if (numbers.size > countMax) {
      this.#problem("[...]", what, `Member must have length less than or equal to ${countMax}`);
      return [];
    }
    return [...numbers]
      .sort((a, b) => a - b)
      .map((number) => read(`${name}.member.${number}`, `${what}.${number}.member`));
  }

  /** @throws StsError when anything was wrong */
  check(): void {
    if (this.#problemCount === 0) return;
    const found = this.#problemCount === 1 ? "1 validation error" : `${this.#problemCount} validation errors`;
    throw new StsError("ValidationError", `${found} detected: ${this.#problems.join("; ")}`);
  }

  #problem(value: string, what: string, constraint: string): void {
    if (++this.#problemCount > PROBLEMS_TOLD_MAX) return;
    const shown = value === "null" ? value : `'${value.slice(0, 2_048)}'`;
    this.#problems.push(`Value ${shown} at '${what}' failed to satisfy constraint: ${constraint}`);
  }
}

function lowerFirst(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}
