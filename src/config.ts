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

export function readConfig(args: readonly string[], env: NodeJS.ProcessEnv): Config {
  const mistakes: string[] = [];
  let values: Partial<Record<string, string | boolean>> = {};
  let positionals: string[] = [];
  try {
    ({ values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        port: { type: "string" },
        host: { type: "string" },
        "data-dir": { type: "string" },
        "insecure-no-auth": { type: "boolean" },
        "aws-waits": { type: "boolean" },
        version: { type: "boolean" },
        help: { type: "boolean" },
      },
    }));
  } catch (error) {
    mistakes.push((error as Error).message);
  }
  const [command, ...rest] = positionals;
  const asked = values["help"] === true ? "help" : values["version"] === true ? "version" : command;
  if (asked !== "serve" && asked !== "help" && asked !== "version") {
    mistakes.push(
      command === undefined
        ? "No command: did you mean `wasq serve`?"
        : `Unknown command "${command}": the command is serve`,
    );
  }
  if (rest.length > 0) mistakes.push(`Too many words: "${rest.join(" ")}"`);

  const portText = String(values["port"] ?? env["WASQ_PORT"] ?? "9324");
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : -1;
  if (port < 0 || port > 65_535) mistakes.push(`--port ${portText}: a number from 0 to 65535 is needed`);

  const host = String(values["host"] ?? env["WASQ_HOST"] ?? "127.0.0.1");
  if (host === "") mistakes.push("--host is empty: an address is needed, such as 127.0.0.1");
  else if (!LOOPBACK.test(host) && values["insecure-no-auth"] !== true) {
    mistakes.push(
      `--host ${host}: other machines could read, send and delete everything, for signatures are not checked yet; ` +
        "listen on 127.0.0.1, or add --insecure-no-auth if that is what you want",
    );
  }

  const home = env["HOME"] ?? env["USERPROFILE"] ?? ".";
  const share = env["XDG_DATA_HOME"] ?? join(home, ".local", "share");
  const dataDirectory = String(values["data-dir"] ?? env["WASQ_DATA_DIR"] ?? join(share, "wasq"));
  if (dataDirectory === "") mistakes.push("--data-dir is empty: a path is needed");

  if (mistakes.length > 0 && asked !== "help") throw new ConfigError(mistakes.join("\n"));
  return Object.freeze({
    command: asked as Config["command"],
    host,
    port,
    dataDirectory,
    awsWaits: values["aws-waits"] === true,
  });
}
