// Queues that are created because they are asked for.
import { beforeEach, expect, test } from "vitest";
import { ACCOUNT, arnOf, errorLine, type Json, jsonRequest, ORIGIN, SqsClient, urlOf } from "../support/sqs-client.ts";

const MISSING = "400 AWS.SimpleQueueService.NonExistentQueue | The specified queue does not exist.";
let client: SqsClient;

beforeEach(() => {
  client = new SqsClient({ autoCreateQueues: true });
});

const url = (name: string) => ({ QueueUrl: urlOf(name) });
const names = (region = "us-east-1") => client.broker.list(ACCOUNT, region, "", "", 10).map(({ name }) => name);

test.each<[string, Json]>([
  ["SendMessage", { ...url("new"), MessageBody: "a" }],
  ["SendMessageBatch", { ...url("new"), Entries: [{ Id: "1", MessageBody: "a" }] }],
  ["ReceiveMessage", url("new")],
  ["GetQueueUrl", { QueueName: "new" }],
  ["GetQueueAttributes", url("new")],
  ["SetQueueAttributes", { ...url("new"), Attributes: { DelaySeconds: "1" } }],
  ["TagQueue", { ...url("new"), Tags: { a: "b" } }],
])("%s creates the queue it is about", (action, input) => {
  client.call(action, input);
  expect(names()).toEqual(["new"]);
});

test.each<[string, Json]>([
  ["DeleteQueue", url("new")],
  ["PurgeQueue", url("new")],
  ["DeleteMessage", { ...url("new"), ReceiptHandle: "x" }],
  ["ChangeMessageVisibility", { ...url("new"), ReceiptHandle: "x", VisibilityTimeout: 1 }],
  ["ListDeadLetterSourceQueues", url("new")],
])("%s does not: there could be nothing in it", (action, input) => {
  expect(errorLine(client.json(action, input))).toBe(MISSING);
  expect(names()).toEqual([]);
});

test("the name makes it a FIFO queue; every attribute is a new queue's", () => {
  client.call("GetQueueUrl", { QueueName: "new.fifo" });
  client.call("CreateQueue", { QueueName: "other.fifo", Attributes: { FifoQueue: "true" } });
  const attributesOf = (name: string) => {
    const { Attributes } = client.call("GetQueueAttributes", { ...url(name), AttributeNames: ["All"] });
    return { ...(Attributes as Json), QueueArn: "" };
  };
  expect(attributesOf("new.fifo")).toEqual(attributesOf("other.fifo"));
  expect(attributesOf("new.fifo")).toMatchObject({ FifoQueue: "true", ContentBasedDeduplication: "false" });
});

test("Query and JSON, any form of URL, the region of the request, another account", () => {
  client.query({ Action: "SendMessage", MessageBody: "a" }, { path: `/${ACCOUNT}/by-path` });
  client.call("SendMessage", { QueueUrl: "bare", MessageBody: "a" });
  const authorization = "AWS4-HMAC-SHA256 Credential=key/20260101/eu-west-1/sqs/aws4_request, Signature=x";
  client.call("ReceiveMessage", { QueueUrl: "there" }, { authorization });
  client.call("ReceiveMessage", { QueueUrl: `${ORIGIN}/999999999999/theirs` });
  expect([names(), names("eu-west-1")]).toEqual([["bare", "by-path"], ["there"]]);
  expect(client.broker.find({ account: "999999999999", region: "us-east-1", name: "theirs" })).toBeDefined();
});

test.each(["", "/", "no spaces", "a.b", "x".repeat(81), ".fifo", "http://localhost:9324/short/name", "//", "\u00fc"])(
  "a queue that could not be created does not exist: %j",
  (QueueUrl) => {
    expect(errorLine(client.json("SendMessage", { QueueUrl, MessageBody: "a" }))).toBe(MISSING);
    expect(names()).toEqual([]);
  },
);

test("an action fails for its own reasons in a queue that has been created for it", () => {
  expect(errorLine(client.json("SendMessage", { ...url("new"), MessageBody: "" }))).toMatch(/^400 MissingParameter/);
  expect(names()).toEqual(["new"]);
});

test("many who ask at once get one queue, and all of them their answers, in order", () => {
  client.broker.held = true;
  const asked = ["a", "b", "c"].map((MessageBody) =>
    client.start(jsonRequest("SendMessage", { ...url("new"), MessageBody })),
  );
  expect(client.broker.heldCount).toBe(1); // one creation
  client.broker.release();
  expect(client.broker.heldCount).toBe(3); // three sends
  client.broker.held = false;
  for (let i = 0; i < 3; i++) client.broker.release();
  expect(asked.map(({ replies }) => replies[0]?.status)).toEqual([200, 200, 200]);
  const received = client.call("ReceiveMessage", { ...url("new"), MaxNumberOfMessages: 10 });
  expect((received["Messages"] as Json[]).map(({ Body }) => Body)).toEqual(["a", "b", "c"]);
});

test("a client that goes while its queue is being created asks for nothing more", () => {
  client.broker.held = true;
  const { replies, cancel } = client.start(jsonRequest("SendMessage", { ...url("new"), MessageBody: "a" }));
  cancel?.();
  client.broker.release();
  expect([client.broker.heldCount, replies.length]).toEqual([0, 0]);
  expect(names()).toEqual(["new"]);
});

test("with AWS's waits a name that was let go is not taken again by itself", () => {
  client.call("SendMessage", { ...url("q"), MessageBody: "a" });
  client.call("DeleteQueue", url("q"));
  expect(errorLine(client.json("SendMessage", { ...url("q"), MessageBody: "a" }))).toMatch(/QueueDeletedRecently/);
  client.clock.advance(60_000);
  client.call("SendMessage", { ...url("q"), MessageBody: "a" });
});

test("what fails inside is told, and the client answered", () => {
  client.broker.next = { throws: new Error("memory") };
  expect(errorLine(client.json("SendMessage", { ...url("new"), MessageBody: "a" }))).toMatch(/^500 InternalFailure/);
  expect(client.faults).toEqual([new Error("memory")]);
});

test("a target of dead letters is not created: a typing error would lose them", () => {
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: arnOf("dead"), maxReceiveCount: 1 });
  const input = { QueueName: "new", Attributes: { RedrivePolicy } };
  expect(errorLine(client.json("CreateQueue", input))).toMatch(/Dead letter target does not exist/);
});

test("without the option nothing is created", () => {
  client = new SqsClient();
  expect(errorLine(client.json("SendMessage", { ...url("new"), MessageBody: "a" }))).toBe(MISSING);
});

test("queue URLs begin with the public URL if there is one, with the caller's host otherwise", () => {
  expect(client.call("GetQueueUrl", { QueueName: "q" })).toEqual({ QueueUrl: urlOf("q") });
  client = new SqsClient({ autoCreateQueues: true, publicUrl: "https://queues.example.org:8443" });
  expect(client.call("GetQueueUrl", { QueueName: "q" })).toEqual({
    QueueUrl: `https://queues.example.org:8443/${ACCOUNT}/q`,
  });
});
