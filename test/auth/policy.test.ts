// Our decisions against another evaluator's, over random policies and requests. That one is a tool for this test only: its
// licence keeps it out of what is shipped. WASQ_POLICY_RUNS=100000 runs more than the default, WASQ_POLICY_SEED others.
//
// Where the two read AWS's manual differently the generator stays away, or hands the other its due:
//
//   root                  it knows no root user; an identity policy that allows everything stands in for what root may
//   what only owners may  it does not know which actions those are; none of them is asked across accounts
//   a session's own ARN   a queue policy that names the session itself is not narrowed by the session's policy (manual:
//                         "AssumeRole", resource policies); it narrows that too. Not asked of narrowed sessions
//   NotPrincipal, Deny    it spares a whole account that is named, and says in a comment that this wants research; the
//                         manual spares whom it names. Only names that mean one of the askers himself are used
//   NotPrincipal, Allow   not supported, says the manual, and so we refuse it when it is read
//   dates in seconds      it reads them as milliseconds; keys with dates get dates of their own form
//   other addresses       an IPv4 address is not "not in" a range of IPv6 there
//   a list of nothing     it is there for its Null, and for us it is not
//   ${*} for an asterisk  only where wildcards are, there; anywhere, here
//   a number that is none  differs from every number here, and compares with none there
//   1e1                   is 1 there
//   0.0.0.0/0             it matches nothing there, and everything here
//   short ARNs            it takes "arn:aws:sqs" for every queue; we want a "*" there, as the manual has it
//   an ARN that is none   it fails ArnNotLike for it, where we negate; all ARNs of conditions have six parts
//   variables in ARNs     it takes the colon of "aws:username" for one of the ARN's; none in resources
//   a variable of nothing StringNotEquals to what has no value never holds there; here it denies, but does not allow
import { runSimulation, type Simulation } from "@cloud-copilot/iam-simulate";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Authorizer } from "../../src/auth/authorize.ts";
import { parsePolicy } from "../../src/auth/policy/document.ts";
import { ANONYMOUS, type Principal, roleSessionOf, rootOf, userOf } from "../../src/auth/principal.ts";

const RUNS = Number(process.env["WASQ_POLICY_RUNS"] ?? 2_000);
const SEED = process.env["WASQ_POLICY_SEED"];

const OWNER = "111111111111";
const OTHER = "222222222222";
const QUEUE = `arn:aws:sqs:us-east-1:${OWNER}:orders`;
const ALL = { Version: "2012-10-17", Statement: { Effect: "Allow", Action: "*", Resource: "*" } };

type Json = { readonly [member: string]: unknown };

interface Asker {
  readonly kind: "root" | "user" | "session" | "anonymous";
  readonly account: string;
}
interface Case {
  readonly asker: Asker;
  readonly action: string;
  readonly identity: readonly Json[];
  readonly session: Json | undefined;
  readonly queue: Json | undefined;
  readonly context: Readonly<Record<string, string | string[]>>;
}

const oneOf = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const oneOrMore = <T>(value: fc.Arbitrary<T>, max = 3): fc.Arbitrary<T | T[]> =>
  fc.oneof(value, fc.array(value, { minLength: 1, maxLength: max }));

const actions = oneOf("SendMessage", "ReceiveMessage", "DeleteMessage", "GetQueueUrl", "GetQueueAttributes");
const ownersActions = oneOf("SetQueueAttributes", "DeleteQueue", "TagQueue", "SendMessage");
const actionPatterns = oneOf(
  ...["*", "sqs:*", "SQS:SendMessage", "sqs:sendmessage", "sqs:Send*", "sqs:*Message", "sqs:??ndMessage"],
  ...["sqs:ReceiveMessage", "sqs:Get*", "sqs:DeleteMessage", "sqs:Set*", "sns:*", "sqs:Send", "sqs:Tag?ueue"],
);
const resourcePatterns = oneOf(
  ...[QUEUE, QUEUE, QUEUE, "*", `arn:aws:sqs:*:${OWNER}:*`, `arn:aws:sqs:us-east-1:${OWNER}:ord*`, "arn:aws:sqs:*:*:*"],
  ...["arn:aws:sqs:us-east-1:*", "arn:aws:sqs:*", "arn:*", "arn:aws:sqs:eu-*:*:orders"],
  ...[`arn:aws:sqs:us-east-1:${OWNER}:order`, `arn:aws:sqs:us-east-1:${OWNER}:or?ers`, "arn:aws:s?s:*:1*1:orders"],
  ...[`arn:aws:sqs:us-east-1:${OTHER}:orders`, `arn:aws:sqs:us-east-1:${OWNER}:orders.fifo`],
);

