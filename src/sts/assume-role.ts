// AssumeRole: what is asked for, what a role and the asker's own session make of it, and the session that comes out.
import { SESSION_SECONDS, SESSION_SECONDS_MAX, SESSION_SECONDS_MIN } from "../auth/identities.ts";
import { PolicyError, parsePolicy } from "../auth/policy/document.ts";
import { packedPercent, type Session } from "../auth/session-token.ts";
import { StsError } from "./errors.ts";
import type { Members } from "./parameters.ts";

const TAG_COUNT_MAX = 50;
const POLICY_LENGTH_MAX = 2_048;
const ARN_LENGTH_MAX = 2_048;
const CHAINED_SECONDS_MAX = 3_600;
const NAME_PATTERN = "[\\w+=,.@-]*";
const TAG_PATTERN = "[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*";

/** What AssumeRole was asked for; each member is in its own bounds. */
export interface RoleWish {
  readonly roleArn: string;
  readonly sessionName: string;
  readonly seconds: number | undefined;
  readonly policy: string | undefined;
  readonly tags: readonly (readonly [key: string, value: string])[];
  readonly transitiveTagKeys: readonly string[];
  readonly externalId: string | undefined;
  readonly sourceIdentity: string | undefined;
}

/** @throws StsError */
export function readRoleWish(members: Members): RoleWish {
  const roleArn = members.text("RoleArn", { min: 20, max: ARN_LENGTH_MAX, required: true });
  const sessionName = members.text("RoleSessionName", { min: 2, max: 64, pattern: NAME_PATTERN, required: true });
  const seconds = members.number("DurationSeconds", SESSION_SECONDS_MIN, SESSION_SECONDS_MAX);
  const policy = members.text("Policy", { min: 1, max: POLICY_LENGTH_MAX });
  const externalId = members.text("ExternalId", { min: 2, max: 1_224, pattern: "[\\w+=,.@:\\/-]*" });
  const sourceIdentity = members.text("SourceIdentity", { min: 2, max: 64, pattern: NAME_PATTERN });
  const tags = members.list("Tags", TAG_COUNT_MAX, (prefix, what) => {
    const key = members.text(
      `${prefix}.Key`,
      { min: 1, max: 128, pattern: TAG_PATTERN, required: true },
      `${what}.key`,
    );
    const value = members.text(`${prefix}.Value`, { max: 256, pattern: TAG_PATTERN, required: true }, `${what}.value`);
    return [key ?? "", value ?? ""] as const;
  });
  const transitiveTagKeys = members.list(
    "TransitiveTagKeys",
    TAG_COUNT_MAX,
    (prefix, what) => members.text(prefix, { min: 1, max: 128, pattern: TAG_PATTERN }, what) ?? "",
  );
  members.check();
  refuseOthers(members);
  if (!/^arn:aws:iam::\d{12}:role\/./.test(roleArn ?? ""))
    throw new StsError("ValidationError", "Request ARN is invalid");
  if (sourceIdentity?.startsWith("aws:")) {
    throw new StsError("ValidationError", "SourceIdentity must not begin with aws:");
  }
  checkTags(tags, transitiveTagKeys);
  checkPolicy(policy);
  return {
    roleArn: roleArn ?? "", // both are there: checked above
    sessionName: sessionName ?? "",
    seconds,
    policy,
    tags,
    transitiveTagKeys,
    externalId,
    sourceIdentity,
  };
}

/** What would change what a session may do, and is not here, is refused and not passed over. */
function refuseOthers(members: Members): void {
  if (members.has("PolicyArns")) {
    throw new StsError(
      "ValidationError",
      "PolicyArns are not supported here: there are no managed policies. Use Policy.",
    );
  }
  if (members.has("SerialNumber") || members.has("TokenCode")) {
    throw new StsError("AccessDenied", "MultiFactorAuthentication failed: there are no MFA devices here.");
  }
  if (members.has("ProvidedContexts")) {
    throw new StsError("ValidationError", "ProvidedContexts are not supported here.");
  }
}

