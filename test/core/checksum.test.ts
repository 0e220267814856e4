// The core's CRC-32C, against the one that the log uses outside of it.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
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

test("of every length around the ends of steps, and of long ones", () => {
  for (let length = 0; length < 1000; length++) {
    const bytes = randomBytes(length);
    expect(core.crc32c(bytes), `${length} bytes`).toBe(crc32c(bytes));
  }
  for (const length of [4095, 65_536, 1_000_003, 2 * 1024 * 1024]) {
    const bytes = randomBytes(length);
    expect(core.crc32c(bytes), `${length} bytes`).toBe(crc32c(bytes));
  }
});

test("of every single bit of a text that is folded, and of none", () => {
  const bytes = new Uint8Array(400);
  expect(core.crc32c(bytes)).toBe(crc32c(bytes));
  for (let bit = 0; bit < bytes.byteLength * 8; bit++) {
    bytes[bit >> 3] = 1 << (bit & 7);
    expect(core.crc32c(bytes), `bit ${bit}`).toBe(crc32c(bytes));
    bytes[bit >> 3] = 0;
  }
});
