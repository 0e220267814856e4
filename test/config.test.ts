import { expect, test } from "vitest";
import { ConfigError, readConfig } from "../src/config.ts";

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
    port: 9324,
    dataDirectory: "/home/someone/.local/share/wasq",
    awsWaits: false,
  });
  expect(Object.isFrozen(config)).toBe(true);
});

test("the environment counts, and a flag counts more", () => {
  const env = { ...HOME, WASQ_PORT: "1000", WASQ_HOST: "::1", WASQ_DATA_DIR: "/queues" };
  expect(readConfig(["serve"], env)).toMatchObject({ port: 1000, host: "::1", dataDirectory: "/queues" });
  const args = ["serve", "--port=0", "--host", "localhost", "--data-dir", "here", "--aws-waits"];
  expect(readConfig(args, env)).toMatchObject({ port: 0, host: "localhost", dataDirectory: "here", awsWaits: true });
});

test("data go where the desktop standard says", () => {
  expect(readConfig(["serve"], { ...HOME, XDG_DATA_HOME: "/share" }).dataDirectory).toBe("/share/wasq");
});

test("all mistakes are told at once, each by the name it was given under", () => {
  const args = ["serve", "extra", "--prot", "--host", "0.0.0.0", "--data-dir=", "--version=1"];
  const mistakes = mistakesOf(args, { ...HOME, WASQ_PORT: "65536" });
  expect(mistakes).toHaveLength(6);
  expect(mistakes.join("\n")).toMatch(/Unknown flag --prot/);
  expect(mistakes.join("\n")).toMatch(/--version takes no value/);
  expect(mistakes.join("\n")).toMatch(/Too many words: "extra"/);
  expect(mistakes.join("\n")).toMatch(/WASQ_PORT is "65536": a number from 0 to 65535 is needed/);
  expect(mistakes.join("\n")).toMatch(/--host is "0\.0\.0\.0".*--insecure-no-auth/);
  expect(mistakes.join("\n")).toMatch(/--data-dir is empty/);
});

test.each(["", "-1", "1.5", "0x10", " 80", "1e3", "999999"])("port %j is none", (port) => {
  expect(mistakesOf(["serve", `--port=${port}`])).toEqual([`--port is "${port}": a number from 0 to 65535 is needed`]);
});

test.each([["--port"], ["--host"], ["--data-dir"]])("%s needs a value", (flag) => {
  expect(mistakesOf(["serve", flag])).toEqual([`${flag} needs a value`]);
  expect(mistakesOf(["serve", flag, "--aws-waits"])).toEqual([`${flag} needs a value`]);
});

test.each(["0.0.0.0", "::", "10.0.0.1", "example.org", "127.0.0.1.example.org"])(
  "%s can be reached from elsewhere: only with the flag that names the risk",
  (host) => {
    expect(mistakesOf(["serve", "--host", host])).toHaveLength(1);
    expect(readConfig(["serve", "--host", host, "--insecure-no-auth"], HOME).host).toBe(host);
  },
);

test("no command, and another command, are mistakes; help and version are not", () => {
  expect(mistakesOf([])).toEqual(["No command: did you mean `wasq serve`?"]);
  expect(mistakesOf(["server"])).toEqual(['Unknown command "server": the command is serve']);
  expect(readConfig(["--help"], {}).command).toBe("help");
  expect(readConfig(["serve", "--version"], {}).command).toBe("version");
  expect(readConfig(["serve", "--port", "x", "--help"], {}).command).toBe("help");
});
