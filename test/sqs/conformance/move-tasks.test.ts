// Message move tasks: StartMessageMoveTask, ListMessageMoveTasks, CancelMessageMoveTask. Reference 2.16 to 2.18.
import { expect } from "vitest";
import { conformance, type Given, scenario, useBroker } from "../../support/conformance.ts";
import type { Service } from "../../support/service.ts";
import type { Json } from "../../support/sqs-client.ts";

useBroker();

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const invalid = (text: string): string => `400 InvalidParameterValue | ${text}`;
const missing = (parameter: string): string =>
  `400 MissingParameter | The request must contain the parameter ${parameter}.`;
const noQueue = (parameter: string): string =>
  `404 ResourceNotFoundException | The resource that you specified for the ${parameter} parameter doesn't exist.`;
const format = (parameter: string): string =>
  invalid(
    `You must use this format to specify the ${parameter}: arn:<partition>:<service>:<region>:<account-id>:<resource-id>`,
  );
const RATE = invalid(
  "Value for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: You must enter a number that's between 1 and 500.",
);
const MAX_RESULTS = invalid(
  "Value for parameter MaxResults is invalid. Reason: You must enter a number that's between 1 and 10.",
);
const HANDLE = invalid("Value for parameter TaskHandle is invalid.");
const RUNNING = invalid(
  "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
);

const redriveTo = (sqs: Service, name: string, maxReceiveCount = 1): string =>
  JSON.stringify({ deadLetterTargetArn: sqs.arn(name), maxReceiveCount });
const GIVEN: readonly Given[] = [
  ["CreateQueue", { QueueName: "dead" }],
  ["CreateQueue", (sqs) => ({ QueueName: "main", Attributes: { RedrivePolicy: redriveTo(sqs, "dead") } })],
  ["CreateQueue", { QueueName: "dead.fifo", Attributes: { FifoQueue: "true" } }],
  [
    "CreateQueue",
    (sqs) => ({
      QueueName: "main.fifo",
      Attributes: { FifoQueue: "true", RedrivePolicy: redriveTo(sqs, "dead.fifo") },
    }),
  ],
];
const start =
  (of: (sqs: Service) => Json) =>
  (sqs: Service): Json => ({ SourceArn: sqs.arn("dead"), ...of(sqs) });
const handleOf = (content: unknown): string => Buffer.from(JSON.stringify(content)).toString("base64");
const TASK_ID = "11111111-2222-4333-8444-555555555555";

conformance("StartMessageMoveTask refuses", GIVEN, [
  ["no source", "StartMessageMoveTask", {}, missing("SourceArn")],
  ["an empty source", "StartMessageMoveTask", { SourceArn: "" }, missing("SourceArn")],
  ["a source that is no ARN", "StartMessageMoveTask", { SourceArn: "dead" }, format("SourceArn")],
  ["a source that is a URL", "StartMessageMoveTask", (sqs) => ({ SourceArn: sqs.url("dead") }), format("SourceArn")],
  ["an unknown source", "StartMessageMoveTask", (sqs) => ({ SourceArn: sqs.arn("nobody") }), noQueue("SourceArn")],
  [
    "a source in another region",
    "StartMessageMoveTask",
    (sqs) => ({ SourceArn: sqs.in("eu-west-1").arn("dead") }),
    noQueue("SourceArn"),
  ],
  [
    "a source that is nobody's dead-letter queue",
    "StartMessageMoveTask",
    (sqs) => ({ SourceArn: sqs.arn("main") }),
    invalid("Source queue must be configured as a Dead Letter Queue."),
  ],
  [
    "a destination that is no ARN",
    "StartMessageMoveTask",
    start(() => ({ DestinationArn: "main" })),
    format("DestinationArn"),
  ],
  ["an empty destination", "StartMessageMoveTask", start(() => ({ DestinationArn: "" })), format("DestinationArn")],
  [
    "an unknown destination",
    "StartMessageMoveTask",
    start((sqs) => ({ DestinationArn: sqs.arn("nobody") })),
    noQueue("DestinationArn"),
  ],
  [
    "the source as destination",
    "StartMessageMoveTask",
    start((sqs) => ({ DestinationArn: sqs.arn("dead") })),
    invalid("Source queue arn and destination queue arn cannot be the same."),
  ],
  [
    "a destination of the other type",
    "StartMessageMoveTask",
    start((sqs) => ({ DestinationArn: sqs.arn("main.fifo") })),
    invalid("The source queue and destination queue must be of the same queue type."),
  ],
  ["a rate of 0", "StartMessageMoveTask", start(() => ({ MaxNumberOfMessagesPerSecond: 0 })), RATE],
  ["a rate of 501", "StartMessageMoveTask", start(() => ({ MaxNumberOfMessagesPerSecond: 501 })), RATE],
]);

