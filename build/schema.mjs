// Made from src/stream/broker.proto; run it after a change of the schema: node build/schema.mjs. Tests compare them.
//   src/stream/schema.json   what the broker loads: protobufjs' own description, without comments
//   src/client/schema.ts     the client's tables and types: a few kilobytes, and nothing in it that a page's content
//                            security policy would have to allow (protobufjs' reflection makes functions from text)
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

export function schemaOf(proto) {
  return protobuf.parse(proto, { keepCase: false }).root.toJSON();
}

const TYPES = { uint32: "number", uint64: "number", double: "number", bool: "boolean", string: "string" };

/** The client's view of a schema: one line a field, and the interfaces that decoding gives. */
export function clientSchemaOf(proto) {
  const types = schemaOf(proto).nested.wasq.nested.v1.nested;
  const enums = Object.entries(types).filter(([, type]) => type.values !== undefined);
  const messages = Object.entries(types).filter(([, type]) => type.fields !== undefined);
  const isMessage = (name) => types[name]?.fields !== undefined;
  // What is absent and what has its default are two things: for messages, in a oneof, and where it says optional.
  const hasPresence = (type, name) =>
    Object.values(type.oneofs ?? {}).some((oneof) => oneof.oneof.includes(name)) || isMessage(type.fields[name].type);

  const lines = [
    "// Made from src/stream/broker.proto by build/schema.mjs: not to be edited.",
    "",
    "/** Enums, by name. */",
    "export const ENUMS = {",
  ];
  for (const [name, { values }] of enums) {
    lines.push(`  ${name}: {`, ...Object.entries(values).map(([key, value]) => `    ${key}: ${value},`), "  },");
  }
  lines.push("} as const;", "");
  for (const [name] of enums) lines.push(`export type ${name} = keyof typeof ENUMS.${name};`);
  lines.push(
    "",
    "/** Fields of a message: number, name, type; `*`: repeated, `?`: absent is not the same as its default. */",
  );
  lines.push("export const FIELDS = {");
  for (const [name, type] of messages) {
    lines.push(`  ${name}: [`);
    for (const [field, { id, type: kind, rule }] of Object.entries(type.fields)) {
      const mark = rule === "repeated" ? "*" : hasPresence(type, field) ? "?" : "";
      lines.push(`    "${id} ${field} ${kind}${mark}",`);
    }
    lines.push("  ],");
  }
  lines.push("} as const;");
  for (const [name, type] of messages) {
    lines.push("", `export interface ${name} {`);
    for (const [field, { type: kind, rule }] of Object.entries(type.fields)) {
      const plain = TYPES[kind] ?? (kind === "bytes" ? "Uint8Array" : kind);
      const full = rule === "repeated" ? `${plain}[]` : hasPresence(type, field) ? `${plain} | undefined` : plain;
      lines.push(`  ${field}: ${full};`);
    }
    lines.push("}");
  }
  lines.push("", "export interface Messages {", ...messages.map(([name]) => `  ${name}: ${name};`), "}", "");
  return lines.join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const proto = readFileSync(join(ROOT, "src", "stream", "broker.proto"), "utf8");
  writeFileSync(join(ROOT, "src", "stream", "schema.json"), `${JSON.stringify(schemaOf(proto), undefined, 1)}\n`);
  writeFileSync(join(ROOT, "src", "client", "schema.ts"), clientSchemaOf(proto));
}
