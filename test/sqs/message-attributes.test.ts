// The block that attributes are kept in; their rules, digests and selection are rows in conformance/.
import { expect, test } from "vitest";
import { encodeAttributes } from "../../src/sqs/message-attributes.ts";

test("the block is the worked example of its format", () => {
  const block = encodeAttributes(new Map([["Foo", { DataType: "String", StringValue: "Bar" }]]));
  expect(block?.toString("hex")).toBe("00000003466f6f00000006537472696e670100000003426172");
});

test("no attributes have no block", () => {
  expect(encodeAttributes(new Map())).toBeUndefined();
  expect(encodeAttributes(undefined)).toBeUndefined();
});
