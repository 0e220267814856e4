// A message's record (record.ts: SENT, BRIEF and either PART) as those who compose answers read it.
import { md5 } from "./md5";
import { BRIEF, BRIEF_FIXED_BYTES, BRIEF_ID, isPart, PART_FIXED_BYTES, SENT, SENT_FIXED_BYTES } from "./record";

// @ts-ignore: decorator
@inline function kind(record: usize): u32 { return <u32>load<u8>(record, 7); }

/** Where the 16 bytes of the ID are that it was sent with. */
// @ts-ignore: decorator
@inline export function id(record: usize): usize {
  return record + (isPart(record) ? <usize>16 : kind(record) == BRIEF ? <usize>BRIEF_ID : 88);
}

// @ts-ignore: decorator
@inline function fixedBytes(record: usize): usize {
  return <usize>(kind(record) == BRIEF ? BRIEF_FIXED_BYTES : SENT_FIXED_BYTES);
}

export function bodyBytes(record: usize): u32 {
  if (isPart(record)) return (load<u32>(record, 4) & 0xff_ffff) - PART_FIXED_BYTES - <u32>load<u16>(record, 14);
  return load<u32>(record + fixedBytes(record) - 16);
}

export function body(record: usize): usize {
  if (isPart(record)) return record + PART_FIXED_BYTES + <usize>load<u16>(record, 14);
  const content = record + fixedBytes(record);
  const sizes = content - 16;
  const named = <u32>load<u16>(sizes, 8) + load<u16>(sizes, 10) + load<u16>(sizes, 12) + load<u16>(sizes, 14);
  return content + named + load<u32>(sizes, 4);
}

// What readNames() found, beside the body.
export let group: usize = 0;
export let groupBytes: u32 = 0;
export let deduplication: usize = 0;
export let deduplicationBytes: u32 = 0;
export let sender: usize = 0;
export let senderBytes: u32 = 0;
export let trace: usize = 0;
export let traceBytes: u32 = 0;
export let attributes: usize = 0;
export let attributesBytes: u32 = 0;

export function readNames(record: usize): void {
  if (isPart(record)) {
    group = deduplication = sender = record + PART_FIXED_BYTES;
    groupBytes = deduplicationBytes = traceBytes = attributesBytes = 0;
    senderBytes = <u32>load<u16>(record, 14);
    trace = attributes = sender + senderBytes;
    return;
  }
  group = record + fixedBytes(record);
  const sizes = group - 16;
  attributesBytes = load<u32>(sizes, 4);
  groupBytes = <u32>load<u16>(sizes, 8);
  deduplicationBytes = <u32>load<u16>(sizes, 10);
  senderBytes = <u32>load<u16>(sizes, 12);
  traceBytes = <u32>load<u16>(sizes, 14);
  deduplication = group + groupBytes;
  sender = deduplication + deduplicationBytes;
  trace = sender + senderBytes;
  attributes = trace + traceBytes;
}

/** Whether the body's MD5 is in the record; of what came in a frame, or is short and came in a batch, it is made when somebody asks. */
// @ts-ignore: decorator
@inline export function hasMd5(record: usize): bool {
  return kind(record) == SENT && (load<u64>(record, 104) | load<u64>(record, 112)) != 0;
}

/** Where it is there. */
// @ts-ignore: decorator
@inline export function md5Of(record: usize): usize { return record + 104; }

/** Writes the body's MD5, 16 bytes. */
export function bodyMd5(to: usize, record: usize): void {
  if (hasMd5(record)) memory.copy(to, record + 104, 16);
  else md5(body(record), bodyBytes(record), to);
}
