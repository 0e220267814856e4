// NATS JetStream: a work queue in a file, one pull consumer; every acknowledgement is itself answered.
import type { Socket } from "node:net";
import { bodyText, CR, type Driver, dial, gathered, Repeater, STAMP_BYTES, type Target } from "../driver.ts";

let inboxCount = 0;
/** Of one connection of this process: answers are for whoever asked, and late ones must not find a successor. */
const inbox = (): string => `_INBOX.${process.pid}.${inboxCount++}`;
const CONNECT = 'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true,"lang":"bench"}\r\n';

/** A message: its subscription, whether it has a reply subject, and where its body is. */
type OnMessage = (sid: number, reply: string, bytes: Buffer, at: number, end: number) => void;

/** Reads MSG and HMSG off the socket; answers PING. */
export class Frames {
  socket: Socket | undefined;
  readonly take: (data: Buffer) => void;
  readonly #onMessage: OnMessage;

  constructor(onMessage: OnMessage) {
    this.#onMessage = onMessage;
    this.take = gathered((bytes) => this.#frames(bytes));
  }

  async open(port: number): Promise<Socket> {
    const socket = await dial(port, this.take);
    this.socket = socket;
    socket.write(CONNECT);
    return socket;
  }

  #frames(bytes: Buffer): number {
    let at = 0;
    for (;;) {
      const end = bytes.indexOf(CR, at);
      if (end === -1 || end + 2 > bytes.byteLength) return at;
      const first = bytes[at] as number;
      if (first === 0x4d || first === 0x48) {
        const next = this.#message(bytes, at, end);
        if (next === undefined) return at;
        at = next;
        continue;
      }
      if (first === 0x50) this.socket?.write("PONG\r\n");
      if (first === 0x2d) throw new Error(bytes.toString("latin1", at, end));
      at = end + 2;
    }
  }

  #message(bytes: Buffer, at: number, end: number): number | undefined {
    const words = bytes.toString("latin1", at, end).split(" ");
    const isPlain = words[0] === "MSG";
    const sizes = isPlain ? 1 : 2;
    const size = Number(words.at(-1));
    const start = end + 2;
    if (start + size + 2 > bytes.byteLength) return undefined;
    const reply = words.length === 3 + sizes + 1 ? (words[3] as string) : "";
    const body = isPlain ? start : start + Number(words.at(-2));
    this.#onMessage(Number(words[2]), reply, bytes, body, start + size);
    return start + size + 2;
  }
}

/** Asks the server's API; its answer is JSON. */
async function ask(port: number, subject: string, body: object): Promise<void> {
  const text = JSON.stringify(body);
  const own = inbox();
  await new Promise<void>((done, failed) => {
    const frames = new Frames((_sid, _reply, bytes, at, end) => {
      const answer = bytes.toString("utf8", at, end);
      if (at === end || answer.includes('"error"'))
        failed(new Error(`${subject}: ${answer}`)); // or nobody answers yet
      else done();
      frames.socket?.destroy();
    });
    frames
      .open(port)
      .then((socket) => socket.write(`SUB ${own} 1\r\nPUB ${subject} ${own} ${text.length}\r\n${text}\r\n`), failed);
  });
}

/** @param settings of the stream, besides those that everybody has */
async function makeQueue({ port, queue }: Target, settings: object): Promise<void> {
  const stream = { name: queue, subjects: [queue], retention: "workqueue", storage: "file", num_replicas: 1 };
  await ask(port, `$JS.API.STREAM.CREATE.${queue}`, { ...stream, ...settings });
  const config = { durable_name: "c", ack_policy: "explicit", ack_wait: 600_000_000_000, max_ack_pending: 1_000_000 };
  await ask(port, `$JS.API.CONSUMER.DURABLE.CREATE.${queue}.c`, { stream_name: queue, config });
}

