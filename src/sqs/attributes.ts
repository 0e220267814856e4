// Queue attributes: strings on the wire, settings inside. A row of ATTRIBUTES knows how one is read and written.

import { isDeepStrictEqual } from "node:util";
import type { Queue, QueueCounts, QueueName, QueueSettings } from "../broker/types.ts";
import {
  DELAY_MS_MAX,
  MESSAGE_BYTES_MAX,
  MESSAGE_BYTES_MAX_MIN,
  RETENTION_MS_MAX,
  RETENTION_MS_MIN,
  VISIBILITY_MS_MAX,
  WAIT_MS_MAX,
} from "../limits.ts";
import { invalidParameter, missingParameter, SqsError } from "./errors.ts";
import { arnOf } from "./names.ts";
import type { Context } from "./operation.ts";
import { normalPolicy } from "./permissions.ts";
import {
  checkRedriveTarget,
  parseRedriveAllowPolicy,
  parseRedrivePolicy,
  renderRedriveAllowPolicy,
  renderRedrivePolicy,
} from "./redrive.ts";

export const DEFAULT_SETTINGS: QueueSettings = {
  fifo: false,
  delaySeconds: 0,
  maximumMessageBytes: MESSAGE_BYTES_MAX,
  retentionSeconds: 345_600, // 4 d
  waitSeconds: 0,
  visibilitySeconds: 30,
  contentBasedDeduplication: false,
  deduplicationScope: "queue",
  fifoThroughputLimit: "perQueue",
  redrive: undefined,
  redriveAllow: undefined,
  policy: undefined,
  kmsMasterKeyId: undefined,
  kmsDataKeyReusePeriodSeconds: 300,
  sqsManagedSse: true,
};

const KMS_KEY_COUNT_MAX = 2_048; // characters of an id, an ARN or an alias; whether there is such a key nobody asks

type Mutable = { -readonly [K in keyof QueueSettings]: QueueSettings[K] };
type SettingNumber =
  | "delaySeconds"
  | "maximumMessageBytes"
  | "retentionSeconds"
  | "waitSeconds"
  | "visibilitySeconds"
  | "kmsDataKeyReusePeriodSeconds";

interface Attribute {
  /** Absent for what a client cannot set. */
  readonly read?: (settings: Mutable, text: string, name: string) => void;
  /** @returns undefined when the queue does not have the attribute */
  readonly write: (settings: QueueSettings) => string | undefined;
}