const texts = oneOf("orders", "Orders", "order", "ord*", "*", "o?ders", "$" + "{aws:username}", "alice", "");
const numbers = oneOf("0", "1", "10", "10.0", "-3", "0.5", "007");
const dates = oneOf("2026-01-01T00:00:00Z", "2026-01-01", "2026-06-01T12:00:00+02:00", "2026-06-01T10:00:00.000Z");
const addresses = oneOf("10.0.0.1", "10.0.0.0/8", "10.0.0.1/32", "192.168.0.0/16", "8.0.0.0/5");
const arns = oneOf(
  ...["arn:aws:sns:us-east-1:111111111111:topic", "arn:aws:sns:*:*:topic", "arn:aws:s*:us-east-?:*:*", "arn:*:*:*:*:*"],
  ...["arn:aws:sns:us-east-1:111111111111:topic:sub", "arn:aws:sns:*:t*", "arn:aws:sns:us-east-1:222222222222:topic"],
).filter((arn) => arn.split(":").length >= 6);
const booleans = oneOf<unknown>("true", "false", "True", "FALSE", true, false);

interface Family {
  readonly operators: readonly string[];
  readonly keys: readonly string[];
  readonly values: fc.Arbitrary<unknown>; // of the policy
  readonly given: fc.Arbitrary<string>; // of the request
}
const ordered = (name: string): string[] =>
  ["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"].map((end) => name + end);

const TEXT_OPERATORS = ["Equals", "NotEquals", "EqualsIgnoreCase", "NotEqualsIgnoreCase", "Like", "NotLike"];
const FAMILIES: readonly Family[] = [
  {
    operators: TEXT_OPERATORS.map((end) => `String${end}`),
    keys: ["aws:UserAgent", "AWS:useragent", "aws:RequestedRegion", "aws:username"],
    values: texts,
    given: oneOf("orders", "Orders", "order", "alice", "o*ders", "*"),
  },
  {
    operators: ordered("Numeric"),
    keys: ["aws:MultiFactorAuthAge", "aws:multifactorauthage"],
    values: numbers,
    given: oneOf("0", "1", "10", "11", "-3", "0.5"),
  },
  {
    operators: ordered("Date"),
    keys: ["aws:CurrentTime", "aws:TokenIssueTime"],
    values: dates,
    given: oneOf("2026-01-01T00:00:00Z", "2026-06-01T10:00:00Z", "2026-06-01T10:00:00.000Z", "2027-01-01T00:00:00Z"),
  },
  {
    operators: ["Bool"],
    keys: ["aws:SecureTransport", "aws:MultiFactorAuthPresent"],
    values: booleans,
    given: oneOf("true", "false"),
  },
  {
    operators: ["IpAddress", "NotIpAddress"],
    keys: ["aws:SourceIp"],
    values: addresses,
    given: oneOf("10.0.0.1", "10.255.0.1", "192.169.0.1"),
  },
  {
    operators: ["IpAddress", "NotIpAddress"],
    keys: ["aws:VpcSourceIp"],
    values: oneOf("2001:db8::/32", "2001:db8::5", "::1"),
    given: oneOf("2001:db8::5", "2001:db8:1::5", "::1", "2001:db9::1"),
  },
  {
    operators: ["ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike"],
    keys: ["aws:SourceArn"],
    values: arns,
    given: oneOf(
      ...["arn:aws:sns:us-east-1:111111111111:topic", "arn:aws:sns:us-east-1:111111111111:topic:sub"],
      "arn:aws:sqs:eu-west-1:222222222222:other",
    ),
  },
];
const TAG_KEYS = fc.array(oneOf("team", "Team", "cost"), { minLength: 1, maxLength: 3 });

