// Whether a principal may do a thing to a queue, or use a queue's key: identity, session and resource policies together.
//
//   a Deny anywhere                                       no
//   same account      identity or queue policy allows     yes    the account's root needs no policy
//   another account   both allow                          yes    but never what only an owner may do
//   anonymous         the queue policy allows             yes    the same
//
// A session's policy narrows what its role may do, and what a queue policy gives to the role or to everybody; what a queue
// policy gives to the session itself by its ARN it does not narrow.
import { Kept } from "./kept.ts";
import type { Context } from "./policy/context.ts";
import { type Policy, PolicyError, parsePolicy } from "./policy/document.ts";
import { evaluate, type PolicyRequest, type Verdict } from "./policy/evaluate.ts";
import type { Principal } from "./principal.ts";

/** What no policy can give to anybody outside of the account; lower case, without "sqs:". */
const OWNER_ONLY: ReadonlySet<string> = new Set([
  "addpermission",
  "cancelmessagemovetask",
  "createqueue",
  "deletequeue",
  "listmessagemovetasks",
  "listqueues",
  "listqueuetags",
  "removepermission",
  "setqueueattributes",
  "startmessagemovetask",
  "tagqueue",
  "untagqueue",
]);

const DECISIONS_KEPT_MAX = 10_000;
const POLICIES_KEPT_MAX = 1_000;

export interface Resource {
  readonly arn: string; // or "*"
  readonly account: string;
  readonly policy: string | undefined; // the queue's, as it is stored
}

/** @returns undefined: he may; else why not, in the service's words */
export type Decision = string | undefined;

/** A queue's policy as its text says, understood once. */
interface Known {
  readonly policy: Policy | PolicyError;
  readonly isFixed: boolean;
  /** Stands for the text, which may be long, in what decisions are found by. */
  readonly number: number;
}

/** A principal as he came in, with the policies that he had then. */
interface Asked {
  /** His alone: a request that waited while his policies changed decides nothing for those that come after. */
  readonly number: number;
  /** None of his own policies asks about circumstances. */
  readonly isFixed: boolean;
}

const MAY = ""; // as decisions are kept

export class Authorizer {
  readonly #decisions = new Kept<string, string>(DECISIONS_KEPT_MAX);
  readonly #policies = new Kept<string, Known>(POLICIES_KEPT_MAX);
  readonly #principals = new WeakMap<Principal, Asked>();
  #policyCount = 0;
  #principalCount = 0;

  /**
   * @param action an IAM action such as "sqs:SendMessage" or "kms:Decrypt"; batches have the single action's
   * @param context asked for only when a policy may want it
   */
  decide(principal: Principal, action: string, resource: Resource, context: () => Context): Decision {
    const { arn, account, policy: text } = resource;
    if (principal.kind === "root" && principal.account === account && text === undefined) return undefined;
    const known = text === undefined ? undefined : this.#parsed(text);
    if (known?.policy instanceof PolicyError) return ofUnreadable(principal, action, resource);
    // What depends on the request's circumstances is decided each time anew.
    const { number, isFixed: isFixedHere } = this.#asked(principal);
    const isFixed = (known?.isFixed ?? true) && isFixedHere;
    const key = isFixed ? `${number}\n${action}\n${arn}\n${account}\n${known?.number ?? ""}` : "";
    const kept = isFixed ? this.#decisions.get(key) : undefined;
    if (kept !== undefined) return kept === MAY ? undefined : kept;
    const request = { principal: principal.names, action, resource: arn, context: context() };
    const decision = decide(principal, account, known?.policy, request);
    if (isFixed) this.#decisions.set(key, decision ?? MAY);
    return decision;
  }

  /**
   * Principals' policies have changed: they are other objects from now on, and what was decided for the ones before only takes
   * room. Queues' need no telling: their text is part of what was decided.
   */
  forget(): void {
    this.#decisions.clear();
  }

  #asked(principal: Principal): Asked {
    let asked = this.#principals.get(principal);
    if (asked === undefined) {
      asked = { number: ++this.#principalCount, isFixed: isFixedFor(principal) };
      this.#principals.set(principal, asked);
    }
    return asked;
  }

