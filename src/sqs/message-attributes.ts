// Message attributes: their rules, their size, and the block the broker keeps them in. The block is the very
// byte string that MD5OfMessageAttributes is computed over, so a digest never needs another encoding:
//
//   entry, once per attribute, ascending by name:
//     size  field
//        4  name size, bytes, big-endian
//        n  name, UTF-8
//        4  type size
//        n  type, UTF-8, with its label ("Number.java.lang.Long")
//        1  transport: 1 text (String, Number), 2 bytes (Binary)
//        4  value size
//        n  value: UTF-8, or the raw bytes
//
// Example: "Foo" String "Bar"; pinned by message-attributes.test.ts, MD5 ae7155c6026991b6d54b11589678bf9c
//   00000003 466f6f 00000006 537472696e67 01 00000003 426172
//
// The digest of a selection is the digest of the selected entries' bytes, which is what the service computes.

import { ATTRIBUTE_COUNT_MAX, TRACE_HEADER_BYTES_MAX } from "../limits.ts";
import { hasForbiddenCharacter, INVALID_CHARACTERS } from "./characters.ts";
import { md5 } from "./digest.ts";
import { invalidParameter, SqsError } from "./errors.ts";
import type { MessageAttribute } from "./shapes.ts";

const TEXT = 1;
const BYTES = 2;
const NAME_COUNT_MAX = 256;
const TYPE_COUNT_MAX = 256;

export type AttributeMap = ReadonlyMap<string, MessageAttribute>;

/** What counts towards the message's size: names, types and values, without the block's own framing. */
export function attributesBytes(attributes: AttributeMap | undefined): number {
  let bytes = 0;
  if (attributes === undefined) return bytes;
  for (const [name, { DataType, StringValue, BinaryValue }] of attributes) {
    bytes += Buffer.byteLength(name) + Buffer.byteLength(DataType ?? "");
    bytes += Buffer.byteLength(StringValue ?? "") + (BinaryValue?.length ?? 0);
  }
  return bytes;
}

/** @returns the block; undefined for no attributes. @throws SqsError for the first rule broken */
export function encodeAttributes(attributes: AttributeMap | undefined): Buffer | undefined {
  if (attributes === undefined || attributes.size === 0) return undefined;
  if (attributes.size > ATTRIBUTE_COUNT_MAX) {
    throw invalidParameter(
      `Number of message attributes [${attributes.size}] exceeds the allowed maximum [${ATTRIBUTE_COUNT_MAX}].`,
    );
  }
  for (const [name, attribute] of attributes) {
    checkName(name);
    checkAttribute("user", name, attribute);
  }
  return encode(attributes);
}

/** @returns the trace header and the digest to confirm it with; undefined for no attributes. @throws SqsError */
export function encodeSystemAttributes(
  attributes: AttributeMap | undefined,
): { readonly traceHeader: string; readonly md5: string } | undefined {
  if (attributes === undefined || attributes.size === 0) return undefined;
  let traceHeader = "";
  for (const [name, attribute] of attributes) {
    if (name !== "AWSTraceHeader") throw invalidParameter(`Message system attribute name '${name}' is invalid.`);
    checkAttribute("system", name, attribute);
    if (attribute.StringValue === undefined || !attribute.DataType?.startsWith("String")) {
      throw invalidParameter(
        `The type of message (system) attribute '${name}' is invalid. You must use only the following supported type prefixes: String.`,
      );
    }
    traceHeader = attribute.StringValue;
    if (Buffer.byteLength(traceHeader) > TRACE_HEADER_BYTES_MAX) {
      throw invalidParameter(
        `Message (system) attribute '${name}' must be at most ${TRACE_HEADER_BYTES_MAX} bytes long.`,
      );
    }
  }
  return { traceHeader, md5: md5(encode(attributes)) };
}

function checkName(name: string): void {
  if (name === "") throw invalidParameter("The request must contain non-empty message (user) attribute names.");
  if (name.length > NAME_COUNT_MAX) {
    throw invalidParameter("Message (user) attribute name must be shorter than 256 bytes.");
  }
  if (/^(aws|amazon)\./i.test(name)) {
    throw invalidParameter(
      "You can't use message attribute names beginning with 'AWS.' or 'Amazon'. These strings are reserved for internal use.",
    );
  }
  if (name.startsWith(".")) throw invalidParameter("Message (user) attribute name must not begin with character '.'.");
  if (name.endsWith(".")) throw invalidParameter("Message (user) attribute name must not end with character '.'.");
  if (name.includes("..")) {
    throw invalidParameter("Message (user) attribute name must not have successive '.' characters.");
  }
  // Documented as ASCII; the service was seen to take accented letters.
  if (!/^[\p{L}\p{N}_.-]+$/u.test(name)) {
    throw invalidParameter(
      "Message (user) attribute name can only include alphanumeric characters, hyphens, underscores and periods.",
    );
  }
}

