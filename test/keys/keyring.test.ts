// The local keyring: which names find a key, what its states refuse, and what stays readable.
import { describe, expect, test } from "vitest";
import { Keyring, newMaterial, type StoredKey, type StoredKeyring } from "../../src/keys/keyring.ts";
import { KeyError } from "../../src/keys/provider.ts";
import { keyringSealer } from "../../src/vault/keyring-file.ts";

const MASTER = Buffer.alloc(32, 7);
const SEALER = keyringSealer(MASTER);
const ID = "0f1e2d3c-4b5a-4978-8a6b-5c4d3e2f1a0b";
const ACCOUNT = "000000000000";

const key = (more: Partial<StoredKey> = {}): StoredKey => ({
  id: ID,
  account: ACCOUNT,
  aliases: ["alias/orders"],
  active: true,
  createdMs: 0,
  sealedMaterial: [newMaterial(SEALER, ID, 1)],
  ...more,
});
const ring = (...keys: StoredKey[]): StoredKeyring => ({ version: 1, keys });
const open = (...keys: StoredKey[]): Keyring => new Keyring(ring(...keys), MASTER, SEALER);
const refusal = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => "it went well",
    (error: unknown) => (error instanceof KeyError ? error.code : String(error)),
  );

describe("a key is found by", () => {
  test.each([
    ["its ID", ID],
    ["its alias", "alias/orders"],
    ["its ARN", `arn:aws:kms:eu-west-1:${ACCOUNT}:key/${ID}`],
    ["its alias' ARN", `arn:aws:kms:us-east-1:${ACCOUNT}:alias/orders`],
    ["SQS's alias", "alias/aws/sqs"],
  ])("%s", async (_, name) => {
    const keyring = open(key());
    const { plain, wrapped } = await keyring.generate(name, ACCOUNT);
    expect(plain.byteLength).toBe(32);
    expect(wrapped.includes(plain)).toBe(false);
    expect(await keyring.unwrap(wrapped)).toEqual(plain);
  });

  test.each(["alias/other", "orders", "1f1e2d3c-4b5a-4978-8a6b-5c4d3e2f1a0b", ""])(
    "no other name: %j",
    async (name) => {
      expect(await refusal(open(key()).generate(name, ACCOUNT))).toBe("KmsNotFound");
    },
  );

  test("nobody of another account who does not name it", async () => {
    expect(await refusal(open(key()).generate("alias/orders", "111111111111"))).toBe("KmsNotFound");
  });
});

test("SQS's own key is there after a restart, for each account another one, and needs the master key", async () => {
  const { plain, wrapped } = await open().generate("alias/aws/sqs", ACCOUNT);
  expect(await open().unwrap(wrapped)).toEqual(plain);
  const other = await open().generate("alias/aws/sqs", "111111111111");
  expect(other.wrapped.subarray(2, 18)).not.toEqual(wrapped.subarray(2, 18));
  const elsewhere = new Keyring(ring(), Buffer.alloc(32, 8), SEALER);
  expect(await refusal(elsewhere.unwrap(wrapped))).toBe("KmsInvalidState");
});

test("a rotated key wraps with new material and unwraps with all it had", async () => {
  const old = key();
  const before = await open(old).generate(ID, ACCOUNT);
  const rotated = open({ ...old, sealedMaterial: [...old.sealedMaterial, newMaterial(SEALER, ID, 2)] });
  const after = await rotated.generate(ID, ACCOUNT);
  expect(await rotated.unwrap(before.wrapped)).toEqual(before.plain);
  expect(await rotated.unwrap(after.wrapped)).toEqual(after.plain);
  expect(await refusal(open(old).unwrap(after.wrapped))).toBe("KmsInvalidState");
});

test("a disabled key neither wraps nor unwraps, until it is enabled; a deleted one is not there", async () => {
  const stored = key();
  const { plain, wrapped } = await open(stored).generate(ID, ACCOUNT);
  const disabled = open({ ...stored, active: false });
  expect(await refusal(disabled.generate(ID, ACCOUNT))).toBe("KmsDisabled");
  expect(await refusal(disabled.unwrap(wrapped))).toBe("KmsDisabled");
  expect(await open(stored).unwrap(wrapped)).toEqual(plain);
  expect(await refusal(open().unwrap(wrapped))).toBe("KmsAccessDenied");
});

test("a wrapped data key of which any bit was changed is none", async () => {
  const keyring = open(key());
  const { wrapped } = await keyring.generate(ID, ACCOUNT);
  for (let at = 0; at < wrapped.byteLength; at++) {
    const changed = Buffer.from(wrapped);
    changed[at] = (changed[at] as number) ^ (1 << (at % 8));
    expect(await refusal(keyring.unwrap(changed))).toMatch(/^Kms(InvalidState|AccessDenied)$/);
  }
  expect(await refusal(keyring.unwrap(wrapped.subarray(1)))).toBe("KmsInvalidState");
});

test.each([
  ["another master key", () => open(key({ sealedMaterial: [newMaterial(keyringSealer(Buffer.alloc(32)), ID, 1)] }))],
  ["material in another's place", () => open(key({ sealedMaterial: [newMaterial(SEALER, ID, 2)] }))],
  ["no material", () => open(key({ sealedMaterial: [] }))],
  ["one ID twice", () => open(key(), key({ aliases: [] }))],
  [
    "one alias twice",
    () => {
      const id = "1f1e2d3c-4b5a-4978-8a6b-5c4d3e2f1a0b";
      return open(key(), key({ id, sealedMaterial: [newMaterial(SEALER, id, 1)] }));
    },
  ],
])("a keyring with %s is refused", (_, make) => {
  expect(make).toThrow(/key|there twice/);
});
