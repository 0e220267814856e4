// Another master key: everything that is sealed under the one there is is sealed under the new one.
//
//   the new key is on disk ─► master-key.change: all files as they will be ─► each file replaced ─► the key's file ─► gone
//                             └─ from here on there is no way back, and any number of tries forward
//
// A process that ends before it changes nothing; one that ends later leaves a start refused until the rest is done. There is no
// secret in the file: what it has is sealed under the new key.
import { existsSync, linkSync, readFileSync, renameSync, unlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { Identities, type StoredIdentities } from "../auth/identities.ts";
import { resealedKeyring } from "../keys/keyring.ts";
import { decodeManifest, encodeManifest, MANIFEST } from "../log/manifest.ts";
import { identitiesPath, readStored, replaceFile, secretsSealer, syncDirectoryOf } from "./identities-file.ts";
import { keyringSealer, readKeyring } from "./keyring-file.ts";
import { resealedLogKey } from "./log-cipher.ts";
import {
  CHANGE_FILE,
  isKeyInEnvironment,
  MasterKeyError,
  makeKeyFile,
  masterKeyPath,
  readKeyFile,
  readMasterKey,
} from "./master-key.ts";

const VERSION = 1;

/** The file's contents. */
interface Change {
  readonly version: typeof VERSION;
  /** What is to stand in files of the data directory. */
  readonly files: readonly { readonly name: string; readonly text: string }[];
  /** Where the new key is. */
  readonly newKeyPath: string;
  /** The file whose place it takes, and where that one goes; undefined: the new key stays where it is. */
  readonly replaced: { readonly keyPath: string; readonly oldKeyPath: string } | undefined;
}

export interface ChangeWish {
  readonly dataDirectory: string;
  readonly env: NodeJS.ProcessEnv;
  /** The new key's file, made if it is not there; undefined: the new one takes the place of the file there is. */
  readonly toPath: string | undefined;
  readonly nowMs: number;
  /** Called before each step that changes the disk. */
  readonly onStep?: (step: string) => void;
}

export interface Changed {
  readonly fileNames: readonly string[]; // that were sealed anew
  readonly keyPath: string; // of the new key
  readonly oldKeyPath: string | undefined; // of the one before, where its file had to make room
}

/**
 * Nobody else may use the data directory meanwhile.
 * @throws MasterKeyError, KeyringError, IdentitiesError, LogError: nothing has changed
 */
export function changeMasterKey(wish: ChangeWish): Changed {
  const path = join(wish.dataDirectory, CHANGE_FILE);
  const { onStep = () => {} } = wish;
  if (!existsSync(path)) {
    const change = begin(wish, onStep);
    onStep("commit");
    replaceFile(path, `${JSON.stringify(change)}\n`);
  }
  return finish(path, wish.dataDirectory, onStep);
}

function begin({ dataDirectory, env, toPath, nowMs }: ChangeWish, onStep: (step: string) => void): Change {
  const masterKey = readMasterKey(dataDirectory, env);
  const keyPath = masterKeyPath(dataDirectory, env);
  if (masterKey === undefined) throw refusal(`there is none, in WASQ_MASTER_KEY or in ${keyPath}`);
  if (toPath === undefined && isKeyInEnvironment(env)) {
    throw refusal(
      "it is in WASQ_MASTER_KEY, which only you can change; say with --to-file where the new one is, or is to be made",
    );
  }
  const newKeyPath = toPath === undefined ? `${keyPath}.new` : resolve(toPath);
  if (newKeyPath === keyPath && !isKeyInEnvironment(env)) {
    throw refusal(`${keyPath} is where it is; leave out --to-file to replace it`);
  }
  onStep("make the key");
  const newKey = readKeyFile(newKeyPath) ?? makeKeyFile(newKeyPath);
  if (newKey === undefined) throw refusal(`somebody else makes ${newKeyPath}; try again`);
  if (Buffer.from(newKey).equals(masterKey)) throw refusal(`${newKeyPath} has the one there is`);
  const files = [
    ...manifestFile(dataDirectory, masterKey, newKey),
    ...identitiesFile(dataDirectory, masterKey, newKey),
    // It is there from now on, in any case: SQS's own keys have wrapped under the key of before.
    { name: "keyring.json", text: keyringText(dataDirectory, masterKey, newKey) },
  ];
  const until = `${keyPath}.until-${new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d{3}/g, "")}`;
  let oldKeyPath = until;
  for (let n = 2; existsSync(oldKeyPath); n++) oldKeyPath = `${until}-${n}`;
  return { version: VERSION, files, newKeyPath, replaced: toPath === undefined ? { keyPath, oldKeyPath } : undefined };
}

function refusal(why: string): MasterKeyError {
  return new MasterKeyError(`Cannot change the master key: ${why}`);
}

type FileText = Change["files"][number];

function manifestFile(dataDirectory: string, masterKey: Uint8Array, newKey: Uint8Array): FileText[] {
  const path = join(dataDirectory, MANIFEST);
  if (!existsSync(path)) return [];
  const manifest = decodeManifest(readFileSync(path));
  const { encryption, logId } = manifest;
  if (encryption === undefined) return [];
  const sealedKey = resealedLogKey(encryption.sealedKey, logId, masterKey, newKey);
  const bytes = encodeManifest({ ...manifest, encryption: { ...encryption, sealedKey } });
  return [{ name: MANIFEST, text: Buffer.from(bytes).toString("latin1") }];
}

function identitiesFile(dataDirectory: string, masterKey: Uint8Array, newKey: Uint8Array): FileText[] {
  if (!existsSync(identitiesPath(dataDirectory))) return [];
  const stored = readStored(dataDirectory);
  const before = secretsSealer(masterKey);
  const after = secretsSealer(newKey);
  new Identities(stored, before); // all of it can be opened
  const resealed: StoredIdentities = {
    ...stored,
    users: stored.users.map((user) => ({
      ...user,
      keys: user.keys.map((key) => {
        const secret = before.open(Buffer.from(key.sealedSecret, "base64"), key.id) as Buffer;
        return { ...key, sealedSecret: after.seal(secret, key.id).toString("base64") };
      }),
    })),
  };
  new Identities(resealed, after);
  return [{ name: "identities.json", text: jsonText(resealed) }];
}

function keyringText(dataDirectory: string, masterKey: Uint8Array, newKey: Uint8Array): string {
  const before = { masterKey, sealer: keyringSealer(masterKey) };
  return jsonText(resealedKeyring(readKeyring(dataDirectory), before, keyringSealer(newKey)));
}

function jsonText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

/** Each step may have been done already. */
function finish(path: string, dataDirectory: string, onStep: (step: string) => void): Changed {
  const { files, newKeyPath, replaced } = readChange(path);
  for (const { name, text } of files) {
    onStep(`replace ${name}`);
    replaceFile(join(dataDirectory, name), text);
  }
  if (replaced !== undefined && existsSync(newKeyPath)) {
    onStep("keep the old key");
    if (!existsSync(replaced.oldKeyPath)) linkSync(replaced.keyPath, replaced.oldKeyPath);
    syncDirectoryOf(replaced.keyPath);
    onStep("replace the key");
    renameSync(newKeyPath, replaced.keyPath);
    syncDirectoryOf(replaced.keyPath);
  }
  onStep("end");
  unlinkSync(path);
  syncDirectoryOf(path);
  const fileNames = files.map(({ name }) => name);
  return { fileNames, keyPath: replaced?.keyPath ?? newKeyPath, oldKeyPath: replaced?.oldKeyPath };
}

function readChange(path: string): Change {
  try {
    const change = JSON.parse(readFileSync(path, "utf8")) as Change; // replaced as a whole, so it is whole
    if (change.version === VERSION) return change;
    throw new Error(`it has version ${change.version}, and ${VERSION} is known`);
  } catch (error) {
    throw new MasterKeyError(`Cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
