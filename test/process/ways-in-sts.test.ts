// Ways in that somebody could try by temporary credentials, or where they are given out: each is refused.
import { execFileSync } from "node:child_process";
import { createHash, createHmac } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BrokerProcess, BUNDLE, startBroker } from "../support/broker-process.ts";
import { allow, HOME, trust } from "../support/sts-world.ts";
import * as wire from "../support/wire.ts";

const ALICE = `arn:aws:iam::${HOME}:user/alice`;
const ROLE = `arn:aws:iam::${HOME}:role/worker`;
const ADMIN = `arn:aws:iam::${HOME}:role/admin`;
const FORM_TYPE = { "content-type": "application/x-www-form-urlencoded" };
const JSON_TYPE = { "content-type": "application/x-amz-json-1.0" };
const VERSION = "Version=2011-06-15";
const IDENTITY = `Action=GetCallerIdentity&${VERSION}`;
const ASSUME = `Action=AssumeRole&${VERSION}&RoleSessionName=s1&RoleArn=${encodeURIComponent(ROLE)}`;
const ASSUME_ADMIN = ASSUME.replace("worker", "admin");

let directory: string;
let broker: BrokerProcess;
const keys: Record<string, wire.WireKey> = {};
const of = (name: string): wire.WireKey => keys[name] as wire.WireKey;

type Signed = Omit<wire.ToSign, "endpoint" | "key"> & { readonly key: wire.WireKey };
const sign = (more: Signed): wire.Headers => wire.sign({ endpoint: broker.endpoint, service: "sts", ...more });
const send = (headers: wire.Headers, body: string, path = "/", method = "POST") =>
  wire.send(broker.endpoint, method, path, headers, body);

/** A form to the STS API. */
async function ask(key: wire.WireKey, body: string, more: Partial<Signed> = {}): Promise<wire.WireAnswer> {
  return send({ ...sign({ key, body, ...more }), ...FORM_TYPE }, body, more.query ? `/?${more.query}` : "/");
}
const codeOf = ({ text }: wire.WireAnswer): string => /<Code>([^<]*)</.exec(text)?.[1] ?? "";
const list = async (key: wire.WireKey): Promise<number> => {
  const headers = { "x-amz-target": "AmazonSQS.ListQueues" };
  return (await send({ ...sign({ key, service: "sqs", headers, body: "{}" }), ...JSON_TYPE }, "{}")).status;
};

async function assumed(key: wire.WireKey, body = ASSUME): Promise<wire.WireKey> {
  const { text } = await ask(key, body);
  const of = (name: string): string => new RegExp(`<${name}>([^<]*)<`).exec(text)?.[1] ?? "";
  return { accessKeyId: of("AccessKeyId"), secretAccessKey: of("SecretAccessKey"), sessionToken: of("SessionToken") };
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "wasq-ways-in-sts-"));
  const file = (value: object): string => {
    const path = join(directory, `${Math.random()}.json`);
    writeFileSync(path, JSON.stringify(value));
    return path;
  };
  const wasq = (...args: string[]): string =>
    execFileSync(process.execPath, [BUNDLE, ...args, "--data-dir", directory], { encoding: "utf8" });
  for (const [name, policy] of [
    ["root", []],
    ["alice", ["--policy", file(allow("sqs:GetQueueUrl"))]],
    ["mallory", ["--policy", file(allow("sts:*"))]],
  ] as const) {
    const text = wasq("keys", "create", name, "--account", HOME, ...policy);
    const [, accessKeyId = "", secretAccessKey = ""] = /=(\S+)\n\S+?=(\S+)\n$/.exec(text) ?? [];
    keys[name] = { accessKeyId, secretAccessKey };
  }
  const role = (name: string, who: object, may: string) =>
    wasq("roles", "create", name, "--account", HOME, "--trust", file(who), "--policy", file(allow(may)));
  role("worker", trust(ALICE), "sqs:ListQueues");
  role("admin", trust(ROLE), "sqs:*");
  broker = await startBroker(directory);
});
afterAll(async () => {
  expect(broker.stderr()).not.toContain("failed");
  expect(await broker.stop("SIGTERM")).toBe(0);
  rmSync(directory, { recursive: true, force: true });
});

test("the rights that the attempts start from are there", async () => {
  expect((await ask(of("alice"), IDENTITY)).text).toContain(`<Arn>${ALICE}</Arn>`);
  const worker = await assumed(of("alice"));
  expect(await list(worker)).toBe(200);
  expect(await list(of("alice"))).toBe(403);
  expect(codeOf(await ask(of("mallory"), ASSUME))).toBe("AccessDenied");
});

