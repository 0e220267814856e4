// A message's record (record.ts, SENT and BRIEF) as those who compose answers read it.
import { md5 } from "./md5";
import { BRIEF, BRIEF_ID, BRIEF_LACKS, SENT_FIXED_BYTES } from "./record";

// @ts-ignore: decorator
@inline function isBrief(record: usize): bool { return load<u8>(record, 7) == BRIEF; }

/** From where sizes and content are at SENT's offsets, 152 and above. */
// @ts-ignore: decorator
@inline export function base(record: usize): usize { return isBrief(record) ? record - BRIEF_LACKS : record; }

/** Where the 16 bytes of the ID are that it was sent with. */
// @ts-ignore: decorator
@inline export function id(record: usize): usize { return record + (isBrief(record) ? <usize>BRIEF_ID : 88); }

// @ts-ignore: decorator
@inline export function bodyBytes(record: usize): u32 { return load<u32>(base(record), 152); }

// @ts-ignore: decorator
@inline export function body(record: usize): usize {
  const p = base(record);
  const named = <u32>load<u16>(p, 160) + load<u16>(p, 162) + load<u16>(p, 164) + load<u16>(p, 166);
  return p + SENT_FIXED_BYTES + named + load<u32>(p, 156);
}

/** Whether the body's MD5 is in the record; what was published over a stream has none until somebody asks for it. */
// @ts-ignore: decorator
@inline export function hasMd5(record: usize): bool {
  return !isBrief(record) && (load<u64>(record, 104) | load<u64>(record, 112)) != 0;
}

/** Writes the body's MD5, 16 bytes. */
export function bodyMd5(to: usize, record: usize): void {
  if (hasMd5(record)) memory.copy(to, record + 104, 16);
  else md5(body(record), bodyBytes(record), to);
}
