// Which characters a text may have.

import { TRACE_HEADER_BYTES_MAX } from "../limits.ts";

/** Told when a body, or a string attribute, has another character. */
export const INVALID_CHARACTERS =
  "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF";

// The first expression is the quick one and knows only that surrogates need a second look; the second is exact.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const SUSPECT = /[\x00-\x08\x0B\x0C\x0E-\x1F\uD800-\uDFFF\uFFFE\uFFFF]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const FORBIDDEN = /[\x00-\x08\x0B\x0C\x0E-\x1F\uD800-\uDFFF\uFFFE\uFFFF]/u; // with "u" a pair is one character
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const EACH_FORBIDDEN = /[\x00-\x08\x0B\x0C\x0E-\x1F\uD800-\uDFFF\uFFFE\uFFFF]/gu;

/** The set that bodies and string attributes share; XML 1.0 has the same one. */
export function hasForbiddenCharacter(text: string): boolean {
  return SUSPECT.test(text) && FORBIDDEN.test(text);
}

/** For texts that quote what a client sent, and must still be XML. */
export function withoutForbiddenCharacters(text: string): string {
  return SUSPECT.test(text) ? text.replace(EACH_FORBIDDEN, "\uFFFD") : text;
}

const IDENTIFIER = /^[!-~]{1,128}$/; // letters, digits and ASCII punctuation; no space

/** MessageGroupId, MessageDeduplicationId, ReceiveRequestAttemptId. */
export function isIdentifier(text: string): boolean {
  return IDENTIFIER.test(text);
}

const HEX = "[0-9a-fA-F]";
const TRACE_FIELDS: { readonly [key: string]: RegExp } = {
  Root: new RegExp(`^\\d-${HEX}{8}-${HEX}{24}$`),
  Parent: new RegExp(`^${HEX}{16}$`),
  Sampled: /^[01?]$/,
};
const TRACE_FIELD_MAX = 16;

/** Whether an X-Ray trace header is well formed: `key=value` fields between semicolons, a Root among them. */
export function isTraceHeader(text: string): boolean {
  if (text.length > TRACE_HEADER_BYTES_MAX) return false;
  const fields = text.split(";", TRACE_FIELD_MAX + 1);
  if (fields.length > TRACE_FIELD_MAX) return false;
  let hasRoot = false;
  for (const field of fields) {
    const equals = field.indexOf("=");
    const key = field.slice(0, equals).trim();
    if (field.trim() === "") continue;
    if (equals === -1 || !/^[A-Za-z][A-Za-z0-9_-]*$/.test(key)) return false;
    const rule = Object.hasOwn(TRACE_FIELDS, key) ? TRACE_FIELDS[key] : /^[!-~]*$/;
    if (rule?.test(field.slice(equals + 1).trim()) !== true) return false;
    hasRoot ||= key === "Root";
  }
  return hasRoot;
}
