// The AWS SDK for JavaScript v3, unchanged, against the running process: every action it has.
import * as sdk from "@aws-sdk/client-sqs";
import {
  AddPermissionCommand,
  CancelMessageMoveTaskCommand,
  ChangeMessageVisibilityBatchCommand,
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListDeadLetterSourceQueuesCommand,
  ListMessageMoveTasksCommand,
  ListQueuesCommand,
  ListQueueTagsCommand,
  PurgeQueueCommand,
  paginateListDeadLetterSourceQueues,
  QueueDoesNotExist,
  ReceiveMessageCommand,
  RemovePermissionCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SetQueueAttributesCommand,
  SQSClient,
  StartMessageMoveTaskCommand,
  TagQueueCommand,
  UntagQueueCommand,
} from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fileBroker } from "../support/file-broker.ts";

const broker = fileBroker();
const called = new Set<string>();
let client: SQSClient;

beforeAll(() => {
  client = new SQSClient({
    endpoint: broker.endpoint,
    region: "eu-west-1",
    credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" },
  });
  client.middlewareStack.add(
    (next, context) => (args) => {
      called.add(context.commandName ?? "");
      return next(args);
    },
    { step: "initialize" },
  );
});

afterAll(() => client.destroy());

async function createQueue(name: string, attributes: Record<string, string> = {}): Promise<string> {
  const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }));
  if (QueueUrl === undefined) throw new Error("no QueueUrl");
  return QueueUrl;
}

async function arnOf(queueUrl: string): Promise<string> {
  const answer = await client.send(new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ["QueueArn"] }));
  return answer.Attributes?.["QueueArn"] ?? "";
}

test("a queue's life: create, find, list, attributes, tags, delete", async () => {
  const url = await createQueue("life", { VisibilityTimeout: "7" });
  expect(url).toBe(`${broker.endpoint}/000000000000/life`);
  expect((await client.send(new GetQueueUrlCommand({ QueueName: "life" }))).QueueUrl).toBe(url);
  expect((await client.send(new ListQueuesCommand({ QueueNamePrefix: "li" }))).QueueUrls).toEqual([url]);
  expect(await arnOf(url)).toBe("arn:aws:sqs:eu-west-1:000000000000:life");
  await client.send(new SetQueueAttributesCommand({ QueueUrl: url, Attributes: { DelaySeconds: "3" } }));
  const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ["All"] }));
  expect(Attributes).toMatchObject({ VisibilityTimeout: "7", DelaySeconds: "3", SqsManagedSseEnabled: "true" });
  await client.send(new TagQueueCommand({ QueueUrl: url, Tags: { team: "a", cost: "b" } }));
  await client.send(new UntagQueueCommand({ QueueUrl: url, TagKeys: ["cost"] }));
  expect((await client.send(new ListQueueTagsCommand({ QueueUrl: url }))).Tags).toEqual({ team: "a" });
  await client.send(new DeleteQueueCommand({ QueueUrl: url }));
  await expect(client.send(new GetQueueUrlCommand({ QueueName: "life" }))).rejects.toBeInstanceOf(QueueDoesNotExist);
});

