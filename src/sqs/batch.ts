// What the three batch actions share: the checks of the whole request, and entries that fail alone.

import { BATCH_ENTRY_COUNT_MAX } from "../limits.ts";
import { ERRORS, missingParameter, SqsError } from "./errors.ts";
import type { BatchFailure } from "./shapes.ts";

export type EntryName =
  | "SendMessageBatchRequestEntry"
  | "DeleteMessageBatchRequestEntry"
  | "ChangeMessageVisibilityBatchRequestEntry";

const ENTRY_ID = /^[A-Za-z0-9_-]{1,80}$/;

/** @returns the entries' ids, in order. @throws SqsError: nothing of the batch is done */
export function checkEntries(name: EntryName, entries: readonly { readonly Id?: string | undefined }[]): string[] {
  if (entries.length === 0) {
    throw new SqsError("EmptyBatchRequest", `There should be at least one ${name} in the request.`);
  }
  if (entries.length > BATCH_ENTRY_COUNT_MAX) {
    throw new SqsError(
      "TooManyEntriesInBatchRequest",
      `Maximum number of entries per request are ${BATCH_ENTRY_COUNT_MAX}. You have sent ${entries.length}.`,
    );
  }
  const ids = entries.map(({ Id: id }, index) => {
    if (id === undefined) throw missingParameter(`${name}.${index + 1}.Id`);
    if (ENTRY_ID.test(id)) return id;
    throw new SqsError(
      "InvalidBatchEntryId",
      "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.",
    );
  });
  const repeated = ids.find((id, index) => ids.indexOf(id) !== index);
  if (repeated !== undefined) throw new SqsError("BatchEntryIdsNotDistinct", `Id ${repeated} repeated.`);
  return ids;
}

/** The result of one entry: what it gives, or how it failed. */
export type Outcome<T> = { readonly value: T } | { readonly error: SqsError };

/** Calls `make`, and takes an SqsError for a result. */
export function outcomeOf<T>(make: () => T): Outcome<T> {
  try {
    return { value: make() };
  } catch (error) {
    if (error instanceof SqsError) return { error };
    throw error;
  }
}

/** Both lists of a batch's answer, in request order. @param outcomes one for each id */
export function batchOutput<T extends object>(ids: readonly string[], outcomes: readonly Outcome<T>[]) {
  const successful: (T & { readonly Id: string })[] = [];
  const failed: BatchFailure[] = [];
  for (const [index, outcome] of outcomes.entries()) {
    const id = ids[index] ?? "";
    if ("value" in outcome) successful.push({ Id: id, ...outcome.value });
    else failed.push(failure(id, outcome.error));
  }
  return { Successful: successful, Failed: failed };
}

/** Codes are Query codes in both protocols. */
function failure(id: string, error: SqsError): BatchFailure {
  const { fault, queryCode } = ERRORS[error.code];
  return { Id: id, SenderFault: fault === "Sender", Code: queryCode, Message: error.message };
}
