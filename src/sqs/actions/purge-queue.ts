import { SqsError } from "../errors.ts";
import { findQueue, operationWithoutOutput } from "../operation.ts";
import { string } from "../shapes.ts";

export const purgeQueue = operationWithoutOutput("PurgeQueue", { QueueUrl: string }, (context, input, reply) => {
  const queue = findQueue(context, input.QueueUrl);
  const nowMs = context.clock.nowMs();
  const purgedMs = context.state.purgedMs.get(queue);
  if (purgedMs !== undefined && nowMs - purgedMs < context.state.waitMs) {
    throw new SqsError(
      "PurgeQueueInProgress",
      `Only one PurgeQueue operation on ${queue.name} is allowed every 60 seconds.`,
    );
  }
  context.state.purgedMs.set(queue, nowMs);
  context.broker.purgeQueue(queue, () => reply.settle(() => undefined));
  return undefined;
});
