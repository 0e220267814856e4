// SendMessage: body, size, characters, delay, group and deduplication; the trace header. Reference 2.9, 6.1, 6.2.
import { describe, expect, test } from "vitest";
import { conformance, newAccount, type Row, scenario, useBroker } from "../../support/conformance.ts";
import type { Json } from "../../support/sqs-client.ts";
import {
  CHARACTERS,
  invalidIdentifier,
  invalidValue,
  MD5,
  missingParameter,
  SEQUENCE_NUMBER,
  UUID,
  WRONG_TYPE,
} from "../../support/wordings.ts";

useBroker();

const FIFO = { FifoQueue: "true" };
const tooLong = (bytes: number): string =>
  `400 InvalidParameterValue | One or more parameters are invalid. Reason: Message must be shorter than ${bytes} bytes.`;
const send = (MessageBody: string | null, more: Json = {}): Json => ({ QueueUrl: "q", MessageBody, ...more });
const fifo = (more: Json = {}): Json => ({
  QueueUrl: "q.fifo",
  MessageBody: "a",
  MessageGroupId: "g",
  MessageDeduplicationId: "d",
  ...more,
});
const sent = (rule: string, input: Json, output: Json = {}): Row => [
  rule,
  "SendMessage",
  input,
  { MessageId: UUID, MD5OfMessageBody: MD5, ...output },
];
const PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
const MAX_BODY = "x".repeat(1_048_576);
const BLUE = { color: { DataType: "String", StringValue: "blue" } };
const BLUE_BYTES = "color".length + "String".length + "blue".length;

const QUEUES = [
  ["CreateQueue", { QueueName: "q" }],
  ["CreateQueue", { QueueName: "small", Attributes: { MaximumMessageSize: "1024" } }],
  ["CreateQueue", { QueueName: "q.fifo", Attributes: FIFO }],
  ["CreateQueue", { QueueName: "content.fifo", Attributes: { ...FIFO, ContentBasedDeduplication: "true" } }],
] as const;

conformance("SendMessage: the body", QUEUES, [
  sent("its digest comes back", send("hello"), { MD5OfMessageBody: "5d41402abc4b2a76b9719d911017c592" }),
  sent("the digest of message", send("message"), { MD5OfMessageBody: "78e731027d8fd50ed642340b7c9a63b3" }),
  sent("the digest of test", send("test"), { MD5OfMessageBody: "098f6bcd4621d373cade4e832627b4f6" }),
  sent("one character", send("a")),
  ["no body", "SendMessage", { QueueUrl: "q" }, missingParameter("MessageBody")],
  ["an empty body", "SendMessage", send(""), missingParameter("MessageBody")],
  ["null is no body", "SendMessage", send(null), missingParameter("MessageBody")],
  sent("exactly 1 MiB", send(MAX_BODY)),
  ["a byte more", "SendMessage", send(`${MAX_BODY}x`), tooLong(1_048_576)],
  sent("exactly the queue's MaximumMessageSize", send("x".repeat(1_024), { QueueUrl: "small" })),
  ["a byte more than that", "SendMessage", send("x".repeat(1_025), { QueueUrl: "small" }), tooLong(1_024)],
  sent("size is bytes of UTF-8, not characters", send("é".repeat(512), { QueueUrl: "small" })),
  ["two bytes each", "SendMessage", send("é".repeat(513), { QueueUrl: "small" }), tooLong(1_024)],
  sent("four bytes each", send("😀".repeat(256), { QueueUrl: "small" })),
  ["one more of those", "SendMessage", send(`${"😀".repeat(256)}x`, { QueueUrl: "small" }), tooLong(1_024)],
  sent(
    "attributes count: name, type and value",
    send("x".repeat(1_024 - BLUE_BYTES), { QueueUrl: "small", MessageAttributes: BLUE }),
    { MD5OfMessageAttributes: "da1b33cc3cbfe8b1630921e78e6b9880" },
  ),
  [
    "and a byte more",
    "SendMessage",
    send("x".repeat(1_025 - BLUE_BYTES), { QueueUrl: "small", MessageAttributes: BLUE }),
    tooLong(1_024),
  ],
  sent(
    "a binary value counts raw, not as base64",
    send("x".repeat(1_024 - 1 - 6 - 300), {
      QueueUrl: "small",
      MessageAttributes: { b: { DataType: "Binary", BinaryValue: Buffer.alloc(300, 1).toString("base64") } },
    }),
    { MD5OfMessageAttributes: MD5 },
  ),
  sent(
    "the trace header, group and deduplication ids do not count",
    fifo({
      QueueUrl: "content.fifo",
      MessageBody: "x".repeat(1_048_576),
      MessageGroupId: "g".repeat(128),
      MessageDeduplicationId: "d".repeat(128),
      MessageSystemAttributes: {
        AWSTraceHeader: { DataType: "String", StringValue: "Root=1-5759e988-bd862e3fe1be46a994272793" },
      },
    }),
    { SequenceNumber: SEQUENCE_NUMBER, MD5OfMessageSystemAttributes: MD5 },
  ),
]);

