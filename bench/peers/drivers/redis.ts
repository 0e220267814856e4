// Redis Streams: XADD, XREADGROUP, XACK in pipelines. A group is read by one consumer, which acknowledges a whole read with
// one XACK; what was acknowledged stays in the stream, which spares Redis the work of removing it.
import type { Socket } from "node:net";
import {
  bodyText,
  type Consumed,
  CR,
  type Driver,
  decimal,
  dial,
  gathered,
  isWide,
  Repeater,
  STAMP_BYTES,
} from "../driver.ts";

const READ_COUNT_MAX = 1_000;
/** Redis takes 16 KiB of a connection in each pass of its loop, and a pass has one sync: more of them share it. */
const PRODUCER_COUNT = 16;
const CONSUMER_COUNT = 4;
let consumerNumber = 0;

export function command(...words: readonly string[]): Buffer {
  const parts = words.map((word) => `$${word.length}\r\n${word}\r\n`);
  return Buffer.from(`*${words.length}\r\n${parts.join("")}`, "latin1");
}

type Reply = null | string | Buffer | Reply[];

/** Reads replies off a socket; bulk strings are views of what arrived. */
export class Replies {
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(onReply: (reply: Reply) => void) {
    this.take = gathered((bytes) => {
      this.#bytes = bytes;
      this.#at = 0;
      for (;;) {
        const start = this.#at;
        const reply = this.#read();
        if (reply === undefined) return start;
        onReply(reply);
      }
    });
  }

  readonly take: (data: Buffer) => void;

  #read(): Reply | undefined {
    const end = this.#bytes.indexOf(CR, this.#at);
    if (end === -1 || end + 2 > this.#bytes.byteLength) return undefined;
    const kind = this.#bytes[this.#at];
    const from = this.#at + 1;
    if (kind === 0x2d) throw new Error(this.#bytes.toString("latin1", from, end));
    this.#at = end + 2;
    if (kind === 0x2b || kind === 0x3a) return this.#bytes.toString("latin1", from, end);
    if (this.#bytes[from] === 0x2d) return null;
    const size = decimal(this.#bytes, from, end);
    if (kind === 0x24) {
      const start = this.#at;
      if (start + size + 2 > this.#bytes.byteLength) return undefined;
      this.#at += size + 2;
      return this.#bytes.subarray(start, start + size);
    }
    const list: Reply[] = [];
    for (let i = 0; i < size; i++) {
      const each = this.#read();
      if (each === undefined) return undefined;
      list.push(each);
    }
    return list;
  }
}

async function ask(port: number, ...words: readonly string[]): Promise<void> {
  await new Promise<void>((done, failed) => {
    const replies = new Replies(() => done());
    dial(port, replies.take).then((socket) => socket.write(command(...words)), failed);
  });
}

export const redis: Driver = {
  unit: () => 1,
  producerCount: (target) => (isWide(target) ? PRODUCER_COUNT : 1),
  consumerCount: (target) => (isWide(target) ? CONSUMER_COUNT : 1),

  prepare: ({ port, queue }) => ask(port, "XGROUP", "CREATE", queue, "g", "$", "MKSTREAM"),

  async prepareMany(port, names) {
    await new Promise<void>((done, failed) => {
      let left = names.length;
      const replies = new Replies(() => {
        if (--left === 0) done();
      });
      const all = names.map((name) => command("XGROUP", "CREATE", name, "g", "$", "MKSTREAM"));
      dial(port, replies.take).then((socket) => socket.write(Buffer.concat(all)), failed);
    });
  },

  async producer({ port, queue, bodyBytes }, confirmed) {
    let replyCount = 0;
    const replies = new Replies(() => {
      replyCount++;
    });
    const socket = await dial(port, (data) => {
      replyCount = 0;
      replies.take(data);
      if (replyCount > 0) confirmed(replyCount);
    });
    const body = bodyText(bodyBytes);
    const repeater = new Repeater(() => command("XADD", queue, "*", "b", bodyText(bodyBytes)));
    return {
      send(count, stamp) {
        if (stamp === undefined) repeater.write(socket, count);
        else socket.write(command("XADD", queue, "*", "b", stamp + body.slice(STAMP_BYTES)));
      },
    };
  },

  async consumer({ port, queue, inFlight, isPaced }, on: Consumed) {
    const countMax = String(Math.min(inFlight, READ_COUNT_MAX));
    const name = `c${consumerNumber++}`;
    const read = command("XREADGROUP", "GROUP", "g", name, "COUNT", countMax, "BLOCK", "0", "STREAMS", queue, ">");
    let acknowledging = 0;
    let socket: Socket;
    const replies = new Replies((reply) => {
      if (!Array.isArray(reply)) {
        on.settled(acknowledging); // the answer to XACK
        return;
      }
      const entries = (reply[0] as [Buffer, Reply[]])[1] as [Buffer, [Buffer, Buffer]][];
      const ids: string[] = [];
      for (const [id, [, body]] of entries) {
        ids.push(id.toString("latin1"));
        if (isPaced) on.stamp(body.toString("latin1", 0, STAMP_BYTES));
      }
      acknowledging = ids.length;
      on.delivered(ids.length);
      socket.write(Buffer.concat([command("XACK", queue, "g", ...ids), read]));
    });
    socket = await dial(port, replies.take);
    socket.write(read);
    return [socket];
  },

  isReady(port) {
    return new Promise((resolve, reject) => {
      // "-LOADING" until the log is read
      const opening = dial(port, (data) => resolve(data.toString("latin1", 0, 5) === "+PONG"));
      opening.then((socket) => socket.write(command("PING")), reject);
    });
  },
};
