// Streams as their users have them: the real process, a bare WebSocket library, a wire that breaks, and kill -9.
import { spawn } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import WebSocket from "ws";
import { type BareStream, connect, type Json, streamUrl } from "../support/bare-stream.ts";
import { type BrokerProcess, call, startBroker } from "../support/broker-process.ts";

const CYCLES = Number(process.env["WASQ_STREAM_KILLS"] ?? 4);
/** More than so many cycles can publish. */
const MESSAGES_MAX = 200_000 * (CYCLES + 1);

let directory: string;
let broker: BrokerProcess;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "wasq-streams-"));
  broker = await startBroker(directory);
});
afterEach(async () => {
  await broker.stop("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const create = (QueueName: string) => call(broker.endpoint, "CreateQueue", { QueueName });
const urlOf = (name: string) => `${broker.endpoint}/000000000000/${name}`;
const subscribe = (more: object = {}) => ({
  subscribe: { subscription: 1, queue: "work", credit: { messages: 1000, bytes: 10_000_000 }, ...more },
});

/** Waits until something is so, for ten seconds at most. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (await isSo()) return;
    await sleep(10);
  }
  throw new Error(`It has not come to be so: ${isSo}`);
}

/** How an upgrade ends: 101, or the status of its refusal. */
function upgrade(protocols: string[], headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve) => {
    const socket = new WebSocket(streamUrl(broker.endpoint), protocols, { headers });
    socket.on("open", () => {
      resolve(101);
      socket.terminate();
    });
    socket.on("unexpected-response", (_, response) => resolve(response.statusCode ?? 0));
    socket.on("error", () => {});
  });
}

describe("connecting", () => {
  test("takes the first subprotocol it knows, and refuses to guess", async () => {
    expect(await upgrade(["wasq.v1.json"])).toBe(101);
    expect(await upgrade(["wasq.v9.other", "wasq.v1.protobuf"])).toBe(101);
    expect(await upgrade(["wasq.v9.other"])).toBe(400);
    expect(await upgrade([])).toBe(400);
  });

  test("says what is missing where there is no upgrade, and leaves the API its requests", async () => {
    const plain = await fetch(`${broker.endpoint}/stream`);
    expect([plain.status, plain.headers.get("upgrade")]).toEqual([426, "websocket"]);
    expect(await plain.text()).toContain("a proxy took it away");
    const asked = await fetch(`${broker.endpoint}/stream?Action=ListQueues`);
    expect([asked.status, await asked.text()]).toEqual([404, expect.stringContaining("<Code>InvalidAddress</Code>")]);
  });

  test("lets pages of its own origin in, with a ticket, and no others", async () => {
    await create("work");
    const { origin } = new URL(broker.endpoint);
    const json = ["wasq.v1.json"];
    expect(await upgrade(json, { origin })).toBe(101);
    expect(await upgrade(json, { origin: "http://evil.test" })).toBe(403);
    // Whatever name resolves to this machine is not its origin.
    expect(await upgrade(json, { origin: "http://evil.test:80", host: "evil.test:80" })).toBe(403);

    const ticketOf = (from: string, method = "POST") =>
      fetch(`${broker.endpoint}/stream/ticket`, { method, headers: { origin: from } });
    expect((await ticketOf("http://evil.test")).status).toBe(403);
    expect((await ticketOf("http://evil.test", "OPTIONS")).status).toBe(403);
    const preflight = await ticketOf(origin, "OPTIONS");
    expect([preflight.status, preflight.headers.get("access-control-allow-origin")]).toEqual([204, origin]);
    const answer = await ticketOf(origin);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const { ticket, expiresInSeconds } = (await answer.json()) as Json;
    expect(expiresInSeconds).toBe(30);

    const page = await connect(broker.endpoint, { ticket }, undefined, { origin });
    expect(page.welcome.serverName).toBe("wasq");
    expect(await page.ask(subscribe())).toMatchObject({ subscription: 1 });
    await expect(connect(broker.endpoint, { ticket }, undefined, { origin })).rejects.toThrow("closed with 4403");
    page.socket.terminate();
  });

  test("reads the region from the credentials of the upgrade", async () => {
    await create("work");
    const authorization = "AWS4-HMAC-SHA256 Credential=key/20260101/eu-west-1/sqs/aws4_request, Signature=00";
    const elsewhere = await connect(broker.endpoint, {}, undefined, { authorization });
    expect(await elsewhere.ask(subscribe())).toBe("QUEUE_DOES_NOT_EXIST");
    elsewhere.socket.terminate();
  });

  test("ends a connection whose frames are too large, with its code or at once", async () => {
    const large = await connect(broker.endpoint);
    large.socket.send("x".repeat(16 * 1024 * 1024 + 1));
    expect(await large.closed).toBe(4413);
    const huge = await connect(broker.endpoint);
    huge.socket.on("error", () => {});
    huge.socket.send("x".repeat(20 * 1024 * 1024));
    expect([1006, 1009]).toContain(await huge.closed);
    expect((await call(broker.endpoint, "ListQueues", {})).status).toBe(200);
  });
});

test("a message goes from HTTP to a stream and back: one queue, two doors", async () => {
  await create("work");
  const deliveries: Json[] = [];
  const stream = await connect(broker.endpoint, {}, ({ deliver }) => deliver && deliveries.push(...deliver.messages));
  await stream.ask(subscribe({ fields: ["RECEIPT_HANDLE", "BODY_MD5", "ATTRIBUTES"] }));
  const MessageAttributes = { kind: { DataType: "String", StringValue: "new" } };
  const sent = await call(broker.endpoint, "SendMessage", {
    QueueUrl: urlOf("work"),
    MessageBody: "héllo",
    MessageAttributes,
  });
  await until(() => deliveries.length === 1);
  const [message] = deliveries;
  expect(message).toMatchObject({
    messageId: sent.body.MessageId,
    text: "héllo",
    attributes: [{ name: "kind", type: "String", text: "new" }],
  });
  expect(Buffer.from(message.bodyMd5, "base64").toString("hex")).toBe(sent.body.MD5OfMessageBody);
  const ReceiptHandle = message.receiptHandle;
  expect((await call(broker.endpoint, "DeleteMessage", { QueueUrl: urlOf("work"), ReceiptHandle })).status).toBe(200);
  expect(await stream.ask({ ack: { subscription: 1, deliveries: [{ first: 1 }] } })).toMatchObject({
    failures: [{ delivery: 1, code: "NOT_YOURS" }],
  });

  // And the other way, with the digest that nobody had needed until then.
  await stream.ask({ unsubscribe: { subscription: 1 } });
  await stream.ask({ openPublisher: { publisher: 1, queue: "work" } });
  const long = "é".repeat(2000);
  stream.send({ publish: { publisher: 1, first: 1, messages: [{ text: "short" }, { text: long }] } });
  const received: Json[] = [];
  while (received.length < 2) {
    const input = { QueueUrl: urlOf("work"), MaxNumberOfMessages: 10, WaitTimeSeconds: 5 };
    received.push(...((await call(broker.endpoint, "ReceiveMessage", input)).body.Messages ?? []));
  }
  for (const { Body, MD5OfBody } of received) expect(MD5OfBody).toBe(createHash("md5").update(Body).digest("hex"));
  expect(received.map(({ Body }) => Body).sort()).toEqual(["short", long].sort());
  stream.socket.terminate();
});

test("a wire that is cut for two seconds: the session goes on, and no message comes twice", async () => {
  await create("work");
  const sockets = new Set<Socket>();
  let isCut = false;
  const wire = createServer((near) => {
    if (isCut) {
      near.destroy();
      return;
    }
    const far = connectTcp(Number(new URL(broker.endpoint).port), "127.0.0.1");
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on("error", () => {});
      one.on("close", () => other.destroy());
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => wire.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(wire.address() as AddressInfo).port}`;

  const bodies: string[] = [];
  let last = 0;
  const onPush = ({ deliver }: Json) => {
    if (!deliver) return;
    bodies.push(...deliver.messages.map(({ text }: Json) => text));
    last = deliver.first + deliver.messages.length - 1;
  };
  let stream = await connect(endpoint, {}, onPush);
  await stream.ask(subscribe({ credit: { messages: 50, bytes: 1_000_000 } }));
  const producer = randomUUID();
  await stream.ask({ openPublisher: { publisher: 1, queue: "work", producer } });
  const messages = Array.from({ length: 100 }, (_, i) => ({ text: `m${i}` }));
  stream.send({ publish: { publisher: 1, first: 1, messages } });
  await until(() => bodies.length === 50);

  isCut = true;
  for (const socket of sockets) socket.destroy();
  await stream.closed;
  await sleep(2_000);
  isCut = false;
  stream = await connect(endpoint, { sessionToken: stream.welcome.sessionToken }, onPush);
  expect(stream.welcome.resumed).toBe(true);
  expect(stream.welcome.subscriptions).toEqual([{ subscription: 1, outstanding: [{ first: 1, last: 50 }], last: 50 }]);
  stream.send({ publish: { publisher: 1, first: 1, messages: [...messages, { text: "m100" }] } });
  stream.send({ credit: { subscription: 1, messages: 100, bytes: 1_000_000, beyond: last } });
  await until(() => bodies.length === 101);
  await sleep(200);
  expect(bodies.length).toBe(101);
  expect(new Set(bodies).size).toBe(101);
  expect(await stream.ask({ ack: { subscription: 1, deliveries: [{ first: 1, last: 101 }] } })).toMatchObject({
    count: 101,
  });
  stream.socket.terminate();
  wire.close();
});

test("a broker that stops says so, waits for what is out, and loses nothing", async () => {
  await create("work");
  const pushed: Json[] = [];
  const stream = await connect(broker.endpoint, {}, (envelope) => pushed.push(envelope));
  await stream.ask(subscribe());
  await stream.ask({ openPublisher: { publisher: 1, queue: "work" } });
  stream.send({ publish: { publisher: 1, first: 1, messages: [{ text: "a" }, { text: "b" }] } });
  await until(() => pushed.some(({ deliver }) => deliver));
  const stopped = broker.stop("SIGTERM");
  await until(() => pushed.some(({ goAway }) => goAway));
  expect(await stream.ask({ ack: { subscription: 1, deliveries: [{ first: 1 }] } })).toMatchObject({ count: 1 });
  expect(await stream.closed).toBe(4410);
  expect(await stopped).toBe(0);
  broker = await startBroker(directory);
  const QueueUrl = urlOf("work");
  await until(async () => {
    const { body } = await call(broker.endpoint, "GetQueueAttributes", {
      QueueUrl,
      AttributeNames: ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    });
    return (
      Number(body.Attributes.ApproximateNumberOfMessages) +
        Number(body.Attributes.ApproximateNumberOfMessagesNotVisible) ===
      1
    );
  });
});

test("a client in Python, written from the protocol's page, publishes, consumes and settles", async () => {
  await create("work");
  const script = join(import.meta.dirname, "stream-client.py");
  const python = spawn("python3", [script, new URL(broker.endpoint).port, "work", "200"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  python.stdout.on("data", (chunk) => {
    output += chunk;
  });
  python.stderr.on("data", (chunk) => {
    output += chunk;
  });
  const code = await new Promise((resolve) => python.on("exit", resolve));
  expect(output).toBe("confirmed 200, received 200, acknowledged 200\n");
  expect(code).toBe(0);
});

/** The body of what a producer published as `number`: of a length of its own, and of no two the same. */
function bodyOf(number: number): string {
  const word = `m${number} ä${(number * 2_654_435_761) % 4_294_967_296}|`;
  return word.repeat(1 + (number % 97 === 0 ? 200 : number % 13));
}

/** What has come of messages by number, in a few bytes each: a long run has millions of them. */
class Seen {
  readonly delivered: Uint8Array;
  readonly acknowledged: Uint8Array;
  readonly #ids: BigUint64Array; // the first half of each
  deliveredCount = 0;
  readonly wrong: string[] = [];

  constructor(countMax: number) {
    this.delivered = new Uint8Array(countMax);
    this.acknowledged = new Uint8Array(countMax);
    this.#ids = new BigUint64Array(countMax);
  }

  /** @returns its number */
  note({ messageId, text }: { messageId: string; text: string }): number {
    const number = Number.parseInt(text.slice(1), 10);
    if (text !== bodyOf(number)) {
      this.wrong.push(`not as it was sent: ${text.slice(0, 200)}`);
      return 0;
    }
    const id = BigInt(`0x${messageId.replaceAll("-", "").slice(0, 16)}`);
    if (this.acknowledged[number]) this.wrong.push(`m${number} came back`);
    // Sent again after each kill, and never there twice.
    if (this.delivered[number] && this.#ids[number] !== id) this.wrong.push(`m${number} is there twice`);
    if (!this.delivered[number]) this.deliveredCount++;
    this.delivered[number] = 1;
    this.#ids[number] = id;
    return number;
  }
}

test(
  `kill -9 under load, ${CYCLES} times: everything confirmed is delivered to the byte, and nothing acknowledged comes back`,
  async () => {
    await create("work");
    const producer = randomUUID();
    let confirmed = 0;
    const seen = new Seen(MESSAGES_MAX);

    async function work(isOver: () => boolean): Promise<void> {
      const stream: BareStream = await connect(broker.endpoint);
      let last = 0;
      let wake = (): void => {};
      stream.onPush = ({ confirm, deliver }: Json) => {
        if (confirm) confirmed = Math.max(confirmed, confirm.number);
        if (deliver) {
          last = deliver.first + deliver.messages.length - 1;
          const numbers: number[] = deliver.messages.map((message: Json) => seen.note(message));
          stream
            .ask({ ack: { subscription: 1, deliveries: [{ first: deliver.first, last }] } })
            .then((settled) => {
              const failed = (number: number) =>
                (settled.failures ?? []).some(
                  (each: Json) => number >= each.delivery && number <= (each.last ?? each.delivery),
                );
              numbers.forEach((number, i) => {
                if (!failed(deliver.first + i)) seen.acknowledged[number] = 1;
              });
            })
            .catch(() => {});
          stream.send({ credit: { subscription: 1, messages: 200, bytes: 1_000_000, beyond: last } });
        }
        wake();
      };
      await stream.ask(subscribe({ visibilityMs: 1_000, credit: { messages: 200, bytes: 1_000_000 } }));
      const { confirmed: known = 0 } = await stream.ask({ openPublisher: { publisher: 1, queue: "work", producer } });
      expect(known).toBeGreaterThanOrEqual(confirmed);
      let sent = confirmed; // what no Confirm has told of goes again
      const ended = stream.closed.then(() => wake());
      while (!isOver() && stream.socket.readyState === WebSocket.OPEN) {
        if (sent - confirmed < 400) {
          const first = sent + 1;
          const messages = Array.from({ length: 20 }, (_, i) => ({ text: bodyOf(first + i) }));
          stream.send({ publish: { publisher: 1, first, messages } });
          sent += 20;
        } else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (stream.socket.readyState === WebSocket.OPEN) {
        await until(() => confirmed >= sent);
        await stream.ask({ bye: {} });
      }
      await ended;
    }

    for (let cycle = 0; cycle < CYCLES; cycle++) {
      const working = work(() => false).catch(() => {});
      await sleep(300 + ((137 * cycle) % 1_300));
      await broker.stop("SIGKILL");
      await working;
      broker = await startBroker(directory);
    }
    const before = confirmed;
    let isOver = false;
    const working = work(() => isOver);
    await until(() => confirmed > before);
    isOver = true;
    await working;

    const rest = await connect(broker.endpoint);
    rest.onPush = ({ deliver }: Json) => {
      for (const message of deliver?.messages ?? []) seen.note(message);
    };
    // What was delivered and not acknowledged before a kill comes again, first of all: some hundreds each time.
    await rest.ask(subscribe({ credit: { messages: 100_000, bytes: 100_000_000 } }));
    await until(() => seen.deliveredCount >= confirmed);
    expect(seen.wrong).toEqual([]);
    expect(seen.delivered.subarray(1, confirmed + 1).indexOf(0), "one that is missing").toBe(-1);
    expect(confirmed).toBeGreaterThan(CYCLES * 20);
    expect(confirmed).toBeLessThan(MESSAGES_MAX);
    rest.socket.terminate();
  },
  60_000 + CYCLES * 10_000,
);
