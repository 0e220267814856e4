// Every way an action can refuse, in the service's words. Each row is asked in both protocols.

import { beforeEach, describe, expect, test } from "vitest";
import { ERRORS, queryErrorOf } from "../../src/sqs/errors.ts";
import {
  ACCOUNT,
  arnOf,
  errorLine,
  type Json,
  parseJson,
  SqsClient,
  toParameters,
  urlOf,
} from "../support/sqs-client.ts";

const S = urlOf("standard");
const F = urlOf("orders.fifo");
const C = urlOf("content.fifo");
const TYPE = "The request include parameter that is not valid for this queue type";
const CHARACTERS =
  "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF";
const MAX_BODY = "x".repeat(1_048_576);
const many = (count: number, of: (index: number) => unknown): unknown[] =>
  Array.from({ length: count }, (_, i) => of(i));
const entry = (id: string, more: Json = {}): Json => ({ Id: id, MessageBody: "a", ...more });
const attribute = (name: string, value: Json, body = "a"): Json => ({
  QueueUrl: S,
  MessageBody: body,
  MessageAttributes: { [name]: value },
});
const create = (Attributes: Json, QueueName = "new"): Json => ({ QueueName, Attributes });
const set = (Attributes: Json, QueueUrl = S): Json => ({ QueueUrl, Attributes });
const redrive = (policy: unknown): Json => set({ RedrivePolicy: text(policy) });
const allow = (policy: unknown): Json => set({ RedriveAllowPolicy: text(policy) });
const text = (policy: unknown): string => (typeof policy === "string" ? policy : JSON.stringify(policy));
const badRedrive = (policy: unknown, reason: string): string =>
  `400 InvalidParameterValue | Value ${text(policy)} for parameter RedrivePolicy is invalid. Reason: ${reason}`;
const badAllow = (policy: unknown, reason: string): string =>
  `400 InvalidParameterValue | Value ${text(policy)} for parameter RedriveAllowPolicy is invalid. Reason: Amazon SQS can't create the redrive allow policy. ${reason}`;
const NAME_TEXT =
  "400 InvalidParameterValue | Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
const FIFO_NAME_TEXT =
  "400 InvalidParameterValue | The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.";
const identifier = (value: string, parameter: string): string =>
  `400 InvalidParameterValue | Value ${value} for parameter ${parameter} is invalid. Reason: ${parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length.`;
const DEAD = arnOf("standard");
const BATCH_ID =
  "400 AWS.SimpleQueueService.InvalidBatchEntryId | A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.";
const bad = (value: string | number, parameter: string, reason: string): string =>
  `400 InvalidParameterValue | Value ${value} for parameter ${parameter} is invalid. Reason: ${reason}`;
const permission = (more: Json): Json => ({
  QueueUrl: S,
  Label: "l",
  AWSAccountIds: [ACCOUNT],
  Actions: ["SendMessage"],
  ...more,
});

type Rows = readonly (readonly [action: string, input: Json, expected: string])[];

