// Finding, listing, tagging, purging and deleting queues. Reference 2.2 to 2.4, 2.7, 2.14.
import { describe, expect, test } from "vitest";
import { conformance, newAccount, type Row, scenario, useBroker } from "../../support/conformance.ts";
import type { Service } from "../../support/service.ts";
import type { Json } from "../../support/sqs-client.ts";
import { invalid, MISSING_QUEUE } from "../../support/wordings.ts";

useBroker();

const NO_NAME =
  "400 InvalidParameterValue | Value for parameter QueueName is invalid. Reason: Must specify a queue name.";
const MAX_RESULTS = invalid(
  "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000.",
);

/** The least that each action needs besides a queue. */
const MINIMAL: { readonly [action: string]: Json } = {
  AddPermission: { Label: "l", AWSAccountIds: ["123456789012"], Actions: ["*"] },
  ChangeMessageVisibility: { ReceiptHandle: "h", VisibilityTimeout: 1 },
  ChangeMessageVisibilityBatch: { Entries: [{ Id: "!" }] },
  DeleteMessage: { ReceiptHandle: "h" },
  DeleteMessageBatch: { Entries: [{ Id: "!" }] },
  DeleteQueue: {},
  GetQueueAttributes: {},
  ListDeadLetterSourceQueues: {},
  ListQueueTags: {},
  PurgeQueue: {},
  ReceiveMessage: {},
  RemovePermission: { Label: "l" },
  SendMessage: {},
  SendMessageBatch: { Entries: [{ Id: "!" }] },
  SetQueueAttributes: { Attributes: { Foobar: "1" } },
  TagQueue: {},
  UntagQueue: {},
};

conformance(
  "a queue that is not there, looked for before anything else",
  [],
  [
    ...Object.entries(MINIMAL).map(
      ([action, input]): Row => [action, action, { QueueUrl: "missing", ...input }, MISSING_QUEUE],
    ),
    ["GetQueueUrl", "GetQueueUrl", { QueueName: "missing" }, MISSING_QUEUE],
    ["GetQueueUrl without a name", "GetQueueUrl", {}, NO_NAME],
    ["GetQueueUrl with an empty name", "GetQueueUrl", { QueueName: "" }, NO_NAME],
    ["GetQueueUrl of a name that cannot be", "GetQueueUrl", { QueueName: "a b" }, MISSING_QUEUE],
  ],
);

describe("DeleteQueue", () => {
  scenario("takes messages along, and a second time there is no queue", async (sqs) => {
    await sqs.call("CreateQueue", { QueueName: "q" });
    await sqs.call("SendMessage", { QueueUrl: "q", MessageBody: "a" });
    await sqs.call("DeleteQueue", { QueueUrl: "q" });
    expect(await sqs.refusal("DeleteQueue", { QueueUrl: "q" })).toBe(MISSING_QUEUE);
    expect(await sqs.refusal("ReceiveMessage", { QueueUrl: "q" })).toBe(MISSING_QUEUE);
    expect(await sqs.call("ListQueues", {})).toEqual({});
    await sqs.call("CreateQueue", { QueueName: "q" });
    expect(await sqs.call("ReceiveMessage", { QueueUrl: "q" })).toEqual({});
  });

  scenario(
    "tells a long poll that its queue is gone",
    async (sqs) => {
      await sqs.call("CreateQueue", { QueueName: "q" });
      const waiting = sqs.refusal("ReceiveMessage", { QueueUrl: "q", WaitTimeSeconds: 20 });
      await sqs.call("GetQueueUrl", { QueueName: "q" }); // an answer later, the poll is there
      await sqs.call("DeleteQueue", { QueueUrl: "q" });
      expect(await waiting).toBe(MISSING_QUEUE);
    },
    "src/sqs/actions/receive-message.ts queueGone",
  );
});

const NAMES = ["b", "a", "B", "a-2", "c.fifo"];
const LISTED = ["B", "a", "a-2", "b", "c.fifo"];
const urls = (sqs: Service, names: readonly string[]): string[] => names.map((name) => sqs.url(name));

