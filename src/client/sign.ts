// Signs an upgrade for brokers that check keys: AWS Signature Version 4 in the query, which browsers can send as well. The
// hashes are WebCrypto's: there is nothing to load.
import { WasqError } from "./errors.ts";
import { hex } from "./message.ts";

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary ones. */
  readonly sessionToken?: string | undefined;
}

/** As much as the server allows clocks to differ: a client that is late by less comes in. */
const EXPIRES_SECONDS = "900";
const ALGORITHM = "AWS4-HMAC-SHA256";

/** @param url the stream's. @returns it with a query that says who asks, good for a quarter of an hour */
export async function presign(text: string, credentials: Credentials, region: string, nowMs: number): Promise<string> {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  if (!secretAccessKey || crypto.subtle === undefined) {
    throw new WasqError("CONNECT_FAILED", "no secretAccessKey, or no WebCrypto: a page needs HTTPS");
  }
  const url = new URL(text);
  const date = new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const scope = `${date.slice(0, 8)}/${region}/sqs/aws4_request`;
  const parameters = [
    ...url.searchParams,
    ...Object.entries({
      Algorithm: ALGORITHM,
      Credential: `${accessKeyId}/${scope}`,
      Date: date,
      Expires: EXPIRES_SECONDS,
      SignedHeaders: "host",
      ...(sessionToken && { "Security-Token": sessionToken }),
    }).map(([name, value]) => [`X-Amz-${name}`, value] as const),
  ];
  const query = parameters
    .map(([name, value]) => `${encode(name)}\0${encode(value)}`)
    .sort() // by name, then by value: "=" must not take part
    .join("&")
    .replaceAll("\0", "=");
  const path = url.pathname.split("/").map(encode).join("/");
  const canonical = ["GET", path, query, `host:${url.host}`, "", "host", await sha256("")].join("\n");
  const toSign = [ALGORITHM, date, scope, await sha256(canonical)].join("\n");
  let key = utf8(`AWS4${secretAccessKey}`);
  for (const step of [...scope.split("/"), toSign]) key = await hmac(key, step);
  url.search = `${query}&X-Amz-Signature=${hex(key)}`;
  return url.href;
}

const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

async function sha256(text: string): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", utf8(text))));
}

async function hmac(secret: Uint8Array<ArrayBuffer>, text: string): Promise<Uint8Array<ArrayBuffer>> {
  const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, utf8(text)));
}

/** RFC 3986: everything but letters, digits and -._~ */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (each) => `%${hex(utf8(each)).toUpperCase()}`);
}
