// Whole requests of AWS JSON, read and answered inside the core (assembly/request.ts, reply.ts). A request the core
// does not take has changed nothing: somebody else reads it from the start.
import { CORE_DIGEST_BYTES_MAX } from "./core.ts";
import type { CoreMemory } from "./core-memory.ts";
import type { CoreExports } from "./exports.ts";

const IDS_WANTED = 10; // a full batch
/** Of a batch the core makes four digests in the time of one: longer bodies are the host's, as one may stand alone among small ones. */
const BATCH_MD5_BYTES_MAX = 16_384;
const GIVES_MD5 = 1;
const GIVES_SHA256 = 2;
const NOT_TAKEN = 0xffff_ffff;
const NOT_GIVEN = 0xffff_ffff;

/** What the core has not: chance, and digests of large bodies that are quicker than its own. */
export interface RequestHost {
  fillRandom(bytes: Uint8Array): void;
  digest(algorithm: "md5" | "sha256", bytes: Uint8Array): Uint8Array;
}

/** What a ReceiveMessage asks for; undefined: the queue's. */
export interface ReceiveRequest {
  readonly queueUrl: string;
  readonly countMax: number | undefined;
  readonly visibilityMs: number | undefined;
  readonly waitMs: number | undefined;
  readonly wanted: number; // attributes: for Effects.compose, and for whoever reads `assembly/request.ts`
}

export class Requests {
  readonly #wasm: CoreExports;
  readonly #memory: CoreMemory;
  readonly #input: number;
  readonly #request: number;
  readonly #reply: number;
  readonly #bytesMax: number;
  readonly #host: RequestHost;
  #senderId = "";
  #url = "";
  #entryCount = 0;

  constructor(wasm: CoreExports, memory: CoreMemory, host: RequestHost) {
    this.#wasm = wasm;
    this.#memory = memory;
    this.#host = host;
    this.#input = wasm.inputStart();
    this.#request = wasm.requestStart();
    this.#reply = wasm.replyStart();
    this.#bytesMax = wasm.requestBytesMax();
  }

  /** Whose the messages are that are sent from now on. */
  setSender(senderId: string): void {
    if (senderId === this.#senderId) return;
    this.#senderId = senderId;
    this.#wasm.setSender(this.#memory.bytes.write(senderId, this.#input, "utf8"));
  }

  /** @returns how many bytes are in the request region; 0 when there is no room, or nothing to put there */
  #put(body: Uint8Array): number {
    const { byteLength } = body;
    if (byteLength >= this.#bytesMax) return 0;
    this.#memory.bytes.set(body, this.#request);
    return byteLength;
  }

  /** Most requests are for the queue of the one before: then this is the same string, whose hash is known. */
  #queueUrl(): string {
    const wasm = this.#wasm;
    if (wasm.urlRepeats() !== 0) return this.#url;
    const start = wasm.urlStart();
    this.#url = this.#memory.bytes.toString("latin1", start, start + wasm.urlBytes()); // it is ASCII
    return this.#url;
  }

  #text(size: number): string {
    return this.#memory.bytes.toString("latin1", this.#reply, this.#reply + size);
  }

  /** Reads a SendMessage or its batch. @returns its QueueUrl, undefined when the core does not take it */
  parseSend(body: Uint8Array, batch: boolean): string | undefined {
    const size = this.#put(body);
    this.#entryCount = size === 0 ? 0 : this.#wasm.parseSend(size, batch ? 1 : 0);
    return this.#entryCount === 0 ? undefined : this.#queueUrl();
  }

  /** Reads a DeleteMessage or its batch. @returns its QueueUrl, undefined when the core does not take it */
  parseDelete(body: Uint8Array, batch: boolean): string | undefined {
    const size = this.#put(body);
    return size === 0 || this.#wasm.parseDelete(size, batch ? 1 : 0) === 0 ? undefined : this.#queueUrl();
  }

  /** Deletes what was read last. @returns the answer, undefined when the core does not take it */
  delete(queue: number, batch: boolean, nowMs: number): string | undefined {
    const size = this.#wasm.removeParsed(queue, batch ? 1 : 0, nowMs) >>> 0;
    return size === NOT_TAKEN ? undefined : this.#text(size);
  }

  /** Reads a ReceiveMessage. @returns undefined when the core does not take it */
  parseReceive(body: Uint8Array): ReceiveRequest | undefined {
    const size = this.#put(body);
    const wasm = this.#wasm;
    if (size === 0 || wasm.parseReceive(size) === 0) return undefined;
    return {
      queueUrl: this.#queueUrl(),
      countMax: given(wasm.parsedCountMax()),
      visibilityMs: given(wasm.parsedVisibilityMs()),
      waitMs: given(wasm.parsedWaitMs()),
      wanted: wasm.parsedWanted() >>> 0,
    };
  }

  /** Sends what was read last. @returns the answer, undefined when the core does not take it */
  send(queue: number, batch: boolean, hashesBodies: boolean, nowMs: number): string | undefined {
    const wasm = this.#wasm;
    if (wasm.idsLeft() < IDS_WANTED) {
      const start = wasm.idsStart();
      this.#host.fillRandom(this.#memory.bytes.subarray(start, start + wasm.idsBytes()));
      wasm.idsRefilled();
    }
    this.#digestLarge(hashesBodies);
    const size = wasm.sendParsed(queue, batch ? 1 : 0, nowMs) >>> 0;
    return size === NOT_TAKEN ? undefined : this.#text(size);
  }

  #digestLarge(hashesBodies: boolean): void {
    const { words } = this.#memory;
    const md5BytesMax = this.#entryCount === 1 ? CORE_DIGEST_BYTES_MAX : BATCH_MD5_BYTES_MAX;
    let word = this.#input >> 2;
    for (let i = 0; i < this.#entryCount; i++) {
      const entryBytes = words[word] as number;
      const bodyBytes = words[word + 3] as number;
      if (bodyBytes > CORE_DIGEST_BYTES_MAX) this.#digest(word, bodyBytes, bodyBytes > md5BytesMax, hashesBodies);
      word += entryBytes >> 2;
    }
  }

  #digest(word: number, bodyBytes: number, md5: boolean, hashesBodies: boolean): void {
    const { bytes, words } = this.#memory;
    const entry = word << 2;
    const identifierBytes = words[word + 5] as number;
    const body = entry + 96 + (identifierBytes & 0xffff) + (identifierBytes >>> 16) + (words[word + 6] as number);
    const view = bytes.subarray(body, body + bodyBytes);
    if (md5) {
      bytes.set(this.#host.digest("md5", view), entry + 48);
      words[word + 2] = GIVES_MD5;
    }
    if (!hashesBodies || identifierBytes >>> 16 !== 0) return;
    bytes.set(this.#host.digest("sha256", view), entry + 64);
    words[word + 2] = (words[word + 2] as number) | GIVES_SHA256;
  }
}

function given(value: number): number | undefined {
  return value >>> 0 === NOT_GIVEN ? undefined : value;
}
