// The manifest: which segments exist. Two lines of text in the file `manifest`, replaced as a whole:
//
//   {"format":1,"logId":"<32 hex digits>","segmentBytes":67108864,"segments":[3,4,7]}
//   <CRC-32C of the first line, 8 hex digits>
//
// A segment is named here before its first record is written, and no longer named before its file is deleted.
// The last one named may be the next one to be written, prepared ahead: writing on needs no change of the manifest.
import { crc32c } from "../base/crc32c.ts";
import type { Disk } from "./disk.ts";
import { damaged, ioError, LogError, systemCode } from "./errors.ts";

export const FORMAT = 1; // a later one keeps two lines, a CRC, and "format" in the first
export const MANIFEST = "manifest";
const NEXT = "manifest.next";

export interface Manifest {
  readonly logId: string;
  readonly segmentBytes: number;
  readonly segments: readonly number[]; // ascending
}

const checksum = (line: string) => crc32c(new TextEncoder().encode(line)).toString(16).padStart(8, "0");

export function encodeManifest(manifest: Manifest): Uint8Array {
  const { logId, segmentBytes, segments } = manifest;
  const line = JSON.stringify({ format: FORMAT, logId, segmentBytes, segments });
  return new TextEncoder().encode(`${line}\n${checksum(line)}\n`);
}

export function decodeManifest(bytes: Uint8Array): Manifest {
  const text = new TextDecoder("latin1").decode(bytes);
  const line = text.slice(0, Math.max(0, text.indexOf("\n")));
  const expected = `${line}\n${checksum(line)}\n`;
  if (line === "" || text !== expected) {
    let offset = 0;
    while (offset < text.length && text[offset] === expected[offset]) offset++;
    throw damaged(MANIFEST, offset, "its checksum does not fit", "restore it from a copy of the whole directory");
  }
  const value: unknown = JSON.parse(line);
  if (!isObject(value)) throw malformed();
  const { format, logId, segmentBytes, segments } = value;
  if (typeof format !== "number") throw malformed();
  if (format !== FORMAT) {
    const text = `Cannot open the log: ${MANIFEST} has format ${format}, this version reads ${FORMAT}; use the version that wrote it`;
    throw new LogError("newer", text, { file: MANIFEST, offset: 0 });
  }
  if (typeof logId !== "string" || !/^[0-9a-f]{32}$/.test(logId) || typeof segmentBytes !== "number") throw malformed();
  if (!Array.isArray(segments)) throw malformed();
  let previous = 0;
  for (const segment of segments) {
    if (!Number.isInteger(segment) || segment <= previous) throw malformed();
    previous = segment;
  }
  return { logId, segmentBytes, segments };
}

function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === "object" && value !== null;
}

function malformed(): LogError {
  return damaged(
    MANIFEST,
    0,
    "a field is missing or has a wrong value",
    "restore it from a copy of the whole directory",
  );
}

export async function readManifest(disk: Disk): Promise<Manifest | undefined> {
  try {
    const file = await disk.open(MANIFEST, "read");
    try {
      const bytes = new Uint8Array(await file.sizeBytes());
      return decodeManifest(bytes.subarray(0, await file.read(bytes, 0)));
    } finally {
      await file.close();
    }
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw ioError(error, "read the manifest", MANIFEST);
  }
}

/** The manifest of an open log: one change at a time, the memory's view follows the disk's. */
export class ManifestFile {
  readonly #disk: Disk;
  #current: Manifest;
  #last: Promise<void> = Promise.resolve();
  /** Set by a failure after which the disk may hold either version: the log must stop. */
  uncertain: LogError | undefined;

  constructor(disk: Disk, current: Manifest) {
    this.#disk = disk;
    this.#current = current;
  }

  get current(): Manifest {
    return this.#current;
  }

  /** Durable on return. A failure leaves the old version, unless `uncertain` is set. */
  change(segmentsOf: (segments: readonly number[]) => readonly number[]): Promise<void> {
    const changed = this.#last.then(() =>
      this.#write({ ...this.#current, segments: segmentsOf(this.#current.segments) }),
    );
    this.#last = changed.catch(() => {});
    return changed;
  }

  async #write(manifest: Manifest): Promise<void> {
    if (this.uncertain) throw this.uncertain;
    try {
      const file = await this.#disk.open(NEXT, "create");
      try {
        const bytes = encodeManifest(manifest);
        await file.truncate(bytes.byteLength);
        await file.write(bytes, 0);
        await file.sync();
      } finally {
        await file.close();
      }
    } catch (error) {
      throw ioError(error, "write the manifest", NEXT, undefined, "the version before it stays valid");
    }
    try {
      await this.#disk.rename(NEXT, MANIFEST);
      await this.#disk.syncDirectory();
    } catch (error) {
      const cause = ioError(error, "replace the manifest", MANIFEST);
      this.uncertain = new LogError(
        "io",
        `${cause.message}; which version is on disk is not known, nothing more is written`,
        {
          file: MANIFEST,
          cause: error,
        },
      );
      throw this.uncertain;
    }
    this.#current = manifest;
  }
}
