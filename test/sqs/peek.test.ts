// LocalStack's way to look at messages: paths, renderings, errors, pages. What a look shows is the core's: peek.test.ts there.
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import type { Handle, SqsReply, SqsRequest } from "../../src/sqs/exchange.ts";
import { peekRoutes } from "../../src/sqs/peek.ts";
import {
  ACCOUNT,
  errorLine,
  jsonRequest,
  NO_REQUEST,
  parseJson,
  parseXml,
  SqsClient,
  urlOf,
} from "../support/sqs-client.ts";

const PATH = "/_aws/sqs/messages";
const S = urlOf("standard");
let client: SqsClient;
let handle: Handle;

beforeEach(() => {
  client = new SqsClient();
  client.createQueue("standard");
  client.createQueue("orders.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true" });
  const onFault = (error: unknown) => client.faults.push(error);
  handle = peekRoutes(client.broker, { account: ACCOUNT, defaultRegion: "us-east-1", onFault })[0]?.handle as Handle;
});

const LOOK: SqsRequest = { ...NO_REQUEST, method: "GET", path: PATH, host: "localhost:4566" };

function ask(request: Partial<SqsRequest>): SqsReply {
  const replies: SqsReply[] = [];
  handle({ ...LOOK, ...request }, (reply) => replies.push(reply));
  const [reply] = replies;
  if (reply === undefined || replies.length !== 1) throw new Error(`Expected one reply, got ${replies.length}`);
  return reply;
}

function query(parameters: { readonly [name: string]: string }): string {
  return new URLSearchParams({ QueueUrl: S, ...parameters }).toString();
}

interface Shown {
  readonly Body: string;
  readonly ReceiptHandle: string;
  readonly Attribute: readonly { readonly Name: string; readonly Value: string }[];
}

/** What LocalStack's JSON has of messages: none, one, or a list. */
function messagesOf(reply: SqsReply): readonly Shown[] {
  expect([reply.status, reply.contentType]).toEqual([200, "application/json"]);
  const { ReceiveMessageResponse } = parseJson(reply.body) as {
    ReceiveMessageResponse: { ReceiveMessageResult: { Message?: Shown | Shown[] } | null };
  };
  const message = ReceiveMessageResponse.ReceiveMessageResult?.Message;
  return message === undefined ? [] : Array.isArray(message) ? message : [message];
}

function look(parameters: { readonly [name: string]: string } = {}): readonly Shown[] {
  return messagesOf(ask({ query: query(parameters), accept: "application/json" }));
}

function attributesOf(message: Shown | undefined): { readonly [name: string]: string } {
  return Object.fromEntries((message?.Attribute ?? []).map(({ Name, Value }) => [Name, Value]));
}

const send = (body: string, more: object = {}) =>
  client.call("SendMessage", { QueueUrl: S, MessageBody: body, ...more });

describe("renderings", () => {
  test("XML, the same envelope as ReceiveMessage's", () => {
    send("one & only", { MessageAttributes: { color: { DataType: "String", StringValue: "blue" } } });
    const reply = ask({ query: query({}) });
    expect([reply.status, reply.contentType]).toEqual([200, "text/xml"]);
    const { ReceiveMessageResponse } = parseXml(reply.body) as {
      ReceiveMessageResponse: { ReceiveMessageResult: { Message: Shown & { MessageAttribute: unknown } } };
    };
    const message = ReceiveMessageResponse.ReceiveMessageResult.Message;
    expect(message).toMatchObject({
      Body: "one & only",
      ReceiptHandle: "SQS/BACKDOOR/ACCESS",
      MessageAttribute: { Name: "color", Value: { StringValue: "blue", DataType: "String" } },
    });
    expect(attributesOf(message)).toEqual({
      SenderId: "anonymous",
      SentTimestamp: String(client.clock.nowMs()),
      ApproximateReceiveCount: "0",
      ApproximateFirstReceiveTimestamp: "0",
    });
  });

  test("JSON for who accepts it: nothing, one message as it is, several as a list", () => {
    expect(parseJson(ask({ query: query({}), accept: "application/json" }).body)).toMatchObject({
      ReceiveMessageResponse: { ReceiveMessageResult: null, ResponseMetadata: { RequestId: expect.any(String) } },
    });
    send("a");
    expect(parseJson(ask({ query: query({}), accept: "text/plain, application/json" }).body)).toMatchObject({
      ReceiveMessageResponse: { ReceiveMessageResult: { Message: { Body: "a" } } },
    });
    send("b");
    expect(look().map(({ Body }) => Body)).toEqual(["a", "b"]);
  });

  test("an SDK whose endpoint this is: both protocols, and MaxNumberOfMessages is no limit", () => {
    send("a");
    send("b");
    const input = { QueueUrl: S, MaxNumberOfMessages: 1, VisibilityTimeout: 30 };
    const json = ask({ method: "POST", path: `${PATH}/`, ...jsonRequest("ReceiveMessage", input) });
    expect([json.status, json.contentType]).toEqual([200, "application/x-amz-json-1.0"]);
    expect(parseJson(json.body)).toMatchObject({ Messages: [{ Body: "a" }, { Body: "b" }] });

    const form = new URLSearchParams({ Action: "ReceiveMessage", QueueUrl: S, MaxNumberOfMessages: "1" });
    const contentType = "application/x-www-form-urlencoded";
    const xml = ask({ method: "POST", contentType, body: Buffer.from(form.toString()) });
    expect(xml.body.match(/<Message>/g)).toHaveLength(2);
    expect(client.broker.counts(client.broker.list(ACCOUNT, "us-east-1", "standard", "", 1)[0] as never)).toEqual({
      visible: 2,
      inFlight: 0,
      delayed: 0,
    });
  });
});

