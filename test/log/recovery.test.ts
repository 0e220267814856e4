import { beforeAll, describe, expect, test } from "vitest";
import { LogError } from "../../src/log/errors.ts";
import { MANIFEST } from "../../src/log/manifest.ts";
import { segmentName } from "../../src/log/segment.ts";
import { FakeDisk, randomOf } from "../support/fake-disk.ts";
import { commit, LOG_ID, open, SEGMENT_BYTES, settle } from "../support/log-workload.ts";
import { encodeIndexOf, forgedRecord, type Seen } from "../support/plain-codec.ts";

type Files = Map<string, Uint8Array>;

// Segment 1 is sealed and has an index, 2 is sealed, 3 is being written, 4 is the spare.
let files: Files;
let written: Seen[];
let writtenTexts: string[]; // the same, to compare with
let lastWrite: { readonly firstNumber: number; readonly startOffset: number; readonly endOffset: number };

beforeAll(async () => {
  const disk = new FakeDisk();
  const opened = await open(disk);
  const { log, writer } = opened;
  for (let batch = 0; writer.position < 3 * SEGMENT_BYTES + 6 * 1024; batch++) {
    const start = writer.position;
    const firstNumber = writer.nextNumber;
    for (let i = 0; i < 3; i++) writer.add(`${batch}/${i}`.padEnd(60 + 70 * i, "."));
    await commit(opened);
    lastWrite = { firstNumber, startOffset: start % SEGMENT_BYTES, endOffset: writer.position % SEGMENT_BYTES };
  }
  written = [...writer.written];
  writtenTexts = written.map((record) => JSON.stringify(record));
  await log.writeIndex(1, encodeIndexOf(written.filter(({ position }) => position < 2 * SEGMENT_BYTES)));
  await settle(log);
  await log.close();
  files = disk.files();
  files.delete("manifest.next"); // room for the next one: nobody reads it
});

const copyOf = (source: Files): Files => new Map([...source].map(([name, bytes]) => [name, bytes.slice()]));

type Outcome = { kind: "refused"; error: LogError } | { kind: "opened"; seen: Seen[]; notes: string[] };

async function start(changed: Files): Promise<Outcome> {
  try {
    const { log, codec, notes } = await open(FakeDisk.of(changed));
    await log.close();
    return { kind: "opened", seen: codec.seen, notes };
  } catch (error) {
    if (error instanceof LogError) return { kind: "refused", error };
    throw error;
  }
}

/** What a start may do about damage to `name`. @returns what it did wrong, or "" */
function judge(outcome: Outcome, name: string, mayLoseSilently = false): string {
  if (outcome.kind === "refused") {
    const { code, file, offset } = outcome.error;
    if (code !== "damaged" || file === undefined || offset === undefined) return `refused with ${outcome.error}`;
    return "";
  }
  const isSame = (record: Seen, i: number) => JSON.stringify(record) === writtenTexts[i];
  if (!outcome.seen.every(isSame)) return "a record that was never written";
  if (outcome.seen.length === written.length) return "";
  const keptLast = outcome.seen.at(-1)?.number ?? 0;
  if (mayLoseSilently) return "";
  if (keptLast + 1 < lastWrite.firstNumber) return `records from ${keptLast + 1} on are lost`;
  return outcome.notes.some((note) => note.includes(name)) ? "" : "a write was cut without a word";
}

async function refusal(changed: Files): Promise<LogError> {
  const outcome = await start(changed);
  if (outcome.kind === "opened") throw new Error(`opened, with ${outcome.seen.length} records`);
  return outcome.error;
}

function fileOf(source: Files, name: string): Uint8Array {
  const bytes = source.get(name);
  if (bytes === undefined) throw new Error(`no ${name}`);
  return bytes;
}

test("what was appended comes back, in order, from the index where there is one", async () => {
  const { codec, notes, log } = await open(FakeDisk.of(copyOf(files)));
  expect(codec.seen).toEqual(written);
  expect(codec.indexed).toEqual([1]);
  expect(notes).toEqual([]);
  expect(log.segments()).toEqual([1, 2, 3]);
  expect(log.hasSpare).toBe(true);
});

