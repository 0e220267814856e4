import { missingParameter } from "../errors.ts";
import { findQueue, operationWithoutOutput } from "../operation.ts";
import { checkDeleted } from "../settled.ts";
import { string } from "../shapes.ts";

export const deleteMessage = operationWithoutOutput(
  "DeleteMessage",
  { QueueUrl: string, ReceiptHandle: string },
  (context, input, reply) => {
    const queue = findQueue(context, input.QueueUrl);
    const receiptHandle = input.ReceiptHandle ?? "";
    if (receiptHandle === "") throw missingParameter("ReceiptHandle");
    context.broker.delete(queue, [receiptHandle], ([result]) =>
      reply.settle(() => {
        checkDeleted(receiptHandle, result);
        return undefined;
      }),
    );
    return undefined;
  },
);
