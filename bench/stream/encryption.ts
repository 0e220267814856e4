// Encryption at rest: the same streams with it and without, in turns, in one run.
import { call, median, percent, runScript, startBroker, table, temporaryDirectory, whole } from "../support.ts";
import type { LoadResult } from "./load.ts";

const SECONDS = Number(process.env["WASQ_BENCH_SECONDS"] ?? 3);
const ROUND_COUNT = 3;
const QUEUE = "bench";
const SHAPES = [
  { bodyBytes: 256, perFrame: 10, inFlight: 1_000 },
  { bodyBytes: 256, perFrame: 100, inFlight: 10_000 },
  { bodyBytes: 16_384, perFrame: 10, inFlight: 200 },
];

async function settledPerSecond(shape: (typeof SHAPES)[number], encryption: "on" | "off"): Promise<number> {
  const directory = temporaryDirectory();
  const broker = await startBroker(directory.path, [], 0, ["--encryption-at-rest", encryption]);
  try {
    await call(broker.endpoint, "CreateQueue", { QueueName: QUEUE });
    const place = { port: Number(new URL(broker.endpoint).port), queue: QUEUE, serverPid: broker.pid };
    const job = { ...shape, ...place, seconds: SECONDS, publishes: true, consumes: true };
    return (await runScript<LoadResult>("stream/load.ts", job)).settled;
  } finally {
    await broker.stop("SIGKILL");
    directory.remove();
  }
}

export async function streamEncryption(): Promise<void> {
  const rows: string[][] = [];
  for (const shape of SHAPES) {
    const met = { on: [] as number[], off: [] as number[] };
    for (let round = 0; round < ROUND_COUNT; round++) {
      for (const encryption of ["off", "on"] as const) met[encryption].push(await settledPerSecond(shape, encryption));
    }
    const [on, off] = [median(met.on), median(met.off)];
    const name = `${shape.bodyBytes} B, ${shape.perFrame} a frame`;
    rows.push([name, whole(on), whole(off), percent(on / off)]);
  }
  table(
    "Published, delivered and acknowledged with the log encrypted, messages/s",
    ["", "encrypted", "in the clear", "share"],
    rows,
  );
}
