// NATS JetStream. By default it syncs every two minutes; only with "always" is a confirmed message on disk.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { cached, freePort, launch, type Peer, serverOf, versionOf } from "../server.ts";

const path = cached("bin", "nats-server");

function nats(syncInterval: "always" | undefined): Pick<Peer, "role" | "protocol" | "version" | "start"> {
  return {
    role: "peer",
    protocol: "nats",
    version: () => versionOf(path, "--version"),
    async start(directory) {
      const port = await freePort();
      const file = join(directory, "nats.conf");
      const sync = syncInterval === undefined ? "" : `, sync_interval: ${syncInterval}`;
      const store = `jetstream { store_dir: "${join(directory, "data")}"${sync} }`;
      writeFileSync(file, `listen: "127.0.0.1:${port}"\nmax_pending: 512MB\n${store}\n`);
      return serverOf(launch(path, ["-c", file], directory), port);
    },
  };
}

export const natsAlways: Peer = {
  ...nats("always"),
  startUnsynced: nats(undefined).start,
  backlogMax: 5_000,
  perSecond: 3_500,
  name: "nats",
  title: "NATS JetStream",
  isDurable: true,
  settings: "sync_interval always, file storage, work queue, explicit acknowledgements with answers",
};

/** With less in flight there is little to put into a batch. */
export const natsBatches: Peer = {
  ...nats("always"),
  name: "nats-batches",
  protocol: "natsBatches",
  cases: ["publish", "syncs"],
  inFlightMin: 1_000,
  title: "NATS JetStream, atomic batches",
  isDurable: true,
  settings: "sync_interval always, file storage, all that is in flight in an atomic batch, a thousand at most",
};

export const natsDefault: Peer = {
  ...nats(undefined),
  name: "nats-default",
  quickCases: ["publish", "both", "latency", "syncs"],
  title: "NATS JetStream, default",
  isDurable: false,
  settings: "sync_interval 2m (default): not durable; else as above",
};