conformance("SendMessage: the characters of a body", QUEUES, [
  ...["\t", "\n", "\r", " ", "~", "\u007F", "\u0085", "\uD7FF", "\uE000", "\uFFFD", "\u{10000}", "\u{10FFFF}"].map(
    (character) => sent(`U+${hex(character)} is allowed`, send(`a${character}b`)),
  ),
  ...["\u0000", "\u0001", "\u0008", "\u000B", "\u000C", "\u000E", "\u001F", "\uFFFE", "\uFFFF"].map(
    (character): Row => [
      `U+${hex(character)} is not`,
      "SendMessage",
      send(`a${character}b`),
      `400 InvalidMessageContents | ${CHARACTERS}`,
    ],
  ),
]);

function hex(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
}

test("SendMessage: a lone surrogate, which only JSON can write", async () => {
  const sqs = newAccount("JSON");
  await sqs.call("CreateQueue", { QueueName: "q" });
  for (const lone of ["\uD800", "\uDC00", "\uDC00\uD800", "a\uD83D"]) {
    expect(await sqs.refusal("SendMessage", send(lone))).toBe(`400 InvalidMessageContents | ${CHARACTERS}`);
  }
});

conformance("SendMessage: delay, group and deduplication", QUEUES, [
  sent("DelaySeconds 0", send("a", { DelaySeconds: 0 })),
  sent("DelaySeconds 900", send("a", { DelaySeconds: 900 })),
  ...[901, -1].map(
    (DelaySeconds): Row => [
      `DelaySeconds ${DelaySeconds}`,
      "SendMessage",
      send("a", { DelaySeconds }),
      invalidValue(DelaySeconds, "DelaySeconds", "DelaySeconds must be >= 0 and <= 900."),
    ],
  ),
  sent("DelaySeconds 0 on FIFO", fifo({ DelaySeconds: 0, MessageDeduplicationId: "zero" }), {
    SequenceNumber: SEQUENCE_NUMBER,
  }),
  ["DelaySeconds 2 on FIFO", "SendMessage", fifo({ DelaySeconds: 2 }), invalidValue(2, "DelaySeconds", WRONG_TYPE)],
  sent("a FIFO message has a sequence number", fifo(), { SequenceNumber: SEQUENCE_NUMBER }),
  ["FIFO without a group", "SendMessage", fifo({ MessageGroupId: null }), missingParameter("MessageGroupId")],
  [
    "FIFO without a deduplication id, on a queue that makes none",
    "SendMessage",
    fifo({ MessageDeduplicationId: null }),
    "400 InvalidParameterValue | The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
  ],
  sent(
    "FIFO without one, on a queue that makes one",
    fifo({ QueueUrl: "content.fifo", MessageDeduplicationId: null }),
    {
      SequenceNumber: SEQUENCE_NUMBER,
    },
  ),
  sent("a group on a standard queue", send("a", { MessageGroupId: "tenant" })),
  ...["", "a b", "ä", "g".repeat(129), "a\n"].flatMap((value): Row[] => [
    [
      `the group "${value}" on a standard queue`,
      "SendMessage",
      send("a", { MessageGroupId: value }),
      invalidIdentifier(value, "MessageGroupId"),
    ],
    [
      `the group "${value}" on FIFO`,
      "SendMessage",
      fifo({ MessageGroupId: value }),
      invalidIdentifier(value, "MessageGroupId"),
    ],
    [
      `the deduplication id "${value}"`,
      "SendMessage",
      fifo({ MessageDeduplicationId: value }),
      invalidIdentifier(value, "MessageDeduplicationId"),
    ],
  ]),
  sent(
    "ids of 128 characters, and all punctuation",
    fifo({ MessageGroupId: "g".repeat(128), MessageDeduplicationId: PUNCTUATION }),
    { SequenceNumber: SEQUENCE_NUMBER },
  ),
  [
    "a deduplication id on a standard queue",
    "SendMessage",
    send("a", { MessageDeduplicationId: "d" }),
    invalidValue("d", "MessageDeduplicationId", WRONG_TYPE),
    "src/sqs/errors.ts NOT_FOR_THIS_TYPE",
  ],
]);

