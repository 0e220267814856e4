import { findQueue, operation } from "../operation.ts";
import { map, string } from "../shapes.ts";

export const listQueueTags = operation(
  "ListQueueTags",
  { QueueUrl: string },
  { Tags: map("Tag", "Key", string) },
  (context, input, reply) => {
    const queue = findQueue(context, input.QueueUrl);
    reply.settle(() => ({ Tags: queue.tags }));
    return undefined;
  },
);
