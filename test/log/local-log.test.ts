import { describe, expect, test } from "vitest";
import { segmentName } from "../../src/log/segment.ts";
import { FakeDisk, randomOf } from "../support/fake-disk.ts";
import { commit, type Opened, open, SEGMENT_BYTES, settle } from "../support/log-workload.ts";
import { encodeIndexOf } from "../support/plain-codec.ts";

/** Appends until the segment is the one being written. */
async function fillUpTo(opened: Opened, segment: number): Promise<void> {
  while (opened.writer.position < segment * SEGMENT_BYTES) {
    opened.writer.add("x".repeat(900));
    await commit(opened);
  }
}

test("what was appended can be read, across segments and after a restart", async () => {
  const disk = new FakeDisk();
  const opened = await open(disk);
  await fillUpTo(opened, 3);
  const { position } = opened.writer.written[1] ?? { position: 0 };
  const bytes = await opened.log.read(position, 924);
  expect(new TextDecoder().decode(bytes.subarray(24))).toBe("x".repeat(900));
  await opened.log.close();
  const again = await open(disk);
  expect(await again.log.read(position, 924)).toEqual(bytes);
});

test("a batch over two segments is two writes, each durable, in order; neighbours are one", async () => {
  const disk = new FakeDisk();
  const opened = await open(disk);
  await fillUpTo(opened, 1);
  await settle(opened.log);
  for (let i = 0; i < 5; i++) opened.writer.add("y".repeat(800));
  const split = opened.writer.take().flatMap(({ position, bytes }) => [
    { position, bytes: bytes.subarray(0, 8) },
    { position: position + 8, bytes: bytes.subarray(8) },
  ]);
  const from = disk.calls.length;
  await opened.log.append(split);
  const writes = disk.calls.slice(from).filter((call) => call.startsWith("write segment"));
  expect(writes.map((call) => call.split(" ")[1])).toEqual([segmentName(1), segmentName(2)]);
});

test("the bytes are copied before append returns: a WebAssembly memory may grow meanwhile", async () => {
  const disk = new FakeDisk();
  const { log, writer } = await open(disk);
  writer.add("kept");
  const [extent] = writer.take();
  if (extent === undefined) throw new Error("nothing to write");
  const view = new Uint8Array(extent.bytes);
  const appended = log.append([{ position: extent.position, bytes: view }]);
  structuredClone(view.buffer, { transfer: [view.buffer] }); // detaches it, as growing does
  expect(view.byteLength).toBe(0);
  await appended;
  expect(await log.read(extent.position, extent.bytes.byteLength)).toEqual(new Uint8Array(extent.bytes));
});

