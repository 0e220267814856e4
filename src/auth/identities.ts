// The accounts' users, their access keys and policies, and the roles one may assume: a document that is read whole.
//
//   {"version": 1,
//    "users": [{"account": "123456789012", "name": "alice", "path": "/", "id": "AIDA…", "policies": {"send": {…}},
//               "keys": [{"id": "AKIA…", "sealedSecret": "…", "active": true, "createdMs": 0}],
//               "sessionsValidFromMs": 0}],
//    "roles": [{"account": "…", "name": "worker", "path": "/", "id": "AROA…", "trustPolicy": {…}, "policies": {…},
//               "maxSessionSeconds": 3600, "sessionsValidFromMs": 0}]}
//
// A path that is left out is "/", and no sessions of a user are over where it does not say since when they count. The user
// "root" is its account's root: whatever its account owns, it may.
//
// Users and roles may be declared outside of the document as well. Of one that is in both the keys of both are good and
// sessions count from the later instant; path, policies and the rest are those of the declaration.
import { createHash } from "node:crypto";
import { IdentitiesError, listOf, numberOf, objectOf, type Source, textOf } from "./members.ts";
import { type Policy, PolicyError, type PolicyKind, readPolicy } from "./policy/document.ts";
import { type Principal, roleArn, rootOf, userOf } from "./principal.ts";
import type { Sealer } from "./sealing.ts";
import { uniqueId } from "./session-token.ts";

export const IDENTITIES_VERSION = 1;
export const ROOT_NAME = "root";
export const SESSION_SECONDS_MIN = 900;
export const SESSION_SECONDS_MAX = 43_200;
export const SESSION_SECONDS = 3_600; // of a role for which nobody has said more
const ENTRY_COUNT_MAX = 10_000;
const KEY_COUNT_MAX = 10;
const POLICY_COUNT_MAX = 10;
const MS_MAX = 2 ** 53 - 1;

export { IdentitiesError };

/** As it stands in the file; what is not here is refused, not passed over. */
export interface StoredIdentities {
  readonly version: typeof IDENTITIES_VERSION;
  readonly users: readonly StoredUser[];
  readonly roles: readonly StoredRole[];
}
export interface StoredUser {
  readonly account: string;
  readonly name: string;
  readonly path?: string;
  readonly id: string;
  readonly policies: Readonly<Record<string, unknown>>;
  readonly keys: readonly StoredKey[];
  /** Sessions issued before it to whoever holds one of the keys are over. */
  readonly sessionsValidFromMs?: number;
}
export interface StoredKey {
  readonly id: string;
  readonly sealedSecret: string; // base64, by Sealer, bound to the key's ID
  readonly active: boolean;
  readonly createdMs: number;
}
export interface StoredRole {
  readonly account: string;
  readonly name: string;
  readonly path?: string;
  readonly id: string;
  readonly trustPolicy: unknown;
  readonly policies: Readonly<Record<string, unknown>>;
  readonly maxSessionSeconds: number;
  /** Sessions issued before it are over. */
  readonly sessionsValidFromMs: number;
}

/** Users and roles that are no part of the document. */
export interface DeclaredIdentities {
  readonly users: readonly DeclaredUser[];
  readonly roles: readonly DeclaredRole[];
}
interface Declared {
  readonly account: string;
  readonly name: string;
  readonly path: string;
  readonly policies: Readonly<Record<string, unknown>>;
  readonly sessionsValidFromMs: number;
  /** Where it is declared: errors begin with it. */
  readonly place: string;
}
export interface DeclaredUser extends Declared {
  readonly keys: readonly { readonly id: string; readonly secret: string }[];
}
export interface DeclaredRole extends Declared {
  readonly trustPolicy: unknown;
  readonly maxSessionSeconds: number;
}

export const NOBODY_DECLARED: DeclaredIdentities = { users: [], roles: [] };

export interface AccessKey {
  readonly id: string;
  readonly secret: string;
  readonly active: boolean;
  readonly principal: Principal;
  readonly sessionsValidFromMs: number;
}

export interface Role {
  readonly account: string;
  readonly name: string;
  readonly path: string;
  readonly id: string;
  readonly arn: string;
  readonly trustPolicy: Policy;
  readonly policies: readonly Policy[];
  readonly maxSessionSeconds: number;
  readonly sessionsValidFromMs: number;
}

export class Identities {
  readonly #keys = new Map<string, AccessKey>();
  readonly #users = new Set<string>(); // account/name
  readonly #roles = new Map<string, Role>(); // by ARN
  readonly #roleNames = new Set<string>(); // account/name: two of one name differ in more than their paths
  /** Users and roles of the document whose policies are not those that count, for whoever wonders. */
  readonly overruled: readonly string[];

