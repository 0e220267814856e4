// AWS Query: form or query-string parameters to the same input that JSON gives, output to XML.
// Accept: application/json asks for a JSON rendering of the same envelope.

import { isAscii, isUtf8 } from "node:buffer";
import { withoutForbiddenCharacters } from "./characters.ts";
import { ERRORS, missingParameter, queryErrorOf, SqsError } from "./errors.ts";
import type { SqsRequest } from "./exchange.ts";
import { decodeBase64, isInteger, malformed, type Renderer } from "./json.ts";
import { isQueuePath } from "./names.ts";
import type { Operation } from "./operation.ts";
import { OPERATIONS } from "./operations.ts";
import type { ListMember, MapMember, Member, Members } from "./shapes.ts";

const NAMESPACE = "http://queue.amazonaws.com/doc/2012-11-05/";
const PARAMETER_COUNT_MAX = 4_096; // a full batch has some 600
const NAME_PART_COUNT_MAX = 8; // SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringListValue.1 has 7

const BY_NAME: ReadonlyMap<string, Operation> = new Map(OPERATIONS.map((operation) => [operation.name, operation]));
const ROOT_ONLY: ReadonlySet<string> = new Set(["CreateQueue", "ListQueues"]); // they are about no queue that is there

/** Parameters by the parts of their names: `a.1.b=x` is the text of b in 1 in a. */
interface Parameter {
  text: string | undefined;
  children: Map<string, Parameter> | undefined;
}

/** @returns undefined when there is no Action. @throws SqsError */
export function readQuery(
  request: SqsRequest,
): { readonly operation: Operation; readonly input: { [name: string]: unknown } } | undefined {
  if (request.method !== "GET" && request.method !== "POST") return undefined;
  const parameters = parseParameters(request);
  const action = parameters.children?.get("Action")?.text;
  if (action === undefined) return undefined;

  const operation = BY_NAME.get(action);
  const atRoot = request.path === "/" || request.path === "";
  const atQueue = !atRoot && isQueuePath(request.path);
  if (!atRoot && !atQueue) {
    const address = request.path.replace(/^\/|\/$/g, "");
    throw new SqsError("InvalidAddress", `The address ${address} is not valid for this endpoint.`);
  }
  if (operation === undefined || (atQueue && ROOT_ONLY.has(action))) {
    throw new SqsError("UnknownOperationException", `The action ${action} is not valid for this endpoint.`);
  }
  const input = decodeStructure(operation.input, parameters);
  if ("QueueUrl" in operation.input && input["QueueUrl"] === undefined) {
    if (!atQueue) throw missingParameter("QueueUrl");
    input["QueueUrl"] = request.path;
  }
  return { operation, input };
}

function parseParameters(request: SqsRequest): Parameter {
  const root: Parameter = { text: undefined, children: undefined };
  let count = addParameters(root, request.query, 0);
  if (request.method === "POST") {
    if (!isUtf8(request.body)) throw malformed("The request body is not valid UTF-8.");
    const text = isAscii(request.body) ? request.body.toString("latin1") : request.body.toString("utf8");
    count = addParameters(root, text, count);
  }
  return root;
}

function addParameters(root: Parameter, text: string, countBefore: number): number {
  let count = countBefore;
  let start = 0;
  while (start < text.length) {
    const ampersand = text.indexOf("&", start);
    const end = ampersand === -1 ? text.length : ampersand;
    if (end > start) {
      if (++count > PARAMETER_COUNT_MAX) {
        throw malformed(`The request has more than ${PARAMETER_COUNT_MAX} parameters.`);
      }
      const equals = text.indexOf("=", start);
      const nameEnd = equals === -1 || equals > end ? end : equals;
      const value = nameEnd === end ? "" : unescapeForm(text.slice(nameEnd + 1, end));
      place(root, unescapeForm(text.slice(start, nameEnd)), value);
    }
    start = end + 1;
  }
  return count;
}

function unescapeForm(text: string): string {
  const spaced = text.includes("+") ? text.replaceAll("+", " ") : text;
  if (!spaced.includes("%")) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    throw malformed("A parameter is not valid percent-encoded UTF-8.");
  }
}

