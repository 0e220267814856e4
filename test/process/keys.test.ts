// The broker with keys: SDKs sign, the process checks, and everything that does not belong is refused in the service's words.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  ListQueuesCommand,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SetQueueAttributesCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BrokerProcess, call, startBroker } from "../support/broker-process.ts";

const BUNDLE = fileURLToPath(new URL("../../build/out/wasq.cjs", import.meta.url));
const OWNER = "111111111111";
const OTHER = "222222222222";

interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

let directory: string;
let broker: BrokerProcess;
const keys: Record<string, Key> = {};

function wasqKeys(...args: string[]): string {
  return execFileSync(process.execPath, [BUNDLE, "keys", ...args, "--data-dir", directory], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

function create(name: string, ...args: string[]): Key {
  const text = wasqKeys("create", name, ...args);
  const [, accessKeyId = "", secretAccessKey = ""] =
    /^AWS_ACCESS_KEY_ID=(\S+)\nAWS_SECRET_ACCESS_KEY=(\S+)\n$/.exec(text) ?? [];
  return { accessKeyId, secretAccessKey };
}

function policyFile(name: string, statement: object): string {
  const path = join(directory, `${name}.policy.json`);
  writeFileSync(path, JSON.stringify({ Version: "2012-10-17", Statement: statement }));
  return path;
}

function clientOf(credentials: Key, more: { region?: string; clockOffsetMs?: number } = {}): SQSClient {
  return new SQSClient({
    endpoint: broker.endpoint,
    region: more.region ?? "us-east-1",
    credentials,
    maxAttempts: 1,
    ...(more.clockOffsetMs === undefined ? {} : { systemClockOffset: more.clockOffsetMs }),
  });
}

/** The name an SDK gives to what went wrong. */
async function errorOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "none";
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "wasq-keys-"));
  keys["root"] = create("root", "--account", OWNER);
  const allow = (Action: string | string[], Resource = "*") => ({ Effect: "Allow", Action, Resource });
  keys["sender"] = create(
    "sender",
    "--account",
    OWNER,
    "--policy",
    policyFile("sender", allow(["sqs:SendMessage", "sqs:GetQueueUrl"])),
  );
  keys["stranger"] = create("stranger", "--account", OTHER, "--policy", policyFile("stranger", allow("sqs:*")));
  broker = await startBroker(directory);
});
afterAll(async () => {
  expect(await broker.stop("SIGTERM")).toBe(0);
  rmSync(directory, { recursive: true, force: true });
});

const of = (name: string): Key => keys[name] as Key;

async function createQueue(name: string, Attributes: Record<string, string> = {}): Promise<string> {
  const { QueueUrl } = await clientOf(of("root")).send(new CreateQueueCommand({ QueueName: name, Attributes }));
  return QueueUrl as string;
}