const condition = fc
  .oneof(
    ...FAMILIES.map(({ operators, keys, values }) =>
      fc.record({
        operator: oneOf(...operators),
        set: oneOf("", "", "", "", "ForAnyValue:", "ForAllValues:"),
        ifExists: oneOf("", "", "IfExists"),
        key: oneOf(...keys),
        values: oneOrMore(values),
      }),
    ),
    fc.record({
      operator: oneOf(...TEXT_OPERATORS.map((end) => `String${end}`)),
      set: oneOf("", "ForAnyValue:", "ForAllValues:"),
      ifExists: oneOf("", "IfExists"),
      key: oneOf("aws:TagKeys", "aws:tagkeys"),
      values: oneOrMore(oneOf("team", "Team", "t*", "cost")),
    }),
    fc.record({
      operator: oneOf("Null"),
      set: oneOf(""),
      ifExists: oneOf(""),
      key: oneOf("aws:TagKeys", "aws:SourceArn", "aws:username", "aws:MultiFactorAuthAge"),
      values: oneOrMore(oneOf("true", "false"), 2),
    }),
  )
  .map(({ operator, set, ifExists, key, values }) => ({ [`${set}${operator}${ifExists}`]: { [key]: values } }));

/** None for half of the statements, or few would apply. */
const conditions = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  {
    weight: 3,
    arbitrary: fc.array(condition, { minLength: 1, maxLength: 2 }).map((each) => Object.assign({}, ...each)),
  },
);

const named = (name: string, values: fc.Arbitrary<unknown>): fc.Arbitrary<Json> =>
  fc
    .record({ not: oneOf(false, false, false, true), values })
    .map(({ not, values }) => ({ [not ? `Not${name}` : name]: values }));

const effect = oneOf("Allow", "Allow", "Allow", "Deny");
const statement = (principal: fc.Arbitrary<Json>): fc.Arbitrary<Json> =>
  fc
    .tuple(
      effect,
      named("Action", oneOrMore(actionPatterns)),
      named("Resource", oneOrMore(resourcePatterns)),
      conditions,
      principal,
    )
    .map(([Effect, action, resource, Condition, who]) => ({
      Effect: "NotPrincipal" in who ? "Deny" : Effect,
      ...action,
      ...resource,
      ...(Condition === undefined ? {} : { Condition }),
      ...who,
    }));
const policy = (principal: fc.Arbitrary<Json>): fc.Arbitrary<Json> =>
  fc
    .tuple(oneOf("2012-10-17", "2012-10-17", "2012-10-17"), oneOrMore(statement(principal)))
    .map(([Version, Statement]) => ({ Version, Statement }));

const ownNames = (account: string) => [
  `arn:aws:iam::${account}:user/alice`,
  `arn:aws:sts::${account}:assumed-role/worker/s1`,
];
const names = (account: string) => [
  account,
  `arn:aws:iam::${account}:root`,
  `arn:aws:iam::${account}:role/worker`,
  `arn:aws:iam::${account}:user/bob`,
];
const principals = fc.oneof(
  { weight: 2, arbitrary: oneOf<Json>({ Principal: "*" }, { Principal: { AWS: "*" } }) },
  {
    weight: 6,
    arbitrary: oneOrMore(oneOf(...[OWNER, OTHER].flatMap((account) => [...ownNames(account), ...names(account)]))).map(
      (AWS) => ({ Principal: { AWS } }),
    ),
  },
  { weight: 1, arbitrary: oneOf<Json>({ Principal: { Service: "sns.amazonaws.com" } }) },
  {
    weight: 1,
    arbitrary: oneOrMore(oneOf(...ownNames(OWNER), ...ownNames(OTHER))).map((AWS) => ({ NotPrincipal: { AWS } })),
  },
);
const nobody = fc.constant<Json>({});

const context = fc
  .tuple(
    ...FAMILIES.flatMap(({ keys, given }) =>
      keys
        .filter((key) => !/^AWS|^aws:[a-z]+$/.test(key) || key === "aws:username")
        .map((key) => fc.option(given, { nil: undefined }).map((value) => [key, value] as const)),
    ),
    fc.option(TAG_KEYS, { nil: undefined }).map((value) => ["aws:TagKeys", value] as const),
  )
  .map((pairs) => Object.fromEntries(pairs.filter(([, value]) => value !== undefined)) as Case["context"]);

