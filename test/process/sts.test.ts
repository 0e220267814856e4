// Temporary credentials with the AWS SDKs for JavaScript, against the real process: from a role to its queues, through
// restarts and revocations.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CreateQueueCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SetQueueAttributesCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import {
  AssumeRoleCommand,
  type AssumeRoleCommandInput,
  GetCallerIdentityCommand,
  GetSessionTokenCommand,
  STSClient,
} from "@aws-sdk/client-sts";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type BrokerProcess, BUNDLE, startBroker } from "../support/broker-process.ts";
import { AWAY, allow, HOME, trust } from "../support/sts-world.ts";

interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

let directory: string;
let broker: BrokerProcess;
let QueueUrl: string;
const keys: Record<string, Key> = {};
const of = (name: string): Key => keys[name] as Key;
const ALICE = `arn:aws:iam::${HOME}:user/alice`;
const WORKER = `arn:aws:iam::${HOME}:role/worker`;

function wasq(...args: string[]): string {
  return execFileSync(process.execPath, [BUNDLE, ...args, "--data-dir", directory], { encoding: "utf8" });
}
function file(value: object): string {
  const path = join(directory, "policy.json");
  writeFileSync(path, JSON.stringify(value));
  return path;
}
function user(name: string, account: string, policy?: object): void {
  const rest = policy === undefined ? [] : ["--policy", file(policy)];
  const text = wasq("keys", "create", name, "--account", account, ...rest);
  const [, accessKeyId = "", secretAccessKey = ""] = /=(\S+)\n\S+?=(\S+)\n$/.exec(text) ?? [];
  keys[name] = { accessKeyId, secretAccessKey };
}
const sts = (credentials: Key) =>
  new STSClient({ endpoint: broker.endpoint, region: "eu-west-1", credentials, maxAttempts: 1 });
const sqs = (credentials: Key) =>
  new SQSClient({ endpoint: broker.endpoint, region: "us-east-1", credentials, maxAttempts: 1 });

async function assume(key: Key, more: Partial<AssumeRoleCommandInput> = {}): Promise<Key> {
  const asked = new AssumeRoleCommand({ RoleArn: WORKER, RoleSessionName: "s1", ...more });
  const { Credentials } = await sts(key).send(asked);
  return {
    accessKeyId: Credentials?.AccessKeyId ?? "",
    secretAccessKey: Credentials?.SecretAccessKey ?? "",
    sessionToken: Credentials?.SessionToken ?? "",
  };
}
const said = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "ok",
    (error: Error) => `${error.name}: ${error.message}`,
  );
