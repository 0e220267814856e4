// Who somebody is, once his signature has been found right.
import type { Policy } from "./policy/document.ts";
import type { PolicyPrincipal } from "./policy/evaluate.ts";

export interface Principal {
  readonly kind: "anonymous" | "root" | "user" | "role";
  readonly account: string; // 12 digits; "" for whoever is anonymous
  readonly arn: string; // of a role: of the session
  /** What SenderId says: AIDA… of a user, AROA…:session of a role, the account of its root. */
  readonly userId: string;
  readonly userName: string | undefined;
  /** Names that mean him in a policy: his own, and his account's, which mean everybody in it. */
  readonly names: PolicyPrincipal;
  /** Those of them that mean him alone, or his role. */
  readonly directNames: readonly string[];
  readonly identityPolicies: readonly Policy[];
  /** What a session was narrowed to; undefined: it was not. */
  readonly sessionPolicies: readonly Policy[] | undefined;
  readonly sessionIssuedMs: number | undefined; // of temporary credentials
  /** Of the session, what policies call aws:PrincipalTag. */
  readonly tags: ReadonlyMap<string, string>;
  readonly sourceIdentity: string | undefined;
  /** Who he is for limits: all sessions of a role are one. */
  readonly limitName: string;
}

export const ANONYMOUS: Principal = {
  kind: "anonymous",
  account: "",
  arn: "*",
  userId: "anonymous",
  userName: undefined,
  names: { aws: [], own: [], service: undefined },
  directNames: [],
  identityPolicies: [],
  sessionPolicies: undefined,
  sessionIssuedMs: undefined,
  tags: new Map(),
  sourceIdentity: undefined,
  limitName: "anonymous",
};

/** An account is meant by its number, and by its root's ARN: both are everybody in it. */
function accountNames(account: string): readonly string[] {
  return [account, `arn:aws:iam::${account}:root`];
}

export function rootOf(account: string): Principal {
  const aws = accountNames(account);
  return {
    ...ANONYMOUS,
    kind: "root",
    account,
    arn: `arn:aws:iam::${account}:root`,
    userId: account,
    names: { aws, own: aws, service: undefined },
    directNames: aws,
    limitName: `root ${account}`,
  };
}

export interface UserParts {
  readonly account: string;
  readonly name: string;
  readonly path: string; // "/", or "/apps/"
  readonly id: string; // AIDA…
  readonly policies: readonly Policy[];
}

export function userOf({ account, name, path, id, policies }: UserParts): Principal {
  const arn = `arn:aws:iam::${account}:user${path}${name}`;
  return {
    ...ANONYMOUS,
    kind: "user",
    account,
    arn,
    userId: id,
    userName: name,
    names: { aws: [...accountNames(account), arn, id], own: [arn, id], service: undefined },
    directNames: [arn, id],
    identityPolicies: policies,
    limitName: id,
  };
}

export function roleArn(account: string, path: string, name: string): string {
  return `arn:aws:iam::${account}:role${path}${name}`;
}

export interface SessionParts {
  readonly account: string;
  readonly roleName: string;
  readonly rolePath: string;
  readonly roleId: string; // AROA…
  readonly sessionName: string;
  readonly policies: readonly Policy[];
  readonly sessionPolicies: readonly Policy[] | undefined;
  readonly issuedMs: number;
  readonly tags: ReadonlyMap<string, string>;
  readonly sourceIdentity: string | undefined;
}

/** A role's path is not in it. */
export function sessionArn(account: string, roleName: string, sessionName: string): string {
  return `arn:aws:sts::${account}:assumed-role/${roleName}/${sessionName}`;
}

export function roleSessionOf(parts: SessionParts): Principal {
  const { account, roleName, roleId, sessionName } = parts;
  const arn = sessionArn(account, roleName, sessionName);
  const role = roleArn(account, parts.rolePath, roleName);
  const own = [arn, `${roleId}:${sessionName}`];
  const directNames = [...own, role, roleId];
  return {
    ...ANONYMOUS,
    kind: "role",
    account,
    arn,
    userId: `${roleId}:${sessionName}`,
    names: { aws: [...accountNames(account), ...directNames], own, service: undefined },
    directNames,
    identityPolicies: parts.policies,
    sessionPolicies: parts.sessionPolicies,
    sessionIssuedMs: parts.issuedMs,
    tags: parts.tags,
    sourceIdentity: parts.sourceIdentity,
    limitName: roleId,
  };
}