const CREATE: Rows = [
  [
    "CreateQueue",
    {},
    "400 InvalidParameterValue | Value for parameter QueueName is invalid. Reason: Must specify a queue name.",
  ],
  ["CreateQueue", { QueueName: "" }, "400 InvalidParameterValue | Queue name cannot be empty"],
  ["CreateQueue", { QueueName: "a b" }, NAME_TEXT],
  ["CreateQueue", { QueueName: "a".repeat(81) }, NAME_TEXT],
  ["CreateQueue", { QueueName: "a.fifo" }, NAME_TEXT],
  ["CreateQueue", create({ FifoQueue: "true" }), FIFO_NAME_TEXT],
  ["CreateQueue", create({ FifoQueue: "true" }, `${"a".repeat(76)}.fifo`), FIFO_NAME_TEXT],
  ["CreateQueue", create({ FifoQueue: "False" }), "400 InvalidAttributeName | Unknown Attribute FifoQueue."],
  [
    "CreateQueue",
    create({ FifoQueue: "yes" }),
    "400 InvalidAttributeValue | Invalid value for the parameter FifoQueue.",
  ],
  [
    "CreateQueue",
    create({ ContentBasedDeduplication: "true" }),
    "400 InvalidAttributeName | Unknown Attribute ContentBasedDeduplication.",
  ],
  [
    "CreateQueue",
    create({ DeduplicationScope: "queue" }),
    "400 InvalidAttributeName | You can specify the DeduplicationScope only when FifoQueue is set to true.",
  ],
  [
    "CreateQueue",
    create({ FifoThroughputLimit: "perQueue" }),
    "400 InvalidAttributeName | You can specify the FifoThroughputLimit only when FifoQueue is set to true.",
  ],
  ["CreateQueue", create({ Foobar: "1" }), "400 InvalidAttributeName | Unknown Attribute Foobar."],
  ["CreateQueue", create({ QueueArn: "1" }), "400 InvalidAttributeName | Unknown Attribute QueueArn."],
  [
    "CreateQueue",
    create({ VisibilityTimeout: "43201" }),
    "400 InvalidAttributeValue | Invalid value for the parameter VisibilityTimeout.",
  ],
  [
    "CreateQueue",
    create({ VisibilityTimeout: "" }),
    "400 InvalidAttributeValue | Invalid value for the parameter VisibilityTimeout.",
  ],
  [
    "CreateQueue",
    create({ VisibilityTimeout: "1.5" }),
    "400 InvalidAttributeValue | Invalid value for the parameter VisibilityTimeout.",
  ],
  [
    "CreateQueue",
    create({ DelaySeconds: "901" }),
    "400 InvalidAttributeValue | Invalid value for the parameter DelaySeconds.",
  ],
  [
    "CreateQueue",
    create({ DelaySeconds: "-1" }),
    "400 InvalidAttributeValue | Invalid value for the parameter DelaySeconds.",
  ],
  [
    "CreateQueue",
    create({ MaximumMessageSize: "1023" }),
    "400 InvalidAttributeValue | Invalid value for the parameter MaximumMessageSize.",
  ],
  [
    "CreateQueue",
    create({ MaximumMessageSize: "1048577" }),
    "400 InvalidAttributeValue | Invalid value for the parameter MaximumMessageSize.",
  ],
  [
    "CreateQueue",
    create({ MessageRetentionPeriod: "59" }),
    "400 InvalidAttributeValue | Invalid value for the parameter MessageRetentionPeriod.",
  ],
  [
    "CreateQueue",
    create({ MessageRetentionPeriod: "1209601" }),
    "400 InvalidAttributeValue | Invalid value for the parameter MessageRetentionPeriod.",
  ],
  [
    "CreateQueue",
    create({ ReceiveMessageWaitTimeSeconds: "21" }),
    "400 InvalidAttributeValue | Invalid value for the parameter ReceiveMessageWaitTimeSeconds.",
  ],
  [
    "CreateQueue",
    create({ KmsDataKeyReusePeriodSeconds: "59" }),
    "400 InvalidAttributeValue | Invalid value for the parameter KmsDataKeyReusePeriodSeconds.",
  ],
  [
    "CreateQueue",
    create({ SqsManagedSseEnabled: "1" }),
    "400 InvalidAttributeValue | Invalid value for the parameter SqsManagedSseEnabled.",
  ],
  [
    "CreateQueue",
    create({ FifoQueue: "true", DeduplicationScope: "group" }, "new.fifo"),
    "400 InvalidAttributeValue | Invalid value for the parameter DeduplicationScope.",
  ],
  [
    "CreateQueue",
    create({ FifoQueue: "true", FifoThroughputLimit: "perMessageGroupId" }, "new.fifo"),
    "400 InvalidParameterValue | The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup",
  ],
  [
    "CreateQueue",
    create({ VisibilityTimeout: "30", DelaySeconds: "7" }, "standard"),
    "400 QueueAlreadyExists | A queue already exists with the same name and a different value for attribute DelaySeconds",
  ],
  [
    "CreateQueue",
    create({}, "deleted"),
    "400 AWS.SimpleQueueService.QueueDeletedRecently | You must wait 60 seconds after deleting a queue before you can create another with the same name.",
  ],
];

