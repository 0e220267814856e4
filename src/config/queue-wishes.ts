// Queues as a configuration file wants them.
import { queueArn } from "../base/arn.ts";

export interface QueueWish {
  readonly name: string;
  readonly account: string | undefined; // undefined: the configured one
  readonly region: string | undefined;
  readonly attributes: ReadonlyMap<string, string>; // by their names in the API
  readonly tags: ReadonlyMap<string, string>;
  readonly deadLetters: { readonly queue: string; readonly maxReceiveCount: string } | undefined;
  readonly place: string; // file and line
  readonly attributePlaces: ReadonlyMap<string, string>;
}

/** A wish with everything filled in. */
export interface DeclaredQueue {
  readonly account: string;
  readonly region: string;
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly tags: ReadonlyMap<string, string>;
  readonly place: string;
  readonly attributePlaces: ReadonlyMap<string, string>;
}

export function declaredQueue(wish: QueueWish, account: string, region: string): DeclaredQueue {
  const own = { account: wish.account ?? account, region: wish.region ?? region };
  const attributes = new Map(wish.attributes);
  if (wish.deadLetters !== undefined) {
    const deadLetterTargetArn = queueArn(own.region, own.account, wish.deadLetters.queue);
    const { maxReceiveCount } = wish.deadLetters;
    attributes.set("RedrivePolicy", JSON.stringify({ deadLetterTargetArn, maxReceiveCount }));
  }
  const { name, tags, place, attributePlaces } = wish;
  return { ...own, name, attributes, tags, place, attributePlaces };
}
