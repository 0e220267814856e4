import { assert } from "./base/assert.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

// The service's numbers: changing one breaks a client.
export const MESSAGE_BYTES_MAX = 1 * MiB; // body plus attributes
export const MESSAGE_BYTES_MAX_MIN = 1 * KiB; // lowest MaximumMessageSize a queue may have
export const BATCH_BYTES_MAX = 1 * MiB; // sum over a batch, whatever the queue's own limit
export const BATCH_ENTRY_COUNT_MAX = 10;
export const RECEIVE_COUNT_MAX = 10; // messages of one ReceiveMessage
export const VISIBILITY_MS_MAX = 43_200_000; // 12 h, counted from the receive
export const DELAY_MS_MAX = 900_000;
export const RETENTION_MS_MIN = 60_000;
export const RETENTION_MS_MAX = 1_209_600_000; // 14 d
export const WAIT_MS_MAX = 20_000; // long poll
export const DEDUP_WINDOW_MS = 300_000; // 5 min, FIFO only
export const INFLIGHT_COUNT_MAX = 120_000; // per queue
export const ATTRIBUTE_COUNT_MAX = 10; // message attributes of one message
export const TRACE_HEADER_BYTES_MAX = 1 * KiB; // AWSTraceHeader; the service names no bound, and it counts for no size
export const TAG_COUNT_MAX = 50;
export const LIST_COUNT_MAX = 1_000; // one page of ListQueues
export const MOVE_PER_SECOND_MAX = 500; // a move task's own rate
export const MOVE_TASK_COUNT_MAX = 100; // running, per account and region
export const MOVE_TASK_MS_MAX = 129_600_000; // 36 h
export const MOVE_TASK_KEPT_MAX = 10; // per source queue: what ListMessageMoveTasks can show

// Ours: changing one needs a benchmark.
export const REQUEST_BYTES_MAX = 8 * MiB; // an HTTP body: 1 MiB of message percent-encoded, and room
export const CONNECTION_COUNT_MAX = 50_000; // unless the configuration says otherwise; an idle one costs some 5 KiB
export const PEEK_COUNT_MAX = 1_000; // messages of one look at a queue
export const PEEK_BYTES_MAX = 8 * MiB; // of their records, and one message more
export const RECORD_BYTES_MAX = 2 * MiB; // one log record, header included
export const SEGMENT_BYTES = 64 * MiB; // one log file, data area
export const SEGMENT_HEADER_BYTES = 4 * KiB; // records start here in every segment
export const TAIL_BYTES = 32 * MiB; // the log's newest bytes, kept in memory: write buffer and read cache
export const READ_CACHE_BYTES = 16 * MiB; // of the log, read back: records that are received after they left the tail
export const MEMORY_BYTES_MAX = 3584 * MiB; // the core's whole memory

// Ours, and clients are told them.
export const STREAM_FRAME_BYTES_MAX = 16 * MiB; // a WebSocket message
export const STREAM_JSON_BYTES_MAX = 4 * MiB; // an envelope in JSON; what encoders escape of a message makes it 3 MiB at most
export const STREAM_JSON_PARTS_MAX = 65_536; // commas and opening brackets of an envelope in JSON
export const STREAM_JSON_NAMES_MAX = 100; // in one object of it
export const STREAM_REQUEST_BYTES_MAX = 256 * 1024; // an envelope in protobuf that is no Publish
export const STREAM_FIELDS_MAX = 1_000; // of an envelope in protobuf
export const STREAM_SUBSCRIPTIONS_MAX = 1_000; // of a session, like the two below
export const STREAM_PUBLISHERS_MAX = 100;
export const STREAM_WATCHES_MAX = 100;
export const STREAM_CREDIT_MESSAGES_MAX = 100_000; // of a subscription
export const STREAM_CREDIT_BYTES_MAX = 256 * MiB;
export const STREAM_BATCH_MESSAGES_MAX = 1_000; // of a Deliver
export const STREAM_SPAN_MAX = 131_072; // delivery numbers from the oldest outstanding to the newest: assembly/subscription.ts
export const STREAM_GROUP_IN_FLIGHT_MAX = 100;
export const STREAM_NUMBERS_MAX = 10_000; // named in one Ack, Nack, Touch or DeadLetter
export const STREAM_PUBLISH_BYTES_MAX = 4 * MiB; // unconfirmed, of a publisher
export const STREAM_PUBLISH_MESSAGES_MAX = 10_000; // of one Publish
export const STREAM_FAILURES_MAX = 100_000; // of a session's messages that broke a rule, until it is told of them
export const STREAM_UNTOLD_BYTES_MAX = 4 * MiB; // IDs of a session's published messages, while its connection takes nothing
export const STREAM_BUFFERED_BYTES_MAX = 1 * MiB; // for a slow reader
export const STREAM_STALLED_MS_MAX = 30_000; // without progress of such a reader
export const STREAM_REQUESTS_MAX = 10_000; // of a connection that wait for their answers
export const STREAM_REQUEST_NUMBERS = 100; // named in a request that make it count as one more
export const STREAM_PASS_FRAMES_MAX = 50_000; // WebSocket messages and pings of a connection in one pass over the sockets
export const STREAM_PASSES_FRAMES_MAX = 100_000; // of all connections
export const STREAM_PASS_FRAMES_SMALL = 10_000; // a connection with no more goes on, whatever the others send
export const STREAM_BACKLOG_BYTES_MAX = 2 * STREAM_FRAME_BYTES_MAX; // of requests of a connection that wait for their turn
export const STREAM_BACKLOGS_BYTES_MAX = 256 * MiB; // of all connections
export const STREAM_BACKLOG_BYTES_SMALL = 1 * MiB; // a connection with no more keeps it, whatever the others have
export const STREAM_ANSWERS_BYTES_MAX = 16 * MiB; // that wait for a connection to take them

// Relations the design leans on, checked at import: a bad edit never boots.
assert(MESSAGE_BYTES_MAX <= BATCH_BYTES_MAX, "a full-size message fits a batch of one");
assert(BATCH_BYTES_MAX + 64 * KiB <= RECORD_BYTES_MAX, "a full-size message fits one record");
assert(BATCH_BYTES_MAX * 3 <= REQUEST_BYTES_MAX, "a full batch fits a request, percent-encoded");
assert(RECORD_BYTES_MAX * 8 <= SEGMENT_BYTES, "rolling early wastes an eighth of a segment at most");
assert(RECORD_BYTES_MAX * 4 <= TAIL_BYTES, "the tail holds several records of any size");
assert(
  RECEIVE_COUNT_MAX * (MESSAGE_BYTES_MAX + 64 * KiB) + RECORD_BYTES_MAX <= READ_CACHE_BYTES,
  "whatever one receive hands out is read back at once, wherever the ring starts over",
);
