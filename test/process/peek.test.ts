// Looking at messages in the running broker: what is shown stays, through looks, receives and a restart.
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ReceiveMessageCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BrokerProcess, call, startBroker } from "../support/broker-process.ts";

const QUEUE_URL = "http://localhost/000000000000/seen";
let directory: string;
let broker: BrokerProcess;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "wasq-peek-"));
  broker = await startBroker(directory);
  await call(broker.endpoint, "CreateQueue", { QueueName: "seen" });
});

afterAll(async () => {
  await broker.stop("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

interface Shown {
  readonly MessageId: string;
  readonly Body: string;
  readonly Attribute: readonly { readonly Name: string; readonly Value: string }[];
}

async function look(more = ""): Promise<{ body: string; count: string | undefined; visible: string | undefined }[]> {
  const url = `${broker.endpoint}/_aws/sqs/messages?QueueUrl=${encodeURIComponent(QUEUE_URL)}${more}`;
  const response = await fetch(url, { headers: { accept: "application/json" } });
  expect(response.status).toBe(200);
  const { ReceiveMessageResponse } = (await response.json()) as {
    ReceiveMessageResponse: { ReceiveMessageResult: { Message: Shown[] } };
  };
  return ReceiveMessageResponse.ReceiveMessageResult.Message.map(({ Body, Attribute }) => {
    const value = (name: string) => Attribute.find(({ Name }) => Name === name)?.Value;
    return { body: Body.slice(0, 10), count: value("ApproximateReceiveCount"), visible: value("IsVisible") };
  });
}

test("messages are seen and not touched, before a restart and after it", async () => {
  for (const body of ["a", `b${"b".repeat(100_000)}`, "c"]) {
    await call(broker.endpoint, "SendMessage", { QueueUrl: QUEUE_URL, MessageBody: body });
  }
  await call(broker.endpoint, "ReceiveMessage", { QueueUrl: QUEUE_URL, VisibilityTimeout: 600 });
  const visible = [
    { body: "bbbbbbbbbb", count: "0", visible: undefined },
    { body: "c", count: "0", visible: undefined },
  ];
  const all = [
    { body: "a", count: "1", visible: "false" },
    { body: "bbbbbbbbbb", count: "0", visible: "true" },
    { body: "c", count: "0", visible: "true" },
  ];
  expect(await look()).toEqual(visible);
  expect(await look("&ShowInvisible=true")).toEqual(all);
  const xml = await fetch(`${broker.endpoint}/_aws/sqs/messages/us-east-1/000000000000/seen`);
  expect([xml.status, xml.headers.get("content-type")]).toEqual([200, "text/xml"]);
  expect((await xml.text()).match(/<Body>/g)).toHaveLength(2);

  await broker.stop("SIGKILL");
  broker = await startBroker(directory);
  expect(await look()).toEqual(visible);
  expect(await look("&ShowInvisible=true")).toEqual(all);
  const { body } = await call(broker.endpoint, "GetQueueAttributes", { QueueUrl: QUEUE_URL, AttributeNames: ["All"] });
  expect(body.Attributes).toMatchObject({
    ApproximateNumberOfMessages: "2",
    ApproximateNumberOfMessagesNotVisible: "1",
  });
});

test("the public SDK with this path as its endpoint receives without receiving, and can do nothing else", async () => {
  const client = new SQSClient({
    endpoint: `${broker.endpoint}/_aws/sqs/messages`,
    region: "us-east-1",
    credentials: { accessKeyId: "x", secretAccessKey: "x" },
    useQueueUrlAsEndpoint: false,
    maxAttempts: 1,
  });
  try {
    for (let round = 0; round < 2; round++) {
      const { Messages } = await client.send(new ReceiveMessageCommand({ QueueUrl: QUEUE_URL }));
      expect(Messages?.map(({ Body, ReceiptHandle }) => [Body?.slice(0, 1), ReceiptHandle])).toEqual([
        ["b", "SQS/BACKDOOR/ACCESS"],
        ["c", "SQS/BACKDOOR/ACCESS"],
      ]);
    }
    const sending = client.send(new SendMessageCommand({ QueueUrl: QUEUE_URL, MessageBody: "x" }));
    await expect(sending).rejects.toMatchObject({ name: "InvalidRequest" });
  } finally {
    client.destroy();
  }
  const deleted = await call(broker.endpoint, "DeleteMessage", {
    QueueUrl: QUEUE_URL,
    ReceiptHandle: "SQS/BACKDOOR/ACCESS",
  });
  expect([deleted.status, deleted.queryError]).toEqual([404, "ReceiptHandleIsInvalid;Sender"]);
});

test.each([
  "QueueUrl=%",
  "QueueUrl=%00%ff",
  `QueueUrl=${"a/".repeat(2_000)}`,
  "&&&&==&=",
  "QueueUrl=seen&NextToken=////",
  `${"a=b&".repeat(900)}QueueUrl=seen`,
])("a hostile query string is answered: %s", async (query) => {
  const { hostname, port } = new URL(broker.endpoint);
  const socket = connect(Number(port), hostname);
  const answer = new Promise<string>((resolve, reject) => {
    socket.once("data", (bytes) => resolve(bytes.toString("latin1")));
    socket.once("close", () => reject(new Error("closed")));
  });
  socket.write(`GET /_aws/sqs/messages?${query} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  expect(await answer).toMatch(/^HTTP\/1\.1 (200|400|404) /);
  socket.destroy();
  expect((await fetch(`${broker.endpoint}/health`)).status).toBe(200);
});

test("health, as LocalStack's tools ask for it", async () => {
  const health = (await (await fetch(`${broker.endpoint}/_localstack/health`)).json()) as object;
  expect(health).toEqual({ services: { sqs: "running" }, version: expect.stringMatching(/^\d+\.\d+\.\d+$/) });
});
