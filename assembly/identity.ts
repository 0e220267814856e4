// A message's ID as it is now: the one it was sent with, or, when tasks have moved it, one made of that and of how often,
// as src/broker/message-ids.ts makes it: a version 4 UUID of the SHA-256 of "<first ID> <count>".
import * as message from "./message";
import * as sha256 from "./sha256";
import * as stored from "./stored";
import * as text from "./text";

export const TEXT_BYTES: u32 = 36;
const TEXT: usize = memory.data(64);
const DIGEST: usize = memory.data(32);

/** Writes the 16 bytes of the ID of the message whose record is given. */
export function put(p: usize, slot: u32, record: usize): void {
  const count = message.reissues(slot);
  if (count == 0) {
    memory.copy(p, stored.id(record), 16);
    return;
  }
  const end = text.decimal(text.put(text.uuid(TEXT, stored.id(record)), " "), count);
  sha256.begin();
  sha256.update(TEXT, <u32>(end - TEXT));
  sha256.end(DIGEST, 32);
  memory.copy(p, DIGEST, 16);
  store<u8>(p, (load<u8>(p, 6) & 0x0f) | 0x40, 6);
  store<u8>(p, (load<u8>(p, 8) & 0x3f) | 0x80, 8);
}