function checkTags(tags: RoleWish["tags"], transitiveTagKeys: readonly string[]): void {
  const keys = tags.map(([key]) => key.toLowerCase());
  if (new Set(keys).size < keys.length) {
    throw new StsError("ValidationError", "Duplicate tag keys found. Please note that Tag keys are case insensitive.");
  }
  if (keys.some((key) => key.startsWith("aws:"))) {
    throw new StsError("ValidationError", "Tag keys must not begin with aws:");
  }
  if (!transitiveTagKeys.every((key) => keys.includes(key.toLowerCase()))) {
    throw new StsError("ValidationError", "The specified transitive tag key must be included in the requested tags.");
  }
}

function checkPolicy(policy: string | undefined): void {
  if (policy === undefined) return;
  try {
    parsePolicy(policy, "session");
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    const isJson = error.message !== "A policy must be JSON";
    throw new StsError(
      "MalformedPolicyDocument",
      isJson ? `Syntax errors in policy. ${error.message}.` : "This policy contains invalid Json",
    );
  }
}

/** Permissions on the role that the wish needs, once what the asker's own session hands on is in it. */
export function actionsOf({ tags, sourceIdentity }: SessionContent): readonly string[] {
  const actions = ["sts:AssumeRole"];
  if (tags.length > 0) actions.push("sts:TagSession");
  if (sourceIdentity !== undefined) actions.push("sts:SetSourceIdentity");
  return actions;
}

export type SessionContent = Pick<Session, "policy" | "tags" | "transitiveTagKeys" | "sourceIdentity">;

/** What the new session says, with what the old one hands on. @throws StsError */
export function contentOf(wish: RoleWish, from: Session | undefined): SessionContent {
  const handedOn = (from?.tags ?? []).filter(([key]) => from?.transitiveTagKeys.includes(key));
  const handedOnKeys = handedOn.map(([key]) => key.toLowerCase());
  if (wish.tags.some(([key]) => handedOnKeys.includes(key.toLowerCase()))) {
    throw new StsError(
      "ValidationError",
      "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.",
    );
  }
  const sourceIdentity = from?.sourceIdentity ?? wish.sourceIdentity;
  if (wish.sourceIdentity !== undefined && wish.sourceIdentity !== sourceIdentity) {
    throw new StsError("AccessDenied", "The source identity of a session cannot be changed.");
  }
  const tags = [...handedOn, ...wish.tags];
  if (tags.length > TAG_COUNT_MAX) {
    throw new StsError("ValidationError", `A session has at most ${TAG_COUNT_MAX} tags, those handed on included.`);
  }
  const canonical = wish.transitiveTagKeys.map(
    (key) => wish.tags.find(([tag]) => tag.toLowerCase() === key.toLowerCase())?.[0] ?? key,
  );
  return {
    policy: wish.policy,
    tags,
    transitiveTagKeys: [...handedOn.map(([key]) => key), ...canonical],
    sourceIdentity,
  };
}

/** @returns percent of the room for policy and tags; undefined when there are none. @throws StsError when it is too little */
export function checkPacked(content: SessionContent): number | undefined {
  if (content.policy === undefined && content.tags.length === 0) return undefined;
  const percent = packedPercent(content);
  if (percent <= 100) return percent;
  throw new StsError(
    "PackedPolicyTooLarge",
    `Packed policy consumes ${percent}% of allotted space, please use smaller policy.`,
  );
}

/** @param isChained a role's session becomes another role. @throws StsError */
export function secondsOf(wish: RoleWish, maxSessionSeconds: number, isChained: boolean): number {
  const seconds = wish.seconds ?? Math.min(SESSION_SECONDS, maxSessionSeconds);
  if (isChained && seconds > CHAINED_SECONDS_MAX) {
    throw new StsError(
      "ValidationError",
      "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
    );
  }
  if (seconds > maxSessionSeconds) {
    throw new StsError(
      "ValidationError",
      "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    );
  }
  return seconds;
}
