// An AWS Query answer's XML, told as JSON the way LocalStack tells it: an element that occurs once is a value, one that
// occurs more often a list, one that is empty null. For LocalStack's own paths only: actions answer as the service does.

import { ERRORS, queryErrorOf } from "./errors.ts";
import type { Renderer } from "./json.ts";
import { queryMessage } from "./query.ts";
import type { Member, Members } from "./shapes.ts";

const JSON_TYPE = "application/json";

export const XML_AS_JSON_RENDERER: Renderer = {
  success({ name, output: members }, output, requestId) {
    const result = members === undefined ? null : structureOf(members, output);
    const response = { [`${name}Result`]: result, ResponseMetadata: { RequestId: requestId } };
    const body = JSON.stringify({ [`${name}Response`]: response });
    return { status: 200, contentType: JSON_TYPE, requestId, queryError: undefined, body };
  },
  failure(error, requestId) {
    const { status, fault, queryCode } = ERRORS[error.code];
    const detail = { Type: fault, Code: queryCode, Message: queryMessage(error), Detail: null };
    const body = JSON.stringify({ ErrorResponse: { Error: detail, RequestId: requestId } });
    return { status, contentType: JSON_TYPE, requestId, queryError: queryErrorOf(error.code), body };
  },
};

function structureOf(members: Members, value: unknown): { [name: string]: unknown } | null {
  const source = value as { readonly [name: string]: unknown }; // what the description was inferred from
  const elements: { [name: string]: unknown } = {};
  for (const [name, member] of Object.entries(members)) {
    const one = source[name];
    if (one !== undefined) addElements(elements, name, member, one);
  }
  return Object.keys(elements).length === 0 ? null : elements;
}

function addElements(elements: { [name: string]: unknown }, name: string, member: Member, value: unknown): void {
  if (member.kind === "list") {
    addMany(
      elements,
      member.wireName,
      (value as readonly unknown[]).map((one) => contentOf(member.of, one)),
    );
  } else if (member.kind === "map") {
    const pairs = [...(value as ReadonlyMap<string, unknown>)].map(([key, one]) => ({
      [member.keyName]: key,
      Value: contentOf(member.of, one),
    }));
    addMany(elements, member.wireName, pairs);
  } else {
    elements[name] = contentOf(member, value);
  }
}

function addMany(elements: { [name: string]: unknown }, wireName: string, values: readonly unknown[]): void {
  if (values.length > 0) elements[wireName] = values.length === 1 ? values[0] : values;
}

function contentOf(member: Member, value: unknown): unknown {
  if (member.kind === "structure") return structureOf(member.members, value);
  if (member.kind === "blob") return (value as Buffer).toString("base64");
  const text = String(value);
  return text === "" ? null : text;
}
