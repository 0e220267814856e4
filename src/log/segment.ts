// One file of the log, segment-<number, 10 digits>.log; little-endian throughout. B is segmentBytes.
//
//   0        header page                       written and synced before the manifest names the segment
//   4096     records, then zeros, up to B      the file has this size from the start; frontier.ts
//   B        index, n bytes                    only behind a sealed segment; derived, may be absent
//   B + n    footer, 32 bytes
//
// Header page
//   offset  size  field          meaning
//        0     8  magic          "WASQSEG1"
//        8     4  version        1; since 2 the checksums of the records begin with the log's seed; since 3 there are BRIEF ones,
//                                  since 4 RUNs, since 5 and since 6 their parts have another checksum
//       12     4  segment        its number: a file under another's name is noticed
//       16    16  log ID         the manifest's: a file of another log is noticed
//       32     8  segmentBytes
//       40  4052  zeros
//     4092     4  checksum       CRC-32C over bytes [0, 4092)
//
// Footer
//        0     8  magic          "WASQIDX4"; "WASQIDX5": encrypted; 1 to 3 are read too: entries of the kinds before
//        8     8  index size     bytes
//       16     4  segment
//       20     4  checksum       CRC-32 (zlib's, which the host has natively) over the index as it stands there
//       24     4  zeros
//       28     4  checksum       CRC-32C over bytes [0, 28)
import { crc32 } from "node:zlib";
import { crc32c } from "../base/crc32c.ts";
import { SEGMENT_HEADER_BYTES } from "../limits.ts";
import type { DiskFile } from "./disk.ts";
import type { Encryption } from "./encryption.ts";
import { damaged, LogError } from "./errors.ts";
import type { Manifest } from "./manifest.ts";

const VERSION = 6;
const SEEDED_VERSION = 2;
export const FOOTER_BYTES = 32;
const HEADER_MAGIC = "WASQSEG1";
const FOOTER_MAGIC = "WASQIDX4";
const FOOTER_MAGIC_ENCRYPTED = "WASQIDX5";
const PLAIN_MAGICS = ["WASQIDX1", "WASQIDX2", FOOTER_MAGIC];
const ENCRYPTED_MAGICS = ["WASQIDX3", FOOTER_MAGIC_ENCRYPTED];
const INDEX_ENTRY_BYTES_MAX = 2 * 1024 * 1024;
/** Small, unless an entry is larger: the core's code gets quick between two pieces, not during one. */
const INDEX_PIECE_BYTES = 128 * 1024;

const NAME = /^segment-(\d{10})\.log$/;
export const SPARE = "spare"; // a segment to be, until it has its header

export function segmentName(segment: number): string {
  return `segment-${String(segment).padStart(10, "0")}.log`;
}

