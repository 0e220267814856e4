// The client, in a process of its own: one autocannon run, its figures as JSON.
import { createRequire } from "node:module";
import { BODY, cpuSeconds, headers } from "../support.ts";

export interface LoadJob {
  readonly endpoint: string;
  readonly serverPid: number;
  readonly queueUrl: string;
  /** "sendOddly" adds a member that means nothing, which sends a request over the broker's actions instead of its core. */
  readonly kind: "send" | "sendOddly" | "batch" | "receiveDelete";
  readonly connectionCount: number;
  readonly seconds: number;
  /** What is sent instead: it was signed, and is the same each time. */
  readonly request?: { readonly headers: Record<string, string>; readonly body: string };
}

export interface LoadResult {
  readonly messagesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failedCount: number;
  readonly serverCpu: number; // 1 is one core
  readonly clientCpu: number;
}

interface CannonResult {
  readonly duration: number;
  readonly "2xx": number;
  readonly non2xx: number;
  readonly errors: number;
  readonly latency: { readonly p50: number; readonly p99: number };
}

interface Request {
  method: "POST";
  path: string;
  headers: Record<string, string>;
  body?: string;
  setupRequest?: (request: Request, context: { entries?: object[] }) => Request;
  onResponse?: (status: number, body: string, context: { entries?: object[] }) => void;
}

const autocannon: (options: object) => Promise<CannonResult> = createRequire(import.meta.url)("autocannon");
const job: LoadJob = JSON.parse(process.argv[2] ?? "");
const QueueUrl = job.queueUrl;
let successfulCount = 0; // entries of batches, as the answers say

function countSuccessful(status: number, body: string): void {
  if (status === 200) successfulCount += (JSON.parse(body) as { Successful?: object[] }).Successful?.length ?? 0;
}

const post = (action: string, input: object): Request => ({
  method: "POST",
  path: "/",
  headers: headers(action),
  body: JSON.stringify(input),
});

function requests(): Request[] {
  if (job.request !== undefined) return [{ method: "POST", path: "/", ...job.request }];
  if (job.kind === "send") return [post("SendMessage", { QueueUrl, MessageBody: BODY })];
  const batch = Array.from({ length: 10 }, (_, i) => ({ Id: String(i), MessageBody: BODY }));
  if (job.kind === "sendOddly") return [post("SendMessage", { QueueUrl, MessageBody: BODY, Oddly: true })];
  if (job.kind === "batch") {
    return [{ ...post("SendMessageBatch", { QueueUrl, Entries: batch }), onResponse: countSuccessful }];
  }
  return [
    {
      ...post("ReceiveMessage", { QueueUrl, MaxNumberOfMessages: 10 }),
      onResponse(_status, body, context) {
        const { Messages = [] }: { Messages?: { ReceiptHandle: string }[] } = JSON.parse(body);
        context.entries = Messages.map(({ ReceiptHandle }, i) => ({ Id: String(i), ReceiptHandle }));
      },
    },
    {
      ...post("DeleteMessageBatch", {}),
      setupRequest(request, context) {
        const Entries = context.entries ?? [];
        return { ...request, body: JSON.stringify({ QueueUrl, Entries }) };
      },
      onResponse: countSuccessful,
    },
  ];
}

const serverBefore = cpuSeconds(job.serverPid);
const clientBefore = cpuSeconds("self");
const result = await autocannon({
  url: job.endpoint,
  connections: job.connectionCount,
  duration: job.seconds,
  requests: requests(),
});
const messageCount = job.kind === "send" || job.kind === "sendOddly" ? result["2xx"] : successfulCount;
const figures: LoadResult = {
  messagesPerSecond: messageCount / result.duration,
  p50Ms: result.latency.p50,
  p99Ms: result.latency.p99,
  failedCount: result.non2xx + result.errors,
  serverCpu: (cpuSeconds(job.serverPid) - serverBefore) / result.duration,
  clientCpu: (cpuSeconds("self") - clientBefore) / result.duration,
};
process.stdout.write(JSON.stringify(figures));
