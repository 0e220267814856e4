// The service as its callers see it: the real process, one account, one protocol. Both protocols take the same input and
// give the same answer, so that one row of a table is asked of both. Every answer is checked for the form it must have.
import { XMLParser } from "fast-xml-parser";
import { expect } from "vitest";
import { SERVICE_ERRORS } from "./service-errors.ts";
import { type Json, toParameters } from "./sqs-client.ts";

export const PROTOCOLS = ["JSON", "Query"] as const;
export type Protocol = (typeof PROTOCOLS)[number];

export interface Answer {
  readonly status: number;
  /** As JSON has it, whatever the protocol; {} for no output. */
  readonly output: Json;
  /** `status code | message` for an error, "" for a success. */
  readonly refusal: string;
}

export interface RawRequest {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: { readonly [name: string]: string };
  readonly body?: string | Uint8Array<ArrayBuffer>;
}

export interface RawReply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const WSDL = "The specified queue does not exist for this wsdl version.";
const NO_OUTPUT: ReadonlySet<string> = new Set([
  ...["AddPermission", "RemovePermission", "ChangeMessageVisibility", "DeleteMessage", "DeleteQueue"],
  ...["PurgeQueue", "SetQueueAttributes", "TagQueue", "UntagQueue"],
]);

export class Service {
  readonly endpoint: string;
  readonly protocol: Protocol;
  readonly account: string;
  readonly region: string;

  constructor(endpoint: string, protocol: Protocol, account: string, region = "us-east-1") {
    this.endpoint = endpoint;
    this.protocol = protocol;
    this.account = account;
    this.region = region;
  }

  /** The same account, seen from another region. */
  in(region: string): Service {
    return new Service(this.endpoint, this.protocol, this.account, region);
  }

  url(name: string): string {
    return `${this.endpoint}/${this.account}/${name}`;
  }

  arn(name: string): string {
    return `arn:aws:sqs:${this.region}:${this.account}:${name}`;
  }

  get authorization(): string {
    const scope = `${this.account}/20261123/${this.region}/sqs/aws4_request`;
    return `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host;x-amz-date, Signature=${"0".repeat(64)}`;
  }

  async raw(request: RawRequest): Promise<RawReply> {
    const reply = await fetch(`${this.endpoint}${request.path ?? "/"}`, {
      method: request.method ?? "POST",
      headers: { authorization: this.authorization, ...request.headers },
      ...(request.body === undefined ? {} : { body: request.body }),
    });
    return { status: reply.status, headers: reply.headers, text: await reply.text() };
  }

  async ask(action: string, input: Json): Promise<Answer> {
    return this.protocol === "JSON" ? this.#askJson(action, input) : this.#askQuery(action, input);
  }

  /** The output of a call that must succeed. */
  async call(action: string, input: Json): Promise<Json> {
    const answer = await this.ask(action, input);
    expect(answer.refusal, `${action} ${JSON.stringify(input).slice(0, 500)}`).toBe("");
    return answer.output;
  }

  /** `status code | message` of a call that must be refused. */
  async refusal(action: string, input: Json): Promise<string> {
    const answer = await this.ask(action, input);
    expect(answer.refusal, `${action} ${JSON.stringify(input).slice(0, 500)} succeeded`).not.toBe("");
    return answer.refusal;
  }

  async #askJson(action: string, input: Json): Promise<Answer> {
    const { status, headers, text } = await this.raw({
      headers: { "content-type": "application/x-amz-json-1.0", "x-amz-target": `AmazonSQS.${action}` },
      body: JSON.stringify(input),
    });
    expect(headers.get("content-type")).toBe("application/x-amz-json-1.0");
    expect(headers.get("x-amzn-requestid")).toMatch(UUID);
    if (status === 200) {
      expect(headers.get("x-amzn-query-error")).toBeNull();
      if (NO_OUTPUT.has(action)) expect(text).toBe("");
      const output = text === "" ? {} : (JSON.parse(text) as Json);
      expect(emptyPlaces(output), "what is empty is left out").toEqual([]);
      return { status, output, refusal: "" };
    }
    const body = JSON.parse(text) as { readonly __type: string; readonly message: string };
    expect(Object.keys(body)).toEqual(["__type", "message"]);
    const [code, fault] = (headers.get("x-amzn-query-error") ?? "").split(";");
    checkError(status, code, fault, body.__type);
    return { status, output: {}, refusal: `${status} ${code} | ${body.message}` };
  }

  async #askQuery(action: string, input: Json): Promise<Answer> {
    const parameters = new URLSearchParams({ Version: "2012-11-05", ...toParameters(action, input) });
    const { status, headers, text } = await this.raw({
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: parameters.toString(),
    });
    expect(headers.get("content-type")).toBe("text/xml");
    const requestId = headers.get("x-amzn-requestid");
    expect(requestId).toMatch(UUID);
    if (status === 200) {
      expect(text.startsWith(`<?xml version="1.0"?><${action}Response xmlns="${NAMESPACE}">`)).toBe(true);
      const response = parse(text)[`${action}Response`] as Json;
      expect(response["ResponseMetadata"]).toEqual({ RequestId: requestId });
      expect(`${action}Result` in response).toBe(!NO_OUTPUT.has(action));
      return { status, output: outputOf(action, response[`${action}Result`]), refusal: "" };
    }
    expect(text.startsWith(`<?xml version="1.0"?><ErrorResponse xmlns="${NAMESPACE}"><Error><Type>`)).toBe(true);
    expect(text).toContain("<Detail/></Error>");
    const response = parse(text)["ErrorResponse"] as {
      readonly Error: { readonly Type: string; readonly Code: string; readonly Message: string };
      readonly RequestId: string;
    };
    expect(response.RequestId).toBe(requestId);
    const { Type, Code, Message } = response.Error;
    checkError(status, Code, Type, undefined);
    if (Code === "AWS.SimpleQueueService.NonExistentQueue") expect(Message).toBe(WSDL);
    return { status, output: {}, refusal: `${status} ${Code} | ${Message.replace(" for this wsdl version", "")}` };
  }
}

