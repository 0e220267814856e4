// build/out/wasq: Node's own executable with the bundle, the core and the uWebSockets.js addon inside (a single
// executable application). Runs on Node 22, from toolchain.mjs.
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { OUT, ROOT, run } from "./toolchain.mjs";

const { inject } = createRequire(import.meta.url)("postject");
const FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2"; // Node's, at which the application is found
const addon = `uws_${process.platform}_${process.arch}_${process.versions.modules}.node`;
const config = join(OUT, "sea-config.json");
const blob = join(OUT, "wasq.blob");
writeFileSync(
  config,
  JSON.stringify({
    main: join(OUT, "wasq.cjs"),
    output: blob,
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
    assets: {
      "core.wasm": join(OUT, "core.wasm"),
      "uws.node": join(ROOT, "node_modules", "uWebSockets.js", "dist", "bin", addon),
    },
  }),
);
run(process.execPath, ["--experimental-sea-config", config], { stdio: ["ignore", "ignore", "inherit"] });

const binary = join(OUT, process.platform === "win32" ? "wasq.exe" : "wasq");
const making = `${binary}.making`;
copyFileSync(process.execPath, making);
chmodSync(making, 0o755);
// Symbols go before the blob comes in. Without strip the file is larger, nothing else.
if (process.platform === "linux") spawnSync("strip", ["--strip-all", making], { stdio: "ignore" });
if (process.platform === "darwin") spawnSync("codesign", ["--remove-signature", making], { stdio: "ignore" });
await inject(making, "NODE_SEA_BLOB", readFileSync(blob), {
  sentinelFuse: FUSE,
  ...(process.platform === "darwin" ? { machoSegmentName: "NODE_SEA" } : {}),
});
if (process.platform === "darwin") spawnSync("codesign", ["--sign", "-", making], { stdio: "inherit" });
renameSync(making, binary);
rmSync(blob);
rmSync(config);
