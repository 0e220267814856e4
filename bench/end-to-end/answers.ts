// What the broker answers, for a bare server to repeat, and what it adds to its log meanwhile.
import { type Answer, BODY, call } from "../support.ts";
import type { CeilingJob } from "./ceiling.ts";

/** What the broker's log takes for a 256-byte message (bench/memory.ts prints it), and for ten received or deleted. */
export const RECORD_BYTES = 440;
/** The same for one of ten in a batch, which share a record. */
const BATCH_RECORD_BYTES = 310;
const TEN_RECEIVED_BYTES = 208;
const TEN_DELETED_BYTES = 192;

export interface Answers {
  readonly url: Answer;
  readonly send: Answer;
  readonly batch: Answer;
  readonly receive: Answer;
  readonly remove: Answer;
}

export async function answersOf(endpoint: string, QueueUrl: string): Promise<Answers> {
  const bodies = Array.from({ length: 10 }, (_, i) => ({ Id: String(i), MessageBody: BODY }));
  const url = await call(endpoint, "GetQueueUrl", { QueueName: QueueUrl.split("/").at(-1) });
  const send = await call(endpoint, "SendMessage", { QueueUrl, MessageBody: BODY });
  const batch = await call(endpoint, "SendMessageBatch", { QueueUrl, Entries: bodies });
  const receive = await call(endpoint, "ReceiveMessage", { QueueUrl, MaxNumberOfMessages: 10 });
  const { Messages }: { Messages: { ReceiptHandle: string }[] } = JSON.parse(receive.text);
  const Entries = Messages.map(({ ReceiptHandle }, i) => ({ Id: String(i), ReceiptHandle }));
  return { url, send, batch, receive, remove: await call(endpoint, "DeleteMessageBatch", { QueueUrl, Entries }) };
}

export function ceilingJob(mode: CeilingJob["mode"], filePath: string, answers: Answers): CeilingJob {
  const sent = { logBytes: RECORD_BYTES, perEntry: true, waits: true };
  const named = { reply: answers.url.text, logBytes: 0, perEntry: false, waits: false };
  return {
    mode,
    filePath,
    contentType: answers.send.contentType,
    actions: {
      CreateQueue: named,
      GetQueueUrl: named,
      SendMessage: { ...sent, reply: answers.send.text },
      SendMessageBatch: { ...sent, logBytes: BATCH_RECORD_BYTES, reply: answers.batch.text },
      ReceiveMessage: { reply: answers.receive.text, logBytes: TEN_RECEIVED_BYTES, perEntry: false, waits: false },
      DeleteMessageBatch: { reply: answers.remove.text, logBytes: TEN_DELETED_BYTES, perEntry: false, waits: true },
    },
  };
}
