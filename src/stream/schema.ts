// The schema as protobufjs reads it: envelopes to bytes and back, and to protobuf's JSON mapping and back. What is written
// here by hand are the shapes of the messages, for TypeScript; schema.json comes from broker.proto.
import protobuf from "protobufjs/light.js";
import description from "./schema.json" with { type: "json" };

// 64-bit integers as numbers: none of this protocol's goes beyond 2^53 - 1.
protobuf.util.Long = undefined as never;
protobuf.configure();

const root = protobuf.Root.fromJSON(description as protobuf.INamespace);

export const EnvelopeType: protobuf.Type = root.lookupType("wasq.v1.Envelope");
/** Numbers of the fields of which an envelope has one: the last that is in it. */
export const BODY_FIELDS: ReadonlySet<number> = new Set(EnvelopeType.oneofs["body"]?.fieldsArray.map(({ id }) => id));
export const { Reader } = protobuf;
export const PublishType: protobuf.Type = root.lookupType("wasq.v1.Publish");
/** The names, by their numbers. */
export const SETTLE_CODES: Readonly<Record<number, string>> = root.lookupEnum("wasq.v1.SettleCode").valuesById;
export const ErrorCode: Readonly<Record<string, number>> = root.lookupEnum("wasq.v1.ErrorCode").values;
