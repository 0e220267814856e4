// `wasq master-key change` on a data directory with everything in it that is sealed, ended at each of its steps.
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readKeysCommand, runIdentities } from "../../src/cli/keys-command.ts";
import { readMasterKeyCommand, runMasterKey } from "../../src/cli/master-key.ts";
import { openLog } from "../../src/log/local-log.ts";
import { NodeDisk } from "../../src/log/node-disk.ts";
import { readIdentities, secretsSealer } from "../../src/vault/identities-file.ts";
import { WatchedKeyring } from "../../src/vault/keyring-file.ts";
import { obtainMasterKey, readMasterKey } from "../../src/vault/master-key.ts";
import { changeMasterKey } from "../../src/vault/master-key-change.ts";
import { encryptionIn } from "../support/log-key.ts";
import { create, find, openOn, outgoing, receive, STANDARD, send } from "../support/open-broker.ts";

const NOW_MS = 1_700_000_000_000;
const KEY_IDS = ["alias/aws/sqs", "alias/orders", undefined];
let base: string;
let made: string; // a directory as it was before
let directory: string;
let copyCount = 0;
let accessKeyId = "";
let secret = "";

function wasq(...args: readonly string[]): string {
  const command = readKeysCommand([...args, "--data-dir", directory], { dataDirectory: "" });
  return command === undefined ? "" : runIdentities(command, {}, NOW_MS);
}

async function opened() {
  const keyring = new WatchedKeyring(
    directory,
    () => obtainMasterKey(directory, {}),
    () => {},
  );
  const broker = await openOn(new NodeDisk(directory), undefined, {
    openLog: (codec, segmentBytes) =>
      openLog(new NodeDisk(directory), { codec, segmentBytes, onNote: () => {}, encryption: encryptionIn(directory) }),
    keyProvider: keyring,
  });
  return {
    ...broker,
    close: async () => {
      keyring.close();
      await broker.close();
    },
  };
}

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), "wasq-master-key-"));
  made = directory = join(base, "made");
  wasq("kms", "create", "alias/orders");
  [, accessKeyId = "", secret = ""] = /=(\S+)\n\S+?=(\S+)\n$/.exec(wasq("keys", "create", "root")) ?? [];
  const broker = await opened();
  for (const [i, kmsMasterKeyId] of KEY_IDS.entries()) {
    const queue = await create(broker.broker, `q${i}`, { ...STANDARD, kmsMasterKeyId });
    await send(broker.broker, queue, [outgoing(`in q${i}`)]);
  }
  await broker.close();
});
beforeEach(() => {
  directory = join(base, `copy${copyCount++}`);
  cpSync(made, directory, { recursive: true });
});
afterAll(() => rmSync(base, { recursive: true }));

const keyOf = (name: string): string => readFileSync(join(directory, name), "utf8").trim();

/** Everything there is can be opened: the log, messages under their queues' keys, the user's secret. */
async function expectReadable(): Promise<void> {
  const masterKey = readMasterKey(directory, {}) as Uint8Array;
  expect(readIdentities(directory, secretsSealer(masterKey)).key(accessKeyId)?.secret).toBe(secret);
  const broker = await opened();
  for (const i of KEY_IDS.keys()) {
    const received = await receive(broker.broker, find(broker.broker, `q${i}`), 10, 0);
    const bodies = received.status === "ok" ? received.messages.map(({ body }) => body) : [received.status];
    expect(bodies.filter((body) => body !== "later")).toEqual([`in q${i}`]);
  }
  // And what is sent from now on.
  const queue = find(broker.broker, "q0");
  expect(await send(broker.broker, queue, [outgoing("later")])).toMatchObject([{ status: "sent" }]);
  await broker.close();
}

const change = (onStep?: (step: string) => void, toPath?: string) =>
  changeMasterKey({ dataDirectory: directory, env: {}, toPath, nowMs: NOW_MS, ...(onStep && { onStep }) });

test("everything is sealed under the new key, and nothing under the old one, which is kept apart", async () => {
  const before = keyOf("master.key");
  const sealed = ["manifest", "identities.json", "keyring.json"].map((name) => [name, keyOf(name)] as const);
  const { fileNames, keyPath, oldKeyPath } = change();
  expect(fileNames).toEqual(["manifest", "identities.json", "keyring.json"]);
  expect([keyPath, oldKeyPath]).toEqual([
    join(directory, "master.key"),
    join(directory, "master.key.until-20231114T221320Z"),
  ]);
  expect(keyOf("master.key")).not.toBe(before);
  expect(keyOf("master.key.until-20231114T221320Z")).toBe(before);
  for (const [name, text] of sealed) expect(keyOf(name), name).not.toBe(text);
  await expectReadable();
  const second = keyOf("master.key");
  expect(keyOf(change().oldKeyPath?.slice(directory.length + 1) ?? "")).toBe(second);
  await expectReadable(); // twice: what SQS's own key has wrapped comes from the first one
  writeFileSync(join(directory, "master.key"), `${before}\n`);
  await expect(opened()).rejects.toThrow(/under another master key|not under the master key/);
});

