// The core's share of a streamed message, by processor time: published, delivered, acknowledged, in frames of so many.
import { randomBytes } from "node:crypto";
import { PublishType } from "../../src/stream/schema.ts";
import { loadCore } from "./load-core.ts";

const NOW_MS = 1_800_000_000_000;

function run(bodyBytes: number, perFrame: number, rounds: number): { publish: number; deliver: number; ack: number } {
  const core = loadCore();
  core.beginReplay(NOW_MS);
  core.finishReplay(NOW_MS, 4096);
  const queue = core.openQueue(1);
  core.setQueue(queue, {
    flags: 0,
    delayMs: 0,
    retentionMs: 345_600_000,
    receiveMax: 0,
    deadLetters: 0,
    sourceNumber: 1,
    inFlightMax: 120_000,
    messageBytesMax: 1_048_576,
  });
  const streams = core.streams();
  const publisher = streams.openPublisher(randomBytes(16), false, "bench");
  const subscription = streams.open(queue, 1, {
    clientId: 1,
    visibilityMs: 30_000,
    processingMs: 3_600_000,
    batchMessages: perFrame,
    lingerMs: 0,
    fields: 0,
    groupInFlight: 1,
  });
  const body = "x".repeat(bodyBytes);
  const seed = randomBytes(16);
  let number = 1;
  const times = { publish: 0, deliver: 0, ack: 0 };
  const cpu = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
  const commit = () => {
    core.takeExtents();
    core.commit(core.headPosition, NOW_MS);
  };
  const frames: Uint8Array[] = [];
  const inRound = Math.ceil(1000 / perFrame);
  for (let i = 0; i < rounds * inRound; i++) {
    frames.push(
      PublishType.encode(
        PublishType.fromObject({
          publisher: 1,
          first: number + i * perFrame,
          messages: Array.from({ length: perFrame }, () => ({ body: Buffer.from(body) })),
        }),
      ).finish(),
    );
    if (frames.length > 2000) break;
  }
  let frame = 0;
  while (frame < frames.length) {
    let start = cpu();
    for (let i = 0; i < inRound && frame < frames.length; i++) {
      const bytes = frames[frame++] as Uint8Array;
      streams.takeIncoming(bytes);
      streams.scanPublish(0, bytes.byteLength);
      const result = streams.publish(publisher, queue, 0, bytes.byteLength, number, seed, 0, NOW_MS);
      if (result.code !== "done") throw new Error(result.code);
      number += perFrame;
      seed[0] = (seed[0] as number) + 1;
    }
    commit();
    times.publish += cpu() - start;
    start = cpu();
    const last = streams.lastDelivery(subscription);
    streams.setCredit(subscription, 100_000, 200_000_000, last, false);
    streams.serve(NOW_MS);
    let delivered = 0;
    for (;;) {
      const token = streams.next();
      if (token === 0) break;
      for (;;) {
        const composed = streams.compose(subscription, NOW_MS);
        if (composed.status !== "frame") break;
        delivered += composed.bytes.byteLength;
      }
      streams.serve(NOW_MS);
    }
    times.deliver += cpu() - start;
    start = cpu();
    const end = streams.lastDelivery(subscription);
    for (let first = last + 1; first <= end; first += perFrame) {
      streams.settle(subscription, "ack", [{ first, last: Math.min(first + perFrame - 1, end) }], 0, NOW_MS);
    }
    commit();
    times.ack += cpu() - start;
    if (core.liveMessages !== 0) throw new Error(`${core.liveMessages} left, ${delivered}`);
  }
  const count = number - 1;
  return {
    publish: (times.publish * 1e6) / count,
    deliver: (times.deliver * 1e6) / count,
    ack: (times.ack * 1e6) / count,
  };
}

for (const [bytes, perFrame] of [
  [64, 10],
  [256, 10],
  [256, 100],
  [1024, 100],
  [16384, 10],
] as const) {
  run(bytes, perFrame, 20);
  const { publish, deliver, ack } = run(bytes, perFrame, 100);
  process.stdout.write(
    `${bytes} B, ${perFrame} a frame: publish ${publish.toFixed(0)} ns, deliver ${deliver.toFixed(0)} ns, ack ${ack.toFixed(0)} ns\n`,
  );
}
