// The SQS API: one HTTP request in, one reply out.

import type { Audit } from "../audit/audit.ts";
import type { Clock } from "../base/clock.ts";
import type { Broker, QueueName } from "../broker/types.ts";
import { AuditedCall } from "./audited.ts";
import { createMissing, missingQueue } from "./auto-create.ts";
import { isTraceHeader } from "./characters.ts";
import { invalidParameter, type SqsError } from "./errors.ts";
import type { Handle } from "./exchange.ts";
import { type Gate, openGate } from "./gate.ts";
import { isJson, readJson } from "./json.ts";
import { needsOf, requestTagsOf } from "./needs.ts";
import type { Context, Reply } from "./operation.ts";
import { PendingReply } from "./pending-reply.ts";
import { readQuery } from "./query.ts";
import { rendererOf } from "./refusal.ts";
import { State } from "./state.ts";

export interface SqsOptions {
  readonly account: string; // 12 digits; for every caller whose access key names no other
  readonly defaultRegion: string; // for requests that name none
  readonly clock: Clock;
  /** Refuse a deleted queue's name, and a second purge, for 60 seconds, as AWS does; otherwise both work at once. */
  readonly awsWaits?: boolean;
  /** Create, with every attribute at its default, a queue that is asked for and is not there. */
  readonly autoCreateQueues?: boolean;
  /** What queue URLs begin with, without a slash at the end; undefined: what the caller used. */
  readonly publicUrl?: string | undefined;
  /** Who may come in and do what; everybody and everything, if there is none. */
  readonly gate?: Gate;
  /** Where refusals and changes of queues are written down. */
  readonly audit?: Audit | undefined;
  /** Told of what should not have been thrown. The client has been answered, with InternalFailure. */
  readonly onFault?: (error: unknown) => void;
}

export function createSqs(broker: Broker, options: SqsOptions): Handle {
  const state = new State(options.awsWaits ?? false);
  const onFault = options.onFault ?? ((): void => {});
  const gate = options.gate ?? openGate(options);

  return (request, answer) => {
    const exchange = new PendingReply(rendererOf(request), answer, onFault);
    const audited = options.audit && new AuditedCall(options.audit, request);
    audited?.watch(exchange);
    let cancel: (() => void) | undefined;
    try {
      const caller = gate.admit(request);
      if (audited !== undefined) audited.caller = caller;
      const call = isJson(request) ? readJson(request) : readQuery(request);
      if (call === undefined) {
        exchange.noAction();
        return undefined;
      }
      exchange.operation = call.operation;
      if (request.traceHeader !== "" && !isTraceHeader(request.traceHeader)) throw badTraceHeader(request.traceHeader);
      const context: Context = {
        broker,
        clock: options.clock,
        state,
        account: caller.account,
        region: caller.region,
        origin: options.publicUrl ?? `${request.scheme}://${request.host === "" ? "localhost" : request.host}`,
        senderId: caller.senderId,
        traceHeader: request.traceHeader,
      };
      const input = call.input as { readonly [member: string]: unknown }; // whatever its description says, an object
      const permit = (action: string, name: QueueName | undefined): void => {
        const queue = name === undefined ? undefined : broker.find(name);
        if (audited !== undefined) audited.queue ??= name;
        gate.permit(caller, request, action, { name, queue, requestTags: requestTagsOf(input) });
      };
      const permitAll = (): void => {
        for (const need of needsOf(context, call.operation, input)) permit(need.action, need.queue);
      };
      permitAll();
      const run = (): void => {
        // The two types `never` stand for are the ones the description gave: input is what it decoded.
        cancel = call.operation.run(context, call.input as never, exchange as Reply<never>);
      };
      const missing = options.autoCreateQueues ? missingQueue(context, call.operation, input) : undefined;
      if (missing !== undefined) permit("sqs:CreateQueue", missing);
      if (missing === undefined) run();
      else {
        createMissing(context, missing, (error) => {
          if (error === undefined) audited?.created(missing);
          exchange.proceed(error, () => {
            permitAll(); // somebody else may have created it meanwhile, with a policy
            run();
          });
        });
      }
    } catch (error) {
      exchange.fail(error);
    }
    if (exchange.answered) return undefined;
    return () => {
      audited?.left(exchange.operation?.name ?? "");
      exchange.answered = true;
      cancel?.();
    };
  };
}

function badTraceHeader(value: string): SqsError {
  return invalidParameter(
    `The request has a 'X-Amzn-Trace-Id' HTTP header which is reserved for AWS X-Ray trace header and has an invalid value '${value}'`,
  );
}
