// wasq tail and wasq publish, as they are run: the executable, pipes, signals, exit codes.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BINARY, type BrokerProcess, BUNDLE, call, startBroker } from "../support/broker-process.ts";

const directory = mkdtempSync(join(tmpdir(), "wasq-cli-"));
let broker: BrokerProcess;

beforeAll(async () => {
  broker = await startBroker(directory);
});
afterAll(async () => {
  await broker.stop("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

interface Running {
  readonly child: ChildProcess;
  output(): string;
  errors(): string;
  readonly exit: Promise<number | null>;
}

/** The executable, unless it was built from something older than the bundle. */
const IS_BUILT = existsSync(BINARY) && statSync(BINARY).mtimeMs >= statSync(BUNDLE).mtimeMs;

function wasq(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  const [program, first] = IS_BUILT ? [BINARY, []] : [process.execPath, [BUNDLE]];
  const child = spawn(program, [...first, ...args], { env: { WASQ_ENDPOINT: broker.endpoint, ...env } });
  child.stdin.on("error", () => {}); // it need not read all of it
  let output = "";
  let errors = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const exit = new Promise<number | null>((resolve) => child.on("close", (code) => resolve(code)));
  return { child, output: () => output, errors: () => errors, exit };
}

/** Runs it to its end with this file as its standard input. */
async function runOn(fd: number, args: readonly string[]): Promise<[number | null, string]> {
  const [program, first] = IS_BUILT ? [BINARY, []] : [process.execPath, [BUNDLE]];
  const env = { WASQ_ENDPOINT: broker.endpoint };
  const child = spawn(program, [...first, ...args], { env, stdio: [fd, "ignore", "pipe"] });
  closeSync(fd);
  let errors = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    errors += chunk.toString();
  });
  return [await new Promise<number | null>((resolve) => child.on("close", (code) => resolve(code))), errors];
}

/** Runs it to its end with this input. */
async function run(args: readonly string[], input: string | Uint8Array = ""): Promise<[number | null, string, string]> {
  const running = wasq(args);
  running.child.stdin?.end(input);
  const code = await running.exit;
  return [code, running.output(), running.errors()];
}

async function newQueue(QueueName: string, Attributes: Record<string, string> = {}): Promise<string> {
  return (await call(broker.endpoint, "CreateQueue", { QueueName, Attributes })).body.QueueUrl;
}

async function counts(QueueUrl: string): Promise<[visible: number, inFlight: number, delayed: number]> {
  const names = ["", "NotVisible", "Delayed"].map((end) => `ApproximateNumberOfMessages${end}`);
  const { body } = await call(broker.endpoint, "GetQueueAttributes", { QueueUrl, AttributeNames: names });
  return names.map((name) => Number(body.Attributes[name])) as [number, number, number];
}

describe("wasq publish", () => {
  test("sends each line, and ends when all are on disk", async () => {
    const QueueUrl = await newQueue("lines");
    const lines = Array.from({ length: 20_000 }, (_, index) => `line ${index} – ünïcode`);
    const [code, output, errors] = await run(["publish", "lines"], `${lines.join("\r\n")}\n\nlast without an end`);
    expect(errors).toMatch(/^20,001 published, 1 empty lines skipped, [\d,]+\/s, \d+\.\d s\n$/);
    expect([code, output]).toEqual([0, ""]);
    expect(await counts(QueueUrl)).toEqual([20_001, 0, 0]);
    const { body } = await call(broker.endpoint, "ReceiveMessage", { QueueUrl, MaxNumberOfMessages: 1 });
    expect(lines).toContain(body.Messages[0].Body);
  });

  test("tells the lines that were refused, sends the others, and fails", async () => {
    const QueueUrl = await newQueue("rules", { MaximumMessageSize: "1024" });
    const input = ["fine", "x".repeat(2_000), "\u0001", "y".repeat(2 << 20), "fine too"].join("\n");
    const [code, , errors] = await run(["publish", QueueUrl], input);
    expect(code).toBe(1);
    expect(errors).toContain("Line 2 was refused: MESSAGE_TOO_LONG");
    expect(errors).toContain("Line 3 was refused: INVALID_MESSAGE_CONTENTS");
    expect(errors).toContain("Line 4 was refused: it has more than 1048576 bytes");
    expect(errors).toContain("2 published, 3 refused");
    expect(await counts(QueueUrl)).toEqual([2, 0, 0]);
  });

  test("has groups and deduplication IDs for FIFO queues, and delays for others", async () => {
    const fifo = await newQueue("cli.fifo", { FifoQueue: "true" });
    expect((await run(["publish", "cli.fifo"], "x\n"))[2]).toMatch(
      /Line 1 was refused: MISSING_PARAMETER .*\(--group\)/,
    );
    const ungrouped = await run(["publish", "cli.fifo", "--group", "g"], "x\n");
    expect(ungrouped[2]).toMatch(/Line 1 was refused: MISSING_PARAMETER .*\(--unique\)/);
    expect((await run(["publish", "cli.fifo", "--group", "g", "--unique"], "same\nsame\n"))[0]).toBe(0);
    expect(await counts(fifo)).toEqual([2, 0, 0]);
    const delayed = await newQueue("delayed");
    await run(["publish", "delayed", "--delay", "900"], "x\n");
    expect(await counts(delayed)).toEqual([0, 0, 1]);
  });

  test("input that cannot be read is not an empty one", async () => {
    await newQueue("unread");
    const [code, errors] = await runOn(openSync(directory, "r"), ["publish", "unread"]);
    expect(errors).toContain("Cannot read standard input: it is a directory\n");
    expect(code).toBe(1);
    const [closed, told] = await runOn(openSync(join(directory, "written"), "w"), ["publish", "unread"]);
    expect(told).toContain("Cannot read standard input: it is not open for reading\n");
    expect(closed).toBe(1);
    const [empty, nothing] = await runOn(openSync("/dev/null", "r"), ["publish", "unread"]);
    expect([empty, nothing]).toEqual([0, expect.stringContaining("0 published")]);
  });

  test("a line is what SQS allows in a body: no NUL, nothing that is not UTF-8, at most 1 MiB", async () => {
    const QueueUrl = await newQueue("contents");
    const mib = "m".repeat(1 << 20);
    const lines = ["a\0b", Buffer.from([0x61, 0xff, 0xfe]), mib, `${mib}m`, "fine"].map((line) => Buffer.from(line));
    const [code, , errors] = await run(
      ["publish", QueueUrl],
      Buffer.concat(lines.flatMap((line) => [line, Buffer.from("\n")])),
    );
    expect(code).toBe(1);
    expect(errors).toContain("Line 1 was refused: INVALID_MESSAGE_CONTENTS");
    expect(errors).toContain("Line 2 was refused: INVALID_MESSAGE_CONTENTS");
    expect(errors).toContain("Line 4 was refused: it has more than 1048576 bytes");
    expect(errors).toContain("2 published, 3 refused");
    expect(await counts(QueueUrl)).toEqual([2, 0, 0]);
  });

  test("interrupted: what was read is confirmed, and the exit code says that it was not the end", async () => {
    const QueueUrl = await newQueue("interrupted");
    const running = wasq(["publish", "interrupted"]);
    running.child.stdin?.write("one\ntwo\n");
    await expect.poll(() => counts(QueueUrl), { timeout: 10_000 }).toEqual([2, 0, 0]);
    running.child.kill("SIGINT");
    expect(await running.exit).toBe(130);
    expect(running.errors()).toContain("2 published");
  });
});

describe("wasq tail", () => {
  test("prints what is sent, and takes nothing away", async () => {
    const QueueUrl = await newQueue("watched");
    const running = wasq(["tail", "watched"]);
    await pauseUntilWatched("watched", running);
    for (const MessageBody of ["one", "zwei ü"]) await call(broker.endpoint, "SendMessage", { QueueUrl, MessageBody });
    await expect.poll(() => running.output().replaceAll("probe\n", ""), { timeout: 10_000 }).toBe("one\nzwei ü\n");
    running.child.kill("SIGINT");
    expect(await running.exit).toBe(0);
    expect(running.errors()).toMatch(/\d+ sent, \d+ visible, 0 in flight, 0 delayed, [\d,]+\/s, \d+\.\d s\n$/);
    expect((await counts(QueueUrl))[0]).toBeGreaterThanOrEqual(2);
  });

  test("--ack receives, prints and deletes", async () => {
    const QueueUrl = await newQueue("eaten");
    const lines = Array.from({ length: 5_000 }, (_, index) => `line ${index}`);
    await run(["publish", "eaten"], lines.join("\n"));
    const [code, output, errors] = await run(["tail", "eaten", "--ack", "--count", "5000"]);
    expect(code).toBe(0);
    expect(output.trimEnd().split("\n").toSorted()).toEqual(lines.toSorted());
    expect(errors).toMatch(/^5,000 received, 5,000 deleted, [\d,]+\/s, \d+\.\d s\n$/);
    expect(await counts(QueueUrl)).toEqual([0, 0, 0]);
  });

  test("--count takes no more than that", async () => {
    const QueueUrl = await newQueue("counted");
    await run(["publish", "counted"], "a\nb\nc\nd\n");
    const [, output] = await run(["tail", "counted", "--ack", "--count", "3"]);
    expect(output.split("\n")).toHaveLength(4);
    expect(await counts(QueueUrl)).toEqual([1, 0, 0]);
  });

  test("--ack interrupted gives back what it has not printed, and ends well", async () => {
    const QueueUrl = await newQueue("left");
    const running = wasq(["tail", "left", "--ack"]);
    await run(["publish", "left"], "a\nb\n");
    await expect.poll(() => running.output(), { timeout: 10_000 }).toMatch(/^[ab]\n[ab]\n$/);
    running.child.kill("SIGTERM");
    expect(await running.exit).toBe(0);
    expect(await counts(QueueUrl)).toEqual([0, 0, 0]);
  });

  test("an output that cannot be written is told, and keeps its messages", {
    skip: !existsSync("/dev/full"),
  }, async () => {
    const QueueUrl = (await call(broker.endpoint, "CreateQueue", { QueueName: "full" })).body.QueueUrl;
    await call(broker.endpoint, "SendMessage", { QueueUrl, MessageBody: "kept" });
    const [program, first] = IS_BUILT ? [BINARY, []] : [process.execPath, [BUNDLE]];
    const full = openSync("/dev/full", "w");
    const env = { WASQ_ENDPOINT: broker.endpoint };
    const child = spawn(program, [...first, "tail", "full", "--ack"], { env, stdio: ["ignore", full, "pipe"] });
    closeSync(full);
    let errors = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      errors += chunk.toString();
    });
    expect(await new Promise((resolve) => child.on("close", resolve))).toBe(1);
    expect(errors).toContain("Cannot write to standard output: ENOSPC");
    const { body } = await call(broker.endpoint, "ReceiveMessage", { QueueUrl });
    expect(body.Messages).toMatchObject([{ Body: "kept" }]);
  });

  test("ends when nobody reads any more, and keeps what was not read", async () => {
    const QueueUrl = await newQueue("head");
    const running = wasq(["tail", "head", "--ack"]);
    await run(["publish", "head"], "first\n");
    await expect.poll(() => running.output(), { timeout: 10_000 }).toBe("first\n");
    running.child.stdout?.destroy();
    await run(["publish", "head"], "second\nthird\n");
    expect(await running.exit).toBe(0);
    expect(await counts(QueueUrl)).toEqual([2, 0, 0]);
  });
});

