// SendMessageBatch, DeleteMessageBatch, ChangeMessageVisibilityBatch. Reference 7.
import { describe, expect } from "vitest";
import { conformance, type Row, scenario, useBroker } from "../../support/conformance.ts";
import type { Service } from "../../support/service.ts";
import type { Json } from "../../support/sqs-client.ts";
import { MISSING_QUEUE } from "../../support/wordings.ts";

useBroker();

const ACTIONS = ["SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"] as const;
const BAD_ID =
  "400 AWS.SimpleQueueService.InvalidBatchEntryId | A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.";
const repeated = (id: string): string => `400 AWS.SimpleQueueService.BatchEntryIdsNotDistinct | Id ${id} repeated.`;
const tooMany = (count: number): string =>
  `400 AWS.SimpleQueueService.TooManyEntriesInBatchRequest | Maximum number of entries per request are 10. You have sent ${count}.`;
const tooLong = (bytes: number): string =>
  `400 AWS.SimpleQueueService.BatchRequestTooLong | Batch requests cannot be longer than 1048576 bytes. You have sent ${bytes} bytes.`;
const FIFO = { FifoQueue: "true" };
const entry = (Id: string | null, more: Json = {}): Json => ({ Id, MessageBody: "a", ReceiptHandle: "junk", ...more });
const entries = (count: number): Json[] => Array.from({ length: count }, (_, i) => entry(`e${i}`));
const batch = (Entries: readonly Json[], QueueUrl = "q"): Json => ({ QueueUrl, Entries });

for (const action of ACTIONS) {
  conformance(
    `${action}: the whole request fails`,
    [["CreateQueue", { QueueName: "q" }]],
    [
      ["no queue, before anything else", action, batch([entry("!"), entry("!")], "missing"), MISSING_QUEUE],
      [
        "no entries",
        action,
        { QueueUrl: "q" },
        `400 AWS.SimpleQueueService.EmptyBatchRequest | There should be at least one ${action}RequestEntry in the request.`,
        action === "ChangeMessageVisibilityBatch"
          ? "src/sqs/batch.ts ChangeMessageVisibilityBatchRequestEntry"
          : undefined,
      ],
      [
        "an empty list",
        action,
        batch([]),
        `400 AWS.SimpleQueueService.EmptyBatchRequest | There should be at least one ${action}RequestEntry in the request.`,
      ],
      ["11 entries", action, batch(entries(11)), tooMany(11)],
      ["20 entries, before their ids", action, batch(Array.from({ length: 20 }, () => entry("!"))), tooMany(20)],
      ...["", "a.b", "a b", "ä", "a".repeat(81), "a\n"].map(
        (id): Row => [`the id "${id}"`, action, batch([entry("fine"), entry(id)]), BAD_ID],
      ),
      ["a bad id before a repeated one", action, batch([entry("a"), entry("a"), entry("!")]), BAD_ID],
      ["a repeated id", action, batch([entry("id_1"), entry("id_2"), entry("id_2")]), repeated("id_2")],
      [
        "two repeated ids: the one whose second comes first",
        action,
        batch([entry("id_1"), entry("id_2"), entry("id_2"), entry("id_1")]),
        repeated("id_2"),
      ],
      [
        "an entry without an id",
        action,
        batch([entry("a"), entry(null)]),
        `400 MissingParameter | The request must contain the parameter ${action}RequestEntry.2.Id.`,
      ],
    ],
  );
}

const MIB = 1_048_576;
const GROUP = "400 InvalidParameterValue | The request must contain the parameter MessageGroupId.";
const DEDUPLICATION =
  "400 InvalidParameterValue | The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly";

