// Flags, environment and file into one frozen Config. All mistakes are reported at once.
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CONNECTION_COUNT_MAX } from "../limits.ts";
import { readFile } from "./file.ts";
import { type DeclaredIdentities, declareIdentities } from "./identities.ts";
import { type DeclaredQueue, declaredQueue } from "./queue-wishes.ts";
import {
  EMPTY_FILE,
  type FileSettings,
  type Given,
  originOf,
  originsOf,
  SETTING_NAMES,
  SETTINGS,
  type Setting,
  type SettingName,
} from "./settings.ts";

export interface Config {
  readonly command: "serve" | "version" | "help";
  readonly host: string;
  readonly port: number; // 0: any that is free
  readonly dataDirectory: string;
  /** Where the master key is, if not in the data directory or the environment. */
  readonly masterKeyFile: string | undefined;
  /** Whether what is written to the log is encrypted; what was encrypted is read in any case. */
  readonly encryptionAtRest: boolean;
  /** The KMS that has the keys of queues with KmsMasterKeyId; undefined: the keyring has them. Endpoint undefined: AWS's own. */
  readonly kms: { readonly endpoint: string | undefined; readonly region: string } | undefined;
  /** HTTPS and WSS are served with these; undefined: HTTP is. */
  readonly tls: { readonly certPath: string; readonly keyPath: string } | undefined;
  /** Other machines can reach it. */
  readonly isExposed: boolean;
  /** Nobody is asked for a key, although other machines can reach it. */
  readonly insecureNoAuth: boolean;
  /** AWS's 60 seconds before a deleted queue's name, or a purge, can be repeated. */
  readonly awsWaits: boolean;
  readonly autoCreateQueues: boolean;
  readonly account: string;
  readonly region: string;
  /** What queue URLs begin with; undefined: what the caller used. */
  readonly publicUrl: string | undefined;
  /** Pages of these origins may open streams, besides the broker's own; "*": all. */
  readonly allowOrigins: readonly string[];
  /** Queues that are there after the start, whatever was there before it. */
  readonly queues: readonly DeclaredQueue[];
  /** Users, keys and roles besides those of the data directory. */
  readonly identities: DeclaredIdentities;
  /** Connections at once, HTTP and streams together. */
  readonly maxConnections: number;
  /** Requests that each principal may make in a second, where keys are checked; undefined: as many as he can. */
  readonly principalRequestsPerSecond: number | undefined;
  /** Stream sessions at once of each principal, or each address where nobody is asked who he is; undefined: any number. */
  readonly principalRequests: number | undefined;
  readonly principalStreams: number | undefined;
  /** Where refusals, changes of queues and uses of keys are written down; undefined: nowhere. */
  readonly auditLog: string | undefined;
  /** Make a root key if there are no keys. */
  readonly bootstrapRoot: boolean;
  readonly file: string | undefined; // the configuration file
  /** What of the file means nothing here, one line each. */
  readonly notes: readonly string[];
}

/** What a command line, the environment or a file got wrong, one line a mistake. */
export class ConfigError extends Error {
  override name = "ConfigError";
}

/** What the SQS API has to say of a queue that a file wants. @returns a text for each mistake, and the attribute it is about */
export type QueueCheck = (
  queue: DeclaredQueue,
) => readonly { readonly attribute: string | undefined; readonly text: string }[];

