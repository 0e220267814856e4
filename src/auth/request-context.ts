// What of a request the conditions of a policy may ask for, by the names of the policy language in lower case.
import type { Context } from "./policy/context.ts";
import type { Principal } from "./principal.ts";

export interface Circumstances {
  readonly principal: Principal;
  readonly nowMs: number;
  readonly remoteAddress: string;
  readonly isSecure: boolean;
  readonly userAgent: string;
  readonly region: string;
  readonly resourceAccount: string;
  readonly queueTags: ReadonlyMap<string, string> | undefined;
  readonly requestTags: ReadonlyMap<string, string> | undefined;
  /** Of a queue whose key is asked for. */
  readonly keyed?: { readonly queueArn: string; readonly region: string } | undefined;
}

const TYPES = { anonymous: "Anonymous", root: "Account", user: "User", role: "AssumedRole" } as const;

export function contextOf(circumstances: Circumstances): Context {
  const { principal, nowMs, queueTags, requestTags, keyed } = circumstances;
  const context = new Map<string, readonly string[]>();
  const set = (key: string, value: string | undefined): void => {
    if (value !== undefined && value !== "") context.set(key, [value]);
  };
  set("aws:currenttime", new Date(nowMs).toISOString());
  set("aws:epochtime", String(Math.floor(nowMs / 1000)));
  set("aws:securetransport", String(circumstances.isSecure));
  set("aws:sourceip", plainAddress(circumstances.remoteAddress));
  set("aws:useragent", circumstances.userAgent);
  set("aws:requestedregion", circumstances.region);
  set("aws:resourceaccount", circumstances.resourceAccount);
  set("aws:principaltype", TYPES[principal.kind]);
  set("aws:userid", principal.userId);
  if (principal.kind !== "anonymous") {
    set("aws:principalarn", principal.arn);
    set("aws:principalaccount", principal.account);
    set("aws:username", principal.userName);
  }
  set("aws:sourceidentity", principal.sourceIdentity);
  for (const [name, value] of principal.tags) context.set(`aws:principaltag/${name.toLowerCase()}`, [value]);
  if (principal.sessionIssuedMs !== undefined) {
    set("aws:tokenissuetime", new Date(principal.sessionIssuedMs).toISOString());
    set("aws:tokenage", String(Math.max(0, Math.floor((nowMs - principal.sessionIssuedMs) / 1000))));
    set("aws:multifactorauthpresent", "false");
  }
  for (const [name, value] of queueTags ?? []) context.set(`aws:resourcetag/${name.toLowerCase()}`, [value]);
  for (const [name, value] of requestTags ?? []) context.set(`aws:requesttag/${name.toLowerCase()}`, [value]);
  if (requestTags !== undefined) context.set("aws:tagkeys", [...requestTags.keys()]);
  if (keyed !== undefined) {
    set("kms:viaservice", `sqs.${keyed.region}.amazonaws.com`);
    set("kms:calleraccount", principal.account);
    set("kms:encryptioncontext:aws:sqs:arn", keyed.queueArn);
    context.set("kms:encryptioncontextkeys", ["aws:sqs:arn"]);
  }
  return context;
}

/** An IPv4 address that came over an IPv6 socket is what it was. */
function plainAddress(address: string): string {
  const [, dotted] = /^(?:0000:0000:0000:0000:0000:ffff:|::ffff:)(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? [];
  if (dotted !== undefined) return dotted;
  const [, high, low] = /^0000:0000:0000:0000:0000:ffff:([0-9a-f]{4}):([0-9a-f]{4})$/i.exec(address) ?? [];
  if (high === undefined || low === undefined) return address;
  const bits = (Number.parseInt(high, 16) << 16) | Number.parseInt(low, 16);
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join(".");
}
