// AWS JSON 1.0 as bytes on the wire: headers, types, what is null, missing or malformed. Reference 1.2, 1.3.
import { beforeAll, describe, expect, test } from "vitest";
import { md5 } from "../../../src/sqs/digest.ts";
import { newAccount, useBroker } from "../../support/conformance.ts";
import type { RawReply, RawRequest, Service } from "../../support/service.ts";

useBroker();

const JSON_TYPE = "application/x-amz-json-1.0";
let sqs: Service;

beforeAll(async () => {
  sqs = newAccount("JSON");
  await sqs.call("CreateQueue", { QueueName: "q" });
  await sqs.call("CreateQueue", { QueueName: "q.fifo", Attributes: { FifoQueue: "true" } });
});

function ask(action: string, body: RawRequest["body"], more: RawRequest = {}): Promise<RawReply> {
  const headers = { "content-type": JSON_TYPE, "x-amz-target": `AmazonSQS.${action}`, ...more.headers };
  return sqs.raw({ ...more, headers, ...(body === undefined ? {} : { body }) });
}

/** `status __type | query error | message` */
function line({ status, headers, text }: RawReply): string {
  const { __type, message } = JSON.parse(text) as { __type: string; message: string };
  return `${status} ${__type} | ${headers.get("x-amzn-query-error")} | ${message}`;
}

const malformed = (text: string): string =>
  `400 com.amazon.coral.service#SerializationException | MalformedInput;Sender | ${text}`;
const MISSING =
  "400 com.amazonaws.sqs#QueueDoesNotExist | AWS.SimpleQueueService.NonExistentQueue;Sender | The specified queue does not exist.";
const NO_BODY =
  "400 com.amazon.coral.service#MissingRequiredParameterException | MissingParameter;Sender | The request must contain the parameter MessageBody.";

describe("an answer", () => {
  test("has type, date and request id, and no query error when it is a success", async () => {
    const { status, headers, text } = await ask("ListQueues", "{}");
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe(JSON_TYPE);
    expect(Date.parse(headers.get("date") ?? "")).toBeGreaterThan(0);
    expect(headers.get("x-amzn-requestid")).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    expect(headers.get("x-amzn-query-error")).toBeNull();
    expect(text).not.toContain("RequestId");
  });

  test("has another request id every time", async () => {
    const [one, two] = await Promise.all([ask("ListQueues", "{}"), ask("ListQueues", "{}")]);
    expect(one.headers.get("x-amzn-requestid")).not.toBe(two.headers.get("x-amzn-requestid"));
  });

  test.each([
    ["ReceiveMessage", `{"QueueUrl":"q"}`],
    ["ListQueueTags", `{"QueueUrl":"q"}`],
    ["ListDeadLetterSourceQueues", `{"QueueUrl":"q"}`],
    ["ListQueues", `{"QueueNamePrefix":"none"}`],
    ["GetQueueAttributes", `{"QueueUrl":"q"}`],
  ])("%s with nothing to tell is {}", async (action, input) => {
    const { status, text } = await ask(action, input);
    expect([status, text]).toEqual([200, "{}"]);
  });

  test.each([
    ["AddPermission", `{"QueueUrl":"q","Label":"l","AWSAccountIds":["123456789012"],"Actions":["*"]}`],
    ["RemovePermission", `{"QueueUrl":"q","Label":"l"}`],
    ["SetQueueAttributes", `{"QueueUrl":"q","Attributes":{"DelaySeconds":"0"}}`],
    ["TagQueue", `{"QueueUrl":"q","Tags":{"a":"b"}}`],
    ["UntagQueue", `{"QueueUrl":"q","TagKeys":["a"]}`],
    ["PurgeQueue", `{"QueueUrl":"q"}`],
  ])("%s without an output has an empty body of the same type", async (action, input) => {
    const { status, headers, text } = await ask(action, input);
    expect([status, text]).toEqual([200, ""]);
    expect([headers.get("content-type"), headers.get("content-length")]).toEqual([JSON_TYPE, "0"]);
  });

  test("has numbers and booleans as such, and attributes as texts", async () => {
    const { text } = await ask("DeleteMessageBatch", `{"QueueUrl":"q","Entries":[{"Id":"a","ReceiptHandle":"h"}]}`);
    expect(text).toContain(`"SenderFault":true`);
    const attributes = await ask("GetQueueAttributes", `{"QueueUrl":"q","AttributeNames":["VisibilityTimeout"]}`);
    expect(attributes.text).toBe(`{"Attributes":{"VisibilityTimeout":"30"}}`);
  });

  test("does not depend on x-amzn-query-mode", async () => {
    for (const mode of [{}, { "x-amzn-query-mode": "true" }]) {
      const reply = await ask("PurgeQueue", `{"QueueUrl":"missing"}`, { headers: mode });
      expect(line(reply)).toBe(MISSING);
    }
  });
});

