// Documents as nobody would write them: each is read, or refused with a reason, and what was read is decided by without a fault.
import fc from "fast-check";
import { expect, test } from "vitest";
import { Authorizer } from "../../src/auth/authorize.ts";
import { type Policy, PolicyError, type PolicyKind, parsePolicy, readPolicy } from "../../src/auth/policy/document.ts";
import { evaluate } from "../../src/auth/policy/evaluate.ts";
import { ANONYMOUS, userOf } from "../../src/auth/principal.ts";
import { contextOf } from "../../src/auth/request-context.ts";
import { variable } from "../support/sts-world.ts";

const KINDS: readonly PolicyKind[] = ["identity", "resource", "trust", "session"];
const ARN = "arn:aws:sqs:us-east-1:111111111111:q";
const user = (policies: readonly Policy[] = []) =>
  userOf({ account: "111111111111", name: "alice", path: "/", id: "AIDAALICE", policies });
const circumstances = contextOf({
  ...{ principal: user(), nowMs: 0, remoteAddress: "10.0.0.1", isSecure: false, userAgent: "a", region: "us-east-1" },
  ...{ resourceAccount: "111111111111", queueTags: new Map([["k", "v"]]), requestTags: undefined },
});

/** @returns what was read; undefined when it was refused. Anything else that is thrown is a fault */
function read(make: () => Policy): Policy | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof PolicyError && error.message !== "") return undefined;
    throw error;
  }
}

function decideBy(policy: Policy): void {
  const request = { principal: user().names, action: "sqs:SendMessage", resource: ARN, context: circumstances };
  expect([undefined, "Allow", "Deny"]).toContain(evaluate(policy, request));
}

// Members that mean something, with values that need not.
const word = fc.oneof(
  fc.constantFrom(
    "*",
    "?",
    "${",
    variable(""),
    variable("*"),
    variable("aws:username"),
    variable("aws:x, 'y'"),
    "\u0000",
    "a".repeat(2_000),
    "sqs:*",
    ARN,
  ),
  fc.constantFrom(
    "__proto__",
    "constructor",
    "toString",
    "2012-10-17",
    "Allow",
    "Deny",
    "true",
    "1e999",
    "10.0.0.0/8",
    "::/0",
  ),
  fc.string({ unit: "binary", maxLength: 12 }),
);
const scalar = fc.oneof(word, fc.integer(), fc.double(), fc.boolean(), fc.constant(null));
const loose = fc.oneof(scalar, fc.array(scalar, { maxLength: 3 }), fc.dictionary(word, scalar, { maxKeys: 3 }));
const operator = fc.oneof(
  word,
  fc.constantFrom(
    "StringEquals",
    "StringLike",
    "ArnLike",
    "Bool",
    "IpAddress",
    "DateLessThan",
    "NumericEquals",
    "Null",
    "BinaryEquals",
  ),
  fc.constantFrom(
    "StringLikeIfExists",
    "ForAnyValue:StringLike",
    "ForAllValues:StringEqualsIfExists",
    "ForAllValues:Null",
  ),
);
const key = fc.oneof(
  word,
  fc.constantFrom("aws:SourceIp", "AWS:username", "aws:TagKeys", "aws:PrincipalTag/x", "aws:CurrentTime"),
);
const condition = fc.oneof(
  loose,
  fc.dictionary(operator, fc.oneof(loose, fc.dictionary(key, loose, { maxKeys: 2 })), { maxKeys: 2 }),
);
const principal = fc.oneof(loose, fc.constant("*"), fc.record({ AWS: loose }), fc.record({ Service: loose }));
const statement = fc.oneof(
  { weight: 1, arbitrary: loose },
  {
    weight: 6,
    arbitrary: fc.record(
      {
        Sid: loose,
        Effect: fc.oneof(fc.constantFrom("Allow", "Deny"), loose),
        Principal: principal,
        NotPrincipal: principal,
        Action: loose,
        NotAction: loose,
        Resource: loose,
        NotResource: loose,
        Condition: condition,
        Other: loose,
      },
      { requiredKeys: ["Effect"] },
    ),
  },
);
const document = fc.record(
  {
    Version: fc.oneof(fc.constantFrom("2012-10-17", "2008-10-17"), loose),
    Id: loose,
    Statement: fc.oneof(statement, fc.array(statement, { maxLength: 3 })),
  },
  { requiredKeys: ["Statement"] },
);

test("any text is a policy or a reason why not", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.json(),
    fc.constant("[".repeat(100_000)),
    fc.constant('{"a":'.repeat(20_000)),
  );
  fc.assert(
    fc.property(text, fc.constantFrom(...KINDS), (each, kind) => {
      const policy = read(() => parsePolicy(each, kind));
      if (policy !== undefined) decideBy(policy);
    }),
    { numRuns: 5_000 },
  );
});

test("members that mean something, with values that need not, are read or refused, and decided by", () => {
  let readCount = 0;
  fc.assert(
    fc.property(document, fc.constantFrom(...KINDS), (each, kind) => {
      const policy = read(() => readPolicy(each, kind));
      if (policy === undefined) return;
      readCount++;
      decideBy(policy);
    }),
    { numRuns: 20_000 },
  );
  expect(readCount).toBeGreaterThan(100);
});

test("a queue's policy that is none lets nobody in but its owner, whatever stands in it", () => {
  const authorizer = new Authorizer();
  fc.assert(
    fc.property(
      fc.oneof(
        document.map((each) => JSON.stringify(each)),
        fc.json(),
      ),
      (policy) => {
        if (read(() => parsePolicy(policy, "resource")) !== undefined) return;
        const resource = { arn: ARN, account: "111111111111", policy };
        for (const each of [ANONYMOUS, user()]) {
          expect(authorizer.decide(each, "sqs:SendMessage", resource, () => circumstances)).toMatch(
            /cannot be read|denied/,
          );
        }
      },
    ),
    { numRuns: 5_000 },
  );
});

/** One character more, less or another, anywhere. */
const EXACT = JSON.stringify({
  Version: "2012-10-17",
  Statement: [
    {
      Effect: "Allow",
      Principal: { AWS: "arn:aws:iam::222222222222:user/bob" },
      Action: "sqs:SendMessage",
      Resource: ARN,
    },
  ],
});

test("a policy for one, with a character of it changed anywhere, is for nobody else", () => {
  const authorizer = new Authorizer();
  const stranger = userOf({
    ...{ account: "333333333333", name: "eve", path: "/", id: "AIDAEVE" },
    policies: [
      readPolicy({ Version: "2012-10-17", Statement: { Effect: "Allow", Action: "*", Resource: "*" } }, "identity"),
    ],
  });
  const wild = /[*?$]/; // what makes a pattern of a name is for many by what it says
  fc.assert(
    fc.property(
      fc.nat(EXACT.length - 1),
      fc.constantFrom("change", "insert", "delete"),
      fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
      (at, how, by) => {
        fc.pre(!wild.test(by));
        const kept = how === "insert" ? EXACT.slice(at) : EXACT.slice(at + 1);
        const policy = EXACT.slice(0, at) + (how === "delete" ? "" : by) + kept;
        const resource = { arn: ARN, account: "111111111111", policy };
        for (const each of [ANONYMOUS, stranger]) {
          expect(authorizer.decide(each, "sqs:SendMessage", resource, () => circumstances)).toBeDefined();
          expect(authorizer.decide(each, "sqs:PurgeQueue", resource, () => circumstances)).toBeDefined();
        }
      },
    ),
    { numRuns: 10_000 },
  );
});
