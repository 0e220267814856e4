// boto3 against the running process: one that speaks AWS JSON, and the last kind that spoke AWS Query.
// Needs python3 with venv and a way to PyPI; without them the tests are skipped, and say so.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BrokerProcess, startBroker } from "../support/broker-process.ts";

const SCRIPT = fileURLToPath(new URL("./python-client.py", import.meta.url));
const PLACE = fileURLToPath(new URL("../../build/out/python", import.meta.url));
// botocore 1.31.80 is the last that speaks Query to SQS.
const PACKAGES = { json: ["boto3==1.40.0"], query: ["boto3==1.28.80", "botocore==1.31.80"] };

/** A Python with that boto3, made once and kept under build/out; or why there is none. */
function pythonWith(packages: readonly string[]): { python: string } | { missing: string } {
  const place = join(PLACE, packages.join("-"));
  const python = join(place, "bin", "python");
  const ready = join(place, "ready");
  if (existsSync(ready)) return { python };
  try {
    execFileSync("python3", ["-m", "venv", "--clear", place], { stdio: "pipe" });
    execFileSync(python, ["-m", "pip", "install", "--quiet", ...packages], { stdio: "pipe", timeout: 150_000 });
    execFileSync("touch", [ready]);
    return { python };
  } catch (error) {
    return { missing: `python3 with venv and ${packages.join(", ")} from PyPI: ${String(error).split("\n")[0]}` };
  }
}

let broker: BrokerProcess;
const directory = mkdtempSync(join(tmpdir(), "wasq-boto3-"));

beforeAll(async () => {
  broker = await startBroker(directory);
});

afterAll(async () => {
  await broker.stop("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

test.for(["json", "query"] as const)("boto3 over AWS %s", { timeout: 300_000 }, (protocol, context) => {
  const made = pythonWith(PACKAGES[protocol]);
  if ("missing" in made) {
    context.skip(`missing: ${made.missing}`);
    return;
  }
  const seen = JSON.parse(execFileSync(made.python, [SCRIPT, broker.endpoint], { encoding: "utf8" }));
  const url = `${broker.endpoint}/000000000000/py-${protocol}`;
  expect(seen).toMatchObject({
    protocol,
    url,
    tags: { k: "v" },
    listed: [url],
    same_id: true,
    same_body: true,
    attributes_md5: true,
    blob: [0, 1],
    receives: "1",
    successful: ["a"],
    failed: [["b", "InvalidMessageContents"]],
    deduplicated: true,
    error: ["AWS.SimpleQueueService.NonExistentQueue", 400],
    exception: true,
  });
});
