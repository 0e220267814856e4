// The Policy attribute and the two actions that edit it. Reference 2.8, 8.4, 8.5. Nobody evaluates a policy here.
import { describe, expect } from "vitest";
import { conformance, type Row, scenario, useBroker } from "../../support/conformance.ts";
import type { Service } from "../../support/service.ts";
import type { Json } from "../../support/sqs-client.ts";
import { invalidValue, missingParameter } from "../../support/wordings.ts";

useBroker();

const FRIEND = "668614515564";
const permission = (more: Json = {}): Json => ({
  QueueUrl: "q",
  Label: "l",
  AWSAccountIds: [FRIEND],
  Actions: ["SendMessage"],
  ...more,
});
const OWNER_ONLY = [
  ...["CreateQueue", "DeleteQueue", "ListQueues", "AddPermission", "RemovePermission", "TagQueue", "UntagQueue"],
  ...["ListQueueTags", "SetQueueAttributes", "StartMessageMoveTask", "CancelMessageMoveTask", "ListMessageMoveTasks"],
];
const GRANTABLE = [
  ...["*", "SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes"],
  ...["GetQueueUrl", "ListDeadLetterSourceQueues", "PurgeQueue"],
];

conformance(
  "AddPermission",
  [
    ["CreateQueue", { QueueName: "q" }],
    ["AddPermission", permission({ Label: "taken" })],
  ],
  [
    ...GRANTABLE.map(
      (action, index): Row => [action, "AddPermission", permission({ Label: `grant-${index}`, Actions: [action] }), {}],
    ),
    ["a label of 80 characters", "AddPermission", permission({ Label: "l".repeat(80) }), {}],
    [
      "a label of 81",
      "AddPermission",
      permission({ Label: "l".repeat(81) }),
      invalidValue(
        "l".repeat(81),
        "Label",
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.",
      ),
    ],
    [
      "a label with a space",
      "AddPermission",
      permission({ Label: "a b" }),
      invalidValue(
        "a b",
        "Label",
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.",
      ),
    ],
    [
      "a label that is used",
      "AddPermission",
      permission({ Label: "taken" }),
      invalidValue("taken", "Label", "Already exists."),
    ],
    ["no label", "AddPermission", permission({ Label: null }), missingParameter("Label")],
    ["an empty label", "AddPermission", permission({ Label: "" }), missingParameter("Label")],
    ["no actions", "AddPermission", permission({ Actions: [] }), missingParameter("ActionName")],
    ["seven actions", "AddPermission", permission({ Label: "seven", Actions: GRANTABLE.slice(1, 8) }), {}],
    [
      "eight actions",
      "AddPermission",
      permission({ Actions: GRANTABLE.slice(1) }),
      "403 OverLimit | 8 Actions were found, maximum allowed is 7.",
    ],
    ...OWNER_ONLY.map(
      (action): Row => [
        `${action} is the owner's`,
        "AddPermission",
        permission({ Actions: [action] }),
        invalidValue(`SQS:${action}`, "ActionName", "Only the queue owner is allowed to invoke this action."),
      ],
    ),
    ...["Nonsense", "SendMessageBatch", "sendmessage", "SQS:SendMessage", ""].map(
      (action): Row => [
        `"${action}" is no action that can be granted`,
        "AddPermission",
        permission({ Actions: [action] }),
        invalidValue(
          `SQS:${action}`,
          "ActionName",
          "Please refer to the appropriate WSDL for a list of valid actions.",
        ),
      ],
    ),
    [
      "no accounts",
      "AddPermission",
      permission({ AWSAccountIds: [] }),
      invalidValue("[]", "PrincipalId", "Unable to verify."),
    ],
    [
      "what is no account",
      "AddPermission",
      permission({ AWSAccountIds: ["1", FRIEND] }),
      invalidValue(`[1, ${FRIEND}]`, "PrincipalId", "Unable to verify."),
    ],
  ],
);

conformance(
  "RemovePermission",
  [
    ["CreateQueue", { QueueName: "q" }],
    ["CreateQueue", { QueueName: "bare" }],
    ["AddPermission", permission({ Label: "taken" })],
  ],
  [
    [
      "a label that the policy has not",
      "RemovePermission",
      { QueueUrl: "q", Label: "other" },
      invalidValue("other", "Label", "can't find label on existing policy."),
    ],
    [
      "a queue without a policy",
      "RemovePermission",
      { QueueUrl: "bare", Label: "other" },
      invalidValue("other", "Label", "can't find label."),
    ],
    ["no label", "RemovePermission", { QueueUrl: "q" }, missingParameter("Label")],
    ["a label that it has", "RemovePermission", { QueueUrl: "q", Label: "taken" }, {}],
  ],
);

async function policyOf(sqs: Service): Promise<Json | undefined> {
  const { Attributes } = await sqs.call("GetQueueAttributes", { QueueUrl: "q", AttributeNames: ["Policy"] });
  const text = (Attributes as { Policy?: string } | undefined)?.Policy;
  return text === undefined ? undefined : (JSON.parse(text) as Json);
}

