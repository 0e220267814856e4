// A message's record as the core wrote it (assembly/record.ts, SENT and BRIEF), read field by field. A view: valid as long as
// the bytes under it are.
const KIND_OFFSET = 7;
const BRIEF = 13;
const SENT_LAYOUT = { idOffset: 88, sizesOffset: 152 };
const BRIEF_LAYOUT = { idOffset: 56, sizesOffset: 72 };
const SIZES_BYTES = 16;
const MD5 = { start: 104, end: 120 };
const NO_MD5 = "0".repeat(32);

function layoutOf(record: Buffer): typeof SENT_LAYOUT {
  return record[KIND_OFFSET] === BRIEF ? BRIEF_LAYOUT : SENT_LAYOUT;
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
  const sizes = layout.sizesOffset;
  const bodyBytes = record.readUInt32LE(sizes);
  const attributesBytes = record.readUInt32LE(sizes + 4);
  const groupBytes = record.readUInt16LE(sizes + 8);
  const deduplicationBytes = record.readUInt16LE(sizes + 10);
  const senderBytes = record.readUInt16LE(sizes + 12);
  const traceBytes = record.readUInt16LE(sizes + 14);
  let at = sizes + SIZES_BYTES;
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
    bodyMd5: layout === BRIEF_LAYOUT ? NO_MD5 : record.toString("hex", MD5.start, MD5.end),
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
  const sizes = layoutOf(record).sizesOffset;
  let start = sizes + SIZES_BYTES + record.readUInt32LE(sizes + 4);
  for (let at = sizes + 8; at < sizes + SIZES_BYTES; at += 2) start += record.readUInt16LE(at);
  return Uint8Array.prototype.slice.call(record, start, start + record.readUInt32LE(sizes));
}
