// The SQS-compatible servers that people test with. They keep messages in memory: none of their answers is durable.
import { existsSync, readdirSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cached, freePort, launch, type Peer, program, serverOf } from "../server.ts";

/** The version in the name of what the link that install made points to. */
function linkedVersion(...path: string[]): string | undefined {
  const link = cached(...path);
  return existsSync(link) ? /(\d+\.\d+\.\d+)$/.exec(realpathSync(link))?.[1] : undefined;
}

const quickCases = ["publish", "both", "latency", "fifo"];
const common = { role: "peer", isDurable: false, backlogMax: 5_000, perSecond: 5_000, quickCases } as const;

export const elasticmq: Peer = {
  ...common,
  name: "elasticmq",
  title: "ElasticMQ",
  warmSeconds: 30, // of the same load it does six times as much after that
  protocol: "http",
  hasFifo: true,
  settings: "in memory (default): not durable",
  version: () => (program("java") === undefined ? undefined : linkedVersion("elasticmq")),
  async start(directory) {
    const port = await freePort();
    const config = join(directory, "elasticmq.conf");
    const address = `node-address { host = "127.0.0.1", port = ${port} }`;
    const rest = `rest-sqs { bind-hostname = "127.0.0.1", bind-port = ${port} }\nrest-stats { enabled = false }`;
    writeFileSync(config, `include classpath("application.conf")\n${address}\n${rest}\n`);
    const jars = readdirSync(cached("elasticmq")).map((name) => cached("elasticmq", name));
    const args = [`-Dconfig.file=${config}`, "-cp", jars.join(":"), "org.elasticmq.server.Main"];
    return serverOf(launch(program("java") ?? "java", args, directory), port);
  },
};

export const goaws: Peer = {
  ...common,
  name: "goaws",
  title: "GoAWS",
  protocol: "httpQuery",
  perSecond: 20_000,
  settings: "in memory: not durable; AWS Query, the only form it has",
  version: () => linkedVersion("bin", "goaws"),
  async start(directory) {
    const port = await freePort();
    const config = join(directory, "goaws.yaml");
    const fields = [`Host: 127.0.0.1`, `Port: ${port}`, `Region: us-east-1`, `AccountId: "000000000000"`];
    writeFileSync(config, `Local:\n${fields.map((field) => `  ${field}\n`).join("")}`);
    return serverOf(launch(cached("bin", "goaws"), ["-config", config, "Local"], directory), port);
  },
};

export const moto: Peer = {
  ...common,
  name: "moto",
  // No pace that is measured can be kept at two hundred messages a second.
  cases: ["publish", "consume", "both", "queues"],
  quickCases: ["publish"],
  backlogMax: 200,
  perSecond: 150,
  inFlightMax: 1_000,
  title: "moto's server",
  protocol: "http",
  settings: "in memory: not durable",
  version: () => linkedVersion("moto"),
  async start(directory) {
    const port = await freePort();
    const args = ["-H", "127.0.0.1", "-p", String(port)];
    return serverOf(launch(cached("moto", "bin", "moto_server"), args, directory), port);
  },
};
