// Records that have left the tail are read back into the core's memory, a piece of the log at a time: one read serves
// the neighbours too, and whoever goes through the log finds the next piece read ahead. assembly/cache.ts has the rules.
import type { Core } from "../core/core.ts";
import { KeyError } from "../keys/provider.ts";
import type { Log } from "../log/log.ts";
import { isSealed, type Seals } from "./seals.ts";

/** A record's place in the log. */
export interface Place {
  readonly position: number;
  readonly recordBytes: number; // padding included
}

interface Reading {
  readonly position: number;
  readonly sizeBytes: number;
  /** What was read; it is in the core's memory by then. Failed readings ahead of the need are forgotten. */
  readonly bytes: Promise<Uint8Array>;
}

interface Piece {
  readonly position: number;
  readonly bytes: Uint8Array;
}

export class RecordReader {
  readonly #core: Core;
  readonly #log: Log;
  readonly #seals: Seals;
  readonly #segmentBytes: number;
  readonly #onFatal: (error: Error) => void;
  readonly #readings = new Set<Reading>();

  constructor(parts: { core: Core; log: Log; seals: Seals; segmentBytes: number; onFatal: (error: Error) => void }) {
    this.#core = parts.core;
    this.#log = parts.log;
    this.#seals = parts.seals;
    this.#segmentBytes = parts.segmentBytes;
    this.#onFatal = parts.onFatal;
  }

  /**
   * Runs `use` when all of the records are in the core's memory: at once if they are. They are certain to be there only
   * until it returns. A record that cannot be read, or is damaged, is fatal, and `use` is not run.
   * @param places of one receive
   * @param locked run instead when one of them is sealed under a key that cannot be used now
   */
  whenLoaded(places: readonly Place[], use: () => void, locked: (error: KeyError) => void): void {
    if (places.every(({ position, recordBytes }) => this.#core.hasRecord(position, recordBytes))) {
      use();
      return;
    }
    const pieces: (Promise<Piece> | Piece)[] = places.map((place) => {
      const { position, recordBytes } = place;
      // One that is written again is sealed even in memory.
      const record = this.#core.record(position, recordBytes) ?? this.#core.recentRecord(position, recordBytes);
      // What is in memory now may have made room for other things by the time the rest is.
      if (record !== undefined) return { position, bytes: Uint8Array.prototype.slice.call(record) };
      const reading = this.#readingOf(place) ?? this.#read(position, recordBytes);
      return reading.bytes.then((bytes) => ({ position: reading.position, bytes }));
    });
    Promise.all(pieces)
      .then((loaded) => Promise.all(loaded.map((piece, i) => this.#opened(places[i] as Place, piece))))
      .then(
        (loaded) => {
          this.#load(places, loaded);
          use();
        },
        (error: Error) => {
          if (!(error instanceof KeyError)) throw error;
          locked(error);
        },
      )
      .catch((error: Error) => this.#onFatal(error));
  }

  /** The record alone and open, if it is sealed; otherwise the piece as it is. @throws KeyError */
  #opened(place: Place, piece: Piece): Piece | Promise<Piece> {
    const { position, recordBytes } = place;
    const start = position - piece.position;
    const record = Buffer.from(piece.bytes.buffer, piece.bytes.byteOffset + start, recordBytes);
    if (!isSealed(record)) return piece;
    const seed = this.#core.seedOf(Math.floor(position / this.#segmentBytes));
    return this.#seals.open(record, seed).then((bytes) => {
      if (bytes === undefined) throw this.#damaged(place);
      return { position, bytes };
    });
  }

  /** Begins to read what the core expects to be asked for next. */
  readAhead(): void {
    for (let position = this.#core.takeAhead(); position !== 0; position = this.#core.takeAhead()) {
      if (this.#readingOf({ position, recordBytes: 0 }) !== undefined) continue;
      // The segment may have been removed meanwhile; and whoever needs what cannot be read will be told.
      this.#read(position, 0).bytes.catch(() => {});
    }
  }

  #readingOf({ position, recordBytes }: Place): Reading | undefined {
    for (const reading of this.#readings) {
      const end = reading.position + reading.sizeBytes;
      if (reading.position <= position && position + Math.max(recordBytes, 1) <= end) return reading;
    }
    return undefined;
  }

  #read(position: number, recordBytes: number): Reading {
    const sizeBytes = this.#core.planLoad(position, recordBytes);
    // Begun at once, as long as the segment is there.
    const bytes = this.#log
      .read(position, sizeBytes)
      .then((loaded) => {
        this.#core.load(position, loaded);
        return loaded;
      })
      .finally(() => this.#readings.delete(reading));
    const reading: Reading = { position, sizeBytes, bytes };
    this.#readings.add(reading);
    return reading;
  }

  /** Puts back what has made room for other pieces since it was loaded, until all of it is there at once. */
  #load(places: readonly Place[], pieces: readonly Piece[]): void {
    const loaded = new Set<Place>();
    for (let isComplete = false; !isComplete; ) {
      isComplete = true;
      places.forEach((place, i) => {
        const { position, recordBytes } = place;
        if (this.#core.hasRecord(position, recordBytes)) return;
        if (loaded.has(place)) throw this.#damaged(place);
        const { position: start, bytes } = pieces[i] as Piece;
        this.#core.load(position, bytes.subarray(position - start, position - start + recordBytes));
        loaded.add(place);
        isComplete = false;
      });
    }
  }

  #damaged({ position, recordBytes }: Place): Error {
    return new Error(
      `Cannot read a message: segment ${Math.floor(position / this.#segmentBytes)} is damaged at offset ` +
        `${position % this.#segmentBytes}, where a record of ${recordBytes} bytes was written; restore the data directory from a copy`,
    );
  }
}
