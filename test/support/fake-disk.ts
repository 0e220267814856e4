// A disk in memory that forgets, tears and fails on command. What was written is first in its cache; sync carries all of a
// file to the platter, a write to a "durable" one itself, in sectors of 512 bytes. A power cut keeps the platter and any of the rest.
import { BLOCK_BYTES } from "../../src/log/blocks.ts";
import { type Disk, type DiskFile, type DiskLock, type OpenMode, readFully, writeFully } from "../../src/log/disk.ts";
import { LogError } from "../../src/log/errors.ts";

const SECTOR_BYTES = 512;

class Inode {
  cached = new Uint8Array(0);
  #platter = new Uint8Array(0); // room for more than is there: it grows by a write at a time
  #durableBytes = 0;
  #shrunkTo = Number.POSITIVE_INFINITY; // since the last sync: what was behind it then is gone, or zeros
  readonly dirty = new Set<number>(); // sectors
  readonly holes = new Set<number>(); // sectors that were never written: they take no space

  resize(sizeBytes: number): void {
    const oldEnd = Math.ceil(this.cached.byteLength / SECTOR_BYTES);
    const newEnd = Math.ceil(sizeBytes / SECTOR_BYTES);
    this.cached = resized(this.cached, sizeBytes);
    this.#shrunkTo = Math.min(this.#shrunkTo, sizeBytes);
    for (let sector = oldEnd; sector < newEnd; sector++) this.holes.add(sector);
    for (let sector = newEnd; sector < oldEnd; sector++) this.holes.delete(sector);
  }

  get usedBytes(): number {
    return (Math.ceil(this.cached.byteLength / SECTOR_BYTES) - this.holes.size) * SECTOR_BYTES;
  }

  /** How much more of the disk it takes to write these bytes. */
  neededBytes(offset: number, sizeBytes: number): number {
    const have = Math.ceil(this.cached.byteLength / SECTOR_BYTES);
    let count = 0;
    for (const sector of sectorsOf(offset, sizeBytes)) if (sector >= have || this.holes.has(sector)) count++;
    return count * SECTOR_BYTES;
  }

  write(bytes: Uint8Array, offset: number): void {
    if (offset + bytes.byteLength > this.cached.byteLength) this.resize(offset + bytes.byteLength);
    this.cached.set(bytes, offset);
    for (const sector of sectorsOf(offset, bytes.byteLength)) {
      this.holes.delete(sector);
      this.dirty.add(sector);
    }
  }

  get durable(): Uint8Array {
    return this.#platter.subarray(0, this.#durableBytes);
  }

  set durable(bytes: Uint8Array) {
    this.#platter = new Uint8Array(bytes);
    this.#durableBytes = bytes.byteLength;
  }

  #setDurableBytes(sizeBytes: number): void {
    if (sizeBytes > this.#platter.byteLength) this.#platter = resized(this.#platter, 2 * sizeBytes);
    this.#platter.fill(0, Math.min(sizeBytes, this.#durableBytes), this.#durableBytes); // what is cut off
    this.#durableBytes = sizeBytes;
  }

  sync(): void {
    this.#setDurableBytes(Math.min(this.#shrunkTo, this.#durableBytes));
    this.#shrunkTo = Number.POSITIVE_INFINITY;
    this.#setDurableBytes(this.cached.byteLength);
    for (const sector of this.dirty) this.#keep(sector);
    this.dirty.clear();
  }

  /** What a durable write carries to the platter: its own sectors, and a length that reaches to them, no more. */
  syncRange(offset: number, sizeBytes: number): void {
    for (const sector of sectorsOf(offset, sizeBytes)) {
      this.#keep(sector);
      this.dirty.delete(sector);
    }
  }

  #keep(sector: number): void {
    const start = sector * SECTOR_BYTES;
    const bytes = this.cached.subarray(start, start + SECTOR_BYTES);
    this.#setDurableBytes(Math.max(this.#durableBytes, start + bytes.byteLength));
    this.#platter.set(bytes, start);
  }

  /** What a power cut leaves of the file. */
  cut(keeps: () => boolean): Uint8Array {
    for (const sector of [...this.dirty].sort((a, b) => a - b)) if (keeps()) this.#keep(sector);
    return this.durable.slice();
  }
}

function sectorsOf(offset: number, sizeBytes: number): number[] {
  const first = Math.floor(offset / SECTOR_BYTES);
  const end = Math.ceil((offset + sizeBytes) / SECTOR_BYTES);
  return Array.from({ length: end - first }, (_, i) => first + i);
}

