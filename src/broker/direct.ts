// The way through the core for whole requests of AWS JSON: no object is made of a message, here or there.
import { createHash, randomFillSync } from "node:crypto";
import { assert } from "../base/assert.ts";
import type { Core } from "../core/core.ts";
import type { ReceiveRequest, Requests } from "../core/requests.ts";
import type { Catalogue } from "./catalogue.ts";
import { QueueEntry } from "./queue-entry.ts";
import type { Receives } from "./receives.ts";
import type { Seals } from "./seals.ts";
import type { Turn } from "./turn.ts";
import type { DirectBroker, HeldAnswer, Queue, ReceiveOptions, Receiver } from "./types.ts";

export class Direct implements DirectBroker {
  readonly #core: Core;
  readonly #requests: Requests;
  readonly #catalogue: Catalogue;
  readonly #seals: Seals;
  readonly #turn: Turn;
  readonly #receives: Receives;

  constructor(parts: { core: Core; catalogue: Catalogue; seals: Seals; turn: Turn; receives: Receives }) {
    this.#core = parts.core;
    this.#catalogue = parts.catalogue;
    this.#seals = parts.seals;
    this.#turn = parts.turn;
    this.#receives = parts.receives;
    this.#requests = parts.core.requests({
      fillRandom: (bytes) => randomFillSync(bytes),
      digest: (algorithm, bytes) => createHash(algorithm).update(bytes).digest(),
    });
  }

  get queuesVersion(): number {
    return this.#catalogue.version;
  }

  parseSend(body: Uint8Array, batch: boolean, senderId: string): string | undefined {
    this.#requests.setSender(senderId);
    return this.#requests.parseSend(body, batch);
  }

  send(queue: Queue, batch: boolean, answer: HeldAnswer): boolean {
    assert(queue instanceof QueueEntry, "queues come from this broker");
    const turn = this.#turn;
    // Whoever would have to wait goes the other way, where there is a line to wait in.
    if (!turn.begin() || turn.spaceForSends() !== "yes") return false;
    const nowMs = turn.nowMs();
    if (!this.#seals.select(queue, nowMs)) return false;
    return this.#hold(this.#requests.send(queue.index, batch, queue.settings.fifo, nowMs), answer);
  }

  parseDelete(body: Uint8Array, batch: boolean): string | undefined {
    return this.#requests.parseDelete(body, batch);
  }

  delete(queue: Queue, batch: boolean, answer: HeldAnswer): boolean {
    assert(queue instanceof QueueEntry, "queues come from this broker");
    if (!this.#turn.begin()) return false;
    return this.#hold(this.#requests.delete(queue.index, batch, this.#turn.nowMs()), answer);
  }

  #hold(text: string | undefined, answer: HeldAnswer): boolean {
    if (text === undefined) return false;
    answer.text = text;
    this.#turn.hold(this.#core.headPosition, answer);
    this.#turn.ran();
    return true;
  }

  parseReceive(body: Uint8Array): ReceiveRequest | undefined {
    return this.#requests.parseReceive(body);
  }

  receive(queue: Queue, options: ReceiveOptions, receiver: Receiver): () => void {
    assert(queue instanceof QueueEntry, "queues come from this broker");
    return this.#receives.receive(queue, options, receiver);
  }
}
