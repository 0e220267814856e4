// What the three actions for message move tasks share: queues by ARN, task handles, a task as its callers see it.

import type { MoveFailure, MoveTask, Queue } from "../broker/types.ts";
import { LIST_COUNT_MAX } from "../limits.ts";
import { invalidParameter, missingParameter, SqsError } from "./errors.ts";
import { arnOf } from "./names.ts";
import type { Context } from "./operation.ts";
import { parseJsonMap, queueOfArn } from "./redrive.ts";
import { integer, list, plainString, string, structure } from "./shapes.ts";

type ArnParameter = "SourceArn" | "DestinationArn";

/** @throws SqsError */
export function findSource(context: Context, arn: string | undefined): Queue {
  if (arn === undefined || arn === "") throw missingParameter("SourceArn");
  return findQueueByArn(context, "SourceArn", arn);
}

/** The queue of the caller's account and region that the ARN names. @throws SqsError */
export function findQueueByArn(context: Context, parameter: ArnParameter, arn: string): Queue {
  const parts = arn.split(":");
  if (parts.length !== 6 || parts[0] !== "arn" || parts.includes("")) {
    throw invalidParameter(
      `You must use this format to specify the ${parameter}: arn:<partition>:<service>:<region>:<account-id>:<resource-id>`,
    );
  }
  const queue = queueOfArn(context, arn, context);
  if (queue === undefined) throw resourceNotFound(parameter);
  return queue;
}

export function resourceNotFound(parameter: ArnParameter): SqsError {
  return new SqsError(
    "ResourceNotFoundException",
    `The resource that you specified for the ${parameter} parameter doesn't exist.`,
  );
}

/** Whether any queue has it as its dead-letter queue. Looks at every queue: asked seldom. */
export function isDeadLetterQueue(context: Context, queue: Queue): boolean {
  const arn = arnOf(queue);
  let after: string | undefined = "";
  while (after !== undefined) {
    const page: readonly Queue[] = context.broker.list(queue.account, queue.region, "", after, LIST_COUNT_MAX);
    if (page.some(({ settings }) => settings.redrive?.deadLetterTargetArn === arn)) return true;
    after = page.at(-1)?.name;
  }
  return false;
}

export function writeTaskHandle(taskId: string, sourceArn: string): string {
  return Buffer.from(JSON.stringify({ taskId, sourceArn })).toString("base64");
}

/** @throws SqsError for what is no handle */
export function readTaskHandle(text: string): { readonly taskId: string; readonly sourceArn: string } {
  const handle = parseJsonMap(Buffer.from(text, "base64").toString("utf8"));
  const taskId = handle?.get("taskId");
  const sourceArn = handle?.get("sourceArn");
  if (typeof taskId !== "string" || typeof sourceArn !== "string") {
    throw invalidParameter("Value for parameter TaskHandle is invalid.");
  }
  return { taskId, sourceArn };
}

const STATUS = {
  running: "RUNNING",
  completed: "COMPLETED",
  cancelling: "CANCELLING",
  cancelled: "CANCELLED",
  failed: "FAILED",
} as const satisfies Record<MoveTask["status"], string>;

const FAILURE_REASON = {
  sourceUnknown: "CouldNotDetermineMessageSource",
  destinationGone: "AWS.SimpleQueueService.NonExistentQueue",
  timedOut: "TaskTimedOut", // ours: nobody has seen the service's
} as const satisfies Record<MoveFailure, string>;

export const moveTaskList = list(
  "ListMessageMoveTasksResultEntry",
  structure({
    TaskHandle: plainString,
    Status: plainString,
    SourceArn: string,
    DestinationArn: string,
    MaxNumberOfMessagesPerSecond: integer,
    ApproximateNumberOfMessagesMoved: integer,
    ApproximateNumberOfMessagesToMove: integer,
    FailureReason: plainString,
    StartedTimestamp: integer,
  }),
);

export function moveTaskOutput(task: MoveTask, sourceArn: string) {
  return {
    TaskHandle: task.status === "running" ? writeTaskHandle(task.id, sourceArn) : undefined,
    Status: STATUS[task.status],
    SourceArn: sourceArn,
    DestinationArn: task.destinationArn,
    MaxNumberOfMessagesPerSecond: task.messagesPerSecond,
    ApproximateNumberOfMessagesMoved: task.movedCount,
    ApproximateNumberOfMessagesToMove: task.toMoveCount,
    FailureReason: task.failure === undefined ? undefined : FAILURE_REASON[task.failure],
    StartedTimestamp: task.startedMs,
  };
}
