// wasq over its WebSocket: publisher and consumer on a socket each. Frames have up to a hundred messages, as many as a
// tenth of what may be in flight.
import type { Socket } from "node:net";
import { eachBody, field, frameOf, LoadSocket, number, publishFrame, putWide } from "../../stream/socket.ts";
import { call } from "../../support.ts";
import { bodyText, type Driver, isWide, STAMP_BYTES, type Target } from "../driver.ts";

const HELLO = frameOf(field(0x82, number(0x20, 0))); // field 16; no grace period
const CREDIT_BYTES = 200_000_000;
const PER_FRAME_MAX = 100;
const PRODUCER_COUNT = 4;
const BODY_COUNT = 64;
const PUBLISHER_BYTES = 3_500_000; // of its credit of 4 MiB

function perFrame({ inFlight, isPaced }: Target): number {
  return isPaced ? 1 : Math.max(1, Math.min(PER_FRAME_MAX, Math.floor(inFlight / 10)));
}

interface Publisher {
  readonly socket: Socket;
  sent: number;
  confirmed: number;
}

async function openPublisher(port: number, queue: string, confirmed: (count: number) => void): Promise<Publisher> {
  const { socket } = await LoadSocket.open(port, {
    confirmed(upTo) {
      confirmed(upTo - own.confirmed);
      own.confirmed = upTo;
    },
  });
  const own: Publisher = { socket, sent: 0, confirmed: 0 };
  socket.write(HELLO);
  socket.write(frameOf(field(0xc2, Buffer.concat([number(0x08, 1), field(0x12, Buffer.from(queue))])))); // field 24
  return own;
}

function leastLoaded(publishers: readonly Publisher[]): Publisher {
  return publishers.reduce((least, each) => (each.sent - each.confirmed < least.sent - least.confirmed ? each : least));
}

export const stream: Driver = {
  unit: perFrame,
  producerCount: (target) => (isWide(target) ? PRODUCER_COUNT : 1),

  async prepare({ port, queue }) {
    await call(`http://127.0.0.1:${port}`, "CreateQueue", { QueueName: queue });
  },

  async producer(target, confirmed) {
    const { port, queue, bodyBytes, inFlight } = target;
    const count = perFrame(target);
    const { frame, numberAt, bodyAt } = publishFrame(count, bodyBytes);
    const { byteLength } = frame;
    const messageBytes = (byteLength - bodyAt - bodyBytes) / Math.max(1, count - 1);
    // As the others' bodies: at least sixty-four different ones, in turn.
    const frames = Array.from({ length: Math.ceil(BODY_COUNT / count) }, () => {
      const own = Buffer.from(frame);
      for (let i = 0; i < count; i++) own.write(bodyText(bodyBytes), bodyAt + i * messageBytes, "latin1");
      return own;
    });
    // What a publisher may have unconfirmed has a bound in bytes: a wider window has several of them.
    const publisherCount = Math.ceil((Math.ceil(inFlight / count) * byteLength) / PUBLISHER_BYTES);
    const publishers: Publisher[] = [];
    for (let i = 0; i < publisherCount; i++) publishers.push(await openPublisher(port, queue, confirmed));
    let sentCount = 0;
    return {
      send(howMany, stamp) {
        for (let left = Math.floor(howMany / count); left > 0; ) {
          const publisher = leastLoaded(publishers);
          const frameCount = publishers.length === 1 ? left : 1;
          const bytes = Buffer.allocUnsafe(frameCount * byteLength);
          for (let i = 0; i < frameCount; i++) {
            (frames[sentCount++ % frames.length] as Buffer).copy(bytes, i * byteLength);
            putWide(bytes, i * byteLength + numberAt, publisher.sent + 1);
            publisher.sent += count;
          }
          if (stamp !== undefined) bytes.write(stamp, bodyAt, "latin1");
          publisher.socket.write(bytes);
          left -= frameCount;
        }
      },
    };
  },

  async consumer(target, on) {
    const { port, queue, inFlight, bodyBytes, isPaced } = target;
    const count = perFrame(target);
    const ackFrame = (first: number, last: number): Buffer => {
      const range = Buffer.concat([number(0x08, first), number(0x10, last)]);
      const ack = Buffer.concat([number(0x08, 1), field(0x12, range)]);
      return frameOf(Buffer.concat([number(0x08, 7), field(0x2a, ack)]));
    };
    const credit = (beyond: number): Buffer =>
      Buffer.concat([
        number(0x08, 1),
        number(0x10, inFlight),
        number(0x18, CREDIT_BYTES),
        ...(beyond > 0 ? [number(0x20, beyond)] : []),
      ]);
    const unsettled: number[] = [];
    let unsettledFirst = 0;
    let granted = 0;
    const load = await LoadSocket.open(port, {
      delivered(first, messages, bytes, at, end) {
        if (isPaced) eachBody(bytes, at, end, { bodyBytes, textBytes: STAMP_BYTES }, on.stamp);
        const last = first + messages - 1;
        unsettled.push(messages);
        load.socket.write(ackFrame(first, last));
        if (last - granted >= inFlight / 4) {
          granted = last;
          load.socket.write(frameOf(field(0x32, credit(granted))));
        }
        on.delivered(messages);
      },
      settled() {
        on.settled(unsettled[unsettledFirst++] ?? 0);
        if (unsettledFirst === 10_000) {
          unsettled.splice(0, unsettledFirst);
          unsettledFirst = 0;
        }
      },
    });
    load.socket.write(HELLO);
    const first = Buffer.concat([number(0x10, inFlight), number(0x18, CREDIT_BYTES)]);
    const subscribe = Buffer.concat([
      number(0x08, 1),
      field(0x12, Buffer.from(queue)),
      number(0x28, count),
      field(0x4a, first),
    ]);
    load.socket.write(frameOf(field(0x92, subscribe))); // field 18
    return [load.socket];
  },
};