/** @returns undefined for other files */
export function segmentOfName(name: string): number | undefined {
  const digits = NAME.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const textOf = (bytes: Uint8Array) => String.fromCharCode(...bytes);

/**
 * What the checksums of the log's records begin with: bytes that a client sends, which would be a record in another log,
 * are none in this one.
 */
export function recordSeed(log: Manifest): number {
  return Number.parseInt(log.logId.slice(0, 8), 16);
}

export function encodeHeader(segment: number, log: Manifest, version = VERSION): Uint8Array {
  const page = new Uint8Array(SEGMENT_HEADER_BYTES);
  const view = viewOf(page);
  page.set(new TextEncoder().encode(HEADER_MAGIC));
  view.setUint32(8, version, true);
  view.setUint32(12, segment, true);
  for (let i = 0; i < 16; i++) page[16 + i] = Number.parseInt(log.logId.slice(i * 2, i * 2 + 2), 16);
  view.setBigUint64(32, BigInt(log.segmentBytes), true);
  view.setUint32(SEGMENT_HEADER_BYTES - 4, crc32c(page.subarray(0, SEGMENT_HEADER_BYTES - 4)), true);
  return page;
}

/**
 * @returns what the checksums of its records begin with
 * @throws LogError unless the file is this log's segment of this number, whole
 */
export async function checkHeader(file: DiskFile, segment: number, log: Manifest): Promise<number> {
  const name = segmentName(segment);
  const sizeBytes = await file.sizeBytes();
  if (sizeBytes < log.segmentBytes) {
    throw damaged(name, sizeBytes, "the file ends here", `a segment has at least ${log.segmentBytes} bytes`);
  }
  const page = new Uint8Array(SEGMENT_HEADER_BYTES);
  await file.read(page, 0);
  const view = viewOf(page);
  if (view.getUint32(SEGMENT_HEADER_BYTES - 4, true) !== crc32c(page.subarray(0, SEGMENT_HEADER_BYTES - 4))) {
    throw damaged(name, 0, "the header page's checksum does not fit", "restore the file from a copy");
  }
  if (textOf(page.subarray(0, 8)) !== HEADER_MAGIC)
    throw damaged(name, 0, "no segment header", "restore the file from a copy");
  const version = view.getUint32(8, true);
  if (version < 1 || version > VERSION) {
    const text = `Cannot open the log: ${name} has version ${version}, this version reads up to ${VERSION}; use the version that wrote it`;
    throw new LogError("newer", text, { file: name, offset: 8 });
  }
  const met = view.getUint32(12, true);
  if (met !== segment) throw damaged(name, 12, `it is segment ${met}`, `segment ${segment} belongs here`);
  const expected = encodeHeader(segment, log, version);
  const isWhole = Buffer.compare(page, expected) === 0; // byte by byte, a start with many segments would notice
  const offset = isWhole ? -1 : page.findIndex((byte, i) => byte !== expected[i]);
  if (offset >= 32)
    throw damaged(name, offset, "it was made for another segment size", `${log.segmentBytes} is this log's`);
  if (offset >= 0) throw damaged(name, offset, "it belongs to another log", `this log's ID is ${log.logId}`);
  return version < SEEDED_VERSION ? 0 : recordSeed(log);
}

/** @param before of what comes before these bytes */
export function indexChecksum(bytes: Uint8Array, before: number): number {
  return crc32(bytes, before);
}

/** Fills the footer of an index, which is as it stands before it. @param checksum CRC-32 of that */
export function putFooter(
  footer: Uint8Array,
  index: {
    readonly segment: number;
    readonly sizeBytes: number;
    readonly checksum: number;
    readonly isEncrypted: boolean;
  },
): void {
  const { segment, sizeBytes, checksum, isEncrypted } = index;
  const view = viewOf(footer);
  footer.set(new TextEncoder().encode(isEncrypted ? FOOTER_MAGIC_ENCRYPTED : FOOTER_MAGIC));
  view.setBigUint64(8, BigInt(sizeBytes), true);
  view.setUint32(16, segment, true);
  view.setUint32(20, checksum, true);
  view.setUint32(28, crc32c(footer.subarray(0, 28)), true);
}

/**
 * @param bufferOf gives a buffer of that size, in which the index is returned
 * @returns undefined when there is none; a text when there is one that cannot be used: it says why
 */
export async function loadIndex(
  file: DiskFile,
  segment: number,
  segmentBytes: number,
  encryption: Encryption,
  bufferOf: (sizeBytes: number) => Uint8Array = (sizeBytes) => new Uint8Array(sizeBytes),
): Promise<Uint8Array | string | undefined> {
  const behindBytes = (await file.sizeBytes()) - segmentBytes;
  if (behindBytes <= 0) return undefined;
  if (behindBytes < FOOTER_BYTES) return "it has no footer";
  const bytes = bufferOf(behindBytes);
  if ((await file.read(bytes, segmentBytes)) < behindBytes) return "the file ends within it";
  const index = bytes.subarray(0, behindBytes - FOOTER_BYTES);
  const footer = bytes.subarray(behindBytes - FOOTER_BYTES);
  const view = viewOf(footer);
  const magic = textOf(footer.subarray(0, 8));
  const isEncrypted = ENCRYPTED_MAGICS.includes(magic);
  if (!(isEncrypted || PLAIN_MAGICS.includes(magic)) || view.getUint32(28, true) !== crc32c(footer.subarray(0, 28))) {
    return "its footer is damaged";
  }
  if (view.getBigUint64(8, true) !== BigInt(index.byteLength)) return "its size is wrong";
  if (view.getUint32(16, true) !== segment) return "it is another segment's";
  if (view.getUint32(20, true) !== crc32(index)) return "its checksum does not fit";
  if (!isEncrypted) return index;
  return encryption.openIndex(index) ?? "it is encrypted, and the log has no key";
}

/**
 * Cuts an index at entry boundaries; an entry begins with its size in bytes, a multiple of 8.
 * @returns pieces of whole entries, at most 2 MiB, or undefined when the bytes are no entries
 */
export function indexPieces(index: Uint8Array): Uint8Array[] | undefined {
  const view = viewOf(index);
  const pieces: Uint8Array[] = [];
  let pieceStart = 0;
  let offset = 0;
  while (offset < index.byteLength) {
    if (index.byteLength - offset < 8) return undefined;
    const sizeBytes = view.getUint32(offset, true);
    const nextOffset = offset + sizeBytes;
    if (sizeBytes === 0 || sizeBytes % 8 !== 0 || sizeBytes > INDEX_ENTRY_BYTES_MAX || nextOffset > index.byteLength) {
      return undefined;
    }
    if (nextOffset - pieceStart > INDEX_PIECE_BYTES && offset > pieceStart) {
      pieces.push(index.subarray(pieceStart, offset));
      pieceStart = offset;
    }
    offset = nextOffset;
  }
  if (offset > pieceStart) pieces.push(index.subarray(pieceStart));
  return pieces;
}

const ZEROS = Buffer.alloc(64 * 1024);

/** @returns the offset of the last byte that is not 0, or -1 */
export function lastNonZero(bytes: Uint8Array): number {
  for (let end = bytes.byteLength; end > 0; end -= ZEROS.byteLength) {
    const piece = bytes.subarray(Math.max(0, end - ZEROS.byteLength), end);
    if (ZEROS.compare(piece, 0, piece.byteLength, 0, piece.byteLength) === 0) continue;
    return end - piece.byteLength + piece.findLastIndex((byte) => byte !== 0);
  }
  return -1;
}

/** @returns the offset of the first byte that is not 0, or -1 */
export function firstNonZero(bytes: Uint8Array): number {
  // The system's comparison goes over zeros ten times as fast as a loop here, and segments to be are all zeros.
  for (let start = 0; start < bytes.byteLength; start += ZEROS.byteLength) {
    const piece = bytes.subarray(start, start + ZEROS.byteLength);
    if (ZEROS.compare(piece, 0, piece.byteLength, 0, piece.byteLength) === 0) continue;
    return start + piece.findIndex((byte) => byte !== 0);
  }
  return -1;
}
