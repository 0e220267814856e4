// Streams of a broker with keys: who comes in, what he may do there, and what becomes of him when that changes.
import { execFileSync } from "node:child_process";
import { createHash, createHmac } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import WebSocket from "ws";
import { type BareStream, connect, type Json } from "../support/bare-stream.ts";
import { type BrokerProcess, BUNDLE, startBroker } from "../support/broker-process.ts";
import * as wire from "../support/wire.ts";

const OWNER = "111111111111";
const ARN = `arn:aws:sqs:us-east-1:${OWNER}:`;
const PAGE = "https://console.example.org";

let directory: string;
let broker: BrokerProcess;
const keys = new Map<string, wire.WireKey>();
const of = (name: string): wire.WireKey => keys.get(name) as wire.WireKey;
const sleep = (ms: number) => new Promise((later) => setTimeout(later, ms));

function wasq(...args: string[]): string {
  return execFileSync(process.execPath, [BUNDLE, ...args, "--data-dir", directory], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}
function policyFile(name: string, ...Statement: object[]): string {
  const path = join(directory, `${name}.json`);
  writeFileSync(path, JSON.stringify({ Version: "2012-10-17", Statement }));
  return path;
}
function create(name: string, ...statements: object[]): void {
  const policy = statements.length === 0 ? [] : ["--policy", policyFile(name, ...statements)];
  const text = wasq("keys", "create", name, "--account", OWNER, ...policy);
  const [, accessKeyId = "", secretAccessKey = ""] = /=(\S+)\n\S+?=(\S+)\n$/.exec(text) ?? [];
  keys.set(name, { accessKeyId, secretAccessKey });
}
const allow = (Action: string | string[], Resource = "*") => ({ Effect: "Allow", Action, Resource });

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "wasq-stream-keys-"));
  create("root");
  create("worker", allow(["sqs:ReceiveMessage", "sqs:DeleteMessage"]));
  create("reader", allow("sqs:ReceiveMessage"));
  create("sender", allow("sqs:SendMessage", `${ARN}work`));
  create("looker", allow("sqs:GetQueueAttributes"));
  create("assumer", allow("sts:AssumeRole"));
  create("nobody", { Effect: "Deny", Action: "sqs:*", Resource: "*" });
  const args = ["--allow-origins", PAGE, "--audit-log", join(directory, "audit.log")];
  broker = await startBroker(directory, { args });
  for (const name of ["work", "other"]) await api("CreateQueue", { QueueName: name });
});
afterAll(async () => {
  expect(await broker.stop("SIGTERM")).toBe(0);
  expect(broker.stderr()).not.toContain("failed");
  rmSync(directory, { recursive: true, force: true });
});

async function api(action: string, input: object): Promise<Json> {
  const body = JSON.stringify(input);
  const target = { "x-amz-target": `AmazonSQS.${action}` };
  const signed = wire.sign({ endpoint: broker.endpoint, key: of("root"), headers: target, body });
  const headers = { ...signed, "content-type": "application/x-amz-json-1.0" };
  const { status, text } = await wire.send(broker.endpoint, "POST", "/", headers, body);
  if (status !== 200) throw new Error(`${action}: ${status} ${text}`);
  return text === "" ? undefined : JSON.parse(text);
}
const send = (MessageBody: string, QueueUrl = "work") => api("SendMessage", { QueueUrl, MessageBody });
async function countOf(QueueUrl: string): Promise<string> {
  const names = ["ApproximateNumberOfMessages"];
  return (await api("GetQueueAttributes", { QueueUrl, AttributeNames: names })).Attributes[names[0] as string];
}

const signed = (key: wire.WireKey, more: Partial<wire.ToSign> = {}): wire.Headers =>
  wire.sign({ endpoint: broker.endpoint, method: "GET", path: "/stream", key, ...more });

