import type { MoveCancelled } from "../../broker/types.ts";
import { invalidParameter, missingParameter, SqsError } from "../errors.ts";
import { readTaskHandle, resourceNotFound } from "../move-tasks.ts";
import { operation } from "../operation.ts";
import { queueOfArn } from "../redrive.ts";
import { integer, string } from "../shapes.ts";

export const cancelMessageMoveTask = operation(
  "CancelMessageMoveTask",
  { TaskHandle: string },
  { ApproximateNumberOfMessagesMoved: integer },
  (context, input, reply) => {
    if (input.TaskHandle === undefined || input.TaskHandle === "") throw missingParameter("TaskHandle");
    const { taskId, sourceArn } = readTaskHandle(input.TaskHandle);
    const source = queueOfArn(context, sourceArn, context);
    if (source === undefined) throw resourceNotFound("SourceArn");
    context.broker.cancelMove(source, taskId, (result) =>
      reply.settle(() => ({ ApproximateNumberOfMessagesMoved: movedCountOf(result) })),
    );
    return undefined;
  },
);

function movedCountOf(result: MoveCancelled): number {
  if (result.status === "cancelled") return result.movedCount;
  if (result.status === "notActive") throw invalidParameter("Only active tasks can be cancelled.");
  throw new SqsError("ResourceNotFoundException", "Task does not exist.");
}
