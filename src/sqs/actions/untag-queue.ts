import { missingParameter } from "../errors.ts";
import { findQueue, inTurn, operationWithoutOutput, queueNameOf } from "../operation.ts";
import { list, string } from "../shapes.ts";

export const untagQueue = operationWithoutOutput(
  "UntagQueue",
  { QueueUrl: string, TagKeys: list("TagKey", string) },
  (context, input, reply) =>
    inTurn(context, queueNameOf(context, input.QueueUrl), reply, (done) => {
      const queue = findQueue(context, input.QueueUrl);
      if (input.TagKeys === undefined) throw missingParameter("TagKeys");
      const tags = new Map(queue.tags);
      for (const key of input.TagKeys) tags.delete(key);
      context.broker.setQueue(queue, queue.settings, tags, () => done(() => undefined));
    }),
);