export const nats: Driver = {
  unit: () => 1,

  prepare: (target) => makeQueue(target, {}),

  async producer({ port, queue, bodyBytes }, confirmed) {
    const own = inbox();
    let count = 0;
    const frames = new Frames((_sid, _reply, bytes, at, end) => {
      if (end - at < 200 && bytes.toString("latin1", at, at + 8) === '{"error"') {
        throw new Error(bytes.toString("latin1", at, end));
      }
      count++;
    });
    const { take } = frames;
    const socket = await dial(port, (data) => {
      count = 0;
      take(data);
      if (count > 0) confirmed(count);
    });
    frames.socket = socket;
    socket.write(`${CONNECT}SUB ${own} 1\r\n`);
    const body = bodyText(bodyBytes);
    const head = `PUB ${queue} ${own} ${bodyBytes}\r\n`;
    const repeater = new Repeater(() => Buffer.from(`${head}${bodyText(bodyBytes)}\r\n`, "latin1"));
    return {
      send(howMany, stamp) {
        if (stamp === undefined) repeater.write(socket, howMany);
        else socket.write(`${head}${stamp}${body.slice(STAMP_BYTES)}\r\n`, "latin1");
      },
    };
  },

  async consumer({ port, queue, inFlight, isPaced }, on) {
    const own = inbox();
    let asked = 0; // messages that may still come for what was asked
    let settled = 0;
    let acknowledgements: string[] = [];
    const frames = new Frames((sid, reply, bytes, at) => {
      if (sid === 2) settled++;
      else if (reply !== "") {
        if (isPaced) on.stamp(bytes.toString("latin1", at, at + STAMP_BYTES));
        acknowledgements.push(`PUB ${reply} ${own}.k 4\r\n+ACK\r\n`);
      } else asked = 0; // the request is over
    });
    const more = (): string => {
      if (asked > inFlight / 2) return "";
      const request = `{"batch":${inFlight - asked},"expires":600000000000}`;
      asked = inFlight;
      return `PUB $JS.API.CONSUMER.MSG.NEXT.${queue}.c ${own}.m ${request.length}\r\n${request}\r\n`;
    };
    const socket = await dial(port, (data) => {
      settled = 0;
      acknowledgements = [];
      frames.take(data);
      const { length } = acknowledgements;
      asked -= length;
      if (length > 0) on.delivered(length);
      if (settled > 0) on.settled(settled);
      const text = acknowledgements.join("") + more();
      if (text !== "") socket.write(text, "latin1");
    });
    frames.socket = socket;
    socket.write(`${CONNECT}SUB ${own}.m 1\r\nSUB ${own}.k 2\r\n${more()}`);
    return [socket];
  },

  isReady: (port, queue) =>
    ask(port, queue === undefined ? "$JS.API.INFO" : `$JS.API.CONSUMER.INFO.${queue}.c`, {}).then(
      () => true,
      () => false,
    ),
};

/** What a server takes of a batch. */
const BATCH_COUNT_MAX = 1_000;
const ID_DIGITS = 16;

/** One that fills the window is quicker than two of which one is on its way while the other is written. */
const batchCount = ({ inFlight }: Target): number => Math.min(BATCH_COUNT_MAX, inFlight);

/** Batches that are kept whole or not at all, each with one answer for all of it. */
export const natsBatches: Driver = {
  ...nats,
  unit: batchCount,

  prepare: (target) => makeQueue(target, { allow_atomic: true }),

  async producer(target, confirmed) {
    const { port, queue, bodyBytes } = target;
    const count = batchCount(target);
    const own = inbox();
    const frames = new Frames((_sid, _reply, bytes, at, end) => {
      const answer = bytes.toString("latin1", at, end);
      if (!answer.includes(`"count":${count}`)) throw new Error(answer);
      confirmed(count);
    });
    const socket = await frames.open(port);
    socket.write(`SUB ${own} 1\r\n`);
    const idPlaces: number[] = [];
    let batchBytes = 0;
    const messages = Array.from({ length: count }, (_, i) => {
      const isLast = i === count - 1;
      const before = "NATS/1.0\r\nNats-Batch-Id: ";
      const after = `\r\nNats-Batch-Sequence: ${i + 1}\r\n${isLast ? "Nats-Batch-Commit: 1\r\n" : ""}\r\n`;
      const headBytes = before.length + ID_DIGITS + after.length;
      const line = `HPUB ${queue} ${isLast ? `${own} ` : ""}${headBytes} ${headBytes + bodyBytes}\r\n`;
      idPlaces.push(batchBytes + line.length + before.length);
      const text = `${line}${before}${"0".repeat(ID_DIGITS)}${after}${bodyText(bodyBytes)}\r\n`;
      batchBytes += text.length;
      return text;
    });
    const batch = Buffer.from(messages.join(""), "latin1");
    let number = 0;
    return {
      send(howMany) {
        for (let i = 0; i < howMany; i += count) {
          const id = `${process.pid}-${number++}`.padStart(ID_DIGITS, "0");
          const bytes = Buffer.from(batch); // what was written before may not have left
          for (const place of idPlaces) bytes.write(id, place, "latin1");
          socket.write(bytes);
        }
      },
    };
  },
};
