// The STS API: one HTTP request in, one reply out. It shares the port, and the path, with the SQS API.
import { randomUUID } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { callerOf } from "../sqs/caller.ts";
import type { Handle, SqsRequest } from "../sqs/exchange.ts";
import { type Elements, failure, success } from "./answers.ts";
import { readRoleWish } from "./assume-role.ts";
import { CheckedDesk, type Checks } from "./checked-desk.ts";
import { type Credentials, type Desk, SESSION_TOKEN_SECONDS_MAX, SESSION_TOKEN_SECONDS_MIN } from "./desk.ts";
import { StsError } from "./errors.ts";
import { OpenDesk, OpenSessions } from "./open-desk.ts";
import { Members, readParameters } from "./parameters.ts";

export const STS_VERSION = "2011-06-15";

export interface StsOptions {
  readonly account: string; // 12 digits; for every caller whose access key names no other
  readonly clock: Clock;
  /** What signatures are checked with; undefined: everybody is let in. Asked anew for each request. */
  readonly checks: () => Checks | undefined;
  /** Told of what should not have been thrown. The client has been answered, with InternalFailure. */
  readonly onFault: (error: unknown) => void;
}

type Action = (desk: Desk, members: Members) => Elements;

const ACTIONS: ReadonlyMap<string, Action> = new Map([
  ["AssumeRole", assumeRole],
  ["GetCallerIdentity", getCallerIdentity],
  ["GetSessionToken", getSessionToken],
]);

export function createSts(options: StsOptions): Handle {
  const given = new OpenSessions();
  const answerTo = (request: SqsRequest, requestId: string) => {
    const nowMs = options.clock.nowMs();
    const checks = options.checks();
    const desk =
      checks === undefined
        ? new OpenDesk(given, callerOf(request, options.account, ""), nowMs)
        : new CheckedDesk(checks, request, nowMs);
    const parameters = readParameters(request.query, request.body);
    const name = parameters.get("Action");
    if (name === undefined) throw new StsError("MissingAction", "The request must contain the parameter Action");
    const action = ACTIONS.get(name);
    if (action === undefined) {
      throw new StsError("InvalidAction", `Could not find operation ${name} for version ${STS_VERSION}`);
    }
    return success(name, action(desk, new Members(parameters)), requestId);
  };
  return (request, answer) => {
    const requestId = randomUUID();
    try {
      answer(answerTo(request, requestId));
    } catch (error) {
      if (!(error instanceof StsError)) options.onFault(error);
      const told =
        error instanceof StsError ? error : new StsError("InternalFailure", "An internal error has occurred");
      answer(failure(told, requestId));
    }
    return undefined;
  };
}

const VERSION_PARAMETER = `Version=${STS_VERSION}`;

/**
 * Which API a request is for: this one if it names this one's version, as every SDK does, and SQS otherwise. Who signed for
 * the one does not get into the other: each wants its own name in the scope.
 */
export function isSts(request: SqsRequest): boolean {
  if (request.target !== "" || (request.path !== "/" && request.path !== "")) return false;
  return hasParameter(Buffer.from(request.query, "latin1")) || hasParameter(request.body);
}

function hasParameter(form: Buffer): boolean {
  const isEdge = (byte: number | undefined): boolean => byte === undefined || byte === 0x26; // "&"
  for (let at = form.indexOf(VERSION_PARAMETER); at !== -1; at = form.indexOf(VERSION_PARAMETER, at + 1)) {
    if (isEdge(form[at - 1]) && isEdge(form[at + VERSION_PARAMETER.length])) return true;
  }
  return false;
}

function assumeRole(desk: Desk, members: Members): Elements {
  const { credentials, identity, content, packedPercent } = desk.assumeRole(readRoleWish(members));
  return {
    SourceIdentity: content.sourceIdentity,
    AssumedRoleUser: { AssumedRoleId: identity.userId, Arn: identity.arn },
    Credentials: credentialsOf(credentials),
    PackedPolicySize: packedPercent,
  };
}

function getCallerIdentity(desk: Desk): Elements {
  const { arn, userId, account } = desk.identity();
  return { Arn: arn, UserId: userId, Account: account };
}

function getSessionToken(desk: Desk, members: Members): Elements {
  const seconds = members.number("DurationSeconds", SESSION_TOKEN_SECONDS_MIN, SESSION_TOKEN_SECONDS_MAX);
  members.check();
  if (members.has("SerialNumber") || members.has("TokenCode")) {
    throw new StsError("AccessDenied", "MultiFactorAuthentication failed: there are no MFA devices here.");
  }
  return { Credentials: credentialsOf(desk.sessionToken(seconds)) };
}

function credentialsOf({ accessKeyId, secret, token, expiresMs }: Credentials): Elements {
  return {
    AccessKeyId: accessKeyId,
    SecretAccessKey: secret,
    SessionToken: token,
    Expiration: new Date(expiresMs).toISOString().replace(".000Z", "Z"),
  };
}
