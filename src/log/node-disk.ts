// The real disk. The only file of the log that knows node:fs.
import * as fs from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { BLOCK_BYTES } from "./blocks.ts";
import { type Disk, type DiskFile, type DiskLock, type OpenMode, readFully, writeFully } from "./disk.ts";
import { takeLock } from "./node-lock.ts";
import { PromptWrites } from "./prompt-writes.ts";

const SOCKET_PATH_BYTES_MAX = 100; // sun_path: 104 on macOS, 108 on Linux, the closing zero included

// O_DSYNC is one system call less than write and fdatasync. macOS has it, but only fsync reaches the platter there.
const DURABLE_FLAG = process.platform === "linux" ? fs.constants.O_DSYNC : 0;
/** Past the system's cache: blocks.ts. Not every file system can. */
const DIRECT_FLAG = process.platform === "linux" ? fs.constants.O_DIRECT : 0;
const FREED_BYTES = 1024 * 1024; // at a time, of a file that is deleted

// Callbacks, not node:fs/promises: that takes a start ten milliseconds to load.
function call<T>(run: (done: (error: NodeJS.ErrnoException | null, value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    run((error, value) => (error ? reject(error) : resolve(value)));
  });
}

class NodeFile implements DiskFile {
  readonly #path: string;
  #fd: number;
  #isDirect: boolean;
  readonly #mode: OpenMode;
  readonly #promptWrites: PromptWrites;

  private constructor(path: string, fd: number, isDirect: boolean, mode: OpenMode, promptWrites: PromptWrites) {
    this.#path = path;
    this.#fd = fd;
    this.#isDirect = isDirect;
    this.#mode = mode;
    this.#promptWrites = promptWrites;
  }

  static async open(path: string, mode: OpenMode, promptWrites: PromptWrites): Promise<NodeFile> {
    if (mode === "blocks" && DIRECT_FLAG !== 0) {
      try {
        return new NodeFile(path, await openFile(path, FLAGS.blocks | DIRECT_FLAG), true, mode, promptWrites);
      } catch (error) {
        if (!isUnfit(error)) throw error;
      }
    }
    return new NodeFile(path, await openFile(path, FLAGS[mode]), false, mode, promptWrites);
  }