function place(root: Parameter, name: string, text: string): void {
  const parts = name.split(".", NAME_PART_COUNT_MAX + 1);
  if (parts.length > NAME_PART_COUNT_MAX) return; // no action has such a member
  let at = root;
  for (const part of parts) {
    at.children ??= new Map();
    let next = at.children.get(part);
    if (next === undefined) {
      next = { text: undefined, children: undefined };
      at.children.set(part, next);
    }
    at = next;
  }
  at.text = text;
}

function decodeStructure(members: Members, parameter: Parameter): { [name: string]: unknown } {
  const input: { [name: string]: unknown } = {};
  for (const [name, member] of Object.entries(members)) {
    const value = decodeMember(name, member, parameter);
    if (value !== undefined) input[name] = value;
  }
  return input;
}

function decodeMember(name: string, member: Member, parent: Parameter): unknown {
  if (member.kind === "list") return decodeList(member, elementsOf(name, member, parent));
  if (member.kind === "map") return decodeMap(member, elementsOf(name, member, parent));
  const parameter = parent.children?.get(name);
  return parameter === undefined ? undefined : decodeValue(member, parameter);
}

function decodeValue(member: Member, parameter: Parameter): unknown {
  if (member.kind === "structure") return decodeStructure(member.members, parameter);
  const text = parameter.text;
  if (text === undefined) return undefined;
  switch (member.kind) {
    case "integer":
      if (!/^[+-]?\d{1,10}$/.test(text) || !isInteger(Number(text)))
        throw malformed("STRING_VALUE can not be converted to an Integer");
      return Number(text);
    case "boolean":
      if (text !== "true" && text !== "false") throw malformed("STRING_VALUE can not be converted to a Boolean");
      return text === "true";
    case "blob":
      return decodeBase64(text);
    default:
      return text;
  }
}

/**
 * The numbered children, in order of their numbers: gaps are no matter. A lone one may go without its number
 * (`AttributeName=All`, `Attribute.Name=`, `Attribute.Value=`), and an empty text is how some clients write an empty list.
 */
function elementsOf(name: string, member: ListMember | MapMember, parent: Parameter): readonly Parameter[] {
  const children = parent.children;
  const capital = name.charAt(0).toUpperCase() + name.slice(1);
  const numbered = children?.get(member.wireName) ?? children?.get(name) ?? children?.get(capital);
  const elements: [number: number, element: Parameter][] = [];
  if (numbered !== undefined && isLoneElement(member, numbered)) elements.push([0, numbered]);
  for (const [part, element] of numbered?.children ?? []) {
    if (/^[1-9]\d{0,8}$/.test(part)) elements.push([Number(part), element]);
  }
  return elements.sort(([left], [right]) => left - right).map(([, element]) => element);
}

function isLoneElement(member: ListMember | MapMember, parameter: Parameter): boolean {
  if (member.kind === "map") return parameter.children?.has(member.keyName) === true;
  return member.of.kind !== "structure" && parameter.text !== undefined && parameter.text !== "";
}

function decodeList(member: ListMember, elements: readonly Parameter[]): readonly unknown[] | undefined {
  const list = elements.map((element) => decodeValue(member.of, element)).filter((value) => value !== undefined);
  return list.length === 0 ? undefined : list;
}

function decodeMap(member: MapMember, elements: readonly Parameter[]): ReadonlyMap<string, unknown> | undefined {
  const map = new Map<string, unknown>();
  for (const element of elements) {
    const key = element.children?.get(member.keyName)?.text ?? "";
    const value = element.children?.get("Value");
    if (value === undefined && member.of.kind !== "structure") throw missingParameter(`${member.wireName}.Value`);
    if (map.has(key)) throw malformed(`${member.wireName}.${member.keyName} ${key} is given twice`);
    map.set(key, decodeValue(member.of, value ?? { text: "", children: undefined }));
  }
  return map.size === 0 ? undefined : map;
}

const ESCAPES: { readonly [character: string]: string } = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\r": "&#xD;", // a bare one would be read as a line feed, and the MD5 of a body would not match
};

export function escapeXml(text: string): string {
  const clean = withoutForbiddenCharacters(text);
  return /[&<>"\r]/.test(clean) ? clean.replace(/[&<>"\r]/g, (character) => ESCAPES[character] ?? "") : clean;
}

