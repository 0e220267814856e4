import { BATCH_BYTES_MAX } from "../../limits.ts";
import { batchOutput, checkEntries, type Outcome, outcomeOf } from "../batch.ts";
import { invalidParameter, SqsError } from "../errors.ts";
import { findQueue, operation } from "../operation.ts";
import { checkFifo, messageBytes, messageMembers, type Prepared, prepareMessage, sentOutput } from "../outgoing.ts";
import { batchFailures, list, plainString, string, structure } from "../shapes.ts";

const ENTRY = "SendMessageBatchRequestEntry";

export const sendMessageBatch = operation(
  "SendMessageBatch",
  { QueueUrl: string, Entries: list(ENTRY, structure({ Id: string, ...messageMembers })) },
  {
    Successful: list(
      "SendMessageBatchResultEntry",
      structure({
        Id: plainString,
        MessageId: plainString,
        MD5OfMessageBody: plainString,
        MD5OfMessageAttributes: plainString,
        MD5OfMessageSystemAttributes: plainString,
        SequenceNumber: plainString,
      }),
    ),
    Failed: batchFailures,
  },
  (context, input, reply) => {
    const queue = findQueue(context, input.QueueUrl);
    const entries = input.Entries ?? [];
    const ids = checkEntries(ENTRY, entries);
    let bytes = 0;
    for (const entry of entries) bytes += messageBytes(entry);
    if (bytes > BATCH_BYTES_MAX) {
      throw new SqsError(
        "BatchRequestTooLong",
        `Batch requests cannot be longer than ${BATCH_BYTES_MAX} bytes. You have sent ${bytes} bytes.`,
      );
    }
    if (queue.settings.fifo) {
      for (const entry of entries) checkFifoEntry(() => checkFifo(queue, entry));
    }

    const outcomes = entries.map((entry, index) =>
      outcomeOf(() => prepareMessage(context, queue, entry, `${ENTRY}.${index + 1}`)),
    );
    const prepared = outcomes.flatMap((outcome) => ("value" in outcome ? [outcome.value] : []));
    if (prepared.length === 0) {
      reply.settle(() => batchOutput(ids, outcomes.filter(isFailure)));
      return undefined;
    }
    const outgoing = prepared.map((one) => one.outgoing);
    context.broker.send(queue, outgoing, (results) =>
      reply.settle(() => {
        const [first] = results;
        if (first?.status === "locked") throw new SqsError(first.error.code, first.error.message); // it is so of all
        let resultIndex = 0;
        const answers = outcomes.map((outcome) => {
          if (isFailure(outcome)) return outcome;
          const sent = results[resultIndex++];
          return outcomeOf(() => sentOutput(queue, outcome.value, sent));
        });
        return batchOutput(ids, answers);
      }),
    );
    return undefined;
  },
);

function isFailure(outcome: Outcome<Prepared>): outcome is { readonly error: SqsError } {
  return "error" in outcome;
}

/** In a batch even a missing parameter is an invalid one. */
function checkFifoEntry(check: () => void): void {
  const outcome = outcomeOf(check);
  if ("error" in outcome) throw invalidParameter(outcome.error.message);
}
