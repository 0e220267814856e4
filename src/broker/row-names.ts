// Names of queues that are rows, and the rows' indexes: bytes side by side and a table of where each is, so that a million
// names are no million strings. What is forgotten leaves a hole, until holes are half of it.
import { assert } from "../base/assert.ts";

const NAME_BYTES_MAX = 255;
const CHUNK_BITS = 16;
const CHUNK_BYTES = 1 << CHUNK_BITS;
const IN_CHUNK = CHUNK_BYTES - 1;
const SLOT_COUNT_MIN = 16;

//   an entry   ┌────────────┬───────┬──────┐
//              │ index, u32 │ count │ name │   one byte a character; none crosses chunks
//              └────────────┴───────┴──────┘
const HEAD_BYTES = 5;

/** Holds names of one byte a character only. */
export class RowNames {
  #chunks: Buffer[] = [];
  #end = 0; // where the next entry goes
  #holeBytes = 0;
  /** Positions + 1 by hash, the next free place if theirs is taken; 0 is free. */
  #slots = new Uint32Array(0);
  #count = 0;

  get size(): number {
    return this.#count;
  }

  get(name: string): number | undefined {
    const slot = this.#find(name);
    return slot === -1 ? undefined : this.#indexAt((this.#slots[slot] as number) - 1);
  }

  /** @returns false if the name is none that it holds */
  set(name: string, index: number): boolean {
    const hash = hashOf(name);
    const found = this.#find(name, hash);
    if (found !== -1) {
      const position = (this.#slots[found] as number) - 1;
      this.#chunkOf(position).writeUInt32LE(index, position & IN_CHUNK);
      return true;
    }
    if (!isPlain(name)) return false;
    if ((this.#count + 1) * 4 > this.#slots.length * 3)
      this.#placeAgain(Math.max(SLOT_COUNT_MIN, this.#slots.length * 2));
    this.#place(this.#write(name, index), hash);
    this.#count++;
    return true;
  }

  delete(name: string): void {
    const slot = this.#find(name);
    if (slot === -1) return;
    this.#holeBytes += HEAD_BYTES + name.length;
    this.#count--;
    this.#free(slot);
    if (this.#holeBytes * 2 > this.#end && this.#chunks.length > 1) this.#pack();
  }

  /** The name of the first row that is looked for. */
  nameWhere(isWanted: (index: number) => boolean): string | undefined {
    for (const slot of this.#slots) {
      if (slot !== 0 && isWanted(this.#indexAt(slot - 1))) return this.#nameAt(slot - 1);
    }
    return undefined;
  }

  *names(): Iterable<string> {
    for (const slot of this.#slots) if (slot !== 0) yield this.#nameAt(slot - 1);
  }

  #chunkOf(position: number): Buffer {
    return this.#chunks[position >>> CHUNK_BITS] as Buffer;
  }

  #indexAt(position: number): number {
    return this.#chunkOf(position).readUInt32LE(position & IN_CHUNK);
  }

  #nameAt(position: number): string {
    const chunk = this.#chunkOf(position);
    const at = position & IN_CHUNK;
    return chunk.toString("latin1", at + HEAD_BYTES, at + HEAD_BYTES + (chunk[at + 4] as number));
  }

  #isAt(position: number, name: string): boolean {
    const chunk = this.#chunkOf(position);
    const at = position & IN_CHUNK;
    if (chunk[at + 4] !== name.length) return false;
    for (let i = 0; i < name.length; i++) if (chunk[at + HEAD_BYTES + i] !== name.charCodeAt(i)) return false;
    return true;
  }

  /** @returns its slot, -1 if it is not there */
  #find(name: string, hash = hashOf(name)): number {
    if (this.#count === 0) return -1;
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot] as number;
      if (entry === 0) return -1;
      if (this.#isAt(entry - 1, name)) return slot;
    }
  }

  /** @returns the position */
  #write(name: string, index: number): number {
    const bytes = HEAD_BYTES + name.length;
    if (this.#chunks.length === 0 || (this.#end & IN_CHUNK) + bytes > CHUNK_BYTES || (this.#end & IN_CHUNK) === 0) {
      const left = this.#chunks.length * CHUNK_BYTES - this.#end;
      this.#holeBytes += left;
      this.#end = this.#chunks.length * CHUNK_BYTES;
      // Not of base/pages.ts: V8 is slow with what may be resized, and a start with a million takes 0.8 s more.
      this.#chunks.push(Buffer.allocUnsafeSlow(CHUNK_BYTES));
    }
    const position = this.#end;
    const chunk = this.#chunkOf(position);
    const at = position & IN_CHUNK;
    chunk.writeUInt32LE(index, at);
    chunk[at + 4] = name.length;
    for (let i = 0; i < name.length; i++) chunk[at + HEAD_BYTES + i] = name.charCodeAt(i);
    this.#end += bytes;
    return position;
  }

  #place(position: number, hash: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = position + 1;
  }

  #placeAgain(slotCount: number): void {
    const before = this.#slots;
    this.#slots = new Uint32Array(slotCount);
    for (const entry of before) if (entry !== 0) this.#place(entry - 1, this.#hashAt(entry - 1));
  }

  #hashAt(position: number): number {
    const chunk = this.#chunkOf(position);
    const start = (position & IN_CHUNK) + HEAD_BYTES;
    const end = start + (chunk[start - 1] as number);
    let hash = HASH_SEED;
    for (let at = start; at < end; at++) hash = mixed(hash, chunk[at] as number);
    return finished(hash);
  }

  /** Those behind it that were pushed on come nearer. */
  #free(slot: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = slot;
    for (let at = (hole + 1) & mask; slots[at] !== 0; at = (at + 1) & mask) {
      const home = this.#hashAt((slots[at] as number) - 1) & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      slots[hole] = slots[at] as number;
      hole = at;
    }
    slots[hole] = 0;
  }

  /** Everything once more, without holes. */
  #pack(): void {
    const packed = new RowNames();
    packed.#slots = new Uint32Array(this.#slots.length);
    for (const entry of this.#slots) {
      if (entry !== 0) assert(packed.set(this.#nameAt(entry - 1), this.#indexAt(entry - 1)), "it held the name before");
    }
    this.#chunks = packed.#chunks;
    this.#end = packed.#end;
    this.#holeBytes = packed.#holeBytes;
    this.#slots = packed.#slots;
  }
}

function isPlain(name: string): boolean {
  if (name.length > NAME_BYTES_MAX) return false;
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) > 0xff) return false;
  return true;
}

const HASH_SEED = 0x811c9dc5;
const mixed = (hash: number, byte: number): number => Math.imul(hash ^ byte, 0x01000193);
/** The low bits, which choose a slot, get something of all. */
function finished(hash: number): number {
  const spread = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (spread ^ (spread >>> 13)) >>> 0;
}

function hashOf(name: string): number {
  let hash = HASH_SEED;
  for (let i = 0; i < name.length; i++) hash = mixed(hash, name.charCodeAt(i));
  return finished(hash);
}
