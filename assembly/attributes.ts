// Message attributes between the wire and the block that a record keeps, which is also what SQS digests:
//
//   block entry, ascending by name:  4 name size (big-endian) · name · 4 type size · type · 1 text (1) or bytes (2)
//                                    4 value size · value
//   wire:                            Attribute { 1 name, 2 type, 3 text or 4 binary }
import * as characters from "./characters";
import { copy } from "./memory";
import * as wire from "./wire";

const COUNT_MAX: u32 = 10;
const ROW: u32 = 28; // 0 name 4 its size 8 type 12 its size 16 value 20 its size 24 kind
const ROWS: usize = memory.data(280);
const ROW_SPARE: usize = memory.data(28);
const TEXT: u32 = 1;
const BYTES: u32 = 2;

const AWS: usize = memory.data<u8>([97, 119, 115, 46]);
const AMAZON: usize = memory.data<u8>([97, 109, 97, 122, 111, 110, 46]);
const STRING: usize = memory.data<u8>([83, 116, 114, 105, 110, 103]);
const NUMBER: usize = memory.data<u8>([78, 117, 109, 98, 101, 114]);
const BINARY: usize = memory.data<u8>([66, 105, 110, 97, 114, 121]);

// What is wrong with an attribute; 0: nothing.
export const TOO_MANY: u32 = 11;
export const BAD_NAME: u32 = 12;
export const RESERVED_NAME: u32 = 13;
export const BAD_TYPE: u32 = 14;
export const NO_VALUE: u32 = 15;
export const WRONG_VALUE: u32 = 16;
export const BAD_NUMBER: u32 = 17;
export const BAD_TEXT: u32 = 18;
export const TWICE: u32 = 19;
export const MALFORMED: u32 = 255;

let count: u32 = 0;
export let messageBytes: u32 = 0; // what they add to a message's size
export let blockBytes: u32 = 0;

// @ts-ignore: decorator
@inline function row(i: u32): usize { return ROWS + <usize>(i * ROW); }

export function begin(): void {
  count = 0;
  messageBytes = 0;
  blockBytes = 0;
}

function same(type: usize, bytes: u32, word: usize): bool {
  if (bytes < 6 || memory.compare(type, word, 6) != 0) return false;
  return bytes == 6 || load<u8>(type, 6) == 46; // a label after a dot
}

/** Takes an Attribute message in, in its place by name. @returns what is wrong with it */
export function add(start: usize, bytes: u32): u32 {
  if (count == COUNT_MAX) return TOO_MANY;
  const p = ROW_SPARE;
  memory.fill(p, 0, ROW);
  const end = start + bytes;
  wire.startAt(start);
  while (wire.readField(end)) {
    if (wire.wireType != wire.SIZED || wire.field == 0 || wire.field > 4) continue;
    const at = wire.field > 2 ? 16 : (wire.field - 1) * 8;
    store<u32>(p + at, <u32>wire.start);
    store<u32>(p + at, <u32>wire.value, 4);
    if (wire.field > 2) store<u32>(p, wire.field - 2, 24);
  }
  if (wire.broken) return MALFORMED;
  const wrong = check(p);
  if (wrong != 0) return wrong;
  let place = count;
  while (place > 0) {
    const order = compare(p, row(place - 1));
    if (order == 0) return TWICE;
    if (order > 0) break;
    place--;
  }
  memory.copy(row(place + 1), row(place), (count - place) * ROW);
  memory.copy(row(place), p, ROW);
  count++;
  const payload = load<u32>(p, 4) + load<u32>(p, 12) + load<u32>(p, 20);
  messageBytes += payload;
  blockBytes += payload + 13;
  return 0;
}

function compare(a: usize, b: usize): i32 {
  const aBytes = load<u32>(a, 4);
  const bBytes = load<u32>(b, 4);
  const order = memory.compare(load<u32>(a), load<u32>(b), min(aBytes, bBytes));
  return order != 0 ? order : <i32>aBytes - <i32>bBytes;
}

function check(p: usize): u32 {
  const name = <usize>load<u32>(p);
  const nameBytes = load<u32>(p, 4);
  const type = <usize>load<u32>(p, 8);
  const typeBytes = load<u32>(p, 12);
  const value = <usize>load<u32>(p, 16);
  const valueBytes = load<u32>(p, 20);
  const kind = load<u32>(p, 24);
  if (!characters.isAttributeName(name, nameBytes)) return BAD_NAME;
  if (characters.beginsWith(name, nameBytes, AWS, 4) || characters.beginsWith(name, nameBytes, AMAZON, 7)) return RESERVED_NAME;
  const isBinary = same(type, typeBytes, BINARY);
  const isNumber = same(type, typeBytes, NUMBER);
  if (typeBytes > 256 || (!isBinary && !isNumber && !same(type, typeBytes, STRING)) || !characters.isText(type, typeBytes)) return BAD_TYPE;
  if (kind == 0 || valueBytes == 0) return NO_VALUE;
  if ((kind == BYTES) != isBinary) return WRONG_VALUE;
  if (isNumber && !characters.isNumber(value, valueBytes)) return BAD_NUMBER;
  return kind == TEXT && !characters.isText(value, valueBytes) ? BAD_TEXT : 0;
}

function putSized(p: usize, start: usize, bytes: u32): usize {
  store<u32>(p, bswap<u32>(bytes));
  copy(p + 4, start, bytes);
  return p + 4 + bytes;
}

/** Writes the block of what was added: blockBytes of it. */
export function putBlock(p: usize): void {
  for (let i: u32 = 0; i < count; i++) {
    const r = row(i);
    p = putSized(p, load<u32>(r), load<u32>(r, 4));
    p = putSized(p, load<u32>(r, 8), load<u32>(r, 12));
    store<u8>(p, <u8>load<u32>(r, 24));
    p = putSized(p + 1, load<u32>(r, 16), load<u32>(r, 20));
  }
}

/** Writes the block's entries as fields of a message. @returns where the next byte goes */
export function putFields(p: usize, tag: u32, block: usize, bytes: u32): usize {
  const end = block + bytes;
  while (block < end) {
    const name = block + 4;
    const nameBytes = bswap<u32>(load<u32>(block));
    const type = name + nameBytes + 4;
    const typeBytes = bswap<u32>(load<u32>(type - 4));
    const kind = <u32>load<u8>(type + typeBytes);
    const value = type + typeBytes + 5;
    const valueBytes = bswap<u32>(load<u32>(value - 4));
    const size = sized(nameBytes) + sized(typeBytes) + sized(valueBytes);
    p = wire.putVarint(wire.putVarint(p, tag), size);
    p = wire.putBytes(p, 0x0a, name, nameBytes);
    p = wire.putBytes(p, 0x12, type, typeBytes);
    p = wire.putBytes(p, kind == TEXT ? 0x1a : 0x22, value, valueBytes);
    block = value + valueBytes;
  }
  return p;
}

// @ts-ignore: decorator
@inline function sized(bytes: u32): u32 { return 1 + wire.sizeOfVarint(bytes) + bytes; }
