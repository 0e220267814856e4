import type { MoveStarted, Queue } from "../../broker/types.ts";
import { MOVE_PER_SECOND_MAX, MOVE_TASK_COUNT_MAX } from "../../limits.ts";
import { invalidParameter, SqsError } from "../errors.ts";
import { findQueueByArn, findSource, isDeadLetterQueue, writeTaskHandle } from "../move-tasks.ts";
import { arnOf } from "../names.ts";
import { operation } from "../operation.ts";
import { integer, plainString, string } from "../shapes.ts";

export const startMessageMoveTask = operation(
  "StartMessageMoveTask",
  { SourceArn: string, DestinationArn: string, MaxNumberOfMessagesPerSecond: integer },
  { TaskHandle: plainString },
  (context, input, reply) => {
    const source = findSource(context, input.SourceArn);
    if (!isDeadLetterQueue(context, source)) {
      throw invalidParameter("Source queue must be configured as a Dead Letter Queue.");
    }
    const { DestinationArn: destinationArn, MaxNumberOfMessagesPerSecond: messagesPerSecond } = input;
    if (destinationArn !== undefined) {
      checkDestination(source, findQueueByArn(context, "DestinationArn", destinationArn));
    }
    if (messagesPerSecond !== undefined && (messagesPerSecond < 1 || messagesPerSecond > MOVE_PER_SECOND_MAX)) {
      throw invalidParameter(
        `Value for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: You must enter a number that's between 1 and ${MOVE_PER_SECOND_MAX}.`,
      );
    }
    context.broker.startMove(source, { destinationArn, messagesPerSecond }, (result) =>
      reply.settle(() => ({ TaskHandle: writeTaskHandle(idOf(result), arnOf(source)) })),
    );
    return undefined;
  },
);

function checkDestination(source: Queue, destination: Queue): void {
  if (destination === source) {
    throw invalidParameter("Source queue arn and destination queue arn cannot be the same.");
  }
  if (destination.settings.fifo !== source.settings.fifo) {
    throw invalidParameter("The source queue and destination queue must be of the same queue type.");
  }
}

function idOf(result: MoveStarted): string {
  if (result.status === "started") return result.id;
  if (result.status === "active") {
    throw invalidParameter(
      "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
    );
  }
  throw new SqsError(
    "OverLimit",
    `The account has ${MOVE_TASK_COUNT_MAX} active message move tasks, and no more are allowed at a given time.`,
  );
}
