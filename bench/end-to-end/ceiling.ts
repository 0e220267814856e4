// What this machine could do at best: the same sockets, a handler that parses the JSON and answers with bytes known
// beforehand. "durable" also writes as many bytes as the broker would, in group commits: the next gathers while one syncs.
// A receive is answered at once, as the broker's are on a standard queue, and its bytes are written with what comes next.

import type { HttpRequest } from "uWebSockets.js";
import { createHmac, hash, timingSafeEqual } from "node:crypto";
import { join } from "node:path";
import { loadUws } from "../../src/net/addon.ts";
import { GroupCommit } from "../group-commit.ts";
import { ROOT } from "../support.ts";

export interface CeilingJob {
  readonly mode: "parse" | "durable";
  readonly filePath: string;
  readonly contentType: string;
  readonly port?: number; // any, if it is absent
  /** Signatures are verified: of this key, for the day, region and service that they name. */
  readonly secret?: string;
  /** By action: the answer, and what it adds to the log; `perEntry` for each message that comes. */
  readonly actions: Readonly<Record<string, CeilingAction>>;
}

export interface CeilingAction {
  readonly reply: string;
  readonly logBytes: number;
  readonly perEntry: boolean;
  readonly waits: boolean;
}

/** Ten thousand messages at once, and more. */
const GATHER_BYTES = 8 * 1024 * 1024;
const REQUEST_ID = "00000000-0000-4000-8000-000000000000";

const uws = loadUws(join(ROOT, "node_modules"), undefined);
const job: CeilingJob = JSON.parse(process.argv[2] ?? "");

const disk = job.mode === "parse" ? undefined : new GroupCommit(job.filePath, GATHER_BYTES);

interface Input {
  readonly MessageBody?: string;
  readonly Entries?: readonly { readonly MessageBody: string }[];
}

const signingKeys = new Map<string, Buffer>();

function signingKey(secret: string, scope: string): Buffer {
  let key = signingKeys.get(scope);
  if (key === undefined) {
    key = Buffer.from(`AWS4${secret}`);
    for (const part of scope.split("/")) key = createHmac("sha256", key).update(part).digest();
    signingKeys.set(scope, key);
  }
  return key;
}

/** As little as verifies a signature in a header. @returns whether it is right for the body, once that is there */
function verifier(secret: string, req: HttpRequest): (body: Buffer) => boolean {
  const [, scope = "", names = "", signature = ""] =
    /Credential=[^/]+\/([^,]+), SignedHeaders=([^,]+), Signature=(\w+)/.exec(req.getHeader("authorization")) ?? [];
  const date = req.getHeader("x-amz-date");
  let lines = "";
  for (const name of names.split(";")) lines += `${name}:${req.getHeader(name)}\n`;
  return (body) => {
    const canonical = `POST\n/\n\n${lines}\n${names}\n${hash("sha256", body, "hex")}`;
    const text = `AWS4-HMAC-SHA256\n${date}\n${scope}\n${hash("sha256", canonical, "hex")}`;
    const right = createHmac("sha256", signingKey(secret, scope)).update(text).digest();
    return timingSafeEqual(right, Buffer.from(signature, "hex"));
  };
}

uws
  .App()
  .post("/*", (res, req) => {
    const action = job.actions[req.getHeader("x-amz-target").slice("AmazonSQS.".length)];
    if (action === undefined) throw new Error("The ceiling knows the actions that it is told of");
    const verify = job.secret === undefined ? undefined : verifier(job.secret, req);
    let gone = false;
    res.onAborted(() => {
      gone = true;
    });
    res.onData((chunk, isLast) => {
      if (!isLast) throw new Error("The ceiling takes bodies in one piece only");
      if (verify !== undefined && !verify(Buffer.from(chunk))) throw new Error("The signature is wrong");
      const input: Input = JSON.parse(Buffer.from(chunk).toString());
      const answer = (): void => {
        if (gone) return;
        res.cork(() => {
          res.writeHeader("x-amzn-RequestId", REQUEST_ID);
          res.writeHeader("Content-Type", job.contentType);
          res.end(action.reply);
        });
      };
      if (disk === undefined) {
        answer();
        return;
      }
      const bodies = input.Entries?.map((entry) => entry.MessageBody) ?? [input.MessageBody ?? ""];
      if (action.perEntry) for (const body of bodies) disk.addText(body, action.logBytes);
      else disk.addSize(action.logBytes);
      if (action.waits) disk.commit(answer);
      else {
        answer();
        disk.commitSoon();
      }
    });
  })
  .listen("127.0.0.1", job.port ?? 0, (socket) => {
    process.stdout.write(`at http://127.0.0.1:${uws.us_socket_local_port(socket)}\n`);
  });
