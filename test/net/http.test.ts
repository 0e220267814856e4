import { connect, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { REQUEST_BYTES_MAX } from "../../src/limits.ts";
import { loadUws } from "../../src/net/addon.ts";
import { healthRoutes } from "../../src/net/health.ts";
import { type ListenOptions, listen, type Server } from "../../src/net/http.ts";
import type { Handle, SqsReply } from "../../src/sqs/exchange.ts";

const uws = loadUws(fileURLToPath(new URL("../../node_modules", import.meta.url)), undefined);

const REPLY: SqsReply = {
  status: 200,
  contentType: "application/x-amz-json-1.0",
  requestId: "00000000-0000-4000-8000-000000000001",
  queryError: undefined,
  body: "{}",
};

/** Answers with what came in. */
const echo: Handle = (request, answer) => {
  answer({ ...REPLY, body: `${request.method} ${request.path} ${request.query} ${request.body.toString("latin1")}` });
  return undefined;
};

/** Keeps what was asked until the test answers it. */
class Waiting {
  readonly answers: ((reply: SqsReply) => void)[] = [];
  cancelledCount = 0;
  #expected = 0;
  #reached: (() => void) | undefined;

  readonly handle: Handle = (_request, answer) => {
    this.answers.push(answer);
    if (this.answers.length === this.#expected) this.#reached?.();
    return () => {
      this.cancelledCount++;
      this.#onCancel?.();
    };
  };

  #onCancel: (() => void) | undefined;

  reached(count: number): Promise<void> {
    if (this.answers.length >= count) return Promise.resolve();
    this.#expected = count;
    return new Promise((resolve) => {
      this.#reached = resolve;
    });
  }

  cancelled(): Promise<void> {
    if (this.cancelledCount > 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onCancel = resolve;
    });
  }
}

/** A client that writes bytes and not requests. */
class RawClient {
  readonly socket: Socket;
  received = "";
  readonly closed: Promise<void>;
  #look: (() => void) | undefined;

  constructor(port: number) {
    this.socket = connect(port, "127.0.0.1");
    this.socket.on("data", (chunk) => {
      this.received += chunk.toString("latin1");
      this.#look?.();
    });
    this.socket.on("error", () => {}); // a reset is a way of closing
    this.closed = new Promise((resolve) => this.socket.on("close", () => resolve()));
  }

  write(bytes: string | Buffer): void {
    this.socket.write(bytes);
  }

  /** Resolves when `text` has come; rejects if the connection closes before. */
  sees(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#look = () => {
        if (this.received.includes(text)) resolve();
      };
      this.#look();
      this.closed.then(() => reject(new Error(`closed after ${JSON.stringify(this.received.slice(0, 300))}`)));
    });
  }
}

let server: Server | undefined;
let trouble: string | undefined;
const clients: RawClient[] = [];

async function serve(handle: Handle, options: Partial<ListenOptions> = {}): Promise<string> {
  const routes = healthRoutes({ version: "1.2.3", trouble: () => trouble });
  server = await listen({ uws, host: "127.0.0.1", port: 0, handle, routes, ...options });
  return `http://127.0.0.1:${server.port}`;
}

function rawClient(): RawClient {
  const client = new RawClient(server?.port ?? 0);
  clients.push(client);
  return client;
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.destroy();
  await server?.close();
  server = undefined;
  trouble = undefined;
});

