// Who may do what: identity, session and queue policies together.
import { describe, expect, test } from "vitest";
import { Authorizer } from "../../src/auth/authorize.ts";
import type { Context } from "../../src/auth/policy/context.ts";
import { type PolicyKind, parsePolicy } from "../../src/auth/policy/document.ts";
import { ANONYMOUS, type Principal, roleSessionOf, rootOf, userOf } from "../../src/auth/principal.ts";

const OWNER = "111111111111";
const OTHER = "222222222222";
const ARN = `arn:aws:sqs:us-east-1:${OWNER}:orders`;
const SEND = "sqs:SendMessage";

type Json = { readonly [member: string]: unknown };
const text = (...statements: readonly Json[]): string =>
  JSON.stringify({
    Version: "2012-10-17",
    Statement: statements.map((each) => ({ Effect: "Allow", Action: "sqs:*", ...each })),
  });
const parsed = (kind: PolicyKind, ...statements: readonly Json[]) =>
  parsePolicy(text(...statements.map((each) => ({ Resource: "*", ...each }))), kind);

const ALLOW = {};
const DENY = { Effect: "Deny" };

function user(account: string, ...statements: readonly Json[]): Principal {
  const policies = statements.map((each) => parsed("identity", each));
  return userOf({ account, name: "alice", path: "/", id: "AIDAALICEALICEALICE0", policies });
}
function session(account: string, identity: readonly Json[], narrowed?: readonly Json[]): Principal {
  return roleSessionOf({
    ...{ account, roleName: "worker", rolePath: "/", roleId: "AROAWORKERWORKER0000", sessionName: "s1" },
    policies: identity.map((each) => parsed("identity", each)),
    sessionPolicies: narrowed?.map((each) => parsed("session", each)),
    ...{ issuedMs: 0, tags: new Map(), sourceIdentity: undefined },
  });
}
const NO_CONTEXT: Context = new Map();
function decide(principal: Principal, queue: readonly Json[] | string | undefined, action = SEND): string | undefined {
  const policy = typeof queue === "string" || queue === undefined ? queue : text(...queue);
  return new Authorizer().decide(principal, action, { arn: ARN, account: OWNER, policy }, () => NO_CONTEXT);
}
const to = (AWS: string | readonly string[], more: Json = {}): Json => ({ Principal: { AWS }, Resource: ARN, ...more });
const EVERYBODY: Json = { Principal: "*", Resource: ARN };
const ALICE = `arn:aws:iam::${OWNER}:user/alice`;
const ROLE = `arn:aws:iam::${OWNER}:role/worker`;
const SESSION = `arn:aws:sts::${OWNER}:assumed-role/worker/s1`;

type Row = readonly [what: string, principal: Principal, queue: readonly Json[] | undefined, mayI: boolean];

describe("in the queue's own account", () => {
  test.each<Row>([
    ["root needs no policy", rootOf(OWNER), undefined, true],
    ["root is stopped by a queue's Deny", rootOf(OWNER), [{ ...EVERYBODY, ...DENY }], false],
    ["a user without policies may nothing", user(OWNER), undefined, false],
    ["an identity policy is enough", user(OWNER, ALLOW), undefined, true],
    ["a queue policy that names the user is enough", user(OWNER), [to(ALICE)], true],
    ["a queue policy that names his unique ID is enough", user(OWNER), [to("AIDAALICEALICEALICE0")], true],
    ["a queue policy for everybody is enough", user(OWNER), [EVERYBODY], true],
    ["a queue policy for the account leaves it to the account", user(OWNER), [to(OWNER)], false],
    ["however the account is written", user(OWNER), [to(`arn:aws:iam::${OWNER}:root`)], false],
    ["another user's ARN is another's", user(OWNER), [to(`${ALICE}2`)], false],
    ["a name is compared with its case", user(OWNER), [to(ALICE.replace("alice", "Alice"))], false],
    ["a queue's Deny of the account is for everybody in it", user(OWNER, ALLOW), [to(OWNER, DENY)], false],
    ["an identity policy's Deny beats a queue's Allow", user(OWNER, DENY), [to(ALICE)], false],
    ["a Deny beats an Allow of the same kind, before or after it", user(OWNER, ALLOW, DENY, ALLOW), undefined, false],
  ])("%s", (_what, principal, queue, mayI) => {
    expect(decide(principal, queue) === undefined).toBe(mayI);
  });
});

