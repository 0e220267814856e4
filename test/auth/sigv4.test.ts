// Signatures, held against the ones that Amazon has published, and against the signer that its SDK uses.
import { createHash, createHmac } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Claim,
  checkScope,
  checkSignature,
  readClaim,
  type SignedRequest,
  signingKey,
} from "../../src/auth/sigv4.ts";

const SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const NOW_MS = Date.parse("2015-08-30T12:36:00Z");

function requestOf(
  method: string,
  target: string,
  headers: Readonly<Record<string, string>>,
  body = "",
): SignedRequest {
  const [path = "", query = ""] = target.split("?");
  return { method, path, query, body: Buffer.from(body), header: (name) => headers[name] ?? "" };
}

function claimOf(request: SignedRequest): Claim {
  const claim = readClaim(request);
  if (claim === undefined || "refused" in claim) throw new Error(`no claim: ${JSON.stringify(claim)}`);
  return claim;
}

function verify(request: SignedRequest, nowMs = NOW_MS): string | undefined {
  const claim = claimOf(request);
  return (checkScope(claim, claim.service, nowMs) ?? checkSignature(request, claim, signingKey(SECRET, claim)))?.text;
}

describe("the published examples", () => {
  const sign = (signed: string, signature: string) =>
    `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=${signed}, Signature=${signature}`;
  const base = { host: "example.amazonaws.com", "x-amz-date": "20150830T123600Z" };
  test.each([
    [
      "a plain GET",
      "GET",
      "/",
      base,
      "host;x-amz-date",
      "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ],
    [
      "a plain POST",
      "POST",
      "/",
      base,
      "host;x-amz-date",
      "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    ],
    [
      "parameters in another order",
      "GET",
      "/?Param2=value2&Param1=value1",
      base,
      "host;x-amz-date",
      "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ],
    [
      "values with space around them and inside",
      "GET",
      "/",
      { ...base, "my-header1": " value1", "my-header2": ' "a   b   c"' },
      "host;my-header1;my-header2;x-amz-date",
      "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ],
  ])("%s", (_what, method, target, headers, signed, signature) => {
    const request = requestOf(method, target, { ...headers, authorization: sign(signed, signature) });
    expect(verify(request)).toBeUndefined();
  });

  test("the key of a day, a region and a service", () => {
    const key = signingKey(SECRET, { day: "20150830", region: "us-east-1", service: "iam" });
    expect(key.toString("hex")).toBe("c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
  });
});

class Sha256 {
  readonly #hash;
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash("sha256") : createHmac("sha256", secret as Uint8Array);
  }
  update(data: Uint8Array): void {
    this.#hash.update(data);
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }
  reset(): void {}
}

const signer = new SignatureV4({
  credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: SECRET },
  region: "eu-west-1",
  service: "sqs",
  sha256: Sha256,
});

const text = fc.string({ unit: "grapheme", maxLength: 20 });
const requests = fc.record({
  method: fc.constantFrom("GET", "POST"),
  path: fc.array(
    fc.string({ minLength: 1, maxLength: 8 }).map((part) => part.replace(/[/?#%]/g, "x")),
    { maxLength: 3 },
  ),
  query: fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), text, { maxKeys: 4 }),
  extra: fc.dictionary(fc.stringMatching(/^x-amz-[a-z]{1,8}$/), fc.stringMatching(/^[ -~]{0,20}$/), { maxKeys: 3 }),
  body: text,
});

describe("what the SDK's signer signs", () => {
  const encode = (each: string) =>
    encodeURIComponent(each).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

  test("is found right, and wrong when anything of it is changed", async () => {
    await fc.assert(
      fc.asyncProperty(requests, fc.nat(5), async ({ method, path, query, extra, body }, change) => {
        const rawPath = `/${path.map(encode).join("/")}`;
        const signed = await signer.sign(
          {
            method,
            protocol: "http:",
            hostname: "localhost",
            path: rawPath,
            query,
            headers: { host: "localhost:9324", ...extra },
            body,
          },
          { signingDate: new Date(NOW_MS) },
        );
        const rawQuery = Object.entries(query)
          .map(([name, value]) => `${encode(name)}=${encode(value)}`)
          .join("&");
        const request = requestOf(method, `${rawPath}?${rawQuery}`, signed.headers, body);
        expect(verify(request)).toBeUndefined();
        const changed: SignedRequest[] = [
          { ...request, body: Buffer.from(`${body}.`) },
          { ...request, method: method === "GET" ? "POST" : "GET" },
          { ...request, path: `${rawPath}/x` },
          { ...request, query: `${rawQuery}&more=1` },
          { ...request, header: (name) => (name === "host" ? "elsewhere" : request.header(name)) },
          { ...request, header: (name) => (name === "x-amz-date" ? "20150830T123601Z" : request.header(name)) },
        ];
        expect(verify(changed[change] as SignedRequest)).toMatch(/does not match|Date in Credential/);
      }),
      { numRuns: 500 },
    );
  });

  test("is good in a URL, for as long as that says", async () => {
    const presigned = await signer.presign(
      {
        method: "GET",
        protocol: "http:",
        hostname: "localhost",
        path: "/1/q",
        query: { Action: "ReceiveMessage" },
        headers: { host: "localhost:9324" },
      },
      { signingDate: new Date(NOW_MS), expiresIn: 60 },
    );
    const query = Object.entries(presigned.query ?? {})
      .map(([name, value]) => `${encode(name)}=${encode(String(value))}`)
      .join("&");
    const request = requestOf("GET", `/1/q?${query}`, { host: "localhost:9324" });
    expect(verify(request, NOW_MS + 60_000)).toBeUndefined();
    expect(verify(request, NOW_MS + 61_000)).toMatch(
      /^Signature expired: 20150830T123700Z is now earlier than 20150830T123701Z/,
    );
    expect(verify({ ...request, query: query.replace("ReceiveMessage", "PurgeQueue") })).toMatch(/does not match/);
  });
});

describe("what is refused", () => {
  const good = { host: "h", "x-amz-date": "20150830T123600Z" };
  const authorization = (fields: string) =>
    requestOf("POST", "/", { ...good, authorization: `AWS4-HMAC-SHA256 ${fields}` });
  const scope = "AKIDEXAMPLE/20150830/us-east-1/sqs/aws4_request";

  test.each([
    ["another scheme", requestOf("POST", "/", { authorization: "Basic eDp4" }), /Unsupported AWS 'algorithm': 'Basic'/],
    ["nothing but the algorithm", authorization(""), /not a valid key=value pair|requires 'Credential' parameter/],
    [
      "no signature",
      authorization(`Credential=${scope}, SignedHeaders=host;x-amz-date`),
      /requires 'Signature' parameter/,
    ],
    [
      "a scope of too few parts",
      authorization("Credential=A/20150830/x/sqs, SignedHeaders=host;x-amz-date, Signature=a"),
      /exactly 5/,
    ],
    [
      "a field twice",
      authorization(`Credential=${scope}, Signature=a, Signature=b, SignedHeaders=host`),
      /not a valid key=value/,
    ],
    [
      "headers out of order",
      authorization(`Credential=${scope}, SignedHeaders=x-amz-date;host, Signature=a`),
      /sorted/,
    ],
    [
      "a host that is not signed",
      authorization(`Credential=${scope}, SignedHeaders=x-amz-date, Signature=a`),
      /'Host' must be/,
    ],
    [
      "a date that is not signed",
      authorization(`Credential=${scope}, SignedHeaders=host, Signature=a`),
      /must be a 'SignedHeader'/,
    ],
    [
      "no date",
      requestOf("POST", "/", {
        host: "h",
        authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=a`,
      }),
      /'X-Amz-Date' or a 'Date'/,
    ],
    ["a parameter twice", requestOf("GET", "/?X-Amz-Signature=a&X-Amz-Signature=b", {}), /twice/],
    [
      "an expiry of none",
      requestOf(
        "GET",
        `/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${scope}&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Signature=a`,
        {},
      ),
      /X-Amz-Expires/,
    ],
  ])("%s", (_what, request, message) => {
    const claim = readClaim(request);
    expect(claim).toMatchObject({ text: expect.stringMatching(message) });
  });

  test("dates too far from ours, either way, to the second", () => {
    const claim = claimOf(authorization(`Credential=${scope}, SignedHeaders=host;x-amz-date, Signature=a`));
    const check = (offsetMs: number) => checkScope(claim, "sqs", NOW_MS + offsetMs)?.text;
    expect(check(900_000)).toBeUndefined();
    expect(check(901_000)).toBe(
      "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T125101Z - 15 min.)",
    );
    expect(check(-900_000)).toBeUndefined();
    expect(check(-901_000)).toBe(
      "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T122059Z + 15 min.)",
    );
  });

  test("a scope of another service or day", () => {
    const claim = claimOf(authorization(`Credential=${scope}, SignedHeaders=host;x-amz-date, Signature=a`));
    expect(checkScope({ ...claim, service: "s3" }, "sqs", NOW_MS)?.text).toMatch(/correct service: 'sqs'/);
    expect(checkScope({ ...claim, day: "20150831" }, "sqs", NOW_MS)?.text).toMatch(/Date in Credential scope/);
  });

  test("a target that is not signed: it says what the request is for", () => {
    const fields = `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host;x-amz-date, Signature=a`;
    const request = requestOf("POST", "/", { ...good, "x-amz-target": "AmazonSQS.PurgeQueue", authorization: fields });
    expect(readClaim(request)).toMatchObject({
      text: "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization.",
    });
  });

  test("a body that is not signed", () => {
    const headers = { ...good, "x-amz-content-sha256": "UNSIGNED-PAYLOAD" };
    const unsigned = requestOf("POST", "/", {
      ...headers,
      authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=a`,
    });
    const claim = claimOf(unsigned);
    expect(checkSignature(unsigned, claim, signingKey(SECRET, claim))?.text).toMatch(/must be signed/);
  });

  test("what is kept of one request's header is its own for none of the next", () => {
    const fields = `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host;x-amz-date, Signature=`;
    const read = (signature: string, more: Readonly<Record<string, string>> = {}) =>
      readClaim(requestOf("POST", "/", { ...good, authorization: `${fields}${signature}`, ...more }));
    const first = read("a".repeat(64));
    expect(read("a".repeat(64))).toEqual(first);
    expect(read("b".repeat(64))).toEqual({ ...first, signature: "b".repeat(64) });
    const later = { "x-amz-date": "20150830T123601Z" };
    expect(read("c".repeat(64), later)).toMatchObject({ date: "20150830T123601Z", atMs: NOW_MS + 1_000 });
    expect(read("c".repeat(64), { "x-amz-date": "20151330T123601Z" })).toMatchObject({
      text: expect.stringContaining("ISO-8601"),
    });
    expect(read("c".repeat(64), { "x-amz-date": "" })).toMatchObject({
      text: expect.stringContaining("requires existence of either"),
    });
    expect(read("c".repeat(64), { "x-amz-security-token": "t" })).toMatchObject({
      text: expect.stringContaining("must be a 'SignedHeader'"),
    });
    expect(read("c".repeat(64), { "x-amz-target": "t" })).toMatchObject({
      text: expect.stringContaining("must be a 'SignedHeader'"),
    });
    // A signature that would be more than one field cannot be right, whichever way it is read.
    const smuggled = read(`${"d".repeat(30)},Credential=${"e".repeat(22)}`);
    expect(smuggled).toMatchObject({ signature: expect.stringContaining(",Credential=") });
  });

  test("any text whatever, without a crash", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (header, query) => {
        readClaim(requestOf("POST", `/?${query}`, { ...good, authorization: `AWS4-HMAC-SHA256 ${header}` }));
        readClaim(requestOf("GET", `/?X-Amz-Algorithm=${query}`, good));
      }),
      { numRuns: 2000 },
    );
  });
});
