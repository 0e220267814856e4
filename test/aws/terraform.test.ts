// What Terraform's AWS provider does with queues, imitated call by call, as Terraform cannot fetch the provider here: an
// attribute counts as set when it reads back as it was sent, several times in a row; as cleared when it is absent.
import { isDeepStrictEqual } from "node:util";
import {
  CreateQueueCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListQueueTagsCommand,
  paginateListQueues,
  type QueueAttributeName,
  QueueDoesNotExist,
  SetQueueAttributesCommand,
  SQSClient,
  TagQueueCommand,
  UntagQueueCommand,
} from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fileBroker } from "../support/file-broker.ts";

type Attributes = Readonly<Record<string, string>>;

/** What the provider sends for an argument that the configuration leaves out. */
const DEFAULTS: Attributes = {
  DelaySeconds: "0",
  MaximumMessageSize: "262144",
  MessageRetentionPeriod: "345600",
  ReceiveMessageWaitTimeSeconds: "0",
  VisibilityTimeout: "30",
};
const KMS_REUSE_DEFAULT = "300";
const EQUAL_COUNT = 6; // reads in a row that must agree before an attribute counts as set
const GONE_COUNT = 15;
const ARN = "arn:aws:sqs:eu-north-1:000000000000:";

const broker = fileBroker();
let client: SQSClient;

beforeAll(() => {
  const credentials = { accessKeyId: "x", secretAccessKey: "y" };
  client = new SQSClient({ endpoint: broker.endpoint, region: "eu-north-1", credentials });
});

afterAll(() => client.destroy());

async function read(url: string, name: QueueAttributeName = "All"): Promise<Attributes> {
  const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: [name] }));
  return Attributes ?? {};
}

/** @returns the names of those attributes that do not read as they were sent */
function differences(sent: Attributes, got: Attributes): string[] {
  return Object.entries(sent).flatMap(([name, value]) => {
    const seen = got[name];
    if (seen === undefined) {
      const isUnencrypted = got["SqsManagedSseEnabled"] !== "true" && got["KmsMasterKeyId"] === undefined;
      const isNeverShown = name === "KmsDataKeyReusePeriodSeconds" && (value === KMS_REUSE_DEFAULT || isUnencrypted);
      return value === "" || isNeverShown ? [] : [name];
    }
    const isEqual = name.endsWith("Policy")
      ? value !== "" && isDeepStrictEqual(JSON.parse(seen), JSON.parse(value))
      : seen === value;
    return isEqual ? [] : [name];
  });
}

/** The provider waits for minutes; here what was set is there at once, and stays. */
async function propagated(url: string, sent: Attributes): Promise<void> {
  for (let i = 0; i < EQUAL_COUNT; i++) expect(differences(sent, await read(url))).toEqual([]);
}

async function create(name: string, attributes: Attributes, tags: Attributes = {}): Promise<string> {
  const sent = { ...DEFAULTS, ...attributes };
  const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: name, Attributes: sent, tags }));
  expect(QueueUrl).toBe(`${broker.endpoint}/000000000000/${name}`); // the provider takes its id and the name from it
  await propagated(QueueUrl ?? "", sent);
  return QueueUrl ?? "";
}

async function update(url: string, changes: Attributes): Promise<void> {
  await client.send(new SetQueueAttributesCommand({ QueueUrl: url, Attributes: changes }));
  await propagated(url, changes);
}

async function destroy(url: string): Promise<void> {
  await client.send(new DeleteQueueCommand({ QueueUrl: url }));
  for (let i = 0; i < GONE_COUNT; i++) await expect(read(url)).rejects.toBeInstanceOf(QueueDoesNotExist);
}

/** What of the queue is no argument: the rest of a read is what was sent, or a plan would never be empty. */
function argumentsOf(attributes: Attributes): Attributes {
  const computed = /^(QueueArn|CreatedTimestamp|LastModifiedTimestamp|ApproximateNumberOfMessages.*)$/;
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => !computed.test(name)));
}

const policy = (queue: string, action: string | string[]): string =>
  JSON.stringify(
    {
      Version: "2012-10-17",
      Id: "topic",
      Statement: [
        {
          Sid: "First",
          Effect: "Allow",
          Principal: { Service: "sns.amazonaws.com" },
          Action: action,
          Resource: `${ARN}${queue}`,
          Condition: { ArnEquals: { "aws:SourceArn": "arn:aws:sns:eu-north-1:000000000000:topic" } },
        },
      ],
    },
    null,
    2,
  );
const redrive = (target: string, maxReceiveCount: number): string =>
  JSON.stringify({ maxReceiveCount, deadLetterTargetArn: `${ARN}${target}` });
