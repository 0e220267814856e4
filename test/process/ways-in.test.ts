// Ways in that somebody could try on a broker with keys: each is refused, and what it was after is still there.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BrokerProcess, startBroker } from "../support/broker-process.ts";
import * as wire from "../support/wire.ts";

const BUNDLE = fileURLToPath(new URL("../../build/out/wasq.cjs", import.meta.url));
const OWNER = "111111111111";
const OTHER = "222222222222";
const ARN = `arn:aws:sqs:us-east-1:${OWNER}:`;

interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}
type Answer = wire.WireAnswer;
type Headers = wire.Headers;

let directory: string;
let broker: BrokerProcess;
const keys = new Map<string, Key>();
const of = (name: string): Key => keys.get(name) as Key;

function create(name: string, account: string, ...statements: readonly object[]): void {
  const path = join(directory, `${name}.json`);
  writeFileSync(path, JSON.stringify({ Version: "2012-10-17", Statement: statements }));
  const policy = statements.length === 0 ? [] : ["--policy", path];
  const args = ["keys", "create", name, "--account", account, ...policy, "--data-dir", directory];
  const text = execFileSync(process.execPath, [BUNDLE, ...args], { encoding: "utf8" });
  const [, accessKeyId = "", secretAccessKey = ""] = /=(\S+)\n\S+?=(\S+)\n$/.exec(text) ?? [];
  keys.set(name, { accessKeyId, secretAccessKey });
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "wasq-ways-in-"));
  const allow = (Action: string | readonly string[], Resource: string) => ({ Effect: "Allow", Action, Resource });
  create("root", OWNER);
  create("other", OTHER, allow("sqs:*", "*"));
  create("sender", OWNER, allow("sqs:SendMessage", `${ARN}allowed*`), allow(MOVE, `${ARN}dead`));
  create("inside", OWNER, {
    ...allow("sqs:*", "*"),
    Condition: { IpAddress: { "aws:SourceIp": "10.0.0.0/8" } },
  });
  broker = await startBroker(directory, { args: ["--auto-create-queues"] });
  for (const QueueName of ["allowed", "secret", "dead"]) await must("root", "CreateQueue", { QueueName });
  await must("root", "CreateQueue", { QueueName: "allowed" }, "eu-west-1");
  await must("other", "CreateQueue", { QueueName: "theirs" });
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: `${ARN}dead`, maxReceiveCount: 1 });
  await must("root", "SetQueueAttributes", { QueueUrl: "secret", Attributes: { RedrivePolicy } });
  await must("root", "SendMessage", { QueueUrl: "secret", MessageBody: "precious" });
  await must("root", "SendMessage", { QueueUrl: "allowed", MessageBody: "precious" });
});
afterAll(async () => {
  expect(await broker.stop("SIGTERM")).toBe(0);
  expect(broker.stderr()).not.toContain("failed");
  rmSync(directory, { recursive: true, force: true });
});

const MOVE = ["StartMessageMoveTask", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes"].map(
  (one) => `sqs:${one}`,
);

interface Signed {
  readonly key: string; // its user's name
  readonly method?: string;
  readonly path?: string;
  readonly query?: string; // as it is signed: sorted, encoded
  readonly headers?: Headers; // that are signed, besides host and date
  readonly body?: string;
  readonly region?: string;
}

/** What an SDK would send. Tests then change what they like. */
const sign = ({ key, ...more }: Signed): Headers => wire.sign({ endpoint: broker.endpoint, key: of(key), ...more });
const send = (method: string, path: string, headers: Headers, body?: string): Promise<Answer> =>
  wire.send(broker.endpoint, method, path, headers, body);
const raw = (text: string): Promise<string> => wire.raw(broker.endpoint, text);

const JSON_TYPE = { "content-type": "application/x-amz-json-1.0" };
const FORM_TYPE = { "content-type": "application/x-www-form-urlencoded" };
const target = (action: string): Headers => ({ "x-amz-target": `AmazonSQS.${action}` });

