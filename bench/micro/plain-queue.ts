// The rival of core.wasm: one standard queue in plain objects, written as one would without thinking of collectors.
// A message is in `visible`, or in flight and in the bucket of the second at which it comes back, or gone.
import { createHash, randomUUID } from "node:crypto";

interface Message {
  readonly id: string;
  readonly body: string;
  readonly bodyMd5: string;
  readonly sentMs: number;
  receiveCount: number;
  visibleAtMs: number;
}

export interface PlainDelivery {
  readonly handle: string;
  readonly message: Message;
}

export class PlainQueue {
  #visible: Message[] = [];
  #visibleFirst = 0;
  readonly #byId = new Map<string, Message>();
  readonly #dueBySecond = new Map<number, Set<Message>>();

  send(body: string, nowMs: number): { id: string; bodyMd5: string } {
    const bodyMd5 = createHash("md5").update(body).digest("hex");
    const message = { id: randomUUID(), body, bodyMd5, sentMs: nowMs, receiveCount: 0, visibleAtMs: 0 };
    this.#byId.set(message.id, message);
    this.#visible.push(message);
    return message;
  }

  receive(countMax: number, visibilityMs: number, nowMs: number): PlainDelivery[] {
    const deliveries: PlainDelivery[] = [];
    while (deliveries.length < countMax && this.#visibleFirst < this.#visible.length) {
      const message = this.#visible[this.#visibleFirst++] as Message;
      message.receiveCount++;
      message.visibleAtMs = nowMs + visibilityMs;
      this.#bucket(message.visibleAtMs).add(message);
      deliveries.push({ handle: `${message.id}#${message.receiveCount}`, message });
    }
    if (this.#visibleFirst > 1024 && this.#visibleFirst * 2 > this.#visible.length) {
      this.#visible = this.#visible.slice(this.#visibleFirst);
      this.#visibleFirst = 0;
    }
    return deliveries;
  }

  delete(handle: string): boolean {
    const message = this.#byId.get(handle.slice(0, 36));
    if (message === undefined || Number(handle.slice(37)) !== message.receiveCount) return false;
    this.#dueBySecond.get(Math.ceil(message.visibleAtMs / 1000))?.delete(message);
    return this.#byId.delete(message.id);
  }

  tick(nowMs: number): void {
    for (const [second, due] of this.#dueBySecond) {
      if (second * 1000 > nowMs) continue;
      this.#visible.push(...due);
      this.#dueBySecond.delete(second);
    }
  }

  #bucket(atMs: number): Set<Message> {
    const second = Math.ceil(atMs / 1000);
    const bucket = this.#dueBySecond.get(second) ?? new Set();
    this.#dueBySecond.set(second, bucket);
    return bucket;
  }
}
