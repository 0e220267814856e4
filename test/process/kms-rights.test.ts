// A queue with a key of its own, on a broker with keys: whoever sends or receives needs leave to use that key, through each
// door, and the service's errors say so.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SetQueueAttributesCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { connect } from "../../src/client/index.ts";
import { type BrokerProcess, BUNDLE, call, startBroker } from "../support/broker-process.ts";
import { allow, HOME } from "../support/sts-world.ts";
import * as wire from "../support/wire.ts";

let directory = "";
let broker: BrokerProcess;
const keys = new Map<string, wire.WireKey>();
const of = (name: string): wire.WireKey => keys.get(name) as wire.WireKey;
const identities = (): string => join(directory, "identities.json");

function wasq(...args: string[]): string {
  return execFileSync(process.execPath, [BUNDLE, ...args, "--account", HOME, "--data-dir", directory], {
    encoding: "utf8",
  });
}

function create(name: string, policy?: object): void {
  const path = join(directory, `${name}.json`);
  if (policy !== undefined) writeFileSync(path, JSON.stringify(policy));
  const text = wasq("keys", "create", name, ...(policy === undefined ? [] : ["--policy", path]));
  const [, accessKeyId = "", secretAccessKey = ""] = /=(\S+)\n\S+?=(\S+)\n$/.exec(text) ?? [];
  keys.set(name, { accessKeyId, secretAccessKey });
}

const client = (name: string): SQSClient =>
  new SQSClient({ endpoint: broker.endpoint, region: "us-east-1", credentials: of(name), maxAttempts: 1 });
const outcome = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => "ok",
    (error: Error) => `${error.name}: ${error.message}`,
  );

let QueueUrl = "";
let keyArn = "";
const Entries = [{ Id: "a", MessageBody: "hi" }];
const send = (name: string) => outcome(client(name).send(new SendMessageCommand({ QueueUrl, MessageBody: "hi" })));
const batch = (name: string) => outcome(client(name).send(new SendMessageBatchCommand({ QueueUrl, Entries })));
const receive = (name: string) => outcome(client(name).send(new ReceiveMessageCommand({ QueueUrl })));
const publish = async (name: string): Promise<string> => {
  const stream = await connect(broker.endpoint, { credentials: of(name), region: "us-east-1" });
  return outcome(stream.publish("orders", "hi")).finally(() => stream.close());
};

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "wasq-kms-rights-"));
  keyArn = `arn:aws:kms:us-east-1:${HOME}:key/${wasq("kms", "create", "alias/orders").trim()}`;
  create("root");
  create("keyless", allow("sqs:*"));
  const ofKey = allow(["kms:GenerateDataKey", "kms:Decrypt"], { Resource: keyArn });
  create("sealer", { ...ofKey, Statement: [allow("sqs:*").Statement, ofKey.Statement] });
  create("opener", allow(["sqs:*", "kms:Decrypt"]));
  broker = await startBroker(directory, { args: ["--audit-log", join(directory, "audit.log")] });
  const Attributes = { KmsMasterKeyId: "alias/orders" };
  const made = await client("root").send(new CreateQueueCommand({ QueueName: "orders", Attributes }));
  QueueUrl = made.QueueUrl ?? "";
});
afterAll(async () => {
  expect(await broker.stop("SIGTERM")).toBe(0);
  expect(broker.stderr()).not.toContain("failed");
  rmSync(directory, { recursive: true, force: true });
});

const denied = (action: string) =>
  new RegExp(
    `^KmsAccessDenied: User: arn:aws:iam::${HOME}:user/\\w+ is not authorized to perform: ${action} on resource: ` +
      `${keyArn} because no identity-based policy allows the ${action} action \\(Service: AWSKMS; Status Code: 400; `,
  );

test("whoever has no leave to use the key neither sends nor receives, and it is written down", async () => {
  expect(await send("root")).toBe("ok");
  expect(await send("sealer")).toBe("ok");
  for (const each of [send, batch]) {
    expect(await each("keyless")).toMatch(denied("kms:GenerateDataKey"));
    expect(await each("opener")).toMatch(denied("kms:GenerateDataKey"));
  }
  expect(await receive("keyless")).toMatch(denied("kms:Decrypt"));
  expect(await receive("opener")).toBe("ok");
  const audited = readFileSync(join(directory, "audit.log"), "utf8");
  expect(audited).toContain('"code":"KmsAccessDenied"');
  expect(audited).toContain("kms:Decrypt on resource");
});

