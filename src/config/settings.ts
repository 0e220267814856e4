// Every setting once: its flag, its environment variable, its name in a file, and what is right for it.
import type { IdentityWishes } from "./identity-wishes.ts";
import type { QueueWish } from "./queue-wishes.ts";

/** A setting's text and where it was made: what is wrong is named as it was given. */
export interface Given {
  readonly text: string;
  readonly place: string;
}

/** What a configuration file says. */
export interface FileSettings {
  readonly settings: ReadonlyMap<SettingName, Given>;
  readonly queues: readonly QueueWish[];
  readonly identities: IdentityWishes;
  /** What of the file means nothing here, one line each: nothing is passed over in silence. */
  readonly notes: readonly string[];
}

export const EMPTY_FILE: FileSettings = {
  settings: new Map(),
  queues: [],
  identities: { users: [], roles: [] },
  notes: [],
};

export interface Setting {
  readonly flag: string;
  readonly variable: string;
  readonly isSwitch?: true; // a flag without a value; "true" or "false" elsewhere
  /** @returns what would be right, undefined when it is */
  readonly wrong: (text: string) => string | undefined;
}

const isOneOf = (expression: RegExp, wanted: string) => (text: string) => (expression.test(text) ? undefined : wanted);
const truth = isOneOf(/^(true|false)$/, "true or false is needed");

const REGION = /^[a-z0-9-]{1,64}$/;
const REGION_NEEDED = "a region is needed, such as us-east-1";

/** By the name that it has in a file. */
export const SETTINGS = {
  host: {
    flag: "host",
    variable: "WASQ_HOST",
    wrong: (text) => (text === "" ? "an address is needed, such as 127.0.0.1" : undefined),
  },
  port: {
    flag: "port",
    variable: "WASQ_PORT",
    wrong: (text) =>
      /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? undefined : "a number from 0 to 65535 is needed",
  },
  dataDirectory: {
    flag: "data-dir",
    variable: "WASQ_DATA_DIR",
    wrong: (text) => (text === "" ? "a path is needed" : undefined),
  },
  masterKeyFile: {
    flag: "master-key-file",
    variable: "WASQ_MASTER_KEY_FILE",
    wrong: (text) => (text === "" ? "a path is needed" : undefined),
  },
  encryptionAtRest: {
    flag: "encryption-at-rest",
    variable: "WASQ_ENCRYPTION_AT_REST",
    wrong: isOneOf(/^(on|off)$/, "on or off is needed"),
  },
  kms: {
    flag: "kms",
    variable: "WASQ_KMS",
    wrong: isOneOf(/^(local|aws)$/, "local or aws is needed"),
  },
  kmsEndpoint: {
    flag: "kms-endpoint",
    variable: "WASQ_KMS_ENDPOINT",
    wrong: (text) =>
      originOf(text) === undefined ? "scheme, host and port are needed, such as https://kms.example.org" : undefined,
  },
  kmsRegion: {
    flag: "kms-region",
    variable: "WASQ_KMS_REGION",
    wrong: isOneOf(REGION, REGION_NEEDED),
  },
  tlsCert: {
    flag: "tls-cert",
    variable: "WASQ_TLS_CERT",
    wrong: (text) => (text === "" ? "a path is needed" : undefined),
  },
  tlsKey: {
    flag: "tls-key",
    variable: "WASQ_TLS_KEY",
    wrong: (text) => (text === "" ? "a path is needed" : undefined),
  },
  insecureNoAuth: { flag: "insecure-no-auth", variable: "WASQ_INSECURE_NO_AUTH", isSwitch: true, wrong: truth },
  bootstrapRoot: { flag: "bootstrap-root", variable: "WASQ_BOOTSTRAP_ROOT", isSwitch: true, wrong: truth },
  maxConnections: {
    flag: "max-connections",
    variable: "WASQ_MAX_CONNECTIONS",
    wrong: isOneOf(/^[1-9]\d{0,6}$/, "a number from 1 to 9999999 is needed"),
  },
  principalRequestsPerSecond: {
    flag: "principal-requests-per-second",
    variable: "WASQ_PRINCIPAL_REQUESTS_PER_SECOND",
    wrong: isOneOf(/^[1-9]\d{0,6}$/, "a number from 1 to 9999999 is needed"),
  },
  principalRequests: {
    flag: "principal-requests",
    variable: "WASQ_PRINCIPAL_REQUESTS",
    wrong: isOneOf(/^[1-9]\d{0,6}$/, "a number from 1 to 9999999 is needed"),
  },
  principalStreams: {
    flag: "principal-streams",
    variable: "WASQ_PRINCIPAL_STREAMS",
    wrong: isOneOf(/^[1-9]\d{0,6}$/, "a number from 1 to 9999999 is needed"),
  },
  auditLog: {
    flag: "audit-log",
    variable: "WASQ_AUDIT_LOG",
    wrong: (text) => (text === "" ? "a path is needed" : undefined),
  },
  awsWaits: { flag: "aws-waits", variable: "WASQ_AWS_WAITS", isSwitch: true, wrong: truth },
  autoCreateQueues: { flag: "auto-create-queues", variable: "WASQ_AUTO_CREATE_QUEUES", isSwitch: true, wrong: truth },
  account: {
    flag: "account",
    variable: "WASQ_ACCOUNT",
    wrong: isOneOf(/^\d{12}$/, "twelve digits are needed"),
  },
  region: {
    flag: "region",
    variable: "WASQ_REGION",
    wrong: isOneOf(REGION, REGION_NEEDED),
  },
  publicUrl: {
    flag: "public-url",
    variable: "WASQ_PUBLIC_URL",
    wrong: (text) =>
      text === "" || originOf(text) !== undefined
        ? undefined
        : "scheme, host and port are needed, such as http://queues.example.org:9324",
  },
  allowOrigins: {
    flag: "allow-origins",
    variable: "WASQ_ALLOW_ORIGINS",
    wrong: (text) =>
      text === "" || text === "*" || originsOf(text) !== undefined
        ? undefined
        : "origins are needed, with commas between them, such as https://console.example.org; or * for all",
  },
} as const satisfies { readonly [name: string]: Setting };

/** A path that is not absolute is looked for beside the file that names it. */
export const PATH_SETTINGS: ReadonlySet<string> = new Set([
  "dataDirectory",
  "masterKeyFile",
  "auditLog",
  "tlsCert",
  "tlsKey",
]);

export type SettingName = keyof typeof SETTINGS;
export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];

/** @returns the origins between the commas, undefined when one is none */
export function originsOf(text: string): readonly string[] | undefined {
  const origins: string[] = [];
  for (const each of text.split(",")) {
    const origin = originOf(each.trim());
    if (origin === undefined) return undefined;
    origins.push(origin);
  }
  return origins;
}

/** @returns `http://host:port`, undefined for what is more or less than that */
export function originOf(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, origin, pathname, search, hash, username } = new URL(text);
  const isBare = pathname === "/" && search === "" && hash === "" && username === "";
  return (protocol === "http:" || protocol === "https:") && isBare ? origin : undefined;
}
