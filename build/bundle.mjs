// src/main.ts and all it imports into build/out/wasq.cjs. Runs on Node 22, from toolchain.mjs.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { OUT, ROOT } from "./toolchain.mjs";

const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const shared = {
  bundle: true,
  platform: "node",
  target: "node22",
  format: "cjs",
  legalComments: "eof",
  logLevel: "warning",
};

/**
 * A package that is imported only when it is needed is a text in the bundle, and compiled then: what nobody asks for costs a
 * start nothing but its bytes.
 */
const lazyPackages = {
  name: "lazy packages",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^@/ }, ({ kind, path, resolveDir }) =>
      kind === "dynamic-import" ? { path, namespace: "lazy", pluginData: { resolveDir } } : undefined,
    );
    onLoad({ filter: /./, namespace: "lazy" }, async ({ path, pluginData: { resolveDir } }) => {
      const contents = `module.exports = require(${JSON.stringify(path)});`;
      const { outputFiles } = await build({ ...shared, minify: true, write: false, stdin: { contents, resolveDir } });
      const text = JSON.stringify(outputFiles[0].text);
      return {
        contents: `const made = { exports: {} };
new Function("module", "exports", "require", ${text})(made, made.exports, require);
module.exports = made.exports;`,
      };
    });
  },
};

await build({
  ...shared,
  entryPoints: [join(ROOT, "src", "main.ts")],
  outfile: join(OUT, "wasq.cjs"),
  minifySyntax: true,
  define: { WASQ_VERSION: JSON.stringify(version) },
  plugins: [lazyPackages],
});
