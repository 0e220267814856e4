// The two protocols as bytes on the wire: envelopes, coercions, paths, escapes. What actions refuse is in errors.test.ts.

import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { md5 } from "../../src/sqs/digest.ts";
import { ERRORS } from "../../src/sqs/errors.ts";
import {
  ACCOUNT,
  arnOf,
  errorLine,
  jsonRequest,
  parseJson,
  parseXml,
  SqsClient,
  urlOf,
} from "../support/sqs-client.ts";

const S = urlOf("standard");
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
let client = new SqsClient();

beforeEach(() => {
  client = new SqsClient();
  client.createQueue("standard");
  client.createQueue("orders.fifo", { FifoQueue: "True", ContentBasedDeduplication: "true" });
});

describe("AWS JSON", () => {
  test("a send, a receive and a delete", () => {
    expect(client.call("SendMessage", { QueueUrl: S, MessageBody: "hello" })).toEqual({
      MessageId: expect.stringMatching(UUID),
      MD5OfMessageBody: "5d41402abc4b2a76b9719d911017c592",
    });
    const { Messages } = client.call("ReceiveMessage", { QueueUrl: S }) as { Messages: { ReceiptHandle: string }[] };
    expect(Messages).toEqual([
      {
        MessageId: expect.stringMatching(UUID),
        ReceiptHandle: expect.any(String),
        MD5OfBody: "5d41402abc4b2a76b9719d911017c592",
        Body: "hello",
      },
    ]);
    const reply = client.json("DeleteMessage", { QueueUrl: S, ReceiptHandle: Messages[0]?.ReceiptHandle });
    expect(reply).toMatchObject({
      status: 200,
      body: "",
      contentType: "application/x-amz-json-1.0",
      queryError: undefined,
    });
    expect(reply.requestId).toMatch(UUID);
  });

  test("attributes come back when asked for, with the digest of those returned", () => {
    client.call("SendMessage", {
      QueueUrl: S,
      MessageBody: "a",
      MessageGroupId: "tenant",
      MessageAttributes: {
        color: { DataType: "String", StringValue: "blue" },
        blob: { DataType: "Binary", BinaryValue: "AQID" },
      },
    });
    const ask = { QueueUrl: S, VisibilityTimeout: 0 };
    expect(client.call("ReceiveMessage", ask)["Messages"]).toEqual([
      expect.not.objectContaining({ MessageAttributes: expect.anything(), Attributes: expect.anything() }),
    ]);
    const names = { MessageAttributeNames: ["color"], AttributeNames: ["MessageGroupId", "Policy", "SequenceNumber"] };
    expect(client.call("ReceiveMessage", { ...ask, ...names })["Messages"]).toEqual([
      expect.objectContaining({
        Attributes: { MessageGroupId: "tenant" },
        MessageAttributes: { color: { StringValue: "blue", DataType: "String" } },
        MD5OfMessageAttributes: "da1b33cc3cbfe8b1630921e78e6b9880",
      }),
    ]);
    const all = client.call("ReceiveMessage", {
      ...ask,
      MessageAttributeNames: ["All"],
      MessageSystemAttributeNames: ["All"],
    });
    expect(all["Messages"]).toEqual([
      expect.objectContaining({
        Attributes: expect.objectContaining({ ApproximateReceiveCount: "3", SenderId: "anonymous" }),
        MessageAttributes: expect.objectContaining({ blob: { BinaryValue: "AQID", DataType: "Binary" } }),
      }),
    ]);
  });

  test.each([
    ["ReceiveMessage", { QueueUrl: S }, "{}"],
    ["ListQueueTags", { QueueUrl: S }, "{}"],
    ["ListDeadLetterSourceQueues", { QueueUrl: S }, "{}"],
    ["ListQueues", { QueueNamePrefix: "none" }, "{}"],
    ["GetQueueAttributes", { QueueUrl: S }, "{}"],
    ["GetQueueAttributes", { QueueUrl: S, AttributeNames: ["Policy", "FifoQueue"] }, "{}"],
    ["PurgeQueue", { QueueUrl: S }, ""],
    ["SetQueueAttributes", { QueueUrl: S, Attributes: { DelaySeconds: 400 } }, ""],
    ["SendMessage", { QueueUrl: S, MessageBody: null }, undefined],
  ])("%s %j answers %j", (action, input, body) => {
    const reply = client.json(action, input);
    if (body === undefined) expect(errorLine(reply)).toContain("MissingParameter");
    else expect(reply).toMatchObject({ status: 200, body });
  });

  test.each([
    ['{"QueueUrl":', "The request body is not valid JSON."],
    ["[]", "The request body is not a JSON object."],
    ['"x"', "The request body is not a JSON object."],
    ["null", "The request body is not a JSON object."],
    ['{"MessageBody":1}', "NUMBER_VALUE can not be converted to a String"],
    ['{"MessageBody":true}', "TRUE_VALUE can not be converted to a String"],
    ['{"MessageBody":{}}', "Start of structure or map found where not expected."],
    ['{"MessageBody":[]}', "Unrecognized collection type class java.lang.String"],
    ['{"DelaySeconds":"1"}', "STRING_VALUE can not be converted to an Integer"],
    ['{"DelaySeconds":1.5}', "NUMBER_VALUE can not be converted to an Integer"],
    ['{"MessageAttributes":[]}', "Start of list found where not expected"],
    ['{"MessageAttributes":{"a":{"BinaryValue":"?"}}}', "A binary value is not valid base64."],
  ])("%s: %s", (body, text) => {
    const reply = client.json("SendMessage", body);
    expect(errorLine(reply)).toBe(`400 MalformedInput | ${text}`);
    expect(parseJson(reply.body)["__type"]).toBe("com.amazon.coral.service#SerializationException");
  });

  test("bytes that are not UTF-8, and lone surrogates", () => {
    const bytes = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]);
    expect(errorLine(client.json("SendMessage", {}, { body: bytes }))).toContain("400 MalformedInput");
    const lone = `{"QueueUrl":"${S}","MessageBody":"\\ud800"}`;
    expect(errorLine(client.json("SendMessage", lone))).toContain("400 InvalidMessageContents");
    expect(client.json("SendMessage", { QueueUrl: S, MessageBody: "😀 \r\n\t é" }).status).toBe(200);
  });

  test.each(["", "AmazonSQS.Foo", "AmazonSQS.StartMessageMove", "AmazonSQS.constructor", "SendMessage"])(
    "target %j is no action",
    (target) => {
      const reply = client.json("", {}, { target });
      expect(errorLine(reply)).toContain("400 InvalidAction");
      expect(parseJson(reply.body)["__type"]).toBe("com.amazon.coral.service#UnknownOperationException");
    },
  );

  test("any path will do, and the region is the credential scope's", () => {
    const authorization =
      "AWS4-HMAC-SHA256 Credential=AKID/20261123/eu-west-1/sqs/aws4_request, SignedHeaders=host, Signature=0";
    client.call("CreateQueue", { QueueName: "far" }, { authorization, path: `/${ACCOUNT}/standard` });
    expect(errorLine(client.json("GetQueueUrl", { QueueName: "far" }))).toContain("NonExistentQueue");
    expect(client.call("GetQueueUrl", { QueueName: "far" }, { authorization })).toEqual({ QueueUrl: urlOf("far") });
    const query = "X-Amz-Credential=AKID%2F20261123%2Feu-west-1%2Fsqs%2Faws4_request&X-Amz-Signature=0";
    expect(client.json("GetQueueUrl", { QueueName: "far" }, { query }).status).toBe(200);
    const attributes = client.call(
      "GetQueueAttributes",
      { QueueUrl: "far", AttributeNames: ["QueueArn"] },
      { authorization },
    );
    expect(attributes).toEqual({ Attributes: { QueueArn: `arn:aws:sqs:eu-west-1:${ACCOUNT}:far` } });
  });

  test.each(["x", "Root=1-5759e988", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=9", "Parent=53995c3f42cd8ad8"])(
    "trace header %j is refused, for any action",
    (traceHeader) => {
      expect(errorLine(client.json("ListQueues", {}, { traceHeader }))).toBe(
        `400 InvalidParameterValue | The request has a 'X-Amzn-Trace-Id' HTTP header which is reserved for AWS X-Ray trace header and has an invalid value '${traceHeader}'`,
      );
    },
  );
});

