// Users, keys and roles of the configuration file and of the environment, and the first key of a broker that has none.
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateQueueCommand, ListQueuesCommand, PurgeQueueCommand, SQSClient } from "@aws-sdk/client-sqs";
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type BrokerProcess, BUNDLE, call, startBroker } from "../support/broker-process.ts";

const ACCOUNT = "111111111111";
const SECRET = "a secret of enough characters".replaceAll(" ", "-");

let directory: string;
let data: string;
let broker: BrokerProcess | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "wasq-declared-"));
  data = join(directory, "data");
});
afterEach(async () => {
  await broker?.stop("SIGKILL");
  broker = undefined;
  rmSync(directory, { recursive: true, force: true });
});

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}
async function start(args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<void> {
  broker = await startBroker(data, { args, env });
}
type Key = { readonly accessKeyId: string; readonly secretAccessKey: string };
const options = (credentials: Key) => ({
  endpoint: broker?.endpoint ?? "",
  region: "us-east-1",
  credentials,
  maxAttempts: 1,
});
const ask = async (key: Key, command: "list" | "create" | "purge" = "list"): Promise<string> => {
  const client = new SQSClient(options(key));
  try {
    if (command === "create") await client.send(new CreateQueueCommand({ QueueName: "q" }));
    else if (command === "purge") await client.send(new PurgeQueueCommand({ QueueUrl: `http://x/${ACCOUNT}/q` }));
    else await client.send(new ListQueuesCommand({}));
    return "ok";
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
};

const YAML = `
account: "${ACCOUNT}"
users:
  alice:
    path: /people/
    policies:
      queues: { Version: "2012-10-17", Statement: { Effect: Allow, Action: "sqs:*", Resource: "*" } }
      roles: roles.json
    keys:
      - { id: alice_key, secretFile: alice.secret }
      - { id: alice_other_key, secretVariable: ALICE_SECRET }
roles:
  worker:
    trustPolicy:
      Version: "2012-10-17"
      Statement: { Effect: Allow, Action: "sts:AssumeRole", Principal: { AWS: "${ACCOUNT}" } }
    policies:
      list: { Version: "2012-10-17", Statement: { Effect: Allow, Action: "sqs:ListQueues", Resource: "*" } }
    maxSessionSeconds: 7200
`;
const ROLES = JSON.stringify({
  Version: "2012-10-17",
  Statement: { Effect: "Allow", Action: "sts:AssumeRole", Resource: `arn:aws:iam::${ACCOUNT}:role/worker` },
});
const alice: Key = { accessKeyId: "alice_key", secretAccessKey: SECRET };

describe("the configuration file", () => {
  const startWith = async (yaml = YAML, env: NodeJS.ProcessEnv = { ALICE_SECRET: `other-${SECRET}` }) => {
    file("alice.secret", `${SECRET}\n`);
    file("roles.json", ROLES);
    await start(["--config", file("wasq.yaml", yaml)], env);
  };

  test("declares users, keys from files and from the environment, and roles", async () => {
    await startWith();
    expect(await ask(alice)).toBe("ok");
    expect(await ask({ accessKeyId: "alice_other_key", secretAccessKey: `other-${SECRET}` })).toBe("ok");
    expect(await ask({ ...alice, secretAccessKey: `other-${SECRET}` })).toBe("SignatureDoesNotMatch");
    expect((await call(broker?.endpoint ?? "", "ListQueues", {})).status).toBe(403);
    const sts = new STSClient(options(alice));
    expect((await sts.send(new GetCallerIdentityCommand({}))).Arn).toBe(`arn:aws:iam::${ACCOUNT}:user/people/alice`);
    const RoleArn = `arn:aws:iam::${ACCOUNT}:role/worker`;
    const asked = new AssumeRoleCommand({ RoleArn, RoleSessionName: "s1", DurationSeconds: 7_200 });
    const { Credentials: given } = await sts.send(asked);
    const credentials = {
      accessKeyId: given?.AccessKeyId ?? "",
      secretAccessKey: given?.SecretAccessKey ?? "",
      sessionToken: given?.SessionToken ?? "",
    };
    expect([await ask(credentials), await ask(credentials, "create")]).toEqual(["ok", "AccessDenied"]);
  });

  test("is read again when it changes, or a file that it names; a mistake changes nothing", async () => {
    await startWith();
    expect(await ask(alice, "create")).toBe("ok");
    file("wasq.yaml", YAML.replace('"sqs:*"', '"sqs:ListQueues"'));
    await expect.poll(() => ask(alice, "purge"), { timeout: 10_000 }).toBe("AccessDenied");
    file("wasq.yaml", YAML.replace('"sqs:*"', "7"));
    await expect
      .poll(() => broker?.stderr(), { timeout: 10_000 })
      .toMatch(/stay as they were: wasq\.yaml:\d+: policies/);
    expect([await ask(alice), await ask(alice, "purge")]).toEqual(["ok", "AccessDenied"]);
    file("wasq.yaml", YAML);
    await expect.poll(() => ask(alice, "purge"), { timeout: 10_000 }).toBe("ok");
    file("alice.secret", `new-${SECRET}`);
    const renewed = { ...alice, secretAccessKey: `new-${SECRET}` };
    await expect.poll(() => ask(renewed), { timeout: 10_000 }).toBe("ok");
    expect(await ask(alice)).toBe("SignatureDoesNotMatch");
  });

  test("goes before the data directory in what a user may, and adds to his keys", async () => {
    const all = file("all.json", '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}');
    const create = ["keys", "create", "alice", "--account", ACCOUNT, "--policy", all, "--data-dir", data];
    const text = execFileSync(process.execPath, [BUNDLE, ...create], { encoding: "utf8" });
    const [, accessKeyId = "", secretAccessKey = ""] = /=(\S+)\n\S+?=(\S+)\n$/.exec(text) ?? [];
    await startWith(YAML.replace('"sqs:*"', '"sqs:ListQueues"'));
    const stored = { accessKeyId, secretAccessKey };
    expect([await ask(stored), await ask(alice), await ask(stored, "create")]).toEqual(["ok", "ok", "AccessDenied"]);
    expect(broker?.stderr()).toContain(`not as the data directory has it: user ${ACCOUNT}/alice`);
  });

  test("turns an open broker into one that asks, while it runs", async () => {
    file("alice.secret", SECRET);
    file("roles.json", ROLES);
    await start(["--config", file("wasq.yaml", `account: "${ACCOUNT}"`)], { ALICE_SECRET: SECRET });
    expect((await call(broker?.endpoint ?? "", "ListQueues", {})).status).toBe(200);
    file("wasq.yaml", YAML);
    const list = async () => (await call(broker?.endpoint ?? "", "ListQueues", {})).status;
    await expect.poll(list, { timeout: 10_000 }).toBe(403);
    expect(await ask(alice)).toBe("ok");
    file("wasq.yaml", `account: "${ACCOUNT}"`);
    await expect.poll(() => ask(alice), { timeout: 10_000 }).toBe("InvalidClientTokenId");
    expect(await list()).toBe(403);
  });

  test("with mistakes stops the start, and all of them are told", async () => {
    file("roles.json", "{");
    file("alice.secret", "short");
    const bad = YAML.replace("path: /people/", "path: /people/\n    secret: x").replace(
      "secretFile: alice",
      "secret: x, secretFile: alice",
    );
    await expect(start(["--config", file("wasq.yaml", bad)])).rejects.toThrow(
      /users\.alice\.secret is no setting; known here: account, path, policies, sessionsValidFrom, keys[\s\S]*a secret does not stand in this file/,
    );
    await expect(start(["--config", file("wasq.yaml", YAML)])).rejects.toThrow(
      /roles\.json is no JSON[\s\S]*alice\.secret does not do: a secret has 16 to 256[\s\S]*ALICE_SECRET is empty/,
    );
    file("alice.secret", SECRET);
    file("roles.json", ROLES);
    const noTrust = YAML.replace(/ {4}trustPolicy:[\s\S]*?(?= {4}policies:\n {6}list)/, "");
    await expect(start(["--config", file("wasq.yaml", noTrust)], { ALICE_SECRET: SECRET })).rejects.toThrow(
      "roles.worker needs a trustPolicy",
    );
    const badPolicy = YAML.replace('Effect: Allow, Action: "sqs:*"', 'Effect: Perhaps, Action: "sqs:*"');
    await expect(start(["--config", file("wasq.yaml", badPolicy)], { ALICE_SECRET: SECRET })).rejects.toThrow(
      /wasq\.yaml:\d+: policies\.queues: Statement 1: Effect must be "Allow" or "Deny"/,
    );
  });
});

describe("a broker that other machines can reach", () => {
  const EXPOSED = ["--host", "0.0.0.0"];

  test("does not start with nothing, and says what there could be", async () => {
    await expect(start(EXPOSED)).rejects.toThrow(
      /Cannot listen on 0\.0\.0\.0 without keys[\s\S]*wasq keys create root[\s\S]*--bootstrap-root[\s\S]*WASQ_ROOT_ACCESS_KEY_ID/,
    );
  });

  test("starts with a root key of the environment, which is good for as long as it is there", async () => {
    const WASQ_ROOT_ACCESS_KEY_ID = "the_root";
    await start(EXPOSED, { WASQ_ROOT_ACCESS_KEY_ID, WASQ_ROOT_SECRET_ACCESS_KEY: SECRET });
    expect(await ask({ accessKeyId: "the_root", secretAccessKey: SECRET }, "create")).toBe("ok");
    expect((await call(broker?.endpoint ?? "", "ListQueues", {})).status).toBe(403);
    await broker?.stop("SIGTERM");
    await expect(start(EXPOSED, { WASQ_ROOT_ACCESS_KEY_ID })).rejects.toThrow(
      "WASQ_ROOT_ACCESS_KEY_ID is nothing without WASQ_ROOT_SECRET_ACCESS_KEY",
    );
    await expect(start(EXPOSED, { WASQ_ROOT_ACCESS_KEY_ID, WASQ_ROOT_SECRET_ACCESS_KEY: "short" })).rejects.toThrow(
      "WASQ_ROOT_SECRET_ACCESS_KEY does not do: a secret has 16 to 256 printable characters",
    );
    await expect(start(EXPOSED)).rejects.toThrow("without keys");
  });

  test("makes a root key once with --bootstrap-root, in a file for its owner alone", async () => {
    await start([...EXPOSED, "--bootstrap-root"]);
    const path = join(data, "root-credentials");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const text = readFileSync(path, "utf8");
    const [, accessKeyId = "", secretAccessKey = ""] =
      /^\[default\]\naws_access_key_id = (\S+)\naws_secret_access_key = (\S+)\n$/.exec(text) ?? [];
    const root = { accessKeyId, secretAccessKey };
    expect(await ask(root, "create")).toBe("ok");
    await broker?.stop("SIGTERM");
    await start([...EXPOSED, "--bootstrap-root"]);
    expect(readFileSync(path, "utf8")).toBe(text);
    expect(await ask(root)).toBe("ok");
    // Whoever has deleted the last key is given no other.
    execFileSync(process.execPath, [BUNDLE, "keys", "delete", accessKeyId, "--data-dir", data]);
    await broker?.stop("SIGTERM");
    await start([...EXPOSED, "--bootstrap-root"]);
    expect([await ask(root), readFileSync(path, "utf8")]).toEqual(["InvalidClientTokenId", text]);
  });

  test("says where the key is, and not what it is", async () => {
    mkdirSync(data);
    const child = spawn(process.execPath, [BUNDLE, "serve", "--port", "0", "--data-dir", data, "--bootstrap-root"]);
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (said += chunk.toString()));
    await expect.poll(() => said, { timeout: 10_000 }).toContain("Signatures are checked");
    child.kill("SIGKILL");
    const [, secret = "?"] =
      /secret_access_key = (\S+)/.exec(readFileSync(join(data, "root-credentials"), "utf8")) ?? [];
    expect(said).toContain(join(data, "root-credentials"));
    expect(said).not.toContain(secret);
  });
});
