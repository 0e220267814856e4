// The master key: 32 bytes under which whatever is secret on disk is sealed. From the environment, or a file that nobody but
// its owner can read.
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

const KEY_BYTES = 32;
const FILE = "master.key";
const VARIABLE = "WASQ_MASTER_KEY";
const OTHERS = 0o077; // what the group and everybody else may do

/** The key cannot be had; the text says what was tried, met and would be right. */
export class MasterKeyError extends Error {
  override name = "MasterKeyError";
}

/** @returns undefined when there is none yet */
export function readMasterKey(dataDirectory: string, env: NodeJS.ProcessEnv): Uint8Array | undefined {
  const given = env[VARIABLE];
  if (given !== undefined && given !== "") return decode(given, VARIABLE);
  const path = join(dataDirectory, FILE);
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

/** Makes one, in the data directory, where there is none. */
export function obtainMasterKey(dataDirectory: string, env: NodeJS.ProcessEnv): Uint8Array {
  const known = readMasterKey(dataDirectory, env);
  if (known !== undefined) return known;
  mkdirSync(dataDirectory, { recursive: true });
  const key = randomBytes(KEY_BYTES);
  const path = join(dataDirectory, FILE);
  const file = openSync(path, "wx", 0o600);
  try {
    chmodSync(path, 0o600); // whatever the umask
    writeSync(file, `${key.toString("base64")}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return key;
}

function decode(text: string, place: string): Uint8Array {
  const key = Buffer.from(text, "base64");
  if (key.byteLength === KEY_BYTES && /^[A-Za-z0-9+/]{43}=$/.test(text)) return key;
  throw new MasterKeyError(
    `Cannot use the master key of ${place}: ${KEY_BYTES} bytes in base64 are needed, as of: openssl rand -base64 ${KEY_BYTES}`,
  );
}
