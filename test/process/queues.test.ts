// Queues and all that is set on them are there after kill -9, in their account and region.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startBroker } from "../support/broker-process.ts";
import { Service } from "../support/service.ts";
import type { Json } from "../support/sqs-client.ts";

const PLACES = [
  ["000000000000", "us-east-1"],
  ["111111111111", "us-east-1"],
  ["111111111111", "cn-north-1"],
] as const;

/** All there is to see of a place's queues, by name. */
async function everything(sqs: Service): Promise<Json> {
  const listed = await sqs.call("ListQueues", {});
  const seen: { [name: string]: unknown } = {};
  const names = (listed["QueueUrls"] as readonly string[]).map((url) => url.replace(sqs.url(""), ""));
  for (const QueueUrl of names) {
    const attributes = await sqs.call("GetQueueAttributes", { QueueUrl, AttributeNames: ["All"] });
    const tags = await sqs.call("ListQueueTags", { QueueUrl });
    const { queueUrls = [] } = await sqs.call("ListDeadLetterSourceQueues", { QueueUrl });
    const sources = (queueUrls as readonly string[]).map((url) => url.replace(sqs.url(""), ""));
    seen[QueueUrl] = { attributes, tags, sources };
  }
  return seen;
}

test("attributes, policies, tags and permissions survive, each queue where it was made", async () => {
  const directory = mkdtempSync(join(tmpdir(), "wasq-queues-"));
  let broker = await startBroker(directory);
  const services = () => PLACES.map(([account, region]) => new Service(broker.endpoint, "JSON", account, region));
  for (const sqs of services()) {
    const arn = (name: string): string =>
      sqs.arn(name).replace("arn:aws:", sqs.region === "cn-north-1" ? "arn:aws-cn:" : "arn:aws:");
    await sqs.call("CreateQueue", { QueueName: "dead.fifo", Attributes: { FifoQueue: "true" } });
    await sqs.call("CreateQueue", {
      QueueName: "all.fifo",
      Attributes: {
        FifoQueue: "true",
        ContentBasedDeduplication: "true",
        DeduplicationScope: "messageGroup",
        FifoThroughputLimit: "perMessageGroupId",
        VisibilityTimeout: "1",
        DelaySeconds: "2",
        ReceiveMessageWaitTimeSeconds: "3",
        MessageRetentionPeriod: "600",
        MaximumMessageSize: "2048",
        KmsMasterKeyId: "k",
        KmsDataKeyReusePeriodSeconds: "600",
        RedriveAllowPolicy: JSON.stringify({ redrivePermission: "byQueue", sourceQueueArns: [arn("dead.fifo")] }),
        RedrivePolicy: JSON.stringify({ deadLetterTargetArn: arn("dead.fifo"), maxReceiveCount: 7 }),
      },
      tags: { place: `${sqs.account} ${sqs.region}`, empty: "" },
    });
    await sqs.call("AddPermission", {
      QueueUrl: "all.fifo",
      Label: "friend",
      AWSAccountIds: ["222222222222"],
      Actions: ["SendMessage"],
    });
    await sqs.call("CreateQueue", { QueueName: "gone" });
    await sqs.call("DeleteQueue", { QueueUrl: "gone" });
    await sqs.call("CreateQueue", { QueueName: "plain" });
    await sqs.call("SetQueueAttributes", { QueueUrl: "plain", Attributes: { SqsManagedSseEnabled: "false" } });
    await sqs.call("PurgeQueue", { QueueUrl: "plain" });
  }
  const before = await Promise.all(services().map(everything));
  await broker.stop("SIGKILL");
  broker = await startBroker(directory);
  const after = await Promise.all(services().map(everything));
  expect(after).toEqual(before);
  for (const each of before) expect(Object.keys(each)).toEqual(["all.fifo", "dead.fifo", "plain"]);
  expect(before[2]?.["dead.fifo"]).toMatchObject({ sources: ["all.fifo"] });
  await broker.stop("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});
