// Who comes in, and what he may do there. There are two gates: one that is open to everybody, and one that checks
// signatures and policies. Everything of this room that answers a request asks the one it was given.

import type { Audit } from "../audit/audit.ts";
import type { AtOnce } from "../auth/at-once.ts";
import type { Authenticator } from "../auth/authenticate.ts";
import type { Authorizer, Resource } from "../auth/authorize.ts";
import type { Principal } from "../auth/principal.ts";
import type { RateLimit } from "../auth/rate-limit.ts";
import { type Circumstances, contextOf } from "../auth/request-context.ts";
import type { SignedRequest } from "../auth/sigv4.ts";
import type { Clock } from "../base/clock.ts";
import type { Queue, QueueName } from "../broker/types.ts";
import { type Caller, Callers } from "./caller.ts";
import { SqsError } from "./errors.ts";
import type { SqsRequest } from "./exchange.ts";
import { isJson } from "./json.ts";
import { type KeyNames, keyRefusal } from "./key-rights.ts";
import { arnOf, regionOfHost } from "./names.ts";

/** What a caller wants to do it to. */
export interface Wanted {
  readonly name: QueueName | undefined; // undefined: to no queue in particular
  readonly queue: Pick<Queue, "settings" | "tags"> | undefined; // undefined: there is none of that name
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
  const callers = new Callers(account, defaultRegion);
  return { admit: (request) => callers.of(request), permit: () => {}, again: (caller) => caller };
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
  readonly #keyNames: KeyNames | undefined;
  #admitted: { readonly request: SqsRequest; readonly caller: Caller } | undefined;

  constructor(parts: {
    authenticator: Authenticator;
    authorizer: Authorizer;
    clock: Clock;
    defaults: GateDefaults;
    audit?: Audit | undefined;
    rate?: RateLimit | undefined;
    atOnce?: AtOnce | undefined;
    /** Of queues' keys, whose use is up to policies; undefined: it is up to somebody else. */
    keyNames?: KeyNames | undefined;
  }) {
    this.#authenticator = parts.authenticator;
    this.#authorizer = parts.authorizer;
    this.#clock = parts.clock;
    this.#defaults = parts.defaults;
    this.#audit = parts.audit;
    this.#rate = parts.rate;
    this.#atOnce = parts.atOnce;
    this.#keyNames = parts.keyNames;
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

  permit(caller: Caller, request: SqsRequest, action: string, wanted: Wanted): void {
    const { principal } = caller;
    const { name, queue } = wanted;
    // Let in while nobody was asked, and still waiting for its body or for a queue to be made.
    if (principal === undefined) throw new SqsError("AccessDeniedException", "Signatures are checked from now on.");
    const resource: Resource = {
      arn: name === undefined ? "*" : arnOf(name),
      account: name?.account ?? caller.account,
      policy: queue?.settings.policy,
    };
    const decision = this.#authorizer.decide(principal, action, resource, () =>
      contextOf({
        ...this.#circumstances(caller, principal, request),
        resourceAccount: resource.account,
        queueTags: queue?.tags,
        requestTags: wanted.requestTags,
      }),
    );
    if (decision !== undefined) {
      const isNobody = principal.kind === "anonymous";
      throw new SqsError(
        "AccessDeniedException",
        isNobody ? `Access to the resource ${urlOf(request, name)} is denied.` : decision,
      );
    }
    if (name !== undefined && queue !== undefined) this.#permitSealed(caller, principal, request, action, name, queue);
  }

  /** What encryption asks for besides: a signature, and with a key of the queue's own leave to use that. */
  #permitSealed(
    caller: Caller,
    principal: Principal,
    request: SqsRequest,
    action: string,
    name: QueueName,
    { settings }: Pick<Queue, "settings">,
  ): void {
    const keyId = settings.kmsMasterKeyId;
    if (principal.kind === "anonymous" && (settings.sqsManagedSse || keyId !== undefined)) {
      throw new SqsError("InvalidSecurity", "All requests to this queue must use HTTPS and SigV4.");
    }
    if (keyId === undefined || this.#keyNames === undefined) return;
    const parts = { authorizer: this.#authorizer, names: this.#keyNames };
    const refusal = keyRefusal(parts, principal, { action, queue: name, keyId }, (key) =>
      contextOf({
        ...this.#circumstances(caller, principal, request),
        resourceAccount: key.account,
        queueTags: undefined,
        requestTags: undefined,
        keyed: { queueArn: arnOf(name), region: name.region },
      }),
    );
    if (refusal !== undefined) throw new SqsError("KmsAccessDenied", refusal);
  }

  /** Of whatever is asked for. */
  #circumstances(
    { region }: Caller,
    principal: Principal,
    { remoteAddress, scheme, headers }: SqsRequest,
  ): Omit<Circumstances, "resourceAccount" | "queueTags" | "requestTags"> {
    return {
      principal,
      nowMs: this.#clock.nowMs(),
      remoteAddress,
      isSecure: scheme === "https",
      userAgent: headers.get("user-agent") ?? "",
      region,
    };
  }
}

/** Of a queue, or the endpoint's: to whoever has not signed, nothing is told that he has not said himself. */
function urlOf({ scheme, host }: SqsRequest, name: QueueName | undefined): string {
  return `${scheme}://${host}/${name === undefined ? "" : `${name.account}/${name.name}`}`;
}

function throttled(why: string): SqsError {
  return new SqsError("RequestThrottled", `Request is throttled: ${why}. Try again.`);
}

/** A request as signatures see it. */
export function signedRequest(request: SqsRequest): SignedRequest {
  const { method, path, query, body, headers } = request;
  return { method, path, query, body, header: (name) => headers.get(name) ?? "" };
}
