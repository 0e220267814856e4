// Requests as no client would send them: signed by hand, then changed, byte by byte if need be.
import { createHash, createHmac } from "node:crypto";
import { request } from "node:http";
import { connect } from "node:net";

export type Headers = Record<string, string>;

export interface WireKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface WireAnswer {
  readonly status: number;
  readonly text: string;
  readonly queryError: string; // x-amzn-query-error
}

export interface ToSign {
  readonly endpoint: string;
  readonly key: WireKey;
  readonly service?: string;
  readonly method?: string;
  readonly path?: string;
  readonly query?: string; // as it is signed: sorted, encoded
  readonly headers?: Headers; // that are signed, besides host, date and token
  readonly body?: string;
  readonly region?: string;
  readonly nowMs?: number; // when it is signed
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const hmac = (key: Buffer | string, text: string): Buffer => createHmac("sha256", key).update(text).digest();

/** The headers that an SDK would send. */
export function sign(toSign: ToSign): Headers {
  const { endpoint, key, service = "sqs", method = "POST", path = "/", query = "", body = "" } = toSign;
  const { headers = {}, region = "us-east-1", nowMs = Date.now() } = toSign;
  const date = new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d{3}/g, "");
  const token: Headers = key.sessionToken === undefined ? {} : { "x-amz-security-token": key.sessionToken };
  const all: Headers = { ...headers, ...token, host: new URL(endpoint).host, "x-amz-date": date };
  const names = Object.keys(all).sort();
  const lines = names.map((name) => `${name}:${all[name]}\n`).join("");
  const encodedPath = path.split("/").map(encodeURIComponent).join("/");
  const canonical = [method, encodedPath, query, lines, names.join(";"), sha256(body)].join("\n");
  const scope = `${date.slice(0, 8)}/${region}/${service}/aws4_request`;
  const start: Buffer | string = `AWS4${key.secretAccessKey}`;
  const signing = scope.split("/").reduce<Buffer | string>((each, part) => hmac(each, part), start);
  const signature = hmac(signing, ["AWS4-HMAC-SHA256", date, scope, sha256(canonical)].join("\n")).toString("hex");
  const authorization = `AWS4-HMAC-SHA256 Credential=${key.accessKeyId}/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
  return { ...all, authorization };
}

/** The query of a GET that is signed in its address. @param query of the action, sorted before X-Amz-… and encoded */
export function presign(toSign: {
  readonly endpoint: string;
  readonly key: WireKey;
  readonly nowMs: number;
  readonly expiresSeconds: number;
  readonly query: string;
}): string {
  const { endpoint, key, nowMs, expiresSeconds, query } = toSign;
  const date = new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d{3}/g, "");
  const scope = `${date.slice(0, 8)}/us-east-1/sqs/aws4_request`;
  const unsigned =
    `${query}&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${encodeURIComponent(`${key.accessKeyId}/${scope}`)}` +
    `&X-Amz-Date=${date}&X-Amz-Expires=${expiresSeconds}&X-Amz-SignedHeaders=host`;
  const canonical = ["GET", "/", unsigned, `host:${new URL(endpoint).host}\n`, "host", sha256("")].join("\n");
  const start: Buffer | string = `AWS4${key.secretAccessKey}`;
  const signing = scope.split("/").reduce<Buffer | string>((each, part) => hmac(each, part), start);
  const signature = hmac(signing, ["AWS4-HMAC-SHA256", date, scope, sha256(canonical)].join("\n")).toString("hex");
  return `${unsigned}&X-Amz-Signature=${signature}`;
}

export function send(endpoint: string, method: string, path: string, headers: Headers, body = ""): Promise<WireAnswer> {
  return new Promise((resolve, reject) => {
    const sent = request(`${endpoint}/`, { method, path, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      const queryError = String(response.headers["x-amzn-query-error"] ?? "");
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text, queryError }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** Bytes as they are. @returns all that comes until the other side closes, or says no more */
export function raw(endpoint: string, text: string): Promise<string> {
  return new Promise((resolve) => {
    let got = "";
    const socket = connect(Number(new URL(endpoint).port), "127.0.0.1", () => socket.write(text));
    socket.setTimeout(700, () => socket.destroy());
    socket.on("data", (chunk) => {
      got += chunk.toString("latin1");
    });
    socket.on("error", () => socket.destroy()).on("close", () => resolve(got));
  });
}

export function lines(headers: Headers): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");
}