describe("queue URLs", () => {
  test.each([
    S,
    `${S}/`,
    "standard",
    `/${ACCOUNT}/standard`,
    `https://sqs.us-east-1.amazonaws.com/${ACCOUNT}/standard`,
    "http://localhost:9324/queue/standard",
    `http://localhost:4566/queue/us-east-1/${ACCOUNT}/standard`,
  ])("%s", (QueueUrl) => {
    expect(client.json("SendMessage", { QueueUrl, MessageBody: "a" }).status).toBe(200);
  });

  test("are given out with the caller's origin", () => {
    const reply = client.call("GetQueueUrl", { QueueName: "standard" }, { scheme: "https", host: "sqs.example.org" });
    expect(reply).toEqual({ QueueUrl: `https://sqs.example.org/${ACCOUNT}/standard` });
  });
});

describe("AWS Query", () => {
  test("a send, by the path of the queue and without Version", () => {
    const body = Buffer.from("Action=SendMessage&MessageBody=caf%C3%A9+%26");
    const reply = client.request({
      contentType: "application/x-www-form-urlencoded",
      path: `/${ACCOUNT}/standard`,
      body,
    });
    expect(reply).toMatchObject({ status: 200, contentType: "text/xml" });
    expect(reply.body).toBe(
      `<?xml version="1.0"?><SendMessageResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><SendMessageResult><MessageId>00000000-0000-4000-8000-000000000001</MessageId><MD5OfMessageBody>${md5("café &")}</MD5OfMessageBody></SendMessageResult><ResponseMetadata><RequestId>${reply.requestId}</RequestId></ResponseMetadata></SendMessageResponse>`,
    );
    expect(client.call("ReceiveMessage", { QueueUrl: S })["Messages"]).toEqual([
      expect.objectContaining({ Body: "café &" }),
    ]);
  });

  test("no output, an empty output and an error", () => {
    const purged = client.query({ Action: "PurgeQueue", QueueUrl: S });
    expect(purged.body).toBe(
      `<?xml version="1.0"?><PurgeQueueResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><ResponseMetadata><RequestId>${purged.requestId}</RequestId></ResponseMetadata></PurgeQueueResponse>`,
    );
    expect(client.query({ Action: "ReceiveMessage", QueueUrl: S }).body).toContain("<ReceiveMessageResult/>");
    const refused = client.query({ Action: "SendMessage", QueueUrl: S });
    expect(refused.body).toBe(
      `<?xml version="1.0"?><ErrorResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><Error><Type>Sender</Type><Code>MissingParameter</Code><Message>The request must contain the parameter MessageBody.</Message><Detail/></Error><RequestId>${refused.requestId}</RequestId></ErrorResponse>`,
    );
  });

  test("text is escaped, a carriage return as a reference", () => {
    client.call("SendMessage", { QueueUrl: S, MessageBody: `<a b="c">&amp;\r\n'` });
    const reply = client.query({ Action: "ReceiveMessage", QueueUrl: S, "AttributeName.1": "SenderId" });
    expect(reply.body).toContain("<Body>&lt;a b=&quot;c&quot;&gt;&amp;amp;&#xD;\n'</Body>");
    expect(reply.body).toContain("<Attribute><Name>SenderId</Name><Value>anonymous</Value></Attribute>");
  });

  test("message attributes both ways, with gaps in the numbers", () => {
    client.query({
      Action: "SendMessage",
      QueueUrl: S,
      MessageBody: "a",
      "MessageAttribute.2.Name": "color",
      "MessageAttribute.2.Value.DataType": "String",
      "MessageAttribute.2.Value.StringValue": "blue",
      "MessageAttribute.7.Name": "blob",
      "MessageAttribute.7.Value.DataType": "Binary",
      "MessageAttribute.7.Value.BinaryValue": "AQID",
    });
    const reply = client.query({ Action: "ReceiveMessage", QueueUrl: S, "MessageAttributeName.1": "All" });
    expect(reply.body).toContain(
      "<MessageAttribute><Name>color</Name><Value><DataType>String</DataType><StringValue>blue</StringValue></Value></MessageAttribute>",
    );
    expect(reply.body).toContain("<Value><DataType>Binary</DataType><BinaryValue>AQID</BinaryValue></Value>");
  });

  test("maps and lists also go by their members' names", () => {
    client.query({ Action: "TagQueue", QueueUrl: S, "Tags.1.Key": "a", "Tags.1.Value": "" });
    client.query({ Action: "TagQueue", QueueUrl: S, "Tag.1.Key": "b", "Tag.1.Value": "2" });
    expect(client.call("ListQueueTags", { QueueUrl: S })).toEqual({ Tags: { a: "", b: "2" } });
    client.query({ Action: "CreateQueue", QueueName: "tagged", "Tags.1.Key": "a", "Tags.1.Value": "1" });
    expect(client.call("ListQueueTags", { QueueUrl: "tagged" })).toEqual({ Tags: { a: "1" } });
  });

  test("a batch", () => {
    const entry = "SendMessageBatchRequestEntry";
    const reply = client.query({
      Action: "SendMessageBatch",
      QueueUrl: S,
      [`${entry}.1.Id`]: "good",
      [`${entry}.1.MessageBody`]: "a",
      [`${entry}.2.Id`]: "bad",
      [`${entry}.2.MessageBody`]: "\u0001",
    });
    const { SendMessageBatchResult } = parseXml(reply.body)["SendMessageBatchResponse"] as { [name: string]: unknown };
    expect(SendMessageBatchResult).toMatchObject({
      SendMessageBatchResultEntry: { Id: "good", MD5OfMessageBody: "0cc175b9c0f1b6a831c399e269772661" },
      BatchResultErrorEntry: { Id: "bad", SenderFault: "true", Code: "InvalidMessageContents" },
    });
  });

  test.each([
    ["/", "FooBar", "400 InvalidAction | The action FooBar is not valid for this endpoint."],
    [
      `/${ACCOUNT}/standard`,
      "CreateQueue",
      "400 InvalidAction | The action CreateQueue is not valid for this endpoint.",
    ],
    [`/${ACCOUNT}/standard`, "ListQueues", "400 InvalidAction | The action ListQueues is not valid for this endpoint."],
    ["/foobar", "SendMessage", "404 InvalidAddress | The address foobar is not valid for this endpoint."],
  ])("%s with Action=%s", (path, Action, expected) => {
    expect(errorLine(client.query({ Action }, { path }))).toBe(expected);
  });

  test("GET; the parameter wins over the path; GetQueueUrl at a queue", () => {
    const path = `/${ACCOUNT}/missing`;
    const get = (query: string) => client.request({ method: "GET", path, query });
    expect(get(`Action=PurgeQueue&QueueUrl=${encodeURIComponent(S)}`).status).toBe(200);
    expect(get("Action=GetQueueUrl&QueueName=standard").body).toContain(`<QueueUrl>${S}</QueueUrl>`);
    expect(errorLine(get("Action=DeleteQueue"))).toContain("NonExistentQueue");
    const none = client.request({ method: "GET", path: `/${ACCOUNT}/standard`, accept: "application/json" });
    expect(none).toMatchObject({ status: 404, body: "<UnknownOperationException/>", contentType: "text/xml" });
  });

  test.each([
    "%zz",
    "%ff",
    "x&Attribute.1.Name=DelaySeconds&Attribute.1.Value=1&Attribute.2.Name=DelaySeconds&Attribute.2.Value=2",
  ])("QueueName=%s cannot be read", (text) => {
    const body = Buffer.from(`Action=CreateQueue&QueueName=${text}`);
    expect(errorLine(client.request({ contentType: "application/x-www-form-urlencoded", body }))).toContain(
      "MalformedInput",
    );
  });

  test("Accept: application/json", () => {
    const accept = "application/json";
    const receive = client.query(
      { Action: "GetQueueAttributes", QueueUrl: S, "AttributeName.1": "DelaySeconds" },
      { accept },
    );
    expect(receive.contentType).toBe("application/json");
    expect(parseJson(receive.body)).toEqual({
      GetQueueAttributesResponse: {
        GetQueueAttributesResult: { Attributes: [{ Name: "DelaySeconds", Value: "0" }] },
        ResponseMetadata: { RequestId: receive.requestId },
      },
    });
    const refused = client.query({ Action: "SendMessage", QueueUrl: S }, { accept });
    expect(parseJson(refused.body)).toMatchObject({ Error: { Type: "Sender", Code: "MissingParameter" } });
  });
});

