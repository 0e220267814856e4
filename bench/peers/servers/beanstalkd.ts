// beanstalkd with its write-ahead log, synced at every change.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { freePort, launch, type Peer, program, serverOf, versionOf } from "../server.ts";

const path = program("beanstalkd");

async function start(directory: string, sync: string) {
  const port = await freePort();
  const data = join(directory, "data");
  mkdirSync(data, { recursive: true });
  const args = ["-l", "127.0.0.1", "-p", String(port), "-b", data, sync, "-z", "1048576"];
  return serverOf(launch(path ?? "beanstalkd", args, directory), port);
}

export const beanstalkd: Peer = {
  name: "beanstalkd",
  role: "peer",
  title: "beanstalkd",
  protocol: "beanstalk",
  isDurable: true,
  hasIndexInMemory: true,
  backlogMax: 5_000,
  perSecond: 5_000,
  settings: "-f 0: a sync for every change",
  version: () => versionOf(path, "-v"),
  start: (directory) => start(directory, "-f0"),
  startUnsynced: (directory) => start(directory, "-F"),
};
