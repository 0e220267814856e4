// A policy document, read: IAM's JSON into statements that can be compared. Only what the language has is taken; anything
// else is an error with its place, because a policy that is half understood lets in whom it was to keep out.
import { type Operator, operatorOf } from "./operators.ts";

export interface Policy {
  readonly version: "2008-10-17" | "2012-10-17";
  readonly id: string | undefined;
  readonly statements: readonly Statement[];
}

export interface Statement {
  readonly sid: string | undefined;
  readonly effect: "Allow" | "Deny";
  readonly principal: PrincipalElement | undefined; // identity policies have none
  readonly action: Element;
  readonly resource: Element | undefined; // undefined: what the policy is attached to
  readonly conditions: readonly Condition[];
}

/** Action or NotAction, Resource or NotResource. */
export interface Element {
  readonly not: boolean;
  readonly values: readonly string[];
}

/** Principal or NotPrincipal: by type ("AWS", "Service", "Federated", "CanonicalUser"); "*" alone is every one of them. */
export interface PrincipalElement {
  readonly not: boolean;
  readonly everyone: boolean;
  readonly values: ReadonlyMap<string, readonly string[]>;
}

export interface Condition {
  readonly operator: Operator;
  readonly key: string; // lower case: keys do not mind
  readonly values: readonly string[];
}

/** What is wrong with a document, and where. */
export class PolicyError extends Error {
  override name = "PolicyError";
}

const BYTES_MAX = 131_072; // larger than any kind of policy may be: each kind has its own limit where it is set
const DEPTH_MAX = 16;
const VERSIONS = ["2008-10-17", "2012-10-17"] as const;
const PRINCIPAL_TYPES = ["AWS", "Service", "Federated", "CanonicalUser"];
const STATEMENT_MEMBERS = [
  "Sid",
  "Effect",
  "Principal",
  "NotPrincipal",
  "Action",
  "NotAction",
  "Resource",
  "NotResource",
  "Condition",
];

export type PolicyKind = "identity" | "resource" | "trust" | "session";

/** @throws PolicyError */
export function parsePolicy(text: string, kind: PolicyKind): Policy {
  if (Buffer.byteLength(text) > BYTES_MAX) throw new PolicyError(`A policy has at most ${BYTES_MAX} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new PolicyError("A policy must be JSON");
  }
  return readPolicy(value, kind);
}

/** @throws PolicyError */
export function readPolicy(value: unknown, kind: PolicyKind): Policy {
  checkDepth(value, DEPTH_MAX);
  const document = objectOf(value, "The policy", ["Version", "Id", "Statement"]);
  const version = document["Version"] ?? "2008-10-17";
  if (!VERSIONS.includes(version as Policy["version"])) {
    throw new PolicyError(`Version must be "2012-10-17" or "2008-10-17", not ${JSON.stringify(version)}`);
  }
  const given = document["Statement"];
  if (given === undefined) throw new PolicyError("The policy must have a Statement");
  const statements = (Array.isArray(given) ? given : [given]).map((each, i) =>
    readStatement(each, `Statement ${i + 1}`, kind),
  );
  const sids = statements.flatMap(({ sid }) => (sid === undefined ? [] : [sid]));
  if (new Set(sids).size < sids.length) throw new PolicyError("Two statements have the same Sid");
  return { version: version as Policy["version"], id: optionalText(document["Id"], "Id"), statements };
}

function checkDepth(value: unknown, left: number): void {
  if (typeof value !== "object" || value === null) return;
  if (left === 0) throw new PolicyError("The policy is nested too deeply");
  for (const each of Object.values(value)) checkDepth(each, left - 1);
}

type Source = { readonly [name: string]: unknown };

function objectOf(value: unknown, what: string, members: readonly string[] | undefined): Source {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new PolicyError(`${what} must be an object`);
  }
  const unknown = members && Object.keys(value).find((name) => !members.includes(name));
  if (unknown !== undefined) throw new PolicyError(`${what} has the unknown member "${unknown}"`);
  return value as Source; // checked above
}

function optionalText(value: unknown, what: string): string | undefined {
  if (value === undefined || typeof value === "string") return value;
  throw new PolicyError(`${what} must be a string`);
}

/** One string or a list of them, none of them empty. */
function textsOf(value: unknown, what: string): readonly string[] {
  const texts: readonly unknown[] = Array.isArray(value) ? value : [value];
  for (const text of texts) {
    if (typeof text !== "string" || text === "") throw new PolicyError(`${what} must be a string, or a list of them`);
  }
  if (texts.length === 0) throw new PolicyError(`${what} must not be empty`);
  return texts as readonly string[]; // checked above
}

function readStatement(value: unknown, what: string, kind: PolicyKind): Statement {
  const source = objectOf(value, what, STATEMENT_MEMBERS);
  const effect = source["Effect"];
  if (effect !== "Allow" && effect !== "Deny") throw new PolicyError(`${what}: Effect must be "Allow" or "Deny"`);
  const action = elementOf(source, "Action", what);
  if (action === undefined) throw new PolicyError(`${what} must have an Action or a NotAction`);
  const resource = elementOf(source, "Resource", what);
  if (resource === undefined && (kind === "identity" || kind === "session"))
    throw new PolicyError(`${what} must have a Resource or a NotResource`);
  const principal = principalOf(source, what);
  const needsPrincipal = kind === "resource" || kind === "trust";
  if (needsPrincipal && principal === undefined)
    throw new PolicyError(`${what} must have a Principal or a NotPrincipal`);
  if (!needsPrincipal && principal !== undefined)
    throw new PolicyError(`${what}: this kind of policy has no Principal`);
  if (principal?.not && (effect === "Allow" || kind === "trust")) {
    throw new PolicyError(`${what}: NotPrincipal is only for the Deny of a resource's policy`);
  }
  return {
    sid: optionalText(source["Sid"], `${what}: Sid`),
    effect,
    principal,
    action,
    resource,
    conditions: conditionsOf(source["Condition"], what),
  };
}