const STEPS = [
  ...["make the key", "commit", "replace manifest", "replace identities.json", "replace keyring.json"],
  ...["keep the old key", "replace the key", "end"],
];

describe("a process that ends before it would", () => {
  test.each(STEPS)("%s", async (ends) => {
    const ended = change.bind(undefined, (step) => {
      if (step === ends) throw new Error("The process has ended");
    });
    expect(ended).toThrow("The process has ended");
    if (STEPS.indexOf(ends) <= STEPS.indexOf("commit"))
      await expectReadable(); // as if nothing had been
    else {
      const refused = /a change of it has begun and not ended; wasq master-key change --data-dir \S+ ends it/;
      await expect(opened()).rejects.toThrow(refused);
      expect(() => wasq("keys", "create", "another")).toThrow(refused);
      expect(ended).toThrow("The process has ended"); // and once more
    }
    change();
    expect(existsSync(join(directory, "master-key.change"))).toBe(false);
    await expectReadable();
    expect(
      readdirSync(directory)
        .filter((name) => name.startsWith("master.key"))
        .sort(),
    ).toEqual(["master.key", "master.key.until-20231114T221320Z"]);
  });
});

test("a key that is not in a file of ours goes where it is told to, and from there", async () => {
  const WASQ_MASTER_KEY = keyOf("master.key");
  rmSync(join(directory, "master.key"));
  const env = { WASQ_MASTER_KEY };
  const wish = { dataDirectory: directory, env, nowMs: NOW_MS };
  expect(() => changeMasterKey({ ...wish, toPath: undefined })).toThrow(
    /it is in WASQ_MASTER_KEY, which only you can change/,
  );
  const toPath = join(directory, "master.key");
  expect(changeMasterKey({ ...wish, toPath })).toMatchObject({ keyPath: toPath, oldKeyPath: undefined });
  await expectReadable();
});

describe("is refused, and changes nothing,", () => {
  const files = () => readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), "latin1")]);
  test.each<[string, string | undefined, () => void, RegExp]>([
    [
      "without a key",
      undefined,
      () => rmSync(join(directory, "master.key")),
      /there is none, in WASQ_MASTER_KEY or in \S+master.key/,
    ],
    [
      "with another one",
      undefined,
      () => writeFileSync(join(directory, "master.key"), `${Buffer.alloc(32, 1).toString("base64")}\n`),
      /the log is encrypted under another one/,
    ],
    ["to the same file", "master.key", () => {}, /leave out --to-file to replace it/],
    [
      "to the same key",
      "copy.key",
      () => cpSync(join(directory, "master.key"), join(directory, "copy.key")),
      /copy.key has the one there is/,
    ],
    [
      "to what is no key",
      "copy.key",
      () => writeFileSync(join(directory, "copy.key"), "no key", { mode: 0o600 }),
      /32 bytes in base64 are needed/,
    ],
  ])("%s", (_what, toName, prepare, refused) => {
    prepare();
    const before = files();
    expect(() => change(undefined, toName && join(directory, toName))).toThrow(refused);
    expect(files().filter(([name]) => name !== "master.key.new")).toEqual(before);
  });

  test("while a broker has the directory", async () => {
    const broker = await opened();
    const command = readMasterKeyCommand(["master-key", "change", "--data-dir", directory], { dataDirectory: "" });
    if (command === undefined) throw new Error("it is a command");
    const run = () => runMasterKey(command, {}, NOW_MS, () => new NodeDisk(directory).lock());
    await expect(run()).rejects.toThrow(/is in use by process \d+; stop it/);
    await broker.close();
    expect(await run()).toMatch(
      /^manifest, identities\.json, keyring\.json are sealed under the key in \S+master\.key\nThe one before is in /,
    );
    await expectReadable();
  });
});

test("words that are not understood are told", () => {
  const read =
    (...args: string[]) =>
    () =>
      readMasterKeyCommand(["master-key", ...args], { dataDirectory: "d" });
  expect(read("change")()).toEqual({ dataDirectory: "d", masterKeyFile: undefined, toPath: undefined });
  expect(read()).toThrow(/What of the master key\? change/);
  expect(read("change", "now")).toThrow(/What of the master key\? change/);
  expect(read("change", "--fast")).toThrow(/--fast/);
});
