import { batchOutput, checkEntries, outcomeOf } from "../batch.ts";
import { missingParameter } from "../errors.ts";
import { findQueue, operation } from "../operation.ts";
import { checkDeleted } from "../settled.ts";
import { batchFailures, list, plainString, string, structure } from "../shapes.ts";

const ENTRY = "DeleteMessageBatchRequestEntry";

export const deleteMessageBatch = operation(
  "DeleteMessageBatch",
  { QueueUrl: string, Entries: list(ENTRY, structure({ Id: string, ReceiptHandle: string })) },
  {
    Successful: list("DeleteMessageBatchResultEntry", structure({ Id: plainString })),
    Failed: batchFailures,
  },
  (context, input, reply) => {
    const queue = findQueue(context, input.QueueUrl);
    const entries = input.Entries ?? [];
    const ids = checkEntries(ENTRY, entries);
    const handles = entries.map((entry) => entry.ReceiptHandle ?? "");
    const present = handles.filter((handle) => handle !== "");
    const settle = (results: readonly Parameters<typeof checkDeleted>[1][]): void =>
      reply.settle(() => {
        let resultIndex = 0;
        const outcomes = handles.map((handle, index) =>
          outcomeOf(() => {
            if (handle === "") throw missingParameter(`${ENTRY}.${index + 1}.ReceiptHandle`);
            checkDeleted(handle, results[resultIndex++]);
            return {};
          }),
        );
        return batchOutput(ids, outcomes);
      });
    if (present.length === 0) settle([]);
    else context.broker.delete(queue, present, settle);
    return undefined;
  },
);