test("messages with attributes go and come back, their digests checked by the SDK", async () => {
  const url = await createQueue("messages");
  const body = 'tab\t, quote ", CR\r, snow \u2603, and \u{1f600}';
  const sent = await client.send(
    new SendMessageCommand({
      QueueUrl: url,
      MessageBody: body,
      MessageAttributes: {
        color: { DataType: "String", StringValue: "blue" },
        blob: { DataType: "Binary", BinaryValue: new Uint8Array([1, 2, 3]) },
        count: { DataType: "Number", StringValue: "3" },
      },
    }),
  );
  expect(sent.MD5OfMessageAttributes).toBe("d838729972a4b70e2d2acd9d59ac847c");
  const received = await client.send(
    new ReceiveMessageCommand({
      QueueUrl: url,
      MessageAttributeNames: ["All"],
      MessageSystemAttributeNames: ["All"],
      WaitTimeSeconds: 1,
    }),
  );
  const message = received.Messages?.[0];
  expect(message).toMatchObject({ MessageId: sent.MessageId, Body: body, MD5OfBody: sent.MD5OfMessageBody });
  expect(message?.MessageAttributes?.["blob"]?.BinaryValue).toEqual(new Uint8Array([1, 2, 3]));
  expect(message?.Attributes).toMatchObject({ ApproximateReceiveCount: "1" });
  await client.send(
    new ChangeMessageVisibilityCommand({ QueueUrl: url, ReceiptHandle: message?.ReceiptHandle, VisibilityTimeout: 0 }),
  );
  const again = await client.send(new ReceiveMessageCommand({ QueueUrl: url }));
  expect(again.Messages?.[0]?.MessageId).toBe(sent.MessageId);
  await client.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: again.Messages?.[0]?.ReceiptHandle }));
  expect((await client.send(new ReceiveMessageCommand({ QueueUrl: url }))).Messages).toBeUndefined();
});

test("a long poll returns the moment a message is sent", async () => {
  const url = await createQueue("poll");
  const waiting = client.send(new ReceiveMessageCommand({ QueueUrl: url, WaitTimeSeconds: 20 }));
  const started = performance.now();
  await client.send(new SendMessageCommand({ QueueUrl: url, MessageBody: "now" }));
  expect((await waiting).Messages?.[0]?.Body).toBe("now");
  expect(performance.now() - started).toBeLessThan(10_000);
});

test("batches, purge, and a body of exactly 1 MiB", async () => {
  const url = await createQueue("batches");
  const entries = Array.from({ length: 10 }, (_, i) => ({ Id: `m${i}`, MessageBody: `body ${i}` }));
  const { Successful } = await client.send(new SendMessageBatchCommand({ QueueUrl: url, Entries: entries }));
  expect(Successful?.map((each) => each.Id)).toEqual(entries.map((each) => each.Id));
  const { Messages } = await client.send(new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10 }));
  expect(Messages?.map((each) => each.Body)).toEqual(entries.map((each) => each.MessageBody));
  const deleted = await client.send(
    new DeleteMessageBatchCommand({
      QueueUrl: url,
      Entries: Messages?.map((each, i) => ({ Id: `d${i}`, ReceiptHandle: each.ReceiptHandle })),
    }),
  );
  expect(deleted.Successful).toHaveLength(10);
  const large = "x".repeat(1_048_576);
  await client.send(new SendMessageCommand({ QueueUrl: url, MessageBody: large }));
  const back = await client.send(new ReceiveMessageCommand({ QueueUrl: url, VisibilityTimeout: 0 }));
  expect(back.Messages?.[0]?.Body).toBe(large);
  await client.send(new PurgeQueueCommand({ QueueUrl: url }));
  expect((await client.send(new ReceiveMessageCommand({ QueueUrl: url }))).Messages).toBeUndefined();
});

test("FIFO: a group is held while one receiver has it, and a duplicate gets the first answer", async () => {
  const url = await createQueue("held.fifo", { FifoQueue: "true" });
  const one = { QueueUrl: url, MessageGroupId: "g", MessageDeduplicationId: "1", MessageBody: "first" };
  const first = await client.send(new SendMessageCommand(one));
  await client.send(new SendMessageCommand({ ...one, MessageDeduplicationId: "2", MessageBody: "second" }));
  const again = await client.send(new SendMessageCommand({ ...one, MessageBody: "first, once more" }));
  expect([again.MessageId, again.SequenceNumber]).toEqual([first.MessageId, first.SequenceNumber]);
  const { Messages } = await client.send(new ReceiveMessageCommand({ QueueUrl: url }));
  expect(Messages?.map((each) => each.Body)).toEqual(["first"]);
  expect((await client.send(new ReceiveMessageCommand({ QueueUrl: url }))).Messages).toBeUndefined();
  await client.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: Messages?.[0]?.ReceiptHandle }));
  const next = await client.send(new ReceiveMessageCommand({ QueueUrl: url }));
  expect(next.Messages?.map((each) => each.Body)).toEqual(["second"]);
});

