import { expect, test } from "vitest";
import { crc32c } from "../../src/base/crc32c.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

// RFC 3720, B.4.
test.each([
  ["32 zeros", new Uint8Array(32), 0x8a9136aa],
  ["32 ones", new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ["0 to 31", Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  ["digits", bytesOf("123456789"), 0xe3069283],
  ["nothing", new Uint8Array(0), 0],
])("%s", (_, bytes, expected) => {
  expect(crc32c(bytes)).toBe(expected);
});

test("a checksum can be gone on with, from any place and any alignment", () => {
  const bytes = Uint8Array.from({ length: 100 }, (_, i) => (i * 37) & 255);
  for (let cut = 0; cut <= bytes.byteLength; cut++) {
    expect(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut)))).toBe(crc32c(bytes));
  }
});
