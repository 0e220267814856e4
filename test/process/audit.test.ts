// The audit log of a broker at work.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CreateQueueCommand,
  PurgeQueueCommand,
  SendMessageCommand,
  SQSClient,
  TagQueueCommand,
} from "@aws-sdk/client-sqs";
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type BrokerProcess, BUNDLE, call, startBroker } from "../support/broker-process.ts";
import { allow, HOME, trust } from "../support/sts-world.ts";

let directory: string;
let log: string;
let broker: BrokerProcess;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "wasq-audit-"));
  log = join(directory, "audit.log");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function key(name: string, ...args: string[]): { accessKeyId: string; secretAccessKey: string } {
  const create = ["keys", "create", name, "--account", HOME, ...args, "--data-dir", join(directory, "data")];
  const text = execFileSync(process.execPath, [BUNDLE, ...create], { encoding: "utf8" });
  const [, accessKeyId = "", secretAccessKey = ""] = /=(\S+)\n\S+?=(\S+)\n$/.exec(text) ?? [];
  return { accessKeyId, secretAccessKey };
}
function file(name: string, value: object): string {
  const path = join(directory, name);
  writeFileSync(path, JSON.stringify(value));
  return path;
}
const start = async (): Promise<void> => {
  broker = await startBroker(join(directory, "data"), { args: ["--audit-log", log, "--auto-create-queues"] });
};
const read = () =>
  readFileSync(log, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

test("tells who was refused, who changed what, which keys were used and given out, and no secret", async () => {
  const root = key("root");
  const alice = key("alice", "--policy", file("alice.json", allow("sqs:SendMessage")));
  const trusted = file("trust.json", trust(`arn:aws:iam::${HOME}:user/alice`));
  const role = [
    "roles",
    "create",
    "worker",
    "--account",
    HOME,
    "--trust",
    trusted,
    "--data-dir",
    join(directory, "data"),
  ];
  execFileSync(process.execPath, [BUNDLE, ...role]);
  await start();
  const options = (credentials: typeof root) => ({
    ...{ endpoint: broker.endpoint, region: "us-east-1", credentials, maxAttempts: 1 },
  });
  const ours = new SQSClient(options(root));
  const hers = new SQSClient(options(alice));
  const { QueueUrl = "" } = await ours.send(new CreateQueueCommand({ QueueName: "q" }));
  await ours.send(new TagQueueCommand({ QueueUrl, Tags: { team: "a" } }));
  await hers.send(new SendMessageCommand({ QueueUrl, MessageBody: "precious body" }));
  await expect(hers.send(new PurgeQueueCommand({ QueueUrl }))).rejects.toThrow("not authorized");
  const wrong = new SQSClient(options({ ...alice, secretAccessKey: "x" }));
  await expect(wrong.send(new SendMessageCommand({ QueueUrl, MessageBody: "x" }))).rejects.toThrow("does not match");
  expect((await call(broker.endpoint, "SendMessage", { QueueUrl, MessageBody: "x" })).status).toBe(403);
  const Unknown = { QueueUrl: QueueUrl.replace(/q$/, "unknown"), MessageBody: "x" };
  await ours.send(new SendMessageCommand(Unknown));
  const sts = new STSClient(options(alice));
  const assumed = await sts.send(
    new AssumeRoleCommand({ RoleArn: `arn:aws:iam::${HOME}:role/worker`, RoleSessionName: "s1" }),
  );
  const admin = new AssumeRoleCommand({ RoleArn: `arn:aws:iam::${HOME}:role/admin`, RoleSessionName: "s1" });
  await expect(sts.send(admin)).rejects.toThrow("not authorized");
  const { AccessKeyId = "", SecretAccessKey = "", SessionToken = "" } = assumed.Credentials ?? {};
  const session = { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
  await new STSClient(options(session)).send(new GetCallerIdentityCommand({}));
  expect(await broker.stop("SIGTERM")).toBe(0);

  const who = { address: "127.0.0.1", userAgent: expect.stringContaining("aws-sdk-js") };
  const asRoot = { ...who, principal: `arn:aws:iam::${HOME}:root`, accessKeyId: root.accessKeyId };
  const asAlice = { ...who, principal: `arn:aws:iam::${HOME}:user/alice`, accessKeyId: alice.accessKeyId };
  const arn = `arn:aws:sqs:us-east-1:${HOME}:q`;
  const [first, ...lines] = read().filter(({ event }) => event !== "key used");
  expect(first).toMatchObject({ event: "identities", change: "shut" });
  expect(lines).toMatchObject([
    { event: "administered", action: "CreateQueue", resource: arn, ...asRoot },
    { event: "administered", action: "TagQueue", resource: arn, ...asRoot },
    {
      ...{
        event: "refused",
        api: "sqs",
        action: "PurgeQueue",
        resource: arn,
        code: "AccessDeniedException",
        ...asAlice,
      },
      text: expect.stringContaining("because no identity-based policy allows"),
    },
    { event: "refused", action: "SendMessage", code: "InvalidSignatureException", accessKeyId: alice.accessKeyId },
    { event: "refused", action: "SendMessage", code: "AccessDeniedException", resource: arn },
    { event: "administered", action: "CreateQueue", resource: arn.replace(/q$/, "unknown"), ...asRoot },
    {
      ...{ event: "credentials", action: "AssumeRole", resource: `arn:aws:iam::${HOME}:role/worker`, ...asAlice },
      ...{ accessKeyGiven: AccessKeyId, expires: expect.stringMatching(/^\d{4}-.*Z$/) },
    },
    {
      event: "refused",
      api: "sts",
      action: "AssumeRole",
      resource: `arn:aws:iam::${HOME}:role/admin`,
      code: "AccessDenied",
    },
  ]);
  expect(lines[3]).not.toHaveProperty("principal"); // nobody has shown that it was she
  expect(read().filter(({ event }) => event === "key used")).toMatchObject([
    { accessKeyId: root.accessKeyId, principal: `arn:aws:iam::${HOME}:root`, address: "127.0.0.1" },
    { accessKeyId: alice.accessKeyId },
  ]);
  const text = readFileSync(log, "utf8");
  const secrets = [
    root.secretAccessKey,
    alice.secretAccessKey,
    SecretAccessKey,
    SessionToken,
    "precious body",
    "Signature=",
  ];
  for (const secret of secrets) expect(text).not.toContain(secret);
});

test("of a broker without keys tells who says what he is, and pages that were kept away", async () => {
  await start();
  const client = new SQSClient({
    ...{ endpoint: broker.endpoint, region: "us-east-1" },
    credentials: { accessKeyId: "somebody", secretAccessKey: "x" },
  });
  await client.send(new CreateQueueCommand({ QueueName: "q" }));
  const page = await fetch(`${broker.endpoint}/?Action=ListQueues`, { headers: { origin: "https://evil.example" } });
  expect(page.status).toBe(403);
  expect(await broker.stop("SIGTERM")).toBe(0);
  expect(read()).toMatchObject([
    { event: "administered", action: "CreateQueue", accessKeyId: "somebody", address: "127.0.0.1" },
    { event: "refused", api: "page", text: expect.stringContaining("https://evil.example") },
  ]);
});

test("goes to standard output where it is asked to, line by line", async () => {
  key("root");
  const quiet = await startBroker(join(directory, "data"), { args: ["--audit-log", "-"] });
  let said = "";
  quiet.child.stdout?.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  expect((await call(quiet.endpoint, "ListQueues", {})).status).toBe(403);
  expect(await quiet.stop("SIGTERM")).toBe(0);
  const lines = said
    .split("\n")
    .filter((line) => line.startsWith('{"at":'))
    .map((line) => JSON.parse(line));
  expect(lines).toContainEqual(expect.objectContaining({ event: "refused", action: "ListQueues" }));
  expect(existsSync("-")).toBe(false);
});
