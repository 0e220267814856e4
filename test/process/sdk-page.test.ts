// AWS's SDK in a real browser, at a broker with keys: pages of the origin that is named use the API, others cannot even ask.
// Nobody serves the pages but the test, which answers the browser's requests for them.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BrokerProcess, BUNDLE, startBroker } from "../support/broker-process.ts";
import { launchChromium } from "../support/chromium.ts";
import { orSkip } from "../support/clients.ts";

const NAMED = "http://127.0.0.1:40405"; // nobody is there: the test answers
const OTHER = "http://127.0.0.1:40406";
const LAUNCH_MS = 300_000; // if it has to be installed first

const directory = mkdtempSync(join(tmpdir(), "wasq-sdk-page-"));
let broker: BrokerProcess;
let browser: Browser | undefined;
let credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
let sdk = "";

beforeAll(async () => {
  const words = [BUNDLE, "keys", "create", "root", "--data-dir", directory, "--account", "123456789012"];
  const [, accessKeyId = "", secretAccessKey = ""] =
    /ID=(\S+)\n.*KEY=(\S+)/.exec(String(execFileSync(process.execPath, words))) ?? [];
  credentials = { accessKeyId, secretAccessKey };
  broker = await startBroker(directory, { args: ["--allow-origins", NAMED] });
  const { outputFiles } = await build({
    stdin: { contents: 'export * from "@aws-sdk/client-sqs";', resolveDir: import.meta.dirname },
    bundle: true,
    platform: "browser",
    format: "esm",
    write: false,
    logLevel: "silent",
  });
  sdk = outputFiles[0]?.text ?? "";
});
afterAll(async () => {
  await browser?.close();
  await broker.stop("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

/** What a page of that origin comes to with a queue of that name: the body that it sent and received, or an error's name. */
async function walk(origin: string, queue: string): Promise<unknown> {
  const page = await (browser as Browser).newPage();
  await page.route("**/page.html", (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }));
  await page.route("**/sdk.js", (route) => route.fulfill({ contentType: "text/javascript", body: sdk }));
  await page.goto(`${origin}/page.html`);
  const outcome = await page.evaluate(`(async () => {
    const sqs = await import("/sdk.js");
    const client = new sqs.SQSClient({
      endpoint: "${broker.endpoint}",
      region: "us-east-1",
      credentials: ${JSON.stringify(credentials)},
      maxAttempts: 1,
    });
    const { QueueUrl } = await client.send(new sqs.CreateQueueCommand({ QueueName: "${queue}" }));
    await client.send(new sqs.SendMessageCommand({ QueueUrl, MessageBody: "from a page" }));
    const { Messages } = await client.send(new sqs.ReceiveMessageCommand({ QueueUrl }));
    const missing = await client.send(new sqs.GetQueueUrlCommand({ QueueName: "none" })).catch((error) => error.name);
    return [Messages[0].Body, missing];
  })().catch((error) => error.name)`);
  await page.close();
  return outcome;
}

test("a page of the named origin creates, sends, receives, and reads an error's name", {
  timeout: LAUNCH_MS,
}, async (context) => {
  browser ??= await orSkip(context, launchChromium());
  expect(await walk(NAMED, "named")).toEqual(["from a page", "QueueDoesNotExist"]);
});

test("a page of another origin does not get through, whatever it signs with", {
  timeout: LAUNCH_MS,
}, async (context) => {
  browser ??= await orSkip(context, launchChromium());
  expect(await walk(OTHER, "other")).toBe("TypeError"); // all that a page is told of what the browser kept from it
  expect(await walk(NAMED, "other-after")).toEqual(["from a page", "QueueDoesNotExist"]);
});
