// The file with users, keys and roles (src/auth/identities.ts says what is in it): read whole, written whole, watched.
import { randomBytes } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  type DeclaredIdentities,
  IDENTITIES_VERSION,
  Identities,
  IdentitiesError,
  type StoredIdentities,
} from "../auth/identities.ts";
import { Sealer } from "../auth/sealing.ts";

const FILE = "identities.json";
const BYTES_MAX = 16 * 1024 * 1024;

const NOBODY: StoredIdentities = { version: IDENTITIES_VERSION, users: [], roles: [] };

export function identitiesPath(dataDirectory: string): string {
  return join(dataDirectory, FILE);
}

/** What secrets are sealed with in the file. */
export function secretsSealer(masterKey: Uint8Array): Sealer {
  return new Sealer(masterKey, "access key secrets");
}

export function hasIdentities(dataDirectory: string): boolean {
  return existsSync(identitiesPath(dataDirectory));
}

/** @returns what is in the file; nobody when there is none. @throws IdentitiesError when it is no JSON */
export function readStored(dataDirectory: string): StoredIdentities {
  const path = identitiesPath(dataDirectory);
  if (!existsSync(path)) return NOBODY;
  const { size } = statSync(path);
  if (size > BYTES_MAX)
    throw new IdentitiesError(`Cannot read ${path}: it has ${size} bytes, at most ${BYTES_MAX} are allowed`);
  try {
    return JSON.parse(readFileSync(path, "utf8")) as StoredIdentities; // checked by Identities
  } catch (error) {
    throw new IdentitiesError(`Cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** @throws IdentitiesError with the file's name in it, or a declaration's place */
export function readIdentities(dataDirectory: string, secrets: Sealer, declared?: DeclaredIdentities): Identities {
  try {
    return new Identities(readStored(dataDirectory), secrets, declared);
  } catch (error) {
    if (!(error instanceof IdentitiesError) || error.message.startsWith("Cannot")) throw error;
    const places = [...(declared?.users ?? []), ...(declared?.roles ?? [])].map(({ place }) => place);
    if (places.some((place) => error.message.startsWith(place))) throw error;
    throw new IdentitiesError(`Cannot read ${identitiesPath(dataDirectory)}: ${error.message}`);
  }
}

/** Replaces the file in one step: who reads it has the old or the new one, whole. */
export function writeStored(dataDirectory: string, stored: StoredIdentities): void {
  replaceFile(identitiesPath(dataDirectory), `${JSON.stringify(stored, undefined, 2)}\n`);
}

/** The same for any file of the vault. */
export function replaceFile(path: string, text: string): void {
  const making = `${path}.${randomBytes(4).toString("hex")}`;
  const file = openSync(making, "wx", 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(making, path);
  syncDirectoryOf(path);
}

/** What was renamed to it, or removed, is so on disk. */
export function syncDirectoryOf(path: string): void {
  if (process.platform === "win32") return;
  const directory = openSync(dirname(path), "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
