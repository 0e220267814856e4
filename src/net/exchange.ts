// One HTTP request and its answer, on a socket. `res` is touched once at most after the request was handed over: by the
// answer, or never, if the client has gone.
import type { HttpResponse } from "uWebSockets.js";
import { REQUEST_BYTES_MAX } from "../limits.ts";
import type { ErrorCode } from "../sqs/errors.ts";
import type { Client, Direct, DirectReply, Handle } from "../sqs/exchange.ts";
import { JSON_TYPE } from "../sqs/json.ts";
import { refusalOf } from "../sqs/refusal.ts";
import { newRequestId } from "../sqs/request-ids.ts";
import { letRead } from "./cors.ts";
import { Gathering, type GatheringBudget } from "./gathering.ts";
import type { Incoming } from "./incoming.ts";
import type { Traffic } from "./traffic.ts";

export const STATUS: Readonly<Record<number, string>> = {
  200: "200 OK",
  400: "400 Bad Request",
  403: "403 Forbidden",
  404: "404 Not Found",
  413: "413 Payload Too Large",
  500: "500 Internal Server Error",
  503: "503 Service Unavailable",
};

/** What stands before the ID of a request that was answered in JSON. */
const JSON_HEADERS = `Content-Type: ${JSON_TYPE}\r\nx-amzn-RequestId`;

/** What all requests of a server share. */
export interface Shared {
  readonly traffic: Traffic;
  readonly budget: GatheringBudget;
}

export class Exchange implements Client {
  readonly #res: HttpResponse;
  readonly #request: Incoming;
  readonly #shared: Shared;
  readonly #handle: Handle;
  readonly #direct: Direct | undefined;
  readonly #servesHead: boolean;
  readonly #reader: string;
  /** The answer to an action of the JSON protocol, while it waits for the disk. */
  text = "";
  #over = false; // answered, or the client has gone
  #answering = false;
  #cancel: (() => void) | undefined;
  #gathering: Gathering | undefined;
  #reply: DirectReply | undefined;

  constructor(
    res: HttpResponse,
    request: Incoming,
    shared: Shared,
    handle: Handle,
    direct: Direct | undefined,
    servesHead: boolean,
    /** The origin whose page may read the answer; "": none. */
    reader: string,
  ) {
    this.#res = res;
    this.#request = request;
    this.#shared = shared;
    this.#handle = handle;
    this.#direct = direct;
    this.#servesHead = servesHead;
    this.#reader = reader;
  }

  start(): void {
    this.#res.onAborted(() => this.#abort());
    const { method, declaredBytes } = this.#request;
    if (declaredBytes > REQUEST_BYTES_MAX) {
      this.#refuseSize(`The body has ${declaredBytes} bytes, at most ${REQUEST_BYTES_MAX} are allowed`);
    } else if (method === "POST") this.#res.onData((chunk, isLast) => this.#take(chunk, isLast));
    else if (method === "GET" || (method === "HEAD" && this.#servesHead)) this.#handOver(this.#request.body);
    else this.#refuseMethod();
  }

  /** Says no before anything of the body has been read. */
  deny(text: string): void {
    this.#refuse("AccessDeniedException", text);
  }

  #take(chunk: ArrayBuffer, isLast: boolean): void {
    if (this.#over) return;
    if (isLast && this.#gathering === undefined && chunk.byteLength <= REQUEST_BYTES_MAX) {
      this.#handOver(Buffer.from(chunk)); // the chunk itself, not a copy: it is valid until this returns
      return;
    }
    this.#gathering ??= new Gathering(this.#shared.budget, this.#request.declaredBytes);
    if (this.#gathering.sizeBytes + chunk.byteLength > REQUEST_BYTES_MAX) {
      this.#refuseSize(`The body has more than ${REQUEST_BYTES_MAX} bytes`);
    } else if (!this.#gathering.add(new Uint8Array(chunk))) {
      this.#refuse("ServiceUnavailableException", "Too many bodies are being received at once: try again");
    } else if (isLast) {
      const { body } = this.#gathering;
      this.#letGo();
      this.#handOver(body);
    }
  }

  #handOver(body: Buffer): void {
    const { traffic } = this.#shared;
    if (traffic.isClosing) {
      this.#refuse("ServiceUnavailableException", "The broker is stopping: try again");
      return;
    }
    this.#answering = true;
    traffic.begin();
    this.#request.body = body;
    const taken = this.#direct === undefined ? false : this.#direct(this.#request, this);
    this.#cancel = taken === false ? this.#handle(this.#request, (reply) => this.answer(reply)) : taken;
  }

  answer(reply: DirectReply): void {
    if (this.#over) return;
    this.#reply = reply;
    Exchange.#corked = this;
    this.#res.cork(Exchange.#writeCorked);
    this.#finish();
  }

  /** What the answer tells is on disk. */
  release(): void {
    if (this.#over) return;
    Exchange.#corked = this;
    this.#res.cork(Exchange.#writeText);
    this.#finish();
  }

  // Headers and body leave together, under one cork, which calls back at once: one function serves every answer.
  static #corked: Exchange;
  static readonly #writeCorked = (): void => Exchange.#corked.#write();

  // Nearly every answer is one of these. Each call into the library costs as much as the rest of it: one writes both headers.
  static readonly #writeText = (): void => {
    const { text } = Exchange.#corked;
    const res = Exchange.#corked.#res;
    res.writeHeader(JSON_HEADERS, newRequestId());
    if (Exchange.#corked.#reader !== "") letRead(res, Exchange.#corked.#reader);
    res.end(text, Exchange.#corked.#shared.traffic.isClosing);
  };

  #write(close = this.#shared.traffic.isClosing): void {
    const res = this.#res;
    const reply = this.#reply as DirectReply; // set by answer()
    if (reply.status !== 200) res.writeStatus(STATUS[reply.status] ?? String(reply.status));
    res.writeHeader("x-amzn-RequestId", reply.requestId);
    res.writeHeader("Content-Type", reply.contentType);
    if (reply.queryError !== undefined) res.writeHeader("x-amzn-query-error", reply.queryError);
    if (this.#reader !== "") letRead(res, this.#reader);
    // The library mistakes what a connection asks right after an answer without a body: the client is told to open another.
    if (this.#request.method === "HEAD") res.endWithoutBody(Buffer.byteLength(reply.body), true);
    else res.end(reply.body, close);
  }

  /** Says no in the request's own protocol, and closes the connection, on which the rest of a body may be. */
  #refuse(code: ErrorCode, text: string, status?: number): void {
    const reply = refusalOf(this.#request, code, text);
    this.#letGo();
    this.#finish();
    this.#reply = status === undefined ? reply : { ...reply, status };
    this.#res.cork(() => this.#write(true));
  }

  #refuseSize(text: string): void {
    this.#refuse("InvalidParameterValueException", text, 413);
  }

  #refuseMethod(): void {
    const { method } = this.#request;
    this.#finish();
    this.#res.cork(() => {
      this.#res.writeStatus("405 Method Not Allowed").writeHeader("Content-Type", "text/plain; charset=utf-8");
      if (method === "HEAD") this.#res.endWithoutBody(0, true);
      else this.#res.end(`${method} is not served here: POST, or GET\n`, true);
    });
  }

  #abort(): void {
    this.#letGo();
    if (this.#over) return;
    this.#finish();
    this.#cancel?.();
  }

  #finish(): void {
    this.#over = true;
    if (!this.#answering) return;
    this.#answering = false;
    this.#shared.traffic.end();
    this.#request.onEnd?.();
  }

  #letGo(): void {
    this.#gathering?.letGo();
    this.#gathering = undefined;
  }
}
