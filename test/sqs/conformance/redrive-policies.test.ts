// RedrivePolicy, RedriveAllowPolicy and ListDeadLetterSourceQueues. Reference 2.15, 3.1, 3.2.
import { describe, expect } from "vitest";
import { conformance, type Row, scenario, useBroker } from "../../support/conformance.ts";
import type { Service } from "../../support/service.ts";
import type { Json } from "../../support/sqs-client.ts";

useBroker();

const FIFO = { FifoQueue: "true" };
const set = (Attributes: Json, QueueUrl = "q"): Json => ({ QueueUrl, Attributes });

/** A value of RedrivePolicy and why it is refused; `<dead>` stands for the ARN of a queue that is there. */
const refused = (rule: string, policy: string, reason: string): Row => [
  rule,
  "SetQueueAttributes",
  (sqs) => set({ RedrivePolicy: withArns(sqs, policy) }),
  (sqs) =>
    `400 InvalidParameterValue | Value ${withArns(sqs, policy)} for parameter RedrivePolicy is invalid. Reason: ${reason}`,
];
const withArns = (sqs: Service, text: string): string => text.replaceAll(/<([^>]+)>/g, (_, name) => sqs.arn(name));
const badCount = (count: string): string =>
  `Invalid value for maxReceiveCount: ${count}, valid values are from 1 to 1000 both inclusive.`;
const NO_MAP =
  "400 InvalidParameterValue | Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid JSON map.";

conformance(
  "RedrivePolicy",
  [
    ["CreateQueue", { QueueName: "q" }],
    ["CreateQueue", { QueueName: "dead" }],
    ["CreateQueue", { QueueName: "dead.fifo", Attributes: FIFO }],
    ["CreateQueue", { QueueName: "q.fifo", Attributes: FIFO }],
  ],
  [
    ...["1", "1000", '"7"'].map(
      (count): Row => [
        `maxReceiveCount ${count}`,
        "SetQueueAttributes",
        (sqs) => set({ RedrivePolicy: `{"deadLetterTargetArn":"${sqs.arn("dead")}","maxReceiveCount":${count}}` }),
        {},
      ],
    ),
    ...["0", "1001", "-1", "1.5", "true"].map((count) =>
      refused(
        `maxReceiveCount ${count}`,
        `{"deadLetterTargetArn":"<dead>","maxReceiveCount":${count}}`,
        badCount(count),
      ),
    ),
    ...["x", "1.5", "-1"].map((count) =>
      refused(
        `maxReceiveCount "${count}"`,
        `{"deadLetterTargetArn":"<dead>","maxReceiveCount":"${count}"}`,
        badCount(count),
      ),
    ),
    refused(
      "no target",
      `{"maxReceiveCount":1}`,
      "Redrive policy does not contain mandatory attribute: deadLetterTargetArn.",
    ),
    refused(
      "no count",
      `{"deadLetterTargetArn":"<dead>"}`,
      "Redrive policy does not contain mandatory attribute: maxReceiveCount.",
    ),
    refused("nothing", "{}", "Redrive policy does not contain mandatory attribute: deadLetterTargetArn."),
    refused(
      "an unknown member",
      `{"deadLetterTargetArn":"<dead>","maxReceiveCount":1,"x":1}`,
      "Only following attributes are supported: [maxReceiveCount, deadLetterTargetArn].",
    ),
    refused(
      "a target that is no ARN",
      `{"deadLetterTargetArn":"dead","maxReceiveCount":1}`,
      "Dead-letter target ARN should be fully qualified ARN.",
    ),
    refused(
      "a target that is no queue",
      `{"deadLetterTargetArn":"arn:aws:sns:us-east-1:123456789012:t","maxReceiveCount":1}`,
      "Only SQS queues are valid resources for deadLetterTargetArn.",
    ),
    refused(
      "a target that is not there",
      `{"deadLetterTargetArn":"<missing>","maxReceiveCount":1}`,
      "Dead letter target does not exist.",
    ),
    refused(
      "a target of the other type",
      `{"deadLetterTargetArn":"<dead.fifo>","maxReceiveCount":1}`,
      "Dead-letter queue must be same type of queue as the source..",
    ),
    ...["nonsense", "[]", "1", '"x"', "null", "{"].map(
      (text): Row => [
        `${text} is no JSON map`,
        "SetQueueAttributes",
        set({ RedrivePolicy: text }),
        NO_MAP,
        "src/sqs/redrive.ts parseRedrivePolicy",
      ],
    ),
    ["a megabyte of brackets is none", "SetQueueAttributes", set({ RedrivePolicy: "[".repeat(1_000_000) }), NO_MAP],
    [
      "the same for CreateQueue",
      "CreateQueue",
      { QueueName: "new", Attributes: { RedrivePolicy: "nonsense" } },
      NO_MAP,
    ],
    [
      "a FIFO queue's target is a FIFO queue",
      "SetQueueAttributes",
      (sqs) =>
        set({ RedrivePolicy: `{"deadLetterTargetArn":"${sqs.arn("dead.fifo")}","maxReceiveCount":1}` }, "q.fifo"),
      {},
    ],
    [
      "a queue may be its own target",
      "SetQueueAttributes",
      (sqs) => set({ RedrivePolicy: `{"deadLetterTargetArn":"${sqs.arn("q")}","maxReceiveCount":1}` }),
      {},
    ],
  ],
);