conformance("ListMessageMoveTasks", GIVEN, [
  ["no source", "ListMessageMoveTasks", {}, missing("SourceArn")],
  ["a source that is no ARN", "ListMessageMoveTasks", { SourceArn: "dead" }, format("SourceArn")],
  ["an unknown source", "ListMessageMoveTasks", (sqs) => ({ SourceArn: sqs.arn("nobody") }), noQueue("SourceArn")],
  ["no results are possible", "ListMessageMoveTasks", start(() => ({ MaxResults: 0 })), MAX_RESULTS],
  ["more than ten results", "ListMessageMoveTasks", start(() => ({ MaxResults: 11 })), MAX_RESULTS],
  ["a source that never had a task", "ListMessageMoveTasks", start(() => ({ MaxResults: 10 })), {}],
]);

conformance("CancelMessageMoveTask refuses", GIVEN, [
  ["no handle", "CancelMessageMoveTask", {}, missing("TaskHandle")],
  ["an empty handle", "CancelMessageMoveTask", { TaskHandle: "" }, missing("TaskHandle")],
  ["what is not base64 of JSON", "CancelMessageMoveTask", { TaskHandle: "foobared" }, HANDLE],
  [
    "a handle without a task",
    "CancelMessageMoveTask",
    (sqs) => ({ TaskHandle: handleOf({ sourceArn: sqs.arn("dead") }) }),
    HANDLE,
  ],
  ["a handle without a source", "CancelMessageMoveTask", { TaskHandle: handleOf({ taskId: TASK_ID }) }, HANDLE],
  [
    "an unknown source",
    "CancelMessageMoveTask",
    (sqs) => ({ TaskHandle: handleOf({ taskId: TASK_ID, sourceArn: sqs.arn("nobody") }) }),
    noQueue("SourceArn"),
  ],
  [
    "an unknown task",
    "CancelMessageMoveTask",
    (sqs) => ({ TaskHandle: handleOf({ taskId: TASK_ID, sourceArn: sqs.arn("dead") }) }),
    "404 ResourceNotFoundException | Task does not exist.",
  ],
]);

interface Task extends Json {
  readonly Status: string;
  readonly ApproximateNumberOfMessagesMoved: number;
}

async function tasks(sqs: Service, source: string, MaxResults = 10): Promise<readonly Task[]> {
  const output = await sqs.call("ListMessageMoveTasks", { SourceArn: sqs.arn(source), MaxResults });
  return (output["Results"] ?? []) as readonly Task[];
}