function resized(bytes: Uint8Array, sizeBytes: number): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(sizeBytes);
  result.set(bytes.subarray(0, sizeBytes));
  return result;
}

/** What becomes of the n-th call, from 0: it fails with this code; a write has half done it then. */
export interface Fault {
  readonly call: number;
  readonly code: "EIO" | "ENOSPC" | "EMFILE" | "EACCES" | "EROFS" | "power";
}

export class FakeDisk implements Disk {
  readonly directory = "/fake";
  readonly calls: string[] = []; // what was called, in order
  capacityBytes = Number.POSITIVE_INFINITY;
  writeBytesMax = Number.POSITIVE_INFINITY; // of one write call of the operating system
  fault: Fault | undefined;
  /** How many turns a write takes, if any: then writes that are under way together end in another order. */
  turnsOfWrite: (() => number) | undefined;
  openCount = 0;
  /** What nobody may do. */
  readonly misuses: string[] = [];
  /** Files that somebody has given another name as well. */
  readonly linked = new Set<string>();
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  #changes: ((names: Map<string, Inode>) => void)[] = []; // of the directory, not synced
  #isLocked = false;
  #hasPower = true;

  /** A disk with these files, all durable. */
  static of(files: ReadonlyMap<string, Uint8Array>): FakeDisk {
    const disk = new FakeDisk();
    for (const [name, bytes] of files) {
      const inode = new Inode();
      inode.cached = new Uint8Array(bytes);
      inode.durable = new Uint8Array(bytes);
      disk.#names.set(name, inode);
      disk.#durableNames.set(name, inode);
    }
    return disk;
  }

