// One HTTP request and its answer, as the SQS room sees them: no sockets.

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
