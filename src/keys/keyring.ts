// The local keyring: keys that wrap data keys, each with all the material it ever had, sealed under the master key.
//
// A wrapped data key, little-endian:
//        0     1  1: by a keyring         1     1  version 1
//        2    16  key ID                 18     4  which of the key's material
//       22    12  nonce                  34    32  the data key, AES-256-GCM    66   16  tag
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from "node:crypto";
import type { Sealer } from "../auth/sealing.ts";
import { DATA_KEY_BYTES, type GeneratedKey, KeyError, type KeyProvider, WRAPPED_BY } from "./provider.ts";

export const KEYRING_VERSION = 1;
const HEAD_BYTES = 22;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const WRAPPED_BYTES = HEAD_BYTES + NONCE_BYTES + DATA_KEY_BYTES + TAG_BYTES;
const CIPHER = "aes-256-gcm";

export const ALIAS = /^alias\/[A-Za-z0-9/_-]{1,250}$/;
const KEY_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** A key or an alias, of an account, in any region: a keyring's keys are good in all of them. */
const ARN = /^arn:aws[a-z-]*:kms:[a-z0-9-]*:(\d{12}):(?:key\/(.+)|(alias\/.+))$/;
/** What SQS has without anybody making it. */
export const SQS_ALIAS = "alias/aws/sqs";

/** The file's contents. Fields are added, never renamed. */
export interface StoredKeyring {
  readonly version: typeof KEYRING_VERSION;
  readonly keys: readonly StoredKey[];
  /**
   * Master keys that the one of now has replaced, oldest first: what SQS's own keys have wrapped comes from them. Absent while
   * there were none.
   */
  readonly sealedRoots?: readonly string[]; // base64
}

export interface StoredKey {
  readonly id: string;
  readonly account: string;
  readonly aliases: readonly string[]; // with "alias/" before them
  readonly active: boolean;
  readonly createdMs: number;
  /** Oldest first, numbered from 1 by place; the last one wraps, all of them unwrap. */
  readonly sealedMaterial: readonly string[]; // base64
}

/** The keyring cannot be understood; the text says what is wrong. */
export class KeyringError extends Error {
  override name = "KeyringError";
}

interface Key {
  readonly id: string;
  readonly arn: string;
  readonly active: boolean;
  readonly material: readonly Buffer[];
}

export class Keyring implements KeyProvider {
  /** What SQS's own keys come from: earlier master keys, and the one of now. */
  readonly #roots: readonly Uint8Array[];
  readonly #byId = new Map<string, Key>();
  readonly #byName = new Map<string, Key>(); // by account and ID or alias

  /** @throws KeyringError */
  constructor(stored: StoredKeyring, masterKey: Uint8Array, sealer: Sealer) {
    const { version, sealedRoots = [] } = stored;
    if (version !== KEYRING_VERSION || !Array.isArray(stored.keys) || !Array.isArray(sealedRoots)) {
      throw new KeyringError(`it has version ${version}, and ${KEYRING_VERSION} is known`);
    }
    const earlier = sealedRoots.map((sealed, i) => openedRoot(sealer, sealed, i));
    this.#roots = [...earlier, masterKey];
    for (const key of stored.keys) this.#add(key, sealer);
  }

