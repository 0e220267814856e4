// What `connect` takes, and the defaults.
import { WasqError } from "./errors.ts";
import type { Credentials } from "./sign.ts";

/** The part of a WebSocket that is used: the browser's, Node's (22 and newer), and the package ws have it. */
export interface WebSocketLike {
  binaryType: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}

export interface UpgradeRequest {
  /** With a query where it is signed by query. Absent: as it is. */
  readonly url?: string;
  /** Node only: browsers cannot add any. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What happens to the connection. */
export type ConnectionChange =
  | { readonly kind: "connected"; readonly resumed: boolean; readonly serverVersion: string }
  /** It comes again in `retryMs`. */
  | { readonly kind: "disconnected"; readonly error: WasqError; readonly retryMs: number }
  /** The server stops in `deadlineMs`: nothing new is delivered, what is out is being settled. */
  | { readonly kind: "going-away"; readonly deadlineMs: number; readonly reason: string }
  /** For good: `close()` was called, or `error` says what ended it. */
  | { readonly kind: "closed"; readonly error: WasqError | undefined };

export interface ConnectOptions {
  /** Browsers: a fresh connect ticket (POST /stream/ticket), asked for before every connection. */
  readonly ticket?: () => string | Promise<string>;
  /**
   * For a broker that checks keys: signs the upgrade, in Node and in pages. A function is asked before every connection, so
   * that temporary credentials are replaced when they are over.
   */
  readonly credentials?: Credentials | (() => Credentials | Promise<Credentials>);
  /** Instead: signs the upgrade in some other way, by headers (Node) or by query, before every connection. */
  readonly authorize?: (request: { readonly url: string }) => UpgradeRequest | Promise<UpgradeRequest>;
  /** The region whose queues are meant. Default: the broker's, and us-east-1 with `credentials`. `authorize` says it by itself. */
  readonly region?: string;
  /** For the server's log. */
  readonly clientName?: string;
  /** How often a quiet server is to say something, in ms: 1,000 to 60,000. Default 10,000. */
  readonly heartbeatMs?: number;
  /** How long the session outlives a broken connection, in ms: to 60,000. Default 5,000. */
  readonly graceMs?: number;
  /** How long one attempt to connect may take, in ms. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Whether a broken connection is made again. Default true. */
  readonly reconnect?: boolean;
  /** Whether the first connection is tried again and again as well, instead of failing. Default false. */
  readonly waitForServer?: boolean;
  /** The longest wait between two attempts, in ms. Default 10,000. */
  readonly retryMsMax?: number;
  /** Ends the client as `close()` does, without waiting for anything. */
  readonly signal?: AbortSignal;
  readonly onChange?: (change: ConnectionChange) => void;
  /** Another WebSocket than the global one. */
  readonly webSocket?: (url: string, protocols: string[], headers: Readonly<Record<string, string>>) => WebSocketLike;
}

/** @internal */
export interface Settings extends ConnectOptions {
  readonly url: string;
  readonly heartbeatMs: number;
  readonly graceMs: number;
  readonly connectTimeoutMs: number;
  readonly retryMsMax: number;
}

/** @internal */
export function settingsOf(url: string | URL, options: ConnectOptions): Settings {
  const { credentials, authorize, region } = options;
  if (credentials !== undefined && authorize !== undefined) {
    throw new WasqError("INVALID_PARAMETER", "credentials or authorize, not both");
  }
  return {
    ...options,
    url: streamUrl(String(url), credentials === undefined ? region : undefined),
    heartbeatMs: inRange("heartbeatMs", options.heartbeatMs ?? 10_000, 1_000, 60_000),
    graceMs: inRange("graceMs", options.graceMs ?? 5_000, 0, 60_000),
    connectTimeoutMs: inRange("connectTimeoutMs", options.connectTimeoutMs ?? 10_000, 1, 2 ** 31 - 1),
    retryMsMax: inRange("retryMsMax", options.retryMsMax ?? 10_000, 1, 2 ** 31 - 1),
  };
}

/** @internal */
export function inRange(name: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new WasqError("INVALID_PARAMETER", `${name} is ${value}: a whole number from ${min} to ${max} is needed`);
}

/** @internal A time in ms, which may have been computed: rounded. @throws WasqError INVALID_PARAMETER */
export function milliseconds(name: string, value: number, min: number, max: number): number {
  if (typeof value === "number" && value >= min && value <= max) return Math.round(value);
  throw new WasqError("INVALID_PARAMETER", `${name} is ${String(value)}: a number from ${min} to ${max} is needed`);
}

/** http and https are taken as well, and the path is /stream unless the URL has one. */
function streamUrl(text: string, region: string | undefined): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw new WasqError("INVALID_PARAMETER", `"${text}" is no URL, such as http://127.0.0.1:9324`, { cause });
  }
  const protocol = { "http:": "ws:", "https:": "wss:", "ws:": "ws:", "wss:": "wss:" }[url.protocol];
  if (protocol === undefined) {
    throw new WasqError("INVALID_PARAMETER", `"${text}" is no URL of a broker: http, https, ws or wss is needed`);
  }
  url.protocol = protocol;
  if (url.pathname === "/") url.pathname = "/stream";
  if (region !== undefined) {
    // The server reads the region where a signed request has it.
    url.searchParams.set(
      "X-Amz-Credential",
      `wasq/${new Date().toISOString().slice(0, 10).replaceAll("-", "")}/${region}/sqs/aws4_request`,
    );
  }
  return url.href;
}
