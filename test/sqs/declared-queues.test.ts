// Queues that a file names are made so at the start, and nothing else is touched.
import { beforeEach, describe, expect, test } from "vitest";
import { checkDeclaredQueue, type DeclaredQueue, declareQueues } from "../../src/sqs/declared-queues.ts";
import { ACCOUNT, arnOf, SqsClient, urlOf } from "../support/sqs-client.ts";

let client: SqsClient;
let notes: string[];

beforeEach(() => {
  client = new SqsClient();
  notes = [];
});

function declared(
  name: string,
  attributes: { readonly [name: string]: string } = {},
  tags: { readonly [key: string]: string } = {},
): DeclaredQueue {
  const place = `wasq.yaml:${name.length}`;
  return {
    account: ACCOUNT,
    region: "us-east-1",
    name,
    attributes: new Map(Object.entries(attributes)),
    tags: new Map(Object.entries(tags)),
    place,
  };
}

const declare = (...queues: readonly DeclaredQueue[]) =>
  declareQueues(client.broker, queues, (note) => notes.push(note));

const attributesOf = (name: string) =>
  client.call("GetQueueAttributes", { QueueUrl: urlOf(name), AttributeNames: ["All"] })["Attributes"];

const redrive = (target: string, maxReceiveCount: number | string = 3) =>
  JSON.stringify({ deadLetterTargetArn: arnOf(target), maxReceiveCount });

const POLICY = JSON.stringify({
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Principal: "*", Action: "SQS:SendMessage", Resource: "*" }],
});

test("what is missing is created, dead letters in any order and in a circle; once", async () => {
  const queues = [
    declared("a", { RedrivePolicy: redrive("b", "3"), VisibilityTimeout: "60" }, { team: "x" }),
    declared("b", { RedrivePolicy: redrive("a") }),
    declared("c.fifo", { ContentBasedDeduplication: "true" }),
  ];
  await declare(...queues);
  expect(attributesOf("a")).toMatchObject({ VisibilityTimeout: "60", RedrivePolicy: redrive("b") });
  expect(attributesOf("b")).toMatchObject({ RedrivePolicy: redrive("a") });
  expect(attributesOf("c.fifo")).toMatchObject({ FifoQueue: "true", ContentBasedDeduplication: "true" });
  expect(client.call("ListQueueTags", { QueueUrl: urlOf("a") })).toEqual({ Tags: { team: "x" } });
  expect(notes).toEqual([
    "Queue a was created, as wasq.yaml:1 says",
    "Queue b was created, as wasq.yaml:1 says",
    "Queue c.fifo was created, as wasq.yaml:6 says",
  ]);
  notes = [];
  await declare(...queues);
  expect(notes).toEqual([]);
});

test("what is there gets what is named, keeps the rest and its messages, and one line tells of it", async () => {
  client.createQueue("a", { VisibilityTimeout: "10", DelaySeconds: "7" });
  client.call("TagQueue", { QueueUrl: urlOf("a"), Tags: { team: "x", stage: "test" } });
  client.call("SendMessage", { QueueUrl: urlOf("a"), MessageBody: "kept", DelaySeconds: 0 });
  client.createQueue("other");
  await declare(declared("a", { VisibilityTimeout: "60" }, { team: "y" }));
  expect(notes).toEqual(["Queue a was changed, as wasq.yaml:1 says: VisibilityTimeout 10 -> 60, tag team"]);
  expect(attributesOf("a")).toMatchObject({
    VisibilityTimeout: "60",
    DelaySeconds: "7",
    ApproximateNumberOfMessages: "1",
  });
  expect(client.call("ListQueueTags", { QueueUrl: urlOf("a") })).toEqual({ Tags: { team: "y", stage: "test" } });
  expect(client.call("ListQueues", {})).toEqual({ QueueUrls: [urlOf("a"), urlOf("other")] });
});

test("dead letters may go to a queue that was there before, and a changed policy is told", async () => {
  client.createQueue("dead");
  await declare(declared("a", { RedrivePolicy: redrive("dead", 5) }));
  notes = [];
  await declare(declared("a", { RedrivePolicy: redrive("dead", 6) }));
  expect(notes).toEqual([
    `Queue a was changed, as wasq.yaml:1 says: RedrivePolicy ${redrive("dead", 5)} -> ${redrive("dead", 6)}`,
  ]);
});

test("dead letters to nowhere, or where they are not allowed, stop the start and name the place", async () => {
  await expect(declare(declared("a", { RedrivePolicy: redrive("missing") }))).rejects.toThrow(
    /^Cannot set up queue a as wasq\.yaml:1 says: .*Dead letter target does not exist/,
  );
  const closed = declared("closed", { RedriveAllowPolicy: '{"redrivePermission":"denyAll"}' });
  await expect(declare(declared("b", { RedrivePolicy: redrive("closed") }), closed)).rejects.toThrow(
    /^Cannot set up queue b as wasq\.yaml:1 says: .*does not allow the source queue/,
  );
});

describe("before the start", () => {
  const textsOf = (queue: DeclaredQueue) => checkDeclaredQueue(queue).map(({ attribute, text }) => [attribute, text]);

  test("a queue that can be has no mistakes", () => {
    const together = { DeduplicationScope: "messageGroup", FifoThroughputLimit: "perMessageGroupId" };
    expect(textsOf(declared("a.fifo", { ...together, FifoQueue: "true", RedrivePolicy: redrive("b.fifo") }))).toEqual(
      [],
    );
    expect(textsOf(declared("a", { Policy: POLICY, KmsMasterKeyId: "k" }, { a: "" }))).toEqual([]);
  });

  test("each attribute is judged by itself, then all together", () => {
    expect(
      textsOf(declared("a", { DelaySeconds: "x", VisibilityTimeout: "43201", SqsManagedSseEnabled: "?" })),
    ).toEqual([
      ["DelaySeconds", 'DelaySeconds is "x": Invalid value for the parameter DelaySeconds.'],
      ["VisibilityTimeout", 'VisibilityTimeout is "43201": Invalid value for the parameter VisibilityTimeout.'],
      ["SqsManagedSseEnabled", 'SqsManagedSseEnabled is "?": Invalid value for the parameter SqsManagedSseEnabled.'],
    ]);
    expect(textsOf(declared("a", { KmsMasterKeyId: "k", SqsManagedSseEnabled: "true" }))).toEqual([
      [undefined, expect.stringMatching(/^You can use one type of server-side encryption/)],
    ]);
    expect(textsOf(declared("a", { RedrivePolicy: redrive("b.fifo") }))).toEqual([
      ["RedrivePolicy", "the dead letters of a standard queue go to a queue of the same type"],
    ]);
    expect(textsOf(declared("a", { RedrivePolicy: redrive("b", 1001) }))).toEqual([
      ["RedrivePolicy", expect.stringMatching(/Invalid value for maxReceiveCount: 1001/)],
    ]);
  });

  test.each(["", "a.b", "x".repeat(81), ".fifo", "a b", "a/b"])("no queue is called %j", (name) => {
    expect(textsOf(declared(name, { Nonsense: "x" }))).toHaveLength(1);
  });
});
