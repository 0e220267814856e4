// What `wasq tail` and `wasq publish` are told: words and flags into one command. All mistakes are told at once.
import { parseArgs } from "node:util";
import type { Credentials } from "../client/index.ts";

interface Target {
  readonly queue: string; // name or URL
  readonly endpoint: string;
  /** undefined: the broker's default. */
  readonly region: string | undefined;
  /** undefined: nothing is signed. */
  readonly credentials: Credentials | undefined;
}

export interface TailCommand extends Target {
  readonly name: "tail";
  /** Receives and deletes what it prints; otherwise it only looks. */
  readonly ack: boolean;
  /** Ends after so many messages. */
  readonly countMax: number;
}

export interface PublishCommand extends Target {
  readonly name: "publish";
  readonly groupId: string | undefined;
  /** Each line gets a deduplication ID of its own. */
  readonly unique: boolean;
  readonly delayMs: number | undefined;
}

export type Command = TailCommand | PublishCommand;

/** One line a mistake. */
export class UsageError extends Error {
  override name = "UsageError";
}

export const USAGE = `  wasq tail QUEUE          print what is sent to a queue, without receiving it
    --ack                  receive instead, and delete what has been printed
    --count N              end after N messages
  wasq publish QUEUE       send each line of standard input, end when all are on disk
    --group ID             their message group (FIFO queues)
    --unique               a deduplication ID for each line (FIFO queues)
    --delay SECONDS        how long they are invisible
  both                     QUEUE is a name or a URL
    --endpoint URL         the broker                                  (WASQ_ENDPOINT, http://127.0.0.1:9324)
    --region NAME          the queue's region                          (AWS_REGION, the broker's)
                           where keys are checked: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
`;

const SHARED = { endpoint: "string", region: "string" } as const;
const FLAGS: Readonly<Record<Command["name"], Readonly<Record<string, "string" | "boolean">>>> = {
  tail: { ...SHARED, ack: "boolean", count: "string" },
  publish: { ...SHARED, group: "string", unique: "boolean", delay: "string" },
};
const ENDPOINT = "http://127.0.0.1:9324";
const DELAY_SECONDS_MAX = 900;

/** undefined: the words are not for these commands. @throws UsageError */
export function readCommand(args: readonly string[], env: NodeJS.ProcessEnv): Command | undefined {
  const [name, ...rest] = args;
  if ((name !== "tail" && name !== "publish") || rest.includes("--help") || rest.includes("--version"))
    return undefined;
  const mistakes: string[] = [];
  const { flags, words } = readFlags(name, rest, mistakes);
  const [queue = "", ...more] = words;
  if (queue === "") mistakes.push(`Which queue? wasq ${name} QUEUE`);
  if (more.length > 0) mistakes.push(`Too many words: "${more.join(" ")}"`);
  const endpoint = flags.get("endpoint") ?? env["WASQ_ENDPOINT"] ?? ENDPOINT;
  if (!/^(http|ws)s?:\/\/./.test(endpoint) || !URL.canParse(endpoint)) {
    const place = flags.has("endpoint") ? "--endpoint" : "WASQ_ENDPOINT";
    mistakes.push(`${place} is "${endpoint}": a URL is needed, such as ${ENDPOINT}`);
  }
  const region = flags.get("region") ?? (env["AWS_REGION"] || env["AWS_DEFAULT_REGION"]);
  const target = { queue, endpoint, region: region || undefined, credentials: credentialsOf(env, mistakes) };
  const command: Command =
    name === "tail"
      ? {
          name,
          ...target,
          ack: flags.has("ack"),
          countMax: wholeNumber("count", flags, 1, 2 ** 53, mistakes) ?? Infinity,
        }
      : {
          name,
          ...target,
          groupId: flags.get("group"),
          unique: flags.has("unique"),
          delayMs: milliseconds(wholeNumber("delay", flags, 0, DELAY_SECONDS_MAX, mistakes)),
        };
  if (mistakes.length > 0) throw new UsageError(mistakes.join("\n"));
  return command;
}

/** Of the environment alone: no profiles, no files. */
function credentialsOf(env: NodeJS.ProcessEnv, mistakes: string[]): Credentials | undefined {
  const accessKeyId = env["AWS_ACCESS_KEY_ID"] || "";
  const secretAccessKey = env["AWS_SECRET_ACCESS_KEY"] || "";
  if ((accessKeyId === "") !== (secretAccessKey === "")) {
    mistakes.push("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together: one of them is missing");
  }
  if (accessKeyId === "" || secretAccessKey === "") return undefined;
  return { accessKeyId, secretAccessKey, sessionToken: env["AWS_SESSION_TOKEN"] || undefined };
}

function readFlags(name: Command["name"], args: readonly string[], mistakes: string[]) {
  const flags = new Map<string, string>();
  const words: string[] = [];
  const types = FLAGS[name];
  const options = Object.fromEntries(Object.entries(types).map(([flag, type]) => [flag, { type }]));
  for (const token of parseArgs({ args: [...args], options, strict: false, tokens: true }).tokens) {
    if (token.kind === "positional") words.push(token.value);
    if (token.kind !== "option") continue;
    const type = Object.hasOwn(types, token.name) ? types[token.name] : undefined;
    if (type === undefined) mistakes.push(`wasq ${name} has no flag ${token.rawName}`);
    else if (type === "boolean" && token.value !== undefined) mistakes.push(`${token.rawName} takes no value`);
    else if (type === "string" && (token.value === undefined || (!token.inlineValue && token.value.startsWith("--")))) {
      mistakes.push(`${token.rawName} needs a value`);
    } else flags.set(token.name, token.value ?? "");
  }
  return { flags, words };
}

function wholeNumber(
  flag: string,
  flags: ReadonlyMap<string, string>,
  min: number,
  max: number,
  mistakes: string[],
): number | undefined {
  const text = flags.get(flag);
  if (text === undefined) return undefined;
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= min && number <= max) return number;
  const range = max === 2 ** 53 ? `from ${min}` : `from ${min} to ${max}`;
  mistakes.push(`--${flag} is "${text}": a whole number ${range} is needed`);
  return undefined;
}

function milliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1_000;
}
