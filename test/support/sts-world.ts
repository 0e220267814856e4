// Accounts with users and roles, an STS desk and a gate in front of queues, all under one virtual clock.
import { createHash, createHmac } from "node:crypto";
import { XMLParser } from "fast-xml-parser";
import { Authenticator } from "../../src/auth/authenticate.ts";
import { Authorizer } from "../../src/auth/authorize.ts";
import { Identities, type StoredIdentities, type StoredRole, type StoredUser } from "../../src/auth/identities.ts";
import { Sealer } from "../../src/auth/sealing.ts";
import type { Caller } from "../../src/sqs/caller.ts";
import { SqsError } from "../../src/sqs/errors.ts";
import type { SqsRequest } from "../../src/sqs/exchange.ts";
import { CheckedGate } from "../../src/sqs/gate.ts";
import { createSts } from "../../src/sts/index.ts";
import { FakeClock } from "./fake-broker.ts";
import { NO_REQUEST } from "./sqs-client.ts";

export const HOME = "111111111111";
export const AWAY = "222222222222";

export interface Key {
  readonly id: string;
  readonly secret: string;
  readonly token?: string;
}

export interface StsAnswer {
  readonly status: number;
  readonly code: string; // "" when it went well
  readonly message: string;
  // biome-ignore lint/suspicious/noExplicitAny: XML of the wire
  readonly result: any;
}

type Parameters = { readonly [name: string]: string };

export const allow = (Action: string | readonly string[], more: object = {}) => ({
  Version: "2012-10-17",
  Statement: { Effect: "Allow", Action, Resource: "*", ...more },
});
/** As policies write it. */
export const variable = (name: string): string => `\${${name}}`;
export const trust = (AWS: string | readonly string[], more: object = {}) => ({
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Action: "sts:AssumeRole", Principal: { AWS }, ...more }],
});

export class StsWorld {
  readonly clock = new FakeClock();
  readonly faults: unknown[] = [];
  readonly sessions: Sealer;
  readonly #secrets: Sealer;
  #users: StoredUser[] = [];
  #roles: StoredRole[] = [];
  authenticator: Authenticator;
  #sts: ReturnType<typeof createSts>;
  #gate: CheckedGate;

