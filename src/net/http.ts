// HTTP on uWebSockets.js: bytes in, bytes out. It knows sizes and sockets, and nothing of queues.
import type { HttpRequest, HttpResponse, TemplatedApp } from "uWebSockets.js";
import { REQUEST_BYTES_MAX } from "../limits.ts";
import type { Handle, SqsReply } from "../sqs/exchange.ts";
import type { Uws } from "./addon.ts";

/** Bodies that are still coming in may hold this much memory together; a further one is told to come again. */
const GATHERING_BYTES_MAX = 512 * 1024 * 1024;

/** LIBUS_LISTEN_EXCLUSIVE_PORT: a second broker is told that the port is taken, not given half of the requests. */
const EXCLUSIVE_PORT = 1;

export interface Server {
  readonly port: number;
  /** No new connections; those that are there are closed once what they asked has been answered. */
  close(): void;
}

export interface ListenOptions {
  readonly uws: Uws;
  readonly host: string;
  readonly port: number; // 0: any that is free
  readonly handle: Handle;
}

export function listen(options: ListenOptions): Promise<Server> {
  const { uws, host, port, handle } = options;
  const app: TemplatedApp = uws.App();
  let gatheringBytes = 0;

  const onRequest = (res: HttpResponse, req: HttpRequest): void => {
    const method = req.getCaseSensitiveMethod();
    const declared = req.getHeader("content-length");
    const declaredBytes = declared === "" ? 0 : Number(declared);
    const request = {
      method,
      path: req.getUrl(),
      query: req.getQuery() ?? "",
      host: req.getHeader("host"),
      scheme: "http" as const,
      contentType: req.getHeader("content-type"),
      target: req.getHeader("x-amz-target"),
      authorization: req.getHeader("authorization"),
      accept: req.getHeader("accept"),
      traceHeader: req.getHeader("x-amzn-trace-id"),
    };
    let gone = false;
    let cancel: (() => void) | undefined;
    let gathered: Buffer[] | undefined;
    let gatheredBytes = 0;
    const letGo = () => {
      gatheringBytes -= gatheredBytes;
      gatheredBytes = 0;
      gathered = undefined;
    };
    res.onAborted(() => {
      gone = true;
      letGo();
      cancel?.();
    });
    const answer = (reply: SqsReply): void => {
      if (gone) return;
      gone = true;
      res.cork(() => write(res, reply));
    };
    const refuse = (status: string, text: string): void => {
      gone = true;
      letGo();
      res.cork(() => {
        res.writeStatus(status).writeHeader("Content-Type", "text/plain; charset=utf-8").end(`${text}\n`, true);
      });
    };

    if (declaredBytes > REQUEST_BYTES_MAX) {
      refuse("413 Payload Too Large", `The body has ${declaredBytes} bytes, at most ${REQUEST_BYTES_MAX} are allowed`);
      return;
    }
    if (method === "GET" && request.path === "/health") {
      res.cork(() => res.writeHeader("Content-Type", "text/plain; charset=utf-8").end("ok\n"));
      return;
    }
    if (method === "GET" || method === "HEAD") {
      cancel = handle({ ...request, body: Buffer.alloc(0) }, answer);
      return;
    }
    if (method !== "POST") {
      refuse("405 Method Not Allowed", `${method} is not served here: POST, or GET`);
      return;
    }
    res.onData((chunk, isLast) => {
      if (gone) return;
      if (isLast && gathered === undefined) {
        cancel = handle({ ...request, body: Buffer.from(chunk) }, answer);
        return;
      }
      gathered ??= [];
      gathered.push(Buffer.from(new Uint8Array(chunk))); // a copy: the chunk is gone when this returns
      gatheredBytes += chunk.byteLength;
      gatheringBytes += chunk.byteLength;
      if (gatheredBytes > REQUEST_BYTES_MAX) {
        refuse("413 Payload Too Large", `The body has more than ${REQUEST_BYTES_MAX} bytes`);
      } else if (gatheringBytes > GATHERING_BYTES_MAX) {
        refuse("503 Service Unavailable", "Too many bodies are being received at once: try again");
      } else if (isLast) {
        const body = Buffer.concat(gathered);
        letGo();
        cancel = handle({ ...request, body }, answer);
      }
    });
  };

  app.any("/*", onRequest);
  return new Promise((resolve, reject) => {
    const onListen = (socket: Parameters<Uws["us_socket_local_port"]>[0] | false): void => {
      if (!socket) {
        reject(new Error(`Cannot listen on ${host}:${port}: the address is in use, or not this machine's`));
        return;
      }
      resolve({ port: uws.us_socket_local_port(socket), close: () => app.close() });
    };
    // The package's types lack the form with an address and options, which the addon has.
    const listenAt = app.listen as unknown as (
      this: TemplatedApp,
      host: string,
      port: number,
      options: number,
      done: typeof onListen,
    ) => void;
    listenAt.call(app, host, port, EXCLUSIVE_PORT, onListen);
  });
}

const STATUS: Readonly<Record<number, string>> = {
  200: "200 OK",
  400: "400 Bad Request",
  403: "403 Forbidden",
  404: "404 Not Found",
  500: "500 Internal Server Error",
  503: "503 Service Unavailable",
};

function write(res: HttpResponse, reply: SqsReply): void {
  if (reply.status !== 200) res.writeStatus(STATUS[reply.status] ?? String(reply.status));
  res.writeHeader("x-amzn-RequestId", reply.requestId);
  res.writeHeader("Content-Type", reply.contentType);
  if (reply.queryError !== undefined) res.writeHeader("x-amzn-query-error", reply.queryError);
  res.end(reply.body);
}
