// What one connection, one principal and all together may have, and which pages may read what comes back.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CreateQueueCommand,
  ListQueuesCommand,
  type MessageSystemAttributeName,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import WebSocket from "ws";
import { connect as connectClient } from "../../src/client/index.ts";
import { connect as connectStream } from "../support/bare-stream.ts";
import { type BrokerProcess, BUNDLE, startBroker } from "../support/broker-process.ts";
import { allow, HOME } from "../support/sts-world.ts";

let directory: string;
let broker: BrokerProcess | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "wasq-limits-"));
});
afterEach(async () => {
  await broker?.stop("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});
const start = async (...args: string[]): Promise<string> => {
  broker = await startBroker(directory, { args });
  return broker.endpoint;
};

test("a connection beyond the limit is closed, those before it go on, and one that ends makes room", async () => {
  const endpoint = await start("--max-connections", "3");
  const port = Number(new URL(endpoint).port);
  const open = (): Promise<{ socket: Socket; answer: string }> =>
    new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1", () => socket.write("GET /health HTTP/1.1\r\nHost: a\r\n\r\n"));
      let answer = "";
      socket.on("error", () => {});
      socket.on("data", (chunk) => {
        answer += chunk.toString();
        resolve({ socket, answer });
      });
      socket.on("close", () => resolve({ socket, answer }));
    });
  const first = await open();
  const all = [first, await open(), await open(), await open()];
  expect(all.map(({ answer }) => answer.split("\r\n")[0])).toEqual([...Array(3).fill("HTTP/1.1 200 OK"), ""]);
  first.socket.destroy();
  await expect.poll(async () => (await open()).answer.split("\r\n")[0]).toBe("HTTP/1.1 200 OK");
  for (const { socket } of all) socket.destroy();
});

test("an address has as many streams at once as it may, and a further one when one has said goodbye", async () => {
  const endpoint = await start("--principal-streams", "2");
  const first = await connectStream(endpoint);
  await connectStream(endpoint);
  const further = new WebSocket(`${endpoint.replace(/^http/, "ws")}/stream`, ["wasq.v1.json"]);
  further.on("open", () => further.send(JSON.stringify({ id: 1, hello: {} })));
  expect(await new Promise((resolve) => further.on("close", resolve))).toBe(4421);
  first.socket.send(JSON.stringify({ id: 99, bye: {} }));
  expect(await first.closed).toBe(1000);
  expect((await connectStream(endpoint)).welcome).toMatchObject({ serverName: "wasq" });
});

interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Of a user who may do anything. */
function key(name: string): Key {
  const policy = join(directory, "policy.json");
  writeFileSync(policy, JSON.stringify(allow("sqs:*")));
  const create = ["keys", "create", name, "--account", HOME, "--policy", policy, "--data-dir", directory];
  const text = execFileSync(process.execPath, [BUNDLE, ...create], { encoding: "utf8" });
  const [, accessKeyId = "", secretAccessKey = ""] = /=(\S+)\n\S+?=(\S+)\n$/.exec(text) ?? [];
  return { accessKeyId, secretAccessKey };
}

test("a user has as many requests at once as he may, long polls included, on either way; one that ends makes room", async () => {
  const [alice, bob] = [key("alice"), key("bob")];
  const endpoint = await start("--principal-requests", "2");
  const client = (credentials: Key) => new SQSClient({ endpoint, region: "us-east-1", credentials, maxAttempts: 1 });
  const [hers, his] = [client(alice), client(bob)];
  const { QueueUrl } = await hers.send(new CreateQueueCommand({ QueueName: "waited-at" }));
  const leaving = new AbortController();
  const wait = (MessageSystemAttributeNames?: MessageSystemAttributeName[]) =>
    hers
      .send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20, MessageSystemAttributeNames }), {
        abortSignal: leaving.signal,
      })
      .then(
        () => "answered",
        (error: Error) => error.name,
      );
  const list = (asked: SQSClient) =>
    asked.send(new ListQueuesCommand({})).then(
      () => "ok",
      (error: Error) => error.name,
    );
  const waiting = [wait(), wait()];
  await expect.poll(() => list(hers), { timeout: 5_000 }).toBe("RequestThrottled");
  for (let i = 0; i < 5; i++) expect(await list(hers)).toBe("RequestThrottled");
  expect(await list(his)).toBe("ok");
  await his.send(new SendMessageCommand({ QueueUrl, MessageBody: "one of the two is answered" }));
  await Promise.race(waiting);
  expect(await list(hers)).toBe("ok"); // her one poll and this one
  waiting.push(wait(["All"]));
  await expect.poll(() => list(hers), { timeout: 5_000 }).toBe("RequestThrottled");
  leaving.abort(); // whoever goes away has nothing under way any more
  await Promise.all(waiting);
  await expect.poll(() => list(hers), { timeout: 5_000 }).toBe("ok");
  // Nor is a stream a request under way, or an upgrade that has been answered.
  const streams = [];
  for (let i = 0; i < 4; i++) streams.push(await connectClient(endpoint, { credentials: alice, region: "us-east-1" }));
  expect(await list(hers)).toBe("ok");
  for (const stream of streams) await stream.close();
});

