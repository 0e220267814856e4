// `wasq kms`: keys for queues with KmsMasterKeyId, made and taken back in the data directory. The broker sees a change by itself.
import { randomUUID } from "node:crypto";
import { ALIAS, Keyring, newMaterial, SQS_ALIAS, type StoredKey, type StoredKeyring } from "../keys/keyring.ts";
import { withEditLock } from "../vault/edit-lock.ts";
import { keyringSealer, readKeyring, writeKeyring } from "../vault/keyring-file.ts";
import { obtainMasterKey } from "../vault/master-key.ts";
import { KeysError } from "./identities.ts";

export const KMS_VERBS = ["create", "list", "disable", "enable", "rotate", "delete"] as const;

export const KMS_USAGE = `
  wasq kms create ALIAS    make a key for queues (KmsMasterKeyId) under that alias, as alias/orders; alias/aws/sqs is there
  wasq kms list            keys, their aliases and how often they were rotated
  wasq kms disable KEY     refuse a key by ID or alias, until: wasq kms enable KEY
  wasq kms rotate KEY      wrap with new material from now on; what was sealed before is still opened
  wasq kms delete KEY      forget a disabled key: WHAT IT SEALED CAN NEVER BE READ AGAIN

  --account DIGITS         the key's account                          (000000000000)
  --data-dir PATH, --master-key-file PATH                             as above
`;

export interface KmsCommand {
  readonly noun: "kms";
  readonly verb: (typeof KMS_VERBS)[number];
  readonly subject: string; // an alias or a key's ID; "" for list
  readonly account: string;
  readonly dataDirectory: string;
  readonly masterKeyFile: string | undefined;
}

/** @returns what to print. @throws KeysError, KeyringError, MasterKeyError */
export function runKms(command: KmsCommand, env: NodeJS.ProcessEnv, nowMs: number): string {
  const { dataDirectory, verb, subject, account } = command;
  if (verb === "list") return list(readKeyring(dataDirectory));
  if (!/^\d{12}$/.test(account)) throw new KeysError(`--account is "${account}": 12 digits are needed`);
  return withEditLock(dataDirectory, () => {
    const stored = readKeyring(dataDirectory);
    const masterKey = obtainMasterKey(dataDirectory, env);
    const sealer = keyringSealer(masterKey);
    const check = (keyring: StoredKeyring): void => {
      new Keyring(keyring, masterKey, sealer);
    };
    check(stored);
    if (verb === "create") {
      const key = created(stored, subject, account, nowMs);
      const changed = {
        ...stored,
        keys: [...stored.keys, { ...key, sealedMaterial: [newMaterial(sealer, key.id, 1)] }],
      };
      check(changed);
      writeKeyring(dataDirectory, changed);
      return `${key.id}\n`;
    }
    const key = found(stored, subject, account);
    const replaced = (by: readonly StoredKey[]) => ({
      ...stored,
      keys: stored.keys.flatMap((each) => (each === key ? by : [each])),
    });
    const [changed, text] = ((): [StoredKeyring, string] => {
      if (verb === "rotate") {
        const material = newMaterial(sealer, key.id, key.sealedMaterial.length + 1);
        return [replaced([{ ...key, sealedMaterial: [...key.sealedMaterial, material] }]), "has new material"];
      }
      if (verb !== "delete") return [replaced([{ ...key, active: verb === "enable" }]), `is ${verb}d`];
      if (key.active) throw new KeysError(`The key ${key.id} is enabled: disable it first, and see what needs it`);
      return [replaced([]), "is deleted"];
    })();
    check(changed);
    writeKeyring(dataDirectory, changed);
    return `${key.id} ${text}\n`;
  });
}

function created({ keys }: StoredKeyring, alias: string, account: string, nowMs: number): StoredKey {
  if (!ALIAS.test(alias) || alias.startsWith("alias/aws/")) {
    throw new KeysError(
      `"${alias}" is no alias for a key: one as alias/orders is needed; ${SQS_ALIAS} is there by itself`,
    );
  }
  if (keys.some((key) => key.account === account && key.aliases.includes(alias))) {
    throw new KeysError(`There is a key ${alias} in account ${account} already`);
  }
  return { id: randomUUID(), account, aliases: [alias], active: true, createdMs: nowMs, sealedMaterial: [] };
}

function found({ keys }: StoredKeyring, name: string, account: string): StoredKey {
  const key = keys.find((each) => each.id === name || (each.account === account && each.aliases.includes(name)));
  if (key === undefined)
    throw new KeysError(`There is no key "${name}" in account ${account}: wasq kms list shows those there are`);
  return key;
}

function list({ keys }: StoredKeyring): string {
  const rows = keys.map(({ account, id, aliases, active, sealedMaterial, createdMs }) =>
    [
      account,
      id,
      aliases.join(","),
      active ? "active" : "disabled",
      `rotated ${sealedMaterial.length - 1} times`,
      new Date(createdMs).toISOString(),
    ].join("  "),
  );
  return rows.length === 0 ? `There are no keys but ${SQS_ALIAS}\n` : `${rows.join("\n")}\n`;
}
