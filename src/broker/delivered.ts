// A message as values, made of what the core says of it and of its record.
import { hash } from "node:crypto";
import { assert } from "../base/assert.ts";
import type { Core } from "../core/core.ts";
import type { Delivery } from "../core/effects.ts";
import { readStoredMessage } from "../core/stored-message.ts";
import type { Catalogue } from "./catalogue.ts";
import { messageIdAfterMoves } from "./message-ids.ts";
import type { QueueEntry } from "./queue-entry.ts";
import { writeReceiptHandle } from "./receipt-handle.ts";
import { sequenceText } from "./sequence.ts";
import type { Delivered } from "./types.ts";

/** What was published over a stream or sent in a batch may have no digest until somebody asks for it. */
const NO_MD5 = "0".repeat(32);

/** The message as its receiver has it. Its record must be in the core's memory. */
export function deliveredMessage(core: Core, catalogue: Catalogue, entry: QueueEntry, delivery: Delivery): Delivered {
  const record = core.record(delivery.position, delivery.recordBytes);
  assert(record !== undefined, "a message is in memory when it is handed out");
  const stored = readStoredMessage(record);
  const { fifo } = entry.settings;
  const messageId = messageIdAfterMoves(stored.messageId, delivery.reissues);
  return {
    messageId,
    receiptHandle: writeReceiptHandle(entry.number, delivery),
    body: stored.body,
    bodyMd5: stored.bodyMd5 === NO_MD5 ? hash("md5", stored.body) : stored.bodyMd5,
    attributes: stored.attributes,
    groupId: stored.groupId,
    // A message that was moved must not be taken for another with the same ID, so it has its message ID instead.
    deduplicationId: fifo && (delivery.moved || delivery.reissues > 0) ? messageId : stored.deduplicationId,
    senderId: stored.senderId,
    traceHeader: stored.traceHeader,
    sentMs: delivery.sentMs,
    firstReceivedMs: delivery.firstReceivedMs,
    receiveCount: delivery.receiveCount,
    sequenceNumber: fifo ? sequenceText(delivery.sequence) : undefined,
    deadLetterSourceArn: delivery.moved ? catalogue.arnOf(delivery.sourceNumber) : undefined,
  };
}