const ATTRIBUTES: ReadonlyMap<string, Attribute> = new Map<string, Attribute>([
  ["VisibilityTimeout", number("visibilitySeconds", 0, VISIBILITY_MS_MAX / 1000)],
  ["MaximumMessageSize", number("maximumMessageBytes", MESSAGE_BYTES_MAX_MIN, MESSAGE_BYTES_MAX)],
  ["MessageRetentionPeriod", number("retentionSeconds", RETENTION_MS_MIN / 1000, RETENTION_MS_MAX / 1000)],
  ["DelaySeconds", number("delaySeconds", 0, DELAY_MS_MAX / 1000)],
  ["ReceiveMessageWaitTimeSeconds", number("waitSeconds", 0, WAIT_MS_MAX / 1000)],
  ["Policy", { read: readPolicy, write: (settings) => settings.policy }],
  [
    "RedrivePolicy",
    {
      read: (settings, text) => {
        settings.redrive = text === "" ? undefined : parseRedrivePolicy(text);
      },
      write: (settings) => (settings.redrive === undefined ? undefined : renderRedrivePolicy(settings.redrive)),
    },
  ],
  [
    "RedriveAllowPolicy",
    {
      read: (settings, text) => {
        settings.redriveAllow = text === "" ? undefined : parseRedriveAllowPolicy(text);
      },
      write: (settings) =>
        settings.redriveAllow === undefined ? undefined : renderRedriveAllowPolicy(settings.redriveAllow),
    },
  ],
  [
    "KmsMasterKeyId",
    {
      read: (settings, text, name) => {
        if (text.length > KMS_KEY_COUNT_MAX) throw badAttribute(name);
        settings.kmsMasterKeyId = text === "" ? undefined : text;
      },
      write: (settings) => settings.kmsMasterKeyId,
    },
  ],
  [
    "KmsDataKeyReusePeriodSeconds",
    {
      ...number("kmsDataKeyReusePeriodSeconds", 60, 86_400),
      write: (settings) => {
        const seconds = settings.kmsDataKeyReusePeriodSeconds;
        const shown =
          settings.kmsMasterKeyId !== undefined && seconds !== DEFAULT_SETTINGS.kmsDataKeyReusePeriodSeconds;
        return shown ? String(seconds) : undefined;
      },
    },
  ],
  [
    "SqsManagedSseEnabled",
    {
      read: (settings, text, name) => {
        settings.sqsManagedSse = parseBoolean(text, name);
      },
      write: (settings) => String(settings.sqsManagedSse),
    },
  ],
  [
    "FifoQueue",
    {
      read: (settings, text, name) => {
        if (!settings.fifo) throw unknownAttribute(name);
        if (!parseBoolean(text, name)) {
          throw new SqsError(
            "InvalidAttributeValue",
            "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
          );
        }
      },
      write: (settings) => (settings.fifo ? "true" : undefined),
    },
  ],
  [
    "ContentBasedDeduplication",
    {
      read: (settings, text, name) => {
        if (!settings.fifo) throw unknownAttribute(name);
        settings.contentBasedDeduplication = parseBoolean(text, name);
      },
      write: (settings) => (settings.fifo ? String(settings.contentBasedDeduplication) : undefined),
    },
  ],
  [
    "DeduplicationScope",
    {
      read: (settings, text, name) => {
        if (!settings.fifo) throw onlyForFifo(name);
        if (text !== "queue" && text !== "messageGroup") throw badAttribute(name);
        settings.deduplicationScope = text;
      },
      write: (settings) => (settings.fifo ? settings.deduplicationScope : undefined),
    },
  ],
  [
    "FifoThroughputLimit",
    {
      read: (settings, text, name) => {
        if (!settings.fifo) throw onlyForFifo(name);
        if (text !== "perQueue" && text !== "perMessageGroupId") throw badAttribute(name);
        settings.fifoThroughputLimit = text;
      },
      write: (settings) => (settings.fifo ? settings.fifoThroughputLimit : undefined),
    },
  ],
]);

const READ_ONLY: ReadonlyMap<string, (queue: Queue, counts: QueueCounts) => string> = new Map([
  ["QueueArn", (queue: Queue) => arnOf(queue)],
  ["CreatedTimestamp", (queue: Queue) => String(Math.floor(queue.createdMs / 1000))],
  ["LastModifiedTimestamp", (queue: Queue) => String(Math.floor(queue.modifiedMs / 1000))],
  ["ApproximateNumberOfMessages", (_: Queue, counts: QueueCounts) => String(counts.visible)],
  ["ApproximateNumberOfMessagesNotVisible", (_: Queue, counts: QueueCounts) => String(counts.inFlight)],
  ["ApproximateNumberOfMessagesDelayed", (_: Queue, counts: QueueCounts) => String(counts.delayed)],
]);

function number(setting: SettingNumber, min: number, max: number): Attribute {
  return {
    read: (settings, text, name) => {
      const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
      if (!(value >= min && value <= max)) throw badAttribute(name);
      settings[setting] = value;
    },
    write: (settings) => String(settings[setting]),
  };
}

/** Letter case does not matter: `True` is read, `true` is written. */
export function parseBoolean(text: string, name: string): boolean {
  const lower = text.toLowerCase();
  if (lower !== "true" && lower !== "false") throw badAttribute(name);
  return lower === "true";
}

function readPolicy(settings: Mutable, text: string, name: string): void {
  settings.policy = text === "" ? undefined : normalPolicy(text);
  if (text !== "" && settings.policy === undefined) throw badAttribute(name);
}

