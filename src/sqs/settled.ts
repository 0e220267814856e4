// How the broker's verdict on a receipt handle is told.

import type { Settled } from "../broker/types.ts";
import { invalidValue, SqsError } from "./errors.ts";

/** A message that is gone already was deleted, as far as its receiver is concerned. @throws SqsError */
export function checkDeleted(receiptHandle: string, result: Settled | undefined): void {
  if (result === "gone") return;
  check(receiptHandle, result);
}

/** @throws SqsError */
export function checkChanged(receiptHandle: string, visibilitySeconds: number, result: Settled | undefined): void {
  if (result === "gone") {
    throw invalidValue(
      receiptHandle,
      "ReceiptHandle",
      "Message does not exist or is not available for visibility timeout change.",
    );
  }
  if (result === "beyondMaximum") {
    throw invalidValue(
      visibilitySeconds,
      "VisibilityTimeout",
      "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]",
    );
  }
  check(receiptHandle, result);
}

function check(receiptHandle: string, result: Settled | undefined): void {
  if (result === "invalidHandle") {
    throw new SqsError(
      "ReceiptHandleIsInvalid",
      `The input receipt handle "${receiptHandle}" is not a valid receipt handle.`,
    );
  }
  if (result === "expired") throw invalidValue(receiptHandle, "ReceiptHandle", "The receipt handle has expired.");
}