  /** What a process sees now. */
  files(): Map<string, Uint8Array> {
    return new Map([...this.#names].map(([name, inode]) => [name, inode.cached.slice()]));
  }

  /** Nothing more finds a place on it than what is there. */
  fill(): void {
    this.capacityBytes = this.#usedBytes();
  }

  bytesOf(name: string): Uint8Array {
    const inode = this.#names.get(name);
    if (inode === undefined) throw failure("ENOENT", `no ${name}`);
    return inode.cached;
  }

  /** The disk as the next process finds it after kill -9: the cache is kept. */
  kill(): void {
    this.#isLocked = false;
    this.fault = undefined;
    this.#hasPower = true;
  }

  /** The disk after the power was cut. */
  cutPower(random: () => number): FakeDisk {
    const style = random();
    // Nothing of what was not synced, all of it, the first so many, or any.
    const share = style < 0.1 ? 0 : style < 0.2 ? 1 : random();
    const prefixOnly = style < 0.5;
    let isKept = true;
    const keeps = () => {
      isKept = prefixOnly ? isKept && random() < share ** 0.2 : random() < share;
      return isKept;
    };
    const names = new Map(this.#durableNames);
    for (const change of this.#changes) {
      if (style > 0.7 ? random() < 0.5 : keeps()) change(names);
      else if (prefixOnly) break;
    }
    isKept = true;
    return FakeDisk.of(new Map([...names].map(([name, inode]) => [name, inode.cut(keeps)])));
  }

  async makeDirectory(): Promise<void> {
    this.#call("makeDirectory");
  }

  async lock(): Promise<DiskLock> {
    this.#call("lock");
    if (this.#isLocked)
      throw new LogError("locked", "Cannot open the log: /fake is in use by process 1", { file: "/fake" });
    this.#isLocked = true;
    return {
      release: async () => {
        this.#isLocked = false;
      },
    };
  }

  async list(): Promise<readonly string[]> {
    this.#call("list");
    return [...this.#names.keys()];
  }

  async open(name: string, mode: OpenMode): Promise<DiskFile> {
    this.#call(`open ${name} ${mode}`);
    let inode = this.#names.get(name);
    if (inode === undefined) {
      if (mode !== "create") throw failure("ENOENT", `no such file: ${name}`);
      const made = new Inode();
      inode = made;
      this.#change((names) => names.set(name, made));
    }
    this.openCount++;
    return this.#fileOf(name, inode, mode);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#call(`rename ${from} ${to}`);
    const inode = this.#names.get(from);
    if (inode === undefined) throw failure("ENOENT", `no such file: ${from}`);
    this.#change((names) => {
      names.delete(from);
      names.set(to, inode);
    });
  }

  async unlink(name: string): Promise<void> {
    this.#call(`unlink ${name}`);
    if (!this.#names.has(name)) throw failure("ENOENT", `no such file: ${name}`);
    this.#change((names) => names.delete(name));
  }

  giveBack(name: string): Promise<void> {
    return this.unlink(name);
  }

  async isLinked(name: string): Promise<boolean> {
    this.#call(`isLinked ${name}`);
    return this.linked.has(name);
  }

  async syncDirectory(): Promise<void> {
    this.#call("syncDirectory");
    this.#durableNames = new Map(this.#names);
    this.#changes = [];
  }

  async freeBytes(): Promise<number> {
    this.#call("freeBytes");
    return this.capacityBytes - this.#usedBytes();
  }

  #usedBytes(): number {
    let usedBytes = 0;
    for (const inode of new Set(this.#names.values())) usedBytes += inode.usedBytes;
    return usedBytes;
  }

  #change(change: (names: Map<string, Inode>) => void): void {
    change(this.#names);
    this.#changes.push(change);
  }

  #call(what: string): void {
    const fault = this.#step(what);
    if (fault) throw failure(fault.code, `injected at ${what}`);
  }

  #step(what: string): Fault | undefined {
    if (!this.#hasPower) throw failure("power", "the power is off");
    const call = this.calls.push(what) - 1;
    if (this.fault?.call !== call) return undefined;
    if (this.fault.code === "power") this.#hasPower = false;
    return this.fault;
  }

  #fileOf(name: string, inode: Inode, mode: OpenMode): DiskFile {
    const put = (bytes: Uint8Array, offset: number) => {
      const neededBytes = inode.neededBytes(offset, bytes.byteLength);
      if (neededBytes > 0 && neededBytes > this.capacityBytes - this.#usedBytes()) {
        throw failure("ENOSPC", `no space left: ${name}`);
      }
      inode.write(bytes, offset);
    };
    const writeSome = async (bytes: Uint8Array, offset: number) => {
      const fault = this.#step(`write ${name} ${offset} ${bytes.byteLength}`);
      if (fault) {
        put(fault.code === "power" ? bytes : bytes.subarray(0, bytes.byteLength >>> 1), offset);
        throw failure(fault.code, `injected at write ${name} ${offset}`);
      }
      const some = bytes.subarray(0, this.writeBytesMax);
      put(some, offset);
      return some.byteLength;
    };
    let writingCount = 0;
    return {
      sizeBytes: async () => {
        this.#call(`size ${name}`);
        return inode.cached.byteLength;
      },
      read: (into, at) =>
        readFully(into, at, async (rest, offset) => {
          if (mode === "blocks") throw failure("EINVAL", `not open for reading: ${name}`);
          this.#call(`read ${name} ${offset}`);
          const bytes = inode.cached.subarray(offset, offset + rest.byteLength);
          rest.set(bytes);
          return bytes.byteLength;
        }),
      write: async (bytes, offset) => {
        if (mode === "read") throw failure("EBADF", `not open for writing: ${name}`);
        const isWhole = [offset, bytes.byteLength, bytes.byteOffset].every((each) => each % BLOCK_BYTES === 0);
        if (mode === "blocks" && !isWhole) throw failure("EINVAL", `no whole blocks: ${name}`);
        if (writingCount > 0) this.misuses.push(`${name} is written to twice at a time through one file`);
        writingCount++;
        try {
          for (let turns = this.turnsOfWrite?.() ?? 0; turns > 0; turns--) await Promise.resolve();
          await writeFully(bytes, offset, writeSome, mode === "blocks" ? BLOCK_BYTES : 1);
        } finally {
          writingCount--;
        }
        if (mode !== "create") inode.syncRange(offset, bytes.byteLength);
      },
      truncate: async (sizeBytes) => {
        this.#call(`truncate ${name} ${sizeBytes}`);
        inode.resize(sizeBytes);
        for (const sector of inode.dirty) if (sector * SECTOR_BYTES >= sizeBytes) inode.dirty.delete(sector);
      },
      sync: async () => {
        this.#call(`sync ${name}`);
        inode.sync();
      },
      close: async () => {
        if (writingCount > 0) this.misuses.push(`${name} is closed while it is written to`);
        this.openCount--;
        this.#call(`close ${name}`);
      },
    };
  }
}

function failure(code: string, text: string): Error {
  return Object.assign(new Error(`${code}: ${text}`), { code });
}

/** Numbers in [0, 1), the same for the same seed. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}