const allow = (...sources: string[]): string =>
  JSON.stringify({ sourceQueueArns: sources.map((name) => ARN + name), redrivePermission: "byQueue" });

describe("aws_sqs_queue", () => {
  test("with nothing but a name, and made again right after it was destroyed", async () => {
    const url = await create("plain", {});
    expect(argumentsOf(await read(url))).toEqual({ ...DEFAULTS, SqsManagedSseEnabled: "true" });
    expect((await read(url))["QueueArn"]).toBe(`${ARN}plain`);
    await destroy(url);
    const again = await create("plain", { DelaySeconds: "9" });
    expect(argumentsOf(await read(again))).toEqual({ ...DEFAULTS, DelaySeconds: "9", SqsManagedSseEnabled: "true" });
    await destroy(again);
  });

  test("with every argument of a standard queue: create, change each, clear each, destroy", async () => {
    const deadUrls = [await create("dead-1", {}), await create("dead-2", {})];
    const first = {
      DelaySeconds: "90",
      MaximumMessageSize: "2048",
      MessageRetentionPeriod: "86400",
      ReceiveMessageWaitTimeSeconds: "10",
      VisibilityTimeout: "60",
      Policy: policy("full", "sqs:SendMessage"),
      RedrivePolicy: redrive("dead-1", 4),
      RedriveAllowPolicy: allow("a", "b"),
      KmsMasterKeyId: "alias/aws/sqs",
      KmsDataKeyReusePeriodSeconds: "600",
    };
    const second = {
      DelaySeconds: "900",
      MaximumMessageSize: "1048576",
      MessageRetentionPeriod: "1209600",
      ReceiveMessageWaitTimeSeconds: "20",
      VisibilityTimeout: "43200",
      Policy: policy("full", ["sqs:SendMessage", "sqs:ReceiveMessage"]),
      RedrivePolicy: redrive("dead-2", 1000),
      RedriveAllowPolicy: JSON.stringify({ redrivePermission: "denyAll" }),
      KmsMasterKeyId: "arn:aws:kms:eu-north-1:000000000000:key/1234",
      KmsDataKeyReusePeriodSeconds: "86400",
    };
    const url = await create("full", first);
    const expected: Record<string, string> = { ...first, SqsManagedSseEnabled: "false" };
    for (const [name, value] of Object.entries(second)) {
      await update(url, { [name]: value });
      expected[name] = value;
      expect(differences(expected, await read(url))).toEqual([]);
    }
    for (const name of ["Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId"]) {
      await update(url, { [name]: "" });
      expect(await read(url)).not.toHaveProperty(name);
    }
    await update(url, DEFAULTS);
    expect(argumentsOf(await read(url))).toEqual({ ...DEFAULTS, SqsManagedSseEnabled: "false" });
    for (const each of [url, ...deadUrls]) await destroy(each);
  });

  test("with every argument of a FIFO queue", async () => {
    const queue = { FifoQueue: "true", ContentBasedDeduplication: "true" };
    const url = await create("full.fifo", {
      ...queue,
      DeduplicationScope: "messageGroup",
      FifoThroughputLimit: "perMessageGroupId",
    });
    await update(url, { DeduplicationScope: "queue", FifoThroughputLimit: "perQueue" });
    await update(url, { FifoThroughputLimit: "perMessageGroupId", DeduplicationScope: "messageGroup" });
    await update(url, { ContentBasedDeduplication: "false" });
    expect(argumentsOf(await read(url))).toEqual({
      ...DEFAULTS,
      FifoQueue: "true",
      ContentBasedDeduplication: "false",
      DeduplicationScope: "messageGroup",
      FifoThroughputLimit: "perMessageGroupId",
      SqsManagedSseEnabled: "true",
    });
    await destroy(url);
  });

  test.each(["true", "false"])("sqs_managed_sse_enabled = %s, then a key, then managed again", async (managed) => {
    const url = await create(`encrypted-${managed}`, { SqsManagedSseEnabled: managed });
    await update(url, { KmsMasterKeyId: "alias/aws/sqs", KmsDataKeyReusePeriodSeconds: "60" });
    expect(await read(url)).toMatchObject({ SqsManagedSseEnabled: "false", KmsDataKeyReusePeriodSeconds: "60" });
    await update(url, { KmsDataKeyReusePeriodSeconds: KMS_REUSE_DEFAULT });
    expect(await read(url)).not.toHaveProperty("KmsDataKeyReusePeriodSeconds");
    await update(url, { KmsMasterKeyId: "", SqsManagedSseEnabled: "true" });
    await update(url, { SqsManagedSseEnabled: "false" });
    await destroy(url);
  });

  test("applied again without its state it is the same queue; with other arguments it is refused", async () => {
    const url = await create("kept", { VisibilityTimeout: "45" });
    expect(await create("kept", { VisibilityTimeout: "45" })).toBe(url);
    await expect(create("kept", { VisibilityTimeout: "46" })).rejects.toMatchObject({ name: "QueueNameExists" });
    await destroy(url);
  });

  test("a queue that another hand has deleted is found missing, and destroying it is nothing", async () => {
    const url = await create("lost", {});
    await client.send(new DeleteQueueCommand({ QueueUrl: url }));
    await expect(read(url)).rejects.toBeInstanceOf(QueueDoesNotExist);
    await expect(client.send(new DeleteQueueCommand({ QueueUrl: url }))).rejects.toBeInstanceOf(QueueDoesNotExist);
  });

  test("tags: with the queue, changed, and all removed", async () => {
    const tagsOf = async (url: string) => (await client.send(new ListQueueTagsCommand({ QueueUrl: url }))).Tags;
    const url = await create("tagged", {}, { Name: "tagged", env: "test" });
    expect(await tagsOf(url)).toEqual({ Name: "tagged", env: "test" });
    await client.send(new UntagQueueCommand({ QueueUrl: url, TagKeys: ["env"] }));
    await client.send(new TagQueueCommand({ QueueUrl: url, Tags: { Name: "Tagged", team: "" } }));
    expect(await tagsOf(url)).toEqual({ Name: "Tagged", team: "" });
    await client.send(new UntagQueueCommand({ QueueUrl: url, TagKeys: ["Name", "team"] }));
    expect(await tagsOf(url)).toBeUndefined();
    await destroy(url);
  });
});