conformance(
  "SendMessageBatch: the whole request fails",
  [
    ["CreateQueue", { QueueName: "q" }],
    ["CreateQueue", { QueueName: "small", Attributes: { MaximumMessageSize: "1024" } }],
    ["CreateQueue", { QueueName: "q.fifo", Attributes: FIFO }],
  ],
  [
    [
      "a byte more than 1 MiB together",
      "SendMessageBatch",
      batch([entry("a", { MessageBody: "x".repeat(MIB) }), entry("b")]),
      tooLong(MIB + 1),
    ],
    [
      "attributes count",
      "SendMessageBatch",
      batch([
        entry("a", { MessageBody: "x".repeat(MIB - 10) }),
        entry("b", { MessageAttributes: { n: { DataType: "String", StringValue: "1234" } } }),
      ]),
      tooLong(MIB - 10 + 1 + 11),
    ],
    [
      "before the entries' own size",
      "SendMessageBatch",
      batch([entry("a", { MessageBody: "x".repeat(MIB + 1) })]),
      tooLong(MIB + 1),
    ],
    [
      "an entry without a group on FIFO",
      "SendMessageBatch",
      batch([entry("a", { MessageDeduplicationId: "d" })], "q.fifo"),
      GROUP,
    ],
    [
      "an entry without a deduplication id",
      "SendMessageBatch",
      batch([entry("a", { MessageGroupId: "g" })], "q.fifo"),
      DEDUPLICATION,
    ],
    [
      "the second entry, and the first is not sent",
      "SendMessageBatch",
      batch([entry("a", { MessageGroupId: "g", MessageDeduplicationId: "d" }), entry("b")], "q.fifo"),
      GROUP,
    ],
    ["which is why nothing is there", "ReceiveMessage", { QueueUrl: "q.fifo" }, {}],
  ],
);

interface Failure {
  readonly Id: string;
  readonly Code: string;
  readonly Message: string;
}
interface Results {
  readonly Successful?: readonly ({ readonly Id: string } & Json)[];
  readonly Failed?: readonly (Failure & { readonly SenderFault: boolean })[];
}

/** `Code | Message` of each failed entry, by Id; every one is the sender's fault. */
function failuresOf(results: Results): Json {
  for (const failure of results.Failed ?? []) expect(failure.SenderFault).toBe(true);
  return Object.fromEntries((results.Failed ?? []).map(({ Id, Code, Message }) => [Id, `${Code} | ${Message}`]));
}

const TYPE = "InvalidParameterValue | The request include parameter that is not valid for this queue type";
const identifier = (value: string, name: string): string =>
  `InvalidParameterValue | Value ${value} for parameter ${name} is invalid. Reason: ${name} can only include alphanumeric and punctuation characters. 1 to 128 in length.`;

describe("SendMessageBatch: entries fail alone", () => {
  scenario("on a standard queue", async (sqs) => {
    await sqs.call("CreateQueue", { QueueName: "small", Attributes: { MaximumMessageSize: "1024" } });
    const attribute = (value: Json): Json => ({ MessageAttributes: { X: value } });
    const results: Results = await sqs.call(
      "SendMessageBatch",
      batch(
        [
          entry("long", { MessageBody: "x".repeat(1_025) }),
          entry("fits", { MessageBody: "x".repeat(1_024) }),
          entry("none", { MessageBody: null }),
          entry("empty", { MessageBody: "" }),
          entry("character", { MessageBody: "a\uFFFE" }),
          entry("delay", { DelaySeconds: 901 }),
          entry("type", { MessageDeduplicationId: "d" }),
          entry("group", { MessageGroupId: "a b" }),
          entry("attribute", attribute({ DataType: "Number", StringValue: "x" })),
          entry("list", attribute({ DataType: "String", StringListValues: ["v"] })),
        ],
        "small",
      ),
    );
    expect(results.Successful).toEqual([
      { Id: "fits", MessageId: expect.any(String), MD5OfMessageBody: expect.any(String) },
    ]);
    expect(failuresOf(results)).toEqual({
      long: "InvalidParameterValue | One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes.",
      none: "MissingParameter | The request must contain the parameter SendMessageBatchRequestEntry.3.MessageBody.",
      empty: "MissingParameter | The request must contain the parameter SendMessageBatchRequestEntry.4.MessageBody.",
      character: expect.stringMatching(/^InvalidMessageContents \| Invalid characters found\. /),
      delay:
        "InvalidParameterValue | Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.",
      type: TYPE,
      group: identifier("a b", "MessageGroupId"),
      attribute: "InvalidParameterValue | Can't cast the value of message (user) attribute 'X' to a number.",
      list: "AWS.SimpleQueueService.UnsupportedOperation | Message attribute list values in SendMessage operation are not supported.",
    });
    const { Messages } = await sqs.call("ReceiveMessage", { QueueUrl: "small", MaxNumberOfMessages: 10 });
    expect(Messages).toHaveLength(1);
  });

  scenario(
    "on FIFO, where those after a failed one are sent",
    async (sqs) => {
      await sqs.call("CreateQueue", { QueueName: "q.fifo", Attributes: FIFO });
      const of = (id: string, more: Json = {}): Json =>
        entry(id, { MessageBody: id, MessageGroupId: "g", MessageDeduplicationId: id, ...more });
      const results: Results = await sqs.call(
        "SendMessageBatch",
        batch(
          [of("one"), of("delay", { DelaySeconds: 2 }), of("id", { MessageDeduplicationId: "" }), of("two")],
          "q.fifo",
        ),
      );
      expect(results.Successful?.map(({ Id }) => Id)).toEqual(["one", "two"]);
      expect(failuresOf(results)).toEqual({ delay: TYPE, id: identifier("", "MessageDeduplicationId") });
      const { Messages } = await sqs.call("ReceiveMessage", { QueueUrl: "q.fifo", MaxNumberOfMessages: 10 });
      expect((Messages as Json[]).map(({ Body }) => Body)).toEqual(["one", "two"]);
    },
    "src/sqs/actions/send-message-batch.ts prepared",
  );

  scenario("all of them, and there is no Successful", async (sqs) => {
    await sqs.call("CreateQueue", { QueueName: "q" });
    const results = await sqs.call("SendMessageBatch", batch([entry("a", { MessageBody: "" })]));
    expect(Object.keys(results)).toEqual(["Failed"]);
  });
});