describe("the request", () => {
  test.each(["/", "/123456789012/other", "/any/path/at/all", "/?Action=ListQueues"])(
    "may come to the path %s: the queue is the one in the body",
    async (path) => {
      const reply = await ask("SendMessage", `{"QueueUrl":"q","MessageBody":"a"}`, { path });
      expect([reply.status, reply.headers.get("content-type")]).toEqual([200, JSON_TYPE]);
    },
  );

  test.each([`${JSON_TYPE}; charset=utf-8`, "Application/X-Amz-Json-1.0", "application/x-amz-json-1.1"])(
    "may have the content type %s",
    async (type) => {
      expect((await ask("ListQueues", "{}", { headers: { "content-type": type } })).status).toBe(200);
    },
  );

  test.each([
    "",
    "AmazonSQS.",
    "AmazonSQS.Foo",
    "AmazonSQS.constructor",
    "SendMessage",
    "AmazonSNS.SendMessage",
    "AmazonSQS.sendMessage",
  ])("with the target %j asks for no action", async (target) => {
    const reply = await ask("", "{}", { headers: { "x-amz-target": target } });
    expect(line(reply)).toMatch(
      /^400 com\.amazon\.coral\.service#UnknownOperationException \| InvalidAction;Sender \| /,
    );
  });

  test("may have no target at all", async () => {
    const reply = await sqs.raw({ headers: { "content-type": JSON_TYPE }, body: "{}" });
    expect(line(reply)).toMatch(/UnknownOperationException/);
  });

  test("may write every character of 1 MiB as an escape", async () => {
    const { status, text } = await ask(
      "SendMessage",
      `{"QueueUrl":"q","MessageBody":"${"\\u0041".repeat(1_048_576)}"}`,
    );
    expect([status, text]).toEqual([200, expect.stringContaining(md5("A".repeat(1_048_576)))]);
  });

  test("may have members that no action knows, and no body at all", async () => {
    expect((await ask("ListQueues", `{"Foo":{"a":[1]},"constructor":1,"__proto__":{}}`)).status).toBe(200);
    expect((await ask("ListQueues", undefined)).status).toBe(200);
  });

  test("names the tags of CreateQueue in lower case", async () => {
    await ask("CreateQueue", `{"QueueName":"tagged","Tags":{"a":"b"}}`);
    expect(await sqs.call("ListQueueTags", { QueueUrl: "tagged" })).toEqual({});
    await ask("CreateQueue", `{"QueueName":"tagged2","tags":{"a":"b"}}`);
    expect(await sqs.call("ListQueueTags", { QueueUrl: "tagged2" })).toEqual({ Tags: { a: "b" } });
  });
});

