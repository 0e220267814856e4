// Looks at a queue's messages. They change nothing and wait for nothing in the turn, but they may have much to read: one
// at a time, a page with a bound, slots looked through and bodies read in pieces, with the broker's work in between.
import type { Core } from "../core/core.ts";
import type { PeekedRow, PeekPage, PeekPlace } from "../core/peeks.ts";
import type { Catalogue } from "./catalogue.ts";
import { deliveredMessage } from "./delivered.ts";
import type { QueueEntry } from "./queue-entry.ts";
import type { RecordReader } from "./record-reader.ts";
import type { Turn } from "./turn.ts";
import type { PeekCursor, Peeked, PeekOptions, PeekResult } from "./types.ts";

/** Bodies read from the log at once: writes share the threads that read. */
const READ_COUNT_MAX = 8;
/** How often a look begins anew because the queue was purged, or changed where the look had stopped. */
const START_COUNT_MAX = 8;

type Part = PeekCursor["part"];

/** What of a page is still to be filled. */
interface Room {
  countMax: number;
  bytesMax: number;
}

export class Peeks {
  readonly #core: Core;
  readonly #catalogue: Catalogue;
  readonly #reader: RecordReader;
  readonly #turn: Turn;
  #line: Promise<void> = Promise.resolve();

  constructor(parts: { core: Core; catalogue: Catalogue; reader: RecordReader; turn: Turn }) {
    this.#core = parts.core;
    this.#catalogue = parts.catalogue;
    this.#reader = parts.reader;
    this.#turn = parts.turn;
  }

  /** @returns a function that gives it up */
  peek(entry: QueueEntry, options: PeekOptions, done: (result: PeekResult) => void): () => void {
    let wanted = true;
    this.#line = this.#line.then(async () => {
      if (!wanted) return;
      const result = await this.#look(entry, options).catch((error: Error) => ({ status: "failed" as const, error }));
      if (wanted) done(result);
    });
    return () => {
      wanted = false;
    };
  }

  async #look(entry: QueueEntry, options: PeekOptions): Promise<PeekResult> {
    for (let start = 0; start < START_COUNT_MAX; start++) {
      const { coreNumber } = entry;
      const result = await this.#page(entry, options);
      if (entry.isGone) return { status: "queueGone" };
      if (result !== undefined && entry.coreNumber === coreNumber) return result;
      if (options.from !== undefined) break; // a place in what is there no more
    }
    return { status: "lost" };
  }

  /** @returns undefined when the place it had come to was lost on the way */
  async #page(
    entry: QueueEntry,
    { held, delayed, from, countMax, bytesMax }: PeekOptions,
  ): Promise<PeekResult | undefined> {
    const all: Part[] = ["held", "visible", "delayed"];
    const parts = all.filter((part) => part === "visible" || (part === "held" ? held : delayed));
    if (from !== undefined && !parts.includes(from.part)) return undefined;
    const room: Room = { countMax, bytesMax };
    const messages: Peeked[] = [];
    let place: PeekPlace | undefined = from === undefined || from.slot === 0 ? undefined : from;
    for (const part of from === undefined ? parts : parts.slice(parts.indexOf(from.part))) {
      const ofPart: Peeked[] = [];
      do {
        const page = this.#ask(entry, part, place, room);
        if (page === undefined) return undefined;
        ofPart.push(...(await this.#read(entry, page.rows)));
        for (const { recordBytes } of page.rows) room.bytesMax -= recordBytes;
        room.countMax -= page.rows.length;
        place = page.next;
        if (page.isFull || room.countMax <= 0 || room.bytesMax <= 0) {
          messages.push(...ordered(part, ofPart));
          return { status: "ok", messages, next: place === undefined ? nextPart(parts, part) : { part, ...place } };
        }
        if (place !== undefined) await new Promise((others) => setImmediate(others));
      } while (place !== undefined && !entry.isGone);
      messages.push(...ordered(part, ofPart));
    }
    return { status: "ok", messages, next: undefined };
  }

  #ask(entry: QueueEntry, part: Part, place: PeekPlace | undefined, room: Room): PeekPage | undefined {
    const nowMs = this.#turn.nowMs();
    const { countMax, bytesMax } = room;
    if (part === "visible") return this.#core.peeks.visible(entry.index, place, countMax, bytesMax, nowMs);
    return this.#core.peeks.hidden(entry.index, place, part, countMax, bytesMax, nowMs);
  }

  /** Makes messages of rows: at once of those in memory, in small groups of those on disk, whose place may have changed. */
  async #read(entry: QueueEntry, rows: readonly PeekedRow[]): Promise<Peeked[]> {
    const { index } = entry;
    const messages: (Peeked | undefined)[] = [];
    const onDisk: number[] = [];
    rows.forEach((row, i) => {
      if (this.#core.hasRecord(row.position, row.recordBytes)) messages[i] = this.#peeked(entry, row);
      else onDisk.push(i);
    });
    while (onDisk.length > 0) {
      const group = onDisk.splice(0, READ_COUNT_MAX).flatMap((i) => {
        const row = this.#core.peeks.one(index, rows[i] as PeekedRow);
        return row === undefined ? [] : [{ i, row }]; // undefined: gone meanwhile
      });
      await new Promise<void>((loaded, locked) => {
        const use = (): void => {
          for (const { i, row } of group) messages[i] = this.#peeked(entry, row);
          loaded();
        };
        this.#reader.whenLoaded(
          group.map(({ row }) => row),
          use,
          locked,
        );
      });
    }
    return messages.filter((message) => message !== undefined);
  }

  #peeked(entry: QueueEntry, row: PeekedRow): Peeked {
    const { receiptHandle: _, ...message } = deliveredMessage(this.#core, this.#catalogue, entry, row);
    return { ...message, place: row.place };
  }
}

/** Slots have no order a reader would know; the time of sending has. */
function ordered(part: Part, messages: Peeked[]): readonly Peeked[] {
  return part === "visible" ? messages : messages.sort((left, right) => left.sentMs - right.sentMs);
}

function nextPart(parts: readonly Part[], part: Part): PeekCursor | undefined {
  const next = parts[parts.indexOf(part) + 1];
  return next === undefined ? undefined : { part: next, slot: 0, generation: 0 };
}
