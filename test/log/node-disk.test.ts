import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { link, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { alignedBytes, BLOCK_BYTES } from "../../src/log/blocks.ts";
import { readFully, writeFully } from "../../src/log/disk.ts";
import { NodeDisk } from "../../src/log/node-disk.ts";
import { segmentName } from "../../src/log/segment.ts";
import { commit, open } from "../support/log-workload.ts";
import { encodeIndexOf } from "../support/plain-codec.ts";

const SEGMENT_BYTES = 64 * 1024;
const LOCKING = `
  import { NodeDisk } from ${JSON.stringify(new URL("../../src/log/node-disk.ts", import.meta.url).href)};
  try {
    await new NodeDisk(process.argv[1]).lock();
    console.log("locked");
    setInterval(() => {}, 1_000);
  } catch (error) {
    console.log(error.code);
  }`;

let root: string;
let children: ChildProcess[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "log-"));
  children = [];
});

afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  await rm(root, { recursive: true });
});

/** A process that takes the lock of `directory` and keeps it. @returns what it says first, and how to end it */
function startLocking(directory: string): Promise<{ said: string; child: ChildProcess }> {
  const child = spawn(process.execPath, ["--input-type=module", "--no-warnings", "-e", LOCKING, directory]);
  children.push(child);
  return new Promise((resolve) => {
    child.stdout.once("data", (bytes: Buffer) => resolve({ said: bytes.toString().trim(), child }));
  });
}

function kill(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGKILL");
  });
}

test("a log lives through restarts, removals and indexes on the real disk", async () => {
  const directory = join(root, "made", "on", "the", "way");
  const first = await open(new NodeDisk(directory), SEGMENT_BYTES);
  for (let batch = 0; batch < 40; batch++) {
    for (let i = 0; i < 3; i++) first.writer.add(`${batch}/${i}`.padEnd(2_000));
    await commit(first);
  }
  const inSecond = first.writer.written.filter(({ position }) => Math.floor(position / SEGMENT_BYTES) === 2);
  await first.log.writeIndex(2, encodeIndexOf(inSecond));
  await first.log.remove(1);
  await first.log.close();

  const disk = new NodeDisk(directory);
  const second = await open(disk, SEGMENT_BYTES);
  expect(second.codec.seen).toEqual(first.writer.written.filter(({ position }) => position >= 2 * SEGMENT_BYTES));
  expect(second.codec.indexed).toEqual([2]);
  expect(second.notes).toEqual([]);
  expect(await second.log.freeBytes()).toBeGreaterThan(0);
  await second.log.close();
  const names = await readdir(directory);
  expect(
    names
      .filter((name) => name !== "spare")
      .sort()
      .slice(0, 4),
  ).toEqual(["manifest", "manifest.next", "reserve", segmentName(2)]);
});

test("a second owner is told who has the directory; kill -9 gives it free", async () => {
  const { said, child } = await startLocking(root);
  expect(said).toBe("locked");
  await expect(open(new NodeDisk(root))).rejects.toMatchObject({
    code: "locked",
    message: expect.stringContaining(`in use by process ${child.pid}`),
  });
  await kill(child);
  const { log } = await open(new NodeDisk(root));
  await expect(open(new NodeDisk(root))).rejects.toThrow(`in use by process ${process.pid}`);
  await log.close();
  expect((await readdir(root)).filter((name) => name.startsWith("lock"))).toEqual([]);
});

test("of many starters at once at most one gets the directory", async () => {
  const { child } = await startLocking(root);
  await kill(child); // leaves its socket behind
  const locks = await Promise.allSettled(Array.from({ length: 8 }, () => new NodeDisk(root).lock()));
  expect(locks.filter(({ status }) => status === "fulfilled").length).toBeLessThanOrEqual(1);
  for (const lock of locks) if (lock.status === "fulfilled") await lock.value.release();
  await (await new NodeDisk(root).lock()).release();
});

test.runIf(process.platform === "linux")(
  "a path longer than a socket's name may be is locked all the same",
  async () => {
    const directory = join(root, "d".repeat(200));
    await mkdir(directory);
    const lock = await new NodeDisk(directory).lock();
    await expect(new NodeDisk(directory).lock()).rejects.toMatchObject({ code: "locked" });
    await lock.release();
  },
);

test("a file in the directory's place", async () => {
  const path = join(root, "file");
  await writeFile(path, "");
  await expect(open(new NodeDisk(path))).rejects.toMatchObject({ code: "notDirectory" });
  await expect(open(new NodeDisk(join(path, "below")))).rejects.toMatchObject({ code: "notDirectory" });
});

test("a call that does less than it was asked is gone on with", async () => {
  const done: number[] = [];
  await writeFully(new Uint8Array(10), 100, async (bytes, offset) => {
    done.push(offset);
    return Math.min(4, bytes.byteLength);
  });
  expect(done).toEqual([100, 104, 108]);
  await expect(writeFully(new Uint8Array(10), 0, async () => 0)).rejects.toMatchObject({ code: "EIO" });
  expect(await readFully(new Uint8Array(10), 0, async (_, offset) => (offset < 6 ? 3 : 0))).toBe(6);

  const inUnits: number[] = [];
  const writeSome = async (bytes: Uint8Array, offset: number) => {
    inUnits.push(offset);
    return Math.min(7, bytes.byteLength);
  };
  await writeFully(new Uint8Array(12), 100, writeSome, 4);
  expect(inUnits).toEqual([100, 104, 108]);
  await expect(writeFully(new Uint8Array(12), 0, async () => 3, 4)).rejects.toThrow("EIO: a write wrote 3 bytes");
});

