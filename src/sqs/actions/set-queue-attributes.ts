import { applyAttributes, checkTarget } from "../attributes.ts";
import { missingParameter } from "../errors.ts";
import { findQueue, inTurn, operationWithoutOutput, queueNameOf } from "../operation.ts";
import { map, string, stringOrNumber } from "../shapes.ts";

export const setQueueAttributes = operationWithoutOutput(
  "SetQueueAttributes",
  { QueueUrl: string, Attributes: map("Attribute", "Name", stringOrNumber) },
  (context, input, reply) =>
    inTurn(context, queueNameOf(context, input.QueueUrl), reply, (done) => {
      const queue = findQueue(context, input.QueueUrl);
      const attributes = input.Attributes;
      if (attributes === undefined) throw missingParameter("Attribute.Name");
      const settings = applyAttributes(queue.settings, attributes);
      checkTarget(context, queue, settings, attributes);
      context.broker.setQueue(queue, settings, queue.tags, () => done(() => undefined));
    }),
);