function json(key: string, action: string, input: object | string, region = "us-east-1"): Promise<Answer> {
  const body = typeof input === "string" ? input : JSON.stringify(input);
  return send("POST", "/", { ...sign({ key, headers: target(action), body, region }), ...JSON_TYPE }, body);
}
function form(key: string, path: string, body: string, query = ""): Promise<Answer> {
  const headers = sign({ key, path, body, query });
  return send("POST", query === "" ? path : `${path}?${query}`, { ...headers, ...FORM_TYPE }, body);
}
async function must(key: string, action: string, input: object, region?: string): Promise<string> {
  const { status, text } = await json(key, action, input, region);
  if (status !== 200) throw new Error(`${action}: ${status} ${text}`);
  return text;
}
async function countOf(QueueUrl: string, region?: string): Promise<string> {
  const text = await must("root", "GetQueueAttributes", { QueueUrl, AttributeNames: ["All"] }, region);
  return JSON.parse(text).Attributes.ApproximateNumberOfMessages;
}

test("the rights that the attempts start from are there", async () => {
  expect((await json("sender", "SendMessage", { QueueUrl: "allowed", MessageBody: "x" })).status).toBe(200);
  expect((await form("sender", `/${OWNER}/allowed`, "Action=SendMessage&MessageBody=x")).status).toBe(200);
  expect((await json("sender", "PurgeQueue", { QueueUrl: "allowed" })).status).toBe(403);
  expect((await json("sender", "SendMessage", { QueueUrl: "secret", MessageBody: "x" })).status).toBe(403);
});

describe("a header", () => {
  const body = '{"QueueUrl":"allowed","MessageBody":"x"}';
  const head = (headers: Headers, more: string) =>
    `POST / HTTP/1.1\r\n${more}${wire.lines({ ...headers, ...JSON_TYPE })}content-length: ${body.length}\r\n\r\n${body}`;
  const signed = () => sign({ key: "sender", headers: target("SendMessage"), body });

  test("that comes twice is not read once: a second action", async () => {
    expect(await raw(head(signed(), ""))).toMatch(/^HTTP\/1.1 200/);
    expect(await raw(head(signed(), "x-amz-target: AmazonSQS.PurgeQueue\r\n"))).toMatch(/^HTTP\/1.1 403/);
    expect(await raw(head(signed(), "X-AMZ-TARGET: AmazonSQS.PurgeQueue\r\n"))).toMatch(/^HTTP\/1.1 403/);
  });

  test("that comes twice is not read once: a second signature, host or date", async () => {
    const other = sign({ key: "root", headers: target("PurgeQueue"), body: "{}" })["authorization"];
    for (const more of [
      `authorization: ${other}`,
      "authorization: x",
      "host: evil.example",
      "x-amz-date: 20200101T000000Z",
    ]) {
      expect(await raw(head(signed(), `${more}\r\n`))).toMatch(/^HTTP\/1.1 (400|403)/);
    }
  });

  test("that gives a body two lengths smuggles nothing behind it", async () => {
    const hidden = `POST / HTTP/1.1\r\n${wire.lines({ ...sign({ key: "sender" }), ...FORM_TYPE })}content-length: 0\r\n\r\n`;
    for (const more of ["transfer-encoding: chunked\r\n", `content-length: ${body.length + hidden.length}\r\n`]) {
      const got = await raw(head(signed(), more));
      expect(got.match(/^HTTP\/1.1/gm)?.length ?? 0).toBeLessThanOrEqual(1);
      expect(got).not.toMatch(/^HTTP\/1.1 200/);
    }
  });

  test("of a proxy is believed by nobody: an address, a scheme", async () => {
    const headers = sign({ key: "inside", headers: target("ListQueues"), body: "{}" });
    for (const name of ["x-forwarded-for", "forwarded", "x-real-ip", "true-client-ip", "x-amz-source-ip"]) {
      const value = name === "forwarded" ? "for=10.0.0.1" : "10.0.0.1";
      expect((await send("POST", "/", { ...headers, ...JSON_TYPE, [name]: value }, "{}")).status).toBe(403);
    }
  });

  test("that says another type does not make a form of a signed JSON body", async () => {
    const sly = JSON.stringify({ QueueUrl: "secret", MessageBody: `&Action=PurgeQueue&QueueUrl=/${OWNER}/secret&x=` });
    const headers = sign({ key: "root", headers: target("SendMessage"), body: sly });
    const { status, text } = await send("POST", "/", { ...headers, ...FORM_TYPE }, sly);
    expect({ status, says: text.includes("X-Amz-Target names an action of the JSON protocol") }).toEqual({
      status: 400,
      says: true,
    });
    expect(await countOf("secret")).toBe("1");
  });

  test("that is not signed makes no JSON action of a signed form", async () => {
    const headers = { ...sign({ key: "root", body: "{}" }), ...JSON_TYPE, ...target("ListQueues") };
    expect((await send("POST", "/", headers, "{}")).status).toBe(403);
  });

  test("that leaves the body unsigned is refused", async () => {
    const headers = sign({
      key: "root",
      headers: { ...target("ListQueues"), "x-amz-content-sha256": "UNSIGNED-PAYLOAD" },
      body: "{}",
    });
    expect((await send("POST", "/", { ...headers, ...JSON_TYPE }, "{}")).status).toBe(403);
  });

  test.each([
    "",
    "Basic eDp5",
    "Bearer x",
    "AWS4-HMAC-SHA256",
    "AWS4-HMAC-SHA256 ",
    "AWS4-HMAC-SHA256 Credential=",
    "AWS4-ECDSA-P256-SHA256 x",
  ])("with other credentials is nobody's: %j", async (authorization) => {
    const { status } = await send("POST", "/", { ...JSON_TYPE, ...target("ListQueues"), authorization }, "{}");
    expect([400, 403]).toContain(status);
  });
});