function elementOf(source: Source, name: string, what: string): Element | undefined {
  const plain = source[name];
  const negated = source[`Not${name}`];
  if (plain !== undefined && negated !== undefined) {
    throw new PolicyError(`${what} must not have both ${name} and Not${name}`);
  }
  if (plain === undefined && negated === undefined) return undefined;
  return { not: plain === undefined, values: textsOf(plain ?? negated, `${what}: ${name}`) };
}

function principalOf(source: Source, what: string): PrincipalElement | undefined {
  const plain = source["Principal"];
  const negated = source["NotPrincipal"];
  if (plain !== undefined && negated !== undefined) {
    throw new PolicyError(`${what} must not have both Principal and NotPrincipal`);
  }
  const value = plain ?? negated;
  if (value === undefined) return undefined;
  const not = plain === undefined;
  if (value === "*") return { not, everyone: true, values: new Map() };
  const byType = objectOf(value, `${what}: Principal`, PRINCIPAL_TYPES);
  const values = new Map(Object.entries(byType).map(([type, each]) => [type, textsOf(each, `${what}: Principal`)]));
  if (values.size === 0) throw new PolicyError(`${what}: Principal must not be empty`);
  return { not, everyone: false, values };
}

function conditionsOf(value: unknown, what: string): readonly Condition[] {
  if (value === undefined) return [];
  const conditions: Condition[] = [];
  for (const [name, keys] of Object.entries(objectOf(value, `${what}: Condition`, undefined))) {
    const operator = operatorOf(name);
    if (operator === undefined) throw new PolicyError(`${what}: Condition has the unknown operator "${name}"`);
    for (const [key, given] of Object.entries(objectOf(keys, `${what}: ${name}`, undefined))) {
      if (!/^[A-Za-z0-9-]+:[^\s]{1,256}$/.test(key)) throw new PolicyError(`${what}: "${key}" is no condition key`);
      conditions.push({ operator, key: key.toLowerCase(), values: scalarsOf(given, `${what}: ${key}`, operator) });
    }
  }
  return conditions;
}

/** Values of conditions may be numbers and booleans as well; an empty list matches nothing. */
function scalarsOf(value: unknown, what: string, operator: Operator): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  return values.map((each) => {
    if (typeof each !== "string" && typeof each !== "number" && typeof each !== "boolean") {
      throw new PolicyError(`${what} must have strings, numbers or booleans for values`);
    }
    const text = String(each);
    const problem = operator.problemOf(text);
    if (problem !== undefined && !text.includes("${")) throw new PolicyError(`${what}: "${text}" ${problem}`);
    return text;
  });
}
