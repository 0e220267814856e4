// Queue attributes: ranges, defaults, what reads back, encryption. Reference 2.5, 2.6, 3, 8.6.
import { describe, expect } from "vitest";
import { conformance, type Row, scenario, useBroker } from "../../support/conformance.ts";
import type { Service } from "../../support/service.ts";
import type { Json } from "../../support/sqs-client.ts";

useBroker();

const FIFO = { FifoQueue: "true" };
const DECIMAL = expect.stringMatching(/^\d{10}$/);
const set = (Attributes: Json, QueueUrl = "q"): Json => ({ QueueUrl, Attributes });
const get = (AttributeNames: readonly string[], QueueUrl = "q"): Json => ({ QueueUrl, AttributeNames });
const badValue = (name: string): string => `400 InvalidAttributeValue | Invalid value for the parameter ${name}.`;
const unknown = (name: string): string => `400 InvalidAttributeName | Unknown Attribute ${name}.`;
const both = (rule: string, attributes: Json, expected: string, unsure?: string): readonly Row[] => [
  [`${rule}: CreateQueue`, "CreateQueue", { QueueName: "new", Attributes: attributes }, expected, unsure],
  [`${rule}: SetQueueAttributes`, "SetQueueAttributes", set(attributes), expected, unsure],
];

async function read(sqs: Service, names: readonly string[], queue = "q"): Promise<unknown> {
  return (await sqs.call("GetQueueAttributes", get(names, queue)))["Attributes"];
}

const RANGES: readonly (readonly [name: string, min: number, max: number])[] = [
  ["VisibilityTimeout", 0, 43_200],
  ["DelaySeconds", 0, 900],
  ["ReceiveMessageWaitTimeSeconds", 0, 20],
  ["MessageRetentionPeriod", 60, 1_209_600],
  ["MaximumMessageSize", 1_024, 1_048_576],
  ["KmsDataKeyReusePeriodSeconds", 60, 86_400],
];

for (const [name, min, max] of RANGES) {
  conformance(
    `${name} is ${min} to ${max}`,
    [["CreateQueue", { QueueName: "q" }]],
    [
      ["the lowest", "SetQueueAttributes", set({ [name]: String(min) }), {}],
      ["the highest", "SetQueueAttributes", set({ [name]: String(max) }), {}],
      ...both("less", { [name]: String(min - 1) }, badValue(name), "src/sqs/attributes.ts badAttribute"),
      ...both("more", { [name]: String(max + 1) }, badValue(name), "src/sqs/attributes.ts badAttribute"),
      ...both("nothing", { [name]: "" }, badValue(name)),
      ...both("no number", { [name]: "x" }, badValue(name)),
      ...both("no integer", { [name]: `${min}.5` }, badValue(name)),
      ...both("a space", { [name]: ` ${max}` }, badValue(name)),
      ...both("hexadecimal", { [name]: "0x50" }, badValue(name)),
      ...both("beyond any number", { [name]: "9".repeat(400) }, badValue(name)),
    ],
  );
}

