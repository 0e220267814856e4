// What is refused before any action sees it, in the protocol of the request: an SDK that cannot read why does not retry.

import { type ErrorCode, SqsError } from "./errors.ts";
import type { SqsReply, SqsRequest } from "./exchange.ts";
import { isJson, JSON_RENDERER, type Renderer } from "./json.ts";
import { QUERY_JSON_RENDERER, XML_RENDERER } from "./query.ts";
import { newRequestId } from "./request-ids.ts";

export function refusalOf(request: SqsRequest, code: ErrorCode, text: string): SqsReply {
  return rendererOf(request).failure(new SqsError(code, text), newRequestId());
}

export function rendererOf(request: SqsRequest): Renderer {
  if (isJson(request)) return JSON_RENDERER;
  return request.accept.includes("application/json") ? QUERY_JSON_RENDERER : XML_RENDERER;
}
