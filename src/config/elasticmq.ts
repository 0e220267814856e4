// ElasticMQ's configuration file, told as ours. What of it cannot be done here is a mistake; what it says of ElasticMQ's
// own insides is told as a note.
import { readDeadLetters } from "./dead-letters.ts";
import { NO_IDENTITIES } from "./identity-wishes.ts";
import type { QueueWish } from "./queue-wishes.ts";
import { type FileSettings, type Given, SETTINGS, type SettingName } from "./settings.ts";
import { asBranch, asText, type Mistakes, readMembers, type Tree } from "./tree.ts";

/** Sections about the insides or the neighbours of ElasticMQ's SQS server. */
const FOREIGN: { readonly [section: string]: string } = {
  storage: "everything is always kept on disk here",
  "queues-storage": "queues are always kept on disk here",
  "persisted-queues-storage": "queues are always kept on disk here",
  "messages-storage": "messages are always kept on disk here, in the data directory",
  "rest-stats": "there is no page of statistics here",
  akka: "it is not ElasticMQ that runs here",
  pekko: "it is not ElasticMQ that runs here",
};

const UNITS_MS: { readonly [unit: string]: number } = Object.fromEntries(
  (
    [
      [0.000_001, "ns nano nanos nanosecond nanoseconds"],
      [0.001, "us micro micros microsecond microseconds"],
      [1, "ms milli millis millisecond milliseconds"],
      [1_000, "s second seconds"],
      [60_000, "m minute minutes"],
      [3_600_000, "h hour hours"],
      [86_400_000, "d day days"],
    ] as const
  ).flatMap(([ms, names]) => names.split(" ").map((name) => [name, ms])),
);

export function readElasticMq(tree: Tree, mistakes: Mistakes): FileSettings {
  const settings = new Map<SettingName, Given>();
  const queues: QueueWish[] = [];
  const notes: string[] = [];
  let isAddressGenerated = false;
  const set = (name: SettingName) => (value: Tree, path: string) => {
    const text = asText(value, path, mistakes);
    if (text === undefined) return;
    const wrong = SETTINGS[name].wrong(text);
    if (wrong !== undefined) mistakes.add(value.line, `${path} is "${text}": ${wrong}`);
    else settings.set(name, { text, place: `${mistakes.placeOf(value.line)}: ${path}` });
  };
  const foreign = (value: Tree, path: string): void => {
    notes.push(`${mistakes.placeOf(value.line)}: ${path} means nothing here: ${FOREIGN[path]}`);
  };
  readMembers(
    tree,
    "",
    {
      "node-address": (value, path) => {
        const url = readNodeAddress(value, path, mistakes);
        if (url !== undefined)
          settings.set("publicUrl", { text: url, place: `${mistakes.placeOf(value.line)}: ${path}` });
      },
      "generate-node-address": (value, path) => {
        isAddressGenerated = asTruth(value, path, mistakes) ?? false;
      },
      "rest-sqs": (value, path) =>
        readMembers(
          value,
          path,
          {
            enabled: (one, inner) => {
              if (asTruth(one, inner, mistakes) === false)
                mistakes.add(one.line, `${inner} is false: there is no other server here`);
            },
            "bind-port": set("port"),
            "bind-hostname": set("host"),
            "sqs-limits": (one, inner) => {
              const text = asText(one, inner, mistakes);
              if (text !== undefined && text.toLowerCase() !== "strict") {
                mistakes.add(
                  one.line,
                  `${inner} is "${text}": limits are always those of SQS here; "strict" is needed`,
                );
              }
            },
          },
          mistakes,
        ),
      aws: (value, path) => readMembers(value, path, { region: set("region"), accountId: set("account") }, mistakes),
      "auto-create-queues": (value, path) =>
        readMembers(
          value,
          path,
          {
            enabled: set("autoCreateQueues"),
            template: (one, inner) => {
              if ((asBranch(one, inner, mistakes)?.entries.size ?? 0) === 0) return;
              mistakes.add(
                one.line,
                `${inner}: a queue that is created by itself has the defaults; name it under queues`,
              );
            },
          },
          mistakes,
        ),
      queues: (value, path) => {
        for (const [name, queue] of asBranch(value, path, mistakes)?.entries ?? []) {
          queues.push(readQueue(name, queue, `${path}.${name}`, mistakes));
        }
      },
      ...Object.fromEntries(Object.keys(FOREIGN).map((section) => [section, foreign])),
    },
    mistakes,
  );
  if (isAddressGenerated) settings.delete("publicUrl");
  return {
    settings,
    queues: queues.map((queue) => withDeadLettersName(queue, queues)),
    identities: NO_IDENTITIES,
    notes,
  };
}

