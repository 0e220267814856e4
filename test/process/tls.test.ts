// HTTPS and WSS by the real process, with certificates that are made here; skipped, in words, where there is no openssl.
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request as plainRequest } from "node:http";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { promisify } from "node:util";
import { CreateQueueCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import WebSocket from "ws";
import { type BrokerProcess, BUNDLE, startBroker } from "../support/broker-process.ts";

const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;
if (!hasOpenssl) process.stderr.write("TLS is not tested: there is no openssl on this machine\n");

let made = ""; // certificates, made once
let base = "";
let broker: BrokerProcess | undefined;

function make(name: string): void {
  const subject = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", `${made}/${name}.key`];
  const args = ["req", "-x509", ...key, "-out", `${made}/${name}.crt`, "-days", "2"];
  execFileSync("openssl", [...args, ...subject], { stdio: "pipe" });
}

beforeAll(() => {
  if (!hasOpenssl) return;
  made = mkdtempSync(join(tmpdir(), "wasq-certificates-"));
  for (const name of ["first", "second"]) make(name);
});

afterAll(() => {
  if (made !== "") rmSync(made, { recursive: true });
});

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "wasq-tls-"));
});

afterEach(async () => {
  await broker?.stop("SIGKILL");
  broker = undefined;
  rmSync(base, { recursive: true });
});

const certPath = () => join(base, "tls.crt");
const keyPath = () => join(base, "tls.key");
const use = (certificate: string, key = certificate): void => {
  copyFileSync(`${made}/${certificate}.crt`, certPath());
  copyFileSync(`${made}/${key}.key`, keyPath());
};
const tlsArgs = () => ["--tls-cert", certPath(), "--tls-key", keyPath()];

async function start(...args: string[]): Promise<BrokerProcess> {
  broker = await startBroker(join(base, "data"), { args: [...tlsArgs(), ...args] });
  return broker;
}

/** A start that is refused. @returns what it says */
async function refusal(...args: string[]): Promise<string> {
  const words = [BUNDLE, "serve", "--port", "0", "--data-dir", join(base, "data"), ...args];
  return promisify(execFile)(process.execPath, words).then(
    () => "it started",
    (error: { stderr: string }) => error.stderr,
  );
}

const port = (): number => Number(new URL((broker as BrokerProcess).endpoint).port);
const anyCertificate = { rejectUnauthorized: false };

/** A connection of its own, and the certificate that it was given. */
async function shake(): Promise<{ socket: TLSSocket; name: string }> {
  const socket = connectTls({ host: "127.0.0.1", port: port(), ...anyCertificate });
  await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
  return { socket, name: String(socket.getPeerCertificate().subject.CN) };
}

function get(agent: Agent, path: string): Promise<{ status: number | undefined; text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port: port(), path, agent }, (answer) => {
      let text = "";
      answer.on("data", (chunk) => {
        text += chunk;
      });
      answer.on("end", () => resolve({ status: answer.statusCode, text }));
    });
    asked.on("error", reject).end();
  });
}

async function said(text: string): Promise<void> {
  await expect.poll(() => (broker as BrokerProcess).stderr(), { timeout: 8_000, interval: 50 }).toContain(text);
}

function sdk(endpoint: string, credentials: { accessKeyId: string; secretAccessKey: string }): SQSClient {
  const requestHandler = new NodeHttpHandler({ httpsAgent: new Agent(anyCertificate) });
  return new SQSClient({ endpoint, region: "us-east-1", credentials, requestHandler, maxAttempts: 1 });
}

const ANY = { accessKeyId: "x", secretAccessKey: "x" };