/** Waits until the newest task has ended. */
async function ended(sqs: Service, source: string): Promise<Task> {
  for (;;) {
    const [task] = await tasks(sqs, source, 1);
    if (task !== undefined && task.Status !== "RUNNING" && task.Status !== "CANCELLING") return task;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

interface Message extends Json {
  readonly MessageId: string;
  readonly Body: string;
  readonly ReceiptHandle: string;
  readonly Attributes: { readonly [name: string]: string };
}

async function receive(sqs: Service, name: string): Promise<readonly Message[]> {
  const output = await sqs.call("ReceiveMessage", {
    QueueUrl: sqs.url(name),
    MaxNumberOfMessages: 10,
    MessageSystemAttributeNames: ["All"],
    MessageAttributeNames: ["All"],
  });
  return (output["Messages"] ?? []) as readonly Message[];
}

async function given(sqs: Service): Promise<void> {
  for (const [action, input] of GIVEN) await sqs.call(action, typeof input === "function" ? input(sqs) : input);
}

/** Receives once with no visibility timeout, and once more: then it is with the dead letters. */
async function fail(sqs: Service, name: string): Promise<void> {
  for (let i = 0; i < 2; i++) {
    await sqs.call("ReceiveMessage", { QueueUrl: sqs.url(name), MaxNumberOfMessages: 10, VisibilityTimeout: 0 });
  }
}

scenario("a task's handle names it and its source, and the listing has what it was started with", async (sqs) => {
  await given(sqs);
  const beforeMs = Date.now();
  for (const MessageBody of ["a", "b", "c"]) await sqs.call("SendMessage", { QueueUrl: sqs.url("dead"), MessageBody });
  const input = {
    SourceArn: sqs.arn("dead"),
    DestinationArn: sqs.arn("main"),
    MaxNumberOfMessagesPerSecond: 1,
  };
  const { TaskHandle } = await sqs.call("StartMessageMoveTask", input);
  const text = Buffer.from(String(TaskHandle), "base64").toString();
  const { taskId, ...rest } = JSON.parse(text) as Json;
  expect(taskId).toMatch(UUID);
  expect(rest).toEqual({ sourceArn: sqs.arn("dead") });
  expect(text).toBe(JSON.stringify({ taskId, ...rest }));

  const [task] = await tasks(sqs, "dead");
  const { StartedTimestamp, ...listed } = task as Json;
  expect(StartedTimestamp).toBeGreaterThanOrEqual(beforeMs - 1_000);
  expect(StartedTimestamp).toBeLessThanOrEqual(Date.now() + 1_000);
  expect(listed).toEqual({
    TaskHandle,
    Status: "RUNNING",
    ...input,
    ApproximateNumberOfMessagesMoved: expect.any(Number),
    ApproximateNumberOfMessagesToMove: 3,
  });
  expect(await sqs.refusal("StartMessageMoveTask", { SourceArn: sqs.arn("dead") })).toBe(RUNNING);
  expect(await ended(sqs, "dead")).toEqual({
    Status: "COMPLETED",
    ...input,
    ApproximateNumberOfMessagesMoved: 3,
    ApproximateNumberOfMessagesToMove: 3,
    StartedTimestamp,
  });
});

scenario("a message goes back as a new one: what it says is kept, what happened to it is not", async (sqs) => {
  await given(sqs);
  await sqs.call("SendMessage", {
    QueueUrl: sqs.url("main"),
    MessageBody: "kept",
    MessageAttributes: { colour: { DataType: "String", StringValue: "blue" } },
    MessageSystemAttributes: {
      AWSTraceHeader: { DataType: "String", StringValue: "Root=1-5759e988-bd862e3fe1be46a994272793" },
    },
  });
  await fail(sqs, "main");
  const [dead] = await receive(sqs, "dead");
  expect(dead?.Attributes).toMatchObject({ ApproximateReceiveCount: "2", DeadLetterQueueSourceArn: sqs.arn("main") });
  await sqs.call("ChangeMessageVisibility", {
    QueueUrl: sqs.url("dead"),
    ReceiptHandle: dead?.ReceiptHandle,
    VisibilityTimeout: 0,
  });
  await new Promise((resolve) => setTimeout(resolve, 5)); // so that the times differ
  await sqs.call("StartMessageMoveTask", { SourceArn: sqs.arn("dead") });
  const task = await ended(sqs, "dead");
  expect(task).toMatchObject({ Status: "COMPLETED", ApproximateNumberOfMessagesMoved: 1 });
  expect(Object.keys(task)).not.toContain("DestinationArn");
  expect(Object.keys(task)).not.toContain("MaxNumberOfMessagesPerSecond");

  const [moved] = await receive(sqs, "main");
  expect(moved?.MessageId).toMatch(UUID);
  expect(moved?.MessageId).not.toBe(dead?.MessageId);
  const kept = ["Body", "MD5OfBody", "MD5OfMessageAttributes", "MessageAttributes"];
  for (const name of kept) expect(moved?.[name], name).toEqual(dead?.[name]);
  expect(moved?.Attributes["ApproximateReceiveCount"]).toBe("1");
  expect(moved?.Attributes["AWSTraceHeader"]).toBe(dead?.Attributes["AWSTraceHeader"]);
  expect(moved?.Attributes["SenderId"]).toBe(dead?.Attributes["SenderId"]);
  expect(moved?.Attributes["DeadLetterQueueSourceArn"]).toBeUndefined();
  expect(Number(moved?.Attributes["SentTimestamp"])).toBeGreaterThan(Number(dead?.Attributes["SentTimestamp"]));

  // It can fail, and be moved, again.
  const QueueUrl = sqs.url("main");
  await sqs.call("ChangeMessageVisibility", { QueueUrl, ReceiptHandle: moved?.ReceiptHandle, VisibilityTimeout: 0 });
  await sqs.call("ReceiveMessage", { QueueUrl });
  const [again] = await receive(sqs, "dead");
  expect(again).toMatchObject({ MessageId: moved?.MessageId, Body: "kept" });
  expect(again?.Attributes).toMatchObject({ ApproximateReceiveCount: "2", DeadLetterQueueSourceArn: sqs.arn("main") });
});

scenario("FIFO: group and order stay, sequence numbers are new, deduplication drops nothing", async (sqs) => {
  await given(sqs);
  const QueueUrl = sqs.url("main.fifo");
  for (const [body, group] of [
    ["a", "g1"],
    ["b", "g1"],
    ["x", "g2"],
  ]) {
    await sqs.call("SendMessage", { QueueUrl, MessageBody: body, MessageGroupId: group, MessageDeduplicationId: body });
  }
  await fail(sqs, "main.fifo");
  await sqs.call("StartMessageMoveTask", { SourceArn: sqs.arn("dead.fifo") });
  expect(await ended(sqs, "dead.fifo")).toMatchObject({ Status: "COMPLETED", ApproximateNumberOfMessagesMoved: 3 });
  const messages = await receive(sqs, "main.fifo");
  expect(messages.map(({ Body, Attributes }) => [Body, Attributes["MessageGroupId"]])).toEqual([
    ["a", "g1"],
    ["b", "g1"],
    ["x", "g2"],
  ]);
  const sequences = messages.map(({ Attributes }) => String(Attributes["SequenceNumber"]));
  expect(sequences).toEqual([...sequences].sort());
  expect(messages.map(({ Attributes }) => Attributes["MessageDeduplicationId"])).toEqual(
    messages.map(({ MessageId }) => MessageId),
  );
  const Entries = messages.map(({ ReceiptHandle }, i) => ({ Id: `m${i}`, ReceiptHandle }));
  expect((await sqs.call("DeleteMessageBatch", { QueueUrl, Entries }))["Successful"]).toHaveLength(3);
});

scenario("a message that was sent to the dead-letter queue has no source", async (sqs) => {
  await given(sqs);
  await sqs.call("SendMessage", { QueueUrl: sqs.url("dead"), MessageBody: "direct" });
  await sqs.call("StartMessageMoveTask", { SourceArn: sqs.arn("dead") });
  const { StartedTimestamp, ...task } = await ended(sqs, "dead");
  expect(StartedTimestamp).toEqual(expect.any(Number));
  expect(task).toEqual({
    Status: "FAILED",
    SourceArn: sqs.arn("dead"),
    ApproximateNumberOfMessagesMoved: 0,
    ApproximateNumberOfMessagesToMove: 1,
    FailureReason: "CouldNotDetermineMessageSource",
  });
  expect(await receive(sqs, "dead")).toMatchObject([{ Body: "direct" }]);
});

scenario("a destination that is deleted while the task runs fails it", async (sqs) => {
  await given(sqs);
  await sqs.call("CreateQueue", { QueueName: "third" });
  for (const MessageBody of ["a", "b", "c"]) await sqs.call("SendMessage", { QueueUrl: sqs.url("dead"), MessageBody });
  const DestinationArn = sqs.arn("third");
  await sqs.call("StartMessageMoveTask", {
    SourceArn: sqs.arn("dead"),
    DestinationArn,
    MaxNumberOfMessagesPerSecond: 2,
  });
  await sqs.call("DeleteQueue", { QueueUrl: sqs.url("third") });
  expect(await ended(sqs, "dead")).toMatchObject({
    Status: "FAILED",
    DestinationArn,
    FailureReason: "AWS.SimpleQueueService.NonExistentQueue",
  });
  expect((await receive(sqs, "dead")).length).toBeGreaterThanOrEqual(2);
});

scenario("a cancelled task tells how far it came, and its handle is not shown again", async (sqs) => {
  await given(sqs);
  for (const MessageBody of ["a", "b", "c"]) await sqs.call("SendMessage", { QueueUrl: sqs.url("dead"), MessageBody });
  const input = { SourceArn: sqs.arn("dead"), DestinationArn: sqs.arn("main"), MaxNumberOfMessagesPerSecond: 1 };
  const { TaskHandle } = await sqs.call("StartMessageMoveTask", input);
  while ((await tasks(sqs, "dead"))[0]?.ApproximateNumberOfMessagesMoved === 0) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const cancelled = await sqs.call("CancelMessageMoveTask", { TaskHandle });
  const { ApproximateNumberOfMessagesMoved: movedCount } = cancelled;
  expect(Object.keys(cancelled)).toEqual(["ApproximateNumberOfMessagesMoved"]);
  expect(movedCount).toBeGreaterThan(0);
  const [task] = await tasks(sqs, "dead");
  expect(task).toMatchObject({ Status: "CANCELLED", ...cancelled });
  expect(Object.keys(task ?? {})).not.toContain("TaskHandle");
  expect(await sqs.refusal("CancelMessageMoveTask", { TaskHandle })).toBe(
    invalid("Only active tasks can be cancelled."),
  );
  expect(await receive(sqs, "main")).toHaveLength(Number(movedCount));
  expect(await receive(sqs, "dead")).toHaveLength(3 - Number(movedCount));
});

scenario("the listing is newest first, one by default and ten at most", async (sqs) => {
  await given(sqs);
  for (let i = 0; i < 11; i++) {
    if (i % 2 === 0) await sqs.call("SendMessage", { QueueUrl: sqs.url("dead"), MessageBody: `m${i}` });
    await sqs.call("StartMessageMoveTask", { SourceArn: sqs.arn("dead"), DestinationArn: sqs.arn("main") });
    await ended(sqs, "dead");
  }
  const all = await tasks(sqs, "dead");
  expect(all.map((task) => task.ApproximateNumberOfMessagesMoved)).toEqual([1, 0, 1, 0, 1, 0, 1, 0, 1, 0]);
  const output = await sqs.call("ListMessageMoveTasks", { SourceArn: sqs.arn("dead") });
  expect(output["Results"]).toEqual(all.slice(0, 1));
});

scenario(
  "the destination's delay counts for what is moved, as for what is sent",
  async (sqs) => {
    await given(sqs);
    await sqs.call("CreateQueue", { QueueName: "later", Attributes: { DelaySeconds: "2" } });
    await sqs.call("SendMessage", { QueueUrl: sqs.url("dead"), MessageBody: "a" });
    await sqs.call("StartMessageMoveTask", { SourceArn: sqs.arn("dead"), DestinationArn: sqs.arn("later") });
    expect(await ended(sqs, "dead")).toMatchObject({ Status: "COMPLETED", ApproximateNumberOfMessagesMoved: 1 });
    expect(await receive(sqs, "later")).toEqual([]);
    const waited = await sqs.call("ReceiveMessage", { QueueUrl: sqs.url("later"), WaitTimeSeconds: 5 });
    expect(waited["Messages"]).toMatchObject([{ Body: "a" }]);
  },
  "assembly/lifecycle.ts reissue",
);

scenario(
  "an account has a hundred active tasks",
  async (sqs) => {
    const names = Array.from({ length: 101 }, (_, i) => `dead-${i}`);
    await sqs.call("CreateQueue", { QueueName: "elsewhere" });
    const prepare = async (name: string): Promise<void> => {
      await sqs.call("CreateQueue", { QueueName: name });
      const Attributes = { RedrivePolicy: redriveTo(sqs, name) };
      await sqs.call("CreateQueue", { QueueName: `main-${name}`, Attributes });
      const Entries = ["a", "b", "c", "d", "e"].map((Id) => ({ Id, MessageBody: Id }));
      await sqs.call("SendMessageBatch", { QueueUrl: sqs.url(name), Entries });
    };
    await Promise.all(names.map(prepare));
    const ask = { DestinationArn: sqs.arn("elsewhere"), MaxNumberOfMessagesPerSecond: 1 };
    const answers = await Promise.all(
      names.map((name) => sqs.ask("StartMessageMoveTask", { SourceArn: sqs.arn(name), ...ask })),
    );
    const refused = answers.filter(({ status }) => status !== 200);
    expect(refused.map(({ refusal }) => refusal)).toEqual([
      "403 OverLimit | The account has 100 active message move tasks, and no more are allowed at a given time.",
    ]);
  },
  "src/sqs/actions/start-message-move-task.ts MOVE_TASK_COUNT_MAX",
);
