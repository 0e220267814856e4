// One policy against one request: which of its statements apply, and what they say.
import { type Context, fill, MULTI_VALUED } from "./context.ts";
import type { Condition, Element, Policy, PrincipalElement, Statement } from "./document.ts";
import { matches, matchesArn } from "./wildcard.ts";

/** Whoever asks, as a policy names him: by each of these under "AWS". */
export interface PolicyPrincipal {
  /** All that mean him: those below, and his account's number and root ARN, which mean everybody in it. */
  readonly aws: readonly string[];
  /** Those that mean him alone: ARN and unique ID of the user, of the role's session. */
  readonly own: readonly string[];
  readonly service: string | undefined; // sns.amazonaws.com
}

export interface PolicyRequest {
  readonly principal: PolicyPrincipal;
  readonly action: string; // "sqs:SendMessage"
  readonly resource: string; // an ARN, or "*"
  readonly context: Context;
}

/** Whom a statement must name for its Allow to count; whatever denies, denies. */
export type Grantee = {
  readonly names: readonly string[];
  readonly everyone: boolean; // "*" names him too
};

export type Verdict = "Allow" | "Deny" | undefined;

/**
 * "Deny" if any statement that applies denies, else "Allow" if any allows.
 * @param grantee whoever asks by any of his names, if it is left out
 */
export function evaluate(policy: Policy, request: PolicyRequest, grantee?: Grantee): Verdict {
  const granted = grantee ?? { names: request.principal.aws, everyone: true };
  let verdict: Verdict;
  for (const statement of policy.statements) {
    if (statement.effect === verdict || !applies(statement, policy, request, granted)) continue;
    if (statement.effect === "Deny") return "Deny";
    verdict = "Allow";
  }
  return verdict;
}

function applies(statement: Statement, policy: Policy, request: PolicyRequest, granted: Grantee): boolean {
  const { principal, action, resource, conditions } = statement;
  const hasVariables = policy.version === "2012-10-17";
  return (
    (principal === undefined || isPrincipal(principal, statement.effect, request.principal, granted)) &&
    isAction(action, request.action) &&
    (resource === undefined || isResource(resource, request, hasVariables)) &&
    conditions.every((condition) => holds(condition, statement.effect, request.context, hasVariables))
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
    return filled !== undefined && matchesArn(filled.pattern, resource);
  });
  return found !== not;
}

/** A Deny to all but some spares whoever is named himself, and nobody for his account's or his role's sake. */
function isPrincipal(
  { not, everyone, values }: PrincipalElement,
  effect: Statement["effect"],
  principal: PolicyPrincipal,
  granted: Grantee,
): boolean {
  const aws = values.get("AWS") ?? [];
  const isEveryone = everyone || aws.includes("*");
  const isService = principal.service !== undefined && (values.get("Service") ?? []).includes(principal.service);
  const isNamed = (names: readonly string[]): boolean => isService || aws.some((name) => names.includes(name));
  if (not) return !isEveryone && !isNamed(principal.own);
  if (effect === "Deny") return isEveryone || isNamed(principal.aws);
  return (isEveryone && granted.everyone) || isNamed(granted.names);
}

function holds(
  { operator, key, values }: Condition,
  effect: Statement["effect"],
  context: Context,
  hasVariables: boolean,
): boolean {
  const present = context.get(key);
  if (operator.isNull) {
    const isAbsent = present === undefined || present.length === 0;
    return values.some((value) => (value.toLowerCase() === "true") === isAbsent);
  }
  if (present === undefined || present.length === 0) {
    if (operator.set !== undefined) return operator.set === "all"; // none of none is any, IfExists or not
    return operator.ifExists || operator.negated;
  }
  // Which of several values would be meant?
  if (operator.set === undefined && MULTI_VALUED.has(key)) return false;
  const filled = values.flatMap((value) => fill(value, context, hasVariables) ?? []);
  // To differ from what has no value says nothing: enough to deny, too little to allow.
  if (operator.negated && effect === "Allow" && filled.length < values.length) return false;
  const compares = (value: string): boolean =>
    filled.some(({ pattern, text }) => operator.compare(pattern, text, value)) !== operator.negated;
  return operator.set === "all" ? present.every(compares) : present.some(compares);
}
