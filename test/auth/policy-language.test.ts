// The policy language, element by element: what a document must be, and when a statement applies.
import { describe, expect, test } from "vitest";
import { type PolicyKind, parsePolicy } from "../../src/auth/policy/document.ts";
import { evaluate } from "../../src/auth/policy/evaluate.ts";
import { ANONYMOUS, userOf } from "../../src/auth/principal.ts";

const ARN = "arn:aws:sqs:us-east-1:111111111111:orders";
type Json = { readonly [member: string]: unknown };
const STATEMENT: Json = { Effect: "Allow", Action: "sqs:SendMessage", Resource: ARN };
const document = (more: Json, kind: PolicyKind = "identity") =>
  parsePolicy(JSON.stringify({ Version: "2012-10-17", Statement: [{ ...STATEMENT, ...more }] }), kind);

describe("a document is refused", () => {
  const withPrincipal = { Principal: { AWS: "111111111111" } };
  test.each<[what: string, text: string | Json, kind: PolicyKind, message: string]>([
    ["that is no JSON", "{", "identity", "A policy must be JSON"],
    ["that is a list", "[]", "identity", "The policy must be an object"],
    ["that is larger than any may be", `"${"x".repeat(131_072)}"`, "identity", "A policy has at most 131072 bytes"],
    ["without statements", "{}", "identity", "The policy must have a Statement"],
    [
      "with a member it does not know",
      '{"Statement":[],"statement":[]}',
      "identity",
      'The policy has the unknown member "statement"',
    ],
    [
      "of a version there is not",
      '{"Version":"2020-01-01","Statement":[]}',
      "identity",
      'Version must be "2012-10-17" or "2008-10-17", not "2020-01-01"',
    ],
    ["whose Id is no text", '{"Id":1,"Statement":[]}', "identity", "Id must be a string"],
    ["whose statement is none", '{"Statement":["x"]}', "identity", "Statement 1 must be an object"],
    ["with an effect there is not", { Effect: "allow" }, "identity", 'Statement 1: Effect must be "Allow" or "Deny"'],
    [
      "with a member of a statement it does not know",
      { action: "sqs:*" },
      "identity",
      'Statement 1 has the unknown member "action"',
    ],
    ["without an action", { Action: undefined }, "identity", "Statement 1 must have an Action or a NotAction"],
    [
      "with both kinds of actions",
      { NotAction: "sqs:*" },
      "identity",
      "Statement 1 must not have both Action and NotAction",
    ],
    [
      "with an empty action",
      { Action: ["sqs:*", ""] },
      "identity",
      "Statement 1: Action must be a string, or a list of them",
    ],
    ["with no action in the list", { Action: [] }, "identity", "Statement 1: Action must not be empty"],
    ["without a resource", { Resource: undefined }, "identity", "Statement 1 must have a Resource or a NotResource"],
    [
      "with both kinds of resources",
      { NotResource: "*" },
      "identity",
      "Statement 1 must not have both Resource and NotResource",
    ],
    ["of a user that names somebody", withPrincipal, "identity", "Statement 1: this kind of policy has no Principal"],
    ["of a session that names somebody", withPrincipal, "session", "Statement 1: this kind of policy has no Principal"],
    ["of a queue that names nobody", {}, "resource", "Statement 1 must have a Principal or a NotPrincipal"],
    [
      "with both kinds of principals",
      { Principal: "*", NotPrincipal: "*" },
      "resource",
      "Statement 1 must not have both Principal and NotPrincipal",
    ],
    [
      "with a principal of no kind",
      { Principal: { aws: "1" } },
      "resource",
      'Statement 1: Principal has the unknown member "aws"',
    ],
    [
      "with a principal that is a name",
      { Principal: "111111111111" },
      "resource",
      "Statement 1: Principal must be an object",
    ],
    ["with no principals", { Principal: {} }, "resource", "Statement 1: Principal must not be empty"],
    [
      "that allows to all but some",
      { NotPrincipal: { AWS: "1" } },
      "resource",
      "Statement 1: NotPrincipal is only for the Deny of a resource's policy",
    ],
    [
      "with an operator there is not",
      { Condition: { StringIs: {} } },
      "identity",
      'Statement 1: Condition has the unknown operator "StringIs"',
    ],
    [
      "with Null if it exists",
      { Condition: { NullIfExists: {} } },
      "identity",
      'Statement 1: Condition has the unknown operator "NullIfExists"',
    ],
    [
      "with a key that is none",
      { Condition: { Bool: { secure: "true" } } },
      "identity",
      'Statement 1: "secure" is no condition key',
    ],
    [
      "with an object for a value",
      { Condition: { Bool: { "aws:a": {} } } },
      "identity",
      "Statement 1: aws:a must have strings, numbers or booleans for values",
    ],
    [
      "with a number that is none",
      { Condition: { NumericEquals: { "aws:a": "ten" } } },
      "identity",
      'Statement 1: aws:a: "ten" is no number',
    ],
    [
      "with a date that is none",
      { Condition: { DateEquals: { "aws:a": "soon" } } },
      "identity",
      'Statement 1: aws:a: "soon" is no date',
    ],
    [
      "with a truth that is none",
      { Condition: { Bool: { "aws:a": "yes" } } },
      "identity",
      'Statement 1: aws:a: "yes" is neither true nor false',
    ],
    [
      "with an address that is none",
      { Condition: { IpAddress: { "aws:a": "10.0.0.0/33" } } },
      "identity",
      'Statement 1: aws:a: "10.0.0.0/33" is no address and no range of addresses',
    ],
  ])("%s", (_what, given, kind, message) => {
    const parse = () => (typeof given === "string" ? parsePolicy(given, kind) : document(given, kind));
    expect(parse).toThrow(message);
  });

  test("whose statements have the same Sid, or that is nested too deeply", () => {
    const twice = {
      Statement: [
        { ...STATEMENT, Sid: "a" },
        { ...STATEMENT, Sid: "a" },
      ],
    };
    expect(() => parsePolicy(JSON.stringify(twice), "identity")).toThrow("Two statements have the same Sid");
    const deep = `{"Statement":${"[".repeat(1000)}${"]".repeat(1000)}}`;
    expect(() => parsePolicy(deep, "identity")).toThrow("The policy is nested too deeply");
  });
});