describe("damage is refused with its place, or touches nothing that was acknowledged", () => {
  test("every byte flipped", async () => {
    const random = randomOf(1);
    const wrong: string[] = [];
    const counts = { refused: 0, opened: 0 };
    for (const [name, bytes] of files) {
      for (let offset = 0; offset < bytes.byteLength; offset++) {
        const changed = new Map(files);
        const damaged = bytes.slice();
        damaged[offset] = (damaged[offset] as number) ^ (1 + Math.floor(random() * 255));
        changed.set(name, damaged);
        const outcome = await start(changed);
        counts[outcome.kind]++;
        const verdict = judge(outcome, name);
        if (verdict !== "") wrong.push(`${name} ${offset}: ${verdict}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(counts.refused).toBeGreaterThan(4 * 4096);
  }, 120_000);

  test("every file cut at every offset", async () => {
    const wrong: string[] = [];
    for (const [name, bytes] of files) {
      for (let sizeBytes = 0; sizeBytes < bytes.byteLength; sizeBytes++) {
        const outcome = await start(new Map(files).set(name, bytes.slice(0, sizeBytes)));
        const isDerived = name === "reserve" || (name === segmentName(1) && sizeBytes >= SEGMENT_BYTES);
        const verdict = judge(outcome, name);
        if (verdict !== "" || (outcome.kind === "opened") !== isDerived) wrong.push(`${name} ${sizeBytes}: ${verdict}`);
      }
    }
    expect(wrong).toEqual([]);
  }, 120_000);

  test.each([1, 2, 5])("every run of %i sectors zeroed", async (sectorCount) => {
    const wrong: string[] = [];
    for (const [name, bytes] of files) {
      for (let offset = 0; offset < bytes.byteLength; offset += 512) {
        const end = offset + sectorCount * 512;
        // Zeros from somewhere to the very end of the log are a log that ended there: nothing can tell.
        const reachesEnd = name === segmentName(3) && end >= lastWrite.startOffset && offset < lastWrite.endOffset;
        const verdict = judge(
          await start(new Map(files).set(name, bytes.slice().fill(0, offset, end))),
          name,
          reachesEnd,
        );
        if (verdict !== "") wrong.push(`${name} ${offset}: ${verdict}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test.each([
    ["swapped", 1, 2],
    ["swapped", 2, 3],
    ["swapped with the spare", 3, 4],
  ])("segments %s: %i and %i", async (_, a, b) => {
    const changed = new Map(files);
    changed.set(segmentName(a), fileOf(files, segmentName(b)));
    changed.set(segmentName(b), fileOf(files, segmentName(a)));
    expect(await refusal(changed)).toMatchObject({ code: "damaged", file: segmentName(a) });
  });

  test.each([
    [1, 2],
    [2, 3],
    [2, 5],
    [1, 9],
  ])("segment %i doubled, as %i", async (from, to) => {
    const error = await refusal(new Map(files).set(segmentName(to), fileOf(files, segmentName(from))));
    expect(error).toMatchObject({ code: "damaged", file: segmentName(to) });
  });

  test.each([1, 2, 3, 4])("segment %i missing", async (segment) => {
    const changed = new Map(files);
    changed.delete(segmentName(segment));
    expect(await refusal(changed)).toMatchObject({ code: "damaged", file: segmentName(segment), offset: 0 });
  });

  test("the manifest missing", async () => {
    const changed = new Map(files);
    changed.delete(MANIFEST);
    expect(await refusal(changed)).toMatchObject({ code: "damaged", file: MANIFEST });
  });

  test("a manifest older than the segments", async () => {
    const early = new FakeDisk();
    const opened = await open(early);
    await settle(opened.log);
    await opened.log.close();
    const error = await refusal(new Map(files).set(MANIFEST, early.bytesOf(MANIFEST)));
    expect(error).toMatchObject({ code: "damaged" });
  });

  test("a segment of another log", async () => {
    const changed = copyOf(files);
    changed.set(MANIFEST, fileOf(await otherLog(), MANIFEST));
    changed.delete(segmentName(3));
    changed.delete(segmentName(4));
    expect((await refusal(changed)).code).toBe("damaged");
  });
});

async function otherLog(): Promise<Files> {
  const disk = new FakeDisk();
  const { log } = await open(disk);
  await settle(log);
  await log.close();
  const text = new TextDecoder().decode(disk.bytesOf(MANIFEST)).split("\n")[0] ?? "";
  const plain = text.replace('"format":2', '"format":1').replace(/,"sealedKey".*\}$/, "}"); // a key would not fit its ID
  return new Map([[MANIFEST, await sealedManifest(plain.replace(/[0-9a-f]{32}/, "f".repeat(32)))]]);
}

async function sealedManifest(line: string): Promise<Uint8Array> {
  const { crc32c } = await import("../../src/base/crc32c.ts");
  const checksum = crc32c(new TextEncoder().encode(line)).toString(16).padStart(8, "0");
  return new TextEncoder().encode(`${line}\n${checksum}\n`);
}

describe("the tail", () => {
  test("a torn last write is cut, told of, and written over", async () => {
    const changed = copyOf(files);
    fileOf(changed, segmentName(3)).fill(0, lastWrite.startOffset + 8, lastWrite.startOffset + 16);
    const disk = FakeDisk.of(changed);
    const first = await open(disk);
    expect(first.codec.seen).toEqual(written.filter(({ number }) => number < lastWrite.firstNumber));
    expect(first.notes).toHaveLength(1);
    expect(first.notes[0]).toContain(
      `${segmentName(3)} ended in a write that was torn at offset ${lastWrite.startOffset}`,
    );
    first.writer.add("after the cut");
    await commit(first);
    await first.log.close();
    const second = await open(disk);
    expect(second.notes).toEqual([]);
    expect(second.codec.seen.at(-1)?.text).toBe("after the cut");
    await second.log.close();
  });

  test("the same tear before a later write is damage", async () => {
    const changed = copyOf(files);
    const previous = written.findLast(({ number }) => number < lastWrite.firstNumber) as Seen;
    const offset = previous.position % SEGMENT_BYTES;
    fileOf(changed, segmentName(3))[offset + 30] = 0xff;
    const error = await refusal(changed);
    expect(error).toMatchObject({ code: "damaged", file: segmentName(3), offset });
    expect(error.message).toContain("acknowledged records are missing");
  });

  test("a whole record of the torn write does not hide a later write behind it", async () => {
    const changed = copyOf(files);
    // The first record of a write of three is lost; the two after it say only that their write began before it.
    const target = written.find(({ position }) => position > 3 * SEGMENT_BYTES + 5 * 1024) as Seen;
    const first = written[Math.floor((target.number - 1) / 3) * 3] ?? target;
    fileOf(changed, segmentName(3))[(first.position % SEGMENT_BYTES) + 40] = 1;
    expect(await refusal(changed)).toMatchObject({ code: "damaged", file: segmentName(3) });
  });

  test("records behind a segment that is not sealed are damage", async () => {
    const changed = copyOf(files);
    const last = written.findLast(({ position }) => position < 3 * SEGMENT_BYTES) as Seen;
    const offset = last.position % SEGMENT_BYTES;
    fileOf(changed, segmentName(2)).fill(0, offset, SEGMENT_BYTES);
    const error = await refusal(changed);
    expect(error).toMatchObject({ code: "damaged", file: segmentName(2), offset });
    expect(error.message).toContain(segmentName(3));
  });
});

describe("a start that is refused changes nothing and says why", () => {
  test("a newer format", async () => {
    const line = `{"format":3,"logId":"${"0".repeat(32)}","shards":[]}`;
    const error = await refusal(new Map(files).set(MANIFEST, await sealedManifest(line)));
    expect(error).toMatchObject({ code: "newer", file: MANIFEST });
    expect(error.message).toContain("format 3");
  });

  test("another segment size", async () => {
    await expect(open(FakeDisk.of(files), 2 * SEGMENT_BYTES)).rejects.toMatchObject({ code: "mismatch" });
  });

  test("a directory in use", async () => {
    const disk = FakeDisk.of(files);
    const { log } = await open(disk);
    await expect(open(disk)).rejects.toMatchObject({ code: "locked" });
    await log.close();
    await (await open(disk)).log.close();
  });

  test("damage leaves every file as it was, and the lock free", async () => {
    const changed = copyOf(files);
    fileOf(changed, segmentName(2))[5_000] = 0xee;
    fileOf(changed, segmentName(3)).fill(0, lastWrite.startOffset, lastWrite.startOffset + 9);
    const disk = FakeDisk.of(changed);
    await expect(open(disk)).rejects.toMatchObject({ code: "damaged" });
    expect(disk.files()).toEqual(changed);
    expect(disk.openCount).toBe(0);
    await expect(open(disk)).rejects.toMatchObject({ code: "damaged" });
  });

  test.each([
    ["EROFS", "readOnly"],
    ["EACCES", "readOnly"],
    ["ENOSPC", "noSpace"],
    ["EIO", "io"],
  ] as const)("%s", async (code, expected) => {
    const disk = new FakeDisk();
    disk.fault = { call: 1, code };
    await expect(open(disk)).rejects.toMatchObject({ code: expected });
  });

  test("a disk that is full from the start", async () => {
    const disk = new FakeDisk();
    disk.capacityBytes = 512;
    await expect(open(disk)).rejects.toMatchObject({ code: "noSpace" });
  });
});

test("an index that cannot be used costs time only", async () => {
  const changed = copyOf(files);
  fileOf(changed, segmentName(1))[SEGMENT_BYTES + 3] = 0xff;
  const { codec, notes } = await open(FakeDisk.of(changed));
  expect(codec.seen).toEqual(written);
  expect(codec.indexed).toEqual([]);
  expect(notes[0]).toContain(`The index of ${segmentName(1)} is not used`);
});

describe("a torn write that carried bytes made to look like a record of a later write", () => {
  async function tornWith(forge: (writeOffset: number) => Uint8Array): Promise<Outcome> {
    const disk = FakeDisk.of(copyOf(files));
    const opened = await open(disk);
    const { log, writer } = opened;
    const from = writer.position % SEGMENT_BYTES;
    writer.add("the first record of the write");
    writer.add(forge(from + 512));
    await commit(opened);
    await log.close();
    const bytes = fileOf(disk.files(), segmentName(3));
    bytes.fill(0, from, from + 40); // the first record did not get to the disk
    return start(new Map(disk.files()).set(segmentName(3), bytes));
  }

  test("is cut off, for who made them does not know the log's seed", async () => {
    const outcome = await tornWith((writeOffset) => forgedRecord(3, 1_000_000, writeOffset));
    expect(outcome).toMatchObject({ kind: "opened", seen: written });
    expect(outcome.kind === "opened" && outcome.notes).toHaveLength(1);
  });

  test("would be taken for damage otherwise", async () => {
    const seed = Number.parseInt(LOG_ID.slice(0, 8), 16);
    const outcome = await tornWith((writeOffset) => forgedRecord(3, 1_000_000, writeOffset, seed));
    expect(outcome).toMatchObject({ kind: "refused", error: { code: "damaged" } });
  });
});
