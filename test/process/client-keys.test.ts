// What people connect with, at a broker with keys: the client in Node and in a page, the consumer, the command line, Python.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SQSClient } from "@aws-sdk/client-sqs";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Consumer } from "../../src/client/consumer.ts";
import { type Client, type ConnectionChange, connect, WasqError } from "../../src/client/index.ts";
import { type BrokerProcess, BUNDLE, startBroker } from "../support/broker-process.ts";
import { launchChromium } from "../support/chromium.ts";
import { orSkip } from "../support/clients.ts";

const OWNER = "111111111111";
const CLIENT = join(import.meta.dirname, "..", "..", "build", "out", "client");
const LAUNCH_MS = 300_000; // if it has to be installed first

interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

let directory: string;
let broker: BrokerProcess;
let browser: Browser | undefined;

function wasq(...args: string[]): string {
  return execFileSync(process.execPath, [BUNDLE, ...args, "--data-dir", directory], { encoding: "utf8" });
}
function create(name: string, ...Action: string[]): Key {
  const path = join(directory, `${name}.json`);
  writeFileSync(path, JSON.stringify({ Version: "2012-10-17", Statement: { Effect: "Allow", Action, Resource: "*" } }));
  const text = wasq("keys", "create", name, "--account", OWNER, "--policy", path);
  const [, accessKeyId = "", secretAccessKey = ""] = /=(\S+)\n\S+?=(\S+)\n$/.exec(text) ?? [];
  return { accessKeyId, secretAccessKey };
}
let all: Key;
let sender: Key;

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "";
  } catch (error) {
    return error instanceof WasqError ? error.code : String(error);
  }
}
async function echo(client: Client, body: string): Promise<string> {
  const stream = await client.subscribe("hello");
  await client.publish("hello", body);
  const [message] = await stream.take(1);
  await message?.ack();
  await client.close();
  return message?.body ?? "";
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "wasq-client-keys-"));
  all = create("all", "sqs:*");
  sender = create("sender", "sqs:SendMessage");
  const config = join(directory, "wasq.yaml");
  writeFileSync(config, `account: "${OWNER}"\nqueues: { hello: {} }\n`);
  broker = await startBroker(directory, { args: ["--config", config] });
});
afterAll(async () => {
  await browser?.close();
  await broker.stop("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

test("the client signs, from a value or a function; without credentials it is refused", async () => {
  expect(await echo(await connect(broker.endpoint, { credentials: all }), "one")).toBe("one");
  expect(await echo(await connect(`${broker.endpoint}/?a-b=2&a=1`, { credentials: async () => all }), "two")).toBe(
    "two",
  );
  expect(await codeOf(connect(broker.endpoint))).toBe("CONNECT_FAILED");
  const wrong = { ...all, secretAccessKey: "wrong" };
  expect(await codeOf(connect(broker.endpoint, { credentials: wrong }))).toBe("CONNECT_FAILED");
  const empty = { accessKeyId: "", secretAccessKey: "" };
  expect(await codeOf(connect(broker.endpoint, { credentials: empty }))).toBe("CONNECT_FAILED");
  const both = connect(broker.endpoint, { credentials: all, authorize: () => ({}) });
  expect(await codeOf(both)).toBe("INVALID_PARAMETER");
});

test("what a policy does not allow rejects with ACCESS_DENIED", async () => {
  const client = await connect(broker.endpoint, { credentials: sender });
  expect(await codeOf(client.subscribe("hello"))).toBe("ACCESS_DENIED");
  expect(await codeOf(client.watch("hello"))).toBe("ACCESS_DENIED");
  expect(await codeOf(client.publish("hello", "sent"))).toBe("");
  await client.close();
  const reader = await connect(broker.endpoint, { credentials: all });
  const [message] = await (await reader.subscribe("hello")).take(1);
  await message?.ack();
  await reader.close();
  expect(message?.body).toBe("sent");
});

test("a key that is disabled ends what it opened; a function brings the next one, a value does not", async () => {
  const first = create("rotated", "sqs:*");
  const [, accessKeyId = "", secretAccessKey = ""] =
    /=(\S+)\n\S+?=(\S+)\n$/.exec(wasq("keys", "rotate", first.accessKeyId)) ?? [];
  const keys = [first, { accessKeyId, secretAccessKey }];
  const changes: ConnectionChange[] = [];
  const credentials = () => keys.shift() ?? { accessKeyId, secretAccessKey };
  const open = () =>
    connect(broker.endpoint, { credentials: first, onChange: (change) => changes.push(change) }).catch(() => undefined);
  let fixed = await open();
  for (let i = 0; fixed === undefined && i < 50; i++) {
    await new Promise((later) => setTimeout(later, 200)); // the broker reads new keys in a moment
    fixed = await open();
  }
  changes.length = 0;
  const renewing = await connect(broker.endpoint, { credentials });
  const stream = await renewing.subscribe("hello");
  wasq("keys", "disable", first.accessKeyId);
  await expect
    .poll(() => changes.at(-1), { timeout: 10_000 })
    .toMatchObject({
      kind: "closed",
      error: { code: "NOT_AUTHORIZED", closeCode: 4407 },
    });
  await renewing.publish("hello", "after all");
  const [message] = await stream.take(1);
  expect(message?.body).toBe("after all");
  await message?.ack();
  await renewing.close();
});

test("the consumer signs as the SDK would", async () => {
  const queueUrl = `${broker.endpoint}/${OWNER}/hello`;
  const sqs = new SQSClient({ endpoint: broker.endpoint, region: "us-east-1", credentials: all });
  const bodies: (string | undefined)[] = [];
  const consumer = Consumer.create({
    queueUrl,
    sqs,
    handleMessage: async ({ Body }) => {
      bodies.push(Body);
    },
  });
  consumer.on("error", (error) => bodies.push(String(error)));
  consumer.start();
  const client = await connect(broker.endpoint, { credentials: sender });
  await client.publish(queueUrl, "for the consumer");
  await client.close();
  await expect.poll(() => bodies, { timeout: 10_000 }).toEqual(["for the consumer"]);
  consumer.stop();
});

function run(command: string, args: string[], credentials: Key | undefined, input = ""): Promise<string> {
  const env = {
    ...process.env,
    AWS_ACCESS_KEY_ID: credentials?.accessKeyId ?? "",
    AWS_SECRET_ACCESS_KEY: credentials?.secretAccessKey ?? "",
    AWS_REGION: "",
    AWS_DEFAULT_REGION: "",
  };
  const child = spawn(command, args, { env });
  let text = "";
  for (const output of [child.stdout, child.stderr]) output.on("data", (chunk: Buffer) => (text += chunk.toString()));
  child.stdin.on("error", () => {}).end(input);
  return new Promise((resolve, reject) => {
    child.on("error", reject).on("close", (code) => resolve(`${text}${code}`));
  });
}

test("the command line signs with what the environment has", async () => {
  const cli = (credentials: Key | undefined, ...args: string[]) =>
    run(process.execPath, [BUNDLE, ...args, "--endpoint", broker.endpoint], credentials, "from a pipe\n");
  expect(await cli(undefined, "publish", "hello")).toMatch(
    /CONNECT_FAILED\)\nIf it checks keys, set AWS_ACCESS_KEY_ID.*\n1$/,
  );
  expect(await cli(sender, "publish", "hello")).toMatch(/1 published.*\n0$/);
  expect(await cli(sender, "tail", "hello", "--ack", "--count", "1")).toMatch(/not authorized.*ACCESS_DENIED\)\n1$/);
  expect(await cli(all, "tail", "hello", "--ack", "--count", "1")).toMatch(/^from a pipe\n/);
});

test("a client of the standard library alone presigns", async (context) => {
  const script = join(import.meta.dirname, "stream-client.py");
  const { port } = new URL(broker.endpoint);
  const output = await orSkip(context, run("python3", [script, port, "hello", "20"], all));
  expect(output).toBe("confirmed 20, received 20, acknowledged 20\n0");
});

test("a page signs with temporary or other credentials, and needs no ticket", {
  timeout: LAUNCH_MS,
}, async (context) => {
  browser = await orSkip(context, launchChromium());
  const page = await browser.newPage();
  await page.route("**/page.html", (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }));
  await page.route("**/client/*.js", (route) => {
    const name = new URL(route.request().url()).pathname.split("/").at(-1) ?? "";
    return route.fulfill({ contentType: "text/javascript", body: readFileSync(join(CLIENT, name), "utf8") });
  });
  await page.goto(`${broker.endpoint}/page.html`);
  const outcome = await page.evaluate(`(async () => {
    const { connect } = await import("/client/index.js");
    const unsigned = await connect("${broker.endpoint}").catch((error) => error.code);
    const client = await connect("${broker.endpoint}", { credentials: ${JSON.stringify(all)} });
    const stream = await client.subscribe("hello");
    await client.publish("hello", "from a page");
    const [message] = await stream.take(1);
    await message.ack();
    await client.close();
    return [unsigned, message.body];
  })()`);
  expect(outcome).toEqual(["NOT_AUTHORIZED", "from a page"]);
  await page.close();
});
