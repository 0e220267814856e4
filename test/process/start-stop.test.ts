// The broker as a process: what it says when it starts, why it would not, and how it ends.
import { spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { BINARY, type BrokerProcess, call, startBroker } from "../support/broker-process.ts";

const BUNDLE = fileURLToPath(new URL("../../build/out/wasq.cjs", import.meta.url));
const START = fileURLToPath(new URL("../../build/start.mjs", import.meta.url));
const QUEUE_URL = "http://localhost/000000000000/q";

let directory: string;
let running: BrokerProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "wasq-process-"));
});

afterEach(async () => {
  for (const broker of running) if (broker.child.exitCode === null) await broker.stop("SIGKILL");
  running = [];
  rmSync(directory, { recursive: true, force: true });
});

async function start(...args: Parameters<typeof startBroker>): Promise<BrokerProcess> {
  const broker = await startBroker(...args);
  running.push(broker);
  return broker;
}

function runToEnd(args: readonly string[]): { code: number | null; stdout: string; stderr: string } {
  const result = spawnSync(process.execPath, [BUNDLE, ...args], { encoding: "utf8", timeout: 20_000 });
  return { code: result.status, stdout: result.stdout, stderr: result.stderr };
}

describe("refusing to start", () => {
  test("a wrong command line: every mistake, exit code 2, nothing on standard output", () => {
    const { code, stdout, stderr } = runToEnd(["serve", "--port", "x", "--prot", "1"]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain("Unknown flag --prot");
    expect(stderr).toContain('--port is "x"');
    expect(stderr).toContain("wasq --help");
  });

  test("help and version", () => {
    expect(runToEnd(["--help"])).toMatchObject({ code: 0, stderr: "" });
    expect(runToEnd(["--help"]).stdout).toContain("--insecure-no-auth");
    expect(runToEnd(["--version"]).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test("a damaged data directory, and one that is a file: what is wrong, where, and what would be right", async () => {
    const damaged = join(directory, "damaged");
    const broker = await start(damaged);
    await broker.stop("SIGTERM");
    const segment = join(damaged, "segment-0000000001.log");
    const file = openSync(segment, "r+");
    writeSync(file, "X", 20);
    closeSync(file);
    const refused = runToEnd(["serve", "--port", "0", "--data-dir", damaged]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/^Cannot open the log: segment-0000000001\.log is damaged at offset 0: .*restore/);

    const plain = join(directory, "plain");
    writeFileSync(plain, "");
    const noDirectory = runToEnd(["serve", "--port", "0", "--data-dir", plain]);
    expect(noDirectory.code).toBe(1);
    expect(noDirectory.stderr).toContain("the data directory must be a directory");
  });

  test("a port that is taken, and a directory in use: one line that says what to change, exit code 1", async () => {
    const first = await start(join(directory, "first"));
    const port = new URL(first.endpoint).port;
    const taken = runToEnd(["serve", "--port", port, "--data-dir", join(directory, "second")]);
    expect(taken.code).toBe(1);
    expect(taken.stderr).toBe(`Cannot listen on 127.0.0.1:${port}: the address is in use, or not this machine's\n`);
    const locked = runToEnd(["serve", "--port", "0", "--data-dir", join(directory, "first")]);
    expect(locked.code).toBe(1);
    expect(locked.stderr).toMatch(/^Cannot open the log: \S+ is in use by process \d+; .*\n$/);
    expect((await call(first.endpoint, "ListQueues", {})).status).toBe(200);
  });

  test.skipIf(process.platform !== "linux")("a data directory that cannot be made, or holds no file", () => {
    for (const path of ["/proc/x", "/proc", "/dev/null/x"]) {
      const { code, stdout, stderr } = runToEnd(["serve", "--port", "0", "--data-dir", path]);
      expect([path, code, stdout]).toEqual([path, 1, ""]);
      expect(stderr).toMatch(new RegExp(`^Cannot [^\\n]*${path}[^\\n]*\\n$`));
    }
  });

  test.skipIf(process.platform !== "linux")("keys, and a master key, where no directory can be made", () => {
    writeFileSync(join(directory, "file"), "");
    for (const path of ["/proc/x/y", join(directory, "file", "y")]) {
      for (const args of [
        ["keys", "create", "root", "--data-dir", path],
        ["serve", "--port", "0", "--data-dir", join(directory, "data"), "--master-key-file", join(path, "key")],
      ]) {
        const { code, stderr } = runToEnd(args);
        expect([args, code]).toEqual([args, 1]);
        expect(stderr).toMatch(new RegExp(`^Cannot make the directory ${path}: [^\\n]*; choose another one\\n$`));
      }
    }
  });

  test("a data directory that is a file", () => {
    writeFileSync(join(directory, "file"), "");
    const { code, stderr } = runToEnd(["serve", "--port", "0", "--data-dir", join(directory, "file")]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^Cannot open the log: .*file.*\n$/);
  });
});

describe.skipIf(process.platform === "win32")("stopping", () => {
  test.each(["SIGTERM", "SIGINT"] as const)(
    "%s answers who waits, then ends with 0; what was sent is there again",
    async (signal) => {
      const data = join(directory, "data");
      const broker = await start(data);
      await call(broker.endpoint, "CreateQueue", { QueueName: "q" });
      await call(broker.endpoint, "CreateQueue", { QueueName: "empty" });
      await call(broker.endpoint, "SendMessage", { QueueUrl: QUEUE_URL, MessageBody: "kept" });
      const poll = call(broker.endpoint, "ReceiveMessage", {
        QueueUrl: "http://localhost/000000000000/empty",
        WaitTimeSeconds: 20,
      });
      // The poll took the open connection, so this one comes in behind it: once answered, the poll is waiting.
      await call(broker.endpoint, "ListQueues", {});
      const startMs = performance.now();
      expect(await broker.stop(signal)).toBe(0);
      expect(performance.now() - startMs).toBeLessThan(3_000);
      expect((await poll).status).toBe(200);

      const again = await start(data);
      const received = await call(again.endpoint, "ReceiveMessage", { QueueUrl: QUEUE_URL });
      expect(received.body.Messages).toMatchObject([{ Body: "kept" }]);
    },
  );

  // npm puts a shell between itself and the script, and SIGTERM ends that shell only.
  test("the broker does not outlive the npm that started it", async () => {
    const data = join(directory, "data");
    const env = { ...process.env, npm_lifecycle_event: "start" };
    const script = `"${process.execPath}" "${START}" --port 0 --data-dir "${data}"; true`; // "; true": no shell replaces itself
    const shell = spawn("sh", ["-c", script], { stdio: ["ignore", "pipe", "inherit"], env });
    await new Promise<void>((started, failed) => {
      shell.on("exit", (code) => failed(new Error(`ended with ${code}`)));
      shell.stdout.on("data", (chunk: Buffer) => {
        if (chunk.toString().includes("wasq ")) started();
      });
    });
    const allEnded = new Promise((ended) => shell.stdout.on("close", ended)); // once nobody holds the pipe any more
    shell.kill("SIGTERM");
    await allEnded;
    await start(data); // the directory is free
  });

  test("a signal that comes twice at once is one signal", async () => {
    const broker = await start(join(directory, "data"));
    broker.child.kill("SIGINT");
    expect(await broker.stop("SIGINT")).toBe(0);
  });
});

test("the broker goes on when nobody reads what it says", async () => {
  const port = await new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port: free } = server.address() as { port: number };
      server.close(() => resolve(free));
    });
  });
  const args = [BUNDLE, "serve", "--port", String(port), "--data-dir", join(directory, "data")];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise((resolve) => child.on("exit", resolve));
  try {
    child.stdout.destroy();
    child.stderr.destroy();
    const endpoint = `http://127.0.0.1:${port}`;
    await vi.waitFor(async () => expect((await fetch(`${endpoint}/health`)).status).toBe(200), { timeout: 10_000 });
    expect((await call(endpoint, "CreateQueue", { QueueName: "q" })).status).toBe(200);
    expect(child.exitCode).toBeNull();
  } finally {
    child.kill("SIGTERM");
    await ended;
  }
});

