// One walk over the API, made by the SDK of each language (go, java, rust, python): the same queues, the same calls in
// the same order, one line of JSON a step. What the SDK makes of the answers must be the same in all of them.
import { createHash } from "node:crypto";

/** What the walks send: all that JSON, XML and a terminal might spoil. */
const BODY = 'quote " & <tag> \r\n \u2603 \u{1f600}';

/** The lines of a walk with queues named `${prefix}-...`. */
export function expectedWalk(endpoint: string, prefix: string): object[] {
  const url = (name: string): string => `${endpoint}/000000000000/${prefix}-${name}`;
  const arn = (name: string): string => `arn:aws:sqs:eu-central-1:000000000000:${prefix}-${name}`;
  return [
    { step: "create", url: url("work"), fifoUrl: url("work.fifo"), same: true },
    {
      step: "attributes",
      arn: arn("work"),
      plain: { VisibilityTimeout: "0", MaximumMessageSize: "2048", MessageRetentionPeriod: "345600" },
      fifo: {
        FifoQueue: "true",
        ContentBasedDeduplication: "true",
        DeduplicationScope: "queue",
        FifoThroughputLimit: "perQueue",
      },
    },
    {
      step: "send",
      body: createHash("md5").update(BODY).digest("hex"),
      // The SDK for Java computes both for itself, here and below.
      attributes: "a14a6e8e55a8051b07d3b0bafde86242",
      system: "5ae4d5d7636402d80f4eb6d213245a88",
      sequence: false,
    },
    {
      step: "receive",
      sameId: true,
      sameBody: true,
      bare: [],
      bareSystem: [],
      some: ["color", "count"],
      someDigest: "a3b0c5a2cbb01d676cc206c8b04de98c",
      all: ["blob", "color", "count", "document", "instant"],
      allDigest: "a14a6e8e55a8051b07d3b0bafde86242",
      blob: [0, 1, 255],
      type: "Number.java.lang.Long",
      system: [
        "AWSTraceHeader",
        "ApproximateFirstReceiveTimestamp",
        "ApproximateReceiveCount",
        "SenderId",
        "SentTimestamp",
      ],
      trace: "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
      receives: "3",
    },
    { step: "visibility", hidden: 0, again: true, left: "0 0 0" },
    {
      step: "batch",
      successful: ["a", "c"],
      failed: ["b InvalidMessageContents true"],
      bodies: ["1", "3"],
      changed: ["0", "1"],
      unchanged: ["bad ReceiptHandleIsInvalid true"],
      deleted: ["0", "1"],
      undeleted: [],
      left: "0 0 0",
    },
    { step: "long poll", body: "now", early: true },
    {
      step: "fifo",
      bodies: ["g1 a", "g1 b", "g2 a"],
      duplicate: true,
      ascending: true,
      locked: 0,
      next: ["g1 c", "g1", "own"],
      system: [
        "ApproximateFirstReceiveTimestamp",
        "ApproximateReceiveCount",
        "MessageDeduplicationId",
        "MessageGroupId",
        "SenderId",
        "SentTimestamp",
        "SequenceNumber",
      ],
    },
    {
      step: "dead letter",
      policy: true,
      again: 0,
      sameId: true,
      receives: "2",
      source: arn("source"),
      sources: [url("source")],
    },
    {
      step: "move",
      status: "COMPLETED",
      moved: 1,
      toMove: 1,
      handle: false,
      back: "poison",
      newId: true,
      receives: "1",
    },
    {
      step: "cancel",
      status: "CANCELLED",
      rate: 1,
      destination: arn("rescued"),
      kept: 3,
      unknown: "ResourceNotFound",
      ended: "InvalidParameterValue",
    },
    { step: "tags", tags: { team: "a", empty: "" } },
    { step: "list", names: ["0", "1", "2", "3", "4"], pages: [2, 2, 1] },
    { step: "permissions", sid: "share", action: "SQS:SendMessage", remains: false },
    {
      // The SDK's own type for each, but for the last, which no SDK has a type for.
      step: "errors",
      absent: "QueueDoesNotExist",
      exists: "QueueNameExists",
      attribute: "InvalidAttributeName",
      handle: "ReceiptHandleIsInvalid",
      contents: "InvalidMessageContents",
      empty: "EmptyBatchRequest",
      many: "TooManyEntriesInBatchRequest",
      twice: "BatchEntryIdsNotDistinct",
      id: "InvalidBatchEntryId",
      value: "InvalidParameterValue",
    },
    { step: "purge, delete", before: "3 0 0", after: "0 0 0", gone: "QueueDoesNotExist" },
  ];
}

/** What a walk printed, line by line. */
export function walkedLines(output: string): object[] {
  return output
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}
