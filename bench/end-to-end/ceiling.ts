// What this machine could do at best: the same sockets, a handler that parses the JSON and answers with bytes known
// beforehand. "durable" also writes as many bytes as the broker would, in group commits: the next gathers while one syncs.
// A receive is answered at once, as the broker's are on a standard queue, but its bytes are written too.

import { closeSync, constants, fsyncSync, openSync, write, writeSync } from "node:fs";
import { join } from "node:path";
import { loadUws } from "../../src/net/addon.ts";
import { ROOT } from "../support.ts";

export interface CeilingJob {
  readonly mode: "parse" | "durable";
  readonly filePath: string;
  readonly contentType: string;
  /** By action: the answer, and what it adds to the log; `perEntry` for each message that comes. */
  readonly actions: Readonly<Record<string, CeilingAction>>;
}

export interface CeilingAction {
  readonly reply: string;
  readonly logBytes: number;
  readonly perEntry: boolean;
  readonly waits: boolean;
}

const FILE_BYTES = 64 * 1024 * 1024;
const GATHER_BYTES = 1024 * 1024;
const REQUEST_ID = "00000000-0000-4000-8000-000000000000";

const uws = loadUws(join(ROOT, "node_modules"), undefined);
const job: CeilingJob = JSON.parse(process.argv[2] ?? "");

function openPrewritten(): number {
  const zeros = Buffer.alloc(GATHER_BYTES);
  const prepared = openSync(job.filePath, "w");
  for (let at = 0; at < FILE_BYTES; at += GATHER_BYTES) writeSync(prepared, zeros);
  fsyncSync(prepared);
  closeSync(prepared);
  return openSync(job.filePath, constants.O_WRONLY | constants.O_DSYNC);
}

const file = job.mode === "durable" ? openPrewritten() : -1;
let gathering = Buffer.alloc(GATHER_BYTES);
let syncing = Buffer.alloc(GATHER_BYTES);
let gatheredBytes = 0;
let filePosition = 0;
let waiting: (() => void)[] = [];
let busy = false;
let scheduled = false;

function commit(): void {
  scheduled = false;
  if (busy || gatheredBytes === 0) return;
  busy = true;
  const answers = waiting;
  const sizeBytes = gatheredBytes;
  waiting = [];
  gatheredBytes = 0;
  [gathering, syncing] = [syncing, gathering];
  if (filePosition + sizeBytes > FILE_BYTES) filePosition = 0;
  write(file, syncing, 0, sizeBytes, filePosition, (error) => {
    if (error) throw error;
    filePosition += sizeBytes;
    busy = false;
    for (const answer of answers) answer();
    commit();
  });
}

function schedule(): void {
  if (busy || scheduled) return;
  scheduled = true;
  setImmediate(commit);
}

/** What the log takes of it; the bodies are in it. */
function keep(bodies: readonly string[], bytes: number): void {
  for (const body of bodies) {
    gathering.write(body, gatheredBytes, "latin1");
    gatheredBytes += bytes;
  }
  if (bodies.length === 0) gatheredBytes += bytes;
}

interface Input {
  readonly MessageBody?: string;
  readonly Entries?: readonly { readonly MessageBody: string }[];
}

uws
  .App()
  .post("/*", (res, req) => {
    const action = job.actions[req.getHeader("x-amz-target").slice("AmazonSQS.".length)];
    if (action === undefined) throw new Error("The ceiling knows the actions that it is told of");
    let gone = false;
    res.onAborted(() => {
      gone = true;
    });
    res.onData((chunk, isLast) => {
      if (!isLast) throw new Error("The ceiling takes bodies in one piece only");
      const input: Input = JSON.parse(Buffer.from(chunk).toString());
      const answer = (): void => {
        if (gone) return;
        res.cork(() => {
          res.writeHeader("x-amzn-RequestId", REQUEST_ID);
          res.writeHeader("Content-Type", job.contentType);
          res.end(action.reply);
        });
      };
      if (file === -1) {
        answer();
        return;
      }
      const bodies = input.Entries?.map((entry) => entry.MessageBody) ?? [input.MessageBody ?? ""];
      keep(action.perEntry ? bodies : [], action.logBytes);
      if (action.waits) waiting.push(answer);
      else answer();
      schedule();
    });
  })
  .listen("127.0.0.1", 0, (socket) => {
    process.stdout.write(`at http://127.0.0.1:${uws.us_socket_local_port(socket)}\n`);
  });
