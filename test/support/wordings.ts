// The service's wordings that several tables need, written down here a second time, and what its answers look like.
import { expect } from "vitest";

export const UUID = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);
export const MD5 = expect.stringMatching(/^[0-9a-f]{32}$/);
export const SEQUENCE_NUMBER = expect.stringMatching(/^\d{20}$/);

export const MISSING_QUEUE = "400 AWS.SimpleQueueService.NonExistentQueue | The specified queue does not exist.";
export const WRONG_TYPE = "The request include parameter that is not valid for this queue type."; // sic
export const CHARACTERS =
  "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF";

export function invalid(text: string): string {
  return `400 InvalidParameterValue | ${text}`;
}

export function invalidValue(value: string | number, parameter: string, reason: string): string {
  return invalid(`Value ${value} for parameter ${parameter} is invalid. Reason: ${reason}`);
}

/** Of a message group, a deduplication or a receive attempt. */
export function invalidIdentifier(value: string, parameter: string): string {
  return invalidValue(
    value,
    parameter,
    `${parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length.`,
  );
}

export function missingParameter(parameter: string): string {
  return `400 MissingParameter | The request must contain the parameter ${parameter}.`;
}
