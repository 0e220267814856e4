// Envelope encryption of queues with a key of their own (KmsMasterKeyId): what is in memory is plain, what goes to disk is
// sealed, message by message (assembly/record.ts has the layout).
//
//   send ─► the core leaves room ─► copy of the batch ─► sealed under the queue's data key ─► log
//   log ─► a sealed record ─► its data key, unwrapped by whoever has the queue's key ─► opened ─► the core's read cache
//
// The wrapped data key stands in every record: nothing else has to be kept, found or given up with it.
import { createCipheriv, createDecipheriv } from "node:crypto";
import { crc32c } from "../base/crc32c.ts";
import type { Core } from "../core/core.ts";
import type { KeyError } from "../keys/provider.ts";
import type { Extent } from "../log/log.ts";
import type { DataKey, DataKeys } from "./data-keys.ts";
import type { QueueEntry } from "./queue-entry.ts";

const CIPHER = "aes-256-gcm";
const KIND_OFFSET = 7;
const SENT = 1;
const FLAGS_OFFSET = 28;
const FLAG_KEYED = 32;
const FLAG_SEALED = 64;
const MESSAGE_ID = { start: 88, end: 104 };
const MD5 = { start: 104, end: 120 };
const SIZES = { start: 152, end: 168 };
const CONTENT_OFFSET = 168;
const SEAL_BYTES = 36;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const VERSION = 1;

export class Seals {
  readonly #core: Core;
  readonly #keys: DataKeys;
  readonly #segmentBytes: number;
  #selected = 0; // the data key that the core leaves room for
  #toSeal = false; // something may have been sent under one since the last batch

  constructor(core: Core, keys: DataKeys, segmentBytes: number) {
    this.#core = core;
    this.#keys = keys;
    this.#segmentBytes = segmentBytes;
  }

  /** Runs `then` when the queue can be sent to: at once if it has no key or a live data key, or else in the order of asking. */
  whenReady(entry: QueueEntry, then: (error: KeyError | undefined) => void): void {
    if (entry.settings.kmsMasterKeyId === undefined) then(undefined);
    else this.#keys.whenLive(entry, then);
  }