export const HELP = `wasq - an Amazon-SQS-compatible queue broker

  wasq serve [options]     run the broker

  --port N                 port to listen on, 0 for any that is free   (WASQ_PORT, 9324)
  --host ADDRESS           address to listen on                        (WASQ_HOST, 127.0.0.1)
  --data-dir PATH          where the queues are kept                   (WASQ_DATA_DIR, ~/.local/share/wasq)
  --tls-cert FILE          serve HTTPS and WSS with this certificate (PEM, with its chain)  (WASQ_TLS_CERT)
  --tls-key FILE           and this key (PEM); both are read again when they change        (WASQ_TLS_KEY)
  --encryption-at-rest on|off  whether what is kept there is encrypted (WASQ_ENCRYPTION_AT_REST, on)
  --master-key-file PATH   the key it is encrypted under, if not WASQ_MASTER_KEY; made at the first start
                                                                       (WASQ_MASTER_KEY_FILE, master.key in the data directory)
  --kms local|aws          who has the keys of queues with KmsMasterKeyId: wasq itself, or a KMS that speaks AWS's API,
                           asked with the credentials that AWS's SDKs find (WASQ_KMS, local)
  --kms-endpoint URL       where that KMS is                           (WASQ_KMS_ENDPOINT, AWS's own of the region)
  --kms-region NAME        its region                                  (WASQ_KMS_REGION, that of --region)
  --config PATH            settings and queues, JSON or YAML; or ElasticMQ's .conf file    (WASQ_CONFIG)
  --account DIGITS         account of callers who name none            (WASQ_ACCOUNT, 000000000000)
  --region NAME            region of requests that name none           (WASQ_REGION, us-east-1)
  --public-url URL         what queue URLs begin with                  (WASQ_PUBLIC_URL, as the caller has it)
  --allow-origins LIST     pages of these origins may use it and open streams, * for all (WASQ_ALLOW_ORIGINS, its own)
  --bootstrap-root         make a key for the account's root if there are no keys, and keep it in root-credentials
                           in the data directory                       (WASQ_BOOTSTRAP_ROOT)
  --max-connections N      connections at once                         (WASQ_MAX_CONNECTIONS, ${CONNECTION_COUNT_MAX})
  --principal-requests-per-second N
                           requests that each user or role may make, where there are keys
                           (WASQ_PRINCIPAL_REQUESTS_PER_SECOND, as many as it can)
  --principal-requests N   requests at once of each user or role, those that wait for messages included,
                           where there are keys                        (WASQ_PRINCIPAL_REQUESTS, any number)
  --principal-streams N    stream sessions at once of each user or role; of each address, where there are no keys
                           (WASQ_PRINCIPAL_STREAMS, any number)
  --audit-log PATH         write down who was refused, who changed a queue and which keys were used; - for standard output
                           (WASQ_AUDIT_LOG, nowhere)
  --auto-create-queues     create a queue that is asked for and is not there     (WASQ_AUTO_CREATE_QUEUES)
  --insecure-no-auth       listen beyond this machine although there are no keys:
                           whoever reaches the port may read, send and delete everything (WASQ_INSECURE_NO_AUTH)
  --aws-waits              refuse for 60 s what AWS refuses for 60 s: the name of a deleted queue,
                           a second purge                              (WASQ_AWS_WAITS)
  --version                print the version
  --help                   print this

WASQ_ROOT_ACCESS_KEY_ID and WASQ_ROOT_SECRET_ACCESS_KEY are a key of the account's root, for as long as they are set.
WASQ_MASTER_KEY is what secrets on disk are sealed with: 32 bytes in base64, in place of master.key in the data directory.

A flag counts more than the environment, and that more than the file. --no-aws-waits takes a switch back.
`;

const LOOPBACK = /^(127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1|localhost)$/;

/** Flags that are no settings of a file. */
const OTHER_FLAGS = { config: "string", version: "boolean", help: "boolean" } as const;

const FLAG_TYPES: ReadonlyMap<string, "string" | "boolean"> = new Map<string, "string" | "boolean">([
  ...Object.entries(OTHER_FLAGS),
  ...SETTING_NAMES.map(settingOf).flatMap(({ flag, isSwitch }): [string, "string" | "boolean"][] =>
    isSwitch
      ? [
          [flag, "boolean"],
          [`no-${flag}`, "boolean"],
        ]
      : [[flag, "string"]],
  ),
]);

function settingOf(name: SettingName): Setting {
  return SETTINGS[name];
}

