// Flags and environment into one frozen Config. All mistakes are reported at once.
import { join } from "node:path";
import { parseArgs } from "node:util";

export interface Config {
  readonly command: "serve" | "version" | "help";
  readonly host: string;
  readonly port: number; // 0: any that is free
  readonly dataDirectory: string;
  /** AWS's 60 seconds before a deleted queue's name, or a purge, can be repeated. */
  readonly awsWaits: boolean;
}

/** What a command line or the environment got wrong, one line a mistake. */
export class ConfigError extends Error {
  override name = "ConfigError";
}

export const HELP = `wasq - an Amazon-SQS-compatible queue broker

  wasq serve [options]     run the broker

  --port N                 port to listen on, 0 for any that is free   (WASQ_PORT, 9324)
  --host ADDRESS           address to listen on                        (WASQ_HOST, 127.0.0.1)
  --data-dir PATH          where the queues are kept                   (WASQ_DATA_DIR, ~/.local/share/wasq)
  --insecure-no-auth       listen beyond this machine although nobody is asked for a key:
                           whoever reaches the port may read, send and delete everything
  --aws-waits              refuse for 60 s what AWS refuses for 60 s: the name of a deleted queue,
                           a second purge
  --version                print the version
  --help                   print this
`;

const LOOPBACK = /^(127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1|localhost)$/;

const OPTIONS = {
  port: { type: "string" },
  host: { type: "string" },
  "data-dir": { type: "string" },
  "insecure-no-auth": { type: "boolean" },
  "aws-waits": { type: "boolean" },
  version: { type: "boolean" },
  help: { type: "boolean" },
} as const;

export function readConfig(args: readonly string[], env: NodeJS.ProcessEnv): Config {
  const mistakes: string[] = [];
  const { flags, words } = readFlags(args, mistakes);
  const [command, ...rest] = words;
  const asked = flags.has("help") ? "help" : flags.has("version") ? "version" : command;
  if (asked !== "serve" && asked !== "help" && asked !== "version") {
    mistakes.push(
      command === undefined
        ? "No command: did you mean `wasq serve`?"
        : `Unknown command "${command}": the command is serve`,
    );
  }
  if (rest.length > 0) mistakes.push(`Too many words: "${rest.join(" ")}"`);

  /** A setting and where it was made: what is wrong is named as it was given. */
  const setting = (flag: string, variable: string, otherwise: string): { value: string; place: string } => {
    const given = flags.get(flag);
    if (given !== undefined) return { value: given, place: `--${flag}` };
    const inherited = env[variable];
    return inherited === undefined ? { value: otherwise, place: `--${flag}` } : { value: inherited, place: variable };
  };

  const port = setting("port", "WASQ_PORT", "9324");
  const portNumber = /^\d{1,5}$/.test(port.value) ? Number(port.value) : -1;
  if (portNumber < 0 || portNumber > 65_535) {
    mistakes.push(`${port.place} is "${port.value}": a number from 0 to 65535 is needed`);
  }

  const host = setting("host", "WASQ_HOST", "127.0.0.1");
  if (host.value === "") mistakes.push(`${host.place} is empty: an address is needed, such as 127.0.0.1`);
  else if (!LOOPBACK.test(host.value) && !flags.has("insecure-no-auth")) {
    mistakes.push(
      `${host.place} is "${host.value}": other machines could read, send and delete everything, for signatures are not ` +
        "checked yet; listen on 127.0.0.1, or add --insecure-no-auth if that is what you want",
    );
  }

  const home = env["HOME"] || env["USERPROFILE"] || ".";
  const share = env["XDG_DATA_HOME"] || join(home, ".local", "share");
  const dataDirectory = setting("data-dir", "WASQ_DATA_DIR", join(share, "wasq"));
  if (dataDirectory.value === "") mistakes.push(`${dataDirectory.place} is empty: a path is needed`);

  if (mistakes.length > 0 && asked !== "help") throw new ConfigError(mistakes.join("\n"));
  return Object.freeze({
    command: asked as Config["command"],
    host: host.value,
    port: portNumber,
    dataDirectory: dataDirectory.value,
    awsWaits: flags.has("aws-waits"),
  });
}

/** parseArgs by itself stops at the first mistake; its tokens let every one be told. */
function readFlags(args: readonly string[], mistakes: string[]): { flags: Map<string, string>; words: string[] } {
  const flags = new Map<string, string>();
  const words: string[] = [];
  const { tokens } = parseArgs({ args: [...args], options: OPTIONS, strict: false, tokens: true });
  for (const token of tokens) {
    if (token.kind === "positional") words.push(token.value);
    if (token.kind !== "option") continue;
    const type = Object.hasOwn(OPTIONS, token.name) ? OPTIONS[token.name as keyof typeof OPTIONS].type : undefined;
    if (type === undefined) mistakes.push(`Unknown flag ${token.rawName}`);
    else if (type === "string" && (token.value === undefined || (!token.inlineValue && token.value.startsWith("--")))) {
      mistakes.push(`${token.rawName} needs a value`);
    } else if (type === "boolean" && token.value !== undefined) mistakes.push(`${token.rawName} takes no value`);
    else flags.set(token.name, token.value ?? "");
  }
  return { flags, words };
}