const alice = userOf({ account: "111111111111", name: "alice", path: "/", id: "AIDAALICEALICEALICE0", policies: [] });
function applies(
  more: Json,
  context: Readonly<Record<string, readonly string[]>> = {},
  ask: { action?: string; resource?: string } = {},
): boolean {
  const request = { principal: alice.names, action: ask.action ?? "sqs:SendMessage", resource: ask.resource ?? ARN };
  return evaluate(document(more), { ...request, context: new Map(Object.entries(context)) }) === "Allow";
}

describe("actions", () => {
  test.each<[Json, boolean]>([
    [{ Action: "sqs:SendMessage" }, true],
    [{ Action: "SQS:sendmessage" }, true],
    [{ Action: "sqs:Send*" }, true],
    [{ Action: "sqs:Send" }, false],
    [{ Action: "sqs:?endMessage" }, true],
    [{ Action: "*" }, true],
    [{ Action: "sns:*" }, false],
    [{ Action: ["sns:*", "sqs:*"] }, true],
    [{ Action: undefined, NotAction: "sqs:Send*" }, false],
    [{ Action: undefined, NotAction: "sqs:Receive*" }, true],
    [{ Action: "sqs:$" + "{aws:username}" }, false],
  ])("%j: %s", (more, expected) => expect(applies(more, { "aws:username": ["SendMessage"] })).toBe(expected));
});

describe("resources: a wildcard stays in its part of the ARN, at the end it reaches to the end", () => {
  test.each<[Json, boolean]>([
    [{ Resource: ARN }, true],
    [{ Resource: ARN.toUpperCase() }, false],
    [{ Resource: "*" }, true],
    [{ Resource: "arn:aws:sqs:*" }, true],
    [{ Resource: "arn:aws:sqs:us-east-1:*" }, true],
    [{ Resource: "arn:aws:sqs:*:orders" }, false],
    [{ Resource: "arn:aws:sqs:*:*:orders" }, true],
    [{ Resource: "arn:*:orders" }, false],
    [{ Resource: "arn:aws:sqs" }, false],
    [{ Resource: `${ARN}:more` }, false],
    [{ Resource: "arn:aws:sqs:us-east-1:1?1111111111:o*s" }, true],
    [{ Resource: undefined, NotResource: ARN }, false],
    [{ Resource: undefined, NotResource: `${ARN}2` }, true],
    [{ Resource: "arn:aws:sqs:us-east-1:111111111111:$" + "{aws:username}" }, true],
    [{ Resource: "arn:aws:sqs:us-east-1:111111111111:$" + "{aws:nothing}" }, false],
    [{ Resource: "arn:aws:sqs:us-east-1:111111111111:$" + "{aws:nothing, 'orders'}" }, true],
    [{ Resource: "arn:aws:sqs:us-east-1:111111111111:$" + "{aws:useragent}" }, false], // its "*" is an asterisk
    [{ Resource: "arn:aws:sqs:us-east-1:111111111111:$" + "{*}" }, false],
  ])("%j: %s", (more, expected) =>
    expect(applies(more, { "aws:username": ["orders"], "aws:useragent": ["*"] })).toBe(expected),
  );

  test("no pattern takes longer than the product of two lengths", () => {
    const startMs = performance.now();
    const pattern = `arn:aws:sqs:us-east-1:111111111111:${"*a".repeat(2000)}b`;
    expect(
      applies({ Resource: pattern }, {}, { resource: `arn:aws:sqs:us-east-1:111111111111:${"a".repeat(4000)}` }),
    ).toBe(false);
    expect(performance.now() - startMs).toBeLessThan(30_000); // trying every way would take longer than there is time
  });
});

