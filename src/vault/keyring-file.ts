// keyring.json in the data directory: the keys of queues with KmsMasterKeyId (src/keys). Read whole, written whole, watched.
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Sealer } from "../auth/sealing.ts";
import { KEYRING_VERSION, Keyring, KeyringError, type StoredKeyring } from "../keys/keyring.ts";
import type { GeneratedKey, KeyProvider } from "../keys/provider.ts";
import { replaceFile } from "./identities-file.ts";
import { watchFiles } from "./watch.ts";

const FILE = "keyring.json";
const BYTES_MAX = 16 * 1024 * 1024;

function pathOf(dataDirectory: string): string {
  return join(dataDirectory, FILE);
}

export function keyringSealer(masterKey: Uint8Array): Sealer {
  return new Sealer(masterKey, "keyring");
}

/** @returns what is in the file; no keys when there is none. @throws KeyringError */
export function readKeyring(dataDirectory: string): StoredKeyring {
  const path = pathOf(dataDirectory);
  if (!existsSync(path)) return { version: KEYRING_VERSION, keys: [] };
  const { size } = statSync(path);
  if (size > BYTES_MAX)
    throw new KeyringError(`Cannot read ${path}: it has ${size} bytes, at most ${BYTES_MAX} are allowed`);
  try {
    return JSON.parse(readFileSync(path, "utf8")) as StoredKeyring; // checked by Keyring
  } catch (error) {
    throw new KeyringError(`Cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export function writeKeyring(dataDirectory: string, stored: StoredKeyring): void {
  replaceFile(pathOf(dataDirectory), `${JSON.stringify(stored, undefined, 2)}\n`);
}

/** The keyring as the file has it now. What cannot be understood changes nothing, and is told. */
export class WatchedKeyring implements KeyProvider {
  readonly #dataDirectory: string;
  readonly #obtainMasterKey: () => Uint8Array;
  readonly #stopWatching: () => void;
  #keyring: Keyring | undefined; // read when it is needed first: most brokers have no queue that does

  /** @throws KeyringError when there is a file that cannot be understood */
  constructor(dataDirectory: string, obtainMasterKey: () => Uint8Array, onTrouble: (error: unknown) => void) {
    this.#dataDirectory = dataDirectory;
    this.#obtainMasterKey = obtainMasterKey;
    if (existsSync(pathOf(dataDirectory))) this.#keyring = this.#read();
    this.#stopWatching = watchFiles([pathOf(dataDirectory)], () => {
      // Called for a file that is not there, too; then nothing is needed yet, not even a master key.
      if (this.#keyring === undefined && !existsSync(pathOf(dataDirectory))) return;
      try {
        this.#keyring = this.#read();
      } catch (error) {
        onTrouble(error);
      }
    });
  }

  #read(): Keyring {
    const masterKey = this.#obtainMasterKey();
    try {
      return new Keyring(readKeyring(this.#dataDirectory), masterKey, keyringSealer(masterKey));
    } catch (error) {
      if (!(error instanceof KeyringError) || error.message.startsWith("Cannot")) throw error;
      throw new KeyringError(`Cannot read ${pathOf(this.#dataDirectory)}: ${error.message}`);
    }
  }

  /** @throws KeyringError, MasterKeyError when the keyring is read for the first time, and cannot be */
  nameOf(keyId: string, account: string): ReturnType<Keyring["nameOf"]> {
    this.#keyring ??= this.#read();
    return this.#keyring.nameOf(keyId, account);
  }

  async generate(keyId: string, account: string): Promise<GeneratedKey> {
    this.#keyring ??= this.#read();
    return this.#keyring.generate(keyId, account);
  }

  async unwrap(wrapped: Uint8Array): Promise<Buffer> {
    this.#keyring ??= this.#read();
    return this.#keyring.unwrap(wrapped);
  }

  close(): void {
    this.#stopWatching();
  }
}
