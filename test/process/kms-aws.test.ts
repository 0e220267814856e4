// Queues whose keys a KMS has: moto's server, behind a line that can be cut. Needs python3 with venv, and PyPI the first time.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateAliasCommand, CreateKeyCommand, KMSClient } from "@aws-sdk/client-kms";
import { afterEach, beforeEach, expect, type TestContext, test, vi } from "vitest";
import { type BrokerProcess, call, startBroker } from "../support/broker-process.ts";
import { beside, orSkip, python } from "../support/clients.ts";
import { KmsProxy } from "../support/kms-proxy.ts";

const SECRET = "nobody-may-read-this";
const CREDENTIALS = { AWS_ACCESS_KEY_ID: "AKIAX", AWS_SECRET_ACCESS_KEY: "a-secret-of-the-environment" };
const TIMEOUT_MS = 300_000; // PyPI, the first time

let directory = "";
let moto: ChildProcess | undefined;
let proxy: KmsProxy | undefined;
let broker: BrokerProcess | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "wasq-kms-aws-"));
});

afterEach(async () => {
  await broker?.stop("SIGKILL");
  broker = undefined;
  await proxy?.stop();
  proxy = undefined;
  moto?.kill("SIGKILL");
  moto = undefined;
  rmSync(directory, { recursive: true });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A KMS with one key that has an alias. */
async function startKms(context: TestContext): Promise<{ kms: KmsProxy; keyId: string; keyArn: string }> {
  const interpreter = await orSkip(context, python("moto", beside(import.meta.url, "moto.txt")));
  const port = await freePort();
  moto = spawn(interpreter, ["-m", "moto.server", "-H", "127.0.0.1", "-p", `${port}`], { stdio: "ignore" });
  const endpoint = `http://127.0.0.1:${port}`;
  const credentials = { accessKeyId: "x", secretAccessKey: "y" };
  const client = new KMSClient({ endpoint, region: "us-east-1", credentials, maxAttempts: 1 });
  const made = await vi.waitFor(() => client.send(new CreateKeyCommand({})), { timeout: 30_000, interval: 100 });
  const { KeyId: keyId = "", Arn: keyArn = "" } = made.KeyMetadata ?? {};
  await client.send(new CreateAliasCommand({ AliasName: "alias/orders", TargetKeyId: keyId }));
  client.destroy();
  proxy = await KmsProxy.start(endpoint);
  return { kms: proxy, keyId, keyArn };
}

/** Without the log's own encryption, so that it is the queue's key that hides what is hidden. */
async function start(...args: string[]): Promise<string> {
  broker = await startBroker(join(directory, "data"), {
    args: ["--encryption-at-rest", "off", "--audit-log", join(directory, "audit.log"), ...args],
    env: CREDENTIALS,
  });
  return broker.endpoint;
}

async function restart(...args: string[]): Promise<string> {
  await broker?.stop("SIGKILL");
  return start(...args);
}

const urlOf = (endpoint: string, name: string): string => `${endpoint}/000000000000/${name}`;
const create = (endpoint: string, QueueName: string, KmsMasterKeyId?: string) =>
  call(endpoint, "CreateQueue", { QueueName, Attributes: KmsMasterKeyId === undefined ? {} : { KmsMasterKeyId } });
const send = async (endpoint: string, name: string, MessageBody: string): Promise<unknown> => {
  const { status, body } = await call(endpoint, "SendMessage", { QueueUrl: urlOf(endpoint, name), MessageBody });
  return status === 200 ? 200 : [status, body["__type"].replace(/.*#/, "")];
};
const receive = async (endpoint: string, name: string): Promise<unknown> => {
  const input = { QueueUrl: urlOf(endpoint, name), MaxNumberOfMessages: 10, MessageSystemAttributeNames: ["All"] };
  const { status, body } = await call(endpoint, "ReceiveMessage", input);
  if (status !== 200) return [status, body["__type"].replace(/.*#/, "")];
  const messages: { Body: string; Attributes: { ApproximateReceiveCount: string } }[] = body["Messages"] ?? [];
  return messages.map(({ Body, Attributes }) => `${Body}#${Attributes.ApproximateReceiveCount}`).sort();
};
const filesWith = (text: string): string[] =>
  readdirSync(join(directory, "data")).filter(
    (name) => /^segment.*log$/.test(name) && readFileSync(join(directory, "data", name)).includes(text),
  );

const UNAVAILABLE = [503, "ServiceUnavailableException"];

test("sealed under the KMS's key, one data key a period, and an outage loses nothing", {
  timeout: TIMEOUT_MS,
}, async (context) => {
  const { kms } = await startKms(context);
  const ofKms = ["--kms", "aws", "--kms-endpoint", kms.endpoint, "--kms-region", "us-east-1"];
  let endpoint = await start(...ofKms);
  await create(endpoint, "orders", "alias/orders");
  await create(endpoint, "plain");
  expect(kms.asked()).toEqual([]);
  const bodies = Array.from({ length: 8 }, (_, n) => `${SECRET} ${n}`);
  expect(await Promise.all(bodies.map((body) => send(endpoint, "orders", body)))).toEqual(bodies.map(() => 200));
  expect(kms.asked()).toEqual(["GenerateDataKey"]);
  expect(filesWith(SECRET)).toEqual([]);
  expect(filesWith("alias/orders")).not.toEqual([]); // the search finds what there is

  kms.isCut = true;
  expect(await send(endpoint, "orders", `${SECRET} in the period`)).toBe(200);
  endpoint = await restart(...ofKms);
  expect(await send(endpoint, "plain", "a")).toBe(200);
  expect(await receive(endpoint, "plain")).toEqual(["a#1"]);
  expect(await send(endpoint, "orders", "x")).toEqual(UNAVAILABLE);
  expect(await receive(endpoint, "orders")).toEqual(UNAVAILABLE);

  kms.isCut = false;
  kms.refusal = { status: 400, type: "DisabledException", message: "arn:aws:kms:us-east-1:1:key/1 is disabled." };
  expect(await send(endpoint, "orders", "x")).toEqual([400, "KmsDisabled"]);
  expect(await receive(endpoint, "orders")).toEqual([400, "KmsDisabled"]);
  kms.refusal = undefined;
  kms.asked();
  expect(await receive(endpoint, "orders")).toEqual([...bodies, `${SECRET} in the period`].map((body) => `${body}#1`));
  expect(kms.asked()).toEqual(["Decrypt"]);
  expect(await send(endpoint, "orders", "after")).toBe(200);
  expect(kms.asked()).toEqual(["GenerateDataKey"]);

  expect(await broker?.stop("SIGTERM")).toBe(0);
  const audit = readFileSync(join(directory, "audit.log"), "utf8");
  const resource = "arn:aws:sqs:us-east-1:000000000000:orders";
  const uses = audit
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
    .filter(({ event }) => event === "queue key asked");
  expect(uses).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ action: "GenerateDataKey", key: "alias/orders", resource, times: 1 }),
      expect.objectContaining({ action: "Decrypt", resource, code: "KmsDisabled", times: 1 }),
    ]),
  );
  expect(audit).not.toContain(CREDENTIALS.AWS_SECRET_ACCESS_KEY);
});

test("a key by each of its names, keys that are not there, and a change from the keyring and back", {
  timeout: TIMEOUT_MS,
}, async (context) => {
  const { kms, keyId, keyArn } = await startKms(context);
  const ofKms = ["--kms", "aws", "--kms-endpoint", kms.endpoint];
  let endpoint = await start();
  await create(endpoint, "local", "alias/aws/sqs");
  expect(await send(endpoint, "local", "by the keyring")).toBe(200);

  endpoint = await restart(...ofKms);
  expect(await receive(endpoint, "local")).toEqual(["by the keyring#1"]);
  const names = [keyId, keyArn, "alias/orders", keyArn.replace(/key\/.*/, "alias/orders")];
  for (const [n, name] of names.entries()) {
    await create(endpoint, `q${n}`, name);
    expect([name, await send(endpoint, `q${n}`, "a"), await receive(endpoint, `q${n}`)]).toEqual([name, 200, ["a#1"]]);
  }
  for (const [n, name] of ["alias/none", "00000000-0000-0000-0000-000000000000", "nothing"].entries()) {
    await create(endpoint, `none${n}`, name);
    expect([name, await send(endpoint, `none${n}`, "a")]).toEqual([name, [400, "KmsNotFound"]]);
  }

  await create(endpoint, "kept", "alias/orders");
  expect(await send(endpoint, "kept", "by the KMS")).toBe(200);
  endpoint = await restart();
  expect(await receive(endpoint, "kept")).toEqual([400, "KmsInvalidState"]);
  endpoint = await restart(...ofKms);
  expect(await receive(endpoint, "kept")).toEqual(["by the KMS#1"]);
});
