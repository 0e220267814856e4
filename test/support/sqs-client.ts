// Talks to a Handle in both protocols: one call in, the same kind of result out.

import { XMLParser } from "fast-xml-parser";
import type { Handle, SqsReply, SqsRequest } from "../../src/sqs/exchange.ts";
import { createSqs, type SqsOptions } from "../../src/sqs/index.ts";
import { FakeBroker, FakeClock } from "./fake-broker.ts";

export const ACCOUNT = "123456789012";
export const ORIGIN = "http://localhost:9324";

export function urlOf(name: string): string {
  return `${ORIGIN}/${ACCOUNT}/${name}`;
}

export function arnOf(name: string): string {
  return `arn:aws:sqs:us-east-1:${ACCOUNT}:${name}`;
}

export const NO_REQUEST: SqsRequest = {
  method: "POST",
  path: "/",
  query: "",
  host: "localhost:9324",
  scheme: "http",
  contentType: "",
  target: "",
  authorization: "",
  accept: "",
  traceHeader: "",
  body: Buffer.alloc(0),
  headers: new Map(),
  remoteAddress: "",
};

export class SqsClient {
  readonly clock = new FakeClock();
  readonly broker = new FakeBroker(this.clock);
  readonly faults: unknown[] = [];
  readonly handle: Handle;

  constructor(options: Partial<SqsOptions> = {}) {
    this.handle = createSqs(this.broker, {
      awsWaits: true,
      account: ACCOUNT,
      defaultRegion: "us-east-1",
      clock: this.clock,
      onFault: (error) => this.faults.push(error),
      ...options,
    });
  }

  /** @returns the reply, which must come before `handle` returns */
  request(request: Partial<SqsRequest>): SqsReply {
    const replies = this.start(request).replies;
    const [reply] = replies;
    if (reply === undefined || replies.length !== 1) throw new Error(`Expected one reply, got ${replies.length}`);
    return reply;
  }

  /** For requests whose answer waits. */
  start(request: Partial<SqsRequest>): { readonly replies: SqsReply[]; readonly cancel: (() => void) | undefined } {
    const replies: SqsReply[] = [];
    const cancel = this.handle({ ...NO_REQUEST, ...request }, (reply) => replies.push(reply));
    return { replies, cancel };
  }

  json(action: string, input: unknown, more: Partial<SqsRequest> = {}): SqsReply {
    return this.request({ ...jsonRequest(action, input), ...more });
  }

  query(parameters: { readonly [name: string]: string }, more: Partial<SqsRequest> = {}): SqsReply {
    const body = Buffer.from(new URLSearchParams({ Version: "2012-11-05", ...parameters }).toString());
    return this.request({ contentType: "application/x-www-form-urlencoded", body, ...more });
  }

  /** The output of a JSON call that must succeed. */
  call(action: string, input: unknown, more: Partial<SqsRequest> = {}): Json {
    const reply = this.json(action, input, more);
    if (reply.status !== 200) throw new Error(`${action} answered ${reply.status} ${reply.body}`);
    return reply.body === "" ? {} : parseJson(reply.body);
  }

  createQueue(name: string, attributes: { readonly [name: string]: string } = {}): string {
    this.call("CreateQueue", { QueueName: name, Attributes: attributes });
    return urlOf(name);
  }
}

export function jsonRequest(action: string, input: unknown): Partial<SqsRequest> {
  return {
    contentType: "application/x-amz-json-1.0",
    target: `AmazonSQS.${action}`,
    body: Buffer.from(typeof input === "string" ? input : JSON.stringify(input)),
  };
}

export interface Json {
  readonly [name: string]: unknown;
}

export function parseJson(text: string): Json {
  return JSON.parse(text) as Json; // every reply is an object
}

const XML = new XMLParser({ parseTagValue: false, ignoreAttributes: true, trimValues: false, htmlEntities: true });

export function parseXml(text: string): Json {
  return XML.parse(text) as Json; // an element at the top
}

/** One line for an error, the same in both protocols: `400 QueryCode | text`. */
export function errorLine(reply: SqsReply): string {
  if (reply.contentType === "text/xml") {
    const { Code, Message } = (parseXml(reply.body)["ErrorResponse"] as { Error: { Code: string; Message: string } })
      .Error;
    return `${reply.status} ${Code} | ${Message}`;
  }
  return `${reply.status} ${reply.queryError?.split(";")[0]} | ${parseJson(reply.body)["message"]}`;
}

/** A JSON-shaped input as Query parameters, by the wire names of the service's reference. */
export function toParameters(action: string, input: Json): { [name: string]: string } {
  const parameters: { [name: string]: string } = { Action: action };
  for (const [name, value] of Object.entries(input)) flatten(parameters, wireName(action, name), value, name);
  return parameters;
}

const WIRE_NAMES: { readonly [name: string]: string } = {
  Attributes: "Attribute",
  tags: "Tag",
  Tags: "Tag",
  TagKeys: "TagKey",
  AttributeNames: "AttributeName",
  MessageSystemAttributeNames: "AttributeName",
  MessageAttributeNames: "MessageAttributeName",
  AWSAccountIds: "AWSAccountId",
  Actions: "ActionName",
  MessageAttributes: "MessageAttribute",
  MessageSystemAttributes: "MessageSystemAttribute",
  StringListValues: "StringListValue",
  BinaryListValues: "BinaryListValue",
};

function wireName(action: string, name: string): string {
  return name === "Entries" ? `${action}RequestEntry` : (WIRE_NAMES[name] ?? name);
}

function flatten(parameters: { [name: string]: string }, wire: string, value: unknown, name: string): void {
  if (value === null || value === undefined) return; // as in JSON: absent
  if (Array.isArray(value)) {
    for (const [index, element] of value.entries()) flatten(parameters, `${wire}.${index + 1}`, element, "");
  } else if (typeof value === "object") {
    const isMap = name in WIRE_NAMES;
    const key = /tags/i.test(name) ? "Key" : "Name";
    for (const [index, [member, element]] of Object.entries(value).entries()) {
      if (isMap) {
        parameters[`${wire}.${index + 1}.${key}`] = member;
        flatten(parameters, `${wire}.${index + 1}.Value`, element, "");
      } else {
        flatten(parameters, `${wire}.${wireName("", member)}`, element, member);
      }
    }
  } else {
    parameters[wire] = String(value);
  }
}
