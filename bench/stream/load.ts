// Load on a server of the stream protocol: publish, consume, or both, for some seconds; prints what was done as JSON.
import { performance } from "node:perf_hooks";
import { type PacedResult, Pacer, STAMP_BYTES } from "../pacer.ts";
import { cpuSeconds } from "../support.ts";
import { eachBody, field, frameOf, LoadSocket, number, publishFrame, putWide } from "./socket.ts";

export interface LoadJob {
  readonly port: number;
  readonly queue: string;
  readonly serverPid: number;
  readonly bodyBytes: number;
  readonly perFrame: number;
  readonly inFlight: number; // unconfirmed, and credit of the consumer
  readonly publishes: boolean;
  readonly consumes: boolean;
  readonly countMax?: number; // messages published at most
  readonly perSecond?: number; // a pace, instead of as many as can be
  readonly seconds: number;
}

export interface LoadResult {
  readonly published: number; // confirmed, a second
  readonly delivered: number; // a second
  readonly settled: number; // a second
  readonly paced: PacedResult | null;
  readonly cpu: { readonly server: number; readonly load: number }; // cores
}

const job: LoadJob = JSON.parse(process.argv[2] ?? "");
const WARM_MS = 1_500;
/** How long a counted job may take. */
const COUNTED_MS_MAX = 60_000;
const HELLO = frameOf(field(0x82, number(0x20, 0))); // field 16; no grace period

async function main(): Promise<LoadResult> {
  let confirmed = 0;
  let sent = 0;
  let delivered = 0;
  let settled = 0;
  let pacer: Pacer | undefined;
  const isPaced = job.perSecond !== undefined;

  const publisher = await LoadSocket.open(job.port, {
    confirmed: (upTo) => {
      confirmed = upTo;
      if (!isPaced) more();
    },
  });
  publisher.socket.write(HELLO);
  const queue = Buffer.from(job.queue);
  const open = Buffer.concat([number(0x08, 1), field(0x12, queue)]);
  publisher.socket.write(frameOf(field(0xc2, open))); // field 24

  const { frame, numberAt, bodyAt } = publishFrame(job.perFrame, job.bodyBytes);
  const countMax = job.countMax ?? Number.POSITIVE_INFINITY;
  const more = (): void => {
    const count = Math.floor(Math.min(job.inFlight - (sent - confirmed), countMax - sent) / job.perFrame);
    if (count <= 0) return;
    const bytes = Buffer.allocUnsafe(count * frame.byteLength);
    for (let i = 0; i < count; i++) {
      frame.copy(bytes, i * frame.byteLength);
      putWide(bytes, i * frame.byteLength + numberAt, sent + 1);
      sent += job.perFrame;
    }
    publisher.socket.write(bytes);
  };

  if (job.consumes) {
    const creditBytes = 200_000_000;
    const ackFrame = (first: number, last: number): Buffer => {
      const range = Buffer.concat([number(0x08, first), number(0x10, last)]);
      const ack = Buffer.concat([number(0x08, 1), field(0x12, range)]);
      return frameOf(Buffer.concat([number(0x08, 7), field(0x2a, ack)]));
    };
    const creditFrame = (beyond: number): Buffer =>
      frameOf(
        field(
          0x32,
          Buffer.concat([number(0x08, 1), number(0x10, job.inFlight), number(0x18, creditBytes), number(0x20, beyond)]),
        ),
      );
    const stamped = { bodyBytes: job.bodyBytes, textBytes: STAMP_BYTES };
    let acknowledged = 0;
    let granted = 0;
    const unsettled: number[] = [];
    let unsettledFirst = 0;
    const consumer: LoadSocket = await LoadSocket.open(job.port, {
      delivered: (first, count, bytes, at, end) => {
        delivered += count;
        if (isPaced) eachBody(bytes, at, end, stamped, (stamp) => pacer?.delivered(stamp));
        const last = first + count - 1;
        consumer.socket.write(ackFrame(first, last));
        unsettled.push(count);
        acknowledged = last;
        if (acknowledged - granted >= job.inFlight / 4) {
          granted = acknowledged;
          consumer.socket.write(creditFrame(granted));
        }
      },
      settled: () => {
        settled += unsettled[unsettledFirst++] ?? 0;
        if (unsettledFirst === 10_000) {
          unsettled.splice(0, unsettledFirst);
          unsettledFirst = 0;
        }
      },
    });
    consumer.socket.write(HELLO);
    const credit = Buffer.concat([number(0x10, job.inFlight), number(0x18, creditBytes)]);
    const subscribe = Buffer.concat([
      number(0x08, 1),
      field(0x12, queue),
      number(0x28, job.perFrame),
      field(0x4a, credit),
    ]);
    consumer.socket.write(frameOf(field(0x92, subscribe))); // field 18
  }

  if (job.publishes && job.perSecond === undefined) more();
  else if (job.publishes && job.perSecond !== undefined) {
    const { byteLength } = frame;
    const messageBytes = (byteLength - bodyAt - job.bodyBytes) / Math.max(1, job.perFrame - 1);
    pacer = await Pacer.start(job.perSecond, job.perFrame, (stamp) => {
      const bytes = Buffer.from(frame);
      putWide(bytes, numberAt, sent + 1);
      for (let i = 0; i < job.perFrame; i++) bytes.write(stamp, bodyAt + i * messageBytes, "latin1");
      sent += job.perFrame;
      publisher.socket.write(bytes);
    });
  }

  // A counted job is over when all is done: it is measured from its beginning.
  if (job.countMax === undefined) await new Promise((later) => setTimeout(later, WARM_MS));
  const start = {
    ms: performance.now(),
    confirmed,
    delivered,
    settled,
    server: cpuSeconds(job.serverPid),
    load: cpuSeconds("self"),
  };
  pacer?.measure();
  const endMs = start.ms + (job.countMax === undefined ? job.seconds * 1000 : COUNTED_MS_MAX);
  while (performance.now() < endMs) {
    await new Promise((later) => setTimeout(later, 20));
    if (job.countMax !== undefined && (job.consumes ? settled : confirmed) >= job.countMax) break;
  }
  const seconds = (performance.now() - start.ms) / 1000;
  const result = {
    published: (confirmed - start.confirmed) / seconds,
    delivered: (delivered - start.delivered) / seconds,
    settled: (settled - start.settled) / seconds,
    cpu: {
      server: (cpuSeconds(job.serverPid) - start.server) / seconds,
      load: (cpuSeconds("self") - start.load) / seconds,
    },
  };
  return { ...result, paced: (await pacer?.finish()) ?? null };
}

process.stdout.write(JSON.stringify(await main()), () => process.exit(0));