describe("malformed input", () => {
  test.each([
    ["{", "The request body is not valid JSON."],
    ['{"QueueUrl":"q"', "The request body is not valid JSON."],
    ["{'a':1}", "The request body is not valid JSON."],
    ["NaN", "The request body is not valid JSON."],
    ["[]", "The request body is not a JSON object."],
    ['"x"', "The request body is not a JSON object."],
    ["1", "The request body is not a JSON object."],
    ["null", "The request body is not a JSON object."],
    ['{"MessageBody":1}', "NUMBER_VALUE can not be converted to a String"],
    ['{"MessageBody":true}', "TRUE_VALUE can not be converted to a String"],
    ['{"MessageBody":false}', "FALSE_VALUE can not be converted to a String"],
    ['{"MessageBody":{}}', "Start of structure or map found where not expected."],
    ['{"MessageBody":[]}', "Unrecognized collection type class java.lang.String"],
    ['{"DelaySeconds":"1"}', "STRING_VALUE can not be converted to an Integer"],
    ['{"DelaySeconds":1.5}', "NUMBER_VALUE can not be converted to an Integer"],
    ['{"DelaySeconds":2147483648}', "NUMBER_VALUE can not be converted to an Integer"],
    ['{"DelaySeconds":-1e300}', "NUMBER_VALUE can not be converted to an Integer"],
    ['{"DelaySeconds":true}', "TRUE_VALUE can not be converted to an Integer"],
    ['{"DelaySeconds":{}}', "Start of structure or map found where not expected."],
    ['{"DelaySeconds":[1]}', "Unrecognized collection type class java.lang.Integer"],
    ['{"MessageAttributes":[]}', "Start of list found where not expected"],
    ['{"MessageAttributes":"x"}', "Unexpected field type"],
    ['{"MessageAttributes":{"a":"x"}}', "Unexpected field type"],
    ['{"MessageAttributes":{"a":[]}}', "Start of list found where not expected"],
    ['{"MessageAttributes":{"a":{"StringValue":1}}}', "NUMBER_VALUE can not be converted to a String"],
    ['{"MessageAttributes":{"a":{"BinaryValue":"?"}}}', "A binary value is not valid base64."],
    ['{"MessageAttributes":{"a":{"BinaryValue":"AQ="}}}', "A binary value is not valid base64."],
  ])("SendMessage %s: %s", async (body, text) => {
    expect(line(await ask("SendMessage", body))).toBe(malformed(text));
  });

  test.each([
    ["ReceiveMessage", '{"AttributeNames":"All"}', "Unexpected field type"],
    ["ReceiveMessage", '{"AttributeNames":{"a":"b"}}', "Start of structure or map found where not expected."],
    ["ReceiveMessage", '{"AttributeNames":[1]}', "NUMBER_VALUE can not be converted to a String"],
    ["SendMessageBatch", '{"Entries":{}}', "Start of structure or map found where not expected."],
    ["SendMessageBatch", '{"Entries":["x"]}', "Unexpected field type"],
    ["SendMessageBatch", '{"Entries":[{"Id":1}]}', "NUMBER_VALUE can not be converted to a String"],
    ["SetQueueAttributes", '{"Attributes":{"FifoQueue":true}}', "TRUE_VALUE can not be converted to a String"],
    ["SetQueueAttributes", '{"Attributes":{"Policy":{}}}', "Start of structure or map found where not expected."],
  ])("%s %s: %s", async (action, body, text) => {
    expect(line(await ask(action, body))).toBe(malformed(text));
  });

  test.each([
    ["brackets", "[".repeat(7_000_000)],
    [
      "in a member that nobody knows",
      `{"QueueUrl":"q","MessageBody":"a","Foo":${"[".repeat(100_000)}${"]".repeat(100_000)}}`,
    ],
    ["objects after a string", `{"MessageBody":"\\"[\\\\","Foo":${'{"a":'.repeat(100_000)}`],
  ])("large and nested beyond reason: %s", async (_, body) => {
    expect(line(await ask("SendMessage", body))).toBe(malformed("The request body is nested more than 64 deep."));
  });

  test("brackets in a string are no nesting, however many", async () => {
    const MessageBody = `[{"\\${'[{"\\'.repeat(40_000)}`;
    expect((await ask("SendMessage", JSON.stringify({ QueueUrl: "q", MessageBody }))).status).toBe(200);
  });

  test("is told before the queue is looked for", async () => {
    expect(line(await ask("SendMessage", '{"QueueUrl":"missing","MessageBody":1}'))).toContain(
      "SerializationException",
    );
  });

  test("bytes that are no UTF-8", async () => {
    const body = new Uint8Array(Buffer.from(`{"QueueUrl":"q","MessageBody":"\xff"}`, "latin1"));
    expect(line(await ask("SendMessage", body))).toBe(malformed("The request body is not valid UTF-8."));
  });
});

describe("null and empty", () => {
  test.each(["{}", '{"QueueUrl":""}', '{"QueueUrl":null}', '{"QueueUrl":null,"MessageBody":"a"}'])(
    "SendMessage %s has no queue",
    async (input) => {
      expect(line(await ask("SendMessage", input))).toBe(MISSING);
    },
  );

  test("null is absent, wherever it stands", async () => {
    expect(line(await ask("SendMessage", '{"QueueUrl":"q","MessageBody":null}'))).toBe(NO_BODY);
    const nulls = [
      [
        "SendMessage",
        '{"QueueUrl":"q","MessageBody":"a","DelaySeconds":null,"MessageAttributes":null,"MessageGroupId":null}',
      ],
      ["SendMessage", '{"QueueUrl":"q","MessageBody":"a","MessageAttributes":{"a":null}}'],
      [
        "SendMessage",
        '{"QueueUrl":"q","MessageBody":"a","MessageAttributes":{"a":{"DataType":"String","StringValue":"v","BinaryValue":null}}}',
      ],
      [
        "ReceiveMessage",
        '{"QueueUrl":"q","AttributeNames":[null],"MessageAttributeNames":null,"WaitTimeSeconds":null}',
      ],
      ["CreateQueue", '{"QueueName":"nulls","Attributes":{"DelaySeconds":null},"tags":null}'],
      ["ListQueues", '{"QueueNamePrefix":null,"MaxResults":null,"NextToken":null}'],
    ] as const;
    for (const [action, input] of nulls) {
      const reply = await ask(action, input);
      expect(reply.status, `${action} ${input}: ${reply.text}`).toBe(200);
    }
  });

  test("a number is a text where a queue attribute is expected", async () => {
    await ask("SetQueueAttributes", '{"QueueUrl":"q","Attributes":{"DelaySeconds":400}}');
    const reply = await ask("GetQueueAttributes", '{"QueueUrl":"q","AttributeNames":["DelaySeconds"]}');
    expect(reply.text).toBe('{"Attributes":{"DelaySeconds":"400"}}');
  });
});