describe("appends that were asked for at once", () => {
  interface Write {
    readonly offset: number;
    readonly bytes: Uint8Array;
    readonly isBeside: boolean; // another one to the same segment was under way
  }

  /** Keeps what is written of records. */
  function watched(): { readonly disk: FakeDisk; readonly writes: Write[] } {
    const disk = new FakeDisk();
    const writes: Write[] = [];
    const open = disk.open.bind(disk);
    let underWay = 0;
    disk.open = async (name, mode) => {
      const opened = await open(name, mode);
      const write = async (bytes: Uint8Array, offset: number) => {
        if (offset < 4096 || bytes.every((byte) => byte === 0)) return opened.write(bytes, offset);
        writes.push({ offset, bytes: bytes.slice(), isBeside: underWay > 0 });
        underWay++;
        await opened.write(bytes, offset);
        underWay--;
      };
      return { ...opened, write };
    };
    return { disk, writes };
  }

  test("are written one after another in whole blocks, each from the block on that the one before it ends in", async () => {
    const { disk, writes } = watched();
    const { log, writer } = await open(disk, 64 * 1024);
    await settle(log);
    const turns = [50, 30, 10, 0];
    disk.turnsOfWrite = () => turns.shift() ?? 0;
    const ended: number[] = [];
    const sizes = [300, 9_000, 300, 4_096];
    const appends = sizes.map((sizeBytes, i) => {
      writer.add(`${i}`.repeat(sizeBytes));
      return log.append(writer.take()).then(() => ended.push(i));
    });
    await Promise.all(appends);
    expect(ended).toEqual([0, 1, 2, 3]);
    expect(writes.map(({ isBeside }) => isBeside)).toEqual([false, false, false, false]);
    let end = 4096; // of the records so far
    for (const [i, { offset, bytes }] of writes.entries()) {
      expect(offset).toBe(end - (end % 4096));
      end = (writer.written[i + 1]?.position ?? writer.position) % (64 * 1024);
      expect(offset + bytes.byteLength).toBe(Math.ceil(end / 4096) * 4096);
      expect(bytes.subarray(end - offset).every((byte) => byte === 0)).toBe(true);
    }
    expect(
      (
        await open(
          disk.cutPower(() => 0),
          64 * 1024,
        )
      ).codec.seen,
    ).toEqual(writer.written);
  });

  test("of many, nothing goes to the next segment before all of this one is on disk", async () => {
    const { disk } = watched();
    const { log, writer } = await open(disk);
    await settle(log);
    const random = randomOf(1);
    disk.turnsOfWrite = () => Math.floor(random() * 50);
    let durablePosition = 0;
    const appends: Promise<void>[] = [];
    const tooEarly: string[] = [];
    const from = disk.calls.length;
    for (let i = 0; i < 12; i++) {
      writer.add(`${i}`.padEnd(600, "x"));
      const extents = writer.take();
      const end = writer.position;
      appends.push(
        log.append(extents).then(() => {
          durablePosition = end;
        }),
      );
    }
    const begun = () => disk.calls.slice(from).some((call) => call.startsWith(`write ${segmentName(2)} 4096`));
    while (durablePosition < SEGMENT_BYTES * 2) {
      if (begun() && durablePosition < SEGMENT_BYTES + 4096) tooEarly.push(`${durablePosition}`);
      await Promise.resolve();
    }
    await Promise.all(appends);
    expect(tooEarly).toEqual([]);
    const { codec } = await open(disk.cutPower(() => 0)); // nothing that was not synced is left
    expect(codec.seen).toEqual(writer.written);
  });

  test("one that fails takes those after it along, and none before it", async () => {
    const disk = new FakeDisk();
    const { log, writer } = await open(disk);
    await settle(log);
    disk.fault = { call: disk.calls.length + 1, code: "EIO" };
    const appends = [0, 1, 2].map((i) => {
      writer.add(`${i}`);
      return log.append(writer.take());
    });
    const outcomes = await Promise.allSettled(appends);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected"]);
    await expect(log.append([])).rejects.toThrow("Cannot append to the log");
  });
});

test("a start that cannot read what its first append has to write once more is refused", async () => {
  const disk = new FakeDisk();
  const opened = await open(disk);
  opened.writer.add("acknowledged");
  await commit(opened);
  await opened.log.close();
  const openFile = disk.open.bind(disk);
  disk.open = async (name, mode) => {
    const file = await openFile(name, mode);
    const isEnd = (into: Uint8Array, offset: number) =>
      offset === 4096 && into.byteLength === opened.writer.position % 4096;
    return { ...file, read: async (into, offset) => (isEnd(into, offset) ? 8 : file.read(into, offset)) };
  };
  const message = expect.stringContaining(`${segmentName(1)} ends at offset 4104, and the log at`);
  await expect(open(disk)).rejects.toMatchObject({ code: "damaged", file: segmentName(1), offset: 4104, message });
  expect(disk.openCount).toBe(0);
});

test("appends leave no gap, and stay in their segment", async () => {
  const { log, writer } = await open(new FakeDisk());
  writer.add("a");
  const [extent] = writer.take();
  if (extent === undefined) throw new Error("nothing to write");
  await expect(log.append([{ ...extent, position: extent.position + 8 }])).rejects.toThrow("without a gap");
});

