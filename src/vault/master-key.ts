// The master key: 32 bytes under which whatever is secret on disk is sealed, the log's own key before all. From the
// environment, or a file that nobody but its owner can read. A new one is made only where nothing is sealed under another.
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { makeDirectory } from "./make-directory.ts";

const KEY_BYTES = 32;
const FILE = "master.key";
const VARIABLE = "WASQ_MASTER_KEY";
const FILE_VARIABLE = "WASQ_MASTER_KEY_FILE";
/** Of the data directory; what is sealed in them is named so: "sealedKey", "sealedSecret". */
const SEALED_FILES = ["manifest", "identities.json", "keyring.json"];
/** While it is there, files are being sealed under another master key (master-key-change.ts). */
export const CHANGE_FILE = "master-key.change";
const OTHERS = 0o077; // what the group and everybody else may do

/** The key cannot be had; the text says what was tried, met and would be right. */
export class MasterKeyError extends Error {
  override name = "MasterKeyError";
}

/** Where it is when the environment does not have it itself. */
export function masterKeyPath(dataDirectory: string, env: NodeJS.ProcessEnv): string {
  const file = env[FILE_VARIABLE];
  return file ? resolve(file) : join(dataDirectory, FILE);
}

/** Where a key was looked for, for a message. */
export function masterKeyPlace(dataDirectory: string, env: NodeJS.ProcessEnv): string {
  return env[VARIABLE] ? VARIABLE : masterKeyPath(dataDirectory, env);
}

/** @returns undefined when there is none yet */
export function readMasterKey(dataDirectory: string, env: NodeJS.ProcessEnv): Uint8Array | undefined {
  if (existsSync(join(dataDirectory, CHANGE_FILE))) {
    throw new MasterKeyError(
      `Cannot use the master key: a change of it has begun and not ended; wasq master-key change --data-dir ${dataDirectory} ends it`,
    );
  }
  const given = env[VARIABLE];
  if (given !== undefined && given !== "") return decode(given, VARIABLE);
  return readKeyFile(masterKeyPath(dataDirectory, env));
}

/** @returns undefined when there is no such file. @throws MasterKeyError when there is no key in it, or others can read it */
export function readKeyFile(path: string): Uint8Array | undefined {
  if (!existsSync(path)) return undefined;
  const { mode, size } = statSync(path);
  if (process.platform !== "win32" && (mode & OTHERS) !== 0) {
    const met = (mode & 0o777).toString(8).padStart(3, "0");
    throw new MasterKeyError(
      `Cannot use ${path}: its mode is ${met}, and others than its owner could read it: chmod 600`,
    );
  }
  if (size > 1024) throw new MasterKeyError(`Cannot use ${path}: it has ${size} bytes, and a key in base64 has 44`);
  return decode(readFileSync(path, "utf8").trim(), path);
}

/** Makes one where there is none. @throws MasterKeyError when something in the data directory is sealed under one that has gone */
export function obtainMasterKey(dataDirectory: string, env: NodeJS.ProcessEnv): Uint8Array {
  const known = readMasterKey(dataDirectory, env);
  if (known !== undefined) return known;
  const path = masterKeyPath(dataDirectory, env);
  const sealed = SEALED_FILES.find((name) => isSealed(join(dataDirectory, name)));
  if (sealed !== undefined) {
    throw new MasterKeyError(
      `Cannot make a master key: ${join(dataDirectory, sealed)} needs the one it had, and there is none in ` +
        `${VARIABLE} or ${path}; put it back`,
    );
  }
  return makeKeyFile(path) ?? obtainMasterKey(dataDirectory, env);
}

/** @returns the key, which is on disk; undefined when there is a file of that name */
export function makeKeyFile(path: string): Uint8Array | undefined {
  makeDirectory(dirname(path), (text) => new MasterKeyError(text));
  const key = randomBytes(KEY_BYTES);
  return writeNew(path, `${key.toString("base64")}\n`) ? key : undefined;
}

/** Whether the environment itself has the key, and not a file. */
export function isKeyInEnvironment(env: NodeJS.ProcessEnv): boolean {
  return (env[VARIABLE] ?? "") !== "";
}

/** Nothing in it can be read any more without the master key. */
function isSealed(path: string): boolean {
  return existsSync(path) && readFileSync(path, "latin1").includes('"sealed');
}

/** The file is there whole, or not at all. @returns false when somebody else has made it meanwhile */
function writeNew(path: string, text: string): boolean {
  const making = `${path}.${randomBytes(4).toString("hex")}`;
  const file = openSync(making, "wx", 0o600);
  try {
    chmodSync(making, 0o600); // whatever the umask
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  try {
    linkSync(making, path); // takes no other's place, as a rename would
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return false;
  } finally {
    unlinkSync(making);
  }
  if (process.platform === "win32") return true;
  const directory = openSync(dirname(path), "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
  return true;
}

function decode(text: string, place: string): Uint8Array {
  const key = Buffer.from(text, "base64");
  if (key.byteLength === KEY_BYTES && /^[A-Za-z0-9+/]{43}=$/.test(text)) return key;
  throw new MasterKeyError(
    `Cannot use the master key of ${place}: ${KEY_BYTES} bytes in base64 are needed, as of: openssl rand -base64 ${KEY_BYTES}`,
  );
}
