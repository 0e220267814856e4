import { arnOf } from "../names.ts";
import { findQueue, inTurn, operationWithoutOutput, queueNameOf } from "../operation.ts";
import { string } from "../shapes.ts";

export const deleteQueue = operationWithoutOutput("DeleteQueue", { QueueUrl: string }, (context, input, reply) =>
  inTurn(context, queueNameOf(context, input.QueueUrl), reply, (done) => {
    const queue = findQueue(context, input.QueueUrl);
    context.broker.deleteQueue(queue, () =>
      done(() => {
        context.state.deleted.add(arnOf(queue), context.clock.nowMs());
        return undefined;
      }),
    );
  }),
);