describe("one attribute as a resource of its own", () => {
  beforeAll(async () => {
    for (const name of ["one", "one-dead", "other-dead"]) await create(name, {});
  });

  test.each<[string, QueueAttributeName, string, string]>([
    ["aws_sqs_queue_policy", "Policy", policy("one", "SQS:SendMessage"), policy("one", ["sqs:*"])],
    ["aws_sqs_queue_redrive_policy", "RedrivePolicy", redrive("one-dead", 4), redrive("other-dead", 5)],
    [
      "aws_sqs_queue_redrive_allow_policy",
      "RedriveAllowPolicy",
      allow("one-dead"),
      allow("other-dead", "not-yet-made"),
    ],
  ])("%s", async (_, name, first, second) => {
    const url = `${broker.endpoint}/000000000000/one`;
    const before = argumentsOf(await read(url));
    for (const value of [first, second]) {
      await update(url, { [name]: value });
      const got = await read(url, name); // the resource reads its own attribute, and compares texts without spaces
      expect(Object.keys(got)).toEqual([name]);
      expect(JSON.parse(got[name] ?? "")).toEqual(JSON.parse(value));
    }
    await update(url, { [name]: "" });
    expect(await read(url, name)).toEqual({}); // by which the provider knows that it is gone
    expect(argumentsOf(await read(url))).toEqual(before);
  });

  test("on a queue that is gone there is nothing to delete", async () => {
    const clear = new SetQueueAttributesCommand({ QueueUrl: `${broker.endpoint}/1/gone`, Attributes: { Policy: "" } });
    await expect(client.send(clear)).rejects.toBeInstanceOf(QueueDoesNotExist);
  });

  test("a dead-letter queue allows a source that is made after it", async () => {
    const dead = await create("late-dead", {});
    await update(dead, { RedriveAllowPolicy: allow("late") });
    const source = await create("late", { RedrivePolicy: redrive("late-dead", 3) });
    await expect(create("never", { RedrivePolicy: redrive("late-dead", 3) })).rejects.toMatchObject({
      name: "InvalidParameterValue",
    });
    // Destroyed in the order of dependence, and the other way round.
    await destroy(dead);
    await destroy(source);
  });
});

test("data sources: a queue by its name, queues by a prefix", async () => {
  for (let i = 0; i < 3; i++) await create(`listed-${i}`, {});
  const { QueueUrl } = await client.send(new GetQueueUrlCommand({ QueueName: "listed-1" }));
  expect(await read(QueueUrl ?? "", "QueueArn")).toEqual({ QueueArn: `${ARN}listed-1` });
  const urls: string[] = [];
  for await (const page of paginateListQueues({ client, pageSize: 2 }, { QueueNamePrefix: "listed-" })) {
    urls.push(...(page.QueueUrls ?? []));
  }
  expect(urls).toEqual([0, 1, 2].map((i) => `${broker.endpoint}/000000000000/listed-${i}`));
  await expect(client.send(new GetQueueUrlCommand({ QueueName: "unlisted" }))).rejects.toBeInstanceOf(
    QueueDoesNotExist,
  );
});
