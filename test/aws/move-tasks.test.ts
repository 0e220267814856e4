// Message move tasks as the public JavaScript SDK sees them.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CancelMessageMoveTaskCommand,
  CreateQueueCommand,
  ListMessageMoveTasksCommand,
  type ListMessageMoveTasksResultEntry,
  ReceiveMessageCommand,
  ResourceNotFoundException,
  SendMessageCommand,
  SQSClient,
  SQSServiceException,
  StartMessageMoveTaskCommand,
} from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type BrokerProcess, startBroker } from "../support/broker-process.ts";

const REGION = "ap-southeast-2";
let broker: BrokerProcess;
let client: SQSClient;
const directory = mkdtempSync(join(tmpdir(), "wasq-sdk-moves-"));

beforeAll(async () => {
  broker = await startBroker(directory);
  client = new SQSClient({
    endpoint: broker.endpoint,
    region: REGION,
    credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" },
  });
});

afterAll(async () => {
  client.destroy();
  await broker.stop("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

const arnOf = (name: string): string => `arn:aws:sqs:${REGION}:000000000000:${name}`;

async function createQueue(name: string, deadLetters?: string): Promise<string> {
  const policy = { deadLetterTargetArn: deadLetters === undefined ? "" : arnOf(deadLetters), maxReceiveCount: "1" };
  const Attributes = deadLetters === undefined ? {} : { RedrivePolicy: JSON.stringify(policy) };
  const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: name, Attributes }));
  return QueueUrl ?? "";
}

async function receive(QueueUrl: string, VisibilityTimeout = 30): Promise<string[]> {
  const input = { QueueUrl, VisibilityTimeout, MaxNumberOfMessages: 10 };
  const { Messages = [] } = await client.send(new ReceiveMessageCommand(input));
  return Messages.map(({ Body = "" }) => Body);
}

async function sendAndFail(QueueUrl: string, bodies: readonly string[]): Promise<void> {
  for (const MessageBody of bodies) await client.send(new SendMessageCommand({ QueueUrl, MessageBody }));
  expect(await receive(QueueUrl, 0)).toEqual(bodies);
  expect(await receive(QueueUrl)).toEqual([]);
}

async function newest(source: string): Promise<ListMessageMoveTasksResultEntry> {
  const { Results = [] } = await client.send(new ListMessageMoveTasksCommand({ SourceArn: arnOf(source) }));
  return Results[0] as ListMessageMoveTasksResultEntry;
}

test("one task brings messages back to the two queues they failed in", async () => {
  await createQueue("dead");
  const orders = await createQueue("orders", "dead");
  const mails = await createQueue("mails", "dead");
  await sendAndFail(orders, ["o1", "o2"]);
  await sendAndFail(mails, ["m1"]);
  const { TaskHandle } = await client.send(new StartMessageMoveTaskCommand({ SourceArn: arnOf("dead") }));
  expect(TaskHandle).toMatch(/^[A-Za-z0-9+/]+=*$/);
  await vi.waitFor(async () => expect((await newest("dead")).Status).toBe("COMPLETED"), { interval: 20 });
  expect(await newest("dead")).toEqual({
    Status: "COMPLETED",
    SourceArn: arnOf("dead"),
    ApproximateNumberOfMessagesMoved: 3,
    ApproximateNumberOfMessagesToMove: 3,
    StartedTimestamp: expect.any(Number),
  });
  expect(await receive(orders)).toEqual(["o1", "o2"]);
  expect(await receive(mails)).toEqual(["m1"]);
});

test("to another queue, slowly, and then not", async () => {
  const source = await createQueue("failed");
  await createQueue("tasks", "failed");
  const elsewhere = await createQueue("elsewhere");
  for (const MessageBody of ["a", "b", "c", "d"]) {
    await client.send(new SendMessageCommand({ QueueUrl: source, MessageBody }));
  }
  const input = { SourceArn: arnOf("failed"), DestinationArn: arnOf("elsewhere"), MaxNumberOfMessagesPerSecond: 1 };
  const { TaskHandle } = await client.send(new StartMessageMoveTaskCommand(input));
  const moved = async () => (await newest("failed")).ApproximateNumberOfMessagesMoved ?? 0;
  await vi.waitFor(async () => expect(await moved()).toBeGreaterThanOrEqual(2), { timeout: 5_000, interval: 20 });
  expect(await newest("failed")).toMatchObject({ TaskHandle, Status: "RUNNING", ...input });
  const { ApproximateNumberOfMessagesMoved: movedCount } = await client.send(
    new CancelMessageMoveTaskCommand({ TaskHandle }),
  );
  expect(movedCount).toBeGreaterThanOrEqual(2);
  expect(await newest("failed")).toMatchObject({
    Status: "CANCELLED",
    ...input,
    ApproximateNumberOfMessagesMoved: movedCount,
  });
  expect(await receive(elsewhere)).toEqual(["a", "b", "c", "d"].slice(0, movedCount));
  expect(await receive(source)).toEqual(["a", "b", "c", "d"].slice(movedCount));
});

test("refusals are the SDK's own errors", async () => {
  await createQueue("plain");
  const nobody = client.send(new StartMessageMoveTaskCommand({ SourceArn: arnOf("nobody") }));
  await expect(nobody).rejects.toBeInstanceOf(ResourceNotFoundException);
  const notDead = await client
    .send(new StartMessageMoveTaskCommand({ SourceArn: arnOf("plain") }))
    .catch((error: unknown) => error);
  expect(notDead).toBeInstanceOf(SQSServiceException);
  expect(notDead).toMatchObject({
    name: "InvalidParameterValue",
    message: "Source queue must be configured as a Dead Letter Queue.",
  });
  const TaskHandle = Buffer.from(JSON.stringify({ taskId: "none", sourceArn: arnOf("plain") })).toString("base64");
  const unknown = client.send(new CancelMessageMoveTaskCommand({ TaskHandle }));
  await expect(unknown).rejects.toBeInstanceOf(ResourceNotFoundException);
});