conformance(
  "names and values",
  [
    ["CreateQueue", { QueueName: "q" }],
    ["CreateQueue", { QueueName: "o.fifo", Attributes: FIFO }],
  ],
  [
    ...["Foobar", "visibilityTimeout", "All", "__proto__x"].flatMap((name) =>
      both(name, { [name]: "1" }, unknown(name)),
    ),
    ...[
      ...["QueueArn", "CreatedTimestamp", "LastModifiedTimestamp", "ApproximateNumberOfMessages"],
      ...["ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"],
    ].map((name): Row => [`${name} is read-only`, "SetQueueAttributes", set({ [name]: "1" }), unknown(name)]),
    [
      "no attributes",
      "SetQueueAttributes",
      { QueueUrl: "q" },
      "400 MissingParameter | The request must contain the parameter Attribute.Name.",
    ],
    [
      "an empty name",
      "SetQueueAttributes",
      set({ "": "1" }),
      "400 MissingParameter | The request must contain the parameter Attribute.Name.",
    ],
    ["FifoQueue on a standard queue", "SetQueueAttributes", set({ FifoQueue: "true" }), unknown("FifoQueue")],
    ["FifoQueue=false on one", "SetQueueAttributes", set({ FifoQueue: "false" }), unknown("FifoQueue")],
    ["FifoQueue=true on a FIFO queue is accepted", "SetQueueAttributes", set({ FifoQueue: "true" }, "o.fifo"), {}],
    [
      "the type cannot be changed",
      "SetQueueAttributes",
      set({ FifoQueue: "false" }, "o.fifo"),
      "400 InvalidAttributeValue | Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
    ],
    [
      "ContentBasedDeduplication on a standard queue",
      "SetQueueAttributes",
      set({ ContentBasedDeduplication: "true" }),
      unknown("ContentBasedDeduplication"),
    ],
    ...["DeduplicationScope", "FifoThroughputLimit"].map(
      (name): Row => [
        `${name} on a standard queue`,
        "SetQueueAttributes",
        set({ [name]: "x" }),
        `400 InvalidAttributeName | You can specify the ${name} only when FifoQueue is set to true.`,
      ],
    ),
    ...["ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"].map(
      (name): Row => [`${name} has a bad value`, "SetQueueAttributes", set({ [name]: "x" }, "o.fifo"), badValue(name)],
    ),
    ...both("SqsManagedSseEnabled has a bad value", { SqsManagedSseEnabled: "1" }, badValue("SqsManagedSseEnabled")),
    [
      "perMessageGroupId needs the scope messageGroup",
      "SetQueueAttributes",
      set({ FifoThroughputLimit: "perMessageGroupId" }, "o.fifo"),
      "400 InvalidParameterValue | The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup",
    ],
    ...both("a key beyond any key's length", { KmsMasterKeyId: "k".repeat(2_049) }, badValue("KmsMasterKeyId")),
    ...both(
      "both kinds of encryption",
      { KmsMasterKeyId: "k", SqsManagedSseEnabled: "true" },
      "400 InvalidAttributeName | You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.",
    ),
  ],
);

const STANDARD_ATTRIBUTES = {
  ApproximateNumberOfMessages: "0",
  ApproximateNumberOfMessagesDelayed: "0",
  ApproximateNumberOfMessagesNotVisible: "0",
  CreatedTimestamp: DECIMAL,
  DelaySeconds: "0",
  LastModifiedTimestamp: DECIMAL,
  MaximumMessageSize: "1048576",
  MessageRetentionPeriod: "345600",
  ReceiveMessageWaitTimeSeconds: "0",
  SqsManagedSseEnabled: "true",
  VisibilityTimeout: "30",
};

conformance(
  "GetQueueAttributes of a fresh queue",
  [
    ["CreateQueue", { QueueName: "q" }],
    ["CreateQueue", { QueueName: "o.fifo", Attributes: FIFO }],
  ],
  [
    [
      "All of a standard queue",
      "GetQueueAttributes",
      get(["All"]),
      (sqs) => ({ Attributes: { ...STANDARD_ATTRIBUTES, QueueArn: sqs.arn("q") } }),
    ],
    [
      "All of a FIFO queue",
      "GetQueueAttributes",
      get(["All"], "o.fifo"),
      (sqs) => ({
        Attributes: {
          ...STANDARD_ATTRIBUTES,
          QueueArn: sqs.arn("o.fifo"),
          ContentBasedDeduplication: "false",
          DeduplicationScope: "queue",
          FifoQueue: "true",
          FifoThroughputLimit: "perQueue",
        },
      }),
    ],
    ["no names: no attributes", "GetQueueAttributes", { QueueUrl: "q" }, {}],
    ["an empty list of names: no attributes", "GetQueueAttributes", get([]), {}],
    [
      "All beside others is All",
      "GetQueueAttributes",
      get(["DelaySeconds", "All"]),
      (sqs) => ({ Attributes: { ...STANDARD_ATTRIBUTES, QueueArn: sqs.arn("q") } }),
    ],
    ["one name", "GetQueueAttributes", get(["VisibilityTimeout"]), { Attributes: { VisibilityTimeout: "30" } }],
    [
      "a name twice comes once",
      "GetQueueAttributes",
      get(["DelaySeconds", "DelaySeconds"]),
      { Attributes: { DelaySeconds: "0" } },
    ],
    ...[
      ...["Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds"],
      ...["FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"],
    ].map((name): Row => [`${name} is absent when it is not set`, "GetQueueAttributes", get([name]), {}]),
    ["an unknown name", "GetQueueAttributes", get(["Foobar"]), unknown("Foobar")],
    ["an unknown name beside All", "GetQueueAttributes", get(["All", "Foobar"]), unknown("Foobar")],
    ["names are case-sensitive", "GetQueueAttributes", get(["all"]), unknown("all")],
  ],
);