function encodeMembers(members: Members, value: unknown): string {
  const source = value as { readonly [name: string]: unknown }; // what the description was inferred from
  let text = "";
  for (const [name, member] of Object.entries(members)) {
    const one = source[name];
    if (one !== undefined) text += encodeElement(name, member, one);
  }
  return text;
}

function encodeElement(name: string, member: Member, value: unknown): string {
  switch (member.kind) {
    case "list":
      return (value as readonly unknown[]).map((one) => encodeElement(member.wireName, member.of, one)).join("");
    case "map":
      return [...(value as ReadonlyMap<string, unknown>)]
        .map(([key, one]) => {
          const inner = `<${member.keyName}>${escapeXml(key)}</${member.keyName}>${encodeElement("Value", member.of, one)}`;
          return `<${member.wireName}>${inner}</${member.wireName}>`;
        })
        .join("");
    case "structure":
      return `<${name}>${encodeMembers(member.members, value)}</${name}>`;
    case "blob":
      return `<${name}>${(value as Buffer).toString("base64")}</${name}>`;
    default:
      return `<${name}>${escapeXml(String(value))}</${name}>`;
  }
}

export function queryMessage(error: SqsError): string {
  return error.code === "QueueDoesNotExist"
    ? "The specified queue does not exist for this wsdl version."
    : error.message;
}

export const XML_RENDERER: Renderer = {
  success({ name, output: members }, output, requestId) {
    let result = "";
    if (members !== undefined) {
      const inner = encodeMembers(members, output);
      result = inner === "" ? `<${name}Result/>` : `<${name}Result>${inner}</${name}Result>`;
    }
    const metadata = `<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata>`;
    const body = `<?xml version="1.0"?><${name}Response xmlns="${NAMESPACE}">${result}${metadata}</${name}Response>`;
    return { status: 200, contentType: "text/xml", requestId, queryError: undefined, body };
  },
  failure(error, requestId) {
    const { status, fault, queryCode } = ERRORS[error.code];
    const message = escapeXml(queryMessage(error));
    const detail = `<Type>${fault}</Type><Code>${queryCode}</Code><Message>${message}</Message><Detail/>`;
    const body = `<?xml version="1.0"?><ErrorResponse xmlns="${NAMESPACE}"><Error>${detail}</Error><RequestId>${requestId}</RequestId></ErrorResponse>`;
    return { status, contentType: "text/xml", requestId, queryError: queryErrorOf(error.code), body };
  },
};

/** The envelope as JSON: lists go by their names in lower camel case, maps are lists of pairs. */
export const QUERY_JSON_RENDERER: Renderer = {
  success({ name, output: members }, output, requestId) {
    const result = members === undefined ? {} : { [`${name}Result`]: toPlain(members, output) };
    const body = JSON.stringify({ [`${name}Response`]: { ...result, ResponseMetadata: { RequestId: requestId } } });
    return { status: 200, contentType: "application/json", requestId, queryError: undefined, body };
  },
  failure(error, requestId) {
    const { status, fault, queryCode } = ERRORS[error.code];
    const body = JSON.stringify({
      Error: { Type: fault, Code: queryCode, Message: queryMessage(error), Detail: null },
      RequestId: requestId,
    });
    return { status, contentType: "application/json", requestId, queryError: queryErrorOf(error.code), body };
  },
};

function toPlain(members: Members, value: unknown): { [name: string]: unknown } {
  const source = value as { readonly [name: string]: unknown };
  const plain: { [name: string]: unknown } = {};
  for (const [name, member] of Object.entries(members)) {
    const one = source[name];
    if (one === undefined) continue;
    const key = member.kind === "list" ? name.charAt(0).toLowerCase() + name.slice(1) : name;
    plain[key] = plainValue(member, one);
  }
  return plain;
}

function plainValue(member: Member, value: unknown): unknown {
  switch (member.kind) {
    case "list":
      return (value as readonly unknown[]).map((one) => plainValue(member.of, one));
    case "map":
      return [...(value as ReadonlyMap<string, unknown>)].map(([key, one]) => ({
        [member.keyName]: key,
        Value: plainValue(member.of, one),
      }));
    case "structure":
      return toPlain(member.members, value);
    case "blob":
      return (value as Buffer).toString("base64");
    default:
      return value;
  }
}
