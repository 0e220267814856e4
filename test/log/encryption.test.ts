import { describe, expect, test } from "vitest";
import type { Disk } from "../../src/log/disk.ts";
import { decodeManifest, type Epoch, MANIFEST } from "../../src/log/manifest.ts";
import { segmentName, segmentOfName } from "../../src/log/segment.ts";
import { FakeDisk, randomOf } from "../support/fake-disk.ts";
import { testCipher } from "../support/log-key.ts";
import { commit, encryptLogs, type Opened, open, SEGMENT_BYTES, settle, Workload } from "../support/log-workload.ts";
import { encodeIndexOf } from "../support/plain-codec.ts";

const SECRET = "a text that nobody may find";
const on = (seed: number) => ({ cipher: testCipher(seed), isOn: true });
const off = (seed: number) => ({ cipher: testCipher(seed), isOn: false });

async function write(opened: Opened, text = SECRET): Promise<void> {
  opened.writer.add(text);
  await commit(opened);
}

async function fillUpTo(opened: Opened, segment: number): Promise<void> {
  while (opened.writer.position < segment * SEGMENT_BYTES) await write(opened, SECRET.repeat(20));
}

function epochsOf(disk: FakeDisk): readonly Epoch[] {
  return decodeManifest(disk.bytesOf(MANIFEST)).encryption?.epochs ?? [];
}

/** Files in which the text stands. */
function placesOf(disk: FakeDisk, text: string): string[] {
  const has = (bytes: Uint8Array) => Buffer.from(bytes).includes(text);
  return [...disk.files()].filter(([, bytes]) => has(bytes)).map(([name]) => name);
}

describe("what is on disk", () => {
  test("has nothing of the records in it, nor of an index; what is read back has", async () => {
    const disk = new FakeDisk();
    const opened = await open(disk, SEGMENT_BYTES, on(1));
    await fillUpTo(opened, 2);
    const index = encodeIndexOf(opened.writer.written);
    await opened.log.writeIndex(1, index);
    expect(placesOf(disk, SECRET)).toEqual([]);
    expect(await opened.log.readIndex(1)).toEqual(index);
    const [first] = opened.writer.written;
    const bytes = await opened.log.read((first?.position ?? 0) + 24 + 5, SECRET.length);
    expect(new TextDecoder().decode(bytes)).toBe((SECRET + SECRET).slice(5, 5 + SECRET.length));
    await opened.log.close();
    const again = await open(disk, SEGMENT_BYTES, on(2));
    expect(again.codec.indexed).toEqual([1]);
    expect(again.codec.seen.map(({ text }) => text)).toEqual(opened.writer.written.map(({ text }) => text));
    await again.log.close();
  });

  test("is readable when it is off: the search above finds what there is", async () => {
    const disk = new FakeDisk();
    const opened = await open(disk, SEGMENT_BYTES, off(1));
    await fillUpTo(opened, 2);
    await opened.log.writeIndex(1, encodeIndexOf(opened.writer.written));
    expect(placesOf(disk, SECRET)).toEqual([segmentName(1), segmentName(2)]);
    expect(decodeManifest(disk.bytesOf(MANIFEST)).encryption).toBeUndefined();
  });

  test("an index that is written again looks like another one", async () => {
    const disk = new FakeDisk();
    const opened = await open(disk, SEGMENT_BYTES, on(1));
    await fillUpTo(opened, 2);
    const index = encodeIndexOf(opened.writer.written);
    const stored = async () => {
      await opened.log.writeIndex(1, index);
      return Buffer.from(disk.bytesOf(segmentName(1)).slice(SEGMENT_BYTES));
    };
    const first = await stored();
    const second = await stored();
    const sameCount = first.filter((byte, i) => byte === second[i]).length;
    expect(sameCount).toBeLessThan(first.byteLength / 8); // the footer, and one byte in 256
  });
});

