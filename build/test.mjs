// npm test: installs, builds, checks types and style, runs every test, and ends with a line that counts them.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildBinary, install, node22, OUT, ROOT, run } from "./toolchain.mjs";

install();
buildBinary();
run(process.execPath, [join(ROOT, "build", "run.mjs"), "check"]);
const results = join(OUT, "test-results.json");
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
const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(results, "utf8"));
process.stdout.write(
  `${numPassedTests} passed, ${numFailedTests} failed${numPendingTests > 0 ? `, ${numPendingTests} skipped` : ""}\n`,
);
process.exit(status ?? 1);
