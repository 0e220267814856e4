// Where everybody is let in, roles can be assumed by anybody: what is configured with a role runs there unchanged.

import { CreateQueueCommand, ListQueuesCommand, SQSClient } from "@aws-sdk/client-sqs";
import { AssumeRoleCommand, GetCallerIdentityCommand, GetSessionTokenCommand, STSClient } from "@aws-sdk/client-sts";
import { expect, test } from "vitest";
import { fileBroker } from "../support/file-broker.ts";

const broker = fileBroker();
const ROLE = "arn:aws:iam::222222222222:role/apps/worker";

type Credentials = { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string };
const sts = (credentials: Credentials) =>
  new STSClient({ endpoint: broker.endpoint, region: "us-east-1", credentials });
const sqs = (credentials: Credentials) =>
  new SQSClient({ endpoint: broker.endpoint, region: "us-east-1", credentials });
const ANY = { accessKeyId: "x", secretAccessKey: "y" };

test("whoever asks is root of the account that his key names", async () => {
  expect(await sts(ANY).send(new GetCallerIdentityCommand({}))).toMatchObject({
    Account: "000000000000",
    Arn: "arn:aws:iam::000000000000:root",
    UserId: "000000000000",
  });
  const key = { ...ANY, accessKeyId: "333333333333" };
  expect(await sts(key).send(new GetCallerIdentityCommand({}))).toMatchObject({ Account: "333333333333" });
});

test("a role of any account is assumed, and its queues are that account's", async () => {
  const asked = new AssumeRoleCommand({ RoleArn: ROLE, RoleSessionName: "s1", DurationSeconds: 43_200 });
  const { Credentials: given, AssumedRoleUser } = await sts(ANY).send(asked);
  const Arn = "arn:aws:sts::222222222222:assumed-role/worker/s1";
  expect(AssumedRoleUser).toMatchObject({ Arn });
  const credentials = {
    accessKeyId: given?.AccessKeyId ?? "",
    secretAccessKey: given?.SecretAccessKey ?? "",
    sessionToken: given?.SessionToken ?? "",
  };
  expect(await sts(credentials).send(new GetCallerIdentityCommand({}))).toMatchObject({ Account: "222222222222", Arn });
  const { QueueUrl } = await sqs(credentials).send(new CreateQueueCommand({ QueueName: "theirs" }));
  expect(QueueUrl).toBe(`${broker.endpoint}/222222222222/theirs`);
  expect((await sqs(ANY).send(new ListQueuesCommand({}))).QueueUrls).toBeUndefined();
});

test("a session of one's own is one's own", async () => {
  const { Credentials: given } = await sts({ ...ANY, accessKeyId: "444444444444" }).send(
    new GetSessionTokenCommand({}),
  );
  const key = { accessKeyId: given?.AccessKeyId ?? "", secretAccessKey: given?.SecretAccessKey ?? "" };
  expect(await sts(key).send(new GetCallerIdentityCommand({}))).toMatchObject({ Account: "444444444444" });
});

test("what is wrong is wrong there as well, and a page of another origin gets nothing", async () => {
  const asked = new AssumeRoleCommand({ RoleArn: ROLE, RoleSessionName: "s1", DurationSeconds: 10 });
  await expect(sts(ANY).send(asked)).rejects.toThrow("Member must have value greater than or equal to 900");
  const body = new URLSearchParams({ Action: "GetCallerIdentity", Version: "2011-06-15" });
  const post = (headers: Record<string, string>) => fetch(broker.endpoint, { method: "POST", body, headers });
  expect((await post({})).status).toBe(200);
  expect((await post({ origin: "https://evil.example" })).status).toBe(403);
  const get = await fetch(`${broker.endpoint}/?${body}`);
  expect(await get.text()).toContain("<GetCallerIdentityResult>");
  const sqsVersion = await fetch(`${broker.endpoint}/?Action=GetCallerIdentity&Version=2012-11-05`);
  expect(await sqsVersion.text()).toContain("The action GetCallerIdentity is not valid for this endpoint.");
});