describe("what is shown", () => {
  test("ShowInvisible and ShowDelayed add messages, and an attribute to every one", () => {
    send("held");
    client.call("ReceiveMessage", { QueueUrl: S });
    send("seen");
    send("late", { DelaySeconds: 60 });
    const shown = (parameters: { readonly [name: string]: string }) =>
      look(parameters).map((message) => {
        const { IsVisible, IsDelayed, ApproximateReceiveCount } = attributesOf(message);
        return [message.Body, ApproximateReceiveCount, IsVisible, IsDelayed];
      });
    expect(shown({})).toEqual([["seen", "0", undefined, undefined]]);
    expect(shown({ ShowInvisible: "True" })).toEqual([
      ["held", "1", "false", undefined],
      ["seen", "0", "true", undefined],
    ]);
    expect(shown({ ShowInvisible: "1", ShowDelayed: "true" })).toEqual([
      ["held", "1", "false", "false"],
      ["seen", "0", "true", "false"],
      ["late", "0", "true", "true"],
    ]);
    expect(shown({ ShowInvisible: "False", ShowDelayed: "yes" })).toEqual([["seen", "0", undefined, undefined]]);
  });

  test("FIFO: group, deduplication and sequence are among the attributes", () => {
    client.call("SendMessage", { QueueUrl: urlOf("orders.fifo"), MessageBody: "a", MessageGroupId: "g" });
    const [message] = look({ QueueUrl: urlOf("orders.fifo") });
    expect(attributesOf(message)).toMatchObject({
      MessageGroupId: "g",
      MessageDeduplicationId: expect.stringMatching(/^[0-9a-f]{64}$/),
      SequenceNumber: expect.stringMatching(/^\d{20}$/),
    });
  });

  test("pages: MaxResults, and a token for the rest that belongs to what was asked", () => {
    for (const body of ["a", "b", "c"]) send(body);
    const bodies: string[] = [];
    let token = "";
    do {
      const reply = ask({ query: query({ MaxResults: "2", NextToken: token }), accept: "application/json" });
      bodies.push(
        messagesOf(reply)
          .map(({ Body }) => Body)
          .join(),
      );
      token = /"NextToken":"([^"]*)"/.exec(reply.body)?.[1] ?? "";
    } while (token !== "");
    expect(bodies).toEqual(["a,b", "c"]);

    token = /<NextToken>(.*)<\/NextToken>/.exec(ask({ query: query({ MaxResults: "1" }) }).body)?.[1] ?? "";
    expect(errorLine(ask({ query: query({ NextToken: token, ShowInvisible: "true" }) }))).toMatch(
      /^400 InvalidParameterValue \| Invalid NextToken value/,
    );
    client.broker.next = { peek: { status: "lost" } };
    expect(errorLine(ask({ query: query({ NextToken: token }) }))).toMatch(
      /^400 InvalidParameterValue \| Invalid or expired next token\. The queue has changed/,
    );
    for (const bad of ["0", "1001", "-1", "x", ""]) {
      expect(errorLine(ask({ query: query({ MaxResults: bad }) }))).toContain("an integer between 1 and 1000");
    }
    for (const bad of ["x", "AAAA", Buffer.from("true.true.3.1.1").toString("base64url"), "A".repeat(4000)]) {
      expect(errorLine(ask({ query: query({ NextToken: bad }) }))).toContain("Invalid or expired next token");
    }
  });
});

