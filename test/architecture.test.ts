// Arrows point one way, from the edge to the core: the table below, checked.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

interface Room {
  readonly may: readonly string[]; // other rooms
  readonly typesOnly?: readonly string[]; // single files, for their types
  readonly modules: readonly string[]; // Node's and packages'
}

const ROOMS: Readonly<Record<string, Room>> = {
  base: { may: [], modules: [] },
  limits: { may: ["base"], modules: [] },
  core: { may: ["base", "limits"], modules: [] },
  log: { may: ["base", "limits"], modules: [] },
  keys: { may: ["base", "auth"], modules: ["node:crypto"] },
  broker: { may: ["base", "limits", "core", "log", "keys"], modules: ["node:crypto", "node:zlib"] },
  stream: {
    may: ["base", "limits"],
    typesOnly: ["src/broker/types.ts", "src/broker/stream-types.ts"],
    modules: ["node:crypto", "protobufjs/light.js"],
  },
  audit: { may: ["base"], modules: [] },
  auth: { may: ["base"], modules: ["node:crypto", "node:net", "node:zlib"] },
  vault: {
    may: ["base", "auth", "keys", "log"],
    modules: ["node:crypto", "node:fs", "node:path"],
  },
  sqs: {
    may: ["base", "limits", "audit", "auth"],
    typesOnly: ["src/broker/types.ts"],
    modules: ["node:buffer", "node:crypto", "node:util"],
  },
  sts: { may: ["base", "audit", "auth", "sqs"], modules: ["node:buffer", "node:crypto"] },
  net: {
    may: ["base", "limits", "sqs", "stream"],
    modules: ["node:fs", "node:net", "node:os", "node:path", "uWebSockets.js"],
  },
  client: { may: [], modules: ["protobufjs/minimal.js"] }, // it goes to other people's machines
  cli: {
    may: ["base", "client", "auth", "keys", "vault"],
    modules: ["node:crypto", "node:fs", "node:stream", "node:tty", "node:util"],
  },
  config: { may: ["base", "limits"], modules: ["node:path", "node:util"] },
  entrance: { may: ["base", "audit", "auth", "vault", "sqs"], modules: [] },
  main: {
    may: [
      "base",
      "keys",
      "limits",
      "core",
      "log",
      "broker",
      "sqs",
      "stream",
      "net",
      "config",
      "cli",
      "auth",
      "vault",
      "entrance",
      "sts",
      "audit",
    ],
    modules: ["node:fs", "node:module", "node:path", "node:sea"],
  },
};

/** What single files may have besides what their room may. */
const EXCEPTIONS: Readonly<Record<string, readonly string[]>> = {
  "src/audit/audit-file.ts": ["node:fs"],
  "src/config/read-bounded.ts": ["node:fs"],
  "src/config/yaml.ts": ["yaml"],
  "src/keys/aws-kms.ts": ["@aws-sdk/client-kms"],
  "src/net/health.ts": ["node:crypto"], // an answer's id
  "src/net/tls.ts": ["node:crypto"], // whether a key fits its certificate
  "src/log/segment.ts": ["node:zlib"], // a checksum the host has natively
  "src/log/node-disk.ts": ["node:fs", "node:path"],
  "src/log/node-lock.ts": ["node:fs", "node:net", "node:path", "node:os", "node:crypto"],
};

interface Import {
  readonly file: string; // from the root
  readonly room: string;
  readonly target: string; // a path from the root, or a module's name
  readonly typeOnly: boolean;
}

