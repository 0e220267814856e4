// The core's own MD5 and SHA-256, against the host's; its CRC-32C, against the one that the log uses outside of it; its
// NH, against the same step by step; its XXH64, against that of the host's zstd, and with a seed against its specification
// step by step.
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { constants, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { crc32c } from "../../src/base/crc32c.ts";
import { Core } from "../../src/core/core.ts";
import { nh } from "../support/nh.ts";
import { xxh64 } from "../support/xxh64.ts";

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

/** The low half of XXH64, without a seed: a frame of zstd ends with it. */
function hostXxh64(bytes: Uint8Array): number {
  const frame = zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
  return frame.readUInt32LE(frame.byteLength - 4);
}

const LENGTHS_OF_WORDS = Array.from({ length: 60 }, (_, i) => 8 * i).concat(4096, 65_528, 1024 * 1024);

describe("NH", () => {
  test("is what is drawn, with any seed, of as many blocks as there are", () => {
    const seeds = [0n, 1n, 0xffff_ffffn, 1n << 32n, 1n << 63n, (1n << 64n) - 1n, randomBytes(8).readBigUInt64LE()];
    for (const length of [...LENGTHS_OF_WORDS.slice(0, -1), 1016, 1024, 1032, 1056, 2048]) {
      const bytes = randomBytes(length);
      for (const seed of seeds) expect(core.nh(bytes, seed), `${length} bytes, ${seed}`).toBe(nh(bytes, seed));
    }
  });

  test("notices every bit that changes, every word that moves and every end that is zeros", () => {
    const low = (bytes: Uint8Array): bigint => core.nh(bytes, 7n) & 0xffff_ffffn;
    for (const fill of [() => Buffer.alloc(2144), () => Buffer.alloc(2144, 0xff), () => randomBytes(2144)]) {
      const bytes = fill();
      const whole = low(bytes);
      for (let bit = 0; bit < 8 * bytes.byteLength; bit++) {
        const at = bit >> 3;
        bytes[at] = (bytes[at] as number) ^ (1 << (bit & 7));
        expect(low(bytes), `bit ${bit}`).not.toBe(whole);
        bytes[at] = (bytes[at] as number) ^ (1 << (bit & 7));
      }
    }
    const bytes = randomBytes(2144);
    const whole = low(bytes);
    for (let at = 0; at < bytes.byteLength; at += 8) {
      expect(low(Buffer.concat([bytes.subarray(at), bytes.subarray(0, at)])) === whole, `from ${at} on`).toBe(at === 0);
      const torn = Buffer.from(bytes).fill(0, at);
      expect(low(torn), `zeros from ${at} on`).not.toBe(whole);
    }
  });
});

describe("XXH64", () => {
  test("of words of 8 bytes, as many as there are", () => {
    for (const length of LENGTHS_OF_WORDS) {
      const bytes = randomBytes(length);
      const low = Number(core.xxh64(bytes, 0n) & 0xffff_ffffn);
      expect(low, `${length} bytes`).toBe(hostXxh64(bytes));
    }
  });

  test("with any seed, all 64 bits of it", () => {
    const seeds = [0n, 1n, 0xffff_ffffn, 1n << 32n, 1n << 63n, (1n << 64n) - 1n, randomBytes(8).readBigUInt64LE()];
    for (const length of LENGTHS_OF_WORDS.slice(0, 60)) {
      const bytes = randomBytes(length);
      for (const seed of seeds) expect(core.xxh64(bytes, seed), `${length} bytes, ${seed}`).toBe(xxh64(bytes, seed));
    }
  });

  test("the steps that it is compared with are those of the published values", () => {
    const PRIME = 2654435761n;
    const bytes = Buffer.alloc(222); // xxHash's own sanity check fills it so
    let state = PRIME;
    for (let i = 0; i < bytes.byteLength; i++) {
      bytes[i] = Number(state >> 56n);
      state = BigInt.asUintN(64, state * 11400714785074694797n);
    }
    const published = [
      [0, 0n, 0xef46db3751d8e999n],
      [0, PRIME, 0xac75fda2929b17efn],
      [1, 0n, 0xe934a84adb052768n],
      [1, PRIME, 0x5014607643a9b4c3n],
      [4, 0n, 0x9136a0dca57457een],
      [14, 0n, 0x8282dcc4994e35c8n],
      [14, PRIME, 0xc3bd6bf63deb6df0n],
      [222, 0n, 0xb641ae8cb691c174n],
      [222, PRIME, 0x20cb8ab7ae10c14an],
    ] as const;
    for (const [length, seed, hash] of published) expect(xxh64(bytes.subarray(0, length), seed)).toBe(hash);
  });
});
