// A broker for all tests of one file: started before the first, ended after the last, its data thrown away.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { type BrokerProcess, BUNDLE, startBroker } from "./broker-process.ts";

export interface FileBroker {
  readonly endpoint: string;
  /** A directory for whatever else the tests write. */
  readonly directory: string;
  /** A key of the account's root, in the variables that all SDKs read; with `keys` the broker checks what it signs. */
  readonly keyVariables: Readonly<Record<string, string>>;
}

/** To be called at the top of a file. */
export function fileBroker(options: { readonly keys?: boolean } = {}): FileBroker {
  const directory = mkdtempSync(join(tmpdir(), "wasq-client-"));
  const data = join(directory, "data");
  let keyVariables: Readonly<Record<string, string>> = { AWS_ACCESS_KEY_ID: "x", AWS_SECRET_ACCESS_KEY: "y" };
  let broker: BrokerProcess | undefined;
  beforeAll(async () => {
    if (options.keys === true) {
      const create = [BUNDLE, "keys", "create", "root", "--data-dir", data];
      const lines = execFileSync(process.execPath, create, { encoding: "utf8" }).trim().split("\n");
      keyVariables = Object.fromEntries(lines.map((line) => line.split("=", 2)));
    }
    broker = await startBroker(data);
  });
  afterAll(async () => {
    await broker?.stop("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  });
  return {
    directory,
    get keyVariables() {
      return keyVariables;
    },
    get endpoint() {
      if (broker === undefined) throw new Error("the broker starts with the first test");
      return broker.endpoint;
    },
  };
}