function filesOf(directory: string): string[] {
  return readdirSync(join(ROOT, directory), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
    .sort();
}

/** src/base/assert.ts is of "base", src/main.ts of "main". */
function roomOf(file: string): string {
  return (file.split("/")[1] ?? "").replace(/\.ts$/, "");
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(ROOT, file), "utf8").replace(/^\s*\/\/.*$|\/\*[\s\S]*?\*\//gm, "");
  const found: { specifier: string; typeOnly: boolean }[] = [];
  for (const [, type, specifier] of text.matchAll(/^\s*(?:import|export)(\s+type)?\b[^;"]*?\bfrom\s*"([^"]+)"/gm)) {
    found.push({ specifier: specifier ?? "", typeOnly: type !== undefined });
  }
  for (const [, specifier] of text.matchAll(/^\s*import\s*"([^"]+)"/gm)) {
    found.push({ specifier: specifier ?? "", typeOnly: false });
  }
  for (const [, specifier] of text.matchAll(/\b(?:import|require)\s*\(\s*"([^"]+)"\s*\)/g)) {
    found.push({ specifier: specifier ?? "", typeOnly: false });
  }
  return found.map(({ specifier, typeOnly }) => ({
    file,
    room: roomOf(file),
    target: specifier.startsWith(".") ? join(dirname(file), specifier).replaceAll("\\", "/") : specifier,
    typeOnly,
  }));
}

function isAllowed({ file, room, target, typeOnly }: Import): boolean {
  const rules = ROOMS[room];
  if (rules === undefined) return false;
  if (!target.startsWith("src/")) return [...rules.modules, ...(EXCEPTIONS[file] ?? [])].includes(target);
  if (roomOf(target) === room || rules.may.includes(roomOf(target))) return true;
  return typeOnly && (rules.typesOnly ?? []).includes(target);
}

const SOURCES = filesOf("src");
const IMPORTS = SOURCES.flatMap(importsOf);

describe("src", () => {
  test("every file belongs to a room of the table", () => {
    expect(SOURCES.filter((file) => ROOMS[roomOf(file)] === undefined)).toEqual([]);
  });

  test("rooms import what the table allows, and nothing else", () => {
    expect(IMPORTS.length).toBeGreaterThan(SOURCES.length);
    expect(IMPORTS.filter((each) => !isAllowed(each)).map(({ file, target }) => `${file} imports ${target}`)).toEqual(
      [],
    );
  });

  test.each([
    ["src/core/x.ts", "node:fs", false],
    ["src/broker/x.ts", "src/sqs/index.ts", false],
    ["src/sqs/x.ts", "src/broker/broker.ts", true],
    ["src/sqs/x.ts", "src/broker/types.ts", false],
    ["src/log/x.ts", "node:fs", false],
    ["src/broker/x.ts", "uWebSockets.js", true],
    ["src/base/x.ts", "src/limits.ts", false],
    ["src/client/x.ts", "src/stream/session.ts", true],
    ["src/client/x.ts", "node:events", false],
  ])("the check itself refuses %s importing %s", (file, target, typeOnly) => {
    expect(isAllowed({ file, room: roomOf(file), target, typeOnly })).toBe(false);
  });

  test("the core's door knows neither time nor timers", () => {
    const text = SOURCES.filter((file) => roomOf(file) === "core")
      .map((file) => readFileSync(join(ROOT, file), "utf8"))
      .join("\n");
    expect(text).not.toMatch(/\b(Date\.now|new Date|performance\.|setTimeout|setInterval|setImmediate|process\.)/);
  });

  test("every room has a README", () => {
    const folders = readdirSync(join(ROOT, "src"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    const rooms = folders.map((folder) => ({ name: folder.name, files: readdirSync(join(ROOT, "src", folder.name)) }));
    const bare = rooms.filter(({ files }) => files.length > 0 && !files.includes("README.md"));
    expect(bare.map(({ name }) => name)).toEqual([]);
  });
});

describe("assembly", () => {
  test("imports nothing from outside itself", () => {
    const outside = filesOf("assembly")
      .flatMap(importsOf)
      .filter(({ target }) => !target.startsWith("assembly/"));
    expect(outside).toEqual([]);
  });

  test("core.wasm imports nothing: no clock, no random, no I/O", () => {
    const module = new WebAssembly.Module(readFileSync(join(ROOT, "build", "out", "core.wasm")));
    expect(WebAssembly.Module.imports(module)).toEqual([]);
  });
});
