// npm test: installs, builds, checks types and style, runs every test, and ends with a line that counts them:
// "N passed, N failed", whatever happens, for machines look for it. Types and style count when they fail.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { buildBinary, buildClient, install, node22, OUT, ROOT } from "./toolchain.mjs";

install();
buildBinary();
buildClient();
const check = spawnSync(process.execPath, [join(ROOT, "build", "run.mjs"), "check"], { cwd: ROOT, stdio: "inherit" });
const results = join(OUT, "test-results.json");
rmSync(results, { force: true });
const args = [
  "--config",
  "test/vitest.config.ts",
  "--reporter=default",
  "--reporter=json",
  `--outputFile.json=${results}`,
];
const vitest = join(ROOT, "node_modules", "vitest", "vitest.mjs");
const { status } = spawnSync(node22(), [vitest, "run", ...args, ...process.argv.slice(2)], {
  cwd: ROOT,
  stdio: "inherit",
});
const report = existsSync(results) ? JSON.parse(readFileSync(results, "utf8")) : {};
const { numPassedTests = 0, numFailedTests = 0, numPendingTests = 0 } = report;
let failedCount = numFailedTests;
// A file that does not load, or an error outside every test, fails the run without a failed test to its name.
if (status !== 0 && numFailedTests === 0) failedCount += 1;
if (check.status !== 0) {
  process.stdout.write("Types or style failed: see above\n");
  failedCount += 1;
}
if (numPendingTests > 0) process.stdout.write(`${numPendingTests} skipped\n`);
process.stdout.write(`${numPassedTests} passed, ${failedCount} failed\n`, () =>
  process.exit(failedCount === 0 ? 0 : 1),
);