describe("RedrivePolicy reads back", () => {
  scenario("with its members in order, the count a number, and goes with an empty text", async (sqs) => {
    await sqs.call("CreateQueue", { QueueName: "dead" });
    const RedrivePolicy = `{ "maxReceiveCount": "3",\n"deadLetterTargetArn": "${sqs.arn("dead")}" }`;
    await sqs.call("CreateQueue", { QueueName: "q", Attributes: { RedrivePolicy } });
    const ask = { QueueUrl: "q", AttributeNames: ["RedrivePolicy"] };
    expect(await sqs.call("GetQueueAttributes", ask)).toEqual({
      Attributes: { RedrivePolicy: `{"deadLetterTargetArn":"${sqs.arn("dead")}","maxReceiveCount":3}` },
    });
    await sqs.call("SetQueueAttributes", set({ RedrivePolicy: "" }));
    expect(await sqs.call("GetQueueAttributes", ask)).toEqual({});
    expect(await sqs.call("ListDeadLetterSourceQueues", { QueueUrl: "dead" })).toEqual({});
  });
});

const allow = (policy: Json): Json => set({ RedriveAllowPolicy: JSON.stringify(policy) });
const badAllow = (rule: string, policy: Json, reason: string): Row => [
  rule,
  "SetQueueAttributes",
  allow(policy),
  `400 InvalidParameterValue | Value ${JSON.stringify(policy)} for parameter RedriveAllowPolicy is invalid. Reason: Amazon SQS can't create the redrive allow policy. ${reason}`,
];
const UNSUPPORTED =
  "400 InvalidParameterValue | Invalid value for the parameter RedriveAllowPolicy. Reason: Amazon SQS can't create the redrive allow policy, as it’s in an unsupported format.";
const SOURCE = "arn:aws:sqs:us-east-1:123456789012:source";
const sources = (count: number): string[] => Array.from({ length: count }, (_, i) => `${SOURCE}${i}`);

