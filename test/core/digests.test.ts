// The core's own MD5 and SHA-256, against the host's.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
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
