// The accounts' users, their access keys and policies, and the roles one may assume: a document that is read whole.
//
//   {"version": 1,
//    "users": [{"account": "123456789012", "name": "alice", "id": "AIDA…", "policies": {"send": {…}},
//               "keys": [{"id": "AKIA…", "sealedSecret": "…", "active": true, "createdMs": 0}]}],
//    "roles": [{"account": "…", "name": "worker", "id": "AROA…", "trustPolicy": {…}, "policies": {…},
//               "maxSessionSeconds": 3600, "sessionsValidFromMs": 0}]}
//
// The user "root" is its account's root: whatever its account owns, it may.
import { type Policy, PolicyError, type PolicyKind, readPolicy } from "./policy/document.ts";
import { type Principal, rootOf, userOf } from "./principal.ts";
import type { Sealer } from "./sealing.ts";

export const IDENTITIES_VERSION = 1;
export const ROOT_NAME = "root";
export const SESSION_SECONDS_MIN = 900;
export const SESSION_SECONDS_MAX = 43_200;
const ENTRY_COUNT_MAX = 10_000;
const KEY_COUNT_MAX = 10;
const POLICY_COUNT_MAX = 10;

/** As it stands in the file; what is not here is refused, not passed over. */
export interface StoredIdentities {
  readonly version: typeof IDENTITIES_VERSION;
  readonly users: readonly StoredUser[];
  readonly roles: readonly StoredRole[];
}
export interface StoredUser {
  readonly account: string;
  readonly name: string;
  readonly id: string;
  readonly policies: Readonly<Record<string, unknown>>;
  readonly keys: readonly StoredKey[];
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
  readonly id: string;
  readonly trustPolicy: unknown;
  readonly policies: Readonly<Record<string, unknown>>;
  readonly maxSessionSeconds: number;
  /** Sessions issued before it are over. */
  readonly sessionsValidFromMs: number;
}

export interface AccessKey {
  readonly id: string;
  readonly secret: string;
  readonly active: boolean;
  readonly principal: Principal;
}

export interface Role {
  readonly account: string;
  readonly name: string;
  readonly id: string;
  readonly arn: string;
  readonly trustPolicy: Policy;
  readonly policies: readonly Policy[];
  readonly maxSessionSeconds: number;
  readonly sessionsValidFromMs: number;
}

/** What is wrong with a document, and where. */
export class IdentitiesError extends Error {
  override name = "IdentitiesError";
}

export class Identities {
  readonly #keys = new Map<string, AccessKey>();
  readonly #roles = new Map<string, Role>(); // by ARN

  /** @throws IdentitiesError */
  constructor(stored: unknown, secrets: Sealer) {
    const document = objectOf(stored, "The document", ["version", "users", "roles"]);
    if (document["version"] !== IDENTITIES_VERSION) {
      throw new IdentitiesError(
        `version is ${JSON.stringify(document["version"])}, and only ${IDENTITIES_VERSION} is known`,
      );
    }
    listOf(document["users"], "users", ENTRY_COUNT_MAX).forEach((user, i) => {
      this.#addUser(user, `users[${i}]`, secrets);
    });
    listOf(document["roles"], "roles", ENTRY_COUNT_MAX).forEach((role, i) => {
      this.#addRole(role, `roles[${i}]`);
    });
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

  #addUser(value: unknown, what: string, secrets: Sealer): void {
    const user = objectOf(value, what, ["account", "name", "id", "policies", "keys"]);
    const account = textOf(user["account"], `${what}.account`, ACCOUNT);
    const name = textOf(user["name"], `${what}.name`, NAME);
    const id = textOf(user["id"], `${what}.id`, UNIQUE_ID);
    const policies = policiesOf(user["policies"], `${what}.policies`);
    const principal = name === ROOT_NAME ? rootOf(account) : userOf({ account, name, id, policies });
    listOf(user["keys"], `${what}.keys`, KEY_COUNT_MAX).forEach((key, i) => {
      this.#addKey(key, `${what}.keys[${i}]`, principal, secrets);
    });
  }

  #addKey(value: unknown, what: string, principal: Principal, secrets: Sealer): void {
    const key = objectOf(value, what, ["id", "sealedSecret", "active", "createdMs"]);
    const id = textOf(key["id"], `${what}.id`, UNIQUE_ID);
    if (this.#keys.has(id)) throw new IdentitiesError(`${what}.id: there are two keys "${id}"`);
    const sealed = textOf(key["sealedSecret"], `${what}.sealedSecret`, BASE64);
    const secret = secrets.open(Buffer.from(sealed, "base64"), id);
    if (secret === undefined) {
      throw new IdentitiesError(
        `${what}.sealedSecret cannot be opened: it was sealed under another master key, or changed`,
      );
    }
    const active = key["active"];
    if (typeof active !== "boolean") throw new IdentitiesError(`${what}.active must be true or false`);
    this.#keys.set(id, { id, secret: secret.toString(), active, principal });
  }

  #addRole(value: unknown, what: string): void {
    const members = ["account", "name", "id", "trustPolicy", "policies", "maxSessionSeconds", "sessionsValidFromMs"];
    const role = objectOf(value, what, members);
    const account = textOf(role["account"], `${what}.account`, ACCOUNT);
    const name = textOf(role["name"], `${what}.name`, NAME);
    const arn = `arn:aws:iam::${account}:role/${name}`;
    if (this.#roles.has(arn)) throw new IdentitiesError(`${what}: there are two roles ${arn}`);
    this.#roles.set(arn, {
      account,
      name,
      id: textOf(role["id"], `${what}.id`, UNIQUE_ID),
      arn,
      trustPolicy: policyOf(role["trustPolicy"], `${what}.trustPolicy`, "trust"),
      policies: policiesOf(role["policies"], `${what}.policies`),
      maxSessionSeconds: numberOf(
        role["maxSessionSeconds"],
        `${what}.maxSessionSeconds`,
        SESSION_SECONDS_MIN,
        SESSION_SECONDS_MAX,
      ),
      sessionsValidFromMs: numberOf(role["sessionsValidFromMs"], `${what}.sessionsValidFromMs`, 0, 2 ** 53 - 1),
    });
  }
}

export const ACCOUNT = /^\d{12}$/;
export const NAME = /^[A-Za-z0-9_+=,.@-]{1,64}$/;
const UNIQUE_ID = /^[A-Z0-9]{16,128}$/;
const BASE64 = /^[A-Za-z0-9+/]{1,4096}={0,2}$/;

type Source = { readonly [name: string]: unknown };

function objectOf(value: unknown, what: string, members: readonly string[] | undefined): Source {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new IdentitiesError(`${what} must be an object`);
  }
  const unknown = members && Object.keys(value).find((name) => !members.includes(name));
  if (unknown !== undefined) throw new IdentitiesError(`${what} has the unknown member "${unknown}"`);
  return value as Source; // checked above
}

function listOf(value: unknown, what: string, countMax: number): readonly unknown[] {
  if (!Array.isArray(value)) throw new IdentitiesError(`${what} must be a list`);
  if (value.length > countMax)
    throw new IdentitiesError(`${what} has ${value.length} entries, at most ${countMax} are allowed`);
  return value;
}

function textOf(value: unknown, what: string, pattern: RegExp): string {
  if (typeof value === "string" && pattern.test(value)) return value;
  throw new IdentitiesError(`${what} must match ${pattern.source}`);
}

function numberOf(value: unknown, what: string, min: number, max: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
  throw new IdentitiesError(`${what} must be a whole number from ${min} to ${max}`);
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
