// What stands in the data directory, as whoever takes the disk would look for it; and what a start says of a key.
import { execFile } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connect } from "../../src/client/index.ts";
import { type BrokerProcess, BUNDLE, call, startBroker } from "../support/broker-process.ts";

const SECRETS = {
  queue: "very-private-queue-name",
  body: "a body that nobody may read",
  queryBody: "a-body-by-query-protocol",
  batchBody: "a body in a batch",
  streamBody: "a body that came over a stream",
  attribute: "an attribute value",
  attributeName: "Private.Attribute",
  group: "group-of-customer-seven",
  deduplication: "deduplication-of-order-nine",
  tag: "a-tag-value",
  policy: "statement-of-the-policy",
};

let base = "";
let directory = "";
let broker: BrokerProcess | undefined;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "wasq-encryption-"));
  directory = join(base, "data");
});

afterEach(async () => {
  await broker?.stop("SIGKILL");
  broker = undefined;
  rmSync(base, { recursive: true });
});

async function start(args: readonly string[] = []): Promise<BrokerProcess> {
  broker = await startBroker(directory, { args });
  return broker;
}

async function stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  await broker?.stop(signal);
  broker = undefined;
}

async function ask(action: string, input: object): Promise<{ readonly [name: string]: unknown }> {
  const { status, body } = await call((broker as BrokerProcess).endpoint, action, input);
  expect({ action, status }).toEqual({ action, status: 200 });
  return body;
}

/** Everything that a client can put into the broker, through every door. */
async function fill(): Promise<void> {
  const { endpoint } = broker as BrokerProcess;
  const statement = {
    Sid: SECRETS.policy,
    Effect: "Allow",
    Principal: "*",
    Action: "sqs:SendMessage",
    Resource: `arn:aws:sqs:us-east-1:000000000000:${SECRETS.queue}.fifo`,
  };
  const created = await ask("CreateQueue", {
    QueueName: `${SECRETS.queue}.fifo`,
    Attributes: { FifoQueue: "true", Policy: JSON.stringify({ Version: "2012-10-17", Statement: [statement] }) },
    tags: { team: SECRETS.tag },
  });
  const QueueUrl = created["QueueUrl"] as string;
  const ids = (suffix: string) => ({
    MessageGroupId: SECRETS.group,
    MessageDeduplicationId: `${SECRETS.deduplication}-${suffix}`,
  });
  const value = { DataType: "String", StringValue: SECRETS.attribute };
  const attributes = { MessageAttributes: { [SECRETS.attributeName]: value } };
  await ask("SendMessage", { QueueUrl, MessageBody: SECRETS.body, ...attributes, ...ids("json") });
  const Entries = [1, 2].map((n) => ({
    Id: `${n}`,
    MessageBody: SECRETS.batchBody,
    ...attributes,
    ...ids(`batch-${n}`),
  }));
  await ask("SendMessageBatch", { QueueUrl, Entries });
  const form = new URLSearchParams({
    Action: "SendMessage",
    MessageBody: SECRETS.queryBody,
    MessageGroupId: SECRETS.group,
    MessageDeduplicationId: `${SECRETS.deduplication}-query`,
  });
  const byQuery = await fetch(QueueUrl, { method: "POST", body: form });
  expect(byQuery.status).toBe(200);
  const client = await connect(endpoint);
  const streamed = { groupId: SECRETS.group, deduplicationId: `${SECRETS.deduplication}-stream` };
  await client.publish(`${SECRETS.queue}.fifo`, { body: SECRETS.streamBody, ...streamed });
  await client.close();
}

/** Which of the secrets stand in which files of the directory. */
function found(): Record<string, string[]> {
  const places: Record<string, string[]> = {};
  for (const name of readdirSync(directory)) {
    // The next segment is being prepared meanwhile, under another name; it is zeros.
    if (name === "spare" || name.startsWith("lock")) continue;
    const bytes = readFileSync(join(directory, name));
    for (const [what, text] of Object.entries(SECRETS)) {
      for (const encoding of ["utf8", "utf16le"] as const) {
        if (!bytes.includes(Buffer.from(text, encoding))) continue;
        places[what] = [...(places[what] ?? []), name];
      }
    }
  }
  return places;
}

async function bodies(): Promise<string[]> {
  const QueueUrl = `/000000000000/${SECRETS.queue}.fifo`;
  const received = await ask("ReceiveMessage", { QueueUrl, MaxNumberOfMessages: 10, VisibilityTimeout: 0 });
  return (received["Messages"] as { Body: string }[]).map(({ Body }) => Body);
}

