// `wasq keys`: access keys of users, made and taken back in the data directory. The broker sees a change by itself.
import { readFileSync } from "node:fs";
import { ACCOUNT, Identities, NAME, ROOT_NAME, type StoredIdentities, type StoredUser } from "../auth/identities.ts";
import { newSecret, newUniqueId } from "../auth/session-token.ts";
import { readStored, secretsSealer, writeStored } from "../vault/identities-file.ts";
import { obtainMasterKey } from "../vault/master-key.ts";

export const KEYS_USAGE = `
  wasq keys create USER    make an access key, and the user if there is none; USER root may do everything in its account
  wasq keys list           users and their keys, without secrets
  wasq keys disable ID     refuse a key, until: wasq keys enable ID
  wasq keys rotate ID      make another key for the same user; the old one goes on until it is disabled or deleted
  wasq keys delete ID      forget a key

  --account DIGITS         the user's account                          (000000000000)
  --policy PATH            create: an IAM policy in JSON that says what the user may do
  --data-dir PATH          the broker's                                (WASQ_DATA_DIR, ~/.local/share/wasq)
`;

export interface KeysCommand {
  readonly verb: "create" | "list" | "disable" | "enable" | "rotate" | "delete";
  readonly subject: string; // a user, or a key's ID; "" for list
  readonly account: string;
  readonly policyPath: string | undefined;
  readonly dataDirectory: string;
}

/** What was asked for cannot be done; the text says why. */
export class KeysError extends Error {
  override name = "KeysError";
}

const POLICY_BYTES_MAX = 128 * 1024;

/** @returns what to print. @throws KeysError, IdentitiesError, MasterKeyError */
export function runKeys(command: KeysCommand, env: NodeJS.ProcessEnv, nowMs: number): string {
  const { verb, subject, dataDirectory } = command;
  const stored = readStored(dataDirectory);
  if (verb === "list") return list(stored);
  const secrets = secretsSealer(obtainMasterKey(dataDirectory, env));
  new Identities(stored, secrets); // what is there must be right before anything is added to it
  const id = newUniqueId("AKIA");
  const secret = newSecret();
  const key = {
    id,
    sealedSecret: secrets.seal(Buffer.from(secret), id).toString("base64"),
    active: true,
    createdMs: nowMs,
  };
  const write = (users: readonly StoredUser[]): void => {
    const next = { ...stored, users };
    new Identities(next, secrets);
    writeStored(dataDirectory, next);
  };
  if (verb === "create") {
    const { account, policyPath } = command;
    if (!ACCOUNT.test(account)) throw new KeysError(`--account is "${account}": 12 digits are needed`);
    if (!NAME.test(subject)) throw new KeysError(`"${subject}" is no name for a user: letters, digits and _+=,.@- are`);
    const policies = policyPath === undefined ? undefined : { policy: readPolicyFile(policyPath) };
    const known = stored.users.find((user) => user.account === account && user.name === subject);
    if (known === undefined && policies === undefined && subject !== ROOT_NAME) {
      throw new KeysError(`The user "${subject}" would be new and may do nothing: --policy PATH says what he may`);
    }
    const user = known ?? { account, name: subject, id: newUniqueId("AIDA"), policies: {}, keys: [] };
    const changed = { ...user, policies: { ...user.policies, ...policies }, keys: [...user.keys, key] };
    write([...stored.users.filter((each) => each !== known), changed]);
    return created(id, secret);
  }
  const owner = stored.users.find(({ keys }) => keys.some((each) => each.id === subject));
  if (owner === undefined) throw new KeysError(`There is no key "${subject}": wasq keys list shows those there are`);
  const replace = (keys: StoredUser["keys"]): void =>
    write(stored.users.map((user) => (user === owner ? { ...user, keys } : user)));
  if (verb === "rotate") {
    replace([...owner.keys, key]);
    return created(id, secret);
  }
  if (verb === "delete") {
    replace(owner.keys.filter((each) => each.id !== subject));
    return `${subject} is deleted\n`;
  }
  const active = verb === "enable";
  replace(owner.keys.map((each) => (each.id === subject ? { ...each, active } : each)));
  return `${subject} is ${active ? "enabled" : "disabled"}\n`;
}

function created(id: string, secret: string): string {
  return `AWS_ACCESS_KEY_ID=${id}\nAWS_SECRET_ACCESS_KEY=${secret}\n`;
}

function list({ users }: StoredIdentities): string {
  const rows = users.flatMap(({ account, name, keys }) =>
    keys.map(({ id, active, createdMs }) =>
      [account, name, id, active ? "active" : "disabled", new Date(createdMs).toISOString()].join("  "),
    ),
  );
  return rows.length === 0 ? "There are no keys\n" : `${rows.join("\n")}\n`;
}

function readPolicyFile(path: string): unknown {
  const text = readFileSync(path, "utf8");
  if (Buffer.byteLength(text) > POLICY_BYTES_MAX)
    throw new KeysError(`${path} has more than ${POLICY_BYTES_MAX} bytes`);
  try {
    return JSON.parse(text);
  } catch {
    throw new KeysError(`${path} is no JSON`);
  }
}
