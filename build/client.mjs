// src/client into build/out/client: two ES modules for browsers and Node with what they share in a third, their types, and
// a package.json by which the folder can be installed. Runs on Node 22, from toolchain.mjs.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { OUT, ROOT, run } from "./toolchain.mjs";

const SOURCE = join(ROOT, "src", "client");
const TARGET = join(OUT, "client");
const TYPES = join(TARGET, "types");
/** protobufjs' util.float, as far as the schema has a use for it. */
const DOUBLES = `
const viewOf = ({ buffer, byteOffset }) => new DataView(buffer, byteOffset);
exports.readDoubleLE = (bytes, at) => viewOf(bytes).getFloat64(at, true);
exports.writeDoubleLE = (value, bytes, at) => viewOf(bytes).setFloat64(at, value, true);
`;
const { version, license } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));

rmSync(TARGET, { recursive: true, force: true });
mkdirSync(TARGET, { recursive: true });
await build({
  entryPoints: [join(SOURCE, "index.ts"), join(SOURCE, "consumer.ts")],
  outdir: TARGET,
  bundle: true,
  splitting: true,
  platform: "neutral",
  target: "es2022",
  format: "esm",
  minify: true,
  legalComments: "none",
  // What protobufjs' reader and writer never reach stays out: remote calls, base64, and the package for numbers of 64 bits
  // (the protocol's fit a number). So does its arithmetic of doubles for engines that have no DataView.
  plugins: [
    {
      name: "unused",
      setup({ onResolve, onLoad }) {
        onResolve({ filter: /^(long|\.\/(rpc|aspromise|eventemitter|base64))$/ }, ({ path }) => ({
          path,
          namespace: "unused",
        }));
        onLoad({ filter: /.*/, namespace: "unused" }, () => ({ contents: "module.exports = null;" }));
        onResolve({ filter: /^\.\/float$/ }, ({ path }) => ({ path, namespace: "doubles" }));
        onLoad({ filter: /.*/, namespace: "doubles" }, () => ({ contents: DOUBLES }));
      },
    },
  ],
  logLevel: "warning",
});

// Declarations: those that the two entries reach, with imports as a compiler of any setting reads them.
const made = join(OUT, "client-types");
run(process.execPath, [
  join(ROOT, "node_modules", "typescript", "bin", "tsc"),
  ...["-p", join(ROOT, "build", "client.tsconfig.json"), "--outDir", made],
]);
mkdirSync(TYPES);
const reached = new Set(["index", "consumer"]);
for (const name of reached) {
  const text = readFileSync(join(made, `${name}.d.ts`), "utf8");
  for (const [, next] of text.matchAll(/from "\.\/([^"]+)\.ts"/g)) reached.add(next);
  writeFileSync(join(TYPES, `${name}.d.ts`), text.replaceAll(/(from "\.\/[^"]+)\.ts"/g, '$1.js"'));
}
rmSync(made, { recursive: true });
// Who imports the files by their path has the declarations where a compiler looks for them: beside them.
for (const name of ["index", "consumer"]) {
  writeFileSync(join(TARGET, `${name}.d.ts`), `export * from "./types/${name}.js";\n`);
}
cpSync(join(SOURCE, "README.md"), join(TARGET, "README.md"));
cpSync(join(ROOT, "LICENSE"), join(TARGET, "LICENSE"));
const entry = (name) => ({ types: `./types/${name}.d.ts`, default: `./${name}.js` });
writeFileSync(
  join(TARGET, "package.json"),
  `${JSON.stringify(
    {
      name: "wasq-client",
      version,
      license,
      type: "module",
      sideEffects: false,
      exports: { ".": entry("index"), "./consumer": entry("consumer") },
    },
    undefined,
    2,
  )}\n`,
);
