// Random requests, valid and hostile, that both protocols can write. Texts hold places that each account fills in:
//
//   {{account}} {{endpoint}}   its own        {{handle:n}}, {{token:n}}   the n-th it was given so far, or junk
import fc from "fast-check";
import type { Json } from "./sqs-client.ts";

export interface Step {
  readonly action: string;
  readonly input: Json;
}

type Members = { readonly [name: string]: fc.Arbitrary<unknown> };

const QUEUES = ["a", "b", "c.fifo", "d.fifo"];
const HOSTILE_TEXTS = [
  ...[
    "",
    " ",
    "a b",
    "ä",
    "\u0000",
    "\u0001<&>\"'\r\n",
    "\uFFFE",
    "]]>",
    "%00",
    "a&b=c",
    "+",
    "All",
    "null",
    "true",
    "0",
  ],
  ...["-1", "1e9", "{}", "[]", "constructor", "x".repeat(81), "x".repeat(129), "😀".repeat(300), "9".repeat(40)],
];
const hostile = fc.oneof(fc.constantFrom(...HOSTILE_TEXTS), fc.string({ unit: "binary", maxLength: 24 }));
const integer = (...valid: number[]): fc.Arbitrary<unknown> =>
  mostly(
    fc.constantFrom(...valid),
    fc.constantFrom(-1, -2_147_483_649, 2_147_483_647, 4_294_967_296, 1e15, 901, 43_201),
  );

/** Mostly valid, or next to nothing gets through. */
function mostly(
  valid: fc.Arbitrary<unknown>,
  other: fc.Arbitrary<unknown> = hostile,
  weight = 9,
): fc.Arbitrary<unknown> {
  return fc.oneof({ weight, arbitrary: valid }, { weight: 1, arbitrary: other });
}

/** Some of the members; a required one is null now and then, but QueueUrl, for which the protocols differ (wire-*.test.ts). */
function some(required: Members, optional: Members = {}): fc.Arbitrary<Json> {
  const rest = Object.fromEntries(
    Object.entries(required).map(([name, value]) => [
      name,
      name === "QueueUrl" ? value : fc.oneof({ weight: 24, arbitrary: value }, fc.constant(null)),
    ]),
  );
  return fc.record({ ...rest, ...optional }, { requiredKeys: Object.keys(required) });
}

const queueUrl = mostly(
  fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...QUEUES) },
    fc.constantFrom(...QUEUES).map((name) => `{{endpoint}}/{{account}}/${name}`),
    fc.constantFrom(...QUEUES).map((name) => `https://sqs.us-east-1.amazonaws.com/{{account}}/${name}/`),
  ),
  fc.oneof(fc.constantFrom("missing", "http://nowhere/", "//", "{{endpoint}}"), hostile),
  20,
);
const arn = mostly(fc.constantFrom(...QUEUES, "missing").map((name) => `arn:aws:sqs:us-east-1:{{account}}:${name}`));
const jsonText = (value: fc.Arbitrary<unknown>): fc.Arbitrary<string> => value.map((one) => JSON.stringify(one));
const body = mostly(
  fc.oneof(fc.constantFrom("a", "b", "c"), fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 })),
  fc.oneof(hostile, fc.constantFrom("x".repeat(1_024), "x".repeat(1_025), "x".repeat(1_048_576), "é".repeat(524_289))),
);
const handle = mostly(
  fc.nat(20).map((n) => `{{handle:${n}}}`),
  hostile,
);
const names = (...valid: string[]): fc.Arbitrary<unknown> =>
  fc.array(mostly(fc.constantFrom(...valid)), { maxLength: 3 });

const value = fc.oneof(
  fc.record({
    DataType: mostly(fc.constantFrom("String", "String.x")),
    StringValue: mostly(fc.constantFrom("v", "☃")),
  }),
  fc.record({
    DataType: mostly(fc.constantFrom("Number", "Number.int")),
    StringValue: mostly(fc.constantFrom("1", "-1.5e3")),
  }),
  fc.record({ DataType: mostly(fc.constant("Binary")), BinaryValue: mostly(fc.constantFrom("AQID", "/w==")) }),
  fc.record(
    { DataType: mostly(fc.constant("String")), StringValue: hostile, StringListValues: fc.constant(["v"]) },
    { requiredKeys: [] },
  ),
);
const attributeName = mostly(fc.constantFrom("color", "count", "Help.Me", "n-1"));
const messageAttributes = fc.dictionary(attributeName as fc.Arbitrary<string>, value, {
  maxKeys: 3,
  noNullPrototype: true,
});
const identifier = mostly(fc.constantFrom("g1", "g2", "!~"), hostile, 12);
const messageMembers: Members = {
  DelaySeconds: integer(0, 0, 0, 900),
  MessageAttributes: messageAttributes,
  MessageSystemAttributes: fc.dictionary(
    fc.constantFrom("AWSTraceHeader", "AWSTraceHeader", "Other"),
    fc.record({ DataType: fc.constant("String"), StringValue: mostly(fc.constant("Root=1")) }),
    { maxKeys: 1, noNullPrototype: true },
  ),
  MessageDeduplicationId: identifier,
  MessageGroupId: identifier,
};

