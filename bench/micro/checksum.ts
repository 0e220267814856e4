// The core's checksums, NH of parts and CRC-32C of all else, against XXH64, which parts had before, CRC-32C in JavaScript and
// the host's CRC-32 (another polynomial), by size.
import { randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";
import { crc32c } from "../../src/base/crc32c.ts";
import { median, table } from "../support.ts";
import { loadCore } from "./load-core.ts";
import { nanosecondsEach } from "./nanoseconds.ts";

const ROUND_COUNT = 5;
const SIZES = [64, 128, 304, 384, 1024, 2816, 16_384, 262_144];

export function checksum(): void {
  const core = loadCore();
  const rows = SIZES.map((sizeBytes) => {
    const bytes = randomBytes(sizeBytes);
    const ways = [
      () => core.nh(bytes, 0n),
      () => core.xxh64(bytes, 0n),
      () => core.crc32c(bytes),
      () => crc32c(bytes),
      () => crc32(bytes),
    ];
    const rounds = Array.from({ length: ROUND_COUNT }, () => ways.map(nanosecondsEach));
    const times = ways.map((_, i) => median(rounds.map((round) => round[i] ?? 0)));
    const [quick = 0, before = 0, inCore = 0, plain = 0] = times;
    const rates = times.map((nanoseconds) => (sizeBytes / nanoseconds).toFixed(2));
    const ratios = [before / quick, inCore / quick, plain / inCore].map((ratio) => ratio.toFixed(2));
    return [String(sizeBytes), ...rates, ...ratios];
  });
  const names = ["NH", "XXH64", "CRC-32C", "JavaScript", "host CRC-32"].map((name) => `${name} GB/s`);
  const head = ["bytes", ...names, "NH / XXH64", "NH / CRC-32C", "CRC-32C / JavaScript"];
  table("Checksums, with the copy into the core's memory", head, rows);
}