test("a failed write stops the log for good", async () => {
  const disk = new FakeDisk();
  const opened = await open(disk);
  await settle(opened.log);
  disk.fault = { call: disk.calls.length, code: "EIO" };
  opened.writer.add("a");
  const expected = { code: "io", file: segmentName(1), offset: 4096 };
  await expect(commit(opened)).rejects.toMatchObject(expected);
  await expect(opened.log.append([])).rejects.toThrow("Cannot append to the log");
  await expect(opened.log.read(SEGMENT_BYTES + 4096, 8)).rejects.toThrow("Cannot append to the log");
  await opened.log.close();
  expect(disk.openCount).toBe(0);
});

test("a full disk: no spare, a note, and recovery without a restart", async () => {
  const disk = new FakeDisk();
  const opened = await open(disk);
  const { log, notes } = opened;
  await settle(log);
  expect(log.writableEnd).toBe(3 * SEGMENT_BYTES); // to the end of the spare
  disk.capacityBytes = 5 * SEGMENT_BYTES;
  await fillUpTo(opened, 2); // on into the spare; the next one finds no room
  await log.freeBytes();
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
  expect(log.hasSpare).toBe(false);
  expect(log.writableEnd).toBe(3 * SEGMENT_BYTES); // which is the one being written now
  expect(notes).toHaveLength(1);
  expect(notes[0]).toContain("Cannot prepare segment 3");
  expect(disk.files().has("spare")).toBe(false); // its space was given back

  opened.writer.add("still room in this segment");
  await commit(opened);
  log.maintain();
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
  expect([log.hasSpare, notes.length]).toEqual([false, 1]); // tried, and said once

  disk.capacityBytes = Number.POSITIVE_INFINITY;
  log.maintain();
  await settle(log);
  expect(notes[1]).toBe("There is room for the next segment again");
  await fillUpTo(opened, 3);
});

/** Three segments, and no room for another. */
async function onFullDisk(): Promise<{ disk: FakeDisk; opened: Opened }> {
  const disk = new FakeDisk();
  const opened = await open(disk);
  await settle(opened.log);
  await fillUpTo(opened, 2);
  await settle(opened.log);
  disk.fill();
  await fillUpTo(opened, 3);
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
  return { disk, opened };
}

test("on a full disk a removed segment becomes the spare", async () => {
  const { disk, opened } = await onFullDisk();
  expect(opened.log.hasSpare).toBe(false);
  await opened.log.remove(1);
  await settle(opened.log);
  expect(opened.log.hasSpare).toBe(true);
  expect([...disk.files().keys()].sort()).toEqual([
    "manifest",
    "manifest.next",
    "reserve",
    segmentName(2),
    segmentName(3),
    segmentName(4),
  ]);
  expect(
    disk
      .bytesOf(segmentName(4))
      .subarray(4096)
      .every((byte) => byte === 0),
  ).toBe(true);
});

test("a removed segment that somebody has linked to, to copy it, is not written over, on a full disk either", async () => {
  const { disk, opened } = await onFullDisk();
  disk.linked.add(segmentName(1));
  const copied = disk.bytesOf(segmentName(1));
  const before = copied.slice();
  await opened.log.remove(1);
  await settle(opened.log);
  expect(opened.log.hasSpare).toBe(false); // there is no room: the copy has its blocks
  expect(disk.calls.filter((call) => call.startsWith("rename segment"))).toEqual([]);
  expect(disk.files().has(segmentName(1))).toBe(false);
  expect(copied).toEqual(before);
});

test("an append past the end without a spare is refused before any of it is written", async () => {
  const disk = new FakeDisk();
  const opened = await open(disk);
  await settle(opened.log);
  disk.capacityBytes = 0;
  await fillUpTo(opened, 2);
  for (let i = 0; i < 5; i++) opened.writer.add("z".repeat(800));
  const from = disk.calls.length;
  await expect(commit(opened)).rejects.toMatchObject({ code: "noSpace" });
  expect(disk.calls.slice(from).filter((call) => call.startsWith("write segment"))).toEqual([]);
});