const policy = jsonText(
  fc.record({
    Version: fc.constantFrom("2012-10-17", "2008-10-17", "x"),
    Statement: fc.array(
      fc.record(
        {
          Sid: fc.constantFrom("l1", "l2"),
          Effect: fc.constantFrom("Allow", "Deny", "Deny", "x"),
          Principal: fc.constantFrom("*", "*", { AWS: ["1", "2"] }, 1),
          Action: fc.constantFrom("sqs:*", ["sqs:SendMessage"], Array(8).fill("sqs:SendMessage"), []),
        },
        { requiredKeys: ["Effect", "Principal", "Action"] },
      ),
      { maxLength: 21 },
    ),
  }),
);
const attributeValues: { readonly [name: string]: fc.Arbitrary<unknown> } = {
  VisibilityTimeout: fc.constantFrom("0", "3600", "43201"),
  DelaySeconds: fc.constantFrom("0", "900", "901"),
  MaximumMessageSize: fc.constantFrom("1024", "1048576", "1023"),
  MessageRetentionPeriod: fc.constantFrom("3600", "1209600", "59"),
  ReceiveMessageWaitTimeSeconds: fc.constantFrom("0", "20", "21"),
  Policy: policy,
  RedrivePolicy: jsonText(
    fc.record(
      { deadLetterTargetArn: arn, maxReceiveCount: fc.constantFrom(1, "2", 1_000, 0, "x") },
      { requiredKeys: [] },
    ),
  ),
  RedriveAllowPolicy: jsonText(
    fc.record(
      {
        redrivePermission: fc.constantFrom("allowAll", "denyAll", "byQueue", "x"),
        sourceQueueArns: fc.array(arn, { maxLength: 11 }),
      },
      { requiredKeys: ["redrivePermission"] },
    ),
  ),
  KmsMasterKeyId: fc.constantFrom("k", "alias/aws/sqs", ""),
  KmsDataKeyReusePeriodSeconds: fc.constantFrom("300", "600", "59"),
  SqsManagedSseEnabled: fc.constantFrom("true", "false", "True", "x"),
  FifoQueue: fc.constantFrom("true", "false"),
  ContentBasedDeduplication: fc.constantFrom("true", "false"),
  DeduplicationScope: fc.constantFrom("queue", "messageGroup", "x"),
  FifoThroughputLimit: fc.constantFrom("perQueue", "perMessageGroupId", "x"),
  QueueArn: fc.constant("x"),
  Foobar: fc.constant("x"),
};
const attributes = fc
  .array(
    fc
      .constantFrom(...Object.entries(attributeValues))
      .chain(([name, of]) => mostly(of).map((one) => [name, one] as const)),
    { maxLength: 3 },
  )
  .map((pairs) => Object.fromEntries(pairs));
const tagKey = mostly(fc.constantFrom("k1", "k2", "team:a"));
const tags = fc.dictionary(tagKey as fc.Arbitrary<string>, mostly(fc.constantFrom("v", "")), {
  maxKeys: 3,
  noNullPrototype: true,
});
const page: Members = {
  MaxResults: integer(1, 2, 1_000),
  NextToken: mostly(fc.nat(3).map((n) => `{{token:${n}}}`)),
};
const queue = { QueueUrl: queueUrl };
const messageIds = mostly(fc.constantFrom("e1", "e2", "e3", "e4", "e5", "e6"), hostile, 30);

function batch(members: (fixed: { readonly Id: fc.Arbitrary<unknown> }) => fc.Arbitrary<Json>): fc.Arbitrary<Json> {
  return some({ ...queue, Entries: fc.array(members({ Id: messageIds }).map(writable), { maxLength: 11 }) });
}

/** Query has no way to write an entry of a batch in which there is nothing at all. */
function writable(entry: Json): Json {
  const says = (one: unknown): boolean => one !== null && (typeof one !== "object" || Object.keys(one).length > 0);
  return Object.values(entry).some(says) ? entry : { ...entry, Id: "" };
}

const ATTRIBUTE_NAMES = ["All", "QueueArn", "DelaySeconds", "Policy", "FifoQueue", "RedrivePolicy"];
const SYSTEM_NAMES = ["All", "ApproximateReceiveCount", "MessageGroupId", "SequenceNumber", "DeadLetterQueueSourceArn"];
const actionNames = ["SendMessage", "ReceiveMessage", "*", "DeleteQueue"];