const ATTRIBUTES: Rows = [
  [
    "SetQueueAttributes",
    { QueueUrl: S },
    "400 MissingParameter | The request must contain the parameter Attribute.Name.",
  ],
  ["SetQueueAttributes", set({ Foobar: "1" }), "400 InvalidAttributeName | Unknown Attribute Foobar."],
  [
    "SetQueueAttributes",
    set({ CreatedTimestamp: "1" }),
    "400 InvalidAttributeName | Unknown Attribute CreatedTimestamp.",
  ],
  ["SetQueueAttributes", set({ All: "1" }), "400 InvalidAttributeName | Unknown Attribute All."],
  ["SetQueueAttributes", set({ FifoQueue: "true" }), "400 InvalidAttributeName | Unknown Attribute FifoQueue."],
  [
    "SetQueueAttributes",
    set({ FifoQueue: "false" }, F),
    "400 InvalidAttributeValue | Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
  ],
  [
    "SetQueueAttributes",
    set({ KmsMasterKeyId: "k", SqsManagedSseEnabled: "true" }),
    "400 InvalidAttributeName | You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.",
  ],
  ["SetQueueAttributes", set({ Policy: "{" }), "400 InvalidAttributeValue | Invalid value for the parameter Policy."],
  [
    "SetQueueAttributes",
    set({ Policy: JSON.stringify({ Statement: many(21, () => ({})) }) }),
    "403 OverLimit | 21 statements were found in the submitted policy, max allowed is 20",
  ],
  [
    "GetQueueAttributes",
    { QueueUrl: S, AttributeNames: ["Foobar"] },
    "400 InvalidAttributeName | Unknown Attribute Foobar.",
  ],
  [
    "SetQueueAttributes",
    redrive("nonsense"),
    "400 InvalidParameterValue | Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid JSON map.",
  ],
  [
    "SetQueueAttributes",
    redrive([]),
    "400 InvalidParameterValue | Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid JSON map.",
  ],
  [
    "SetQueueAttributes",
    redrive({ maxReceiveCount: 1 }),
    badRedrive({ maxReceiveCount: 1 }, "Redrive policy does not contain mandatory attribute: deadLetterTargetArn."),
  ],
  [
    "SetQueueAttributes",
    redrive({ deadLetterTargetArn: DEAD }),
    badRedrive({ deadLetterTargetArn: DEAD }, "Redrive policy does not contain mandatory attribute: maxReceiveCount."),
  ],
  ...[0, 1001, "x"].map(
    (maxReceiveCount) =>
      [
        "SetQueueAttributes",
        redrive({ deadLetterTargetArn: DEAD, maxReceiveCount }),
        badRedrive(
          { deadLetterTargetArn: DEAD, maxReceiveCount },
          `Invalid value for maxReceiveCount: ${maxReceiveCount}, valid values are from 1 to 1000 both inclusive.`,
        ),
      ] as const,
  ),
  [
    "SetQueueAttributes",
    redrive({ deadLetterTargetArn: "dead", maxReceiveCount: 1 }),
    badRedrive(
      { deadLetterTargetArn: "dead", maxReceiveCount: 1 },
      "Dead-letter target ARN should be fully qualified ARN.",
    ),
  ],
  [
    "SetQueueAttributes",
    redrive({ deadLetterTargetArn: "arn:aws:sns:us-east-1:1:t", maxReceiveCount: 1 }),
    badRedrive(
      { deadLetterTargetArn: "arn:aws:sns:us-east-1:1:t", maxReceiveCount: 1 },
      "Only SQS queues are valid resources for deadLetterTargetArn.",
    ),
  ],
  [
    "SetQueueAttributes",
    redrive({ deadLetterTargetArn: arnOf("missing"), maxReceiveCount: 1 }),
    badRedrive({ deadLetterTargetArn: arnOf("missing"), maxReceiveCount: 1 }, "Dead letter target does not exist."),
  ],
  [
    "SetQueueAttributes",
    redrive({ deadLetterTargetArn: arnOf("orders.fifo"), maxReceiveCount: 1 }),
    badRedrive(
      { deadLetterTargetArn: arnOf("orders.fifo"), maxReceiveCount: 1 },
      "Dead-letter queue must be same type of queue as the source..",
    ),
  ],
  [
    "SetQueueAttributes",
    redrive({ deadLetterTargetArn: DEAD, maxReceiveCount: 1, x: 1 }),
    badRedrive(
      { deadLetterTargetArn: DEAD, maxReceiveCount: 1, x: 1 },
      "Only following attributes are supported: [maxReceiveCount, deadLetterTargetArn].",
    ),
  ],
  [
    "SetQueueAttributes",
    allow({ redrivePermission: "byQueue" }),
    badAllow(
      { redrivePermission: "byQueue" },
      "When you specify the byQueue permission type, you must also specify one or more sourceQueueArns values.",
    ),
  ],
  [
    "SetQueueAttributes",
    allow({ redrivePermission: "denyAll", sourceQueueArns: [DEAD] }),
    badAllow(
      { redrivePermission: "denyAll", sourceQueueArns: [DEAD] },
      "To specify one or more source queue ARNs, you must set redrivePermission to byQueue.",
    ),
  ],
  [
    "SetQueueAttributes",
    allow({ redrivePermission: "byQueue", sourceQueueArns: many(11, () => DEAD) }),
    badAllow(
      { redrivePermission: "byQueue", sourceQueueArns: many(11, () => DEAD) },
      "The maximum number of source queue ARNs you can specify is 10.",
    ),
  ],
  [
    "SetQueueAttributes",
    allow({ redrivePermission: "some" }),
    "400 InvalidParameterValue | Invalid value for the parameter RedriveAllowPolicy. Reason: Amazon SQS can't create the redrive allow policy, as it’s in an unsupported format.",
  ],
];

