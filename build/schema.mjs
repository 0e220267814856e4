// src/stream/broker.proto into src/stream/schema.json, which is what the broker loads: protobufjs' own description, without
// comments. Run it after a change of the schema: node build/schema.mjs. A test compares the two.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

export function schemaOf(proto) {
  return protobuf.parse(proto, { keepCase: false }).root.toJSON();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const proto = readFileSync(join(ROOT, "src", "stream", "broker.proto"), "utf8");
  writeFileSync(join(ROOT, "src", "stream", "schema.json"), `${JSON.stringify(schemaOf(proto), undefined, 1)}\n`);
}
