// The rules of one message to send, shared by SendMessage and SendMessageBatch; only some wordings differ.

import type { Outgoing, Queue, Sent } from "../broker/types.ts";
import { DELAY_MS_MAX } from "../limits.ts";
import { hasForbiddenCharacter, INVALID_CHARACTERS, isIdentifier } from "./characters.ts";
import { md5 } from "./digest.ts";
import {
  full,
  invalidParameter,
  invalidValue,
  missingParameter,
  SqsError,
  wrongQueueType,
  wrongQueueTypeInBatch,
} from "./errors.ts";
import { attributesBytes, encodeAttributes, encodeSystemAttributes } from "./message-attributes.ts";
import type { Context } from "./operation.ts";
import { type Fields, integer, messageAttributes, messageSystemAttributes, string } from "./shapes.ts";

/** Input members of one message. */
export const messageMembers = {
  MessageBody: string,
  DelaySeconds: integer,
  MessageAttributes: messageAttributes,
  MessageSystemAttributes: messageSystemAttributes,
  MessageDeduplicationId: string,
  MessageGroupId: string,
};
export type MessageInput = Fields<typeof messageMembers>;

export interface Prepared {
  readonly outgoing: Outgoing;
  readonly attributesMd5: string | undefined;
  readonly systemAttributesMd5: string | undefined;
}

/** How many bytes count for the message, as far as the input goes: broken rules are found elsewhere. */
export function messageBytes(input: MessageInput): number {
  return Buffer.byteLength(input.MessageBody ?? "") + attributesBytes(input.MessageAttributes);
}

const DELAY_SECONDS_MAX = DELAY_MS_MAX / 1000;
const UTF8_BYTES_PER_UNIT_MAX = 3;

export const NO_DEDUPLICATION_ID =
  "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly";

/**
 * @param entry name of the message's entry in a batch ("SendMessageBatchRequestEntry.1"), undefined outside of one
 * @throws SqsError for the first rule broken
 */
export function prepareMessage(
  context: Context,
  queue: Queue,
  input: MessageInput,
  entry: string | undefined,
): Prepared {
  const { MessageBody: body, MessageDeduplicationId: deduplicationId, MessageGroupId: groupId } = input;
  const settings = queue.settings;
  if (body === undefined || body === "") {
    throw missingParameter(entry === undefined ? "MessageBody" : `${entry}.MessageBody`);
  }
  const attributes = encodeAttributes(input.MessageAttributes);
  const system = encodeSystemAttributes(input.MessageSystemAttributes);
  const surelyFits = attributes === undefined && body.length * UTF8_BYTES_PER_UNIT_MAX <= settings.maximumMessageBytes;
  if (!surelyFits && messageBytes(input) > settings.maximumMessageBytes) {
    const problem = entry === undefined ? "are invalid" : "cannot be validated"; // the service's two wordings
    throw invalidParameter(
      `One or more parameters ${problem}. Reason: Message must be shorter than ${settings.maximumMessageBytes} bytes.`,
    );
  }
  if (hasForbiddenCharacter(body)) throw new SqsError("InvalidMessageContents", INVALID_CHARACTERS);
  checkDelay(settings.fifo, input.DelaySeconds, entry !== undefined);

  if (settings.fifo) checkFifo(queue, input);
  if (groupId !== undefined) checkIdentifier(groupId, "MessageGroupId");
  if (deduplicationId !== undefined) {
    if (!settings.fifo) {
      throw entry === undefined ? wrongQueueType(deduplicationId, "MessageDeduplicationId") : wrongQueueTypeInBatch();
    }
    checkIdentifier(deduplicationId, "MessageDeduplicationId");
  }
  const delaySeconds = settings.fifo ? undefined : input.DelaySeconds; // on FIFO it can only be 0, which says nothing
  return {
    outgoing: {
      body,
      delayMs: delaySeconds === undefined ? undefined : delaySeconds * 1000,
      attributes,
      groupId,
      // Without one, content-based deduplication: the core takes the body's SHA-256.
      deduplicationId: settings.fifo ? deduplicationId : undefined,
      senderId: context.senderId,
      traceHeader: system?.traceHeader ?? (context.traceHeader === "" ? undefined : context.traceHeader),
    },
    attributesMd5: attributes === undefined ? undefined : md5(attributes),
    systemAttributesMd5: system?.md5,
  };
}

function checkDelay(fifo: boolean, delaySeconds: number | undefined, inBatch: boolean): void {
  if (delaySeconds === undefined) return;
  if (delaySeconds < 0 || delaySeconds > DELAY_SECONDS_MAX) {
    throw invalidValue(delaySeconds, "DelaySeconds", `DelaySeconds must be >= 0 and <= ${DELAY_SECONDS_MAX}.`);
  }
  if (fifo && delaySeconds > 0) {
    throw inBatch ? wrongQueueTypeInBatch() : wrongQueueType(delaySeconds, "DelaySeconds");
  }
}

/** What a FIFO queue cannot do without. A batch asks before it looks at its entries one by one. */
export function checkFifo(queue: Queue, input: MessageInput): void {
  if (input.MessageGroupId === undefined) throw missingParameter("MessageGroupId");
  if (input.MessageDeduplicationId === undefined && !queue.settings.contentBasedDeduplication) {
    throw invalidParameter(NO_DEDUPLICATION_ID);
  }
}

export function checkIdentifier(text: string, parameter: string): void {
  if (isIdentifier(text)) return;
  throw invalidValue(
    text,
    parameter,
    `${parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length.`,
  );
}

/** What a send tells of one message. @throws SqsError when there was no room for it */
export function sentOutput(queue: Queue, prepared: Prepared, sent: Sent | undefined) {
  if (sent?.status === "locked") throw new SqsError(sent.error.code, sent.error.message);
  if (sent === undefined || sent.status === "full") throw full();
  return {
    MessageId: sent.messageId,
    MD5OfMessageBody: sent.bodyMd5,
    MD5OfMessageAttributes: prepared.attributesMd5,
    MD5OfMessageSystemAttributes: prepared.systemAttributesMd5,
    SequenceNumber: queue.settings.fifo ? sent.sequenceNumber : undefined,
  };
}
