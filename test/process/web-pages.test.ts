// A web page that somebody visits must not drive the open broker on his machine: what browsers send without asking is refused.
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BrokerProcess, call, startBroker } from "../support/broker-process.ts";

const ACCOUNT = "000000000000";
let directory: string;
let broker: BrokerProcess;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "wasq-pages-"));
  broker = await startBroker(directory, {
    args: ["--public-url", "http://queues.example.org", "--allow-origins", "https://console.example.org"],
  });
  await call(broker.endpoint, "CreateQueue", { QueueName: "kept" });
  await call(broker.endpoint, "SendMessage", { QueueUrl: "kept", MessageBody: "precious" });
});
afterAll(async () => {
  expect(await broker.stop("SIGTERM")).toBe(0);
  rmSync(directory, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly allowOrigin: string | undefined;
}

/** As a browser would, with whatever headers it sets by itself; fetch() would not let us. */
function send(method: string, path: string, headers: Record<string, string>, body = ""): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(`${broker.endpoint}${path}`, { method, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => {
        const allowOrigin = response.headers["access-control-allow-origin"];
        resolve({ status: response.statusCode ?? 0, text, allowOrigin });
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const FORM = { "content-type": "application/x-www-form-urlencoded" };
const PLAIN = { "content-type": "text/plain" }; // the other type that a form may have
const JSON_HEADERS = { "content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.PurgeQueue" };
const PURGE = `Action=PurgeQueue&QueueUrl=/${ACCOUNT}/kept`;
const PEEK = `/_aws/sqs/messages/us-east-1/${ACCOUNT}/kept`;
const EVIL = "https://evil.example";

const waiting = async (): Promise<string> => {
  const { body } = await call(broker.endpoint, "GetQueueAttributes", {
    QueueUrl: "kept",
    AttributeNames: ["ApproximateNumberOfMessages"],
  });
  return body.Attributes.ApproximateNumberOfMessages;
};

describe("a page of another origin is refused, and nothing has happened", () => {
  test.each([
    ["a form that posts", "POST", "/", { ...FORM, origin: EVIL, "sec-fetch-site": "cross-site" }, PURGE],
    ["an older browser's form, without Sec-Fetch-Site", "POST", "/", { ...FORM, origin: EVIL }, PURGE],
    ["a form whose origin something has taken away", "POST", "/", { ...FORM, "sec-fetch-site": "cross-site" }, PURGE],
    ["a form of a page that hides its origin", "POST", "/", { ...FORM, origin: "null" }, PURGE],
    ["a form at the queue's own path", "POST", `/${ACCOUNT}/kept`, { ...FORM, origin: EVIL }, "Action=PurgeQueue"],
    ["a form whose action stands in its address", "POST", `/?${PURGE}`, { ...PLAIN, origin: EVIL }, "a=b"],
    ["a script that posts JSON", "POST", "/", { ...JSON_HEADERS, origin: EVIL }, '{"QueueUrl":"kept"}'],
    ["a page on another port of this machine", "POST", "/", { ...FORM, origin: "http://localhost:1" }, PURGE],
    ["a link, an image, a script", "GET", `/?${PURGE}`, { "sec-fetch-site": "cross-site" }, ""],
    ["an image on a page of another port", "GET", `/?${PURGE}`, { "sec-fetch-site": "same-site" }, ""],
    ["a script that reads", "GET", `/?${PURGE}`, { origin: EVIL }, ""],
    [
      "a rebound name's form",
      "POST",
      "/",
      { ...FORM, origin: "http://evil.example:9324", host: "evil.example" },
      PURGE,
    ],
    ["a rebound name's read, which says nothing of itself", "GET", `/?${PURGE}`, { host: "evil.example:9324" }, ""],
    ["a name that only ends like ours", "GET", `/?${PURGE}`, { host: "evillocalhost" }, ""],
    ["a name that only begins like an address", "GET", `/?${PURGE}`, { host: "127.0.0.1.evil.example" }, ""],
    ["a look at messages", "GET", PEEK, { "sec-fetch-site": "cross-site" }, ""],
    ["a rebound name's look at messages", "GET", PEEK, { host: "evil.example" }, ""],
  ])("%s", async (_what, method, path, headers, body) => {
    const { status, text, allowOrigin } = await send(method, path, headers, body);
    expect(status).toBe(403);
    expect(text).toMatch(/AccessDenied/);
    expect(text).toMatch(/A web page of another origin|This broker is not called/);
    expect(allowOrigin).toBeUndefined();
    expect(await waiting()).toBe("1");
  });

  test("in words that its protocol's clients read", async () => {
    const json = await send("POST", "/", { ...JSON_HEADERS, origin: EVIL }, '{"QueueUrl":"kept"}');
    expect(JSON.parse(json.text)).toEqual({
      __type: "com.amazon.coral.service#AccessDeniedException",
      message: `A web page of another origin ("${EVIL}") may not use this broker. --allow-origins lets one in.`,
    });
    const long = await send("POST", "/", { ...FORM, origin: `<${"x".repeat(3000)}` }, PURGE);
    expect(long.text).toContain("<Code>AccessDenied</Code>");
    expect(long.text).not.toContain("<xxx");
    expect(long.text.length).toBeLessThan(1000);
  });

  test("and its browser, when it asks before it sends, is allowed nothing", async () => {
    const { status, allowOrigin } = await send("OPTIONS", "/", {
      origin: EVIL,
      "access-control-request-method": "POST",
      "access-control-request-headers": "x-amz-target",
    });
    expect(status).toBeGreaterThanOrEqual(400);
    expect(allowOrigin).toBeUndefined();
  });
});

describe("everybody else comes in", () => {
  const LIST = "Action=ListQueues";
  const own = () => ({ origin: broker.endpoint });
  test.each([
    ["an SDK", "POST", "/", () => ({ ...JSON_HEADERS, "x-amz-target": "AmazonSQS.ListQueues" }), "{}"],
    ["an SDK that calls the broker by another name", "POST", "/", () => ({ ...FORM, host: "wasq:9324" }), LIST],
    ["a page of the broker's own origin", "POST", "/", () => ({ ...FORM, ...own() }), LIST],
    ["a page of an allowed origin", "POST", "/", () => ({ ...FORM, origin: "https://console.example.org" }), LIST],
    ["whoever types the address", "GET", `/?${LIST}`, () => ({ "sec-fetch-site": "none" }), ""],
    ["curl, by address", "GET", `/?${LIST}`, () => ({}), ""],
    ["curl, by the name of this machine", "GET", `/?${LIST}`, () => ({ host: "localhost:9324" }), ""],
    ["curl, by a name below it", "GET", `/?${LIST}`, () => ({ host: "sqs.us-east-1.localhost" }), ""],
    ["curl, by the IPv6 address", "GET", `/?${LIST}`, () => ({ host: "[::1]:9324" }), ""],
    ["curl, by the public name", "GET", `/?${LIST}`, () => ({ host: "queues.example.org" }), ""],
    ["a probe, by whatever name", "GET", "/health", () => ({ host: "probe.example" }), ""],
  ])("%s", async (_what, method, path, headers, body) => {
    expect((await send(method, path, headers(), body)).status).toBe(200);
  });
});
