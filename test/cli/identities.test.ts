// `wasq keys`, `wasq users` and `wasq roles` on a data directory, without a broker.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readKeysCommand, runIdentities } from "../../src/cli/keys-command.ts";
import { readIdentities, readStored, secretsSealer } from "../../src/vault/identities-file.ts";
import { readMasterKey } from "../../src/vault/master-key.ts";

const NOW_MS = 1_700_000_000_000;
const TRUST = {
  Version: "2012-10-17",
  Statement: { Effect: "Allow", Principal: { AWS: "111111111111" }, Action: "sts:AssumeRole" },
};
const SEND = { Version: "2012-10-17", Statement: { Effect: "Allow", Action: "sqs:SendMessage", Resource: "*" } };

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "wasq-identities-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function file(name: string, value: unknown): string {
  const path = join(directory, name);
  writeFileSync(path, typeof value === "string" ? value : JSON.stringify(value));
  return path;
}

/** What the command prints, or the error's text. */
function wasq(...args: readonly string[]): string {
  try {
    const command = readKeysCommand(args, { dataDirectory: directory });
    if (command === undefined) throw new Error("the words are for other commands");
    return runIdentities(command, {}, NOW_MS);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return `${error.name}: ${error.message}`;
  }
}

function identities() {
  return readIdentities(directory, secretsSealer(readMasterKey(directory, {}) as Uint8Array));
}

describe("roles", () => {
  test("are created, listed, shown, changed and deleted", () => {
    const trust = file("trust.json", TRUST);
    const send = file("send.json", SEND);
    const arn = "arn:aws:iam::111111111111:role/apps/worker";
    const at = ["--account", "111111111111"];
    const create = ["roles", "create", "worker", ...at, "--trust", trust, "--policy", send, "--path", "/apps/"];
    expect(wasq(...create, "--max-session", "7200")).toBe(`${arn}\n`);
    expect(wasq("roles", "list")).toBe(`${arn}  7200 s  policy\n`);
    expect(identities().role(arn)).toMatchObject({ path: "/apps/", maxSessionSeconds: 7_200, sessionsValidFromMs: 0 });
    expect(wasq(...create)).toContain('There is a role "worker" in account 111111111111 already');

    const other = { ...TRUST, Statement: { ...TRUST.Statement, Principal: "*" } };
    wasq("roles", "trust", "worker", ...at, "--trust", file("other.json", other));
    expect(identities().role(arn)?.trustPolicy.statements[0]?.principal?.everyone).toBe(true);
    wasq("roles", "attach", "worker", ...at, "--policy", send, "--policy-name", "more");
    expect(wasq("roles", "list")).toContain("policy,more");
    expect(wasq("roles", "detach", "worker", ...at, "--policy-name", "policy")).toContain("no more");
    expect(identities().role(arn)?.policies).toHaveLength(1);
    expect(wasq("roles", "detach", "worker", ...at)).toContain('worker has no policy "policy"');
    wasq("roles", "revoke-sessions", "worker", ...at);
    expect(identities().role(arn)?.sessionsValidFromMs).toBe(NOW_MS);
    expect(JSON.parse(wasq("roles", "show", "worker", ...at))).toMatchObject({
      name: "worker",
      policies: { more: SEND },
    });
    expect(wasq("roles", "delete", "worker", ...at)).toBe("worker is deleted\n");
    expect(wasq("roles", "list")).toBe("There are no roles\n");
  });

  test.each([
    [["roles", "create", "worker"], "--trust PATH is needed"],
    [["roles", "create", "wor ker", "--trust", "TRUST"], "is no name for a role"],
    [["roles", "create", "worker", "--trust", "SEND"], "must have a Principal"],
    [["roles", "create", "worker", "--trust", "TRUST", "--path", "apps"], "it begins and ends with a slash"],
    [
      ["roles", "create", "worker", "--trust", "TRUST", "--max-session", "60"],
      "must be a whole number from 900 to 43200",
    ],
    [["roles", "create", "worker", "--trust", "TRUST", "--account", "1"], "12 digits are needed"],
    [["roles", "create", "worker", "--trust", "BROKEN"], "is no JSON"],
    [["roles", "create", "worker", "--trust", "/nowhere.json"], "Cannot read /nowhere.json"],
    [["roles", "delete", "worker"], 'There is no role "worker" in account 000000000000'],
    [["roles", "fly"], "One of create, list, show, trust"],
    [["roles", "list", "worker"], "takes no more words"],
    [["roles", "delete"], "of which one?"],
    [["roles", "delete", "worker", "--trust", "x"], "does not take --trust: it is for roles create, roles trust"],
    [["keys", "list", "--account", "1"], "does not take --account"],
  ])("are refused: %j", (args, message) => {
    const names: Record<string, string> = {
      TRUST: file("trust.json", TRUST),
      SEND: file("send.json", SEND),
      BROKEN: file("broken.json", "{"),
    };
    expect(wasq(...args.map((arg) => names[arg] ?? arg))).toContain(message);
    expect(readStored(directory).roles).toEqual([]);
  });
});

describe("users", () => {
  test("have policies that come and go, keys that are not shown, and an end", () => {
    const send = file("send.json", SEND);
    expect(wasq("keys", "create", "alice", "--policy", send, "--path", "/people/")).toContain("AWS_ACCESS_KEY_ID=AKIA");
    expect(wasq("users", "list")).toBe("arn:aws:iam::000000000000:user/people/alice  policy\n");
    wasq("users", "attach", "alice", "--policy", send, "--policy-name", "again");
    expect(wasq("users", "list")).toContain("policy,again");
    wasq("users", "detach", "alice", "--policy-name", "policy");
    const shown = wasq("users", "show", "alice");
    expect(JSON.parse(shown)).toMatchObject({ name: "alice", policies: { again: SEND }, keys: [{ active: true }] });
    expect(shown).not.toContain("sealedSecret");
    expect(wasq("keys", "create", "alice", "--path", "/other/")).toContain("with another path");
    expect(wasq("keys", "revoke-sessions", "alice")).toContain("Sessions of alice");
    const [id = ""] = /AKIA\w+/.exec(shown) ?? [];
    expect(identities().key(id)?.sessionsValidFromMs).toBe(NOW_MS);
    wasq("users", "delete", "alice");
    expect(identities().keyCount).toBe(0);
  });
});

test("what is refused leaves the file, and no lock, behind", () => {
  expect(wasq("keys", "create", "root")).toContain("AWS_ACCESS_KEY_ID");
  const before = JSON.stringify(readStored(directory));
  expect(wasq("keys", "delete", "AKIANOBODY")).toContain('There is no key "AKIANOBODY"');
  expect(JSON.stringify(readStored(directory))).toBe(before);
  expect(readdirSync(directory).sort()).toEqual(["identities.json", "master.key"]);
});

test("two that change it at once change it one after the other; a lock whose process is gone holds nobody up", () => {
  file("identities.lock", String(process.pid)); // somebody who is there
  expect(wasq("keys", "create", "root")).toMatch(/Cannot change the keys: another process holds .*identities\.lock/);
  file("identities.lock", "4194304"); // beyond the numbers that Linux gives
  expect(wasq("keys", "create", "root")).toContain("AWS_ACCESS_KEY_ID");
});
