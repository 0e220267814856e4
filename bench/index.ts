// npm run bench [names]: every case, or those named, one after the other: two at once would measure each other.
import { http } from "./end-to-end/http.ts";
import { signedHttp } from "./end-to-end/signed.ts";
import { depth, memory } from "./memory.ts";
import { checksum } from "./micro/checksum.ts";
import { core } from "./micro/core.ts";
import { digest } from "./micro/digest.ts";
import { streamCore } from "./micro/stream.ts";
import { queues } from "./queues.ts";
import { restart } from "./restart.ts";
import { streamEncryption } from "./stream/encryption.ts";
import { streamIdle } from "./stream/idle.ts";
import { stream } from "./stream/index.ts";
import { commit, machine, say } from "./support.ts";

const CASES: Readonly<Record<string, () => void | Promise<void>>> = {
  http,
  signed: signedHttp,
  core,
  memory,
  depth,
  restart,
  queues,
  checksum,
  digest,
  stream,
  streamEncryption,
  streamIdle,
  streamCore,
};

const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(CASES);
const unknown = chosen.filter((name) => !Object.hasOwn(CASES, name));
if (unknown.length > 0) {
  process.stderr.write(`No case "${unknown.join('", "')}": ${Object.keys(CASES).join(", ")}\n`);
  process.exit(2);
}
say(`${machine()}; commit ${commit()}`);
for (const name of chosen) await CASES[name]?.();
