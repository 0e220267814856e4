// What every action is made of, and what it is given.

import type { Clock } from "../base/clock.ts";
import type { Broker, Queue, QueueName } from "../broker/types.ts";
import { queueDoesNotExist } from "./errors.ts";
import { hostOfUrl, parseQueueUrl, regionOfHost } from "./names.ts";
import type { Fields, Members } from "./shapes.ts";
import type { State } from "./state.ts";

/** One request's surroundings. */
export interface Context {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly state: State;
  readonly account: string;
  readonly region: string;
  readonly origin: string; // scheme and host the caller used; queue URLs start with it
  readonly senderId: string;
  readonly traceHeader: string; // X-Amzn-Trace-Id, valid, "" when absent
}

/** Where an action's output goes. */
export interface Reply<O> {
  /** Answers with what `make` returns, or with the error it throws. The first call counts. */
  settle(make: () => O): void;
}

/** @returns a function that gives the request up, if there is something to give up. */
export type Run<I, O> = (context: Context, input: I, reply: Reply<O>) => (() => void) | undefined;

export interface Operation {
  readonly name: string;
  readonly input: Members;
  readonly output: Members | undefined; // undefined: the answer has no body
  readonly run: Run<never, never>; // only ever called with what was decoded by `input`
}

export function operation<I extends Members, O extends Members>(
  name: string,
  input: I,
  output: O,
  run: Run<Fields<I>, Fields<O>>,
): Operation {
  return { name, input, output, run };
}

export function operationWithoutOutput<I extends Members>(
  name: string,
  input: I,
  run: Run<Fields<I>, undefined>,
): Operation {
  return { name, input, output: undefined, run };
}

/** What an answer is rendered by that is no action's. */
export function operationWithoutInput(name: string, output: Members): Operation {
  return { name, input: {}, output, run: () => undefined };
}

/** @throws SqsError QueueDoesNotExist, also for no URL at all */
export function findQueue(context: Context, queueUrl: string | undefined): Queue {
  const queue = context.broker.find(queueNameOf(context, queueUrl));
  if (queue === undefined) throw queueDoesNotExist();
  return queue;
}

export function queueNameOf(
  context: Pick<Context, "broker" | "account" | "region">,
  queueUrl: string | undefined,
): QueueName {
  const name = queueUrl === undefined ? undefined : nameOfUrl(context, queueUrl);
  if (name === undefined) throw queueDoesNotExist();
  return name;
}

/**
 * A host that names a region is believed if the queue is there; any other is no matter.
 * @returns undefined for what names no queue
 */
export function nameOfUrl(
  context: Pick<Context, "broker" | "account" | "region">,
  queueUrl: string,
): QueueName | undefined {
  const name = parseQueueUrl(queueUrl, context.account, context.region);
  const hostRegion = regionOfHost(hostOfUrl(queueUrl));
  if (name === undefined || hostRegion === undefined || name.region !== context.region) return name;
  const there = { ...name, region: hostRegion };
  return context.broker.find(there) === undefined ? name : there;
}

export function queueUrlOf(context: Context, name: QueueName): string {
  return `${context.origin}/${name.account}/${name.name}`;
}

/** Runs a change of one queue's settings or tags when the changes before it are done, so that none is lost. */
export function inTurn<O>(
  context: Context,
  name: QueueName,
  reply: Reply<O>,
  work: (done: (make: () => O) => void) => void,
): undefined {
  context.state.changes.take(`${name.account}/${name.region}/${name.name}`, (release) => {
    const done = (make: () => O): void => {
      reply.settle(make);
      release();
    };
    try {
      work(done);
    } catch (error) {
      done(() => {
        throw error;
      });
    }
  });
  return undefined;
}
