// A message's record as the core wrote it (assembly/record.ts: SENT, BRIEF and any PART), read field by field. A view: valid as long as
// the bytes under it are.
const SIZE_OFFSET = 4; // 3 bytes
const KIND_OFFSET = 7;
const SENT = 1;
const BRIEF = 13;
const PARTS: readonly unknown[] = [15, 16, 17];
const SIZES_BYTES = 16;
const PART_LAYOUT = { idOffset: 16, senderSizeOffset: 14, contentOffset: 32 };
const MD5 = { start: 104, end: 120 };
const NO_MD5 = "0".repeat(32);

interface Layout {
  readonly idOffset: number;
  readonly contentOffset: number;
  readonly bodyBytes: number;
  readonly attributesBytes: number;
  readonly groupBytes: number;
  readonly deduplicationBytes: number;
  readonly senderBytes: number;
  readonly traceBytes: number;
}

function layoutOf(record: Buffer): Layout {
  const kind = record[KIND_OFFSET];
  if (PARTS.includes(kind)) {
    const { idOffset, contentOffset } = PART_LAYOUT;
    const senderBytes = record.readUInt16LE(PART_LAYOUT.senderSizeOffset);
    const bodyBytes = record.readUIntLE(SIZE_OFFSET, 3) - contentOffset - senderBytes;
    const none = { attributesBytes: 0, groupBytes: 0, deduplicationBytes: 0, traceBytes: 0 };
    return { idOffset, contentOffset, bodyBytes, senderBytes, ...none };
  }
  const sizes = kind === BRIEF ? 72 : 152;
  return {
    idOffset: kind === BRIEF ? 56 : 88,
    contentOffset: sizes + SIZES_BYTES,
    bodyBytes: record.readUInt32LE(sizes),
    attributesBytes: record.readUInt32LE(sizes + 4),
    groupBytes: record.readUInt16LE(sizes + 8),
    deduplicationBytes: record.readUInt16LE(sizes + 10),
    senderBytes: record.readUInt16LE(sizes + 12),
    traceBytes: record.readUInt16LE(sizes + 14),
  };
}

export interface StoredMessage {
  readonly messageId: string;
  readonly bodyMd5: string; // all zeros: not computed
  readonly groupId: string | undefined;
  readonly deduplicationId: string | undefined;
  readonly senderId: string;
  readonly traceHeader: string | undefined;
  readonly attributes: Uint8Array | undefined;
  readonly body: string;
}

/** 16 bytes as a UUID in its usual text. */
export function uuidText(bytes: Buffer, offset: number): string {
  const hex = bytes.toString("hex", offset, offset + 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

export function readStoredMessage(record: Buffer): StoredMessage {
  const layout = layoutOf(record);
  const { bodyBytes, attributesBytes, groupBytes, deduplicationBytes, senderBytes, traceBytes } = layout;
  let at = layout.contentOffset;
  const text = (size: number): string => {
    const start = at;
    at += size;
    return record.toString("utf8", start, at);
  };
  const groupId = groupBytes > 0 ? text(groupBytes) : undefined;
  const deduplicationId = deduplicationBytes > 0 ? text(deduplicationBytes) : undefined;
  const senderId = text(senderBytes);
  const traceHeader = traceBytes > 0 ? text(traceBytes) : undefined;
  const attributes =
    attributesBytes > 0 ? Uint8Array.prototype.slice.call(record, at, at + attributesBytes) : undefined;
  at += attributesBytes;
  return {
    messageId: uuidText(record, layout.idOffset),
    bodyMd5: record[KIND_OFFSET] === SENT ? record.toString("hex", MD5.start, MD5.end) : NO_MD5,
    groupId,
    deduplicationId,
    senderId,
    traceHeader,
    attributes,
    body: record.toString("utf8", at, at + bodyBytes),
  };
}

/** A copy of the body of a message's record. */
export function readStoredBody(record: Buffer): Uint8Array {
  const { contentOffset, bodyBytes, attributesBytes, ...names } = layoutOf(record);
  const namesBytes = names.groupBytes + names.deduplicationBytes + names.senderBytes + names.traceBytes;
  const start = contentOffset + namesBytes + attributesBytes;
  return Uint8Array.prototype.slice.call(record, start, start + bodyBytes);
}
