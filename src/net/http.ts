// HTTP on uWebSockets.js: bytes in, bytes out. It knows sizes and sockets, and nothing of queues.
import type { HttpRequest, HttpResponse, TemplatedApp } from "uWebSockets.js";
import { REQUEST_BYTES_MAX } from "../limits.ts";
import type { Handle, SqsReply } from "../sqs/exchange.ts";
import type { Uws } from "./addon.ts";

/** Bodies that are still coming in may hold this much memory together; a further one is told to come again. */
const GATHERING_BYTES_MAX = 512 * 1024 * 1024;

/** What a body's buffer begins with: it doubles from here, so that a declared size alone costs nothing. */
const GATHERING_BYTES_MIN = 16 * 1024;

/** How long close() lets answers be made, and how long those made may still be on their way to a slow reader. */
const ANSWERING_MS_MAX = 5_000;
const FLUSHING_MS = 100;

const NO_BODY: Buffer = Buffer.alloc(0);

/** LIBUS_LISTEN_EXCLUSIVE_PORT: a second broker is told that the port is taken, not given half of the requests. */
const EXCLUSIVE_PORT = 1;

export interface Server {
  readonly port: number;
  /** No new connections and no new requests; resolves when what was asked has been answered and every connection is closed. */
  close(): Promise<void>;
}

/** A path with a handler of its own, exact but for one slash at its end; "/a/*" is every path below "/a/". */
export interface Route {
  readonly path: string;
  readonly handle: Handle;
}

export interface ListenOptions {
  readonly uws: Uws;
  readonly host: string;
  readonly port: number; // 0: any that is free
  readonly handle: Handle;
  readonly routes?: readonly Route[];
  readonly gatheringBytesMax?: number;
}

/** A body on its way in. One buffer: a list of chunks would cost a sender of single bytes little and us a lot. */
interface Gathered {
  buffer: Buffer;
  sizeBytes: number;
}