conformance(
  "RedriveAllowPolicy",
  [["CreateQueue", { QueueName: "q" }]],
  [
    ["allowAll", "SetQueueAttributes", allow({ redrivePermission: "allowAll" }), {}],
    ["denyAll", "SetQueueAttributes", allow({ redrivePermission: "denyAll" }), {}],
    [
      "byQueue, one source",
      "SetQueueAttributes",
      allow({ redrivePermission: "byQueue", sourceQueueArns: [SOURCE] }),
      {},
    ],
    [
      "byQueue, ten sources",
      "SetQueueAttributes",
      allow({ redrivePermission: "byQueue", sourceQueueArns: sources(10) }),
      {},
    ],
    badAllow(
      "eleven sources",
      { redrivePermission: "byQueue", sourceQueueArns: sources(11) },
      "The maximum number of source queue ARNs you can specify is 10.",
    ),
    ...[{ redrivePermission: "byQueue" }, { redrivePermission: "byQueue", sourceQueueArns: [] }].map((policy) =>
      badAllow(
        `byQueue without sources: ${JSON.stringify(policy)}`,
        policy,
        "When you specify the byQueue permission type, you must also specify one or more sourceQueueArns values.",
      ),
    ),
    ...["allowAll", "denyAll"].map((redrivePermission) =>
      badAllow(
        `${redrivePermission} with sources`,
        { redrivePermission, sourceQueueArns: [SOURCE] },
        "To specify one or more source queue ARNs, you must set redrivePermission to byQueue.",
      ),
    ),
    ...[
      ...["nonsense", "[]", "{}", '{"redrivePermission":"some"}', '{"redrivePermission":"allowAll","x":1}'],
      ...[
        '{"redrivePermission":"byQueue","sourceQueueArns":"x"}',
        '{"redrivePermission":"byQueue","sourceQueueArns":[1]}',
      ],
      `{"redrivePermission":"byQueue","sourceQueueArns":["arn:aws:sns:us-east-1:123456789012:t"]}`,
      `{"redrivePermission":"byQueue","sourceQueueArns":["${SOURCE}${"x".repeat(100)}"]}`,
    ].map((text): Row => [text.slice(0, 80), "SetQueueAttributes", set({ RedriveAllowPolicy: text }), UNSUPPORTED]),
  ],
);

describe("RedriveAllowPolicy", () => {
  scenario("reads back in its own form, and goes with an empty text", async (sqs) => {
    await sqs.call("CreateQueue", { QueueName: "q" });
    const ask = { QueueUrl: "q", AttributeNames: ["RedriveAllowPolicy"] };
    const RedriveAllowPolicy = `{ "sourceQueueArns": ["${SOURCE}"], "redrivePermission": "byQueue" }`;
    await sqs.call("SetQueueAttributes", set({ RedriveAllowPolicy }));
    expect(await sqs.call("GetQueueAttributes", ask)).toEqual({
      Attributes: { RedriveAllowPolicy: `{"redrivePermission":"byQueue","sourceQueueArns":["${SOURCE}"]}` },
    });
    await sqs.call("SetQueueAttributes", allow({ redrivePermission: "denyAll" }));
    expect(await sqs.call("GetQueueAttributes", ask)).toEqual({
      Attributes: { RedriveAllowPolicy: `{"redrivePermission":"denyAll"}` },
    });
    await sqs.call("SetQueueAttributes", set({ RedriveAllowPolicy: "" }));
    expect(await sqs.call("GetQueueAttributes", ask)).toEqual({});
  });

  const target = (sqs: Service): Json => ({
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: sqs.arn("dead"), maxReceiveCount: 3 }),
  });

  scenario(
    "decides which queue may name this one as its target",
    async (sqs) => {
      await sqs.call("CreateQueue", { QueueName: "dead" });
      await sqs.call("CreateQueue", { QueueName: "q" });
      for (const policy of [
        { redrivePermission: "denyAll" },
        { redrivePermission: "byQueue", sourceQueueArns: [sqs.arn("other"), sqs.arn("Q")] },
      ]) {
        await sqs.call("SetQueueAttributes", set({ RedriveAllowPolicy: JSON.stringify(policy) }, "dead"));
        for (const [action, input] of [
          ["SetQueueAttributes", set(target(sqs))],
          ["CreateQueue", { QueueName: "new", Attributes: target(sqs) }],
        ] as const) {
          expect(await sqs.refusal(action, input)).toMatch(
            /^400 InvalidParameterValue \| Value .* RedrivePolicy is invalid/,
          );
        }
      }
      for (const policy of [
        { redrivePermission: "allowAll" },
        { redrivePermission: "byQueue", sourceQueueArns: [sqs.arn("other"), sqs.arn("q")] },
      ]) {
        await sqs.call("SetQueueAttributes", set({ RedriveAllowPolicy: JSON.stringify(policy) }, "dead"));
        await sqs.call("SetQueueAttributes", set(target(sqs)));
      }
    },
    "src/sqs/redrive.ts checkRedriveTarget",
  );

  scenario("is asked only when a source sets its policy: later refusals change nothing", async (sqs) => {
    await sqs.call("CreateQueue", { QueueName: "dead" });
    await sqs.call("CreateQueue", { QueueName: "q", Attributes: target(sqs) });
    await sqs.call(
      "SetQueueAttributes",
      set({ RedriveAllowPolicy: JSON.stringify({ redrivePermission: "denyAll" }) }, "dead"),
    );
    await sqs.call("SetQueueAttributes", set({ DelaySeconds: "1" }));
    expect(await sqs.call("ListDeadLetterSourceQueues", { QueueUrl: "dead" })).toEqual({ queueUrls: [sqs.url("q")] });
  });
});