describe("the statements of permissions", () => {
  scenario("one account and one action are texts, several are lists; later permissions are appended", async (sqs) => {
    await sqs.call("CreateQueue", { QueueName: "q" });
    await sqs.call("AddPermission", permission({ Label: "one", Actions: ["ReceiveMessage"] }));
    const one = {
      Sid: "one",
      Effect: "Allow",
      Principal: { AWS: `arn:aws:iam::${FRIEND}:root` },
      Action: "SQS:ReceiveMessage",
      Resource: sqs.arn("q"),
    };
    const document = { Version: "2008-10-17", Id: `${sqs.arn("q")}/SQSDefaultPolicy` };
    expect(await policyOf(sqs)).toEqual({ ...document, Statement: [one] });

    const AWSAccountIds = [FRIEND, "111111111111"];
    await sqs.call("AddPermission", permission({ Label: "two", AWSAccountIds, Actions: ["SendMessage", "*"] }));
    const two = {
      Sid: "two",
      Effect: "Allow",
      Principal: { AWS: [`arn:aws:iam::${FRIEND}:root`, "arn:aws:iam::111111111111:root"] },
      Action: ["SQS:SendMessage", "SQS:*"],
      Resource: sqs.arn("q"),
    };
    expect(await policyOf(sqs)).toEqual({ ...document, Statement: [one, two] });

    await sqs.call("RemovePermission", { QueueUrl: "q", Label: "one" });
    expect(await policyOf(sqs)).toEqual({ ...document, Statement: [two] });
    await sqs.call("RemovePermission", { QueueUrl: "q", Label: "two" });
    expect(await policyOf(sqs)).toBeUndefined();
  });

  scenario("a permission joins the policy that was set, and leaves the rest of it alone", async (sqs) => {
    const statement = { Sid: "mine", Effect: "Deny", Principal: "*", Action: "sqs:*", Resource: sqs.arn("q") };
    const Policy = JSON.stringify({ Version: "2012-10-17", Id: "own", Statement: statement });
    await sqs.call("CreateQueue", { QueueName: "q", Attributes: { Policy } });
    await sqs.call("AddPermission", permission({ Label: "more" }));
    const document = await policyOf(sqs);
    expect(document).toMatchObject({ Version: "2012-10-17", Id: "own", Statement: [statement, { Sid: "more" }] });
    await sqs.call("RemovePermission", { QueueUrl: "q", Label: "more" });
    expect(await policyOf(sqs)).toEqual({ Version: "2012-10-17", Id: "own", Statement: [statement] });
    expect(await sqs.refusal("AddPermission", permission({ Label: "mine" }))).toContain("Already exists.");
  });

  scenario("twenty statements and no more", async (sqs) => {
    await sqs.call("CreateQueue", { QueueName: "q" });
    for (let i = 0; i < 20; i++) await sqs.call("AddPermission", permission({ Label: `l${i}` }));
    expect(await sqs.refusal("AddPermission", permission({ Label: "l20" }))).toBe(
      "403 OverLimit | 21 statements were found in the submitted policy, max allowed is 20",
    );
  });

  scenario("fifty accounts and no more", async (sqs) => {
    await sqs.call("CreateQueue", { QueueName: "q" });
    const accounts = (count: number) => Array.from({ length: count }, (_, i) => String(200_000_000_000 + i));
    await sqs.call("AddPermission", permission({ Label: "many", AWSAccountIds: accounts(50) }));
    expect(await sqs.refusal("AddPermission", permission({ Label: "one" }))).toBe(
      "403 OverLimit | 51 principals were found in the submitted policy, max allowed is 50",
    );
  });
});

const statement = (more: Json = {}): Json => ({ Effect: "Allow", Principal: "*", Action: "sqs:*", ...more });
const many = (count: number, of: (index: number) => Json): Json[] => Array.from({ length: count }, (_, i) => of(i));
const policy = (...statements: readonly Json[]): Json => ({
  QueueUrl: "q",
  Attributes: { Policy: JSON.stringify({ Version: "2012-10-17", Statement: statements }) },
});
const text = (Policy: string): Json => ({ QueueUrl: "q", Attributes: { Policy } });
const NO_POLICY = "400 InvalidAttributeValue | Invalid value for the parameter Policy.";
const accepted = (rule: string, input: Json): Row => [rule, "SetQueueAttributes", input, {}];
const refused = (rule: string, input: Json, expected = NO_POLICY): Row => [
  rule,
  "SetQueueAttributes",
  input,
  expected,
  expected === NO_POLICY ? "src/sqs/attributes.ts badAttribute" : undefined,
];
const over = (found: string, countMax: number): string =>
  `403 OverLimit | ${found} were found in the submitted policy, max allowed is ${countMax}`;
