// What idle queues cost: memory each, disk each, and the start of a broker that has them all.
import type { OpenPhases } from "./opened-broker.ts";
import type { QueuesResult } from "./queues-run.ts";
import { runScript, table, temporaryDirectory, whole } from "./support.ts";

const QUEUE_COUNTS = [100_000, 1_000_000];

export async function queues(): Promise<void> {
  const rows: string[][] = [];
  for (const queueCount of QUEUE_COUNTS) {
    const directory = temporaryDirectory();
    try {
      const job = { directory: directory.path, queueCount };
      const made = await runScript<QueuesResult>("queues-run.ts", job, ["--expose-gc"]);
      const opened = await runScript<OpenPhases>("opened-broker.ts", job, ["--expose-gc"]);
      rows.push([
        whole(queueCount),
        whole(made.rssBytes / queueCount),
        whole(made.heapBytes / queueCount),
        whole(made.coreBytes / queueCount),
        whole(made.logBytes / queueCount),
        whole(queueCount / made.seconds),
        whole(opened.logMs + opened.restoreMs),
        whole(opened.rssBytes / queueCount),
      ]);
    } finally {
      directory.remove();
    }
  }
  const head = ["queues", "RSS B each", "heap B", "core B", "log B", "created/s", "start ms", "RSS B each, started"];
  table("Idle queues: growth over the broker with none, after a collection", head, rows);
}
