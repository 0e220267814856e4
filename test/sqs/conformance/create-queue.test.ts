// CreateQueue: names, types, repeated creation. Reference 2.1. Ranges of attributes are in attributes.test.ts.
import { expect } from "vitest";
import { conformance, type Row, scenario, useBroker } from "../../support/conformance.ts";
import type { Json } from "../../support/sqs-client.ts";

useBroker();

const STANDARD_NAME =
  "400 InvalidParameterValue | Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
const FIFO_NAME =
  "400 InvalidParameterValue | The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.";
const differs = (attribute: string): string =>
  `400 QueueAlreadyExists | A queue already exists with the same name and a different value for attribute ${attribute}`;
const create = (QueueName: string, Attributes: Json = {}): Json => ({ QueueName, Attributes });
const made = (rule: string, name: string, attributes: Json = {}): Row => [
  rule,
  "CreateQueue",
  create(name, attributes),
  (sqs) => ({ QueueUrl: sqs.url(name) }),
];
const FIFO = { FifoQueue: "true" };

conformance(
  "names",
  [],
  [
    made("letters of both cases, digits, hyphens and underscores", "aZ0-_"),
    made("one character", "a"),
    made("80 characters", "a".repeat(80)),
    made("a FIFO name: .fifo counts towards 80", `${"a".repeat(75)}.fifo`, FIFO),
    made("a FIFO name of one character and the suffix", "a.fifo", FIFO),
    ["81 characters are too many", "CreateQueue", create("a".repeat(81)), STANDARD_NAME],
    ["so are 81 with the suffix", "CreateQueue", create(`${"a".repeat(76)}.fifo`, FIFO), FIFO_NAME],
    ["a space", "CreateQueue", create("a b"), STANDARD_NAME],
    ["a dot", "CreateQueue", create("a.b"), STANDARD_NAME],
    ["a letter outside ASCII", "CreateQueue", create("ä"), STANDARD_NAME],
    ["a line feed at the end", "CreateQueue", create("a\n"), STANDARD_NAME],
    [".fifo without FifoQueue", "CreateQueue", create("b.fifo"), STANDARD_NAME],
    [".fifo in capitals is no suffix", "CreateQueue", create("b.FIFO", FIFO), FIFO_NAME],
    ["FifoQueue without .fifo", "CreateQueue", create("b", FIFO), FIFO_NAME],
    ["nothing before .fifo", "CreateQueue", create(".fifo", FIFO), FIFO_NAME],
    [
      "no name",
      "CreateQueue",
      {},
      "400 InvalidParameterValue | Value for parameter QueueName is invalid. Reason: Must specify a queue name.",
    ],
    ["an empty name", "CreateQueue", create(""), "400 InvalidParameterValue | Queue name cannot be empty"],
  ],
);

conformance(
  "types",
  [],
  [
    made("FifoQueue in any letter case", "true.fifo", { FifoQueue: "TRUE" }),
    [
      "FifoQueue=false is no attribute of a standard queue",
      "CreateQueue",
      create("b", { FifoQueue: "false" }),
      "400 InvalidAttributeName | Unknown Attribute FifoQueue.",
    ],
    [
      "nor is False",
      "CreateQueue",
      create("b", { FifoQueue: "False" }),
      "400 InvalidAttributeName | Unknown Attribute FifoQueue.",
    ],
    [
      "FifoQueue=yes",
      "CreateQueue",
      create("b.fifo", { FifoQueue: "yes" }),
      "400 InvalidAttributeValue | Invalid value for the parameter FifoQueue.",
    ],
    [
      "ContentBasedDeduplication on a standard queue",
      "CreateQueue",
      create("b", { ContentBasedDeduplication: "true" }),
      "400 InvalidAttributeName | Unknown Attribute ContentBasedDeduplication.",
    ],
    ...["DeduplicationScope", "FifoThroughputLimit"].map(
      (name): Row => [
        `${name} on a standard queue`,
        "CreateQueue",
        create("b", { [name]: "perQueue" }),
        `400 InvalidAttributeName | You can specify the ${name} only when FifoQueue is set to true.`,
      ],
    ),
    [
      "perMessageGroupId needs the scope messageGroup",
      "CreateQueue",
      create("b.fifo", { ...FIFO, FifoThroughputLimit: "perMessageGroupId" }),
      "400 InvalidParameterValue | The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup",
    ],
    made("high throughput: both together", "fast.fifo", {
      ...FIFO,
      FifoThroughputLimit: "perMessageGroupId",
      DeduplicationScope: "messageGroup",
    }),
    made("the scope messageGroup alone", "scope.fifo", { ...FIFO, DeduplicationScope: "messageGroup" }),
    ...["Foobar", "QueueArn", "CreatedTimestamp", "ApproximateNumberOfMessages", "All", "constructor"].map(
      (name): Row => [
        `${name} cannot be set`,
        "CreateQueue",
        create("b", { [name]: "1" }),
        `400 InvalidAttributeName | Unknown Attribute ${name}.`,
      ],
    ),
  ],
);

