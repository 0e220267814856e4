import { missingParameter } from "../errors.ts";
import { findQueue, inTurn, operationWithoutOutput, queueNameOf } from "../operation.ts";
import { map, string } from "../shapes.ts";
import { checkTags } from "../tags.ts";

export const tagQueue = operationWithoutOutput(
  "TagQueue",
  { QueueUrl: string, Tags: map("Tag", "Key", string) },
  (context, input, reply) =>
    inTurn(context, queueNameOf(context, input.QueueUrl), reply, (done) => {
      const queue = findQueue(context, input.QueueUrl);
      const added = input.Tags;
      if (added === undefined) throw missingParameter("Tags");
      const tags = new Map([...queue.tags, ...added]);
      checkTags(queue.name, added, tags.size);
      context.broker.setQueue(queue, queue.settings, tags, () => done(() => undefined));
    }),
);