const QUEUES: Rows = [
  [
    "GetQueueUrl",
    {},
    "400 InvalidParameterValue | Value for parameter QueueName is invalid. Reason: Must specify a queue name.",
  ],
  [
    "ListQueues",
    { MaxResults: 0 },
    "400 InvalidParameterValue | Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000.",
  ],
  [
    "ListQueues",
    { MaxResults: 1001 },
    "400 InvalidParameterValue | Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000.",
  ],
  [
    "ListQueues",
    { NextToken: "x" },
    "400 InvalidParameterValue | MaxResults is a mandatory parameter when you provide a value for NextToken.",
  ],
  ["ListQueues", { NextToken: "x", MaxResults: 1 }, "400 InvalidParameterValue | Invalid or expired next token."],
  [
    "ListDeadLetterSourceQueues",
    { QueueUrl: S, MaxResults: 0 },
    "400 InvalidParameterValue | Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000.",
  ],
  ["TagQueue", { QueueUrl: S }, "400 MissingParameter | The request must contain the parameter Tags."],
  ["UntagQueue", { QueueUrl: S }, "400 MissingParameter | The request must contain the parameter TagKeys."],
  [
    "TagQueue",
    { QueueUrl: S, Tags: { "": "v" } },
    "400 InvalidParameterValue | Tag keys must be between 1 and 128 characters in length.",
  ],
  [
    "TagQueue",
    { QueueUrl: S, Tags: { ["k".repeat(129)]: "v" } },
    "400 InvalidParameterValue | Tag keys must be between 1 and 128 characters in length.",
  ],
  [
    "TagQueue",
    { QueueUrl: S, Tags: { "a*": "v" } },
    "400 InvalidParameterValue | Tag keys may only contain unicode letters, digits, whitespace, or one of these symbols: _ . : / = + - @",
  ],
  [
    "TagQueue",
    { QueueUrl: S, Tags: Object.fromEntries(many(51, (i) => [`k${i}`, "v"]) as [string, string][]) },
    "400 InvalidParameterValue | Too many tags added for queue standard.",
  ],
  [
    "PurgeQueue",
    { QueueUrl: urlOf("purged") },
    "403 AWS.SimpleQueueService.PurgeQueueInProgress | Only one PurgeQueue operation on purged is allowed every 60 seconds.",
  ],
  ["AddPermission", permission({ Label: "" }), "400 MissingParameter | The request must contain the parameter Label."],
  [
    "AddPermission",
    permission({ Actions: [] }),
    "400 MissingParameter | The request must contain the parameter ActionName.",
  ],
  ["AddPermission", permission({ Label: "taken" }), bad("taken", "Label", "Already exists.")],
  [
    "AddPermission",
    permission({ Actions: many(8, () => "SendMessage") }),
    "403 OverLimit | 8 Actions were found, maximum allowed is 7.",
  ],
  [
    "AddPermission",
    permission({ Actions: ["CreateQueue"] }),
    bad("SQS:CreateQueue", "ActionName", "Only the queue owner is allowed to invoke this action."),
  ],
  [
    "AddPermission",
    permission({ Actions: ["Nonsense"] }),
    bad("SQS:Nonsense", "ActionName", "Please refer to the appropriate WSDL for a list of valid actions."),
  ],
  ["AddPermission", permission({ AWSAccountIds: [] }), bad("[]", "PrincipalId", "Unable to verify.")],
  ["AddPermission", permission({ AWSAccountIds: ["1", "2"] }), bad("[1, 2]", "PrincipalId", "Unable to verify.")],
  ["RemovePermission", { QueueUrl: S, Label: "other" }, bad("other", "Label", "can't find label on existing policy.")],
  ["RemovePermission", { QueueUrl: F, Label: "other" }, bad("other", "Label", "can't find label.")],
  ["RemovePermission", { QueueUrl: F }, "400 MissingParameter | The request must contain the parameter Label."],
];