conformance(
  "a queue of that name exists",
  [
    ["CreateQueue", create("q", { VisibilityTimeout: "7", DelaySeconds: "3" })],
    ["SetQueueAttributes", { QueueUrl: "q", Attributes: { DelaySeconds: "4" } }],
    ["CreateQueue", create("o.fifo", FIFO)],
    ["CreateQueue", create("dead")],
    [
      "CreateQueue",
      (sqs) =>
        create("p", {
          Policy: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"sqs:*"}}`,
          RedrivePolicy: JSON.stringify({ deadLetterTargetArn: sqs.arn("dead"), maxReceiveCount: 3 }),
        }),
    ],
  ],
  [
    made("no attributes: its URL, whatever it has", "q"),
    made("the value it was made with", "q", { VisibilityTimeout: "7" }),
    made("the value it was given since", "q", { DelaySeconds: "4" }),
    made("a default it was not asked for", "q", { MessageRetentionPeriod: "345600" }),
    [
      "the value it was made with and has no more",
      "CreateQueue",
      create("q", { DelaySeconds: "3" }),
      differs("DelaySeconds"),
    ],
    ["another value", "CreateQueue", create("q", { VisibilityTimeout: "8" }), differs("VisibilityTimeout")],
    [
      "the first that differs is named",
      "CreateQueue",
      create("q", { VisibilityTimeout: "7", DelaySeconds: "9", MaximumMessageSize: "1024" }),
      differs("DelaySeconds"),
    ],
    [
      "a bad value is told before a different one",
      "CreateQueue",
      create("q", { DelaySeconds: "901" }),
      "400 InvalidAttributeValue | Invalid value for the parameter DelaySeconds.",
    ],
    made("a FIFO queue again", "o.fifo", FIFO),
    made("a FIFO queue, with a default of its type", "o.fifo", { ...FIFO, ContentBasedDeduplication: "false" }),
    [
      "a FIFO queue with another scope",
      "CreateQueue",
      create("o.fifo", { ...FIFO, DeduplicationScope: "messageGroup" }),
      differs("DeduplicationScope"),
    ],
    made("the same policy, written otherwise", "p", {
      Policy: `{ "Statement": {"Principal": "*", "Action": "sqs:*", "Effect": "Allow"}, "Version": "2012-10-17" }`,
    }),
    [
      "another policy",
      "CreateQueue",
      create("p", {
        Policy: `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"sqs:*"}}`,
      }),
      differs("Policy"),
    ],
    [
      "the same redrive policy, written otherwise",
      "CreateQueue",
      (sqs) => create("p", { RedrivePolicy: `{"maxReceiveCount": "3", "deadLetterTargetArn":"${sqs.arn("dead")}"}` }),
      (sqs) => ({ QueueUrl: sqs.url("p") }),
    ],
    [
      "another redrive policy",
      "CreateQueue",
      (sqs) => create("p", { RedrivePolicy: `{"maxReceiveCount": 4, "deadLetterTargetArn":"${sqs.arn("dead")}"}` }),
      differs("RedrivePolicy"),
    ],
  ],
);

scenario("a name is free again as soon as its queue is deleted, and the queue is a new one", async (sqs) => {
  await sqs.call("CreateQueue", create("again", { DelaySeconds: "9" }));
  await sqs.call("DeleteQueue", { QueueUrl: "again" });
  await sqs.call("CreateQueue", create("again", { VisibilityTimeout: "1" }));
  const AttributeNames = ["DelaySeconds", "VisibilityTimeout", "ApproximateNumberOfMessages"];
  expect(await sqs.call("GetQueueAttributes", { QueueUrl: "again", AttributeNames })).toEqual({
    Attributes: { DelaySeconds: "0", VisibilityTimeout: "1", ApproximateNumberOfMessages: "0" },
  });
});

scenario("tags come with the queue", async (sqs) => {
  await sqs.call("CreateQueue", { QueueName: "tagged", tags: { team: "a", empty: "" } });
  expect(await sqs.call("ListQueueTags", { QueueUrl: "tagged" })).toEqual({ Tags: { team: "a", empty: "" } });
});

scenario(
  "tags given for a queue that exists are ignored",
  async (sqs) => {
    await sqs.call("CreateQueue", { QueueName: "tagged", tags: { team: "a" } });
    await sqs.call("CreateQueue", { QueueName: "tagged", tags: { team: "b", more: "c" } });
    expect(await sqs.call("ListQueueTags", { QueueUrl: "tagged" })).toEqual({ Tags: { team: "a" } });
  },
  "src/sqs/actions/create-queue.ts existing",
);

scenario("the queue is there at once", async (sqs) => {
  await sqs.call("CreateQueue", create("now"));
  await sqs.call("SendMessage", { QueueUrl: "now", MessageBody: "a" });
  expect(await sqs.call("ListQueues", {})).toEqual({ QueueUrls: [sqs.url("now")] });
});
