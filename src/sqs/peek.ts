// LocalStack's way to look at a queue's messages: they are given back as by ReceiveMessage, and nothing happens to them.
//
//   GET  /_aws/sqs/messages?QueueUrl=<url>                    a queue URL in any form
//   GET  /_aws/sqs/messages/<region>/<account>/<name>
//   POST /_aws/sqs/messages                                   ReceiveMessage by an SDK whose endpoint this is
//
//   ShowInvisible=true   also what is in flight and, FIFO, what stands behind such in its group; adds attribute IsVisible
//   ShowDelayed=true     also what is delayed; adds attribute IsDelayed
//   MaxResults=1 … 1000  ours: messages of one answer, which also ends after 8 MiB; NextToken in it asks for the rest

import type { Audit } from "../audit/audit.ts";
import type { Broker, Delivered, PeekCursor, Peeked, PeekResult, QueueName } from "../broker/types.ts";
import { PEEK_BYTES_MAX, PEEK_COUNT_MAX } from "../limits.ts";
import { ALL_SYSTEM_ATTRIBUTES, messageOutput, receivedMessage, receiveMessage } from "./actions/receive-message.ts";
import { AuditedCall } from "./audited.ts";
import type { Caller } from "./caller.ts";
import { invalidParameter, queueDoesNotExist, SqsError } from "./errors.ts";
import type { Handle, SqsRequest } from "./exchange.ts";
import { type Gate, openGate } from "./gate.ts";
import { compileEncode, isJson, JSON_RENDERER, JSON_TYPE, malformed, type Renderer, readJson } from "./json.ts";
import { selectionOf } from "./message-attributes.ts";
import { isQueuePath } from "./names.ts";
import { type Operation, operationWithoutInput, queueNameOf } from "./operation.ts";
import { PendingReply } from "./pending-reply.ts";
import { XML_RENDERER } from "./query.ts";
import { list, plainString } from "./shapes.ts";
import { XML_AS_JSON_RENDERER } from "./xml-as-json.ts";

export const PEEK_PATH = "/_aws/sqs/messages";

/** What LocalStack gives: no action takes it for a handle. */
const RECEIPT_HANDLE = "SQS/BACKDOOR/ACCESS";
const FORM_BYTES_MAX = 64 * 1024; // a queue URL and a few flags
const ALL_MESSAGE_ATTRIBUTES = selectionOf(["All"]);

export interface PeekRouteOptions {
  readonly account: string;
  readonly defaultRegion: string;
  /** To look takes the permission to receive. */
  readonly gate?: Gate;
  readonly audit?: Audit | undefined;
  readonly onFault: (error: unknown) => void;
}

const OUTPUT = { Messages: list("Message", receivedMessage), NextToken: plainString };
const OPERATION: Operation = operationWithoutInput("ReceiveMessage", OUTPUT);
const encodeOutput = compileEncode(OUTPUT);

const PEEK_JSON_RENDERER: Renderer = {
  success: (_, output, requestId) => {
    const body = encodeOutput(output);
    return { status: 200, contentType: JSON_TYPE, requestId, queryError: undefined, body };
  },
  failure: JSON_RENDERER.failure,
};

/** Paths and their handler, for the server. */
export function peekRoutes(
  broker: Broker,
  options: PeekRouteOptions,
): readonly { readonly path: string; readonly handle: Handle }[] {
  const gate = options.gate ?? openGate(options);
  const handle: Handle = (request, answer) => {
    const renderer = isJson(request) ? PEEK_JSON_RENDERER : textRenderer(request);
    const exchange = new PendingReply(renderer, answer, options.onFault);
    exchange.operation = OPERATION;
    const audited = options.audit && new AuditedCall(options.audit, request);
    audited?.watch(exchange);
    let cancel: (() => void) | undefined;
    try {
      const caller = gate.admit(request);
      if (audited !== undefined) audited.caller = caller;
      const parameters = parametersOf(request);
      const name = nameOf(broker, request, parameters, caller);
      if (audited !== undefined) audited.queue = name;
      const queue = broker.find(name);
      gate.permit(caller, request, "sqs:ReceiveMessage", { name, queue, requestTags: undefined });
      if (queue === undefined) throw queueDoesNotExist();
      const held = isSet(parameters.get("ShowInvisible"));
      const delayed = isSet(parameters.get("ShowDelayed"));
      const from = readToken(parameters.get("NextToken"), held, delayed);
      const countMax = countMaxOf(parameters.get("MaxResults"));
      const looked = { held, delayed, from, countMax, bytesMax: PEEK_BYTES_MAX };
      cancel = broker.peek(queue, looked, (result) => exchange.settle(() => outputOf(result, held, delayed)));
    } catch (error) {
      exchange.fail(error);
    }
    if (exchange.answered) return undefined;
    return () => {
      exchange.answered = true;
      cancel?.();
    };
  };
  return [
    { path: PEEK_PATH, handle },
    { path: `${PEEK_PATH}/*`, handle },
  ];
}

function textRenderer(request: SqsRequest): Renderer {
  return request.accept.includes("application/json") ? XML_AS_JSON_RENDERER : XML_RENDERER;
}

