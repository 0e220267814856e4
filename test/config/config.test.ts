import { expect, test } from "vitest";
import { ConfigError, readConfig } from "../../src/config/config.ts";

const HOME = { HOME: "/home/someone" };

function mistakesOf(args: readonly string[], env: NodeJS.ProcessEnv = HOME): string[] {
  try {
    readConfig(args, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split("\n");
    throw error;
  }
  return [];
}

test("serve alone has a default for everything, and cannot be changed", () => {
  const config = readConfig(["serve"], HOME);
  expect(config).toEqual({
    command: "serve",
    host: "127.0.0.1",
    isExposed: false,
    insecureNoAuth: false,
    port: 9324,
    dataDirectory: "/home/someone/.local/share/wasq",
    masterKeyFile: undefined,
    encryptionAtRest: true,
    kms: undefined,
    tls: undefined,
    awsWaits: false,
    autoCreateQueues: false,
    account: "000000000000",
    region: "us-east-1",
    publicUrl: undefined,
    allowOrigins: [],
    queues: [],
    identities: { users: [], roles: [], files: [] },
    maxConnections: 50_000,
    principalRequestsPerSecond: undefined,
    principalRequests: undefined,
    principalStreams: undefined,
    auditLog: undefined,
    bootstrapRoot: false,
    file: undefined,
    notes: [],
  });
  expect(Object.isFrozen(config)).toBe(true);
});

test("the environment counts, and a flag counts more", () => {
  const env = { ...HOME, WASQ_PORT: "1000", WASQ_HOST: "::1", WASQ_DATA_DIR: "/queues" };
  expect(readConfig(["serve"], env)).toMatchObject({ port: 1000, host: "::1", dataDirectory: "/queues" });
  const args = ["serve", "--port=0", "--host", "localhost", "--data-dir", "here", "--aws-waits"];
  expect(readConfig(args, env)).toMatchObject({ port: 0, host: "localhost", dataDirectory: "here", awsWaits: true });
});

test("a KMS is asked where it is said to be, with a note when that is over the network without TLS", () => {
  const kmsOf = (...args: string[]) => readConfig(["serve", ...args], HOME).kms;
  expect(kmsOf("--kms", "local")).toBeUndefined();
  expect(kmsOf("--kms", "aws", "--region", "eu-west-1")).toEqual({ endpoint: undefined, region: "eu-west-1" });
  const args = ["--kms", "aws", "--kms-endpoint", "http://kms.example.org:4566/", "--kms-region", "eu-west-2"];
  expect(kmsOf(...args)).toEqual({ endpoint: "http://kms.example.org:4566", region: "eu-west-2" });
  expect(readConfig(["serve", ...args], HOME).notes).toEqual([expect.stringContaining("without TLS")]);
  const here = ["serve", "--kms", "aws", "--kms-endpoint", "http://127.0.0.1:4566"];
  expect(readConfig(here, HOME).notes).toEqual([]);
  expect(mistakesOf(["serve", "--kms", "gcp", "--kms-endpoint", "kms", "--kms-region", "EU"])).toEqual([
    `--kms is "gcp": local or aws is needed`,
    `--kms-endpoint is "kms": scheme, host and port are needed, such as https://kms.example.org`,
    `--kms-region is "EU": a region is needed, such as us-east-1`,
  ]);
  expect(mistakesOf(["serve", "--kms-endpoint", "https://kms.example.org"])).toEqual([
    "--kms-endpoint is for --kms aws, which is not chosen",
  ]);
});

test("every setting has a flag and a variable", () => {
  const env = {
    ...HOME,
    WASQ_AWS_WAITS: "true",
    WASQ_AUTO_CREATE_QUEUES: "true",
    WASQ_ACCOUNT: "123456789012",
    WASQ_REGION: "eu-west-1",
    WASQ_PUBLIC_URL: "https://queues.example.org/",
    WASQ_ALLOW_ORIGINS: "https://one.test, http://two.test:81/",
    WASQ_HOST: "0.0.0.0",
    WASQ_INSECURE_NO_AUTH: "true",
  };
  const set = {
    awsWaits: true,
    autoCreateQueues: true,
    account: "123456789012",
    region: "eu-west-1",
    publicUrl: "https://queues.example.org",
    allowOrigins: ["https://one.test", "http://two.test:81"],
    host: "0.0.0.0",
  };
  expect(readConfig(["serve"], env)).toMatchObject(set);
  const flags = "--aws-waits --auto-create-queues --insecure-no-auth --account 123456789012 --region eu-west-1";
  const args = ["serve", ...flags.split(" "), "--host=0.0.0.0", "--public-url", "https://queues.example.org"];
  args.push("--allow-origins=https://one.test,http://two.test:81");
  expect(readConfig(args, HOME)).toMatchObject(set);
  const back = [
    "serve",
    "--no-aws-waits",
    "--no-auto-create-queues",
    "--public-url=",
    "--account=210987654321",
    "--allow-origins=*",
  ];
  expect(readConfig(back, env)).toMatchObject({
    awsWaits: false,
    autoCreateQueues: false,
    account: "210987654321",
    publicUrl: undefined,
    allowOrigins: ["*"],
  });
});

test.each([
  ["--account=12", '--account is "12": twelve digits are needed'],
  ["--region=US East", '--region is "US East": a region is needed, such as us-east-1'],
  ["--public-url=example.org", "scheme, host and port are needed"],
  ["--public-url=ftp://example.org", "scheme, host and port are needed"],
  ["--public-url=http://example.org/path", "scheme, host and port are needed"],
  ["--public-url=http://user@example.org", "scheme, host and port are needed"],
  ["--config=", "--config is empty: a path is needed"],
  ["--no-port", "Unknown flag --no-port"],
  ["--no-aws-waits=1", "--no-aws-waits takes no value"],
])("%s is a mistake", (flag, expected) => {
  const mistakes = mistakesOf(["serve", flag]);
  expect(mistakes).toHaveLength(1);
  expect(mistakes[0]).toContain(expected);
});

test("a switch in the environment is true or false", () => {
  expect(mistakesOf(["serve"], { ...HOME, WASQ_AWS_WAITS: "yes" })).toEqual([
    'WASQ_AWS_WAITS is "yes": true or false is needed',
  ]);
});

test("data go where the desktop standard says", () => {
  expect(readConfig(["serve"], { ...HOME, XDG_DATA_HOME: "/share" }).dataDirectory).toBe("/share/wasq");
  const started = { ...HOME, XDG_DATA_HOME: "/share", WASQ_DATA_DIR_DEFAULT: "/beside" };
  expect(readConfig(["serve"], started).dataDirectory).toBe("/beside");
});

test("all mistakes are told at once, each by the name it was given under", () => {
  const args = ["serve", "extra", "--prot", "--host", "0.0.0.0", "--data-dir=", "--version=1"];
  const mistakes = mistakesOf(args, { ...HOME, WASQ_PORT: "65536" });
  expect(mistakes).toHaveLength(5);
  expect(mistakes.join("\n")).toMatch(/Unknown flag --prot/);
  expect(mistakes.join("\n")).toMatch(/--version takes no value/);
  expect(mistakes.join("\n")).toMatch(/Too many words: "extra"/);
  expect(mistakes.join("\n")).toMatch(/WASQ_PORT is "65536": a number from 0 to 65535 is needed/);
  expect(mistakes.join("\n")).toMatch(/--data-dir is empty/);
});

test("an empty port is none", () => {
  expect(mistakesOf(["serve", "--port="])).toEqual(["--port is empty: a number from 0 to 65535 is needed"]);
});

test.each(["-1", "1.5", "0x10", " 80", "1e3", "999999"])("port %j is none", (port) => {
  expect(mistakesOf(["serve", `--port=${port}`])).toEqual([`--port is "${port}": a number from 0 to 65535 is needed`]);
});

test.each([["--port"], ["--host"], ["--data-dir"]])("%s needs a value", (flag) => {
  expect(mistakesOf(["serve", flag])).toEqual([`${flag} needs a value`]);
  expect(mistakesOf(["serve", flag, "--aws-waits"])).toEqual([`${flag} needs a value`]);
});

test.each(["0.0.0.0", "::", "10.0.0.1", "example.org", "127.0.0.1.example.org"])(
  "%s can be reached from elsewhere, which takes keys, or the flag that names the risk",
  (host) => {
    const exposed = readConfig(["serve", "--host", host], HOME);
    expect(exposed).toMatchObject({ host, isExposed: true, insecureNoAuth: false });
    expect(readConfig(["serve", "--host", host, "--insecure-no-auth"], HOME).insecureNoAuth).toBe(true);
  },
);

test.each(["127.0.0.1", "127.1.2.3", "::1", "localhost"])("%s is this machine's own", (host) => {
  expect(readConfig(["serve", "--host", host], HOME).isExposed).toBe(false);
});

test("no command, and another command, are mistakes; help and version are not", () => {
  expect(mistakesOf([])).toEqual(["No command: did you mean `wasq serve`?"]);
  expect(mistakesOf(["server"])).toEqual([
    'Unknown command "server": the commands are serve, tail, publish, keys, users and roles',
  ]);
  expect(readConfig(["--help"], {}).command).toBe("help");
  expect(readConfig(["serve", "--version"], {}).command).toBe("version");
  expect(readConfig(["serve", "--port", "x", "--help"], {}).command).toBe("help");
});
