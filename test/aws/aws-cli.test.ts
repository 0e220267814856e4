// The AWS CLI, its real commands, against the running process. Needs python3 with venv, and PyPI the first time.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { beside, execute, orSkip, python } from "../support/clients.ts";
import { fileBroker } from "../support/file-broker.ts";

const broker = fileBroker({ keys: true });
const ACCOUNT = "000000000000";

/** `aws sqs ...`, which resolves with the JSON it prints, undefined if it prints nothing. */
// biome-ignore lint/suspicious/noExplicitAny: the tests know what each command prints
type Cli = (command: string, ...options: string[]) => Promise<any>;

async function awsCli(interpreter: string): Promise<Cli> {
  const env = {
    ...broker.keyVariables,
    AWS_DEFAULT_REGION: "us-west-2",
    AWS_CONFIG_FILE: join(broker.directory, "no-config"),
    AWS_SHARED_CREDENTIALS_FILE: join(broker.directory, "no-credentials"),
    AWS_DEFAULT_OUTPUT: "json",
  };
  return async (command, ...options) => {
    const args = ["-m", "awscli", "--endpoint-url", broker.endpoint, "sqs", command, ...options];
    const output = await execute(interpreter, args, { env });
    return output === "" ? undefined : JSON.parse(output);
  };
}

test("commands as people type them", { timeout: 300_000 }, async (context) => {
  const interpreter = await orSkip(context, python("aws-cli", beside(import.meta.url, "python/aws-cli.txt")));
  const sqs = await awsCli(interpreter);
  const url = `${broker.endpoint}/${ACCOUNT}/orders`;

  expect(await sqs("list-queues")).toBeUndefined();
  const created = await sqs(
    "create-queue",
    "--queue-name",
    "orders",
    "--attributes",
    "VisibilityTimeout=5",
    "--tags",
    "team=a,stage=test",
  );
  expect(created).toEqual({ QueueUrl: url });
  expect(await sqs("get-queue-url", "--queue-name", "orders")).toEqual({ QueueUrl: url });
  expect(await sqs("list-queues", "--queue-name-prefix", "ord")).toEqual({ QueueUrls: [url] });
  expect(await sqs("list-queue-tags", "--queue-url", url)).toEqual({ Tags: { team: "a", stage: "test" } });
  await sqs("untag-queue", "--queue-url", url, "--tag-keys", "stage");
  await sqs("tag-queue", "--queue-url", url, "--tags", "team=b");
  expect(await sqs("list-queue-tags", "--queue-url", url)).toEqual({ Tags: { team: "b" } });

  const attributes = join(broker.directory, "attributes.json");
  writeFileSync(attributes, JSON.stringify({ DelaySeconds: "0", MessageRetentionPeriod: "3600" }));
  await sqs("set-queue-attributes", "--queue-url", url, "--attributes", `file://${attributes}`);
  const read = await sqs(
    "get-queue-attributes",
    "--queue-url",
    url,
    "--attribute-names",
    "MessageRetentionPeriod",
    "QueueArn",
  );
  expect(read).toEqual({
    Attributes: { MessageRetentionPeriod: "3600", QueueArn: `arn:aws:sqs:us-west-2:${ACCOUNT}:orders` },
  });

  const sent = await sqs(
    "send-message",
    "--queue-url",
    url,
    "--message-body",
    "two lines\nand \u2603",
    "--message-attributes",
    "color={DataType=String,StringValue=blue},count={DataType=Number,StringValue=3}",
  );
  expect(sent).toMatchObject({ MessageId: expect.any(String), MD5OfMessageAttributes: expect.any(String) });
  const received = await sqs(
    "receive-message",
    "--queue-url",
    url,
    "--wait-time-seconds",
    "1",
    "--attribute-names",
    "All",
    "--message-attribute-names",
    "All",
  );
  expect(received.Messages).toHaveLength(1);
  expect(received.Messages[0]).toMatchObject({
    MessageId: sent.MessageId,
    Body: "two lines\nand \u2603",
    Attributes: { ApproximateReceiveCount: "1" },
    MessageAttributes: { count: { StringValue: "3", DataType: "Number" } },
  });
  const handle = received.Messages[0].ReceiptHandle;
  const visibility = ["--queue-url", url, "--receipt-handle", handle, "--visibility-timeout", "0"];
  expect(await sqs("change-message-visibility", ...visibility)).toBeUndefined();
  const again = await sqs("receive-message", "--queue-url", url);
  const deletion = ["--queue-url", url, "--receipt-handle", again.Messages[0].ReceiptHandle];
  expect(await sqs("delete-message", ...deletion)).toBeUndefined();
  expect(await sqs("receive-message", "--queue-url", url)).toBeUndefined();

  const batch = await sqs(
    "send-message-batch",
    "--queue-url",
    url,
    "--entries",
    '[{"Id":"a","MessageBody":"1"},{"Id":"b","MessageBody":"2"}]',
  );
  expect(batch.Successful).toHaveLength(2);
  expect(await sqs("purge-queue", "--queue-url", url)).toBeUndefined();
  const counted = await sqs(
    "get-queue-attributes",
    "--queue-url",
    url,
    "--attribute-names",
    "ApproximateNumberOfMessages",
  );
  expect(counted).toEqual({ Attributes: { ApproximateNumberOfMessages: "0" } });

  await sqs(
    "add-permission",
    "--queue-url",
    url,
    "--label",
    "share",
    "--aws-account-ids",
    "111122223333",
    "--actions",
    "SendMessage",
  );
  const policy = await sqs("get-queue-attributes", "--queue-url", url, "--attribute-names", "Policy");
  expect(JSON.parse(policy.Attributes.Policy).Statement).toHaveLength(1);
  await sqs("remove-permission", "--queue-url", url, "--label", "share");
  expect(await sqs("get-queue-attributes", "--queue-url", url, "--attribute-names", "Policy")).toBeUndefined();

  for (const each of ["page-1", "page-2", "page-3"]) await sqs("create-queue", "--queue-name", each);
  // The CLI follows NextToken by itself.
  const paged = await sqs("list-queues", "--queue-name-prefix", "page-", "--page-size", "2");
  expect(paged.QueueUrls).toEqual([1, 2, 3].map((i) => `${broker.endpoint}/${ACCOUNT}/page-${i}`));
  const some = await sqs("list-queues", "--queue-name-prefix", "page-", "--max-items", "1");
  expect(some).toEqual({ QueueUrls: [`${broker.endpoint}/${ACCOUNT}/page-1`], NextToken: expect.any(String) });

  expect(await sqs("delete-queue", "--queue-url", url)).toBeUndefined();
  await expect(sqs("get-queue-url", "--queue-name", "orders")).rejects.toThrow(
    "(AWS.SimpleQueueService.NonExistentQueue) when calling the GetQueueUrl operation: The specified queue does not exist.",
  );
});