describe("an action", () => {
  test.each([
    ["said twice in a form", "/", "", `Action=SendMessage&MessageBody=x&QueueUrl=/${OWNER}/allowed&Action=PurgeQueue`],
    [
      "said in the address and otherwise in the form",
      "/",
      `Action=SendMessage&QueueUrl=%2F${OWNER}%2Fallowed`,
      "Action=PurgeQueue",
    ],
    [
      "said in the form and otherwise in the address",
      "/",
      `Action=PurgeQueue&QueueUrl=%2F${OWNER}%2Fallowed`,
      "MessageBody=x",
    ],
    ["with an encoded name", `/${OWNER}/allowed`, "", "Actio%6e=PurgeQueue"],
    [
      "of another queue than the path's",
      `/${OWNER}/allowed`,
      "",
      `Action=SendMessage&MessageBody=x&QueueUrl=/${OWNER}/secret`,
    ],
    [
      "of the last of two queues",
      `/${OWNER}/allowed`,
      "",
      `Action=SendMessage&MessageBody=x&QueueUrl=allowed&QueueUrl=secret`,
    ],
  ])("%s is permitted as what is run", async (_what, path, query, body) => {
    const { status, text } = await form("sender", path, body, query);
    expect({ status, denied: text.includes("<Code>AccessDenied</Code>") }).toEqual({ status: 403, denied: true });
    expect(await countOf("secret")).toBe("1");
  });

  test.each(["purgequeue", "PURGEQUEUE", "PurgeQueue ", "PurgeQueue%00", "SendMessage.PurgeQueue"])(
    "in another spelling is none: %j",
    async (name) => {
      expect((await form("sender", `/${OWNER}/secret`, `Action=${name}`)).status).toBe(400);
    },
  );

  test("in the address of a JSON request is not looked at", async () => {
    const body = '{"QueueUrl":"allowed","MessageBody":"x"}';
    const query = `Action=PurgeQueue&QueueUrl=%2F${OWNER}%2Fsecret`;
    const headers = sign({ key: "sender", headers: target("SendMessage"), query, body });
    expect((await send("POST", `/?${query}`, { ...headers, ...JSON_TYPE }, body)).status).toBe(200);
    expect(await countOf("secret")).toBe("1");
  });

  test("of somebody else in the address does not count beside a signature", async () => {
    const query = `X-Amz-Credential=${of("root").accessKeyId}%2F20260101%2Fus-east-1%2Fsqs%2Faws4_request`;
    const body = '{"QueueUrl":"secret"}';
    const headers = sign({ key: "sender", headers: target("PurgeQueue"), query, body });
    expect((await send("POST", `/?${query}`, { ...headers, ...JSON_TYPE }, body)).status).toBe(403);
    expect((await send("POST", `/?${query}`, { ...JSON_TYPE, ...target("PurgeQueue") }, body)).status).toBe(400);
  });

  test("for many is permitted as the one", async () => {
    const entries = [{ Id: "a", ReceiptHandle: "h", MessageBody: "x", VisibilityTimeout: 1 }];
    expect((await json("sender", "SendMessageBatch", { QueueUrl: "allowed", Entries: entries })).status).toBe(200);
    for (const action of ["DeleteMessageBatch", "ChangeMessageVisibilityBatch"]) {
      expect((await json("sender", action, { QueueUrl: "allowed", Entries: entries })).status).toBe(403);
    }
    expect((await json("sender", "SendMessageBatch", { QueueUrl: "secret", Entries: entries })).status).toBe(403);
  });
});