  /** @throws IdentitiesError */
  constructor(stored: unknown, secrets: Sealer, declared: DeclaredIdentities = NOBODY_DECLARED) {
    const users = byName(declared.users, "user");
    const roles = byName(declared.roles, "role");
    const overruled: string[] = [];
    const document = objectOf(stored, "The document", ["version", "users", "roles"]);
    if (document["version"] !== IDENTITIES_VERSION) {
      throw new IdentitiesError(
        `version is ${JSON.stringify(document["version"])}, and only ${IDENTITIES_VERSION} is known`,
      );
    }
    listOf(document["users"], "users", ENTRY_COUNT_MAX).forEach((value, i) => {
      const user = objectOf(value, `users[${i}]`, USER_MEMBERS);
      const name = `${user["account"]}/${user["name"]}`;
      this.#addUser(user, `users[${i}]`, secrets, users.get(name));
      if (users.delete(name)) overruled.push(`user ${name}`);
    });
    listOf(document["roles"], "roles", ENTRY_COUNT_MAX).forEach((value, i) => {
      const role = objectOf(value, `roles[${i}]`, ROLE_MEMBERS);
      const name = `${role["account"]}/${role["name"]}`;
      this.#addRole(role, `roles[${i}]`, roles.get(name));
      if (roles.delete(name)) overruled.push(`role ${name}`);
    });
    for (const user of users.values()) this.#declareUser(user, declaredId("AIDA", user), 0);
    for (const role of roles.values()) this.#declareRole(role, declaredId("AROA", role), 0);
    this.overruled = overruled;
  }

  get keyCount(): number {
    return this.#keys.size;
  }

  key(id: string): AccessKey | undefined {
    return this.#keys.get(id);
  }

  role(arn: string): Role | undefined {
    return this.#roles.get(arn);
  }

  #addUser(user: Source, what: string, secrets: Sealer, declared: DeclaredUser | undefined): void {
    const id = textOf(user["id"], `${what}.id`, UNIQUE_ID);
    const policies = policiesOf(user["policies"], `${what}.policies`);
    const account = textOf(user["account"], `${what}.account`, ACCOUNT);
    const name = textOf(user["name"], `${what}.name`, NAME);
    const path = textOf(user["path"] ?? "/", `${what}.path`, PATH);
    const storedFrom = numberOf(user["sessionsValidFromMs"] ?? 0, `${what}.sessionsValidFromMs`, 0, MS_MAX);
    const { principal, from } =
      declared === undefined
        ? { principal: this.#user({ account, name, path, id, policies }, what), from: storedFrom }
        : this.#declareUser(declared, id, storedFrom);
    listOf(user["keys"], `${what}.keys`, KEY_COUNT_MAX).forEach((key, i) => {
      this.#addStoredKey(key, `${what}.keys[${i}]`, principal, from, secrets);
    });
  }

