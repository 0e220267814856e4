// RabbitMQ with a quorum queue of one member: its log is synced before a publisher's confirm.
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePorts, launch, type Peer, program, serverOf } from "../server.ts";

const BASE = "/usr/lib/rabbitmq/lib";

/** The directory of the package's newest release; the wrapper in /usr/sbin would start it as another user. */
function home(): string | undefined {
  try {
    return readdirSync(BASE)
      .filter((name) => name.startsWith("rabbitmq_server-"))
      .sort()
      .at(-1);
  } catch {
    return undefined; // it is not installed
  }
}

export const rabbitmq: Peer = {
  name: "rabbitmq",
  role: "peer",
  title: "RabbitMQ quorum queue",
  protocol: "amqp",
  isDurable: true,
  hasIndexInMemory: true,
  startSeconds: 8,
  backlogExtraSeconds: 60, // it replays a million messages before it hands out the first
  settings: "quorum queue of one member, persistent messages, publisher confirms; acknowledgements have no answer",
  version: () => home()?.split("-")[1],
  async start(directory) {
    const [port = 0, mapperPort, nodePort] = await freePorts(3);
    const config = join(directory, "rabbitmq.conf");
    writeFileSync(config, `listeners.tcp.local = 127.0.0.1:${port}\nvm_memory_high_watermark.relative = 0.8\n`);
    const environment = {
      HOME: directory,
      ERL_EPMD_PORT: String(mapperPort),
      ERL_EPMD_ADDRESS: "127.0.0.1",
      RABBITMQ_NODENAME: "bench@localhost",
      RABBITMQ_DIST_PORT: String(nodePort),
      RABBITMQ_CONFIG_FILE: config,
      RABBITMQ_MNESIA_BASE: join(directory, "data"),
      RABBITMQ_LOG_BASE: join(directory, "log"),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, "plugins"),
      RABBITMQ_PID_FILE: join(directory, "pid"),
    };
    // The node would start the port mapper as a daemon, which nobody ends.
    const mapper = launch(program("epmd") ?? "epmd", [], directory, environment);
    const path = join(BASE, home() ?? "", "sbin", "rabbitmq-server");
    return serverOf(launch(path, [], directory, environment), port, [mapper]);
  },
};
