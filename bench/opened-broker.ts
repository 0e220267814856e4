// Opens the broker on a log in this process (a child of the benchmark's), and prints how long each phase took, as JSON.
import { readFileSync } from "node:fs";
import { openBroker } from "../src/broker/open.ts";
import { openLog } from "../src/log/local-log.ts";
import type { RecordCodec } from "../src/log/log.ts";
import { NodeDisk } from "../src/log/node-disk.ts";
import { encryptionIn } from "./log-key.ts";
import { CORE_WASM } from "./support.ts";

export interface OpenJob {
  readonly directory: string;
}

/** Milliseconds; `indexMs` and `recordsMs` are what the core needs while the log is read, and part of `logMs`. */
export interface OpenPhases {
  readonly logMs: number;
  readonly indexMs: number;
  readonly recordsMs: number;
  readonly restoreMs: number;
  /** Growth since before, after a collection if there is one to ask for. */
  readonly rssBytes: number;
}

const job: OpenJob = JSON.parse(process.argv[2] ?? "");
let indexMs = 0;
let recordsMs = 0;
let logBeganMs = 0;
let logEndedMs = 0;

function timed(codec: RecordCodec): RecordCodec {
  return {
    begin: (segment, seed) => codec.begin(segment, seed),
    findLater: (bytes, position) => codec.findLater(bytes, position),
    replay(bytes, position) {
      const beganMs = performance.now();
      const result = codec.replay(bytes, position);
      recordsMs += performance.now() - beganMs;
      return result;
    },
    replayIndex(bytes, segment) {
      const beganMs = performance.now();
      codec.replayIndex(bytes, segment);
      indexMs += performance.now() - beganMs;
    },
  };
}

globalThis.gc?.();
const emptyBytes = process.memoryUsage().rss;
await openBroker({
  coreWasm: readFileSync(CORE_WASM),
  async openLog(codec, segmentBytes) {
    logBeganMs = performance.now();
    const onNote = (text: string) => process.stderr.write(`${text}\n`);
    const opened = await openLog(new NodeDisk(job.directory), {
      codec: timed(codec),
      segmentBytes,
      onNote,
      encryption: encryptionIn(job.directory),
    });
    logEndedMs = performance.now();
    return opened;
  },
  onFatal: (error) => {
    throw error;
  },
});
const restoreMs = performance.now() - logEndedMs;
globalThis.gc?.();
globalThis.gc?.();
const rssBytes = process.memoryUsage().rss - emptyBytes;
const phases: OpenPhases = { logMs: logEndedMs - logBeganMs, indexMs, recordsMs, restoreMs, rssBytes };
process.stdout.write(JSON.stringify(phases), () => process.exit(0));
