// What of this API's requests is written down: who was refused, and who changed a queue.
import type { Audit, Who } from "../audit/audit.ts";
import type { QueueName } from "../broker/types.ts";
import { type Caller, callerOf } from "./caller.ts";
import type { ErrorCode, SqsError } from "./errors.ts";
import type { SqsRequest } from "./exchange.ts";
import { arnOf } from "./names.ts";
import type { PendingReply } from "./pending-reply.ts";

const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  "AccessDeniedException",
  "ExpiredTokenException",
  "IncompleteSignatureException",
  "InvalidSecurity",
  "InvalidSignatureException",
  "KmsAccessDenied",
  "UnrecognizedClientException",
]);

/** Actions that change more than messages. */
const ADMINISTRATIVE: ReadonlySet<string> = new Set([
  "AddPermission",
  "CancelMessageMoveTask",
  "CreateQueue",
  "DeleteQueue",
  "PurgeQueue",
  "RemovePermission",
  "SetQueueAttributes",
  "StartMessageMoveTask",
  "TagQueue",
  "UntagQueue",
]);

/** One request, while it is being answered. */
export class AuditedCall {
  caller: Caller | undefined;
  queue: QueueName | undefined;
  readonly #audit: Audit;
  readonly #target: string;
  readonly #who: Who;

  constructor(audit: Audit, request: SqsRequest) {
    this.#audit = audit;
    this.#target = request.target.slice(request.target.lastIndexOf(".") + 1);
    this.#who = whoOf(request);
  }

  watch(exchange: PendingReply): void {
    exchange.onAnswer = (failure) => this.#answered(exchange.operation?.name ?? this.#target, failure);
  }

  /** A queue was made because it was asked for. */
  created(queue: QueueName): void {
    this.#audit.administered(this.#asker(), { action: "CreateQueue", resource: arnOf(queue), code: "" });
  }

  /** The client has gone before the answer; what it asked for may be done all the same. */
  left(action: string): void {
    if (!ADMINISTRATIVE.has(action)) return;
    const resource = this.queue === undefined ? "" : arnOf(this.queue);
    this.#audit.administered(this.#asker(), { action, resource, code: "unanswered" });
  }

  #answered(action: string, failure: SqsError | undefined): void {
    const resource = this.queue === undefined ? "" : arnOf(this.queue);
    const code = failure?.code ?? "";
    if (failure !== undefined && REFUSALS.has(failure.code)) {
      this.#audit.refused(this.#asker(), { api: "sqs", action, resource, code, text: failure.message });
    } else if (ADMINISTRATIVE.has(action)) this.#audit.administered(this.#asker(), { action, resource, code });
  }

  #asker(): Who {
    return { ...this.#who, principal: this.caller?.principal?.arn ?? "" };
  }
}

/** As the request says, which nobody has looked into. */
export function whoOf(request: SqsRequest): Who {
  const claimed = callerOf(request, "", "").senderId;
  return {
    principal: "",
    accessKeyId: claimed === "anonymous" ? "" : claimed,
    address: request.remoteAddress,
    userAgent: request.headers.get("user-agent") ?? "",
  };
}
