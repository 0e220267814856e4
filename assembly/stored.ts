// A message's record (record.ts, SENT) as those who compose answers read it.
import { md5 } from "./md5";
import { SENT_FIXED_BYTES } from "./record";

// @ts-ignore: decorator
@inline export function body(record: usize): usize {
  const named = <u32>load<u16>(record, 160) + load<u16>(record, 162) + load<u16>(record, 164) + load<u16>(record, 166);
  return record + SENT_FIXED_BYTES + named + load<u32>(record, 156);
}

/** Whether the body's MD5 is in the record; what was published over a stream has none until somebody asks for it. */
// @ts-ignore: decorator
@inline export function hasMd5(record: usize): bool { return (load<u64>(record, 104) | load<u64>(record, 112)) != 0; }

/** Writes the body's MD5, 16 bytes. */
export function bodyMd5(to: usize, record: usize): void {
  if (hasMd5(record)) memory.copy(to, record + 104, 16);
  else md5(body(record), load<u32>(record, 152), to);
}
