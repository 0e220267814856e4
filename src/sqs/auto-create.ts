// Queues that come into being because somebody asks for them: an option, for those who are used to it.

import type { QueueName } from "../broker/types.ts";
import { getQueueAttributes } from "./actions/get-queue-attributes.ts";
import { getQueueUrl } from "./actions/get-queue-url.ts";
import { receiveMessage } from "./actions/receive-message.ts";
import { sendMessage } from "./actions/send-message.ts";
import { sendMessageBatch } from "./actions/send-message-batch.ts";
import { setQueueAttributes } from "./actions/set-queue-attributes.ts";
import { tagQueue } from "./actions/tag-queue.ts";
import { DEFAULT_SETTINGS } from "./attributes.ts";
import { SqsError } from "./errors.ts";
import { arnOf, isFifoName, isStandardName } from "./names.ts";
import { type Context, type Operation, queueNameOf } from "./operation.ts";

/** What can be done with a queue that has only just been created; anything else is about what cannot be in it. */
const CREATING: ReadonlySet<Operation> = new Set([
  getQueueAttributes,
  getQueueUrl,
  receiveMessage,
  sendMessage,
  sendMessageBatch,
  setQueueAttributes,
  tagQueue,
]);

const ACCOUNT = /^\d{12}$/;
const REGION = /^[a-z0-9-]{1,64}$/;

/** @returns the queue that the request is about, if it is not there and is to be created for it */
export function missingQueue(
  context: Context,
  operation: Operation,
  input: { readonly [member: string]: unknown },
): QueueName | undefined {
  if (!CREATING.has(operation)) return undefined;
  const name = askedFor(context, operation, input);
  if (name === undefined || !ACCOUNT.test(name.account) || !REGION.test(name.region)) return undefined;
  if (!isStandardName(name.name) && !isFifoName(name.name)) return undefined;
  return context.broker.find(name) === undefined ? name : undefined;
}

function askedFor(
  context: Context,
  operation: Operation,
  input: { readonly [member: string]: unknown },
): QueueName | undefined {
  const { QueueUrl: url, QueueName: name, QueueOwnerAWSAccountId: owner } = input;
  if (operation === getQueueUrl) {
    const account = typeof owner === "string" ? owner : context.account;
    return typeof name === "string" ? { account, region: context.region, name } : undefined;
  }
  if (typeof url !== "string" || url === "") return undefined;
  try {
    return queueNameOf(context, url);
  } catch (error) {
    if (error instanceof SqsError) return undefined; // the action will say so
    throw error;
  }
}

/**
 * Creates the queue with every attribute at its default, FIFO by its name, unless somebody has done so meanwhile.
 * @param done once it is on disk, or with what stands against it
 */
export function createMissing(context: Context, name: QueueName, done: (error?: unknown) => void): void {
  context.state.changes.take(`${name.account}/${name.region}/${name.name}`, (release) => {
    const end = (error?: unknown): void => {
      done(error); // before the next in line: what was asked first is done first
      release();
    };
    try {
      if (context.broker.find(name) !== undefined) {
        end();
        return;
      }
      if (context.state.deleted.has(arnOf(name), context.clock.nowMs())) {
        throw new SqsError(
          "QueueDeletedRecently",
          "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
        );
      }
      const settings = { ...DEFAULT_SETTINGS, fifo: isFifoName(name.name) };
      context.broker.createQueue(name, settings, new Map(), () => end());
    } catch (error) {
      end(error);
    }
  });
}
