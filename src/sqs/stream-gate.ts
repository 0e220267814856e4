// Who may open a stream, and what he may do on it: the same keys and policies as for requests, asked when something is
// opened and whenever they may have changed.
import { randomUUID } from "node:crypto";
import type { Audit, Who } from "../audit/audit.ts";
import type { Clock } from "../base/clock.ts";
import type { Queue, QueueName } from "../broker/types.ts";
import { whoOf } from "./audited.ts";
import type { Caller } from "./caller.ts";
import { type ErrorCode, SqsError } from "./errors.ts";
import type { SqsReply, SqsRequest } from "./exchange.ts";
import type { LatchGate } from "./gate.ts";
import { arnOf } from "./names.ts";
import { refusalOf } from "./refusal.ts";

/** Whoever comes in. */
export interface StreamCaller {
  readonly account: string;
  readonly region: string;
  readonly senderId: string;
  /** Who he is for limits: his user or role, or his address. */
  readonly limitName: string;
  /** undefined where nobody is asked who he is. */
  readonly standing: StreamStanding | undefined;
}

export type Admission =
  | { readonly kind: "caller"; readonly caller: StreamCaller }
  /** He has signed nothing, and may still have a ticket. */
  | { readonly kind: "unsigned" }
  | { readonly kind: "refused"; readonly reply: SqsReply };

export interface StreamGateOptions {
  readonly gate: LatchGate;
  readonly clock: Clock;
  readonly audit?: Audit | undefined;
}

export class StreamGate {
  readonly #options: StreamGateOptions;

  constructor(options: StreamGateOptions) {
    this.#options = options;
  }

  admit(request: SqsRequest): Admission {
    const { gate } = this.#options;
    let caller: Caller;
    try {
      caller = gate.admit(request);
      request.onEnd?.(); // answered in a moment; what comes of it is counted as a stream
    } catch (error) {
      if (error instanceof SqsError) return this.refuse(request, error.code, error.message);
      throw error;
    }
    const { account, region, senderId, principal } = caller;
    if (!gate.isChecked)
      return {
        kind: "caller",
        caller: { account, region, senderId, limitName: request.remoteAddress, standing: undefined },
      };
    // A queue's policy may let everybody in: to single requests, and to no stream.
    if (principal === undefined || principal.kind === "anonymous") return { kind: "unsigned" };
    const standing = new StreamStanding(this.#options, caller, principal.arn, request);
    return { kind: "caller", caller: { account, region, senderId, limitName: principal.limitName, standing } };
  }

  refuse(request: SqsRequest, code: ErrorCode, text: string): Admission & { readonly kind: "refused" } {
    this.#options.audit?.refused(whoOf(request), { api: "stream", action: "", resource: "", code, text });
    return { kind: "refused", reply: refusalOf(request, code, text) };
  }
}

export class StreamStanding {
  readonly identity: string;
  /** Finds the lines of the audit log that are about one stream. */
  readonly requestId = randomUUID();
  readonly #options: StreamGateOptions;
  /** As he was when he came; who he is now is asked of the gate. */
  readonly #caller: Caller;
  /** Of the upgrade, or for the ticket: what conditions ask about. */
  readonly #request: SqsRequest;

  constructor(options: StreamGateOptions, caller: Caller, identity: string, request: SqsRequest) {
    this.#options = options;
    this.#caller = caller;
    this.identity = identity;
    this.#request = { ...request, body: NO_BODY };
  }

  lapsed(): string | undefined {
    if (this.#options.gate.again(this.#caller) !== undefined) return undefined;
    const { session } = this.#caller.credential ?? {};
    const isExpired = session !== undefined && session.expiresMs <= this.#options.clock.nowMs();
    const text = `The security token included in the request is ${isExpired ? "expired" : "invalid"}.`;
    this.#tell("", "", isExpired ? "ExpiredTokenException" : "UnrecognizedClientException", text);
    return text;
  }

  refusal(action: string, name: QueueName, queue: Queue | undefined): string | undefined {
    const { gate } = this.#options;
    const now = gate.again(this.#caller);
    if (now === undefined) return "The security token included in the request is invalid.";
    try {
      gate.permit(now, this.#request, `sqs:${action}`, { name, queue, requestTags: undefined });
      return undefined;
    } catch (error) {
      if (!(error instanceof SqsError)) throw error;
      this.#tell(action, arnOf(name), error.code, error.message);
      return error.message;
    }
  }

  /** @param text why it ended */
  session(action: "opened" | "resumed" | "ended", protocol = "", text = ""): void {
    const { requestId } = this;
    this.#options.audit?.stream(this.#who(), { action, requestId, protocol, text });
  }

  #tell(action: string, resource: string, code: string, text: string): void {
    this.#options.audit?.refused(this.#who(), { api: "stream", action, resource, code, text });
  }

  #who(): Who {
    return { ...whoOf(this.#request), principal: this.identity };
  }
}

const NO_BODY = Buffer.alloc(0);
