// A small life of a log: batches over several segments, an index, a removal. Says what was acknowledged.

import type { Disk } from "../../src/log/disk.ts";
import type { EncryptionOptions } from "../../src/log/encryption.ts";
import type { LocalLog } from "../../src/log/local-log.ts";
import { openLog } from "../../src/log/local-log.ts";
import { testCipher } from "./log-key.ts";
import { encodeIndexOf, PlainCodec, PlainWriter, type Seen } from "./plain-codec.ts";

export const SEGMENT_BYTES = 8 * 1024; // 4 KiB of records in each
export const LOG_ID = "00112233445566778899aabbccddeeff";

export interface Opened {
  readonly log: LocalLog;
  readonly codec: PlainCodec;
  readonly writer: PlainWriter;
  readonly notes: string[];
}

let encryption: EncryptionOptions | undefined;

/** Every log that is opened from here on is encrypted; a file that says so runs the tests of others once more. */
export function encryptLogs(): void {
  encryption = { cipher: testCipher(), isOn: true };
}

export async function open(disk: Disk, segmentBytes = SEGMENT_BYTES, encrypted = encryption): Promise<Opened> {
  const codec = new PlainCodec(segmentBytes);
  const notes: string[] = [];
  const onNote = (text: string) => notes.push(text);
  const { log, endPosition, recordSeed } = await openLog(disk, {
    segmentBytes,
    codec,
    onNote,
    logId: LOG_ID,
    ...(encrypted === undefined ? {} : { encryption: encrypted }),
  });
  const writer = new PlainWriter(segmentBytes, endPosition, codec.lastNumber + 1, recordSeed);
  return { log, codec, notes, writer };
}

/** Lets what goes on in the background go on: the fake disk needs no time, only turns. */
export async function settle(log: LocalLog): Promise<void> {
  for (let turn = 0; turn < 1_000 && !log.hasSpare; turn++) await Promise.resolve();
  for (let turn = 0; turn < 100; turn++) await Promise.resolve(); // the zeros ahead, too
}

/** Appends the batch added to the writer. An append that waits for space is helped by the log's owner, now and then. */
export async function commit(opened: Opened): Promise<void> {
  return helped(opened, opened.log.append(opened.writer.take()));
}

async function helped({ log }: Opened, appended: Promise<void>): Promise<void> {
  let isSettled = false;
  const settled = () => {
    isSettled = true;
  };
  appended.then(settled, settled);
  for (let turn = 1; turn <= 20_000 && !isSettled; turn++) {
    await Promise.resolve();
    if (turn % 1_000 === 0) log.maintain();
  }
  await appended;
}

export class Workload {
  readonly segmentBytes: number;
  readonly #blockBytes: number | undefined;
  readonly written: Seen[] = []; // handed to append, acknowledged or not
  readonly removing = new Set<number>(); // segments whose removal was asked for
  acknowledgedCount = 0;
  failures: unknown[] = [];

  /** @param blockBytes some batches end with a block */
  constructor(segmentBytes = SEGMENT_BYTES, blockBytes?: number) {
    this.segmentBytes = segmentBytes;
    this.#blockBytes = blockBytes;
  }

  /** Goes on through failures as a broker would: until an append fails. @param besideMax appends under way at once */
  async run(disk: Disk, random: () => number, batchCount: number, besideMax = 1): Promise<void> {
    let opened: Opened;
    try {
      opened = await open(disk, this.segmentBytes);
    } catch (error) {
      this.failures.push(error);
      return;
    }
    const { log, writer } = opened;
    const start = writer.position;
    const underWay: Promise<void>[] = [];
    try {
      for (let batch = 0; batch < batchCount; batch++) {
        const recordCount = 1 + Math.floor(random() * 4);
        const before = writer.written.length;
        for (let i = 0; i < recordCount; i++) writer.add(`${writer.nextNumber}:`.padEnd(20 + random() * 600, "x"));
        this.written.push(...writer.written.slice(before));
        if (this.#blockBytes !== undefined && random() < 0.8) writer.endBlock(this.#blockBytes);
        const count = this.written.length;
        const { position } = writer;
        if (besideMax > 1) writer.durablePosition ??= start;
        const appended = log.append(writer.take()).then(() => {
          this.acknowledgedCount = Math.max(this.acknowledgedCount, count);
          if (besideMax > 1) writer.durablePosition = position;
        });
        appended.catch(() => {}); // met when its turn comes
        underWay.push(appended);
        while (underWay.length >= besideMax) await helped(opened, underWay.shift() as Promise<void>);
        log.maintain();
        if (batch === Math.floor(batchCount / 2)) await this.#tidy(log);
      }
      for (const appended of underWay) await helped(opened, appended);
    } catch (error) {
      this.failures.push(error);
    }
    await log.close().catch((error: unknown) => this.failures.push(error));
  }

  async #tidy(log: LocalLog): Promise<void> {
    const [first, second] = log.segments();
    if (first === undefined || second === undefined || log.segments().length < 3) return;
    const inSecond = this.written.filter(({ position }) => Math.floor(position / this.segmentBytes) === second);
    this.removing.add(first);
    for (const work of [() => log.writeIndex(second, encodeIndexOf(inSecond)), () => log.remove(first)]) {
      await work().catch((error: unknown) => this.failures.push(error));
    }
  }

  /** @returns what is wrong with what a start found, or "" */
  check(seen: readonly Seen[]): string {
    const removed = ({ position }: Seen) => this.removing.has(Math.floor(position / this.segmentBytes));
    const kept = seen.filter((record) => !removed(record));
    const written = this.written.filter((record) => !removed(record));
    const acknowledged = this.written.slice(0, this.acknowledgedCount).filter((record) => !removed(record));
    if (kept.length < acknowledged.length) return `${kept.length} of ${acknowledged.length} acknowledged records`;
    const wrong = kept.findIndex((record, i) => JSON.stringify(record) !== JSON.stringify(written[i]));
    return wrong < 0 ? "" : `record ${wrong} is ${JSON.stringify(kept[wrong])}`;
  }
}
