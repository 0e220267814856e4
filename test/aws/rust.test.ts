// The AWS SDK for Rust against the running process. Needs cargo, and its crates the first time.
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { beside, execute, made, orSkip } from "../support/clients.ts";
import { fileBroker } from "../support/file-broker.ts";
import { expectedWalk, walkedLines } from "./walk.ts";

const RUST_MINOR_MIN = 95; // the SDK compiles from 1.94.1 on

const broker = fileBroker({ keys: true });
const manifest = beside(import.meta.url, "rust/Cargo.toml");
const lock = beside(import.meta.url, "rust/Cargo.lock");
const cwd = dirname(manifest.path);

/** Where cargo keeps what it compiled; it knows by itself what is stale. */
async function target(): Promise<string> {
  const place = await made({
    name: "rust",
    inputs: [manifest.text, lock.text],
    needs: `cargo with Rust from 1.${RUST_MINOR_MIN} on, and a registry with the crates of the AWS SDK`,
    async fetch() {
      const version = await execute("rustc", ["--version"]);
      const minor = Number(/^rustc 1\.(\d+)/.exec(version)?.[1]);
      if (minor < RUST_MINOR_MIN) throw new Error(`this is ${version}`);
      await execute("cargo", ["fetch", "--locked"], { cwd, timeoutMs: 240_000 });
    },
  });
  return join(place, "target");
}

test("the SDK for Rust walks over the API", { timeout: 600_000 }, async (context) => {
  const env = { CARGO_TARGET_DIR: await orSkip(context, target()) };
  await execute("cargo", ["build", "--quiet", "--locked", "--offline"], { cwd, env, timeoutMs: 500_000 });
  const output = await execute(join(env.CARGO_TARGET_DIR, "debug", "walk"), [broker.endpoint, "rust"], {
    env: broker.keyVariables,
  });
  expect(walkedLines(output)).toEqual(expectedWalk(broker.endpoint, "rust"));
});