describe("from another account", () => {
  test.each<Row>([
    ["an identity policy alone is not enough", user(OTHER, ALLOW), undefined, false],
    ["a queue policy alone is not enough", user(OTHER), [to(`arn:aws:iam::${OTHER}:user/alice`)], false],
    ["both are", user(OTHER, ALLOW), [to(OTHER)], true],
    ["both are, for everybody", user(OTHER, ALLOW), [EVERYBODY], true],
    ["a third account is not meant", user(OTHER, ALLOW), [to("333333333333")], false],
    ["root is its account", rootOf(OTHER), [to(`arn:aws:iam::${OTHER}:root`)], true],
    ["root is nobody without the queue's policy", rootOf(OTHER), undefined, false],
  ])("%s", (_what, principal, queue, mayI) => {
    expect(decide(principal, queue) === undefined).toBe(mayI);
  });

  const OWNERS = [
    ...["AddPermission", "CancelMessageMoveTask", "CreateQueue", "DeleteQueue", "ListMessageMoveTasks", "ListQueues"],
    ...["ListQueueTags", "RemovePermission", "SetQueueAttributes", "StartMessageMoveTask", "TagQueue", "UntagQueue"],
  ];
  test.each(OWNERS)("%s is never given away, whatever the policy says", (name) => {
    const queue = [EVERYBODY, to(OTHER)];
    expect(decide(user(OTHER, ALLOW), queue, `sqs:${name}`)).toContain("no resource-based policy allows");
    expect(decide(rootOf(OTHER), queue, `sqs:${name}`)).toContain("no resource-based policy allows");
    expect(decide(ANONYMOUS, queue, `sqs:${name}`)).toContain("Access to the resource");
    expect(decide(user(OWNER, ALLOW), queue, `sqs:${name}`)).toBeUndefined();
  });
});

describe("without a signature", () => {
  test.each<Row>([
    ["nothing is allowed", ANONYMOUS, undefined, false],
    ["but what a queue gives to everybody", ANONYMOUS, [EVERYBODY], true],
    ["in either spelling", ANONYMOUS, [to("*")], true],
    ["not what it gives to accounts", ANONYMOUS, [to([OWNER, OTHER])], false],
    ["not what it denies", ANONYMOUS, [EVERYBODY, { ...EVERYBODY, ...DENY }], false],
  ])("%s", (_what, principal, queue, mayI) => {
    expect(decide(principal, queue) === undefined).toBe(mayI);
  });
});

describe("in a session of a role", () => {
  const ONLY_RECEIVE = [{ Action: "sqs:ReceiveMessage" }];
  test.each<Row>([
    ["the role's policies count", session(OWNER, [ALLOW]), undefined, true],
    ["so do a queue's for the role", session(OWNER, []), [to(ROLE)], true],
    ["and for the session", session(OWNER, []), [to(SESSION)], true],
    ["and for the role's unique ID", session(OWNER, []), [to("AROAWORKERWORKER0000")], true],
    ["not those for another session", session(OWNER, []), [to(`${SESSION}2`)], false],
    ["a session's policy allows nothing by itself", session(OWNER, [], [ALLOW]), undefined, false],
    ["it narrows what the role may", session(OWNER, [ALLOW], ONLY_RECEIVE), undefined, false],
    ["and leaves what both allow", session(OWNER, [ALLOW], [ALLOW]), undefined, true],
    ["it narrows what a queue gives to the role", session(OWNER, [], ONLY_RECEIVE), [to(ROLE)], false],
    ["and what it gives to everybody", session(OWNER, [], ONLY_RECEIVE), [EVERYBODY], false],
    ["not what it gives to the session itself", session(OWNER, [], ONLY_RECEIVE), [to(SESSION)], true],
    ["its Deny counts everywhere", session(OWNER, [ALLOW], [ALLOW, DENY]), [to(SESSION)], false],
    ["a queue's Deny of the role is the session's", session(OWNER, [ALLOW]), [to(ROLE, DENY)], false],
    ["across accounts it must allow, too", session(OTHER, [ALLOW], ONLY_RECEIVE), [to(OTHER)], false],
    ["and then may", session(OTHER, [ALLOW], [ALLOW]), [to(OTHER)], true],
  ])("%s", (_what, principal, queue, mayI) => {
    expect(decide(principal, queue) === undefined).toBe(mayI);
  });
});

describe("a Deny to all but some", () => {
  const but = (AWS: string | readonly string[]): readonly Json[] => [
    { Effect: "Deny", NotPrincipal: { AWS }, Resource: ARN },
  ];
  test.each<Row>([
    ["spares whom it names", user(OWNER, ALLOW), but(ALICE), true],
    ["spares nobody for his account's sake", user(OWNER, ALLOW), but([OWNER, `arn:aws:iam::${OWNER}:root`]), false],
    ["spares root, which is the account", rootOf(OWNER), but(OWNER), true],
    ["spares no session for its role's sake", session(OWNER, [ALLOW]), but([ROLE, OWNER]), false],
    ["spares the session that it names", session(OWNER, [ALLOW]), but([SESSION, ROLE, OWNER]), true],
    ["is for everybody else", user(OWNER, ALLOW), but(`${ALICE}2`), false],
    ["is for whoever does not sign", ANONYMOUS, [EVERYBODY, ...but(ALICE)], false],
  ])("%s", (_what, principal, queue, mayI) => {
    expect(decide(principal, queue) === undefined).toBe(mayI);
  });
});