export function listen(options: ListenOptions): Promise<Server> {
  const { uws, host, port } = options;
  const gatheringBytesMax = options.gatheringBytesMax ?? GATHERING_BYTES_MAX;
  const app: TemplatedApp = uws.App();
  let gatheringBytes = 0; // capacities of all the buffers of bodies on their way in
  let answeringCount = 0; // requests handed over and not answered yet
  let connectionCount = 0;
  let onQuiet: (() => void) | undefined; // set while closing
  const onConnection = (_res: HttpResponse, change: number): void => {
    connectionCount += change > 0 ? 1 : -1;
  };
  app.filter(onConnection);

  const onRequest = (handle: Handle, res: HttpResponse, req: HttpRequest): void => {
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
      body: NO_BODY,
    };
    let over = false; // answered, or the client has gone: res is not to be touched any more
    let answering = false;
    let cancel: (() => void) | undefined;
    let gathered: Gathered | undefined;
    const letGo = (): void => {
      if (gathered !== undefined) gatheringBytes -= gathered.buffer.byteLength;
      gathered = undefined;
    };
    const finish = (): void => {
      over = true;
      if (!answering) return;
      answering = false;
      answeringCount--;
      if (answeringCount === 0) onQuiet?.();
    };
    const answer = (reply: SqsReply): void => {
      if (over) return;
      res.cork(() => write(res, reply, onQuiet !== undefined));
      finish();
    };
    const handOver = (body: Buffer): void => {
      if (onQuiet !== undefined) {
        refuse("503 Service Unavailable", "The broker is stopping: try again");
        return;
      }
      answering = true;
      answeringCount++;
      request.body = body;
      cancel = handle(request, answer);
    };
    const refuse = (status: string, text: string): void => {
      letGo();
      finish();
      res.cork(() => {
        res.writeStatus(status).writeHeader("Content-Type", "text/plain; charset=utf-8");
        if (method === "HEAD") res.endWithoutBody(0, true);
        else res.end(`${text}\n`, true);
      });
    };
    res.onAborted(() => {
      letGo();
      if (over) return;
      finish();
      cancel?.();
    });

    if (declaredBytes > REQUEST_BYTES_MAX) {
      refuse("413 Payload Too Large", `The body has ${declaredBytes} bytes, at most ${REQUEST_BYTES_MAX} are allowed`);
      return;
    }
    if (method === "GET") {
      handOver(NO_BODY);
      return;
    }
    if (method !== "POST") {
      refuse("405 Method Not Allowed", `${method} is not served here: POST, or GET`);
      return;
    }
    res.onData((chunk, isLast) => {
      if (over) return;
      const sizeBytes = (gathered?.sizeBytes ?? 0) + chunk.byteLength;
      if (sizeBytes > REQUEST_BYTES_MAX) {
        refuse("413 Payload Too Large", `The body has more than ${REQUEST_BYTES_MAX} bytes`);
        return;
      }
      if (isLast && gathered === undefined) {
        handOver(Buffer.from(chunk)); // the chunk itself, not a copy: it is valid until this returns
        return;
      }
      if (gathered === undefined || sizeBytes > gathered.buffer.byteLength) {
        const capacityBytes = capacityFor(sizeBytes, declaredBytes);
        if (gatheringBytes + capacityBytes > gatheringBytesMax) {
          refuse("503 Service Unavailable", "Too many bodies are being received at once: try again");
          return;
        }
        const buffer = Buffer.allocUnsafeSlow(capacityBytes);
        if (gathered !== undefined) gathered.buffer.copy(buffer, 0, 0, gathered.sizeBytes);
        const held = { buffer, sizeBytes: gathered?.sizeBytes ?? 0 };
        letGo();
        gathered = held;
        gatheringBytes += capacityBytes;
      }
      gathered.buffer.set(new Uint8Array(chunk), gathered.sizeBytes);
      gathered.sizeBytes = sizeBytes;
      if (!isLast) return;
      const body = gathered.buffer.subarray(0, sizeBytes);
      letGo();
      handOver(body);
    });
  };

  for (const { path, handle } of options.routes ?? []) {
    app.any(path, (res, req) => onRequest(handle, res, req));
    if (!path.endsWith("/*")) app.any(`${path}/`, (res, req) => onRequest(handle, res, req));
  }
  app.any("/*", (res, req) => onRequest(options.handle, res, req));

  const close = async (listening: Parameters<Uws["us_listen_socket_close"]>[0]): Promise<void> => {
    uws.us_listen_socket_close(listening);
    await new Promise<void>((quiet) => {
      const late = setTimeout(quiet, ANSWERING_MS_MAX);
      onQuiet = () => {
        clearTimeout(late);
        quiet();
      };
      if (answeringCount === 0) onQuiet();
    });
    // Connections with an answer on its way close themselves behind it; what is left after this is idle, or does not read.
    if (connectionCount > 0) await new Promise((flushed) => setTimeout(flushed, FLUSHING_MS));
    app.close();
  };
  return new Promise((resolve, reject) => {
    const onListen = (socket: Parameters<Uws["us_socket_local_port"]>[0] | false): void => {
      if (!socket) {
        reject(new Error(`Cannot listen on ${host}:${port}: the address is in use, or not this machine's`));
        return;
      }
      resolve({ port: uws.us_socket_local_port(socket), close: () => close(socket) });
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

/** Room for a body of which `sizeBytes` are here: at least doubling, and never beyond what was declared. */
function capacityFor(sizeBytes: number, declaredBytes: number): number {
  let capacityBytes = GATHERING_BYTES_MIN;
  while (capacityBytes < sizeBytes) capacityBytes *= 2;
  return declaredBytes >= sizeBytes ? Math.min(capacityBytes, declaredBytes) : capacityBytes;
}

function write(res: HttpResponse, reply: SqsReply, closing: boolean): void {
  if (reply.status !== 200) res.writeStatus(STATUS[reply.status] ?? String(reply.status));
  res.writeHeader("x-amzn-RequestId", reply.requestId);
  res.writeHeader("Content-Type", reply.contentType);
  if (reply.queryError !== undefined) res.writeHeader("x-amzn-query-error", reply.queryError);
  res.end(reply.body, closing);
}