const cases: fc.Arbitrary<Case> = fc
  .record({
    asker: oneOf<Asker>(
      { kind: "user", account: OWNER },
      { kind: "user", account: OTHER },
      { kind: "session", account: OWNER },
      { kind: "session", account: OTHER },
      { kind: "root", account: OWNER },
      { kind: "root", account: OTHER },
      { kind: "anonymous", account: "" },
    ),
    action: actions,
    ownersAction: ownersActions,
    identity: fc.array(policy(nobody), { maxLength: 2 }),
    session: fc.option(policy(nobody), { nil: undefined }),
    queue: fc.option(policy(principals), { nil: undefined, freq: 6 }),
    context,
  })
  .map(({ asker, action, ownersAction, identity, session, queue, context }) => {
    const narrowed = asker.kind === "session" ? session : undefined;
    const namesSession = JSON.stringify(queue ?? "").includes(":assumed-role/");
    return {
      asker,
      action: `sqs:${asker.account === OWNER ? ownersAction : action}`,
      identity: asker.kind === "user" || asker.kind === "session" ? identity : [],
      session: namesSession ? undefined : narrowed,
      queue,
      context,
    };
  });

function principalOf({ asker: { kind, account }, identity, session }: Case): Principal {
  const policies = identity.map((each) => parsePolicy(JSON.stringify(each), "identity"));
  if (kind === "anonymous") return ANONYMOUS;
  if (kind === "root") return rootOf(account);
  if (kind === "user") return userOf({ account, name: "alice", path: "/", id: "AIDAALICEALICEALICE0", policies });
  const sessionPolicies = session && [parsePolicy(JSON.stringify(session), "session")];
  const parts = {
    account,
    roleName: "worker",
    rolePath: "/",
    roleId: "AROAWORKERWORKER0000",
    sessionName: "s1",
    policies,
  };
  return roleSessionOf({
    ...parts,
    sessionPolicies,
    issuedMs: 0,
    tags: new Map(),
    sourceIdentity: undefined,
  });
}

function ours(one: Case): boolean {
  const resource = { arn: QUEUE, account: OWNER, policy: one.queue && JSON.stringify(one.queue) };
  const context = new Map(Object.entries(one.context).map(([key, value]) => [key.toLowerCase(), [value].flat()]));
  return new Authorizer().decide(principalOf(one), one.action, resource, () => context) === undefined;
}

async function theirs({ asker: { kind, account }, action, identity, session, queue, context }: Case): Promise<boolean> {
  const arns = {
    root: `arn:aws:iam::${account}:root`,
    user: `arn:aws:iam::${account}:user/alice`,
    session: `arn:aws:sts::${account}:assumed-role/worker/s1`,
  };
  const simulation: Simulation = {
    request: {
      principal: kind === "anonymous" ? { type: "Anonymous" } : arns[kind],
      action,
      resource: { resource: QUEUE, accountId: OWNER },
      contextVariables: context,
    },
    identityPolicies: (kind === "root" ? [ALL] : identity).map((each, i) => ({ name: `p${i}`, policy: each })),
    sessionPolicy: session,
    resourcePolicy: queue,
    serviceControlPolicies: [],
    resourceControlPolicies: [],
  };
  const result = await runSimulation(simulation, {});
  if (result.resultType === "error") throw new Error(JSON.stringify(result.errors));
  return result.overallResult === "Allowed";
}

function deniesUnlessNothing({ identity, session, queue, context }: Case): boolean {
  if ("aws:username" in context) return false;
  const denials = [...identity, session, queue]
    .flatMap((each) => [each?.["Statement"] ?? []].flat() as Json[])
    .filter(({ Effect }) => Effect === "Deny");
  return /Not[A-Za-z]+":\{[^}]*\$\{aws:username/.test(JSON.stringify(denials));
}

describe("decisions are those of another evaluator", () => {
  test(
    `for ${RUNS} random policies and requests`,
    async () => {
      let allowedCount = 0;
      const property = fc.asyncProperty(cases, async (one) => {
        fc.pre(!deniesUnlessNothing(one));
        const allowed = ours(one);
        if (allowed) allowedCount++;
        expect(allowed).toBe(await theirs(one));
      });
      await fc.assert(property, { numRuns: RUNS, ...(SEED === undefined ? {} : { seed: Number(SEED) }) });
      // Neither answer is so rare that the comparison says little.
      expect(allowedCount).toBeGreaterThan(RUNS / 20);
      expect(allowedCount).toBeLessThan(RUNS * 0.8);
    },
    Math.max(60_000, RUNS * 30),
  );
});
