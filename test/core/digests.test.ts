// The core's own MD5 and SHA-256, against the host's; its CRC-32C, against the one that the log uses outside of it.
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { crc32c } from "../../src/base/crc32c.ts";
import { Core } from "../../src/core/core.ts";

const MODULE = new WebAssembly.Module(readFileSync(join(import.meta.dirname, "../../build/out/core.wasm")));
const core = Core.load(MODULE, {
  budgetBytes: 64 * 1024 * 1024,
  tailBytes: 1024 * 1024,
  cacheBytes: 1024 * 1024,
  segmentBytes: 64 * 1024,
  segmentHeaderBytes: 4096,
});

const hostDigest = (algorithm: string, bytes: Uint8Array) => createHash(algorithm).update(bytes).digest("hex");
/** Every length around the ends of blocks and of their padding. */
const LENGTHS = Array.from({ length: 300 }, (_, length) => length);
const bytesOf = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 37 + length) & 255);

test("one text, of any length", () => {
  for (const length of LENGTHS) {
    const bytes = bytesOf(length);
    expect(core.md5(bytes)).toBe(hostDigest("md5", bytes));
    expect(core.sha256(bytes)).toBe(hostDigest("sha256", bytes));
  }
});

test("four texts at once, each of any length", () => {
  for (const length of LENGTHS) {
    const texts = [bytesOf(length), bytesOf(299 - length), bytesOf((length * 7) % 300), bytesOf(length)];
    expect(core.md5s(texts)).toEqual(texts.map((text) => hostDigest("md5", text)));
  }
});

test("as many texts as there are, whatever was digested before", () => {
  const text = fc.uint8Array({ maxLength: 700 });
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 4 }), (texts) => {
      expect(core.md5s(texts)).toEqual(texts.map((each) => hostDigest("md5", each)));
    }),
    { numRuns: 1_000 },
  );
});

test("a checksum of every length around the ends of steps, and of long ones", () => {
  for (let length = 0; length < 1000; length++) {
    const bytes = randomBytes(length);
    expect(core.crc32c(bytes), `${length} bytes`).toBe(crc32c(bytes));
  }
  for (const length of [4095, 65_536, 1_000_003, 2 * 1024 * 1024]) {
    const bytes = randomBytes(length);
    expect(core.crc32c(bytes), `${length} bytes`).toBe(crc32c(bytes));
  }
});

test("a checksum of every single bit of a text that is folded, and of none", () => {
  const bytes = new Uint8Array(400);
  expect(core.crc32c(bytes)).toBe(crc32c(bytes));
  for (let bit = 0; bit < bytes.byteLength * 8; bit++) {
    bytes[bit >> 3] = 1 << (bit & 7);
    expect(core.crc32c(bytes), `bit ${bit}`).toBe(crc32c(bytes));
    bytes[bit >> 3] = 0;
  }
});
