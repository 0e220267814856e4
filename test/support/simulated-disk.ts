// A fake disk that takes its time, in virtual milliseconds, and is cut off in the middle of what it does.
import type { Disk, DiskFile, DiskLock, OpenMode } from "../../src/log/disk.ts";
import type { FakeDisk } from "./fake-disk.ts";
import type { VirtualLoop } from "./virtual-loop.ts";

const PROMPT_BYTES_MAX = 8192;
const never = new Promise<never>(() => {});

export class SimulatedDisk implements Disk {
  readonly directory = "/simulated";
  readonly #inner: FakeDisk;
  readonly #loop: VirtualLoop;
  readonly #random: () => number;
  readonly #writing = new Set<() => Promise<void>>(); // asked for, and not yet at the inner disk
  #isDead = false;

  constructor(inner: FakeDisk, loop: VirtualLoop, random: () => number) {
    this.#inner = inner;
    this.#loop = loop;
    this.#random = random;
  }

  /** The power goes, or only the process (kill -9). What was being written may get there, or a part of it. @returns the disk after it */
  async crash(kind: "power" | "kill"): Promise<FakeDisk> {
    this.#isDead = true;
    const inner = this.#inner;
    const writing = [...this.#writing];
    const [unlucky] = writing.splice(Math.floor(this.#random() * writing.length), 1);
    // A write that returned nothing: some of it may be on disk, in no order.
    for (const write of writing) if (this.#random() < 0.3) await write().catch(() => {});
    if (unlucky !== undefined && this.#random() < 0.8) {
      inner.fault = { call: inner.calls.length, code: kind === "power" ? "power" : "EIO" };
      await unlucky().catch(() => {});
    }
    inner.fault = undefined;
    if (kind === "power") return inner.cutPower(this.#random);
    inner.kill();
    return inner;
  }

  async #later<T>(work: () => Promise<T>): Promise<T> {
    const random = this.#random();
    await this.#loop.sleep(random < 0.5 ? 0 : random < 0.95 ? random * 3 : random * 25);
    if (this.#isDead) return never;
    return work();
  }

  makeDirectory(): Promise<void> {
    return this.#later(() => this.#inner.makeDirectory());
  }
  lock(): Promise<DiskLock> {
    return this.#later(() => this.#inner.lock());
  }
  list(): Promise<readonly string[]> {
    return this.#later(() => this.#inner.list());
  }
  rename(from: string, to: string): Promise<void> {
    return this.#later(() => this.#inner.rename(from, to));
  }
  unlink(name: string): Promise<void> {
    return this.#later(() => this.#inner.unlink(name));
  }
  isLinked(name: string): Promise<boolean> {
    return this.#later(() => this.#inner.isLinked(name));
  }
  syncDirectory(): Promise<void> {
    return this.#later(() => this.#inner.syncDirectory());
  }
  freeBytes(): Promise<number> {
    return this.#later(() => this.#inner.freeBytes());
  }

  async open(name: string, mode: OpenMode): Promise<DiskFile> {
    const file = await this.#later(() => this.#inner.open(name, mode));
    return {
      sizeBytes: () => this.#later(() => file.sizeBytes()),
      read: (into, offset) => this.#later(() => file.read(into, offset)),
      write: async (bytes, offset) => {
        // Some are made at once, by who asks for them.
        if (!this.#isDead && bytes.byteLength <= PROMPT_BYTES_MAX && this.#random() < 0.3)
          return file.write(bytes, offset);
        const write = () => file.write(bytes, offset);
        this.#writing.add(write);
        await this.#later(() => {
          this.#writing.delete(write);
          return write();
        });
      },
      truncate: (sizeBytes) => this.#later(() => file.truncate(sizeBytes)),
      sync: () => this.#later(() => file.sync()),
      close: () => this.#later(() => file.close()),
    };
  }
}