// Terraform sets, then reads until it finds what it set, then changes, and takes what is absent for "".
const ECHOES: readonly (readonly [name: string, value: string, other: string])[] = [
  ["VisibilityTimeout", "45", "0"],
  ["DelaySeconds", "90", "0"],
  ["ReceiveMessageWaitTimeSeconds", "10", "0"],
  ["MessageRetentionPeriod", "86400", "345600"],
  ["MaximumMessageSize", "2048", "262144"],
  ["SqsManagedSseEnabled", "false", "true"],
  ["KmsMasterKeyId", "alias/aws/sqs", "arn:aws:kms:us-east-1:111122223333:key/1234abcd"],
  ["ContentBasedDeduplication", "true", "false"],
];

describe("what is set reads back equal", () => {
  for (const [name, value, other] of ECHOES) {
    scenario(name, async (sqs) => {
      const queue = name === "ContentBasedDeduplication" ? "q.fifo" : "q";
      const type = queue === "q.fifo" ? FIFO : {};
      await sqs.call("CreateQueue", { QueueName: queue, Attributes: { ...type, [name]: value } });
      expect(await read(sqs, [name], queue)).toEqual({ [name]: value });
      await sqs.call("SetQueueAttributes", set({ [name]: other }, queue));
      expect(await read(sqs, [name], queue)).toEqual({ [name]: other });
      expect(await read(sqs, ["All"], queue)).toMatchObject({ [name]: other });
    });
  }

  scenario("DeduplicationScope and FifoThroughputLimit, together and back", async (sqs) => {
    const names = ["DeduplicationScope", "FifoThroughputLimit"];
    const high = { DeduplicationScope: "messageGroup", FifoThroughputLimit: "perMessageGroupId" };
    const normal = { DeduplicationScope: "queue", FifoThroughputLimit: "perQueue" };
    await sqs.call("CreateQueue", { QueueName: "q.fifo", Attributes: { ...FIFO, ...high } });
    expect(await read(sqs, names, "q.fifo")).toEqual(high);
    expect(await sqs.refusal("SetQueueAttributes", set({ DeduplicationScope: "queue" }, "q.fifo"))).toContain(
      "The perMessageGroupId value is allowed only",
    );
    await sqs.call("SetQueueAttributes", set(normal, "q.fifo"));
    expect(await read(sqs, names, "q.fifo")).toEqual(normal);
  });

  scenario("True and FALSE are read, true and false are written", async (sqs) => {
    await sqs.call("CreateQueue", { QueueName: "q", Attributes: { SqsManagedSseEnabled: "FALSE" } });
    expect(await read(sqs, ["SqsManagedSseEnabled"])).toEqual({ SqsManagedSseEnabled: "false" });
    await sqs.call("SetQueueAttributes", set({ SqsManagedSseEnabled: "True" }));
    expect(await read(sqs, ["SqsManagedSseEnabled"])).toEqual({ SqsManagedSseEnabled: "true" });
  });

  scenario("what is not named keeps its value, and a refused change changes nothing", async (sqs) => {
    await sqs.call("CreateQueue", { QueueName: "q", Attributes: { DelaySeconds: "5", VisibilityTimeout: "6" } });
    await sqs.call("SetQueueAttributes", set({ DelaySeconds: "7" }));
    await sqs.refusal("SetQueueAttributes", set({ DelaySeconds: "8", VisibilityTimeout: "-1" }));
    expect(await read(sqs, ["DelaySeconds", "VisibilityTimeout"])).toEqual({
      DelaySeconds: "7",
      VisibilityTimeout: "6",
    });
  });
});

