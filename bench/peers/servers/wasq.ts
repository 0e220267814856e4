// wasq itself, by its two doors.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BUNDLE, ROOT } from "../../support.ts";
import { freePort, launch, type Peer, type Server, serverOf } from "../server.ts";

/** @param nodeArgs of its process, before the program */
export async function startWasq(directory: string, nodeArgs: readonly string[] = []): Promise<Server> {
  const port = await freePort();
  const args = [...nodeArgs, BUNDLE, "serve", "--port", String(port), "--data-dir", join(directory, "data")];
  return serverOf(launch(process.execPath, args, directory), port);
}

function version(): string | undefined {
  if (!existsSync(BUNDLE)) return undefined;
  return (JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string }).version;
}

const settings = "as it starts: log encrypted, synced before an answer";
const common = {
  role: "wasq",
  isDurable: true,
  settings,
  version,
  start: (directory: string) => startWasq(directory),
} as const;

export const wasqStream: Peer = {
  ...common,
  name: "wasq-stream",
  title: "wasq, stream",
  protocol: "stream",
  probeProtocol: "http",
};
export const wasqHttp: Peer = { ...common, name: "wasq", title: "wasq, HTTP", protocol: "http", hasFifo: true };
