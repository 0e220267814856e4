// Messages of the schema to bytes and back, over protobufjs' reader and writer. protobufjs' own ways from a schema to a
// codec are static code, which is 13 kB gzipped for this schema, and reflection, which makes functions from text: pages
// with a content security policy refuse that. So the table of schema.ts is interpreted here.
import type protobuf from "protobufjs/minimal.js";
import { WasqError } from "./errors.ts";
import { ENUMS, FIELDS, type Messages } from "./schema.ts";

type Reader = protobuf.Reader;
type Writer = protobuf.Writer;

/** What `encode` takes: any part of a message; what is absent has its default. */
export type Parts<T> = T extends Uint8Array
  ? Uint8Array
  : T extends readonly (infer E)[]
    ? readonly Parts<E>[]
    : T extends object
      ? { readonly [K in keyof T]?: Parts<T[K]> | undefined }
      : T;

type Plain = Record<string, unknown>;

interface Field {
  readonly number: number;
  readonly name: string;
  /** uint32, uint64, double, bool, string, bytes, enum or message. */
  readonly kind: string;
  readonly isRepeated: boolean;
  /** Absent is not the same as its default. */
  readonly hasPresence: boolean;
  readonly values: EnumType | undefined;
  readonly type: MessageType | undefined;
}

interface EnumType {
  readonly numbers: Readonly<Record<string, number>>;
  readonly names: ReadonlyMap<number, string>;
}

interface MessageType {
  readonly fields: Field[];
  readonly byNumber: (Field | undefined)[];
  /** Its prototype has the defaults, so that reading a message writes only what is there. */
  readonly Shape: new () => Plain;
}

const VARINT = 0;
const BYTES = 2;
const FIXED64 = 1;
const EMPTY_BYTES = new Uint8Array(0);
const DEFAULTS: Readonly<Record<string, unknown>> = { bool: false, string: "", bytes: EMPTY_BYTES };

const enums = new Map<string, EnumType>();
const messages = new Map<string, MessageType>();

for (const [name, numbers] of Object.entries(ENUMS)) {
  enums.set(name, { numbers, names: new Map(Object.entries(numbers).map(([key, value]) => [value, key])) });
}
for (const name of Object.keys(FIELDS)) messages.set(name, { fields: [], byNumber: [], Shape: class {} as never });
for (const [name, lines] of Object.entries(FIELDS)) {
  const type = typeOf(name as keyof Messages);
  const defaults: Plain = {};
  for (const line of lines) {
    const [number = "", field = "", mark = ""] = line.split(" ");
    const kind = mark.replace(/[*?]$/, "");
    const values = enums.get(kind);
    const inner = messages.get(kind);
    const made: Field = {
      number: Number(number),
      name: field,
      kind: values !== undefined ? "enum" : inner !== undefined ? "message" : kind,
      isRepeated: mark.endsWith("*"),
      hasPresence: mark.endsWith("?"),
      values,
      type: inner,
    };
    type.fields.push(made);
    type.byNumber[made.number] = made;
    if (made.isRepeated) defaults[field] = Object.freeze([]);
    else if (made.hasPresence) defaults[field] = undefined;
    else defaults[field] = values === undefined ? (DEFAULTS[kind] ?? 0) : values.names.get(0);
  }
  Object.assign(type.Shape.prototype, defaults);
}

function typeOf(name: keyof Messages): MessageType {
  const type = messages.get(name);
  if (type === undefined) throw new TypeError(`the schema has no ${name}`);
  return type;
}

/** Writes a message behind its size as a varint. */
export function encodeDelimited<Name extends keyof Messages>(
  name: Name,
  message: Parts<Messages[Name]>,
  writer: Writer,
): void {
  writer.fork();
  write(typeOf(name), message as Plain, writer);
  writer.ldelim();
}

/** Reads a message that is behind its size. @throws RangeError or Error when the bytes are not one */
export function decodeDelimited<Name extends keyof Messages>(name: Name, reader: Reader): Messages[Name] {
  return read(typeOf(name), reader, endOf(reader)) as unknown as Messages[Name];
}

