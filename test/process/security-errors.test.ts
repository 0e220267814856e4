// Every error that the service has for whoever may not come in, or may not do what he wants: status, names and words, in both
// protocols, from the real process. What a KMS says has its own rows in test/keys/aws-kms.test.ts.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Sealer } from "../../src/auth/sealing.ts";
import { issueToken } from "../../src/auth/session-token.ts";
import { readMasterKey } from "../../src/vault/master-key.ts";
import { type BrokerProcess, BUNDLE, startBroker } from "../support/broker-process.ts";
import { AWAY, allow, HOME } from "../support/sts-world.ts";
import * as wire from "../support/wire.ts";

const MINUTE_MS = 60_000;
const ARN = `arn:aws:sqs:us-east-1:${HOME}:q`;
const NOBODY: wire.WireKey = { accessKeyId: "AKIAUNKNOWNUNKNOWNUN", secretAccessKey: "x" };

let directory: string;
let broker: BrokerProcess;
const keys = new Map<string, wire.WireKey>();
const of = (name: string): wire.WireKey => keys.get(name) as wire.WireKey;

function wasq(...args: readonly string[]): string {
  return execFileSync(process.execPath, [BUNDLE, ...args, "--data-dir", directory], { encoding: "utf8" });
}

function create(name: string, account: string, policy?: object): void {
  const path = join(directory, `${name}.json`);
  if (policy !== undefined) writeFileSync(path, JSON.stringify(policy));
  const given = policy === undefined ? [] : ["--policy", path];
  const text = wasq("keys", "create", name, "--account", account, ...given);
  const [, accessKeyId = "", secretAccessKey = ""] = /=(\S+)\n\S+?=(\S+)\n$/.exec(text) ?? [];
  keys.set(name, { accessKeyId, secretAccessKey });
}

interface Met {
  readonly status: number;
  readonly type: string; // of JSON; the Query code otherwise
  readonly message: string;
}

interface How {
  readonly key?: wire.WireKey | undefined; // undefined: nothing is signed
  readonly signed?: Partial<wire.ToSign>;
  readonly change?: (headers: wire.Headers) => wire.Headers; // after it was signed
}

async function json(action: string, input: object, { key, signed, change = (same) => same }: How): Promise<Met> {
  const { endpoint } = broker;
  const body = JSON.stringify(input);
  const headers = { "x-amz-target": `AmazonSQS.${action}`, "content-type": "application/x-amz-json-1.0" };
  const all = key === undefined ? headers : change(wire.sign({ endpoint, key, headers, body, ...signed }));
  const { status, text, queryError } = await wire.send(endpoint, "POST", "/", all, body);
  const answer = JSON.parse(text) as { __type?: string; message?: string };
  return { status, type: `${answer.__type} ${queryError}`, message: answer.message ?? "" };
}

async function query(action: string, input: object, { key, signed, change = (same) => same }: How): Promise<Met> {
  const { endpoint } = broker;
  const flat = Object.entries(input).filter(([, value]) => typeof value === "string") as [string, string][];
  const body = new URLSearchParams([["Action", action], ...flat]).toString();
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const all = key === undefined ? headers : change(wire.sign({ endpoint, key, headers, body, ...signed }));
  const { status, text } = await wire.send(endpoint, "POST", "/", all, body);
  const of = (name: string): string => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1] ?? "";
  const message = of("Message").replaceAll("&apos;", "'").replaceAll("&quot;", '"');
  return { status, type: `${of("Code")} ${of("Type")}`, message };
}

let QueueUrl = "";
let session: wire.WireKey;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "wasq-security-errors-"));
  create("root", HOME);
  create("nothing", HOME, allow("sqs:ListQueues"));
  create("denied", HOME, {
    ...allow("*"),
    Statement: [allow("*").Statement, { Effect: "Deny", Action: "sqs:SendMessage", Resource: "*" }],
  });
  create("away", AWAY, allow("sqs:*"));
  broker = await startBroker(directory);
  const { endpoint } = broker;
  QueueUrl = `${endpoint}/${HOME}/q`;
  const Statement = { Effect: "Deny", Principal: "*", Action: "sqs:PurgeQueue", Resource: ARN };
  const Policy = JSON.stringify({ Version: "2012-10-17", Statement });
  await json("CreateQueue", { QueueName: "q", Attributes: { Policy } }, { key: of("root") });
  const key = { accessKeyId: "ASIAENDEDENDEDENDEDE", secretAccessKey: "secret" };
  const sealer = new Sealer(readMasterKey(directory, {}) as Uint8Array, "session tokens");
  const sessionToken = issueToken(sealer, {
    ...{ accessKeyId: key.accessKeyId, secret: key.secretAccessKey, role: undefined, policy: undefined, tags: [] },
    ...{ parentKeyId: of("root").accessKeyId, transitiveTagKeys: [], sourceIdentity: undefined },
    ...{ issuedMs: Date.now() - 2_000_000, expiresMs: Date.now() - 1_000 },
  });
  session = { ...key, sessionToken };
});
afterAll(async () => {
  expect(await broker.stop("SIGTERM")).toBe(0);
  expect(broker.stderr()).not.toContain("failed");
  rmSync(directory, { recursive: true, force: true });
});