conformance(
  "ListQueues",
  NAMES.map((QueueName) => [
    "CreateQueue",
    { QueueName, Attributes: QueueName.endsWith(".fifo") ? { FifoQueue: "true" } : {} },
  ]),
  [
    ["all of them, by name", "ListQueues", {}, (sqs) => ({ QueueUrls: urls(sqs, LISTED) })],
    ["by prefix", "ListQueues", { QueueNamePrefix: "a" }, (sqs) => ({ QueueUrls: urls(sqs, ["a", "a-2"]) })],
    ["a prefix is case-sensitive", "ListQueues", { QueueNamePrefix: "B" }, (sqs) => ({ QueueUrls: urls(sqs, ["B"]) })],
    ["an empty prefix is none", "ListQueues", { QueueNamePrefix: "" }, (sqs) => ({ QueueUrls: urls(sqs, LISTED) })],
    ["no match: nothing at all", "ListQueues", { QueueNamePrefix: "x" }, {}],
    [
      "a page as large as the list has no token",
      "ListQueues",
      { MaxResults: 5 },
      (sqs) => ({ QueueUrls: urls(sqs, LISTED) }),
    ],
    [
      "a smaller page has one",
      "ListQueues",
      { MaxResults: 4 },
      (sqs) => ({ QueueUrls: urls(sqs, LISTED.slice(0, 4)), NextToken: expect.any(String) }),
    ],
    ["MaxResults 1000", "ListQueues", { MaxResults: 1_000 }, (sqs) => ({ QueueUrls: urls(sqs, LISTED) })],
    ["MaxResults 0", "ListQueues", { MaxResults: 0 }, MAX_RESULTS],
    ["MaxResults 1001", "ListQueues", { MaxResults: 1_001 }, MAX_RESULTS],
    ["MaxResults -1", "ListQueues", { MaxResults: -1 }, MAX_RESULTS],
    [
      "a token without MaxResults",
      "ListQueues",
      { NextToken: "x" },
      invalid("MaxResults is a mandatory parameter when you provide a value for NextToken."),
    ],
    ...["x", "e30=", "W10=", "!", Buffer.from('["",1,2]').toString("base64")].map(
      (NextToken): Row => [
        `the token ${NextToken} is garbage`,
        "ListQueues",
        { MaxResults: 1, NextToken },
        invalid("Invalid or expired next token."),
      ],
    ),
  ],
);

scenario("pages of ListQueues: every queue once, whatever comes and goes meanwhile", async (sqs) => {
  for (const QueueName of ["a", "b", "c", "d"]) await sqs.call("CreateQueue", { QueueName });
  const first = await sqs.call("ListQueues", { MaxResults: 2 });
  expect(first).toEqual({ QueueUrls: urls(sqs, ["a", "b"]), NextToken: expect.any(String) });
  await sqs.call("DeleteQueue", { QueueUrl: "b" });
  await sqs.call("CreateQueue", { QueueName: "a-new" });
  const { NextToken } = first;
  expect(await sqs.call("ListQueues", { MaxResults: 2, NextToken })).toEqual({ QueueUrls: urls(sqs, ["c", "d"]) });
  for (const changed of [{ MaxResults: 3 }, { QueueNamePrefix: "c" }]) {
    expect(await sqs.refusal("ListQueues", { MaxResults: 2, NextToken, ...changed })).toBe(
      invalid(
        "Invalid NextToken value. If you are passing in NextToken, you must not change the other request parameters.",
      ),
    );
  }
});

test("without MaxResults ListQueues gives 1000 and never a token", async () => {
  const sqs = newAccount("JSON");
  const names = Array.from({ length: 1_001 }, (_, i) => `q${String(i).padStart(4, "0")}`);
  for (let i = 0; i < names.length; i += 50) {
    await Promise.all(names.slice(i, i + 50).map((QueueName) => sqs.call("CreateQueue", { QueueName })));
  }
  const all = await sqs.call("ListQueues", {});
  expect(Object.keys(all)).toEqual(["QueueUrls"]);
  expect(all["QueueUrls"]).toEqual(urls(sqs, names.slice(0, 1_000)));
  const page = await sqs.call("ListQueues", { MaxResults: 1_000 });
  const { NextToken } = page;
  expect(await sqs.call("ListQueues", { MaxResults: 1_000, NextToken })).toEqual({
    QueueUrls: urls(sqs, names.slice(1_000)),
  });
});

const tag = (Tags: Json): Json => ({ QueueUrl: "q", Tags });
const tags = (count: number): Json => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, "v"]));
const KEY_SIZE = invalid("Tag keys must be between 1 and 128 characters in length.");
const SYMBOLS = "may only contain unicode letters, digits, whitespace, or one of these symbols: _ . : / = + - @";

conformance(
  "TagQueue and UntagQueue",
  [["CreateQueue", { QueueName: "q" }]],
  [
    ["every allowed character", "TagQueue", tag({ "aZ0 _.:/=+-@ä": "ü_ .:/=+-@9" }), {}],
    ["a key of 128 characters", "TagQueue", tag({ ["k".repeat(128)]: "v" }), {}],
    ["characters, not code units", "TagQueue", tag({ ["𝒳".repeat(128)]: "v" }), {}],
    ["a value of 256 characters", "TagQueue", tag({ k: "v".repeat(256) }), {}],
    ["an empty value", "TagQueue", tag({ k: "" }), {}],
    ["an empty key", "TagQueue", tag({ "": "v" }), KEY_SIZE],
    ["a key of 129 characters", "TagQueue", tag({ ["k".repeat(129)]: "v" }), KEY_SIZE],
    ["a star in a key", "TagQueue", tag({ "a*": "v" }), invalid(`Tag keys ${SYMBOLS}`)],
    [
      "a value of 257 characters",
      "TagQueue",
      tag({ k: "v".repeat(257) }),
      invalid("Tag values must be between 0 and 256 characters in length."),
    ],
    ["a star in a value", "TagQueue", tag({ k: "*" }), invalid(`Tag values ${SYMBOLS}`)],
    ["51 tags", "TagQueue", tag(tags(51)), invalid("Too many tags added for queue q.")],
    ["no tags", "TagQueue", { QueueUrl: "q" }, "400 MissingParameter | The request must contain the parameter Tags."],
    ["the prefix aws: is not refused", "TagQueue", tag({ "aws:x": "v" }), {}, "src/sqs/tags.ts ALLOWED"],
    ["unknown keys are ignored", "UntagQueue", { QueueUrl: "q", TagKeys: ["none"] }, {}],
    [
      "no keys",
      "UntagQueue",
      { QueueUrl: "q" },
      "400 MissingParameter | The request must contain the parameter TagKeys.",
    ],
    [
      "the same rules for CreateQueue",
      "CreateQueue",
      { QueueName: "new", tags: { "a*": "v" } },
      invalid(`Tag keys ${SYMBOLS}`),
    ],
    [
      "and the same limit",
      "CreateQueue",
      { QueueName: "new", tags: tags(51) },
      invalid("Too many tags added for queue new."),
    ],
  ],
);