const BODIES = [SECRETS.body, SECRETS.batchBody, SECRETS.batchBody, SECRETS.queryBody, SECRETS.streamBody];

describe("the files of the data directory", () => {
  test("have nothing in them of what was sent, after a kill as well; a restart has all of it", async () => {
    await start();
    await fill();
    expect(found()).toEqual({});
    await stop("SIGKILL");
    expect(found()).toEqual({});
    await start();
    expect(await bodies()).toEqual(BODIES);
    const { Tags } = await ask("ListQueueTags", { QueueUrl: `/000000000000/${SECRETS.queue}.fifo` });
    expect(Tags).toEqual({ team: SECRETS.tag });
    expect(found()).toEqual({});
    expect(statSync(join(directory, "master.key")).mode & 0o777).toBe(0o600);
  });

  test("have all of it when encryption is off: the search finds what there is", async () => {
    await start(["--encryption-at-rest", "off"]);
    await fill();
    expect(Object.keys(found()).sort()).toEqual(Object.keys(SECRETS).sort());
    expect(existsSync(join(directory, "master.key"))).toBe(false);
    await stop();
    // From here on it is on: what there was stays as it is, and nothing is added to it.
    await start();
    await ask("CreateQueue", { QueueName: "another-private-queue" });
    expect(await bodies()).toEqual(BODIES);
    const log = readFileSync(join(directory, "segment-0000000001.log"));
    expect([log.includes(SECRETS.queue), log.includes("another-private-queue")]).toEqual([true, false]);
  });
});

describe("the master key", () => {
  const refused = async (env: NodeJS.ProcessEnv, ...args: string[]): Promise<string> => {
    const options = { env: { ...process.env, ...env } };
    const run = promisify(execFile)(process.execPath, [BUNDLE, ...args, "--data-dir", directory], options);
    return run.then(
      ({ stdout }) => `it went well: ${stdout}`,
      (error: { stderr: string }) => error.stderr,
    );
  };
  const snapshot = () =>
    new Map(
      readdirSync(directory)
        .filter((name) => !name.startsWith("lock"))
        .map((name) => [name, readFileSync(join(directory, name)).toString("latin1")]),
    );
  const another = Buffer.alloc(32, 9).toString("base64");

  test("missing or wrong, it stops the start, which says where it looked; put back, all is there", async () => {
    await start();
    await fill();
    await stop();
    const key = join(directory, "master.key");
    renameSync(key, join(base, "kept.key"));
    const before = snapshot();
    const isSame = () => expect(snapshot()).toEqual(before);
    expect(await refused({}, "serve", "--port", "0")).toContain(`no master key, in WASQ_MASTER_KEY or in ${key}`);
    isSame();
    expect(await refused({ WASQ_MASTER_KEY: another }, "serve", "--port", "0")).toContain(
      "not under the master key of WASQ_MASTER_KEY",
    );
    isSame();
    const elsewhere = join(base, "elsewhere.key");
    expect(await refused({}, "serve", "--port", "0", "--master-key-file", elsewhere)).toContain(elsewhere);
    expect(existsSync(elsewhere)).toBe(false);
    // Nor does anything else make a new one over it.
    expect(await refused({}, "keys", "create", "root")).toContain(
      `${join(directory, "manifest")} needs the one it had`,
    );
    isSame();
    writeFileSync(key, `${another}\n`, { mode: 0o600 });
    expect(await refused({}, "serve", "--port", "0")).toContain(`not under the master key of ${key}`);
    rmSync(key);
    const kept = join(base, "kept.key");
    await start(["--master-key-file", kept]);
    expect(await bodies()).toEqual(BODIES);
    await stop();
    cpSync(kept, key);
    await start();
    expect(await bodies()).toEqual(BODIES);
  });

  test("may live elsewhere: it is made there, and nothing of it is in the data directory", async () => {
    const file = join(base, "keys", "master");
    await start(["--master-key-file", file]);
    await fill();
    await stop();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(existsSync(join(directory, "master.key"))).toBe(false);
    writeFileSync(join(base, "wasq.yaml"), "masterKeyFile: keys/master\nencryptionAtRest: on\n");
    await start(["--config", join(base, "wasq.yaml")]);
    expect(await bodies()).toEqual(BODIES);
  });
});