function checkAttribute(origin: "user" | "system", name: string, attribute: MessageAttribute): void {
  const { DataType: type, StringValue: text, BinaryValue: bytes } = attribute;
  if (attribute.StringListValues !== undefined || attribute.BinaryListValues !== undefined) {
    throw new SqsError(
      "UnsupportedOperation",
      "Message attribute list values in SendMessage operation are not supported.",
    );
  }
  if (type === undefined || type === "") {
    throw invalidParameter(
      `The message (${origin}) attribute '${name}' must contain a non-empty message attribute type.`,
    );
  }
  if (type.length > TYPE_COUNT_MAX) {
    throw invalidParameter(`Message (${origin}) attribute type must be shorter than 256 bytes.`);
  }
  const base = baseType(type);
  if (base === undefined || hasForbiddenCharacter(type)) {
    throw invalidParameter(
      `The type of message (${origin}) attribute '${name}' is invalid. You must use only the following supported type prefixes: Binary, Number, String.`,
    );
  }
  if (text !== undefined && bytes !== undefined) {
    throw invalidParameter(`Message (${origin}) attribute '${name}' must have a single value.`);
  }
  if (text === undefined && bytes === undefined) {
    throw invalidParameter(
      `The message (${origin}) attribute '${name}' must contain a non-empty message attribute value.`,
    );
  }
  const value = base === "Binary" ? bytes : text;
  if (value === undefined) {
    const field = base === "Binary" ? "Binary" : "String";
    throw invalidParameter(`Message (${origin}) attribute '${name}' with type '${type}' must use field '${field}'.`);
  }
  if (value.length === 0) {
    throw invalidParameter(`Message (${origin}) attribute '${name}' must contain a non-empty value of type '${type}'.`);
  }
  if (base === "Number" && !isNumber(text ?? "")) {
    throw invalidParameter(`Can't cast the value of message (${origin}) attribute '${name}' to a number.`);
  }
  if (text !== undefined && hasForbiddenCharacter(text)) throw invalidParameter(INVALID_CHARACTERS);
}

/** The part before the label. */
function baseType(type: string): "String" | "Number" | "Binary" | undefined {
  const dot = type.indexOf(".");
  const base = dot === -1 ? type : type.slice(0, dot);
  return base === "String" || base === "Number" || base === "Binary" ? base : undefined;
}

const NUMBER = /^[+-]?(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:[eE]([+-]?\d{1,4}))?$/;
const NUMBER_DIGITS_MAX = 38;
const NUMBER_EXPONENT_MIN = -128;
const NUMBER_EXPONENT_MAX = 126;

function isNumber(text: string): boolean {
  const match = NUMBER.exec(text);
  if (match === null) return false;
  const whole = match[1] ?? "";
  const digits = whole + (match[2] ?? match[3] ?? "");
  const first = digits.search(/[1-9]/);
  if (first === -1) return true; // zero
  let last = digits.length - 1;
  while (digits[last] === "0") last--;
  const exponent = Number(match[4] ?? "0") + whole.length - 1 - first; // of the first digit that counts
  const precision = last - first + 1;
  return precision <= NUMBER_DIGITS_MAX && exponent >= NUMBER_EXPONENT_MIN && exponent <= NUMBER_EXPONENT_MAX;
}

function encode(attributes: AttributeMap): Buffer {
  const pieces: Buffer[] = [];
  for (const name of [...attributes.keys()].sort()) {
    const { DataType: type = "", StringValue: text, BinaryValue: bytes } = attributes.get(name) ?? {};
    pushSized(pieces, Buffer.from(name));
    pushSized(pieces, Buffer.from(type));
    pieces.push(Buffer.of(text === undefined ? BYTES : TEXT));
    pushSized(pieces, text === undefined ? (bytes ?? Buffer.alloc(0)) : Buffer.from(text));
  }
  return Buffer.concat(pieces);
}

function pushSized(pieces: Buffer[], bytes: Buffer): void {
  const size = Buffer.allocUnsafe(4);
  size.writeUInt32BE(bytes.length);
  pieces.push(size, bytes);
}

/** What a receive gives back of a block. */
export interface Selected {
  readonly attributes: AttributeMap;
  readonly md5: string; // of the selected attributes only
}

/** @returns undefined when nothing is selected */
export function selectAttributes(block: Uint8Array, selection: Selection): Selected | undefined {
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.byteLength);
  const attributes = new Map<string, MessageAttribute>();
  const entries: Buffer[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const start = offset;
    const nameEnd = offset + 4 + bytes.readUInt32BE(offset);
    const name = bytes.toString("utf8", offset + 4, nameEnd);
    const typeEnd = nameEnd + 4 + bytes.readUInt32BE(nameEnd);
    const valueStart = typeEnd + 5;
    offset = valueStart + bytes.readUInt32BE(typeEnd + 1);
    if (!selects(selection, name)) continue;
    const type = bytes.toString("utf8", nameEnd + 4, typeEnd);
    attributes.set(
      name,
      bytes[typeEnd] === TEXT
        ? { StringValue: bytes.toString("utf8", valueStart, offset), DataType: type }
        : { BinaryValue: bytes.subarray(valueStart, offset), DataType: type },
    );
    entries.push(bytes.subarray(start, offset));
  }
  if (entries.length === 0) return undefined;
  return { attributes, md5: md5(selection.all ? bytes : Buffer.concat(entries)) };
}

/** Which attributes a receive asks for. */
export interface Selection {
  readonly all: boolean;
  readonly names: ReadonlySet<string>;
  readonly prefixes: readonly string[];
}

/** `All`, `.*` and `*` select everything, `prefix.*` what starts with `prefix`; a name that cannot exist matches nothing. */
export function selectionOf(names: readonly string[] | undefined): Selection | undefined {
  if (names === undefined) return undefined;
  let all = false;
  const exact = new Set<string>();
  const prefixes: string[] = [];
  for (const name of names) {
    if (name === "All" || name === ".*" || name === "*") all = true;
    else if (name.endsWith(".*")) prefixes.push(name.slice(0, -2));
    else exact.add(name);
  }
  return { all, names: exact, prefixes };
}

function selects(selection: Selection, name: string): boolean {
  return selection.all || selection.names.has(name) || selection.prefixes.some((prefix) => name.startsWith(prefix));
}