const send = (key: Key) => said(sqs(key).send(new SendMessageCommand({ QueueUrl, MessageBody: "x" })));
const receive = (key: Key) => said(sqs(key).send(new ReceiveMessageCommand({ QueueUrl })));

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "wasq-sts-"));
  user("root", HOME);
  user("alice", HOME, allow("sqs:ListQueues"));
  user("carol", AWAY, allow("sts:AssumeRole"));
  const Condition = { StringEquals: { "sts:ExternalId": "ticket-7" } };
  const trusted = trust(ALICE, { Action: ["sts:AssumeRole", "sts:TagSession"] });
  const both = { ...trusted, Statement: [...trusted.Statement, ...trust(AWAY, { Condition }).Statement] };
  const trustPath = join(directory, "trust.json");
  writeFileSync(trustPath, JSON.stringify(both));
  const mine = file(allow(["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:GetQueueUrl"]));
  wasq("roles", "create", "worker", "--account", HOME, "--trust", trustPath, "--policy", mine);
  broker = await startBroker(directory);
  QueueUrl = (await sqs(of("root")).send(new CreateQueueCommand({ QueueName: "q" }))).QueueUrl ?? "";
});
beforeEach(() => expect(broker.stderr()).not.toContain("failed"));
afterAll(async () => {
  await broker.stop("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

test("a user who may nothing himself becomes the role, and may what it may", async () => {
  expect(await send(of("alice"))).toContain("AccessDenied");
  const key = await assume(of("alice"));
  expect(await sts(key).send(new GetCallerIdentityCommand({}))).toMatchObject({
    Account: HOME,
    Arn: `arn:aws:sts::${HOME}:assumed-role/worker/s1`,
    UserId: expect.stringMatching(/^AROA[A-Z2-7]{16}:s1$/),
  });
  expect([await send(key), await receive(key)]).toEqual(["ok", "ok"]);
  expect((await sqs(key).send(new GetQueueUrlCommand({ QueueName: "q" }))).QueueUrl).toBe(QueueUrl);
  expect(await said(sqs(key).send(new CreateQueueCommand({ QueueName: "r" })))).toContain("AccessDenied");
});

test("another account needs the external ID, and a policy of its own", async () => {
  expect(await said(assume(of("carol")))).toContain("AccessDenied: User: arn:aws:iam::222222222222:user/carol is not");
  expect(await said(assume(of("carol"), { ExternalId: "ticket-8" }))).toContain("AccessDenied");
  expect(await send(await assume(of("carol"), { ExternalId: "ticket-7" }))).toBe("ok");
});

test("a session's policy narrows it; the longest goes through a request's headers", async () => {
  const Policy = JSON.stringify(allow("sqs:SendMessage"));
  const key = await assume(of("alice"), { Policy });
  expect(await send(key)).toBe("ok");
  expect(await receive(key)).toContain("because no session policy allows the sqs:receivemessage action");
  const random = Array.from({ length: 40 }, (_, i) => createHash("sha512").update(String(i)).digest("base64url")).join(
    "",
  );
  const text = JSON.stringify(allow("sqs:SendMessage", { Resource: ["*", "arn:aws:sqs:*:*:"] }));
  const longest = text.replace(':*:*:"', `:*:*:${random.slice(0, 2_048 - text.length)}"`);
  expect(longest).toHaveLength(2_048);
  const Tags = [{ Key: "tag", Value: random.slice(-256).replaceAll("-", "=") }];
  const large = await assume(of("alice"), { Policy: longest, Tags });
  expect((large.sessionToken ?? "").length).toBeGreaterThan(2_700);
  expect([await send(large), await receive(large)]).toEqual(["ok", expect.stringContaining("AccessDenied")]);
});

test("the SDK's own errors have their names", async () => {
  const input = { RoleArn: WORKER, RoleSessionName: "s1" };
  const asked = (more: object) => said(sts(of("alice")).send(new AssumeRoleCommand({ ...input, ...more })));
  expect(await asked({ Policy: "{" })).toBe("MalformedPolicyDocumentException: This policy contains invalid Json");
  expect(await asked({ DurationSeconds: 1 })).toContain("ValidationError: 1 validation error detected: Value '1' at");
  expect(await said(sts({ ...of("alice"), secretAccessKey: "x" }).send(new GetCallerIdentityCommand({})))).toContain(
    "SignatureDoesNotMatch: The request signature we calculated",
  );
});

test("a restart ends no session; revoking, disabling and deleting do, without one", async () => {
  const key = await assume(of("alice"));
  const { Credentials } = await sts(of("alice")).send(new GetSessionTokenCommand({ DurationSeconds: 900 }));
  const own = {
    accessKeyId: Credentials?.AccessKeyId ?? "",
    secretAccessKey: Credentials?.SecretAccessKey ?? "",
    sessionToken: Credentials?.SessionToken ?? "",
  };
  const alive = (each: Key) => said(sts(each).send(new GetCallerIdentityCommand({})));
  await broker.stop("SIGKILL");
  broker = await startBroker(directory);
  QueueUrl = `${broker.endpoint}${new URL(QueueUrl).pathname}`;
  expect([await send(key), await alive(own)]).toEqual(["ok", "ok"]);

  wasq("roles", "revoke-sessions", "worker", "--account", HOME);
  await expect.poll(() => send(key), { timeout: 10_000 }).toContain("InvalidClientTokenId");
  const later = await assume(of("alice"));
  expect([await send(later), await alive(own)]).toEqual(["ok", "ok"]);

  wasq("keys", "disable", of("alice").accessKeyId);
  await expect.poll(() => alive(own), { timeout: 10_000 }).toContain("InvalidClientTokenId");
  expect(await send(later)).toContain("InvalidClientTokenId");
  wasq("keys", "enable", of("alice").accessKeyId);
  await expect.poll(() => send(later), { timeout: 10_000 }).toBe("ok");

  wasq("keys", "revoke-sessions", "alice", "--account", HOME);
  await expect.poll(() => alive(own), { timeout: 10_000 }).toContain("InvalidClientTokenId");
  expect(await alive(of("alice"))).toBe("ok");

  const last = await assume(of("alice"));
  wasq("roles", "delete", "worker", "--account", HOME);
  await expect.poll(() => send(last), { timeout: 10_000 }).toContain("InvalidClientTokenId");
  expect(await said(assume(of("alice")))).toContain("AccessDenied");
});

test("a queue's policy may name a session, and means that one alone", async () => {
  const trustPath = join(directory, "trust.json");
  writeFileSync(trustPath, JSON.stringify(trust(ALICE)));
  wasq("roles", "create", "guest", "--account", HOME, "--trust", trustPath);
  const RoleArn = `arn:aws:iam::${HOME}:role/guest`;
  await expect.poll(() => said(assume(of("alice"), { RoleArn })), { timeout: 10_000 }).toBe("ok");
  const one = await assume(of("alice"), { RoleArn, RoleSessionName: "one" });
  const two = await assume(of("alice"), { RoleArn, RoleSessionName: "two" });
  const Principal = { AWS: `arn:aws:sts::${HOME}:assumed-role/guest/one` };
  const Statement = {
    Effect: "Allow",
    Principal,
    Action: "sqs:SendMessage",
    Resource: `arn:aws:sqs:us-east-1:${HOME}:q`,
  };
  const Policy = JSON.stringify({ Version: "2012-10-17", Statement });
  await sqs(of("root")).send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy } }));
  expect([await send(one), await send(two)]).toEqual(["ok", expect.stringContaining("AccessDenied")]);
});
