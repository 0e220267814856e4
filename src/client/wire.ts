// Frames: WebSocket messages of the binary subprotocol, each with envelopes behind their sizes.
import protobuf from "protobufjs/minimal.js";
import { decodeDelimited, encodeDelimited, type Parts } from "./codec.ts";
import type { Envelope } from "./schema.ts";

export const SUBPROTOCOL = "wasq.v1.protobuf";

export type { Envelope };
export type OutgoingEnvelope = Parts<Envelope>;

/** One envelope, behind its size. */
export function encodeEnvelope(envelope: OutgoingEnvelope): Uint8Array {
  const writer = protobuf.Writer.create();
  encodeDelimited("Envelope", envelope, writer);
  return writer.finish();
}

/** All envelopes of a frame. Bodies stay views of it. @throws when it cannot be read */
export function decodeFrame(frame: Uint8Array): Envelope[] {
  const reader = protobuf.Reader.create(frame);
  const envelopes: Envelope[] = [];
  while (reader.pos < reader.len) envelopes.push(decodeDelimited("Envelope", reader));
  return envelopes;
}

/** Puts encoded envelopes together, as few frames as `frameBytesMax` allows. */
export function framesOf(envelopes: readonly Uint8Array[], frameBytesMax: number): Uint8Array[] {
  const frames: Uint8Array[] = [];
  let start = 0;
  let bytes = 0;
  const close = (end: number): void => {
    if (end === start) return;
    const first = envelopes[start];
    frames.push(end === start + 1 && first !== undefined ? first : concat(envelopes.slice(start, end), bytes));
    start = end;
    bytes = 0;
  };
  for (const [index, envelope] of envelopes.entries()) {
    if (bytes + envelope.length > frameBytesMax) close(index);
    bytes += envelope.length;
  }
  close(envelopes.length);
  return frames;
}

function concat(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const whole = new Uint8Array(bytes);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
