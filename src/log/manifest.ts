// The manifest: which segments exist. Two lines of text in the file `manifest`, replaced as a whole:
//
//   {"format":1,"logId":"<32 hex digits>","segmentBytes":67108864,"segments":[3,4,7]}
//   <CRC-32C of the first line, 8 hex digits>
//
// Format 2 is of a log that is encrypted, or was; it has besides (encryption.ts says what they mean)
//
//   "sealedKey":"<the log's key, under the master key>","epochs":[{"from":201330688,"salt":"<32 hex digits>"},{"from":...}]
//
// A segment is named here before its first record is written, and no longer named before its file is deleted.
// The last one named may be the next one to be written, prepared ahead: writing on needs no change of the manifest.
import { crc32c } from "../base/crc32c.ts";
import type { Disk } from "./disk.ts";
import { damaged, ioError, LogError, systemCode } from "./errors.ts";

const PLAIN_FORMAT = 1;
const FORMAT = 2; // a later one keeps two lines, a CRC, and "format" in the first
export const MANIFEST = "manifest";
/** There all the time, with room for what comes next: a disk that is full takes a change of the manifest. */
const NEXT = "manifest.next";
const NEXT_SPARE_BYTES = 4096;
const SALT = /^[0-9a-f]{32}$/;

export interface Manifest {
  readonly logId: string;
  readonly segmentBytes: number;
  readonly segments: readonly number[]; // ascending
  /** Absent while nothing of the log is encrypted. */
  readonly encryption?: StoredEncryption | undefined;
}

export interface StoredEncryption {
  readonly sealedKey: string;
  readonly epochs: readonly Epoch[]; // ascending, at least one
}

/** From this position on, to the next epoch, the log is encrypted under this salt, or not at all. */
export interface Epoch {
  readonly from: number;
  readonly salt: string | undefined;
}

const checksum = (line: string) => crc32c(new TextEncoder().encode(line)).toString(16).padStart(8, "0");

export function encodeManifest(manifest: Manifest): Uint8Array {
  const { logId, segmentBytes, segments, encryption } = manifest;
  const format = encryption === undefined ? PLAIN_FORMAT : FORMAT;
  const line = JSON.stringify({ format, logId, segmentBytes, segments, ...encryption });
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
  if (format !== PLAIN_FORMAT && format !== FORMAT) {
    const text = `Cannot open the log: ${MANIFEST} has format ${format}, this version reads up to ${FORMAT}; use the version that wrote it`;
    throw new LogError("newer", text, { file: MANIFEST, offset: 0 });
  }
  if (typeof logId !== "string" || !/^[0-9a-f]{32}$/.test(logId) || typeof segmentBytes !== "number") throw malformed();
  if (!Array.isArray(segments)) throw malformed();
  let previous = 0;
  for (const segment of segments) {
    if (!Number.isInteger(segment) || segment <= previous) throw malformed();
    previous = segment;
  }
  return { logId, segmentBytes, segments, encryption: format === FORMAT ? decodeEncryption(value) : undefined };
}

function decodeEncryption({ sealedKey, epochs }: { readonly [name: string]: unknown }): StoredEncryption {
  if (typeof sealedKey !== "string" || !Array.isArray(epochs) || epochs.length === 0) throw malformed();
  let previous = -1;
  const decoded = epochs.map((epoch: unknown): Epoch => {
    if (!isObject(epoch)) throw malformed();
    const { from, salt } = epoch;
    if (typeof from !== "number" || !Number.isSafeInteger(from) || from <= previous) throw malformed();
    if (salt !== undefined && (typeof salt !== "string" || !SALT.test(salt))) throw malformed();
    previous = from;
    return { from, salt };
  });
  return { sealedKey, epochs: decoded };
}

/** Without epochs that no segment has bytes of any more; and without the key when none is left that needs it. */
function needed(manifest: Manifest): Manifest {
  const { encryption, segments, segmentBytes } = manifest;
  const first = segments[0];
  if (encryption === undefined || first === undefined) return manifest;
  const isNeeded = ({ from }: Epoch, i: number, all: readonly Epoch[]): boolean => {
    const end = all[i + 1]?.from;
    // The epoch before one that is left out seems to go on to its end, where there is nothing.
    return end === undefined || segments.some((each) => each * segmentBytes < end && (each + 1) * segmentBytes > from);
  };
  const epochs = encryption.epochs.filter(isNeeded);
  const [only] = epochs;
  const isPlain =
    only !== undefined && epochs.length === 1 && only.salt === undefined && only.from <= first * segmentBytes;
  return { ...manifest, encryption: isPlain ? undefined : { ...encryption, epochs } };
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
  change(changesOf: (current: Manifest) => Partial<Manifest>): Promise<void> {
    const changed = this.#last.then(() => this.#write(needed({ ...this.#current, ...changesOf(this.#current) })));
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
    await this.#prepareNext().catch(() => {}); // without it the next change needs room on the disk, as this one did
  }

  async #prepareNext(): Promise<void> {
    const file = await this.#disk.open(NEXT, "create");
    try {
      await file.write(new Uint8Array(encodeManifest(this.#current).byteLength + NEXT_SPARE_BYTES), 0);
      await file.sync();
    } finally {
      await file.close();
    }
  }
}