describe("tags", () => {
  scenario("are added, overwritten and removed, keys and values case-sensitive", async (sqs) => {
    await sqs.call("CreateQueue", { QueueName: "q" });
    expect(await sqs.call("ListQueueTags", { QueueUrl: "q" })).toEqual({});
    await sqs.call("TagQueue", tag({ a: "1", A: "2", empty: "" }));
    await sqs.call("TagQueue", tag({ a: "One", more: "x" }));
    expect(await sqs.call("ListQueueTags", { QueueUrl: "q" })).toEqual({
      Tags: { a: "One", A: "2", empty: "", more: "x" },
    });
    await sqs.call("UntagQueue", { QueueUrl: "q", TagKeys: ["A", "none", "empty", "more"] });
    expect(await sqs.call("ListQueueTags", { QueueUrl: "q" })).toEqual({ Tags: { a: "One" } });
    await sqs.call("UntagQueue", { QueueUrl: "q", TagKeys: ["a"] });
    expect(await sqs.call("ListQueueTags", { QueueUrl: "q" })).toEqual({});
  });

  scenario("are 50 at most, those that are there counted", async (sqs) => {
    await sqs.call("CreateQueue", { QueueName: "q", tags: tags(49) });
    await sqs.call("TagQueue", tag({ fiftieth: "v" }));
    await sqs.call("TagQueue", tag({ k0: "overwritten" }));
    expect(await sqs.refusal("TagQueue", tag({ more: "v" }))).toBe(invalid("Too many tags added for queue q."));
  });
});

describe("PurgeQueue", () => {
  scenario(
    "drops visible, delayed and in-flight messages; deleting one of those succeeds",
    async (sqs) => {
      await sqs.call("CreateQueue", { QueueName: "q" });
      await sqs.call("SendMessage", { QueueUrl: "q", MessageBody: "in flight" });
      const { Messages } = await sqs.call("ReceiveMessage", { QueueUrl: "q" });
      const [{ ReceiptHandle }] = Messages as [{ ReceiptHandle: string }];
      await sqs.call("SendMessage", { QueueUrl: "q", MessageBody: "visible" });
      await sqs.call("SendMessage", { QueueUrl: "q", MessageBody: "delayed", DelaySeconds: 900 });
      await sqs.call("PurgeQueue", { QueueUrl: "q" });
      const prefix = "ApproximateNumberOfMessages";
      const AttributeNames = [prefix, `${prefix}NotVisible`, `${prefix}Delayed`];
      expect(await sqs.call("GetQueueAttributes", { QueueUrl: "q", AttributeNames })).toEqual({
        Attributes: Object.fromEntries(AttributeNames.map((name) => [name, "0"])),
      });
      await sqs.call("DeleteMessage", { QueueUrl: "q", ReceiptHandle });
      await sqs.call("SendMessage", { QueueUrl: "q", MessageBody: "after" });
      const after = await sqs.call("ReceiveMessage", { QueueUrl: "q", MaxNumberOfMessages: 10 });
      expect(after["Messages"]).toEqual([expect.objectContaining({ Body: "after" })]);
    },
    "assembly/settle.ts named",
  );

  scenario("may be repeated at once, and keeps attributes, tags and permissions", async (sqs) => {
    await sqs.call("CreateQueue", { QueueName: "q", Attributes: { DelaySeconds: "7" }, tags: { a: "b" } });
    await sqs.call("PurgeQueue", { QueueUrl: "q" });
    await sqs.call("PurgeQueue", { QueueUrl: "q" });
    const ask = { QueueUrl: "q", AttributeNames: ["DelaySeconds"] };
    expect(await sqs.call("GetQueueAttributes", ask)).toEqual({ Attributes: { DelaySeconds: "7" } });
    expect(await sqs.call("ListQueueTags", { QueueUrl: "q" })).toEqual({ Tags: { a: "b" } });
  });
});
