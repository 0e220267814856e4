// wasq over its WebSocket: publisher and consumer on a socket each. Frames have up to a hundred messages, as many as a
// tenth of what may be in flight.
import { field, frameOf, LoadSocket, number, publishFrame, putWide } from "../../stream/socket.ts";
import { call } from "../../support.ts";
import { bodyText, type Driver, STAMP_BYTES, type Target } from "../driver.ts";

const HELLO = frameOf(field(0x82, number(0x20, 0))); // field 16; no grace period
const CREDIT_BYTES = 200_000_000;
const PER_FRAME_MAX = 100;

function perFrame({ inFlight, isPaced }: Target): number {
  return isPaced ? 1 : Math.max(1, Math.min(PER_FRAME_MAX, Math.floor(inFlight / 10)));
}

export const stream: Driver = {
  unit: perFrame,

  async prepare({ port, queue }) {
    await call(`http://127.0.0.1:${port}`, "CreateQueue", { QueueName: queue });
  },

  async producer(target, confirmed) {
    const { port, queue, bodyBytes } = target;
    const count = perFrame(target);
    let told = 0;
    const { socket } = await LoadSocket.open(port, {
      confirmed(upTo) {
        confirmed(upTo - told);
        told = upTo;
      },
    });
    socket.write(HELLO);
    socket.write(frameOf(field(0xc2, Buffer.concat([number(0x08, 1), field(0x12, Buffer.from(queue))])))); // field 24
    const { frame, numberAt, bodyAt } = publishFrame(count, bodyBytes);
    const messageBytes = (frame.byteLength - bodyAt - bodyBytes) / Math.max(1, count - 1);
    for (let i = 0; i < count; i++) frame.write(bodyText(bodyBytes), bodyAt + i * messageBytes, "latin1");
    let sent = 0;
    return {
      send(howMany, stamp) {
        const frameCount = Math.floor(howMany / count);
        const bytes = Buffer.allocUnsafe(frameCount * frame.byteLength);
        for (let i = 0; i < frameCount; i++) {
          frame.copy(bytes, i * frame.byteLength);
          putWide(bytes, i * frame.byteLength + numberAt, sent + 1);
          sent += count;
        }
        if (stamp !== undefined) bytes.write(stamp, bodyAt, "latin1");
        socket.write(bytes);
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
        if (isPaced) stamps(bytes, at, end);
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
    /** The body is what a message ends with. */
    const stamps = (bytes: Buffer, at: number, end: number): void => {
      for (let place = at; place < end; ) {
        let size = 0;
        let shift = 1;
        place++;
        for (;;) {
          const byte = bytes[place++] as number;
          size += (byte & 127) * shift;
          if (byte < 128) break;
          shift *= 128;
        }
        place += size;
        on.stamp(bytes.toString("latin1", place - bodyBytes, place - bodyBytes + STAMP_BYTES));
      }
    };
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