  /** What is sent next is the queue's. @returns false when its data key must be waited for */
  select(entry: QueueEntry, nowMs: number): boolean {
    if (entry.settings.kmsMasterKeyId === undefined) {
      if (this.#selected !== 0) this.#set(0, 0);
      return true;
    }
    const key = this.#keys.live(entry, nowMs);
    if (key === undefined) return false;
    if (this.#selected !== key.number) this.#set(key.wrapped.byteLength, key.number);
    this.#toSeal = true;
    return true;
  }

  #set(wrappedBytes: number, key: number): void {
    this.#core.setSeal(wrappedBytes, key);
    this.#selected = key;
  }

  /** What is to be written of a batch: the same, or a copy with its messages sealed. */
  sealed(extents: readonly Extent[]): readonly Extent[] {
    if (!this.#toSeal) return extents;
    this.#toSeal = false;
    return extents.map(({ position, bytes }) => {
      const copy = Buffer.from(bytes);
      const seed = this.#core.seedOf(Math.floor(position / this.#segmentBytes));
      for (let at = 0; at < copy.byteLength; ) {
        const sizeBytes = recordBytes(copy, at);
        if (copy[at + KIND_OFFSET] === SENT) this.#seal(copy.subarray(at, at + sizeBytes), seed);
        at += (sizeBytes + 7) & ~7;
      }
      return { position, bytes: copy };
    });
  }

  #seal(record: Buffer, seed: number): void {
    const flags = record.readUInt32LE(FLAGS_OFFSET);
    if ((flags & (FLAG_KEYED | FLAG_SEALED)) !== FLAG_KEYED) return;
    const { sealStart, nonceStart, tagStart } = sealOf(record);
    const key = this.#keys.byNumber(record.readUInt32LE(record.byteLength - 8));
    key.wrapped.copy(record, sealStart);
    key.nextNonce().copy(record, nonceStart);
    const cipher = createCipheriv(CIPHER, key.plain, record.subarray(nonceStart, nonceStart + NONCE_BYTES));
    cipher.setAAD(boundTo(record));
    cipher.update(record.subarray(MD5.start, MD5.end)).copy(record, MD5.start);
    cipher.update(record.subarray(CONTENT_OFFSET, sealStart)).copy(record, CONTENT_OFFSET);
    cipher.final();
    cipher.getAuthTag().copy(record, tagStart);
    record.writeUInt32LE(0, record.byteLength - 8);
    record.writeUInt32LE((flags | FLAG_SEALED) >>> 0, FLAGS_OFFSET);
    record.writeUInt32LE(crc32c(record.subarray(4), seed), 0);
  }

  /**
   * @param padded a sealed record as it stands in the log, with its padding
   * @returns a copy of it, open; undefined when it is not what was sealed
   * @throws KeyError when its data key cannot be had now
   */
  async open(padded: Buffer, seed: number): Promise<Buffer | undefined> {
    const copy = Buffer.from(padded);
    const record = copy.subarray(0, recordBytes(copy, 0));
    if (record.byteLength < CONTENT_OFFSET + SEAL_BYTES || record.byteLength > copy.byteLength) return undefined;
    if (record.readUInt32LE(0) !== crc32c(record.subarray(4), seed)) return undefined;
    const { sealStart, nonceStart, tagStart } = sealOf(record);
    if (record.readUInt16LE(record.byteLength - 2) !== VERSION || sealStart < CONTENT_OFFSET) return undefined;
    const key = await this.#keys.unwrapped(record.subarray(sealStart, nonceStart));
    return opened(record, key, sealStart, nonceStart, tagStart, seed) ? copy : undefined;
  }

  /** To be called every second: what nobody may use any more is overwritten. */
  forget(nowMs: number): void {
    this.#keys.forget(nowMs);
  }

  close(): void {
    this.#keys.close();
  }
}

function opened(
  record: Buffer,
  key: DataKey,
  sealStart: number,
  nonceStart: number,
  tagStart: number,
  seed: number,
): boolean {
  const decipher = createDecipheriv(CIPHER, key.plain, record.subarray(nonceStart, nonceStart + NONCE_BYTES));
  decipher.setAAD(boundTo(record));
  decipher.setAuthTag(record.subarray(tagStart, tagStart + TAG_BYTES));
  decipher.update(record.subarray(MD5.start, MD5.end)).copy(record, MD5.start);
  decipher.update(record.subarray(CONTENT_OFFSET, sealStart)).copy(record, CONTENT_OFFSET);
  try {
    decipher.final();
  } catch {
    return false;
  }
  record.writeUInt32LE((record.readUInt32LE(FLAGS_OFFSET) & ~FLAG_SEALED) >>> 0, FLAGS_OFFSET);
  record.writeUInt32LE(crc32c(record.subarray(4), seed), 0);
  return true;
}

/** Whether a record of the log is a message that only its key opens. */
export function isSealed(record: Buffer): boolean {
  return record[KIND_OFFSET] === SENT && (record.readUInt32LE(FLAGS_OFFSET) & FLAG_SEALED) !== 0;
}

function recordBytes(bytes: Buffer, at: number): number {
  return bytes.readUIntLE(at + 4, 3);
}

function sealOf(record: Buffer): { sealStart: number; nonceStart: number; tagStart: number } {
  const nonceStart = record.byteLength - SEAL_BYTES;
  const sealStart = nonceStart - record.readUInt16LE(record.byteLength - 4);
  return { sealStart, nonceStart, tagStart: nonceStart + NONCE_BYTES };
}

/** What a record's ciphertext belongs to, however often the record is written again. */
function boundTo(record: Buffer): Buffer {
  return Buffer.concat([record.subarray(MESSAGE_ID.start, MESSAGE_ID.end), record.subarray(SIZES.start, SIZES.end)]);
}