describe("queues", () => {
  test("All on a fresh queue is exactly the service's set", () => {
    const all = (QueueUrl: string) =>
      client.call("GetQueueAttributes", { QueueUrl, AttributeNames: ["All"] })["Attributes"] as {
        [name: string]: string;
      };
    const standard = all(S);
    expect(standard).toEqual({
      ApproximateNumberOfMessages: "0",
      ApproximateNumberOfMessagesDelayed: "0",
      ApproximateNumberOfMessagesNotVisible: "0",
      CreatedTimestamp: "1700000000",
      DelaySeconds: "0",
      LastModifiedTimestamp: "1700000000",
      MaximumMessageSize: "1048576",
      MessageRetentionPeriod: "345600",
      QueueArn: arnOf("standard"),
      ReceiveMessageWaitTimeSeconds: "0",
      SqsManagedSseEnabled: "true",
      VisibilityTimeout: "30",
    });
    expect(all(urlOf("orders.fifo"))).toEqual({
      ...standard,
      QueueArn: arnOf("orders.fifo"),
      ContentBasedDeduplication: "true",
      DeduplicationScope: "queue",
      FifoQueue: "true",
      FifoThroughputLimit: "perQueue",
    });
  });

  test("creating again compares what is supplied with what the queue has now", () => {
    client.call("SetQueueAttributes", { QueueUrl: S, Attributes: { VisibilityTimeout: "7" } });
    const again = (Attributes: object) => client.json("CreateQueue", { QueueName: "standard", Attributes }).status;
    expect([again({}), again({ VisibilityTimeout: "7" }), again({ VisibilityTimeout: "30" })]).toEqual([200, 200, 400]);
  });

  test("a name is free again 60 s after its queue was deleted", () => {
    client.call("DeleteQueue", { QueueUrl: S });
    client.clock.advance(59_999);
    expect(client.json("CreateQueue", { QueueName: "standard" }).status).toBe(400);
    client.clock.advance(1);
    expect(client.json("CreateQueue", { QueueName: "standard" }).status).toBe(200);
  });

  test("encryption: a KMS key turns SQS's own off, and clearing it leaves both off", () => {
    const set = (Attributes: object) => client.call("SetQueueAttributes", { QueueUrl: S, Attributes });
    const read = () =>
      client.call("GetQueueAttributes", {
        QueueUrl: S,
        AttributeNames: ["KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled"],
      })["Attributes"];
    set({ KmsMasterKeyId: "key", KmsDataKeyReusePeriodSeconds: "60" });
    expect(read()).toEqual({
      KmsMasterKeyId: "key",
      KmsDataKeyReusePeriodSeconds: "60",
      SqsManagedSseEnabled: "false",
    });
    set({ KmsDataKeyReusePeriodSeconds: "300" });
    expect(read()).toEqual({ KmsMasterKeyId: "key", SqsManagedSseEnabled: "false" });
    set({ KmsMasterKeyId: "" });
    expect(read()).toEqual({ SqsManagedSseEnabled: "false" });
  });

  test("RedrivePolicy reads back canonically, lists its source, and goes with an empty text", () => {
    const RedrivePolicy = `{"maxReceiveCount":"3", "deadLetterTargetArn":"${arnOf("standard")}"}`;
    client.call("CreateQueue", { QueueName: "source", Attributes: { RedrivePolicy } });
    const read = () => client.call("GetQueueAttributes", { QueueUrl: "source", AttributeNames: ["RedrivePolicy"] });
    expect(read()).toEqual({
      Attributes: { RedrivePolicy: `{"deadLetterTargetArn":"${arnOf("standard")}","maxReceiveCount":3}` },
    });
    expect(client.call("ListDeadLetterSourceQueues", { QueueUrl: S })).toEqual({ queueUrls: [urlOf("source")] });
    client.call("SetQueueAttributes", { QueueUrl: "source", Attributes: { RedrivePolicy: "" } });
    expect(read()).toEqual({});
  });

  test("pages of ListQueues", () => {
    const first = client.call("ListQueues", { MaxResults: 1 });
    expect(first).toEqual({ QueueUrls: [urlOf("orders.fifo")], NextToken: expect.any(String) });
    const { NextToken } = first;
    expect(client.call("ListQueues", { MaxResults: 1, NextToken })).toEqual({ QueueUrls: [S] });
    expect(errorLine(client.json("ListQueues", { MaxResults: 2, NextToken }))).toBe(
      "400 InvalidParameterValue | Invalid NextToken value. If you are passing in NextToken, you must not change the other request parameters.",
    );
  });

  test("permissions write the policy, and the last one takes it away", () => {
    const add = { QueueUrl: S, Label: "l", AWSAccountIds: ["668614515564"], Actions: ["ReceiveMessage"] };
    client.call("AddPermission", add);
    const read = () => client.call("GetQueueAttributes", { QueueUrl: S, AttributeNames: ["Policy"] })["Attributes"];
    const { Policy } = read() as { Policy: string };
    expect(parseJson(Policy)).toEqual({
      Version: "2008-10-17",
      Id: `${arnOf("standard")}/SQSDefaultPolicy`,
      Statement: [
        {
          Sid: "l",
          Effect: "Allow",
          Principal: { AWS: "arn:aws:iam::668614515564:root" },
          Action: "SQS:ReceiveMessage",
          Resource: arnOf("standard"),
        },
      ],
    });
    client.call("RemovePermission", { QueueUrl: S, Label: "l" });
    expect(read()).toBeUndefined();
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
});

describe("FIFO and batches", () => {
  test("content-based deduplication takes the body's SHA-256; a delay of 0 says nothing", () => {
    const QueueUrl = urlOf("orders.fifo");
    client.call("SendMessage", { QueueUrl, MessageBody: "same", MessageGroupId: "g", DelaySeconds: 0 });
    const { Messages } = client.call("ReceiveMessage", {
      QueueUrl,
      AttributeNames: ["MessageDeduplicationId", "SequenceNumber"],
    });
    expect(Messages).toEqual([
      expect.objectContaining({
        Attributes: {
          MessageDeduplicationId: "0967115f2813a3541eaef77de9d9d5773f1c0c04314b0bbfe4ff3b3b1c55b5d5",
          SequenceNumber: expect.stringMatching(/^\d{20}$/),
        },
      }),
    ]);
  });

  test("entries fail alone, in their own words", () => {
    client.createQueue("small", { MaximumMessageSize: "1024" });
    const reply = client.call("SendMessageBatch", {
      QueueUrl: "small",
      Entries: [
        { Id: "long", MessageBody: "x".repeat(1025) },
        { Id: "fits", MessageBody: "x".repeat(1024) },
        { Id: "empty", MessageBody: "" },
        { Id: "type", MessageBody: "a", MessageDeduplicationId: "d" },
      ],
    });
    const failed = (Id: string, Code: string, Message: string) => ({ Id, SenderFault: true, Code, Message });
    expect(reply).toEqual({
      Successful: [expect.objectContaining({ Id: "fits" })],
      Failed: [
        failed(
          "long",
          "InvalidParameterValue",
          "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes.",
        ),
        failed(
          "empty",
          "MissingParameter",
          "The request must contain the parameter SendMessageBatchRequestEntry.3.MessageBody.",
        ),
        failed("type", "InvalidParameterValue", "The request include parameter that is not valid for this queue type"),
      ],
    });
  });

  test("deletes and changes of visibility", () => {
    const QueueUrl = S;
    client.call("SendMessage", { QueueUrl, MessageBody: "a" });
    const [message] = client.call("ReceiveMessage", { QueueUrl })["Messages"] as [{ ReceiptHandle: string }];
    const { ReceiptHandle } = message;
    const invalid = {
      Id: "bad",
      SenderFault: true,
      Code: "ReceiptHandleIsInvalid",
      Message: 'The input receipt handle "junk" is not a valid receipt handle.',
    };
    const Entries = [
      { Id: "bad", ReceiptHandle: "junk", VisibilityTimeout: 1 },
      { Id: "good", ReceiptHandle, VisibilityTimeout: 1 },
      { Id: "none", ReceiptHandle: null },
    ];
    expect(client.call("ChangeMessageVisibilityBatch", { QueueUrl, Entries })).toMatchObject({
      Successful: [{ Id: "good" }],
      Failed: [invalid, { Id: "none", Code: "MissingParameter" }],
    });
    expect(client.call("DeleteMessageBatch", { QueueUrl, Entries })).toMatchObject({
      Successful: [{ Id: "good" }],
      Failed: [invalid, { Id: "none", Code: "MissingParameter" }],
    });
  });
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
      { numRuns: 1_000 },
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
      { numRuns: 2_000 },
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
      { numRuns: 1_000 },
    );
  });

  test("very many parameters, very deep JSON", () => {
    const body = Buffer.from("Action=ListQueues".concat("&a=b".repeat(100_000)));
    check(client.request({ contentType: "application/x-www-form-urlencoded", body }));
    check(client.json("SendMessage", "[".repeat(1_000_000)));
    check(client.json("SendMessage", `{"MessageBody":${"[".repeat(100_000)}${"]".repeat(100_000)}}`));
  });
});
