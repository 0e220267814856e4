import type { Settled } from "../../broker/types.ts";
import { VISIBILITY_MS_MAX } from "../../limits.ts";
import { batchOutput, checkEntries, outcomeOf } from "../batch.ts";
import { invalidValue, missingParameter } from "../errors.ts";
import { findQueue, operation } from "../operation.ts";
import { checkChanged } from "../settled.ts";
import { batchFailures, integer, list, plainString, string, structure } from "../shapes.ts";

const ENTRY = "ChangeMessageVisibilityBatchRequestEntry";
const SECONDS_MAX = VISIBILITY_MS_MAX / 1000;

export const changeMessageVisibilityBatch = operation(
  "ChangeMessageVisibilityBatch",
  {
    QueueUrl: string,
    Entries: list(ENTRY, structure({ Id: string, ReceiptHandle: string, VisibilityTimeout: integer })),
  },
  {
    Successful: list("ChangeMessageVisibilityBatchResultEntry", structure({ Id: plainString })),
    Failed: batchFailures,
  },
  (context, input, reply) => {
    const queue = findQueue(context, input.QueueUrl);
    const entries = input.Entries ?? [];
    const ids = checkEntries(ENTRY, entries);
    const changes = entries.map((entry, index) =>
      outcomeOf(() => changeOf(entry.ReceiptHandle ?? "", entry.VisibilityTimeout, `${ENTRY}.${index + 1}`)),
    );
    const valid = changes.flatMap((change) => ("value" in change ? [change.value] : []));
    const settle = (results: readonly Settled[]): void =>
      reply.settle(() => {
        let resultIndex = 0;
        const outcomes = changes.map((change) =>
          outcomeOf(() => {
            if ("error" in change) throw change.error;
            const { receiptHandle, visibilityMs } = change.value;
            checkChanged(receiptHandle, visibilityMs / 1000, results[resultIndex++]);
            return {};
          }),
        );
        return batchOutput(ids, outcomes);
      });
    if (valid.length === 0) settle([]);
    else context.broker.changeVisibility(queue, valid, settle);
    return undefined;
  },
);

function changeOf(receiptHandle: string, seconds: number | undefined, entry: string) {
  if (receiptHandle === "") throw missingParameter(`${entry}.ReceiptHandle`);
  if (seconds === undefined) throw missingParameter(`${entry}.VisibilityTimeout`);
  if (seconds < 0 || seconds > SECONDS_MAX) {
    throw invalidValue(
      seconds,
      "VisibilityTimeout",
      `VisibilityTimeout must be an integer between 0 and ${SECONDS_MAX}.`,
    );
  }
  return { receiptHandle, visibilityMs: seconds * 1000 };
}
