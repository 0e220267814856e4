// Queues with KmsMasterKeyId as people have them: `wasq kms`, the API's two protocols and the stream, and the files on disk.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { connect } from "../../src/client/index.ts";
import { type BrokerProcess, BUNDLE, call, startBroker } from "../support/broker-process.ts";

const SECRET = "nobody-may-read-this";

let directory = "";
let broker: BrokerProcess | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "wasq-kms-"));
});

afterEach(async () => {
  await broker?.stop("SIGKILL");
  broker = undefined;
  rmSync(directory, { recursive: true });
});

// Without the log's own encryption, so that it is the queue's key that hides what is hidden.
async function start(): Promise<string> {
  broker = await startBroker(directory, { args: ["--encryption-at-rest", "off"] });
  return broker.endpoint;
}

const kms = (...words: string[]): string =>
  execFileSync(process.execPath, [BUNDLE, "kms", ...words, "--data-dir", directory], { encoding: "utf8" });

const filesWith = (text: string): string[] =>
  readdirSync(directory).filter(
    (name) => /^segment.*log$/.test(name) && readFileSync(join(directory, name)).includes(text),
  );

test("a queue with a key of the keyring: sealed on disk through every door, refused while the key is disabled", async () => {
  let endpoint = await start();
  const QueueUrl = `${endpoint}/000000000000/orders`;
  const Attributes = { KmsMasterKeyId: "alias/orders", KmsDataKeyReusePeriodSeconds: "60" };
  expect((await call(endpoint, "CreateQueue", { QueueName: "orders", Attributes })).status).toBe(200);
  const missing = await call(endpoint, "SendMessage", { QueueUrl, MessageBody: "x" });
  expect([missing.status, missing.body["__type"]]).toEqual([400, "com.amazonaws.sqs#KmsNotFound"]);

  const id = kms("create", "alias/orders").trim();
  expect(kms("list")).toContain(`${id}  alias/orders  active  rotated 0 times`);
  const body = (name: string): string => `${SECRET} ${name}`;
  await vi.waitFor(
    async () => {
      const sent = await call(endpoint, "SendMessage", { QueueUrl, MessageBody: body("json") });
      expect(sent.status).toBe(200);
    },
    { timeout: 5_000, interval: 100 },
  );
  const Entries = [1, 2].map((n) => ({ Id: `${n}`, MessageBody: body(`batch ${n}`) }));
  expect((await call(endpoint, "SendMessageBatch", { QueueUrl, Entries })).status).toBe(200);
  const form = new URLSearchParams({ Action: "SendMessage", MessageBody: body("query") });
  expect((await fetch(QueueUrl, { method: "POST", body: form })).status).toBe(200);
  const client = await connect(endpoint);
  await client.publish("orders", body("stream"));
  await client.close();
  expect(filesWith(SECRET)).toEqual([]);
  expect(filesWith("alias/orders")).toHaveLength(1); // the queue's settings are there: the search finds what there is

  kms("rotate", "alias/orders");
  kms("disable", id);
  await broker?.stop("SIGKILL");
  endpoint = await start();
  const ofQueue = { QueueUrl: `${endpoint}/000000000000/orders` };
  const disabled = await call(endpoint, "ReceiveMessage", { ...ofQueue, MaxNumberOfMessages: 10 });
  expect([disabled.status, disabled.body["__type"]]).toEqual([400, "com.amazonaws.sqs#KmsDisabled"]);
  const byQuery = await fetch(ofQueue.QueueUrl, { method: "POST", body: form });
  expect([byQuery.status, await byQuery.text()]).toEqual([
    400,
    expect.stringContaining("<Code>KMS.DisabledException</Code>"),
  ]);
  const batch = await call(endpoint, "SendMessageBatch", { ...ofQueue, Entries });
  expect([batch.status, batch.body["__type"]]).toEqual([400, "com.amazonaws.sqs#KmsDisabled"]);

  kms("enable", "alias/orders");
  const bodies = await vi.waitFor(
    async () => {
      const received = await call(endpoint, "ReceiveMessage", { ...ofQueue, MaxNumberOfMessages: 10 });
      expect(received.status).toBe(200);
      return (received.body["Messages"] as { Body: string }[]).map(({ Body }) => Body);
    },
    { timeout: 5_000, interval: 100 },
  );
  expect(bodies.sort()).toEqual(["batch 1", "batch 2", "json", "query", "stream"].map(body));
  expect((await call(endpoint, "SendMessage", { ...ofQueue, MessageBody: body("after") })).status).toBe(200);
  expect(filesWith(SECRET)).toEqual([]);
});

test("a key that is enabled is not deleted, and an alias is given once", () => {
  const id = kms("create", "alias/orders").trim();
  expect(() => kms("create", "alias/orders")).toThrow(/There is a key alias\/orders/);
  expect(() => kms("create", "alias/aws/mine")).toThrow(/is no alias/);
  expect(() => kms("delete", id)).toThrow(/disable it first/);
  kms("disable", "alias/orders");
  expect(kms("delete", id)).toBe(`${id} is deleted\n`);
  expect(kms("list")).toBe("There are no keys but alias/aws/sqs\n");
});
