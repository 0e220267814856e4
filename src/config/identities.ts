// Users, keys and roles that are declared, in the file or by the environment, with everything filled in: secrets and policies
// are read from where the file says they are.
import { dirname, resolve } from "node:path";
import type { IdentityWishes, KeyWish, PolicyWish } from "./identity-wishes.ts";
import { isUnreadable, readBounded } from "./read-bounded.ts";

interface Declared {
  readonly account: string;
  readonly name: string;
  readonly path: string;
  readonly policies: Readonly<Record<string, unknown>>;
  readonly sessionsValidFromMs: number;
  readonly place: string;
}

export interface DeclaredIdentities {
  readonly users: readonly (Declared & {
    readonly keys: readonly { readonly id: string; readonly secret: string }[];
  })[];
  readonly roles: readonly (Declared & { readonly trustPolicy: unknown; readonly maxSessionSeconds: number })[];
  /** Whose change may change them: the configuration file and those it names. */
  readonly files: readonly string[];
}

const ROOT_KEY = "WASQ_ROOT_ACCESS_KEY_ID";
const ROOT_SECRET = "WASQ_ROOT_SECRET_ACCESS_KEY";
const KEY_ID = /^[A-Za-z0-9_]{4,128}$/;
const SECRET_LENGTH_MIN = 16;
const SECRET_LENGTH_MAX = 256;

/**
 * @param file the configuration file, beside which others are looked for; undefined: there is none
 * @param account of those that name none
 */
export function declareIdentities(
  wishes: IdentityWishes,
  file: string | undefined,
  account: string,
  env: NodeJS.ProcessEnv,
  mistakes: string[],
): DeclaredIdentities {
  const files = new Set<string>(file === undefined ? [] : [resolve(file)]);
  const read = (name: string, place: string): string => {
    const path = resolve(dirname(file ?? "."), name);
    files.add(path);
    try {
      return readBounded(path);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      mistakes.push(`${place}: cannot read ${path}: ${error.message}`);
      return "";
    }
  };
  const policyOf = (wish: PolicyWish): unknown => {
    if ("value" in wish) return wish.value;
    const countBefore = mistakes.length;
    const text = read(wish.file, wish.place);
    try {
      return mistakes.length > countBefore ? undefined : JSON.parse(text);
    } catch {
      mistakes.push(`${wish.place}: ${wish.file} is no JSON`);
      return undefined;
    }
  };
  const policiesOf = (policies: ReadonlyMap<string, PolicyWish>) =>
    Object.fromEntries([...policies].map(([name, wish]) => [name, policyOf(wish)]));
  const keyOf = ({ id, secretFile, secretVariable, place }: KeyWish) => {
    const countBefore = mistakes.length;
    const secret =
      secretFile === undefined ? (env[secretVariable ?? ""] ?? "") : read(secretFile, place).replace(/\r?\n$/, "");
    if (mistakes.length === countBefore) {
      checkKey(id, secret, place, secretVariable ?? secretFile ?? "", mistakes);
    }
    return { id, secret };
  };
  const filled = <Wish extends IdentityWishes["users"][number] | IdentityWishes["roles"][number]>(wish: Wish) => ({
    ...wish,
    account: wish.account ?? account,
    policies: policiesOf(wish.policies),
  });
  const users = wishes.users.map((wish) => ({ ...filled(wish), keys: wish.keys.map(keyOf) }));
  const roles = wishes.roles.map((wish) => ({ ...filled(wish), trustPolicy: policyOf(wish.trustPolicy) }));
  const root = rootOf(account, env, mistakes);
  return { users: root === undefined ? users : [...users, root], roles, files: [...files] };
}

/** A root key of the environment, for servers that have nothing else yet. */
function rootOf(account: string, env: NodeJS.ProcessEnv, mistakes: string[]) {
  const id = env[ROOT_KEY] ?? "";
  const secret = env[ROOT_SECRET] ?? "";
  if (id === "" && secret === "") return undefined;
  if (id === "" || secret === "") {
    mistakes.push(`${id === "" ? ROOT_SECRET : ROOT_KEY} is nothing without ${id === "" ? ROOT_KEY : ROOT_SECRET}`);
    return undefined;
  }
  checkKey(id, secret, ROOT_KEY, ROOT_SECRET, mistakes);
  const keys = [{ id, secret }];
  return { account, name: "root", path: "/", policies: {}, sessionsValidFromMs: 0, place: ROOT_KEY, keys };
}

/** Whoever has one signed request can try secrets at his leisure: a short one is none. */
function checkKey(id: string, secret: string, place: string, secretPlace: string, mistakes: string[]): void {
  if (!KEY_ID.test(id)) mistakes.push(`${place}: an access key ID has 4 to 128 letters, digits and underscores`);
  if (secret.length >= SECRET_LENGTH_MIN && secret.length <= SECRET_LENGTH_MAX && /^[!-~]+$/.test(secret)) return;
  const wanted = `a secret has ${SECRET_LENGTH_MIN} to ${SECRET_LENGTH_MAX} printable characters and no space`;
  mistakes.push(`${place}: ${secretPlace} ${secret === "" ? "is empty" : "does not do"}: ${wanted}`);
}
