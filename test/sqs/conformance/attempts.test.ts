// ReceiveRequestAttemptId on the wire: the answer again, or why there is none. Reference 2.11, 5.4.
import { expect } from "vitest";
import { scenario, useBroker } from "../../support/conformance.ts";

useBroker();

const FIFO = { FifoQueue: "true", ContentBasedDeduplication: "true" };
const attempt = { QueueUrl: "tried.fifo", ReceiveRequestAttemptId: "try-1", MaxNumberOfMessages: 10 };

scenario("a retry gets the same messages with the same receipt handles, received once", async (sqs) => {
  await sqs.call("CreateQueue", { QueueName: "tried.fifo", Attributes: FIFO });
  for (const MessageBody of ["a", "b"]) {
    await sqs.call("SendMessage", { QueueUrl: "tried.fifo", MessageBody, MessageGroupId: "g" });
  }
  const ask = { ...attempt, AttributeNames: ["ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp"] };
  const first = await sqs.call("ReceiveMessage", ask);
  const messages = first["Messages"] as { Body: string; ReceiptHandle: string }[];
  expect(messages.map(({ Body }) => Body)).toEqual(["a", "b"]);
  expect(await sqs.call("ReceiveMessage", ask)).toEqual(first);
  expect(await sqs.call("ReceiveMessage", { ...ask, WaitTimeSeconds: 20 })).toEqual(first);

  await sqs.call("DeleteMessage", { QueueUrl: "tried.fifo", ReceiptHandle: messages[0]?.ReceiptHandle });
  expect(await sqs.refusal("ReceiveMessage", attempt)).toBe(
    "400 InvalidParameterValue | Value try-1 for parameter ReceiveRequestAttemptId is invalid. Reason: " +
      "The receiveRequestAttemptId is not valid anymore since the receive call is not retryable.",
  );
  expect(await sqs.call("ReceiveMessage", { ...attempt, ReceiveRequestAttemptId: "try-2" })).toEqual({});
});
