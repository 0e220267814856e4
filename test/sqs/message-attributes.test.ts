import { describe, expect, test } from "vitest";
import { md5 } from "../../src/sqs/digest.ts";
import {
  encodeAttributes,
  encodeSystemAttributes,
  selectAttributes,
  selectionOf,
} from "../../src/sqs/message-attributes.ts";
import type { MessageAttribute } from "../../src/sqs/shapes.ts";

const text = (StringValue: string, DataType = "String"): MessageAttribute => ({ DataType, StringValue });
const bytes = (value: Buffer): MessageAttribute => ({ DataType: "Binary", BinaryValue: value });
const block = (attributes: { readonly [name: string]: MessageAttribute }): Buffer =>
  encodeAttributes(new Map(Object.entries(attributes))) ?? Buffer.alloc(0);
const HELLO = block({ "Help.Me": text("Me"), Hello: text("There"), General: text("Kenobi") });

test.each([
  ["message", "78e731027d8fd50ed642340b7c9a63b3"],
  ["test", "098f6bcd4621d373cade4e832627b4f6"],
  ["hello", "5d41402abc4b2a76b9719d911017c592"],
])("MD5 of the body %s", (body, expected) => {
  expect(md5(body)).toBe(expected);
});

test.each([
  [{ timestamp: text("1493147359900", "Number") }, "235c5c510d26fb653d073faed50ae77c"],
  [{ Foo: text("Bar") }, "ae7155c6026991b6d54b11589678bf9c"],
  [{ color: text("blue") }, "da1b33cc3cbfe8b1630921e78e6b9880"],
  [
    { count: text("3", "Number"), color: text("blue"), blob: bytes(Buffer.of(1, 2, 3)) },
    "d838729972a4b70e2d2acd9d59ac847c",
  ],
  [{ "Help.Me": text("Me"), Hello: text("There"), General: text("Kenobi") }, "4c360f3fdafd970e05fae2f149d997f5"],
  [
    { attr1: bytes(Buffer.from("traceparent\x1E00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01")) },
    "8cbe4db156db8a94db8b801b7addb984",
  ],
  [{ timestamp: text("1493147359900", "Number.java.lang.Long") }, "2e2e4876d8e0bd6b8c2c8f556831c349"],
])("MD5 of the attributes %j", (attributes, expected) => {
  expect(md5(block(attributes as { [name: string]: MessageAttribute }))).toBe(expected);
});

test("MD5 of system attributes", () => {
  const traceHeader = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
  const system = encodeSystemAttributes(new Map([["AWSTraceHeader", text(traceHeader)]]));
  expect(system).toEqual({ traceHeader, md5: "5ae4d5d7636402d80f4eb6d213245a88" });
});

test("the block is the worked example of its format", () => {
  expect(block({ Foo: text("Bar") }).toString("hex")).toBe("00000003466f6f00000006537472696e670100000003426172");
});

test("no attributes have no block and no digest", () => {
  expect(encodeAttributes(new Map())).toBeUndefined();
  expect(encodeAttributes(undefined)).toBeUndefined();
});

describe("selecting on receive", () => {
  test.each([
    [["All"], "General Hello Help.Me"],
    [[".*"], "General Hello Help.Me"],
    [["*"], "General Hello Help.Me"],
    [["Hello"], "Hello"],
    [["hello"], ""],
    [["Hel.*"], "Hello Help.Me"],
    [["Help.*", "General"], "General Help.Me"],
    [["Missing", "AWS.", "..foo"], ""],
  ])("%j selects %s", (names, expected) => {
    const selection = selectionOf(names);
    const selected = selection && selectAttributes(HELLO, selection);
    expect([...(selected?.attributes.keys() ?? [])].join(" ")).toBe(expected);
  });

  test("the digest covers what is returned", () => {
    const selection = selectionOf(["Hel.*"]);
    expect(selection && selectAttributes(HELLO, selection)?.md5).toBe("83fee93c1bcd8b9a5a923ffacdc636c7");
  });
});

test.each(["0", "-1", "+1.50", ".5", "5.", "1e126", "1e-128", "9".repeat(38), `1${"0".repeat(100)}`, "0.10"])(
  "%s is a number",
  (number) => {
    expect(encodeAttributes(new Map([["n", text(number, "Number")]]))).toBeDefined();
  },
);
