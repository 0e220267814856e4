import { findQueue, operation } from "../operation.ts";
import { messageMembers, prepareMessage, sentOutput } from "../outgoing.ts";
import { plainString, string } from "../shapes.ts";

export const sendMessage = operation(
  "SendMessage",
  { QueueUrl: string, ...messageMembers },
  {
    MessageId: plainString,
    MD5OfMessageBody: plainString,
    MD5OfMessageAttributes: plainString,
    MD5OfMessageSystemAttributes: plainString,
    SequenceNumber: plainString,
  },
  (context, input, reply) => {
    const queue = findQueue(context, input.QueueUrl);
    const prepared = prepareMessage(context, queue, input, undefined);
    context.broker.send(queue, [prepared.outgoing], ([sent]) => reply.settle(() => sentOutput(queue, prepared, sent)));
    return undefined;
  },
);
