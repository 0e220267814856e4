// AWS Query as bytes on the wire: paths, parameter names, envelopes, escapes, JSON on request. Reference 1.2, 1.4.
import { beforeAll, describe, expect, test } from "vitest";
import { md5 } from "../../../src/sqs/digest.ts";
import { newAccount, useBroker } from "../../support/conformance.ts";
import type { RawReply, RawRequest, Service } from "../../support/service.ts";

useBroker();

const FORM = "application/x-www-form-urlencoded";
const NAMESPACE = "http://queue.amazonaws.com/doc/2012-11-05/";
let sqs: Service;

beforeAll(async () => {
  sqs = newAccount("Query");
  await sqs.call("CreateQueue", { QueueName: "q" });
  await sqs.call("CreateQueue", { QueueName: "other" });
});

function post(body: string, more: RawRequest = {}): Promise<RawReply> {
  return sqs.raw({ ...more, headers: { "content-type": FORM, ...more.headers }, body });
}

function get(path: string, headers: { readonly [name: string]: string } = {}): Promise<RawReply> {
  return sqs.raw({ method: "GET", path, headers });
}

/** `status code | message` */
function line({ status, text }: RawReply): string {
  const [, code, message] = /<Code>(.*)<\/Code><Message>(.*)<\/Message>/s.exec(text) ?? [];
  return code === undefined ? `${status} ${text}` : `${status} ${code} | ${message}`;
}

function requestId({ headers }: RawReply): string {
  return headers.get("x-amzn-requestid") ?? "";
}

const at = (name: string): string => `/${sqs.account}/${name}`;
const MISSING =
  "400 AWS.SimpleQueueService.NonExistentQueue | The specified queue does not exist for this wsdl version.";
const invalid = (action: string): string => `400 InvalidAction | The action ${action} is not valid for this endpoint.`;

