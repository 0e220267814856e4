import { operation, queueUrlOf } from "../operation.ts";
import { pageOf, pageOutput } from "../pages.ts";
import { integer, list, plainString, string } from "../shapes.ts";

export const listQueues = operation(
  "ListQueues",
  { QueueNamePrefix: string, MaxResults: integer, NextToken: string },
  { QueueUrls: list("QueueUrl", string), NextToken: plainString },
  (context, input, reply) => {
    const prefix = input.QueueNamePrefix ?? "";
    const page = pageOf(input.MaxResults, input.NextToken, prefix);
    const found = context.broker.list(context.account, context.region, prefix, page.after, page.countMax + 1);
    const { shown, nextToken } = pageOutput(page, found, (queue) => queue.name, prefix);
    reply.settle(() => ({ QueueUrls: shown.map((queue) => queueUrlOf(context, queue)), NextToken: nextToken }));
    return undefined;
  },
);