test("a removed segment waits for its readers, then its file is gone, and a read says so", async () => {
  const disk = new FakeDisk();
  const opened = await open(disk);
  await fillUpTo(opened, 3);
  await settle(opened.log);
  const { position } = opened.writer.written[0] ?? { position: 0 };
  const reading = opened.log.read(position, 924);
  await Promise.all([opened.log.remove(1), reading]);
  expect(new TextDecoder().decode((await reading).subarray(24))).toBe("x".repeat(900));
  for (let second = 0; second < 60; second++) opened.log.maintain();
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
  expect(disk.files().has(segmentName(1))).toBe(false);
  expect(opened.log.segments()).toEqual([2, 3]);
  await expect(opened.log.read(position, 924)).rejects.toThrow("has been removed");
  await opened.log.close();
  const again = await open(disk);
  expect(again.codec.seen).toEqual(opened.writer.written.filter((record) => record.position >= 2 * SEGMENT_BYTES));
});

describe("the files of removed segments", () => {
  const filesOf = (disk: FakeDisk) => [...disk.files().keys()].filter((name) => name.startsWith("segment-")).sort();
  const turns = async (count: number) => {
    for (let turn = 0; turn < count; turn++) await Promise.resolve();
  };

  async function filledUpTo(last: number) {
    const disk = new FakeDisk();
    const opened = await open(disk);
    await fillUpTo(opened, last);
    await settle(opened.log);
    return { disk, opened, log: opened.log };
  }

  async function expectRest(disk: FakeDisk, { writer }: Opened, from: number): Promise<void> {
    const again = await open(disk);
    expect(again.codec.seen).toEqual(writer.written.filter((record) => record.position >= from * SEGMENT_BYTES));
    await again.log.close();
  }

  test("become the next ones, full of zeros; one is kept for that, and others go", async () => {
    const { disk, opened, log } = await filledUpTo(5);
    for (const segment of [1, 2, 3]) await log.remove(segment);
    await turns(100);
    expect(filesOf(disk)).toEqual([3, 4, 5, 6].map(segmentName));
    await fillUpTo(opened, 6);
    await settle(log);
    expect(disk.calls).toContain(`rename ${segmentName(3)} spare`);
    expect(filesOf(disk)).toEqual([4, 5, 6, 7].map(segmentName));
    const made = disk.bytesOf(segmentName(7));
    expect(made).toHaveLength(SEGMENT_BYTES); // an index is gone
    expect(made.subarray(4096).every((byte) => byte === 0)).toBe(true);
    await fillUpTo(opened, 8);
    await settle(log);
    expect(filesOf(disk)).toEqual([4, 5, 6, 7, 8, 9].map(segmentName));
    await log.close();
    await expectRest(disk, opened, 4);
  });

  test("are given back when none was needed for a minute", async () => {
    const { disk, opened, log } = await filledUpTo(4);
    await log.remove(1);
    for (let second = 1; second < 60; second++) log.maintain();
    await turns(100);
    expect(filesOf(disk)).toEqual([1, 2, 3, 4, 5].map(segmentName));
    log.maintain();
    await turns(100);
    expect(filesOf(disk)).toEqual([2, 3, 4, 5].map(segmentName));
    await log.close();
    await expectRest(disk, opened, 2);
  });

  test("go with the end", async () => {
    const { disk, opened, log } = await filledUpTo(4);
    await log.remove(1);
    await log.close();
    expect(filesOf(disk)).toEqual([2, 3, 4, 5].map(segmentName));
    await expectRest(disk, opened, 2);
  });

  test("are not used where writes are large: their zeros would be written for nothing", async () => {
    const segmentBytes = 4 * 1024 * 1024;
    const disk = new FakeDisk();
    const opened = await open(disk, segmentBytes);
    await settle(opened.log);
    const fillOne = async () => {
      for (let row = 0; row < 64; row++) {
        opened.writer.add("x".repeat(64 * 1024));
        if (row % 8 === 7) await commit(opened);
      }
      await settle(opened.log);
    };
    for (let i = 0; i < 3; i++) await fillOne();
    await opened.log.remove(1);
    await fillOne();
    expect(disk.calls.filter((call) => call.startsWith("rename segment"))).toEqual([]);
    expect(filesOf(disk)).toContain(segmentName(1));
    await opened.log.close();
  });
});

