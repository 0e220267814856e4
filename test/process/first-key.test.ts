// A broker that was started without keys gets its first one while it runs, and loses its last one.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateQueueCommand, ListQueuesCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { type BrokerProcess, BUNDLE, call, startBroker } from "../support/broker-process.ts";

let directory: string;
let broker: BrokerProcess;
let client: SQSClient;
let keyId = "";

function wasq(...args: string[]): string {
  return execFileSync(process.execPath, [BUNDLE, ...args, "--data-dir", directory], { encoding: "utf8" });
}
const list = async (): Promise<number> => (await call(broker.endpoint, "ListQueues", {})).status;

function stream(): WebSocket {
  return new WebSocket(`${broker.endpoint.replace("http", "ws")}/stream`, ["wasq.v1.json"]);
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "wasq-first-key-"));
  broker = await startBroker(directory);
});
afterAll(async () => {
  await broker.stop("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

test("while there are no keys everybody comes in", async () => {
  expect((await call(broker.endpoint, "CreateQueue", { QueueName: "q" })).status).toBe(200);
  const queues = await fetch(`${broker.endpoint}/?Action=ListQueues`);
  expect(queues.status).toBe(200);
});

test("the first key shuts the door: unsigned requests are refused, and what came in before has to leave", async () => {
  const socket = stream();
  await new Promise((opened) => socket.on("open", opened));
  const closed = new Promise<string>((resolve) => socket.on("close", (_code, reason) => resolve(reason.toString())));
  const [, id = "", secret = ""] = /=(\S+)\n\S+?=(\S+)/.exec(wasq("keys", "create", "root")) ?? [];
  keyId = id;
  await expect.poll(list, { timeout: 10_000 }).toBe(403);
  expect(await closed).toBe("Signatures are checked from now on");
  const again = stream();
  const refused = new Promise<string>((resolve) => again.on("error", ({ message }) => resolve(message)));
  expect(await refused).toContain("403");

  const credentials = { accessKeyId: id, secretAccessKey: secret };
  client = new SQSClient({ endpoint: broker.endpoint, region: "us-east-1", credentials, maxAttempts: 1 });
  const { QueueUrls = [] } = await client.send(new ListQueuesCommand({}));
  expect(QueueUrls).toHaveLength(1);
  await client.send(new ReceiveMessageCommand({ QueueUrl: QueueUrls[0] as string }));
  expect(broker.stderr()).toContain("There are keys now: signatures are checked from here on");
});

test("deleting the last key lets nobody in, now or after a restart", async () => {
  wasq("keys", "delete", keyId);
  const signed = () => client.send(new CreateQueueCommand({ QueueName: "r" })).then(String, String);
  await expect.poll(signed, { timeout: 10_000 }).toContain("The security token included in the request is invalid");
  expect(await list()).toBe(403);
  await broker.stop("SIGTERM");
  broker = await startBroker(directory);
  expect(await list()).toBe(403);
});