/** The query of a presigned upgrade; `change` is what an attacker does to its parameters before they are signed. */
function presigned(key: wire.WireKey, change: Record<string, string> = {}, atMs = Date.now()): string {
  const date = new Date(atMs).toISOString().replaceAll(/[-:]|\.\d{3}/g, "");
  const scope = `${date.slice(0, 8)}/us-east-1/sqs/aws4_request`;
  const parameters: Record<string, string> = {
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": `${key.accessKeyId}/${scope}`,
    "X-Amz-Date": date,
    "X-Amz-Expires": "60",
    ...(key.sessionToken === undefined ? {} : { "X-Amz-Security-Token": key.sessionToken }),
    "X-Amz-SignedHeaders": "host",
    ...change,
  };
  const names = Object.keys(parameters).sort();
  const query = names.map((name) => `${name}=${encodeURIComponent(parameters[name] as string)}`).join("&");
  const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
  const canonical = ["GET", "/stream", query, `host:${new URL(broker.endpoint).host}\n`, "host", sha256("")].join("\n");
  const toSign = ["AWS4-HMAC-SHA256", date, scope, sha256(canonical)].join("\n");
  const start: Buffer | string = `AWS4${key.secretAccessKey}`;
  const hmac = (secret: Buffer | string, text: string): Buffer => createHmac("sha256", secret).update(text).digest();
  const signing = scope.split("/").reduce<Buffer | string>((each, part) => hmac(each, part), start);
  return `${query}&X-Amz-Signature=${hmac(signing, toSign).toString("hex")}`;
}