test("in the Query protocol, too, by the name that it has there", async () => {
  const body = new URLSearchParams({ Action: "SendMessage", MessageBody: "hi", QueueUrl }).toString();
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const { endpoint } = broker;
  const signed = wire.sign({ endpoint, key: of("keyless"), headers, body });
  const answer = await wire.send(endpoint, "POST", "/", signed, body);
  expect([answer.status, answer.text]).toEqual([
    400,
    expect.stringContaining("<Code>KMS.AccessDeniedException</Code>"),
  ]);
});

test("on a stream", async () => {
  expect(await publish("sealer")).toBe("ok");
  expect(await publish("keyless")).toMatch(/kms:GenerateDataKey on resource/);
});

test("what else is done to the queue needs no key", async () => {
  const { Messages = [] } = await client("root").send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 5 }));
  const ReceiptHandle = Messages[0]?.ReceiptHandle;
  expect(await outcome(client("keyless").send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle })))).toBe("ok");
});

test("leave that is given or taken counts at once, though it was decided otherwise before", async () => {
  const before = readFileSync(identities(), "utf8");
  expect(await send("keyless")).toMatch(denied("kms:GenerateDataKey"));
  const stored = JSON.parse(before) as { users: { name: string; policies: Record<string, object> }[] };
  const users = stored.users.map((user) =>
    user.name === "keyless" ? { ...user, policies: { ...user.policies, more: allow("kms:*") } } : user,
  );
  writeFileSync(identities(), JSON.stringify({ ...stored, users }));
  await vi.waitFor(async () => expect(await send("keyless")).toBe("ok"), { timeout: 5_000, interval: 100 });
  writeFileSync(identities(), before);
  await vi.waitFor(async () => expect(await send("keyless")).toMatch(denied("kms:GenerateDataKey")), {
    timeout: 5_000,
    interval: 100,
  });
});

test("SQS's own key is for all users of the account; one of another account is for nobody", async () => {
  const set = (KmsMasterKeyId: string) =>
    client("root").send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { KmsMasterKeyId } }));
  await set("alias/aws/sqs");
  expect([await send("keyless"), await receive("keyless")]).toEqual(["ok", "ok"]);
  await set("arn:aws:kms:us-east-1:999999999999:alias/aws/sqs");
  expect(await send("root")).toMatch(
    /^KmsAccessDenied: .*because no resource-based policy allows the kms:GenerateDataKey/,
  );
  await set("alias/orders");
});

test("nobody without a signature gets at a queue with server-side encryption, whatever its policy says", async () => {
  const Statement = { Effect: "Allow", Principal: "*", Action: "sqs:*", Resource: "*" };
  const Policy = JSON.stringify({ Version: "2012-10-17", Statement });
  for (const [QueueName, more] of [
    ["public-sealed", { KmsMasterKeyId: "alias/aws/sqs" }],
    ["public", {}],
  ] as const) {
    const made = await client("root").send(new CreateQueueCommand({ QueueName, Attributes: { Policy, ...more } }));
    for (const action of ["SendMessage", "ReceiveMessage", "GetQueueAttributes"]) {
      const answer = await call(broker.endpoint, action, { QueueUrl: made.QueueUrl, MessageBody: "x" });
      expect(answer).toMatchObject({ status: 403, queryError: "InvalidSecurity;Sender" });
      expect(answer.body).toMatchObject({
        __type: "com.amazonaws.sqs#InvalidSecurity",
        message: "All requests to this queue must use HTTPS and SigV4.",
      });
    }
    const off = { SqsManagedSseEnabled: "false", KmsMasterKeyId: "" };
    await client("root").send(new SetQueueAttributesCommand({ QueueUrl: made.QueueUrl, Attributes: off }));
    const open = await call(broker.endpoint, "SendMessage", { QueueUrl: made.QueueUrl, MessageBody: "x" });
    expect(open.status).toBe(200);
  }
});
