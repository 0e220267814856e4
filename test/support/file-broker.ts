// A broker for all tests of one file: started before the first, ended after the last, its data thrown away.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { type BrokerProcess, startBroker } from "./broker-process.ts";

export interface FileBroker {
  readonly endpoint: string;
  /** A directory for whatever else the tests write. */
  readonly directory: string;
}

/** To be called at the top of a file. */
export function fileBroker(args: readonly string[] = []): FileBroker {
  const directory = mkdtempSync(join(tmpdir(), "wasq-client-"));
  let broker: BrokerProcess | undefined;
  beforeAll(async () => {
    broker = await startBroker(join(directory, "data"), { args });
  });
  afterAll(async () => {
    await broker?.stop("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  });
  return {
    directory,
    get endpoint() {
      if (broker === undefined) throw new Error("the broker starts with the first test");
      return broker.endpoint;
    },
  };
}