  #add({ id, account, aliases, active, sealedMaterial }: StoredKey, sealer: Sealer): void {
    if (!KEY_ID.test(id) || !/^\d{12}$/.test(account)) throw new KeyringError(`"${id}" of "${account}" is no key`);
    if (this.#byId.has(id)) throw new KeyringError(`the key ${id} is there twice`);
    const material = sealedMaterial.map((sealed, i) => {
      const opened = sealer.open(Buffer.from(sealed, "base64"), `${id}/${i + 1}`);
      if (opened?.byteLength !== DATA_KEY_BYTES) {
        throw new KeyringError(`the key ${id} was sealed under another master key, or has been changed`);
      }
      return opened;
    });
    if (material.length === 0) throw new KeyringError(`the key ${id} has no material`);
    const key: Key = { id, arn: `arn:aws:kms:*:${account}:key/${id}`, active, material };
    this.#byId.set(id, key);
    for (const name of [id, ...aliases]) {
      if (this.#byName.has(`${account} ${name}`))
        throw new KeyringError(`${name} is there twice in account ${account}`);
      this.#byName.set(`${account} ${name}`, key);
    }
  }

  /** SQS's own key of an account: it comes from the master key, so that it is there by itself. */
  #managed(account: string): Key {
    const id = managedId(account);
    const known = this.#byId.get(id);
    if (known !== undefined) return known;
    const info = `wasq ${SQS_ALIAS} ${account}`;
    const material = this.#roots.map((root) => Buffer.from(hkdfSync("sha256", root, new Uint8Array(0), info, 32)));
    const key: Key = { id, arn: `arn:aws:kms:*:${account}:key/${id}`, active: true, material };
    this.#byId.set(id, key);
    return key;
  }

  #find(keyId: string, account: string): Key {
    const { owner, name } = ownerOf(keyId, account);
    const known = this.#byName.get(`${owner} ${name}`);
    if (known !== undefined) return known;
    if (name === SQS_ALIAS || name === managedId(owner)) return this.#managed(owner);
    throw refusal("KmsNotFound", `${name.startsWith("alias/") ? "Alias" : "Key"} '${keyId}' does not exist`);
  }

  /** How policies name the key that `keyId` means to a queue of `account`; whether it is there is found out later. */
  nameOf(keyId: string, account: string): { account: string; resource: string; isManaged: boolean } {
    const { owner, name } = ownerOf(keyId, account);
    const isManaged = name === SQS_ALIAS || name === managedId(owner);
    const id = this.#byName.get(`${owner} ${name}`)?.id ?? (isManaged ? managedId(owner) : undefined);
    const unknown = name.startsWith("alias/") ? name : `key/${name}`;
    return { account: owner, resource: id === undefined ? unknown : `key/${id}`, isManaged };
  }

  async generate(keyId: string, account: string): Promise<GeneratedKey> {
    const { id, arn, active, material } = this.#find(keyId, account);
    if (!active) throw refusal("KmsDisabled", `${arn} is disabled.`);
    const plain = randomBytes(DATA_KEY_BYTES);
    const wrapped = Buffer.alloc(WRAPPED_BYTES);
    wrapped[0] = WRAPPED_BY.keyring;
    wrapped[1] = 1;
    wrapped.write(id.replaceAll("-", ""), 2, "hex");
    wrapped.writeUInt32LE(material.length, 18);
    randomBytes(NONCE_BYTES).copy(wrapped, HEAD_BYTES);
    const nonce = wrapped.subarray(HEAD_BYTES, HEAD_BYTES + NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, material.at(-1) as Buffer, nonce);
    cipher.setAAD(wrapped.subarray(0, HEAD_BYTES));
    cipher.update(plain).copy(wrapped, HEAD_BYTES + NONCE_BYTES);
    cipher.final();
    cipher.getAuthTag().copy(wrapped, WRAPPED_BYTES - TAG_BYTES);
    return { plain, wrapped };
  }

  async unwrap(wrapped: Uint8Array): Promise<Buffer> {
    const bytes = Buffer.from(wrapped);
    if (bytes.byteLength !== WRAPPED_BYTES || keyIdOf(bytes) === undefined) {
      throw refusal("KmsInvalidState", "The message's data key was wrapped by another key management.");
    }
    const key = this.#byId.get(uuid(bytes.subarray(2, 18))) ?? this.#managedOf(uuid(bytes.subarray(2, 18)));
    if (key === undefined) {
      throw refusal("KmsAccessDenied", "The ciphertext refers to a customer master key that does not exist.");
    }
    if (!key.active) throw refusal("KmsDisabled", `${key.arn} is disabled.`);
    const material = key.material[bytes.readUInt32LE(18) - 1];
    const damaged = () => refusal("KmsInvalidState", `The ciphertext was not made by ${key.arn}.`);
    if (material === undefined) throw damaged();
    const decipher = createDecipheriv(CIPHER, material, bytes.subarray(HEAD_BYTES, HEAD_BYTES + NONCE_BYTES));
    decipher.setAAD(bytes.subarray(0, HEAD_BYTES));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    const plain = decipher.update(bytes.subarray(HEAD_BYTES + NONCE_BYTES, -TAG_BYTES));
    try {
      decipher.final();
    } catch {
      throw damaged();
    }
    return plain;
  }

  /** By the ID alone: it has the account in it. */
  #managedOf(id: string): Key | undefined {
    const account = id.slice(-12);
    return /^\d{12}$/.test(account) && managedId(account) === id ? this.#managed(account) : undefined;
  }
}

