// One HTTP request and its answer, as the SQS room sees them: no sockets.
import type { HeldAnswer } from "../broker/types.ts";

/** Valid until `handle` returns; what is kept must be copied. Header values are as received, "" when absent. */
export interface SqsRequest {
  readonly method: string; // upper case
  readonly path: string; // as received, percent-encoded
  readonly query: string; // without "?"
  readonly host: string;
  readonly scheme: "http" | "https";
  readonly contentType: string;
  readonly target: string; // X-Amz-Target
  readonly authorization: string;
  readonly accept: string;
  readonly traceHeader: string; // X-Amzn-Trace-Id
  readonly body: Buffer;
  /** All headers by their names in lower case, of one that came twice the values joined by ","; empty where nobody checks. */
  readonly headers: { get(name: string): string | undefined };
  readonly remoteAddress: string; // "" where nobody checks; to be asked for before `handle` returns
  /** Set by whoever counts requests under way: called once, when this one is answered or its client has gone. */
  onEnd?: (() => void) | undefined;
}

export interface SqsReply {
  readonly status: number;
  readonly contentType: string;
  readonly requestId: string;
  readonly queryError: string | undefined; // x-amzn-query-error
  readonly body: string;
}

/** @returns a function to call when the client goes away before the answer, or undefined if answered already. */
export type Handle = (request: SqsRequest, answer: (reply: SqsReply) => void) => (() => void) | undefined;

/** A reply whose body may be bytes, valid only while it is being given. */
export interface DirectReply extends Omit<SqsReply, "body"> {
  readonly body: string | Uint8Array;
}

/** Whoever asked: answered once at most. While his answer waits for the disk he holds its text himself: nothing is made for that. */
export interface Client extends HeldAnswer {
  answer(reply: DirectReply): void;
}

/** @returns false when the request is not for this way: nothing has been done, and a Handle takes it. Else as a Handle. */
export type Direct = (request: SqsRequest, client: Client) => (() => void) | undefined | false;
