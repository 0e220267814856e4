// What Terraform's provider does to a queue, call by call: it makes one with every attribute, reads until it finds what it
// wrote, changes, and deletes. An attribute that is absent is as good as "", JSON is compared as JSON, all else as text.
import { isDeepStrictEqual } from "node:util";
import { expect } from "vitest";
import { scenario, useBroker } from "../../support/conformance.ts";
import type { Service } from "../../support/service.ts";
import { MISSING_QUEUE } from "../../support/wordings.ts";

useBroker();

type Attributes = { readonly [name: string]: string };
const JSON_ATTRIBUTES: ReadonlySet<string> = new Set(["Policy", "RedrivePolicy", "RedriveAllowPolicy"]);

async function expectSettled(sqs: Service, QueueUrl: string, wanted: Attributes): Promise<void> {
  const { Attributes: read } = await sqs.call("GetQueueAttributes", { QueueUrl, AttributeNames: ["All"] });
  const found = read as Attributes;
  const differing = Object.entries(wanted).filter(([name, value]) => {
    const other = found[name] ?? "";
    if (other === value) return false;
    if (name === "KmsDataKeyReusePeriodSeconds" && other === "" && value === "300") return false;
    if (!JSON_ATTRIBUTES.has(name) || other === "" || value === "") return true;
    return !isDeepStrictEqual(JSON.parse(other), JSON.parse(value));
  });
  expect(differing).toEqual([]);
}

const policyOf = (sqs: Service, name: string, effect: string): string =>
  JSON.stringify({
    Version: "2012-10-17",
    Id: "sqspolicy",
    Statement: [
      {
        Sid: "First",
        Effect: effect,
        Principal: "*",
        Action: "sqs:SendMessage",
        Resource: sqs.arn(name),
        Condition: { ArnEquals: { "aws:SourceArn": "arn:aws:sns:us-east-1:123456789012:topic" } },
      },
    ],
  });

for (const type of ["standard", "fifo"] as const) {
  const suffix = type === "fifo" ? ".fifo" : "";
  const own: Attributes = type === "fifo" ? { FifoQueue: "true" } : {};

  scenario(
    `a ${type} queue with everything: created, read, changed, emptied of options, deleted, created again`,
    async (sqs) => {
      const name = `everything${suffix}`;
      await sqs.call("CreateQueue", { QueueName: `dead${suffix}`, Attributes: own });
      const redrive = (maxReceiveCount: number): string =>
        JSON.stringify({ deadLetterTargetArn: sqs.arn(`dead${suffix}`), maxReceiveCount });
      const RedriveAllowPolicy = JSON.stringify({
        redrivePermission: "byQueue",
        sourceQueueArns: [sqs.arn(`dead${suffix}`)],
      });
      const created: Attributes = {
        ...own,
        ...(type === "fifo"
          ? {
              ContentBasedDeduplication: "true",
              DeduplicationScope: "messageGroup",
              FifoThroughputLimit: "perMessageGroupId",
            }
          : {}),
        DelaySeconds: "90",
        KmsDataKeyReusePeriodSeconds: "600",
        KmsMasterKeyId: "alias/aws/sqs",
        MaximumMessageSize: "2048",
        MessageRetentionPeriod: "86400",
        Policy: policyOf(sqs, name, "Allow"),
        ReceiveMessageWaitTimeSeconds: "10",
        RedriveAllowPolicy,
        RedrivePolicy: redrive(4),
        VisibilityTimeout: "60",
      };
      const tags = { Environment: "production", Empty: "" };
      const { QueueUrl } = await sqs.call("CreateQueue", { QueueName: name, Attributes: created, tags });
      const url = String(QueueUrl);
      await expectSettled(sqs, url, created);
      expect(await sqs.call("ListQueueTags", { QueueUrl: url })).toEqual({ Tags: tags });

      const changed: Attributes = {
        DelaySeconds: "0",
        MaximumMessageSize: "262144",
        MessageRetentionPeriod: "345600",
        Policy: policyOf(sqs, name, "Deny"),
        RedrivePolicy: redrive(5),
        VisibilityTimeout: "30",
        KmsDataKeyReusePeriodSeconds: "300",
      };
      await sqs.call("SetQueueAttributes", { QueueUrl: url, Attributes: changed });
      await expectSettled(sqs, url, { ...created, ...changed });
      await sqs.call("UntagQueue", { QueueUrl: url, TagKeys: ["Empty"] });
      await sqs.call("TagQueue", { QueueUrl: url, Tags: { Environment: "staging" } });
      expect(await sqs.call("ListQueueTags", { QueueUrl: url })).toEqual({ Tags: { Environment: "staging" } });

      const emptied: Attributes = { KmsMasterKeyId: "", Policy: "", RedriveAllowPolicy: "", RedrivePolicy: "" };
      await sqs.call("SetQueueAttributes", { QueueUrl: url, Attributes: { ...emptied, SqsManagedSseEnabled: "true" } });
      await expectSettled(sqs, url, { ...created, ...changed, ...emptied, SqsManagedSseEnabled: "true" });

      await sqs.call("DeleteQueue", { QueueUrl: url });
      expect(await sqs.refusal("GetQueueAttributes", { QueueUrl: url, AttributeNames: ["All"] })).toBe(MISSING_QUEUE);
      await sqs.call("CreateQueue", { QueueName: name, Attributes: created, tags });
      await expectSettled(sqs, url, created);
    },
  );
}

scenario("a queue with no options reads back as the defaults that the provider knows", async (sqs) => {
  await sqs.call("CreateQueue", { QueueName: "plain", Attributes: {} });
  await expectSettled(sqs, "plain", {
    DelaySeconds: "0",
    KmsDataKeyReusePeriodSeconds: "300",
    KmsMasterKeyId: "",
    MaximumMessageSize: "1048576",
    MessageRetentionPeriod: "345600",
    Policy: "",
    ReceiveMessageWaitTimeSeconds: "0",
    RedriveAllowPolicy: "",
    RedrivePolicy: "",
    SqsManagedSseEnabled: "true",
    VisibilityTimeout: "30",
  });
});