describe("SendMessageBatch succeeds", () => {
  scenario("ten entries in order, each with its digests, and there is no Failed", async (sqs) => {
    await sqs.call("CreateQueue", { QueueName: "q" });
    const attributes = { color: { DataType: "String", StringValue: "blue" } };
    const header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    const first = entry("with_-Z9", {
      MessageBody: "hello",
      MessageAttributes: attributes,
      MessageSystemAttributes: { AWSTraceHeader: { DataType: "String", StringValue: header } },
    });
    const results: Results = await sqs.call("SendMessageBatch", batch([first, ...entries(9)]));
    expect(Object.keys(results)).toEqual(["Successful"]);
    expect(results.Successful?.map(({ Id }) => Id)).toEqual(["with_-Z9", ...entries(9).map((each) => each["Id"])]);
    expect(results.Successful?.[0]).toEqual({
      Id: "with_-Z9",
      MessageId: expect.any(String),
      MD5OfMessageBody: "5d41402abc4b2a76b9719d911017c592",
      MD5OfMessageAttributes: "da1b33cc3cbfe8b1630921e78e6b9880",
      MD5OfMessageSystemAttributes: "5ae4d5d7636402d80f4eb6d213245a88",
    });
    expect(Object.keys(results.Successful?.[1] ?? {})).toEqual(["Id", "MessageId", "MD5OfMessageBody"]);
  });

  scenario("with an id of 80 characters and exactly 1 MiB together", async (sqs) => {
    await sqs.call("CreateQueue", { QueueName: "q" });
    const results = await sqs.call(
      "SendMessageBatch",
      batch([entry("i".repeat(80), { MessageBody: "x".repeat(MIB - 1) }), entry("b")]),
    );
    expect(results["Successful"]).toHaveLength(2);
  });

  scenario("beyond the queue's own limit, as long as each entry is within it", async (sqs) => {
    await sqs.call("CreateQueue", { QueueName: "q", Attributes: { MaximumMessageSize: "2048" } });
    const results = await sqs.call(
      "SendMessageBatch",
      batch([entry("a", { MessageBody: "x".repeat(2_048) }), entry("b")]),
    );
    expect(results["Successful"]).toHaveLength(2);
  });

  scenario("on FIFO in entry order, with rising sequence numbers; a duplicate succeeds too", async (sqs) => {
    await sqs.call("CreateQueue", { QueueName: "q.fifo", Attributes: { ...FIFO, ContentBasedDeduplication: "true" } });
    const Entries = ["c", "a", "b", "a"].map((MessageBody, i) => entry(`e${i}`, { MessageBody, MessageGroupId: "g" }));
    const { Successful } = (await sqs.call("SendMessageBatch", batch(Entries, "q.fifo"))) as Results;
    const numbers = Successful?.map(({ SequenceNumber }) => String(SequenceNumber)) ?? [];
    expect(numbers.slice(0, 3)).toEqual(numbers.slice(0, 3).toSorted());
    expect(new Set(numbers.slice(0, 3)).size).toBe(3);
    expect(Successful?.[3]).toEqual({ ...Successful?.[1], Id: "e3" });
    const { Messages } = await sqs.call("ReceiveMessage", { QueueUrl: "q.fifo", MaxNumberOfMessages: 10 });
    expect((Messages as Json[]).map(({ Body }) => Body)).toEqual(["c", "a", "b"]);
  });
});

