// The client's codec against protobufjs' reflection over the same schema.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import protobuf from "protobufjs";
import { describe, expect, test } from "vitest";
import { clientSchemaOf, schemaOf } from "../../build/schema.mjs";
import { ENUMS, FIELDS } from "../../src/client/schema.ts";
import { decodeFrame, encodeEnvelope, framesOf, type OutgoingEnvelope } from "../../src/client/wire.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const PROTO = readFileSync(join(ROOT, "src", "stream", "broker.proto"), "utf8");
const Reference = protobuf.Root.fromJSON(schemaOf(PROTO)).lookupType("wasq.v1.Envelope");

type Plain = Record<string, unknown>;

/** Any value of a message type of the schema, drawn from the client's own table of fields. */
function anyMessage(name: string): fc.Arbitrary<Plain> {
  const shape: Record<string, fc.Arbitrary<unknown>> = {};
  for (const line of FIELDS[name as keyof typeof FIELDS]) {
    const [, field = "", mark = ""] = line.split(" ");
    const value = anyValue(mark.replace(/[*?]$/, ""));
    shape[field] = mark.endsWith("*") ? fc.array(value, { maxLength: 4 }) : value;
  }
  if (name === "Envelope") {
    const { id, ...bodies } = shape;
    const one = Object.entries(bodies).map(([body, value]) => value.map((drawn) => ({ [body]: drawn })));
    return fc.tuple(id ?? fc.constant(0), fc.oneof(...one)).map(([drawn, body]) => ({ id: drawn, ...body }));
  }
  // One of a oneof at a time, as the schema says.
  return fc.record(shape, { requiredKeys: [] }).map((message) => {
    for (const { oneof } of Object.values(Reference.root.lookupType(`wasq.v1.${name}`).oneofs ?? {})) {
      let seen = false;
      for (const field of oneof) {
        if (seen) delete message[field];
        else seen = message[field] !== undefined;
      }
    }
    return message;
  });
}

function anyValue(kind: string): fc.Arbitrary<unknown> {
  if (kind === "uint32") return fc.nat({ max: 2 ** 32 - 1 });
  if (kind === "uint64") return fc.maxSafeNat();
  if (kind === "double") return fc.double({ noNaN: true }).map((drawn) => drawn || 0); // -0 is a default to some
  if (kind === "bool") return fc.boolean();
  if (kind === "string") return fc.string({ unit: "grapheme", maxLength: 12 });
  if (kind === "bytes") return fc.uint8Array({ maxLength: 40 });
  if (kind in ENUMS) return fc.constantFrom(...Object.keys(ENUMS[kind as keyof typeof ENUMS]));
  return fc.oneof(anyMessage(kind));
}

/** Both sides in one form: enums by name, 64-bit numbers as numbers, defaults filled in, bytes as arrays. */
function reference(bytes: Uint8Array): Plain {
  const read = Reference.toObject(Reference.decodeDelimited(bytes), {
    longs: Number,
    enums: String,
    bytes: Array,
    defaults: false,
  });
  return plain(read) as Plain;
}

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

function isDefault(value: unknown): boolean {
  return value === 0 || value === "" || value === false || (value instanceof Uint8Array && value.length === 0);
}

/** Leaves out of the client's reading what has its default and no presence: the reference does so as well. */
function withoutDefaults(name: string, message: Plain): Plain {
  const kept: Plain = {};
  for (const line of FIELDS[name as keyof typeof FIELDS]) {
    const [, field = "", mark = ""] = line.split(" ");
    const kind = mark.replace(/[*?]$/, "");
    const value = message[field];
    const inner = (each: unknown): unknown => (kind in FIELDS ? withoutDefaults(kind, each as Plain) : plain(each));
    if (mark.endsWith("*")) {
      if ((value as unknown[]).length > 0) kept[field] = (value as unknown[]).map(inner);
    } else if (mark.endsWith("?")) {
      if (value !== undefined) kept[field] = inner(value);
    } else if (!isDefault(value) && !(kind in ENUMS && Object.keys(ENUMS[kind as "Field"])[0] === value)) {
      kept[field] = inner(value);
    }
  }
  return kept;
}

describe("the client's codec", () => {
  test("its tables are what the schema gives", () => {
    expect(readFileSync(join(ROOT, "src", "client", "schema.ts"), "utf8")).toBe(clientSchemaOf(PROTO));
  });

  test("writes what protobufjs reads", () => {
    fc.assert(
      fc.property(anyMessage("Envelope"), (envelope) => {
        const ours = encodeEnvelope(envelope as OutgoingEnvelope);
        const theirs = Reference.encodeDelimited(Reference.fromObject(envelope)).finish();
        expect(reference(ours)).toEqual(reference(theirs));
      }),
      { numRuns: 300 },
    );
  });

  test("reads what protobufjs writes", () => {
    fc.assert(
      fc.property(fc.array(anyMessage("Envelope"), { maxLength: 3 }), (envelopes) => {
        const written = envelopes.map((each) => Reference.encodeDelimited(Reference.fromObject(each)).finish());
        const read = decodeFrame(Buffer.concat(written));
        expect(read.map((each) => withoutDefaults("Envelope", each as unknown as Plain))).toEqual(
          written.map(reference),
        );
      }),
      { numRuns: 300 },
    );
  });

  test("the example of the protocol's page, byte by byte", () => {
    const bytes = encodeEnvelope({
      id: 2,
      subscribe: { subscription: 1, queue: "hello", fields: ["SENT_TIME"], credit: { messages: 2, bytes: 1_000_000 } },
    });
    expect(Buffer.from(bytes).toString("hex")).toBe("19080292011408011205" + "68656c6c6f" + "3a01034a06100218c0843d");
  });

  test("skips fields and enum values that are not known yet", () => {
    const newer = protobuf.parse(
      'syntax = "proto3"; message Envelope { uint32 id = 1; Error error = 11; string later = 99; }' +
        "message Error { int32 code = 1; string message = 2; bytes more = 77; }",
    ).root;
    const bytes = newer
      .lookupType("Envelope")
      .encodeDelimited({ id: 7, later: "x", error: { code: 999, message: "m", more: Buffer.from("y") } })
      .finish();
    const [envelope] = decodeFrame(bytes);
    expect(envelope?.id).toBe(7);
    expect(envelope?.error?.code).toBe("UNKNOWN_999");
    expect(envelope?.error?.message).toBe("m");
  });

  test("throws on bytes that are no envelopes, and never reads beyond them", () => {
    const good = encodeEnvelope({ id: 3, settled: { subscription: 1, count: 9, failures: [{ delivery: 5 }] } });
    for (let size = 1; size < good.length; size++) expect(() => decodeFrame(good.slice(0, size))).toThrow();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          for (const envelope of decodeFrame(bytes)) expect(envelope.id).toBeTypeOf("number");
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
    );
  });

  test("frames hold as many envelopes as fit, in order", () => {
    const envelopes = [5, 4, 9, 1, 1, 30, 2].map((bytes, index) => new Uint8Array(bytes).fill(index));
    const frames = framesOf(envelopes, 10);
    expect(frames.map((frame) => frame.length)).toEqual([9, 10, 1, 30, 2]);
    expect(Buffer.concat(frames)).toEqual(Buffer.concat(envelopes));
    expect(framesOf([], 10)).toEqual([]);
  });
});
