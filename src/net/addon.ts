// The uWebSockets.js addon: from the packages while developing, from inside the executable otherwise.

import type * as UWebSockets from "uWebSockets.js";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type Uws = Pick<typeof UWebSockets, "App" | "SSLApp" | "us_listen_socket_close" | "us_socket_local_port">;

/** Of a request's headers: a session token has up to 6 KiB. The library reads it when it is loaded, and has 4 KiB otherwise. */
const HEADER_BYTES_MAX = 16 * 1024;

function open(path: string): Uws {
  process.env["UWS_HTTP_MAX_HEADERS_SIZE"] = String(HEADER_BYTES_MAX);
  const module: { exports: Partial<Uws> } = { exports: {} };
  process.dlopen(module, path);
  return module.exports as Uws;
}

/** @param embedded the addon's bytes when they came inside the executable */
export function loadUws(modulesDirectory: string, embedded: Uint8Array | undefined): Uws {
  const name = `uws_${process.platform}_${process.arch}_${process.versions.modules}.node`;
  if (embedded === undefined) return open(join(modulesDirectory, "uWebSockets.js", "dist", "bin", name));
  // The system loads libraries from files only: a private one, gone again as soon as it is loaded.
  const directory = mkdtempSync(join(tmpdir(), "wasq-"));
  try {
    chmodSync(directory, 0o700);
    const path = join(directory, name);
    writeFileSync(path, embedded, { mode: 0o500 });
    return open(path);
  } catch (error) {
    const met = error instanceof Error ? error.message : String(error);
    throw new Error(
      `Cannot load the socket library from ${directory}: ${met}; ` +
        "TMPDIR must name a directory with room for it, from which programs may be loaded",
    );
  } finally {
    if (process.platform !== "win32") rmSync(directory, { recursive: true, force: true });
  }
}