const MESSAGES: Rows = [
  ["SendMessage", { QueueUrl: S }, "400 MissingParameter | The request must contain the parameter MessageBody."],
  [
    "SendMessage",
    { QueueUrl: S, MessageBody: "" },
    "400 MissingParameter | The request must contain the parameter MessageBody.",
  ],
  [
    "SendMessage",
    { QueueUrl: S, MessageBody: `${MAX_BODY}x` },
    "400 InvalidParameterValue | One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.",
  ],
  [
    "SendMessage",
    attribute("n", { DataType: "String", StringValue: "v" }, MAX_BODY.slice(7)),
    "400 InvalidParameterValue | One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.",
  ],
  [
    "SendMessage",
    { QueueUrl: urlOf("small"), MessageBody: "é".repeat(513) },
    "400 InvalidParameterValue | One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.",
  ],
  ["SendMessage", { QueueUrl: S, MessageBody: "a\u0000" }, `400 InvalidMessageContents | ${CHARACTERS}`],
  ["SendMessage", { QueueUrl: S, MessageBody: "\uFFFE" }, `400 InvalidMessageContents | ${CHARACTERS}`],
  [
    "SendMessage",
    { QueueUrl: S, MessageBody: "a", DelaySeconds: 901 },
    bad(901, "DelaySeconds", "DelaySeconds must be >= 0 and <= 900."),
  ],
  [
    "SendMessage",
    { QueueUrl: S, MessageBody: "a", DelaySeconds: -1 },
    bad(-1, "DelaySeconds", "DelaySeconds must be >= 0 and <= 900."),
  ],
  [
    "SendMessage",
    { QueueUrl: F, MessageBody: "a", MessageGroupId: "g", MessageDeduplicationId: "d", DelaySeconds: 2 },
    bad(2, "DelaySeconds", `${TYPE}.`),
  ],
  [
    "SendMessage",
    { QueueUrl: F, MessageBody: "a" },
    "400 MissingParameter | The request must contain the parameter MessageGroupId.",
  ],
  [
    "SendMessage",
    { QueueUrl: F, MessageBody: "a", MessageGroupId: "g" },
    "400 InvalidParameterValue | The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
  ],
  ["SendMessage", { QueueUrl: S, MessageBody: "a", MessageGroupId: "" }, identifier("", "MessageGroupId")],
  ["SendMessage", { QueueUrl: S, MessageBody: "a", MessageGroupId: "a b" }, identifier("a b", "MessageGroupId")],
  [
    "SendMessage",
    { QueueUrl: C, MessageBody: "a", MessageGroupId: "g".repeat(129) },
    identifier("g".repeat(129), "MessageGroupId"),
  ],
  [
    "SendMessage",
    { QueueUrl: F, MessageBody: "a", MessageGroupId: "g", MessageDeduplicationId: "" },
    identifier("", "MessageDeduplicationId"),
  ],
  [
    "SendMessage",
    { QueueUrl: F, MessageBody: "a", MessageGroupId: "g", MessageDeduplicationId: "ä" },
    identifier("ä", "MessageDeduplicationId"),
  ],
  [
    "SendMessage",
    { QueueUrl: S, MessageBody: "a", MessageDeduplicationId: "d" },
    bad("d", "MessageDeduplicationId", `${TYPE}.`),
  ],
  [
    "ReceiveMessage",
    { QueueUrl: S, MaxNumberOfMessages: 11 },
    bad(11, "MaxNumberOfMessages", "Must be between 1 and 10, if provided."),
  ],
  [
    "ReceiveMessage",
    { QueueUrl: S, MaxNumberOfMessages: 0 },
    bad(0, "MaxNumberOfMessages", "Must be between 1 and 10, if provided."),
  ],
  [
    "ReceiveMessage",
    { QueueUrl: S, WaitTimeSeconds: 21 },
    bad(21, "WaitTimeSeconds", "Must be >= 0 and <= 20, if provided."),
  ],
  [
    "ReceiveMessage",
    { QueueUrl: S, WaitTimeSeconds: -1 },
    bad(-1, "WaitTimeSeconds", "Must be >= 0 and <= 20, if provided."),
  ],
  [
    "ReceiveMessage",
    { QueueUrl: S, VisibilityTimeout: 43201 },
    bad(43201, "VisibilityTimeout", "Must be >= 0 and <= 43200, if provided."),
  ],
  ["ReceiveMessage", { QueueUrl: S, ReceiveRequestAttemptId: "r" }, bad("r", "ReceiveRequestAttemptId", `${TYPE}.`)],
  ["DeleteMessage", { QueueUrl: S }, "400 MissingParameter | The request must contain the parameter ReceiptHandle."],
  [
    "DeleteMessage",
    { QueueUrl: S, ReceiptHandle: "junk" },
    '404 ReceiptHandleIsInvalid | The input receipt handle "junk" is not a valid receipt handle.',
  ],
  [
    "ChangeMessageVisibility",
    { QueueUrl: S, VisibilityTimeout: 1 },
    "400 MissingParameter | The request must contain the parameter ReceiptHandle.",
  ],
  [
    "ChangeMessageVisibility",
    { QueueUrl: S, ReceiptHandle: "junk" },
    "400 MissingParameter | The request must contain the parameter VisibilityTimeout.",
  ],
  [
    "ChangeMessageVisibility",
    { QueueUrl: S, ReceiptHandle: "junk", VisibilityTimeout: 43201 },
    bad(43201, "VisibilityTimeout", "Must be between 0 and 43200."),
  ],
  [
    "ChangeMessageVisibility",
    { QueueUrl: S, ReceiptHandle: "junk", VisibilityTimeout: 1 },
    '404 ReceiptHandleIsInvalid | The input receipt handle "junk" is not a valid receipt handle.',
  ],
];