describe("requests", () => {
  test("a request arrives whole, and its reply carries status, headers and body", async () => {
    const endpoint = await serve((request, answer) => {
      expect(request.contentType).toBe("application/x-amz-json-1.0");
      expect(request.target).toBe("AmazonSQS.ListQueues");
      expect(request.host).toBe(endpoint.slice("http://".length));
      answer({ ...REPLY, status: 400, queryError: "NoSuchThing;Sender", body: `${request.path}?${request.query}` });
      return undefined;
    });
    const response = await fetch(`${endpoint}/000000000000/a%20b?x=%2F`, {
      method: "POST",
      headers: { "content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.ListQueues" },
      body: "{}",
    });
    expect(response.status).toBe(400);
    expect(response.headers.get("x-amzn-requestid")).toBe(REPLY.requestId);
    expect(response.headers.get("x-amzn-query-error")).toBe("NoSuchThing;Sender");
    expect(response.headers.get("content-type")).toBe("application/x-amz-json-1.0");
    expect(await response.text()).toBe("/000000000000/a%20b?x=%2F");
  });

  test("an empty body, a missing body and a GET are all requests", async () => {
    const endpoint = await serve(echo);
    expect(await (await fetch(endpoint, { method: "POST", body: "" })).text()).toBe("POST /  ");
    expect(await (await fetch(`${endpoint}/?Action=ListQueues`)).text()).toBe("GET / Action=ListQueues ");
  });

  test("a body that comes byte by byte is the same body", async () => {
    await serve(echo);
    const client = rawClient();
    client.socket.setNoDelay(true);
    client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    for (const byte of "hello") {
      client.write(byte);
      await new Promise((written) => setImmediate(written));
    }
    await client.sees("POST /  hello");
  });

  test("a chunked body is put together", async () => {
    await serve(echo);
    const client = rawClient();
    client.write("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n");
    client.write("2\r\nlo\r\n0\r\n\r\n");
    await client.sees("POST /  hello");
  });

  test("a body of exactly the maximum passes, byte for byte", async () => {
    const body = Buffer.alloc(REQUEST_BYTES_MAX);
    for (let i = 0; i < body.byteLength; i += 4096) body.writeUInt32LE(i, i);
    let same = false;
    const endpoint = await serve((request, answer) => {
      same = request.body.equals(body);
      answer(REPLY);
      return undefined;
    });
    expect((await fetch(endpoint, { method: "POST", body })).status).toBe(200);
    expect(same).toBe(true);
  });

  test("requests on one connection are answered in order", async () => {
    await serve(echo);
    const client = rawClient();
    client.write("GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n");
    await client.sees("GET /b");
    expect(client.received.indexOf("GET /a")).toBeLessThan(client.received.indexOf("GET /b"));
  });

  test("health is text for people, JSON for who asks for it and at LocalStack's path, and never asks the API", async () => {
    const endpoint = await serve(() => {
      throw new Error("not for the broker");
    });
    const seen = async (path: string, accept: string) => {
      const response = await fetch(`${endpoint}${path}`, { headers: { accept } });
      return [response.status, response.headers.get("content-type"), await response.text()];
    };
    const running = '{"services":{"sqs":"running"},"version":"1.2.3"}';
    expect(await seen("/health", "*/*")).toEqual([200, "text/plain; charset=utf-8", "ok\n"]);
    expect(await seen("/health/", "application/json")).toEqual([200, "application/json", running]);
    expect(await seen("/_localstack/health?reload", "*/*")).toEqual([200, "application/json", running]);
    trouble = "The disk is full";
    expect(await seen("/health", "*/*")).toEqual([503, "text/plain; charset=utf-8", "The disk is full\n"]);
    expect(await seen("/_localstack/health", "*/*")).toEqual([
      503,
      "application/json",
      '{"services":{"sqs":"error"},"version":"1.2.3","reason":"The disk is full"}',
    ]);
  });

  test("a route takes its path, with a slash at its end or without, or all below it; the API has the others", async () => {
    const named =
      (name: string): Handle =>
      (request, answer) => {
        answer({ ...REPLY, body: `${name} ${request.method} ${request.path} ${request.body.toString()}` });
        return undefined;
      };
    const routes = [
      { path: "/_x/one", handle: named("one") },
      { path: "/_x/one/*", handle: named("below") },
    ];
    const endpoint = await serve(named("api"), { routes });
    const asked = async (path: string, init?: RequestInit) => (await fetch(endpoint + path, init)).text();
    expect(await asked("/_x/one?a")).toBe("one GET /_x/one ");
    expect(await asked("/_x/one/", { method: "POST", body: "hi" })).toBe("one POST /_x/one/ hi");
    expect(await asked("/_x/one/b/c")).toBe("below GET /_x/one/b/c ");
    expect(await asked("/_x/oneb")).toBe("api GET /_x/oneb ");
    expect(await asked("/_x")).toBe("api GET /_x ");
    expect((await fetch(`${endpoint}/_x/one`, { method: "PUT", body: "" })).status).toBe(405);

    const client = rawClient();
    client.write("HEAD /_x/one HTTP/1.1\r\nHost: a\r\n\r\n");
    await client.sees("\r\n\r\n");
    expect(client.received).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(client.received).toMatch(/Content-Length: 17\r\n\r\n$/i); // of "one HEAD /_x/one "
  });
});