export function readConfig(args: readonly string[], env: NodeJS.ProcessEnv, checkQueue: QueueCheck = () => []): Config {
  const mistakes: string[] = [];
  const { flags, words } = readFlags(args, mistakes);
  const [command, ...rest] = words;
  const asked = flags.has("help") ? "help" : flags.has("version") ? "version" : command;
  if (asked !== "serve" && asked !== "help" && asked !== "version") {
    mistakes.push(
      command === undefined
        ? "No command: did you mean `wasq serve`?"
        : `Unknown command "${command}": the commands are serve, tail, publish, keys, users and roles`,
    );
  }
  if (rest.length > 0) mistakes.push(`Too many words: "${rest.join(" ")}"`);

  const file = asked === "serve" ? readNamedFile(flags, env, mistakes) : EMPTY_FILE;
  const given = gather(flags, env, file, mistakes);
  const text = (name: SettingName, otherwise: string): string => given.get(name)?.text ?? otherwise;

  const host = given.get("host");
  const allowed = text("allowOrigins", "");
  const account = text("account", "000000000000");
  const region = text("region", "us-east-1");
  const queues = file.queues.map((wish) => declaredQueue(wish, account, region));
  checkQueues(queues, checkQueue, mistakes);
  const path = asked === "serve" ? fileOf(flags, env)?.path : undefined;
  const identities = declareIdentities(file.identities, path, account, asked === "serve" ? env : {}, mistakes);

  const certPath = given.get("tlsCert")?.text;
  const keyPath = given.get("tlsKey")?.text;
  const [only] = [given.get("tlsCert"), given.get("tlsKey")].filter((each) => each !== undefined);
  if (only !== undefined && (certPath === undefined || keyPath === undefined)) {
    mistakes.push(`${only.place} is given alone: TLS needs a certificate and its key`);
  }

  const kmsEndpoint = originOf(text("kmsEndpoint", ""));
  const isAwsKms = text("kms", "local") === "aws";
  for (const name of ["kmsEndpoint", "kmsRegion"] as const) {
    const without = isAwsKms ? undefined : given.get(name);
    if (without !== undefined) mistakes.push(`${without.place} is for --kms aws, which is not chosen`);
  }
  const notes = [...file.notes];
  if (isAwsKms && kmsEndpoint?.startsWith("http:") && !LOOPBACK.test(new URL(kmsEndpoint).hostname)) {
    notes.push(`The KMS at ${kmsEndpoint} is asked without TLS: whoever is on the way reads data keys`);
  }

  if (mistakes.length > 0 && asked !== "help" && asked !== "version") throw new ConfigError(mistakes.join("\n"));
  return Object.freeze({
    command: asked as Config["command"],
    host: text("host", "127.0.0.1"),
    port: Number(text("port", "9324")),
    dataDirectory: text("dataDirectory", defaultDataDirectory(env)),
    masterKeyFile: given.get("masterKeyFile")?.text,
    encryptionAtRest: text("encryptionAtRest", "on") === "on",
    kms: isAwsKms ? Object.freeze({ endpoint: kmsEndpoint, region: text("kmsRegion", region) }) : undefined,
    tls: certPath === undefined || keyPath === undefined ? undefined : Object.freeze({ certPath, keyPath }),
    isExposed: host !== undefined && !LOOPBACK.test(host.text),
    insecureNoAuth: text("insecureNoAuth", "false") === "true",
    awsWaits: text("awsWaits", "false") === "true",
    autoCreateQueues: text("autoCreateQueues", "false") === "true",
    account,
    region,
    publicUrl: originOf(text("publicUrl", "")),
    allowOrigins: Object.freeze(allowed === "*" ? ["*"] : (originsOf(allowed) ?? [])),
    queues: Object.freeze(queues),
    identities,
    maxConnections: Number(text("maxConnections", String(CONNECTION_COUNT_MAX))),
    principalRequestsPerSecond: given.has("principalRequestsPerSecond")
      ? Number(text("principalRequestsPerSecond", ""))
      : undefined,
    principalRequests: given.has("principalRequests") ? Number(text("principalRequests", "")) : undefined,
    principalStreams: given.has("principalStreams") ? Number(text("principalStreams", "")) : undefined,
    auditLog: given.get("auditLog")?.text,
    bootstrapRoot: text("bootstrapRoot", "false") === "true",
    file: path,
    notes: Object.freeze(notes),
  });
}

function readNamedFile(flags: ReadonlyMap<string, string>, env: NodeJS.ProcessEnv, mistakes: string[]): FileSettings {
  const named = fileOf(flags, env);
  if (named === undefined) return EMPTY_FILE;
  const { path, place } = named;
  if (path !== "") return readFile(path, place, mistakes);
  mistakes.push(`${place} is empty: a path is needed`);
  return EMPTY_FILE;
}