describe("the single executable", () => {
  test("runs alone in an empty directory, with no PATH, and leaves no file behind but its data", async () => {
    const home = join(directory, "home");
    const scratch = join(directory, "scratch");
    mkdirSync(home);
    mkdirSync(scratch);
    const binary = join(home, process.platform === "win32" ? "wasq.exe" : "wasq");
    copyFileSync(BINARY, binary);

    const startMs = performance.now();
    const env = { PATH: "", HOME: home, TMPDIR: scratch };
    const child = spawn(binary, ["serve", "--port", "0"], { cwd: home, env, stdio: ["ignore", "pipe", "pipe"] });
    try {
      const greeting = await new Promise<string>((resolve, reject) => {
        let text = "";
        let errors = "";
        child.stderr.on("data", (chunk: Buffer) => {
          errors += chunk.toString();
        });
        child.on("exit", (code) => reject(new Error(`ended with ${code}: ${errors}`)));
        child.stdout.on("data", (chunk: Buffer) => {
          text += chunk.toString();
          if (text.split("\n").length > 5) resolve(text);
        });
      });
      // Well under half a second on a quiet machine; the suite is not one.
      expect(performance.now() - startMs).toBeLessThan(5_000);
      const endpoint = /^wasq \S+ at (\S+), data in (\S+)$/m.exec(greeting);
      expect(endpoint?.[2]).toBe(join(home, ".local", "share", "wasq"));
      for (const command of ["create-queue", "send-message", "receive-message"]) {
        expect(greeting).toMatch(new RegExp(`AWS_ACCESS_KEY_ID=x .* --endpoint-url ${endpoint?.[1]} sqs ${command} `));
      }

      const url = endpoint?.[1] ?? "";
      const created = await call(url, "CreateQueue", { QueueName: "q" });
      const queue = { QueueUrl: created.body.QueueUrl };
      expect((await call(url, "SendMessage", { ...queue, MessageBody: "hi" })).status).toBe(200);
      expect((await call(url, "ReceiveMessage", queue)).body.Messages).toMatchObject([{ Body: "hi" }]);
      if (process.platform !== "win32") expect(readdirSync(scratch)).toEqual([]);
      expect(readdirSync(home).sort()).toEqual([".local", binary.slice(home.length + 1)]);
    } finally {
      const ended = new Promise((resolve) => child.on("exit", resolve));
      child.kill("SIGTERM");
      await ended;
    }
  });
});