describe("exit codes", () => {
  test.each([
    ["no broker", ["tail", "x", "--endpoint", "http://127.0.0.1:1"], 1, "CONNECT_FAILED"],
    ["no queue", ["tail", "not-there"], 1, "QUEUE_DOES_NOT_EXIST"],
    ["no queue to publish to", ["publish", "not-there"], 1, "QUEUE_DOES_NOT_EXIST"],
    ["a wrong flag", ["tail", "x", "--follow"], 2, "wasq tail has no flag --follow"],
    ["no words", ["publish"], 2, "Which queue? wasq publish QUEUE"],
    ["another region", ["tail", "lines", "--region", "eu-west-3"], 1, "QUEUE_DOES_NOT_EXIST"],
  ])("%s", async (_name, args, code, text) => {
    const [exit, output, errors] = await run(args);
    expect([exit, output]).toEqual([code, ""]);
    expect(errors).toContain(text);
  });

  test("what answers, and is no broker", async () => {
    const web = createServer((_request, response) => response.end("hello"));
    const other = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.end("SSH-2.0-other\r\n");
    });
    for (const server of [web, other]) {
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      for (const command of ["publish", "tail"]) {
        const [exit, output, errors] = await run([command, "x", "--endpoint", endpoint], "a line\n");
        expect([exit, output]).toEqual([1, ""]);
        expect(errors).toContain("cannot be reached, or refuses the upgrade (CONNECT_FAILED)");
      }
      server.close();
    }
  });

  test("--help tells of both", async () => {
    const [code, output] = await run(["tail", "--help"]);
    expect(code).toBe(0);
    expect(output).toContain("wasq tail QUEUE");
    expect(output).toContain("wasq publish QUEUE");
  });
});

/** Sends until the watch has seen something: before that, nobody knows whether it looks. */
async function pauseUntilWatched(name: string, running: Running): Promise<void> {
  const QueueUrl = await newQueue(name);
  await expect
    .poll(
      async () => {
        await call(broker.endpoint, "SendMessage", { QueueUrl, MessageBody: "probe" });
        return running.output();
      },
      { timeout: 10_000, interval: 200 },
    )
    .toContain("probe\n");
}
