// The schema in its forms, and the two pages about it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { schemaOf } from "../../build/schema.mjs";
import { CLOSE } from "../../src/stream/envelope.ts";
import { EnvelopeType } from "../../src/stream/schema.ts";

const STREAM = join(import.meta.dirname, "..", "..", "src", "stream");
const text = (name: string) => readFileSync(join(STREAM, name), "utf8");

test("schema.json is what protobufjs reads of broker.proto", () => {
  expect(JSON.parse(text("schema.json"))).toEqual(JSON.parse(JSON.stringify(schemaOf(text("broker.proto")))));
});

test("the page tells every close code, and no other", () => {
  const told = [...text("README.md").matchAll(/^\| (\d{4}) \|/gm)].map(([, code]) => Number(code));
  expect(told).toEqual([...Object.values(CLOSE)].sort((a, b) => a - b));
});

test("the page's example in bytes is the Subscribe that it says", () => {
  const hex = /^ {4}((?:[0-9a-f]{2}\s+){20,}[0-9a-f]{2})$/m.exec(text("README.md"))?.[1] ?? "";
  const envelope = EnvelopeType.decodeDelimited(Buffer.from(hex.replaceAll(/\s/g, ""), "hex"));
  expect(EnvelopeType.toObject(envelope, { longs: Number, enums: String })).toEqual({
    id: 2,
    subscribe: {
      subscription: 1,
      queue: "hello",
      fields: ["SENT_TIME"],
      credit: { messages: 2, bytes: 1_000_000 },
    },
  });
});