/** Changes the Authorization header. */
const header = (from: RegExp | string, to: string) => (headers: wire.Headers) => ({
  ...headers,
  authorization: (headers["authorization"] ?? "").replace(from, to),
});
const NAMES = {
  AccessDenied: ["AccessDeniedException", 403],
  InvalidClientTokenId: ["UnrecognizedClientException", 403],
  SignatureDoesNotMatch: ["InvalidSignatureException", 403],
  IncompleteSignature: ["IncompleteSignatureException", 400],
  ExpiredToken: ["ExpiredTokenException", 403],
} as const;

interface Row {
  readonly what: string;
  readonly code: keyof typeof NAMES;
  readonly message: RegExp;
  readonly how: () => How;
  readonly action?: "SendMessage" | "PurgeQueue"; // ListQueues, if there is none
}
const row = (
  what: string,
  code: Row["code"],
  message: RegExp,
  how: Row["how"],
  action?: NonNullable<Row["action"]>,
): Row => ({ what, code, message, how, ...(action && { action }) });
const who = (name: string) => `User: arn:aws:iam::${HOME}:user/${name} is not authorized to perform:`;

const ROWS: readonly Row[] = [
  row("no signature", "AccessDenied", /^Access to the resource http:\/\/127\.0\.0\.1:\d+\/ is denied\.$/, () => ({})),
  row("an unknown key", "InvalidClientTokenId", /^The security token included in the request is invalid\.$/, () => ({
    key: NOBODY,
  })),
  row("a garbled token", "InvalidClientTokenId", /^The security token included in the request is invalid\.$/, () => ({
    key: { ...session, sessionToken: "AAAA" },
  })),
  row("a token that has expired", "ExpiredToken", /^The security token included in the request is expired$/, () => ({
    key: session,
  })),
  row(
    "a wrong signature",
    "SignatureDoesNotMatch",
    /^The request signature we calculated does not match the signature you provided\. Check your AWS Secret Access Key and signing method\. Consult the service documentation for details\.$/,
    () => ({ key: of("root"), change: header(/Signature=.{8}/, "Signature=00000000") }),
  ),
  row(
    "a date too old",
    "SignatureDoesNotMatch",
    /^Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - 15 min\.\)$/,
    () => ({ key: of("root"), signed: { nowMs: Date.now() - 16 * MINUTE_MS } }),
  ),
  row(
    "a date in the future",
    "SignatureDoesNotMatch",
    /^Signature not yet current: \d{8}T\d{6}Z is still later than \d{8}T\d{6}Z \(\d{8}T\d{6}Z \+ 15 min\.\)$/,
    () => ({ key: of("root"), signed: { nowMs: Date.now() + 16 * MINUTE_MS } }),
  ),
  row("no region", "SignatureDoesNotMatch", /^Credential should be scoped to a valid region\.$/, () => ({
    key: of("root"),
    signed: { region: "US_EAST" },
  })),
  row("another service", "SignatureDoesNotMatch", /^Credential should be scoped to correct service: 'sqs'\.$/, () => ({
    key: of("root"),
    signed: { service: "s3" },
  })),
  row(
    "another day",
    "SignatureDoesNotMatch",
    /^Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20200101' != '\d{8}', from '\d{8}T\d{6}Z'\.$/,
    () => ({ key: of("root"), change: header(/\/\d{8}\//, "/20200101/") }),
  ),
  row(
    "a header that is no signature",
    "IncompleteSignature",
    /^Authorization header requires 'Credential' parameter\. Authorization header requires 'Signature' parameter\. Authorization header requires 'SignedHeaders' parameter\. /,
    () => ({ key: of("root"), change: header(/ .*$/, " x=y") }),
  ),
  row(
    "no policy that allows it",
    "AccessDenied",
    new RegExp(
      `^${who("nothing")} sqs:sendmessage on resource: ${ARN} because no identity-based policy allows the sqs:sendmessage action$`,
    ),
    () => ({ key: of("nothing") }),
    "SendMessage",
  ),
  row(
    "a policy of his that denies it",
    "AccessDenied",
    new RegExp(
      `^${who("denied")} sqs:sendmessage on resource: ${ARN} with an explicit deny in an identity-based policy$`,
    ),
    () => ({ key: of("denied") }),
    "SendMessage",
  ),
  row(
    "a queue's policy that denies it",
    "AccessDenied",
    new RegExp(
      `^${who("denied")} sqs:purgequeue on resource: ${ARN} with an explicit deny in a resource-based policy$`,
    ),
    () => ({ key: of("denied") }),
    "PurgeQueue",
  ),
  row(
    "another account's queue, which lets nobody in",
    "AccessDenied",
    new RegExp(
      `^User: arn:aws:iam::${AWAY}:user/away is not authorized to perform: sqs:sendmessage on resource: ${ARN} because no resource-based policy allows the sqs:sendmessage action$`,
    ),
    () => ({ key: of("away") }),
    "SendMessage",
  ),
  row(
    "somebody else's queue, and no signature",
    "AccessDenied",
    /^Access to the resource http:\/\/127\.0\.0\.1:\d+\/111111111111\/q is denied\.$/,
    () => ({}),
    "SendMessage",
  ),
];

describe("refused", () => {
  test.each(ROWS)("$what", async ({ code, message, how, action = "ListQueues" }) => {
    const input = action === "ListQueues" ? {} : { QueueUrl, MessageBody: "x" };
    const [name, status] = NAMES[code];
    const inJson = await json(action, input, how());
    expect(inJson).toEqual({
      status,
      type: `com.amazon.coral.service#${name} ${code};Sender`,
      message: expect.stringMatching(message),
    });
    const inQuery = await query(action, input, how());
    expect(inQuery).toEqual({ status, type: `${code} Sender`, message: expect.stringMatching(message) });
  });

  test("a batch, by the name of its single action", async () => {
    const Entries = [{ Id: "a", MessageBody: "x" }];
    const { message } = await json("SendMessageBatch", { QueueUrl, Entries }, { key: of("nothing") });
    expect(message).toContain("is not authorized to perform: sqs:sendmessage on resource");
  });
});

describe("a request that was good once", () => {
  const presigned = (atMs: number, expiresSeconds: number): Promise<wire.WireAnswer> => {
    const { endpoint } = broker;
    return wire.send(
      endpoint,
      "GET",
      `/?${wire.presign({ endpoint, key: of("root"), nowMs: atMs, expiresSeconds, query: "Action=ListQueues" })}`,
      {},
    );
  };

  test("is answered again within its time, and after it by nobody: an address", async () => {
    expect((await presigned(Date.now(), 60)).status).toBe(200);
    expect((await presigned(Date.now() - 30 * MINUTE_MS, 3_600)).status).toBe(200); // its own time, not a quarter of an hour
    const over = await presigned(Date.now() - 61_000, 60);
    expect([over.status, over.text]).toEqual([
      403,
      expect.stringMatching(
        /<Code>SignatureDoesNotMatch<\/Code><Message>Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z</,
      ),
    ]);
    expect((await presigned(Date.now(), 604_801)).status).toBe(400); // for longer than a week nobody may
  });

  test("the same bytes, a quarter of an hour later", async () => {
    const { endpoint } = broker;
    const body = "Action=ListQueues";
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const again = async (agoMs: number): Promise<number> => {
      const signed = wire.sign({ endpoint, key: of("root"), headers, body, nowMs: Date.now() - agoMs });
      return (await wire.send(endpoint, "POST", "/", signed, body)).status;
    };
    expect(await again(14 * MINUTE_MS)).toBe(200);
    expect(await again(15 * MINUTE_MS + 2_000)).toBe(403);
  });

  test("with its time made longer afterwards", async () => {
    const { endpoint } = broker;
    const over = wire.presign({
      endpoint,
      key: of("root"),
      nowMs: Date.now() - 61_000,
      expiresSeconds: 60,
      query: "Action=ListQueues",
    });
    const longer = over.replace("X-Amz-Expires=60", "X-Amz-Expires=3600");
    expect((await wire.send(endpoint, "GET", `/?${longer}`, {})).text).toContain("SignatureDoesNotMatch");
  });
});
