// ReceiveMessage, DeleteMessage and ChangeMessageVisibility: parameters, and what a received message has.
// Reference 2.11 to 2.13, 4.7.
import { describe, expect, test } from "vitest";
import { conformance, newAccount, type Row, scenario, useBroker } from "../../support/conformance.ts";
import type { Service } from "../../support/service.ts";
import type { Json } from "../../support/sqs-client.ts";
import { invalidIdentifier, invalidValue, missingParameter, UUID, WRONG_TYPE } from "../../support/wordings.ts";

useBroker();

const FIFO = { FifoQueue: "true" };
const send = (MessageBody: string | null, more: Json = {}): Json => ({ QueueUrl: "q", MessageBody, ...more });
const fifo = (more: Json = {}): Json => ({
  QueueUrl: "q.fifo",
  MessageBody: "a",
  MessageGroupId: "g",
  MessageDeduplicationId: "d",
  ...more,
});
const PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
const BLUE = { color: { DataType: "String", StringValue: "blue" } };

const QUEUES = [
  ["CreateQueue", { QueueName: "q" }],
  ["CreateQueue", { QueueName: "small", Attributes: { MaximumMessageSize: "1024" } }],
  ["CreateQueue", { QueueName: "q.fifo", Attributes: FIFO }],
  ["CreateQueue", { QueueName: "content.fifo", Attributes: { ...FIFO, ContentBasedDeduplication: "true" } }],
] as const;

conformance("ReceiveMessage", QUEUES, [
  ["nothing there", "ReceiveMessage", { QueueUrl: "q" }, {}],
  ["nothing there, FIFO", "ReceiveMessage", { QueueUrl: "q.fifo" }, {}],
  ...[1, 10].map(
    (count): Row => [
      `MaxNumberOfMessages ${count}`,
      "ReceiveMessage",
      { QueueUrl: "q", MaxNumberOfMessages: count },
      {},
    ],
  ),
  ...[0, 11, -1].map(
    (count): Row => [
      `MaxNumberOfMessages ${count}`,
      "ReceiveMessage",
      { QueueUrl: "q", MaxNumberOfMessages: count },
      invalidValue(count, "MaxNumberOfMessages", "Must be between 1 and 10, if provided."),
    ],
  ),
  ["WaitTimeSeconds 0", "ReceiveMessage", { QueueUrl: "q", WaitTimeSeconds: 0 }, {}],
  ...[21, -1].map(
    (seconds): Row => [
      `WaitTimeSeconds ${seconds}`,
      "ReceiveMessage",
      { QueueUrl: "q", WaitTimeSeconds: seconds },
      invalidValue(seconds, "WaitTimeSeconds", "Must be >= 0 and <= 20, if provided."),
    ],
  ),
  ...[0, 43_200].map(
    (seconds): Row => [
      `VisibilityTimeout ${seconds}`,
      "ReceiveMessage",
      { QueueUrl: "q", VisibilityTimeout: seconds },
      {},
    ],
  ),
  ...[43_201, -1].map(
    (seconds): Row => [
      `VisibilityTimeout ${seconds}`,
      "ReceiveMessage",
      { QueueUrl: "q", VisibilityTimeout: seconds },
      invalidValue(seconds, "VisibilityTimeout", "Must be >= 0 and <= 43200, if provided."),
    ],
  ),
  [
    "ReceiveRequestAttemptId on a standard queue",
    "ReceiveMessage",
    { QueueUrl: "q", ReceiveRequestAttemptId: "r" },
    invalidValue("r", "ReceiveRequestAttemptId", WRONG_TYPE),
  ],
  [
    "ReceiveRequestAttemptId on FIFO",
    "ReceiveMessage",
    { QueueUrl: "q.fifo", ReceiveRequestAttemptId: PUNCTUATION },
    {},
  ],
  ...["", "a b", "r".repeat(129)].map(
    (value): Row => [
      `ReceiveRequestAttemptId "${value}"`,
      "ReceiveMessage",
      { QueueUrl: "q.fifo", ReceiveRequestAttemptId: value },
      invalidIdentifier(value, "ReceiveRequestAttemptId"),
    ],
  ),
]);

/** One message, received with `ask`. */
async function received(sqs: Service, message: Json, ask: Json): Promise<Json> {
  await sqs.call("CreateQueue", { QueueName: "q" });
  await sqs.call("SendMessage", message);
  const { Messages } = await sqs.call("ReceiveMessage", { QueueUrl: "q", ...ask });
  const [one] = Messages as [Json];
  return one;
}

