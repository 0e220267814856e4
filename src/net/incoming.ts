// What is read of one HTTP request while the library has it: each look at a header is a call out of JavaScript, so
// nothing is looked for twice.
import type { HttpRequest, HttpResponse } from "uWebSockets.js";
import type { SqsRequest } from "../sqs/exchange.ts";
import { JSON_TYPE } from "../sqs/json.ts";
import { HeaderList } from "./header-list.ts";

const NO_BODY: Buffer = Buffer.alloc(0);
const NO_HEADERS: ReadonlyMap<string, string> = new Map();

/** A class, not an object with a getter in it: that would be made anew, shape and all, for every request. */
export class Incoming implements SqsRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly host: string;
  readonly scheme: SqsRequest["scheme"];
  readonly contentType: string;
  readonly target: string;
  readonly authorization: string;
  readonly accept: string;
  readonly traceHeader: string;
  readonly headers: SqsRequest["headers"];
  readonly origin: string; // "": no page asks
  readonly declaredBytes: number; // of the body; 0: not told
  body: Buffer = NO_BODY;
  onEnd: (() => void) | undefined = undefined;
  readonly #res: HttpResponse;
  readonly #hasAddress: boolean;

  /** @param withHeaders whether somebody asks for all headers and the client's address */
  constructor(res: HttpResponse, req: HttpRequest, scheme: SqsRequest["scheme"], withHeaders: boolean) {
    const list = withHeaders ? new HeaderList(req) : undefined;
    this.method = req.getCaseSensitiveMethod();
    this.path = req.getUrl();
    this.query = req.getQuery() ?? "";
    this.host = headerOf("host", req, list);
    this.scheme = scheme;
    this.contentType = headerOf("content-type", req, list);
    this.target = headerOf("x-amz-target", req, list);
    this.authorization = headerOf("authorization", req, list);
    // Whoever asks in the JSON protocol is answered in it, whatever else he accepts.
    this.accept = this.contentType === JSON_TYPE && this.target !== "" ? "" : headerOf("accept", req, list);
    this.traceHeader = headerOf("x-amzn-trace-id", req, list);
    this.headers = list ?? NO_HEADERS;
    this.origin = headerOf("origin", req, list);
    const declared = headerOf("content-length", req, list);
    this.declaredBytes = declared === "" ? 0 : Number(declared);
    this.#res = res;
    this.#hasAddress = withHeaders;
  }

  get remoteAddress(): string {
    return this.#hasAddress ? Buffer.from(this.#res.getRemoteAddressAsText()).toString("latin1") : "";
  }
}

function headerOf(name: string, req: HttpRequest, list: HeaderList | undefined): string {
  return list === undefined ? req.getHeader(name) : (list.get(name) ?? "");
}
