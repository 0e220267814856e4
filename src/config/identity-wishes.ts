// Users, keys and roles as a configuration file wants them. No secret stands in it: only where one is.
import { SETTINGS } from "./settings.ts";
import { asBranch, asText, type List, type Mistakes, readMembers, type Tree, toPlain } from "./tree.ts";

interface Wish {
  readonly name: string;
  readonly account: string | undefined; // undefined: the configured one
  readonly path: string;
  readonly policies: ReadonlyMap<string, PolicyWish>;
  readonly sessionsValidFromMs: number;
  readonly place: string; // file and line
}

export interface UserWish extends Wish {
  readonly keys: readonly KeyWish[];
}

export interface RoleWish extends Wish {
  readonly trustPolicy: PolicyWish;
  readonly maxSessionSeconds: number;
}

/** A policy as it stands, or the file that it is in. */
export type PolicyWish = { readonly value: unknown } | { readonly file: string; readonly place: string };

export interface KeyWish {
  readonly id: string;
  readonly secretFile: string | undefined;
  readonly secretVariable: string | undefined; // one of the two is there
  readonly place: string;
}

export interface IdentityWishes {
  readonly users: readonly UserWish[];
  readonly roles: readonly RoleWish[];
}

export const NO_IDENTITIES: IdentityWishes = { users: [], roles: [] };

const SESSION_SECONDS = 3_600;

export function readUsers(tree: Tree, path: string, mistakes: Mistakes): readonly UserWish[] {
  return named(tree, path, mistakes).map(([name, value, inner]) => {
    let keys: readonly KeyWish[] = [];
    const wish = readWish(name, value, inner, mistakes, {
      keys: (list, at) => {
        keys = itemsOf(list, at, mistakes).flatMap((item, i) => readKey(item, `${at}[${i}]`, mistakes) ?? []);
      },
    });
    return { ...wish, keys };
  });
}

export function readRoles(tree: Tree, path: string, mistakes: Mistakes): readonly RoleWish[] {
  return named(tree, path, mistakes).flatMap(([name, value, inner]) => {
    let trustPolicy: PolicyWish | undefined;
    let maxSessionSeconds = SESSION_SECONDS;
    const wish = readWish(name, value, inner, mistakes, {
      trustPolicy: (policy, at) => {
        trustPolicy = readPolicy(policy, at, mistakes);
      },
      maxSessionSeconds: (number, at) => {
        maxSessionSeconds = numberOf(number, at, mistakes) ?? SESSION_SECONDS;
      },
    });
    if (trustPolicy === undefined) {
      mistakes.add(value.line, `${inner} needs a trustPolicy: who may assume the role`);
      return [];
    }
    return { ...wish, trustPolicy, maxSessionSeconds };
  });
}

function named(tree: Tree, path: string, mistakes: Mistakes): readonly (readonly [string, Tree, string])[] {
  return [...(asBranch(tree, path, mistakes)?.entries ?? [])].map(([name, value]) => [name, value, `${path}.${name}`]);
}

function readWish(
  name: string,
  tree: Tree,
  path: string,
  mistakes: Mistakes,
  more: { readonly [member: string]: (value: Tree, path: string) => void },
): Wish {
  let account: string | undefined;
  let ownPath = "/";
  let sessionsValidFromMs = 0;
  const policies = new Map<string, PolicyWish>();
  readMembers(
    tree,
    path,
    {
      account: (value, inner) => {
        const text = asText(value, inner, mistakes);
        const wrong = text === undefined ? undefined : SETTINGS.account.wrong(text);
        if (wrong === undefined) account = text;
        else mistakes.add(value.line, `${inner} is "${text}": ${wrong}`);
      },
      path: (value, inner) => {
        ownPath = asText(value, inner, mistakes) ?? "/";
      },
      policies: (value, inner) => {
        for (const [policy, one, at] of named(value, inner, mistakes)) {
          const wish = readPolicy(one, at, mistakes);
          if (wish !== undefined) policies.set(policy, wish);
        }
      },
      sessionsValidFrom: (value, inner) => {
        const text = asText(value, inner, mistakes) ?? "";
        const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z$/.test(text) ? Date.parse(text) : Number.NaN;
        if (Number.isNaN(ms)) mistakes.add(value.line, `${inner} is no instant such as 2026-01-31T12:00:00Z`);
        else sessionsValidFromMs = ms;
      },
      ...more,
    },
    mistakes,
  );
  return { name, account, path: ownPath, policies, sessionsValidFromMs, place: mistakes.placeOf(tree.line) };
}

function readKey(tree: Tree, path: string, mistakes: Mistakes): KeyWish | undefined {
  const countBefore = mistakes.lines.length;
  const members = new Map<string, string>();
  const member = (name: string) => (value: Tree, inner: string) => {
    const text = asText(value, inner, mistakes);
    if (text !== undefined) members.set(name, text);
  };
  readMembers(
    tree,
    path,
    {
      id: member("id"),
      secretFile: member("secretFile"),
      secretVariable: member("secretVariable"),
      secret: (value, inner) => {
        mistakes.add(
          value.line,
          `${inner}: a secret does not stand in this file; secretFile or secretVariable says where`,
        );
      },
    },
    mistakes,
  );
  const id = members.get("id");
  const secretFile = members.get("secretFile");
  const secretVariable = members.get("secretVariable");
  if (mistakes.lines.length > countBefore) return undefined;
  if (id === undefined || (secretFile === undefined) === (secretVariable === undefined)) {
    mistakes.add(tree.line, `${path} needs an id, and a secretFile or a secretVariable`);
    return undefined;
  }
  return { id, secretFile, secretVariable, place: `${mistakes.placeOf(tree.line)}: ${path}` };
}

function readPolicy(tree: Tree, path: string, mistakes: Mistakes): PolicyWish | undefined {
  if (tree.kind === "map") return { value: toPlain(tree) };
  const file = asText(tree, path, mistakes);
  return file === undefined ? undefined : { file, place: `${mistakes.placeOf(tree.line)}: ${path}` };
}

function itemsOf(tree: Tree, path: string, mistakes: Mistakes): List["items"] {
  if (tree.kind === "list") return tree.items;
  mistakes.add(tree.line, `${path} must be a list`);
  return [];
}

function numberOf(tree: Tree, path: string, mistakes: Mistakes): number | undefined {
  const text = asText(tree, path, mistakes);
  if (text === undefined || /^\d{1,6}$/.test(text)) return text === undefined ? undefined : Number(text);
  mistakes.add(tree.line, `${path} is "${text}": a number of seconds is needed`);
  return undefined;
}
