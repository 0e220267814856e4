import { invalidParameter, queueDoesNotExist } from "../errors.ts";
import { operation, queueUrlOf } from "../operation.ts";
import { string } from "../shapes.ts";
import { QUEUE_NAME_MISSING } from "./create-queue.ts";

export const getQueueUrl = operation(
  "GetQueueUrl",
  { QueueName: string, QueueOwnerAWSAccountId: string },
  { QueueUrl: string },
  (context, input, reply) => {
    const { QueueName: name, QueueOwnerAWSAccountId: owner = context.account } = input;
    if (name === undefined || name === "") throw invalidParameter(QUEUE_NAME_MISSING);
    const queue = context.broker.find({ account: owner, region: context.region, name });
    if (queue === undefined) throw queueDoesNotExist();
    reply.settle(() => ({ QueueUrl: queueUrlOf(context, queue) }));
    return undefined;
  },
);