describe("signatures", () => {
  test("of the right key come in; the queue is its account's", async () => {
    const QueueUrl = await createQueue("signed");
    expect(new URL(QueueUrl).pathname).toBe(`/${OWNER}/signed`);
    const client = clientOf(of("root"));
    await client.send(new SendMessageCommand({ QueueUrl, MessageBody: "hello" }));
    const { Messages = [] } = await client.send(
      new ReceiveMessageCommand({ QueueUrl, MessageSystemAttributeNames: ["SenderId"] }),
    );
    expect(Messages).toMatchObject([{ Body: "hello", Attributes: { SenderId: OWNER } }]);
    await client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: Messages[0]?.ReceiptHandle as string }));
    expect(await clientOf(of("root"), { region: "eu-west-1" }).send(new ListQueuesCommand({}))).not.toHaveProperty(
      "QueueUrls",
    );
  });

  test.each([
    [
      "a wrong secret",
      () => clientOf({ ...of("root"), secretAccessKey: "wrong" }),
      /SignatureDoesNotMatch: The request signature we calculated/,
    ],
    [
      "an unknown key",
      () => clientOf({ accessKeyId: "AKIAUNKNOWNUNKNOWNUN", secretAccessKey: "x" }),
      /InvalidClientTokenId: The security token included/,
    ],
    [
      "a clock that is late",
      () => clientOf(of("root"), { clockOffsetMs: -16 * 60_000 }),
      /SignatureDoesNotMatch: Signature expired: \d{8}T\d{6}Z is now earlier/,
    ],
    [
      "a clock that is early",
      () => clientOf(of("root"), { clockOffsetMs: 16 * 60_000 }),
      /SignatureDoesNotMatch: Signature not yet current/,
    ],
  ])("of %s do not", async (_what, client, message) => {
    expect(await errorOf(client().send(new ListQueuesCommand({})))).toMatch(message);
  });

  test("that are not there at all do not, in either protocol", async () => {
    expect(await call(broker.endpoint, "ListQueues", {})).toMatchObject({
      status: 403,
      queryError: "AccessDenied;Sender",
      body: { __type: "com.amazon.coral.service#AccessDeniedException" },
    });
    const query = await fetch(`${broker.endpoint}/?Action=ListQueues`);
    expect(query.status).toBe(403);
    expect(await query.text()).toContain("<Code>AccessDenied</Code>");
    const look = await fetch(`${broker.endpoint}/_aws/sqs/messages/us-east-1/${OWNER}/signed`);
    expect(look.status).toBe(403);
  });

  test("are of the very bytes: another body, or another action under the same signature, is refused", async () => {
    const QueueUrl = await createQueue("bytes");
    let captured: { headers: Record<string, string>; body: string } | undefined;
    const client = clientOf(of("root"));
    client.middlewareStack.add(
      (next) => (args) => {
        const { headers, body } = args.request as { headers: Record<string, string>; body: string };
        captured = { headers, body };
        return next(args);
      },
      { step: "finalizeRequest", priority: "low" },
    );
    await client.send(new SendMessageCommand({ QueueUrl, MessageBody: "once" }));
    const { headers, body } = captured as { headers: Record<string, string>; body: string };
    const send = async (more: Record<string, string>, text: string) => {
      const { host: _host, "content-length": _length, ...rest } = headers;
      const response = await fetch(broker.endpoint, { method: "POST", headers: { ...rest, ...more }, body: text });
      return `${response.status} ${response.headers.get("x-amzn-query-error") ?? ""}`;
    };
    expect(await send({}, body)).toBe("200 ");
    expect(await send({}, body.replace("once", "evil"))).toBe("403 SignatureDoesNotMatch;Sender");
    expect(await send({ "x-amz-target": "AmazonSQS.PurgeQueue" }, body)).toBe("403 SignatureDoesNotMatch;Sender");
    expect(await send({ "x-amz-date": "20200101T000000Z" }, body)).toBe("403 SignatureDoesNotMatch;Sender");
    expect(await send({ authorization: "AWS4-HMAC-SHA256 Credential=x" }, body)).toBe("400 IncompleteSignature;Sender");
  });
});

describe("policies", () => {
  test("of a user say what he may: one action, its batch, and nothing else", async () => {
    const QueueUrl = await createQueue("narrow");
    const client = clientOf(of("sender"));
    await client.send(new SendMessageCommand({ QueueUrl, MessageBody: "a" }));
    await client.send(new SendMessageBatchCommand({ QueueUrl, Entries: [{ Id: "b", MessageBody: "b" }] }));
    const arn = `arn:aws:sqs:us-east-1:${OWNER}:narrow`;
    const who = `User: arn:aws:iam::${OWNER}:user/sender is not authorized to perform:`;
    expect(await errorOf(client.send(new ReceiveMessageCommand({ QueueUrl })))).toBe(
      `AccessDenied: ${who} sqs:receivemessage on resource: ${arn} because no identity-based policy allows the sqs:receivemessage action`,
    );
    expect(await errorOf(client.send(new PurgeQueueCommand({ QueueUrl })))).toContain("AccessDenied");
    expect(await errorOf(client.send(new CreateQueueCommand({ QueueName: "mine" })))).toContain("AccessDenied");
  });

  test("of a queue let another account in, and nobody without a policy of his own", async () => {
    const QueueUrl = await createQueue("shared");
    const arn = `arn:aws:sqs:us-east-1:${OWNER}:shared`;
    const stranger = clientOf(of("stranger"));
    const send = () => errorOf(stranger.send(new SendMessageCommand({ QueueUrl, MessageBody: "x" })));
    expect(await send()).toContain("because no resource-based policy allows the sqs:sendmessage action");
    const Policy = JSON.stringify({
      Version: "2012-10-17",
      Statement: [
        {
          Effect: "Allow",
          Principal: { AWS: OTHER },
          Action: ["sqs:SendMessage", "sqs:PurgeQueue", "sqs:SetQueueAttributes"],
          Resource: arn,
        },
        {
          Effect: "Deny",
          Principal: "*",
          Action: "sqs:SendMessage",
          Resource: arn,
          Condition: { StringEquals: { "aws:RequestedRegion": "eu-west-1" } },
        },
      ],
    });
    await clientOf(of("root")).send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy } }));
    expect(await send()).toBe("none");
    // What only an owner may do no policy gives away.
    const set = stranger.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { VisibilityTimeout: "1" } }));
    expect(await errorOf(set)).toContain("AccessDenied");
    await clientOf(of("root")).send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy: "" } }));
    expect(await send()).toContain("AccessDenied");
  });

  test("of a queue may let everybody in, unsigned", async () => {
    const QueueUrl = await createQueue("open", { SqsManagedSseEnabled: "false" });
    const Resource = `arn:aws:sqs:us-east-1:${OWNER}:open`;
    const Statement = { Effect: "Allow", Principal: "*", Action: "sqs:SendMessage", Resource };
    const Policy = JSON.stringify({ Version: "2012-10-17", Statement });
    await clientOf(of("root")).send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy } }));
    expect((await call(broker.endpoint, "SendMessage", { QueueUrl, MessageBody: "from nobody" })).status).toBe(200);
    expect((await call(broker.endpoint, "ReceiveMessage", { QueueUrl })).status).toBe(403);
  });
});

