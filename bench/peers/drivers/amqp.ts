// RabbitMQ: AMQP 0-9-1, as much of it as a publisher with confirms and a consumer need. Acknowledgements of consumers are
// not answered in this protocol; one covers all that arrived together.
import type { Socket } from "node:net";
import { bodyText, type Consumed, type Driver, dial, gathered, isWide, Repeater, STAMP_BYTES } from "../driver.ts";

const FRAME = { method: 1, header: 2, body: 3, heartbeat: 8 };
const FRAME_END = 0xce;
const FRAME_BYTES_MAX = 131_072;
/** What a quorum queue takes at most. */
const PREFETCH_MAX = 2_000;
const PERSISTENT = 2;
/** Each connection has processes of its own to read it. */
const PRODUCER_COUNT = 4;
const READY_MS_MAX = 500;
const METHOD = {
  connectionStart: 0x000a000a,
  connectionTune: 0x000a001e,
  connectionOpenOk: 0x000a0029,
  connectionClose: 0x000a0032,
  channelOpenOk: 0x0014000b,
  channelClose: 0x00140028,
  declareOk: 0x0032000b,
  selectOk: 0x0055000b,
  qosOk: 0x003c000b,
  consumeOk: 0x003c0015,
  deliver: 0x003c003c,
  ack: 0x003c0050,
};

const short = (text: string): Buffer => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
const long = (text: string): Buffer => Buffer.concat([u32(text.length), Buffer.from(text, "latin1")]);
const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
const u32 = (value: number): Buffer => Buffer.concat([u16(Math.floor(value / 65_536)), u16(value % 65_536)]);
const u64 = (value: number): Buffer => Buffer.concat([u32(Math.floor(value / 2 ** 32)), u32(value % 2 ** 32)]);
const table = (fields: Buffer): Buffer => Buffer.concat([u32(fields.byteLength), fields]);

function frame(kind: number, channel: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([kind]), u16(channel), u32(payload.byteLength), payload, Buffer.from([FRAME_END])]);
}
const method = (channel: number, id: number, ...parts: readonly Buffer[]): Buffer =>
  frame(FRAME.method, channel, Buffer.concat([u16(id >>> 16), u16(id & 0xffff), ...parts]));

type OnFrame = (kind: number, bytes: Buffer, at: number, end: number) => void;

/** A connection with one channel open. */
class Channel {
  socket: Socket | undefined;
  onFrame: OnFrame = () => {};
  afterData: () => void = () => {};
  #waiting: { id: number; resolve: () => void } | undefined;

  static async open(port: number, onError?: (error: Error) => void): Promise<Channel> {
    const channel = new Channel();
    const take = gathered((bytes) => channel.#frames(bytes));
    const onData = (data: Buffer): void => {
      take(data);
      channel.afterData();
    };
    channel.socket = await dial(port, onData, onError);
    const plain = [table(Buffer.alloc(0)), short("PLAIN"), long("\0guest\0guest"), short("en_US")];
    await channel.#exchange(Buffer.from("AMQP\0\0\x09\x01", "latin1"), METHOD.connectionStart);
    await channel.#exchange(method(0, 0x000a000b, ...plain), METHOD.connectionTune);
    const tune = method(0, 0x000a001f, u16(1), u32(FRAME_BYTES_MAX), u16(0));
    const open = method(0, 0x000a0028, short("/"), short(""), Buffer.from([0]));
    await channel.#exchange(Buffer.concat([tune, open]), METHOD.connectionOpenOk);
    await channel.ask(0x0014000a, METHOD.channelOpenOk, short(""));
    return channel;
  }

  ask(id: number, answer: number, ...parts: readonly Buffer[]): Promise<void> {
    return this.#exchange(method(1, id, ...parts), answer);
  }

  #exchange(bytes: Buffer, answer: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting = { id: answer, resolve };
      this.socket?.write(bytes);
    });
  }

  #frames(bytes: Buffer): number {
    let at = 0;
    while (bytes.byteLength - at >= 8) {
      const size = bytes.readUInt32BE(at + 3);
      const start = at + 7;
      if (bytes.byteLength < start + size + 1) break;
      const kind = bytes[at] as number;
      const id = kind === FRAME.method ? bytes.readUInt32BE(start) : 0;
      if (id === METHOD.connectionClose || id === METHOD.channelClose) {
        throw new Error(`RabbitMQ closes: ${bytes.toString("latin1", start + 4, start + size)}`);
      }
      if (id !== 0 && id === this.#waiting?.id) {
        const { resolve } = this.#waiting;
        this.#waiting = undefined;
        resolve();
      } else if (kind !== FRAME.heartbeat) this.onFrame(kind, bytes, start, start + size);
      at = start + size + 1;
    }
    return at;
  }
}