describe("holes", () => {
  const MiB = 1024 * 1024;
  const BODY = "x".repeat(64 * 1024);

  /** A log with room for more than what is zeroed ahead, and a reserve. */
  async function openLarge(disk: FakeDisk): Promise<Opened> {
    const opened = await open(disk, 8 * MiB);
    await settle(opened.log);
    return opened;
  }

  /** Appends until the disk is asked for more than it has. @returns the append that waits */
  async function appendUntilItWaits({ log, writer }: Opened): Promise<{ appended: Promise<void> }> {
    for (;;) {
      let isDone = false;
      writer.add(BODY);
      const appended = log.append(writer.take());
      void appended.then(
        () => (isDone = true),
        () => {},
      );
      for (let turn = 0; turn < 2_000 && !isDone; turn++) await Promise.resolve();
      if (!isDone) return { appended };
    }
  }

  test("the next segment is there before its zeros are, and is begun without them", async () => {
    const disk = new FakeDisk();
    const opened = await openLarge(disk);
    disk.capacityBytes = 1_000 * MiB;
    const usedBytes = disk.capacityBytes - (await opened.log.freeBytes());
    expect(opened.log.writableEnd).toBe(3 * 8 * MiB);
    expect(usedBytes).toBeLessThan(8 * MiB + 5 * MiB); // the reserve, and what is ahead
    const from = disk.calls.length;
    for (let i = 0; i < 100; i++) {
      for (let row = 0; row < 8; row++) opened.writer.add(BODY);
      await commit(opened);
    }
    const written = new Map<string, number>(); // bytes of each segment
    for (const call of disk.calls.slice(from)) {
      const [what, name, , sizeBytes] = call.split(" ");
      if (what === "write" && name) written.set(name, (written.get(name) ?? 0) + Number(sizeBytes));
    }
    // What is large is not written twice.
    expect(written.get(segmentName(4))).toBeLessThan(8.1 * MiB);
    await opened.log.close();
    const again = await open(disk, 8 * MiB);
    expect(again.codec.seen).toHaveLength(800);
    await again.log.close();
  });

  test("where less than 8 MiB comes in from one maintain() to the next, zeros stay a few MiB ahead", async () => {
    const disk = new FakeDisk();
    const opened = await open(disk, 16 * MiB);
    await settle(opened.log);
    const zeroStepsIn = (segment: number) =>
      disk.calls.filter((call) => call.startsWith(`write ${segmentName(segment)} `)).length;
    for (let second = 0; second < 2; second++) {
      for (let i = 0; i < 7 * 16; i++) {
        opened.writer.add(BODY);
        await commit(opened);
      }
      opened.log.maintain();
      for (let turn = 0; turn < 2_000; turn++) await Promise.resolve();
    }
    expect(opened.writer.position).toBeGreaterThan(16 * MiB + 14 * MiB);
    expect(opened.writer.position).toBeLessThan(2 * 16 * MiB);
    expect(zeroStepsIn(2)).toBeGreaterThan(0);
    expect(zeroStepsIn(2)).toBeLessThan(20); // of 64, all of it
    await opened.log.close();
  });

  test("where not much has been written a few MiB are zeroed ahead, and then all of the next segment, before it is written to", async () => {
    const disk = new FakeDisk();
    const opened = await open(disk, 16 * MiB);
    await settle(opened.log);
    const zeroedOf = (segment: number) =>
      disk.calls.filter((call) => call.startsWith(`write ${segmentName(segment)} `)).length;
    const appendUpTo = async (position: number) => {
      while (opened.writer.position < position) {
        opened.writer.add(BODY);
        await commit(opened);
      }
      for (let turn = 0; turn < 2_000; turn++) await Promise.resolve();
    };
    await appendUpTo(16 * MiB + 7 * MiB);
    expect(zeroedOf(2)).toBe(0);
    await appendUpTo(16 * MiB + 9 * MiB);
    expect(disk.bytesOf(segmentName(2))).toHaveLength(16 * MiB);
    expect(zeroedOf(2)).toBe(64); // of 256 KiB each, the last one less
    await appendUpTo(2 * 16 * MiB + 4 * MiB);
    const writesOf = (from: number) =>
      disk.calls.slice(from).filter((call) => call.startsWith(`write ${segmentName(2)} `));
    const from = disk.calls.length;
    const appendCount = opened.writer.written.length;
    await appendUpTo(2 * 16 * MiB + 8 * MiB);
    expect(writesOf(from)).toHaveLength(opened.writer.written.length - appendCount); // no zeros beside them
    await opened.log.close();
    const again = await open(disk, 16 * MiB);
    expect(again.codec.seen).toEqual(opened.writer.written);
    await again.log.close();
  });

  test("a write that finds no block on the disk takes those of the reserve; sends have an end, deletes have room", async () => {
    const disk = new FakeDisk();
    const opened = await openLarge(disk);
    disk.fill();
    while (!opened.log.isFull) {
      opened.writer.add(BODY);
      await commit(opened);
    }
    expect(disk.files().has("reserve")).toBe(false);
    expect(opened.notes).toHaveLength(1);
    expect(opened.notes[0]).toMatch(/no space left.*it is tried again/);
    for (let turn = 0; turn < 1_000; turn++) await Promise.resolve();
    const roomBytes = opened.log.writableEnd - opened.writer.position;
    expect(roomBytes).toBeGreaterThan(7 * MiB); // the reserve's, as zeros
    while (opened.log.writableEnd - opened.writer.position > 2 * BODY.length) {
      opened.writer.add(BODY);
      await commit(opened);
    }
    disk.capacityBytes = Number.POSITIVE_INFINITY;
    opened.log.maintain();
    await settle(opened.log);
    expect([opened.log.hasSpare, opened.log.isFull, opened.notes.length]).toEqual([true, false, 2]);
    await opened.log.close();
    const again = await open(disk, 8 * MiB);
    expect(again.codec.seen).toEqual(opened.writer.written);
    await again.log.close();
  });

  test("one that finds none at all waits for some, and is there whole when it is acknowledged", async () => {
    const disk = new FakeDisk();
    const opened = await openLarge(disk);
    disk.capacityBytes = 0; // others had what the log gives back
    const { appended } = await appendUntilItWaits(opened);
    opened.log.maintain();
    for (let turn = 0; turn < 1_000; turn++) await Promise.resolve();
    expect(opened.notes).toHaveLength(1);
    disk.capacityBytes = Number.POSITIVE_INFINITY;
    opened.log.maintain();
    await appended;
    const acknowledged = [...opened.writer.written];
    const killed = FakeDisk.of(disk.cutPower(() => 0).files());
    const again = await open(killed, 8 * MiB);
    expect(again.codec.seen).toEqual(acknowledged);
    await again.log.close();
  });

  test("one that waits ends with the log", async () => {
    const disk = new FakeDisk();
    const opened = await openLarge(disk);
    disk.capacityBytes = 0;
    const waiting = (await appendUntilItWaits(opened)).appended.catch((error: unknown) => error);
    await opened.log.close();
    expect(await waiting).toMatchObject({ code: "noSpace" });
    expect(disk.openCount).toBe(0);
    disk.capacityBytes = Number.POSITIVE_INFINITY;
    const again = await open(disk, 8 * MiB);
    expect(again.codec.seen).toEqual(opened.writer.written.slice(0, -1));
    await again.log.close();
  });
});