describe("a received message", () => {
  scenario("has no attributes that were not asked for", async (sqs) => {
    expect(await received(sqs, send("hello", { MessageAttributes: BLUE }), {})).toEqual({
      MessageId: UUID,
      ReceiptHandle: expect.any(String),
      MD5OfBody: "5d41402abc4b2a76b9719d911017c592",
      Body: "hello",
    });
  });

  const names = ["SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp"];
  for (const member of ["AttributeNames", "MessageSystemAttributeNames"]) {
    scenario(`has what ${member} asks for`, async (sqs) => {
      const one = await received(sqs, send("a"), { [member]: ["All"] });
      const millisecond = expect.stringMatching(/^\d{13}$/);
      expect(one["Attributes"]).toEqual({
        SenderId: sqs.account,
        SentTimestamp: millisecond,
        ApproximateReceiveCount: "1",
        ApproximateFirstReceiveTimestamp: millisecond,
      });
    });
    for (const name of names) {
      scenario(`has ${name} alone when ${member} asks for it alone`, async (sqs) => {
        const one = await received(sqs, send("a"), { [member]: [name] });
        expect(Object.keys(one["Attributes"] as Json)).toEqual([name]);
      });
    }
  }

  test("has the union when both lists are given, which only JSON can do", async () => {
    const lists = { AttributeNames: ["SenderId"], MessageSystemAttributeNames: ["ApproximateReceiveCount"] };
    const sqs = newAccount("JSON");
    const one = await received(sqs, send("a"), lists);
    expect(one["Attributes"]).toEqual({ SenderId: sqs.account, ApproximateReceiveCount: "1" });
  });

  scenario("has no Attributes when nothing of it was asked for", async (sqs) => {
    const ask = { AttributeNames: ["SequenceNumber", "Policy", "Foobar", "AWSTraceHeader", "MessageGroupId"] };
    expect(await received(sqs, send("a"), ask)).not.toHaveProperty("Attributes");
  });

  scenario("of a standard queue has the group its sender gave, and no sequence number", async (sqs) => {
    const one = await received(sqs, send("a", { MessageGroupId: "tenant" }), { AttributeNames: ["All"] });
    expect(one["Attributes"]).toMatchObject({ MessageGroupId: "tenant" });
    expect(one["Attributes"]).not.toHaveProperty("SequenceNumber");
  });

  scenario("of FIFO has group, deduplication id and sequence number, when asked for", async (sqs) => {
    await sqs.call("CreateQueue", { QueueName: "q.fifo", Attributes: { ...FIFO, ContentBasedDeduplication: "true" } });
    const { SequenceNumber } = await sqs.call(
      "SendMessage",
      fifo({ MessageBody: "same", MessageDeduplicationId: null }),
    );
    const AttributeNames = ["MessageGroupId", "MessageDeduplicationId", "SequenceNumber"];
    const { Messages } = await sqs.call("ReceiveMessage", { QueueUrl: "q.fifo", AttributeNames });
    expect(Messages).toEqual([
      expect.objectContaining({
        Attributes: {
          MessageGroupId: "g",
          MessageDeduplicationId: "0967115f2813a3541eaef77de9d9d5773f1c0c04314b0bbfe4ff3b3b1c55b5d5",
          SequenceNumber,
        },
      }),
    ]);
  });

  const BODIES = [
    "line feed \n, carriage return \r, both \r\n, tab \t, quotes \" and ', < > & &quot; &#xD; ]]>",
    " spaces at both ends ",
    '{"json":[1,2,{"a":null}]}',
    "Ünïcode ☃ 😀 \uFFFD",
    "a+b=c&d=%20%zz",
    "x".repeat(300_000),
  ];
  for (const body of BODIES) {
    scenario(`has its body byte for byte: ${body.slice(0, 40)}`, async (sqs) => {
      const one = await received(sqs, send(body), {});
      expect(one["Body"]).toBe(body);
    });
  }
});

const NO_HANDLE = '404 ReceiptHandleIsInvalid | The input receipt handle "junk" is not a valid receipt handle.';

conformance("DeleteMessage and ChangeMessageVisibility", QUEUES, [
  ["DeleteMessage without a handle", "DeleteMessage", { QueueUrl: "q" }, missingParameter("ReceiptHandle")],
  ["with an empty handle", "DeleteMessage", { QueueUrl: "q", ReceiptHandle: "" }, missingParameter("ReceiptHandle")],
  ["with garbage", "DeleteMessage", { QueueUrl: "q", ReceiptHandle: "junk" }, NO_HANDLE],
  [
    "ChangeMessageVisibility without a handle",
    "ChangeMessageVisibility",
    { QueueUrl: "q", VisibilityTimeout: 1 },
    missingParameter("ReceiptHandle"),
  ],
  [
    "without a timeout",
    "ChangeMessageVisibility",
    { QueueUrl: "q", ReceiptHandle: "junk" },
    missingParameter("VisibilityTimeout"),
  ],
  ...[43_201, -1].map(
    (VisibilityTimeout): Row => [
      `with the timeout ${VisibilityTimeout}`,
      "ChangeMessageVisibility",
      { QueueUrl: "q", ReceiptHandle: "junk", VisibilityTimeout },
      invalidValue(VisibilityTimeout, "VisibilityTimeout", "Must be between 0 and 43200."),
      "src/sqs/actions/change-message-visibility.ts SECONDS_MAX",
    ],
  ),
  ...[0, 43_200].map(
    (VisibilityTimeout): Row => [
      `with garbage and the timeout ${VisibilityTimeout}`,
      "ChangeMessageVisibility",
      { QueueUrl: "q", ReceiptHandle: "junk", VisibilityTimeout },
      NO_HANDLE,
    ],
  ),
]);
