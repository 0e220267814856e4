// The broker started with a configuration file, and queues that come into being by themselves.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type BrokerProcess, call, startBroker } from "../support/broker-process.ts";

const BUNDLE = fileURLToPath(new URL("../../build/out/wasq.cjs", import.meta.url));
let directory: string;
let running: BrokerProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "wasq-file-"));
});

afterEach(async () => {
  for (const broker of running) if (broker.child.exitCode === null) await broker.stop("SIGKILL");
  running = [];
  rmSync(directory, { recursive: true, force: true });
});

async function start(...args: readonly string[]): Promise<BrokerProcess> {
  const broker = await startBroker(join(directory, "data"), { args });
  running.push(broker);
  return broker;
}

function file(name: string, text: string): string {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
}

async function attributesOf(broker: BrokerProcess, url: string): Promise<{ readonly [name: string]: string }> {
  const { body } = await call(broker.endpoint, "GetQueueAttributes", { QueueUrl: url, AttributeNames: ["All"] });
  return body.Attributes;
}

describe("queues of a file", () => {
  const queues = (visibility: number) => `
account: "123456789012"
queues:
  orders:
    attributes: { VisibilityTimeout: ${visibility} }
    deadLetters: { queue: dead, maxReceiveCount: 1 }
    tags: { team: billing }
  dead: {}
  steps.fifo:
    attributes: { ContentBasedDeduplication: true }
`;

  test("are there after the first start, work, and survive the next without another word", async () => {
    const path = file("wasq.yaml", queues(1));
    const first = await start("--config", path);
    expect(first.stderr().match(/Queue \S+ was created/g)).toHaveLength(3);
    const url = "http://any/123456789012/orders";
    expect(await attributesOf(first, url)).toMatchObject({
      VisibilityTimeout: "1",
      QueueArn: "arn:aws:sqs:us-east-1:123456789012:orders",
    });
    await call(first.endpoint, "SendMessage", { QueueUrl: url, MessageBody: "fails" });
    await call(first.endpoint, "ReceiveMessage", { QueueUrl: url, VisibilityTimeout: 0 });
    await call(first.endpoint, "ReceiveMessage", { QueueUrl: url });
    const dead = { QueueUrl: "http://any/123456789012/dead", WaitTimeSeconds: 5 };
    const failed = await call(first.endpoint, "ReceiveMessage", { ...dead, VisibilityTimeout: 0 });
    expect(failed.body.Messages).toMatchObject([{ Body: "fails" }]);
    await first.stop("SIGKILL");

    const second = await start("--config", path);
    expect(second.stderr()).not.toContain("Queue ");
    expect((await call(second.endpoint, "ReceiveMessage", dead)).body.Messages).toMatchObject([{ Body: "fails" }]);
    await second.stop("SIGTERM");

    const third = await start("--config", file("other.yaml", queues(90)));
    expect(third.stderr()).toContain("Queue orders was changed, as other.yaml:4 says: VisibilityTimeout 1 -> 90\n");
    expect(await attributesOf(third, url)).toMatchObject({ VisibilityTimeout: "90" });
  });

  test("come from ElasticMQ's file as well, whose notes are told", async () => {
    const path = file(
      "elasticmq.conf",
      `include classpath("application.conf")
       node-address.host = "*"
       rest-sqs { bind-port = 1, bind-hostname = "127.0.0.1" }
       rest-stats { enabled = true }
       queues {
         jobs { defaultVisibilityTimeout = 90 seconds, deadLettersQueue { name = "jobs-dead", maxReceiveCount = 10 } }
         jobs-dead {}
         steps { fifo = true }
       }`,
    );
    const broker = await start("--config", path); // the flag --port of startBroker counts more than the file's
    expect(broker.stderr()).toContain("elasticmq.conf:4: rest-stats means nothing here");
    const { body } = await call(broker.endpoint, "ListQueues", {});
    const names = ["jobs", "jobs-dead", "steps.fifo"];
    expect(body.QueueUrls).toEqual(names.map((name) => `${broker.endpoint}/000000000000/${name}`));
    expect(await attributesOf(broker, "jobs")).toMatchObject({
      VisibilityTimeout: "90",
      RedrivePolicy: '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:jobs-dead","maxReceiveCount":10}',
    });
  });

  test("that cannot be stop the start: before the data are touched, or with the place in the file", () => {
    const refuse = (text: string) => {
      const data = join(directory, "untouched");
      const args = [BUNDLE, "serve", "--port", "0", "--data-dir", data, "--config", file("wasq.yaml", text)];
      const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 20_000 });
      return { status, stdout, stderr, touched: existsSync(data) };
    };
    const wrong = refuse("prot: 1\nqueues:\n  q:\n    attributes: { DelaySeconds: 901 }\n");
    expect(wrong).toMatchObject({ status: 2, stdout: "", touched: false });
    expect(wrong.stderr).toContain("wasq.yaml:1: prot is no setting");
    expect(wrong.stderr).toContain('wasq.yaml:4: queue q: DelaySeconds is "901"');
    const nowhere = refuse("queues:\n  q:\n    deadLetters: { queue: nowhere, maxReceiveCount: 1 }\n");
    expect(nowhere).toMatchObject({ status: 1, stdout: "" });
    expect(nowhere.stderr).toMatch(/Cannot set up queue q as wasq\.yaml:2 says: .*Dead letter target does not exist/);
  });
});

describe("automatic creation", () => {
  test("fifty senders at once get one queue, and what was acknowledged survives kill -9", async () => {
    const broker = await start("--auto-create-queues");
    const sends = Array.from({ length: 50 }, (_, i) =>
      call(broker.endpoint, "SendMessage", { QueueUrl: "http://any/000000000000/new", MessageBody: String(i) }),
    );
    for (const { status } of await Promise.all(sends)) expect(status).toBe(200);
    await call(broker.endpoint, "GetQueueUrl", { QueueName: "steps.fifo" });
    await broker.stop("SIGKILL");

    const again = await start();
    const { body } = await call(again.endpoint, "ListQueues", {});
    expect(body.QueueUrls).toEqual(["new", "steps.fifo"].map((name) => `${again.endpoint}/000000000000/${name}`));
    expect(await attributesOf(again, "new")).toMatchObject({ ApproximateNumberOfMessages: "50" });
    expect((await call(again.endpoint, "SendMessage", { QueueUrl: "newer", MessageBody: "a" })).queryError).toBe(
      "AWS.SimpleQueueService.NonExistentQueue;Sender",
    );
  });
});

test("npm start keeps the data beside it unless something else is said, and passes everything on", () => {
  const script = fileURLToPath(new URL("../../build/start.mjs", import.meta.url));
  const run = (...args: readonly string[]) =>
    spawnSync(process.execPath, [script, ...args], { encoding: "utf8", timeout: 60_000, env: process.env });
  expect(run("--version").stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(run("--config", file("x.yaml", "port: x\n"))).toMatchObject({ status: 2, stdout: "" });
});