  async sizeBytes(): Promise<number> {
    return (await call<fs.Stats>((done) => fs.fstat(this.#fd, done))).size;
  }

  read(into: Uint8Array, offset: number): Promise<number> {
    return readFully(into, offset, (rest, at) =>
      call((done) => fs.read(this.#fd, rest, 0, rest.byteLength, at, (error, sizeBytes) => done(error, sizeBytes))),
    );
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    try {
      await this.#write(bytes, offset);
    } catch (error) {
      if (!this.#isDirect || !isUnfit(error)) throw error;
      await this.#goThroughCache();
      await this.#write(bytes, offset);
    }
  }

  async #write(bytes: Uint8Array, offset: number): Promise<void> {
    const unitBytes = this.#isDirect ? BLOCK_BYTES : 1;
    const isDurable = this.#mode === "durable" || this.#mode === "blocks";
    const prompt = isDurable && DURABLE_FLAG !== 0 ? this.#promptWrites : undefined;
    if (prompt?.admits(bytes.byteLength) === true) {
      const startMs = performance.now();
      const writeSome = (rest: Uint8Array, at: number) => fs.writeSync(this.#fd, rest, 0, rest.byteLength, at);
      await writeFully(bytes, offset, writeSome, unitBytes);
      prompt.took(performance.now() - startMs);
      return;
    }
    prompt?.began();
    try {
      const writeSome = (rest: Uint8Array, at: number) =>
        call<number>((done) => fs.write(this.#fd, rest, 0, rest.byteLength, at, done));
      await writeFully(bytes, offset, writeSome, unitBytes);
    } finally {
      prompt?.ended();
    }
    if (isDurable && DURABLE_FLAG === 0) await this.sync();
  }

  /** The file system opens files for writing past its cache, and then does not take what is written. */
  async #goThroughCache(): Promise<void> {
    const fd = this.#fd;
    this.#fd = await openFile(this.#path, FLAGS.blocks);
    this.#isDirect = false;
    await call<void>((done) => fs.close(fd, (error) => done(error ?? null)));
  }

  truncate(sizeBytes: number): Promise<void> {
    return call((done) => fs.ftruncate(this.#fd, sizeBytes, (error) => done(error)));
  }

  sync(): Promise<void> {
    return call((done) => fs.fdatasync(this.#fd, (error) => done(error)));
  }

  close(): Promise<void> {
    return call((done) => fs.close(this.#fd, (error) => done(error ?? null)));
  }
}

const FLAGS: Readonly<Record<OpenMode, number>> = {
  read: fs.constants.O_RDONLY,
  durable: fs.constants.O_RDWR | DURABLE_FLAG,
  blocks: fs.constants.O_RDWR | DURABLE_FLAG,
  create: fs.constants.O_RDWR | fs.constants.O_CREAT,
};

const openFile = (path: string, flags: number) => call<number>((done) => fs.open(path, flags, 0o600, done));

/** What a file system says that cannot write past its cache, or not these bytes. */
const isUnfit = (error: unknown) => (error as NodeJS.ErrnoException).code === "EINVAL";

export class NodeDisk implements Disk {
  readonly directory: string;
  readonly #promptWrites = new PromptWrites();

  constructor(directory: string) {
    this.directory = resolve(directory);
  }

  async makeDirectory(): Promise<void> {
    // Level by level: Node's recursive mkdir never ends where a directory is there and nothing can be made in it, as in /proc.
    const missing: string[] = [];
    for (let path = this.directory; !(await isDirectory(path)); path = dirname(path)) missing.push(path);
    for (const path of missing.reverse()) {
      await call<void>((done) => fs.mkdir(path, (error) => done(error))).catch(async (error: NodeJS.ErrnoException) => {
        if (error.code === "EEXIST" && (await isDirectory(path))) return; // somebody else made it meanwhile
        if (error.code !== "ENOENT") throw error;
        const text = `ENOENT: nothing can be made in ${dirname(path)}; choose another directory`;
        throw Object.assign(new Error(text), { code: error.code });
      });
      await syncDirectory(dirname(path));
    }
  }

  async lock(): Promise<DiskLock> {
    // A path too long for a socket is reached through its directory's descriptor where that has a name.
    const isLong = Buffer.byteLength(join(this.directory, "lock-0000000000-00000000")) > SOCKET_PATH_BYTES_MAX;
    const directoryFd = isLong && process.platform === "linux" ? fs.openSync(this.directory, "r") : undefined;
    let base = isLong ? relative(process.cwd(), this.directory) : this.directory;
    if (directoryFd !== undefined) base = `/proc/self/fd/${directoryFd}`;
    const closeDirectory = () => {
      if (directoryFd !== undefined) fs.closeSync(directoryFd);
    };
    try {
      const lock = await takeLock({
        directory: this.directory,
        socketPath: (name) => join(base, name),
        list: () => this.list(),
        unlink: (name) => this.unlink(name),
        identity: async () => {
          const stat = await call<fs.BigIntStats>((done) => fs.stat(this.directory, { bigint: true }, done));
          return `${stat.dev}-${stat.ino}`;
        },
      });
      return { release: () => lock.release().finally(closeDirectory) };
    } catch (error) {
      closeDirectory();
      throw error;
    }
  }

  list(): Promise<readonly string[]> {
    return call<string[]>((done) => fs.readdir(this.directory, done));
  }

  open(name: string, mode: OpenMode): Promise<DiskFile> {
    return NodeFile.open(join(this.directory, name), mode, this.#promptWrites);
  }

  rename(from: string, to: string): Promise<void> {
    return call((done) => fs.rename(join(this.directory, from), join(this.directory, to), (error) => done(error)));
  }

  async unlink(name: string): Promise<void> {
    const path = join(this.directory, name);
    await shrink(path).catch(() => {}); // what is wrong with the file, unlink says
    await call<void>((done) => fs.unlink(path, (error) => done(error)));
  }

  async isLinked(name: string): Promise<boolean> {
    return (await call<fs.Stats>((done) => fs.lstat(join(this.directory, name), done))).nlink > 1;
  }

  syncDirectory(): Promise<void> {
    return syncDirectory(this.directory);
  }

  async freeBytes(): Promise<number> {
    const stat = await call<fs.StatsFs>((done) => fs.statfs(this.directory, done));
    return stat.bavail * stat.bsize;
  }
}

/**
 * Where blocks that become free are given back to the disk at once (a mount with `discard`), a disk may do nothing else until
 * all of a file's are: for 9 to 21 ms of 64 MiB, while an append waits. A piece at a time it gets in between, within 0.6 ms.
 */
async function shrink(path: string): Promise<void> {
  const stat = await call<fs.Stats>((done) => fs.lstat(path, done));
  // One with another name is somebody's copy.
  if (!stat.isFile() || stat.nlink > 1 || stat.size <= FREED_BYTES) return;
  const fd = await openFile(path, fs.constants.O_RDWR);
  try {
    for (let sizeBytes = stat.size - FREED_BYTES; sizeBytes > 0; sizeBytes -= FREED_BYTES) {
      await call<void>((done) => fs.ftruncate(fd, sizeBytes, (error) => done(error)));
    }
  } finally {
    await call<void>((done) => fs.close(fd, (error) => done(error)));
  }
}

/** @throws what the system says of a path that is there and is no directory, or cannot be looked at */
async function isDirectory(path: string): Promise<boolean> {
  try {
    if ((await call<fs.Stats>((done) => fs.stat(path, done))).isDirectory()) return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
  throw Object.assign(new Error(`ENOTDIR: not a directory, '${path}'`), { code: "ENOTDIR" });
}

async function syncDirectory(path: string): Promise<void> {
  if (process.platform === "win32") return; // NTFS journals its directories; they cannot be opened for a sync
  const fd = await call<number>((done) => fs.open(path, "r", done));
  try {
    await call<void>((done) => fs.fsync(fd, (error) => done(error)));
  } finally {
    await call<void>((done) => fs.close(fd, (error) => done(error ?? null)));
  }
}
