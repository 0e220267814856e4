// Condition operators: how a value of the policy is held against a value of the request.
import { BlockList, isIP } from "node:net";
import { ARN_PARTS, arnPatterns, matches, matchesParts, type Pattern } from "./wildcard.ts";

/** How one value of a policy compares with one value of the context. */
type Compare = (pattern: Pattern, text: string, value: string) => boolean;

export interface Operator {
  readonly name: string;
  /** Over several values of the context: "any" or "all" of them; undefined: the key has one. */
  readonly set: "any" | "all" | undefined;
  readonly ifExists: boolean;
  /** Holds when no value of the policy compares: StringNotEquals and its like. */
  readonly negated: boolean;
  /** Whether the operator asks if the key is there at all. */
  readonly isNull: boolean;
  /** `pattern` has the policy's value with its wildcards, `text` the same as it stands. */
  readonly compare: Compare;
  /** Why a policy's value cannot be one of this operator; undefined: it can. */
  readonly problemOf: (value: string) => string | undefined;
}

function lower(text: string): string {
  return text.toLowerCase();
}

function numberOf(text: string): number {
  return /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(text.trim()) ? Number(text) : Number.NaN;
}

/** Milliseconds; a date in ISO 8601, or seconds since the epoch. */
function instantOf(text: string): number {
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  return /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
}

/** Both have all of an ARN's parts, and each part compares. */
function isArnLike(pattern: Pattern, value: string): boolean {
  const parts = arnPatterns(pattern);
  return parts.length === ARN_PARTS && value.split(":").length >= ARN_PARTS && matchesParts(parts, value);
}

function isInRange(range: string, address: string): boolean {
  const [base = "", bits] = range.split("/");
  const family = isIP(address);
  if (family === 0 || family !== isIP(base)) return false; // the library takes every IPv4 address for one in ::/0
  const list = new BlockList();
  const type = family === 4 ? "ipv4" : "ipv6";
  try {
    if (bits === undefined) list.addAddress(base, type);
    else list.addSubnet(base, Number(bits), type);
  } catch {
    return false;
  }
  return list.check(address, type);
}

const fine = (): undefined => undefined;
const needsNumber = (value: string) => (Number.isNaN(numberOf(value)) ? "is no number" : undefined);
const needsDate = (value: string) => (Number.isNaN(instantOf(value)) ? "is no date" : undefined);
const needsBoolean = (value: string) => (/^(true|false)$/i.test(value) ? undefined : "is neither true nor false");
const needsRange = (value: string): string | undefined => {
  const [base = "", bits, more] = value.split("/");
  const family = isIP(base);
  const bitsMax = family === 4 ? 32 : 128;
  const isGood = more === undefined && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= bitsMax));
  return family !== 0 && isGood ? undefined : "is no address and no range of addresses";
};

type Base = Pick<Operator, "negated" | "compare" | "problemOf">;

function family(
  compare: Compare,
  problemOf: Base["problemOf"],
  names: [plain: string, negated: string],
): [string, Base][] {
  return [
    [names[0], { negated: false, compare, problemOf }],
    [names[1], { negated: true, compare, problemOf }],
  ];
}

function plain(name: string, compare: Compare, problemOf: Base["problemOf"]): [string, Base] {
  return [name, { negated: false, compare, problemOf }];
}

function ordered(name: string, read: (text: string) => number, problemOf: Base["problemOf"]): [string, Base][] {
  const by =
    (holds: (value: number, bound: number) => boolean): Compare =>
    (_pattern, text, value) =>
      holds(read(value), read(text));
  return [
    ...family(
      by((value, bound) => value === bound),
      problemOf,
      [`${name}Equals`, `${name}NotEquals`],
    ),
    plain(
      `${name}LessThan`,
      by((value, bound) => value < bound),
      problemOf,
    ),
    plain(
      `${name}LessThanEquals`,
      by((value, bound) => value <= bound),
      problemOf,
    ),
    plain(
      `${name}GreaterThan`,
      by((value, bound) => value > bound),
      problemOf,
    ),
    plain(
      `${name}GreaterThanEquals`,
      by((value, bound) => value >= bound),
      problemOf,
    ),
  ];
}

const byText =
  (equal: (text: string, value: string) => boolean): Compare =>
  (_pattern, text, value) =>
    equal(text, value);
const same = byText((text, value) => text === value);
const sameIgnoringCase = byText((text, value) => lower(text) === lower(value));
const inRange = byText(isInRange);
const like: Compare = (pattern, _text, value) => matches(pattern, value);
const arnLike: Compare = (pattern, _text, value) => isArnLike(pattern, value);

const BASES: ReadonlyMap<string, Base> = new Map(
  [
    ...family(same, fine, ["StringEquals", "StringNotEquals"]),
    ...family(sameIgnoringCase, fine, ["StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"]),
    ...family(like, fine, ["StringLike", "StringNotLike"]),
    ...ordered("Numeric", numberOf, needsNumber),
    ...ordered("Date", instantOf, needsDate),
    ...family(inRange, needsRange, ["IpAddress", "NotIpAddress"]),
    // The service treats both alike.
    ...family(arnLike, fine, ["ArnEquals", "ArnNotEquals"]),
    ...family(arnLike, fine, ["ArnLike", "ArnNotLike"]),
    plain("Bool", sameIgnoringCase, needsBoolean),
    plain("BinaryEquals", same, fine),
    plain("Null", () => false, needsBoolean),
  ].map(([name, base]) => [lower(name), base]),
);

/** @returns undefined when the language has no such operator; names do not mind case */
export function operatorOf(name: string): Operator | undefined {
  let rest = lower(name);
  let set: Operator["set"];
  if (rest.startsWith("foranyvalue:")) set = "any";
  else if (rest.startsWith("forallvalues:")) set = "all";
  if (set !== undefined) rest = rest.slice(rest.indexOf(":") + 1);
  const ifExists = rest.endsWith("ifexists");
  if (ifExists) rest = rest.slice(0, -"ifexists".length);
  const base = BASES.get(rest);
  const isNull = rest === "null";
  if (base === undefined || (isNull && (ifExists || set !== undefined))) return undefined;
  return { name, set, ifExists, isNull, ...base };
}
