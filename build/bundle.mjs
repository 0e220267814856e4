// src/main.ts and all it imports into build/out/wasq.cjs. Runs on Node 22, from toolchain.mjs.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { OUT, ROOT } from "./toolchain.mjs";

const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
await build({
  entryPoints: [join(ROOT, "src", "main.ts")],
  outfile: join(OUT, "wasq.cjs"),
  bundle: true,
  platform: "node",
  target: "node22",
  format: "cjs",
  minifySyntax: true,
  legalComments: "eof",
  define: { WASQ_VERSION: JSON.stringify(version) },
  logLevel: "warning",
});
