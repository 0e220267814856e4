// A fake disk whose appends to the first segment come to their end when a test says so, and how.
import { SEGMENT_HEADER_BYTES } from "../../src/limits.ts";
import type { DiskFile } from "../../src/log/disk.ts";
import { segmentName } from "../../src/log/segment.ts";
import { FakeDisk } from "./fake-disk.ts";

const TURNS = 200;

/** How much of a write that fails there is: "half" in the system's cache only, "all" on disk, and nobody knows. */
export type Ending = "nothing" | "half" | "all";
type Failure = { readonly code: "EIO" | "ENOSPC"; readonly ending: Ending };

/** A disk whose appends to the first segment end when they are told to. */
export class GatedDisk {
  readonly disk = new FakeDisk();
  readonly #gates: {
    file: DiskFile;
    bytes: Uint8Array;
    offset: number;
    end: () => void;
    fail: (error: Error) => void;
  }[] = [];
  isArmed = false;

  constructor() {
    const { disk } = this;
    const openFile = disk.open.bind(disk);
    disk.open = async (name, mode) => {
      const file = await openFile(name, mode);
      const isGated = (bytes: Uint8Array, offset: number) =>
        this.isArmed && name === segmentName(1) && offset >= SEGMENT_HEADER_BYTES && bytes.some((byte) => byte !== 0);
      const write = (bytes: Uint8Array, offset: number): Promise<void> => {
        if (!isGated(bytes, offset)) return file.write(bytes, offset);
        return new Promise((end, fail) => this.#gates.push({ file, bytes, offset, end, fail }));
      };
      const close = async (): Promise<void> => {
        if (this.#gates.some((gate) => gate.file === file)) this.disk.misuses.push(`${name} is closed under a write`);
        await file.close();
      };
      return { ...file, write, close };
    };
  }

  /** How many writes are under way. */
  get waitingCount(): number {
    return this.#gates.length;
  }

  /** Where they go, in the order in which they were begun. */
  get writes(): readonly { readonly offset: number; readonly sizeBytes: number }[] {
    return this.#gates.map(({ offset, bytes }) => ({ offset, sizeBytes: bytes.byteLength }));
  }

  /** How many files they are made through: each is told of its own failure. */
  get fileCount(): number {
    return new Set(this.#gates.map(({ file }) => file)).size;
  }

  /** The only one that is under way comes to its end. */
  async end(failure?: Failure): Promise<void> {
    if (this.waitingCount !== 1) throw new Error(`${this.waitingCount} writes are under way, and not one at a time`);
    await this.endOf(0, failure);
  }

  /** One of those that are under way does. */
  async endOf(which: number, failure?: Failure): Promise<void> {
    const [gate] = this.#gates.splice(which, 1);
    if (gate === undefined) throw new Error("no such write is under way");
    const { offset } = gate;
    if (failure === undefined) {
      await gate.file.write(gate.bytes, offset);
      gate.end();
    } else {
      const { code, ending } = failure;
      if (ending === "half") this.disk.fault = { call: this.disk.calls.length, code };
      if (ending !== "nothing") await gate.file.write(gate.bytes, offset).catch(() => {});
      this.disk.fault = undefined;
      gate.fail(Object.assign(new Error(`${code}: i/o error, write`), { code }));
    }
    await turns();
  }
}

/** Whatever can go on without time has gone on. */
export async function turns(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await Promise.resolve();
}