describe("a queue", () => {
  test.each([
    ["of another account", `/${OTHER}/theirs`],
    ["of another account, in another server's form", `http://x/queue/us-east-1/${OTHER}/theirs`],
    ["of another region than the signature's", `http://x/queue/eu-west-1/${OWNER}/allowed`],
    ["of another region, by the host", `http://sqs.eu-west-1.amazonaws.com/${OWNER}/allowed`],
    ["whose name is encoded", `/${OWNER}/%73ecret`],
    ["behind a way around", `/${OWNER}/allowed/../secret`],
    ["behind another one", `/x/${OWNER}/secret`],
    ["with a parameter at its end", `/${OWNER}/secret?allowed`],
    ["of another case", `/${OWNER}/Allowed`],
  ])("%s is asked for as what it is", async (_what, QueueUrl) => {
    const { status } = await json("sender", "SendMessage", { QueueUrl, MessageBody: "x" });
    expect([400, 403]).toContain(status);
    expect([await countOf("secret"), await countOf("allowed", "eu-west-1")]).toEqual(["1", "0"]);
  });

  test("named twice in JSON is the one that is permitted", async () => {
    for (const body of [
      '{"QueueUrl":"allowed","MessageBody":"x","QueueUrl":"secret"}',
      '{"QueueUrl":"secret","MessageBody":"x","QueueUrl":"allowed"}',
      '{"QueueUrl":"allowed","MessageBody":"x","\\u0051ueueUrl":"secret"}',
      '{"QueueUrl":"allowed","MessageBody":"x","queueUrl":"secret"}',
    ]) {
      await json("sender", "SendMessage", body);
    }
    expect(await countOf("secret")).toBe("1");
  });

  test.each(["/./", "//", "/x/../"])("at a path that only looks the same is not found: %s", async (start) => {
    // The signature is for /account/secret; what comes has the same canonical form.
    const headers = sign({ key: "root", path: `/${OWNER}/secret`, body: "Action=PurgeQueue" });
    const { status } = await send("POST", `${start}${OWNER}/secret`, { ...headers, ...FORM_TYPE }, "Action=PurgeQueue");
    expect([400, 403, 404]).toContain(status);
    expect(await countOf("secret")).toBe("1");
  });

  test("that is to be created takes the permission for it", async () => {
    expect((await json("sender", "SendMessage", { QueueUrl: "allowed-2", MessageBody: "x" })).status).toBe(403);
    expect(await must("root", "ListQueues", {})).not.toContain("allowed-2");
    expect((await json("sender", "SendMessage", { QueueUrl: `/${OTHER}/allowed-2`, MessageBody: "x" })).status).toBe(
      403,
    );
  });

  test("that messages are moved to takes the permission to send there, named or not", async () => {
    const move = (input: object) => json("sender", "StartMessageMoveTask", { SourceArn: `${ARN}dead`, ...input });
    expect(await move({})).toMatchObject({
      status: 403,
      text: expect.stringContaining(`sqs:sendmessage on resource: ${ARN}secret`),
    });
    expect((await move({ DestinationArn: `${ARN}secret` })).status).toBe(403);
    expect((await move({ SourceArn: `${ARN}secret`, DestinationArn: `${ARN}allowed` })).status).toBe(403);
    expect((await move({ DestinationArn: `${ARN}allowed` })).status).toBe(200);
  });

  test("may be looked into by whoever may receive, however it is named", async () => {
    const at = "/_aws/sqs/messages";
    const paths = [
      `${at}/us-east-1/${OWNER}/allowed`,
      `${at}/us-east-1/${OWNER}/%61llowed`,
      `${at}/us-east-1/${OWNER}/allowed/`,
    ];
    for (const path of paths) {
      expect((await send("GET", path, sign({ key: "sender", method: "GET", path }))).status).toBe(403);
      expect((await send("GET", path, {})).status).toBe(403);
      expect((await send("GET", path, sign({ key: "root", method: "GET", path }))).status).toBe(200);
    }
    for (const query of [`QueueUrl=%2F${OWNER}%2Fallowed`, "QueueUrl=allowed"]) {
      expect(
        (await send("GET", `${at}?${query}`, sign({ key: "sender", method: "GET", path: at, query }))).status,
      ).toBe(403);
    }
    expect((await form("sender", at, `Action=ReceiveMessage&QueueUrl=/${OWNER}/allowed`)).status).toBe(403);
  });
});

