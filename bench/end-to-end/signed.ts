// What it costs to check who asks: the real process with keys and a policy on the queue, the same without keys, and a bare
// server that verifies signatures and commits. All three get the same signed requests.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { sign } from "../../test/support/wire.ts";
import {
  BODY,
  BUNDLE,
  call,
  headers,
  median,
  type Process,
  percent,
  ROOT,
  runScript,
  startBroker,
  startServer,
  table,
  temporaryDirectory,
  whole,
} from "../support.ts";
import { RECORD_BYTES } from "./answers.ts";
import type { CeilingJob } from "./ceiling.ts";
import type { LoadJob, LoadResult } from "./load.ts";

const ROUND_COUNT = Number(process.env["BENCH_ROUNDS"] ?? 3);
const SECONDS = Number(process.env["BENCH_SECONDS"] ?? 5);
const CONNECTION_COUNTS = [1, 64, 256];
const TARGETS = ["checked", "open", "bare"] as const;
type Target = (typeof TARGETS)[number];
const ACCOUNT = "000000000000";

interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Of the account's root: what it may do to a queue with a policy is decided with that policy. */
function makeKey(dataDirectory: string): Key {
  const args = [BUNDLE, "keys", "create", "root", "--account", ACCOUNT, "--data-dir", dataDirectory];
  const text = execFileSync(process.execPath, args, { encoding: "utf8" });
  const [, accessKeyId = "", secretAccessKey = ""] = /=(\S+)\n\S+?=(\S+)\n$/.exec(text) ?? [];
  return { accessKeyId, secretAccessKey };
}

const POLICY = JSON.stringify({
  Version: "2012-10-17",
  Statement: {
    Effect: "Allow",
    Principal: { AWS: "222222222222" },
    Action: "sqs:SendMessage",
    Resource: `arn:aws:sqs:us-east-1:${ACCOUNT}:b`,
  },
});

/** One request, signed once: it is good for fifteen minutes. */
function signed(
  endpoint: string,
  key: Key,
  action: string,
  input: object,
): { headers: Record<string, string>; body: string } {
  const body = JSON.stringify(input);
  const target = { "x-amz-target": `AmazonSQS.${action}` };
  return { headers: { ...headers(action), ...sign({ endpoint, key, headers: target, body }) }, body };
}

export async function signedHttp(): Promise<void> {
  const directory = temporaryDirectory();
  const started: Process[] = [];
  try {
    const dataDirectory = join(directory.path, "checked");
    const key = makeKey(dataDirectory);
    const checked = await startBroker(dataDirectory);
    started.push(checked);
    const open = await startBroker(join(directory.path, "open"));
    started.push(open);
    const created = signed(checked.endpoint, key, "CreateQueue", { QueueName: "b", Attributes: { Policy: POLICY } });
    const answer = await fetch(checked.endpoint, { method: "POST", ...created });
    if (answer.status !== 200) throw new Error(`No queue: ${await answer.text()}`);
    await call(open.endpoint, "CreateQueue", { QueueName: "b", Attributes: { Policy: POLICY } });
    const QueueUrl = `/${ACCOUNT}/b`;
    const sent = await call(open.endpoint, "SendMessage", { QueueUrl, MessageBody: BODY });
    const job: CeilingJob = {
      mode: "durable",
      filePath: join(directory.path, "bare"),
      contentType: sent.contentType,
      secret: key.secretAccessKey,
      actions: { SendMessage: { logBytes: RECORD_BYTES, perEntry: true, waits: true, reply: sent.text } },
    };
    const bare = await startServer([join(ROOT, "bench", "end-to-end", "ceiling.ts"), JSON.stringify(job)]);
    started.push(bare);
    await measure({ checked, open, bare }, key, QueueUrl);
  } finally {
    for (const server of started) await server.stop("SIGKILL");
    directory.remove();
  }
}

async function measure(servers: Readonly<Record<Target, Process>>, key: Key, queueUrl: string): Promise<void> {
  const results = new Map<string, LoadResult[]>();
  const run = (target: Target, connectionCount: number, seconds: number): Promise<LoadResult> => {
    const { endpoint, pid } = servers[target];
    const request = signed(endpoint, key, "SendMessage", { QueueUrl: queueUrl, MessageBody: BODY });
    const job: LoadJob = { endpoint, serverPid: pid, queueUrl, kind: "send", connectionCount, seconds, request };
    return runScript<LoadResult>("end-to-end/load.ts", job);
  };
  for (const target of TARGETS) await run(target, 64, 1); // warm
  for (let round = 0; round < ROUND_COUNT; round++) {
    for (const count of CONNECTION_COUNTS) {
      for (const target of TARGETS) {
        const name = `${target} ${count}`;
        results.set(name, [...(results.get(name) ?? []), await run(target, count, SECONDS)]);
      }
    }
  }
  const of = (target: Target, count: number): readonly LoadResult[] => results.get(`${target} ${count}`) ?? [];
  const rows = CONNECTION_COUNTS.flatMap((count) => {
    const figure = (target: Target, field: keyof LoadResult) => median(of(target, count).map((each) => each[field]));
    const ours = figure("checked", "messagesPerSecond");
    return TARGETS.map((target) => [
      `send, ${count} connections`,
      target,
      whole(figure(target, "messagesPerSecond")),
      target === "checked" ? "" : percent(ours / figure(target, "messagesPerSecond")),
      figure(target, "p50Ms").toFixed(1),
      figure(target, "p99Ms").toFixed(1),
      percent(figure(target, "serverCpu")),
      percent(figure(target, "clientCpu")),
      String(of(target, count).reduce((sum, each) => sum + each.failedCount, 0)),
    ]);
  });
  const head = ["case", "server", "messages/s", "checked is", "p50 ms", "p99 ms", "server CPU", "client CPU", "failed"];
  table(`Signed requests: medians of ${ROUND_COUNT} rounds of ${SECONDS} s`, head, rows);
}