/** The frames of one persistent message of `bodyBytes`. */
function published(queue: string, body: Buffer): Buffer {
  const publish = method(1, 0x003c0028, u16(0), short(""), short(queue), Buffer.from([0]));
  const header = Buffer.concat([u16(60), u16(0), u64(body.byteLength), u16(0x1000), Buffer.from([PERSISTENT])]);
  return Buffer.concat([publish, frame(FRAME.header, 1, header), frame(FRAME.body, 1, body)]);
}

export const amqp: Driver = {
  unit: () => 1,
  producerCount: (target) => (isWide(target) ? PRODUCER_COUNT : 1),

  // Between listening and the end of its start it resets connections.
  isReady: (port) =>
    new Promise((resolve, reject) => {
      setTimeout(() => resolve(false), READY_MS_MAX);
      Channel.open(port, () => resolve(false)).then((channel) => {
        channel.socket?.destroy();
        resolve(true);
      }, reject);
    }),

  async prepare({ port, queue }) {
    const channel = await Channel.open(port);
    const kind = Buffer.concat([short("x-queue-type"), Buffer.from("S"), long("quorum")]);
    const durable = Buffer.from([2]);
    await channel.ask(0x0032000a, METHOD.declareOk, u16(0), short(queue), durable, table(kind));
    channel.socket?.destroy();
  },

  async producer({ port, queue, bodyBytes }, confirmed) {
    const channel = await Channel.open(port);
    await channel.ask(0x0055000a, METHOD.selectOk, Buffer.from([0]));
    let upTo = 0;
    let singles = 0; // confirmed out of order
    let told = 0;
    channel.onFrame = (kind, bytes, at) => {
      if (kind !== FRAME.method || bytes.readUInt32BE(at) !== METHOD.ack) return;
      const tag = bytes.readUInt32BE(at + 4) * 2 ** 32 + bytes.readUInt32BE(at + 8);
      if (bytes[at + 12] === 1) {
        upTo = Math.max(upTo, tag);
        singles = 0;
      } else singles++;
    };
    channel.afterData = () => {
      const done = upTo + singles;
      if (done > told) {
        confirmed(done - told);
        told = done;
      }
    };
    const body = bodyText(bodyBytes);
    const repeater = new Repeater(() => published(queue, Buffer.from(bodyText(bodyBytes), "latin1")));
    return {
      send(count, stamp) {
        const { socket } = channel;
        if (socket === undefined) return;
        if (stamp === undefined) repeater.write(socket, count);
        else socket.write(published(queue, Buffer.from(stamp + body.slice(STAMP_BYTES), "latin1")));
      },
    };
  },

  async consumer({ port, queue, inFlight, isPaced }, on: Consumed) {
    const channel = await Channel.open(port);
    const prefetch = Math.min(inFlight, PREFETCH_MAX);
    await channel.ask(0x003c000a, METHOD.qosOk, u32(0), u16(prefetch), Buffer.from([0]));
    let count = 0;
    let tag = 0;
    channel.onFrame = (kind, bytes, at) => {
      if (kind === FRAME.body) {
        if (isPaced) on.stamp(bytes.toString("latin1", at, at + STAMP_BYTES));
      } else if (kind === FRAME.method && bytes.readUInt32BE(at) === METHOD.deliver) {
        tag = bytes.readUInt32BE(at + 9 + (bytes[at + 4] as number));
        count++;
      }
    };
    channel.afterData = () => {
      if (count === 0) return;
      channel.socket?.write(method(1, METHOD.ack, u64(tag), Buffer.from([1])));
      on.delivered(count);
      on.settled(count);
      count = 0;
    };
    const none = Buffer.alloc(0);
    const flags = Buffer.from([0]);
    await channel.ask(0x003c0014, METHOD.consumeOk, u16(0), short(queue), short(""), flags, table(none));
    return channel.socket === undefined ? [] : [channel.socket];
  },
};
