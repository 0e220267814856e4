// Where pages get their connect tickets: POST /stream/ticket, and the question that a browser asks before it.
import type { HttpRequest, HttpResponse, TemplatedApp } from "uWebSockets.js";
import type { SqsReply, SqsRequest } from "../sqs/exchange.ts";
import type { StreamGate } from "../sqs/stream-gate.ts";
import type { StreamHub } from "../stream/hub.ts";
import { STATUS } from "./exchange.ts";
import { HeaderList } from "./header-list.ts";
import type { Origins } from "./origins.ts";

const PATH = "/stream/ticket";
/** Nothing is read of a body; it is signed, though, whatever it is. */
const BODY_BYTES_MAX = 4096;
const SIGNED_HEADERS = "Authorization, Content-Type, X-Amz-Content-Sha256, X-Amz-Date, X-Amz-Security-Token";

interface Options {
  readonly hub: StreamHub;
  readonly origins: Origins;
  readonly gate: StreamGate;
  readonly scheme: SqsRequest["scheme"];
}

export function serveTickets(app: TemplatedApp, { hub, origins, gate, scheme }: Options): void {
  app.options(PATH, (res, req) => {
    const origin = req.getHeader("origin");
    if (!origins.allows(origin)) {
      res.writeStatus("403 Forbidden").end("This origin is not allowed\n");
      return;
    }
    allow(res.writeStatus("204 No Content"), origin)
      .writeHeader("Access-Control-Allow-Methods", "POST")
      .writeHeader("Access-Control-Allow-Headers", SIGNED_HEADERS)
      .writeHeader("Access-Control-Max-Age", "600")
      .endWithoutBody();
  });

  app.post(PATH, (res, req) => {
    const origin = req.getHeader("origin");
    const request = requestOf(res, req, scheme, req.getHeader("x-amz-target"));
    if (origin === "" || !origins.allows(origin)) {
      reply(res, gate.refuse(request, "AccessDeniedException", "A ticket is for an allowed Origin").reply);
      return;
    }
    let body = Buffer.alloc(0);
    let isOver = false;
    res.onAborted(() => {
      isOver = true;
    });
    res.onData((chunk, isLast) => {
      if (isOver) return;
      isOver = isLast || body.byteLength + chunk.byteLength > BODY_BYTES_MAX;
      body = Buffer.concat([body, new Uint8Array(chunk)]);
      if (!isOver) return;
      res.cork(() => {
        if (body.byteLength > BODY_BYTES_MAX) res.writeStatus("413 Payload Too Large").end("", true);
        else answer(res, origin, { ...request, body });
      });
    });
  });

  const answer = (res: HttpResponse, origin: string, request: SqsRequest): void => {
    const admitted = gate.admit(request);
    const admission =
      admitted.kind === "unsigned"
        ? gate.refuse(request, "AccessDeniedException", "A ticket is for those who sign the request for it.")
        : admitted;
    if (admission.kind === "refused") {
      reply(res, admission.reply, origin);
      return;
    }
    const ticket = hub.issueTicket(origin, admission.caller);
    const requestId = admission.caller.standing?.requestId;
    if (requestId !== undefined) res.writeHeader("x-amzn-RequestId", requestId);
    allow(res, origin)
      .writeHeader("Content-Type", "application/json")
      .writeHeader("Cache-Control", "no-store")
      .end(JSON.stringify(ticket));
  };
}

function allow(res: HttpResponse, origin: string): HttpResponse {
  return res.writeHeader("Access-Control-Allow-Origin", origin).writeHeader("Vary", "Origin");
}

/** Everything of a request that may be signed, but its body. */
export function requestOf(
  res: HttpResponse,
  req: HttpRequest,
  scheme: SqsRequest["scheme"],
  target: string,
): SqsRequest {
  return {
    method: req.getCaseSensitiveMethod(),
    path: req.getUrl(),
    query: req.getQuery() ?? "",
    host: req.getHeader("host"),
    scheme,
    contentType: req.getHeader("content-type"),
    target,
    authorization: req.getHeader("authorization"),
    accept: req.getHeader("accept"),
    traceHeader: "",
    body: Buffer.alloc(0),
    headers: new HeaderList(req),
    remoteAddress: Buffer.from(res.getRemoteAddressAsText()).toString("latin1"),
  };
}

/** Refuses a page or a client in the words of the API. */
export function reply(res: HttpResponse, { status, requestId, contentType, body }: SqsReply, origin = ""): void {
  res.writeStatus(STATUS[status] ?? String(status));
  if (origin !== "") allow(res, origin);
  res.writeHeader("x-amzn-RequestId", requestId).writeHeader("Content-Type", contentType).end(body);
}
