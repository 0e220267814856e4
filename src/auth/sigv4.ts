// AWS Signature Version 4, as a server sees it: what a request claims, and whether its signature bears that out. Pure: the
// instant and the secret are arguments.
//
//   signature = HMAC(key, "AWS4-HMAC-SHA256" \n date \n scope \n hash(canonical request))
//   key       = HMAC(HMAC(HMAC(HMAC("AWS4" + secret, day), region), service), "aws4_request")
//   scope     = day/region/service/aws4_request
//
// The canonical request is made of the very bytes that came: method, path, query, the headers that are signed, the
// body's hash. What is not signed is not trusted: `host` and the date must be among the signed headers.
import { createHmac, hash, timingSafeEqual } from "node:crypto";
import { Kept } from "./kept.ts";

const ALGORITHM = "AWS4-HMAC-SHA256";
const TERMINATOR = "aws4_request";
/** How far a request's date may be from ours. */
const SKEW_MS = 15 * 60_000;
const EXPIRES_SECONDS_MAX = 604_800; // of a presigned request
const SIGNED_HEADER_COUNT_MAX = 64;
const AUTHORIZATION_LENGTH_MAX = 4096;
const UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD";

/** A request as it came: nothing decoded, nothing trimmed. */
export interface SignedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string; // without "?"
  readonly body: Uint8Array;
  /** @param name lower case. @returns the value, values of a header that came twice joined by ","; "" when there is none */
  header(name: string): string;
}

/** What a request says of itself. Nothing of it is true before `isSignatureRight` says so. */
export interface Claim {
  readonly accessKeyId: string;
  readonly day: string; // YYYYMMDD
  readonly region: string;
  readonly service: string;
  readonly date: string; // YYYYMMDDTHHMMSSZ
  readonly atMs: number; // the same
  readonly signedHeaders: readonly string[];
  readonly signature: string; // 64 hex digits
  readonly sessionToken: string | undefined;
  /** Of a presigned request: how long after its date it is good; undefined: signed in a header. */
  readonly expiresSeconds: number | undefined;
}

/** The codes are those of the service's catalogue. */
export type Refusal =
  | "IncompleteSignatureException"
  | "InvalidSignatureException"
  | "UnrecognizedClientException"
  | "ExpiredTokenException";

export interface Refused {
  readonly refused: Refusal;
  readonly text: string;
}

export const WRONG_SIGNATURE =
  "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";

/** @returns undefined when the request claims nothing: it is anonymous */
export function readClaim(request: SignedRequest): Claim | Refused | undefined {
  const authorization = request.header("authorization");
  if (authorization !== "") return withSignedHeaders(request, readHeader(request, authorization));
  if (/(?:^|&)X-Amz-(?:Algorithm|Credential|Signature)=/.test(request.query)) {
    return withSignedHeaders(request, readQuery(request));
  }
  return undefined;
}

/** Headers that change what a request means: whoever sends one has signed it. */
const SIGNED_IF_PRESENT = ["x-amz-target", "x-amz-security-token", "x-amz-content-sha256"];

function withSignedHeaders(request: SignedRequest, claim: Claim | Refused): Claim | Refused {
  if ("refused" in claim) return claim;
  const unsigned = SIGNED_IF_PRESENT.find((name) => request.header(name) !== "" && !claim.signedHeaders.includes(name));
  return unsigned === undefined ? claim : wrong(`'${unsigned}' must be a 'SignedHeader' in the AWS Authorization.`);
}

function incomplete(text: string): Refused {
  return { refused: "IncompleteSignatureException", text };
}

/** What of a header is the same in every request of a client on one day: all but its signature, if that comes last. */
type Constant = Pick<Claim, "accessKeyId" | "day" | "region" | "service" | "signedHeaders">;
const constants = new Kept<string, Constant>(1_000);
const SIGNATURE_LENGTH = 64;