/** A receipt handle of a message of its own. */
async function handleOf(sqs: Service, QueueUrl: string): Promise<string> {
  await sqs.call("SendMessage", { QueueUrl, MessageBody: "a" });
  const { Messages } = await sqs.call("ReceiveMessage", { QueueUrl });
  return (Messages as [{ ReceiptHandle: string }])[0].ReceiptHandle;
}

describe("handles in a batch", () => {
  const JUNK = 'ReceiptHandleIsInvalid | The input receipt handle "junk" is not a valid receipt handle.';
  const missing = (name: string): string => `MissingParameter | The request must contain the parameter ${name}.`;

  scenario("DeleteMessageBatch: good, bad, missing and of another queue", async (sqs) => {
    for (const QueueName of ["q", "other"]) await sqs.call("CreateQueue", { QueueName });
    const good = await handleOf(sqs, "q");
    const foreign = await handleOf(sqs, "other");
    const results: Results = await sqs.call(
      "DeleteMessageBatch",
      batch([
        entry("bad"),
        entry("good", { ReceiptHandle: good }),
        entry("foreign", { ReceiptHandle: foreign }),
        entry("none", { ReceiptHandle: null }),
        entry("again", { ReceiptHandle: good }),
      ]),
    );
    expect(results.Successful).toEqual([{ Id: "good" }, { Id: "again" }]);
    expect(failuresOf(results)).toEqual({
      bad: JUNK,
      foreign: JUNK.replace("junk", foreign),
      none: missing("DeleteMessageBatchRequestEntry.4.ReceiptHandle"),
    });
  });

  scenario(
    "ChangeMessageVisibilityBatch: good, bad, missing and out of range",
    async (sqs) => {
      await sqs.call("CreateQueue", { QueueName: "q" });
      const ReceiptHandle = await handleOf(sqs, "q");
      const range = (value: number): string =>
        `InvalidParameterValue | Value ${value} for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and 43200.`;
      const results: Results = await sqs.call(
        "ChangeMessageVisibilityBatch",
        batch([
          entry("bad", { VisibilityTimeout: 1 }),
          entry("good", { ReceiptHandle, VisibilityTimeout: 0 }),
          entry("noHandle", { ReceiptHandle: null, VisibilityTimeout: 1 }),
          entry("noTimeout", { ReceiptHandle }),
          entry("negative", { ReceiptHandle, VisibilityTimeout: -1 }),
          entry("large", { ReceiptHandle, VisibilityTimeout: 43_201 }),
        ]),
      );
      expect(results.Successful).toEqual([{ Id: "good" }]);
      expect(failuresOf(results)).toEqual({
        bad: JUNK,
        noHandle: missing("ChangeMessageVisibilityBatchRequestEntry.3.ReceiptHandle"),
        noTimeout: missing("ChangeMessageVisibilityBatchRequestEntry.4.VisibilityTimeout"),
        negative: range(-1),
        large: range(43_201),
      });
      expect(await sqs.call("ReceiveMessage", { QueueUrl: "q" })).toHaveProperty("Messages");
    },
    "src/sqs/actions/change-message-visibility-batch.ts changeOf",
  );

  scenario(
    "an expired handle of a FIFO queue fails its entry",
    async (sqs) => {
      await sqs.call("CreateQueue", {
        QueueName: "q.fifo",
        Attributes: { ...FIFO, ContentBasedDeduplication: "true" },
      });
      await sqs.call("SendMessage", { QueueUrl: "q.fifo", MessageBody: "a", MessageGroupId: "g" });
      const { Messages } = await sqs.call("ReceiveMessage", { QueueUrl: "q.fifo", VisibilityTimeout: 0 });
      const [{ ReceiptHandle }] = Messages as [{ ReceiptHandle: string }];
      const results: Results = await sqs.call(
        "DeleteMessageBatch",
        batch([entry("expired", { ReceiptHandle })], "q.fifo"),
      );
      expect(failuresOf(results)).toEqual({
        expired: `InvalidParameterValue | Value ${ReceiptHandle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.`,
      });
    },
    "src/sqs/settled.ts expired",
  );
});
