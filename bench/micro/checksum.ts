// The core's checksum against the same one in JavaScript and the host's CRC-32 (another polynomial), by size.
import { randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";
import { crc32c } from "../../src/base/crc32c.ts";
import { median, table } from "../support.ts";
import { loadCore } from "./load-core.ts";
import { nanosecondsEach } from "./nanoseconds.ts";

const ROUND_COUNT = 5;
const SIZES = [64, 128, 256, 384, 1024, 2816, 16_384, 262_144];

export function checksum(): void {
  const core = loadCore();
  const rows = SIZES.map((sizeBytes) => {
    const bytes = randomBytes(sizeBytes);
    const ways = [() => core.crc32c(bytes), () => crc32c(bytes), () => crc32(bytes)];
    const rounds = Array.from({ length: ROUND_COUNT }, () => ways.map(nanosecondsEach));
    const [inCore = 0, plain = 0, host = 0] = ways.map((_, i) => median(rounds.map((round) => round[i] ?? 0)));
    const rates = [inCore, plain, host].map((nanoseconds) => (sizeBytes / nanoseconds).toFixed(2));
    return [String(sizeBytes), ...rates, (plain / inCore).toFixed(2)];
  });
  const head = ["bytes", "core GB/s", "JavaScript GB/s", "host CRC-32 GB/s", "core / JavaScript"];
  table("Checksums, with the copy into the core's memory", head, rows);
}