describe("the trace header", () => {
  const HEADER = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
  const system = (StringValue: string, DataType = "String"): Json => ({
    MessageSystemAttributes: { AWSTraceHeader: { DataType, StringValue } },
  });

  scenario("as a system attribute has a digest and comes back", async (sqs) => {
    await sqs.call("CreateQueue", { QueueName: "q" });
    expect(await sqs.call("SendMessage", send("a", system(HEADER)))).toEqual({
      MessageId: UUID,
      MD5OfMessageBody: MD5,
      MD5OfMessageSystemAttributes: "5ae4d5d7636402d80f4eb6d213245a88",
    });
    const { Messages } = await sqs.call("ReceiveMessage", { QueueUrl: "q", AttributeNames: ["AWSTraceHeader"] });
    expect(Messages).toEqual([expect.objectContaining({ Attributes: { AWSTraceHeader: HEADER } })]);
  });

  test("as an HTTP header is the message's too, without a digest", async () => {
    const sqs = newAccount("JSON");
    await sqs.call("CreateQueue", { QueueName: "q" });
    const headers = {
      "content-type": "application/x-amz-json-1.0",
      "x-amz-target": "AmazonSQS.SendMessage",
      "x-amzn-trace-id": HEADER,
    };
    const reply = await sqs.raw({ headers, body: JSON.stringify(send("a")) });
    expect(JSON.parse(reply.text)).toEqual({ MessageId: UUID, MD5OfMessageBody: MD5 });
    const { Messages } = await sqs.call("ReceiveMessage", { QueueUrl: "q", AttributeNames: ["AWSTraceHeader"] });
    expect(Messages).toEqual([expect.objectContaining({ Attributes: { AWSTraceHeader: HEADER } })]);
  });

  test.each([
    "x",
    "Root=1-5759e988",
    `${HEADER.slice(0, -1)}9`,
    "Parent=53995c3f42cd8ad8",
    `${HEADER};a=${"x".repeat(1_024)}`,
  ])("the HTTP header %s is refused, for any action", async (value) => {
    const sqs = newAccount("Query");
    const headers = { "content-type": "application/x-www-form-urlencoded", "x-amzn-trace-id": value };
    const reply = await sqs.raw({ headers, body: "Action=ListQueues" });
    expect(reply.status).toBe(400);
    expect(reply.text).toContain(
      `<Code>InvalidParameterValue</Code><Message>The request has a 'X-Amzn-Trace-Id' HTTP header which is reserved for AWS X-Ray trace header and has an invalid value '${value}'</Message>`,
    );
  });

  conformance("MessageSystemAttributes", QUEUES, [
    [
      "another name",
      "SendMessage",
      send("a", { MessageSystemAttributes: { Trace: { DataType: "String", StringValue: "x" } } }),
      "400 InvalidParameterValue | Message system attribute name 'Trace' is invalid.",
    ],
    [
      "an empty value",
      "SendMessage",
      send("a", system("")),
      "400 InvalidParameterValue | Message (system) attribute 'AWSTraceHeader' must contain a non-empty value of type 'String'.",
    ],
    [
      "no value",
      "SendMessage",
      send("a", { MessageSystemAttributes: { AWSTraceHeader: { DataType: "String" } } }),
      "400 InvalidParameterValue | The message (system) attribute 'AWSTraceHeader' must contain a non-empty message attribute value.",
    ],
    [
      "another type",
      "SendMessage",
      send("a", system("1", "Number")),
      "400 InvalidParameterValue | The type of message (system) attribute 'AWSTraceHeader' is invalid. You must use only the following supported type prefixes: String.",
    ],
    [
      "1024 bytes",
      "SendMessage",
      send("a", system("x".repeat(1_024))),
      { MessageId: UUID, MD5OfMessageBody: MD5, MD5OfMessageSystemAttributes: MD5 },
    ],
    ...[1_025, 100_000].map(
      (bytes): Row => [
        `${bytes} bytes`,
        "SendMessage",
        send("a", system("x".repeat(bytes))),
        "400 InvalidParameterValue | Message (system) attribute 'AWSTraceHeader' must be at most 1024 bytes long.",
      ],
    ),
  ]);
});