const value = { DataType: "String", StringValue: "v" };
const refused = (line: string): string => `400 InvalidParameterValue | ${line}`;
const MESSAGE_ATTRIBUTES: Rows = [
  [
    "SendMessage",
    {
      QueueUrl: S,
      MessageBody: "a",
      MessageAttributes: Object.fromEntries(many(11, (i) => [`n${i}`, value]) as [string, Json][]),
    },
    refused("Number of message attributes [11] exceeds the allowed maximum [10]."),
  ],
  ["SendMessage", attribute("", value), refused("The request must contain non-empty message (user) attribute names.")],
  [
    "SendMessage",
    attribute("n".repeat(257), value),
    refused("Message (user) attribute name must be shorter than 256 bytes."),
  ],
  [
    "SendMessage",
    attribute("aWs.n", value),
    refused(
      "You can't use message attribute names beginning with 'AWS.' or 'Amazon'. These strings are reserved for internal use.",
    ),
  ],
  [
    "SendMessage",
    attribute("AMAZON.n", value),
    refused(
      "You can't use message attribute names beginning with 'AWS.' or 'Amazon'. These strings are reserved for internal use.",
    ),
  ],
  ["SendMessage", attribute(".n", value), refused("Message (user) attribute name must not begin with character '.'.")],
  ["SendMessage", attribute("n.", value), refused("Message (user) attribute name must not end with character '.'.")],
  [
    "SendMessage",
    attribute("n..n", value),
    refused("Message (user) attribute name must not have successive '.' characters."),
  ],
  [
    "SendMessage",
    attribute("X", { StringValue: "v" }),
    refused("The message (user) attribute 'X' must contain a non-empty message attribute type."),
  ],
  [
    "SendMessage",
    attribute("X", { DataType: "", StringValue: "v" }),
    refused("The message (user) attribute 'X' must contain a non-empty message attribute type."),
  ],
  [
    "SendMessage",
    attribute("X", { DataType: `String.${"l".repeat(250)}`, StringValue: "v" }),
    refused("Message (user) attribute type must be shorter than 256 bytes."),
  ],
  [
    "SendMessage",
    attribute("X", { DataType: "string", StringValue: "v" }),
    refused(
      "The type of message (user) attribute 'X' is invalid. You must use only the following supported type prefixes: Binary, Number, String.",
    ),
  ],
  [
    "SendMessage",
    attribute("X", { DataType: "Stringy", StringValue: "v" }),
    refused(
      "The type of message (user) attribute 'X' is invalid. You must use only the following supported type prefixes: Binary, Number, String.",
    ),
  ],
  [
    "SendMessage",
    attribute("X", { DataType: "String" }),
    refused("The message (user) attribute 'X' must contain a non-empty message attribute value."),
  ],
  [
    "SendMessage",
    attribute("X", { DataType: "String", StringValue: "" }),
    refused("Message (user) attribute 'X' must contain a non-empty value of type 'String'."),
  ],
  [
    "SendMessage",
    attribute("X", { DataType: "Binary", BinaryValue: "" }),
    refused("Message (user) attribute 'X' must contain a non-empty value of type 'Binary'."),
  ],
  [
    "SendMessage",
    attribute("X", { DataType: "String", BinaryValue: "AQ==" }),
    refused("Message (user) attribute 'X' with type 'String' must use field 'String'."),
  ],
  [
    "SendMessage",
    attribute("X", { DataType: "Binary", StringValue: "v" }),
    refused("Message (user) attribute 'X' with type 'Binary' must use field 'Binary'."),
  ],
  [
    "SendMessage",
    attribute("X", { DataType: "String", StringValue: "v", BinaryValue: "AQ==" }),
    refused("Message (user) attribute 'X' must have a single value."),
  ],
  ["SendMessage", attribute("X", { DataType: "String", StringValue: "v\u0001" }), refused(CHARACTERS)],
  ...["x", "1x", "", "0x10", "1e127", "1e-129", "1".repeat(39), ".", "--1"]
    .filter((number) => number !== "")
    .map(
      (number) =>
        [
          "SendMessage",
          attribute("X", { DataType: "Number.int", StringValue: number }),
          refused("Can't cast the value of message (user) attribute 'X' to a number."),
        ] as const,
    ),
  [
    "SendMessage",
    attribute("X", { DataType: "String", StringListValues: ["v"] }),
    "400 AWS.SimpleQueueService.UnsupportedOperation | Message attribute list values in SendMessage operation are not supported.",
  ],
  [
    "SendMessage",
    attribute("X", { DataType: "Binary", BinaryListValues: ["AQ=="] }),
    "400 AWS.SimpleQueueService.UnsupportedOperation | Message attribute list values in SendMessage operation are not supported.",
  ],
  [
    "SendMessage",
    { QueueUrl: S, MessageBody: "a", MessageSystemAttributes: { Trace: value } },
    refused("Message system attribute name 'Trace' is invalid."),
  ],
  [
    "SendMessage",
    {
      QueueUrl: S,
      MessageBody: "a",
      MessageSystemAttributes: { AWSTraceHeader: { DataType: "String", StringValue: "" } },
    },
    refused("Message (system) attribute 'AWSTraceHeader' must contain a non-empty value of type 'String'."),
  ],
];