describe("which queue", () => {
  test.each([
    ["a URL", { query: `QueueUrl=${encodeURIComponent(S)}` }],
    ["LocalStack's path form", { query: `QueueUrl=http://localhost:4566/queue/us-east-1/${ACCOUNT}/standard` }],
    [
      "LocalStack's host form",
      { query: `QueueUrl=http://sqs.us-east-1.localhost.localstack.cloud/${ACCOUNT}/standard` },
    ],
    ["a bare name", { query: "QueueUrl=standard" }],
    ["a path", { path: `${PATH}/us-east-1/${ACCOUNT}/standard` }],
    ["a path with a slash at its end, escaped", { path: `${PATH}/us%2Deast-1/${ACCOUNT}/stand%61rd/` }],
  ])("%s", (_, request) => {
    send("a");
    expect(ask(request).body).toContain("<Body>a</Body>");
  });

  test("the region of the path, and of the credentials", () => {
    const missing =
      "400 AWS.SimpleQueueService.NonExistentQueue | The specified queue does not exist for this wsdl version.";
    expect(errorLine(ask({ path: `${PATH}/eu-west-1/${ACCOUNT}/standard` }))).toBe(missing);
    const authorization = "AWS4-HMAC-SHA256 Credential=key/20260101/eu-west-1/sqs/aws4_request, Signature=x";
    expect(errorLine(ask({ query: query({}), authorization }))).toBe(missing);
  });

  test.each([
    ["no queue URL", {}, "400 AWS.SimpleQueueService.NonExistentQueue"],
    ["an empty one", { query: "QueueUrl=" }, "400 AWS.SimpleQueueService.NonExistentQueue"],
    ["no such queue", { query: `QueueUrl=${urlOf("nobody")}` }, "400 AWS.SimpleQueueService.NonExistentQueue"],
    [
      "no such queue, by path",
      { path: `${PATH}/us-east-1/${ACCOUNT}/nobody` },
      "400 AWS.SimpleQueueService.NonExistentQueue",
    ],
    ["a URL that is no queue's", { query: "QueueUrl=http://localhost:4566/nonsense" }, "404 InvalidAddress"],
    ["a path that is no queue's", { path: `${PATH}/us-east-1/standard` }, "404 InvalidAddress"],
    ["a path that cannot be read", { path: `${PATH}/us-east-1/%zz/standard` }, "404 InvalidAddress"],
    ["a path with an empty part", { path: `${PATH}/us-east-1//standard` }, "404 InvalidAddress"],
    ["another action", { query: query({ Action: "SendMessage" }) }, "400 InvalidRequest"],
    ["another action, JSON", { method: "POST", ...jsonRequest("PurgeQueue", { QueueUrl: S }) }, "400 InvalidRequest"],
    ["a long form", { method: "POST", body: Buffer.alloc(65_537, "a") }, "400 MalformedInput"],
  ])("%s: %s", (_, request, expected) => {
    expect(errorLine(ask(request)).split(" | ")[0]).toBe(expected);
  });

  test("errors as JSON have LocalStack's envelope", () => {
    const reply = ask({ query: "QueueUrl=http://localhost:4566/nonsense", accept: "application/json" });
    expect([reply.status, reply.contentType]).toEqual([404, "application/json"]);
    expect(parseJson(reply.body)).toMatchObject({
      ErrorResponse: { Error: { Type: "Sender", Code: "InvalidAddress" } },
    });
  });
});

test("what fails inside is told to the broker's side, and a client that goes gives its look up", () => {
  client.broker.next = { peek: { status: "failed", error: new Error("cannot read") } };
  expect(errorLine(ask({ query: query({}) }))).toMatch(/^500 InternalFailure/);
  expect(client.faults).toEqual([new Error("cannot read")]);
  client.broker.next = { peek: { status: "queueGone" } };
  expect(errorLine(ask({ query: query({}) }))).toMatch(/NonExistentQueue/);

  client.broker.held = true;
  const replies: SqsReply[] = [];
  const cancel = handle({ ...LOOK, query: query({}) }, (reply) => replies.push(reply));
  cancel?.();
  client.broker.release();
  expect([replies, client.broker.cancelledCount]).toEqual([[], 1]);
});

test("any query string, any path: an answer that can be read, and nothing happens to the queue", () => {
  send("a");
  const word = fc.oneof(
    fc.string({ unit: "binary", maxLength: 20 }),
    fc.constantFrom(
      "QueueUrl",
      "ShowInvisible",
      "NextToken",
      "MaxResults",
      "Action",
      "true",
      "standard",
      "%",
      "%zz",
      "&",
      "=",
      "/",
      S,
    ),
  );
  const text = fc.array(word, { maxLength: 8 }).map((words) => words.join(""));
  fc.assert(
    fc.property(text, text, fc.boolean(), (queryText, below, json) => {
      const path = below === "" ? PATH : `${PATH}/${below}`;
      const reply = ask({ path, query: queryText, accept: json ? "application/json" : "" });
      if (json) parseJson(reply.body);
      else parseXml(reply.body);
      expect([200, 400, 404]).toContain(reply.status);
    }),
    { numRuns: 2_000 },
  );
  expect(client.faults).toEqual([]);
  expect(look().map(({ Body }) => Body)).toEqual(["a"]);
});
