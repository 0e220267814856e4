// The core's share of a streamed message, by processor time: published, delivered, acknowledged, in frames of so many.
import { randomBytes } from "node:crypto";
import { publishMessage, putWide } from "../stream/socket.ts";
import { table } from "../support.ts";
import { loadCore } from "./load-core.ts";

const CASES = [
  [64, 10],
  [256, 10],
  [256, 100],
  [1024, 100],
  [16_384, 10],
] as const;
/** What is written for the first time costs the system pages. */
const WARM_ROUNDS = 60;
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
  const { publish, numberAt } = publishMessage(perFrame, bodyBytes);
  const inRound = Math.ceil(1000 / perFrame);
  let counted = 0;
  for (let round = 0; round < WARM_ROUNDS + rounds; round++) {
    if (round === WARM_ROUNDS) {
      times.publish = times.deliver = times.ack = 0;
      counted = 0;
    }
    let start = cpu();
    for (let i = 0; i < inRound; i++) {
      putWide(publish, numberAt, number);
      streams.takeIncoming(publish);
      streams.scanPublish(0, publish.byteLength);
      const result = streams.publish(publisher, queue, 0, publish.byteLength, number, seed, 0, NOW_MS);
      if (result.code !== "done") throw new Error(result.code);
      number += perFrame;
      counted += perFrame;
      seed[0] = (seed[0] as number) + 1;
    }
    commit();
    times.publish += cpu() - start;
    start = cpu();
    const last = streams.lastDelivery(subscription);
    streams.setCredit(subscription, 100_000, 200_000_000, last, false);
    streams.serve(NOW_MS);
    while (streams.next() !== 0) {
      while (streams.compose(subscription, NOW_MS).status === "frame");
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
    if (core.liveMessages !== 0) throw new Error(`${core.liveMessages} messages are left`);
  }
  return {
    publish: (times.publish * 1e6) / counted,
    deliver: (times.deliver * 1e6) / counted,
    ack: (times.ack * 1e6) / counted,
  };
}

export function streamCore(): void {
  const rows = [];
  for (const [bytes, perFrame] of CASES) {
    const { publish, deliver, ack } = run(bytes, perFrame, Math.max(20, Math.floor(200_000_000 / (1000 * bytes))));
    rows.push([`${bytes} B, ${perFrame} a frame`, ...[publish, deliver, ack].map((ns) => ns.toFixed(0))]);
  }
  table("The core's share of a streamed message, ns of processor time", ["", "publish", "deliver", "ack"], rows);
}
