// Redis Streams. appendfsync always: the append-only file is synced before the answers of a pass of its loop go out.
import { freePort, launch, type Peer, program, serverOf, versionOf } from "../server.ts";

const path = program("redis-server");

export const redisStreams: Peer = {
  name: "redis",
  role: "peer",
  title: "Redis Streams",
  protocol: "redis",
  isDurable: true,
  hasIndexInMemory: true,
  settings: "appendonly yes, appendfsync always, no snapshots",
  version: () => versionOf(path, "--version"),
  async start(directory) {
    const port = await freePort();
    const log = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""];
    const args = ["--port", String(port), "--bind", "127.0.0.1", "--dir", directory, ...log];
    return serverOf(launch(path ?? "redis-server", args, directory), port);
  },
};