test("FIFO: a receive that is asked again under its attempt id gets the same messages and handles", async () => {
  const url = await createQueue("attempts.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true" });
  await client.send(new SendMessageCommand({ QueueUrl: url, MessageGroupId: "g", MessageBody: "once" }));
  const receive = { QueueUrl: url, ReceiveRequestAttemptId: "attempt-1" };
  const first = await client.send(new ReceiveMessageCommand(receive));
  const again = await client.send(new ReceiveMessageCommand(receive));
  expect(first.Messages).toHaveLength(1);
  expect(again.Messages).toEqual(first.Messages);
});

test("visibility in batches, and what of a batch fails", async () => {
  const url = await createQueue("visibility");
  const entries = ["a", "b"].map((each) => ({ Id: each, MessageBody: each }));
  await client.send(new SendMessageBatchCommand({ QueueUrl: url, Entries: entries }));
  const { Messages = [] } = await client.send(new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10 }));
  const [a, b] = Messages.map((each) => each.ReceiptHandle);
  const changed = await client.send(
    new ChangeMessageVisibilityBatchCommand({
      QueueUrl: url,
      Entries: [
        { Id: "now", ReceiptHandle: a, VisibilityTimeout: 0 },
        { Id: "later", ReceiptHandle: b, VisibilityTimeout: 600 },
        { Id: "foreign", ReceiptHandle: "nonsense", VisibilityTimeout: 0 },
        { Id: "long", ReceiptHandle: b, VisibilityTimeout: 43_201 },
      ],
    }),
  );
  expect(changed.Successful?.map((each) => each.Id)).toEqual(["now", "later"]);
  expect(changed.Failed).toMatchObject([
    { Id: "foreign", Code: "ReceiptHandleIsInvalid", SenderFault: true },
    { Id: "long", Code: "InvalidParameterValue", SenderFault: true },
  ]);
  const next = await client.send(new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10 }));
  expect(next.Messages?.map((each) => each.Body)).toEqual(["a"]);
});

test("permissions are statements of the policy", async () => {
  const url = await createQueue("shared");
  const policyOf = async () =>
    (await client.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ["Policy"] }))).Attributes?.[
      "Policy"
    ];
  const add = { QueueUrl: url, AWSAccountIds: ["111122223333"], Actions: ["SendMessage", "ReceiveMessage"] };
  await client.send(new AddPermissionCommand({ ...add, Label: "first" }));
  await client.send(new AddPermissionCommand({ ...add, Label: "second", Actions: ["*"] }));
  await expect(client.send(new AddPermissionCommand({ ...add, Label: "first" }))).rejects.toMatchObject({
    name: "InvalidParameterValue",
    message: "Value first for parameter Label is invalid. Reason: Already exists.",
  });
  expect(JSON.parse((await policyOf()) ?? "").Statement).toMatchObject([
    { Sid: "first", Action: ["SQS:SendMessage", "SQS:ReceiveMessage"] },
    { Sid: "second", Action: "SQS:*" },
  ]);
  await client.send(new RemovePermissionCommand({ QueueUrl: url, Label: "first" }));
  expect(JSON.parse((await policyOf()) ?? "").Statement).toMatchObject([{ Sid: "second" }]);
  await client.send(new RemovePermissionCommand({ QueueUrl: url, Label: "second" }));
  expect(await policyOf()).toBeUndefined();
});

