// AssumeRole: who may become what, for how long, and what is left of it.
import { beforeEach, describe, expect, test } from "vitest";
import { AWAY, allow, HOME, type Key, StsWorld, trust, variable } from "../support/sts-world.ts";

const ALICE = `arn:aws:iam::${HOME}:user/alice`;
const SECOND = 1_000;

let world: StsWorld;
let alice: Key;
beforeEach(() => {
  world = new StsWorld();
  alice = world.user("alice", HOME);
  return () => expect(world.faults).toEqual([]);
});

const denied = (role: string, action = "sts:AssumeRole", who = ALICE) => ({
  status: 403,
  code: "AccessDenied",
  message: `User: ${who} is not authorized to perform: ${action} on resource: ${role}`,
});

describe("a role", () => {
  test("gives credentials, with which its holder may do what the role may", () => {
    const role = world.role("worker", HOME, trust(ALICE), allow("sqs:SendMessage"));
    const { result } = world.assume(alice, role);
    expect(result.AssumedRoleUser).toEqual({
      AssumedRoleId: "AROAWORKER0000000000:s1",
      Arn: `arn:aws:sts::${HOME}:assumed-role/worker/s1`,
    });
    expect(Date.parse(result.Credentials.Expiration)).toBe(world.clock.nowMs() + 3_600 * SECOND);
    expect(result.Credentials.Expiration).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    const key = world.became(alice, role);
    expect(key.id).toMatch(/^ASIA[A-Z2-7]{16}$/);
    expect(world.may(key)).toBe("");
    expect(world.may(key, "sqs:PurgeQueue")).toContain(
      `User: arn:aws:sts::${HOME}:assumed-role/worker/s1 is not authorized to perform: sqs:purgequeue`,
    );
    expect(world.call(key, "GetCallerIdentity").result).toEqual({
      Arn: `arn:aws:sts::${HOME}:assumed-role/worker/s1`,
      UserId: "AROAWORKER0000000000:s1",
      Account: HOME,
    });
  });

  test("has a path in its own ARN, and none in its sessions'", () => {
    const role = world.role("worker", HOME, trust(ALICE), allow("sqs:*"), { path: "/apps/night/" });
    expect(role).toBe(`arn:aws:iam::${HOME}:role/apps/night/worker`);
    expect(world.assume(alice, role).result.AssumedRoleUser.Arn).toBe(`arn:aws:sts::${HOME}:assumed-role/worker/s1`);
    expect(world.assume(alice, `arn:aws:iam::${HOME}:role/worker`)).toMatchObject({ code: "AccessDenied" });
  });

  test("that is not there is answered like one that is not for him", () => {
    const secret = world.role("secret", HOME, trust(`arn:aws:iam::${HOME}:user/bob`), allow("sqs:*"));
    const missing = `arn:aws:iam::${HOME}:role/missing`;
    expect(world.assume(alice, secret)).toMatchObject(denied(secret));
    expect(world.assume(alice, missing)).toMatchObject(denied(missing));
  });
});