test("a user asks as often as he may in a second, whatever others do; sessions of one role are one", async () => {
  const [alice, bob] = [key("alice"), key("bob")];
  const endpoint = await start("--principal-requests-per-second", "1");
  const options = (credentials: typeof alice) => ({ endpoint, region: "us-east-1", credentials, maxAttempts: 1 });
  const list = (credentials: typeof alice) =>
    new SQSClient(options(credentials)).send(new ListQueuesCommand({})).then(
      () => "ok",
      (error: Error) => error.name,
    );
  const asked = await Promise.all([list(alice), list(alice), list(alice), list(alice)]);
  expect(asked.toSorted()).toEqual(["RequestThrottled", "RequestThrottled", "RequestThrottled", "ok"]);
  expect(await list(bob)).toBe("ok");
  const who = new STSClient(options(bob)).send(new GetCallerIdentityCommand({}));
  await expect(who).rejects.toMatchObject({ name: "Throttling" });
  // An SDK with its usual retries does not notice.
  const patient = new SQSClient({ ...options(alice), maxAttempts: 5 });
  expect((await patient.send(new ListQueuesCommand({}))).$metadata.httpStatusCode).toBe(200);
});

describe("pages of other origins", () => {
  const ORIGIN = "https://console.example.org";
  const preflight = (endpoint: string, origin: string, more: Record<string, string> = {}) =>
    fetch(endpoint, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-amz-target,x-amz-date",
        ...more,
      },
    });

  test("may not ask, nor read, unless they are named", async () => {
    const endpoint = await start();
    const asked = await preflight(endpoint, ORIGIN);
    expect([asked.status, asked.headers.get("access-control-allow-origin")]).toEqual([403, null]);
    const read = await fetch(`${endpoint}/?Action=ListQueues`, { headers: { origin: ORIGIN } });
    expect([read.status, read.headers.get("access-control-allow-origin")]).toEqual([403, null]);
  });

  test("that are named may do both, with what an SDK sends; others still may not", async () => {
    const endpoint = await start("--allow-origins", ORIGIN);
    const asked = await preflight(endpoint, ORIGIN, { "access-control-request-private-network": "true" });
    expect(asked.status).toBe(204);
    expect(Object.fromEntries(asked.headers)).toMatchObject({
      "access-control-allow-origin": ORIGIN,
      "access-control-allow-methods": "POST, GET",
      "access-control-allow-headers": expect.stringMatching(/authorization, content-type, x-amz-target, x-amz-date/),
      "access-control-allow-private-network": "true",
      vary: "Origin",
    });
    const headers = { origin: ORIGIN, "content-type": "application/x-amz-json-1.0" };
    const call = (action: string) =>
      fetch(endpoint, { method: "POST", headers: { ...headers, "x-amz-target": `AmazonSQS.${action}` }, body: "{}" });
    for (const [action, status] of [
      ["ListQueues", 200],
      ["Nothing", 400],
    ] as const) {
      const answer = await call(action);
      expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([status, ORIGIN]);
      expect(answer.headers.get("access-control-expose-headers")).toContain("x-amzn-query-error");
    }
    const other = await preflight(endpoint, "https://console.example.org.evil.example");
    expect([other.status, other.headers.get("access-control-allow-origin")]).toEqual([403, null]);
    const plain = await fetch(`${endpoint}/?Action=ListQueues`);
    expect(plain.headers.get("access-control-allow-origin")).toBeNull();
  });
});