describe("encryption settings", () => {
  const NAMES = ["KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled"];

  scenario("a KMS key switches SQS's own encryption off, and clearing the key leaves both off", async (sqs) => {
    await sqs.call("CreateQueue", { QueueName: "q" });
    await sqs.call("SetQueueAttributes", set({ KmsMasterKeyId: "testKeyId" }));
    expect(await read(sqs, NAMES)).toEqual({ KmsMasterKeyId: "testKeyId", SqsManagedSseEnabled: "false" });
    await sqs.call("SetQueueAttributes", set({ KmsMasterKeyId: "" }));
    expect(await read(sqs, NAMES)).toEqual({ SqsManagedSseEnabled: "false" });
  });

  scenario("a queue made with a KMS key has SQS's own off", async (sqs) => {
    await sqs.call("CreateQueue", { QueueName: "q", Attributes: { KmsMasterKeyId: "alias/aws/sqs" } });
    expect(await read(sqs, NAMES)).toEqual({ KmsMasterKeyId: "alias/aws/sqs", SqsManagedSseEnabled: "false" });
  });

  scenario("the reuse period is shown with a key, unless it is the default", async (sqs) => {
    await sqs.call("CreateQueue", { QueueName: "q", Attributes: { KmsDataKeyReusePeriodSeconds: "600" } });
    expect(await read(sqs, ["KmsDataKeyReusePeriodSeconds"])).toBeUndefined();
    await sqs.call("SetQueueAttributes", set({ KmsMasterKeyId: "k" }));
    expect(await read(sqs, ["KmsDataKeyReusePeriodSeconds"])).toEqual({ KmsDataKeyReusePeriodSeconds: "600" });
    await sqs.call("SetQueueAttributes", set({ KmsDataKeyReusePeriodSeconds: "300" }));
    expect(await read(sqs, ["KmsDataKeyReusePeriodSeconds"])).toBeUndefined();
  });

  scenario(
    "SqsManagedSseEnabled=true switches the KMS key off",
    async (sqs) => {
      await sqs.call("CreateQueue", { QueueName: "q", Attributes: { KmsMasterKeyId: "k" } });
      await sqs.call("SetQueueAttributes", set({ SqsManagedSseEnabled: "true" }));
      expect(await read(sqs, NAMES)).toEqual({ SqsManagedSseEnabled: "true" });
    },
    "src/sqs/attributes.ts withSqs",
  );

  scenario("SqsManagedSseEnabled=false beside a key, and alone", async (sqs) => {
    const Attributes = { KmsMasterKeyId: "k", SqsManagedSseEnabled: "false" };
    await sqs.call("CreateQueue", { QueueName: "q", Attributes });
    expect(await read(sqs, NAMES)).toEqual(Attributes);
    await sqs.call("CreateQueue", { QueueName: "none", Attributes: { SqsManagedSseEnabled: "false" } });
    expect(await read(sqs, NAMES, "none")).toEqual({ SqsManagedSseEnabled: "false" });
  });
});

describe("counters and timestamps", () => {
  scenario("visible, in flight and delayed messages are counted exactly", async (sqs) => {
    await sqs.call("CreateQueue", { QueueName: "q" });
    for (let i = 0; i < 3; i++) await sqs.call("SendMessage", { QueueUrl: "q", MessageBody: "a" });
    await sqs.call("SendMessage", { QueueUrl: "q", MessageBody: "later", DelaySeconds: 900 });
    await sqs.call("ReceiveMessage", { QueueUrl: "q" });
    const prefix = "ApproximateNumberOfMessages";
    expect(await read(sqs, [prefix, `${prefix}NotVisible`, `${prefix}Delayed`])).toEqual({
      [prefix]: "2",
      [`${prefix}NotVisible`]: "1",
      [`${prefix}Delayed`]: "1",
    });
  });

  scenario("SetQueueAttributes moves LastModifiedTimestamp and not CreatedTimestamp", async (sqs) => {
    const names = ["CreatedTimestamp", "LastModifiedTimestamp"];
    await sqs.call("CreateQueue", { QueueName: "q" });
    const before = (await read(sqs, names)) as { CreatedTimestamp: string; LastModifiedTimestamp: string };
    expect(before.LastModifiedTimestamp).toBe(before.CreatedTimestamp);
    await new Promise((resolve) => setTimeout(resolve, 1_000)); // they are told in seconds
    await sqs.call("SetQueueAttributes", set({ DelaySeconds: "1" }));
    const after = (await read(sqs, names)) as { CreatedTimestamp: string; LastModifiedTimestamp: string };
    expect(after.CreatedTimestamp).toBe(before.CreatedTimestamp);
    expect(Number(after.LastModifiedTimestamp)).toBeGreaterThan(Number(before.LastModifiedTimestamp));
  });
});
