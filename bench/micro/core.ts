// Requests through the core, against the same rules in plain objects, at two depths: requests and collector pauses.
import { median, runScript, table, whole } from "../support.ts";
import type { CoreJob, CoreResult } from "./core-run.ts";

const ROUND_COUNT = 3;
const JOBS: readonly CoreJob[] = [
  { kind: "core", depth: 1_000, seconds: 3 },
  { kind: "plain", depth: 1_000, seconds: 3 },
  { kind: "core", depth: 10_000_000, seconds: 3 },
  { kind: "plain", depth: 1_000_000, seconds: 3 }, // ten million do not fit its heap
];

export async function core(): Promise<void> {
  const results = new Map<CoreJob, CoreResult[]>();
  for (let round = 0; round < ROUND_COUNT; round++) {
    for (const job of JOBS) {
      const result = await runScript<CoreResult>("micro/core-run.ts", job, ["--max-old-space-size=4096"]);
      results.set(job, [...(results.get(job) ?? []), result]);
    }
  }
  const rows = JOBS.map((job) => {
    const figure = (field: keyof CoreResult) => median((results.get(job) ?? []).map((result) => result[field]));
    return [
      job.kind,
      whole(job.depth),
      whole(figure("sendsPerSecond")),
      whole(figure("receivesPerSecond")),
      whole(figure("deletesPerSecond")),
      `${figure("pauseCount")}`,
      figure("pausesMs").toFixed(0),
      figure("longestPauseMs").toFixed(1),
    ];
  });
  const head = ["rules", "queued", "sends/s", "receives/s", "deletes/s", "pauses", "pauses ms", "longest ms"];
  table(`Requests in AWS JSON, no sockets, no disk: medians of ${ROUND_COUNT} rounds of 3 s`, head, rows);
}
