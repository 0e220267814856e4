// npm run check | format | build | build:binary | bench | bench:peers | bench:profile: installs first, and runs everything on Node 22.
import { join } from "node:path";
import { build, buildBinary, buildClient, install, node22, ROOT, run } from "./toolchain.mjs";

const [task, ...args] = process.argv.slice(2);
const modules = join(ROOT, "node_modules");
const tool = (path, ...rest) => run(node22(), [join(modules, path), ...rest]);

export function check() {
  tool("typescript/bin/tsc", "-p", "tsconfig.json");
  tool("@biomejs/biome/bin/biome", "check", "--error-on-warnings", "src", "test", "bench", "build");
}

const TASKS = {
  check,
  format: () => tool("@biomejs/biome/bin/biome", "check", "--write", "src", "test", "bench", "build"),
  build: () => {
    build();
    buildClient();
  },
  "build:binary": buildBinary,
  bench: () => {
    build();
    run(node22(), [join(ROOT, "bench", "index.ts"), ...args]);
  },
  "bench:profile": () => {
    build();
    run(node22(), [join(ROOT, "bench", "profile", "index.ts"), ...args]);
  },
  "bench:peers": () => {
    build();
    // It waits for the servers and clients that it starts: its collector's threads would take their processors meanwhile.
    run(node22(), ["--single-threaded", join(ROOT, "bench", "peers", "index.ts"), ...args]);
  },
};

install();
const chosen = TASKS[task];
if (chosen === undefined) {
  process.stderr.write(`No task "${task}": ${Object.keys(TASKS).join(", ")}\n`);
  process.exit(2);
}
chosen();