describe.skipIf(!hasOpenssl)("with a certificate", () => {
  test("an SDK is served, queue URLs begin with https, and plain HTTP is not answered", async () => {
    use("first");
    const { endpoint } = await start();
    expect(endpoint).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    const client = sdk(endpoint, ANY);
    const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: "secure" }));
    expect(QueueUrl).toBe(`${endpoint}/000000000000/secure`);
    const { MessageId } = await client.send(new SendMessageCommand({ QueueUrl, MessageBody: "hi" }));
    expect(MessageId).toMatch(/^[0-9a-f-]{36}$/);
    client.destroy();
    const plain = new Promise((resolve, reject) => {
      plainRequest({ host: "127.0.0.1", port: port(), path: "/health" }, resolve).on("error", reject).end();
    });
    await expect(plain).rejects.toThrow();
  });

  test("the command line trusts what NODE_EXTRA_CA_CERTS names, and nothing else", async () => {
    use("first");
    const { endpoint } = await start();
    const client = sdk(endpoint, ANY);
    await client.send(new CreateQueueCommand({ QueueName: "lines" }));
    client.destroy();
    const publish = (env: NodeJS.ProcessEnv): Promise<string> => {
      const running = promisify(execFile)(process.execPath, [BUNDLE, "publish", "lines", "--endpoint", endpoint], {
        env: { ...process.env, ...env },
        timeout: 15_000,
      });
      running.child.stdin?.end("one\ntwo\n");
      return running.then(
        ({ stdout, stderr }) => stdout + stderr,
        (error: { stdout: string; stderr: string }) => `failed: ${error.stdout}${error.stderr}`,
      );
    };
    expect(await publish({ NODE_EXTRA_CA_CERTS: certPath() })).toMatch(/^2 published/m);
    expect(await publish({})).toMatch(/^failed: /);
  });

  test("new files are taken up while connections go on; a bad pair is told of, and the old one stays", async () => {
    use("first");
    await start();
    const socket = new WebSocket(`wss://127.0.0.1:${port()}/stream`, ["wasq.v1.json"], anyCertificate);
    let isOpen = false;
    socket.on("open", () => {
      isOpen = true;
    });
    socket.on("close", () => {
      isOpen = false;
    });
    await expect.poll(() => isOpen).toBe(true);
    const keptAlive = new Agent({ keepAlive: true, maxSockets: 1, ...anyCertificate });
    expect((await get(keptAlive, "/health")).status).toBe(200);
    const first = await shake();
    expect(first.name).toBe("first");

    use("second", "first");
    await said(`the key in ${keyPath()} does not fit the certificate in ${certPath()}`);
    const still = await shake();
    expect(still.name).toBe("first");

    use("second");
    await said("New connections get the certificate");
    const second = await shake();
    expect(second.name).toBe("second");
    expect((await get(keptAlive, "/health")).status).toBe(200);
    first.socket.write("GET /health HTTP/1.1\r\nHost: x\r\n\r\n"); // on the connection of the old certificate
    const answer = await new Promise<string>((resolve) => first.socket.once("data", (data) => resolve(String(data))));
    expect(answer).toContain("200 OK");
    expect(isOpen).toBe(true);
    for (const each of [first, still, second]) each.socket.destroy();
    keptAlive.destroy();
    socket.terminate();
    expect(await (broker as BrokerProcess).stop("SIGTERM")).toBe(0);
  });

  test("a queue's policy that denies what is not secure lets HTTPS and WSS in, and keeps HTTP and WS out", async () => {
    use("first");
    const directory = join(base, "data");
    const words = [BUNDLE, "keys", "create", "root", "--data-dir", directory, "--account", "123456789012"];
    const key = execFileSync(process.execPath, words).toString();
    const [, accessKeyId = "", secretAccessKey = ""] = /ID=(\S+)\n.*KEY=(\S+)/.exec(key) ?? [];
    const Statement = {
      Effect: "Deny",
      Principal: "*",
      Action: "sqs:SendMessage",
      Resource: "arn:aws:sqs:us-east-1:123456789012:secure",
      Condition: { Bool: { "aws:SecureTransport": "false" } },
    };
    const Attributes = { Policy: JSON.stringify({ Version: "2012-10-17", Statement }) };
    const send = async (): Promise<string> => {
      const { endpoint } = broker as BrokerProcess;
      const client = sdk(endpoint, { accessKeyId, secretAccessKey });
      const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: "secure", Attributes }));
      return client.send(new SendMessageCommand({ QueueUrl, MessageBody: "hi" })).then(
        () => "sent",
        (error: Error) => error.name,
      );
    };
    const publish = (): Promise<string> => {
      const { endpoint } = broker as BrokerProcess;
      const secrets = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
      const env = { ...process.env, ...secrets, NODE_EXTRA_CA_CERTS: certPath() };
      const words = [BUNDLE, "publish", "secure", "--endpoint", endpoint];
      const running = promisify(execFile)(process.execPath, words, { env, timeout: 15_000 });
      running.child.stdin?.end("one\n");
      return running.then(
        ({ stdout, stderr }) => stdout + stderr,
        (error: { stdout: string; stderr: string }) => `failed: ${error.stdout}${error.stderr}`,
      );
    };
    await start();
    expect(await send()).toBe("sent");
    expect(await publish()).toMatch(/^1 published/m); // over WSS
    await broker?.stop("SIGTERM");
    broker = await startBroker(directory);
    expect(await send()).toMatch(/AccessDenied/);
    expect(await publish()).toMatch(/^failed: .*not authorized/s); // over WS
  });

  test("one that has expired is served, and said", async () => {
    const csr = join(made, "old.csr");
    execFileSync("openssl", ["req", "-new", "-key", `${made}/first.key`, "-subj", "/CN=old", "-out", csr]);
    const signed = ["-signkey", `${made}/first.key`, "-days", "-1", "-out", `${made}/old.crt`];
    execFileSync("openssl", ["x509", "-req", "-in", csr, ...signed], { stdio: "pipe" });
    use("old", "first");
    await start();
    expect((broker as BrokerProcess).stderr()).toContain(`The certificate in ${certPath()} has expired`);
    expect((await shake()).name).toBe("old");
  });
});

describe.skipIf(!hasOpenssl)("a pair that cannot be used stops the start, and says which file", () => {
  test("missing, no certificate, no key, a key of another one, one of the two alone", async () => {
    use("first");
    expect(await refusal("--tls-cert", "/nowhere", "--tls-key", keyPath())).toContain("cannot read /nowhere: ENOENT");
    use("first", "second");
    expect(await refusal(...tlsArgs())).toContain("does not fit the certificate");
    writeFileSync(certPath(), "not a certificate");
    expect(await refusal(...tlsArgs())).toContain(`${certPath()} is not a certificate in PEM`);
    use("first");
    writeFileSync(keyPath(), "not a key");
    expect(await refusal(...tlsArgs())).toContain(`${keyPath()} is not a private key in PEM`);
    expect(await refusal("--tls-cert", certPath())).toContain("--tls-cert is given alone");
    expect(await refusal("--tls-key", keyPath())).toContain("--tls-key is given alone");
  });
});
