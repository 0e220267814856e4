// What can go wrong, as codes: the code is an error's identity, the text is for people and may change.
import type { RevokeReason, ErrorCode as ServerCode, SettleCode } from "./schema.ts";

/** Codes that the server gives are its own: broker.proto says what each means. The rest is the client's. */
export type ErrorCode = Exclude<
  ServerCode | SettleCode | RevokeReason | ClientCode,
  "ERROR_UNSPECIFIED" | "SETTLE_UNSPECIFIED" | "REVOKE_UNSPECIFIED"
>;

export type ClientCode =
  /** The server cannot be reached, or refused the upgrade (no such path, an origin that is not allowed). */
  | "CONNECT_FAILED"
  /** The connection ended; with `reconnect: false`, or when the server says not to come again. `closeCode` tells why. */
  | "CONNECTION_LOST"
  /** The ticket was not accepted (close code 4403), or the credentials are good no more (4407). */
  | "NOT_AUTHORIZED"
  /** Another connection took the session over (4409). */
  | "TAKEN_OVER"
  /** The message's session is over: the message went back to its queue. */
  | "SESSION_OVER"
  /** Too much is unconfirmed already: `ready()` was not awaited. Nothing was sent. */
  | "BUFFER_FULL"
  /** Another publisher uses the same producer id on this queue. */
  | "PRODUCER_TAKEN"
  /** The client, subscription or publisher has been closed. */
  | "CLOSED"
  /** Time is over: connecting, or closing. */
  | "TIMEOUT"
  /** The server sent what the protocol does not allow. */
  | "PROTOCOL_ERROR";

export interface WasqErrorDetail {
  readonly cause?: unknown;
  /** WebSocket close code, where one is the reason. */
  readonly closeCode?: number;
}

export class WasqError extends Error {
  override readonly name: string = "WasqError";
  readonly code: ErrorCode;
  readonly closeCode: number | undefined;

  constructor(code: ErrorCode, message: string, detail: WasqErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.closeCode = detail.closeCode;
  }
}

/** One message of a batch that was not published. */
export interface FailedMessage {
  /** Its place in the batch, from 0. */
  readonly index: number;
  readonly code: ErrorCode;
  readonly message: string;
}

/** Some messages of a batch were refused for good; all others are on disk. `code` is that of the first. */
export class PublishError extends WasqError {
  override readonly name = "PublishError";
  readonly failures: readonly FailedMessage[];

  constructor(failures: readonly FailedMessage[], messageCount: number) {
    const first = failures[0];
    super(
      first?.code ?? "INVALID_PARAMETER",
      `${failures.length} of ${messageCount} messages were not published: ${first?.code} (${first?.message})`,
    );
    this.failures = failures;
  }
}

/** @internal A code of the wire as ours: what this client is too old to know stays as it is. */
export function codeOf(code: ServerCode | SettleCode | RevokeReason): ErrorCode {
  return code as ErrorCode;
}

const CAUSES: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  4400: ["PROTOCOL_ERROR", "the server could not read a frame"],
  4401: ["PROTOCOL_ERROR", "the server expected a Hello"],
  4403: ["NOT_AUTHORIZED", "the connect ticket is missing, unknown, used, too old, or for another origin"],
  4405: ["PROTOCOL_ERROR", "the server expected the other kind of frame"],
  4407: ["NOT_AUTHORIZED", "the credentials are good no more"],
  4409: ["TAKEN_OVER", "another connection took the session over"],
  4413: ["PROTOCOL_ERROR", "a frame was above the server's limit"],
  4414: ["PROTOCOL_ERROR", "more was published than the server had granted"],
};

/** @internal Why a connection ended, from its close code. */
export function closedBy(closeCode: number, reason: string): WasqError {
  const [code, text] = CAUSES[closeCode] ?? (["CONNECTION_LOST", "the connection ended"] as const);
  return new WasqError(code, `${text} (${closeCode}${reason === "" ? "" : `: ${reason}`})`, { closeCode });
}

/** @internal Whether connecting again cannot help, whatever is brought along. */
export function isFinal(closeCode: number): boolean {
  return CAUSES[closeCode] !== undefined && !isOfCredentials(closeCode);
}

/** @internal Whether a new ticket or new credentials are needed: the caller knows whether there are any. */
export function isOfCredentials(closeCode: number | undefined): boolean {
  return closeCode === 4403 || closeCode === 4407;
}

/** @internal Throws what the signal was aborted with. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw signal.reason;
}