/** Query string, form and an SDK's JSON alike; the last of several values counts. */
function parametersOf(request: SqsRequest): ReadonlyMap<string, string> {
  const parameters = new Map(new URLSearchParams(request.query));
  if (isJson(request)) {
    const { operation, input } = readJson(request);
    if (operation !== receiveMessage) throw onlyReceives();
    const { QueueUrl } = input as { readonly QueueUrl?: string }; // decoded as ReceiveMessage's
    if (QueueUrl !== undefined) parameters.set("QueueUrl", QueueUrl);
    return parameters;
  }
  if (request.body.length > FORM_BYTES_MAX) throw malformed(`The form has more than ${FORM_BYTES_MAX} bytes.`);
  for (const [name, value] of new URLSearchParams(request.body.toString("utf8"))) parameters.set(name, value);
  const action = parameters.get("Action");
  if (action !== undefined && action !== receiveMessage.name) throw onlyReceives();
  return parameters;
}

function onlyReceives(): SqsError {
  return new SqsError("InvalidRequest", "This endpoint only accepts ReceiveMessage calls");
}

/** @throws SqsError InvalidAddress for a path or URL that is no queue's, QueueDoesNotExist for none at all */
function nameOf(
  broker: Broker,
  request: SqsRequest,
  parameters: ReadonlyMap<string, string>,
  { account, region }: Caller,
): QueueName {
  const below = request.path.slice(PEEK_PATH.length + 1).replace(/\/$/, "");
  if (below !== "") {
    const parts = below.split("/").map(decodePart);
    const [pathRegion, pathAccount, name] = parts;
    if (parts.length === 3 && pathRegion && pathAccount && name) {
      return { account: pathAccount, region: pathRegion, name };
    }
    throw invalidAddress(request.path);
  }
  const url = parameters.get("QueueUrl") ?? "";
  if (url === "") throw queueDoesNotExist();
  const path = /^[a-z]+:\/\/[^/]*(.*)$/s.exec(url)?.[1];
  if (path !== undefined && !isQueuePath(path)) throw invalidAddress(url);
  return queueNameOf({ broker, account, region }, url);
}

function decodePart(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function invalidAddress(address: string): SqsError {
  return new SqsError("InvalidAddress", `The address ${address} is not valid for this endpoint.`);
}

function isSet(text: string | undefined): boolean {
  return text !== undefined && ["true", "1"].includes(text.toLowerCase());
}

function countMaxOf(text: string | undefined): number {
  if (text === undefined) return PEEK_COUNT_MAX;
  const count = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= PEEK_COUNT_MAX) return count;
  throw invalidParameter(
    `Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and ${PEEK_COUNT_MAX}.`,
  );
}

function outputOf(result: PeekResult, held: boolean, delayed: boolean) {
  if (result.status !== "ok") throw problemOf(result);
  return {
    Messages: result.messages.map((message) => shown(message, held, delayed)),
    NextToken: result.next === undefined ? undefined : writeToken(result.next, held, delayed),
  };
}

function problemOf(result: Exclude<PeekResult, { readonly status: "ok" }>): Error {
  if (result.status === "failed") return result.error;
  if (result.status === "queueGone") return queueDoesNotExist();
  return invalidParameter(
    "Invalid or expired next token. The queue has changed where the page before ended: begin again without it.",
  );
}

function shown(message: Peeked, held: boolean, delayed: boolean) {
  const delivered: Delivered = { ...message, receiptHandle: RECEIPT_HANDLE };
  const output = messageOutput(delivered, ALL_SYSTEM_ATTRIBUTES, ALL_MESSAGE_ATTRIBUTES);
  const attributes = new Map(output.Attributes);
  if (held) attributes.set("IsVisible", String(message.place !== "inFlight"));
  if (delayed) attributes.set("IsDelayed", String(message.place === "delayed"));
  return { ...output, Attributes: attributes };
}

const PARTS = ["held", "visible", "delayed"] as const;
const TOKEN = /^(true|false)\.(true|false)\.([012])\.(\d{1,10})\.(\d{1,10})$/;

/** Where the next page begins, and what the pages show. It holds no secret. */
function writeToken({ part, slot, generation }: PeekCursor, held: boolean, delayed: boolean): string {
  return Buffer.from([held, delayed, PARTS.indexOf(part), slot, generation].join(".")).toString("base64url");
}

function readToken(text: string | undefined, held: boolean, delayed: boolean): PeekCursor | undefined {
  if (text === undefined || text === "") return undefined;
  const [, tokenHeld, tokenDelayed, partIndex, slotText, generationText] =
    TOKEN.exec(text.length > 100 ? "" : Buffer.from(text, "base64url").toString("latin1")) ?? [];
  const part = PARTS[Number(partIndex)];
  const slot = Number(slotText);
  const generation = Number(generationText);
  if (part === undefined || slot > 0xffff_ffff || generation > 0xffff_ffff) {
    throw invalidParameter("Invalid or expired next token.");
  }
  if (tokenHeld !== String(held) || tokenDelayed !== String(delayed)) {
    throw invalidParameter(
      "Invalid NextToken value. If you are passing in NextToken, you must not change the other request parameters.",
    );
  }
  return { part, slot, generation };
}
