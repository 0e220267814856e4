// Ten thousand clients that wait at once, each on a connection of its own, in real time: what is asked of the process is
// that it answers all of them, with little memory, and that it can be stopped meanwhile.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BrokerProcess, call, startBroker } from "../support/broker-process.ts";

const CLIENT_COUNT = 10_000;
const OPENING_COUNT = 250; // connections on their way at once: fewer than the listener's backlog
const WAIT_SECONDS = 20;
const OTHER_FILES_COUNT = 500; // that the two processes have open besides
const POLL_BYTES_MAX = 10 * 1024; // of the broker's memory, for a connection and the poll on it

const directory = mkdtempSync(join(tmpdir(), "wasq-long-polls-"));
let broker: BrokerProcess;

beforeAll(async () => {
  broker = await startBroker(directory);
});

afterAll(async () => {
  if (broker.child.exitCode === null) await broker.stop("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

/** One connection with at most one request on it. */
class Client {
  readonly #socket: Socket;
  #received = "";
  #answered: ((body: string) => void) | undefined;
  #failed: ((error: Error) => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => {
      this.#received += chunk.toString("latin1");
      const end = this.#received.indexOf("\r\n\r\n");
      const size = Number(/content-length: (\d+)/i.exec(this.#received)?.[1]);
      if (end < 0 || this.#received.length < end + 4 + size) return;
      const answer = this.#received;
      this.#received = "";
      if (answer.startsWith("HTTP/1.1 200 OK")) this.#answered?.(answer.slice(end + 4));
      else this.#failed?.(new Error(answer));
    });
    socket.on("error", (error) => this.#failed?.(error));
    socket.on("close", () => this.#failed?.(new Error("closed without an answer")));
  }

  static open(port: number): Promise<Client> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.off("error", reject);
        resolve(new Client(socket));
      });
      socket.once("error", reject);
    });
  }

  /** Resolves with the bodies of the messages that come. */
  poll(queueUrl: string): Promise<string[]> {
    if (this.#socket.destroyed) return Promise.reject(new Error("closed between two requests"));
    const body = JSON.stringify({ QueueUrl: queueUrl, WaitTimeSeconds: WAIT_SECONDS });
    const answer = new Promise<string>((resolve, reject) => {
      this.#answered = resolve;
      this.#failed = reject;
    });
    const headers = "Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AmazonSQS.ReceiveMessage";
    this.#socket.write(
      `POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    return answer.then((text) => {
      const { Messages = [] } = JSON.parse(text) as { Messages?: { Body: string }[] };
      return Messages.map((message) => message.Body);
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}

async function* openClients(count: number): AsyncGenerator<Client> {
  const port = Number(new URL(broker.endpoint).port);
  for (let opened = 0; opened < count; opened += OPENING_COUNT) {
    yield* await Promise.all(Array.from({ length: OPENING_COUNT }, () => Client.open(port)));
  }
}

/** How many files a process may have open; Node raises its own limit as far as it is allowed to. */
function filesMax(): number {
  if (process.platform !== "linux") return Number.POSITIVE_INFINITY;
  const limits = readFileSync("/proc/self/limits", "latin1");
  const soft = /^Max open files +(\S+)/m.exec(limits)?.[1];
  return soft === "unlimited" ? Number.POSITIVE_INFINITY : Number(soft);
}

/** The broker's resident memory, 0 where the system does not tell. */
function residentBytes(): number {
  if (process.platform !== "linux") return 0;
  const status = readFileSync(`/proc/${broker.child.pid}/status`, "latin1");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

async function createQueue(name: string): Promise<string> {
  return (await call(broker.endpoint, "CreateQueue", { QueueName: name })).body.QueueUrl;
}

test(`${CLIENT_COUNT} clients wait: a queue's sends or the end of the wait answer them, or the stop does`, {
  timeout: 180_000,
}, async (context) => {
  if (filesMax() < CLIENT_COUNT + OTHER_FILES_COUNT) {
    context.skip(`${filesMax()} open files are allowed: ulimit -n ${CLIENT_COUNT + OTHER_FILES_COUNT}`);
  }
  const busyUrl = await createQueue("busy");
  const idleUrl = await createQueue("idle");
  const half = CLIENT_COUNT / 2;
  const beforeBytes = residentBytes();
  const startMs = performance.now();
  const clients: Client[] = [];
  const answers: Promise<string[]>[] = [];
  const again: Promise<string[]>[] = [];
  let idleCount = 0; // of the clients that nothing was sent to, those still waiting
  // Each asks as soon as it can, and again when it was answered: a connection on which nothing happens is closed.
  for await (const client of openClients(CLIENT_COUNT)) {
    const isIdle = clients.length < half;
    clients.push(client);
    if (isIdle) idleCount++;
    const answer = client.poll(isIdle ? idleUrl : busyUrl).then((bodies) => {
      if (isIdle) idleCount--;
      again.push(client.poll(idleUrl));
      return bodies;
    });
    answers.push(answer);
  }
  for (let sent = 0; sent < half; sent += 100) {
    const batches = Array.from({ length: 10 }, (_, batch) =>
      call(broker.endpoint, "SendMessageBatch", {
        QueueUrl: busyUrl,
        Entries: Array.from({ length: 10 }, (_each, i) => ({
          Id: `m${i}`,
          MessageBody: String(sent + 10 * batch + i),
        })),
      }),
    );
    for (const { status } of await Promise.all(batches)) expect(status).toBe(200);
  }
  const bodies = (await Promise.all(answers.slice(half))).flat().map(Number);
  expect(bodies.sort((a, b) => a - b)).toEqual(Array.from({ length: half }, (_, i) => i));
  expect(idleCount).toBe(half);
  const pollBytes = (residentBytes() - beforeBytes) / CLIENT_COUNT;
  expect(pollBytes).toBeLessThan(POLL_BYTES_MAX);
  expect((await Promise.all(answers.slice(0, half))).flat()).toEqual([]);
  expect(performance.now() - startMs).toBeGreaterThan(WAIT_SECONDS * 1000 - 100);

  // The broker's loop takes at most 1,024 connections a turn, and each of these needs a turn of it: all polls are read.
  for (let turns = 0; turns < 30; turns++) await call(broker.endpoint, "GetQueueUrl", { QueueName: "idle" });
  expect(again).toHaveLength(CLIENT_COUNT);
  const [code, last] = await Promise.all([broker.stop("SIGTERM"), Promise.all(again)]);
  expect(code).toBe(0);
  expect(last.flat()).toEqual([]);
  for (const client of clients) client.close();
});