const conditions = (count: number): Json => ({
  StringEquals: Object.fromEntries(
    many(count, (i) => ({ [`aws:key${i}`]: "v" })).flatMap((one) => Object.entries(one)),
  ),
});
const padded = (bytes: number): Json => {
  const bare = JSON.stringify({ Version: "2012-10-17", Id: "", Statement: [statement()] }).length;
  return text(JSON.stringify({ Version: "2012-10-17", Id: "x".repeat(bytes - bare), Statement: [statement()] }));
};

conformance(
  "a policy document",
  [["CreateQueue", { QueueName: "q" }]],
  [
    accepted("one statement without its list", text(`{"Statement":${JSON.stringify(statement())}}`)),
    accepted("the older version", text(`{"Version":"2008-10-17","Statement":[${JSON.stringify(statement())}]}`)),
    accepted(
      "principals of every kind",
      policy(statement({ Principal: { AWS: ["*"], Service: "sns.amazonaws.com" } })),
    ),
    accepted(
      "NotPrincipal and NotAction",
      policy(
        statement({
          ...{ Effect: "Deny", Principal: undefined, NotPrincipal: { AWS: "123456789012" } },
          ...{ Action: undefined, NotAction: "sqs:SendMessage" },
        }),
      ),
    ),
    accepted("a condition", policy(statement({ Condition: { ArnLike: { "aws:SourceArn": "arn:aws:sns:*:*:t" } } }))),
    accepted("20 statements", policy(...many(20, () => statement()))),
    refused("21 statements", policy(...many(21, () => statement())), over("21 statements", 20)),
    accepted("50 principals", policy(statement({ Principal: { AWS: many(50, () => ({})).map((_, i) => `${i}`) } }))),
    refused(
      "51 principals, in two statements",
      policy(statement(), statement({ Principal: { AWS: many(50, () => ({})).map((_, i) => `${i}`) } })),
      over("51 principals", 50),
    ),
    accepted("10 conditions", policy(statement({ Condition: conditions(10) }))),
    refused("11 conditions", policy(statement({ Condition: conditions(11) })), over("11 conditions", 10)),
    accepted("7 actions", policy(statement({ Action: GRANTABLE.slice(0, 7).map((name) => `sqs:${name}`) }))),
    refused(
      "8 actions in a statement",
      policy(statement({ Action: GRANTABLE.slice(0, 8).map((name) => `sqs:${name}`) })),
      "403 OverLimit | 8 Actions were found, maximum allowed is 7.",
    ),
    accepted("8192 bytes", padded(8_192)),
    refused("8193 bytes", padded(8_193), over("8193 bytes", 8_192)),
    accepted("white space does not count", text(`{${" ".repeat(10_000)}"Statement":${JSON.stringify(statement())}}`)),
    refused("100000 bytes that are none", text("x".repeat(100_000)), over("100000 bytes", 8_192)),
    ...["{", "x", "[]", "1", '""', "{}", '{"Statement":[]}', '{"Statement":"x"}', '{"Statement":[1]}'].map((each) =>
      refused(each, text(each)),
    ),
    refused("a version there never was", text(`{"Version":"2020-01-01","Statement":[${JSON.stringify(statement())}]}`)),
    refused("no effect", policy(statement({ Effect: undefined }))),
    refused("an effect that is none", policy(statement({ Effect: "allow" }))),
    refused("no principal", policy(statement({ Principal: undefined }))),
    refused(
      "what is allowed to all but some, which the language no longer has",
      policy(statement({ Principal: undefined, NotPrincipal: { AWS: "123456789012" } })),
    ),
    refused("a condition by no operator", policy(statement({ Condition: { StringIs: { "aws:SourceArn": "x" } } }))),
    refused("a number that is none", policy(statement({ Condition: { NumericEquals: { "aws:TokenAge": "x" } } }))),
    refused("a principal of no kind", policy(statement({ Principal: { aws: "123456789012" } }))),
    refused("a member of no kind", policy(statement({ Conditions: {} }))),
    refused("a principal and its opposite", policy(statement({ NotPrincipal: "*" }))),
    refused("no action", policy(statement({ Action: undefined }))),
    refused("an empty list of actions", policy(statement({ Action: [] }))),
    refused("an action that is no text", policy(statement({ Action: 1 }))),
    refused("a condition that is no map", policy(statement({ Condition: "x" }))),
  ],
);

scenario("a policy reads back without white space, and goes with an empty text", async (sqs) => {
  const Policy = `{\n  "Version": "2012-10-17",\n  "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:*"}]\n}`;
  await sqs.call("CreateQueue", { QueueName: "q", Attributes: { Policy } });
  const ask = { QueueUrl: "q", AttributeNames: ["Policy"] };
  const normal = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sqs:*"}]}`;
  expect(await sqs.call("GetQueueAttributes", ask)).toEqual({ Attributes: { Policy: normal } });
  await sqs.call("SetQueueAttributes", text(""));
  expect(await sqs.call("GetQueueAttributes", ask)).toEqual({});
});