describe("envelopes", () => {
  test("an output", async () => {
    const reply = await post("Action=SendMessage&QueueUrl=q&MessageBody=hello&Version=2012-11-05");
    expect(reply.status).toBe(200);
    expect(reply.headers.get("content-type")).toBe("text/xml");
    expect(reply.text.replace(/<MessageId>[0-9a-f-]{36}</, "<MessageId><")).toBe(
      `<?xml version="1.0"?><SendMessageResponse xmlns="${NAMESPACE}"><SendMessageResult><MessageId></MessageId><MD5OfMessageBody>5d41402abc4b2a76b9719d911017c592</MD5OfMessageBody></SendMessageResult><ResponseMetadata><RequestId>${requestId(reply)}</RequestId></ResponseMetadata></SendMessageResponse>`,
    );
  });

  test("no output: no result element", async () => {
    const reply = await post("Action=PurgeQueue&QueueUrl=other");
    expect(reply.text).toBe(
      `<?xml version="1.0"?><PurgeQueueResponse xmlns="${NAMESPACE}"><ResponseMetadata><RequestId>${requestId(reply)}</RequestId></ResponseMetadata></PurgeQueueResponse>`,
    );
  });

  test("an empty output: an empty result element", async () => {
    const reply = await post("Action=ReceiveMessage&QueueUrl=other");
    expect(reply.text).toBe(
      `<?xml version="1.0"?><ReceiveMessageResponse xmlns="${NAMESPACE}"><ReceiveMessageResult/><ResponseMetadata><RequestId>${requestId(reply)}</RequestId></ResponseMetadata></ReceiveMessageResponse>`,
    );
  });

  test("an error", async () => {
    const reply = await post("Action=SendMessage&QueueUrl=q");
    expect(reply.status).toBe(400);
    expect(reply.text).toBe(
      `<?xml version="1.0"?><ErrorResponse xmlns="${NAMESPACE}"><Error><Type>Sender</Type><Code>MissingParameter</Code><Message>The request must contain the parameter MessageBody.</Message><Detail/></Error><RequestId>${requestId(reply)}</RequestId></ErrorResponse>`,
    );
  });

  test("text is escaped, quotes too, and a carriage return is a reference", async () => {
    await post(`Action=SendMessage&QueueUrl=other&MessageBody=${encodeURIComponent(`<a b="c">&amp;\r\n'`)}`);
    const reply = await post("Action=ReceiveMessage&QueueUrl=other");
    expect(reply.text).toContain("<Body>&lt;a b=&quot;c&quot;&gt;&amp;amp;&#xD;\n'</Body>");
  });

  test("texts of clients in errors are XML, whatever was in them", async () => {
    const reply = await post("Action=ReceiveMessage&QueueUrl=q&ReceiveRequestAttemptId=%00%3Cx%3E%22%0D%EF%BF%BE");
    expect(line(reply)).toContain("Value \uFFFD&lt;x&gt;&quot;&#xD;\uFFFD for parameter");
  });

  test("lists, maps and attributes of a message", async () => {
    await post("Action=PurgeQueue&QueueUrl=other");
    await post(
      "Action=SendMessage&QueueUrl=other&MessageBody=a&MessageAttribute.1.Name=blob&MessageAttribute.1.Value.DataType=Binary&MessageAttribute.1.Value.BinaryValue=AQID",
    );
    const { text } = await post(
      "Action=ReceiveMessage&QueueUrl=other&AttributeName.1=SenderId&MessageAttributeName.1=All",
    );
    expect(
      text.replace(/<ReceiptHandle>[^<]+/, "<ReceiptHandle>").replace(/<MessageId>[^<]+/, "<MessageId>"),
    ).toContain(
      `<ReceiveMessageResult><Message><MessageId></MessageId><ReceiptHandle></ReceiptHandle><MD5OfBody>0cc175b9c0f1b6a831c399e269772661</MD5OfBody><Body>a</Body><Attribute><Name>SenderId</Name><Value>${sqs.account}</Value></Attribute>`,
    );
    expect(text).toContain(
      "<MessageAttribute><Name>blob</Name><Value><DataType>Binary</DataType><BinaryValue>AQID</BinaryValue></Value></MessageAttribute>",
    );
  });
});

describe("where a request may go", () => {
  test("the queue is the path's, without QueueUrl and Version", async () => {
    expect((await post("Action=SendMessage&MessageBody=a", { path: at("q") })).status).toBe(200);
    expect((await get(`${at("q")}?Action=SendMessage&MessageBody=a`)).status).toBe(200);
    expect((await get(`${at("q")}/?Action=SendMessage&MessageBody=a`)).status).toBe(200);
    expect((await get(`/queue/q?Action=SendMessage&MessageBody=a`)).status).toBe(200);
    expect((await get(`/queue/us-east-1${at("q")}?Action=SendMessage&MessageBody=a`)).status).toBe(200);
  });

  test("a QueueUrl wins over the path", async () => {
    const reply = await post("Action=SendMessage&QueueUrl=missing&MessageBody=a", { path: at("q") });
    expect(line(reply)).toBe(MISSING);
    const other = await post("Action=SendMessage&QueueUrl=q&MessageBody=a", { path: at("missing") });
    expect(other.status).toBe(200);
  });

  test("GET and POST do the same, with parameters in the query string, the body or both", async () => {
    for (const reply of [
      await get("/?Action=GetQueueUrl&QueueName=q"),
      await post("Action=GetQueueUrl&QueueName=q"),
      await post("QueueName=q", { path: "/?Action=GetQueueUrl" }),
      await get("?Action=GetQueueUrl&QueueName=q"),
    ]) {
      expect(reply.text).toContain(`<QueueUrl>${sqs.url("q")}</QueueUrl>`);
    }
  });

  test("a GET is Query, whatever content type and target it carries", async () => {
    const headers = { "content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.ListQueues" };
    const reply = await get("/?Action=GetQueueUrl&QueueName=q", headers);
    expect(reply.text).toContain("<GetQueueUrlResponse");
  });

  test("GetQueueUrl at a queue's path may ask for another queue", async () => {
    const reply = await get(`${at("q")}?Action=GetQueueUrl&QueueName=other`);
    expect(reply.text).toContain(`<QueueUrl>${sqs.url("other")}</QueueUrl>`);
  });

  test.each(["CreateQueue", "ListQueues"])("%s is not for a queue's path", async (action) => {
    expect(line(await get(`${at("q")}?Action=${action}&QueueName=new`))).toBe(invalid(action));
    expect(line(await post(`Action=${action}&QueueName=new`, { path: at("q") }))).toBe(invalid(action));
  });

  test.each(["FooBar", "sendMessage", "constructor", ""])("the action %j is none", async (action) => {
    expect(line(await post(`Action=${action}`))).toBe(invalid(action));
    expect(line(await post(`Action=${action}`, { path: at("q") }))).toBe(invalid(action));
  });

  test.each([
    ["/foobar", "foobar"],
    ["/foobar/", "foobar"],
    ["/a/b/c/d/e/f", "a/b/c/d/e/f"],
  ])("%s is no address", async (path, address) => {
    expect(line(await post("Action=SendMessage&MessageBody=a", { path }))).toBe(
      `404 InvalidAddress | The address ${address} is not valid for this endpoint.`,
    );
  });

  test("a queue's path with no queue behind it", async () => {
    expect(line(await post("Action=SendMessage&MessageBody=a", { path: at("missing") }))).toBe(MISSING);
  });

  test("no queue at all is a missing parameter", async () => {
    expect(line(await post("Action=SendMessage&MessageBody=a"))).toBe(
      "400 MissingParameter | The request must contain the parameter QueueUrl.",
    );
  });

  test("a GET without an action is unknown, in XML whatever is accepted", async () => {
    for (const headers of [{}, { accept: "application/json" }]) {
      const reply = await get(at("q"), headers);
      expect([reply.status, reply.text]).toEqual([404, "<UnknownOperationException/>"]);
      expect(reply.headers.get("content-type")).toBe("text/xml");
    }
  });
});

describe("parameter names", () => {
  const tagsOf = (queue: string): Promise<unknown> => sqs.call("ListQueueTags", { QueueUrl: queue });

  test("maps and lists go by wire name and by member name", async () => {
    await post("Action=CreateQueue&QueueName=t1&Tag.1.Key=a&Tag.1.Value=1");
    await post("Action=CreateQueue&QueueName=t2&Tags.1.Key=a&Tags.1.Value=1");
    await post("Action=CreateQueue&QueueName=t3&tags.1.Key=a&tags.1.Value=1");
    await post("Action=CreateQueue&QueueName=t4&Attributes.1.Name=DelaySeconds&Attributes.1.Value=7");
    for (const name of ["t1", "t2", "t3"]) expect(await tagsOf(name)).toEqual({ Tags: { a: "1" } });
    for (const names of ["AttributeName.1", "AttributeNames.1", "AttributeName"]) {
      const { text } = await post(`Action=GetQueueAttributes&QueueUrl=t4&${names}=DelaySeconds`);
      expect(text).toContain("<Attribute><Name>DelaySeconds</Name><Value>7</Value></Attribute>");
    }
    await post("Action=UntagQueue&QueueUrl=t1&TagKeys.1=a");
    await post("Action=UntagQueue&QueueUrl=t2&TagKey.1=a");
    for (const name of ["t1", "t2"]) expect(await tagsOf(name)).toEqual({});
  });

  test("numbers may have gaps, and order by value; other than numbers they are nothing", async () => {
    await post("Action=SendMessage&QueueUrl=other&MessageBody=a&MessageAttribute.0.Name=x&MessageAttribute.a.Name=y");
    const body =
      "Action=SendMessageBatch&QueueUrl=other&SendMessageBatchRequestEntry.10.Id=ten&SendMessageBatchRequestEntry.10.MessageBody=a&SendMessageBatchRequestEntry.9.Id=nine&SendMessageBatchRequestEntry.9.MessageBody=a";
    const { text } = await post(body);
    expect([...text.matchAll(/<Id>(\w+)<\/Id>/g)].map(([, id]) => id)).toEqual(["nine", "ten"]);
  });

  test("a lone element may go without its number", async () => {
    await post("Action=SetQueueAttributes&QueueUrl=t4&Attribute.Name=DelaySeconds&Attribute.Value=8");
    await post("Action=TagQueue&QueueUrl=t4&Tag.Key=a&Tag.Value=1");
    expect(await tagsOf("t4")).toEqual({ Tags: { a: "1" } });
    const { text } = await post("Action=GetQueueAttributes&QueueUrl=t4&AttributeName=All");
    expect(text).toContain("<Name>DelaySeconds</Name><Value>8</Value>");
  });

  test("system attributes are asked for by either list's name, which is one on the wire", async () => {
    for (const name of ["AttributeName", "AttributeNames", "MessageSystemAttributeNames"]) {
      await post("Action=SendMessage&QueueUrl=q&MessageBody=a");
      const { text } = await post(`Action=ReceiveMessage&QueueUrl=q&${name}.1=SenderId&${name}.2=SentTimestamp`);
      expect([...text.matchAll(/<Attribute><Name>(\w+)</g)].map(([, found]) => found)).toEqual([
        "SenderId",
        "SentTimestamp",
      ]);
    }
  });

  test("an empty text where a list is expected is an empty list", async () => {
    const reply = await post("Action=GetQueueAttributes&QueueUrl=q&AttributeName=");
    expect(reply.text).toContain("<GetQueueAttributesResult/>");
  });

  test("a batch by the member's name", async () => {
    const { text } = await post("Action=SendMessageBatch&QueueUrl=other&Entries.1.Id=a&Entries.1.MessageBody=b");
    expect(text).toContain("<SendMessageBatchResultEntry><Id>a</Id>");
  });

  test.each([
    ["Attribute.1.Name=DelaySeconds", "Attribute.Value"],
    ["Attribute.1.Value=1", "Attribute.Name"],
  ])("SetQueueAttributes with %s alone lacks %s", async (parameter, missing) => {
    expect(line(await post(`Action=SetQueueAttributes&QueueUrl=q&${parameter}`))).toBe(
      `400 MissingParameter | The request must contain the parameter ${missing}.`,
    );
  });
});

describe("malformed input", () => {
  test.each([
    ["QueueName=%zz", "A parameter is not valid percent-encoded UTF-8."],
    ["QueueName=%ff", "A parameter is not valid percent-encoded UTF-8."],
    [
      "QueueName=x&Attribute.1.Name=DelaySeconds&Attribute.1.Value=1&Attribute.2.Name=DelaySeconds&Attribute.2.Value=2",
      "Attribute.Name DelaySeconds is given twice",
    ],
  ])("CreateQueue %s", async (parameters, text) => {
    expect(line(await post(`Action=CreateQueue&${parameters}`))).toBe(`400 MalformedInput | ${text}`);
  });

  test.each(["x", "", "1.5", "0x1", "1e3", "2147483648", "-2147483649", "9".repeat(400), " 1"])(
    "WaitTimeSeconds=%s is no integer",
    async (text) => {
      expect(line(await post(`Action=ReceiveMessage&QueueUrl=q&WaitTimeSeconds=${encodeURIComponent(text)}`))).toBe(
        "400 MalformedInput | STRING_VALUE can not be converted to an Integer",
      );
    },
  );

  test("a binary value that is no base64", async () => {
    const attribute =
      "MessageAttribute.1.Name=a&MessageAttribute.1.Value.DataType=Binary&MessageAttribute.1.Value.BinaryValue";
    expect(line(await post(`Action=SendMessage&QueueUrl=q&MessageBody=a&${attribute}=%3F`))).toBe(
      "400 MalformedInput | A binary value is not valid base64.",
    );
  });

  test("every byte of 1 MiB may be percent-encoded", async () => {
    const { status, text } = await post(`Action=SendMessage&QueueUrl=q&MessageBody=${"%41".repeat(1_048_576)}`);
    expect([status, text]).toEqual([200, expect.stringContaining(md5("A".repeat(1_048_576)))]);
  });

  test("plus is a space, and what follows an equals sign is all value", async () => {
    await post("Action=PurgeQueue&QueueUrl=other");
    await post("Action=SendMessage&QueueUrl=other&MessageBody=a+b%2Bc=d=");
    const { text } = await post("Action=ReceiveMessage&QueueUrl=other");
    expect(text).toContain("<Body>a b+c=d=</Body>");
  });
});

describe("Accept: application/json", () => {
  const accept = { accept: "application/json" };

  test("an output", async () => {
    const reply = await post("Action=GetQueueAttributes&QueueUrl=q&AttributeName.1=DelaySeconds", { headers: accept });
    expect(reply.headers.get("content-type")).toBe("application/json");
    expect(JSON.parse(reply.text)).toEqual({
      GetQueueAttributesResponse: {
        GetQueueAttributesResult: { Attributes: [{ Name: "DelaySeconds", Value: "0" }] },
        ResponseMetadata: { RequestId: requestId(reply) },
      },
    });
  });

  test("messages, and lists of URLs", async () => {
    await post("Action=PurgeQueue&QueueUrl=other");
    await post("Action=SendMessage&QueueUrl=other&MessageBody=a");
    const received = await post("Action=ReceiveMessage&QueueUrl=other", { headers: accept });
    expect(JSON.parse(received.text)).toMatchObject({
      ReceiveMessageResponse: { ReceiveMessageResult: { messages: [{ Body: "a" }] } },
    });
    const listed = await get("/?Action=ListQueues&QueueNamePrefix=other", accept);
    expect(JSON.parse(listed.text)).toMatchObject({
      ListQueuesResponse: { ListQueuesResult: { queueUrls: [sqs.url("other")] } },
    });
  });

  test("an error", async () => {
    const reply = await post("Action=SendMessage&QueueUrl=missing&MessageBody=a", { headers: accept });
    expect(reply.status).toBe(400);
    expect(JSON.parse(reply.text)).toEqual({
      Error: {
        Type: "Sender",
        Code: "AWS.SimpleQueueService.NonExistentQueue",
        Message: "The specified queue does not exist for this wsdl version.",
        Detail: null,
      },
      RequestId: requestId(reply),
    });
  });
});
