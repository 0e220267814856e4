// RedrivePolicy and RedriveAllowPolicy: from the client's JSON to settings, and back in the canonical form.

import type { Queue, QueueName, QueueSettings } from "../broker/types.ts";
import { invalidParameter, invalidValue, type SqsError } from "./errors.ts";
import { arnOf } from "./names.ts";
import type { Context } from "./operation.ts";

type Redrive = NonNullable<QueueSettings["redrive"]>;
type RedriveAllow = NonNullable<QueueSettings["redriveAllow"]>;

const RECEIVE_COUNT_MAX = 1_000;
const SOURCE_COUNT_MAX = 10;
const SOURCE_ARN = /^arn:[^:]{1,32}:sqs:[^:]{1,64}:[^:]{1,64}:[^:]{1,80}$/;

const JSON_LENGTH_MAX = 65_536; // far above any policy's or handle's

/** @returns the members of a JSON object, undefined for any other text */
export function parseJsonMap(text: string): ReadonlyMap<string, unknown> | undefined {
  if (text.length > JSON_LENGTH_MAX) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    return new Map(Object.entries(value));
  } catch {
    return undefined;
  }
}

export function parseRedrivePolicy(text: string): Redrive {
  const policy = parseJsonMap(text);
  if (policy === undefined) {
    throw invalidParameter(
      "Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid JSON map.",
    );
  }
  for (const key of policy.keys()) {
    if (key !== "maxReceiveCount" && key !== "deadLetterTargetArn") {
      throw badRedrive(text, "Only following attributes are supported: [maxReceiveCount, deadLetterTargetArn].");
    }
  }
  const arn = policy.get("deadLetterTargetArn");
  const count = policy.get("maxReceiveCount");
  if (arn === undefined || arn === null || arn === "") throw badRedrive(text, mandatory("deadLetterTargetArn"));
  if (count === undefined || count === null || count === "") throw badRedrive(text, mandatory("maxReceiveCount"));

  const maxReceiveCount = typeof count === "string" && /^\d{1,9}$/.test(count) ? Number(count) : count;
  if (
    typeof maxReceiveCount !== "number" ||
    !Number.isInteger(maxReceiveCount) ||
    maxReceiveCount < 1 ||
    maxReceiveCount > RECEIVE_COUNT_MAX
  ) {
    const shown = typeof count === "object" ? JSON.stringify(count) : String(count);
    throw badRedrive(
      text,
      `Invalid value for maxReceiveCount: ${shown}, valid values are from 1 to ${RECEIVE_COUNT_MAX} both inclusive.`,
    );
  }
  const parts = typeof arn === "string" ? arn.split(":") : [];
  if (typeof arn !== "string" || parts.length !== 6 || parts[0] !== "arn" || parts.includes("")) {
    throw badRedrive(text, "Dead-letter target ARN should be fully qualified ARN.");
  }
  if (parts[2] !== "sqs") throw badRedrive(text, "Only SQS queues are valid resources for deadLetterTargetArn.");
  return { deadLetterTargetArn: arn, maxReceiveCount };
}

/**
 * What can only be said with the other queues at hand.
 * @param text the attribute as the client sent it, for the error
 */
export function checkRedriveTarget(
  context: Pick<Context, "broker">,
  source: QueueName,
  settings: QueueSettings,
  redrive: Redrive,
  text: string,
): void {
  const target = queueOfArn(context, redrive.deadLetterTargetArn, source);
  if (target === undefined) throw badRedrive(text, "Dead letter target does not exist.");
  if (target.settings.fifo !== settings.fifo) {
    throw badRedrive(text, "Dead-letter queue must be same type of queue as the source.."); // two dots, as the service has it
  }
  const allow = target.settings.redriveAllow;
  if (allow === undefined || allow.redrivePermission === "allowAll") return;
  if (allow.redrivePermission === "byQueue" && allow.sourceQueueArns.includes(arnOf(source))) return;
  throw badRedrive(text, "Dead letter target does not allow the source queue: see its RedriveAllowPolicy.");
}

/** The queue that the ARN names, if it is of the same account and region as `near`. */
export function queueOfArn(
  context: Pick<Context, "broker">,
  arn: string,
  near: { readonly account: string; readonly region: string },
): Queue | undefined {
  const name = { account: near.account, region: near.region, name: arn.slice(arn.lastIndexOf(":") + 1) };
  return arnOf(name) === arn ? context.broker.find(name) : undefined;
}

export function renderRedrivePolicy(redrive: Redrive): string {
  return JSON.stringify({
    deadLetterTargetArn: redrive.deadLetterTargetArn,
    maxReceiveCount: redrive.maxReceiveCount,
  });
}

export function parseRedriveAllowPolicy(text: string): RedriveAllow {
  const policy = parseJsonMap(text);
  const permission = policy?.get("redrivePermission");
  const sources = policy?.get("sourceQueueArns") ?? [];
  const known = policy !== undefined && [...policy.keys()].every((key) => ALLOW_KEYS.has(key));
  if (
    !known ||
    (permission !== "allowAll" && permission !== "denyAll" && permission !== "byQueue") ||
    !Array.isArray(sources) ||
    !sources.every((source): source is string => typeof source === "string" && SOURCE_ARN.test(source))
  ) {
    throw invalidParameter(
      "Invalid value for the parameter RedriveAllowPolicy. Reason: Amazon SQS can't create the redrive allow policy, as it’s in an unsupported format.",
    );
  }
  if (permission === "byQueue" && sources.length === 0) {
    throw badAllow(
      text,
      "When you specify the byQueue permission type, you must also specify one or more sourceQueueArns values.",
    );
  }
  if (permission !== "byQueue" && sources.length > 0) {
    throw badAllow(text, "To specify one or more source queue ARNs, you must set redrivePermission to byQueue.");
  }
  if (sources.length > SOURCE_COUNT_MAX) {
    throw badAllow(text, `The maximum number of source queue ARNs you can specify is ${SOURCE_COUNT_MAX}.`);
  }
  return { redrivePermission: permission, sourceQueueArns: sources };
}

const ALLOW_KEYS: ReadonlySet<string> = new Set(["redrivePermission", "sourceQueueArns"]);

export function renderRedriveAllowPolicy(allow: RedriveAllow): string {
  return allow.redrivePermission === "byQueue"
    ? JSON.stringify({ redrivePermission: "byQueue", sourceQueueArns: allow.sourceQueueArns })
    : JSON.stringify({ redrivePermission: allow.redrivePermission });
}

function mandatory(key: string): string {
  return `Redrive policy does not contain mandatory attribute: ${key}.`;
}

function badRedrive(text: string, reason: string): SqsError {
  return invalidValue(text, "RedrivePolicy", reason);
}

function badAllow(text: string, reason: string): SqsError {
  return invalidValue(text, "RedriveAllowPolicy", `Amazon SQS can't create the redrive allow policy. ${reason}`);
}
