// What the STS API answers, in XML.
import type { SqsReply } from "../sqs/exchange.ts";
import { escapeXml } from "../sqs/query.ts";
import { STS_ERRORS, type StsError } from "./errors.ts";

const NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/";

/** Elements by name; undefined ones are left out. */
export interface Elements {
  readonly [name: string]: string | number | Elements | undefined;
}

export function success(action: string, result: Elements, requestId: string): SqsReply {
  const body =
    `<${action}Response xmlns="${NAMESPACE}"><${action}Result>${render(result)}</${action}Result>` +
    `<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata></${action}Response>`;
  return { status: 200, contentType: "text/xml", requestId, queryError: undefined, body };
}

export function failure({ code, message }: StsError, requestId: string): SqsReply {
  const { status, fault } = STS_ERRORS[code];
  const error = render({ Type: fault, Code: code, Message: message });
  const body = `<ErrorResponse xmlns="${NAMESPACE}"><Error>${error}</Error><RequestId>${requestId}</RequestId></ErrorResponse>`;
  return { status, contentType: "text/xml", requestId, queryError: undefined, body };
}

function render(elements: Elements): string {
  return Object.entries(elements)
    .map(([name, value]) => {
      if (value === undefined) return "";
      return `<${name}>${typeof value === "object" ? render(value) : escapeXml(String(value))}</${name}>`;
    })
    .join("");
}