describe("a queue that is for everybody", () => {
  test("is not everybody's to change, to delete, or to give away", async () => {
    const Policy = JSON.stringify({
      Version: "2012-10-17",
      Statement: { Effect: "Allow", Principal: "*", Action: "sqs:*", Resource: `${ARN}public` },
    });
    await must("root", "CreateQueue", {
      QueueName: "public",
      Attributes: { Policy, SqsManagedSseEnabled: "false" },
    });
    const QueueUrl = `/${OWNER}/public`;
    const nobody = (action: string, input: object) =>
      send("POST", "/", { ...JSON_TYPE, ...target(action) }, JSON.stringify(input));
    expect((await nobody("SendMessage", { QueueUrl, MessageBody: "x" })).status).toBe(200);
    const attempts: [string, object][] = [
      ["DeleteQueue", { QueueUrl }],
      ["SetQueueAttributes", { QueueUrl, Attributes: { Policy: "" } }],
      ["AddPermission", { QueueUrl, Label: "l", AWSAccountIds: [OTHER], Actions: ["*"] }],
      ["TagQueue", { QueueUrl, Tags: { a: "b" } }],
      ["ListQueueTags", { QueueUrl }],
      ["ListMessageMoveTasks", { SourceArn: `${ARN}public` }],
      ["StartMessageMoveTask", { SourceArn: `${ARN}public`, DestinationArn: `${ARN}public` }],
    ];
    for (const [action, input] of attempts) {
      expect([action, (await nobody(action, input)).status]).toEqual([action, 403]);
      expect([action, (await json("other", action, input)).status]).toEqual([action, 403]);
    }
  });

  test("takes no policy that could not be read when it is asked for", async () => {
    const Statement = { Effect: "Deny", Principal: "*", Action: "sqs:*", Condition: { StringIs: { "aws:x": "y" } } };
    const Attributes = { Policy: JSON.stringify({ Statement }) };
    expect((await json("root", "SetQueueAttributes", { QueueUrl: "allowed", Attributes })).status).toBe(400);
  });
});
