// npm run campaign [-- NAMES]: what every test run does for seconds, for as long as it takes to believe it. Builds first;
// WASQ_CAMPAIGN_TIMES=10 makes all of them ten times as long.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { buildBinary, buildClient, install, node22, ROOT } from "./toolchain.mjs";

const TIMES = Number(process.env.WASQ_CAMPAIGN_TIMES ?? 1);
const RUNS = {
  fifo: { WASQ_STREAM_DELIVERIES: 3_000_000, tests: ["test/core/subscription-fifo.test.ts"] },
  model: { WASQ_MODEL_RUNS: 1_000, tests: ["test/core/stream-model.test.ts"] },
  frames: { WASQ_STREAM_RUNS: 2_000, tests: ["test/core/publish.test.ts"] },
  kills: { WASQ_STREAM_KILLS: 40, tests: ["test/process/streams.test.ts", "-t", "kill -9"] },
  simulation: { WASQ_SEEDS: 2_000, tests: ["test/simulation/simulation.test.ts", "test/simulation/streams.test.ts"] },
  requests: { WASQ_RANDOM_RUNS: 1_000, tests: ["test/sqs/conformance/random.test.ts"] },
};

install();
const names = process.argv.slice(2);
const unknown = names.filter((name) => !(name in RUNS));
if (unknown.length > 0) {
  process.stderr.write(`No campaign ${unknown.join(", ")}: ${Object.keys(RUNS).join(", ")}\n`);
  process.exit(2);
}
buildBinary();
buildClient();
const failed = [];
for (const name of names.length > 0 ? names : Object.keys(RUNS)) {
  const { tests, ...counts } = RUNS[name];
  const env = Object.fromEntries(Object.entries(counts).map(([key, count]) => [key, String(count * TIMES)]));
  process.stdout.write(`\n${name}: ${JSON.stringify(env)}\n`);
  const vitest = join(ROOT, "node_modules", "vitest", "vitest.mjs");
  const args = [vitest, "run", "--config", "test/vitest.config.ts", "--testTimeout=36000000", ...tests];
  const { status } = spawnSync(node22(), args, { cwd: ROOT, stdio: "inherit", env: { ...process.env, ...env } });
  if (status !== 0) failed.push(name);
}
process.stdout.write(failed.length === 0 ? "\nAll of them passed\n" : `\nFailed: ${failed.join(", ")}\n`);
process.exit(failed.length === 0 ? 0 : 1);
