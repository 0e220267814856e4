// The core's digests against the host's, by size: where CORE_DIGEST_BYTES_MAX should be.
import { createHash } from "node:crypto";
import { CORE_DIGEST_BYTES_MAX } from "../../src/core/core.ts";
import { median, table } from "../support.ts";
import { loadCore } from "./load-core.ts";
import { nanosecondsEach } from "./nanoseconds.ts";

const ROUND_COUNT = 5;
const SIZES = [16, 64, 256, 512, 1024, 2048, 4096, 16_384, 262_144];

export function digest(): void {
  const core = loadCore();
  const rows = SIZES.map((sizeBytes) => {
    const bytes = new Uint8Array(sizeBytes).fill(97);
    const ways = [
      () => core.md5(bytes),
      () => createHash("md5").update(bytes).digest("hex"),
      () => core.sha256(bytes),
      () => createHash("sha256").update(bytes).digest("hex"),
    ];
    const rounds = Array.from({ length: ROUND_COUNT }, () => ways.map(nanosecondsEach));
    const [md5 = 0, hostMd5 = 0, sha = 0, hostSha = 0] = ways.map((_, i) =>
      median(rounds.map((round) => round[i] ?? 0)),
    );
    const nanoseconds = [md5, hostMd5, sha, hostSha].map((value) => value.toFixed(0));
    return [String(sizeBytes), ...nanoseconds, (hostMd5 / md5).toFixed(2), (hostSha / sha).toFixed(2)];
  });
  const head = ["bytes", "core MD5 ns", "host MD5 ns", "core SHA-256 ns", "host SHA-256 ns", "MD5 gain", "SHA gain"];
  table(`Digests: the core's are used up to ${CORE_DIGEST_BYTES_MAX} bytes`, head, rows);
}
