// What people install: build/out/client, as `npm run build` leaves it.
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { afterAll, describe, expect, test } from "vitest";
import { FakeStream } from "../support/fake-stream.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const CLIENT = join(ROOT, "build", "out", "client");
const GZIPPED_MAX = 25_000; // also with the adapter

const project = mkdtempSync(join(tmpdir(), "wasq-client-"));
afterAll(() => rmSync(project, { recursive: true }));

/** All that a page loads for an entry, bundled once more as its builder would. */
async function pageBytes(entry: string): Promise<number> {
  const { outputFiles } = await build({
    entryPoints: [join(CLIENT, entry)],
    bundle: true,
    minify: true,
    platform: "browser",
    format: "esm",
    write: false,
  });
  return gzipSync(outputFiles[0]?.contents ?? new Uint8Array(), { level: 9 }).length;
}

function compile(name: string, source: string, options: readonly string[]): string {
  writeFileSync(join(project, name), source);
  const tsc = join(ROOT, "node_modules", "typescript", "bin", "tsc");
  const strictest = [
    ...["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess", "--noImplicitOverride"],
    ...["--noPropertyAccessFromIndexSignature", "--verbatimModuleSyntax", "--isolatedModules", "--target", "es2022"],
  ];
  try {
    execFileSync(process.execPath, [tsc, ...strictest, ...options, name], { cwd: project, encoding: "utf8" });
    return "";
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

const USER = `
import { type Client, connect, type Message, type Published, PublishError, WasqError } from "wasq-client";
import { Consumer } from "wasq-client/consumer";

export async function use(signal: AbortSignal): Promise<string> {
  const client: Client = await connect("http://127.0.0.1:9324", { signal, onChange: (change) => change.kind });
  const published: Published = await client.publish("hello", { body: "x", attributes: { n: 1, s: "s", b: new Uint8Array(1) } });
  const publisher = await client.publisher("hello", { ids: true });
  await publisher.ready();
  for await (const message of await client.subscribe("hello", { prefetch: 3, fields: ["ATTRIBUTES"] })) {
    const each: Message = message;
    await each.ack();
    break;
  }
  await client.subscribe("hello", { concurrency: 2, handler: async (message) => message.touch(5_000) });
  for await (const { state, events } of await client.watch("hello", { events: true })) {
    return String(state?.visible) + events.map(({ kind }) => kind).join() + published.messageId;
  }
  await client.close();
  return "";
}

export function codeOf(error: unknown): string {
  if (error instanceof PublishError) return error.failures.map(({ index, code }) => index + code).join();
  if (!(error instanceof WasqError)) return "";
  return error.code === "QUEUE_DOES_NOT_EXIST" || error.code === "SESSION_OVER" ? error.code : "";
}

export const consumer = Consumer.create({
  queueUrl: "http://127.0.0.1:9324/000000000000/hello",
  batchSize: 10,
  handleMessage: async (message) => message,
});
consumer.on("processing_error", (error, message, { queueUrl }) => error.message + message.MessageId + queueUrl);
consumer.start();
`;

const MISTAKES: readonly (readonly [string, string])[] = [
  ['client.publish("hello", { text: "x" })', "'text' does not exist"],
  ['client.subscribe("hello", { handler: () => {}, concurrency: "2" })', "No overload matches"],
  ['client.subscribe("hello", { fields: ["NONSENSE"] })', "NONSENSE"],
  ["error.code === 'QUEUE_DOES_NOT_EXISTS'", "no overlap"],
];

describe("the bundle", () => {
  test("is small enough for a page", async () => {
    expect(await pageBytes("index.js")).toBeLessThan(GZIPPED_MAX);
    expect(await pageBytes("consumer.js")).toBeLessThan(GZIPPED_MAX);
  });

  test("needs nothing, makes no code from text, and runs", async () => {
    const text = readFileSync(join(CLIENT, "index.js"), "utf8") + readFileSync(join(CLIENT, "consumer.js"), "utf8");
    expect(text).not.toMatch(/\beval\(|new Function\(|\bFunction\(|from"(?!\.\/)|\brequire\("/);
    const { connect, WasqError } = await import(join(CLIENT, "index.js"));
    const failed: unknown = await connect("http://127.0.0.1:1").catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(WasqError);
    expect(failed).toMatchObject({ code: "CONNECT_FAILED" });
  });

  test("reads every kind of value that the protocol has", async () => {
    const server = await FakeStream.start();
    const { connect } = await import(join(CLIENT, "index.js"));
    const connecting = connect(server.url);
    const connection = await server.welcomed();
    const client = await connecting;
    const opening = client.watch("hello", { events: true });
    const { id, watch } = await connection.next("watch");
    connection.send({ id, watching: { watch } });
    const rates = { sentRate: 1234.5678, deliveredRate: 0.1, settledRate: 1e300 };
    const state = { visible: 4_000_000_000, oldestMs: 2 ** 53 - 1, ...rates };
    const events = [{ kind: "SENT" as const, timeMs: 1_800_000_000_123, reason: "Grüße, 世界" }];
    connection.send({ watched: { watch, state, events } });
    const { value } = await (await opening)[Symbol.asyncIterator]().next();
    expect(value.state).toMatchObject(state);
    expect(value.events).toMatchObject([{ kind: "SENT", reason: "Grüße, 世界" }]);
    client.close().catch(() => {});
    await server.stop();
  });

  test("has types for a strict project, in a browser and on Node, whatever resolves its modules", () => {
    const modules = join(project, "node_modules");
    execFileSync("mkdir", ["-p", modules]);
    symlinkSync(CLIENT, join(modules, "wasq-client"));
    writeFileSync(join(project, "package.json"), '{"type":"module"}');
    const browser = ["--lib", "es2022,dom", "--types", ""];
    const nodeTypes = ["--lib", "es2022", "--types", "node", "--typeRoots", join(ROOT, "node_modules", "@types")];
    const bundler = ["--module", "esnext", "--moduleResolution", "bundler"];
    const nodenext = ["--module", "nodenext", "--moduleResolution", "nodenext"];
    expect(compile("browser.ts", USER, [...browser, ...bundler])).toBe("");
    expect(compile("node.ts", USER, [...nodeTypes, ...nodenext])).toBe("");

    // The folder copied beside the code, and imported by its path.
    cpSync(CLIENT, join(project, "client"), { recursive: true });
    const beside = USER.replace('"wasq-client"', '"./client/index.js"').replace(
      '"wasq-client/consumer"',
      '"./client/consumer.js"',
    );
    expect(compile("beside.ts", beside, [...browser, ...bundler])).toBe("");
    expect(compile("beside-node.ts", beside, [...nodeTypes, ...nodenext])).toBe("");

    const wrong = MISTAKES.map(([expression]) => `  ${expression};`).join("\n");
    const header =
      'import { type Client, type WasqError } from "wasq-client";\ndeclare const client: Client;\ndeclare const error: WasqError;\n';
    const found = compile("wrong.ts", `${header}${wrong}\n`, [...browser, ...bundler]);
    const lines = found.split("\n").filter((line) => line.startsWith("wrong.ts("));
    expect(lines.map((line) => /\((\d+),/.exec(line)?.[1])).toEqual(["4", "5", "6", "7"]);
    for (const [, said] of MISTAKES) expect(found).toContain(said);
  });
});