/** @returns undefined where queue URLs are to begin with what the caller used */
function readNodeAddress(tree: Tree, path: string, mistakes: Mistakes): string | undefined {
  const parts = new Map([
    ["protocol", "http"],
    ["host", "localhost"],
    ["port", "9324"],
  ]);
  const countBefore = mistakes.lines.length;
  const part = (name: string) => (value: Tree, inner: string) => {
    const text = asText(value, inner, mistakes);
    if (text !== undefined) parts.set(name, text);
  };
  readMembers(
    tree,
    path,
    {
      protocol: part("protocol"),
      host: part("host"),
      port: part("port"),
      "context-path": (value, inner) => {
        const text = value.kind === "scalar" && value.value === "" ? "" : asText(value, inner, mistakes);
        if (text) mistakes.add(value.line, `${inner} is "${text}": queue URLs have no such path here; "" is needed`);
      },
    },
    mistakes,
  );
  if (mistakes.lines.length > countBefore || parts.get("host") === "*") return undefined;
  const url = `${parts.get("protocol")}://${parts.get("host")}:${parts.get("port")}`;
  const wrong = SETTINGS.publicUrl.wrong(url);
  if (wrong !== undefined) mistakes.add(tree.line, `${path} makes "${url}": ${wrong}`);
  return wrong === undefined ? url : undefined;
}

function readQueue(name: string, tree: Tree, path: string, mistakes: Mistakes): QueueWish {
  const attributes = new Map<string, string>();
  const attributePlaces = new Map<string, string>();
  const tags = new Map<string, string>();
  let deadLetters: QueueWish["deadLetters"];
  let isFifo = false;
  const put = (attribute: string, text: string | undefined, line: number): void => {
    if (text === undefined) return;
    attributes.set(attribute, text);
    attributePlaces.set(attribute, mistakes.placeOf(line));
  };
  const duration = (attribute: string) => (value: Tree, inner: string) =>
    put(attribute, asSeconds(value, inner, mistakes), value.line);
  const cannot = (reason: string) => (value: Tree, inner: string) => {
    if (value.kind !== "scalar" || value.value !== "") mistakes.add(value.line, `${inner}: ${reason}`);
  };
  readMembers(
    tree,
    path,
    {
      defaultVisibilityTimeout: duration("VisibilityTimeout"),
      delay: duration("DelaySeconds"),
      receiveMessageWait: duration("ReceiveMessageWaitTimeSeconds"),
      deadLettersQueue: (value, inner) => {
        deadLetters = readDeadLetters(value, inner, "name", mistakes);
        attributePlaces.set("RedrivePolicy", mistakes.placeOf(value.line));
      },
      fifo: (value, inner) => {
        isFifo = asTruth(value, inner, mistakes) ?? false;
      },
      contentBasedDeduplication: (value, inner) => {
        const truth = asTruth(value, inner, mistakes);
        // ElasticMQ takes a false one on any queue; SQS has the attribute on FIFO queues only.
        if (truth !== undefined && (truth || isFifo)) put("ContentBasedDeduplication", String(truth), value.line);
      },
      copyTo: cannot("messages are not copied from queue to queue here; SQS has no such thing"),
      moveTo: cannot("messages are not sent on from queue to queue here; SQS has no such thing"),
      tags: (value, inner) => {
        for (const [tag, one] of asBranch(value, inner, mistakes)?.entries ?? []) {
          const text = one.kind === "scalar" && one.value === "" ? "" : asText(one, `${inner}.${tag}`, mistakes);
          if (text !== undefined) tags.set(tag, text);
        }
      },
    },
    mistakes,
  );
  return {
    name: isFifo && !name.endsWith(".fifo") ? `${name}.fifo` : name,
    account: undefined,
    region: undefined,
    attributes,
    tags,
    deadLetters,
    place: mistakes.placeOf(tree.line),
    attributePlaces,
  };
}

/** A FIFO queue is named in the file without its suffix, and so may its dead letters' queue be. */
function withDeadLettersName(queue: QueueWish, all: readonly QueueWish[]): QueueWish {
  const target = queue.deadLetters?.queue;
  if (queue.deadLetters === undefined || target === undefined || all.some(({ name }) => name === target)) return queue;
  const suffixed = `${target}.fifo`;
  if (!all.some(({ name }) => name === suffixed)) return queue;
  return { ...queue, deadLetters: { ...queue.deadLetters, queue: suffixed } };
}

function asTruth(tree: Tree, path: string, mistakes: Mistakes): boolean | undefined {
  const text = asText(tree, path, mistakes)?.toLowerCase();
  if (text === undefined) return undefined;
  if (text === "true" || text === "on" || text === "yes") return true;
  if (text === "false" || text === "off" || text === "no") return false;
  mistakes.add(tree.line, `${path} is "${text}": true or false is needed`);
  return undefined;
}

/** A duration in whole seconds, as attributes have it. A number without a unit is milliseconds, as in all HOCON. */
function asSeconds(tree: Tree, path: string, mistakes: Mistakes): string | undefined {
  const text = asText(tree, path, mistakes);
  if (text === undefined) return undefined;
  const [, amount, unit = ""] = /^(\d{1,12}(?:\.\d{1,9})?)\s*([a-z]*)$/i.exec(text.trim()) ?? [];
  const ms = UNITS_MS[unit === "" ? "ms" : unit];
  const seconds = amount === undefined || ms === undefined ? Number.NaN : (Number(amount) * ms) / 1000;
  if (Number.isInteger(seconds)) return String(seconds);
  const met = unit === "" && amount !== undefined ? `${text}, which is in milliseconds` : `"${text}"`;
  mistakes.add(tree.line, `${path} is ${met}: whole seconds are needed, such as 10 seconds`);
  return undefined;
}
