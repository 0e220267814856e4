// `wasq users` and `wasq roles`: what users may do, and the roles that somebody may assume. The broker sees a change by itself.
import {
  ACCOUNT,
  NAME,
  PATH,
  SESSION_SECONDS,
  type StoredIdentities,
  type StoredRole,
  type StoredUser,
} from "../auth/identities.ts";
import { roleArn } from "../auth/principal.ts";
import { newUniqueId } from "../auth/session-token.ts";
import { readStored } from "../vault/identities-file.ts";
import { editIdentities, KeysError, readPolicyFile } from "./identities.ts";

export const USERS_VERBS = ["list", "show", "attach", "detach", "delete"] as const;
export const ROLES_VERBS = [
  "create",
  "list",
  "show",
  "trust",
  "attach",
  "detach",
  "revoke-sessions",
  "delete",
] as const;

export const ROLES_USAGE = `
  wasq users list          users, by their ARNs, and the names of their policies
  wasq users show USER     what is known of a user, without secrets; likewise: wasq roles show ROLE
  wasq users attach USER --policy PATH    give a user an IAM policy, in place of the one of that name; likewise: roles
  wasq users detach USER --policy-name NAME    take a policy away; likewise: roles
  wasq users delete USER   forget a user and his keys; sessions that came from them are over
  wasq roles create ROLE --trust PATH    make a role: who may assume it; and what it may do: --policy PATH
  wasq roles list          roles, by their ARNs
  wasq roles trust ROLE --trust PATH     change who may assume it
  wasq roles revoke-sessions ROLE        end every session of the role that has been issued so far
  wasq roles delete ROLE   forget a role; its sessions are over

  --account DIGITS         the user's or the role's account            (000000000000)
  --policy-name NAME       what the policy is called                   (policy)
  --path PATH              create: the role's path, as in /apps/       (/)
  --max-session SECONDS    create: how long a session may be, 900 to 43200    (${SESSION_SECONDS})
`;

export interface RolesCommand {
  readonly noun: "users" | "roles";
  readonly verb: (typeof USERS_VERBS)[number] | (typeof ROLES_VERBS)[number];
  readonly subject: string; // "" for list
  readonly account: string;
  readonly path: string | undefined;
  readonly policyPath: string | undefined;
  readonly policyName: string;
  readonly trustPath: string | undefined;
  readonly maxSessionSeconds: number | undefined;
  readonly dataDirectory: string;
  readonly masterKeyFile: string | undefined;
}

type Entry = StoredUser | StoredRole;

/** @returns what to print. @throws KeysError, IdentitiesError, MasterKeyError */
export function runRoles(command: RolesCommand, env: NodeJS.ProcessEnv, nowMs: number): string {
  const { noun, verb, subject, account, policyName, dataDirectory } = command;
  if (verb === "list") return list(command, readStored(dataDirectory));
  if (verb === "show") return show(found(command, readStored(dataDirectory)[noun]));
  const edit = (text: string, change: (entry: Entry) => Entry | undefined): string =>
    editIdentities(dataDirectory, env, (stored) => {
      const entry = found(command, stored[noun]);
      const changed = (stored[noun] as readonly Entry[]).flatMap((each) =>
        each === entry ? (change(entry) ?? []) : each,
      );
      return [{ ...stored, [noun]: changed }, `${text}\n`];
    });
  switch (verb) {
    case "create": {
      const text = `${roleArn(account, command.path ?? "/", subject)}\n`;
      return editIdentities(dataDirectory, env, (stored) => [
        { ...stored, roles: [...stored.roles, newRole(command, stored)] },
        text,
      ]);
    }
    case "trust": {
      const trustPolicy = fileOf(command.trustPath, "--trust");
      return edit(`${subject} has another trust policy`, (entry) => ({ ...entry, trustPolicy }) as Entry);
    }
    case "attach": {
      const policy = fileOf(command.policyPath, "--policy");
      return edit(`${subject} has the policy "${policyName}"`, (entry) => ({
        ...entry,
        policies: { ...entry.policies, [policyName]: policy },
      }));
    }
    case "detach":
      return edit(`${subject} has the policy "${policyName}" no more`, (entry) => {
        const { [policyName]: gone, ...policies } = entry.policies;
        if (gone === undefined) throw new KeysError(`${subject} has no policy "${policyName}"`);
        return { ...entry, policies };
      });
    case "revoke-sessions":
      return edit(`Sessions of ${subject} that were issued before now are over`, (entry) => ({
        ...entry,
        sessionsValidFromMs: nowMs,
      }));
    case "delete":
      return edit(`${subject} is deleted`, () => undefined);
  }
}

function newRole(command: RolesCommand, { roles }: StoredIdentities): StoredRole {
  const { subject: name, account, path, policyPath, policyName, maxSessionSeconds = SESSION_SECONDS } = command;
  if (!ACCOUNT.test(account)) throw new KeysError(`--account is "${account}": 12 digits are needed`);
  if (!NAME.test(name)) throw new KeysError(`"${name}" is no name for a role: letters, digits and _+=,.@- are`);
  if (path !== undefined && !PATH.test(path))
    throw new KeysError(`--path is "${path}": it begins and ends with a slash`);
  if (roles.some((role) => role.account === account && role.name === name)) {
    throw new KeysError(`There is a role "${name}" in account ${account} already`);
  }
  return {
    account,
    name,
    ...(path === undefined ? {} : { path }),
    id: newUniqueId("AROA"),
    trustPolicy: fileOf(command.trustPath, "--trust"),
    policies: policyPath === undefined ? {} : { [policyName]: readPolicyFile(policyPath) },
    maxSessionSeconds,
    sessionsValidFromMs: 0,
  };
}

function fileOf(path: string | undefined, flag: string): unknown {
  if (path === undefined) throw new KeysError(`${flag} PATH is needed: a policy in JSON`);
  return readPolicyFile(path);
}

function found({ noun, subject, account }: RolesCommand, entries: readonly Entry[]): Entry {
  const entry = entries.find((each) => each.account === account && each.name === subject);
  if (entry !== undefined) return entry;
  const one = noun.slice(0, -1);
  throw new KeysError(
    `There is no ${one} "${subject}" in account ${account}: wasq ${noun} list shows those there are; ` +
      "those of a configuration file are changed there",
  );
}

function list({ noun }: RolesCommand, stored: StoredIdentities): string {
  const rows = stored[noun].map((entry: Entry) => {
    const { account, name, path = "/", policies } = entry;
    const arn = noun === "roles" ? roleArn(account, path, name) : `arn:aws:iam::${account}:user${path}${name}`;
    const session = "maxSessionSeconds" in entry ? [`${entry.maxSessionSeconds} s`] : [];
    return [arn, ...session, Object.keys(policies).join(",") || "no policies"].join("  ");
  });
  return rows.length === 0 ? `There are no ${noun}\n` : `${rows.join("\n")}\n`;
}

function show(entry: Entry): string {
  const shown = "keys" in entry ? { ...entry, keys: entry.keys.map(({ sealedSecret: _, ...key }) => key) } : entry;
  return `${JSON.stringify(shown, undefined, 2)}\n`;
}