describe("a trust policy", () => {
  type Row = readonly [what: string, trust: object, identity: readonly object[], account: string, mayHe: boolean];
  const may = allow("sts:AssumeRole");
  test.each<Row>([
    ["that names him is enough at home", trust(ALICE), [], HOME, true],
    ["that names his account leaves it to the account", trust(HOME), [], HOME, false],
    ["that names his account, and his own policy, are enough", trust(HOME), [may], HOME, true],
    ["for everybody is enough at home", trust("*"), [], HOME, true],
    ["that names another is not for him, whatever his own policy says", trust(`${ALICE}2`), [may], HOME, false],
    ["for another action is none", trust(ALICE, { Action: "sts:TagSession" }), [may], HOME, false],
    ["cannot undo his own policy's Deny", trust(ALICE), [allow("sts:*", { Effect: "Deny" })], HOME, false],
    ["that denies him denies", trust(ALICE, { Effect: "Deny" }), [may], HOME, false],
    ["from abroad is not enough", trust(`arn:aws:iam::${AWAY}:user/carol`), [], AWAY, false],
    ["from abroad with his own policy is", trust(`arn:aws:iam::${AWAY}:user/carol`), [may], AWAY, true],
    ["from abroad for his account with his own policy is", trust(AWAY), [may], AWAY, true],
    ["from abroad for everybody needs his own policy", trust("*"), [], AWAY, false],
    ["from abroad for a third account is not for him", trust("333333333333"), [may], AWAY, false],
  ])("%s", (_what, trustPolicy, identity, account, mayHe) => {
    const name = account === HOME ? "alice" : "carol";
    world = new StsWorld();
    const key = world.user(name, account, ...identity);
    const role = world.role("worker", HOME, trustPolicy, allow("sqs:*"));
    const answer = world.assume(key, role);
    if (mayHe) expect(world.may({ ...key, ...keyFrom(answer.result) })).toBe("");
    else expect(answer).toMatchObject(denied(role, "sts:AssumeRole", `arn:aws:iam::${account}:user/${name}`));
  });

  const keyFrom = (result: { Credentials: { [name: string]: string } }) => ({
    id: result.Credentials["AccessKeyId"] ?? "",
    secret: result.Credentials["SecretAccessKey"] ?? "",
    token: result.Credentials["SessionToken"] ?? "",
  });

  test("may want an external ID", () => {
    const Condition = { StringEquals: { "sts:ExternalId": "ticket-7" } };
    const role = world.role("worker", HOME, trust(ALICE, { Condition }), allow("sqs:*"));
    expect(world.assume(alice, role)).toMatchObject(denied(role));
    expect(world.assume(alice, role, { ExternalId: "ticket-8" })).toMatchObject(denied(role));
    expect(world.assume(alice, role, { ExternalId: "ticket-7" })).toMatchObject({ status: 200 });
  });

  test.each([
    ["sts:RoleSessionName", { StringLike: { "sts:RoleSessionName": [variable("aws:username"), "s?"] } }, true],
    ["another sts:RoleSessionName", { StringEquals: { "sts:RoleSessionName": variable("aws:username") } }, false],
    ["aws:SourceIp", { IpAddress: { "aws:SourceIp": "10.1.0.0/16" } }, true],
    ["another aws:SourceIp", { IpAddress: { "aws:SourceIp": "10.2.0.0/16" } }, false],
    ["aws:PrincipalAccount", { StringEquals: { "aws:PrincipalAccount": HOME } }, true],
    ["aws:RequestedRegion", { StringEquals: { "aws:RequestedRegion": "eu-west-1" } }, false],
    ["aws:MultiFactorAuthPresent", { Bool: { "aws:MultiFactorAuthPresent": "true" } }, false],
    ["the day", { DateLessThan: { "aws:CurrentTime": "2023-11-14T00:00:00Z" } }, false],
  ])("may ask for %s", (_what, Condition, mayHe) => {
    const role = world.role("worker", HOME, trust(ALICE, { Condition }), allow("sqs:*"));
    expect(world.assume(alice, role).status).toBe(mayHe ? 200 : 403);
  });

  test("has no root in it: roles are not for root", () => {
    const root = world.user("root", HOME);
    const role = world.role("worker", HOME, trust("*"), allow("sqs:*"));
    expect(world.assume(root, role)).toMatchObject({
      code: "AccessDenied",
      message: "Roles may not be assumed by root accounts.",
    });
  });
});

describe("a session's policy", () => {
  test("takes away, and gives nothing", () => {
    const role = world.role("worker", HOME, trust(ALICE), allow(["sqs:SendMessage", "sqs:ReceiveMessage"]));
    const Policy = JSON.stringify(allow(["sqs:SendMessage", "sqs:DeleteMessage"]));
    const { result } = world.assume(alice, role, { Policy });
    expect(Number(result.PackedPolicySize)).toBeGreaterThan(0);
    const key = world.became(alice, role, { Policy });
    expect(world.may(key)).toBe("");
    expect(world.may(key, "sqs:ReceiveMessage")).toContain("because no session policy allows");
    expect(world.may(key, "sqs:DeleteMessage")).not.toBe("");
  });

  test.each([
    ["{", "This policy contains invalid Json"],
    ["{}", "Syntax errors in policy. The policy must have a Statement."],
    [
      JSON.stringify(allow("sqs:*", { Principal: "*" })),
      "Syntax errors in policy. Statement 1: this kind of policy has no Principal.",
    ],
  ])("that is none is refused: %s", (Policy, message) => {
    const role = world.role("worker", HOME, trust(ALICE), allow("sqs:*"));
    expect(world.assume(alice, role, { Policy })).toMatchObject({
      status: 400,
      code: "MalformedPolicyDocument",
      message,
    });
  });

  test("of 2,048 characters fits; with many tags besides, it may not", () => {
    const role = world.role("worker", HOME, trust(ALICE, { Action: "sts:*" }), allow("sqs:*"));
    const letters = Array.from({ length: 2_048 }, (_, i) => (Math.imul(i + 1, 0x9e3779b1) >>> 13).toString(36)).join(
      "",
    );
    const of = (length: number): string => {
      const text = JSON.stringify(allow("sqs:*", { Resource: "arn:aws:sqs:*:*:" }));
      return text.replace('*:*:"', `*:*:${letters.slice(0, length - text.length)}"`);
    };
    expect(of(2_048)).toHaveLength(2_048);
    expect(world.assume(alice, role, { Policy: of(2_048) })).toMatchObject({ status: 200 });
    expect(world.assume(alice, role, { Policy: of(2_049) }).message).toContain(
      "at 'policy' failed to satisfy constraint: Member must have length less than or equal to 2048",
    );
    const tags = Object.fromEntries(
      Array.from({ length: 50 }, (_, i) => [
        [`Tags.member.${i + 1}.Key`, `key-${i}`],
        [`Tags.member.${i + 1}.Value`, letters.slice(i * 40, i * 40 + 200)],
      ]).flat(),
    );
    expect(world.assume(alice, role, { Policy: of(2_048), ...tags })).toMatchObject({
      status: 400,
      code: "PackedPolicyTooLarge",
      message: expect.stringMatching(/^Packed policy consumes 1\d\d% of allotted space, please use smaller policy\.$/),
    });
  });
});

