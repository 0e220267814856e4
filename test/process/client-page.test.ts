// The client in a real browser: a page subscribes with a connect ticket, publishes, and has its messages. Nobody serves the page but
// the test, which answers the browser's requests for it under the broker's own origin.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BrokerProcess, call, startBroker } from "../support/broker-process.ts";
import { launchChromium } from "../support/chromium.ts";
import { orSkip } from "../support/clients.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const BUNDLE = join(ROOT, "build", "out", "client");
const FOREIGN = "http://127.0.0.1:40404"; // nobody is there: the test answers
const LAUNCH_MS = 300_000; // if it has to be installed first

const directory = mkdtempSync(join(tmpdir(), "wasq-page-"));
let broker: BrokerProcess;
let browser: Browser | undefined;

beforeAll(async () => {
  broker = await startBroker(directory);
});
afterAll(async () => {
  await browser?.close();
  await broker.stop("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

/** The example of the client's README, with this broker's address and queue. */
function examplePage(queue: string): string {
  const readme = readFileSync(join(ROOT, "src", "client", "README.md"), "utf8");
  const example = /^ {4}<!doctype html>[\s\S]*?^ {4}<\/script>$/m.exec(readme)?.[0].replaceAll(/^ {4}/gm, "");
  expect(example).toBeDefined();
  return (example ?? "").replace("http://127.0.0.1:9324", broker.endpoint).replace('"hello"', `"${queue}"`);
}

/** Opens a page at an address, whatever is there. A page's own rules forbid it any code made from text. */
async function open(address: string, html: string): Promise<{ page: Page; errors: string[] }> {
  const page = await (browser as Browser).newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.route("**/page.html", (route) =>
    route.fulfill({
      contentType: "text/html; charset=utf-8",
      headers: { "content-security-policy": "default-src 'none'; connect-src *; script-src 'self' 'unsafe-inline'" },
      body: html,
    }),
  );
  await page.route("**/client/*.js", (route) => {
    const name = new URL(route.request().url()).pathname.split("/").at(-1) ?? "";
    return route.fulfill({ contentType: "text/javascript", body: readFileSync(join(BUNDLE, name), "utf8") });
  });
  await page.goto(`${address}/page.html`);
  return { page, errors };
}

async function queueUrl(name: string): Promise<string> {
  return (await call(broker.endpoint, "CreateQueue", { QueueName: name })).body.QueueUrl;
}

test("the page of the README shows messages as they are sent, and deletes them", {
  timeout: LAUNCH_MS,
}, async (context) => {
  browser = await orSkip(context, launchChromium());
  const QueueUrl = await queueUrl("page");
  const { page, errors } = await open(broker.endpoint, examplePage("page"));
  for (const MessageBody of ["one", "zwei – grüße", "three"])
    await call(broker.endpoint, "SendMessage", { QueueUrl, MessageBody });
  await expect
    .poll(() => page.locator("li").allTextContents(), { timeout: 10_000 })
    .toEqual(["one", "zwei – grüße", "three"]);
  const names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
  const attributes = async () =>
    (await call(broker.endpoint, "GetQueueAttributes", { QueueUrl, AttributeNames: names })).body.Attributes;
  await expect.poll(attributes).toEqual({ [names[0] as string]: "0", [names[1] as string]: "0" });
  expect(errors).toEqual([]);
  await page.close();
});

test("a page publishes, and gets back what it sent", { timeout: LAUNCH_MS }, async (context) => {
  browser ??= await orSkip(context, launchChromium());
  await queueUrl("echo");
  const outcome = await run(
    broker.endpoint,
    `
    const client = await connect(broker, { ticket });
    const stream = await client.subscribe("echo", { fields: ["ATTRIBUTES"] });
    const publisher = await client.publisher("echo", { ids: true });
    const attributes = { bytes: new Uint8Array([1, 2, 3]) };
    const { messageId } = await publisher.publish({ body: "to myself", attributes });
    const [message] = await stream.take(1);
    await message.ack();
    await client.close();
    return [message.body, message.id === messageId, [...message.attributes.bytes.value]];
  `,
  );
  expect(outcome).toEqual(["to myself", true, [1, 2, 3]]);
});

test("a page of another origin gets neither a ticket nor a connection", { timeout: LAUNCH_MS }, async (context) => {
  browser ??= await orSkip(context, launchChromium());
  const outcome = await run(
    FOREIGN,
    `
    const asked = await ticket().catch(() => "no ticket");
    const connected = await connect(broker, { ticket: () => "tkt_guessed" }).catch((error) => error.code);
    return [asked, connected];
  `,
  );
  expect(outcome).toEqual(["no ticket", "CONNECT_FAILED"]);
});

/** Runs a script in a page of that origin, and gives what it returns. */
async function run(origin: string, script: string): Promise<unknown> {
  const { page, errors } = await open(
    origin,
    `<!doctype html><output></output><script type="module">
      import { connect } from "/client/index.js";
      const broker = "${broker.endpoint}";
      const ticket = async () => (await (await fetch(broker + "/stream/ticket", { method: "POST" })).json()).ticket;
      const outcome = await (async () => {${script}})().catch((error) => [String(error)]);
      document.querySelector("output").textContent = JSON.stringify(outcome);
    </script>`,
  );
  const output = page.locator("output");
  await expect.poll(() => output.textContent(), { timeout: 10_000 }).not.toBe("");
  expect(errors).toEqual([]);
  const outcome: unknown = JSON.parse((await output.textContent()) ?? "");
  await page.close();
  return outcome;
}
