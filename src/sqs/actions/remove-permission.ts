import { invalidValue, missingParameter } from "../errors.ts";
import { arnOf } from "../names.ts";
import { findQueue, inTurn, operationWithoutOutput, queueNameOf } from "../operation.ts";
import { parseQueuePolicy } from "../permissions.ts";
import { string } from "../shapes.ts";

export const removePermission = operationWithoutOutput(
  "RemovePermission",
  { QueueUrl: string, Label: string },
  (context, input, reply) =>
    inTurn(context, queueNameOf(context, input.QueueUrl), reply, (done) => {
      const queue = findQueue(context, input.QueueUrl);
      const label = input.Label ?? "";
      if (label === "") throw missingParameter("Label");
      if (queue.settings.policy === undefined) throw invalidValue(label, "Label", "can't find label.");
      const policy = parseQueuePolicy(queue.settings.policy, arnOf(queue));
      const kept = policy.statements.filter((statement) => statement["Sid"] !== label);
      if (kept.length === policy.statements.length) {
        throw invalidValue(label, "Label", "can't find label on existing policy.");
      }
      const changed = kept.length === 0 ? undefined : policy.render(kept);
      context.broker.setQueue(queue, { ...queue.settings, policy: changed }, queue.tags, () => done(() => undefined));
    }),
);
