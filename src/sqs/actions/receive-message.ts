import type { Delivered, Queue, Received } from "../../broker/types.ts";
import { RECEIVE_COUNT_MAX, VISIBILITY_MS_MAX, WAIT_MS_MAX } from "../../limits.ts";
import { invalidValue, queueDoesNotExist, SqsError, wrongQueueType } from "../errors.ts";
import { type Selection, selectAttributes, selectionOf } from "../message-attributes.ts";
import { findQueue, operation } from "../operation.ts";
import { checkIdentifier } from "../outgoing.ts";
import { integer, list, map, messageAttributes, plainString, string, structure } from "../shapes.ts";

/** A message as a receive, and a look that changes nothing, gives it back. */
export const receivedMessage = structure({
  MessageId: plainString,
  ReceiptHandle: plainString,
  MD5OfBody: plainString,
  Body: string,
  Attributes: map("Attribute", "Name", string),
  MD5OfMessageAttributes: plainString,
  MessageAttributes: messageAttributes,
});

export const receiveMessage = operation(
  "ReceiveMessage",
  {
    QueueUrl: string,
    MaxNumberOfMessages: integer,
    VisibilityTimeout: integer,
    WaitTimeSeconds: integer,
    AttributeNames: list("AttributeName", string),
    MessageSystemAttributeNames: list("AttributeName", string),
    MessageAttributeNames: list("MessageAttributeName", string),
    ReceiveRequestAttemptId: string,
  },
  {
    Messages: list("Message", receivedMessage),
  },
  (context, input, reply) => {
    const queue = findQueue(context, input.QueueUrl);
    const { fifo, visibilitySeconds, waitSeconds } = queue.settings;
    const countMax = input.MaxNumberOfMessages ?? 1;
    if (countMax < 1 || countMax > RECEIVE_COUNT_MAX) {
      throw invalidValue(countMax, "MaxNumberOfMessages", `Must be between 1 and ${RECEIVE_COUNT_MAX}, if provided.`);
    }
    const waitMs = milliseconds("WaitTimeSeconds", input.WaitTimeSeconds ?? waitSeconds, WAIT_MS_MAX);
    const visibilityMs = milliseconds(
      "VisibilityTimeout",
      input.VisibilityTimeout ?? visibilitySeconds,
      VISIBILITY_MS_MAX,
    );
    checkAttemptId(queue, input.ReceiveRequestAttemptId);

    const system = systemSelection(input.AttributeNames, input.MessageSystemAttributeNames);
    const selection = selectionOf(input.MessageAttributeNames);
    const attemptId = input.ReceiveRequestAttemptId;
    return context.broker.receive(queue, { countMax, visibilityMs, waitMs, attemptId }, (received) =>
      reply.settle(() => receivedOutput(received, fifo || waitMs > 0, attemptId, system, selection)),
    );
  },
);

function milliseconds(parameter: string, seconds: number, msMax: number): number {
  if (seconds >= 0 && seconds * 1000 <= msMax) return seconds * 1000;
  throw invalidValue(seconds, parameter, `Must be >= 0 and <= ${msMax / 1000}, if provided.`);
}

function checkAttemptId(queue: Queue, attemptId: string | undefined): void {
  if (attemptId === undefined) return;
  if (!queue.settings.fifo) throw wrongQueueType(attemptId, "ReceiveRequestAttemptId");
  checkIdentifier(attemptId, "ReceiveRequestAttemptId");
}

const NOT_RETRYABLE = "The receiveRequestAttemptId is not valid anymore since the receive call is not retryable.";
const NO_MESSAGES: readonly Delivered[] = [];

function messagesOf(received: Received, mayBeEmpty: boolean, attemptId = ""): readonly Delivered[] {
  if (received.status === "ok") return received.messages;
  if (received.status === "locked") throw new SqsError(received.error.code, received.error.message);
  if (received.status === "queueGone") throw queueDoesNotExist();
  if (received.status === "notRetryable") throw invalidValue(attemptId, "ReceiveRequestAttemptId", NOT_RETRYABLE);
  if (mayBeEmpty) return NO_MESSAGES;
  throw new SqsError(
    "OverLimit",
    "Too many messages have been received without being deleted. Please delete your received messages or let them timeout before receiving more.",
  );
}

/**
 * @param mayBeEmpty whether a queue at its limit of messages in flight answers with nothing, or with an error
 * @param system a bit for each of the attributes below, in their order
 * @throws SqsError
 */
export function receivedOutput(
  received: Received,
  mayBeEmpty: boolean,
  attemptId: string | undefined,
  system: number,
  selection: Selection | undefined,
) {
  return {
    Messages: messagesOf(received, mayBeEmpty, attemptId).map((message) => messageOutput(message, system, selection)),
  };
}

// In the order in which assembly/request.ts counts them, and assembly/reply.ts writes them.
const SYSTEM_ATTRIBUTES: readonly {
  readonly name: string;
  readonly read: (message: Delivered) => string | undefined;
}[] = [
  { name: "SenderId", read: (message) => message.senderId },
  { name: "SentTimestamp", read: (message) => String(message.sentMs) },
  { name: "ApproximateReceiveCount", read: (message) => String(message.receiveCount) },
  { name: "ApproximateFirstReceiveTimestamp", read: (message) => String(message.firstReceivedMs) },
  { name: "SequenceNumber", read: (message) => message.sequenceNumber },
  { name: "MessageDeduplicationId", read: (message) => message.deduplicationId },
  { name: "MessageGroupId", read: (message) => message.groupId },
  { name: "AWSTraceHeader", read: (message) => message.traceHeader },
  { name: "DeadLetterQueueSourceArn", read: (message) => message.deadLetterSourceArn },
];
export const ALL_SYSTEM_ATTRIBUTES = (1 << SYSTEM_ATTRIBUTES.length) - 1;
const BITS: ReadonlyMap<string, number> = new Map([
  ["All", ALL_SYSTEM_ATTRIBUTES],
  ...SYSTEM_ATTRIBUTES.map(({ name }, index): [string, number] => [name, 1 << index]),
]);

/** One bit for each row of SYSTEM_ATTRIBUTES. Other names, such as queue attributes, are nothing to a message. */
function systemSelection(...lists: readonly (readonly string[] | undefined)[]): number {
  let bits = 0;
  for (const names of lists) {
    if (names === undefined) continue;
    for (const name of names) bits |= BITS.get(name) ?? 0;
  }
  return bits;
}

function systemAttributes(message: Delivered, bits: number): ReadonlyMap<string, string> | undefined {
  if (bits === 0) return undefined;
  const attributes = new Map<string, string>();
  for (const [index, { name, read }] of SYSTEM_ATTRIBUTES.entries()) {
    if ((bits & (1 << index)) === 0) continue;
    const value = read(message);
    if (value !== undefined) attributes.set(name, value);
  }
  return attributes;
}

/** @param system one bit for each row of SYSTEM_ATTRIBUTES. @param selection of message attributes; undefined: none */
export function messageOutput(message: Delivered, system: number, selection: Selection | undefined) {
  const selected =
    selection === undefined || message.attributes === undefined
      ? undefined
      : selectAttributes(message.attributes, selection);
  return {
    MessageId: message.messageId,
    ReceiptHandle: message.receiptHandle,
    MD5OfBody: message.bodyMd5,
    Body: message.body,
    Attributes: systemAttributes(message, system),
    MD5OfMessageAttributes: selected?.md5,
    MessageAttributes: selected?.attributes,
  };
}