describe("a log that was written in the clear", () => {
  test("is read, and goes on encrypted; one that is encrypted goes on in the clear", async () => {
    const disk = new FakeDisk();
    const texts: string[] = [];
    const live = async (encryption: ReturnType<typeof on>, text: string) => {
      const opened = await open(disk, SEGMENT_BYTES, encryption);
      expect(opened.codec.seen.map((record) => record.text)).toEqual(texts);
      await write(opened, text);
      texts.push(text);
      await opened.log.close();
    };
    await live(off(1), "first in the clear");
    await live(on(2), "then encrypted");
    await live(on(3), "and again encrypted");
    await live(off(4), "then in the clear once more");
    await live(off(5), "and again in the clear");
    await live(on(6), "in the end encrypted");
    expect(texts.map((text) => placesOf(disk, text).length)).toEqual([1, 0, 0, 1, 1, 0]);
    expect(epochsOf(disk).map(({ salt }) => salt !== undefined)).toEqual([true, true, false, true]);
    // Bytes of all epochs in one read.
    const last = await open(disk, SEGMENT_BYTES, on(7));
    const from = SEGMENT_BYTES + 4096;
    const bytes = Buffer.from(await last.log.read(from, last.writer.position - from));
    for (const text of texts) expect(bytes.includes(text)).toBe(true);
  });

  test("needs no key any more when the last encrypted segment is gone", async () => {
    const disk = new FakeDisk();
    const opened = await open(disk, SEGMENT_BYTES, on(1));
    await write(opened);
    await opened.log.close();
    const plain = await open(disk, SEGMENT_BYTES, off(2));
    await fillUpTo(plain, 4);
    await settle(plain.log);
    await plain.log.remove(1);
    const { encryption } = decodeManifest(disk.bytesOf(MANIFEST));
    expect(encryption).toBeUndefined();
    await plain.log.close();
    const again = await open(disk, SEGMENT_BYTES, { cipher: testCipher(3, "none"), isOn: false });
    expect(again.codec.seen.length).toBeGreaterThan(3);
  });
});

describe("a key that is not the log's", () => {
  test.each([
    ["another", Buffer.alloc(32, 7), "not under the master key of the test"],
    ["no", "none" as const, "there is no master key, in WASQ_MASTER_KEY or in the test"],
  ])("%s: the start says so, and changes nothing", async (_, masterKey, text) => {
    const disk = new FakeDisk();
    const opened = await open(disk, SEGMENT_BYTES, on(1));
    await fillUpTo(opened, 2);
    await opened.log.close();
    const before = disk.files();
    for (const isOn of [true, false]) {
      const wrong = { cipher: testCipher(2, masterKey), isOn };
      await expect(open(disk, SEGMENT_BYTES, wrong)).rejects.toThrow(text);
    }
    expect(disk.files()).toEqual(before);
    expect(disk.openCount).toBe(0);
    await (await open(disk, SEGMENT_BYTES, on(3))).log.close();
  });

  test("a log that is encrypted cannot be opened without a cipher", async () => {
    const disk = new FakeDisk();
    await (await open(disk, SEGMENT_BYTES, on(1))).log.close();
    await expect(open(disk)).rejects.toMatchObject({ code: "mismatch" });
  });
});

describe("epochs", () => {
  test("one a life that wrote something; one that wrote nothing is replaced", async () => {
    const disk = new FakeDisk();
    for (let life = 0; life < 6; life++) {
      const opened = await open(disk, SEGMENT_BYTES, on(life));
      if (life % 2 === 0) await write(opened);
      await opened.log.close();
    }
    expect(epochsOf(disk)).toHaveLength(4); // lives 0, 2, 4, and the last
    expect(new Set(epochsOf(disk).map(({ salt }) => salt)).size).toBe(4);
  });

  test("those that no segment is of any more are forgotten", async () => {
    const disk = new FakeDisk();
    for (let life = 0; life < 4; life++) {
      const opened = await open(disk, SEGMENT_BYTES, on(life));
      await write(opened);
      if (life === 3) {
        await fillUpTo(opened, 3);
        await settle(opened.log);
        expect(epochsOf(disk)).toHaveLength(4);
        await opened.log.remove(1);
        expect(epochsOf(disk)).toHaveLength(1);
      }
      await opened.log.close();
    }
    const again = await open(disk, SEGMENT_BYTES, on(5));
    expect(again.codec.seen.length).toBeGreaterThan(3);
  });

  test("nor are those kept that are of a segment amid others which has gone", async () => {
    const disk = new FakeDisk();
    for (let life = 0; life < 9; life++) {
      const opened = await open(disk, SEGMENT_BYTES, on(life));
      await write(opened, `life ${life}`);
      if (life % 3 === 2) await fillUpTo(opened, 2 + (life - 2) / 3);
      if (life === 8) {
        await settle(opened.log);
        const before = epochsOf(disk).length;
        await opened.log.remove(2);
        expect(epochsOf(disk)).toHaveLength(before - 2); // of two lives all, of two others a part
      }
      await opened.log.close();
    }
    const again = await open(disk, SEGMENT_BYTES, on(9));
    const texts = again.codec.seen.map(({ text }) => text);
    expect(texts).toEqual(expect.arrayContaining(["life 0", "life 2", "life 8"]));
    expect(texts).not.toContain("life 4");
  });

  test("a log that ends before its last life began has lost something, though no later record tells", async () => {
    const disk = new FakeDisk();
    const first = await open(disk, SEGMENT_BYTES, on(1));
    await write(first, "kept");
    const lost = first.writer.position % SEGMENT_BYTES;
    await write(first, "lost");
    await first.log.close();
    await (await open(disk, SEGMENT_BYTES, on(2))).log.close();
    disk.bytesOf(segmentName(1)).fill(0, lost, lost + 64);
    const expected = { code: "damaged", file: segmentName(1), offset: lost };
    await expect(open(disk, SEGMENT_BYTES, on(3))).rejects.toMatchObject(expected);
  });

  test("a full disk takes a start, and the removal of a segment", async () => {
    const disk = new FakeDisk();
    const opened = await open(disk, SEGMENT_BYTES, on(1));
    await settle(opened.log);
    disk.fill();
    await fillUpTo(opened, 2);
    await opened.log.close();
    const again = await open(disk, SEGMENT_BYTES, on(2));
    await write(again);
    await again.log.remove(1);
    await settle(again.log);
    expect(again.log.hasSpare).toBe(true); // made of what was given up
  });
});

