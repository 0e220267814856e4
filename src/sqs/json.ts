// AWS JSON 1.0: a request's body to an action's input, an action's output to a reply's body.
// Both directions are compiled from the action's description once, at start.

import { isAscii, isUtf8 } from "node:buffer";
import { ERRORS, queryErrorOf, SqsError } from "./errors.ts";
import type { DirectReply, SqsReply, SqsRequest } from "./exchange.ts";
import type { Operation } from "./operation.ts";
import { OPERATIONS } from "./operations.ts";
import { newRequestId } from "./request-ids.ts";
import type { Member, Members } from "./shapes.ts";

export const JSON_TYPE = "application/x-amz-json-1.0";
const TARGET_PREFIX = "AmazonSQS.";

type Source = { [name: string]: unknown };
type Decode = (value: unknown) => unknown;
/** @returns "" for what is left out: an empty list or map */
export type Encode = (value: unknown) => string;

interface Codec {
  readonly operation: Operation;
  readonly decode: (source: Source) => Source;
  readonly encode: Encode | undefined;
}

const CODECS: ReadonlyMap<string, Codec> = new Map(
  OPERATIONS.map((operation) => [
    TARGET_PREFIX + operation.name,
    {
      operation,
      decode: compileDecode(operation.input),
      encode: operation.output === undefined ? undefined : compileEncode(operation.output),
    },
  ]),
);
const ENCODERS: ReadonlyMap<Operation, Encode | undefined> = new Map(
  [...CODECS.values()].map(({ operation, encode }) => [operation, encode]),
);

/** What went well; its body may be bytes. */
export function jsonReply(body: string | Uint8Array): DirectReply {
  return { status: 200, contentType: JSON_TYPE, requestId: newRequestId(), queryError: undefined, body };
}

/** Whether a request speaks JSON, whatever its path. A GET never does. */
export function isJson(request: SqsRequest): boolean {
  if (request.method !== "POST") return false;
  return request.contentType === JSON_TYPE || request.contentType.toLowerCase().startsWith("application/x-amz-json");
}

/** @throws SqsError */
export function readJson(request: SqsRequest): { readonly operation: Operation; readonly input: unknown } {
  const codec = CODECS.get(request.target);
  if (codec === undefined) {
    const action = request.target.slice(request.target.lastIndexOf(".") + 1);
    throw new SqsError(
      "UnknownOperationException",
      action === ""
        ? "The request must contain the header X-Amz-Target."
        : `The action ${action} is not valid for this endpoint.`,
    );
  }
  return { operation: codec.operation, input: codec.decode(parseObject(request.body)) };
}

function parseObject(body: Buffer): Source {
  if (body.length === 0) return {};
  let value: unknown;
  if (isAscii(body)) value = parse(body.toString("latin1"));
  else if (isUtf8(body)) value = parse(body.toString("utf8"));
  else throw malformed("The request body is not valid UTF-8.");
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw malformed("The request body is not a JSON object.");
  }
  return value as Source; // checked in the line above
}

function parse(text: string): unknown {
  if (text.length > SHALLOW_LENGTH_MAX && isDeep(text)) {
    throw malformed(`The request body is nested more than ${DEPTH_MAX} deep.`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw malformed("The request body is not valid JSON.");
  }
}

// No action's input is more than 8 deep, and JSON.parse takes seconds for megabytes of brackets. Little text cannot hurt.
const DEPTH_MAX = 64;
const SHALLOW_LENGTH_MAX = 65_536;

/** Whether brackets outside of strings nest too deep. Said of JSON; what is none may be called either. */
function isDeep(text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) {
      at = endOfString(text, at);
      if (at === -1) return false;
    } else if (code === 0x5b || code === 0x7b) {
      if (++depth > DEPTH_MAX) return true;
    } else if (code === 0x5d || code === 0x7d) depth--;
  }
  return false;
}

/** @returns where the string that starts at `start` has its closing quote, -1 for nowhere */
function endOfString(text: string, start: number): number {
  let end = start;
  for (;;) {
    end = text.indexOf('"', end + 1);
    let backslashes = 0;
    while (end - backslashes - 1 > start && text.charCodeAt(end - backslashes - 1) === 0x5c) backslashes++;
    if (end === -1 || backslashes % 2 === 0) return end;
  }
}

export function malformed(text: string): SqsError {
  return new SqsError("SerializationException", text);
}

/** Checks and converts the members in the object itself: most values stay as JSON.parse made them. */
function compileDecode(members: Members): (source: Source) => Source {
  const names = Object.keys(members);
  const decoders = Object.values(members).map(decoderOf);
  return (source) => {
    for (let index = 0; index < names.length; index++) {
      const name = names[index] as string; // within bounds, like the decoder
      const value = source[name];
      if (value === undefined) continue;
      source[name] = value === null ? undefined : (decoders[index] as Decode)(value);
    }
    return source;
  };
}

