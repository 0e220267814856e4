// The rules of queue tags.

import { TAG_COUNT_MAX } from "../limits.ts";
import { invalidParameter } from "./errors.ts";

const KEY_COUNT_MAX = 128;
const VALUE_COUNT_MAX = 256;
const ALLOWED = /^[\p{L}\p{N}\s_.:/=+@-]*$/u;

/**
 * @param added the tags of the request
 * @param countAfter how many the queue will have
 */
export function checkTags(queueName: string, added: ReadonlyMap<string, string>, countAfter: number): void {
  for (const [key, value] of added) {
    if (key === "" || countOf(key) > KEY_COUNT_MAX) {
      throw invalidParameter("Tag keys must be between 1 and 128 characters in length.");
    }
    if (!ALLOWED.test(key)) throw invalidParameter(`Tag keys ${ONLY}`);
    if (countOf(value) > VALUE_COUNT_MAX) {
      throw invalidParameter("Tag values must be between 0 and 256 characters in length.");
    }
    if (!ALLOWED.test(value)) throw invalidParameter(`Tag values ${ONLY}`);
  }
  if (countAfter > TAG_COUNT_MAX) throw invalidParameter(`Too many tags added for queue ${queueName}.`);
}

const ONLY = "may only contain unicode letters, digits, whitespace, or one of these symbols: _ . : / = + - @";

function countOf(text: string): number {
  let count = 0;
  for (const _ of text) count++; // characters, not code units
  return count;
}
