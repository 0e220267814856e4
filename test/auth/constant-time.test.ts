// What is compared with a secret, or with what only its holder can make, takes as long wherever it goes wrong: by the one
// function that promises so. How long it takes is not measured, which would say more of the machine than of it.
import * as crypto from "node:crypto";
import { afterEach, expect, test, vi } from "vitest";
import { checkSignature, readClaim, type SignedRequest, signingKey } from "../../src/auth/sigv4.ts";

vi.mock("node:crypto", async (original) => {
  const actual = await original<typeof crypto>();
  return { ...actual, timingSafeEqual: vi.fn(actual.timingSafeEqual) };
});
const compared = vi.mocked(crypto.timingSafeEqual);
afterEach(() => compared.mockClear());

const SECRET = "secret";
const SCOPE = "AKIDEXAMPLE/20150830/us-east-1/sqs/aws4_request";

function requestWith(signature: string): SignedRequest {
  const headers: Readonly<Record<string, string>> = {
    host: "h",
    "x-amz-date": "20150830T123600Z",
    authorization: `AWS4-HMAC-SHA256 Credential=${SCOPE}, SignedHeaders=host;x-amz-date, Signature=${signature}`,
  };
  return { method: "POST", path: "/", query: "", body: Buffer.from("x"), header: (name) => headers[name] ?? "" };
}

function check(signature: string): string | undefined {
  const request = requestWith(signature);
  const claim = readClaim(request);
  if (claim === undefined || "refused" in claim) throw new Error("it claims something");
  return checkSignature(request, claim, signingKey(SECRET, claim))?.text;
}

test("a signature is compared whole, wherever it goes wrong", () => {
  check("0".repeat(64));
  const right = Buffer.from(compared.mock.calls[0]?.[1] as Uint8Array).toString("latin1");
  expect(right).toMatch(/^[0-9a-f]{64}$/);
  compared.mockClear();
  expect(check(right)).toBeUndefined();
  const other = (digit: string) => (digit === "0" ? "1" : "0");
  for (let i = 0; i < 64; i++) {
    const wrong = right.slice(0, i) + other(right[i] ?? "") + right.slice(i + 1);
    expect(check(wrong)).toMatch(/does not match/);
  }
  expect(compared).toHaveBeenCalledTimes(65);
  for (const [given, expected] of compared.mock.calls) {
    expect([given.byteLength, expected.byteLength]).toEqual([64, 64]);
  }
});

test.each(["", "0", "0".repeat(63), "0".repeat(65), "é".repeat(64), "\u0130".repeat(64)])(
  "one that cannot be a signature is refused without a look at the right one: %s",
  (signature) => {
    const request = requestWith(signature);
    const claim = readClaim(request);
    if (claim !== undefined && !("refused" in claim)) {
      expect(checkSignature(request, claim, signingKey(SECRET, claim))?.text).toMatch(/does not match/);
    }
    for (const [given, expected] of compared.mock.calls) expect(given.byteLength).toBe(expected.byteLength);
  },
);
