// A streamed message in the shape that the SQS API gives it.
import type { Message } from "./message.ts";
import type { Field } from "./schema.ts";

export interface SqsAttributeValue {
  DataType: string;
  StringValue?: string;
  BinaryValue?: Uint8Array;
}

export interface SqsMessage {
  MessageId: string;
  ReceiptHandle: string;
  MD5OfBody: string;
  Body: string;
  Attributes?: Record<string, string>;
  MessageAttributes?: Record<string, SqsAttributeValue>;
}

type Asked = Exclude<Field, "FIELD_UNSPECIFIED">;

/** System attributes: name, the field that brings it, how it reads. */
const SYSTEM: readonly (readonly [string, Asked | undefined, (message: Message) => string | number | undefined])[] = [
  ["SenderId", "SENDER_ID", ({ senderId }) => senderId],
  ["SentTimestamp", "SENT_TIME", ({ sentMs }) => sentMs],
  ["ApproximateReceiveCount", undefined, ({ receiveCount }) => receiveCount],
  ["ApproximateFirstReceiveTimestamp", "FIRST_RECEIVED_TIME", ({ firstReceivedMs }) => firstReceivedMs],
  ["SequenceNumber", "SEQUENCE_NUMBER", ({ sequenceNumber }) => sequenceNumber],
  ["MessageDeduplicationId", "DEDUPLICATION_ID", ({ deduplicationId }) => deduplicationId],
  ["MessageGroupId", "GROUP_ID", ({ groupId }) => groupId],
  ["AWSTraceHeader", "TRACE_HEADER", ({ traceHeader }) => traceHeader],
  ["DeadLetterQueueSourceArn", "DEAD_LETTER_SOURCE", ({ deadLetterSource }) => deadLetterSource],
];

/** What a consumer wants to see of its messages. */
export class SqsShape {
  readonly #system: typeof SYSTEM;
  readonly #isWanted: ((name: string) => boolean) | undefined;

  /**
   * @param systemNames as ReceiveMessage takes them: "All", or system attributes
   * @param attributeNames as ReceiveMessage takes them: "All", ".*", names, or beginnings such as "order.*"
   */
  constructor(systemNames: readonly string[], attributeNames: readonly string[]) {
    this.#system = SYSTEM.filter(([name]) => systemNames.includes("All") || systemNames.includes(name));
    if (attributeNames.length === 0) return;
    const beginnings = attributeNames.filter((name) => name.endsWith(".*")).map((name) => name.slice(0, -1));
    const isAll = attributeNames.includes("All") || attributeNames.includes(".*");
    this.#isWanted = (name) =>
      isAll || attributeNames.includes(name) || beginnings.some((beginning) => name.startsWith(beginning));
  }

  /** What to ask the server for. */
  get fields(): Asked[] {
    const system = this.#system.flatMap(([, field]) => (field === undefined ? [] : [field]));
    return ["RECEIPT_HANDLE", "BODY_MD5", ...system, ...(this.#isWanted === undefined ? [] : ["ATTRIBUTES" as const])];
  }

  of(message: Message): SqsMessage {
    const shaped: SqsMessage = {
      MessageId: message.id,
      ReceiptHandle: message.receiptHandle ?? "",
      MD5OfBody: message.bodyMd5 ?? "",
      Body: message.body,
    };
    if (this.#system.length > 0) shaped.Attributes = this.#systemOf(message);
    const attributes = this.#attributesOf(message);
    if (Object.keys(attributes).length > 0) shaped.MessageAttributes = attributes;
    return shaped;
  }

  #systemOf(message: Message): Record<string, string> {
    const attributes: Record<string, string> = {};
    for (const [name, , read] of this.#system) {
      const value = read(message);
      if (value !== undefined) attributes[name] = String(value);
    }
    return attributes;
  }

  #attributesOf(message: Message): Record<string, SqsAttributeValue> {
    const wanted = Object.entries(message.attributes).filter(([name]) => this.#isWanted?.(name) === true);
    return Object.fromEntries(
      wanted.map(([name, { type, value }]) => [
        name,
        typeof value === "string" ? { DataType: type, StringValue: value } : { DataType: type, BinaryValue: value },
      ]),
    );
  }
}
