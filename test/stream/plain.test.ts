// Envelopes that are read and written by hand are what protobufjs makes of the same bytes.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readPlain, settledJson, writeConfirm, writeSettled } from "../../src/stream/plain.ts";
import { EnvelopeType } from "../../src/stream/schema.ts";

const uint32 = fc.oneof(fc.nat(3), fc.integer({ min: 0, max: 0xffff_ffff }));
const number = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }));
const id = fc.option(uint32, { nil: undefined });
const ack = fc.record({
  subscription: uint32,
  deliveries: fc.array(fc.record({ first: number, last: number }), { maxLength: 4 }),
});
const credit = fc.record({
  subscription: uint32,
  messages: uint32,
  bytes: uint32,
  beyond: number,
  auto: fc.boolean(),
});
const request = fc.oneof(
  fc.record({ id, ack }, { requiredKeys: ["ack"] }),
  fc.record({ id, credit }, { requiredKeys: ["credit"] }),
);

/** As protobufjs reads it, every default filled in. */
function decoded(bytes: Uint8Array): unknown {
  const { id, ack, credit } = EnvelopeType.toObject(EnvelopeType.decode(bytes), {
    longs: Number,
    defaults: true,
    oneofs: true,
  });
  return { kind: "request", id, name: ack ? "ack" : "credit", body: ack ?? credit };
}

describe("an Ack or a Credit", () => {
  test("is read as protobufjs reads it", () => {
    fc.assert(
      fc.property(request, (envelope) => {
        const bytes = EnvelopeType.encode(envelope).finish();
        expect(readPlain(bytes, 0, bytes.byteLength)).toEqual(decoded(bytes));
      }),
    );
  });

  test("with a byte of it changed, added or missing is left to protobufjs, or read as it does", () => {
    const change = fc.record({ at: fc.nat(63), byte: fc.nat(255), kind: fc.constantFrom("change", "add", "cut") });
    fc.assert(
      fc.property(request, change, (envelope, { at, byte, kind }) => {
        const whole = Buffer.from(EnvelopeType.encode(envelope).finish());
        const place = at % (whole.byteLength + 1);
        const added = kind === "cut" ? [] : [byte];
        const rest = whole.subarray(kind === "change" ? place + 1 : place);
        const bytes = Buffer.concat([
          whole.subarray(0, place),
          Buffer.from(added),
          kind === "cut" ? Buffer.alloc(0) : rest,
        ]);
        const plain = readPlain(bytes, 0, bytes.byteLength);
        if (plain !== undefined) expect(plain).toEqual(decoded(bytes));
      }),
      { numRuns: 2_000 },
    );
  });

  test("is read within its bounds, whatever stands behind", () => {
    const bytes = EnvelopeType.encode({ ack: { subscription: 1, deliveries: [{ first: 1, last: 2 }] } }).finish();
    const padded = Buffer.concat([Buffer.from([9, 9]), bytes, Buffer.from([0x10, 1])]);
    expect(readPlain(padded, 2, 2 + bytes.byteLength)).toEqual(decoded(bytes));
    expect(readPlain(padded, 2, padded.byteLength)).toBeUndefined();
  });
});

describe("a Settled or a Confirm", () => {
  test("without failures has the bytes that protobufjs gives it", () => {
    const nonZeroId = fc.integer({ min: 1, max: 0xffff_ffff });
    fc.assert(
      fc.property(nonZeroId, uint32, uint32, number, (id, subscription, count, confirmed) => {
        const settled = { subscription, count, failures: [] };
        const withoutZeros = (fields: object) =>
          Object.fromEntries(Object.entries(fields).filter(([, value]) => value));
        expect(Buffer.from(writeSettled({ id, settled }) ?? [])).toEqual(
          Buffer.from(EnvelopeType.encodeDelimited({ id, settled: withoutZeros({ subscription, count }) }).finish()),
        );
        const confirm = withoutZeros({ publisher: subscription, number: confirmed });
        expect(Buffer.from(writeConfirm({ publisher: subscription, number: confirmed, failures: [] }) ?? [])).toEqual(
          Buffer.from(EnvelopeType.encodeDelimited({ confirm }).finish()),
        );
      }),
    );
  });

  test("with failures has them as well, in JSON too", () => {
    const failure = fc.record(
      { delivery: number, code: fc.integer({ min: 1, max: 4 }), last: fc.integer({ min: 1, max: 2 ** 53 - 1 }) },
      { requiredKeys: ["delivery", "code"] },
    );
    const failures = fc.array(failure, { minLength: 1, maxLength: 30, size: "max" });
    fc.assert(
      fc.property(uint32, uint32, uint32, failures, (id, subscription, count, failed) => {
        const envelope = { id, settled: { subscription, count, failures: failed } };
        const bytes = writeSettled(envelope) ?? new Uint8Array();
        const read = EnvelopeType.decodeDelimited(bytes);
        const object = EnvelopeType.toObject(read, { longs: Number, enums: String });
        expect(JSON.parse(settledJson(envelope) ?? "")).toEqual(object);
        const { settled } = EnvelopeType.toObject(read, { longs: Number, defaults: true });
        expect(read).toMatchObject({ id });
        expect(settled).toEqual({
          subscription,
          count,
          failures: failed.map((each) => ({ last: 0, ...each })),
        });
        // Not a byte more than protobufjs makes of it.
        expect(bytes.byteLength).toBe(
          EnvelopeType.encodeDelimited(EnvelopeType.fromObject(object)).finish().byteLength,
        );
      }),
    );
  });

  test("of another kind is left to protobufjs", () => {
    const failures = [{ number: 1, code: 2 }];
    expect(writeConfirm({ publisher: 1, number: 1, failures })).toBeUndefined();
    expect(writeSettled({ id: 1, done: {} })).toBeUndefined();
  });
});