function readHeader(request: SignedRequest, authorization: string): Claim | Refused {
  const front = authorization.slice(0, -SIGNATURE_LENGTH);
  const known = front.endsWith("Signature=") ? constants.get(front) : undefined;
  if (known === undefined) {
    const claim = parseHeader(request, authorization);
    if ("refused" in claim || !front.endsWith("Signature=")) return claim;
    const { accessKeyId, day, region, service, signedHeaders } = claim;
    constants.set(front, { accessKeyId, day, region, service, signedHeaders });
    return claim;
  }
  const date = request.header("x-amz-date");
  const atMs = instantOf(date);
  if (Number.isNaN(atMs)) return parseHeader(request, authorization); // says what is wrong with it
  const token = request.header("x-amz-security-token");
  const signature = authorization.slice(-SIGNATURE_LENGTH);
  const sessionToken = token === "" ? undefined : token;
  return { ...known, date, atMs, signature, sessionToken, expiresSeconds: undefined };
}

function parseHeader(request: SignedRequest, authorization: string): Claim | Refused {
  if (authorization.length > AUTHORIZATION_LENGTH_MAX) return incomplete("Authorization header is too long.");
  if (!authorization.startsWith(`${ALGORITHM} `)) {
    return incomplete(`Unsupported AWS 'algorithm': '${authorization.split(" ", 1)[0]}'.`);
  }
  const fields = new Map<string, string>();
  for (const field of authorization.slice(ALGORITHM.length + 1).split(",")) {
    const equals = field.indexOf("=");
    const name = field.slice(0, equals).trim();
    if (equals === -1 || fields.has(name)) return incomplete(`'${field.trim()}' not a valid key=value pair.`);
    fields.set(name, field.slice(equals + 1).trim());
  }
  const missing: string[] = [];
  const field = (name: string): string => {
    const value = fields.get(name) ?? "";
    if (value === "") missing.push(`Authorization header requires '${name}' parameter.`);
    return value;
  };
  const credential = field("Credential");
  const signature = field("Signature");
  const signedHeaders = field("SignedHeaders");
  const date = request.header("x-amz-date") || compactDate(request.header("date"));
  if (date === "") {
    missing.push("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
  }
  if (missing.length > 0) return incomplete(`${missing.join(" ")} Authorization=${withoutSignature(authorization)}`);
  const token = request.header("x-amz-security-token");
  return claimOf({ credential, signature, signedHeaders, date, token, expires: undefined });
}

/** Errors quote the header; a signature is nobody's business but its sender's. */
function withoutSignature(authorization: string): string {
  return authorization.replace(/Signature=[^,\s]*/, "Signature=...");
}

/** An HTTP date as X-Amz-Date has it; "" for what is none. */
function compactDate(text: string): string {
  const ms = text === "" ? Number.NaN : Date.parse(text);
  return Number.isNaN(ms) ? "" : compact(ms);
}

function compact(ms: number): string {
  return new Date(ms).toISOString().replaceAll(/[-:]|\.\d{3}/g, "");
}

function readQuery(request: SignedRequest): Claim | Refused {
  const parameters = new Map<string, string>();
  for (const [name, value] of decodedPairs(request.query)) {
    if (!name.startsWith("X-Amz-")) continue;
    if (parameters.has(name)) return incomplete(`The query string has '${name}' twice.`);
    parameters.set(name, value);
  }
  const missing: string[] = [];
  const parameter = (name: string): string => {
    const value = parameters.get(name) ?? "";
    if (value === "") missing.push(`AWS query-string parameters must include '${name}'.`);
    return value;
  };
  const algorithm = parameter("X-Amz-Algorithm");
  const credential = parameter("X-Amz-Credential");
  const signature = parameter("X-Amz-Signature");
  const signedHeaders = parameter("X-Amz-SignedHeaders");
  const date = parameter("X-Amz-Date");
  if (missing.length > 0) return incomplete(missing.join(" "));
  if (algorithm !== ALGORITHM) return incomplete(`Unsupported AWS 'algorithm': '${algorithm}'.`);
  const expires = parameters.get("X-Amz-Expires") ?? "";
  const expiresSeconds = /^\d{1,6}$/.test(expires) ? Number(expires) : 0;
  if (expiresSeconds < 1 || expiresSeconds > EXPIRES_SECONDS_MAX) {
    return incomplete(`X-Amz-Expires must be a number from 1 to ${EXPIRES_SECONDS_MAX} seconds.`);
  }
  const token = parameters.get("X-Amz-Security-Token") ?? request.header("x-amz-security-token");
  return claimOf({ credential, signature, signedHeaders, date, token, expires: expiresSeconds });
}

function claimOf(parts: {
  credential: string;
  signature: string;
  signedHeaders: string;
  date: string;
  token: string;
  expires: number | undefined;
}): Claim | Refused {
  const { credential, date } = parts;
  const [accessKeyId = "", day = "", region = "", service = "", terminator, ...rest] = credential.split("/");
  if (accessKeyId === "" || day === "" || region === "" || terminator !== TERMINATOR || rest.length > 0) {
    return incomplete(
      `Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '${credential}'`,
    );
  }
  const atMs = instantOf(date);
  if (Number.isNaN(atMs)) {
    return incomplete(
      `Date must be in ISO-8601 'basic format'. Got '${date}'. See http://en.wikipedia.org/wiki/ISO_8601`,
    );
  }
  const signedHeaders = parts.signedHeaders.split(";", SIGNED_HEADER_COUNT_MAX + 1);
  const isSorted = signedHeaders.every((name, i) => i === 0 || (signedHeaders[i - 1] as string) < name);
  if (signedHeaders.length > SIGNED_HEADER_COUNT_MAX || !isSorted || !signedHeaders.every(isHeaderName)) {
    return incomplete("SignedHeaders must be names of headers in lower case, sorted, each of them once.");
  }
  if (!signedHeaders.includes("host")) return wrong("'Host' must be a 'SignedHeader' in the AWS Authorization.");
  const isPresigned = parts.expires !== undefined;
  if (!isPresigned && !signedHeaders.includes("x-amz-date") && !signedHeaders.includes("date")) {
    return wrong("'X-Amz-Date' or 'Date' must be a 'SignedHeader' in the AWS Authorization.");
  }
  return {
    accessKeyId,
    day,
    region,
    service,
    date,
    atMs,
    signedHeaders,
    signature: parts.signature,
    sessionToken: parts.token === "" ? undefined : parts.token,
    expiresSeconds: parts.expires,
  };
}

function isHeaderName(name: string): boolean {
  return /^[a-z0-9!#$%&'*+.^_`|~-]{1,128}$/.test(name);
}

function wrong(text: string): Refused {
  return { refused: "InvalidSignatureException", text };
}

const instants = new Kept<string, number>(1_000); // requests of one second have one date

/** @returns NaN for what is no date as X-Amz-Date has it */
function instantOf(date: string): number {
  const known = instants.get(date);
  if (known !== undefined) return known;
  const [, y, m, d, h, min, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date) ?? [];
  const ms = Date.parse(`${y}-${m}-${d}T${h}:${min}:${s}Z`);
  if (!Number.isNaN(ms)) instants.set(date, ms);
  return ms;
}

/** Whether the request's date and scope are of now and of here. @returns undefined when they are */
export function checkScope(claim: Claim, wanted: string, nowMs: number): Refused | undefined {
  const { day, date, atMs, service, expiresSeconds } = claim;
  if (day !== date.slice(0, 8)) {
    return wrong(
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${day}' != '${date.slice(0, 8)}', from '${date}'.`,
    );
  }
  if (service !== wanted) {
    return wrong(`Credential should be scoped to correct service: '${wanted}'.`);
  }
  if (!/^[a-z0-9-]{1,64}$/.test(claim.region)) return wrong("Credential should be scoped to a valid region.");
  if (atMs > nowMs + SKEW_MS) {
    const latest = compact(nowMs + SKEW_MS);
    return wrong(`Signature not yet current: ${date} is still later than ${latest} (${compact(nowMs)} + 15 min.)`);
  }
  if (expiresSeconds !== undefined) {
    const ends = atMs + expiresSeconds * 1000;
    return ends < nowMs
      ? wrong(`Signature expired: ${compact(ends)} is now earlier than ${compact(nowMs)}`)
      : undefined;
  }
  if (atMs < nowMs - SKEW_MS) {
    const earliest = compact(nowMs - SKEW_MS);
    return wrong(`Signature expired: ${date} is now earlier than ${earliest} (${compact(nowMs)} - 15 min.)`);
  }
  return undefined;
}

/** The key that signs for one day, region and service. */
export function signingKey(
  secret: string,
  { day, region, service }: Pick<Claim, "day" | "region" | "service">,
): Buffer {
  let key: Buffer = Buffer.from(`AWS4${secret}`);
  for (const step of [day, region, service, TERMINATOR]) key = createHmac("sha256", key).update(step).digest();
  return key;
}

/** Compared in constant time. @returns undefined when the signature is the right one */
export function checkSignature(request: SignedRequest, claim: Claim, key: Buffer): Refused | undefined {
  const payload = request.header("x-amz-content-sha256");
  const bodyHash = hash("sha256", request.body, "hex");
  if (payload === UNSIGNED_PAYLOAD) return wrong("The body must be signed: UNSIGNED-PAYLOAD is not for this service.");
  if (payload !== "" && payload !== bodyHash) {
    return wrong("The provided 'x-amz-content-sha256' header does not match what was computed.");
  }
  const expected = signatureOf(request, claim, key, bodyHash);
  const given = Buffer.from(claim.signature, "latin1");
  const right = given.byteLength === expected.byteLength && timingSafeEqual(given, expected);
  return right ? undefined : wrong(WRONG_SIGNATURE);
}

function signatureOf(request: SignedRequest, claim: Claim, key: Buffer, bodyHash: string): Buffer {
  const { day, region, service, date } = claim;
  const canonical = hash("sha256", canonicalRequest(request, claim, bodyHash), "hex");
  const text = `${ALGORITHM}\n${date}\n${day}/${region}/${service}/${TERMINATOR}\n${canonical}`;
  return Buffer.from(createHmac("sha256", key).update(text).digest("hex"), "latin1");
}

export function canonicalRequest(request: SignedRequest, claim: Claim, bodyHash: string): string {
  let headers = "";
  for (const name of claim.signedHeaders) headers += `${name}:${trimmed(request.header(name))}\n`;
  const query = canonicalQuery(request.query);
  return `${request.method}\n${canonicalPath(request.path)}\n${query}\n${headers}\n${claim.signedHeaders.join(";")}\n${bodyHash}`;
}

/** Without space around it, and one for each run of it inside. */
function trimmed(value: string): string {
  const ends = value.trim();
  return ends.includes("  ") ? ends.replaceAll(/ {2,}/g, " ") : ends;
}

/** The path as it came, normalised, and percent-encoded once more. */
export function canonicalPath(path: string): string {
  if (path === "/" || path === "") return "/";
  const segments: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "..") segments.pop();
    else if (segment !== "." && segment !== "") segments.push(encode(segment));
  }
  const end = segments.length > 0 && path.endsWith("/") ? "/" : "";
  return `/${segments.join("/")}${end}`;
}

function canonicalQuery(query: string): string {
  if (query === "") return "";
  const pairs: string[] = [];
  for (const [name, value] of decodedPairs(query)) {
    if (name !== "X-Amz-Signature") pairs.push(`${encode(name)}=${encode(value)}`);
  }
  // By name, then by value; both are ASCII by now, and "=" must not take part.
  return pairs
    .map((pair) => pair.split("=") as [string, string])
    .sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0))
    .map((pair) => pair.join("="))
    .join("&");
}

function* decodedPairs(query: string): Generator<[name: string, value: string]> {
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = equals === -1 ? pair : pair.slice(0, equals);
    yield [decode(name), equals === -1 ? "" : decode(pair.slice(equals + 1))];
  }
}

/** What cannot be decoded stays as it is: it will not match what was signed. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** RFC 3986: everything but letters, digits and -._~ */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
