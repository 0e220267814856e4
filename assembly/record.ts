// One record of the append-only log, version 1; little-endian throughout, aligned to 8 bytes.
//
//   offset  size  field     meaning
//        0     4  checksum  CRC-32C over bytes [4, size), begun with the log's seed (segments of version 1: none)
//        4     3  size      bytes, header included, padding excluded
//        7     1  kind      below; a retired value is never given out again
//        8     8  number    previous + 1, through the whole log
//       16     4  segment   the segment it was written to: a recycled file's old bytes do not pass for new ones
//       20     4  write     offset in its segment before which all was on disk when the record was made, so a hole there is
//                           damage and not a torn tail
//       24     n  payload
//     24+n   0-7  zeros
//
// SENT, a message with all that is known of it (also written again when its segment is given up):
//       24     4  slot                     28     4  flags, FLAG_…; bits 8..14 how often a task moved it; bits 16..31
//                                                   how far it takes its producer, see REMEMBERED; 0: it has none
//       32     8  sequence number          40     4  queue index
//       44     4  queue number             48     8  sentMs (f64, as every time here)
//       56     8  visibleAtMs              64     8  firstReceivedMs, 0: never
//       72     8  receivedMs, 0: never     80     4  receive count
//       84     4  number of the queue it was moved from
//       88    16  message ID              104    16  MD5 of the body, 0: not computed
//      120    16  group key, 0: no group  136    16  deduplication key, FIFO only
//      152     4  body bytes              156     4  attributes bytes
//      160     2  group ID bytes          162     2  deduplication ID bytes
//      164     2  sender ID bytes         166     2  trace header bytes
//      168     n  group ID, deduplication ID, sender ID, trace header, attributes, body
//
// BRIEF, the same of a message that was just sent to a standard queue, visible at once, with nothing computed of its body:
//       24     4  slot                     28     4  flags: only bits 16..31
//       32     8  sequence number          40     4  queue index
//       44     4  queue number             48     8  sentMs
//       56    16  message ID               72    16  as SENT's bytes 152 to 167, without group and deduplication ID
//       88     n  sender ID, trace header, attributes, body
//
// RUN, one or more such messages of nothing but a body, that came in one frame of a stream or in one batch. The checksum is
// of the bytes to 56; the size is of all, and there is no padding behind it:
//       24     4  queue index              28     4  queue number
//       32     8  sequence number of the first; of the others those that follow
//       40     8  sentMs                   48     4  count                   52     4  zero
//       56        as many PARTs
// PART, one of them. What reads a message's record back reads this alone; whoever goes through records meets it in a RUN:
//        0     4  checksum  low half of NH (nh.ts) over bytes [8, end of the padding); its seed has bytes [4, 8) above, and
//                           below the log's seed ^ segment * 0x9e3779b1
//        4     3  size      bytes, padding excluded                          7     1  kind
//        8     4  slot                     12     2  how far it takes its producer, as in SENT's flags
//       14     2  sender ID bytes          16    16  message ID
//       32     n  sender ID, body
//     32+n   0-7  zeros
// PART_XXH64, the same with XXH64 for NH, as it was written until segments had version 6
// PART_CRC, the same with another checksum, as it was written until segments had version 5: CRC-32C over bytes [4, size),
//       begun with the log's seed ^ segment * 0x9e3779b1
//
// RECEIVED, VISIBILITY: 24 nowMs, 32 visibleAtMs, 40 count, 44 zero; then a row per message:
//        0     4  slot    4     4  generation    8     4  receive count   12     4  zero
// ATTEMPT, a RECEIVED that a retry may repeat (without rows: one that was taken back, and may not): at 44 1 when the rows
//       tell nothing new, and behind the rows
//        0    16  attempt key          16     4  queue number    20     4  zero
//       24     8  expiresMs
// STATE, a message's receives as they are: 24 slot, 28 generation, 32 receive count, 36 1: also where there were more
//       before it (0: of versions that took none back), 40 visibleAtMs, 48 receivedMs, 56 firstReceivedMs
// DELETED: 24 count, 28 zero; then rows:
//        0     4  slot    4     4  generation    8     8  position of the message's record
// MOVED: 24 slot, 28 source number, 32 new sequence number, 40 queue index, 44 queue number, 48 sentMs,
//       56 position of the message's record, 64 receive count, 68 flags (FLAG_FIFO, FLAG_GROUP, FLAG_BY_TASK, FLAG_AGAIN;
//       bits 8..14 as above), 72 firstReceivedMs, 80 visibleAtMs, 88 receivedMs, 96 group key (16 bytes)
// QUEUE: 24 queue index, 28 queue number, 32 payload bytes, 36 zero, 40 payload (the host's)
// QUEUE_DROPPED: 24 queue index, 28 queue number, 32 position of the queue's last QUEUE record
// REMEMBERED, a deduplication entry that outlives its message: 24 queue index, 28 queue number, 32 key (16),
//       48 message ID (16), 64 sequence number, 72 expiresMs
//       Of a producer: 48 zeros, 64 the last of its numbers that has been seen. It stands before the messages of a Publish,
//       in their segment, and each of them says how many numbers beyond it the producer has come with it. So a log that
//       ends anywhere between them tells of exactly the numbers whose messages it has.
// START, the first record of a segment: 24 the next sequence number. The log's first segment has none.
// SEAL: the last record of a segment; fills it to its end.
export const HEADER_BYTES: u32 = 24;
export const VERSION: u32 = 1;