describe("a refusal says why", () => {
  const who = (arn: string) => `User: ${arn} is not authorized to perform: sqs:sendmessage on resource: ${ARN}`;
  const OTHER_ALICE = ALICE.replace(OWNER, OTHER);
  test.each<[Principal, readonly Json[] | undefined, string]>([
    [user(OWNER), undefined, `${who(ALICE)} because no identity-based policy allows the sqs:sendmessage action`],
    [user(OTHER, ALLOW), [], `${who(OTHER_ALICE)} because no resource-based policy allows the sqs:sendmessage action`],
    [
      user(OTHER),
      [to(OTHER)],
      `${who(OTHER_ALICE)} because no identity-based policy allows the sqs:sendmessage action`,
    ],
    [user(OWNER, DENY), undefined, `${who(ALICE)} with an explicit deny in an identity-based policy`],
    [user(OWNER, ALLOW), [to(ALICE, DENY)], `${who(ALICE)} with an explicit deny in a resource-based policy`],
    [session(OWNER, [ALLOW], [DENY]), undefined, `${who(SESSION)} with an explicit deny in a session policy`],
    [
      session(OWNER, [ALLOW], [{ Action: "sqs:GetQueueUrl" }]),
      undefined,
      `${who(SESSION)} because no session policy allows the sqs:sendmessage action`,
    ],
    [ANONYMOUS, undefined, `Access to the resource ${ARN} is denied.`],
  ])("%#", (principal, queue, expected) => {
    expect(decide(principal, queue?.length === 0 ? undefined : queue)).toBe(expected);
  });
});

describe("a queue policy that cannot be read", () => {
  test.each(["{", '{"Statement":[{"Effect":"Allow","Principal":"*","Action":"sqs:*","Condition":{"StringIs":{}}}]}'])(
    "shuts out everybody but the account's root, who can mend it: %s",
    (policy) => {
      expect(decide(rootOf(OWNER), policy, "sqs:SetQueueAttributes")).toBeUndefined();
      for (const one of [user(OWNER, ALLOW), session(OWNER, [ALLOW]), user(OTHER, ALLOW), rootOf(OTHER), ANONYMOUS]) {
        expect(decide(one, policy)).toContain("because the resource-based policy cannot be read");
      }
    },
  );
});

describe("decisions are kept", () => {
  test("but never for another principal, action, queue or policy", () => {
    const authorizer = new Authorizer();
    const ask = (principal: Principal, action: string, arn: string, policy?: string) =>
      authorizer.decide(principal, action, { arn, account: OWNER, policy }, () => NO_CONTEXT) === undefined;
    const alice = user(OWNER, { Action: SEND, Resource: ARN });
    const nobody = userOf({ account: OWNER, name: "bob", path: "/", id: "AIDABOBBOBBOBBOBBOB0", policies: [] });
    for (let round = 0; round < 3; round++) {
      expect(ask(alice, SEND, ARN)).toBe(true);
      expect(ask(nobody, SEND, ARN)).toBe(false);
      expect(ask(alice, "sqs:ReceiveMessage", ARN)).toBe(false);
      expect(ask(alice, SEND, `${ARN}2`)).toBe(false);
      expect(ask(alice, SEND, ARN, text({ ...EVERYBODY, ...DENY }))).toBe(false);
    }
  });

  test("until policies change", () => {
    const authorizer = new Authorizer();
    const resource = { arn: ARN, account: OWNER, policy: undefined };
    expect(authorizer.decide(user(OWNER, ALLOW), SEND, resource, () => NO_CONTEXT)).toBeUndefined();
    authorizer.forget();
    expect(authorizer.decide(user(OWNER), SEND, resource, () => NO_CONTEXT)).toBeDefined();
  });

  test("for nobody who comes later, when a request waited while policies changed", () => {
    const authorizer = new Authorizer();
    const resource = { arn: ARN, account: OWNER, policy: undefined };
    const ask = (principal: Principal) => authorizer.decide(principal, SEND, resource, () => NO_CONTEXT) === undefined;
    const admittedBefore = user(OWNER, ALLOW);
    authorizer.forget(); // and only then he gets as far as to be asked about
    expect(ask(admittedBefore)).toBe(true);
    const sameUserNow = user(OWNER);
    for (let round = 0; round < 2; round++) {
      expect(ask(sameUserNow)).toBe(false);
      expect(ask(admittedBefore)).toBe(true);
    }
  });

  test("not at all where circumstances decide", () => {
    const authorizer = new Authorizer();
    const resource = { arn: ARN, account: OWNER, policy: undefined };
    const inside = user(OWNER, { Condition: { IpAddress: { "aws:SourceIp": "10.0.0.0/8" } } });
    const from = (ip: string) => authorizer.decide(inside, SEND, resource, () => new Map([["aws:sourceip", [ip]]]));
    expect(from("10.0.0.1")).toBeUndefined();
    expect(from("11.0.0.1")).toBeDefined();
    expect(from("10.0.0.2")).toBeUndefined();
  });
});
