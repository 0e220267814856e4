// What a queued message costs in memory, beyond what the broker takes when it is empty.

import type { FillResult } from "./filled-broker.ts";
import { percent, quantile, runScript, table, temporaryDirectory, whole } from "./support.ts";

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

const DEPTHS = [
  { name: "1,000, in the tail", messageCount: 1_000, pushOut: false },
  { name: "1,000, on disk", messageCount: 1_000, pushOut: true },
  { name: "10,000,000", messageCount: 10_000_000, pushOut: false },
];
const DEPTH_RECEIVE_COUNT = 900;

/** The latency of a receive does not depend on how many wait behind it, nor on where its message is. */
export async function depth(): Promise<void> {
  const rows: string[][] = [];
  const first: number[] = [];
  for (const { name, ...job } of DEPTHS) {
    const directory = temporaryDirectory();
    try {
      const full = { ...job, directory: directory.path, receiveCount: DEPTH_RECEIVE_COUNT };
      const { receiveMs } = await runScript<FillResult>("filled-broker.ts", full, ["--expose-gc"]);
      const figures = [0.5, 0.99, 1].map((share) => quantile(receiveMs, share));
      if (first.length === 0) first.push(...figures);
      rows.push([
        name,
        ...figures.map((ms) => ms.toFixed(4)),
        ...figures.slice(0, 2).map((ms, i) => percent(ms / (first[i] ?? Number.NaN))),
      ]);
    } finally {
      directory.remove();
    }
  }
  table(
    `Receive by depth: ${DEPTH_RECEIVE_COUNT} messages, one at a time, in the broker's process`,
    ["queued", "median ms", "p99 ms", "worst ms", "median vs first", "p99 vs first"],
    rows,
  );
}
