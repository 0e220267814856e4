// What may be wrong with a published message, as the core numbers it (assembly/publish.ts, attributes.ts).
import type { ErrorName } from "./envelope.ts";
import { ErrorCode } from "./schema.ts";

const PROBLEMS: Readonly<Record<number, readonly [ErrorName, string]>> = {
  1: ["MISSING_PARAMETER", "The body is empty"],
  2: ["INVALID_MESSAGE_CONTENTS", "The body has bytes that are not UTF-8, or characters that SQS does not allow"],
  3: ["MESSAGE_TOO_LONG", "Body and attributes have more bytes than the queue allows"],
  4: ["INVALID_PARAMETER", "delay_ms is beyond 900,000"],
  5: ["INVALID_PARAMETER", "A FIFO queue's messages have no delay of their own"],
  6: ["MISSING_PARAMETER", "A FIFO queue's messages have a group_id"],
  7: ["INVALID_PARAMETER", "group_id has 1 to 128 letters, digits and punctuation"],
  8: ["MISSING_PARAMETER", "The queue needs a deduplication_id: it does not make one from the body"],
  9: ["INVALID_PARAMETER", "deduplication_id has 1 to 128 letters, digits and punctuation"],
  10: ["INVALID_PARAMETER", "A standard queue's messages have no deduplication_id"],
  11: ["INVALID_PARAMETER", "A message has at most 10 attributes"],
  12: ["INVALID_PARAMETER", "An attribute's name has 1 to 256 ASCII letters, digits, _, - and single dots inside"],
  13: ["INVALID_PARAMETER", "Attribute names that begin with AWS. or Amazon. are reserved"],
  14: ["INVALID_PARAMETER", "An attribute's type is String, Number or Binary, with a label or without"],
  15: ["INVALID_PARAMETER", "An attribute has a value that is not empty"],
  16: ["INVALID_PARAMETER", "A Binary attribute has binary, another one text"],
  17: ["INVALID_PARAMETER", "A Number attribute's text is a number of up to 38 digits"],
  18: ["INVALID_MESSAGE_CONTENTS", "An attribute has characters that SQS does not allow"],
  19: ["INVALID_PARAMETER", "Two attributes have the same name"],
  20: ["INVALID_PARAMETER", "trace_header has at most 1,024 bytes of text"],
};

/** For a Confirm: the code, and a text for people. */
export function problemOf(reason: number): { readonly code: number | undefined; readonly message: string } {
  const [code, message] = PROBLEMS[reason] ?? ["INVALID_PARAMETER", "The message breaks a rule"];
  return { code: ErrorCode[code], message };
}