const BATCHES: Rows = [
  ...["SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"].flatMap(
    (action): Rows => [
      [
        action,
        { QueueUrl: S },
        `400 AWS.SimpleQueueService.EmptyBatchRequest | There should be at least one ${action}RequestEntry in the request.`,
      ],
      [
        action,
        { QueueUrl: S, Entries: many(20, (i) => entry(`${i}`)) },
        "400 AWS.SimpleQueueService.TooManyEntriesInBatchRequest | Maximum number of entries per request are 10. You have sent 20.",
      ],
      [action, { QueueUrl: S, Entries: [entry("")] }, BATCH_ID],
      [action, { QueueUrl: S, Entries: [entry("a.b")] }, BATCH_ID],
      [action, { QueueUrl: S, Entries: [entry("a".repeat(81))] }, BATCH_ID],
      [
        action,
        { QueueUrl: S, Entries: [entry("id_1"), entry("id_2"), entry("id_2"), entry("id_1")] },
        "400 AWS.SimpleQueueService.BatchEntryIdsNotDistinct | Id id_2 repeated.",
      ],
      [
        action,
        { QueueUrl: S, Entries: [{ MessageBody: "a" }] },
        `400 MissingParameter | The request must contain the parameter ${action}RequestEntry.1.Id.`,
      ],
    ],
  ),
  [
    "SendMessageBatch",
    { QueueUrl: S, Entries: [entry("a", { MessageBody: MAX_BODY }), entry("b")] },
    "400 AWS.SimpleQueueService.BatchRequestTooLong | Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.",
  ],
  [
    "SendMessageBatch",
    { QueueUrl: F, Entries: [entry("a")] },
    "400 InvalidParameterValue | The request must contain the parameter MessageGroupId.",
  ],
  [
    "SendMessageBatch",
    { QueueUrl: F, Entries: [entry("a", { MessageGroupId: "g" })] },
    "400 InvalidParameterValue | The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
  ],
];

let client = new SqsClient();

beforeEach(() => {
  client = new SqsClient();
  client.createQueue("standard");
  client.createQueue("small", { MaximumMessageSize: "1024" });
  client.createQueue("purged");
  client.createQueue("deleted");
  client.createQueue("orders.fifo", { FifoQueue: "true" });
  client.createQueue("content.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true" });
  client.call("DeleteQueue", { QueueUrl: urlOf("deleted") });
  client.call("PurgeQueue", { QueueUrl: urlOf("purged") });
  client.call("AddPermission", permission({ Label: "taken" }));
});

describe.each([
  ["creating a queue", CREATE],
  ["queue attributes", ATTRIBUTES],
  ["queues, tags and permissions", QUEUES],
  ["messages", MESSAGES],
  ["message attributes", MESSAGE_ATTRIBUTES],
  ["batches", BATCHES],
])("%s", (_, rows) => {
  test.each(rows.map(([action, input, expected]) => ({ action, input, expected })))(
    "$action: $expected",
    ({ action, input, expected }) => {
      expect(errorLine(client.json(action, input))).toBe(expected);
      expect(errorLine(client.query(toParameters(action, input)))).toBe(withoutControls(expected));
    },
  );
});

/** XML cannot have the control characters that a client may have sent. */
function withoutControls(line: string): string {
  return line.replaceAll("\u0000", "\uFFFD").replaceAll("\u0001", "\uFFFD");
}

describe("a queue that is not there", () => {
  const actions = [
    ...["AddPermission", "ChangeMessageVisibility", "DeleteMessage", "DeleteQueue", "GetQueueAttributes"],
    ...["ListDeadLetterSourceQueues", "ListQueueTags", "PurgeQueue", "ReceiveMessage", "RemovePermission"],
    ...["SendMessage", "SetQueueAttributes", "TagQueue", "UntagQueue", "DeleteMessageBatch", "SendMessageBatch"],
    "ChangeMessageVisibilityBatch",
  ];
  test.each(actions)("%s looks for it before anything else", (action) => {
    for (const QueueUrl of [urlOf("missing"), "http://whatever-incorrect-queue-address", urlOf("Standard"), "a/b/c"]) {
      expect(errorLine(client.json(action, { QueueUrl, Entries: [{ Id: "!" }] }))).toBe(
        "400 AWS.SimpleQueueService.NonExistentQueue | The specified queue does not exist.",
      );
      expect(errorLine(client.query({ Action: action, QueueUrl }))).toBe(
        "400 AWS.SimpleQueueService.NonExistentQueue | The specified queue does not exist for this wsdl version.",
      );
    }
  });

  test.each([{}, { QueueUrl: "" }, { QueueUrl: null }])("JSON: no URL at all, %j, is no queue", (input) => {
    const reply = client.json("SendMessage", input);
    expect(reply.queryError).toBe("AWS.SimpleQueueService.NonExistentQueue;Sender");
    expect(parseJson(reply.body)["__type"]).toBe("com.amazonaws.sqs#QueueDoesNotExist");
  });

  test("Query: no URL at all is a missing parameter", () => {
    expect(errorLine(client.query({ Action: "SendMessage", MessageBody: "a" }))).toBe(
      "400 MissingParameter | The request must contain the parameter QueueUrl.",
    );
  });

  test("GetQueueUrl", () => {
    expect(errorLine(client.json("GetQueueUrl", { QueueName: "missing" }))).toContain("NonExistentQueue");
    const other = { QueueName: "standard", QueueOwnerAWSAccountId: "999999999999" };
    expect(errorLine(client.json("GetQueueUrl", other))).toContain("NonExistentQueue");
  });
});

