// Requests where the broker is a fake and time an argument: waits, changes that overlap, clients that go, hostile bytes.
// What the protocols say to whom is in conformance/, asked of the real process.

import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { ERRORS } from "../../src/sqs/errors.ts";
import { ACCOUNT, jsonRequest, parseXml, SqsClient, urlOf } from "../support/sqs-client.ts";

const S = urlOf("standard");
let client = new SqsClient();

beforeEach(() => {
  client = new SqsClient();
  client.createQueue("standard");
  client.createQueue("orders.fifo", { FifoQueue: "True", ContentBasedDeduplication: "true" });
});

test("queue URLs are given out with the caller's origin", () => {
  const reply = client.call("GetQueueUrl", { QueueName: "standard" }, { scheme: "https", host: "sqs.example.org" });
  expect(reply).toEqual({ QueueUrl: `https://sqs.example.org/${ACCOUNT}/standard` });
});

test("a name is free again 60 s after its queue was deleted", () => {
  client.call("DeleteQueue", { QueueUrl: S });
  client.clock.advance(59_999);
  expect(client.json("CreateQueue", { QueueName: "standard" }).status).toBe(400);
  client.clock.advance(1);
  expect(client.json("CreateQueue", { QueueName: "standard" }).status).toBe(200);
});

test("a purge may be repeated 60 s after the one before", () => {
  const purge = () => client.json("PurgeQueue", { QueueUrl: S }).status;
  expect([purge(), purge()]).toEqual([200, 403]);
  client.clock.advance(59_999);
  expect(purge()).toBe(403);
  client.clock.advance(1);
  expect(purge()).toBe(200);
});

test("changes that overlap are all kept", () => {
  client.broker.held = true;
  const tag = (key: string) => client.start(jsonRequest("TagQueue", { QueueUrl: S, Tags: { [key]: "v" } })).replies;
  const replies = [tag("a"), tag("b")];
  expect(client.broker.heldCount).toBe(1);
  client.broker.release();
  client.broker.release();
  expect(replies.flat()).toHaveLength(2);
  expect(client.call("ListQueueTags", { QueueUrl: S })).toEqual({ Tags: { a: "v", b: "v" } });
});

test("a client that goes away gives its long poll up, and is not answered", () => {
  client.broker.next = { receive: "never" };
  const { replies, cancel } = client.start(jsonRequest("ReceiveMessage", { QueueUrl: S, WaitTimeSeconds: 20 }));
  cancel?.();
  expect([client.broker.cancelledCount, replies.length]).toEqual([1, 0]);
});

describe("hostile bytes", () => {
  const known = new Set<string | undefined>(Object.values(ERRORS).map((row) => `${row.queryCode};${row.fault}`));
  const actions = fc.constantFrom(
    "SendMessage",
    "SendMessageBatch",
    "ReceiveMessage",
    "CreateQueue",
    "SetQueueAttributes",
    "TagQueue",
    "ListQueues",
    "AddPermission",
  );
  const check = (reply: { status: number; queryError: string | undefined }) => {
    expect(client.faults).toEqual([]);
    if (reply.status !== 200 && reply.queryError !== undefined) expect(known.has(reply.queryError)).toBe(true);
    else expect([200, 404]).toContain(reply.status);
  };

  test("any bytes, any headers", () => {
    const header = fc.oneof(fc.constant(""), fc.string(), fc.string({ unit: "binary" }));
    fc.assert(
      fc.property(
        fc.boolean(),
        actions,
        fc.uint8Array({ maxLength: 200 }),
        header,
        header,
        header,
        (json, action, body, path, query, authorization) => {
          const contentType = json ? "application/x-amz-json-1.0" : "application/x-www-form-urlencoded";
          check(
            client.request({
              contentType,
              target: `AmazonSQS.${action}`,
              path,
              query,
              authorization,
              traceHeader: query,
              body: Buffer.from(body),
            }),
          );
        },
      ),
      { numRuns: 500 },
    );
  });

  test("any JSON value for any member", () => {
    const names = [
      "MessageBody",
      "Entries",
      "Attributes",
      "Tags",
      "tags",
      "QueueName",
      "DelaySeconds",
      "MaxResults",
      "NextToken",
      "MessageAttributes",
      "Id",
      "Policy",
      "RedrivePolicy",
      "RedriveAllowPolicy",
      "DataType",
      "BinaryValue",
      "__proto__",
    ];
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        fc.jsonValue(),
        fc.dictionary(fc.constantFrom(...names), tie("tree")),
        fc.array(tie("tree"), { maxLength: 3 }),
      ),
    }));
    fc.assert(
      fc.property(actions, fc.dictionary(fc.constantFrom(...names), tree), (action, input) => {
        check(client.json(action, { QueueUrl: S, ...input }));
      }),
      { numRuns: 500 },
    );
  });

  test("any parameters: the XML can always be read", () => {
    const parts = fc.constantFrom(
      "Attribute",
      "1",
      "2",
      "0",
      "-1",
      "Name",
      "Value",
      "Key",
      "Tag",
      "MessageBody",
      "SendMessageBatchRequestEntry",
      "Id",
      "DelaySeconds",
      "__proto__",
      "",
    );
    const name = fc.array(parts, { minLength: 1, maxLength: 12 }).map((list) => list.join("."));
    fc.assert(
      fc.property(actions, fc.dictionary(name, fc.string({ unit: "binary" })), (Action, parameters) => {
        const reply = client.query({ ...parameters, Action, QueueUrl: S });
        check(reply);
        expect(Object.keys(parseXml(reply.body)).length).toBeGreaterThan(0);
      }),
      { numRuns: 500 },
    );
  });

  test("very many parameters, very deep JSON", () => {
    const body = Buffer.from("Action=ListQueues".concat("&a=b".repeat(100_000)));
    check(client.request({ contentType: "application/x-www-form-urlencoded", body }));
    check(client.json("SendMessage", "[".repeat(1_000_000)));
    check(client.json("SendMessage", `{"MessageBody":${"[".repeat(100_000)}${"]".repeat(100_000)}}`));
  });
});