function write(type: MessageType, message: Plain, writer: Writer): void {
  for (const field of type.fields) {
    const value = message[field.name];
    if (value === undefined) continue;
    if (field.isRepeated) writeRepeated(field, value as readonly unknown[], writer);
    else if (field.hasPresence || !isDefault(field, value)) {
      writer.uint32((field.number << 3) | wireOf(field.kind));
      writeValue(field, value, writer);
    }
  }
}

function writeRepeated(field: Field, values: readonly unknown[], writer: Writer): void {
  if (values.length === 0) return;
  if (wireOf(field.kind) === BYTES) {
    for (const value of values) {
      writer.uint32((field.number << 3) | BYTES);
      writeValue(field, value, writer);
    }
    return;
  }
  writer.uint32((field.number << 3) | BYTES).fork(); // packed
  for (const value of values) writeValue(field, value, writer);
  writer.ldelim();
}

function writeValue(field: Field, value: unknown, writer: Writer): void {
  if (field.type !== undefined) {
    writer.fork();
    write(field.type, value as Plain, writer);
    writer.ldelim();
  } else if (field.kind === "uint32") writer.uint32(value as number);
  else if (field.kind === "bytes") writer.bytes(value as Uint8Array);
  else if (field.kind === "string") writer.string(value as string);
  else if (field.kind === "uint64") writer.uint64(value as number);
  else if (field.kind === "bool") writer.bool(value as boolean);
  else if (field.kind === "double") writer.double(value as number);
  else writer.int32(enumNumber(field, value as string));
}

function enumNumber(field: Field, name: string): number {
  const number = field.values?.numbers[name];
  if (number === undefined) throw new WasqError("INVALID_PARAMETER", `${field.name} has no value ${name}`);
  return number;
}

function isDefault(field: Field, value: unknown): boolean {
  if (field.kind === "bytes") return (value as Uint8Array).length === 0;
  if (field.kind === "enum") return enumNumber(field, value as string) === 0;
  return value === 0 || value === "" || value === false;
}

function wireOf(kind: string): number {
  if (kind === "double") return FIXED64;
  return kind === "bytes" || kind === "string" || kind === "message" ? BYTES : VARINT;
}

function endOf(reader: Reader): number {
  const end = reader.uint32() + reader.pos;
  if (end > reader.len) throw new RangeError("a size goes beyond the frame");
  return end;
}

function read(type: MessageType, reader: Reader, end: number): Plain {
  const message = new type.Shape();
  while (reader.pos < end) {
    const tag = reader.uint32();
    const field = type.byNumber[tag >>> 3];
    const wire = tag & 7;
    if (field === undefined) reader.skipType(wire);
    else if (field.isRepeated) readRepeated(field, wire, reader, message);
    else if (wire === wireOf(field.kind)) message[field.name] = readValue(field, reader);
    else reader.skipType(wire);
  }
  if (reader.pos !== end) throw new RangeError("a message ends inside of a field");
  return message;
}

function readRepeated(field: Field, wire: number, reader: Reader, message: Plain): void {
  let list = message[field.name] as unknown[];
  if (list.length === 0) {
    list = [];
    message[field.name] = list;
  }
  const own = wireOf(field.kind);
  if (wire === own) list.push(readValue(field, reader));
  else if (wire === BYTES) {
    const end = endOf(reader);
    while (reader.pos < end) list.push(readValue(field, reader)); // packed
    if (reader.pos !== end) throw new RangeError("a list ends inside of a value");
  } else reader.skipType(wire);
}

function readValue(field: Field, reader: Reader): unknown {
  if (field.type !== undefined) return read(field.type, reader, endOf(reader));
  if (field.kind === "uint32") return reader.uint32();
  if (field.kind === "bytes") return reader.bytes();
  if (field.kind === "string") return reader.string();
  if (field.kind === "uint64") return readNumber(reader);
  if (field.kind === "bool") return reader.bool();
  if (field.kind === "double") return reader.double();
  const number = reader.int32();
  return field.values?.names.get(number) ?? `UNKNOWN_${number}`;
}

/** A Long where somebody has loaded that package; none of ours goes beyond 2^53 - 1. */
function readNumber(reader: Reader): number {
  const value: unknown = reader.uint64();
  return typeof value === "number" ? value : (value as { toNumber(): number }).toNumber();
}
