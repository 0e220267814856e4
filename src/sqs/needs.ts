// What a caller must be permitted before an action is run for him: IAM's name of it, and the queue it is about. Batches have
// the permission of the single action.
import type { Queue, QueueName } from "../broker/types.ts";
import { LIST_COUNT_MAX } from "../limits.ts";
import { SqsError } from "./errors.ts";
import { readTaskHandle } from "./move-tasks.ts";
import { arnOf } from "./names.ts";
import { type Context, type Operation, queueNameOf } from "./operation.ts";

export interface Need {
  readonly action: string;
  /** undefined: no queue in particular. */
  readonly queue: QueueName | undefined;
}

type Input = { readonly [member: string]: unknown };

/** @returns nothing for a request that names no queue there could be: the action will say what is wrong */
export function needsOf(context: Context, { name }: Operation, input: Input): readonly Need[] {
  const action = `sqs:${name.replace(/Batch$/, "")}`;
  switch (name) {
    case "ListQueues":
      return [{ action, queue: undefined }];
    case "CreateQueue":
      return need(action, named(context, input["QueueName"], undefined));
    case "GetQueueUrl":
      return need(action, named(context, input["QueueName"], input["QueueOwnerAWSAccountId"]));
    case "StartMessageMoveTask":
    case "ListMessageMoveTasks":
    case "CancelMessageMoveTask":
      return needsOfMove(context, action, name, input);
    default:
      return need(action, atUrl(context, input["QueueUrl"]));
  }
}

function need(action: string, queue: QueueName | undefined): readonly Need[] {
  return queue === undefined ? [] : [{ action, queue }];
}

function named(context: Context, name: unknown, owner: unknown): QueueName | undefined {
  if (typeof name !== "string" || name === "") return undefined;
  return { account: typeof owner === "string" ? owner : context.account, region: context.region, name };
}

function atUrl(context: Context, url: unknown): QueueName | undefined {
  if (typeof url !== "string" || url === "") return undefined;
  try {
    return queueNameOf(context, url);
  } catch (error) {
    if (error instanceof SqsError) return undefined;
    throw error;
  }
}

/** To move messages is to receive and delete them at one end and to send them at the other. */
function needsOfMove(context: Context, action: string, name: string, input: Input): readonly Need[] {
  const source = queueAt(name === "CancelMessageMoveTask" ? arnOfTask(input["TaskHandle"]) : input["SourceArn"]);
  if (source === undefined) return [];
  if (name !== "StartMessageMoveTask") return [{ action, queue: source }];
  const needs: Need[] = [action, "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"].map((each) => ({
    action: each,
    queue: source,
  }));
  const destination = queueAt(input["DestinationArn"]);
  const destinations = destination === undefined ? sourcesOf(context, source) : [destination];
  return [...needs, ...destinations.map((queue) => ({ action: "sqs:SendMessage", queue }))];
}

function arnOfTask(handle: unknown): string | undefined {
  if (typeof handle !== "string") return undefined;
  try {
    return readTaskHandle(handle).sourceArn;
  } catch (error) {
    if (error instanceof SqsError) return undefined;
    throw error;
  }
}

function queueAt(arn: unknown): QueueName | undefined {
  if (typeof arn !== "string") return undefined;
  const [, , , region = "", account = "", name = "", ...rest] = arn.split(":");
  return region === "" || account === "" || name === "" || rest.length > 0 ? undefined : { account, region, name };
}

/** Where messages go back to that nobody has said a destination for: the queues whose dead letters these are. */
function sourcesOf({ broker }: Context, queue: QueueName): readonly QueueName[] {
  const arn = arnOf(queue);
  const sources: QueueName[] = [];
  for (let after: string | undefined = ""; after !== undefined; ) {
    const page: readonly Queue[] = broker.list(queue.account, queue.region, "", after, LIST_COUNT_MAX);
    sources.push(...page.filter(({ settings }) => settings.redrive?.deadLetterTargetArn === arn));
    after = page.at(-1)?.name;
  }
  return sources;
}

/** What conditions may ask about tags. */
export function requestTagsOf(input: Input): ReadonlyMap<string, string> | undefined {
  const tags = input["Tags"] ?? input["tags"];
  return tags instanceof Map ? (tags as ReadonlyMap<string, string>) : undefined;
}