function decoderOf(member: Member): Decode {
  switch (member.kind) {
    case "string":
      return member.numbers ? decodeStringOrNumber : decodeString;
    case "integer":
      return decodeInteger;
    case "boolean":
      return (value) => (typeof value === "boolean" ? value : wrongScalar(value, "a Boolean", "Boolean"));
    case "blob":
      return (value) => decodeBase64(decodeString(value));
    case "list": {
      const decode = decoderOf(member.of);
      return (value) => {
        if (!Array.isArray(value)) return wrongCollection(value);
        const list = value.filter((element) => element !== null).map(decode);
        return list.length === 0 ? undefined : list;
      };
    }
    case "map": {
      const decode = decoderOf(member.of);
      return (value) => {
        if (!isObject(value)) return wrongCollection(value);
        const map = new Map<string, unknown>();
        for (const key of Object.keys(value)) {
          const element = value[key];
          if (element !== null) map.set(key, decode(element));
        }
        return map.size === 0 ? undefined : map;
      };
    }
    case "structure": {
      const decode = compileDecode(member.members);
      return (value) => (isObject(value) ? decode(value) : wrongCollection(value));
    }
  }
}

function isObject(value: unknown): value is Source {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function decodeString(value: unknown): string {
  return typeof value === "string" ? value : wrongScalar(value, "a String", "String");
}

function decodeStringOrNumber(value: unknown): string {
  return typeof value === "number" ? String(value) : decodeString(value);
}

function decodeInteger(value: unknown): number {
  return typeof value === "number" && isInteger(value) ? value : wrongScalar(value, "an Integer", "Integer");
}

/** The service's integers have 32 bits. */
export function isInteger(value: number): boolean {
  return (value | 0) === value;
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

export function decodeBase64(text: string): Buffer {
  if (text.length % 4 !== 0 || !BASE64.test(text)) throw malformed("A binary value is not valid base64.");
  return Buffer.from(text, "base64");
}

function wrongScalar(value: unknown, wanted: string, javaClass: string): never {
  if (Array.isArray(value)) throw malformed(`Unrecognized collection type class java.lang.${javaClass}`);
  if (typeof value === "object") throw malformed("Start of structure or map found where not expected.");
  throw malformed(`${typeName(value)} can not be converted to ${wanted}`);
}

function wrongCollection(value: unknown): never {
  if (Array.isArray(value)) throw malformed("Start of list found where not expected");
  if (typeof value === "object") throw malformed("Start of structure or map found where not expected.");
  throw malformed("Unexpected field type");
}

function typeName(value: unknown): string {
  if (typeof value === "string") return "STRING_VALUE";
  if (typeof value === "number") return "NUMBER_VALUE";
  return value === true ? "TRUE_VALUE" : "FALSE_VALUE";
}

export function compileEncode(members: Members): Encode {
  const names = Object.keys(members);
  const prefixes = names.map((name) => `${JSON.stringify(name)}:`);
  const encoders = Object.values(members).map(encoderOf);
  return (value) => {
    const source = value as Source; // what the description was inferred from
    let text = "";
    for (let index = 0; index < names.length; index++) {
      const member = source[names[index] as string];
      if (member === undefined) continue;
      const piece = (encoders[index] as Encode)(member);
      if (piece !== "") text += (text === "" ? "{" : ",") + (prefixes[index] as string) + piece;
    }
    return text === "" ? "{}" : `${text}}`;
  };
}

function encoderOf(member: Member): Encode {
  switch (member.kind) {
    case "string":
      return member.plain ? (value) => `"${value}"` : JSON.stringify;
    case "integer":
    case "boolean":
      return String;
    case "blob":
      return (value) => `"${(value as Buffer).toString("base64")}"`;
    case "list": {
      const encode = encoderOf(member.of);
      return (value) => {
        let text = "";
        for (const element of value as readonly unknown[]) text += (text === "" ? "[" : ",") + encode(element);
        return text === "" ? "" : `${text}]`;
      };
    }
    case "map": {
      const encode = encoderOf(member.of);
      return (value) => {
        let text = "";
        for (const [key, element] of value as ReadonlyMap<string, unknown>) {
          text += `${(text === "" ? "{" : ",") + JSON.stringify(key)}:${encode(element)}`;
        }
        return text === "" ? "" : `${text}}`;
      };
    }
    case "structure":
      return compileEncode(member.members);
  }
}

/** An answer in one protocol. */
export interface Renderer {
  success(operation: Operation, output: unknown, requestId: string): SqsReply;
  failure(error: SqsError, requestId: string): SqsReply;
}

export const JSON_RENDERER: Renderer = {
  success(operation, output, requestId) {
    const encode = ENCODERS.get(operation);
    const body = encode === undefined ? "" : encode(output);
    return { status: 200, contentType: JSON_TYPE, requestId, queryError: undefined, body };
  },
  failure(error, requestId) {
    const row = ERRORS[error.code];
    return {
      status: row.status,
      contentType: JSON_TYPE,
      requestId,
      queryError: queryErrorOf(error.code),
      body: `{"__type":"${row.space}#${error.code}","message":${JSON.stringify(error.message)}}`,
    };
  },
};
