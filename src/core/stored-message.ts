// A message's record as the core wrote it (assembly/record.ts, SENT), read field by field. A view: valid as long as the
// bytes under it are.
const FIXED_BYTES = 168;

export interface StoredMessage {
  readonly messageId: string;
  readonly bodyMd5: string;
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
  const bodyBytes = record.readUInt32LE(152);
  const attributesBytes = record.readUInt32LE(156);
  const groupBytes = record.readUInt16LE(160);
  const deduplicationBytes = record.readUInt16LE(162);
  const senderBytes = record.readUInt16LE(164);
  const traceBytes = record.readUInt16LE(166);
  let at = FIXED_BYTES;
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
    messageId: uuidText(record, 88),
    bodyMd5: record.toString("hex", 104, 120),
    groupId,
    deduplicationId,
    senderId,
    traceHeader,
    attributes,
    body: record.toString("utf8", at, at + bodyBytes),
  };
}
