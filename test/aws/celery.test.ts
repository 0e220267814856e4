// Celery, and with it kombu's SQS transport, running tasks through the broker: a worker of its own process, queues that
// kombu creates and queues that exist before. Needs python3 with venv, and PyPI the first time.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { CreateQueueCommand, GetQueueAttributesCommand, ListQueuesCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { beside, execute, orSkip, python } from "../support/clients.ts";
import { fileBroker } from "../support/file-broker.ts";

const broker = fileBroker({ keys: true });
const app = beside(import.meta.url, "python/celery_app.py");
const calls = beside(import.meta.url, "python/celery_client.py");
const cwd = dirname(app.path);
const workers: ChildProcess[] = [];
let client: SQSClient;

beforeAll(() => {
  const { AWS_ACCESS_KEY_ID: accessKeyId = "", AWS_SECRET_ACCESS_KEY: secretAccessKey = "" } = broker.keyVariables;
  const credentials = { accessKeyId, secretAccessKey };
  client = new SQSClient({ endpoint: broker.endpoint, region: "us-east-1", credentials });
});

afterAll(() => {
  client.destroy();
  for (const child of workers) child.kill("SIGKILL"); // those that a failed test left
});

interface Worker {
  /** Asks it to finish what it has and resolves with its exit code and all it has logged. */
  stop(): Promise<{ code: number | null; log: string }>;
}

/** A worker without processes of its own; resolves when it is ready for tasks. */
function startWorker(interpreter: string, env: Readonly<Record<string, string>>): Promise<Worker> {
  const options = ["--pool", "solo", "--queues", "work,stubborn,ordered.fifo", "--loglevel", "INFO"];
  const args = ["-m", "celery", "--app", "celery_app", "worker", ...options, "--without-gossip", "--without-mingle"];
  const child = spawn(interpreter, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "ignore", "pipe"] });
  workers.push(child);
  let log = "";
  const exited = new Promise<number | null>((resolve) => child.on("close", resolve));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    exited.then((code) => reject(new Error(`the worker ended with ${code}: ${log.slice(-4000)}`)));
    createInterface({ input: child.stderr }).on("line", (line) => {
      log += `${line}\n`;
      if (!/ ready\.$/.test(line)) return;
      resolve({
        async stop() {
          child.kill("SIGTERM");
          return { code: await exited, log };
        },
      });
    });
  });
}

async function queueUrls(prefix: string): Promise<string[]> {
  return (await client.send(new ListQueuesCommand({ QueueNamePrefix: prefix }))).QueueUrls ?? [];
}

test.for([
  ["automatic", "celery"],
  ["predefined", "celery"],
  ["query", "celery-query"], // of the days of AWS Query: it posts forms to the queue's own URL
] as const)("Celery, %s queues, packages of %s.txt", { timeout: 300_000 }, async ([kind, packages], context) => {
  const requirements = beside(import.meta.url, `python/${packages}.txt`);
  const interpreter = await orSkip(context, python(packages, requirements));
  const directory = join(broker.directory, kind);
  mkdirSync(join(directory, "results"), { recursive: true });
  const env = {
    WASQ_ENDPOINT: broker.endpoint,
    WASQ_DIRECTORY: directory,
    WASQ_QUEUES: kind,
    ...broker.keyVariables,
    PYTHONDONTWRITEBYTECODE: "1",
  };
  if (kind === "predefined") {
    for (const name of ["work", "stubborn", "ordered.fifo"]) {
      const Attributes = name.endsWith(".fifo") ? { FifoQueue: "true" } : { VisibilityTimeout: "600" };
      await client.send(new CreateQueueCommand({ QueueName: `predefined-${name}`, Attributes }));
    }
  }
  const worker = await startWorker(interpreter, env);
  const output = await execute(interpreter, [calls.path], { cwd, env, timeoutMs: 120_000 });
  const { code, log } = await worker.stop();
  expect(JSON.parse(output)).toEqual({
    sums: Array.from({ length: 30 }, (_, i) => 2 * i),
    chord: 15,
    tries: 2,
    later: 3,
    countdown: true,
    notes: 20,
    order: ["a", "b"].map((group) => Array.from({ length: 10 }, (_, i) => `${group} ${i}`)),
    // By the policy, after a second each; the queue's own timeout is ten minutes.
    ...(kind === "predefined" ? { attempts: 3 } : {}),
  });
  expect(code, log).toBe(0);
  // Everything was acknowledged.
  const urls = await queueUrls(`${kind}-`);
  expect(urls).toHaveLength(3);
  for (const QueueUrl of urls) {
    const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }));
    expect(Attributes, QueueUrl).toMatchObject({
      ApproximateNumberOfMessages: "0",
      ApproximateNumberOfMessagesNotVisible: "0",
      ApproximateNumberOfMessagesDelayed: "0",
    });
  }
});