  /** @param storedFromMs from when sessions count as far as the document says */
  #declareUser(user: DeclaredUser, id: string, storedFromMs: number): { principal: Principal; from: number } {
    const { place, account, name, path, policies, keys } = user;
    const principal = this.#user(
      {
        account: textOf(account, `${place}: account`, ACCOUNT),
        name: textOf(name, `${place}: the name "${name}"`, NAME),
        path: textOf(path, `${place}: path`, PATH),
        id,
        policies: policiesOf(policies, `${place}: policies`),
      },
      place,
    );
    const from = Math.max(storedFromMs, user.sessionsValidFromMs);
    for (const key of listOf(keys, `${place}: keys`, KEY_COUNT_MAX) as DeclaredUser["keys"]) {
      this.#addKey({ ...key, active: true, principal, sessionsValidFromMs: from }, place);
    }
    return { principal, from };
  }

  #user(parts: Parameters<typeof userOf>[0], what: string): Principal {
    const { account, name } = parts;
    if (this.#users.has(`${account}/${name}`)) {
      throw new IdentitiesError(`${what}: there are two users "${name}" in account ${account}`);
    }
    this.#users.add(`${account}/${name}`);
    return name === ROOT_NAME ? rootOf(account) : userOf(parts);
  }

  #addStoredKey(value: unknown, what: string, principal: Principal, from: number, secrets: Sealer): void {
    const key = objectOf(value, what, ["id", "sealedSecret", "active", "createdMs"]);
    const id = textOf(key["id"], `${what}.id`, UNIQUE_ID);
    const sealed = textOf(key["sealedSecret"], `${what}.sealedSecret`, BASE64);
    const secret = secrets.open(Buffer.from(sealed, "base64"), id)?.toString();
    if (secret === undefined) {
      throw new IdentitiesError(
        `${what}.sealedSecret cannot be opened: it was sealed under another master key, or changed`,
      );
    }
    const active = key["active"];
    if (typeof active !== "boolean") throw new IdentitiesError(`${what}.active must be true or false`);
    this.#addKey({ id, secret, active, principal, sessionsValidFromMs: from }, what);
  }

  #addKey(key: AccessKey, what: string): void {
    if (this.#keys.has(key.id)) throw new IdentitiesError(`${what}: there are two keys "${key.id}"`);
    this.#keys.set(key.id, key);
  }

  #addRole(role: Source, what: string, declared: DeclaredRole | undefined): void {
    const id = textOf(role["id"], `${what}.id`, UNIQUE_ID);
    const from = numberOf(role["sessionsValidFromMs"], `${what}.sessionsValidFromMs`, 0, MS_MAX);
    const parts = {
      account: textOf(role["account"], `${what}.account`, ACCOUNT),
      name: textOf(role["name"], `${what}.name`, NAME),
      path: textOf(role["path"] ?? "/", `${what}.path`, PATH),
      id,
      trustPolicy: policyOf(role["trustPolicy"], `${what}.trustPolicy`, "trust"),
      policies: policiesOf(role["policies"], `${what}.policies`),
      maxSessionSeconds: sessionSecondsOf(role["maxSessionSeconds"], `${what}.maxSessionSeconds`),
      sessionsValidFromMs: from,
    };
    if (declared === undefined) this.#role(parts, what);
    else this.#declareRole(declared, id, from);
  }

  #declareRole(role: DeclaredRole, id: string, storedFromMs: number): void {
    const { place } = role;
    this.#role(
      {
        account: textOf(role.account, `${place}: account`, ACCOUNT),
        name: textOf(role.name, `${place}: the name "${role.name}"`, NAME),
        path: textOf(role.path, `${place}: path`, PATH),
        id,
        trustPolicy: policyOf(role.trustPolicy, `${place}: trustPolicy`, "trust"),
        policies: policiesOf(role.policies, `${place}: policies`),
        maxSessionSeconds: sessionSecondsOf(role.maxSessionSeconds, `${place}: maxSessionSeconds`),
        sessionsValidFromMs: Math.max(storedFromMs, role.sessionsValidFromMs),
      },
      place,
    );
  }

  #role(parts: Omit<Role, "arn">, what: string): void {
    const { account, path, name } = parts;
    if (this.#roleNames.has(`${account}/${name}`)) {
      throw new IdentitiesError(`${what}: there are two roles "${name}" in account ${account}`);
    }
    this.#roleNames.add(`${account}/${name}`);
    const arn = roleArn(account, path, name);
    this.#roles.set(arn, { ...parts, arn });
  }
}

const USER_MEMBERS = ["account", "name", "path", "id", "policies", "keys", "sessionsValidFromMs"];
const ROLE_MEMBERS = [
  ...["account", "name", "path", "id", "trustPolicy", "policies", "maxSessionSeconds", "sessionsValidFromMs"],
];

export const ACCOUNT = /^\d{12}$/;
export const NAME = /^[A-Za-z0-9_+=,.@-]{1,64}$/;
export const PATH = /^\/(?:[!-.0-~]{1,128}\/){0,4}$/;
const UNIQUE_ID = /^[A-Z0-9]{16,128}$/;
const BASE64 = /^[A-Za-z0-9+/]{1,4096}={0,2}$/;

function byName<Entry extends Declared>(entries: readonly Entry[], kind: string): Map<string, Entry> {
  const named = new Map<string, Entry>();
  for (const entry of entries) {
    const name = `${entry.account}/${entry.name}`;
    const other = named.get(name);
    if (other !== undefined) {
      throw new IdentitiesError(`${entry.place}: the ${kind} ${name} is declared already, at ${other.place}`);
    }
    named.set(name, entry);
  }
  return named;
}

/** Of what is declared: the same after every start. */
function declaredId(prefix: "AIDA" | "AROA", { account, name }: Declared): string {
  return uniqueId(prefix, createHash("sha256").update(`${prefix} ${account}/${name}`).digest());
}

function sessionSecondsOf(value: unknown, what: string): number {
  return numberOf(value, what, SESSION_SECONDS_MIN, SESSION_SECONDS_MAX);
}

function policiesOf(value: unknown, what: string): readonly Policy[] {
  const byName = Object.entries(objectOf(value, what, undefined));
  if (byName.length > POLICY_COUNT_MAX) throw new IdentitiesError(`${what} has more than ${POLICY_COUNT_MAX} policies`);
  return byName.map(([name, policy]) => policyOf(policy, `${what}.${name}`, "identity"));
}

function policyOf(value: unknown, what: string, kind: PolicyKind): Policy {
  try {
    return readPolicy(value, kind);
  } catch (error) {
    if (error instanceof PolicyError) throw new IdentitiesError(`${what}: ${error.message}`);
    throw error;
  }
}
