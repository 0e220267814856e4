import { VISIBILITY_MS_MAX } from "../../limits.ts";
import { invalidValue, missingParameter } from "../errors.ts";
import { findQueue, operationWithoutOutput } from "../operation.ts";
import { checkChanged } from "../settled.ts";
import { integer, string } from "../shapes.ts";

const SECONDS_MAX = VISIBILITY_MS_MAX / 1000;

export const changeMessageVisibility = operationWithoutOutput(
  "ChangeMessageVisibility",
  { QueueUrl: string, ReceiptHandle: string, VisibilityTimeout: integer },
  (context, input, reply) => {
    const queue = findQueue(context, input.QueueUrl);
    const receiptHandle = input.ReceiptHandle ?? "";
    const seconds = input.VisibilityTimeout;
    if (receiptHandle === "") throw missingParameter("ReceiptHandle");
    if (seconds === undefined) throw missingParameter("VisibilityTimeout");
    if (seconds < 0 || seconds > SECONDS_MAX) {
      throw invalidValue(seconds, "VisibilityTimeout", `Must be between 0 and ${SECONDS_MAX}.`);
    }
    context.broker.changeVisibility(queue, [{ receiptHandle, visibilityMs: seconds * 1000 }], ([result]) =>
      reply.settle(() => {
        checkChanged(receiptHandle, seconds, result);
        return undefined;
      }),
    );
    return undefined;
  },
);