  #parsed(text: string): Known {
    const known = this.#policies.get(text);
    if (known !== undefined) return known;
    const policy = parsedOrError(text);
    const isFixed = policy instanceof PolicyError || isUnconditional(policy);
    const fresh = { policy, isFixed, number: ++this.#policyCount };
    this.#policies.set(text, fresh);
    return fresh;
  }
}

function isFixedFor({ identityPolicies, sessionPolicies = [] }: Principal): boolean {
  return identityPolicies.every(isUnconditional) && sessionPolicies.every(isUnconditional);
}

function parsedOrError(text: string): Policy | PolicyError {
  try {
    return parsePolicy(text, "resource");
  } catch (error) {
    if (error instanceof PolicyError) return error;
    throw error;
  }
}

/** A policy of old that is not understood might deny anything to anybody; somebody has to be able to mend it. */
function ofUnreadable(principal: Principal, action: string, { arn, account }: Resource): Decision {
  if (principal.kind === "root" && principal.account === account) return undefined;
  return `${whoMayNot(principal, action, arn)} because the resource-based policy cannot be read`;
}

function whoMayNot({ arn }: Principal, action: string, resource: string): string {
  return `User: ${arn} is not authorized to perform: ${shown(action)} on resource: ${resource}`;
}

/** As the services write it: SQS in lower case, KMS as it is. */
function shown(action: string): string {
  return action.startsWith("kms:") ? action : action.toLowerCase();
}

function isUnconditional({ statements }: Policy): boolean {
  return statements.every(
    ({ conditions, resource }) =>
      conditions.length === 0 && !(resource?.values.some((value) => value.includes("${")) ?? false),
  );
}

function decide(
  principal: Principal,
  account: string,
  queuePolicy: Policy | undefined,
  request: PolicyRequest,
): Decision {
  const identity = strongest(principal.identityPolicies, request);
  const session = principal.sessionPolicies && strongest(principal.sessionPolicies, request);
  const queue = queuePolicy && evaluate(queuePolicy, request);
  const who = whoMayNot(principal, request.action, request.resource);
  if (identity === "Deny") return `${who} with an explicit deny in an identity-based policy`;
  if (session === "Deny") return `${who} with an explicit deny in a session policy`;
  if (queue === "Deny") return `${who} with an explicit deny in a resource-based policy`;

  const action = shown(request.action);
  const isOwnerOnly = OWNER_ONLY.has(action.slice("sqs:".length));
  if (principal.kind === "anonymous") {
    return queue === "Allow" && !isOwnerOnly ? undefined : `Access to the resource ${request.resource} is denied.`;
  }
  const isOwner = principal.account === account;
  const isNarrowed = principal.sessionPolicies !== undefined && session !== "Allow";
  const mayByIdentity = (principal.kind === "root" || identity === "Allow") && !isNarrowed;
  // What a queue policy gives to the account of the queue, the account's own policies have yet to hand on.
  const grantee = isNarrowed
    ? { names: principal.names.own, everyone: false }
    : { names: principal.directNames, everyone: true };
  const mayByQueue = queuePolicy !== undefined && evaluate(queuePolicy, request, grantee) === "Allow";
  if (isOwner) {
    if (mayByIdentity || mayByQueue) return undefined;
    if (isNarrowed && (identity === "Allow" || queue === "Allow")) {
      return `${who} because no session policy allows the ${action} action`;
    }
    return `${who} because no identity-based policy allows the ${action} action`;
  }
  if (queue !== "Allow" || isOwnerOnly) return `${who} because no resource-based policy allows the ${action} action`;
  if (mayByIdentity) return undefined;
  return `${who} because no ${isNarrowed ? "session" : "identity-based"} policy allows the ${action} action`;
}

export function strongest(policies: readonly Policy[], request: PolicyRequest): Verdict {
  let verdict: Verdict;
  for (const policy of policies) {
    const one = evaluate(policy, request);
    if (one === "Deny") return one;
    verdict ??= one;
  }
  return verdict;
}
