// The STS API: one HTTP request in, one reply out. It shares the port, and the path, with the SQS API.
import { randomUUID } from "node:crypto";
import type { Audit } from "../audit/audit.ts";
import type { Clock } from "../base/clock.ts";
import { whoOf } from "../sqs/audited.ts";
import { callerOf } from "../sqs/caller.ts";
import type { Handle, SqsRequest } from "../sqs/exchange.ts";
import { type Elements, failure, success } from "./answers.ts";
import { readRoleWish } from "./assume-role.ts";
import { CheckedDesk, type Checks } from "./checked-desk.ts";
import { type Credentials, type Desk, SESSION_TOKEN_SECONDS_MAX, SESSION_TOKEN_SECONDS_MIN } from "./desk.ts";
import { STS_ERRORS, StsError } from "./errors.ts";
import { OpenDesk, OpenSessions } from "./open-desk.ts";
import { Members, readParameters } from "./parameters.ts";

export const STS_VERSION = "2011-06-15";

export interface StsOptions {
  readonly account: string; // 12 digits; for every caller whose access key names no other
  readonly clock: Clock;
  /** What signatures are checked with; undefined: everybody is let in. Asked anew for each request. */
  readonly checks: () => Checks | undefined;
  /** Where refusals, and credentials that were given out, are written down. */
  readonly audit?: Audit | undefined;
  /** Told of what should not have been thrown. The client has been answered, with InternalFailure. */
  readonly onFault: (error: unknown) => void;
}

/** What an action answers, and what it has given out. */
interface Done {
  readonly elements: Elements;
  readonly credentials?: Credentials;
}

type Action = (desk: Desk, members: Members) => Done;

const ACTIONS: ReadonlyMap<string, Action> = new Map([
  ["AssumeRole", assumeRole],
  ["GetCallerIdentity", getCallerIdentity],
  ["GetSessionToken", getSessionToken],
]);

export function createSts(options: StsOptions): Handle {
  const given = new OpenSessions();
  return (request, answer) => {
    const requestId = randomUUID();
    const call = new Call(options);
    try {
      const elements = call.run(request, given);
      answer(success(call.name, elements, requestId));
    } catch (error) {
      if (!(error instanceof StsError)) options.onFault(error);
      const told =
        error instanceof StsError ? error : new StsError("InternalFailure", "An internal error has occurred");
      call.failed(request, told);
      answer(failure(told, requestId));
    }
    return undefined;
  };
}

/** One request: what is known of it when it fails is written down. */
class Call {
  readonly #options: StsOptions;
  #principal = "";
  #resource = "";
  name = "";

  constructor(options: StsOptions) {
    this.#options = options;
  }

  /** @throws StsError */
  run(request: SqsRequest, given: OpenSessions): Elements {
    const { account, clock, checks, audit } = this.#options;
    const nowMs = clock.nowMs();
    const found = checks();
    const desk =
      found === undefined
        ? new OpenDesk(given, callerOf(request, account, ""), nowMs)
        : new CheckedDesk(found, request, nowMs);
    this.#principal = desk.identity().arn;
    const parameters = readParameters(request.query, request.body);
    this.name = parameters.get("Action") ?? "";
    this.#resource = parameters.get("RoleArn") ?? "";
    if (!parameters.has("Action")) throw new StsError("MissingAction", "The request must contain the parameter Action");
    const action = ACTIONS.get(this.name);
    if (action === undefined) {
      throw new StsError("InvalidAction", `Could not find operation ${this.name} for version ${STS_VERSION}`);
    }
    const { elements, credentials } = action(desk, new Members(parameters));
    if (credentials !== undefined) {
      audit?.credentials(
        { ...whoOf(request), principal: this.#principal },
        {
          action: this.name,
          resource: this.#resource,
          accessKeyGiven: credentials.accessKeyId,
          expires: instantText(credentials.expiresMs),
        },
      );
    }
    return elements;
  }

  failed(request: SqsRequest, { code, message }: StsError): void {
    if (STS_ERRORS[code].status !== 403 && code !== "IncompleteSignature") return;
    this.#options.audit?.refused(
      { ...whoOf(request), principal: this.#principal },
      { api: "sts", action: this.name, resource: this.#resource, code, text: message },
    );
  }
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

function assumeRole(desk: Desk, members: Members): Done {
  const { credentials, identity, content, packedPercent } = desk.assumeRole(readRoleWish(members));
  const elements = {
    SourceIdentity: content.sourceIdentity,
    AssumedRoleUser: { AssumedRoleId: identity.userId, Arn: identity.arn },
    Credentials: credentialsOf(credentials),
    PackedPolicySize: packedPercent,
  };
  return { elements, credentials };
}

function getCallerIdentity(desk: Desk): Done {
  const { arn, userId, account } = desk.identity();
  return { elements: { Arn: arn, UserId: userId, Account: account } };
}

function getSessionToken(desk: Desk, members: Members): Done {
  const seconds = members.number("DurationSeconds", SESSION_TOKEN_SECONDS_MIN, SESSION_TOKEN_SECONDS_MAX);
  members.check();
  if (members.has("SerialNumber") || members.has("TokenCode")) {
    throw new StsError("AccessDenied", "MultiFactorAuthentication failed: there are no MFA devices here.");
  }
  const credentials = desk.sessionToken(seconds);
  return { elements: { Credentials: credentialsOf(credentials) }, credentials };
}

function credentialsOf({ accessKeyId, secret, token, expiresMs }: Credentials): Elements {
  return {
    AccessKeyId: accessKeyId,
    SecretAccessKey: secret,
    SessionToken: token,
    Expiration: instantText(expiresMs),
  };
}

/** @param ms a full second */
function instantText(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}
