// The client of a KMS that speaks AWS's API: what it asks, and what becomes of each way not to be answered.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { AwsKms, queueArnOf } from "../../src/keys/aws-kms.ts";
import { KeyManagements, type KeyUse } from "../../src/keys/managements.ts";
import { KeyError, type KeyProvider } from "../../src/keys/provider.ts";
import { KmsProxy } from "../support/kms-proxy.ts";

const ARN = "arn:aws:sqs:us-east-1:000000000000:orders";
const NOBODY: KeyProvider = {
  generate: () => Promise.reject(new KeyError("KmsNotFound", "no keyring here")),
  unwrap: () => Promise.reject(new KeyError("KmsNotFound", "no keyring here")),
};

let kms: KmsProxy;
let keys: AwsKms;

beforeEach(async () => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", "x");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "y");
  kms = await KmsProxy.start();
  keys = await AwsKms.load({ endpoint: kms.endpoint, region: "us-east-1" });
});

afterEach(async () => {
  vi.unstubAllEnvs();
  keys.close();
  await kms.stop();
});

async function refusal(asked: Promise<unknown>): Promise<{ code: string; text: string }> {
  const error = await asked.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof KeyError)) throw new Error(`no KeyError, but ${error}`);
  return { code: error.code, text: error.message };
}

/** As `generate` lays it out. */
function wrappedFor(arn: string, ciphertext: string): Buffer {
  const head = Buffer.from([2, 1, 0, 0]);
  head.writeUInt16LE(arn.length, 2);
  return Buffer.concat([head, Buffer.from(arn), Buffer.from(ciphertext)]);
}

describe("what the KMS refuses with is SQS's error for it", () => {
  test.each([
    ["AccessDeniedException", 400, "KmsAccessDenied"],
    ["DisabledException", 400, "KmsDisabled"],
    ["InvalidKeyUsageException", 400, "KmsInvalidKeyUsage"],
    ["KMSInvalidStateException", 400, "KmsInvalidState"],
    ["InvalidCiphertextException", 400, "KmsInvalidState"],
    ["NotFoundException", 400, "KmsNotFound"],
    ["ValidationException", 400, "KmsNotFound"],
    ["OptInRequired", 403, "KmsOptInRequired"],
    ["ThrottlingException", 400, "KmsThrottled"],
    ["SlowDown", 429, "KmsThrottled"],
    ["UnrecognizedClientException", 400, "KmsAccessDenied"],
    ["SomethingNew", 400, "KmsAccessDenied"],
    ["KMSInternalException", 500, "ServiceUnavailableException"],
    ["DependencyTimeoutException", 503, "ServiceUnavailableException"],
  ])("%s (%i)", async (type, status, code) => {
    kms.refusal = { status, type, message: "The key says no." };
    const asked = await refusal(keys.generate("alias/orders", "000000000000", ARN));
    expect(asked.code).toBe(code);
    if (code.startsWith("Kms")) {
      const service = `(Service: AWSKMS; Status Code: ${status}; Error Code: ${type}`;
      expect(asked.text).toContain(`The key says no. ${service}`);
    }
    expect((await refusal(keys.unwrap(wrappedFor(ARN, "sealed")))).code).toBe(code);
    expect(kms.asked().length).toBeLessThanOrEqual(4); // twice each, at most
  });
});

test("it is asked with the queue's ARN as the encryption context, which the wrapped data key keeps", async () => {
  kms.refusal = { status: 400, type: "DisabledException", message: "" };
  await refusal(keys.generate("alias/orders", "000000000000", ARN));
  await refusal(keys.unwrap(wrappedFor(ARN, "sealed")));
  expect(kms.bodies.map((body) => JSON.parse(body))).toEqual([
    { KeyId: "alias/orders", KeySpec: "AES_256", EncryptionContext: { "aws:sqs:arn": ARN } },
    { CiphertextBlob: Buffer.from("sealed").toString("base64"), EncryptionContext: { "aws:sqs:arn": ARN } },
  ]);
  expect(queueArnOf(wrappedFor(ARN, "sealed"))).toBe(ARN);
});

test.each([
  ["nothing", ""],
  ["a head alone", "02010500"],
  ["a context and no ciphertext", "0201020061 62".replace(" ", "")],
  ["another version", "0202000061"],
])("a wrapped data key that is %s is asked nobody for", async (_, hex) => {
  expect((await refusal(keys.unwrap(Buffer.from(hex, "hex")))).code).toBe("KmsInvalidState");
  expect(kms.asked()).toEqual([]);
});

test("nobody listens, the line is cut, nobody answers: clients try again", { timeout: 20_000 }, async () => {
  kms.isCut = true;
  expect((await refusal(keys.unwrap(wrappedFor(ARN, "sealed")))).code).toBe("ServiceUnavailableException");
  kms.isCut = false;
  kms.isSilent = true;
  expect((await refusal(keys.unwrap(wrappedFor(ARN, "sealed")))).code).toBe("ServiceUnavailableException");
  await kms.stop();
  const down = await refusal(keys.unwrap(wrappedFor(ARN, "sealed")));
  expect(down).toEqual({
    code: "ServiceUnavailableException",
    text: "The key management does not answer as it should: ECONNREFUSED",
  });
});

test("without credentials it says so", async () => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", undefined);
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", undefined);
  vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent");
  vi.stubEnv("AWS_CONFIG_FILE", "/nonexistent");
  const bare = await AwsKms.load({ endpoint: kms.endpoint, region: "us-east-1" });
  const asked = await refusal(bare.generate("alias/orders", "000000000000", ARN));
  expect(asked.code).toBe("KmsAccessDenied");
  expect(asked.text).toContain("There are no credentials for the key management");
  bare.close();
});

test("each key management unwraps what it has wrapped, and every use is told", async () => {
  const uses: KeyUse[] = [];
  kms.refusal = { status: 400, type: "DisabledException", message: "" };
  const both = new KeyManagements(NOBODY, keys, (use) => uses.push(use));
  const local = new KeyManagements(NOBODY, undefined, (use) => uses.push(use));
  const byKeyring = Buffer.alloc(82, 1);
  expect((await refusal(both.generate("alias/orders", "000000000000", ARN))).code).toBe("KmsDisabled");
  expect((await refusal(both.unwrap(byKeyring))).text).toBe("no keyring here");
  expect((await refusal(both.unwrap(wrappedFor(ARN, "sealed")))).code).toBe("KmsDisabled");
  expect((await refusal(local.unwrap(wrappedFor(ARN, "sealed")))).text).toContain("without --kms aws");
  expect((await refusal(local.generate("alias/orders", "000000000000", ARN))).text).toBe("no keyring here");
  expect(uses.map(({ action, key, resource, code }) => [action, key, resource, code])).toEqual([
    ["GenerateDataKey", "alias/orders", ARN, "KmsDisabled"],
    ["Decrypt", "01010101-0101-0101-0101-010101010101", "", "KmsNotFound"],
    ["Decrypt", "", ARN, "KmsDisabled"],
    ["Decrypt", "", ARN, "KmsInvalidState"],
    ["GenerateDataKey", "alias/orders", ARN, "KmsNotFound"],
  ]);
});