test("an index is stored behind the data; a damaged one is none", async () => {
  const disk = new FakeDisk();
  const opened = await open(disk);
  await fillUpTo(opened, 2);
  const index = encodeIndexOf(opened.writer.written);
  expect(await opened.log.readIndex(1)).toBeUndefined();
  await opened.log.writeIndex(1, index);
  expect(await opened.log.readIndex(1)).toEqual(index);
  const bytes = disk.bytesOf(segmentName(1));
  bytes[SEGMENT_BYTES] = 0xff;
  expect(await opened.log.readIndex(1)).toBeUndefined();
  expect(opened.notes.at(-1)).toContain("its checksum does not fit");
});

test.each([0, 1, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 700_000])(
  "an index of %i bytes is stored whole, in however many pieces",
  async (sizeBytes) => {
    const disk = new FakeDisk();
    const opened = await open(disk);
    await fillUpTo(opened, 2);
    const index = Uint8Array.from({ length: sizeBytes }, (_, i) => (i * 31) ^ (i >>> 8));
    const given = index.slice();
    await opened.log.writeIndex(1, given);
    expect(Buffer.compare(given, index)).toBe(0); // encrypted is a copy
    expect(Buffer.compare((await opened.log.readIndex(1)) as Uint8Array, index)).toBe(0);
  },
);

