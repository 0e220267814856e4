// What a bare server has confirmed is in its files, as it came.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { GroupCommit } from "../../bench/group-commit.ts";

/** A quarter of a file, all but. */
const GATHER_BYTES = 15 * 1024 * 1024;

let directory = "";
let disk: GroupCommit;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "wasq-group-commit-"));
  disk = new GroupCommit(join(directory, "log"), GATHER_BYTES);
});
afterEach(async () => {
  await disk.close();
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
});

const committed = (): Promise<void> => new Promise((resolve) => disk.commit(resolve));

test("commits that begin and end in the middle of a block follow one another", async () => {
  const sizes = [1, 4_095, 4_096, 10, 100, 70_000, 3, 8_192, 600_000, 5];
  const pieces = sizes.map((size, i) => Buffer.alloc(size, i + 1));
  const log = Buffer.concat(pieces);
  let end = 0;
  for (const piece of pieces) {
    disk.addBytes(piece);
    await committed();
    end += piece.byteLength;
    const [name = ""] = readdirSync(directory).sort();
    const onDisk = readFileSync(join(directory, name)).subarray(0, end + 4_096);
    expect(onDisk.subarray(0, end).equals(log.subarray(0, end))).toBe(true);
    expect(onDisk.subarray(end).every((byte) => byte === 0)).toBe(true);
  }
});

test("what is gathered while a write is under way goes with the next one", async () => {
  const order: number[] = [];
  const all = Array.from({ length: 50 }, async (_, i) => {
    await new Promise((later) => setImmediate(later));
    disk.addText(String.fromCharCode(65 + i), 1);
    await committed();
    order.push(i);
  });
  await Promise.all(all);
  expect(order).toEqual(Array.from({ length: 50 }, (_, i) => i));
  const [name = ""] = readdirSync(directory).sort();
  const text = readFileSync(join(directory, name)).toString("latin1", 0, 50);
  expect(text).toBe(Array.from({ length: 50 }, (_, i) => String.fromCharCode(65 + i)).join(""));
});

test("a file that is full is followed by the next, and both are kept", async () => {
  const pieceBytes = GATHER_BYTES - 4_000;
  const piece = Buffer.alloc(pieceBytes, 7);
  for (let i = 0; i < 5; i++) {
    piece.fill(i + 1);
    disk.addBytes(piece);
    await committed();
  }
  const [first = "", second = ""] = readdirSync(directory).sort();
  const ends = readFileSync(join(directory, first)).subarray(0, 4 * pieceBytes);
  for (let i = 0; i < 4; i++) expect(ends[(i + 1) * pieceBytes - 1]).toBe(i + 1);
  const leadBytes = (4 * pieceBytes) % 4_096;
  const begins = readFileSync(join(directory, second)).subarray(0, leadBytes + pieceBytes);
  expect(begins.subarray(leadBytes).every((byte) => byte === 5)).toBe(true);
});
