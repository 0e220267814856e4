// What actions make of the broker's refusals, and the catalogue itself. Refusals of what clients ask are rows in conformance/.

import { beforeEach, describe, expect, test } from "vitest";
import { ERRORS, queryErrorOf } from "../../src/sqs/errors.ts";
import { SERVICE_ERRORS } from "../support/service-errors.ts";
import { errorLine, parseJson, SqsClient, urlOf } from "../support/sqs-client.ts";

const S = urlOf("standard");
const F = urlOf("orders.fifo");

let client = new SqsClient();

beforeEach(() => {
  client = new SqsClient();
  client.createQueue("standard");
  client.createQueue("orders.fifo", { FifoQueue: "true" });
});

describe("what the broker refuses", () => {
  const handle = { QueueUrl: S, ReceiptHandle: "h" };
  test.each([
    [
      "DeleteMessage",
      "expired",
      "400 InvalidParameterValue | Value h for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
    ],
    [
      "ChangeMessageVisibility",
      "expired",
      "400 InvalidParameterValue | Value h for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
    ],
    [
      "ChangeMessageVisibility",
      "gone",
      "400 InvalidParameterValue | Value h for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.",
    ],
    [
      "ChangeMessageVisibility",
      "beyondMaximum",
      "400 InvalidParameterValue | Value 9 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]",
    ],
  ] as const)("%s of a message that is %s", (action, settle, expected) => {
    client.broker.next = { settle };
    expect(errorLine(client.json(action, { ...handle, VisibilityTimeout: 9 }))).toBe(expected);
  });

  test("deleting what is gone succeeds", () => {
    client.broker.next = { settle: "gone" };
    expect(client.json("DeleteMessage", handle)).toMatchObject({ status: 200, body: "" });
  });

  test("too many in flight: an error for a short poll of a standard queue, nothing to a long poll and to FIFO", () => {
    client.broker.next = { receive: "overLimit" };
    expect(errorLine(client.json("ReceiveMessage", { QueueUrl: S }))).toBe(
      "403 OverLimit | Too many messages have been received without being deleted. Please delete your received messages or let them timeout before receiving more.",
    );
    expect(client.json("ReceiveMessage", { QueueUrl: S, WaitTimeSeconds: 1 })).toMatchObject({
      status: 200,
      body: "{}",
    });
    expect(client.json("ReceiveMessage", { QueueUrl: F })).toMatchObject({ status: 200, body: "{}" });
  });

  test("a receive that cannot be repeated", () => {
    client.broker.next = { receive: "notRetryable" };
    expect(errorLine(client.json("ReceiveMessage", { QueueUrl: F, ReceiveRequestAttemptId: "try-1" }))).toBe(
      "400 InvalidParameterValue | Value try-1 for parameter ReceiveRequestAttemptId is invalid. Reason: The receiveRequestAttemptId is not valid anymore since the receive call is not retryable.",
    );
  });

  test("a queue deleted under a long poll", () => {
    client.broker.next = { receive: "queueGone" };
    expect(errorLine(client.json("ReceiveMessage", { QueueUrl: S }))).toContain("NonExistentQueue");
  });

  test("no room: a retryable error that says so, per entry in a batch", () => {
    client.broker.next = { send: "full" };
    const reply = client.json("SendMessage", { QueueUrl: S, MessageBody: "a" });
    expect(reply).toMatchObject({ status: 503, queryError: "ServiceUnavailable;Receiver" });
    expect(parseJson(reply.body)["__type"]).toBe("com.amazon.coral.service#ServiceUnavailableException");
    expect(errorLine(reply)).toMatch(/full.*retry later/);
    expect(client.call("SendMessageBatch", { QueueUrl: S, Entries: [{ Id: "a", MessageBody: "a" }] })).toEqual({
      Failed: [expect.objectContaining({ Id: "a", SenderFault: false, Code: "ServiceUnavailable" })],
    });
  });

  test("a fault of ours: 500 with the request's id, reported, and the next request works", () => {
    const fault = new Error("broken");
    client.broker.next = { throws: fault };
    for (const reply of [
      client.json("SendMessage", { QueueUrl: S, MessageBody: "a" }),
      client.query({ Action: "SendMessage", QueueUrl: S, MessageBody: "a" }),
      client.json("TagQueue", { QueueUrl: S, Tags: { a: "b" } }),
    ]) {
      expect(reply).toMatchObject({ status: 500, queryError: "InternalFailure;Receiver" });
      expect(errorLine(reply)).toContain(reply.requestId);
    }
    expect(client.faults).toEqual([fault, fault, fault]);
    client.broker.next = {};
    expect(client.json("TagQueue", { QueueUrl: S, Tags: { a: "b" } }).status).toBe(200);
  });
});

test("the catalogue names each code once and every client error a Sender's", () => {
  const rows = Object.entries(ERRORS);
  expect(new Set(rows.map(([, row]) => row.queryCode)).size).toBe(rows.length);
  for (const [, row] of rows) expect(row.fault).toBe(row.status < 500 ? "Sender" : "Receiver");
  expect(queryErrorOf("PurgeQueueInProgress")).toBe("AWS.SimpleQueueService.PurgeQueueInProgress;Sender");
});

test("the catalogue's client errors are the service's, letter for letter", () => {
  const ours = Object.entries(ERRORS).filter(([name, row]) => row.fault === "Sender" && name !== "InvalidRequest"); // not AWS's
  const rows = ours.map(([name, row]) => [row.queryCode, { type: `${row.space}#${name}`, status: row.status }]);
  expect(SERVICE_ERRORS).toMatchObject(Object.fromEntries(rows));
});
