// Who comes in, and what he may do there. There are two gates: one that is open to everybody, and one that checks
// signatures and policies. Everything of this room that answers a request asks the one it was given.

import type { Audit } from "../audit/audit.ts";
import type { AtOnce } from "../auth/at-once.ts";
import type { Authenticator } from "../auth/authenticate.ts";
import type { Authorizer, Resource } from "../auth/authorize.ts";
import type { RateLimit } from "../auth/rate-limit.ts";
import { contextOf } from "../auth/request-context.ts";
import type { SignedRequest } from "../auth/sigv4.ts";
import type { Clock } from "../base/clock.ts";
import type { QueueName } from "../broker/types.ts";
import { type Caller, callerOf } from "./caller.ts";
import { SqsError } from "./errors.ts";
import type { SqsRequest } from "./exchange.ts";
import { isJson } from "./json.ts";
import { arnOf, regionOfHost } from "./names.ts";

/** What a caller wants to do it to. */
export interface Wanted {
  readonly name: QueueName | undefined; // undefined: to no queue in particular
  readonly policy: string | undefined;
  readonly queueTags: ReadonlyMap<string, string> | undefined;
  readonly requestTags: ReadonlyMap<string, string> | undefined;
}

export interface Gate {
  /** @throws SqsError when he is not who he says */
  admit(request: SqsRequest): Caller;
  /**
   * @param action an IAM action, "sqs:SendMessage"; a batch has the name of its single action
   * @throws SqsError when he may not
   */
  permit(caller: Caller, request: SqsRequest, action: string, wanted: Wanted): void;
  /**
   * Who a caller is now that was admitted some time ago, for what lasts longer than a request.
   * @returns undefined when he may not come in any more
   */
  again(caller: Caller): Caller | undefined;
}

export interface GateDefaults {
  readonly account: string; // 12 digits; for every caller whose key names no other
  readonly defaultRegion: string; // for requests that name none
}

/** Takes everybody for whom he says he is, and lets him do anything. */
export function openGate({ account, defaultRegion }: GateDefaults): Gate {
  return { admit: (request) => callerOf(request, account, defaultRegion), permit: () => {}, again: (caller) => caller };
}

/** Open until it is shut, and never open again: what stands behind it changes, and whoever asks it need not know. */
export class LatchGate implements Gate {
  #gate: Gate;
  #isChecked = false;

  constructor(open: Gate) {
    this.#gate = open;
  }

  get isChecked(): boolean {
    return this.#isChecked;
  }

  shut(checked: Gate): void {
    this.#gate = checked;
    this.#isChecked = true;
  }

  admit(request: SqsRequest): Caller {
    return this.#gate.admit(request);
  }

  permit(caller: Caller, request: SqsRequest, action: string, wanted: Wanted): void {
    this.#gate.permit(caller, request, action, wanted);
  }

  again(caller: Caller): Caller | undefined {
    return this.#gate.again(caller);
  }
}

export class CheckedGate implements Gate {
  readonly #authenticator: Authenticator;
  readonly #authorizer: Authorizer;
  readonly #clock: Clock;
  readonly #defaults: GateDefaults;
  readonly #audit: Audit | undefined;
  readonly #rate: RateLimit | undefined;
  readonly #atOnce: AtOnce | undefined;
  #admitted: { readonly request: SqsRequest; readonly caller: Caller } | undefined;

  constructor(parts: {
    authenticator: Authenticator;
    authorizer: Authorizer;
    clock: Clock;
    defaults: GateDefaults;
    audit?: Audit | undefined;
    rate?: RateLimit | undefined;
    atOnce?: AtOnce | undefined;
  }) {
    this.#authenticator = parts.authenticator;
    this.#authorizer = parts.authorizer;
    this.#clock = parts.clock;
    this.#defaults = parts.defaults;
    this.#audit = parts.audit;
    this.#rate = parts.rate;
    this.#atOnce = parts.atOnce;
  }

  /** What was not for the direct way is the same request on the other one: it is looked into, and counted, once. */
  admit(request: SqsRequest): Caller {
    if (this.#admitted?.request === request) return this.#admitted.caller;
    const caller = this.#admit(request);
    this.#admitted = { request, caller };
    return caller;
  }

  #admit(request: SqsRequest): Caller {
    const nowMs = this.#clock.nowMs();
    const result = this.#authenticator.authenticate(signedRequest(request), "sqs", nowMs);
    if ("refused" in result) throw new SqsError(result.refused, result.text);
    // A Content-Type need not be signed: whoever changes it on the way must not get a JSON body read as a form.
    if (request.target !== "" && !isJson(request)) {
      throw new SqsError(
        "UnknownOperationException",
        "X-Amz-Target names an action of the JSON protocol, but the request is none of it.",
      );
    }
    const { principal, accessKeyId, credential, region } = result;
    if (accessKeyId !== undefined) this.#audit?.used(accessKeyId, principal.arn, request.remoteAddress);
    if (this.#rate?.take(principal.limitName, nowMs) === false) throw throttled("too many requests in a second");
    this.#count(request, principal.limitName);
    const { account, defaultRegion } = this.#defaults;
    return {
      account: principal.kind === "anonymous" ? account : principal.account,
      region: region ?? regionOfHost(request.host) ?? defaultRegion,
      senderId: principal.userId,
      principal,
      accessKeyId,
      credential,
    };
  }

  /** @throws SqsError when there are too many of his under way */
  #count(request: SqsRequest, limitName: string): void {
    const atOnce = this.#atOnce;
    if (atOnce === undefined) return;
    if (!atOnce.enter(limitName)) throw throttled("too many requests at once, those that wait included");
    request.onEnd = () => atOnce.leave(limitName);
  }

  again(caller: Caller): Caller | undefined {
    const { principal, accessKeyId, credential } = caller;
    if (principal === undefined) return undefined; // let in while nobody was asked
    if (accessKeyId === undefined || credential === undefined) return caller; // anonymous: queues' policies say what he may
    const now = this.#authenticator.again(accessKeyId, credential, this.#clock.nowMs());
    if (now === principal) return caller;
    return now && { ...caller, principal: now };
  }

  permit(caller: Caller, request: SqsRequest, action: string, { name, policy, queueTags, requestTags }: Wanted): void {
    const { principal } = caller;
    // Let in while nobody was asked, and still waiting for its body or for a queue to be made.
    if (principal === undefined) throw new SqsError("AccessDeniedException", "Signatures are checked from now on.");
    const resource: Resource = {
      arn: name === undefined ? "*" : arnOf(name),
      account: name?.account ?? caller.account,
      policy,
    };
    const decision = this.#authorizer.decide(principal, action, resource, () =>
      contextOf({
        principal,
        nowMs: this.#clock.nowMs(),
        remoteAddress: request.remoteAddress,
        isSecure: request.scheme === "https",
        userAgent: request.headers.get("user-agent") ?? "",
        region: caller.region,
        resourceAccount: resource.account,
        queueTags,
        requestTags,
      }),
    );
    if (decision !== undefined) throw new SqsError("AccessDeniedException", decision);
  }
}

function throttled(why: string): SqsError {
  return new SqsError("RequestThrottled", `Request is throttled: ${why}. Try again.`);
}

/** A request as signatures see it. */
export function signedRequest(request: SqsRequest): SignedRequest {
  const { method, path, query, body, headers } = request;
  return { method, path, query, body, header: (name) => headers.get(name) ?? "" };
}