/** Passes everything on, and tells of every byte written into a segment with the epoch that the manifest on disk has for it. */
function watched(disk: FakeDisk, onByte: (salt: string, position: number, byte: number) => void): Disk {
  return {
    directory: disk.directory,
    makeDirectory: () => disk.makeDirectory(),
    lock: () => disk.lock(),
    list: () => disk.list(),
    rename: (from, to) => disk.rename(from, to),
    unlink: (name) => disk.unlink(name),
    isLinked: (name) => disk.isLinked(name),
    syncDirectory: () => disk.syncDirectory(),
    freeBytes: () => disk.freeBytes(),
    async open(name, mode) {
      const file = await disk.open(name, mode);
      const segment = segmentOfName(name);
      if (segment === undefined || mode === "read") return file;
      return {
        ...file,
        write(bytes: Uint8Array, offset: number) {
          const position = segment * SEGMENT_BYTES + offset;
          // Zeros are what is cut, what is ahead, or the rest of a block.
          const data = bytes.slice(0, bytes.findLastIndex((byte) => byte !== 0) + 1);
          const epochs = epochsOf(disk);
          for (const [i, byte] of (offset < SEGMENT_BYTES ? data : []).entries()) {
            const salt = epochs.findLast(({ from }) => from <= position + i)?.salt;
            onByte(salt ?? "none", position + i, byte);
          }
          return file.write(bytes, offset);
        },
      };
    },
  };
}

test("no byte of a keystream is used for two plaintexts, wherever a crash tears what was written", async () => {
  encryptLogs();
  const again: string[] = [];
  let sameCount = 0;
  let overwrittenCount = 0;
  for (let seed = 0; seed < 300; seed++) {
    const random = randomOf(seed);
    const written = new Map<string, number>(); // salt and position: the byte that stood there
    const positions = new Set<number>();
    let disk = new FakeDisk();
    for (let life = 0; life < 4; life++) {
      disk.fault = { call: disk.calls.length + 40 + Math.floor(random() * 120), code: "power" };
      const seen = watched(disk, (salt, position, byte) => {
        const place = `${salt} ${position}`;
        const before = written.get(place);
        if (before === byte) sameCount++;
        else if (salt === "none" || before !== undefined) again.push(`seed ${seed}: ${place}`);
        else if (positions.has(position)) overwrittenCount++;
        written.set(place, byte);
        positions.add(position);
      });
      await new Workload().run(seen, random, 12);
      disk = disk.cutPower(random);
    }
  }
  expect(again.slice(0, 5)).toEqual([]);
  expect(sameCount).toBeGreaterThan(1_000); // of the block that the one before ended in
  expect(overwrittenCount).toBeGreaterThan(1_000); // under another salt: it is what a single one would have been used for twice
}, 60_000);