/** A dead-letter queue with `count` messages in it, each from a queue of its own. */
async function deadLetters(name: string, count: number): Promise<{ url: string; arn: string; sources: string[] }> {
  const url = await createQueue(name);
  const arn = await arnOf(url);
  const redrive = JSON.stringify({ deadLetterTargetArn: arn, maxReceiveCount: 1 });
  const sources: string[] = [];
  for (let i = 0; i < count; i++) {
    const source = await createQueue(`${name}-source-${i}`, { RedrivePolicy: redrive, VisibilityTimeout: "0" });
    await client.send(new SendMessageCommand({ QueueUrl: source, MessageBody: `letter ${i}` }));
    for (let receives = 0; receives < 2; receives++) {
      await client.send(new ReceiveMessageCommand({ QueueUrl: source }));
    }
    sources.push(source);
  }
  return { url, arn, sources };
}

async function moveTaskOf(SourceArn: string): Promise<sdk.ListMessageMoveTasksResultEntry> {
  for (;;) {
    const { Results } = await client.send(new ListMessageMoveTasksCommand({ SourceArn, MaxResults: 10 }));
    const [newest] = Results ?? [];
    if (newest === undefined) throw new Error("no move task");
    if (newest.Status !== "RUNNING" && newest.Status !== "CANCELLING") return newest;
    await new Promise((later) => setTimeout(later, 20));
  }
}

test("dead letters: their sources page by page, and the way back to each of them", async () => {
  const { url, arn, sources } = await deadLetters("letters", 3);
  const listed = await client.send(new ListDeadLetterSourceQueuesCommand({ QueueUrl: url }));
  expect(listed.queueUrls).toEqual(sources);
  const pages: (string[] | undefined)[] = [];
  for await (const page of paginateListDeadLetterSourceQueues({ client, pageSize: 2 }, { QueueUrl: url })) {
    pages.push(page.queueUrls);
  }
  expect(pages).toEqual([sources.slice(0, 2), sources.slice(2)]);
  const { TaskHandle } = await client.send(new StartMessageMoveTaskCommand({ SourceArn: arn }));
  expect(JSON.parse(Buffer.from(TaskHandle ?? "", "base64").toString())).toMatchObject({ sourceArn: arn });
  const task = await moveTaskOf(arn);
  expect(task).toMatchObject({ Status: "COMPLETED", SourceArn: arn, ApproximateNumberOfMessagesMoved: 3 });
  expect(task.TaskHandle).toBeUndefined();
  for (const [i, source] of sources.entries()) {
    const { Messages } = await client.send(new ReceiveMessageCommand({ QueueUrl: source, WaitTimeSeconds: 5 }));
    expect(Messages?.map((each) => each.Body)).toEqual([`letter ${i}`]);
  }
});

test("a move task is cancelled, and its errors are the SDK's classes", async () => {
  const { url, arn } = await deadLetters("slow", 1);
  for (let i = 0; i < 5; i++) await client.send(new SendMessageCommand({ QueueUrl: url, MessageBody: `direct ${i}` }));
  const target = await createQueue("slow-target");
  const start = { SourceArn: arn, DestinationArn: await arnOf(target), MaxNumberOfMessagesPerSecond: 1 };
  const { TaskHandle } = await client.send(new StartMessageMoveTaskCommand(start));
  await expect(client.send(new StartMessageMoveTaskCommand(start))).rejects.toMatchObject({
    name: "InvalidParameterValue",
    message: expect.stringContaining("There is already a task running."),
  });
  const cancelled = await client.send(new CancelMessageMoveTaskCommand({ TaskHandle }));
  expect(cancelled.ApproximateNumberOfMessagesMoved).toBeLessThan(6);
  const task = await moveTaskOf(arn);
  expect(task).toMatchObject({ Status: "CANCELLED", DestinationArn: start.DestinationArn });
  const count = async (queueUrl: string) => {
    const names = ["ApproximateNumberOfMessages" as const];
    const answer = await client.send(new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: names }));
    return Number(answer.Attributes?.["ApproximateNumberOfMessages"]);
  };
  expect((await count(url)) + (await count(target))).toBe(6);
  const absent = new StartMessageMoveTaskCommand({ SourceArn: `${arn}-absent` });
  await expect(client.send(absent)).rejects.toBeInstanceOf(sdk.ResourceNotFoundException);
  await expect(client.send(new CancelMessageMoveTaskCommand({ TaskHandle }))).rejects.toMatchObject({
    message: "Only active tasks can be cancelled.",
  });
});