test("an index whose last pieces are missing is none", async () => {
  const disk = new FakeDisk();
  const opened = await open(disk);
  await fillUpTo(opened, 2);
  await opened.log.writeIndex(1, new Uint8Array(600_000).fill(7));
  const whole = disk.bytesOf(segmentName(1)).slice();
  for (const endBytes of [256 * 1024, 512 * 1024, 599_000]) {
    const cut = FakeDisk.of(new Map([...disk.files(), [segmentName(1), whole.slice(0, SEGMENT_BYTES + endBytes)]]));
    const again = await open(cut);
    expect(await again.log.readIndex(1)).toBeUndefined();
    expect(again.codec.seen).toEqual(opened.writer.written);
  }
});

test("a full disk costs an index, not the log", async () => {
  const disk = new FakeDisk();
  const opened = await open(disk);
  await fillUpTo(opened, 2);
  await settle(opened.log);
  disk.capacityBytes = 0;
  await expect(opened.log.writeIndex(1, new Uint8Array(64))).rejects.toMatchObject({ code: "noSpace" });
  expect(disk.bytesOf(segmentName(1)).byteLength).toBe(SEGMENT_BYTES);
  opened.writer.add("goes on");
  await commit(opened);
});

test("the next segment is looked at to its end before it is used", async () => {
  const MiB = 1024 * 1024;
  const disk = new FakeDisk();
  const first = await open(disk, 2 * MiB);
  await settle(first.log);
  first.writer.add("a");
  await commit(first);
  await first.log.close();
  const files = disk.files();
  const whole = await open(FakeDisk.of(files), 2 * MiB);
  await settle(whole.log);
  expect(whole.log.hasSpare).toBe(true);
  await whole.log.close();

  (files.get(segmentName(2)) as Uint8Array)[2 * MiB - 100] = 1;
  const damaged = await open(FakeDisk.of(files), 2 * MiB);
  await settle(damaged.log);
  expect(damaged.log.hasSpare).toBe(false);
  damaged.writer.add("b");
  const place = `segment-0000000002.log is damaged at offset ${2 * MiB - 100}`;
  await expect(damaged.log.append(damaged.writer.take())).rejects.toThrow(place);
  await damaged.log.close();
});

test("with too many files open the log closes those of its own that it does not need, and reads on", async () => {
  const disk = new FakeDisk();
  const opened = await open(disk);
  await fillUpTo(opened, 4);
  const { log, writer } = opened;
  await settle(log);
  const [first, second] = [1, 2].map((segment) =>
    writer.written.find(({ position }) => Math.floor(position / SEGMENT_BYTES) === segment),
  );
  await log.read(first?.position ?? 0, 24);
  const openCount = disk.openCount;
  disk.fault = { call: disk.calls.length, code: "EMFILE" };
  expect((await log.read(second?.position ?? 0, 24)).byteLength).toBe(24);
  expect(disk.openCount).toBe(openCount); // one closed, one opened
  await log.close();
});