function fileOf(flags: ReadonlyMap<string, string>, env: NodeJS.ProcessEnv) {
  const flag = flags.get("config");
  const path = flag ?? env["WASQ_CONFIG"];
  return path === undefined ? undefined : { path, place: flag === undefined ? "WASQ_CONFIG" : "--config" };
}

/**
 * Users, keys and roles as the configuration's file and those it names have them now; nothing else of it is looked at.
 * @throws ConfigError for whatever is wrong in it
 */
export function readIdentitiesAgain({ file, account }: Config, env: NodeJS.ProcessEnv): DeclaredIdentities {
  const mistakes: string[] = [];
  const { identities } = file === undefined ? EMPTY_FILE : readFile(file, "the configuration file", mistakes);
  const declared = declareIdentities(identities, file, account, env, mistakes);
  if (mistakes.length > 0) throw new ConfigError(mistakes.join("\n"));
  return declared;
}

/** Each setting from the first that has it: flag, environment, file. What is wrong in it is a mistake, and as if not given. */
function gather(
  flags: ReadonlyMap<string, string>,
  env: NodeJS.ProcessEnv,
  file: FileSettings,
  mistakes: string[],
): ReadonlyMap<SettingName, Given> {
  const all = new Map<SettingName, Given>();
  for (const name of SETTING_NAMES) {
    const { flag, variable, wrong } = settingOf(name);
    const flagText = flags.get(flag);
    const variableText = env[variable];
    let given = file.settings.get(name); // has been checked, with its line
    if (flagText !== undefined) given = { text: flagText, place: `--${flag}` };
    else if (variableText !== undefined) given = { text: variableText, place: variable };
    if (given === undefined) continue;
    const needed = wrong(given.text);
    if (needed === undefined) all.set(name, given);
    else mistakes.push(`${given.place} is ${given.text === "" ? "empty" : `"${given.text}"`}: ${needed}`);
  }
  return all;
}

function checkQueues(queues: readonly DeclaredQueue[], check: QueueCheck, mistakes: string[]): void {
  const seen = new Map<string, string>();
  for (const queue of queues) {
    const key = `${queue.account}/${queue.region}/${queue.name}`;
    const other = seen.get(key);
    if (other !== undefined) mistakes.push(`${queue.place}: queue ${queue.name} is in the file already, at ${other}`);
    seen.set(key, queue.place);
    for (const { attribute, text } of check(queue)) {
      const place = (attribute === undefined ? undefined : queue.attributePlaces.get(attribute)) ?? queue.place;
      mistakes.push(`${place}: queue ${queue.name}: ${text}`);
    }
  }
}

/** Where the queues are when no flag and no file says so. */
export function dataDirectoryOf(env: NodeJS.ProcessEnv): string {
  return env["WASQ_DATA_DIR"] || defaultDataDirectory(env);
}

function defaultDataDirectory(env: NodeJS.ProcessEnv): string {
  const home = env["HOME"] || env["USERPROFILE"] || ".";
  return env["WASQ_DATA_DIR_DEFAULT"] || join(env["XDG_DATA_HOME"] || join(home, ".local", "share"), "wasq");
}

/** parseArgs by itself stops at the first mistake; its tokens let every one be told. A switch is "true" or "false". */
function readFlags(args: readonly string[], mistakes: string[]): { flags: Map<string, string>; words: string[] } {
  const flags = new Map<string, string>();
  const words: string[] = [];
  const options = Object.fromEntries([...FLAG_TYPES].map(([name, type]) => [name, { type }]));
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true });
  for (const token of tokens) {
    if (token.kind === "positional") words.push(token.value);
    if (token.kind !== "option") continue;
    const type = FLAG_TYPES.get(token.name);
    if (type === undefined) mistakes.push(`Unknown flag ${token.rawName}`);
    else if (type === "string" && (token.value === undefined || (!token.inlineValue && token.value.startsWith("--")))) {
      mistakes.push(`${token.rawName} needs a value`);
    } else if (type === "boolean" && token.value !== undefined) mistakes.push(`${token.rawName} takes no value`);
    else if (type === "string") flags.set(token.name, token.value ?? "");
    else if (token.name.startsWith("no-")) flags.set(token.name.slice("no-".length), "false");
    else flags.set(token.name, "true");
  }
  return { flags, words };
}
