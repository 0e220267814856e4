// One policy against one request: which of its statements apply, and what they say.
import { type Context, fill } from "./context.ts";
import type { Condition, Element, Policy, PrincipalElement, Statement } from "./document.ts";
import { matches } from "./wildcard.ts";

/** Whoever asks, as a policy names him. */
export interface PolicyPrincipal {
  /** Names under "AWS" that mean him: his ARN, his account's number and root ARN, an assumed role's ARN, his unique ID. */
  readonly aws: readonly string[];
  readonly service: string | undefined; // sns.amazonaws.com
  readonly isAnonymous: boolean;
}

export interface PolicyRequest {
  readonly principal: PolicyPrincipal;
  readonly action: string; // "sqs:SendMessage"
  readonly resource: string; // an ARN, or "*"
  readonly context: Context;
}

export type Verdict = "Allow" | "Deny" | undefined;

/** "Deny" if any statement that applies denies, else "Allow" if any allows. */
export function evaluate(policy: Policy, request: PolicyRequest): Verdict {
  let verdict: Verdict;
  for (const statement of policy.statements) {
    if (statement.effect === verdict || !applies(statement, policy, request)) continue;
    if (statement.effect === "Deny") return "Deny";
    verdict = "Allow";
  }
  return verdict;
}

function applies(statement: Statement, policy: Policy, request: PolicyRequest): boolean {
  const { principal, action, resource, conditions } = statement;
  const hasVariables = policy.version === "2012-10-17";
  return (
    (principal === undefined || isPrincipal(principal, request.principal)) &&
    isAction(action, request.action) &&
    (resource === undefined || isResource(resource, request, hasVariables)) &&
    conditions.every((condition) => holds(condition, request.context, hasVariables))
  );
}

function isAction({ not, values }: Element, action: string): boolean {
  const wanted = action.toLowerCase();
  const found = values.some((value) => {
    const filled = fill(value.toLowerCase(), NO_CONTEXT, false);
    return filled !== undefined && matches(filled.pattern, wanted);
  });
  return found !== not;
}

const NO_CONTEXT: Context = new Map();

function isResource({ not, values }: Element, { resource, context }: PolicyRequest, hasVariables: boolean): boolean {
  const found = values.some((value) => {
    const filled = fill(value, context, hasVariables);
    return filled !== undefined && matches(filled.pattern, resource);
  });
  return found !== not;
}

function isPrincipal({ not, everyone, values }: PrincipalElement, principal: PolicyPrincipal): boolean {
  const aws = values.get("AWS") ?? [];
  const found =
    everyone ||
    aws.includes("*") ||
    aws.some((name) => principal.aws.includes(name)) ||
    (principal.service !== undefined && (values.get("Service") ?? []).includes(principal.service));
  return found !== not;
}

function holds({ operator, key, values }: Condition, context: Context, hasVariables: boolean): boolean {
  const present = context.get(key);
  if (operator.isNull) {
    const isAbsent = present === undefined || present.length === 0;
    return values.some((value) => (value.toLowerCase() === "true") === isAbsent);
  }
  if (present === undefined || present.length === 0) {
    if (operator.set === "all" || operator.ifExists) return true;
    return operator.set === undefined && operator.negated;
  }
  const filled = values.flatMap((value) => fill(value, context, hasVariables) ?? []);
  const compares = (value: string): boolean =>
    filled.some(({ pattern, text }) => operator.compare(pattern, text, value)) !== operator.negated;
  return operator.set === "all" ? present.every(compares) : present.some(compares);
}