interface Upgrade {
  readonly status: number; // 101: it was taken
  readonly text: string;
}
function upgrade(headers: wire.Headers, query = "", path = "/stream"): Promise<Upgrade> {
  return new Promise((resolve) => {
    const url = `${broker.endpoint.replace("http", "ws")}${path}${query === "" ? "" : `?${query}`}`;
    const socket = new WebSocket(url, ["wasq.v1.json"], { headers });
    socket.on("open", () => {
      resolve({ status: 101, text: "" });
      socket.terminate();
    });
    socket.on("unexpected-response", (_, response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    socket.on("error", () => {});
  });
}

/** A session of that user, and what is pushed to it. */
async function open(name: string | wire.WireKey): Promise<{ stream: BareStream; pushed: Json[] }> {
  const pushed: Json[] = [];
  const key = typeof name === "string" ? of(name) : name;
  const stream = await connect(broker.endpoint, {}, (envelope) => pushed.push(envelope), signed(key));
  return { stream, pushed };
}
const subscribe = (queue = "work", subscription = 1) => ({
  subscribe: { subscription, queue, credit: { messages: 100, bytes: 1_000_000, auto: true } },
});
const denial = (pushed: Json[], kind: string) => pushed.find((each) => each[kind] !== undefined)?.[kind];

describe("an upgrade comes in", () => {
  test("signed in its header, or presigned in its query", async () => {
    expect((await upgrade(signed(of("reader")))).status).toBe(101);
    expect((await upgrade({}, presigned(of("reader")))).status).toBe(101);
  });

  test("again with the same signature while that is good: two connections of one second have the same", async () => {
    const query = presigned(of("reader"));
    expect([await upgrade({}, query), await upgrade({}, query)].map(({ status }) => status)).toEqual([101, 101]);
  });

  test("of a page of an allowed origin, unsigned, only as far as its Hello without a ticket", async () => {
    expect((await upgrade({ origin: PAGE })).status).toBe(101);
    await expect(connect(broker.endpoint, {}, () => {}, { origin: PAGE })).rejects.toThrow("closed with 4403");
  });

  test("of a page that presigned it, without a ticket", async () => {
    const url = `${broker.endpoint}/stream?${presigned(of("reader"))}`;
    const socket = new WebSocket(url.replace("http", "ws"), ["wasq.v1.json"], { headers: { origin: PAGE } });
    const answer = await new Promise<string>((resolve) => {
      socket.on("open", () => socket.send('{"id":1,"hello":{}}'));
      socket.on("message", (data) => resolve(String(data)));
      socket.on("close", (code) => resolve(String(code)));
    });
    expect(answer).toContain("welcome");
    socket.terminate();
  });
});

describe("an upgrade is refused, in the API's words:", () => {
  const wrong = () => ({ ...of("reader"), secretAccessKey: "wrong" });
  const day = 86_400_000;
  test.each<[string, () => Promise<Upgrade>, number, string]>([
    ["nothing is signed, and there is no Origin", () => upgrade({}), 403, "AccessDenied"],
    ["a wrong secret", () => upgrade(signed(wrong())), 403, "SignatureDoesNotMatch"],
    ["a wrong secret, presigned", () => upgrade({}, presigned(wrong())), 403, "SignatureDoesNotMatch"],
    ["an unknown key", () => upgrade(signed({ ...of("reader"), accessKeyId: "AKIAX" })), 403, "InvalidClientTokenId"],
    ["another path", () => upgrade(signed(of("reader"), { path: "/" })), 403, "SignatureDoesNotMatch"],
    ["another method", () => upgrade(signed(of("reader"), { method: "POST" })), 403, "SignatureDoesNotMatch"],
    ["another service", () => upgrade(signed(of("reader"), { service: "sts" })), 403, "SignatureDoesNotMatch"],
    ["another host", () => upgrade({ ...signed(of("reader")), host: "evil.example" }), 403, "SignatureDoesNotMatch"],
    ["a query that was not signed", () => upgrade(signed(of("reader")), "x=1"), 403, "SignatureDoesNotMatch"],
    ["another body", () => upgrade(signed(of("reader"), { body: "x" })), 403, "SignatureDoesNotMatch"],
    ["a date changed", () => upgrade({ ...signed(of("reader")), "x-amz-date": "20200101T000000Z" }), 403, "Signature"],
    [
      "a token that is none",
      () => upgrade(signed({ ...of("reader"), sessionToken: "x" })),
      403,
      "InvalidClientTokenId",
    ],
    [
      "replayed after it expired",
      () => upgrade({}, presigned(of("reader"), {}, Date.now() - 61_000)),
      403,
      "SignatureDoesNotMatch",
    ],
    [
      "good for too long",
      () => upgrade({}, presigned(of("reader"), { "X-Amz-Expires": "604801" })),
      400,
      "IncompleteSignature",
    ],
    ["of another day", () => upgrade({}, presigned(of("reader"), {}, Date.now() + day)), 403, "SignatureDoesNotMatch"],
    [
      "a parameter twice: another key's credential behind the signed one",
      () => upgrade({}, `${presigned(of("reader"))}&X-Amz-Credential=${of("root").accessKeyId}`),
      400,
      "IncompleteSignature",
    ],
    [
      "a parameter twice, the second in other letters",
      () => upgrade({}, `${presigned(of("reader"))}&X-Amz%2DExpires=9`),
      400,
      "IncompleteSignature",
    ],
    ["a page of another origin", () => upgrade({ origin: "https://evil.example" }), 403, "AccessDenied"],
    [
      "a page of another origin, signed",
      () => upgrade({ ...signed(of("reader")), origin: "https://evil.example" }),
      403,
      "AccessDenied",
    ],
  ])("%s", async (_what, attempt, status, code) => {
    const refused = await attempt();
    expect(refused).toMatchObject({ status });
    expect(refused.text).toContain(`<Code>${code}`);
  });
});

describe("a ticket", () => {
  const ticketOf = async (headers: wire.Headers): Promise<wire.WireAnswer> =>
    wire.send(broker.endpoint, "POST", "/stream/ticket", headers);
  const asked = async (name: string): Promise<string> => {
    const headers = wire.sign({ endpoint: broker.endpoint, path: "/stream/ticket", key: of(name) });
    const { status, text } = await ticketOf({ ...headers, origin: PAGE });
    expect([status, text]).toMatchObject([200, expect.stringContaining("tkt_")]);
    return JSON.parse(text).ticket;
  };
  const hello = (ticket: string, headers: wire.Headers) => connect(broker.endpoint, { ticket }, () => {}, headers);

  test("is for whoever signs the request for it", async () => {
    const headers = wire.sign({ endpoint: broker.endpoint, path: "/stream/ticket", key: of("reader") });
    expect((await ticketOf({ origin: PAGE })).text).toContain("<Code>AccessDenied</Code>");
    expect((await ticketOf({ ...headers, origin: "https://evil.example" })).status).toBe(403);
    expect((await ticketOf(headers)).status).toBe(403);
    expect(
      (await wire.send(broker.endpoint, "POST", "/stream/ticket", { ...headers, origin: PAGE }, "x")).text,
    ).toContain("<Code>SignatureDoesNotMatch</Code>");
  });

  test("has the permissions of its signer", async () => {
    const stream = await hello(await asked("sender"), { origin: PAGE });
    expect(await stream.ask(subscribe())).toBe("ACCESS_DENIED");
    const publisher = { openPublisher: { publisher: 1, queue: "work" } };
    expect(await stream.ask(publisher)).toMatchObject({ publisher: 1 });
    stream.socket.terminate();
  });

  test("works once, and for nobody who stole it: not without its origin, not for a signer", async () => {
    const used = await asked("reader");
    (await hello(used, { origin: PAGE })).socket.terminate();
    await expect(hello(used, { origin: PAGE })).rejects.toThrow("4403");
    await expect(hello(await asked("reader"), { origin: broker.endpoint })).rejects.toThrow("4403");
    await expect(hello(await asked("root"), signed(of("reader")))).rejects.toThrow("4403");
    await expect(hello(await asked("root"), {})).rejects.toThrow("403");
  });
});

describe("a policy", () => {
  test("says what may be opened, in the service's words, whether there is such a queue or not", async () => {
    const { stream } = await open("sender");
    const errors: Json[] = [];
    stream.onPush = (envelope) => errors.push(envelope);
    for (const queue of ["work", "other", "not-there"])
      expect(await stream.ask(subscribe(queue))).toBe("ACCESS_DENIED");
    for (const queue of ["other", "not-there"]) {
      expect(await stream.ask({ openPublisher: { publisher: 1, queue } })).toBe("ACCESS_DENIED");
    }
    stream.send(subscribe());
    await expect
      .poll(() => errors[0]?.error.message)
      .toBe(
        `User: arn:aws:iam::${OWNER}:user/sender is not authorized to perform: sqs:receivemessage on resource: ${ARN}work because no identity-based policy allows the sqs:receivemessage action`,
      );
    expect(await stream.ask({ watch: { watch: 1, queue: "work" } })).toBe("ACCESS_DENIED");
    expect(await stream.ask({ openPublisher: { publisher: 1, queue: "work" } })).toMatchObject({ publisher: 1 });
    stream.socket.terminate();
  });

  test("says how a delivery may be settled: receiving is not deleting, nor changing", async () => {
    const MessageBody = "stays";
    await send(MessageBody, "other");
    const reader = await open("reader");
    await reader.stream.ask(subscribe("other"));
    await expect.poll(() => denial(reader.pushed, "deliver")).toMatchObject({ first: 1 });
    const deliveries = [{ first: 1 }];
    const settle = (name: string) => reader.stream.ask({ [name]: { subscription: 1, deliveries, visibilityMs: 5000 } });
    for (const name of ["ack", "nack", "touch", "deadLetter"]) expect(await settle(name)).toBe("ACCESS_DENIED");
    await reader.stream.ask({ bye: {} });
    const worker = await open("worker");
    await worker.stream.ask(subscribe("other"));
    await expect.poll(() => denial(worker.pushed, "deliver")).toMatchObject({ first: 1 });
    expect(await worker.stream.ask({ nack: { subscription: 1, deliveries } })).toBe("ACCESS_DENIED");
    expect(await worker.stream.ask({ ack: { subscription: 1, deliveries } })).toMatchObject({ count: 1 });
    worker.stream.socket.terminate();
  });

  test("that lets somebody count lets him see no message", async () => {
    const { stream } = await open("looker");
    expect(await stream.ask({ watch: { watch: 1, queue: "work" } })).toMatchObject({ watch: 1 });
    expect(await stream.ask({ watch: { watch: 2, queue: "work", events: true } })).toBe("ACCESS_DENIED");
    expect(await stream.ask({ watch: { watch: 3, queue: "work", bodies: true } })).toBe("ACCESS_DENIED");
    stream.socket.terminate();
  });

  test("that denies everything does so to a session, which still begins", async () => {
    const { stream } = await open("nobody");
    expect(await stream.ask(subscribe())).toBe("ACCESS_DENIED");
    stream.socket.terminate();
  });
});

describe("what was allowed", () => {
  test("by a queue's policy ends with it: what was out is back, and the rest of the session goes on", async () => {
    await api("CreateQueue", { QueueName: "lent" });
    const deny = (name: string, Action: string) => ({
      ...{ Effect: "Deny", Principal: { AWS: `arn:aws:iam::${OWNER}:user/${name}` } },
      ...{ Action, Resource: `${ARN}lent` },
    });
    await send("one", "lent");
    const worker = await open("worker");
    await worker.stream.ask(subscribe("lent", 1));
    await worker.stream.ask(subscribe("work", 2));
    await expect.poll(() => denial(worker.pushed, "deliver")).toMatchObject({ first: 1 });
    const Policy = JSON.stringify({ Version: "2012-10-17", Statement: [deny("worker", "sqs:ReceiveMessage")] });
    await api("SetQueueAttributes", { QueueUrl: "lent", Attributes: { Policy } });
    await expect
      .poll(() => denial(worker.pushed, "subscriptionEnded"), { timeout: 5_000 })
      .toMatchObject({
        subscription: 1,
        code: "ACCESS_DENIED",
        message: expect.stringContaining("with an explicit deny in a resource-based policy"),
      });
    expect(await countOf("lent")).toBe("1");
    expect(await worker.stream.ask(subscribe("lent", 3))).toBe("ACCESS_DENIED");
    expect(await worker.stream.ask({ credit: { subscription: 2, messages: 1, bytes: 1 } })).toEqual({});
    worker.stream.socket.terminate();
  });

  test("by a user's own policy ends with it: a publisher is told from where on nothing was taken", async () => {
    create("fickle", allow(["sqs:SendMessage", "sqs:GetQueueAttributes"]));
    await expect.poll(() => upgrade(signed(of("fickle"))).then(({ status }) => status), { timeout: 10_000 }).toBe(101);
    const fickle = await open("fickle");
    const other = await open("sender");
    await other.stream.ask({ openPublisher: { publisher: 1, queue: "work" } });
    await fickle.stream.ask({ openPublisher: { publisher: 1, queue: "other" } });
    await fickle.stream.ask({ watch: { watch: 1, queue: "other" } });
    fickle.stream.send({ publish: { publisher: 1, first: 1, messages: [{ text: "taken" }] } });
    await expect.poll(() => denial(fickle.pushed, "confirm")).toMatchObject({ number: 1 });
    const policy = policyFile("fickle", allow("sqs:ReceiveMessage"));
    wasq("users", "attach", "fickle", "--account", OWNER, "--policy", policy);
    await expect
      .poll(() => denial(fickle.pushed, "refused"), { timeout: 10_000 })
      .toMatchObject({
        publisher: 1,
        from: 2,
        code: "ACCESS_DENIED",
      });
    const ended = () => fickle.pushed.find(({ watched }) => watched?.endedCode !== undefined)?.watched;
    await expect.poll(ended).toMatchObject({ watch: 1, endedCode: "ACCESS_DENIED" });
    fickle.stream.send({ publish: { publisher: 1, first: 2, messages: [{ text: "not taken" }] } });
    expect(await fickle.stream.ask({ openPublisher: { publisher: 1, queue: "other" } })).toBe("ACCESS_DENIED");
    expect(await countOf("other")).toBe("1");
    other.stream.send({ publish: { publisher: 1, first: 1, messages: [{ text: "undisturbed" }] } });
    await expect.poll(() => denial(other.pushed, "confirm")).toMatchObject({ number: 1 });
    fickle.stream.socket.terminate();
    other.stream.socket.terminate();
  });

  test("to a key ends with the key: its session is closed with 4407, its messages are back", async () => {
    await api("CreateQueue", { QueueName: "held" });
    create("leaver", allow("sqs:ReceiveMessage"));
    await expect.poll(() => upgrade(signed(of("leaver"))).then(({ status }) => status), { timeout: 10_000 }).toBe(101);
    await send("held", "held");
    const leaver = await open("leaver");
    const stays = await open("reader");
    await leaver.stream.ask(subscribe("held"));
    await expect.poll(() => denial(leaver.pushed, "deliver")).toMatchObject({ first: 1 });
    wasq("keys", "disable", of("leaver").accessKeyId);
    expect(await leaver.stream.closed).toBe(4407);
    expect(await countOf("held")).toBe("1");
    expect((await upgrade(signed(of("leaver")))).text).toContain("InvalidClientTokenId");
    expect(await stays.stream.ask(subscribe("work"))).toMatchObject({ subscription: 1 });
    stays.stream.socket.terminate();
  });

  test("to a session's token is not another's who has the token", async () => {
    const reader = await open("reader");
    await reader.stream.ask(subscribe("work"));
    const { sessionToken } = reader.stream.welcome;
    const thief = await connect(broker.endpoint, { sessionToken }, () => {}, signed(of("sender")));
    expect(thief.welcome.resumed ?? false).toBe(false);
    expect(await reader.stream.ask({ credit: { subscription: 1, messages: 1, bytes: 1 } })).toEqual({});
    const self = await connect(broker.endpoint, { sessionToken }, () => {}, signed(of("reader")));
    expect(self.welcome.resumed).toBe(true);
    expect(await reader.stream.closed).toBe(4409);
    for (const { socket } of [thief, self]) socket.terminate();
  });
});

test("temporary credentials open a stream, within their session's policy, and are over when they are revoked", async () => {
  const trust = policyFile("trust", { Effect: "Allow", Principal: { AWS: OWNER }, Action: "sts:AssumeRole" });
  wasq("roles", "create", "temp", "--account", OWNER, "--trust", trust, "--policy", policyFile("temp", allow("sqs:*")));
  await sleep(1_500);
  const sts = new STSClient({ endpoint: broker.endpoint, region: "us-east-1", credentials: of("assumer") });
  const { Credentials } = await sts.send(
    new AssumeRoleCommand({
      RoleArn: `arn:aws:iam::${OWNER}:role/temp`,
      RoleSessionName: "s1",
      Policy: JSON.stringify({ Version: "2012-10-17", Statement: [allow("sqs:ReceiveMessage")] }),
    }),
  );
  const key: wire.WireKey = {
    accessKeyId: Credentials?.AccessKeyId ?? "",
    secretAccessKey: Credentials?.SecretAccessKey ?? "",
    sessionToken: Credentials?.SessionToken ?? "",
  };
  expect((await upgrade({}, presigned(key))).status).toBe(101);
  const { stream } = await open(key);
  expect(await stream.ask(subscribe())).toMatchObject({ subscription: 1 });
  expect(await stream.ask({ openPublisher: { publisher: 1, queue: "work" } })).toBe("ACCESS_DENIED");
  wasq("roles", "revoke-sessions", "temp", "--account", OWNER);
  expect(await stream.closed).toBe(4407);
});

const STREAM_LINE = {
  principal: expect.stringMatching(/^arn:aws:(iam|sts)::111111111111:/),
  requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
};

test("the audit log has every refusal of a stream, and no signature, token or ticket", async () => {
  await sleep(200);
  const text = readFileSync(join(directory, "audit.log"), "utf8");
  const lines = text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  const streams = lines.filter(({ event, api }) => event === "refused" && api === "stream");
  const codes = new Set(streams.map(({ code }) => code));
  expect([...codes]).toEqual(
    expect.arrayContaining(["AccessDeniedException", "InvalidSignatureException", "UnrecognizedClientException"]),
  );
  expect(streams).toContainEqual(
    expect.objectContaining({
      action: "ReceiveMessage",
      resource: `${ARN}lent`,
      principal: `arn:aws:iam::${OWNER}:user/worker`,
    }),
  );
  const ended = lines.filter(({ event, action }) => event === "stream" && action === "ended");
  expect(ended.length).toBeGreaterThan(0);
  for (const end of ended) {
    expect(end).toMatchObject({
      address: "127.0.0.1",
      text: expect.stringContaining("security token"),
      ...STREAM_LINE,
    });
    const { requestId, principal } = end;
    expect(lines).toContainEqual(expect.objectContaining({ event: "stream", action: "opened", requestId, principal }));
  }
  for (const key of keys.values()) expect(text).not.toContain(key.secretAccessKey);
  expect(text).not.toMatch(/X-Amz-Signature|tkt_|ses_|Signature=[0-9a-f]/);
});