test("errors are the SDK's classes, with the status and the code of the service", async () => {
  const url = await createQueue("errors", { VisibilityTimeout: "5" });
  const batch = (...ids: string[]) =>
    new SendMessageBatchCommand({ QueueUrl: url, Entries: ids.map((Id) => ({ Id, MessageBody: "x" })) });
  const exists = new CreateQueueCommand({ QueueName: "errors", Attributes: { VisibilityTimeout: "6" } });
  const unknown = new CreateQueueCommand({ QueueName: "wrong", Attributes: { ["Nonsense" as "Policy"]: "" } });
  const value = new SetQueueAttributesCommand({ QueueUrl: url, Attributes: { DelaySeconds: "901" } });
  const handle = new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: "nonsense" });
  const large = ["a", "b"].map((Id) => ({ Id, MessageBody: "x".repeat(600_000) }));
  const long = new SendMessageBatchCommand({ QueueUrl: url, Entries: large });
  const list = { DataType: "String", StringListValues: ["x"] };
  const lists = new SendMessageCommand({ QueueUrl: url, MessageBody: "x", MessageAttributes: { list } });
  const contents = new SendMessageCommand({ QueueUrl: url, MessageBody: "\u0007" });
  const outcomes = await Promise.allSettled([
    client.send(new GetQueueUrlCommand({ QueueName: "absent" })),
    client.send(exists),
    client.send(unknown),
    client.send(value),
    client.send(handle),
    client.send(contents),
    client.send(batch()),
    client.send(batch(..."abcdefghijk")),
    client.send(batch("a", "a")),
    client.send(batch("not an id")),
    client.send(long),
    client.send(lists),
  ]);
  const seen = outcomes.map((outcome) => {
    if (outcome.status === "fulfilled") return "no error";
    const error = outcome.reason;
    return [error.constructor, error.$metadata.httpStatusCode, error.Code];
  });
  const prefix = "AWS.SimpleQueueService.";
  expect(seen).toEqual([
    [sdk.QueueDoesNotExist, 400, `${prefix}NonExistentQueue`],
    [sdk.QueueNameExists, 400, "QueueAlreadyExists"],
    [sdk.InvalidAttributeName, 400, "InvalidAttributeName"],
    [sdk.InvalidAttributeValue, 400, "InvalidAttributeValue"],
    [sdk.ReceiptHandleIsInvalid, 404, "ReceiptHandleIsInvalid"],
    [sdk.InvalidMessageContents, 400, "InvalidMessageContents"],
    [sdk.EmptyBatchRequest, 400, `${prefix}EmptyBatchRequest`],
    [sdk.TooManyEntriesInBatchRequest, 400, `${prefix}TooManyEntriesInBatchRequest`],
    [sdk.BatchEntryIdsNotDistinct, 400, `${prefix}BatchEntryIdsNotDistinct`],
    [sdk.InvalidBatchEntryId, 400, `${prefix}InvalidBatchEntryId`],
    [sdk.BatchRequestTooLong, 400, `${prefix}BatchRequestTooLong`],
    [sdk.UnsupportedOperation, 400, `${prefix}UnsupportedOperation`],
  ]);
});

// The last test of the file.
test("every action the SDK has was called above", () => {
  const commands = Object.keys(sdk).filter((name) => /^[A-Z]\w+Command$/.test(name));
  expect(commands).toHaveLength(23);
  expect([...called].sort()).toEqual(commands.sort());
});