/** Whose key `keyId` means to a queue of `account`, and its ID or alias. */
function ownerOf(keyId: string, account: string): { owner: string; name: string } {
  const arn = ARN.exec(keyId);
  return { owner: arn?.[1] ?? account, name: arn === null ? keyId : (arn[2] ?? arn[3] ?? "") };
}

/** The ID of SQS's own key of an account; the account is its end. */
function managedId(account: string): string {
  const digest = createHash("sha256").update(`${SQS_ALIAS} ${account}`).digest("hex");
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-${digest.slice(12, 16)}-${digest.slice(16, 20)}-${account}`;
}

function uuid(bytes: Buffer): string {
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** Which key has wrapped a data key; undefined when it was no keyring's. */
export function keyIdOf(wrapped: Uint8Array): string | undefined {
  if (wrapped.byteLength < HEAD_BYTES || wrapped[0] !== WRAPPED_BY.keyring || wrapped[1] !== 1) return undefined;
  return uuid(Buffer.from(wrapped.subarray(2, 18)));
}

const ERROR_CODES = {
  KmsNotFound: "NotFoundException",
  KmsDisabled: "DisabledException",
  KmsInvalidState: "KMSInvalidStateException",
  KmsAccessDenied: "AccessDeniedException",
} as const;

/** The text is shaped as the service's own: what happened, and in brackets who said so. */
function refusal(code: keyof typeof ERROR_CODES, text: string): KeyError {
  return new KeyError(code, `${text} (Service: AWSKMS; Status Code: 400; Error Code: ${ERROR_CODES[code]})`);
}

/** Material for a key, sealed: of a new key, or its next one. @param version from 1 */
export function newMaterial(sealer: Sealer, id: string, version: number): string {
  return sealer.seal(randomBytes(DATA_KEY_BYTES), `${id}/${version}`).toString("base64");
}

function openedRoot(sealer: Sealer, sealed: string, index: number): Buffer {
  const root = sealer.open(Buffer.from(sealed, "base64"), rootName(index));
  if (root?.byteLength === DATA_KEY_BYTES) return root;
  throw new KeyringError("what SQS's own keys come from was sealed under another master key, or has been changed");
}

function rootName(index: number): string {
  return `root/${index + 1}`;
}

/**
 * The same keyring under another master key.
 * @throws KeyringError when it is not under the one of before
 */
export function resealedKeyring(
  stored: StoredKeyring,
  before: { readonly masterKey: Uint8Array; readonly sealer: Sealer },
  sealer: Sealer,
): StoredKeyring {
  new Keyring(stored, before.masterKey, before.sealer); // all of it can be opened
  const resealed = (text: string, bound: string): string => {
    const plain = before.sealer.open(Buffer.from(text, "base64"), bound) as Buffer;
    return sealer.seal(plain, bound).toString("base64");
  };
  const { sealedRoots = [] } = stored;
  return {
    ...stored,
    keys: stored.keys.map((key) => ({
      ...key,
      sealedMaterial: key.sealedMaterial.map((text, i) => resealed(text, `${key.id}/${i + 1}`)),
    })),
    sealedRoots: [
      ...sealedRoots.map((text, i) => resealed(text, rootName(i))),
      sealer.seal(before.masterKey, rootName(sealedRoots.length)).toString("base64"),
    ],
  };
}
