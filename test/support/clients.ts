// Clients in other languages: what they need is fetched once, kept under build/out/clients, and run without blocking
// the tests' own event loop. What the machine lacks is an error of its own, for the test to be skipped by.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestContext } from "vitest";

const KEPT = fileURLToPath(new URL("../../build/out/clients", import.meta.url));

/** The machine lacks a tool, or a way to the registry of its packages. */
export class Missing extends Error {}

export interface ExecuteOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** Runs a program to its end. Resolves with its standard output; rejects with what it wrote to standard error. */
export function execute(program: string, args: readonly string[], options: ExecuteOptions = {}): Promise<string> {
  const { cwd, env, timeoutMs = 60_000 } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe"],
      timeout: timeoutMs,
      env: { ...process.env, ...env },
      ...(cwd === undefined ? {} : { cwd }),
    });
    const written: Buffer[] = [];
    let errors = "";
    child.stdout.on("data", (chunk: Buffer) => written.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => {
      errors += chunk.toString();
    });
    child.on("error", reject);
    child.on("close", (code, signal) => {
      const output = Buffer.concat(written).toString();
      if (code === 0) resolve(output);
      else reject(new Error(`${program} ended with ${code ?? signal}: ${errors.slice(-4000)}\n${output.slice(-4000)}`));
    });
  });
}

export interface Recipe {
  /** Names the directory, together with the digest of `inputs`. */
  readonly name: string;
  /** What it is made from: another text, another directory. */
  readonly inputs: readonly string[];
  /** What is said to be missing if `fetch` fails. */
  readonly needs?: string;
  /** Brings the packages into `place`; its failure is the machine's. */
  fetch?(place: string): Promise<unknown>;
  /** Makes the program out of what was fetched, without a registry; its failure is ours. */
  build?(place: string): Promise<unknown>;
}

/**
 * The directory that the recipe fills, filled now if it was not before; one of the same name for other inputs goes.
 * Throws `Missing` for what it cannot fetch.
 */
export async function made(recipe: Recipe): Promise<string> {
  const digest = createHash("sha256").update(JSON.stringify(recipe.inputs)).digest("hex").slice(0, 12);
  const place = join(KEPT, `${recipe.name}-${digest}`);
  const ready = join(place, "ready");
  if (existsSync(ready)) return place;
  mkdirSync(KEPT, { recursive: true });
  for (const each of readdirSync(KEPT)) {
    if (each.slice(0, -digest.length - 1) === recipe.name) rmSync(join(KEPT, each), { recursive: true, force: true });
  }
  mkdirSync(place);
  try {
    await recipe.fetch?.(place);
  } catch (error) {
    const [reason = ""] = String(error).split("\n");
    throw new Missing(`${recipe.needs ?? recipe.name} (${reason.slice(0, 200)})`);
  }
  await recipe.build?.(place);
  writeFileSync(ready, "");
  return place;
}

/** What `making` makes; or the test is skipped, in words that say what is missing. */
export async function orSkip<Made>(context: TestContext, making: Promise<Made>): Promise<Made> {
  try {
    return await making;
  } catch (error) {
    if (error instanceof Missing) context.skip(`missing: ${error.message}`);
    throw error;
  }
}

export interface Beside {
  readonly path: string;
  readonly text: string;
}

/** A file beside the test that asks. */
export function beside(test: string, name: string): Beside {
  const path = fileURLToPath(new URL(name, test));
  return { path, text: readFileSync(path, "utf8") };
}

/** A Python with exactly the packages of a requirements file. Resolves with the interpreter's path. */
export async function python(name: string, requirements: Beside): Promise<string> {
  const place = await made({
    name,
    inputs: [requirements.text],
    needs: `python3 with venv, and PyPI for ${requirements.text.split("\n")[0]}`,
    async fetch(place) {
      await execute("python3", ["-m", "venv", "--clear", place]);
      const pip = ["-m", "pip", "install", "--quiet", "--no-deps", "-r", requirements.path];
      await execute(join(place, "bin", "python"), pip, { timeoutMs: 240_000 });
    },
  });
  return join(place, "bin", "python");
}