/** The flags with which this process has the file open, each time. */
async function openFlags(path: string): Promise<number[]> {
  const flags: number[] = [];
  for (const fd of await readdir("/proc/self/fd")) {
    const target = await readlink(`/proc/self/fd/${fd}`).catch(() => "");
    if (target !== path) continue;
    const info = await readFile(`/proc/self/fdinfo/${fd}`, "latin1");
    flags.push(Number.parseInt(/flags:\s*([0-7]+)/.exec(info)?.[1] ?? "", 8));
  }
  return flags;
}

function takesDirect(path: string): boolean {
  try {
    closeSync(openSync(path, constants.O_RDWR | constants.O_DIRECT));
    return true;
  } catch {
    return false;
  }
}

test.runIf(process.platform === "linux")(
  "what the log writes goes past the system's cache, where the file system lets it",
  async () => {
    const { log, writer } = await open(new NodeDisk(root), SEGMENT_BYTES);
    writer.add("here");
    await log.append(writer.take());
    const path = join(root, segmentName(1));
    const flags = await openFlags(path);
    expect(flags).toHaveLength(3); // of appends, of those beside them, and of zeros
    for (const each of flags) {
      expect(each & constants.O_DSYNC).toBe(constants.O_DSYNC);
      expect((each & constants.O_DIRECT) !== 0).toBe(takesDirect(path));
    }
    await log.close();
  },
);

// Memory that begins anywhere is refused as what a file system refuses that asks for more than blocks.
test.runIf(process.platform === "linux")("what it does not take past its cache goes through it", async () => {
  await writeFile(join(root, "file"), new Uint8Array(4 * BLOCK_BYTES));
  const file = await new NodeDisk(root).open("file", "blocks");
  const bytes = alignedBytes(3 * BLOCK_BYTES)
    .subarray(8, 8 + 2 * BLOCK_BYTES)
    .fill(7);
  await file.write(bytes, BLOCK_BYTES);
  await file.write(alignedBytes(BLOCK_BYTES).subarray(0, BLOCK_BYTES).fill(9), 0);
  for (const flags of await openFlags(join(root, "file"))) expect(flags & constants.O_DIRECT).toBe(0);
  await file.close();
  const written = await readFile(join(root, "file"));
  const block = (byte: number) => new Uint8Array(BLOCK_BYTES).fill(byte);
  expect(new Uint8Array(written)).toEqual(new Uint8Array(Buffer.concat([block(9), block(7), block(7), block(0)])));
  expect(await openFlags(join(root, "file"))).toEqual([]);
});

/** Sizes that the file is seen to have, from its whole down, until it is gone. */
async function sizesUntilGone(path: string): Promise<number[]> {
  const sizes: number[] = [];
  for (;;) {
    const size = await stat(path).then(
      (found) => found.size,
      () => undefined,
    );
    if (size === undefined) return sizes;
    if (size !== sizes.at(-1)) sizes.push(size);
  }
}

test("a large file is deleted a piece at a time, but not a copy under another name", async () => {
  const disk = new NodeDisk(root);
  const mebibyte = 1024 * 1024;
  const bytes = new Uint8Array(64 * mebibyte).fill(7);
  await writeFile(join(root, "large"), bytes);
  const [sizes] = await Promise.all([sizesUntilGone(join(root, "large")), disk.unlink("large")]);
  expect(sizes.length).toBeGreaterThan(2);
  for (const size of sizes) expect(size % mebibyte).toBe(0);

  await writeFile(join(root, "original"), bytes.subarray(0, 3 * mebibyte));
  await link(join(root, "original"), join(root, "copy"));
  await disk.unlink("original");
  expect((await stat(join(root, "copy"))).size).toBe(3 * mebibyte);

  await symlink(join(root, "copy"), join(root, "linked"));
  await disk.unlink("linked");
  expect((await readFile(join(root, "copy"))).equals(bytes.subarray(0, 3 * mebibyte))).toBe(true);
  await writeFile(join(root, "odd"), bytes.subarray(0, mebibyte + 1));
  await disk.unlink("odd");
  await expect(disk.unlink("odd")).rejects.toMatchObject({ code: "ENOENT" });
  expect((await readdir(root)).sort()).toEqual(["copy"]);
});

// In /proc nothing can be made, and mkdir says of a new name there what it says when the directory above is missing.
test.skipIf(process.platform !== "linux").each([
  ["/proc/x", "ENOENT"],
  ["/proc/x/deeper", "ENOENT"],
  ["/dev/null/x", "ENOTDIR"],
  ["/dev/null", "ENOTDIR"],
])("a directory that cannot be made is an error, and soon: %s", async (path, code) => {
  await expect(new NodeDisk(path).makeDirectory()).rejects.toMatchObject({ code });
});

test("directories are made through a link, and two who make the same one both have it", async () => {
  await mkdir(join(root, "real"));
  await symlink(join(root, "real"), join(root, "link"));
  const path = join(root, "link", "a", "b", "c");
  await Promise.all([new NodeDisk(path).makeDirectory(), new NodeDisk(path).makeDirectory()]);
  expect(await readdir(join(root, "real", "a", "b", "c"))).toEqual([]);
});
