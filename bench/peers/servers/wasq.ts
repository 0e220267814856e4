// wasq itself, by its two doors.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BUNDLE, ROOT } from "../../support.ts";
import { freePort, launch, type Peer, serverOf } from "../server.ts";

async function start(directory: string) {
  const port = await freePort();
  const args = [BUNDLE, "serve", "--port", String(port), "--data-dir", join(directory, "data")];
  return serverOf(launch(process.execPath, args, directory), port);
}

function version(): string | undefined {
  if (!existsSync(BUNDLE)) return undefined;
  return (JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string }).version;
}

const settings = "as it starts";
const common = { isDurable: true, settings, version, start };
export const wasqStream: Peer = { ...common, name: "wasq-stream", title: "wasq, stream", protocol: "stream" };
export const wasqHttp: Peer = { ...common, name: "wasq", title: "wasq, HTTP", protocol: "http", hasFifo: true };
