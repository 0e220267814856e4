// Goes through a segment at a start: while one piece is being looked at, the next is being read.
import type { DiskFile } from "./disk.ts";
import { damaged } from "./errors.ts";
import { firstNonZero, lastNonZero, segmentName } from "./segment.ts";

const PIECE_BYTES = 1024 * 1024;

/** Buffers that are used again, in turn: fresh ones by the megabyte cost a start page faults and collections. */
export class Buffers {
  readonly #buffers: Uint8Array[];
  #turn = 0;

  /** @param count how many of the last ones taken stay as they are */
  constructor(count: number) {
    this.#buffers = Array.from({ length: count }, () => new Uint8Array(0));
  }

  take(sizeBytes: number): Uint8Array {
    const turn = this.#turn++ % this.#buffers.length;
    let buffer = this.#buffers[turn] as Uint8Array;
    if (buffer.byteLength < sizeBytes) {
      buffer = new Uint8Array(sizeBytes);
      this.#buffers[turn] = buffer;
    }
    return buffer.subarray(0, sizeBytes);
  }
}

/** For pieces: one being read into, one in use, and the one before it, of which the user may keep the end. */
export const PIECE_BUFFER_COUNT = 3;

export class SegmentReader {
  readonly #file: DiskFile;
  readonly segment: number;
  readonly endOffset: number; // of the data area

  constructor(file: DiskFile, segment: number, endOffset: number) {
    this.#file = file;
    this.segment = segment;
    this.endOffset = endOffset;
  }

  /** Fills `into` from `offset` on. @throws LogError when the file ends before that */
  async read(into: Uint8Array, offset: number): Promise<Uint8Array> {
    const readBytes = await this.#file.read(into, offset);
    if (readBytes === into.byteLength) return into;
    const name = segmentName(this.segment);
    throw damaged(name, offset + readBytes, "the file ends here", `it has ${this.endOffset} bytes`);
  }

  /**
   * The data area from `fromOffset` on, piece by piece.
   * @param roomBytes left free in front of each piece, for the caller: a piece is the end of its buffer's used part
   */
  async *pieces(fromOffset: number, roomBytes = 0, buffers = new Buffers(PIECE_BUFFER_COUNT)): AsyncGenerator<Piece> {
    const pieceBytes = Math.min(PIECE_BYTES, this.endOffset - fromOffset);
    const readAt = async (offset: number): Promise<Piece> => {
      const buffer = buffers.take(roomBytes + pieceBytes);
      const sizeBytes = Math.min(pieceBytes, this.endOffset - offset);
      await this.read(buffer.subarray(roomBytes, roomBytes + sizeBytes), offset);
      return { offset, buffer, startInBuffer: roomBytes, sizeBytes };
    };
    let next = fromOffset < this.endOffset ? readAt(fromOffset) : undefined;
    try {
      while (next !== undefined) {
        const piece: Piece = await next;
        const after = piece.offset + piece.sizeBytes;
        next = after < this.endOffset ? readAt(after) : undefined;
        next?.catch(() => {}); // met when its turn comes
        yield piece;
      }
    } finally {
      await next?.catch(() => {}); // its file is closed after this
    }
  }

  /** Where the data area's trailing zeros begin: behind its last byte that is not 0. Reads no more than those zeros. */
  async dataEnd(fromOffset: number): Promise<number> {
    const pieceBytes = Math.min(PIECE_BYTES, this.endOffset - fromOffset);
    const buffers = [new Uint8Array(pieceBytes), new Uint8Array(pieceBytes)];
    const readBefore = async (end: number, turn: number) => {
      const start = Math.max(fromOffset, end - pieceBytes);
      const buffer = buffers[turn % 2] as Uint8Array;
      return { start, bytes: await this.read(buffer.subarray(0, end - start), start) };
    };
    let turn = 0;
    let next = this.endOffset > fromOffset ? readBefore(this.endOffset, turn) : undefined;
    while (next !== undefined) {
      const { start, bytes } = await next;
      next = start > fromOffset ? readBefore(start, ++turn) : undefined;
      const found = lastNonZero(bytes);
      if (found < 0) continue;
      await next?.catch(() => {});
      return start + found + 1;
    }
    return fromOffset;
  }

  /** @param toOffset the end of what is looked at, more or less */
  async nextNonZero(fromOffset: number, toOffset = this.endOffset): Promise<number | undefined> {
    for await (const { offset, buffer, startInBuffer, sizeBytes } of this.pieces(fromOffset)) {
      if (offset >= toOffset) return undefined;
      const found = firstNonZero(buffer.subarray(startInBuffer, startInBuffer + sizeBytes));
      if (found >= 0) return offset + found;
    }
    return undefined;
  }
}

/** `sizeBytes` bytes of the segment at `offset`. Valid until the piece after the next comes. */
export interface Piece {
  readonly offset: number;
  readonly buffer: Uint8Array;
  readonly startInBuffer: number;
  readonly sizeBytes: number;
}