describe("refusals", () => {
  test("a declared size above the maximum is refused before the body comes", async () => {
    await serve(echo);
    const client = rawClient();
    client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${REQUEST_BYTES_MAX + 1}\r\n\r\n`);
    await client.closed;
    expect(client.received).toContain("413 Payload Too Large");
  });

  test.each([
    [
      "application/x-amz-json-1.0",
      '{"__type":"com.amazon.coral.service#InvalidParameterValueException","message":"The body has ',
    ],
    ["application/x-www-form-urlencoded", "<Code>InvalidParameterValue</Code><Message>The body has "],
  ])("in %s it is told in the request's own protocol", async (type, text) => {
    await serve(echo);
    const client = rawClient();
    const length = `Content-Length: ${REQUEST_BYTES_MAX + 1}`;
    client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Type: ${type}\r\n${length}\r\n\r\n`);
    await client.closed;
    expect(client.received).toContain("x-amzn-query-error: InvalidParameterValue;Sender\r\n");
    expect(client.received).toContain(text);
  });

  test("a chunked body is refused as soon as it is too large", async () => {
    await serve(echo);
    const client = rawClient();
    client.write("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    const part = Buffer.alloc(64 * 1024, "x");
    for (let sentBytes = 0; sentBytes <= REQUEST_BYTES_MAX; sentBytes += part.byteLength) {
      client.write("10000\r\n");
      client.write(part);
      client.write("\r\n");
    }
    await client.sees("413 Payload Too Large");
  });

  test("bodies on their way in share a budget, and give it back", async () => {
    const endpoint = await serve(echo, { gatheringBytesMax: 64 * 1024 });
    const half = rawClient();
    half.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n${"x".repeat(40_000)}`);
    await fetch(`${endpoint}/health`); // what came before it has been read
    const other = rawClient();
    other.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n${"y".repeat(40_000)}`);
    await other.sees("503 Service Unavailable");
    await other.sees("<Code>ServiceUnavailable</Code><Message>Too many bodies are being received at once: try again<");
    half.write("x".repeat(20_000));
    await half.sees("200 OK");
    const third = rawClient();
    third.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n${"z".repeat(40_000)}`);
    await fetch(`${endpoint}/health`);
    third.write("z".repeat(20_000));
    await third.sees("200 OK");
  });

  test.each(["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])("%s is not allowed", async (method) => {
    const endpoint = await serve(echo);
    expect((await fetch(endpoint, { method })).status).toBe(405);
  });

  test.each([
    ["no HTTP at all", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"],
    ["no host", "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"],
    ["a size that is no number", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: many\r\n\r\n"],
    ["a negative size", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"],
    [
      "two ways to tell the size",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ["a chunk size that is no number", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
    ["headers without end", `POST / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(100_000)}`],
  ])("%s closes that connection and harms no other", async (_name, bytes) => {
    const endpoint = await serve(echo);
    const client = rawClient();
    client.write(bytes);
    await client.closed;
    expect(client.received).not.toContain("200 OK");
    expect((await fetch(`${endpoint}/health`)).status).toBe(200);
  });
});

describe("clients that go, wait or dawdle", () => {
  test("a client that goes cancels what it asked; the answer then goes nowhere", async () => {
    const waiting = new Waiting();
    const endpoint = await serve(waiting.handle);
    const client = rawClient();
    client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}");
    await waiting.reached(1);
    client.socket.destroy();
    await waiting.cancelled();
    waiting.answers[0]?.(REPLY);
    expect((await fetch(`${endpoint}/health`)).status).toBe(200);
    expect(waiting.cancelledCount).toBe(1);
  });

  test("an answered request is not cancelled when its client goes", async () => {
    const waiting = new Waiting();
    const endpoint = await serve(waiting.handle);
    const client = rawClient();
    client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}");
    await waiting.reached(1);
    waiting.answers[0]?.(REPLY);
    await client.sees("200 OK");
    client.socket.destroy();
    await client.closed;
    expect((await fetch(`${endpoint}/health`)).status).toBe(200);
    expect(waiting.cancelledCount).toBe(0);
  });

  test("2,000 clients wait at once and each is answered", async () => {
    const waiting = new Waiting();
    await serve(waiting.handle);
    const crowd = Array.from({ length: 2_000 }, () => rawClient());
    for (const client of crowd) client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}");
    await waiting.reached(crowd.length);
    for (const answer of waiting.answers) answer(REPLY);
    await Promise.all(crowd.map((client) => client.sees("200 OK")));
  });

  // Real time: what is tested is the timeouts of the library, which have no clock of ours. All in one, as they take 25 s.
  test("a long poll of 20 s is not cut; headers and bodies that stop coming are", { timeout: 60_000 }, async () => {
    const endpoint = await serve((request, answer) => {
      const timer = setTimeout(() => answer({ ...REPLY, body: request.query }), 20_000);
      return () => clearTimeout(timer);
    });
    const slowHeader = rawClient();
    slowHeader.write("POST / HTTP/1.1\r\nHost: a\r\n");
    const slowBody = rawClient();
    slowBody.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{");
    const dribble = rawClient();
    dribble.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{");
    const dribbling = setInterval(() => dribble.write("x"), 1_000);
    const startMs = performance.now();
    const cut = Promise.all([slowHeader.closed, slowBody.closed, dribble.closed]).then(
      () => performance.now() - startMs,
    );
    const [post, get] = await Promise.all([
      fetch(`${endpoint}/?long`, { method: "POST", body: "{}" }),
      fetch(`${endpoint}/?long`),
    ]);
    expect([await post.text(), await get.text()]).toEqual(["long", "long"]);
    expect(performance.now() - startMs).toBeGreaterThan(19_900);
    expect(await cut).toBeLessThan(25_000);
    clearInterval(dribbling);
  });
});

describe("listening and closing", () => {
  test("a port that is taken is an error that names it", async () => {
    await serve(echo);
    const port = server?.port ?? 0;
    await expect(listen({ uws, host: "127.0.0.1", port, handle: echo })).rejects.toThrow(
      `Cannot listen on 127.0.0.1:${port}`,
    );
  });

  test("closing waits for answers, refuses new requests, and leaves no connection", async () => {
    const waiting = new Waiting();
    await serve(waiting.handle);
    const asked = rawClient();
    const idle = rawClient();
    const late = rawClient();
    late.write("GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    idle.write("GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    await Promise.all([late.sees("ok\n"), idle.sees("ok\n")]);
    asked.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}");
    await waiting.reached(1);
    let closed = false;
    const closing = server?.close().then(() => {
      closed = true;
    });
    late.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}");
    await late.sees("503 Service Unavailable");
    expect(closed).toBe(false);
    waiting.answers[0]?.({ ...REPLY, body: "x".repeat(1_000_000) });
    await closing;
    await Promise.all([asked.closed, idle.closed, late.closed]);
    expect(asked.received).toContain("x".repeat(1_000_000));
    const refused = rawClient();
    await refused.closed;
    expect(refused.received).toBe("");
    server = undefined;
  });
});