  constructor(masterKey = new Uint8Array(32).fill(7)) {
    this.#secrets = new Sealer(masterKey, "access key secrets");
    this.sessions = new Sealer(masterKey, "session tokens");
    this.authenticator = new Authenticator(this.#identities(), this.sessions);
    this.#sts = this.#createSts();
    this.#gate = this.#createGate();
  }

  /** A user with one key; the secret is his name. */
  user(name: string, account: string, ...policies: readonly object[]): Key {
    const id = `AKIA${name.toUpperCase().padEnd(16, "0")}`;
    const sealedSecret = this.#secrets.seal(Buffer.from(`secret of ${name}`), id).toString("base64");
    const user = {
      ...{ account, name, id: `AIDA${name.toUpperCase().padEnd(16, "0")}` },
      policies: Object.fromEntries(policies.map((policy, i) => [`p${i}`, policy])),
      keys: [{ id, sealedSecret, active: true, createdMs: 0 }],
    };
    this.change({ users: [...this.#users, user] });
    return { id, secret: `secret of ${name}` };
  }

  /** @returns its ARN */
  role(name: string, account: string, trustPolicy: object, policy: object, more: Partial<StoredRole> = {}): string {
    const role = {
      ...{ account, name, id: `AROA${name.toUpperCase().padEnd(16, "0")}`, trustPolicy, policies: { p: policy } },
      ...{ maxSessionSeconds: 3_600, sessionsValidFromMs: 0, ...more },
    };
    this.change({ roles: [...this.#roles, role] });
    return `arn:aws:iam::${account}:role${more.path ?? "/"}${name}`;
  }

  change({ users = this.#users, roles = this.#roles }: { users?: StoredUser[]; roles?: StoredRole[] }): void {
    this.#users = users;
    this.#roles = roles;
    this.authenticator.renew(this.#identities());
  }
  changeUser(name: string, change: (user: StoredUser) => StoredUser | undefined): void {
    this.change({ users: this.#users.flatMap((user) => (user.name === name ? (change(user) ?? []) : user)) });
  }
  changeRole(name: string, change: (role: StoredRole) => StoredRole | undefined): void {
    this.change({ roles: this.#roles.flatMap((role) => (role.name === name ? (change(role) ?? []) : role)) });
  }

  /** What is in memory is gone; the files and the master key are as they were. */
  restart(): void {
    this.authenticator = new Authenticator(this.#identities(), this.sessions);
    this.#sts = this.#createSts();
    this.#gate = this.#createGate();
  }

  call(key: Key | undefined, action: string, parameters: Parameters = {}, service = "sts"): StsAnswer {
    const body = new URLSearchParams({ Action: action, Version: "2011-06-15", ...parameters }).toString();
    return this.send(this.signed(key, Buffer.from(body), service));
  }

  send(request: SqsRequest): StsAnswer {
    let answer: StsAnswer | undefined;
    this.#sts(request, ({ status, body }) => {
      const [document = {}] = Object.values(XML.parse(body) as { [name: string]: { [name: string]: never } });
      const { Error: error, ...rest } = document as { [name: string]: { [name: string]: string } };
      const result = Object.entries(rest).find(([name]) => name.endsWith("Result"))?.[1];
      answer = { status, code: error?.["Code"] ?? "", message: error?.["Message"] ?? "", result };
    });
    if (answer === undefined) throw new Error("The desk answers at once");
    return answer;
  }

  assume(key: Key, RoleArn: string, more: Parameters = {}): StsAnswer {
    return this.call(key, "AssumeRole", { RoleArn, RoleSessionName: "s1", ...more });
  }

  /** Credentials, which must be given. */
  became(key: Key, roleArn: string, more: Parameters = {}): Key {
    return keyOf(this.assume(key, roleArn, more));
  }

  /** @returns "" when the queue's owner may do it with the key, else why not */
  may(key: Key, action = "sqs:SendMessage", queue = "q", account = HOME): string {
    const request = this.signed(key, Buffer.from("{}"), "sqs");
    try {
      const name = { account, region: "us-east-1", name: queue };
      this.#gate.permit(this.#gate.admit(request), request, action, { name, queue: undefined, requestTags: undefined });
      return "";
    } catch (error) {
      if (!(error instanceof SqsError)) throw error;
      return `${error.code}: ${error.message}`;
    }
  }

  /** Who asks, as the gate has him. */
  admitted(key: Key): Caller {
    return this.#gate.admit(this.signed(key, Buffer.from("{}"), "sqs"));
  }

  /** Whether somebody who was admitted would be still. */
  isStillIn(caller: Caller): boolean {
    return this.#gate.again(caller) !== undefined;
  }

  signed(key: Key | undefined, body: Buffer, service: string): SqsRequest {
    const base = { ...NO_REQUEST, body, remoteAddress: "10.1.2.3" };
    if (key === undefined) return base;
    const date = new Date(this.clock.nowMs()).toISOString().replaceAll(/[-:]|\.\d{3}/g, "");
    const token: { [name: string]: string } = key.token === undefined ? {} : { "x-amz-security-token": key.token };
    const headers: { [name: string]: string } = { host: "localhost:9324", "x-amz-date": date, ...token };
    const names = Object.keys(headers).sort();
    const lines = names.map((name) => `${name}:${headers[name]}\n`).join("");
    const sha256 = (data: Buffer | string): string => createHash("sha256").update(data).digest("hex");
    const hmac = (secret: Buffer | string, text: string): Buffer => createHmac("sha256", secret).update(text).digest();
    const scope = `${date.slice(0, 8)}/us-east-1/${service}/aws4_request`;
    const canonical = ["POST", "/", "", lines, names.join(";"), sha256(body)].join("\n");
    const signing = scope.split("/").reduce<Buffer | string>((each, part) => hmac(each, part), `AWS4${key.secret}`);
    const signature = hmac(signing, ["AWS4-HMAC-SHA256", date, scope, sha256(canonical)].join("\n")).toString("hex");
    const authorization = `AWS4-HMAC-SHA256 Credential=${key.id}/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
    return { ...base, authorization, headers: new Map(Object.entries({ ...headers, authorization })) };
  }

  #identities(): Identities {
    const stored: StoredIdentities = { version: 1, users: this.#users, roles: this.#roles };
    return new Identities(stored, this.#secrets);
  }
  #createSts() {
    return createSts({
      account: "000000000000",
      clock: this.clock,
      checks: () => ({ authenticator: this.authenticator, sessions: this.sessions }),
      onFault: (error) => this.faults.push(error),
    });
  }
  #createGate(): CheckedGate {
    return new CheckedGate({
      authenticator: this.authenticator,
      authorizer: new Authorizer(),
      clock: this.clock,
      defaults: { account: "000000000000", defaultRegion: "us-east-1" },
    });
  }
}

const XML = new XMLParser({ parseTagValue: false, ignoreAttributes: true });

export function keyOf({ status, code, message, result }: StsAnswer): Key {
  if (status !== 200) throw new Error(`${code}: ${message}`);
  const { AccessKeyId: id, SecretAccessKey: secret, SessionToken: token } = result.Credentials;
  return { id, secret, token };
}