export const SENT: u32 = 1;
export const RECEIVED: u32 = 2;
export const VISIBILITY: u32 = 3;
export const DELETED: u32 = 4;
export const MOVED: u32 = 5;
export const QUEUE: u32 = 6;
export const QUEUE_DROPPED: u32 = 7;
export const REMEMBERED: u32 = 8;
export const STATE: u32 = 10;
export const ATTEMPT: u32 = 11;
export const MARK: u32 = 9; // nothing happened; shows that everything before it had been synced; of any size, to fill a segment
export const START: u32 = 12;
export const BRIEF: u32 = 13;
export const RUN: u32 = 14;
export const PART_CRC: u32 = 15;
export const PART_XXH64: u32 = 16;
export const PART: u32 = 17;
export const SEAL: u32 = 255;

export const FLAG_FIFO: u32 = 1; // has a group key and a deduplication key
export const FLAG_MOVED: u32 = 2; // has been redriven
export const FLAG_BY_TASK: u32 = 4; // moved by a task: a new message, not a redriven one
export const FLAG_AGAIN: u32 = 8; // told before: the task's progress has it already
export const FLAG_GROUP: u32 = 16; // of a standard queue, has a group key
export const FLAG_KEYED: u32 = 32; // of a queue with a key of its own: ends with a seal
export const FLAG_SEALED: u32 = 64; // what is told of under SEAL_BYTES is ciphertext here
export const FLAG_REISSUES_SHIFT: u32 = 8;
export const FLAG_REISSUES: u32 = 127 << FLAG_REISSUES_SHIFT;
export const STEP_SHIFT: u32 = 16; // of a producer's numbers
export const STEP: u32 = 0xffff << STEP_SHIFT;

/** Whether what is at `p` is a part of a RUN, of any kind. */
// @ts-ignore: decorator
@inline export function isPart(p: usize): bool {
  const kind = <u32>load<u8>(p, 7);
  return kind >= PART_CRC && kind <= PART;
}

// A keyed message ends with its seal, src/broker/seals.ts:
//        0     n  the data key, as its key's owner has wrapped it
//        n    12  nonce       12+n    16  tag        28+n   4  which data key, in memory only; 0 on disk
//     32+n     2  n           34+n     2  version 1
// On disk its MD5 and everything from 168 to the seal are AES-256-GCM under the data key, FLAG_SEALED says so, and the
// checksum is of that. A record that is written again goes from disk to disk as it is.
export const SEAL_BYTES: u32 = 36; // without the wrapped key
export const SENT_FIXED_BYTES: u32 = 168;
export const BRIEF_FIXED_BYTES: u32 = 88;
export const BRIEF_ID: u32 = 56; // where its message ID is
export const RUN_FIXED_BYTES: u32 = 56;
export const PART_FIXED_BYTES: u32 = 32;
export const PART_ID: u32 = 16; // where its message ID is
/** Beyond it no further message is taken into a RUN. */
export const RUN_BYTES_MAX: u32 = 64 * 1024;
export const ROW_BYTES: u32 = 16;
export const REMEMBERED_BYTES: u32 = 80;
export const MOVED_BYTES: u32 = 112;
export const START_BYTES: u32 = 32;
export const ATTEMPT_BYTES: u32 = 32; // behind the rows

// An index holds what a restart needs of a sealed segment, bodies left out. Its entries are the records with another
// head, and what is not needed any more left out:
//        0     4  size, a multiple of 8    4     4  kind    8     8  position of the record   16     4  its size
//       20     4  zero                    24        as above
// but SENT stops at 88, or with a group goes on: 88 message ID, 104 group key, FIFO 120 deduplication key (16 bytes each).
// ROWS stands for BRIEF records, PARTs, and SENT records that follow one another in one queue and say nothing but where a message is and when it
// was sent, which is most of them: flags, receives and source are 0.
//       24     4  queue index    28     4  queue number    32     8  sequence number of the first
//       40     8  sentMs of the first (f64)                48     4  count    52     4  zero
//       56        then a row for each:
//        0     4  slot           4     4  sequence number, after the first's    8     4  sentMs, after the first's
//       12     4  delayMs       16     4  offset in the segment, by 8
//       20     4  bits 0..17 size of the record, by 8; bit 18: it is BRIEF or a PART
// SPAN stands for a RUN whose messages' slots change by the same step. At 16 is the size of all of it, at 20 the step (i32).
//       24 to 48   as in the RUN            48     4  count         52     4  slot of the first
//       56        for each part 2 bytes: bits 0..14 its size, by 8; bit 15: nothing of it is needed. Then zeros
// SEAL ends it: 24 number of the segment's last record.
export const ROWS: u32 = 256;
export const ROWS_HEAD_BYTES: u32 = 56;
export const PLAIN_ROW_BYTES: u32 = 24;
export const SPAN: u32 = 257;
export const SPAN_HEAD_BYTES: u32 = 56;
export const SPAN_SIZE: u32 = 0x7fff;
export const SPAN_GONE: u32 = 0x8000;
export const ENTRY_SENT_BYTES: u32 = 88;
export const ENTRY_SENT_GROUP_BYTES: u32 = 120;
export const ENTRY_SENT_FIFO_BYTES: u32 = 136;
