// What a caller must be allowed on the key of a queue with KmsMasterKeyId, besides what he does to the queue: the service uses
// the key in his name.
import type { Authorizer, Decision, Resource } from "../auth/authorize.ts";
import type { Context } from "../auth/policy/context.ts";
import type { Principal } from "../auth/principal.ts";
import type { QueueName } from "../broker/types.ts";

/** A key as policies name it. */
export interface KeyName {
  readonly account: string; // 12 digits
  readonly resource: string; // key/<ID>; alias/<name> when there is no such key
  /** The service's own, which every user of the account's queues may use without being told so. */
  readonly isManaged: boolean;
}

/** Whoever knows which key a KmsMasterKeyId means. */
export interface KeyNames {
  nameOf(keyId: string, account: string): KeyName;
}

const NEEDS: ReadonlyMap<string, readonly string[]> = new Map([
  ["sqs:SendMessage", ["kms:GenerateDataKey", "kms:Decrypt"]],
  ["sqs:ReceiveMessage", ["kms:Decrypt"]],
]);

/** Of a managed key, for its own account. */
const MANAGED_POLICY = JSON.stringify({
  Version: "2012-10-17",
  Statement: {
    Effect: "Allow",
    Principal: "*",
    Action: ["kms:Decrypt", "kms:GenerateDataKey"],
    Resource: "*",
  },
});

/** What somebody wants of a queue with a key. */
export interface KeyUse {
  readonly action: string; // "sqs:SendMessage"
  readonly queue: QueueName;
  readonly keyId: string; // KmsMasterKeyId
}

/**
 * Keys of another account are for nobody: there is no policy by which they could be given away.
 * @returns undefined: he may, or needs no key for that; else why not, in the service's words
 */
export function keyRefusal(
  parts: { readonly authorizer: Authorizer; readonly names: KeyNames },
  principal: Principal,
  { action, queue, keyId }: KeyUse,
  contextOf: (key: KeyName) => Context,
): Decision {
  const needs = NEEDS.get(action);
  if (needs === undefined) return undefined;
  const key = parts.names.nameOf(keyId, queue.account);
  const resource: Resource = {
    arn: `arn:aws:kms:${queue.region}:${key.account}:${key.resource}`,
    account: key.account,
    policy: key.isManaged && principal.account === key.account ? MANAGED_POLICY : undefined,
  };
  for (const need of needs) {
    const refusal = parts.authorizer.decide(principal, need, resource, () => contextOf(key));
    if (refusal !== undefined) {
      return `${refusal} (Service: AWSKMS; Status Code: 400; Error Code: AccessDeniedException)`;
    }
  }
  return undefined;
}