describe("one API's signature for the other", () => {
  test("is refused, whatever else says which is meant", async () => {
    const alice = of("alice");
    for (const [service, body, query] of [
      ["sqs", IDENTITY, ""],
      ["sqs", "Action=GetCallerIdentity", VERSION],
      ["sts", "Action=ListQueues", ""],
      ["sts", "Action=ListQueues&Version=2012-11-05", ""],
      ["iam", IDENTITY, ""],
      ["", IDENTITY, ""],
      ["STS", IDENTITY, ""],
    ] as const) {
      const answer = await ask(alice, body, { service, query });
      expect([service, body, codeOf(answer)]).toEqual([service, body, "SignatureDoesNotMatch"]);
    }
  });

  test("both versions at once are one API's, and refused there", async () => {
    for (const service of ["sqs", "sts"]) {
      const body = `${IDENTITY}&Version=2012-11-05`;
      expect(["MalformedQueryString", "SignatureDoesNotMatch"]).toContain(
        codeOf(await ask(of("alice"), body, { service })),
      );
    }
  });

  test("a version that is written in another way names no other API", async () => {
    for (const version of [
      "Versio%6e=2011-06-15",
      "Version=2011%2D06-15",
      "version=2011-06-15",
      "xVersion=2011-06-15",
    ]) {
      const answer = await ask(of("alice"), `Action=GetCallerIdentity&${version}`);
      expect(codeOf(answer)).toBe("SignatureDoesNotMatch");
    }
  });

  test("a JSON target with STS's version is an SQS request, and needs SQS's signature", async () => {
    const body = "{}";
    const headers = { "x-amz-target": "AmazonSQS.ListQueues" };
    const { status } = await send(
      { ...sign({ key: of("root"), headers, body, query: VERSION }), ...JSON_TYPE },
      body,
      `/?${VERSION}`,
    );
    expect(status).toBe(403);
  });

  test("another path is not STS's", async () => {
    for (const path of ["//", "/sts", `/${HOME}/q`, "/.", "/%2e"]) {
      const headers = { ...sign({ key: of("alice"), body: IDENTITY, path }), ...FORM_TYPE };
      expect((await send(headers, IDENTITY, path)).text).not.toContain("GetCallerIdentityResult");
    }
  });
});

describe("a request for credentials", () => {
  test("is not another one than was signed", async () => {
    const signed = { ...sign({ key: of("alice"), body: ASSUME }), ...FORM_TYPE };
    expect((await send(signed, ASSUME)).status).toBe(200);
    expect(codeOf(await send(signed, ASSUME_ADMIN))).toBe("SignatureDoesNotMatch");
    expect(codeOf(await send(signed, `${ASSUME}&DurationSeconds=43200`))).toBe("SignatureDoesNotMatch");
    expect(codeOf(await send(signed, ASSUME, "/?DurationSeconds=43200"))).toBe("SignatureDoesNotMatch");
    expect(codeOf(await send({ ...signed, "x-amz-security-token": "t" }, ASSUME))).toBe("SignatureDoesNotMatch");
    expect(codeOf(await send({ ...signed, "x-amz-date": "20200101T000000Z" }, ASSUME))).toBe("SignatureDoesNotMatch");
  });

  test("has each parameter once, however it is written, in the address and the form together", async () => {
    const arn = encodeURIComponent(ADMIN);
    for (const [body, query] of [
      [`${ASSUME}&RoleArn=${arn}`, ""],
      [`${ASSUME}&Role%41rn=${arn}`, ""],
      [ASSUME, `RoleArn=${arn}`],
      [ASSUME, "Action=GetSessionToken"],
    ] as const) {
      const answer = await ask(of("alice"), body, { query });
      expect([answer.status, codeOf(answer)]).toEqual([400, "MalformedQueryString"]);
    }
  });

  test("is of nobody by a header that comes twice", async () => {
    const mallory = sign({ key: of("mallory"), body: IDENTITY });
    const alice = { ...sign({ key: of("alice"), body: IDENTITY }), ...FORM_TYPE };
    for (const more of [
      `authorization: ${mallory["authorization"]}`,
      "host: evil.example",
      "x-amz-security-token: t",
    ]) {
      const head = `POST / HTTP/1.1\r\n${more}\r\n${wire.lines(alice)}content-length: ${IDENTITY.length}\r\n\r\n${IDENTITY}`;
      expect(await wire.raw(broker.endpoint, head)).toMatch(/^HTTP\/1.1 (400|403)/);
    }
  });

  test.each([
    ["a role that trusts another", ADMIN],
    ["a role by another case", ROLE.replace("worker", "Worker")],
    ["a role with a wildcard", ROLE.replace("worker", "*")],
    ["a role with a variable", ROLE.replace("worker", "$".concat("{aws:username}"))],
    ["a role behind a way around", ROLE.replace("worker", "../worker")],
    ["a role with a slash more", ROLE.replace("worker", "/worker")],
    ["a role of another account", ROLE.replace(HOME, "222222222222")],
    ["a role of another partition", ROLE.replace("arn:aws:", "arn:aws-cn:")],
    ["a user", ALICE],
    ["a session", `arn:aws:sts::${HOME}:assumed-role/worker/s1`],
  ])("for %s gives none", async (_what, arn) => {
    const answer = await ask(of("mallory"), ASSUME.replace(encodeURIComponent(ROLE), encodeURIComponent(arn)));
    expect(["AccessDenied", "ValidationError"]).toContain(codeOf(answer));
    expect(answer.text).not.toContain("SecretAccessKey");
  });

  test("names a session so that it cannot be taken for another's", async () => {
    for (const name of ["../../admin/s1", "s1/x", "s1:x", "s 1", "s1\n", "s*", "s1%00"]) {
      const answer = await ask(
        of("alice"),
        ASSUME.replace("RoleSessionName=s1", `RoleSessionName=${encodeURIComponent(name)}`),
      );
      expect([name, codeOf(answer)]).toEqual([name, "ValidationError"]);
    }
  });

  test("that is presigned is good for its time, with what was signed, and GET", async () => {
    const presigned = (key: wire.WireKey, more: Record<string, string> = {}, agoSeconds = 0): string => {
      const date = new Date(Date.now() - agoSeconds * 1000).toISOString().replaceAll(/[-:]|\.\d{3}/g, "");
      const scope = `${date.slice(0, 8)}/us-east-1/sts/aws4_request`;
      const parameters: Record<string, string> = {
        Action: "GetCallerIdentity",
        Version: "2011-06-15",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": `${key.accessKeyId}/${scope}`,
        "X-Amz-Date": date,
        "X-Amz-Expires": "60",
        "X-Amz-SignedHeaders": "host",
        ...(key.sessionToken === undefined ? {} : { "X-Amz-Security-Token": key.sessionToken }),
        ...more,
      };
      const encoded = Object.entries(parameters)
        .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
        .sort()
        .join("&");
      const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
      const canonical = ["GET", "/", encoded, `host:${new URL(broker.endpoint).host}\n`, "host", sha256("")].join("\n");
      const start: Buffer | string = `AWS4${key.secretAccessKey}`;
      const signing = scope
        .split("/")
        .reduce<Buffer | string>((each, part) => createHmac("sha256", each).update(part).digest(), start);
      const text = ["AWS4-HMAC-SHA256", date, scope, sha256(canonical)].join("\n");
      return `${encoded}&X-Amz-Signature=${createHmac("sha256", signing).update(text).digest("hex")}`;
    };
    const get = (query: string) => send({}, "", `/?${query}`, "GET");
    expect((await get(presigned(of("alice")))).text).toContain(`<Arn>${ALICE}</Arn>`);
    expect((await get(presigned(await assumed(of("alice"))))).text).toContain("assumed-role/worker/s1");
    expect(codeOf(await get(presigned(of("alice"), {}, 61)))).toBe("SignatureDoesNotMatch");
    const query = presigned(of("alice"));
    expect(codeOf(await get(query.replace("X-Amz-Expires=60", "X-Amz-Expires=6000")))).toBe("SignatureDoesNotMatch");
    expect(codeOf(await get(query.replace("GetCallerIdentity", "GetSessionToken")))).toBe("SignatureDoesNotMatch");
    expect(codeOf(await get(`${query}&DurationSeconds=900`))).toBe("SignatureDoesNotMatch");
    expect(codeOf(await get(`${query}&X-Amz-Security-Token=t`))).toMatch(/InvalidClientTokenId|SignatureDoesNotMatch/);
  });
});