describe("a session", () => {
  test("is as long as was asked for, and as the role lets it be", () => {
    const role = world.role("worker", HOME, trust(ALICE), allow("sqs:*"), { maxSessionSeconds: 7_200 });
    const key = world.became(alice, role, { DurationSeconds: "7200" });
    world.clock.advance(7_199 * SECOND);
    expect(world.may(key)).toBe("");
    world.clock.advance(1 * SECOND);
    expect(world.may(key)).toBe("ExpiredTokenException: The security token included in the request is expired");
    expect(world.call(key, "GetCallerIdentity")).toMatchObject({
      status: 403,
      code: "ExpiredToken",
      message: "The security token included in the request is expired",
    });
    expect(world.assume(alice, role, { DurationSeconds: "7201" })).toMatchObject({
      status: 400,
      code: "ValidationError",
      message: "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    });
  });

  test("that becomes another role is of an hour at most", () => {
    const first = world.role("first", HOME, trust(ALICE), allow("sts:AssumeRole"), { maxSessionSeconds: 43_200 });
    const second = world.role("second", HOME, trust(first), allow("sqs:*"), { maxSessionSeconds: 43_200 });
    const key = world.became(alice, first, { DurationSeconds: "43200" });
    expect(world.assume(key, second, { DurationSeconds: "3601" })).toMatchObject({
      code: "ValidationError",
      message: "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
    });
    expect(world.may(world.became(key, second))).toBe("");
    expect(world.may(key)).not.toBe("");
  });

  test("narrowed by its policy becomes only what that lets it, or what names the session itself", () => {
    const first = world.role("first", HOME, trust(ALICE), allow("sts:AssumeRole"));
    const ofRole = world.role("ofrole", HOME, trust(first), allow("sqs:*"));
    const session = `arn:aws:sts::${HOME}:assumed-role/first/s1`;
    const ofSession = world.role("ofsession", HOME, trust(session), allow("sqs:*"));
    const narrowed = world.became(alice, first, { Policy: JSON.stringify(allow("sqs:*")) });
    expect(world.assume(narrowed, ofRole)).toMatchObject(denied(ofRole, "sts:AssumeRole", session));
    expect(world.assume(narrowed, ofSession).status).toBe(200);
  });
});

describe("tags and the source identity", () => {
  const tag = (i: number, Key: string, Value: string) => ({
    [`Tags.member.${i}.Key`]: Key,
    [`Tags.member.${i}.Value`]: Value,
  });

  test("need permissions of their own", () => {
    const role = world.role("worker", HOME, trust(ALICE), allow("sqs:*"));
    expect(world.assume(alice, role, tag(1, "team", "a"))).toMatchObject(denied(role, "sts:TagSession"));
    expect(world.assume(alice, role, { SourceIdentity: "alice" })).toMatchObject(denied(role, "sts:SetSourceIdentity"));
  });

  test("are what policies ask for", () => {
    const Condition = {
      StringEquals: { "aws:RequestTag/team": "a" },
      "ForAllValues:StringEquals": { "aws:TagKeys": "team" },
    };
    const trusted = trust(ALICE, { Action: ["sts:AssumeRole", "sts:TagSession"], Condition });
    const mine = allow("sqs:*", { Resource: `arn:aws:sqs:*:*:${variable("aws:PrincipalTag/team")}-*` });
    const role = world.role("worker", HOME, trusted, mine);
    expect(world.assume(alice, role, tag(1, "team", "b")).status).toBe(403);
    expect(world.assume(alice, role, { ...tag(1, "team", "a"), ...tag(2, "cost", "c") }).status).toBe(403);
    const key = world.became(alice, role, tag(1, "team", "a"));
    expect(world.may(key, "sqs:SendMessage", "a-orders")).toBe("");
    expect(world.may(key, "sqs:SendMessage", "b-orders")).not.toBe("");
  });

  test("go on to the next role if they are transitive, and cannot be changed there", () => {
    const any = { Action: "sts:*" };
    const first = world.role("first", HOME, trust(ALICE, any), allow("sts:*"));
    const second = world.role(
      "second",
      HOME,
      trust(first, any),
      allow("sqs:*", { Resource: `arn:aws:sqs:*:*:${variable("aws:PrincipalTag/team")}` }),
    );
    const key = world.became(alice, first, {
      ...tag(1, "team", "a"),
      ...tag(2, "cost", "c"),
      "TransitiveTagKeys.member.1": "TEAM",
      SourceIdentity: "al",
    });
    const next = world.assume(key, second);
    expect(next.result.SourceIdentity).toBe("al");
    expect(world.may(world.became(key, second), "sqs:SendMessage", "a")).toBe("");
    expect(world.assume(key, second, tag(1, "Team", "b")).message).toContain("conflicts with a transitive tag key");
    expect(world.assume(key, second, tag(1, "cost", "d")).status).toBe(200);
    expect(world.assume(key, second, { SourceIdentity: "bo" })).toMatchObject({ code: "AccessDenied" });
    expect(world.assume(key, second, { SourceIdentity: "al" }).status).toBe(200);
  });
});

describe("what is wrong is told, all at once", () => {
  const role = `arn:aws:iam::${HOME}:role/worker`;
  test.each([
    [
      { RoleArn: "short", RoleSessionName: "a b", DurationSeconds: "899" },
      "3 validation errors detected: Value 'short' at 'roleArn' failed to satisfy constraint: Member must have length greater than or equal to 20; " +
        "Value 'a b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*; " +
        "Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900",
    ],
    [
      { DurationSeconds: "43201" },
      "1 validation error detected: Value '43201' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or equal to 43200",
    ],
    [
      { RoleSessionName: "x" },
      "at 'roleSessionName' failed to satisfy constraint: Member must have length greater than or equal to 2",
    ],
    [{ RoleSessionName: "x".repeat(65) }, "Member must have length less than or equal to 64"],
    [{ ExternalId: "a b" }, "at 'externalId' failed to satisfy constraint"],
    [{ RoleArn: "arn:aws:iam::111111111111:user/alice" }, "Request ARN is invalid"],
    [{ "PolicyArns.member.1.arn": "arn:aws:iam::aws:policy/ReadOnly" }, "PolicyArns are not supported here"],
    [{ "ProvidedContexts.member.1.ProviderArn": "x" }, "ProvidedContexts are not supported here"],
    [{ "Tags.member.1.Key": "aws:x", "Tags.member.1.Value": "y" }, "Tag keys must not begin with aws:"],
    [
      { "Tags.member.1.Key": "x" },
      "Value null at 'tags.1.member.value' failed to satisfy constraint: Member must not be null",
    ],
    [{ "TransitiveTagKeys.member.1": "x" }, "must be included in the requested tags"],
  ])("%o", (parameters, message) => {
    const answer = world.assume(alice, role, parameters);
    expect(answer).toMatchObject({ status: 400, code: "ValidationError" });
    expect(answer.message).toContain(message);
  });

  test("a session name that is missing, and MFA, which nobody has", () => {
    expect(world.call(alice, "AssumeRole", { RoleArn: role }).message).toBe(
      "1 validation error detected: Value null at 'roleSessionName' failed to satisfy constraint: Member must not be null",
    );
    expect(
      world.assume(alice, role, { SerialNumber: "arn:aws:iam::111111111111:mfa/x", TokenCode: "123456" }),
    ).toMatchObject({
      code: "AccessDenied",
    });
  });
});
