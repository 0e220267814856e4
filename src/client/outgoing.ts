// A message to publish, as its producer writes it and as the wire has it.
import type { Parts } from "./codec.ts";
import { WasqError } from "./errors.ts";
import { milliseconds } from "./options.ts";
import type { NewMessage } from "./schema.ts";

export type AttributeInput =
  | string
  | number
  | Uint8Array
  /** A type of one's own: String, Number or Binary, and a label. */
  | { readonly type: string; readonly value: string | Uint8Array };

export interface OutgoingMessage {
  /** At least one byte of text; bytes have to be UTF-8. */
  readonly body: string | Uint8Array;
  /** Standard queues only, in ms: to 900,000. Default: the queue's. */
  readonly delayMs?: number;
  /** At most 10. A string is a String, a number a Number, bytes are Binary. */
  readonly attributes?: Readonly<Record<string, AttributeInput>>;
  readonly groupId?: string;
  readonly deduplicationId?: string;
  readonly traceHeader?: string;
}

/** Tags, sizes and numbers of a message or an attribute. */
const MESSAGE_OVERHEAD = 64;
const UTF8_BYTES_PER_UNIT_MAX = 3;
const DELAY_MS_MAX = 900_000;

/** @internal @throws WasqError INVALID_PARAMETER for what is of another type, which the server could not tell */
export function newMessage(message: OutgoingMessage): Parts<NewMessage> {
  if (typeof message !== "object" || message === null) throw wrong("a message", "text, or an object with a body");
  const { body, attributes, delayMs, ...texts } = message;
  if (typeof body !== "string" && !(body instanceof Uint8Array)) throw wrong("body", "text or bytes (Uint8Array)");
  const { groupId, deduplicationId, traceHeader } = texts;
  for (const [name, value] of Object.entries({ groupId, deduplicationId, traceHeader })) {
    if (value !== undefined && typeof value !== "string") throw wrong(name, "text");
  }
  return {
    ...(typeof body === "string" ? { text: body } : { body }),
    delayMs: delayMs === undefined ? undefined : milliseconds("delayMs", delayMs, 0, DELAY_MS_MAX),
    groupId,
    deduplicationId,
    traceHeader,
    attributes: Object.entries(attributes ?? {}).map(([name, value]) => attributeOf(name, value)),
  };
}

function attributeOf(name: string, input: AttributeInput): Parts<NewMessage["attributes"][number]> {
  if (typeof input === "string") return { name, type: "String", text: input };
  if (typeof input === "number") return { name, type: "Number", text: String(input) };
  if (input instanceof Uint8Array) return { name, type: "Binary", binary: input };
  const { type, value }: { type?: unknown; value?: unknown } = Object(input);
  if (typeof type !== "string" || (typeof value !== "string" && !(value instanceof Uint8Array))) {
    throw wrong(`attribute ${name}`, "text, a number, bytes, or an object with type and value");
  }
  return typeof value === "string" ? { name, type, text: value } : { name, type, binary: value };
}

function wrong(what: string, needed: string): WasqError {
  return new WasqError("INVALID_PARAMETER", `${what} is none: ${needed} is needed`);
}

/** @internal What it takes on the wire, not less: exact for the body, three bytes a character for the rest. */
export function bytesAtMost({
  text,
  body,
  attributes = [],
  groupId,
  deduplicationId,
  traceHeader,
}: Parts<NewMessage>): number {
  let units = (groupId ?? "").length + (deduplicationId ?? "").length + (traceHeader ?? "").length;
  let bytes = MESSAGE_OVERHEAD + (body?.length ?? utf8Bytes(text ?? ""));
  for (const attribute of attributes) {
    units += (attribute.name ?? "").length + (attribute.type ?? "").length + (attribute.text ?? "").length;
    bytes += MESSAGE_OVERHEAD + (attribute.binary?.length ?? 0);
  }
  return bytes + units * UTF8_BYTES_PER_UNIT_MAX;
}

/** Exact, so that a large text is not taken for three times its size. */
function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) continue;
    bytes += unit < 0x800 ? 1 : 2;
    if (unit >= 0xd800 && unit < 0xdc00) {
      index += 1; // a pair: two units, four bytes
    }
  }
  return bytes;
}
