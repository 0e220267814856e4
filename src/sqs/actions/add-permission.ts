import { invalidParameter, invalidValue, missingParameter } from "../errors.ts";
import { arnOf } from "../names.ts";
import { findQueue, inTurn, operationWithoutOutput, queueNameOf } from "../operation.ts";
import { checkActionCount, normalPolicy, parseQueuePolicy, statementOf } from "../permissions.ts";
import { list, string } from "../shapes.ts";

const GRANTABLE: ReadonlySet<string> = new Set([
  "*",
  "SendMessage",
  "ReceiveMessage",
  "DeleteMessage",
  "ChangeMessageVisibility",
  "GetQueueAttributes",
  "GetQueueUrl",
  "ListDeadLetterSourceQueues",
  "PurgeQueue",
]);
const OWNER_ONLY: ReadonlySet<string> = new Set([
  "CreateQueue",
  "DeleteQueue",
  "ListQueues",
  "AddPermission",
  "RemovePermission",
  "TagQueue",
  "UntagQueue",
  "ListQueueTags",
  "SetQueueAttributes",
  "StartMessageMoveTask",
  "CancelMessageMoveTask",
  "ListMessageMoveTasks",
]);

export const addPermission = operationWithoutOutput(
  "AddPermission",
  {
    QueueUrl: string,
    Label: string,
    AWSAccountIds: list("AWSAccountId", string),
    Actions: list("ActionName", string),
  },
  (context, input, reply) =>
    inTurn(context, queueNameOf(context, input.QueueUrl), reply, (done) => {
      const queue = findQueue(context, input.QueueUrl);
      const { Label: label = "", AWSAccountIds: accounts = [], Actions: actions = [] } = input;
      checkLabel(label);
      checkActions(actions);
      if (accounts.length === 0 || !accounts.every((account) => /^\d{12}$/.test(account))) {
        throw invalidValue(`[${accounts.join(", ")}]`, "PrincipalId", "Unable to verify.");
      }
      const queueArn = arnOf(queue);
      const policy = parseQueuePolicy(queue.settings.policy, queueArn);
      if (policy.statements.some((statement) => statement["Sid"] === label)) {
        throw invalidValue(label, "Label", "Already exists.");
      }
      const changed = policy.render([...policy.statements, statementOf(label, accounts, actions, queueArn)]);
      normalPolicy(changed); // it may have become too large
      context.broker.setQueue(queue, { ...queue.settings, policy: changed }, queue.tags, () => done(() => undefined));
    }),
);

function checkLabel(label: string): void {
  if (label === "") throw missingParameter("Label");
  if (!/^[A-Za-z0-9_-]{1,80}$/.test(label)) {
    throw invalidValue(
      label,
      "Label",
      "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.",
    );
  }
}

function checkActions(actions: readonly string[]): void {
  if (actions.length === 0) throw missingParameter("ActionName");
  checkActionCount(actions.length);
  for (const action of actions) {
    if (GRANTABLE.has(action)) continue;
    const reason = OWNER_ONLY.has(action)
      ? "Only the queue owner is allowed to invoke this action."
      : "Please refer to the appropriate WSDL for a list of valid actions.";
    throw invalidParameter(`Value SQS:${action} for parameter ActionName is invalid. Reason: ${reason}`);
  }
}