describe("temporary credentials", () => {
  test("are all three of them, of one session", async () => {
    const one = await assumed(of("alice"));
    const two = await assumed(of("alice"));
    const { sessionToken = "" } = one;
    const wrong: readonly wire.WireKey[] = [
      { accessKeyId: one.accessKeyId, secretAccessKey: one.secretAccessKey },
      { ...two, sessionToken },
      { ...of("root"), sessionToken },
      { ...one, secretAccessKey: of("alice").secretAccessKey },
      { ...one, accessKeyId: of("root").accessKeyId },
      { ...one, sessionToken: sessionToken.slice(4) },
      { ...one, sessionToken: `${sessionToken} `.concat("x") },
    ];
    for (const key of wrong) expect(await list(key)).toBe(403);
    expect([await list(one), await list(two)]).toEqual([200, 200]);
  });

  test("in the address beside a signed header do not count", async () => {
    const { sessionToken = "" } = await assumed(of("alice"));
    const query = `X-Amz-Security-Token=${encodeURIComponent(sessionToken)}`;
    const headers = { "x-amz-target": "AmazonSQS.ListQueues" };
    const signed = sign({ key: of("alice"), service: "sqs", headers, query, body: "{}" });
    expect((await send({ ...signed, ...JSON_TYPE }, "{}", `/?${query}`)).status).toBe(403);
  });

  test("become only the roles that trust them, and none for longer by going round", async () => {
    const worker = await assumed(of("alice"));
    const admin = await assumed(worker, ASSUME_ADMIN); // in one account, to be named is enough
    expect((await ask(admin, IDENTITY)).text).toContain("assumed-role/admin/s1");
    expect(codeOf(await ask(admin, ASSUME))).toBe("AccessDenied");
    expect(codeOf(await ask(worker, `${ASSUME_ADMIN}&DurationSeconds=3601`))).toBe("ValidationError");
    expect(codeOf(await ask(admin, `Action=GetSessionToken&${VERSION}`))).toBe("AccessDenied");
  });
});
