// A queue of the running process with the few calls that scenarios make of it.
import { expect } from "vitest";
import type { Service } from "./service.ts";
import type { Json } from "./sqs-client.ts";

export interface Message {
  readonly Body: string;
  readonly MessageId: string;
  readonly ReceiptHandle: string;
  readonly Attributes?: { readonly [name: string]: string };
}

const FIFO = { FifoQueue: "true", ContentBasedDeduplication: "true" };

export class Queue {
  readonly sqs: Service;
  readonly name: string;

  constructor(sqs: Service, name: string) {
    this.sqs = sqs;
    this.name = name;
  }

  async send(body: string, more: Json = {}): Promise<Json> {
    return this.sqs.call("SendMessage", { QueueUrl: this.name, MessageBody: body, ...more });
  }

  async receive(more: Json = {}): Promise<readonly Message[]> {
    const input = { QueueUrl: this.name, AttributeNames: ["All"], ...more };
    return ((await this.sqs.call("ReceiveMessage", input))["Messages"] ?? []) as readonly Message[];
  }

  /** The one message that is there. */
  async one(more: Json = {}): Promise<Message> {
    const messages = await this.receive(more);
    expect(messages).toHaveLength(1);
    return messages[0] as Message;
  }

  async bodies(more: Json = {}): Promise<string> {
    return (await this.receive({ MaxNumberOfMessages: 10, ...more })).map(({ Body }) => Body).join(" ");
  }

  async delete(message: Message): Promise<void> {
    await this.sqs.call("DeleteMessage", { QueueUrl: this.name, ReceiptHandle: message.ReceiptHandle });
  }

  async hide(message: Message, VisibilityTimeout: number): Promise<void> {
    const input = { QueueUrl: this.name, ReceiptHandle: message.ReceiptHandle, VisibilityTimeout };
    await this.sqs.call("ChangeMessageVisibility", input);
  }

  /** The refusal of an action on a handle. */
  async refuses(action: "DeleteMessage" | "ChangeMessageVisibility", ReceiptHandle: string): Promise<string> {
    return this.sqs.refusal(action, { QueueUrl: this.name, ReceiptHandle, VisibilityTimeout: 1 });
  }
}

/** A queue; one whose name ends in .fifo makes its deduplication ids of the bodies. */
export async function create(sqs: Service, name: string, attributes: Json = {}): Promise<Queue> {
  const type = name.endsWith(".fifo") ? FIFO : {};
  await sqs.call("CreateQueue", { QueueName: name, Attributes: { ...type, ...attributes } });
  return new Queue(sqs, name);
}