const NAMESPACE = "http://queue.amazonaws.com/doc/2012-11-05/";

/** An error is one of the catalogue, with its status and, in JSON, its type. */
function checkError(
  status: number,
  code: string | undefined,
  fault: string | undefined,
  type: string | undefined,
): void {
  const row = SERVICE_ERRORS[code ?? ""];
  expect(row, `${code} is in the catalogue`).toBeDefined();
  expect({ status, fault }).toEqual({ status: row?.status, fault: "Sender" });
  if (type !== undefined) expect(type).toBe(row?.type);
}

/** Paths to null, [] and {} inside an output: the service leaves such members out. */
function emptyPlaces(value: unknown, path = ""): string[] {
  if (value === null || (Array.isArray(value) && value.length === 0)) return [path];
  if (typeof value !== "object") return [];
  const members = Object.entries(value);
  if (members.length === 0 && path !== "") return [path];
  return members.flatMap(([name, member]) => emptyPlaces(member, `${path}/${name}`));
}

const LISTS: ReadonlySet<string> = new Set([
  "ListMessageMoveTasksResultEntry",
  ...["Attribute", "MessageAttribute", "Tag", "BatchResultErrorEntry"],
  ...["SendMessage", "DeleteMessage", "ChangeMessageVisibility"].map((name) => `${name}BatchResultEntry`),
]);
const XML = new XMLParser({
  parseTagValue: false,
  trimValues: false,
  htmlEntities: true,
  isArray: (name, path) => LISTS.has(name) || (name === "Message" && String(path).endsWith("Result.Message")),
});

function parse(text: string): Json {
  return XML.parse(text) as Json; // an element at the top
}

/** A result element as the JSON protocol would have it. */
function outputOf(action: string, result: unknown): Json {
  if (result === undefined || result === "") return {};
  const { QueueUrl: urls, ...rest } = result as Json;
  const output = membersOf(rest);
  if (urls === undefined) return output;
  const list = Array.isArray(urls) ? urls : [urls];
  if (action === "ListQueues") return { QueueUrls: list, ...output };
  if (action === "ListDeadLetterSourceQueues") return { queueUrls: list, ...output };
  return { QueueUrl: urls, ...output };
}

function membersOf(element: Json): Json {
  return Object.fromEntries(Object.entries(element).map(([name, value]) => memberOf(name, value)));
}

function memberOf(name: string, value: unknown): readonly [string, unknown] {
  switch (name) {
    case "Message":
      return Array.isArray(value) ? ["Messages", value.map(membersOf)] : [name, value]; // or an error's text
    case "Attribute":
      return ["Attributes", mapOf(value as readonly Json[], "Name")];
    case "MessageAttribute":
      return ["MessageAttributes", mapOf(value as readonly Json[], "Name")];
    case "Tag":
      return ["Tags", mapOf(value as readonly Json[], "Key")];
    case "BatchResultErrorEntry":
      return ["Failed", (value as readonly Json[]).map(membersOf)];
    case "ListMessageMoveTasksResultEntry":
      return ["Results", (value as readonly Json[]).map(membersOf)];
    case "MaxNumberOfMessagesPerSecond":
    case "ApproximateNumberOfMessagesMoved":
    case "ApproximateNumberOfMessagesToMove":
    case "StartedTimestamp":
      return [name, Number(value)];
    case "SenderFault":
      return [name, value === "true"];
    default:
      return name.endsWith("BatchResultEntry") ? ["Successful", value] : [name, value];
  }
}

function mapOf(pairs: readonly Json[], key: "Name" | "Key"): Json {
  const names = pairs.map((pair) => String(pair[key]));
  expect(new Set(names).size, "no key comes twice").toBe(names.length);
  return Object.fromEntries(pairs.map((pair) => [String(pair[key]), pair["Value"]]));
}
