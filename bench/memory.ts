// What a queued message costs in memory, beyond what the broker takes when it is empty.

import type { FillResult } from "./filled-broker.ts";
import { median, percent, runScript, table, temporaryDirectory, whole } from "./support.ts";

const MiB = 1024 * 1024;

export async function memory(): Promise<void> {
  const rows: string[][] = [];
  for (const messageCount of [1_000_000, 10_000_000]) {
    const directory = temporaryDirectory();
    try {
      const job = { directory: directory.path, messageCount, receiveCount: 0 };
      const { empty, full, recordBytes, seconds } = await runScript<FillResult>("filled-broker.ts", job, [
        "--expose-gc",
      ]);
      rows.push([
        whole(messageCount),
        ((full.heapBytes - empty.heapBytes) / MiB).toFixed(1),
        (full.coreBytes / MiB).toFixed(0),
        ((full.coreBytes - empty.coreBytes) / messageCount).toFixed(1),
        ((full.rssBytes - empty.rssBytes) / messageCount).toFixed(1),
        (full.rssBytes / MiB).toFixed(0),
        recordBytes.toFixed(0),
        whole(messageCount / seconds),
      ]);
    } finally {
      directory.remove();
    }
  }
  const head = [
    "queued",
    "heap growth MiB",
    "core MiB",
    "core B/message",
    "RSS B/message",
    "RSS MiB",
    "log B/message",
    "filled/s",
  ];
  table("Memory: 256-byte messages; growth over the empty broker with its tail touched", head, rows);
}

/** The latency of a receive does not depend on how many wait behind it. */
export async function depth(): Promise<void> {
  const latencies = new Map<number, { median: number; p99: number }[]>();
  const rows: string[][] = [];
  for (const messageCount of [1_000, 10_000_000]) {
    const directory = temporaryDirectory();
    try {
      const job = { directory: directory.path, messageCount, receiveCount: 900 };
      const { receiveMs } = await runScript<FillResult>("filled-broker.ts", job, ["--expose-gc"]);
      const sorted = [...receiveMs].sort((a, b) => a - b);
      const p99 = sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN;
      latencies.set(messageCount, [{ median: median(receiveMs), p99 }]);
      const first = latencies.get(1_000)?.[0];
      rows.push([
        whole(messageCount),
        median(receiveMs).toFixed(3),
        p99.toFixed(3),
        percent(median(receiveMs) / (first?.median ?? Number.NaN)),
        percent(p99 / (first?.p99 ?? Number.NaN)),
      ]);
    } finally {
      directory.remove();
    }
  }
  table(
    "Receive by depth: one message at a time, in the broker's process",
    ["queued", "median ms", "p99 ms", "median vs 1,000", "p99 vs 1,000"],
    rows,
  );
}