const INPUTS: { readonly [action: string]: readonly [weight: number, input: fc.Arbitrary<Json>] } = {
  CreateQueue: [
    4,
    some({ QueueName: mostly(fc.constantFrom(...QUEUES)), Attributes: attributes }, { tags }).chain((input) =>
      fc
        .boolean()
        .map((fifo) =>
          fifo && String(input["QueueName"]).endsWith(".fifo")
            ? { ...input, Attributes: { FifoQueue: "true", ...(input["Attributes"] as Json | null) } }
            : input,
        ),
    ),
  ],
  SetQueueAttributes: [4, some({ ...queue, Attributes: attributes })],
  GetQueueAttributes: [3, some(queue, { AttributeNames: names(...ATTRIBUTE_NAMES) })],
  GetQueueUrl: [
    1,
    some(
      { QueueName: mostly(fc.constantFrom(...QUEUES)) },
      { QueueOwnerAWSAccountId: mostly(fc.constant("{{account}}")) },
    ),
  ],
  ListQueues: [1, some({}, { QueueNamePrefix: mostly(fc.constantFrom("", "a", "c")), ...page })],
  ListDeadLetterSourceQueues: [1, some(queue, page)],
  DeleteQueue: [1, some(queue)],
  PurgeQueue: [1, some(queue)],
  TagQueue: [2, some({ ...queue, Tags: tags })],
  UntagQueue: [1, some({ ...queue, TagKeys: fc.array(tagKey, { maxLength: 2 }) })],
  ListQueueTags: [1, some(queue)],
  AddPermission: [
    1,
    some({
      ...queue,
      Label: mostly(fc.constantFrom("l1", "l2")),
      AWSAccountIds: fc.array(mostly(fc.constant("123456789012")), { maxLength: 2 }),
      Actions: fc.array(mostly(fc.constantFrom(...actionNames)), { maxLength: 8 }),
    }),
  ],
  RemovePermission: [1, some({ ...queue, Label: mostly(fc.constantFrom("l1", "l2")) })],
  SendMessage: [10, some({ ...queue, MessageBody: body }, messageMembers)],
  SendMessageBatch: [5, batch((fixed) => some({ ...fixed, MessageBody: fc.constant("m") }, messageMembers))],
  ReceiveMessage: [
    10,
    some(
      { ...queue, WaitTimeSeconds: fc.constantFrom(0, 0, 0, 0, -1, 21) },
      {
        MaxNumberOfMessages: integer(1, 10),
        VisibilityTimeout: integer(0, 3_600),
        AttributeNames: names(...SYSTEM_NAMES),
        MessageAttributeNames: names("All", "color", "Help.*", ".*"),
        ReceiveRequestAttemptId: identifier,
      },
    ).map((input) => ({ ...input, WaitTimeSeconds: input["WaitTimeSeconds"] ?? 0 })), // nothing waits here
  ],
  DeleteMessage: [4, some({ ...queue, ReceiptHandle: handle })],
  DeleteMessageBatch: [2, batch((fixed) => some({ ...fixed, ReceiptHandle: handle }))],
  ChangeMessageVisibility: [3, some({ ...queue, ReceiptHandle: handle, VisibilityTimeout: integer(0, 3_600) })],
  ChangeMessageVisibilityBatch: [
    2,
    batch((fixed) => some({ ...fixed, ReceiptHandle: handle, VisibilityTimeout: integer(0, 3_600) })),
  ],
};

export const anyStep: fc.Arbitrary<Step> = fc.oneof(
  ...Object.entries(INPUTS).map(([action, [weight, input]]) => ({
    weight,
    arbitrary: input.map((one): Step => ({ action, input: one })),
  })),
);

/** Queues to start with, and a look at everything to end with. */
export const FIRST_STEPS: readonly Step[] = [
  { action: "CreateQueue", input: { QueueName: "a" } },
  {
    action: "CreateQueue",
    input: { QueueName: "c.fifo", Attributes: { FifoQueue: "true", ContentBasedDeduplication: "true" } },
  },
];
export const LAST_STEPS: readonly Step[] = [
  { action: "ListQueues", input: {} },
  ...QUEUES.flatMap((QueueUrl): Step[] => [
    { action: "GetQueueAttributes", input: { QueueUrl, AttributeNames: ["All"] } },
    { action: "ListQueueTags", input: { QueueUrl } },
    {
      action: "ReceiveMessage",
      input: {
        QueueUrl,
        WaitTimeSeconds: 0,
        MaxNumberOfMessages: 10,
        AttributeNames: ["All"],
        MessageAttributeNames: ["All"],
      },
    },
  ]),
];
