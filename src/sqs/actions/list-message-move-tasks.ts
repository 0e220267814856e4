import { MOVE_TASK_KEPT_MAX } from "../../limits.ts";
import { invalidParameter } from "../errors.ts";
import { findSource, moveTaskList, moveTaskOutput } from "../move-tasks.ts";
import { arnOf } from "../names.ts";
import { operation } from "../operation.ts";
import { integer, string } from "../shapes.ts";

export const listMessageMoveTasks = operation(
  "ListMessageMoveTasks",
  { SourceArn: string, MaxResults: integer },
  { Results: moveTaskList },
  (context, input, reply) => {
    const source = findSource(context, input.SourceArn);
    const countMax = input.MaxResults ?? 1;
    if (countMax < 1 || countMax > MOVE_TASK_KEPT_MAX) {
      throw invalidParameter(
        `Value for parameter MaxResults is invalid. Reason: You must enter a number that's between 1 and ${MOVE_TASK_KEPT_MAX}.`,
      );
    }
    const tasks = context.broker.moveTasks(source).slice(0, countMax);
    reply.settle(() => ({ Results: tasks.map((task) => moveTaskOutput(task, arnOf(source))) }));
    return undefined;
  },
);