describe("ListDeadLetterSourceQueues", () => {
  async function withSources(sqs: Service): Promise<void> {
    await sqs.call("CreateQueue", { QueueName: "dead" });
    await sqs.call("CreateQueue", { QueueName: "stranger" });
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: sqs.arn("dead"), maxReceiveCount: 3 });
    for (const name of ["c", "a", "b"])
      await sqs.call("CreateQueue", { QueueName: name, Attributes: { RedrivePolicy } });
  }

  scenario("lists the sources by name", async (sqs) => {
    await withSources(sqs);
    expect(await sqs.call("ListDeadLetterSourceQueues", { QueueUrl: "dead" })).toEqual({
      queueUrls: [sqs.url("a"), sqs.url("b"), sqs.url("c")],
    });
    expect(await sqs.call("ListDeadLetterSourceQueues", { QueueUrl: "stranger" })).toEqual({});
  });

  scenario("in pages, whose token is for one queue and one size", async (sqs) => {
    await withSources(sqs);
    const ask = { QueueUrl: "dead", MaxResults: 2 };
    const first = await sqs.call("ListDeadLetterSourceQueues", ask);
    expect(first).toEqual({ queueUrls: [sqs.url("a"), sqs.url("b")], NextToken: expect.any(String) });
    const { NextToken } = first;
    expect(await sqs.call("ListDeadLetterSourceQueues", { ...ask, NextToken })).toEqual({ queueUrls: [sqs.url("c")] });
    for (const changed of [{ QueueUrl: "stranger" }, { MaxResults: 3 }]) {
      expect(await sqs.refusal("ListDeadLetterSourceQueues", { ...ask, NextToken, ...changed })).toBe(
        "400 InvalidParameterValue | Invalid NextToken value. If you are passing in NextToken, you must not change the other request parameters.",
      );
    }
    expect(await sqs.refusal("ListDeadLetterSourceQueues", { QueueUrl: "dead", NextToken })).toBe(
      "400 InvalidParameterValue | MaxResults is a mandatory parameter when you provide a value for NextToken.",
    );
    for (const MaxResults of [0, 1001]) {
      expect(await sqs.refusal("ListDeadLetterSourceQueues", { QueueUrl: "dead", MaxResults })).toBe(
        "400 InvalidParameterValue | Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000.",
      );
    }
  });

  scenario("a source that is deleted is a source no more", async (sqs) => {
    await withSources(sqs);
    await sqs.call("DeleteQueue", { QueueUrl: "b" });
    expect(await sqs.call("ListDeadLetterSourceQueues", { QueueUrl: "dead" })).toEqual({
      queueUrls: [sqs.url("a"), sqs.url("c")],
    });
  });
});
