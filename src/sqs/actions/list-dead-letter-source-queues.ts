import type { Queue } from "../../broker/types.ts";
import { LIST_COUNT_MAX } from "../../limits.ts";
import { arnOf } from "../names.ts";
import { type Context, findQueue, operation, queueUrlOf } from "../operation.ts";
import { type Page, pageOf, pageOutput } from "../pages.ts";
import { integer, list, plainString, string } from "../shapes.ts";

export const listDeadLetterSourceQueues = operation(
  "ListDeadLetterSourceQueues",
  { QueueUrl: string, MaxResults: integer, NextToken: string },
  { queueUrls: list("QueueUrl", string), NextToken: plainString }, // lower case only here
  (context, input, reply) => {
    const target = findQueue(context, input.QueueUrl);
    const arn = arnOf(target);
    const page = pageOf(input.MaxResults, input.NextToken, arn);
    const { shown, nextToken } = pageOutput(page, sourcesOf(context, target, page), (queue) => queue.name, arn);
    reply.settle(() => ({ queueUrls: shown.map((queue) => queueUrlOf(context, queue)), NextToken: nextToken }));
    return undefined;
  },
);

/** Looks at every queue: asked seldom, and an index would have to be kept by every change. */
function sourcesOf(context: Context, target: Queue, page: Page): readonly Queue[] {
  const arn = arnOf(target);
  const sources: Queue[] = [];
  let after: string | undefined = page.after;
  while (after !== undefined && sources.length <= page.countMax) {
    const queues = context.broker.list(target.account, target.region, "", after, LIST_COUNT_MAX);
    sources.push(...queues.filter((queue) => queue.settings.redrive?.deadLetterTargetArn === arn));
    after = queues.at(-1)?.name;
  }
  return sources;
}
