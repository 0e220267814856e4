// `wasq keys`: access keys of users, made and taken back in the data directory. The broker sees a change by itself.
import {
  ACCOUNT,
  NAME,
  ROOT_NAME,
  type StoredIdentities,
  type StoredKey,
  type StoredUser,
} from "../auth/identities.ts";
import { newKey } from "../auth/new-key.ts";
import { newUniqueId } from "../auth/session-token.ts";
import { readStored } from "../vault/identities-file.ts";
import { editIdentities, KeysError, readPolicyFile } from "./identities.ts";

export const KEYS_VERBS = ["create", "list", "disable", "enable", "rotate", "delete", "revoke-sessions"] as const;

export const KEYS_USAGE = `
  wasq keys create USER    make an access key, and the user if there is none; USER root may do everything in its account
  wasq keys list           users and their keys, without secrets
  wasq keys disable ID     refuse a key, until: wasq keys enable ID
  wasq keys rotate ID      make another key for the same user; the old one goes on until it is disabled or deleted
  wasq keys delete ID      forget a key
  wasq keys revoke-sessions USER    end every session that the user's keys have been used for so far

  --account DIGITS         the user's account                          (000000000000)
  --policy PATH            create: an IAM policy in JSON that says what the user may do
  --path PATH              create: the user's path, as in /apps/       (/)
  --data-dir PATH          the broker's                                (WASQ_DATA_DIR, ~/.local/share/wasq)
  --master-key-file PATH   the broker's                   (WASQ_MASTER_KEY_FILE, master.key in its data directory)
`;

export interface KeysCommand {
  readonly noun: "keys";
  readonly verb: (typeof KEYS_VERBS)[number];
  readonly subject: string; // a user, or a key's ID; "" for list
  readonly account: string;
  readonly path: string | undefined;
  readonly policyPath: string | undefined;
  readonly dataDirectory: string;
  readonly masterKeyFile: string | undefined;
}

/** @returns what to print. @throws KeysError, IdentitiesError, MasterKeyError */
export function runKeys(command: KeysCommand, env: NodeJS.ProcessEnv, nowMs: number): string {
  const { verb, subject, account, dataDirectory } = command;
  const edit = (text: string, change: (stored: StoredIdentities) => readonly StoredUser[]): string =>
    editIdentities(dataDirectory, env, (stored) => [{ ...stored, users: change(stored) }, text]);
  const addKey = (change: (stored: StoredIdentities, key: StoredKey) => readonly StoredUser[]): string =>
    editIdentities(dataDirectory, env, (stored, secrets) => {
      const { stored: key, secret } = newKey(secrets, nowMs);
      const text = `AWS_ACCESS_KEY_ID=${key.id}\nAWS_SECRET_ACCESS_KEY=${secret}\n`;
      return [{ ...stored, users: change(stored, key) }, text];
    });
  switch (verb) {
    case "list":
      return list(readStored(dataDirectory));
    case "create":
      return addKey((stored, key) => withKey(command, stored, key));
    case "rotate":
      return addKey((stored, key) => ofOwner(stored, subject, (keys) => [...keys, key]));
    case "delete":
      return edit(`${subject} is deleted\n`, (stored) =>
        ofOwner(stored, subject, (keys) => keys.filter((each) => each.id !== subject)),
      );
    case "revoke-sessions":
      return edit(`Sessions of ${subject} that were issued before now are over\n`, ({ users }) => {
        const user = users.find((each) => each.account === account && each.name === subject);
        if (user === undefined) {
          throw new KeysError(
            `There is no user "${subject}" in account ${account}; one of a configuration file has sessionsValidFrom there`,
          );
        }
        return users.map((each) => (each === user ? { ...user, sessionsValidFromMs: nowMs } : each));
      });
    default: {
      const active = verb === "enable";
      return edit(`${subject} is ${active ? "enabled" : "disabled"}\n`, (stored) =>
        ofOwner(stored, subject, (keys) => keys.map((each) => (each.id === subject ? { ...each, active } : each))),
      );
    }
  }
}

function withKey(
  { account, subject, path, policyPath }: KeysCommand,
  { users }: StoredIdentities,
  key: StoredKey,
): readonly StoredUser[] {
  if (!ACCOUNT.test(account)) throw new KeysError(`--account is "${account}": 12 digits are needed`);
  if (!NAME.test(subject)) throw new KeysError(`"${subject}" is no name for a user: letters, digits and _+=,.@- are`);
  const policies = policyPath === undefined ? undefined : { policy: readPolicyFile(policyPath) };
  const known = users.find((user) => user.account === account && user.name === subject);
  if (known === undefined && policies === undefined && subject !== ROOT_NAME) {
    throw new KeysError(`The user "${subject}" would be new and may do nothing: --policy PATH says what he may`);
  }
  if (known !== undefined && path !== undefined && path !== (known.path ?? "/")) {
    throw new KeysError(`The user "${subject}" is there already, with another path`);
  }
  const place = path === undefined ? {} : { path };
  const user = known ?? { account, name: subject, ...place, id: newUniqueId("AIDA"), policies: {}, keys: [] };
  const changed = { ...user, policies: { ...user.policies, ...policies }, keys: [...user.keys, key] };
  return [...users.filter((each) => each !== known), changed];
}

/** The users, with other keys for the one who has the key. */
function ofOwner(
  { users }: StoredIdentities,
  id: string,
  change: (keys: StoredUser["keys"]) => StoredUser["keys"],
): readonly StoredUser[] {
  const owner = users.find(({ keys }) => keys.some((each) => each.id === id));
  if (owner === undefined) throw new KeysError(`There is no key "${id}": wasq keys list shows those there are`);
  return users.map((user) => (user === owner ? { ...user, keys: change(user.keys) } : user));
}

function list({ users }: StoredIdentities): string {
  const rows = users.flatMap(({ account, name, keys }) =>
    keys.map(({ id, active, createdMs }) =>
      [account, name, id, active ? "active" : "disabled", new Date(createdMs).toISOString()].join("  "),
    ),
  );
  return rows.length === 0 ? "There are no keys\n" : `${rows.join("\n")}\n`;
}
