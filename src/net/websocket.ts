// WebSockets on uWebSockets.js: upgrades, frames and backpressure for src/stream, and the connect tickets of pages.
import type { HttpRequest, HttpResponse, TemplatedApp, us_socket_context_t, WebSocket } from "uWebSockets.js";
import { STREAM_FRAME_BYTES_MAX } from "../limits.ts";
import { SUBPROTOCOLS, type Subprotocol } from "../stream/codec.ts";
import type { Caller, Connection, StreamSocket } from "../stream/connection.ts";
import type { StreamHub } from "../stream/hub.ts";
import type { Origins } from "./origins.ts";

const PATH = "/stream";
const TICKET_PATH = "/stream/ticket";
/** A frame a little too large is still read, so that its sender can be told; beyond this the connection just ends. */
const PAYLOAD_BYTES_MAX = STREAM_FRAME_BYTES_MAX + 64 * 1024;
/** Whoever is silent for so long, pings included, is gone. The library sends the pings. */
const IDLE_SECONDS = 32;
/** More than a blocked connection can have come to: nothing is ever dropped. */
const BACKPRESSURE_BYTES_MAX = 256 * 1024 * 1024;
const TICK_MS = 50;
/** How long a closed connection may take to read what was on its way. */
const CLOSING_MS = 2_000;

/** What tells who asks. Valid until the callback returns. */
export interface UpgradeRequest {
  readonly host: string;
  readonly query: string; // without "?"
  readonly authorization: string;
}

export interface StreamOptions {
  readonly hub: StreamHub;
  readonly origins: Origins;
  /** Who asks, by the credentials of the request; undefined: he may not come in. */
  readonly callerOf: (request: UpgradeRequest) => Caller | undefined;
}

interface Client {
  readonly subprotocol: Subprotocol;
  readonly caller: Caller;
  readonly origin: string | undefined;
  connection: Connection | undefined;
  isClosed: boolean;
}

export interface StreamServer {
  /** No timer runs any more. */
  close(): void;
}

/** Serves streams on the app, which is not listening yet. */
export function serveStreams(app: TemplatedApp, options: StreamOptions): StreamServer {
  const { hub, origins, callerOf } = options;

  app.ws<Client>(PATH, {
    maxPayloadLength: PAYLOAD_BYTES_MAX,
    maxBackpressure: BACKPRESSURE_BYTES_MAX,
    idleTimeout: IDLE_SECONDS,
    sendPingsAutomatically: true,
    upgrade: (res, req, context) => upgrade(res, req, context, options),
    open: (ws) => {
      const client = ws.getUserData();
      client.connection = hub.connect(socketOf(ws), client);
    },
    message: (ws, message, isBinary) => ws.getUserData().connection?.receive(new Uint8Array(message), !isBinary),
    drain: (ws) => ws.getUserData().connection?.drained(),
    close: (ws) => {
      const client = ws.getUserData();
      client.isClosed = true;
      client.connection?.closed();
    },
  });

  app.options(TICKET_PATH, (res, req) => {
    const origin = req.getHeader("origin");
    if (!origins.allows(origin)) {
      res.writeStatus("403 Forbidden").end("This origin is not allowed\n");
      return;
    }
    allow(res.writeStatus("204 No Content"), origin)
      .writeHeader("Access-Control-Allow-Methods", "POST")
      .writeHeader("Access-Control-Allow-Headers", "Authorization, X-Amz-Date, X-Amz-Security-Token, Content-Type")
      .writeHeader("Access-Control-Max-Age", "600")
      .endWithoutBody();
  });

  app.post(TICKET_PATH, (res, req) => {
    const origin = req.getHeader("origin");
    if (origin === "" || !origins.allows(origin)) {
      res.writeStatus("403 Forbidden").end("A ticket is for an allowed Origin\n");
      return;
    }
    const caller = callerOf(requestOf(req));
    if (caller === undefined) {
      refuse(res);
      return;
    }
    const ticket = hub.issueTicket(origin, caller);
    allow(res, origin)
      .writeHeader("Content-Type", "application/json")
      .writeHeader("Cache-Control", "no-store")
      .end(JSON.stringify(ticket));
  });

  const ticking = setInterval(() => hub.tick(), TICK_MS);
  return { close: () => clearInterval(ticking) };
}

function allow(res: HttpResponse, origin: string): HttpResponse {
  return res.writeHeader("Access-Control-Allow-Origin", origin).writeHeader("Vary", "Origin");
}

function requestOf(req: HttpRequest): UpgradeRequest {
  return {
    host: req.getHeader("host"),
    query: req.getQuery() ?? "",
    authorization: req.getHeader("authorization"),
  };
}

function refuse(res: HttpResponse): void {
  res.writeStatus("403 Forbidden").end("Signatures are checked here, and there are no streams yet where they are\n");
}

function upgrade(
  res: HttpResponse,
  req: HttpRequest,
  context: us_socket_context_t,
  { origins, callerOf }: StreamOptions,
): void {
  const origin = req.getHeader("origin");
  if (origin !== "" && !origins.allows(origin)) {
    res.writeStatus("403 Forbidden").end("This origin is not allowed\n");
    return;
  }
  const offered = req
    .getHeader("sec-websocket-protocol")
    .split(",")
    .map((each) => each.trim());
  const subprotocol = offered.find((each): each is Subprotocol => (SUBPROTOCOLS as readonly string[]).includes(each));
  if (subprotocol === undefined) {
    res.writeStatus("400 Bad Request").end(`Sec-WebSocket-Protocol is one of ${SUBPROTOCOLS.join(", ")}\n`);
    return;
  }
  const caller = callerOf(requestOf(req));
  if (caller === undefined) {
    refuse(res);
    return;
  }
  const client: Client = {
    subprotocol,
    caller,
    origin: origin === "" ? undefined : origin,
    connection: undefined,
    isClosed: false,
  };
  const key = req.getHeader("sec-websocket-key");
  res.upgrade(client, key, subprotocol, req.getHeader("sec-websocket-extensions"), context);
}

function socketOf(ws: WebSocket<Client>): StreamSocket {
  const client = ws.getUserData();
  return {
    get bufferedBytes() {
      return client.isClosed ? 0 : ws.getBufferedAmount();
    },
    send(bytes, isText) {
      if (!client.isClosed) ws.send(bytes, !isText);
    },
    cork(run) {
      if (client.isClosed) run();
      else ws.cork(run);
    },
    end(code, reason) {
      if (client.isClosed) return;
      ws.end(code, reason);
      // Who does not read what is on its way does not read the end of it either.
      setTimeout(() => {
        if (!client.isClosed) ws.close();
      }, CLOSING_MS).unref();
    },
  };
}