/**
 * Settings as they are after a client's attributes.
 * @param current what the queue has, or the defaults of a new one
 * @throws SqsError for the first attribute, in the client's order, that is not right
 */
export function applyAttributes(current: QueueSettings, attributes: ReadonlyMap<string, string>): QueueSettings {
  const settings: Mutable = { ...current };
  for (const [name, text] of attributes) {
    if (name === "") throw missingParameter("Attribute.Name");
    const read = ATTRIBUTES.get(name)?.read;
    if (read === undefined) throw unknownAttribute(name);
    read(settings, text, name);
  }
  const withKms = (attributes.get("KmsMasterKeyId") ?? "") !== "";
  const withSqs = attributes.has("SqsManagedSseEnabled") && settings.sqsManagedSse;
  if (withKms && withSqs) {
    throw new SqsError(
      "InvalidAttributeName",
      "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.",
    );
  }
  if (withKms) settings.sqsManagedSse = false;
  if (withSqs) settings.kmsMasterKeyId = undefined;
  if (settings.fifoThroughputLimit === "perMessageGroupId" && settings.deduplicationScope !== "messageGroup") {
    throw invalidParameter(
      "The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup",
    );
  }
  return settings;
}

/** The last check before settings are stored: the dead-letter queue they name. */
export function checkTarget(
  context: Pick<Context, "broker">,
  queue: QueueName,
  settings: QueueSettings,
  attributes: ReadonlyMap<string, string>,
): void {
  const text = attributes.get("RedrivePolicy");
  if (text === undefined || settings.redrive === undefined) return;
  checkRedriveTarget(context, queue, settings, settings.redrive, text);
}

/** @returns the first of `names` that reads differently in the two, undefined when none does */
export function firstDifference(
  names: Iterable<string>,
  left: QueueSettings,
  right: QueueSettings,
): string | undefined {
  for (const name of names) {
    const write = ATTRIBUTES.get(name)?.write;
    const texts = [write?.(left), write?.(right)] as const;
    if (texts[0] !== texts[1] && !(name === "Policy" && areEqualJson(...texts))) return name;
  }
  return undefined;
}

/** Whether two documents say the same: the order of members does not count. */
function areEqualJson(left: string | undefined, right: string | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  return isDeepStrictEqual(JSON.parse(left), JSON.parse(right));
}

/** Those of `names` that read differently in the two, as they read. */
export function differences(
  names: Iterable<string>,
  before: QueueSettings,
  after: QueueSettings,
): readonly { readonly name: string; readonly before: string | undefined; readonly after: string | undefined }[] {
  return [...names].flatMap((name) => {
    const write = ATTRIBUTES.get(name)?.write;
    const pair = { name, before: write?.(before), after: write?.(after) };
    return pair.before === pair.after ? [] : [pair];
  });
}

/** Those of the asked attributes that the queue has. @throws SqsError for a name that is no attribute */
export function readAttributes(context: Context, queue: Queue, names: readonly string[]): ReadonlyMap<string, string> {
  const attributes = new Map<string, string>();
  const counts = context.broker.counts(queue);
  const add = (name: string): boolean => {
    const attribute = ATTRIBUTES.get(name);
    const read = READ_ONLY.get(name);
    const value = attribute?.write(queue.settings) ?? read?.(queue, counts);
    if (value !== undefined) attributes.set(name, value);
    return attribute !== undefined || read !== undefined;
  };
  for (const name of names) {
    if (name === "All") {
      for (const known of READ_ONLY.keys()) add(known);
      for (const known of ATTRIBUTES.keys()) add(known);
    } else if (!add(name)) {
      throw unknownAttribute(name);
    }
  }
  return attributes;
}

export function unknownAttribute(name: string): SqsError {
  return new SqsError("InvalidAttributeName", `Unknown Attribute ${name}.`);
}

function badAttribute(name: string): SqsError {
  return new SqsError("InvalidAttributeValue", `Invalid value for the parameter ${name}.`);
}

function onlyForFifo(name: string): SqsError {
  return new SqsError("InvalidAttributeName", `You can specify the ${name} only when FifoQueue is set to true.`);
}