const TAGS = { "aws:tagkeys": ["team", "cost"] };
const V = "$" + "{aws:username}";
describe("conditions", () => {
  test.each<[operator: string, key: string, value: unknown, given: string | undefined, holds: boolean]>([
    ["StringEquals", "aws:a", "x", "x", true],
    ["StringEquals", "AWS:A", "x", "x", true],
    ["StringEquals", "aws:a", "X", "x", false],
    ["StringEquals", "aws:a", ["y", "x"], "x", true],
    ["StringEquals", "aws:a", "*", "x", false],
    ["StringEquals", "aws:a", "x", undefined, false],
    ["StringEquals", "aws:a", [], "x", false],
    ["StringEqualsIfExists", "aws:a", "x", undefined, true],
    ["StringEqualsIfExists", "aws:a", "x", "y", false],
    ["StringNotEquals", "aws:a", "x", "y", true],
    ["StringNotEquals", "aws:a", ["x", "y"], "y", false],
    ["StringNotEquals", "aws:a", "x", undefined, true],
    ["StringEqualsIgnoreCase", "aws:a", "X", "x", true],
    ["StringNotEqualsIgnoreCase", "aws:a", "X", "x", false],
    ["StringLike", "aws:a", "x*z", "xyyz", true],
    ["StringLike", "aws:a", "x?z", "xyyz", false],
    ["StringLike", "aws:a", "$" + "{*}", "*", true],
    ["StringLike", "aws:a", "$" + "{*}", "x", false],
    ["StringNotLike", "aws:a", "x*", "xy", false],
    ["StringEquals", "aws:a", V, "alice", true],
    ["StringEquals", "aws:a", "$" + "{aws:none}", "alice", false],
    ["StringNotEquals", "aws:a", "$" + "{aws:none}", "alice", false],
    ["stringequals", "aws:a", "x", "x", true],
    ["NumericEquals", "aws:a", "10", "10.0", true],
    ["NumericEquals", "aws:a", 10, "10", true],
    ["NumericEquals", "aws:a", "10", "0xA", false],
    ["NumericNotEquals", "aws:a", "10", "11", true],
    ["NumericLessThan", "aws:a", "10", "9", true],
    ["NumericLessThan", "aws:a", "10", "10", false],
    ["NumericLessThanEquals", "aws:a", "10", "10", true],
    ["NumericGreaterThan", "aws:a", "9", "10", true],
    ["NumericGreaterThanEquals", "aws:a", "10", "", false],
    ["DateEquals", "aws:a", "2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00Z", true],
    ["DateEquals", "aws:a", "1767225600", "2026-01-01T00:00:00Z", true],
    ["DateLessThan", "aws:a", "2026-01-01", "2025-12-31T23:59:59Z", true],
    ["DateGreaterThan", "aws:a", "2026-01-01", "2026-01-01T00:00:00Z", false],
    ["DateGreaterThanEquals", "aws:a", "2026-01-01", "1767225600", true],
    ["DateNotEquals", "aws:a", "2026-01-01", "2026-01-01T00:00:00.000Z", false],
    ["Bool", "aws:a", "true", "true", true],
    ["Bool", "aws:a", true, "TRUE", true],
    ["Bool", "aws:a", "false", "true", false],
    ["Bool", "aws:a", "false", undefined, false],
    ["BoolIfExists", "aws:a", "false", undefined, true],
    ["BinaryEquals", "aws:a", "eA==", "eA==", true],
    ["BinaryEquals", "aws:a", "eA==", "EA==", false],
    ["IpAddress", "aws:a", "10.0.0.0/8", "10.1.2.3", true],
    ["IpAddress", "aws:a", "10.0.0.1", "10.0.0.1", true],
    ["IpAddress", "aws:a", "0.0.0.0/0", "10.0.0.1", true],
    ["IpAddress", "aws:a", "2001:db8::/32", "2001:0db8::1", true],
    ["IpAddress", "aws:a", "::/0", "10.0.0.1", false],
    ["IpAddress", "aws:a", "0.0.0.0/0", "no address", false],
    ["NotIpAddress", "aws:a", "10.0.0.0/8", "11.0.0.1", true],
    ["NotIpAddress", "aws:a", "2001:db8::/32", "11.0.0.1", true],
    ["ArnEquals", "aws:a", "arn:aws:sns:*:*:t", "arn:aws:sns:us-east-1:1:t", true],
    ["ArnLike", "aws:a", "arn:aws:sns:*:t", "arn:aws:sns:us-east-1:1:t", false],
    ["ArnLike", "aws:a", "arn:aws:sns:*", "arn:aws:sns:us-east-1:1:t", false],
    ["ArnLike", "aws:a", "arn:aws:sns:*:*:t:*", "arn:aws:sns:us-east-1:1:t:sub:subsub", true],
    ["ArnLike", "aws:a", "*", "arn:aws:sns:us-east-1:1:t", false],
    ["ArnNotLike", "aws:a", "arn:aws:sns:*:*:t", "arn:aws:sns:us-east-1:1:u", true],
    ["ArnNotEquals", "aws:a", "arn:aws:sns:*:*:t", "arn:aws:sns:us-east-1:1:t", false],
    ["Null", "aws:a", "true", undefined, true],
    ["Null", "aws:a", "true", "x", false],
    ["Null", "aws:a", false, "x", true],
    ["ForAnyValue:StringEquals", "aws:TagKeys", "team", undefined, true],
    ["ForAnyValue:StringEquals", "aws:TagKeys", "Team", undefined, false],
    ["ForAllValues:StringEquals", "aws:TagKeys", ["team", "cost", "x"], undefined, true],
    ["ForAllValues:StringEquals", "aws:TagKeys", ["team"], undefined, false],
    ["ForAllValues:StringNotEquals", "aws:TagKeys", ["x"], undefined, true],
    ["ForAnyValue:StringNotEquals", "aws:TagKeys", ["team"], undefined, true],
    ["StringEquals", "aws:TagKeys", ["team", "cost"], undefined, false], // which of them would be meant?
    ["StringNotEquals", "aws:TagKeys", ["x"], undefined, false],
    ["ForAllValues:StringEquals", "aws:none", "x", undefined, true],
    ["ForAnyValue:StringEquals", "aws:none", "x", undefined, false],
    ["ForAnyValue:StringEqualsIfExists", "aws:none", "x", undefined, false],
    ["ForAnyValue:StringNotEquals", "aws:none", "x", undefined, false],
  ])("%s of %s with %j, given %j: %s", (operator, key, value, given, holds) => {
    const context = { ...TAGS, "aws:username": ["alice"], ...(given === undefined ? {} : { "aws:a": [given] }) };
    expect(applies({ Condition: { [operator]: { [key]: value } } }, context)).toBe(holds);
  });

  test("all of them must hold", () => {
    const Condition = { StringEquals: { "aws:a": "x", "aws:b": "y" }, Bool: { "aws:c": "true" } };
    const all = { "aws:a": ["x"], "aws:b": ["y"], "aws:c": ["true"] };
    expect(applies({ Condition }, all)).toBe(true);
    for (const key of Object.keys(all)) expect(applies({ Condition }, { ...all, [key]: ["z"] })).toBe(false);
  });

  test("a Deny that is to spare one value does not spare a variable without one", () => {
    const Condition = { StringNotEquals: { "aws:a": "$" + "{aws:none}" } };
    const policy = document({ Effect: "Deny", Condition });
    const request = { principal: alice.names, action: "sqs:SendMessage", resource: ARN };
    expect(evaluate(policy, { ...request, context: new Map([["aws:a", ["x"]]]) })).toBe("Deny");
  });

  test("variables are of the newer version; the older one takes them as they stand", () => {
    const statement = { ...STATEMENT, Condition: { StringEquals: { "aws:a": V } } };
    const old = parsePolicy(JSON.stringify({ Version: "2008-10-17", Statement: statement }), "identity");
    const none = parsePolicy(JSON.stringify({ Statement: statement }), "identity");
    const request = { principal: alice.names, action: "sqs:SendMessage", resource: ARN };
    for (const policy of [old, none]) {
      const given = (a: string) =>
        new Map([
          ["aws:a", [a]],
          ["aws:username", ["alice"]],
        ]);
      expect(evaluate(policy, { ...request, context: given("alice") })).toBeUndefined();
      expect(evaluate(policy, { ...request, context: given(V) })).toBe("Allow");
    }
  });
});

test("whoever does not sign is everybody, and nobody", () => {
  const given = (Principal: unknown) => {
    const policy = document({ Principal }, "resource");
    const request = { principal: ANONYMOUS.names, action: "sqs:SendMessage", resource: ARN, context: new Map() };
    return evaluate(policy, request);
  };
  expect(given("*")).toBe("Allow");
  expect(given({ AWS: ["111111111111", "*"] })).toBe("Allow");
  expect(given({ AWS: "111111111111" })).toBeUndefined();
  expect(given({ Service: "sns.amazonaws.com" })).toBeUndefined();
});
