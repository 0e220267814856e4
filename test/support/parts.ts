// RUNs and their PARTs (assembly/record.ts) as another segment, another log or an earlier version would have them.
import { crc32c } from "../../src/base/crc32c.ts";
import { nh } from "./nh.ts";
import { xxh64 } from "./xxh64.ts";

const RUN = 14;
const RUN_HEAD_BYTES = 56;
const KINDS = { PART: 17, PART_XXH64: 16, PART_CRC: 15 };
export type PartKind = keyof typeof KINDS;

const sizeOf = (record: Buffer): number => record.readUIntLE(4, 3);
const paddedSizeOf = (record: Buffer): number => (sizeOf(record) + 7) & ~7;

/** Of the part that `records` begins with. */
function putPart(records: Buffer, kind: PartKind, segment: number, logSeed: number): void {
  const seed = (logSeed ^ Math.imul(segment, 0x9e3779b1)) >>> 0;
  records[7] = KINDS[kind];
  const words = records.subarray(8, paddedSizeOf(records));
  const wideSeed = (BigInt(records.readUInt32LE(4)) << 32n) | BigInt(seed);
  const checksums = {
    PART: () => nh(words, wideSeed),
    PART_XXH64: () => xxh64(words, wideSeed),
    PART_CRC: () => BigInt(crc32c(records.subarray(4, sizeOf(records)), seed)),
  };
  records.writeUInt32LE(Number(checksums[kind]() & 0xffff_ffffn), 0);
}

/** Of the RUN that `records` begins with: as if it stood in `segment`, of a log with that seed. Its parts stay what they are. */
export function putRunHead(records: Buffer, segment: number, logSeed = 0): void {
  records.writeUInt32LE(segment, 16);
  records.writeUInt32LE(crc32c(records.subarray(4, RUN_HEAD_BYTES), logSeed), 0);
}

/** Every part of the RUNs in `records`, which are in `segment`, gets that kind, and the checksum that belongs to it there. */
export function putParts(records: Buffer, kind: PartKind, segment: number, logSeed = 0): void {
  for (let at = 0; at < records.byteLength; at += paddedSizeOf(records.subarray(at))) {
    if (records[at + 7] !== RUN) continue;
    const end = at + sizeOf(records.subarray(at));
    let part = at + RUN_HEAD_BYTES;
    for (; part < end; part += paddedSizeOf(records.subarray(part))) {
      putPart(records.subarray(part), kind, segment, logSeed);
    }
  }
}