describe("what the broker refuses", () => {
  const handle = { QueueUrl: S, ReceiptHandle: "h" };
  test.each([
    [
      "DeleteMessage",
      "expired",
      "400 InvalidParameterValue | Value h for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
    ],
    [
      "ChangeMessageVisibility",
      "expired",
      "400 InvalidParameterValue | Value h for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
    ],
    [
      "ChangeMessageVisibility",
      "gone",
      "400 InvalidParameterValue | Value h for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.",
    ],
    [
      "ChangeMessageVisibility",
      "beyondMaximum",
      "400 InvalidParameterValue | Value 9 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]",
    ],
  ] as const)("%s of a message that is %s", (action, settle, expected) => {
    client.broker.next = { settle };
    expect(errorLine(client.json(action, { ...handle, VisibilityTimeout: 9 }))).toBe(expected);
  });

  test("deleting what is gone succeeds", () => {
    client.broker.next = { settle: "gone" };
    expect(client.json("DeleteMessage", handle)).toMatchObject({ status: 200, body: "" });
  });

  test("too many in flight: an error for a short poll of a standard queue, nothing to a long poll and to FIFO", () => {
    client.broker.next = { receive: "overLimit" };
    expect(errorLine(client.json("ReceiveMessage", { QueueUrl: S }))).toBe(
      "403 OverLimit | Too many messages have been received without being deleted. Please delete your received messages or let them timeout before receiving more.",
    );
    expect(client.json("ReceiveMessage", { QueueUrl: S, WaitTimeSeconds: 1 })).toMatchObject({
      status: 200,
      body: "{}",
    });
    expect(client.json("ReceiveMessage", { QueueUrl: F })).toMatchObject({ status: 200, body: "{}" });
  });

  test("a receive that cannot be repeated", () => {
    client.broker.next = { receive: "notRetryable" };
    expect(errorLine(client.json("ReceiveMessage", { QueueUrl: F, ReceiveRequestAttemptId: "try-1" }))).toBe(
      "400 InvalidParameterValue | Value try-1 for parameter ReceiveRequestAttemptId is invalid. Reason: The receiveRequestAttemptId is not valid anymore since the receive call is not retryable.",
    );
  });

  test("a queue deleted under a long poll", () => {
    client.broker.next = { receive: "queueGone" };
    expect(errorLine(client.json("ReceiveMessage", { QueueUrl: S }))).toContain("NonExistentQueue");
  });

  test("no room: a retryable error that says so, per entry in a batch", () => {
    client.broker.next = { send: "full" };
    const reply = client.json("SendMessage", { QueueUrl: S, MessageBody: "a" });
    expect(reply).toMatchObject({ status: 503, queryError: "ServiceUnavailable;Receiver" });
    expect(parseJson(reply.body)["__type"]).toBe("com.amazon.coral.service#ServiceUnavailableException");
    expect(errorLine(reply)).toMatch(/full.*retry later/);
    expect(client.call("SendMessageBatch", { QueueUrl: S, Entries: [entry("a")] })).toEqual({
      Failed: [expect.objectContaining({ Id: "a", SenderFault: false, Code: "ServiceUnavailable" })],
    });
  });

  test("a fault of ours: 500 with the request's id, reported, and the next request works", () => {
    const fault = new Error("broken");
    client.broker.next = { throws: fault };
    for (const reply of [
      client.json("SendMessage", { QueueUrl: S, MessageBody: "a" }),
      client.query({ Action: "SendMessage", QueueUrl: S, MessageBody: "a" }),
      client.json("TagQueue", { QueueUrl: S, Tags: { a: "b" } }),
    ]) {
      expect(reply).toMatchObject({ status: 500, queryError: "InternalFailure;Receiver" });
      expect(errorLine(reply)).toContain(reply.requestId);
    }
    expect(client.faults).toEqual([fault, fault, fault]);
    client.broker.next = {};
    expect(client.json("TagQueue", { QueueUrl: S, Tags: { a: "b" } }).status).toBe(200);
  });
});

test("RedriveAllowPolicy decides which queue may name the target", () => {
  const target = { deadLetterTargetArn: DEAD, maxReceiveCount: "3" };
  const source = set({ RedrivePolicy: text(target) }, urlOf("small"));
  for (const policy of [
    { redrivePermission: "denyAll" },
    { redrivePermission: "byQueue", sourceQueueArns: [arnOf("other")] },
  ]) {
    client.call("SetQueueAttributes", allow(policy));
    expect(errorLine(client.json("SetQueueAttributes", source))).toContain("InvalidParameterValue");
  }
  for (const policy of [
    { redrivePermission: "allowAll" },
    { redrivePermission: "byQueue", sourceQueueArns: [arnOf("small")] },
  ]) {
    client.call("SetQueueAttributes", allow(policy));
    expect(client.json("SetQueueAttributes", source).status).toBe(200);
  }
});

test("the catalogue names each code once and every client error a Sender's", () => {
  const rows = Object.entries(ERRORS);
  expect(new Set(rows.map(([, row]) => row.queryCode)).size).toBe(rows.length);
  for (const [, row] of rows) expect(row.fault).toBe(row.status < 500 ? "Sender" : "Receiver");
  expect(queryErrorOf("PurgeQueueInProgress")).toBe("AWS.SimpleQueueService.PurgeQueueInProgress;Sender");
});
