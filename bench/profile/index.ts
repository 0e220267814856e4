// npm run bench:profile NAME [seconds]: one load on a broker under the CPU profiler. The core that it runs is built for this
// alone, with the names of its functions; the one that is shipped has none.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ready } from "../peers/driver.ts";
import type { LoadJob, LoadResult } from "../peers/load.ts";
import { DRIVERS } from "../peers/protocols.ts";
import {
  BUNDLE,
  commit,
  machine,
  ROOT,
  runScript,
  say,
  startServer,
  table,
  temporaryDirectory,
  whole,
} from "../support.ts";
import { type CpuProfile, flameGraph, hottest } from "./flame.ts";

type Load = Pick<LoadJob, "protocol" | "kind" | "bodyBytes" | "inFlight"> & Partial<LoadJob>;

const CASES: Readonly<Record<string, Load>> = {
  "http-send": { protocol: "http", kind: "publish", bodyBytes: 256, inFlight: 64 },
  "http-batch": { protocol: "http", kind: "publish", bodyBytes: 256, inFlight: 640 },
  "http-both": { protocol: "http", kind: "both", bodyBytes: 256, inFlight: 640 },
  "http-fifo": { protocol: "http", kind: "both", bodyBytes: 256, inFlight: 640, groupCount: 1_000 },
  "stream-publish": { protocol: "stream", kind: "publish", bodyBytes: 256, inFlight: 1_000 },
  "stream-both": { protocol: "stream", kind: "both", bodyBytes: 256, inFlight: 1_000 },
  "stream-paced": { protocol: "stream", kind: "paced", bodyBytes: 256, inFlight: 1_000, perSecond: 5_000 },
};
const OUT = join(ROOT, "build", "out", "profile");
const SECONDS = 5;
const HOTTEST_COUNT = 25;

const [name = "", seconds = String(SECONDS)] = process.argv.slice(2);
const load = CASES[name];
if (load === undefined || !(Number(seconds) > 0)) {
  process.stderr.write(`bench:profile NAME [seconds]: ${Object.keys(CASES).join(", ")}\n`);
  process.exit(2);
}

/** The bundle beside a core whose functions have names, in places as it expects them. @returns the bundle's path */
function named(home: string): string {
  const place = join(home, "build", "out");
  mkdirSync(place, { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(home, "node_modules"));
  const asc = join(ROOT, "node_modules", "assemblyscript", "bin", "asc.js");
  const config = ["--config", "assembly/asconfig.json", "--target", "release"];
  const args = [asc, "assembly/index.ts", ...config, "--outFile", join(place, "core.wasm"), "--debug"];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: "utf8" });
  if (status !== 0) throw new Error(`Cannot build the core with names: ${stderr}`);
  const bundle = join(place, "wasq.cjs");
  cpSync(BUNDLE, bundle);
  return bundle;
}

mkdirSync(OUT, { recursive: true });
const directory = temporaryDirectory();
const profiles = join(directory.path, "profiles");
const serve = [named(directory.path), "serve", "--port", "0", "--data-dir", join(directory.path, "data")];
const server = await startServer(["--cpu-prof", `--cpu-prof-dir=${profiles}`, ...serve]);
try {
  const port = Number(new URL(server.endpoint).port);
  const driver = DRIVERS[load.protocol];
  const queue = load.groupCount === undefined ? "profiled" : "profiled.fifo";
  await ready(driver, port);
  await driver.prepare({ ...load, port, queue, isPaced: false });
  const job = { ...load, port, queue, serverPid: server.pid, warmMs: 1_000, seconds: Number(seconds) };
  const { perSecond, serverCores, clientCores } = await runScript<LoadResult>("peers/load.ts", job);
  await server.stop("SIGTERM");
  const file = readdirSync(profiles).find((each) => each.endsWith(".cpuprofile"));
  if (file === undefined) throw new Error("The broker left no profile");
  const text = readFileSync(join(profiles, file), "utf8");
  const profile: CpuProfile = JSON.parse(text);
  writeFileSync(join(OUT, `${name}.cpuprofile`), text);
  writeFileSync(join(OUT, `${name}.svg`), flameGraph(profile, `${name}: ${whole(perSecond)} messages/s`));
  say(`${machine()}; commit ${commit()}`);
  const cores = `${serverCores.toFixed(2)} cores of the server, ${clientCores.toFixed(2)} of the client`;
  const rows = hottest(profile, HOTTEST_COUNT).map((hot) => [hot.selfMs.toFixed(0), hot.name]);
  table(`${name}: ${whole(perSecond)} messages/s under the profiler; ${cores}`, ["own ms", "function"], rows);
  say(`\nFlame graph and profile are in ${OUT}/${name}.svg and .cpuprofile`);
} finally {
  await server.stop("SIGKILL");
  directory.remove();
}
process.exit(0);