describe("keys", () => {
  test("are disabled, enabled, rotated and deleted without a restart", async () => {
    const first = create(
      "short-lived",
      "--account",
      OWNER,
      "--policy",
      policyFile("list", { Effect: "Allow", Action: "sqs:ListQueues", Resource: "*" }),
    );
    const works = (key: Key) => errorOf(clientOf(key).send(new ListQueuesCommand({})));
    await expect.poll(() => works(first), { timeout: 10_000 }).toBe("none");
    wasqKeys("disable", first.accessKeyId);
    await expect.poll(() => works(first), { timeout: 10_000 }).toContain("InvalidClientTokenId");
    wasqKeys("enable", first.accessKeyId);
    await expect.poll(() => works(first), { timeout: 10_000 }).toBe("none");
    const [, id = "", secret = ""] = /=(\S+)\n\S+?=(\S+)/.exec(wasqKeys("rotate", first.accessKeyId)) ?? [];
    await expect.poll(() => works({ accessKeyId: id, secretAccessKey: secret }), { timeout: 10_000 }).toBe("none");
    expect(await works(first)).toBe("none");
    wasqKeys("delete", first.accessKeyId);
    await expect.poll(() => works(first), { timeout: 10_000 }).toContain("InvalidClientTokenId");
    expect(wasqKeys("list")).toMatch(new RegExp(`^${OWNER}  short-lived  ${id}  active  `, "m"));
  });

  test("leave no secret in any file", () => {
    const files = readdirSync(directory).filter((name) => name.endsWith(".json"));
    expect(files).toContain("identities.json");
    for (const name of files) {
      const text = readFileSync(join(directory, name), "utf8");
      for (const { secretAccessKey } of Object.values(keys)) expect(text).not.toContain(secretAccessKey);
    }
  });

  test("a file that is broken changes nothing, and is told", async () => {
    const path = join(directory, "identities.json");
    const good = readFileSync(path);
    writeFileSync(path, "{");
    await expect.poll(() => broker.stderr(), { timeout: 10_000 }).toContain("The keys stay as they were: Cannot read");
    expect(await errorOf(clientOf(of("root")).send(new ListQueuesCommand({})))).toBe("none");
    writeFileSync(path, good);
  });
});

test("a start is refused: a master key that others can read, and another address without keys", async () => {
  const other = mkdtempSync(join(tmpdir(), "wasq-keys-"));
  try {
    await expect(startBroker(other, { args: ["--host", "0.0.0.0"] })).rejects.toThrow(
      /Cannot listen on 0\.0\.0\.0 without keys/,
    );
    execFileSync(process.execPath, [BUNDLE, "keys", "create", "root", "--data-dir", other]);
    chmodSync(join(other, "master.key"), 0o644);
    await expect(startBroker(other)).rejects.toThrow(/its mode is 644, and others than its owner could read it/);
  } finally {
    rmSync(other, { recursive: true, force: true });
  }
});
