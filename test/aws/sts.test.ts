// Roles as people have them configured: a profile with a role_arn for boto3 and the AWS CLI, and Go's credentials provider.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { CreateQueueCommand, SQSClient } from "@aws-sdk/client-sqs";
import { beforeAll, expect, test, vi } from "vitest";
import { BUNDLE, call } from "../support/broker-process.ts";
import { beside, execute, made, orSkip, python } from "../support/clients.ts";
import { fileBroker } from "../support/file-broker.ts";
import { allow, trust } from "../support/sts-world.ts";

const ACCOUNT = "000000000000";
const WORKER = `arn:aws:iam::${ACCOUNT}:role/worker`;
const broker = fileBroker({ keys: true });
const open = fileBroker();
let alice = { AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "" };
const queue = (endpoint: string): string => `${endpoint}/${ACCOUNT}/q`;

beforeAll(async () => {
  const data = join(broker.directory, "data");
  const wasq = (...args: string[]) =>
    execFileSync(process.execPath, [BUNDLE, ...args, "--data-dir", data], { encoding: "utf8" });
  const file = (name: string, value: object): string => {
    const path = join(broker.directory, name);
    writeFileSync(path, JSON.stringify(value));
    return path;
  };
  const trusted = trust(ACCOUNT, { Condition: { StringEquals: { "sts:ExternalId": "ticket-7" } } });
  const mine = file("mine.json", allow("sqs:SendMessage"));
  wasq("roles", "create", "worker", "--trust", file("trust.json", trusted), "--policy", mine);
  const text = wasq(
    "keys",
    "create",
    "alice",
    "--policy",
    file("alice.json", allow(["sts:AssumeRole", "sqs:CreateQueue"])),
  );
  const [, AWS_ACCESS_KEY_ID = "", AWS_SECRET_ACCESS_KEY = ""] = /=(\S+)\n\S+?=(\S+)\n$/.exec(text) ?? [];
  alice = { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY };
  await call(open.endpoint, "CreateQueue", { QueueName: "q" });
  const credentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY };
  const client = new SQSClient({ endpoint: broker.endpoint, region: "us-east-1", credentials, maxAttempts: 1 });
  await vi.waitFor(() => client.send(new CreateQueueCommand({ QueueName: "q" })), 10_000); // it sees the key in a moment
});

/** The environment of somebody whose profile has the role. */
function profile(endpoint: string, externalId: string, key = alice): Record<string, string> {
  const path = join(broker.directory, "aws-config");
  const lines = [
    "[profile alice]",
    `aws_access_key_id = ${key.AWS_ACCESS_KEY_ID}`,
    `aws_secret_access_key = ${key.AWS_SECRET_ACCESS_KEY}`,
    "[profile worker]",
    `role_arn = ${WORKER}`,
    "role_session_name = night",
    `external_id = ${externalId}`,
    "source_profile = alice",
    "region = us-east-1",
  ];
  writeFileSync(path, `${lines.join("\n")}\n`);
  return {
    AWS_CONFIG_FILE: path,
    AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    AWS_PROFILE: "worker",
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: "",
    AWS_SECRET_ACCESS_KEY: "",
  };
}

const ASSUMED = `arn:aws:sts::${ACCOUNT}:assumed-role/worker`;

test.for(["json", "query"])(
  "boto3 becomes the role of a profile, in AWS %s",
  { timeout: 300_000 },
  async (protocol, context) => {
    const interpreter = await orSkip(
      context,
      python(`boto3-${protocol}`, beside(import.meta.url, `python/boto3-${protocol}.txt`)),
    );
    const script = beside(import.meta.url, "python/assumed.py").path;
    const run = async (endpoint: string, externalId: string, key?: typeof alice): Promise<string[]> => {
      const env = profile(endpoint, externalId, key);
      return (await execute(interpreter, [script, queue(endpoint)], { env })).trim().split("\n");
    };
    expect(await run(broker.endpoint, "ticket-7")).toEqual([`${ASSUMED}/night`, "ok", "AccessDenied", "AccessDenied"]);
    expect(await run(broker.endpoint, "ticket-8")).toEqual(["AccessDenied"]);
    // Where everybody is let in the same profile works, whatever the keys in it.
    const any = { AWS_ACCESS_KEY_ID: "any", AWS_SECRET_ACCESS_KEY: "any" };
    expect(await run(open.endpoint, "any", any)).toEqual([`${ASSUMED}/night`, "ok", "ok", "ok"]);
  },
);

test("the SDK for Go v2 becomes a role", { timeout: 300_000 }, async (context) => {
  const texts = ["go.mod", "go.sum", "main.go"].map((name) => beside(import.meta.url, `go-sts/${name}`));
  const cwd = dirname(texts[0]?.path ?? "");
  const program = made({
    name: "go-sts",
    inputs: texts.map(({ text }) => text),
    needs: "go, and a module proxy for the AWS SDK",
    fetch: () => execute("go", ["mod", "download"], { cwd, timeoutMs: 240_000 }),
    build: (place) => execute("go", ["build", "-mod=readonly", "-o", place, "."], { cwd, timeoutMs: 240_000 }),
  });
  const place = await orSkip(context, program);
  const run = async (externalId: string): Promise<string[]> => {
    const args = [broker.endpoint, WORKER, externalId, queue(broker.endpoint)];
    return (await execute(join(place, "sts"), args, { env: alice })).trim().split("\n");
  };
  expect(await run("ticket-7")).toEqual([`${ASSUMED}/gopher`, "ok", "AccessDenied"]);
  expect(await run("ticket-8")).toEqual(["AccessDenied"]);
});
