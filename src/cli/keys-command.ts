// What `wasq keys`, `wasq users` and `wasq roles` are told: words and flags into one command.
import { parseArgs } from "node:util";
import { UsageError } from "./command.ts";
import { KEYS_USAGE, KEYS_VERBS, type KeysCommand, runKeys } from "./keys.ts";
import { KMS_USAGE, KMS_VERBS, type KmsCommand, runKms } from "./kms.ts";
import { ROLES_USAGE, ROLES_VERBS, type RolesCommand, runRoles, USERS_VERBS } from "./roles.ts";

export type IdentitiesCommand = KeysCommand | RolesCommand | KmsCommand;

const NOUNS = {
  keys: { verbs: KEYS_VERBS, usage: KEYS_USAGE },
  users: { verbs: USERS_VERBS, usage: ROLES_USAGE },
  roles: { verbs: ROLES_VERBS, usage: ROLES_USAGE },
  kms: { verbs: KMS_VERBS, usage: KMS_USAGE },
} as const;

/** Flags that not every verb takes. */
const FLAGS: Readonly<Record<string, readonly string[]>> = {
  account: ["keys create", "keys revoke-sessions", ...rolesWords(["list"]), ...KMS_VERBS.map((verb) => `kms ${verb}`)],
  policy: ["keys create", "roles create", "users attach", "roles attach"],
  path: ["keys create", "roles create"],
  "policy-name": ["roles create", "users attach", "roles attach", "users detach", "roles detach"],
  trust: ["roles create", "roles trust"],
  "max-session": ["roles create"],
};

function rolesWords(without: readonly string[]): readonly string[] {
  const words = [...USERS_VERBS.map((verb) => ["users", verb]), ...ROLES_VERBS.map((verb) => ["roles", verb])];
  return words.filter(([, verb]) => !without.includes(verb ?? "")).map((pair) => pair.join(" "));
}

/** undefined: the words are for other commands. @throws UsageError */
export function readKeysCommand(
  args: readonly string[],
  otherwise: { dataDirectory: string },
): IdentitiesCommand | undefined {
  const noun = (["keys", "users", "roles", "kms"] as const).find((each) => each === args[0]);
  if (noun === undefined || args.includes("--help")) return undefined;
  const { values, positionals } = parsed(args.slice(1));
  const [verb = "", subject = "", ...more] = positionals;
  const { verbs, usage } = NOUNS[noun];
  const known = (verbs as readonly string[]).find((each) => each === verb);
  if (known === undefined) throw new UsageError(`What of the ${noun}? One of ${verbs.join(", ")}:\n${usage}`);
  const words = `${noun} ${known}`;
  if ((known === "list") === (subject !== "") || more.length > 0) {
    throw new UsageError(known === "list" ? `wasq ${words} takes no more words` : `wasq ${words}: of which one?`);
  }
  for (const [flag, takers] of Object.entries(FLAGS)) {
    if (values[flag] === undefined || takers.includes(words)) continue;
    throw new UsageError(`wasq ${words} does not take --${flag}: it is for ${takers.join(", ")}`);
  }
  const shared = {
    subject,
    account: values["account"] ?? "000000000000",
    path: values["path"],
    policyPath: values["policy"],
    dataDirectory: values["data-dir"] ?? otherwise.dataDirectory,
    masterKeyFile: values["master-key-file"],
  };
  if (noun === "kms") {
    const { policyPath: _, path: __, ...rest } = shared;
    return { noun, verb: known as KmsCommand["verb"], ...rest };
  }
  if (noun === "keys") return { noun, verb: known as KeysCommand["verb"], ...shared };
  return {
    noun,
    verb: known as RolesCommand["verb"],
    ...shared,
    policyName: values["policy-name"] ?? "policy",
    trustPath: values["trust"],
    maxSessionSeconds: secondsOf(values["max-session"]),
  };
}

/** @returns what to print */
export function runIdentities(command: IdentitiesCommand, env: NodeJS.ProcessEnv, nowMs: number): string {
  const { masterKeyFile } = command;
  const told = masterKeyFile === undefined ? env : { ...env, WASQ_MASTER_KEY_FILE: masterKeyFile };
  if (command.noun === "kms") return runKms(command, told, nowMs);
  return command.noun === "keys" ? runKeys(command, told, nowMs) : runRoles(command, told, nowMs);
}

function parsed(args: readonly string[]): {
  values: { readonly [flag: string]: string | undefined };
  positionals: readonly string[];
} {
  const options = Object.fromEntries(
    [...Object.keys(FLAGS), "data-dir", "master-key-file"].map((flag) => [flag, { type: "string" }]),
  );
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: options as Record<string, { type: "string" }>,
      allowPositionals: true,
    });
    return { values: values as { [flag: string]: string | undefined }, positionals };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function secondsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,6}$/.test(text)) throw new UsageError(`--max-session is "${text}": seconds are needed, 900 to 43200`);
  return Number(text);
}
