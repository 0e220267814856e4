// A receipt handle: which receive of which message of which queue. A letter, so that no command line takes it for an option,
// and base64url of 20 bytes, little-endian; the core reads and writes the same (assembly/receipt-handle.ts):
//
//   0  4  CRC-32C of the rest   4  4  queue's lasting number    8  4  slot    12  4  generation    16  4  receive count
import { crc32 } from "node:zlib";
import { crc32c } from "../base/crc32c.ts";
import type { ReceivedHandle } from "../core/core.ts";

const BYTES = 20;
const LETTER = "w";
const TEXT = /^w?[A-Za-z0-9_-]{27}$/; // version 0.1.0 wrote none
const TEXT_LENGTH = 28;
const scratch = Buffer.alloc(BYTES);

export function writeReceiptHandle(queueNumber: number, handle: ReceivedHandle): string {
  scratch.writeUInt32LE(queueNumber, 4);
  scratch.writeUInt32LE(handle.slot, 8);
  scratch.writeUInt32LE(handle.generation, 12);
  scratch.writeUInt32LE(handle.receiveCount, 16);
  scratch.writeUInt32LE(crc32c(scratch.subarray(4)), 0);
  return LETTER + scratch.toString("base64url");
}

/** @returns undefined for what is no handle of this queue */
export function readReceiptHandle(queueNumber: number, text: string): ReceivedHandle | undefined {
  if (!TEXT.test(text)) return undefined;
  scratch.write(text.length === TEXT_LENGTH ? text.slice(LETTER.length) : text, "base64url");
  const checksum = scratch.readUInt32LE(0);
  const rest = scratch.subarray(4);
  // Version 0.1.0 wrote the other CRC-32, too, and its handles may still be out.
  if (checksum !== crc32c(rest) && checksum !== crc32(rest)) return undefined;
  if (scratch.readUInt32LE(4) !== queueNumber) return undefined;
  return {
    slot: scratch.readUInt32LE(8),
    generation: scratch.readUInt32LE(12),
    receiveCount: scratch.readUInt32LE(16),
  };
}
