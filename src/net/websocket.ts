// WebSockets on uWebSockets.js: upgrades, frames and backpressure for src/stream.
import type { HttpRequest, HttpResponse, TemplatedApp, us_socket_context_t, WebSocket } from "uWebSockets.js";
import { STREAM_FRAME_BYTES_MAX } from "../limits.ts";
import type { SqsRequest } from "../sqs/exchange.ts";
import type { Admission, StreamGate } from "../sqs/stream-gate.ts";
import type { Caller } from "../stream/caller.ts";
import { SUBPROTOCOLS, type Subprotocol } from "../stream/codec.ts";
import type { Connection, StreamSocket } from "../stream/connection.ts";
import type { StreamHub } from "../stream/hub.ts";
import type { Origins } from "./origins.ts";
import { reply, requestOf, serveTickets } from "./tickets.ts";

const PATH = "/stream";
/** A frame a little too large is still read, so that its sender can be told; beyond this the connection just ends. */
const PAYLOAD_BYTES_MAX = STREAM_FRAME_BYTES_MAX + 64 * 1024;
/** Whoever is silent for so long, pings included, is gone. The library sends the pings. */
const IDLE_SECONDS = 32;
/** More than a blocked connection can have come to: nothing is ever dropped. */
const BACKPRESSURE_BYTES_MAX = 256 * 1024 * 1024;
const TICK_MS = 50;
/** How long a closed connection may take to read what was on its way. */
const CLOSING_MS = 2_000;

export interface StreamOptions {
  readonly hub: StreamHub;
  readonly origins: Origins;
  readonly gate: StreamGate;
  readonly scheme: SqsRequest["scheme"];
}

interface Client {
  readonly subprotocol: Subprotocol;
  readonly caller: Caller | undefined;
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
  const { hub } = options;

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
    ping: (ws) => ws.getUserData().connection?.pinged(),
    drain: (ws) => ws.getUserData().connection?.drained(),
    close: (ws) => {
      const client = ws.getUserData();
      client.isClosed = true;
      client.connection?.closed();
    },
  });

  // A proxy that does not hand the upgrade on is known by this, and not by an error of the API.
  app.get(PATH, (res, req) => {
    if (new URLSearchParams(req.getQuery()).has("Action")) {
      req.setYield(true); // to the API, which says what is wrong with it
      return;
    }
    res.writeStatus("426 Upgrade Required").writeHeader("Upgrade", "websocket");
    res.end("A stream is a WebSocket: the request had no Upgrade, or a proxy took it away\n");
  });
  serveTickets(app, options);
  const ticking = setInterval(() => hub.tick(), TICK_MS);
  return { close: () => clearInterval(ticking) };
}

function upgrade(
  res: HttpResponse,
  req: HttpRequest,
  context: us_socket_context_t,
  { origins, gate, scheme }: StreamOptions,
): void {
  const origin = req.getHeader("origin");
  const request = requestOf(res, req, scheme, "");
  if (origin !== "" && !origins.allows(origin)) {
    reply(res, gate.refuse(request, "AccessDeniedException", "This origin is not allowed").reply);
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
  const admission = admit(gate, request, origin !== "");
  if (admission.kind === "refused") {
    reply(res, admission.reply);
    return;
  }
  const client: Client = {
    subprotocol,
    caller: admission.kind === "caller" ? admission.caller : undefined,
    origin: origin === "" ? undefined : origin,
    connection: undefined,
    isClosed: false,
  };
  const key = req.getHeader("sec-websocket-key");
  const requestId = admission.kind === "caller" ? admission.caller.standing?.requestId : undefined;
  if (requestId !== undefined) {
    res.writeStatus("101 Switching Protocols").writeHeader("x-amzn-RequestId", requestId);
  }
  res.upgrade(client, key, subprotocol, req.getHeader("sec-websocket-extensions"), context);
}

/** A page that has signed nothing may come in, to show its ticket; nobody else may. */
function admit(gate: StreamGate, request: SqsRequest, isPage: boolean): Admission {
  const admission = gate.admit(request);
  if (admission.kind !== "unsigned" || isPage) return admission;
  return gate.refuse(
    request,
    "AccessDeniedException",
    "A stream is for those who sign its upgrade, or bring a ticket.",
  );
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
