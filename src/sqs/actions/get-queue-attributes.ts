import { readAttributes } from "../attributes.ts";
import { findQueue, operation } from "../operation.ts";
import { list, map, string } from "../shapes.ts";

export const getQueueAttributes = operation(
  "GetQueueAttributes",
  { QueueUrl: string, AttributeNames: list("AttributeName", string) },
  { Attributes: map("Attribute", "Name", string) },
  (context, input, reply) => {
    const queue = findQueue(context, input.QueueUrl);
    reply.settle(() => ({ Attributes: readAttributes(context, queue, input.AttributeNames ?? []) }));
    return undefined;
  },
);
