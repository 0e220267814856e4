// npm start: installs, builds what is stale, runs the broker with the arguments after `--`.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { build, install, node22, OUT, ROOT } from "./toolchain.mjs";

install();
build();
const args = process.argv.slice(2);
// Where the data go when neither a flag, nor the environment, nor a configuration file says.
const env = { WASQ_DATA_DIR_DEFAULT: join(ROOT, "data"), ...process.env };
const broker = spawn(node22(), [join(OUT, "wasq.cjs"), "serve", ...args], { stdio: "inherit", env });
// A terminal's Ctrl-C reaches the broker by itself as well; it takes what comes twice for one.
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => broker.kill(signal));
// npm hands SIGTERM to the shell between it and us, which ends without a word: that we are without it then is the signal.
// Only under npm: whoever runs this script directly may well leave it running on purpose.
if (process.env.npm_lifecycle_event === "start" && process.platform !== "win32") {
  const shell = process.ppid;
  setInterval(() => {
    if (process.ppid !== shell) broker.kill("SIGTERM");
  }, 200);
}
broker.on("error", (error) => {
  process.stderr.write(`Cannot run the broker: ${error.message}\n`);
  process.exit(1);
});
broker.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGKILL" ? 137 : 1)));
